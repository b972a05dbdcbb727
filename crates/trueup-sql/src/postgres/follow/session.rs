//! A session of replication: startup, login, questions in text, and the two-way COPY that carries the log.
//!
//! Invariant: its settings are those of every other session, so that a value's text has one form only. It reads nothing
//! of what the log says, and keeps no text of the server once it is logged in: that could quote values.

use super::binding;
use super::socket::{Frame, Socket, now};
use crate::postgres::config::Settings;
use crate::postgres::connect::{SETTINGS, timed_out};
use crate::postgres::error::{from_code, lost_connection};
use crate::postgres::quote::literal;
use crate::tls::SslMode;
use bytes::BytesMut;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256};
use postgres_protocol::message::frontend;
use std::time::{Duration, Instant};
use trueup_core::{Error, Kind, Result};

/// How long an answer to a question may take.
const ANSWER: Duration = Duration::from_secs(60);

/// One row of an answer, as texts.
pub(super) type Row = Vec<Option<String>>;

/// A connection that replication commands can be sent on.
pub(super) struct Session {
    socket: Socket,
}

impl Session {
    /// Connects as the settings say, and fixes the session's settings.
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let plain = || Self::log_in(Socket::plain(settings)?, settings);
        let secured = || Self::log_in(Socket::secured(settings)?, settings);
        if settings.is_socket() || settings.ssl_mode == SslMode::Disable {
            return plain();
        }
        // The same order as for every other connection.
        match settings.ssl_mode {
            SslMode::Allow => match plain() {
                Err(error) if error.kind() == Kind::Auth => secured().map_err(|_| error),
                other => other,
            },
            SslMode::Prefer => secured().or_else(|first| {
                plain().map_err(|second| {
                    if first.kind() == Kind::Unavailable {
                        second
                    } else {
                        first
                    }
                })
            }),
            _ => secured(),
        }
    }

    fn log_in(socket: Socket, settings: &Settings) -> Result<Self> {
        let mut session = Self { socket };
        let deadline = now() + settings.connect_timeout;
        let mut parameters = vec![
            ("user", settings.user.as_str()),
            ("database", &settings.database),
            ("replication", "database"),
            ("application_name", &settings.application),
            ("client_encoding", "UTF8"),
        ];
        if let Some(options) = &settings.options {
            parameters.push(("options", options));
        }
        session.say(|out| frontend::startup_message(parameters, out))?;
        session.prove(settings, deadline)?;
        loop {
            let frame = session.wait(deadline)?;
            match frame.letter {
                b'E' => return Err(session.refused(frame, true)),
                b'Z' => {
                    session.socket.used(frame);
                    break;
                }
                _ => session.socket.used(frame),
            }
        }
        session.settle()?;
        Ok(session)
    }

    /// Answers what the server asks for to believe who we are.
    fn prove(&mut self, settings: &Settings, deadline: Instant) -> Result<()> {
        let mut scram: Option<ScramSha256> = None;
        let password = || {
            let missing = || {
                Error::new(Kind::Auth, "not allowed in: password missing").hint(
                    "set the password with PGPASSWORD, .pgpass, or password=env:NAME in the URL",
                )
            };
            settings
                .password
                .as_ref()
                .map(|secret| secret.0.as_bytes())
                .ok_or_else(missing)
        };
        loop {
            let frame = self.wait(deadline)?;
            match frame.letter {
                b'R' => {}
                b'E' => return Err(self.refused(frame, true)),
                // A notice, or the offer of an older version of the protocol.
                b'N' | b'v' => {
                    self.socket.used(frame);
                    continue;
                }
                _ => return Err(strange()),
            }
            let content = self.socket.content(frame).to_vec();
            self.socket.used(frame);
            let (code, rest) = content.split_first_chunk().ok_or_else(strange)?;
            match u32::from_be_bytes(*code) {
                0 => return Ok(()),
                3 => {
                    let password = password()?;
                    self.say(|out| frontend::password_message(password, out))?;
                }
                5 => {
                    let salt = rest.try_into().map_err(|_| strange())?;
                    let hash = md5_hash(settings.user.as_bytes(), password()?, salt);
                    self.say(|out| frontend::password_message(hash.as_bytes(), out))?;
                }
                10 => {
                    let begun = self.begin_scram(password()?, rest)?;
                    scram = Some(begun);
                }
                11 => {
                    let state = scram.as_mut().ok_or_else(strange)?;
                    state.update(rest).map_err(|_| unproved())?;
                    let message = state.message().to_vec();
                    self.say(|out| frontend::sasl_response(&message, out))?;
                }
                12 => {
                    let state = scram.as_mut().ok_or_else(strange)?;
                    state.finish(rest).map_err(|_| unproved())?;
                }
                other => {
                    return Err(Error::new(
                        Kind::Auth,
                        format!("the server wants a login that is not known: method={other}"),
                    )
                    .hint("let this user in by scram-sha-256 in pg_hba.conf"));
                }
            }
        }
    }

    fn begin_scram(&mut self, password: &[u8], offered: &[u8]) -> Result<ScramSha256> {
        let offers = |name: &str| {
            offered
                .split(|&byte| byte == 0)
                .any(|word| word == name.as_bytes())
        };
        let (binding, bound) =
            binding::choose(self.socket.certificate(), offers(SCRAM_SHA_256_PLUS));
        let name = if bound {
            SCRAM_SHA_256_PLUS
        } else {
            SCRAM_SHA_256
        };
        if !offers(name) {
            return Err(
                Error::new(Kind::Auth, "the server offers no login that is known")
                    .hint("let this user in by scram-sha-256 in pg_hba.conf"),
            );
        }
        let state = ScramSha256::new(password, binding);
        let message = state.message().to_vec();
        self.say(|out| frontend::sasl_initial_response(name, &message, out))?;
        Ok(state)
    }

    /// Fixes what the forms of values depend on, and lets the server notice our death.
    fn settle(&mut self) -> Result<()> {
        let own = [
            ("tcp_keepalives_idle", "30"),
            ("tcp_keepalives_interval", "10"),
            ("tcp_keepalives_count", "3"),
        ];
        let values = SETTINGS
            .iter()
            .chain(&own)
            .map(|(name, value)| format!("({}, {})", literal(name), literal(value)));
        let values = values.collect::<Vec<_>>().join(", ");
        self.query(&format!(
            "SELECT set_config(s.name, v.value, false) FROM (VALUES {values}) AS v(name, value) \
             JOIN pg_settings s ON s.name = v.name"
        ))?;
        Ok(())
    }

    /// Asks in text, and returns the rows of the answer.
    pub(super) fn query(&mut self, sql: &str) -> Result<Vec<Row>> {
        self.say(|out| frontend::query(sql, out))?;
        let deadline = now() + ANSWER;
        let (mut rows, mut refused) = (Vec::new(), None);
        loop {
            let frame = self.wait(deadline)?;
            match frame.letter {
                b'D' => rows.push(row(self.socket.content(frame))?),
                b'E' => {
                    refused.get_or_insert(self.refused(frame, false));
                }
                b'Z' => {
                    self.socket.used(frame);
                    return refused.map_or(Ok(rows), Err);
                }
                _ => {}
            }
            self.socket.used(frame);
        }
    }

    /// Sends a command that is answered by a COPY in both ways; returns the SQLSTATE when the server refuses it.
    pub(super) fn begin_copy(&mut self, command: &str) -> Result<Option<String>> {
        self.say(|out| frontend::query(command, out))?;
        let deadline = now() + ANSWER;
        let mut refused = None;
        loop {
            let frame = self.wait(deadline)?;
            let letter = frame.letter;
            if letter == b'E' {
                refused = Some(code(self.socket.content(frame)));
            }
            self.socket.used(frame);
            match letter {
                b'W' => return Ok(None),
                b'Z' => return refused.map(Some).ok_or_else(strange),
                _ => {}
            }
        }
    }

    /// Returns the next message of the COPY, when it has arrived: a frame whose content is the log's.
    pub(super) fn message(&mut self) -> Result<Option<Frame>> {
        while let Some(frame) = self.socket.frame()? {
            match frame.letter {
                b'd' => return Ok(Some(frame)),
                b'E' => return Err(self.refused(frame, false)),
                // The server ends the COPY when it shuts down.
                b'c' | b'C' | b'Z' => return Err(lost_connection("the server ended the log")),
                // Notices, and settings that changed.
                b'N' | b'S' | b'A' => self.socket.used(frame),
                _ => return Err(strange()),
            }
        }
        Ok(None)
    }

    pub(super) fn content(&self, frame: Frame) -> &[u8] {
        self.socket.content(frame)
    }

    pub(super) fn used(&mut self, frame: Frame) {
        self.socket.used(frame);
    }

    /// Reads some bytes; `false` when none came until `deadline`.
    pub(super) fn fill(&mut self, deadline: Instant) -> Result<bool> {
        self.socket.fill(deadline)
    }

    /// Sends bytes inside the COPY.
    pub(super) fn send(&mut self, content: &[u8]) -> Result<()> {
        let mut out = Vec::with_capacity(content.len() + 5);
        out.push(b'd');
        let len = u32::try_from(content.len() + 4)
            .map_err(|_| Error::bug("what is sent to the server is too long"))?;
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(content);
        self.socket.send(&out)
    }

    fn say(&mut self, write: impl FnOnce(&mut BytesMut) -> std::io::Result<()>) -> Result<()> {
        let mut out = BytesMut::new();
        write(&mut out).map_err(|_| {
            Error::config("a text cannot be sent to the server")
                .hint("names, passwords and options may hold no zero byte")
        })?;
        self.socket.send(&out)
    }

    fn wait(&mut self, deadline: Instant) -> Result<Frame> {
        loop {
            if let Some(frame) = self.socket.frame()? {
                return Ok(frame);
            }
            if !self.socket.fill(deadline)? && now() >= deadline {
                return Err(timed_out());
            }
        }
    }

    /// Translates the server's error. Its own words are shown only while connecting, when no record has been seen.
    fn refused(&self, frame: Frame, connecting: bool) -> Error {
        let content = self.socket.content(frame);
        let code = code(content);
        let error = refusal(&code);
        if !connecting {
            return error;
        }
        let said = field(content, b'M').unwrap_or_default();
        let hint = match code.as_str() {
            "42501" => "ALTER ROLE ... REPLICATION lets a user follow",
            _ => error.advice().unwrap_or("see the server's log"),
        };
        let hint = hint.to_owned();
        let message = format!(
            "{}: server says \"{}\"",
            error.message(),
            said.escape_debug()
        );
        Error::new(error.kind(), message).hint(hint)
    }
}

/// What an error means on a replication connection.
pub(super) fn refusal(code: &str) -> Error {
    match code {
        // The slot or the publication is gone, or another process uses it: opening the log again tells which.
        "42704" | "55000" | "55006" | "58P01" => Error::new(
            Kind::Unavailable,
            format!("the server does not go on with the log: sqlstate={code}"),
        )
        .hint("run again: whether the log can be taken up is found out when it is opened"),
        _ => from_code(code),
    }
}

fn code(content: &[u8]) -> String {
    field(content, b'C').unwrap_or_default()
}

/// Finds a field of an error's message.
fn field(content: &[u8], wanted: u8) -> Option<String> {
    let found = content
        .split(|&byte| byte == 0)
        .find(|part| part.first() == Some(&wanted))?;
    Some(String::from_utf8_lossy(found.get(1..)?).into_owned())
}

fn row(content: &[u8]) -> Result<Row> {
    let mut rest = content;
    let (count, after) = rest.split_first_chunk().ok_or_else(strange)?;
    rest = after;
    let mut row = Row::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (len, after) = rest.split_first_chunk().ok_or_else(strange)?;
        rest = after;
        let Ok(len) = usize::try_from(i32::from_be_bytes(*len)) else {
            row.push(None);
            continue;
        };
        let (value, after) = rest.split_at_checked(len).ok_or_else(strange)?;
        rest = after;
        row.push(Some(String::from_utf8_lossy(value).into_owned()));
    }
    Ok(row)
}

fn strange() -> Error {
    Error::corrupt("the server's answer is not one that was expected")
        .hint("the server or something between does not speak PostgreSQL's protocol")
}

fn unproved() -> Error {
    Error::new(Kind::Auth, "not allowed in: authentication error")
        .hint("check user and password, and that the server is the one that is meant")
}
