//! Cuts the server's long COPY messages into short ones, before the driver sees them.
//!
//! The server sends each record of a COPY as one message, and the driver keeps a message until it is whole: a value of 100 MiB
//! would be in its memory and in ours. The data of a COPY may be cut anywhere, so nobody needs to know. Invariant: what comes
//! out are the same messages in the same order, and COPY data has the same bytes in the same order. It deliberately looks at
//! nothing but the length of each message, and passes on what does not look like messages, for the driver to complain.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready as try_ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

/// How many bytes of COPY data come in one message, if there are more of them.
const PIECE_BYTES: usize = 64 << 10;
/// A message begins with its kind and its length, which counts itself, but not the kind.
const HEADER_BYTES: usize = 5;
const LENGTH_BYTES: usize = 4;
const COPY_DATA: u8 = b'd';

/// Where the stream of messages stands.
#[derive(Debug, Default)]
struct Place {
    /// How much of the message, or piece of one, under way is still to be passed.
    left: usize,
    /// How much follows in further pieces.
    behind: usize,
    /// The beginning of a message whose length has not arrived completely.
    header: Vec<u8>,
    /// What is to be passed before anything else.
    owed: Vec<u8>,
    /// Whether these are no messages.
    lost: bool,
}

impl Place {
    /// Reads a message's header, of which `there` bytes of content stand ready, and makes it that of its first piece.
    fn begin(&mut self, header: &mut [u8; HEADER_BYTES], there: usize) {
        let [kind, length @ ..] = *header;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let Some(content) = length.checked_sub(LENGTH_BYTES) else {
            self.lost = true;
            return;
        };
        // What stands ready behind the header cannot be moved to make room for another.
        let piece = content.min(there.max(PIECE_BYTES));
        let long = kind == COPY_DATA && piece < content;
        self.left = if long { piece } else { content };
        self.behind = content - self.left;
        if long {
            *header = header_of(piece);
        }
    }

    /// Begins the next piece of a long message.
    fn go_on(&mut self) {
        self.left = self.behind.min(PIECE_BYTES);
        self.behind -= self.left;
        self.owed = header_of(self.left).to_vec();
    }

    /// Steps over what has arrived, and returns how many bytes of it may be passed; the rest is kept.
    fn walk(&mut self, arrived: &mut [u8]) -> usize {
        let mut at = 0;
        while !self.lost {
            let passed = self.left.min(arrived.len() - at);
            at += passed;
            self.left -= passed;
            let rest = arrived.get_mut(at..).unwrap_or_default();
            if rest.is_empty() {
                return at;
            }
            let there = rest.len().saturating_sub(HEADER_BYTES);
            let Some(header) = rest.first_chunk_mut::<HEADER_BYTES>() else {
                self.header = rest.to_vec();
                return at;
            };
            self.begin(header, there);
            at += HEADER_BYTES;
        }
        arrived.len()
    }
}

fn header_of(content: usize) -> [u8; HEADER_BYTES] {
    let length = u32::try_from(content + LENGTH_BYTES).unwrap_or(u32::MAX);
    let [a, b, c, d] = length.to_be_bytes();
    [COPY_DATA, a, b, c, d]
}

/// A stream of messages from a server, and whatever goes to it.
pub(super) struct Cut<S> {
    inner: S,
    place: Place,
    binding: fn(&S) -> ChannelBinding,
}

impl<S> Cut<S> {
    /// For a connection on which nothing has been read yet, and that has no TLS of its own.
    pub(super) fn bare(inner: S) -> Self {
        Self::new(inner, |_| ChannelBinding::none())
    }

    fn new(inner: S, binding: fn(&S) -> ChannelBinding) -> Self {
        Self {
            inner,
            place: Place::default(),
            binding,
        }
    }
}

impl<S: AsyncRead + Unpin> Cut<S> {
    /// Completes a header that arrived in part.
    fn complete(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let place = &mut self.place;
        let mut room = [0; HEADER_BYTES];
        let missing = HEADER_BYTES - place.header.len();
        let mut buffer = ReadBuf::new(room.get_mut(..missing).unwrap_or_default());
        try_ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buffer))?;
        place.header.extend_from_slice(buffer.filled());
        let ended = buffer.filled().is_empty();
        if let Some(mut header) = place.header.first_chunk::<HEADER_BYTES>().copied() {
            place.begin(&mut header, 0);
            place.owed = header.to_vec();
            place.header.clear();
        } else if ended {
            place.owed = std::mem::take(&mut place.header);
            place.lost = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Cut<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if out.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            let place = &mut this.place;
            if !place.owed.is_empty() {
                let now = place.owed.len().min(out.remaining());
                out.put_slice(place.owed.get(..now).unwrap_or_default());
                place.owed.drain(..now);
                return Poll::Ready(Ok(()));
            }
            if !place.header.is_empty() {
                try_ready!(this.complete(cx))?;
                continue;
            }
            if place.left == 0 && place.behind > 0 {
                place.go_on();
                continue;
            }
            let before = out.filled().len();
            if place.behind > 0 {
                let mut piece = (&mut this.inner).take(place.left as u64);
                try_ready!(Pin::new(&mut piece).poll_read(cx, out))?;
                place.left -= out.filled().len() - before;
                return Poll::Ready(Ok(()));
            }
            try_ready!(Pin::new(&mut this.inner).poll_read(cx, out))?;
            let arrived = out.filled_mut().get_mut(before..).unwrap_or_default();
            let (arrived, passed) = (arrived.len(), place.walk(arrived));
            out.set_filled(before + passed);
            // Nothing at all would mean the end.
            if passed > 0 || arrived == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Cut<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Cut<S> {
    fn channel_binding(&self) -> ChannelBinding {
        (self.binding)(&self.inner)
    }
}

/// Connects without TLS. To the driver it is a kind of TLS, which is its only place for a stream of our own.
#[derive(Clone, Debug)]
pub(super) struct Bare;

impl MakeTlsConnect<Socket> for Bare {
    type Stream = Cut<Socket>;
    type TlsConnect = Self;
    type Error = Infallible;

    fn make_tls_connect(&mut self, _domain: &str) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

impl TlsConnect<Socket> for Bare {
    type Stream = Cut<Socket>;
    type Error = Infallible;
    type Future = Ready<Result<Cut<Socket>, Infallible>>;

    fn connect(self, stream: Socket) -> Self::Future {
        ready(Ok(Cut::bare(stream)))
    }
}

/// Connects with TLS, and cuts what comes out of it.
#[derive(Clone)]
pub(super) struct Within<T>(pub(super) T);

impl<T: MakeTlsConnect<Socket>> MakeTlsConnect<Socket> for Within<T>
where
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send + 'static,
{
    type Stream = Cut<T::Stream>;
    type TlsConnect = Within<T::TlsConnect>;
    type Error = T::Error;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Self::TlsConnect, T::Error> {
        self.0.make_tls_connect(domain).map(Within)
    }
}

impl<T: TlsConnect<Socket>> TlsConnect<Socket> for Within<T>
where
    T::Future: Send + 'static,
{
    type Stream = Cut<T::Stream>;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, T::Error>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        let secured = self.0.connect(stream);
        Box::pin(async move {
            let stream = secured.await?;
            Ok(Cut::new(stream, T::Stream::channel_binding))
        })
    }
}

#[cfg(test)]
mod tests;
