//! External sort: puts a stream into canonical key order within a fixed memory budget.
//!
//! Entries collect in memory; a full buffer is sorted and spooled as a run; the runs are merged as they are read.
//! Runs are kept in levels; a full level is merged into one run of the next, so that each entry is written once per
//! level and few files are open. Stable, so that of two records with one key the
//! error names the earlier one first, every time.
//!
//! In a bag equal keys are no error: they are numbered as they are read, known records before unknown ones, so that
//! what comes out ascends strictly and n copies on one side meet m on the other one by one.

mod repeated;

pub(crate) use repeated::{Example, Repeated};

use crate::link::Limits;
use crate::spool::{Spool, SpoolReader, Spooled};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};
use trueup_core::Result;
use trueup_core::batch::Batch;
use trueup_core::codec::{Reader, put_bytes, put_record};
use trueup_core::diff::Stream;
use trueup_core::digest::Digest;
use trueup_core::keyed::{Entry, Keyed, Standing};
use trueup_core::mapping::bag;

/// Runs of one level merged at once: each has an open file and a buffer of 64 KiB.
const FAN_IN: usize = 64;

/// Runs left as they are at the end. More are merged into one, so that many sorted collections do not hold many
/// files each.
const RUNS_KEPT_MAX: usize = 8;

/// Collects entries.
#[derive(Debug)]
pub(crate) struct Sorter {
    folder: PathBuf,
    bytes_max: usize,
    width: usize,
    /// Whether equal keys are allowed, and counted.
    bag: bool,
    arena: Vec<u8>,
    /// Where each entry's key and whole lie in the arena: start, key end, end.
    index: Vec<(usize, usize, usize)>,
    /// A higher level holds what came earlier.
    levels: Vec<Vec<Spooled>>,
    entries: u64,
    /// How many of them are known, and not only that they exist.
    known: u64,
}

impl Sorter {
    /// Makes a sorter of entries with `width` fields that keeps about `bytes_max` bytes in memory.
    pub(crate) fn new(folder: PathBuf, bytes_max: usize, width: usize) -> Self {
        let (arena, index, levels) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            folder,
            bytes_max,
            width,
            bag: false,
            arena,
            index,
            levels,
            entries: 0,
            known: 0,
        }
    }

    /// Allows equal keys, and counts them.
    pub(crate) fn counting(mut self, bag: bool) -> Self {
        self.bag = bag;
        self
    }

    /// Takes every entry of `keyed`.
    pub(crate) fn push(&mut self, keyed: &Keyed) -> Result<()> {
        for entry in keyed.entries() {
            let start = self.arena.len();
            self.arena.extend_from_slice(entry.key);
            if self.bag {
                self.arena
                    .push(u8::from(entry.standing == Standing::Unknown));
            }
            let key_end = self.arena.len();
            encode_rest(entry, &mut self.arena);
            self.index.push((start, key_end, self.arena.len()));
            self.entries += 1;
            self.known += u64::from(entry.standing != Standing::Unknown);
            let index_bytes = self.index.len() * size_of::<(usize, usize, usize)>();
            if self.arena.len() + index_bytes >= self.bytes_max {
                self.spill()?;
            }
        }
        Ok(())
    }

    /// Ends collecting. Where a key occurs twice and keys are not counted, tells which do instead.
    pub(crate) fn finish(mut self) -> Result<Result<Sorted, Repeated>> {
        if !self.index.is_empty() {
            self.spill()?;
        }
        let mut runs: Vec<Spooled> = self.levels.into_iter().rev().flatten().collect();
        let mut merged = (runs.len() > RUNS_KEPT_MAX).then(|| Spool::new(&self.folder));
        let mut last: Option<Vec<u8>> = None;
        let mut repeated = Repeated::default();
        let mut merge = Merge::new(&mut runs)?;
        while let Some(entry) = merge.next()? {
            let key = Reader::new(entry).bytes()?;
            if !self.bag && last.as_deref() == Some(key) {
                repeated.again(entry, self.width)?;
                continue;
            }
            repeated.next(entry)?;
            let kept = last.get_or_insert_default();
            kept.clear();
            kept.extend_from_slice(key);
            if let Some(merged) = &mut merged {
                merged.push(entry)?;
            }
        }
        drop(merge);
        if repeated.keys > 0 {
            return Ok(Err(repeated));
        }
        if let Some(merged) = merged {
            runs = vec![merged.finish()?];
        }
        Ok(Ok(Sorted {
            runs,
            width: self.width,
            bag: self.bag,
            entries: self.entries,
            known: self.known,
        }))
    }

    fn spill(&mut self) -> Result<()> {
        let arena = &self.arena;
        self.index
            .sort_by(|a, b| arena[a.0..a.1].cmp(&arena[b.0..b.1]));
        let mut spool = Spool::new(&self.folder);
        let mut entry = Vec::new();
        for &(start, key_end, end) in &self.index {
            entry.clear();
            put_bytes(&arena[start..key_end], &mut entry);
            entry.extend_from_slice(&arena[key_end..end]);
            spool.push(&entry)?;
        }
        self.arena.clear();
        self.index.clear();
        self.store(spool.finish()?)
    }

    /// Puts a run on the lowest level, and merges each level that is full.
    fn store(&mut self, mut run: Spooled) -> Result<()> {
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let runs = &mut self.levels[level];
            runs.push(run);
            if runs.len() < FAN_IN {
                break;
            }
            let mut full = std::mem::take(runs);
            run = merged(&mut full, &self.folder)?;
        }
        Ok(())
    }
}

fn merged(runs: &mut [Spooled], folder: &Path) -> Result<Spooled> {
    let mut spool = Spool::new(folder);
    let mut merge = Merge::new(runs)?;
    while let Some(entry) = merge.next()? {
        spool.push(entry)?;
    }
    drop(merge);
    spool.finish()
}

/// A sorted stream on disk, which can be read as often as needed.
#[derive(Debug)]
pub(crate) struct Sorted {
    runs: Vec<Spooled>,
    width: usize,
    bag: bool,
    entries: u64,
    known: u64,
}

impl Sorted {
    /// Returns the number of entries, unknown ones included.
    pub(crate) fn len(&self) -> u64 {
        self.entries
    }

    /// Returns the number of entries of which more is known than that they exist.
    pub(crate) fn known(&self) -> u64 {
        self.known
    }

    /// Reads all entries in key order, in batches of about the limits' size.
    pub(crate) fn read(&mut self, limits: Limits) -> Result<SortedRecords<'_>> {
        Ok(SortedRecords {
            merge: Merge::new(&mut self.runs)?,
            width: self.width,
            counter: self.bag.then(Counter::default),
            limits,
        })
    }
}

/// A sorted stream being read.
pub(crate) struct SortedRecords<'a> {
    merge: Merge<'a>,
    width: usize,
    /// Set in a bag.
    counter: Option<Counter>,
    limits: Limits,
}

/// Numbers equal keys in the order they come.
#[derive(Debug, Default)]
struct Counter {
    last: Vec<u8>,
    next: u64,
}

impl Counter {
    /// Returns the number of this key, whose last byte said whether the record is known.
    fn number(&mut self, key: &[u8]) -> u64 {
        if self.last != key {
            self.last.clear();
            self.last.extend_from_slice(key);
            self.next = 0;
        }
        self.next += 1;
        self.next - 1
    }
}

impl Stream for SortedRecords<'_> {
    fn next(&mut self) -> Result<Option<Keyed>> {
        let mut keyed = Keyed::new(self.width);
        while let Some(entry) = self.merge.next()? {
            decode(entry, self.width, self.counter.as_mut(), &mut keyed)?;
            if keyed.len() >= self.limits.batch_records_max
                || keyed.bytes() >= self.limits.batch_bytes_max
            {
                break;
            }
        }
        Ok((!keyed.is_empty()).then_some(keyed))
    }
}

fn encode_rest(entry: Entry<'_>, out: &mut Vec<u8>) {
    match entry.standing {
        Standing::Unknown => out.push(0),
        Standing::Present(digest) => {
            out.push(1);
            out.extend(digest.0.to_le_bytes());
            put_record(entry.record, out);
        }
    }
}

fn decode(
    bytes: &[u8],
    width: usize,
    counter: Option<&mut Counter>,
    into: &mut Keyed,
) -> Result<()> {
    let mut reader = Reader::new(bytes);
    let key = reader.bytes()?;
    let present = reader.byte()? == 1;
    let (records, keys): (&mut Batch, &mut Vec<u8>) = into.open();
    match (counter, key.split_last()) {
        (Some(counter), Some((_, key))) => bag::number(key, counter.number(key), keys),
        _ => keys.extend_from_slice(key),
    }
    let standing = if present {
        let digest = Digest(u128::from_le_bytes(reader.array()?));
        reader.record(records)?;
        Standing::Present(digest)
    } else {
        for _ in 0..width {
            records.push(trueup_core::value::Value::Null);
        }
        Standing::Unknown
    };
    into.seal(standing);
    Ok(())
}

/// The next entry of a run: its key, the run's number, the whole entry.
type Head = (Vec<u8>, usize, Vec<u8>);

/// Merges runs: the smallest key first, of equal keys the earlier run's.
struct Merge<'a> {
    readers: Vec<SpoolReader<'a>>,
    heap: BinaryHeap<Reverse<Head>>,
    current: Vec<u8>,
}

impl<'a> Merge<'a> {
    fn new(runs: &'a mut [Spooled]) -> Result<Self> {
        let readers = runs
            .iter_mut()
            .map(Spooled::read)
            .collect::<Result<Vec<_>>>()?;
        let mut merge = Self {
            readers,
            heap: BinaryHeap::new(),
            current: Vec::new(),
        };
        for run in 0..merge.readers.len() {
            merge.refill(run, Vec::new(), Vec::new())?;
        }
        Ok(merge)
    }

    /// Puts the run's next entry on the heap, in the given buffers.
    fn refill(&mut self, run: usize, mut key: Vec<u8>, mut entry: Vec<u8>) -> Result<()> {
        if let Some(next) = self.readers[run].next()? {
            key.clear();
            key.extend_from_slice(Reader::new(next).bytes()?);
            entry.clear();
            entry.extend_from_slice(next);
            self.heap.push(Reverse((key, run, entry)));
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<&[u8]>> {
        let Some(Reverse((key, run, entry))) = self.heap.pop() else {
            return Ok(None);
        };
        let spare = std::mem::replace(&mut self.current, entry);
        self.refill(run, key, spare)?;
        Ok(Some(&self.current))
    }
}

#[cfg(test)]
mod tests;
