//! The packets of the MySQL protocol: lengths, sequence numbers, and the bytes between them.
//!
//! Invariant: whatever arrives, reading it never panics, and a packet is given out whole or not at all. A packet is read
//! where it lies in the buffer; only one of 16 MiB or more is put together elsewhere. It deliberately knows no
//! command.

use rustls::{ClientConnection, StreamOwned};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A packet of this length is continued by the next one.
const PIECE_BYTES_MAX: usize = 0xff_ffff;
/// The longest packet there can be: the server's own limit for one, with room.
const PACKET_BYTES_MAX: usize = (1 << 30) + (1 << 20);
/// The shortest time a socket can be told to wait.
const WAIT_MIN: Duration = Duration::from_millis(1);
/// How long a packet that has begun may stand still.
const REST_WAIT: Duration = Duration::from_secs(60);
/// What is read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// What carries the bytes.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buffer),
            Self::Unix(stream) => stream.write(buffer),
            Self::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// One connection's packets.
pub(super) struct Wire {
    stream: Option<Stream>,
    buffer: Vec<u8>,
    /// Where the unread bytes of the buffer begin and end.
    at: usize,
    end: usize,
    /// A packet of several pieces.
    large: Vec<u8>,
    sequence: u8,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream: Some(stream),
            buffer: vec![0; BUFFER_BYTES],
            at: 0,
            end: 0,
            large: Vec::new(),
            sequence: 0,
        }
    }

    /// Puts TLS around what carries the bytes. What has arrived unprotected before it is refused.
    pub(super) fn protect(&mut self, client: ClientConnection) -> io::Result<()> {
        if self.at != self.end {
            return Err(broken("bytes arrived before TLS began"));
        }
        match self.stream.take() {
            Some(Stream::Tcp(stream)) => {
                let mut tls = StreamOwned::new(client, stream);
                while tls.conn.is_handshaking() {
                    tls.conn.complete_io(&mut tls.sock)?;
                }
                self.stream = Some(Stream::Tls(Box::new(tls)));
                Ok(())
            }
            other => {
                self.stream = other;
                Err(broken("TLS is spoken over TCP only"))
            }
        }
    }

    /// Waits for answers as long as they take from now on: what is slow is a statement, not a login.
    pub(super) fn patient(&mut self) -> io::Result<()> {
        self.limit(None)
    }

    fn limit(&mut self, wait: Option<Duration>) -> io::Result<()> {
        match self.stream()? {
            Stream::Tcp(stream) => stream.set_read_timeout(wait),
            Stream::Unix(stream) => stream.set_read_timeout(wait),
            Stream::Tls(stream) => stream.sock.set_read_timeout(wait),
        }
    }

    /// Waits at most `wait` for bytes until the next piece of a packet stands in the buffer, and leaves it there; what came
    /// of it by then is kept.
    pub(super) fn arrived(&mut self, wait: Duration) -> io::Result<bool> {
        if self.holds_piece() {
            return Ok(true);
        }
        self.limit(Some(wait.max(WAIT_MIN)))?;
        let came = self.fill();
        // The rest of a packet of several pieces is on its way.
        self.limit(Some(REST_WAIT))?;
        match came {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.need(4)?;
        self.need(4 + self.ahead().unwrap_or(0))
    }

    fn holds_piece(&self) -> bool {
        self.ahead()
            .is_some_and(|len| self.end - self.at >= 4 + len)
    }

    /// The length of the piece that begins the unread bytes.
    fn ahead(&self) -> Option<usize> {
        let head = self.buffer.get(self.at..self.end)?.get(..3)?;
        let bytes = head.iter().rev();
        Some(bytes.fold(0, |sum, &byte| sum << 8 | usize::from(byte)))
    }

    fn stream(&mut self) -> io::Result<&mut Stream> {
        self.stream
            .as_mut()
            .ok_or_else(|| broken("the connection is closed"))
    }

    /// Begins an exchange: the next packet sent is its first.
    pub(super) fn begin(&mut self) {
        self.sequence = 0;
    }

    /// Sends one packet.
    pub(super) fn send(&mut self, mut payload: &[u8]) -> io::Result<()> {
        loop {
            let (piece, rest) = payload.split_at(payload.len().min(PIECE_BYTES_MAX));
            let sequence = self.sequence;
            self.sequence = sequence.wrapping_add(1);
            let len = u32::try_from(piece.len()).unwrap_or(u32::MAX).to_le_bytes();
            let head = [len[0], len[1], len[2], sequence];
            let stream = self.stream()?;
            if piece.len() < BUFFER_BYTES {
                // One write, so that one segment goes out.
                let mut whole = Vec::with_capacity(piece.len() + head.len());
                whole.extend_from_slice(&head);
                whole.extend_from_slice(piece);
                stream.write_all(&whole)?;
            } else {
                stream.write_all(&head)?;
                stream.write_all(piece)?;
            }
            payload = rest;
            if piece.len() < PIECE_BYTES_MAX {
                return stream.flush();
            }
        }
    }

    /// Reads the next packet.
    pub(super) fn packet(&mut self) -> io::Result<&[u8]> {
        let (mut start, mut len) = self.piece()?;
        if len < PIECE_BYTES_MAX {
            return Ok(self.buffer.get(start..start + len).unwrap_or_default());
        }
        self.large = Vec::new();
        loop {
            if self.large.len() + len > PACKET_BYTES_MAX {
                return Err(broken("a packet is longer than any can be"));
            }
            let piece = self.buffer.get(start..start + len).unwrap_or_default();
            self.large.extend_from_slice(piece);
            if len < PIECE_BYTES_MAX {
                return Ok(&self.large);
            }
            (start, len) = self.piece()?;
        }
    }

    /// Makes the next piece stand in the buffer, whole; returns where it starts, and its length.
    fn piece(&mut self) -> io::Result<(usize, usize)> {
        self.need(4)?;
        let head: [u8; 4] = self
            .buffer
            .get(self.at..self.at + 4)
            .and_then(|head| head.try_into().ok())
            .ok_or_else(|| broken("a packet has no head"))?;
        let len = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        if head[3] != self.sequence {
            return Err(broken("packets arrive out of order"));
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.at += 4;
        self.need(len)?;
        let start = self.at;
        self.at += len;
        Ok((start, len))
    }

    /// Reads until this many bytes stand in the buffer.
    fn need(&mut self, count: usize) -> io::Result<()> {
        if self.end - self.at >= count {
            return Ok(());
        }
        self.buffer.copy_within(self.at..self.end, 0);
        (self.at, self.end) = (0, self.end - self.at);
        if self.buffer.len() < count {
            self.buffer.resize(count, 0);
        }
        while self.end < count {
            let (mut buffer, end) = (std::mem::take(&mut self.buffer), self.end);
            let read = self
                .stream()
                .and_then(|stream| stream.read(buffer.get_mut(end..).unwrap_or_default()));
            self.buffer = buffer;
            match read {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The server does not keep to the protocol.
pub(super) fn broken(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// Reads the parts of a packet one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(super) fn new(packet: &'a [u8]) -> Self {
        Self { rest: packet }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn take(&mut self, len: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or_else(|| broken("a packet ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// A number of `len` bytes, the lowest first.
    pub(super) fn int(&mut self, len: usize) -> io::Result<u64> {
        let bytes = self.take(len)?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
    }

    /// A number that says its own length; `None` stands for NULL.
    pub(super) fn length(&mut self) -> io::Result<Option<u64>> {
        Ok(match self.int(1)? {
            0xfb => None,
            0xfc => Some(self.int(2)?),
            0xfd => Some(self.int(3)?),
            0xfe => Some(self.int(8)?),
            0xff => return Err(broken("a length is none")),
            short => Some(short),
        })
    }

    /// Bytes that say their own length; `None` stands for NULL.
    pub(super) fn bytes(&mut self) -> io::Result<Option<&'a [u8]>> {
        let Some(len) = self.length()? else {
            return Ok(None);
        };
        let len = usize::try_from(len).map_err(|_| broken("a length is too large"))?;
        self.take(len).map(Some)
    }

    /// Bytes up to a zero, or to the end.
    pub(super) fn until_zero(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|&byte| byte == 0);
        let (text, rest) = match end {
            Some(end) => (
                self.rest.get(..end).unwrap_or_default(),
                self.rest.get(end + 1..).unwrap_or_default(),
            ),
            None => (self.rest, &self.rest[..0]),
        };
        self.rest = rest;
        text
    }
}
