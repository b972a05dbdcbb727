//! Makes transactions of events: groups in, changes and commits out.
//!
//! Invariant: a position is given out only behind a whole group, and every group before it was told or is of no followed
//! table. What is not understood stops the log; nothing is passed over that could have changed a followed record.

use super::event::{Checksums, Event, Group, Query, Rows, kind, name, rotate};
use super::image::Scratch;
use super::mapped::Head;
use super::place::{Gtids, Origin, Place, Spot};
use super::statement::{Name, Statement, mentions};
use super::tracked::{Fit, Telling, Tracked};
use crate::mysql::Connection;
use crate::mysql::config::Settings;
use crate::mysql::wire::broken;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use trueup_core::endpoint::Position;
use trueup_core::follow::{Changes, Told};
use trueup_core::{Error, Result};

/// How often positions behind other people's transactions are told, by the log's own clock and by their number.
const QUIET_S: u64 = 2;
const QUIET_EVENTS: u32 = 20_000;

/// What is made of the events, however they come.
pub(super) struct Teller {
    pub(super) asking: Asking,
    pub(super) tables: Vec<Tracked>,
    /// At how many changes and bytes a piece is cut.
    pub(super) limits: (usize, usize),
    pub(super) checksums: Checksums,
    /// Behind the last whole group.
    pub(super) gtids: Gtids,
    /// The file, and where the last event ended.
    pub(super) file: String,
    pub(super) end: u64,
    pub(super) group: Under,
    pub(super) telling: Option<Telling>,
    pub(super) scratch: Scratch,
    /// What is told next.
    pub(super) ready: VecDeque<Told>,
    pub(super) quiet: Quiet,
}

/// Questions beside the log.
pub(super) struct Asking {
    pub(super) settings: Settings,
    pub(super) origin: Origin,
    pub(super) database: String,
    /// Whether names are the same whatever their case (`lower_case_table_names`).
    pub(super) folds: bool,
    pub(super) connection: Option<Connection>,
}

/// The group of events under way.
#[derive(Debug, Default)]
pub(super) struct Under {
    head: Option<(Group, u32)>,
    at_s: u64,
    /// Where it begins.
    pub(super) spot: Option<Spot>,
    /// Whether something of it was told.
    told: bool,
    /// Which collection the numbers of tables stand for.
    tables: BTreeMap<u64, usize>,
    /// Collections that have another shape behind it.
    reshaped: Vec<usize>,
}

/// What passed that is of no followed table.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    passed: u32,
    /// When, by the log's clock, a position was told last.
    told_s: u64,
    now_s: u64,
    due: bool,
}

impl Asking {
    fn same(&self, a: &str, b: &str) -> bool {
        a == b || self.folds && a.to_lowercase() == b.to_lowercase()
    }

    pub(super) fn ask<T>(&mut self, ask: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let open = self.connection.take().filter(|open| !open.is_closed());
        let connection = match open {
            Some(open) => open,
            None => Connection::open(&self.settings)?,
        };
        let answer = ask(&connection);
        self.connection = Some(connection);
        answer
    }
}

impl Teller {
    /// Puts changes into the piece as far as events are there; `None` when the next one is needed. `under` is the
    /// collection that the piece is of.
    pub(super) fn next(
        &mut self,
        piece: &mut Changes,
        under: &mut Option<usize>,
    ) -> Result<Option<Told>> {
        while let Some(telling) = &self.telling {
            let of = telling.collection;
            if let Some(other) = under.filter(|&other| other != of) {
                return Ok(Some(Told::Changes(other)));
            }
            if under.is_none() {
                piece.reset(self.tables.get(of).map_or(0, Tracked::width));
            }
            *under = Some(of);
            if !self.tell(piece)? {
                return Ok(Some(Told::Changes(of)));
            }
        }
        match *under {
            Some(of) if !self.ready.is_empty() => Ok(Some(Told::Changes(of))),
            Some(_) => Ok(None),
            None => Ok(self.ready.pop_front()),
        }
    }

    /// Appends records of the event under way: whether it has ended.
    fn tell(&mut self, piece: &mut Changes) -> Result<bool> {
        let (changes_max, bytes_max) = self.limits;
        let enough = |piece: &Changes| {
            let some = !piece.changes.is_empty();
            some && (piece.changes.len() >= changes_max || piece.records.bytes() >= bytes_max)
        };
        let Some(telling) = &mut self.telling else {
            return Ok(true);
        };
        let table = self.tables.get(telling.collection);
        let table = table.ok_or_else(|| Error::bug("a collection is told that is not followed"))?;
        let ended = telling.tell(table, &mut self.scratch, piece, enough);
        let ended = ended.map_err(|error| foul(&error, Some(&table.schema.collection)))?;
        if ended {
            self.telling = None;
        }
        Ok(ended && !enough(piece))
    }

    /// Takes an event as it arrived.
    pub(super) fn packet(&mut self, packet: &[u8]) -> Result<()> {
        let event = self.checksums.read(packet);
        self.take(&event.map_err(|error| foul(&error, None))?)?;
        self.quiet();
        Ok(())
    }

    fn take(&mut self, event: &Event<'_>) -> Result<()> {
        let io = |error: io::Error| foul(&error, None);
        if let Some(low) = event.end {
            // Only the lower half of the place is said.
            let whole = self.end & !u64::from(u32::MAX) | low;
            let wrapped = whole < self.end && self.end - whole > u64::from(u32::MAX) / 2;
            self.end = whole + if wrapped { 1 << 32 } else { 0 };
            self.quiet.now_s = self.quiet.now_s.max(event.at_s);
        }
        match event.kind {
            kind::ROTATE => {
                (self.file, self.end) = rotate(event.body).map_err(io)?;
                Ok(())
            }
            kind::GTID => {
                let group = Group::read(event.body).map_err(io)?;
                if self.group.head.is_some() && self.group.told {
                    return Err(foul(
                        &broken("the log has a transaction without an end"),
                        None,
                    ));
                }
                self.group = Under {
                    head: Some((group, event.server)),
                    at_s: event.at_s,
                    spot: Spot::new(&self.file, self.end),
                    ..Under::default()
                };
                Ok(())
            }
            kind::QUERY | kind::QUERY_COMPRESSED => {
                let compressed = event.kind == kind::QUERY_COMPRESSED;
                let query = Query::read(event.body, compressed).map_err(io)?;
                self.statement(&query)
            }
            kind::XID => self.commit(),
            kind::TABLE_MAP => self.describe(event.body),
            kind::WRITE_V1..=kind::DELETE_V1
            | kind::WRITE..=kind::DELETE
            | kind::WRITE_COMPRESSED_V1..=kind::DELETE_COMPRESSED => self.rows(event),
            kind::XA_PREPARE => self.commit(),
            kind::HEARTBEAT => {
                self.quiet.due |= self.quiet.passed > 0;
                Ok(())
            }
            kind::FORMAT
            | kind::STOP
            | kind::INTVAR
            | kind::RAND
            | kind::USER_VAR
            | kind::IGNORABLE
            | kind::ANNOTATE
            | kind::CHECKPOINT
            | kind::GTID_LIST
            | kind::ENCRYPTION => Ok(()),
            _ if event.ignorable => Ok(()),
            unknown => Err(stranger(unknown)),
        }
    }

    /// A table's number and columns, for the rows that follow.
    fn describe(&mut self, body: &[u8]) -> Result<()> {
        let io = |error: io::Error| foul(&error, None);
        let Head {
            number,
            database,
            table,
            rest: described,
        } = Head::read(body).map_err(io)?;
        self.group.tables.remove(&number);
        let name = Name {
            database: Some(database),
            table,
        };
        let Some(collection) = self.followed(&name, "") else {
            return Ok(());
        };
        if self.group.reshaped.contains(&collection) {
            return Ok(());
        }
        let Some(table) = self.tables.get_mut(collection) else {
            return Ok(());
        };
        match table.describe(described).map_err(io)? {
            Fit::Same => {
                self.group.tables.insert(number, collection);
                Ok(())
            }
            Fit::Other => {
                self.reshape(vec![collection]);
                Ok(())
            }
        }
    }

    fn rows(&mut self, event: &Event<'_>) -> Result<()> {
        let io = |error: io::Error| foul(&error, None);
        let number = Rows::table(event.body).map_err(io)?;
        let Some(&collection) = self.group.tables.get(&number) else {
            return Ok(());
        };
        let Some((group, _)) = self.group.head else {
            return Err(foul(&lost_group(), None));
        };
        if group.prepared {
            return Err(stranger(kind::XA_PREPARE));
        }
        let rows = Rows::read(event.kind, event.body).map_err(io)?;
        if let Some(table) = self.tables.get(collection) {
            table.fits(&rows).map_err(io)?;
        }
        self.group.told = true;
        self.telling = Some(Telling::new(collection, rows));
        Ok(())
    }

    fn statement(&mut self, query: &Query) -> Result<()> {
        let read = Statement::read(&query.text);
        match &read {
            Statement::Nothing => {}
            Statement::Commit => return self.commit(),
            Statement::Rollback if self.group.told => {
                return Err(
                    Error::config("a transaction was broken off after it was logged").hint(
                        "let every followed table have a transactional engine, and compare anew",
                    ),
                );
            }
            Statement::Rollback => return self.commit(),
            Statement::Truncate(name) => {
                if let Some(collection) = self.followed(name, &query.database) {
                    self.group.told = true;
                    self.ready.push_back(Told::Truncated(vec![collection]));
                }
            }
            Statement::Shape(names) => {
                let followed = names
                    .iter()
                    .filter_map(|name| self.followed(name, &query.database));
                let followed = followed.collect();
                self.reshape(followed);
            }
            Statement::Mild(names) => {
                let followed = names
                    .iter()
                    .filter_map(|name| self.followed(name, &query.database));
                for collection in followed.collect::<Vec<_>>() {
                    if !self.stands(collection)? {
                        self.reshape(vec![collection]);
                    }
                }
            }
            Statement::Database(name) if self.asking.same(name, &self.asking.database) => {
                self.reshape((0..self.tables.len()).collect());
            }
            Statement::Database(_) => {}
            Statement::Unread => self.reshape(self.mentioned(query)),
            Statement::Data => {
                if let Some(&collection) = self.mentioned(query).first() {
                    return Err(self.as_statement(collection));
                }
            }
        }
        match self.group.head {
            Some((group, _)) if group.alone => self.commit(),
            _ => Ok(()),
        }
    }

    /// The collection that a name stands for, if it is followed.
    fn followed(&self, name: &Name, database: &str) -> Option<usize> {
        let database = name.database.as_deref().unwrap_or(database);
        if !self.asking.same(database, &self.asking.database) {
            return None;
        }
        let mut tables = self.tables.iter();
        tables.position(|table| self.asking.same(&table.schema.collection, &name.table))
    }

    /// The collections that a statement may be about.
    fn mentioned(&self, query: &Query) -> Vec<usize> {
        let ours = &self.asking.database;
        if !self.asking.same(&query.database, ours) && !mentions(&query.text, ours) {
            return Vec::new();
        }
        let named = |table: &Tracked| mentions(&query.text, &table.schema.collection);
        let all = self.tables.iter().enumerate();
        all.filter(|(_, table)| named(table))
            .map(|(at, _)| at)
            .collect()
    }

    fn stands(&mut self, collection: usize) -> Result<bool> {
        match self.tables.get(collection) {
            Some(table) => self.asking.ask(|connection| table.stands(connection)),
            None => Ok(true),
        }
    }

    /// Says that collections have another shape, or other records, from here on. The group they change in is not ended for
    /// who reads: its position would say that what it did to the records was told.
    fn reshape(&mut self, collections: Vec<usize>) {
        for collection in collections {
            if !self.group.reshaped.contains(&collection) {
                self.group.reshaped.push(collection);
                self.ready.push_back(Told::Reshaped(collection));
            }
        }
    }

    fn as_statement(&self, collection: usize) -> Error {
        let name = self
            .tables
            .get(collection)
            .map_or("", |table| &table.schema.collection);
        Error::config(format!(
            "a change was logged as a statement, not as records: collection={}",
            name.escape_debug()
        ))
        .hint("set binlog_format=ROW for every session that writes, then compare anew")
    }

    /// The group's end.
    fn commit(&mut self) -> Result<()> {
        let Some((group, server)) = self.group.head.take() else {
            return Err(foul(&lost_group(), None));
        };
        self.gtids.advance(group.domain, server, group.seq);
        if self.group.told {
            let at_us = i64::try_from(self.group.at_s * 1_000_000).ok();
            self.ready.push_back(Told::Commit {
                position: self.position(),
                at_us: at_us.filter(|&at_us| at_us > 0),
            });
            self.quiet = Quiet {
                told_s: self.quiet.now_s,
                now_s: self.quiet.now_s,
                ..Quiet::default()
            };
        } else {
            self.quiet.passed += 1;
            let long = self.quiet.now_s >= self.quiet.told_s + QUIET_S;
            self.quiet.due |= long || self.quiet.passed >= QUIET_EVENTS;
        }
        Ok(())
    }

    /// Tells where the log is when nothing else was told for a while, and no group is under way.
    fn quiet(&mut self) {
        if self.quiet.due && self.group.head.is_none() {
            self.ready.push_back(Told::Quiet(self.position()));
            self.quiet.due = false;
            self.quiet.passed = 0;
            self.quiet.told_s = self.quiet.now_s;
        }
    }

    fn position(&self) -> Position {
        let place = Place {
            gtids: self.gtids.clone(),
            at: Some((self.file.clone(), self.end)),
        };
        place.position(&self.asking.origin)
    }
}

/// The log does not say what it should, or says it in a way that is not known.
fn foul(error: &io::Error, collection: Option<&str>) -> Error {
    let of = collection.map(|name| format!(" collection={}", name.escape_debug()));
    let of = of.unwrap_or_default();
    if error.kind() == io::ErrorKind::Unsupported {
        return Error::config(format!("the log leaves out values of a change:{of}"))
            .hint("set binlog_row_image=FULL for every session that writes, then compare anew");
    }
    Error::corrupt(format!("the log cannot be read: {error}{of}"))
        .hint("check the server's log (mariadb-binlog --verify-binlog-checksum); compare anew to go on behind it")
}

fn stranger(number: u8) -> Error {
    let name = name(number);
    let hint = match number {
        kind::INCIDENT => "the server lost part of its log: compare anew",
        kind::XA_PREPARE => {
            "XA transactions on followed tables cannot be followed: compare anew, and commit without XA"
        }
        _ => "compare anew; if it comes again, run this link by comparing only",
    };
    Error::config(format!(
        "the log holds an event that cannot be followed: event={name} number={number}"
    ))
    .hint(hint)
}

fn lost_group() -> io::Error {
    broken("the log has changes that belong to no transaction")
}
