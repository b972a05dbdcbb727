//! What is kept of one record of a bucket that differs: 33 bytes, sorted in bounded memory.
//!
//! Not the sorter of compare: that one sorts by canonical key and keeps records, this one sorts digests. A defect in
//! either would have to be made twice to go unnoticed. What went in is counted on the way out, and the order is
//! asserted: an entry lost on disk must not look like a record that a side does not have.

use crate::spool::{Spool, SpoolReader, Spooled};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::PathBuf;
use trueup_core::digest::Digest;
use trueup_core::keyed::Standing;
use trueup_core::{Error, Result};

/// The bytes of an [`Entry`].
const ENTRY_BYTES: usize = 33;

/// Runs of one level merged at once: each has an open file and a buffer of 64 KiB.
const FAN_IN: usize = 64;

/// One record: its key's digest, whether it is known, its own digest. Big-endian, so that bytes sort as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry([u8; ENTRY_BYTES]);

impl Entry {
    /// Makes the entry of the record with this key digest.
    pub(super) fn new(key: Digest, standing: Standing) -> Self {
        let (known, record) = match standing {
            Standing::Present(digest) => (1, digest.0),
            Standing::Unknown => (0, 0),
        };
        let mut bytes = [known; ENTRY_BYTES];
        bytes[..16].copy_from_slice(&key.0.to_be_bytes());
        bytes[17..].copy_from_slice(&record.to_be_bytes());
        Self(bytes)
    }

    /// Returns the digest of the record's key.
    pub(super) fn key(&self) -> Digest {
        self.number(0)
    }

    /// Returns what is known of the record.
    pub(super) fn standing(&self) -> Standing {
        if self.0[16] == 0 {
            Standing::Unknown
        } else {
            Standing::Present(self.number(17))
        }
    }

    fn number(&self, start: usize) -> Digest {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.0[start..start + 16]);
        Digest(u128::from_be_bytes(bytes))
    }
}

/// Collects entries: a full buffer is sorted and spooled as a run, a full level of runs is merged into one of the
/// next, so that each entry is written once per level and few files are open.
#[derive(Debug)]
pub(super) struct Sorter {
    folder: PathBuf,
    entries_max: usize,
    buffer: Vec<Entry>,
    levels: Vec<Vec<Spooled>>,
    pushed: u64,
}

impl Sorter {
    /// Makes a sorter that keeps about `bytes_max` bytes in memory.
    pub(super) fn new(folder: PathBuf, bytes_max: usize) -> Self {
        Self {
            folder,
            entries_max: (bytes_max / ENTRY_BYTES).max(1),
            buffer: Vec::new(),
            levels: Vec::new(),
            pushed: 0,
        }
    }

    /// Takes an entry.
    pub(super) fn push(&mut self, entry: Entry) -> Result<()> {
        self.pushed += 1;
        self.buffer.push(entry);
        if self.buffer.len() < self.entries_max {
            return Ok(());
        }
        self.buffer.sort_unstable();
        let mut spool = Spool::new(&self.folder);
        for entry in self.buffer.drain(..) {
            spool.push(&entry.0)?;
        }
        self.store(spool.finish()?)
    }

    /// Ends collecting. What never filled the buffer stays in memory.
    pub(super) fn finish(mut self) -> Sorted {
        self.buffer.sort_unstable();
        Sorted {
            buffer: self.buffer,
            runs: self.levels.into_iter().flatten().collect(),
            entries: self.pushed,
        }
    }

    /// Puts a run on the lowest level, and merges each level that is full.
    fn store(&mut self, mut run: Spooled) -> Result<()> {
        let mut level = 0;
        loop {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(run);
            if self.levels[level].len() < FAN_IN {
                return Ok(());
            }
            run = self.merged(level)?;
            level += 1;
        }
    }

    fn merged(&mut self, level: usize) -> Result<Spooled> {
        let runs = std::mem::take(&mut self.levels[level]);
        let entries = runs.iter().map(Spooled::len).sum();
        let mut sorted = Sorted {
            buffer: Vec::new(),
            runs,
            entries,
        };
        let mut spool = Spool::new(&self.folder);
        let mut merge = sorted.read()?;
        while let Some(entry) = merge.next()? {
            spool.push(&entry.0)?;
        }
        spool.finish()
    }
}

/// Sorted entries, which can be read as often as needed.
#[derive(Debug)]
pub(super) struct Sorted {
    buffer: Vec<Entry>,
    runs: Vec<Spooled>,
    entries: u64,
}

impl Sorted {
    /// Returns how many runs are on disk.
    #[cfg(test)]
    pub(super) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Reads all entries in order.
    pub(super) fn read(&mut self) -> Result<Merge<'_>> {
        let mut runs = vec![Run::Buffer(self.buffer.iter())];
        for run in &mut self.runs {
            runs.push(Run::Spool(run.read()?));
        }
        let mut merge = Merge {
            runs,
            heap: BinaryHeap::new(),
            left: self.entries,
            last: None,
        };
        for run in 0..merge.runs.len() {
            merge.refill(run)?;
        }
        Ok(merge)
    }
}

enum Run<'a> {
    Buffer(std::slice::Iter<'a, Entry>),
    Spool(SpoolReader<'a>),
}

impl Run<'_> {
    fn next(&mut self) -> Result<Option<Entry>> {
        let reader = match self {
            Self::Buffer(entries) => return Ok(entries.next().copied()),
            Self::Spool(reader) => reader,
        };
        let Some(bytes) = reader.next()? else {
            return Ok(None);
        };
        match bytes.try_into() {
            Ok(bytes) => Ok(Some(Entry(bytes))),
            Err(_) => Err(Error::bug("a verify entry came back in another size")),
        }
    }
}

/// Merges runs: the smallest entry first.
pub(super) struct Merge<'a> {
    runs: Vec<Run<'a>>,
    heap: BinaryHeap<Reverse<(Entry, usize)>>,
    left: u64,
    last: Option<Entry>,
}

impl Merge<'_> {
    /// Returns the next entry; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Entry>> {
        let Some(Reverse((entry, run))) = self.heap.pop() else {
            return if self.left == 0 {
                Ok(None)
            } else {
                Err(Error::bug(format!(
                    "entries lost while sorting count={}",
                    self.left
                )))
            };
        };
        self.refill(run)?;
        if self.last.is_some_and(|last| last > entry) {
            return Err(Error::bug("sorted entries are out of order"));
        }
        self.last = Some(entry);
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| Error::bug("entries gained while sorting"))?;
        Ok(Some(entry))
    }

    fn refill(&mut self, run: usize) -> Result<()> {
        if let Some(entry) = self.runs[run].next()? {
            self.heap.push(Reverse((entry, run)));
        }
        Ok(())
    }
}
