//! The difference of two key-ordered streams, in one pass and constant memory.
//!
//! Invariant: both streams ascend strictly by canonical key. That is asserted, not assumed: a stream out of order
//! would make present records look missing, and a missing record can become a delete.

use crate::digest::Fold;
use crate::error::{Error, Kind, Result};
use crate::keyed::{Entry, Keyed, Standing};
use crate::mapping::key_digest;
use std::cmp::Ordering;

/// A stream of keyed batches.
pub trait Stream {
    /// Returns the next batch, never an empty one; `None` after the last.
    fn next(&mut self) -> Result<Option<Keyed>>;

    /// Passes all further batches to `take`, in order, until it says `false`. A stream may prepare the next ones on
    /// another thread meanwhile.
    ///
    /// # Errors
    /// Those of [`Stream::next`].
    fn each(&mut self, take: &mut dyn FnMut(Keyed) -> bool) -> Result<()> {
        one_by_one(self, take)
    }
}

/// Does what [`Stream::each`] does by [`Stream::next`] alone.
///
/// # Errors
/// Those of [`Stream::next`].
pub fn one_by_one<S: Stream + ?Sized>(
    stream: &mut S,
    take: &mut dyn FnMut(Keyed) -> bool,
) -> Result<()> {
    while let Some(keyed) = stream.next()? {
        if !take(keyed) {
            break;
        }
    }
    Ok(())
}

/// What one key looks like on the two sides.
#[derive(Clone, Copy, Debug)]
pub enum Difference<'a> {
    /// Both sides hold equal records.
    Same(Entry<'a>),
    /// The source's record is missing at the target.
    OnlySource(Entry<'a>),
    /// The target's record is missing at the source.
    OnlyTarget(Entry<'a>),
    /// Both sides hold a record, and they differ.
    Changed {
        /// The source's.
        source: Entry<'a>,
        /// The target's.
        target: Entry<'a>,
    },
    /// The source holds a record that could not be read into the link's terms; the target's, if any.
    Unknown {
        /// The source's: key only.
        source: Entry<'a>,
        /// The target's.
        target: Option<Entry<'a>>,
    },
}

/// What the caller wants after a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop here; the rest of both streams is not read.
    Stop,
}

/// Counts and digests of what was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The source's records, unknown ones left out.
    pub source: Fold,
    /// The target's records.
    pub target: Fold,
    /// Source records that could not be taken further.
    pub unknown: u64,
    /// Records that were not read, because hashes say that both sides have them, or because they were loaded in parcels:
    /// counted above where they are, but not in the sums, which then say nothing about the collection.
    pub unread: u64,
}

impl Totals {
    /// Adds what was read of other records.
    pub fn merge(&mut self, other: Self) {
        self.source.merge(other.source);
        self.target.merge(other.target);
        self.unknown += other.unknown;
        self.unread += other.unread;
    }
}

/// One stream and where it stands.
pub struct Cursor<'s> {
    name: &'static str,
    stream: &'s mut dyn Stream,
    batch: Keyed,
    at: usize,
    last: Vec<u8>,
    started: bool,
}

impl<'s> Cursor<'s> {
    /// Starts at the first entry of `stream`; `name` is used in errors.
    pub fn new(name: &'static str, stream: &'s mut dyn Stream) -> Result<Self> {
        let mut cursor = Self {
            name,
            stream,
            batch: Keyed::new(0),
            at: 0,
            last: Vec::new(),
            started: false,
        };
        cursor.refill()?;
        Ok(cursor)
    }

    /// Returns the current entry; `None` at the end.
    pub fn entry(&self) -> Option<Entry<'_>> {
        (self.at < self.batch.len()).then(|| self.batch.entry(self.at))
    }

    /// Moves to the next entry.
    pub fn advance(&mut self) -> Result<()> {
        self.at += 1;
        if self.at >= self.batch.len() {
            return self.refill();
        }
        self.check_order()
    }

    /// Takes what is left of the batch under the cursor, its order checked, and moves behind it; `None` at the end.
    /// Only where the cursor stands at a batch's beginning, which it does after [`Cursor::new`] and after this.
    pub fn take_batch(&mut self) -> Result<Option<Keyed>> {
        debug_assert_eq!(self.at, 0);
        while self.at + 1 < self.batch.len() {
            self.at += 1;
            self.check_order()?;
        }
        let batch = std::mem::take(&mut self.batch);
        self.refill()?;
        Ok((!batch.is_empty()).then_some(batch))
    }

    fn refill(&mut self) -> Result<()> {
        // Let go before the next is asked for: with long values, both would be much.
        self.batch = Keyed::default();
        self.batch = self.stream.next()?.unwrap_or_default();
        self.at = 0;
        if self.batch.is_empty() {
            Ok(())
        } else {
            self.check_order()
        }
    }

    fn check_order(&mut self) -> Result<()> {
        let key = self.batch.entry(self.at).key;
        if self.started {
            match self.last.as_slice().cmp(key) {
                Ordering::Less => {}
                Ordering::Equal => return Err(not_unique(key).at(self.name)),
                Ordering::Greater => {
                    return Err(Error::corrupt(format!(
                        "{}: the scan is not in key order at key digest={}",
                        self.name,
                        key_digest(key)
                    ))
                    .hint("the endpoint's order is not canonical; please report it"));
                }
            }
        }
        self.started = true;
        self.last.clear();
        self.last.extend_from_slice(key);
        Ok(())
    }
}

impl std::fmt::Debug for Cursor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor")
            .field("name", &self.name)
            .field("at", &self.at)
            .finish()
    }
}

/// The error for two records with one key; the caller says where.
pub fn not_unique(key: &[u8]) -> Error {
    Error::new(
        Kind::Config,
        format!(
            "the key is not unique: at least two records share key digest={}",
            key_digest(key)
        ),
    )
    .hint(
        "name fields that are unique together: --key collection=field,field; or count equal records, one way only: \
         --key collection=all",
    )
}

/// Compares two streams and calls `visit` for every key in order.
///
/// # Errors
/// Whatever the streams and `visit` return; `Config` when a key occurs twice on one side; `Corrupt` when a stream is
/// out of order.
pub fn diff(
    source: &mut Cursor<'_>,
    target: &mut Cursor<'_>,
    visit: &mut dyn FnMut(Difference<'_>) -> Result<Flow>,
) -> Result<Totals> {
    let mut totals = Totals::default();
    loop {
        let order = match (source.entry(), target.entry()) {
            (None, None) => return Ok(totals),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(s), Some(t)) => s.key.cmp(t.key),
        };
        let s = source.entry().filter(|_| order.is_le());
        let t = target.entry().filter(|_| order.is_ge());
        count(&mut totals, s, t);
        if visit(classify(s, t))? == Flow::Stop {
            return Ok(totals);
        }
        if order.is_le() {
            source.advance()?;
        }
        if order.is_ge() {
            target.advance()?;
        }
    }
}

fn count(totals: &mut Totals, source: Option<Entry<'_>>, target: Option<Entry<'_>>) {
    match source.map(|entry| entry.standing) {
        Some(Standing::Present(digest)) => totals.source.add(digest),
        Some(Standing::Unknown) => totals.unknown += 1,
        None => {}
    }
    if let Some(Standing::Present(digest)) = target.map(|entry| entry.standing) {
        totals.target.add(digest);
    }
}

fn classify<'a>(source: Option<Entry<'a>>, target: Option<Entry<'a>>) -> Difference<'a> {
    match (source, target) {
        (Some(source), target) if source.standing == Standing::Unknown => {
            Difference::Unknown { source, target }
        }
        (Some(source), None) => Difference::OnlySource(source),
        (Some(source), Some(target)) if source.standing == target.standing => {
            Difference::Same(source)
        }
        (Some(source), Some(target)) => Difference::Changed { source, target },
        (None, Some(target)) => Difference::OnlyTarget(target),
        (None, None) => unreachable!("one side has an entry"),
    }
}

#[cfg(test)]
mod tests;
