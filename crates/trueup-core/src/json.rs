//! Canonical JSON.

/// Appends a canonical form of `text`.
pub fn canonical(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(text.as_bytes());
}
