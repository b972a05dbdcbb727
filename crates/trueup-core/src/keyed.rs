//! Records with their keys and digests: what compare works on.
//!
//! Invariant: `records`, `keys` and `entries` have the same length and order. A record that exists but cannot be
//! taken further (it does not fit the target, or the filter hides it) stays in the stream as
//! [`Standing::Unknown`]: its key is there, so nobody mistakes it for a deleted one.

use crate::batch::{Batch, Record};
use crate::digest::Digest;

/// What is known of one record of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The record is here, with this digest.
    Present(Digest),
    /// The record exists, and that is all that may be concluded.
    Unknown,
}

/// One entry of a [`Keyed`].
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The canonical key.
    pub key: &'a [u8],
    /// What is known.
    pub standing: Standing,
    /// The mapped fields; all NULL when unknown.
    pub record: Record<'a>,
}

/// A batch of records with keys and digests.
#[derive(Clone, Debug, Default)]
pub struct Keyed {
    records: Batch,
    keys: Vec<u8>,
    entries: Vec<(u32, Standing)>,
}

impl Keyed {
    /// Makes an empty batch for records of `width` fields.
    pub fn new(width: usize) -> Self {
        Self {
            records: Batch::new(width),
            keys: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the bytes held.
    pub fn bytes(&self) -> usize {
        self.records.bytes() + self.keys.len() + self.entries.len() * size_of::<(u32, Standing)>()
    }

    /// Returns entry `index`.
    ///
    /// # Panics
    /// When `index` is not below [`Keyed::len`].
    pub fn entry(&self, index: usize) -> Entry<'_> {
        let (end, standing) = self.entries[index];
        let start = index
            .checked_sub(1)
            .map_or(0, |before| self.entries[before].0);
        Entry {
            key: &self.keys[start as usize..end as usize],
            standing,
            record: self.records.record(index),
        }
    }

    /// Returns the entries in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.len()).map(|index| self.entry(index))
    }

    /// Returns the records in order.
    pub fn records(&self) -> &Batch {
        &self.records
    }

    /// Appends a copy of `entry`.
    pub fn push(&mut self, entry: Entry<'_>) {
        self.records.push_record(entry.record);
        self.keys.extend_from_slice(entry.key);
        self.seal(entry.standing);
    }

    /// Takes over `records`, all of them present, without copying them. `describe` appends a record's key and digests
    /// the record.
    ///
    /// # Panics
    /// When there are entries already.
    pub fn adopt(
        &mut self,
        records: Batch,
        mut describe: impl FnMut(Record<'_>, &mut Vec<u8>) -> Digest,
    ) {
        assert!(self.entries.is_empty(), "only an empty stream takes over");
        self.records = records;
        self.entries.reserve(self.records.len());
        for record in self.records.records() {
            let digest = describe(record, &mut self.keys);
            let end = u32::try_from(self.keys.len()).expect("a batch is cut long before 4 GiB");
            self.entries.push((end, Standing::Present(digest)));
        }
    }

    /// Returns the records alone.
    pub fn into_records(self) -> Batch {
        self.records
    }

    /// The batch that the mapping pushes a record's values into, before [`Keyed::seal`].
    pub fn open(&mut self) -> (&mut Batch, &mut Vec<u8>) {
        (&mut self.records, &mut self.keys)
    }

    /// Completes the entry whose values and key have been pushed.
    pub fn seal(&mut self, standing: Standing) {
        let end = u32::try_from(self.keys.len()).expect("a batch is cut long before 4 GiB");
        self.entries.push((end, standing));
        debug_assert_eq!(self.records.len(), self.entries.len());
    }
}
