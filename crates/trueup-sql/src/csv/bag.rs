//! Writing to a bag: rows are appended, and single ones removed by their place in the file.
//!
//! Invariant: what is equal is what compare found equal: each row is read as a scan reads it and handed to the engine. A
//! row's place holds as long as the file's state does, which is looked at whenever the file is opened, so that a
//! place never means another row. New rows wait in an unnamed temporary file beside the target; in memory stay eight
//! bytes for each row that goes. The price is one reading of the file for each batch with deletes.

use super::apply::{column, columns};
use super::config::Options;
use super::disk::{self, Disk};
use super::error;
use super::place::{Identity, Table};
use super::replace::Beside;
use super::write::Format;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trueup_core::batch::{Batch, Record};
use trueup_core::endpoint::{Bag, Op, Outcome, Writes};
use trueup_core::removals::Removals;
use trueup_core::value::Value;
use trueup_core::{Error, Result};

/// How much of the new rows is copied at once.
const COPY_BYTES: usize = 256 << 10;

/// What waits for the finish of a file that is a bag.
#[derive(Debug)]
pub(super) struct Counted {
    path: PathBuf,
    expected: Option<Identity>,
    names: Vec<String>,
    header: Vec<u8>,
    format: Format,
    options: Arc<Options>,
    /// The places of the rows that go, counted from 0.
    removed: BTreeSet<u64>,
    /// The rows that come, as they will stand in the file.
    lines: File,
    lines_bytes: u64,
}

impl Counted {
    /// Begins with the file in the state `expected`.
    pub(super) fn new(
        path: PathBuf,
        expected: Option<Identity>,
        names: Vec<String>,
        header: Vec<u8>,
        format: Format,
        options: &Arc<Options>,
    ) -> Result<Self> {
        let directory = path.parent().unwrap_or(Path::new("/"));
        disk::create_directories(directory)
            .map_err(|error| error::io(directory, "create", error))?;
        let lines = tempfile::tempfile_in(directory)
            .map_err(|error| error::io(directory, "create a temporary file in", error))?;
        Ok(Self {
            path,
            expected,
            names,
            header,
            format,
            options: Arc::clone(options),
            removed: BTreeSet::new(),
            lines,
            lines_bytes: 0,
        })
    }

    /// The state that the new file replaces.
    pub(super) fn expected(&self) -> Option<Identity> {
        self.expected
    }

    /// Tells whether rows wait that a delete would have to look at, and that are not in the file yet.
    pub(super) fn has_new_rows(&self) -> bool {
        self.lines_bytes > 0
    }

    pub(super) fn apply(&mut self, writes: &Writes<'_>, bag: &dyn Bag) -> Result<Vec<Outcome>> {
        let columns = columns(writes, &self.names)?;
        let mut outcomes = vec![Outcome::Unchanged; writes.ops.len()];
        let mut rows = Vec::new();
        for (index, outcome) in outcomes.iter_mut().enumerate() {
            if writes.ops[index] != Op::Delete {
                let record = writes.records.record(index);
                *outcome = row(record, &columns, &self.names, &mut self.format, &mut rows);
            }
        }
        let gone = self.find(writes, bag, &mut outcomes)?;
        self.lines
            .write_all_at(&rows, self.lines_bytes)
            .map_err(|error| error::io(&self.path, "write a temporary file beside", error))?;
        self.lines_bytes += rows.len() as u64;
        self.removed.extend(gone);
        Ok(outcomes)
    }

    /// Finds a row of the file for each delete.
    fn find(
        &self,
        writes: &Writes<'_>,
        bag: &dyn Bag,
        outcomes: &mut [Outcome],
    ) -> Result<Vec<u64>> {
        let mut gone = Vec::new();
        let mut removals = Removals::of(writes);
        if removals.is_done() {
            return Ok(gone);
        }
        let places = writes.fields.iter();
        let places = places.map(|&field| column(writes, &self.names, field));
        let places: Vec<usize> = places.collect::<Result<_>>()?;
        let mut current = Batch::new(places.len());
        let Some(mut table) = self.open()? else {
            return Ok(gone);
        };
        for number in 0.. {
            let Some(row) = table.reader.next_row()? else {
                break;
            };
            if self.removed.contains(&number) {
                continue;
            }
            current.reset(places.len());
            for &place in &places {
                current.push(row.value(place, &self.options.null));
            }
            if let Some((_, index)) = removals.take(bag, current.record(0)) {
                outcomes[index] = Outcome::Applied(None);
                gone.push(number);
            }
        }
        table.check_unchanged("being read")?;
        Ok(gone)
    }

    fn open(&self) -> Result<Option<Table>> {
        let table = Table::open(&self.path, &self.options)?;
        if table.as_ref().map(|table| table.identity) == self.expected {
            Ok(table)
        } else {
            Err(error::changed(&self.path, "the run was under way"))
        }
    }

    /// Writes the new state beside the old one.
    pub(super) fn rewrite(self, disk: &Arc<dyn Disk>) -> Result<Beside> {
        let table = self.open()?;
        let line_end = self.format.line_end().as_bytes();
        let mut beside = Beside::create(disk, &self.path)?;
        beside.append(&self.header)?;
        if !self.header.is_empty() && self.options.header && !self.header.ends_with(b"\n") {
            beside.append(line_end)?;
        }
        if let Some(mut table) = table {
            for number in 0.. {
                let Some(row) = table.reader.next_row()? else {
                    break;
                };
                if self.removed.contains(&number) {
                    continue;
                }
                beside.append(row.raw().as_bytes())?;
                if !row.raw().ends_with('\n') {
                    beside.append(line_end)?;
                }
            }
            table.check_unchanged("being rewritten")?;
        }
        let mut buffer = vec![0; COPY_BYTES];
        let mut at = 0;
        while at < self.lines_bytes {
            let rest = usize::try_from(self.lines_bytes - at).unwrap_or(usize::MAX);
            let part = &mut buffer[..rest.min(COPY_BYTES)];
            self.lines
                .read_exact_at(part, at)
                .map_err(|error| error::io(&self.path, "read a temporary file beside", error))?;
            beside.append(part)?;
            at += part.len() as u64;
        }
        Ok(beside)
    }
}

/// Appends a new row, and tells what became of it.
fn row(
    record: Record<'_>,
    columns: &[Option<usize>],
    names: &[String],
    format: &mut Format,
    out: &mut Vec<u8>,
) -> Outcome {
    let before = out.len();
    for (index, column) in columns.iter().enumerate() {
        if index > 0 {
            format.delimiter(out);
        }
        let value = column.map_or(Value::Null, |column| record.value(column));
        if let Err(why) = format.value(value, out) {
            out.truncate(before);
            return super::apply::rejected(why, &names[index]);
        }
    }
    format.end(out);
    Outcome::Applied(None)
}

/// A write to a bag that the endpoint was not told is one.
pub(super) fn without_bag() -> Error {
    Error::bug("writes without a key are not to a bag engine=csv")
}
