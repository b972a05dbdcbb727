//! The one place where a name or a text becomes part of a statement.
//!
//! Invariant: a text's literal holds no backslash, no control character and no quote that is not doubled, so that it
//! means the same whatever `sql_mode` says: a text with any of these is said in hexadecimal digits. Session and
//! literals are utf8mb4, whose bytes above 127 are never a quote.

use crate::hex;
use trueup_core::{Error, Result};

/// The most characters of an identifier.
pub(super) const IDENT_CHARS_MAX: usize = 64;

/// Quotes an identifier.
pub(super) fn ident(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Quotes a list of identifiers.
pub(super) fn idents<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(ident).collect::<Vec<_>>().join(", ")
}

/// Appends a text.
pub(super) fn push_text(text: &str, out: &mut String) {
    if text
        .bytes()
        .any(|byte| byte < b' ' || byte == b'\\' || byte == 0x7f)
    {
        out.push_str("_utf8mb4 ");
        push_bytes(text.as_bytes(), out);
        return;
    }
    out.push('\'');
    for (n, part) in text.split('\'').enumerate() {
        if n > 0 {
            out.push_str("''");
        }
        out.push_str(part);
    }
    out.push('\'');
}

/// Returns a text's literal.
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_text(text, &mut out);
    out
}

/// Appends bytes.
pub(super) fn push_bytes(bytes: &[u8], out: &mut String) {
    out.push_str("x'");
    hex::push(bytes, out);
    out.push('\'');
}

/// Returns the literal of bytes.
pub(super) fn bytes(bytes: &[u8]) -> String {
    let mut out = String::new();
    push_bytes(bytes, &mut out);
    out
}

/// Appends the text of 16 bytes as a UUID.
pub(super) fn push_uuid(bytes: &[u8], out: &mut String) {
    for (n, byte) in bytes.iter().enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        hex::push(std::slice::from_ref(byte), out);
    }
}

/// Refuses a name that the server would refuse or change.
pub(super) fn check(name: &str, what: &str) -> Result<()> {
    let shown = name.escape_debug();
    let problem = if name.is_empty() {
        "is empty"
    } else if name.contains('\0') {
        "holds a zero byte"
    } else if name.ends_with(' ') {
        "ends with a blank"
    } else if name.chars().count() > IDENT_CHARS_MAX {
        "is longer than 64 characters"
    } else if name.chars().any(|c| u32::from(c) > 0xffff) {
        "holds a character above U+FFFF"
    } else {
        return Ok(());
    };
    Err(
        Error::config(format!("{what} name {problem}: name={shown}"))
            .hint("map it to a name that the server can hold"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_same_under_every_sql_mode() {
        for (given, expected) in [
            ("", "''"),
            ("it's", "'it''s'"),
            ("''", "''''''"),
            ("日本", "'日本'"),
            ("a\\", "_utf8mb4 x'615c'"),
            ("a\n", "_utf8mb4 x'610a'"),
            ("\0", "_utf8mb4 x'00'"),
        ] {
            assert_eq!(text(given), expected);
        }
        assert_eq!(ident("a`b"), "`a``b`");
    }
}
