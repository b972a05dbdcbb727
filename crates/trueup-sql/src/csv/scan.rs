//! Reading: a snapshot is a set of file states, a scan is one file read from end to end.
//!
//! Invariant: everything a scan delivers stood in one state of the file, the one of the snapshot: its identity is
//! checked when the file is opened and again after its last byte was read, so a file that changed in between is
//! `Stale` and never a mixture. A file system gives no more than that: a writer that keeps size, modification time and
//! inode is not noticed. Order is that of the file; nothing is cast.

use super::config::Options;
use super::error;
use super::place::{Identity, Place, Table};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use trueup_core::batch::Batch;
use trueup_core::digest::Digest;
use trueup_core::endpoint::{Order, Position, Scan, ScanRequest, Snapshot};
use trueup_core::schema::Schema;
use trueup_core::{Error, Kind, Result};

/// A position longer than this is given as a digest.
const POSITION_BYTES_MAX: usize = 4096;

/// The states of all files at one moment.
pub(super) struct CsvSnapshot {
    pub(super) place: Place,
    pub(super) options: Arc<Options>,
    pub(super) files: BTreeMap<String, Identity>,
}

impl Snapshot for CsvSnapshot {
    fn position(&self) -> Position {
        let mut text = String::new();
        for (name, identity) in &self.files {
            if !text.is_empty() {
                text.push(';');
            }
            if matches!(self.place, Place::Directory(_)) {
                text.push_str(name);
                text.push(':');
            }
            // Writing to a string cannot fail.
            write!(text, "{identity}").unwrap_or_default();
        }
        if text.is_empty() {
            text.push_str("empty");
        }
        if text.len() > POSITION_BYTES_MAX {
            text = format!(
                "files={},digest={}",
                self.files.len(),
                Digest::of(text.as_bytes())
            );
        }
        Position(text)
    }

    fn ordered(&mut self, _request: &ScanRequest<'_>) -> Result<bool> {
        Ok(false)
    }

    fn is_empty(&mut self, schema: &Schema) -> Result<bool> {
        let fields = [0];
        let mut scan = self.scan(&ScanRequest {
            schema,
            fields: &fields,
            wanted: &[],
            order: Order::Natural,
            after: None,
            batch_records_max: 1,
            batch_bytes_max: usize::MAX,
        })?;
        scan.next(&mut Batch::new(1)).map(|any| !any)
    }

    fn scan<'a>(&'a mut self, request: &ScanRequest<'_>) -> Result<Box<dyn Scan + 'a>> {
        let collection = &request.schema.collection;
        let (Some(identity), Some(path)) =
            (self.files.get(collection), self.place.file(collection))
        else {
            return Err(Error::config(format!(
                "no such collection in the snapshot collection={collection} path={}",
                self.place.path().display()
            ))
            .hint(
                "check the path; a file that appeared after the run began is seen by the next one",
            ));
        };
        let Some(table) = Table::open(&path, &self.options)? else {
            return Err(error::changed(&path, "the run was under way"));
        };
        if table.identity != *identity {
            return Err(error::changed(&path, "the run was under way"));
        }
        let names = request
            .schema
            .fields
            .iter()
            .map(|field| field.name.as_str());
        if !names.eq(table.header.names.iter().map(String::as_str)) {
            return Err(Error::new(
                Kind::Stale,
                format!(
                    "columns changed since the shape was read file={}",
                    path.display()
                ),
            )
            .hint("run again"));
        }
        Ok(Box::new(CsvScan {
            table,
            fields: request.fields.to_vec(),
            null: self.options.null.clone(),
            records_max: request.batch_records_max.max(1),
            bytes_max: request.batch_bytes_max,
            done: false,
        }))
    }
}

struct CsvScan {
    table: Table,
    fields: Vec<usize>,
    null: String,
    records_max: usize,
    bytes_max: usize,
    done: bool,
}

impl Scan for CsvScan {
    fn next(&mut self, into: &mut Batch) -> Result<bool> {
        if self.done {
            return Ok(false);
        }
        let before = into.len();
        while into.len() < self.records_max && into.bytes() < self.bytes_max.max(1) {
            let Some(row) = self.table.reader.next_row()? else {
                self.table.check_unchanged("being read")?;
                self.done = true;
                break;
            };
            for &field in &self.fields {
                into.push(row.value(field, &self.null));
            }
        }
        Ok(into.len() > before)
    }
}
