//! Hashing a world in memory: the model of what a server does.

use super::snapshot::{MemorySnapshot, in_order, scan_of};
use crate::owned::{Owned, key_bytes};
use trueup_core::digest::Digest;
use trueup_core::endpoint::{Order, Scan, ScanRequest};
use trueup_core::error::{Error, Result};
use trueup_core::hashes::{Bucket, Chosen, Hashes, Hashing, Offer};

/// How a world hashes its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hashed {
    /// Not at all.
    #[default]
    None,
    /// So that different records have different hashes.
    Honest,
    /// By their keys alone: what else differs is never found.
    KeysOnly,
    /// As a sum of the hashes of their values: two that exchange a value have the same sum as before.
    Sums,
}

/// About how many bytes a record is said to have: a handful of them share a bucket.
const RECORD_BYTES: u64 = 500;

impl Hashes for MemorySnapshot {
    fn offer(&mut self, request: &ScanRequest<'_>) -> Result<Option<Offer>> {
        let table = self.table(request.schema)?;
        let records = table.records.len() as u64;
        let types = request.fields.iter().map(|&at| table.schema.fields[at].ty);
        let types: Vec<String> = types.map(|ty| ty.to_string()).collect();
        Ok(Some(Offer {
            dialect: format!("memory {}", types.join(",")),
            bytes: records * RECORD_BYTES,
        }))
    }

    fn fold(&mut self, request: &ScanRequest<'_>, hashing: &Hashing) -> Result<Vec<Bucket>> {
        let key = key(request)?;
        let mut buckets = vec![Bucket::default(); hashing.buckets as usize];
        for record in self.table(request.schema)?.records.values() {
            let values = request.fields.iter().map(|&at| &record[at]);
            let bucket = &mut buckets[bucket_of(key.iter().map(|&at| &record[at]), hashing)];
            let hash = match self.hashed {
                Hashed::Sums => {
                    values.fold(0, |sum: u64, one| sum.wrapping_add(hash([one], hashing)))
                }
                Hashed::KeysOnly => hash(key.iter().map(|&at| &record[at]), hashing),
                Hashed::None | Hashed::Honest => hash(values, hashing),
            };
            bucket.count += 1;
            bucket.sum = bucket.sum.wrapping_add(hash);
        }
        Ok(buckets)
    }

    fn scan<'a>(
        &'a mut self,
        request: &ScanRequest<'_>,
        hashing: &Hashing,
        chosen: &Chosen,
    ) -> Result<Box<dyn Scan + 'a>> {
        let key = key(request)?;
        let mut records = in_order(self.table(request.schema)?, &key, request);
        records.retain(|record| {
            let bucket = bucket_of(key.iter().map(|&at| &record[at]), hashing);
            chosen.contains(u32::try_from(bucket).unwrap_or(u32::MAX))
        });
        Ok(scan_of(records, request))
    }
}

/// The fields that records are dealt out by.
fn key(request: &ScanRequest<'_>) -> Result<Vec<usize>> {
    match request.order {
        Order::Natural => Err(Error::bug("hashes are asked for without a key")),
        Order::Key(places) => Ok(places.iter().map(|&place| request.fields[place]).collect()),
    }
}

fn hash<'v>(values: impl IntoIterator<Item = &'v Owned>, hashing: &Hashing) -> u64 {
    let mut bytes = key_bytes(values);
    bytes.extend(hashing.seed.to_le_bytes());
    Digest::of(&bytes).0 as u64
}

fn bucket_of<'v>(key: impl IntoIterator<Item = &'v Owned>, hashing: &Hashing) -> usize {
    (Digest::of(&key_bytes(key)).0 % u128::from(hashing.buckets.max(1))) as usize
}
