//! The commands of a session: statements, answers, and records as they stream in.
//!
//! Invariant: each command's answer is read to its end before the next is sent, so that no answer is taken for another's;
//! where that fails the connection counts as broken from then on. Records are read one by one and never gathered here,
//! but for the catalogue's few.

use super::config::Settings;
use super::connect::{dial, refused};
use super::error::{self, Foreign};
use super::wire::{Parts, Wire, broken};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use trueup_core::{Error, Result};

/// What stands before a record of the binary form, and for a statement that is done.
const OK: u8 = 0x00;
const FAILED: u8 = 0xff;
/// The end of the records, or an answer in their place.
const END: u8 = 0xfe;
/// The server asks for a file.
const FILE: u8 = 0xfb;
/// In a status: another answer follows.
const MORE: u64 = 0x0008;
/// How much of a scan that is dropped is read before it is cancelled.
const DRAIN_BYTES_MAX: usize = 4 << 20;

mod command {
    pub(super) const QUIT: u8 = 0x01;
    pub(super) const QUERY: u8 = 0x03;
    pub(super) const PREPARE: u8 = 0x16;
    pub(super) const EXECUTE: u8 = 0x17;
    pub(super) const CLOSE: u8 = 0x19;
    pub(super) const DUMP: u8 = 0x12;
}

/// What the server said about itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Server {
    pub(super) version: String,
    pub(super) mariadb: bool,
    /// Major and minor.
    pub(super) number: (u32, u32),
    pub(super) packet_bytes_max: usize,
    pub(super) local_infile: bool,
}

/// A connection to a server.
pub(super) struct Connection {
    /// Never waited for: a scan lends the connection, and only has to be able to change threads.
    wire: Mutex<Wire>,
    settings: Settings,
    thread: u64,
    encrypted: bool,
    /// Whether no packet marks the end of the columns.
    no_eof: bool,
    closed: AtomicBool,
    pub(super) server: Server,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// A record of the catalogue, as texts.
#[derive(Debug)]
pub(super) struct Row(Vec<Option<Vec<u8>>>);

impl Row {
    /// The column's text; NULL is none.
    pub(super) fn maybe(&self, at: usize) -> Result<Option<String>> {
        let bytes = self.0.get(at).ok_or_else(strange)?;
        let text = bytes.clone().map(String::from_utf8).transpose();
        text.map_err(|_| strange())
    }

    pub(super) fn text(&self, at: usize) -> Result<String> {
        self.maybe(at)?.ok_or_else(strange)
    }

    pub(super) fn int(&self, at: usize) -> Result<u64> {
        self.text(at)?.parse().map_err(|_| strange())
    }

    pub(super) fn bytes(&self, at: usize) -> Result<&[u8]> {
        let bytes = self.0.get(at).and_then(|bytes| bytes.as_deref());
        bytes.ok_or_else(strange)
    }
}

fn strange() -> Error {
    Error::corrupt("the catalogue's answer has another shape than expected")
        .hint("the server may not be MySQL or MariaDB, or be a newer version than trueup knows")
}

/// What a statement did.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) touched: u64,
    pub(super) warnings: u64,
    pub(super) rows: Vec<Row>,
    more: bool,
}

impl Connection {
    pub(super) fn new(
        wire: Wire,
        settings: Settings,
        thread: u64,
        encrypted: bool,
        no_eof: bool,
    ) -> Self {
        Self {
            wire: Mutex::new(wire),
            settings,
            thread,
            encrypted,
            no_eof,
            closed: AtomicBool::new(false),
            server: Server::default(),
        }
    }

    /// Whether TLS protects it.
    pub(super) fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    pub(super) fn thread(&self) -> u64 {
        self.thread
    }

    /// Whether the connection is known to be broken.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Runs a statement without records.
    pub(super) fn execute(&self, sql: &str) -> Result<()> {
        self.run(sql)
            .map(drop)
            .map_err(|foreign| error::translate(&foreign))
    }

    /// Runs a statement and returns its records.
    pub(super) fn query(&self, sql: &str) -> Result<Vec<Row>> {
        let done = self.run(sql);
        let done = done.map_err(|foreign| error::translate(&foreign))?;
        Ok(done.rows)
    }

    /// Runs a statement that returns one record.
    pub(super) fn one(&self, sql: &str) -> Result<Row> {
        let rows = self.query(sql)?;
        rows.into_iter().next().ok_or_else(strange)
    }

    /// Runs one statement.
    pub(super) fn run(&self, sql: &str) -> std::result::Result<Done, Foreign> {
        let (mut done, failed) = self.run_all(sql)?;
        match failed {
            Some(refused) => Err(Foreign::Server(refused)),
            None => Ok(done.pop().unwrap_or_default()),
        }
    }

    /// Runs statements separated by semicolons until one is refused: what those before it did, and the refusal.
    pub(super) fn run_all(
        &self,
        sql: &str,
    ) -> std::result::Result<(Vec<Done>, Option<error::Refused>), Foreign> {
        self.guarded(|wire| {
            send(wire, command::QUERY, sql.as_bytes())?;
            let mut all = Vec::new();
            loop {
                match self.answer(wire) {
                    Ok(done) => {
                        let more = done.more;
                        all.push(done);
                        if !more {
                            return Ok((all, None));
                        }
                    }
                    Err(Foreign::Server(refused)) => return Ok((all, Some(refused))),
                    Err(lost) => return Err(lost),
                }
            }
        })
    }

    /// Runs `LOAD DATA LOCAL INFILE`, handing out the pieces that `next` makes until it makes none.
    pub(super) fn load(
        &self,
        sql: &str,
        mut next: impl FnMut() -> Option<Vec<u8>>,
    ) -> std::result::Result<Done, Foreign> {
        self.guarded(|wire| {
            send(wire, command::QUERY, sql.as_bytes())?;
            let packet = wire.packet()?;
            match packet.first() {
                // Whatever file it names: it gets what we have for it.
                Some(&FILE) => {}
                Some(&FAILED) => return Err(Foreign::Server(refused(packet))),
                _ => return Err(broken("the server does not ask for the records").into()),
            }
            while let Some(piece) = next() {
                if !piece.is_empty() {
                    wire.send(&piece)?;
                }
            }
            wire.send(&[])?;
            self.answer(wire)
        })
    }

    /// Starts a query whose records are read one by one, in the binary form.
    pub(super) fn stream(&self, sql: &str) -> std::result::Result<Rows<'_>, Foreign> {
        let (statement, columns) = self.guarded(|wire| {
            send(wire, command::PREPARE, sql.as_bytes())?;
            let packet = wire.packet()?;
            if packet.first() == Some(&FAILED) {
                return Err(Foreign::Server(refused(packet)));
            }
            let mut parts = Parts::new(packet);
            parts.take(1)?;
            let statement = parts.take(4)?.to_vec();
            let (columns, parameters) = (parts.int(2)?, parts.int(2)?);
            self.columns(wire, parameters)?;
            self.columns(wire, columns)?;
            let mut body = statement.clone();
            body.extend([0, 1, 0, 0, 0]);
            send(wire, command::EXECUTE, &body)?;
            let packet = wire.packet()?;
            if packet.first() == Some(&FAILED) {
                let refused = refused(packet);
                send(wire, command::CLOSE, &statement)?;
                return Err(Foreign::Server(refused));
            }
            let count = Parts::new(packet).length()?.unwrap_or(0);
            Ok((statement, self.columns(wire, count)?))
        })?;
        Ok(Rows {
            connection: self,
            statement,
            columns,
            done: false,
        })
    }

    /// Asks for the log of changes: from then on packets of it arrive, and nothing else can be asked.
    pub(super) fn dump(&self, wanted: &[u8]) -> Result<()> {
        let asked = self.guarded(|wire| Ok(send(wire, command::DUMP, wanted)?));
        asked.map_err(|foreign| error::translate(&foreign))
    }

    /// Hands the next packet of the log to `read`, if one arrives within `wait`.
    pub(super) fn arrived<T>(
        &self,
        wait: Duration,
        read: impl FnOnce(&[u8]) -> T,
    ) -> std::result::Result<Option<T>, Foreign> {
        self.guarded(|wire| {
            if !wire.arrived(wait)? {
                return Ok(None);
            }
            let packet = wire.packet()?;
            match packet.split_first() {
                Some((&OK, event)) => Ok(Some(read(event))),
                Some((&FAILED, _)) => Err(Foreign::Server(refused(packet))),
                _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            }
        })
    }

    /// Talks to the server; where that breaks off, no later answer can be trusted.
    fn guarded<T>(
        &self,
        talk: impl FnOnce(&mut Wire) -> std::result::Result<T, Foreign>,
    ) -> std::result::Result<T, Foreign> {
        if self.is_closed() {
            return Err(Foreign::Lost(broken("the connection broke earlier")));
        }
        let mut wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = talk(&mut wire);
        if matches!(answer, Err(Foreign::Lost(_))) {
            self.closed.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// Reads one statement's answer, with its records.
    fn answer(&self, wire: &mut Wire) -> std::result::Result<Done, Foreign> {
        let packet = wire.packet()?;
        let count = match packet.first() {
            Some(&OK) => return Ok(done(packet)?),
            Some(&FAILED) => return Err(Foreign::Server(refused(packet))),
            // Nobody asked for that: a hostile server gets no file, and no second question.
            Some(&FILE) => return Err(broken("the server asks for a file").into()),
            _ => Parts::new(packet).length()?.unwrap_or(0),
        };
        let width = self.columns(wire, count)?.len();
        let mut rows = Vec::new();
        loop {
            let packet = wire.packet()?;
            match packet.first() {
                Some(&FAILED) => return Err(Foreign::Server(refused(packet))),
                Some(&END) if is_end(packet) => {
                    let mut last = self.end(packet)?;
                    last.rows = rows;
                    return Ok(last);
                }
                _ => {
                    let mut parts = Parts::new(packet);
                    let row = (0..width).map(|_| Ok(parts.bytes()?.map(<[u8]>::to_vec)));
                    rows.push(Row(row.collect::<io::Result<_>>()?));
                }
            }
        }
    }

    /// Reads what the columns are.
    fn columns(&self, wire: &mut Wire, count: u64) -> io::Result<Vec<Column>> {
        let mut columns = Vec::new();
        for _ in 0..count {
            columns.push(column(wire.packet()?)?);
        }
        if count > 0 && !self.no_eof {
            wire.packet()?;
        }
        Ok(columns)
    }

    /// Reads what comes after the records.
    fn end(&self, packet: &[u8]) -> io::Result<Done> {
        if self.no_eof {
            return done(packet);
        }
        let mut parts = Parts::new(packet);
        parts.take(1)?;
        let (warnings, status) = (parts.int(2)?, parts.int(2)?);
        Ok(Done {
            warnings,
            more: status & MORE != 0,
            ..Done::default()
        })
    }

    /// Asks the server over another connection to break off the statement under way.
    fn cancel(&self) -> bool {
        let killed = dial(&self.settings)
            .and_then(|other| other.execute(&format!("KILL QUERY {}", self.thread)));
        killed.is_ok()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.is_closed() {
            // Whether it arrives does not matter: the socket's end says the same.
            let wire = self.wire.get_mut().unwrap_or_else(PoisonError::into_inner);
            drop(send(wire, command::QUIT, &[]));
        }
    }
}

fn send(wire: &mut Wire, command: u8, body: &[u8]) -> io::Result<()> {
    let mut payload = Vec::with_capacity(body.len() + 1);
    payload.push(command);
    payload.extend_from_slice(body);
    wire.begin();
    wire.send(&payload)
}

fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&END) && packet.len() < 0xff_ffff
}

fn done(packet: &[u8]) -> io::Result<Done> {
    let mut parts = Parts::new(packet);
    parts.take(1)?;
    let touched = parts.length()?.unwrap_or(0);
    parts.length()?;
    let (status, warnings) = (parts.int(2)?, parts.int(2)?);
    Ok(Done {
        touched,
        warnings,
        rows: Vec::new(),
        more: status & MORE != 0,
    })
}

/// In which form the values of a column arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// The protocol's number for the type.
    pub(super) kind: u8,
    pub(super) unsigned: bool,
}

fn column(packet: &[u8]) -> io::Result<Column> {
    let mut parts = Parts::new(packet);
    for _ in 0..6 {
        parts.bytes()?;
    }
    parts.length()?;
    parts.take(6)?;
    let kind = u8::try_from(parts.int(1)?).unwrap_or(0);
    let flags = parts.int(2)?;
    Ok(Column {
        kind,
        unsigned: flags & 0x20 != 0,
    })
}

/// Records on their way.
pub(super) struct Rows<'a> {
    connection: &'a Connection,
    statement: Vec<u8>,
    columns: Vec<Column>,
    done: bool,
}

impl Rows<'_> {
    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Hands the next record's packet to `read`; `None` after the last.
    pub(super) fn next<T>(
        &mut self,
        read: impl FnOnce(&[Column], &[u8]) -> Result<T>,
    ) -> Result<Option<T>> {
        if self.done {
            return Ok(None);
        }
        let columns = &self.columns;
        let mut over = false;
        let answer = self.connection.guarded(|wire| {
            let packet = wire.packet()?;
            match packet.first() {
                Some(&FAILED) => Err(Foreign::Server(refused(packet))),
                Some(&END) if is_end(packet) => {
                    over = true;
                    Ok(None)
                }
                _ => Ok(Some(read(columns, packet))),
            }
        });
        match answer {
            Ok(Some(record)) => record.map(Some),
            Ok(None) => {
                self.done = true;
                Ok(None)
            }
            Err(foreign) => {
                self.done = true;
                Err(error::translate(&foreign))
            }
        }
    }

    /// Reads and forgets the rest, after a while only what is under way already.
    fn stop(&mut self) {
        let mut drained = 0;
        let mut cancelled = false;
        while !self.done {
            let read = self.next(|_, packet| Ok(packet.len()));
            drained += read.ok().flatten().unwrap_or(0);
            if drained > DRAIN_BYTES_MAX && !cancelled {
                cancelled = true;
                if !self.connection.cancel() {
                    // Nothing stops it; reading a table to its end for nothing does not help either.
                    self.connection.closed.store(true, Ordering::Relaxed);
                }
            }
        }
        if cancelled {
            // It may have arrived after the end, and must not hit what comes next.
            drop(self.connection.run("DO 0"));
        }
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        self.stop();
        // Has no answer.
        let closed = self
            .connection
            .guarded(|wire| Ok(send(wire, command::CLOSE, &self.statement)?));
        drop(closed);
    }
}
