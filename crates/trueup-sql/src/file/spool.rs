//! The writes of one collection, waiting on disk for the file to be rewritten.
//!
//! Invariant: the last write of a key counts, and keys are compared by meaning: the text in the file and the value of
//! the write are both brought to the class of the write's key values, so `007` is 7 where the key is a whole number
//! and is not where it is text. In memory stay 24 bytes a write; the fields lie in an unnamed temporary file beside
//! the target, which a killed run leaves nothing of.

use super::error;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use trueup_core::batch::Batch;
use trueup_core::digest::Digest;
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_core::{Error, Result, cast, encode, text};

/// How much is gathered before it is written.
const WRITE_BYTES: usize = 1 << 20;
/// The length that stands for a field that is not written.
const KEEP: u32 = u32::MAX;
/// Marks an entry that removes its record.
const DELETE: u64 = 1 << 63;
/// Marks an entry whose record was met in the file.
const MET: u64 = 1 << 62;

/// One write: its key's digest in two halves, and where its fields are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    high: u64,
    low: u64,
    place: u64,
}

impl Entry {
    fn at(self) -> u64 {
        self.place & !(DELETE | MET)
    }
}

/// What is to become of a record in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stays as it is.
    Keep,
    /// It is removed.
    Remove,
    /// It takes the fields that lie at this place.
    Replace(u64),
    /// Its key was met before.
    Twice,
}

/// The waiting writes.
#[derive(Debug)]
pub(crate) struct Spool {
    file: File,
    directory: PathBuf,
    buffer: Vec<u8>,
    written: u64,
    entries: Vec<Entry>,
    keys: Keys,
}

impl Spool {
    /// Opens an empty spool in `directory` for keys of `width` fields.
    pub(crate) fn open(directory: &Path, width: usize) -> Result<Self> {
        let file = tempfile::tempfile_in(directory)
            .map_err(|error| error::io(directory, "create a temporary file in", error))?;
        Ok(Self {
            file,
            directory: directory.to_owned(),
            buffer: Vec::new(),
            written: 0,
            entries: Vec::new(),
            keys: Keys {
                types: vec![None; width],
                ..Keys::default()
            },
        })
    }

    /// Returns what [`Spool::restore`] goes back to.
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.entries.len(), self.buffer.len())
    }

    /// Forgets the writes since `mark`; only before they were flushed.
    pub(crate) fn restore(&mut self, mark: (usize, usize)) {
        self.entries.truncate(mark.0);
        self.buffer.truncate(mark.1);
    }

    /// Adds the removal of a record.
    pub(crate) fn remove<'v>(&mut self, key: impl Iterator<Item = Value<'v>>) {
        let at = self.end();
        self.push(key, at | DELETE);
    }

    /// Adds a record; [`Spool::field`] is called for each field before and gives what this takes.
    pub(crate) fn upsert<'v>(&mut self, key: impl Iterator<Item = Value<'v>>, fields: &[u8]) {
        let at = self.end();
        self.push(key, at);
        self.buffer.extend_from_slice(fields);
    }

    /// Writes out what was gathered, once it is enough.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if self.buffer.len() < WRITE_BYTES {
            Ok(())
        } else {
            self.flush()
        }
    }

    fn end(&self) -> u64 {
        self.written + u64::try_from(self.buffer.len()).unwrap_or(u64::MAX)
    }

    fn push<'v>(&mut self, key: impl Iterator<Item = Value<'v>>, place: u64) {
        let (high, low) = self.keys.of_write(key);
        self.entries.push(Entry { high, low, place });
    }

    fn flush(&mut self) -> Result<()> {
        self.file
            .write_all_at(&self.buffer, self.written)
            .map_err(|error| error::io(&self.directory, "write a temporary file in", error))?;
        self.written = self.end();
        self.buffer.clear();
        Ok(())
    }

    /// Readies the spool for [`Spool::fate`]: of several writes of one key the last stays.
    pub(crate) fn seal(&mut self) -> Result<()> {
        self.flush()?;
        // Stable, so writes of one key stay in order of arrival; a deletion takes no room and may share a place.
        self.entries.sort_by_key(|entry| (entry.high, entry.low));
        self.entries.dedup_by(|later, earlier| {
            let same = (later.high, later.low) == (earlier.high, earlier.low);
            if same {
                *earlier = *later;
            }
            same
        });
        Ok(())
    }

    /// Says what becomes of the record of the file that has this key.
    pub(crate) fn fate<'v>(&mut self, key: impl Iterator<Item = Value<'v>>) -> Fate {
        let (high, low) = self.keys.of_file(key);
        let found = self
            .entries
            .binary_search_by_key(&(high, low), |entry| (entry.high, entry.low));
        let Some(entry) = found.ok().and_then(|index| self.entries.get_mut(index)) else {
            return Fate::Keep;
        };
        if entry.place & MET != 0 {
            return Fate::Twice;
        }
        entry.place |= MET;
        if entry.place & DELETE != 0 {
            Fate::Remove
        } else {
            Fate::Replace(entry.at())
        }
    }

    /// Returns the places of the records that were not met in the file, in order of arrival.
    pub(crate) fn rest(&mut self) -> Vec<u64> {
        self.entries
            .retain(|entry| entry.place & (MET | DELETE) == 0);
        let mut places: Vec<u64> = self.entries.drain(..).map(|entry| entry.place).collect();
        places.sort_unstable();
        places
    }

    /// Reads the fields at `place` and hands each to `each`: its text, or `None` for one that is not written.
    pub(crate) fn read(
        &self,
        place: u64,
        count: usize,
        scratch: &mut Vec<u8>,
        mut each: impl FnMut(usize, Option<&[u8]>),
    ) -> Result<()> {
        let failed = |error| error::io(&self.directory, "read a temporary file in", error);
        let mut header = vec![0; count * size_of::<u32>()];
        self.file
            .read_exact_at(&mut header, place)
            .map_err(failed)?;
        let lengths = header
            .chunks_exact(size_of::<u32>())
            .map(|bytes| match bytes {
                &[a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
                _ => KEEP,
            });
        let size = |length: u32| if length == KEEP { 0 } else { length as usize };
        scratch.clear();
        scratch.resize(lengths.clone().map(size).sum(), 0);
        self.file
            .read_exact_at(scratch, place + header.len() as u64)
            .map_err(failed)?;
        let mut from = 0;
        for (index, length) in lengths.enumerate() {
            let until = from + size(length);
            each(index, (length != KEEP).then(|| &scratch[from..until]));
            from = until;
        }
        Ok(())
    }
}

/// Gathers one record's fields in the form in which [`Spool::read`] finds them.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    lengths: Vec<u8>,
    content: Vec<u8>,
}

impl Fields {
    /// Starts a record.
    pub(crate) fn clear(&mut self) {
        self.lengths.clear();
        self.content.clear();
    }

    /// Adds a field that is not written.
    pub(crate) fn keep(&mut self) {
        self.lengths.extend(KEEP.to_le_bytes());
    }

    /// Adds a field that `write` appends.
    pub(crate) fn add<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let before = self.content.len();
        write(&mut self.content)?;
        // A field is far below 4 GiB (FIELD_BYTES_MAX).
        let length = u32::try_from(self.content.len() - before).unwrap_or(KEEP);
        self.lengths.extend(length.to_le_bytes());
        Ok(())
    }

    /// Returns the record.
    pub(crate) fn finish(&mut self) -> &[u8] {
        self.lengths.append(&mut self.content);
        &self.lengths
    }
}

/// Brings keys to one form.
#[derive(Debug, Default)]
struct Keys {
    /// The class of each key field: that of the first value written.
    types: Vec<Option<Type>>,
    cell: Batch,
    text: String,
    bytes: Vec<u8>,
}

impl Keys {
    fn of_write<'v>(&mut self, key: impl Iterator<Item = Value<'v>>) -> (u64, u64) {
        self.bytes.clear();
        for (index, value) in key.enumerate() {
            if let Some(ty @ None) = self.types.get_mut(index) {
                *ty = class(value);
            }
            match self.types.get(index).copied().flatten() {
                Some(ty) if !cast::fits(value, ty) => {
                    // Of another class than the first: what counts is how it will read in the file.
                    self.text.clear();
                    text::write(value, &mut self.text);
                    canonical(
                        Value::Text(&self.text),
                        Some(ty),
                        &mut self.cell,
                        &mut self.bytes,
                    );
                }
                _ => encode::key(value, &mut self.bytes),
            }
        }
        halves(&self.bytes)
    }

    fn of_file<'v>(&mut self, key: impl Iterator<Item = Value<'v>>) -> (u64, u64) {
        self.bytes.clear();
        for (index, value) in key.enumerate() {
            let ty = self.types.get(index).copied().flatten();
            canonical(value, ty, &mut self.cell, &mut self.bytes);
        }
        halves(&self.bytes)
    }
}

/// Encodes `value` as one of `ty` where it can be cast, else as it is.
fn canonical(value: Value<'_>, ty: Option<Type>, cell: &mut Batch, bytes: &mut Vec<u8>) {
    cell.reset(1);
    match ty {
        Some(ty) if cast::push(value, ty, cell).is_ok() && !cell.is_empty() => {
            encode::key(cell.record(0).value(0), bytes);
        }
        _ => encode::key(value, bytes),
    }
}

fn halves(bytes: &[u8]) -> (u64, u64) {
    let Digest(digest) = Digest::of(bytes);
    // The halves of 128 bits.
    ((digest >> 64) as u64, digest as u64)
}

/// The type whose values are of the class of `value`.
fn class(value: Value<'_>) -> Option<Type> {
    match value {
        Value::Null | Value::Unchanged | Value::InvalidText(_) => None,
        Value::Bool(_) => Some(Type::Bool),
        Value::Int(_) => Some(Type::INT),
        Value::Float(_) => Some(Type::FLOAT),
        Value::Decimal(_) => Some(Type::DECIMAL),
        Value::Text(_) => Some(Type::TEXT),
        Value::Bytes(_) => Some(Type::BYTES),
        Value::Date(_) => Some(Type::Date),
        Value::Time(_) => Some(Type::Time),
        Value::Timestamp(_) => Some(Type::Timestamp),
        Value::Instant(_) => Some(Type::Instant),
        Value::Uuid(_) => Some(Type::Uuid),
        Value::Json(_) => Some(Type::Json),
    }
}

/// Makes an error of a key that stands in the file twice.
pub(crate) fn twice(file: &Path, line: u64) -> Error {
    Error::corrupt(format!(
        "key stands in the file twice file={} line={line}",
        file.display()
    ))
    .hint("remove one of the two lines, or name a key that is unique; the file was not changed")
}
