//! Writing to a bag: rows are appended, and single ones removed by their place in the file.
//!
//! Invariant: what is equal is what compare found equal: each row is read as a scan reads it and handed to the engine. A
//! row's place holds as long as the file's state does, which is looked at whenever the file is opened, so that a
//! place never means another row. New rows wait in an unnamed temporary file beside the target; in memory stay eight
//! bytes for each row that goes. The price is one reading of the file for each batch with deletes.

use super::apply::{Drafts, column, columns};
use super::disk::Disk;
use super::error;
use super::format::{Body, Format, Records, Row};
use super::place::{Identity, Origin};
use super::sink::Sink;
use super::table::Table;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Bag, Op, Outcome, Writes};
use trueup_core::removals::Removals;
use trueup_core::types::Type;
use trueup_core::{Error, Result};

/// How much of the new rows is copied at once.
const COPY_BYTES: usize = 256 << 10;

/// What waits for the finish of a file that is a bag.
#[derive(Debug)]
pub(crate) struct Counted<F: Format> {
    format: Arc<F>,
    path: PathBuf,
    expected: Option<Identity>,
    layout: F::Layout,
    drafts: Drafts<F>,
    /// The places of the rows that go, counted from 0.
    removed: BTreeSet<u64>,
    /// The rows that come, as they will stand in the file.
    lines: File,
    lines_bytes: u64,
}

impl<F: Format> Counted<F> {
    /// Begins with the file in the state `expected`.
    pub(super) fn new(
        format: Arc<F>,
        path: PathBuf,
        expected: Option<Identity>,
        layout: F::Layout,
        drafts: Drafts<F>,
    ) -> Result<Self> {
        let directory = path.parent().unwrap_or(Path::new("/"));
        let lines = tempfile::tempfile_in(directory)
            .map_err(|error| error::io(directory, "create a temporary file in", error))?;
        Ok(Self {
            format,
            path,
            expected,
            layout,
            drafts,
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
        let columns = columns(writes, &self.drafts.names)?;
        let mut outcomes = vec![Outcome::Unchanged; writes.ops.len()];
        let mut rows = Vec::new();
        for (index, outcome) in outcomes.iter_mut().enumerate() {
            if writes.ops[index] != Op::Delete {
                let record = writes.records.record(index);
                *outcome = self.drafts.add(record, &columns, &mut rows);
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
        let mut places = Vec::with_capacity(writes.fields.len());
        for (at, &field) in writes.fields.iter().enumerate() {
            let wanted = bag.wanted().get(at).copied().unwrap_or(Type::Any);
            places.push((column(writes, &self.drafts.names, field)?, wanted));
        }
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
            for &(place, wanted) in &places {
                current.push(row.value(place, wanted));
            }
            if let Some((_, index)) = removals.take(bag, current.record(0)) {
                outcomes[index] = Outcome::Applied(None);
                gone.push(number);
            }
        }
        table.check_unchanged("being read")?;
        Ok(gone)
    }

    fn open(&self) -> Result<Option<Table<F>>> {
        let origin = Origin::Named(self.path.clone());
        let mut table = Table::open(&origin, self.format.as_ref())?;
        if table.as_ref().map(|table| table.identity) != self.expected {
            return Err(error::changed(&self.path, "the run was under way"));
        }
        let names: Vec<&str> = self.drafts.names.iter().map(String::as_str).collect();
        if let Some(table) = &mut table {
            table.reader.expect(&names);
        }
        Ok(table)
    }

    /// Writes the new state beside the old one.
    pub(super) fn rewrite(self, disk: &Arc<dyn Disk>) -> Result<Sink> {
        let table = self.open()?;
        let sink = Sink::beside(disk, &self.path)?;
        let mut body = self.format.body(&self.layout, sink)?;
        let mut scratch = Vec::new();
        if let Some(mut table) = table {
            for number in 0.. {
                let Some(row) = table.reader.next_row()? else {
                    break;
                };
                if self.removed.contains(&number) {
                    continue;
                }
                body.append(row.raw(&mut scratch))?;
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
            body.append(part)?;
            at += part.len() as u64;
        }
        body.finish()
    }
}

/// A write to a bag that the endpoint was not told is one.
pub(super) fn without_bag() -> Error {
    Error::bug("writes without a key are not to a bag")
}
