//! Digests of records, and their order-independent sum.
//!
//! A record's digest is XXH3-128 of its canonical bytes. A collection's digest is the sum of its records' digests
//! modulo 2^128, with a count: independent of order, maintained by subtracting the old and adding the new. A sum, not
//! an exclusive or: folding by XOR provably loses pairs of equal differences (`research: baselines J3b`). XXH3 is not
//! keyed and not cryptographic: it guards against accidents, not against an adversary who chooses the records.

use std::fmt;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

/// The name of the algorithm, as it stands in certificates. Changes whenever a digest would.
pub const ALGORITHM: &str = "xxh3-128-sum/1";

/// The digest of one record, or of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub u128);

impl Digest {
    /// Digests canonical bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(xxh3_128(bytes))
    }
}

/// Makes the digest of canonical bytes that come in pieces.
#[derive(Default)]
pub(crate) struct Digester(Xxh3Default);

impl Digester {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(&self) -> Digest {
        Digest(self.0.digest128())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The digest of a set of records: a sum and a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Fold {
    /// The sum of the records' digests, modulo 2^128.
    pub sum: u128,
    /// How many records.
    pub count: u64,
}

impl Fold {
    /// Adds a record.
    pub fn add(&mut self, digest: Digest) {
        self.sum = self.sum.wrapping_add(digest.0);
        self.count += 1;
    }

    /// Takes a record out again.
    pub fn remove(&mut self, digest: Digest) {
        self.sum = self.sum.wrapping_sub(digest.0);
        self.count = self.count.wrapping_sub(1);
    }

    /// Adds all records of another set.
    pub fn merge(&mut self, other: Self) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.count += other.count;
    }
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.sum)
    }
}
