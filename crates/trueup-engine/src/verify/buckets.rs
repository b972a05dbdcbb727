//! A collection as a fixed number of sums: which bucket a record falls into depends on its key alone.
//!
//! Two sides whose sums agree bucket by bucket hold the same records, whatever order they were read in and however
//! many there are. Where a bucket differs, its records are looked at one by one; the others need not be.

use trueup_core::digest::{Digest, Fold};

/// How many bits of a key's digest choose the bucket.
const BUCKET_BITS: u32 = 14;

/// How many buckets there are: at 32 bytes each, half a MiB a side.
pub(super) const BUCKETS: usize = 1 << BUCKET_BITS;

/// Returns the bucket of the key with this digest. The leading bits, so that entries sorted by digest lie bucket by
/// bucket.
pub(super) fn bucket_of(key: Digest) -> usize {
    (key.0 >> (u128::BITS - BUCKET_BITS)) as usize
}

/// The records of one side, summed by bucket.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Buckets(Vec<Fold>);

impl Buckets {
    /// Makes the sums of no records.
    pub(super) fn new() -> Self {
        Self(vec![Fold::default(); BUCKETS])
    }

    /// Adds a record.
    pub(super) fn add(&mut self, key: Digest, record: Digest) {
        self.0[bucket_of(key)].add(record);
    }

    /// Returns the sum over all buckets.
    pub(super) fn total(&self) -> Fold {
        let mut total = Fold::default();
        for &fold in &self.0 {
            total.merge(fold);
        }
        total
    }

    /// Marks the buckets that are not the same in `other`.
    pub(super) fn differing(&self, other: &Self) -> Marks {
        Marks(self.0.iter().zip(&other.0).map(|(a, b)| a != b).collect())
    }
}

/// A set of buckets.
#[derive(Clone, Debug)]
pub(super) struct Marks(Vec<bool>);

impl Marks {
    /// Marks none.
    pub(super) fn none() -> Self {
        Self(vec![false; BUCKETS])
    }

    /// Marks all.
    pub(super) fn all() -> Self {
        Self(vec![true; BUCKETS])
    }

    /// Tells whether the bucket of this key is marked.
    pub(super) fn holds(&self, key: Digest) -> bool {
        self.0[bucket_of(key)]
    }

    /// Marks what `other` marks as well; tells whether any of it is new.
    pub(super) fn join(&mut self, other: &Self) -> bool {
        let mut grown = false;
        for (mine, &theirs) in self.0.iter_mut().zip(&other.0) {
            grown |= theirs && !*mine;
            *mine |= theirs;
        }
        grown
    }
}
