//! The key of a record in a bag: what equals it.
//!
//! In a bag no field identifies a record, so that the key is the digest of all mapped fields: equal records have one key,
//! and how many there are is counted by whoever sorts them ([`number`]). The digest, not the fields: that is what
//! equality is everywhere else, and a record does not travel twice. Invariant: a key of a record that cannot be said
//! ([`KEYLESS`]) sorts before all others, so that whoever reads in order knows of such records before the first
//! that only the other side has.

use super::{Mapping, key_digest};
use crate::batch::{Batch, Record};
use crate::digest::Digest;
use crate::encode;
use crate::keyed::{Keyed, Standing};
use crate::park::write_key_field;
use crate::value::Value;

/// The key of a record whose fields do not all fit: it may equal any other.
pub const KEYLESS: &[u8] = &[0];

/// The first byte of all other keys.
const KEYED: u8 = 1;

/// Appends the key of a mapped record, and returns the record's digest.
pub(super) fn push(record: Record<'_>, out: &mut Vec<u8>, scratch: &mut Vec<u8>) -> Digest {
    let digest = encode::digest(record, scratch);
    out.push(KEYED);
    out.extend(digest.0.to_be_bytes());
    digest
}

/// Appends `key` as that of the record that has this number among its equals, from 0 on.
pub fn number(key: &[u8], number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(key);
    out.extend(number.to_be_bytes());
}

/// Tells whether a key, numbered or not, is one of a record whose fields do not all fit.
pub fn is_keyless(key: &[u8]) -> bool {
    key.first() != Some(&KEYED)
}

impl Mapping {
    /// Returns the digest of a mapped record's key, which names it in messages.
    pub fn name(&self, record: Record<'_>) -> Digest {
        let (mut key, mut scratch) = (Vec::new(), Vec::new());
        if self.bag {
            push(record, &mut key, &mut scratch);
        }
        for &position in &self.key {
            encode::key(record.value(position), &mut key);
        }
        key_digest(&key)
    }

    /// Returns a mapped record's key as plans show it; `None` in a bag, where no field identifies a record.
    pub fn key_text(&self, record: Record<'_>) -> Option<String> {
        let mut text = String::new();
        for &position in &self.key {
            let name = &self.fields[position].name;
            write_key_field(name, Some(record.value(position)), &mut text);
        }
        (!self.bag).then_some(text)
    }

    /// Returns the canonical digest of a record of the target as it was read there.
    pub fn digest_target(&self, raw: Record<'_>) -> Digest {
        let mut mapped = Batch::new(self.types.len());
        self.push_target(raw, &mut mapped);
        encode::digest(mapped.record(0), &mut Vec::new())
    }

    /// Appends an entry that says "one more of these", or, where not all fields fit, "one more of any": leaving that
    /// one out would make a record of the target look deleted.
    pub(super) fn push_unknown_of_bag(
        &self,
        record: Record<'_>,
        out: &mut Keyed,
        scratch: &mut Vec<u8>,
    ) {
        let mut whole = Batch::new(self.fields.len());
        let said = self.push_source(record, &mut whole).is_ok();
        let (records, keys) = out.open();
        if said {
            push(whole.record(0), keys, scratch);
        } else {
            keys.extend_from_slice(KEYLESS);
        }
        for _ in 0..self.fields.len() {
            records.push(Value::Null);
        }
        out.seal(Standing::Unknown);
    }
}

#[cfg(test)]
mod tests;
