//! The writes to a file with records, which wait until it is rewritten.
//!
//! Invariant: the new file holds the old one's records in their order, byte for byte where nobody writes them, without
//! the removed ones, and then the new ones in the order in which they came.

use super::apply::{append_head, columns, key, rejected};
use super::disk::Disk;
use super::error;
use super::format::{Format, Records, Row, Spelling};
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
    pub(super) names: Vec<String>,
    pub(super) header: Vec<u8>,
    /// The key, as columns of the file.
    pub(super) key: Vec<usize>,
    pub(super) spelling: F::Spelling,
    /// What stands before each column's value.
    pub(super) labels: Vec<Vec<u8>>,
    pub(super) spool: Spool,
    pub(super) fields: Fields,
}

impl<F: Format> Update<F> {
    pub(super) fn apply(&mut self, writes: &Writes<'_>) -> Result<Vec<Outcome>> {
        let columns = columns(writes, &self.names)?;
        if key(writes, &self.names)? != self.key {
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
                    .add(|out| self.spelling.value(value, out))
                    .map_err(|why| rejected(why, &self.names[index]))?,
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
        let mut sink = Sink::beside(disk, &self.path)?;
        append_head(&mut sink, &self.header, self.spelling.line_end())?;
        let mut scratch = Vec::new();
        let mut line = Vec::new();
        if let Some(table) = table {
            self.merge(table, &mut sink, &mut scratch, &mut line)?;
        }
        for place in self.spool.rest() {
            self.line(place, |_| None, &mut scratch, &mut line)?;
            sink.append(&line)?;
        }
        Ok(sink)
    }

    /// Takes over the records of the old state, as they are or as they shall be.
    fn merge(
        &mut self,
        mut table: Table<F>,
        sink: &mut Sink,
        scratch: &mut Vec<u8>,
        line: &mut Vec<u8>,
    ) -> Result<()> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        table.reader.expect(&names);
        while let Some(row) = table.reader.next_row()? {
            let key = self.key.iter().map(|&column| row.value(column, Type::Any));
            match self.spool.fate(key) {
                Fate::Keep => {
                    sink.append(row.raw().as_bytes())?;
                    if !row.raw().ends_with('\n') {
                        sink.append(self.spelling.line_end().as_bytes())?;
                    }
                }
                Fate::Remove => {}
                Fate::Replace(place) => {
                    self.line(place, |index| Some(row.raw_field(index)), scratch, line)?;
                    sink.append(line)?;
                }
                Fate::Twice => return Err(spool::twice(&self.path, row.line())),
            }
        }
        table.check_unchanged("being rewritten")
    }

    /// Makes the line of a written record: its fields, and those of the `old` one, if any, where nothing is written.
    fn line<'r>(
        &self,
        place: u64,
        old: impl Fn(usize) -> Option<Option<&'r str>>,
        scratch: &mut Vec<u8>,
        line: &mut Vec<u8>,
    ) -> Result<()> {
        line.clear();
        let (spelling, mut first) = (&self.spelling, true);
        spelling.begin(line);
        self.spool
            .read(place, self.names.len(), scratch, |index, field| {
                let kept = old(index);
                if field.is_none() && kept == Some(None) {
                    return;
                }
                if !std::mem::take(&mut first) {
                    spelling.separate(line);
                }
                line.extend_from_slice(&self.labels[index]);
                match (field, kept.flatten()) {
                    (Some(field), _) => line.extend_from_slice(field),
                    (None, Some(kept)) => line.extend_from_slice(kept.as_bytes()),
                    (None, None) => spelling.null(line),
                }
            })?;
        spelling.end(line);
        Ok(())
    }
}
