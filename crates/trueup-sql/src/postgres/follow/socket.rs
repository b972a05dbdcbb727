//! The socket of a replication connection: bytes in one reused buffer, frames read where they lie.
//!
//! Invariant: a frame is handed out whole or not at all, and no memory is taken for bytes that have not arrived. It knows
//! only what every message of the protocol begins with: a letter and a length.

use crate::postgres::config::Settings;
use crate::postgres::connect::{
    KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_RETRIES, TCP_USER_TIMEOUT, timed_out,
};
use crate::postgres::error::lost_connection;
use crate::tls;
use rustix::net::{RecvFlags, recv, sockopt};
use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use trueup_core::{Error, Result};

/// How many bytes one read asks for.
const READ_BYTES: usize = 256 << 10;
/// The longest frame: the server cannot send more in one message.
const FRAME_BYTES_MAX: usize = (1 << 30) + (1 << 20);
/// A buffer that grew for a long frame beyond this is given back.
const KEEP_BYTES_MAX: usize = 16 << 20;
/// What a frame begins with: a letter and a length.
const HEAD_BYTES: usize = 5;
/// The shortest time that the system can be asked to wait.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// Reads the clock that sockets wait by.
#[expect(
    clippy::disallowed_methods,
    reason = "a deadline on a socket of the real world; nothing that is told depends on it"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// A connection without protection of its own.
enum Bare {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The connection, and whether a read may wait. The system waits in steps of milliseconds, which are too long for one
/// who only wants to know whether there is more.
struct Wire {
    bare: Bare,
    waits: bool,
}

impl Wire {
    fn set_patience(&self, wait: Duration) -> std::io::Result<()> {
        match &self.bare {
            Bare::Tcp(stream) => stream.set_read_timeout(Some(wait)),
            Bare::Unix(stream) => stream.set_read_timeout(Some(wait)),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        if !self.waits {
            let flags = RecvFlags::DONTWAIT;
            let (count, _) = match &self.bare {
                Bare::Tcp(stream) => recv(stream, room, flags)?,
                Bare::Unix(stream) => recv(stream, room, flags)?,
            };
            return Ok(count);
        }
        match &mut self.bare {
            Bare::Tcp(stream) => stream.read(room),
            Bare::Unix(stream) => stream.read(room),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match &mut self.bare {
            Bare::Tcp(stream) => stream.write(bytes),
            Bare::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

enum Channel {
    Plain(Wire),
    Tls(Box<StreamOwned<ClientConnection, Wire>>),
}

/// A socket with what was read from it and not used yet.
pub(super) struct Socket {
    channel: Channel,
    /// What the system was told last to wait for a read.
    patience: Option<Duration>,
    input: Vec<u8>,
    /// What of `input` was read and not used.
    unused: Range<usize>,
}

/// A frame that has arrived: its letter, and where its content lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) letter: u8,
    len: usize,
}

impl Socket {
    /// Connects without TLS.
    pub(super) fn plain(settings: &Settings) -> Result<Self> {
        let bare = if settings.is_socket() {
            let path = format!("{}/.s.PGSQL.{}", settings.host, settings.port);
            let stream = UnixStream::connect(path).map_err(|error| broken(&error))?;
            let set = stream.set_write_timeout(Some(TCP_USER_TIMEOUT));
            set.map_err(|error| broken(&error))?;
            Bare::Unix(stream)
        } else {
            Bare::Tcp(dial(settings)?)
        };
        Ok(Self::over(Channel::Plain(Wire { bare, waits: true })))
    }

    /// Connects with TLS.
    pub(super) fn secured(settings: &Settings) -> Result<Self> {
        let config = Arc::new(tls::client(settings.ssl_mode, &settings.roots)?);
        let mut stream = dial(settings)?;
        let timeout = Some(settings.connect_timeout);
        stream
            .set_read_timeout(timeout)
            .map_err(|error| broken(&error))?;
        // SSLRequest, which the server answers with one letter in the clear.
        stream
            .write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])
            .map_err(|error| broken(&error))?;
        let mut answer = [0];
        stream
            .read_exact(&mut answer)
            .map_err(|error| broken(&error))?;
        if answer != *b"S" {
            return Err(lost_connection("the server does not speak TLS"));
        }
        let name = ServerName::try_from(settings.host.clone()).map_err(|error| {
            Error::config("the host's name cannot be checked")
                .hint("write the host as a name or an address that a certificate can hold")
                .cause(error)
        })?;
        let mut session = ClientConnection::new(config, name)
            .map_err(|error| lost_connection(&error.to_string()))?;
        while session.is_handshaking() {
            session
                .complete_io(&mut stream)
                .map_err(|error| broken(&error))?;
        }
        let bare = Bare::Tcp(stream);
        let stream = StreamOwned::new(session, Wire { bare, waits: true });
        Ok(Self::over(Channel::Tls(Box::new(stream))))
    }

    /// A socket whose other end a test holds.
    #[cfg(test)]
    pub(super) fn given(stream: UnixStream) -> Self {
        let bare = Bare::Unix(stream);
        Self::over(Channel::Plain(Wire { bare, waits: true }))
    }

    fn over(channel: Channel) -> Self {
        Self {
            channel,
            patience: None,
            input: Vec::new(),
            unused: 0..0,
        }
    }

    /// Returns the server's certificate, where TLS protects the connection.
    pub(super) fn certificate(&self) -> Option<&[u8]> {
        match &self.channel {
            Channel::Tls(stream) => {
                let chain = stream.conn.peer_certificates()?;
                chain.first().map(AsRef::as_ref)
            }
            Channel::Plain(_) => None,
        }
    }

    /// Sends all of `bytes`.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let stream: &mut dyn Write = match &mut self.channel {
            Channel::Plain(stream) => stream,
            Channel::Tls(stream) => stream.as_mut(),
        };
        stream
            .write_all(bytes)
            .and_then(|()| stream.flush())
            .map_err(|error| broken(&error))
    }

    /// Returns the first frame that was not used, when it has arrived whole.
    pub(super) fn frame(&self) -> Result<Option<Frame>> {
        let unused = self.input.get(self.unused.clone()).unwrap_or(&[]);
        let Some((&[letter, a, b, c, d], rest)) = unused.split_first_chunk() else {
            return Ok(None);
        };
        let len = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if !(4..=FRAME_BYTES_MAX).contains(&len) {
            return Err(
                Error::corrupt("a message of the server has an impossible length")
                    .hint("the server or something between does not speak PostgreSQL's protocol"),
            );
        }
        let len = len - 4;
        Ok((rest.len() >= len).then_some(Frame { letter, len }))
    }

    /// Returns the content of a frame that has not been used.
    pub(super) fn content(&self, frame: Frame) -> &[u8] {
        let start = self.unused.start + HEAD_BYTES;
        self.input.get(start..start + frame.len).unwrap_or(&[])
    }

    /// Steps over a frame.
    pub(super) fn used(&mut self, frame: Frame) {
        self.unused.start = (self.unused.start + HEAD_BYTES + frame.len).min(self.unused.end);
        if self.unused.is_empty() {
            self.unused = 0..0;
            if self.input.len() > KEEP_BYTES_MAX {
                self.input = Vec::new();
            }
        }
    }

    /// Reads some bytes; `false` when none came until `deadline` (about: the system rounds).
    pub(super) fn fill(&mut self, deadline: Instant) -> Result<bool> {
        self.make_room();
        loop {
            self.wait_at_most(deadline.saturating_duration_since(now()))?;
            let Some(room) = self.input.get_mut(self.unused.end..) else {
                return Err(Error::bug("the buffer ends before what was read"));
            };
            let read = match &mut self.channel {
                Channel::Plain(stream) => stream.read(room),
                Channel::Tls(stream) => stream.read(room),
            };
            match read {
                Ok(0) => return Err(lost_connection("the server closed it")),
                Ok(count) => {
                    self.unused.end += count;
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return Ok(false);
                }
                Err(error) => return Err(broken(&error)),
            }
        }
    }

    /// Moves what is left to the front, and lets the buffer grow with what arrives.
    fn make_room(&mut self) {
        if self.unused.start > 0 && self.input.len() - self.unused.end < READ_BYTES / 2 {
            self.input.copy_within(self.unused.clone(), 0);
            self.unused = 0..self.unused.len();
        }
        if self.input.len() - self.unused.end < READ_BYTES / 2 {
            let len = (self.input.len() * 2).max(READ_BYTES);
            self.input.resize(len, 0);
        }
    }

    fn wait_at_most(&mut self, wait: Duration) -> Result<()> {
        let wire = match &mut self.channel {
            Channel::Plain(wire) => wire,
            Channel::Tls(stream) => &mut stream.sock,
        };
        wire.waits = wait >= WAIT_MIN;
        if !wire.waits || self.patience == Some(wait) {
            return Ok(());
        }
        self.patience = Some(wait);
        wire.set_patience(wait).map_err(|error| broken(&error))
    }
}

fn dial(settings: &Settings) -> Result<TcpStream> {
    let addresses = (settings.host.as_str(), settings.port)
        .to_socket_addrs()
        .map_err(|error| broken(&error))?;
    let mut last = lost_connection("the host has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, settings.connect_timeout) {
            Ok(stream) => {
                prepare(&stream).map_err(|error| broken(&error))?;
                return Ok(stream);
            }
            Err(error) => last = broken(&error),
        }
    }
    Err(last)
}

/// What makes a dead peer be noticed.
fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(TCP_USER_TIMEOUT))?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, KEEPALIVE_RETRIES)?;
    let user_timeout = u32::try_from(TCP_USER_TIMEOUT.as_millis()).unwrap_or(0);
    sockopt::set_tcp_user_timeout(stream, user_timeout)?;
    Ok(())
}

fn broken(error: &std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => timed_out(),
        _ => lost_connection(&error.to_string()),
    }
}
