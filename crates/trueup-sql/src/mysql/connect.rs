//! Opens a connection: the socket, TLS, the proof of the password, and the session's settings.
//!
//! Invariant: every session has the same settings, whatever the user, the database or the server say, so that a value has
//! one form only. It deliberately does not reconnect: a broken connection stays broken, and its owner decides what that
//! means.

use super::auth::{self, Greeting};
use super::config::Settings;
use super::error::{self, Foreign, Refused};
use super::session::{Connection, Row};
use super::wire::{Stream, Wire, broken};
use crate::secret::Secret;
use crate::tls::{self, SslMode};
use rustix::net::sockopt;
use rustls::ClientConnection;
use rustls_pki_types::ServerName;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;
use trueup_core::{Error, Kind, Result};

/// How long a dead peer can go unnoticed.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;
const TCP_USER_TIMEOUT_MS: u32 = 60_000;

/// What client and server agree on; the numbers are the protocol's.
mod flag {
    pub(super) const FOUND_ROWS: u64 = 2;
    pub(super) const WITH_DATABASE: u64 = 8;
    pub(super) const LOCAL_FILES: u64 = 0x80;
    pub(super) const PROTOCOL_41: u64 = 0x200;
    pub(super) const TLS: u64 = 0x800;
    pub(super) const TRANSACTIONS: u64 = 0x2000;
    pub(super) const SECURE: u64 = 0x8000;
    pub(super) const MULTI_STATEMENTS: u64 = 0x1_0000;
    pub(super) const MULTI_RESULTS: u64 = 0x2_0000;
    pub(super) const METHODS: u64 = 0x8_0000;
    pub(super) const LONG_PROOF: u64 = 0x20_0000;
    pub(super) const NO_EOF: u64 = 0x100_0000;
}

/// What every server has to know.
const NEEDED: u64 = flag::PROTOCOL_41 | flag::TRANSACTIONS | flag::SECURE | flag::METHODS;
/// What is used where the server knows it.
const WANTED: u64 = 1
    | 4
    | flag::FOUND_ROWS
    | flag::WITH_DATABASE
    | flag::LOCAL_FILES
    | flag::MULTI_STATEMENTS
    | flag::MULTI_RESULTS
    | flag::LONG_PROOF
    | flag::NO_EOF
    | NEEDED;
/// utf8mb4_bin, until the session says it again by name.
const COLLATION: u8 = 46;
/// The longest packet we take.
const PACKET_BYTES_MAX: u32 = 1 << 30;

/// What every session is set to. A setting that the server does not know is left out.
const SETTINGS: &[(&str, &str)] = &[
    ("autocommit", "1"),
    (
        "sql_mode",
        "'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'",
    ),
    ("time_zone", "'+00:00'"),
    ("tx_isolation", "'REPEATABLE-READ'"),
    ("transaction_isolation", "'REPEATABLE-READ'"),
    ("foreign_key_checks", "1"),
    ("unique_checks", "1"),
    ("sql_auto_is_null", "0"),
    ("sql_big_selects", "1"),
    ("sql_safe_updates", "0"),
    ("sql_select_limit", "18446744073709551615"),
    ("max_sort_length", "8388608"),
    ("max_statement_time", "0"),
    ("max_execution_time", "0"),
    ("lock_wait_timeout", "60"),
    ("innodb_lock_wait_timeout", "60"),
    ("wait_timeout", "604800"),
    ("net_read_timeout", "86400"),
    ("net_write_timeout", "86400"),
    ("idle_transaction_timeout", "0"),
    ("idle_readonly_transaction_timeout", "0"),
    ("idle_write_transaction_timeout", "0"),
];

/// The oldest servers whose catalogue is understood: MariaDB and MySQL, as major, minor.
const OLDEST: [(u32, u32); 2] = [(10, 4), (5, 7)];

impl Connection {
    /// Connects and fixes the session's settings.
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let mut connection = dial(settings)?;
        connection.settle()?;
        Ok(connection)
    }

    fn settle(&mut self) -> Result<()> {
        self.execute("SET NAMES utf8mb4 COLLATE utf8mb4_bin")?;
        let row = self.one("SELECT VERSION(), @@max_allowed_packet, @@local_infile")?;
        let version = row.text(0)?;
        self.server.mariadb = version.contains("MariaDB");
        let known = if self.server.mariadb { 0 } else { 1 };
        let number = numbers(&version);
        if number < OLDEST[known] {
            return Err(
                Error::config(format!("the server is too old: version={version}"))
                    .hint("MariaDB 10.4 and MySQL 5.7 are the oldest that can be used"),
            );
        }
        self.server.number = number;
        self.server.version = version;
        self.server.packet_bytes_max = usize::try_from(row.int(1)?).unwrap_or(1 << 20);
        self.server.local_infile = row.text(2)? == "1";
        let names = SETTINGS.iter().map(|(name, _)| format!("'{name}'"));
        let names = names.collect::<Vec<_>>().join(",");
        let rows = self.query(&format!(
            "SHOW SESSION VARIABLES WHERE Variable_name IN ({names})"
        ))?;
        let known: Result<Vec<String>> = rows.iter().map(|row: &Row| row.text(0)).collect();
        let known = known?;
        let sets = SETTINGS
            .iter()
            .filter(|(name, _)| known.iter().any(|known| known.eq_ignore_ascii_case(name)))
            .map(|(name, value)| format!("{name} = {value}"));
        self.execute(&format!(
            "SET SESSION {}",
            sets.collect::<Vec<_>>().join(", ")
        ))
    }
}

/// Major and minor of a version.
fn numbers(version: &str) -> (u32, u32) {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next().and_then(|text| text.parse().ok());
    (next().unwrap_or(0), next().unwrap_or(0))
}

/// Connects as `sslmode` says; the session is still the server's own.
pub(super) fn dial(settings: &Settings) -> Result<Connection> {
    if settings.is_socket() || settings.ssl_mode == SslMode::Disable {
        return attempt(settings, false);
    }
    match settings.ssl_mode {
        SslMode::Allow => match attempt(settings, false) {
            Err(error) if error.kind() == Kind::Auth => attempt(settings, true).map_err(|_| error),
            other => other,
        },
        SslMode::Prefer => match attempt(settings, true) {
            // The server speaks no TLS, or none that we speak.
            Err(error) if error.kind() == Kind::Unavailable => attempt(settings, false),
            other => other,
        },
        _ => attempt(settings, true),
    }
}

fn attempt(settings: &Settings, protect: bool) -> Result<Connection> {
    let stream = if settings.is_socket() {
        UnixStream::connect(&settings.host).map(|stream| {
            let limited = stream.set_read_timeout(Some(settings.connect_timeout));
            limited.map(|()| Stream::Unix(stream))
        })
    } else {
        reach(settings).map(|stream| Ok(Stream::Tcp(stream)))
    };
    let stream = stream.and_then(|stream| stream);
    let mut wire = Wire::new(stream.map_err(|error| error::lost(&error))?);
    let greeting = greet(&mut wire).map_err(|foreign| error::connecting(&foreign))?;
    let agreed = WANTED & greeting.capabilities;
    if agreed & NEEDED != NEEDED {
        return Err(
            Error::config("the server is too old, or no MySQL or MariaDB")
                .hint("MariaDB 10.4 and MySQL 5.7 are the oldest that can be used"),
        );
    }
    let agreed = if protect {
        secure(&mut wire, settings, &greeting, agreed)?
    } else {
        agreed
    };
    log_in(&mut wire, settings, &greeting, agreed, protect)?;
    wire.patient().map_err(|error| error::lost(&error))?;
    Ok(Connection::new(
        wire,
        settings.clone(),
        greeting.thread,
        protect,
        agreed & flag::NO_EOF != 0,
    ))
}

/// Connects to the first address that answers.
fn reach(settings: &Settings) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (settings.host.as_str(), settings.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, settings.connect_timeout) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(settings.connect_timeout))?;
                sockopt::set_socket_keepalive(&stream, true)?;
                sockopt::set_tcp_keepidle(&stream, KEEPALIVE_IDLE)?;
                sockopt::set_tcp_keepintvl(&stream, KEEPALIVE_INTERVAL)?;
                sockopt::set_tcp_keepcnt(&stream, KEEPALIVE_RETRIES)?;
                sockopt::set_tcp_user_timeout(&stream, TCP_USER_TIMEOUT_MS)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn greet(wire: &mut Wire) -> std::result::Result<Greeting, Foreign> {
    let packet = wire.packet()?;
    if packet.first() == Some(&0xff) {
        return Err(Foreign::Server(refused(packet)));
    }
    Ok(auth::greeting(packet)?)
}

/// Reads an error packet.
pub(super) fn refused(packet: &[u8]) -> Refused {
    let code = match packet {
        [_, low, high, ..] => u16::from_le_bytes([*low, *high]),
        _ => 0,
    };
    let rest = packet.get(3..).unwrap_or_default();
    let message = match rest.first() {
        Some(b'#') => rest.get(6..).unwrap_or_default(),
        _ => rest,
    };
    Refused {
        code,
        message: String::from_utf8_lossy(message).into_owned(),
    }
}

fn secure(wire: &mut Wire, settings: &Settings, greeting: &Greeting, agreed: u64) -> Result<u64> {
    if greeting.capabilities & flag::TLS == 0 {
        return Err(Error::new(Kind::Unavailable, "the server speaks no TLS")
            .hint("switch it on there, or connect without: sslmode=disable"));
    }
    let agreed = agreed | flag::TLS;
    let client = tls::client(settings.ssl_mode, &settings.roots)?;
    let name = ServerName::try_from(settings.host.clone()).map_err(|error| {
        Error::config("the host is no name that a certificate could be for")
            .hint("name the server as its certificate does")
            .cause(error)
    })?;
    let client = ClientConnection::new(Arc::new(client), name);
    let client = client.map_err(|error| {
        Error::config("TLS cannot be set up")
            .hint("see sslmode and sslrootcert in the address")
            .cause(error)
    })?;
    wire.send(&head(agreed))
        .and_then(|()| wire.protect(client))
        .map_err(|error| error::lost(&error))?;
    Ok(agreed)
}

/// What both the request for TLS and the login begin with.
fn head(agreed: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    let low = u32::try_from(agreed & u64::from(u32::MAX)).unwrap_or(0);
    bytes.extend(low.to_le_bytes());
    bytes.extend(PACKET_BYTES_MAX.to_le_bytes());
    bytes.push(COLLATION);
    bytes.extend([0; 23]);
    bytes
}

fn log_in(
    wire: &mut Wire,
    settings: &Settings,
    greeting: &Greeting,
    agreed: u64,
    protected: bool,
) -> Result<()> {
    let password = settings.password.as_ref().map_or("", |Secret(text)| text);
    let mut login = Login {
        password,
        // What nobody but the server itself can read.
        trusted: settings.is_socket()
            || protected && matches!(settings.ssl_mode, SslMode::VerifyCa | SslMode::VerifyFull),
        private: settings.is_socket() || protected,
        nonce: greeting.nonce.clone(),
        method: greeting.method.clone(),
    };
    let proof = match auth::answer(&login.method, password, &login.nonce) {
        Some(proof) => proof,
        None => {
            // The server asks again by the method that the user needs.
            login.method = b"mysql_native_password".to_vec();
            auth::answer(&login.method, password, &login.nonce).unwrap_or_default()
        }
    };
    let mut bytes = head(agreed);
    let text = |text: &str, bytes: &mut Vec<u8>| {
        bytes.extend(text.bytes().filter(|&byte| byte != 0));
        bytes.push(0);
    };
    text(&settings.user, &mut bytes);
    bytes.push(u8::try_from(proof.len()).unwrap_or(0));
    bytes.extend_from_slice(&proof);
    text(&settings.database, &mut bytes);
    bytes.extend_from_slice(&login.method);
    bytes.push(0);
    wire.send(&bytes).map_err(|error| error::lost(&error))?;
    login.converse(wire)
}

/// A login on its way.
struct Login<'a> {
    password: &'a str,
    /// Whether the other side is proven to be the server.
    trusted: bool,
    /// Whether nobody can listen.
    private: bool,
    nonce: Vec<u8>,
    method: Vec<u8>,
}

impl Login<'_> {
    /// Answers until the server lets us in or does not.
    fn converse(&mut self, wire: &mut Wire) -> Result<()> {
        for _ in 0..8 {
            let packet = wire.packet().map_err(|error| error::lost(&error))?.to_vec();
            let answer = match packet.split_first() {
                Some((0x00, _)) => return Ok(()),
                Some((0xff, _)) => {
                    return Err(error::connecting(&Foreign::Server(refused(&packet))));
                }
                Some((0xfe, rest)) => Some(self.change(rest)?),
                Some((0x01, [4])) => Some(self.in_clear(self.private)?),
                Some((0x01, _)) => None,
                _ => return Err(error::lost(&broken("the login ends unexpectedly"))),
            };
            if let Some(answer) = answer {
                wire.send(&answer).map_err(|error| error::lost(&error))?;
            }
        }
        Err(error::lost(&broken("the login does not end")))
    }

    /// The server wants another method.
    fn change(&mut self, rest: &[u8]) -> Result<Vec<u8>> {
        let mut parts = super::wire::Parts::new(rest);
        self.method = parts.until_zero().to_vec();
        let nonce = parts.rest();
        self.nonce = nonce.strip_suffix(&[0]).unwrap_or(nonce).to_vec();
        if let Some(answer) = auth::answer(&self.method, self.password, &self.nonce) {
            return Ok(answer);
        }
        if self.method == b"mysql_clear_password" || self.method == b"dialog" {
            return self.in_clear(self.trusted);
        }
        if self.method == b"auth_socket" || self.method == b"unix_socket" {
            return Ok(Vec::new());
        }
        let method = String::from_utf8_lossy(&self.method);
        Err(Error::new(
            Kind::Auth,
            format!(
                "the server asks for a login method that trueup does not know: method={}",
                method.escape_debug()
            ),
        )
        .hint("let the user log in with mysql_native_password or caching_sha2_password"))
    }

    fn in_clear(&self, safe: bool) -> Result<Vec<u8>> {
        if safe || self.password.is_empty() {
            return Ok(auth::clear(self.password));
        }
        Err(Error::new(
            Kind::Auth,
            "the server wants the password itself, and the connection does not protect it",
        )
        .hint("use sslmode=verify-full, or for caching_sha2_password at least sslmode=require"))
    }
}
