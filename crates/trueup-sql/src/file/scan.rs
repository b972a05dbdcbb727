//! Reading: a snapshot is a set of file states, a scan is one file read from end to end.
//!
//! Invariant: everything a scan delivers stood in one state of the file, the one of the snapshot: its identity is
//! checked when the file is opened and again after its last byte was read, so a file that changed in between is
//! `Stale` and never a mixture. A file system gives no more than that: a writer that keeps size, modification time and
//! inode is not noticed. Order is that of the file; nothing is cast. A syntax may leave open which class a value is (every
//! value of JSON is a JSON text too); then it is delivered in the class that the caller will cast it to.

use super::Shape;
use super::error;
use super::format::{Format, Records, Row};
use super::place::{Identity, Place};
use super::table::Table;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use trueup_core::batch::Batch;
use trueup_core::digest::Digest;
use trueup_core::endpoint::{Ascending, Position, Scan, ScanRequest, Snapshot};
use trueup_core::schema::Schema;
use trueup_core::types::Type;
use trueup_core::{Error, Kind, Result};

/// A position longer than this is given as a digest.
const POSITION_BYTES_MAX: usize = 4096;

/// The states of all files at one moment.
pub(crate) struct FileSnapshot<F: Format> {
    pub(crate) place: Place,
    pub(crate) format: Arc<F>,
    pub(crate) files: BTreeMap<String, Identity>,
    /// What was found out about them, also in states that are gone.
    pub(crate) shapes: BTreeMap<String, Shape>,
}

impl<F: Format> Snapshot for FileSnapshot<F> {
    fn position(&self) -> Position {
        let mut text = String::new();
        for (name, identity) in &self.files {
            if !text.is_empty() {
                text.push(';');
            }
            if self.place.is_directory() {
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

    fn keeps_order(&self) -> bool {
        true
    }

    fn ascending(&mut self, schema: &Schema, field: usize) -> Result<Option<Ascending>> {
        let (known, now) = (
            self.shapes.get(&schema.collection),
            self.files.get(&schema.collection),
        );
        let known = known.filter(|known| now == Some(&known.identity) && known.schema == *schema);
        Ok(known.and_then(|known| known.ascending.get(field).copied().flatten()))
    }

    fn is_empty(&mut self, schema: &Schema) -> Result<bool> {
        let mut table = self.open(schema)?;
        let empty = table.reader.next_row()?.is_none();
        if empty {
            table.check_unchanged("being read")?;
        }
        Ok(empty)
    }

    fn scan<'a>(&'a mut self, request: &ScanRequest<'_>) -> Result<Box<dyn Scan + 'a>> {
        let mut table = self.open(request.schema)?;
        table.reader.want(request.fields)?;
        let file = table.path().display().to_string();
        let wanted = |(index, field): (usize, &usize)| {
            let wanted = request.wanted.get(index).copied();
            wanted.unwrap_or(request.schema.fields[*field].ty)
        };
        Ok(Box::new(FileScan {
            table,
            file: file.into(),
            wanted: request.fields.iter().enumerate().map(wanted).collect(),
            fields: request.fields.to_vec(),
            records_max: request.batch_records_max.max(1),
            bytes_max: request.batch_bytes_max,
            done: false,
        }))
    }
}

impl<F: Format> FileSnapshot<F> {
    /// Opens the state of a file that this snapshot is of.
    fn open(&self, schema: &Schema) -> Result<Table<F>> {
        let collection = &schema.collection;
        let (Some(identity), Some(origin)) =
            (self.files.get(collection), self.place.find(collection)?)
        else {
            return Err(Error::config(format!(
                "no such collection in the snapshot collection={collection} path={}",
                self.place.path().display()
            ))
            .hint(
                "check the path; a file that appeared after the run began is seen by the next one",
            ));
        };
        let path = origin.path();
        let Some(mut table) = Table::open(&origin, self.format.as_ref())? else {
            return Err(error::changed(path, "the run was under way"));
        };
        if table.identity != *identity {
            return Err(error::changed(path, "the run was under way"));
        }
        let names: Vec<&str> = schema
            .fields
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        table.reader.expect(&names);
        if table.reader.names() != names {
            return Err(Error::new(
                Kind::Stale,
                format!(
                    "columns changed since the shape was read file={}",
                    path.display()
                ),
            )
            .hint("run again"));
        }
        let typed = table.reader.declared();
        let other = typed.is_some_and(|declared| {
            let pairs = declared.fields.iter().zip(&schema.fields);
            pairs.into_iter().any(|(now, then)| now.ty != then.ty)
        });
        if other {
            return Err(error::changed(path, "its shape was read"));
        }
        Ok(table)
    }
}

struct FileScan<F: Format> {
    table: Table<F>,
    /// What the file is called where people are told of a record.
    file: Arc<str>,
    fields: Vec<usize>,
    /// What each field will be cast to.
    wanted: Vec<Type>,
    records_max: usize,
    bytes_max: usize,
    done: bool,
}

impl<F: Format> Scan for FileScan<F> {
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
            into.set_place(&self.file, row.line());
            for (&field, &wanted) in self.fields.iter().zip(&self.wanted) {
                into.push(row.value(field, wanted));
            }
        }
        Ok(into.len() > before)
    }
}
