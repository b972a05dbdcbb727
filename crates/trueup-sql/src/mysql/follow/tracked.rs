//! One followed table: what its columns are, and how its changes are told.
//!
//! Invariant: a change is told by the key that was asked for, of which no value is missing.

use super::event::{Done, Rows};
use super::image::{self, Part, Scratch};
use super::mapped::{Form, Laid, Map, layout};
use crate::mysql::decode::misfit;
use crate::mysql::schema::{self, Table};
use crate::mysql::session::Connection;
use crate::mysql::wire::{Parts, broken};
use std::io;
use trueup_core::batch::Batch;
use trueup_core::follow::{Change, Changes, Followed};
use trueup_core::schema::Schema;
use trueup_core::value::Value;
use trueup_core::{Error, Result};

/// A followed table.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) schema: Schema,
    /// Which fields are told.
    fields: Vec<usize>,
    /// The key, as positions in `fields`.
    key: Vec<usize>,
    laid: Vec<Laid>,
    /// The last description in the log, as it stood there.
    described: Vec<u8>,
    /// The log's columns by that description.
    forms: Vec<Form>,
    /// Where in the log's columns each told field stands, and where in the catalogue's.
    places: Vec<(usize, usize)>,
}

/// What became of a table's description in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Same,
    /// The columns are not those that were asked for.
    Other,
}

impl Tracked {
    /// Reads how a table is laid out.
    ///
    /// # Errors
    /// `Stale` when the table has another shape by now, `Config` when it cannot be followed.
    pub(super) fn new(connection: &Connection, followed: &Followed<'_>) -> Result<Self> {
        let table = schema::described(connection, &followed.schema.collection)?;
        table.agree(followed.schema)?;
        let known = |at: &usize| *at < table.columns.len();
        let keyed = |at: &usize| *at < followed.fields.len();
        if !followed.fields.iter().all(known) || !followed.key.iter().all(keyed) {
            return Err(Error::bug(
                "a field is followed that the schema does not have",
            ));
        }
        let name = table.schema.collection.escape_debug();
        if followed.key.is_empty() {
            return Err(Error::config(format!(
                "the collection has no key by which its changes could be told: collection={name}"
            ))
            .hint(
                "give the table a primary key, or name unique fields as the key in the mapping",
            ));
        }
        if let Some(note) = versioned(&table) {
            return Err(Error::config(format!(
                "the collection cannot be followed: collection={name} {note}"
            ))
            .hint("leave it out of this link, and let runs compare it"));
        }
        let laid = layout(connection, &table)?.ok_or_else(|| {
            Error::new(
                trueup_core::Kind::Stale,
                format!("the collection's fields changed while it was in use: collection={name}"),
            )
            .hint("run again with the new shape")
        })?;
        Ok(Self {
            schema: followed.schema.clone(),
            fields: followed.fields.to_vec(),
            key: followed.key.to_vec(),
            laid,
            described: Vec::new(),
            forms: Vec::new(),
            places: Vec::new(),
        })
    }

    pub(super) fn width(&self) -> usize {
        self.fields.len()
    }

    /// Whether the catalogue still has the table as it was when this began.
    pub(super) fn stands(&self, connection: &Connection) -> Result<bool> {
        let table = schema::describe(connection, &self.schema.collection)?;
        let Some(table) = table.filter(|table| table.agree(&self.schema).is_ok()) else {
            return Ok(false);
        };
        let laid = layout(connection, &table)?.unwrap_or_default();
        let mut pairs = laid.iter().zip(&self.laid);
        Ok(laid.len() == self.laid.len() && pairs.all(|(a, b)| a.declared == b.declared))
    }

    /// Takes a description from the log.
    pub(super) fn describe(&mut self, described: &[u8]) -> io::Result<Fit> {
        if !self.described.is_empty() && self.described == described {
            return Ok(Fit::Same);
        }
        self.described.clear();
        let map = Map::read(described)?;
        let find = |at: usize| -> Option<(usize, usize)> {
            let laid = self.laid.get(at)?;
            let place = if map.names.is_empty() {
                at
            } else {
                map.names
                    .iter()
                    .position(|name| *name == laid.column.name)?
            };
            laid.agrees(*map.forms.get(place)?).then_some((place, at))
        };
        let all = (0..self.laid.len()).map(find).collect::<Option<Vec<_>>>();
        let Some(all) = all.filter(|all| all.len() == map.forms.len()) else {
            return Ok(Fit::Other);
        };
        let places = self.fields.iter().map(|&at| all.get(at).copied());
        self.places = places.collect::<Option<_>>().ok_or_else(misfit)?;
        self.forms = map.forms;
        self.described.extend_from_slice(described);
        Ok(Fit::Same)
    }

    /// Makes sure that records are of the columns that were described.
    pub(super) fn fits(&self, rows: &Rows) -> io::Result<()> {
        if self.described.is_empty() || rows.width != self.forms.len() {
            return Err(broken("a rows event has other columns than its table"));
        }
        Ok(())
    }
}

/// Why a table's log is of more than its records.
fn versioned(table: &Table) -> Option<&'static str> {
    let mut notes = table.schema.notes.iter();
    notes
        .any(|note| note.starts_with("system versioned"))
        .then_some("reason=\"its log holds the history too (system versioned)\"")
}

/// Records of one event on their way into a piece.
#[derive(Debug)]
pub(super) struct Telling {
    pub(super) collection: usize,
    rows: Rows,
    at: usize,
}

impl Telling {
    pub(super) fn new(collection: usize, rows: Rows) -> Self {
        Self {
            collection,
            rows,
            at: 0,
        }
    }

    /// Appends changes until the event ends, or `enough` says so: whether the event has ended.
    pub(super) fn tell(
        &mut self,
        table: &Tracked,
        scratch: &mut Scratch,
        piece: &mut Changes,
        enough: impl Fn(&Changes) -> bool,
    ) -> io::Result<bool> {
        let Rows {
            done,
            width,
            present,
            images,
            ..
        } = &self.rows;
        let rest = images.get(self.at..).unwrap_or_default();
        let mut parts = Parts::new(rest);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        while !parts.rest().is_empty() && !enough(piece) {
            let forms = || table.forms.iter().copied();
            let [old, new] = present;
            image::split(&mut parts, forms(), old, *width, &mut before)?;
            let mut told = Told {
                table,
                scratch,
                into: &mut piece.records,
            };
            let change = match done {
                Done::Write => told.insert(&before)?,
                Done::Delete => told.delete(&before)?,
                Done::Update => {
                    image::split(&mut parts, forms(), new, *width, &mut after)?;
                    told.update(&before, &after)?
                }
            };
            piece.changes.push(change);
        }
        self.at = images.len() - parts.rest().len();
        Ok(parts.rest().is_empty())
    }
}

/// Where one change goes.
struct Told<'a> {
    table: &'a Tracked,
    scratch: &'a mut Scratch,
    into: &'a mut Batch,
}

impl Told<'_> {
    fn insert(&mut self, record: &[Part<'_>]) -> io::Result<Change> {
        for &(place, at) in &self.table.places {
            let part = part(record, place);
            if part == Part::Absent {
                return Err(absent());
            }
            self.push(part, place, at)?;
        }
        Ok(Change::Insert)
    }

    fn delete(&mut self, record: &[Part<'_>]) -> io::Result<Change> {
        self.by_key(record)?;
        Ok(Change::Delete)
    }

    fn update(&mut self, before: &[Part<'_>], after: &[Part<'_>]) -> io::Result<Change> {
        let table = self.table;
        let moved = |&at: &usize| {
            table.places.get(at).is_some_and(|&(place, _)| {
                let after = part(after, place);
                after != Part::Absent && after != part(before, place)
            })
        };
        let rekey = table.key.iter().any(moved);
        if rekey {
            self.by_key(before)?;
        }
        for (n, &(place, at)) in table.places.iter().enumerate() {
            let part = match part(after, place) {
                // What did not change is what it was.
                Part::Absent => part(before, place),
                here => here,
            };
            if part == Part::Absent && table.key.contains(&n) {
                return Err(absent());
            }
            self.push(part, place, at)?;
        }
        Ok(if rekey { Change::Rekey } else { Change::Update })
    }

    /// A record of which only the key counts.
    fn by_key(&mut self, record: &[Part<'_>]) -> io::Result<()> {
        for (n, &(place, at)) in self.table.places.iter().enumerate() {
            if !self.table.key.contains(&n) {
                self.into.push(Value::Unchanged);
                continue;
            }
            let part = part(record, place);
            if part == Part::Absent {
                return Err(absent());
            }
            self.push(part, place, at)?;
        }
        Ok(())
    }

    fn push(&mut self, part: Part<'_>, place: usize, at: usize) -> io::Result<()> {
        match part {
            Part::Absent => self.into.push(Value::Unchanged),
            Part::Null => self.into.push(Value::Null),
            Part::Here(bytes) => {
                let laid = self.table.laid.get(at).ok_or_else(misfit)?;
                let form = *self.table.forms.get(place).ok_or_else(misfit)?;
                image::push(laid, form, bytes, self.scratch, self.into)?;
            }
        }
        Ok(())
    }
}

fn part<'a>(record: &[Part<'a>], place: usize) -> Part<'a> {
    record.get(place).copied().unwrap_or(Part::Absent)
}

fn absent() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "a change leaves out values that are needed",
    )
}
