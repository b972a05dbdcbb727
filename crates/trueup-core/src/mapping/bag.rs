//! The key of a record in a bag: what equals it.
//!
//! In a bag no field identifies a record, so that the key is the digest of all mapped fields: equal records have one key,
//! and how many there are is counted by whoever sorts them ([`number`]). The digest, not the fields: that is what
//! equality is everywhere else, and a record does not travel twice. Invariant: a key of a record that cannot be said
//! ([`KEYLESS`]) sorts before all others, so that whoever reads in order knows of such records before the first
//! that only the other side has.

use crate::batch::Record;
use crate::digest::Digest;
use crate::encode;

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
