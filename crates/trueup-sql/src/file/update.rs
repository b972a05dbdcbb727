//! The writes to a file with records, which wait until it is rewritten.
//!
//! Invariant: the new file holds the old one's records in their order, byte for byte where nobody writes them, without
//! the removed ones, and then the new ones in the order in which they came.

use super::apply::{Drafts, columns, key, rejected};
use super::disk::Disk;
use super::error;
use super::format::{Body, Format, Records, Row, Spelling};
use super::place::{Identity, Origin};
use super::sink::Sink;
use super::spool::{self, Fate, Fields, Spool};
use super::table::Table;
use std::path::PathBuf;
use std::sync::Arc;
use trueup_core::batch::Record;
use trueup_core::endpoint::{Op, Outcome, Writes};
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_core::{Error, Result};

/// A file with records.
#[derive(Debug)]
pub(crate) struct Update<F: Format> {
    pub(super) format: Arc<F>,
    pub(super) path: PathBuf,
    pub(super) expected: Option<Identity>,
    pub(super) layout: F::Layout,
    /// The key, as columns of the file.
    pub(super) key: Vec<usize>,
    pub(super) drafts: Drafts<F>,
    pub(super) spool: Spool,
    pub(super) fields: Fields,
}

/// Room to make lines in.
#[derive(Debug, Default)]
struct Room {
    line: Vec<u8>,
    scratch: Vec<u8>,
    field: Vec<u8>,
}

impl<F: Format> Update<F> {
    pub(super) fn apply(&mut self, writes: &Writes<'_>) -> Result<Vec<Outcome>> {
        let columns = columns(writes, &self.drafts.names)?;
        if key(writes, &self.drafts.names)? != self.key {
            return Err(Error::bug("the key changed between two batches"));
        }
        // Room is made before the batch, so that a full disk leaves nothing of it.
        self.spool.settle()?;
        let mark = self.spool.mark();
        let mut outcomes = Vec::with_capacity(writes.ops.len());
        for (index, op) in writes.ops.iter().enumerate() {
            let Some(record) = (index < writes.records.len()).then(|| writes.records.record(index))
            else {
                self.spool.restore(mark);
                return Err(Error::bug("fewer records than writes"));
            };
            let key = writes.key.iter().map(|&position| record.value(position));
            if *op == Op::Delete {
                self.spool.remove(key);
                outcomes.push(Outcome::Applied(None));
                continue;
            }
            outcomes.push(match self.gather(record, &columns) {
                Ok(()) => {
                    self.spool.upsert(key, self.fields.finish());
                    Outcome::Applied(None)
                }
                Err(refused) => refused,
            });
        }
        Ok(outcomes)
    }

    fn gather(
        &mut self,
        record: Record<'_>,
        columns: &[Option<usize>],
    ) -> std::result::Result<(), Outcome> {
        self.fields.clear();
        for (index, column) in columns.iter().enumerate() {
            match column.map(|column| record.value(column)) {
                None | Some(Value::Unchanged) => self.fields.keep(),
                Some(value) => self
                    .fields
                    .add(|out| self.drafts.spelling.value(index, value, out))
                    .map_err(|why| rejected(why, &self.drafts.names[index]))?,
            }
        }
        Ok(())
    }

    /// Writes the new state beside the old one.
    pub(super) fn rewrite(mut self, disk: &Arc<dyn Disk>) -> Result<Sink> {
        self.spool.seal()?;
        let origin = Origin::Named(self.path.clone());
        let table = Table::open(&origin, self.format.as_ref())?;
        if table.as_ref().map(|table| table.identity) != self.expected {
            return Err(error::changed(&self.path, "the run was under way"));
        }
        let sink = Sink::beside(disk, &self.path)?;
        let mut body = self.format.body(&self.layout, sink)?;
        let mut room = Room::default();
        if let Some(table) = table {
            self.merge(table, &mut body, &mut room)?;
        }
        for place in self.spool.rest() {
            self.line::<<F::Reader as Records>::Row<'_>>(place, None, &mut room)?;
            body.append(&room.line)?;
        }
        body.finish()
    }

    /// Takes over the records of the old state, as they are or as they shall be.
    fn merge(&mut self, mut table: Table<F>, body: &mut F::Body, room: &mut Room) -> Result<()> {
        let names: Vec<&str> = self.drafts.names.iter().map(String::as_str).collect();
        table.reader.expect(&names);
        while let Some(row) = table.reader.next_row()? {
            let key = self.key.iter().map(|&column| row.value(column, Type::Any));
            match self.spool.fate(key) {
                Fate::Keep => body.append(row.raw(&mut room.line))?,
                Fate::Remove => {}
                Fate::Replace(place) => {
                    self.line(place, Some(row), room)?;
                    body.append(&room.line)?;
                }
                Fate::Twice => return Err(spool::twice(&self.path, row.line())),
            }
        }
        table.check_unchanged("being rewritten")
    }

    /// Makes the line of a written record: its fields, and those of the `old` one, if any, where nothing is written.
    fn line<'r, R: Row<'r>>(&self, place: u64, old: Option<R>, room: &mut Room) -> Result<()> {
        let Room {
            line,
            scratch,
            field: raw,
        } = room;
        line.clear();
        let (spelling, mut first) = (&self.drafts.spelling, true);
        spelling.begin(line);
        let width = self.drafts.names.len();
        self.spool.read(place, width, scratch, |index, field| {
            let kept = match (field, old) {
                (None, Some(old)) => match old.raw_field(index, raw) {
                    None => return,
                    kept => kept,
                },
                _ => None,
            };
            if !std::mem::take(&mut first) {
                spelling.separate(line);
            }
            line.extend_from_slice(&self.drafts.labels[index]);
            match field.or(kept) {
                Some(field) => line.extend_from_slice(field),
                None => spelling.null(line),
            }
        })?;
        spelling.end(line);
        Ok(())
    }
}
