//! Compares the entries of the buckets that differ, and tells a difference that stands from one that moved.
//!
//! The source is read as of one position; the target is live. A difference stands when it was there at two reads in
//! a row: its bucket did not move between them, or the very same difference was found by both. Whatever else differs
//! is moving, and is read again. Memory is constant: what was found is spooled for the next read.

use super::buckets::Marks;
use super::entries::{Entry, Merge, Sorted};
use crate::link::World;
use crate::spool::{Spool, Spooled};
use std::cmp::Ordering;
use trueup_core::Result;
use trueup_core::digest::{Digest, Fold};
use trueup_core::keyed::Standing;

/// What comparing the entries of one read found.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Differences that stand.
    pub(super) wrong: u64,
    /// Differences that were not there, or not so, at the read before.
    pub(super) moving: u64,
    /// Records that only the target has.
    pub(super) only_target: u64,
    /// Target records whose key is unknown at the source: they take no part.
    pub(super) hidden: Fold,
    /// Every difference, in key order, for the next read.
    pub(super) found: Spooled,
}

/// What the read before says about the target.
pub(super) struct Before<'a> {
    /// Buckets of the target that changed since.
    pub(super) moved: &'a Marks,
    /// The differences it found.
    pub(super) found: Option<&'a mut Spooled>,
}

/// What counts as a difference.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    /// Whether a record that only the target has is one.
    pub(super) exact: bool,
    /// Whether equal records count: then the entries of one key are copies of one record.
    pub(super) bag: bool,
}

/// Compares.
pub(super) fn settle(
    source: &mut Sorted,
    target: &mut Sorted,
    before: Before<'_>,
    asked: Asked,
    world: &World<'_>,
) -> Result<Verdict> {
    let mut source = Peeked::new(source.read()?)?;
    let mut target = Peeked::new(target.read()?)?;
    let mut earlier = Earlier::new(before)?;
    let mut found = Spool::new(&world.spool_folder);
    let (mut wrong, mut moving, mut only_target) = (0, 0, 0);
    let mut hidden = Fold::default();
    while let Some(key) = first(source.key(), target.key()) {
        world.check_stop()?;
        let pair = pair(key, &mut source, &mut target)?;
        let extra = if asked.bag {
            hidden.merge(pair.hidden_copies());
            pair.extra_copies()
        } else if pair.unknown > 0 {
            hidden.merge(pair.target);
            continue;
        } else {
            Extra::of(&pair)
        };
        only_target += extra.count;
        let as_wanted = if asked.bag {
            extra.only && (extra.count == 0 || !asked.exact)
        } else {
            !pair.differs || (extra.only && !asked.exact)
        };
        if as_wanted {
            continue;
        }
        let difference = Difference {
            key,
            target: pair.target,
        };
        if earlier.stands(&difference)? {
            wrong += 1;
        } else {
            moving += 1;
        }
        found.push(&difference.encode())?;
    }
    let found = found.finish()?;
    Ok(Verdict {
        wrong,
        moving,
        only_target,
        hidden,
        found,
    })
}

fn first(a: Option<Digest>, b: Option<Digest>) -> Option<Digest> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

/// All entries of one key.
#[derive(Default)]
struct Pair {
    source: Fold,
    target: Fold,
    /// A record of the target.
    copy: Option<Digest>,
    /// How often the source says only that the key exists.
    unknown: u64,
    differs: bool,
}

/// What the target has beyond the source.
struct Extra {
    /// How many records.
    count: u64,
    /// Whether there is no other difference: nothing is missing.
    only: bool,
}

impl Extra {
    fn of(pair: &Pair) -> Self {
        let only = pair.source.count == 0;
        let count = if only { pair.target.count } else { 0 };
        Self { count, only }
    }
}

impl Pair {
    /// Of the copies of one record: what the target has beyond the known and unknown ones of the source.
    fn extra_copies(&self) -> Extra {
        let (known, there) = (self.source.count, self.target.count);
        Extra {
            count: there.saturating_sub(known + self.unknown),
            only: there >= known,
        }
    }

    /// Of the copies of one record: those at the target that may be unknown ones of the source.
    fn hidden_copies(&self) -> Fold {
        let (known, there) = (self.source.count, self.target.count);
        let count = there.saturating_sub(known).min(self.unknown);
        let each = self.copy.map_or(0, |digest| digest.0);
        Fold {
            sum: each.wrapping_mul(u128::from(count)),
            count,
        }
    }
}

/// Takes the entries of `key` off both sides. Each side may have several: a key that occurs once at the source and
/// twice at the target differs, so entries are matched one to one.
fn pair(key: Digest, source: &mut Peeked<'_>, target: &mut Peeked<'_>) -> Result<Pair> {
    let mut pair = Pair::default();
    loop {
        let (s, t) = (source.entry_of(key), target.entry_of(key));
        let order = match (s, t) {
            (None, None) => return Ok(pair),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(s), Some(t)) => s.cmp(&t),
        };
        pair.differs |= order.is_ne();
        if let Some(entry) = s.filter(|_| order.is_le()) {
            match entry.standing() {
                Standing::Present(digest) => pair.source.add(digest),
                Standing::Unknown => pair.unknown += 1,
            }
            source.advance()?;
        }
        if let Some(entry) = t.filter(|_| order.is_ge()) {
            if let Standing::Present(digest) = entry.standing() {
                pair.target.add(digest);
                pair.copy = Some(digest);
            }
            target.advance()?;
        }
    }
}

/// Sorted entries and the one that is next.
struct Peeked<'a> {
    merge: Merge<'a>,
    next: Option<Entry>,
}

impl<'a> Peeked<'a> {
    fn new(mut merge: Merge<'a>) -> Result<Self> {
        let next = merge.next()?;
        Ok(Self { merge, next })
    }

    fn key(&self) -> Option<Digest> {
        self.next.map(|entry| entry.key())
    }

    fn entry_of(&self, key: Digest) -> Option<Entry> {
        self.next.filter(|entry| entry.key() == key)
    }

    fn advance(&mut self) -> Result<()> {
        self.next = self.merge.next()?;
        Ok(())
    }
}

/// A key that differs, and what the target had there. What the source has does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Difference {
    key: Digest,
    target: Fold,
}

impl Difference {
    fn encode(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[..16].copy_from_slice(&self.key.0.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.target.sum.to_le_bytes());
        bytes[32..].copy_from_slice(&self.target.count.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = trueup_core::codec::Reader::new(bytes);
        let key = Digest(u128::from_le_bytes(reader.array()?));
        let sum = u128::from_le_bytes(reader.array()?);
        let count = u64::from_le_bytes(reader.array()?);
        Ok(Self {
            key,
            target: Fold { sum, count },
        })
    }
}

/// The differences of the read before, walked alongside.
struct Earlier<'a> {
    moved: &'a Marks,
    found: Option<crate::spool::SpoolReader<'a>>,
    next: Option<Difference>,
}

impl<'a> Earlier<'a> {
    fn new(before: Before<'a>) -> Result<Self> {
        let found = before.found.map(Spooled::read).transpose()?;
        let moved = before.moved;
        let next = None;
        let mut earlier = Self { moved, found, next };
        earlier.advance()?;
        Ok(earlier)
    }

    fn advance(&mut self) -> Result<()> {
        let bytes = match &mut self.found {
            Some(found) => found.next()?,
            None => None,
        };
        self.next = bytes.map(Difference::decode).transpose()?;
        Ok(())
    }

    /// Tells whether the read before saw the same. Called with ascending keys.
    fn stands(&mut self, difference: &Difference) -> Result<bool> {
        while self.next.is_some_and(|next| next.key < difference.key) {
            self.advance()?;
        }
        Ok(!self.moved.holds(difference.key) || self.next == Some(*difference))
    }
}
