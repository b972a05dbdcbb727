//! Hashes that an endpoint makes of its own records, so that equal ones need not be read.
//!
//! The records of both sides are dealt into the same number of buckets by their keys, and each side adds up the hashes of
//! each bucket's records. Where count and sum agree, the bucket's records are taken to be equal; the others are read and
//! compared value by value. Invariant: a hash only ever saves reading. What differs is always told from values, and two
//! records that are different to us may share a hash by chance alone, never by the way it is made
//! (`docs/design/0009-hashes.md`).

use crate::endpoint::{Scan, ScanRequest};
use crate::error::Result;

/// The most buckets that records are dealt into.
pub const BUCKETS_MAX: u32 = 1 << 19;

/// What an endpoint says about the hashes it could make of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// How the hashes are made. Only hashes of equal dialects can be compared.
    pub dialect: String,
    /// About how many bytes the records have here, for choosing the number of buckets.
    pub bytes: u64,
}

/// What both sides agree on before they hash; all but `salt` is the same for both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashing {
    /// Goes into every hash, so that what collides once does not collide every time.
    pub seed: u64,
    /// How many buckets there are: a power of two, at most [`BUCKETS_MAX`].
    pub buckets: u32,
    /// Of each field of the request, whether it may be NULL on either side.
    pub nullable: Vec<bool>,
    /// Another number for each side. It goes into the hash of a value that a scan would refuse to deliver, so that its
    /// bucket never agrees.
    pub salt: u64,
}

/// Chooses the number of buckets for records of about `bytes`.
pub fn buckets_for(bytes: u64) -> u32 {
    let wanted = (bytes / BYTES_A_BUCKET).clamp(1, u64::from(BUCKETS_MAX));
    // The power of two that is not above it.
    1 << wanted.ilog2()
}

/// How many bytes of records share a bucket, at least. A bucket takes 30 bytes on its way, so that equal collections
/// move some 1.5 % of their size; and the fewer records share one, the fewer are read beside one that differs.
const BYTES_A_BUCKET: u64 = 2_000;

/// The records of one bucket, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// How many.
    pub count: u64,
    /// The sum of their hashes. Sums of one dialect, seed and number of buckets can be compared.
    pub sum: u64,
}

/// Some of the buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    bits: Vec<u8>,
    count: u32,
}

impl Chosen {
    /// Chooses those in which both sides differ; a bucket that only one of them has is empty on the other.
    pub fn differing(source: &[Bucket], target: &[Bucket]) -> Self {
        let buckets = source.len().max(target.len());
        let mut chosen = Self {
            bits: vec![0; buckets.div_ceil(8)],
            count: 0,
        };
        for at in 0..buckets {
            let of = |side: &[Bucket]| side.get(at).copied().unwrap_or_default();
            if of(source) != of(target)
                && let Some(byte) = chosen.bits.get_mut(at / 8)
            {
                *byte |= 1 << (at % 8);
                chosen.count += 1;
            }
        }
        chosen
    }

    /// Returns how many were chosen.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Tells whether `bucket` was.
    pub fn contains(&self, bucket: u32) -> bool {
        let byte = self.bits.get(bucket as usize / 8);
        byte.is_some_and(|byte| byte >> (bucket % 8) & 1 == 1)
    }

    /// Returns one bit for each bucket: that of bucket 0 is the lowest of the first byte.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }
}

/// What an endpoint that makes hashes does within a [`Snapshot`](crate::endpoint::Snapshot).
pub trait Hashes {
    /// Says how it would hash the fields of `request`, dealt out by the key that its order names; `None` where some field
    /// has no hash that tells apart all values that are different to us.
    fn offer(&mut self, request: &ScanRequest<'_>) -> Result<Option<Offer>>;

    /// Adds up the hashes of all records, bucket by bucket; returns [`Hashing::buckets`] of them.
    fn fold(&mut self, request: &ScanRequest<'_>, hashing: &Hashing) -> Result<Vec<Bucket>>;

    /// As [`Snapshot::scan`](crate::endpoint::Snapshot::scan), but only records of the `chosen` buckets.
    fn scan<'a>(
        &'a mut self,
        request: &ScanRequest<'_>,
        hashing: &Hashing,
        chosen: &Chosen,
    ) -> Result<Box<dyn Scan + 'a>>;
}
