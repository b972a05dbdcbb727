//! A record put aside: it exists at the source and did not make it to the target, and here is why.
//!
//! A parked record blocks nothing else and is never forgotten: each run reports the parked ones, and a run with any
//! does not end with exit code 0. Holds the digest of the key, never a value.

use crate::digest::Digest;

/// One parked record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The digest of the record's canonical key, or of its raw values when the key itself does not fit.
    pub key: Digest,
    /// The field at fault, where there is one.
    pub field: Option<String>,
    /// Why, in words without values.
    pub reason: String,
}
