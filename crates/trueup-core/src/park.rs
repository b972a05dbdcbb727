//! A record put aside: it exists at the source and did not make it to the target, and here is why.
//!
//! A parked record blocks nothing else and is never forgotten: each run reports the parked ones, and a run with any
//! does not end with exit code 0. It is known by the digest of its key. So that its owner finds it, it also says the
//! key's values, as plans do, and where it stands in a file; never another value.

use crate::digest::Digest;
use crate::plan::write_key_value;
use crate::value::Value;
use std::fmt;
use std::sync::Arc;

/// Why a record is parked that has no key.
pub const NULL_KEY: &str = "the key is null";

/// The most characters of one value of a key that are kept.
const KEY_VALUE_CHARS_MAX: usize = 200;

/// One parked record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parked {
    /// The digest of the record's canonical key, or of its raw values when the key itself does not fit.
    pub key: Digest,
    /// The key as plans show it; `None` where the record has none, as in a bag. For reports and the state: never for an
    /// error or a log.
    pub key_text: Option<String>,
    /// Where the record stands, if it was read from a file.
    pub place: Option<Place>,
    /// The field at fault, where there is one.
    pub field: Option<String>,
    /// Why, in words without values.
    pub reason: String,
}

/// Where a record begins in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as its endpoint calls it.
    pub file: Arc<str>,
    /// The line, counted from 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file={} line={}", self.file, self.line)
    }
}

/// Appends a field of a key and its value, the way plans show them; a very long value is cut. `None` is a value that
/// cannot be said.
pub fn write_key_field(name: &str, value: Option<Value<'_>>, out: &mut String) {
    if !out.is_empty() {
        out.push(' ');
    }
    out.push_str(name);
    out.push('=');
    let Some(value) = value else {
        out.push('?');
        return;
    };
    let start = out.len();
    write_key_value(value, out);
    let cut = out[start..].char_indices().nth(KEY_VALUE_CHARS_MAX);
    if let Some((length, _)) = cut {
        out.truncate(start + length);
        out.push_str("...");
    }
}

#[cfg(test)]
mod tests;
