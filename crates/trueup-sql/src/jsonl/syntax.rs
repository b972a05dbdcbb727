//! The notation of strings, and where a nested value ends.
//!
//! Invariant: what passes here can be kept as text: every escape is known, no surrogate stands alone.

use std::fmt;
use trueup_core::json::{self, Invalid};

/// What is wrong, and where: the byte of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) at: usize,
    pub(super) what: String,
    pub(super) hint: &'static str,
    /// Whether the file is well-formed, but not the one whose shape was read.
    pub(super) stale: bool,
}

/// Makes what is wrong at byte `at`.
pub(super) fn bad(at: usize, what: impl fmt::Display, hint: &'static str) -> Bad {
    Bad {
        at,
        what: what.to_string(),
        hint,
        stale: false,
    }
}

const CUT: &str = "the line was cut off, or holds a line break that should be written \\n";
const ESCAPE: &str = "an escape is a backslash and one of \" \\ / b f n r t, or u and four digits";
const SURROGATE: &str =
    "half a character: the writer cut a text in the middle of one; it cannot be kept";
const CONTROL: &str = "write control characters as escapes: \\t, \\u0000";

/// Where a string's content stands, without its quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quoted {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether there are escapes in it.
    pub(super) escaped: bool,
}

/// Reads the string whose opening quote is at `at`.
pub(super) fn string(text: &[u8], at: usize) -> Result<Quoted, Bad> {
    let start = at + 1;
    let (mut from, mut escaped) = (start, false);
    loop {
        let rest = text.get(from..).unwrap_or_default();
        let Some(plain) = memchr::memchr2(b'"', b'\\', rest) else {
            return Err(bad(at, "a string does not end", CUT));
        };
        if let Some(control) = rest[..plain].iter().position(|&byte| byte < b' ') {
            return Err(bad(
                from + control,
                "control character in a string",
                CONTROL,
            ));
        }
        let found = from + plain;
        if rest[plain] == b'"' {
            return Ok(Quoted {
                start,
                end: found,
                escaped,
            });
        }
        escaped = true;
        from = escape(text, found)?;
    }
}

/// Checks the escape whose backslash is at `at`, and returns what follows it.
fn escape(text: &[u8], at: usize) -> Result<usize, Bad> {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            let unit = hex(text, at + 2).ok_or_else(|| bad(at, "unknown escape", ESCAPE))?;
            match unit {
                0xd800..=0xdbff => {
                    let next = text.get(at + 6..at + 8) == Some(b"\\u");
                    let low = hex(text, at + 8).filter(|low| (0xdc00..=0xdfff).contains(low));
                    match low {
                        Some(_) if next => Ok(at + 12),
                        _ => Err(bad(at, "lone surrogate escape", SURROGATE)),
                    }
                }
                0xdc00..=0xdfff => Err(bad(at, "lone surrogate escape", SURROGATE)),
                _ => Ok(at + 6),
            }
        }
        Some(_) => Err(bad(at, "unknown escape", ESCAPE)),
        None => Err(bad(at, "a string does not end", CUT)),
    }
}

fn hex(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    digits.iter().try_fold(0, |code, &byte| {
        Some(code << 4 | char::from(byte).to_digit(16)?)
    })
}

/// Appends the text that a string's content spells; the content passed [`string`].
pub(super) fn unescape(content: &str, out: &mut String) {
    let mut rest = content;
    while let Some(found) = rest.find('\\') {
        out.push_str(&rest[..found]);
        let bytes = rest.as_bytes();
        let (char, length) = match bytes.get(found + 1) {
            Some(b'b') => (Some('\u{8}'), 2),
            Some(b'f') => (Some('\u{c}'), 2),
            Some(b'n') => (Some('\n'), 2),
            Some(b'r') => (Some('\r'), 2),
            Some(b't') => (Some('\t'), 2),
            Some(b'u') => {
                let unit = hex(bytes, found + 2).unwrap_or_default();
                match (unit, hex(bytes, found + 8)) {
                    (0xd800..=0xdbff, Some(low)) => {
                        let low = low.wrapping_sub(0xdc00) & 0x3ff;
                        let code = 0x1_0000 + ((unit - 0xd800) << 10) + low;
                        (char::from_u32(code), 12)
                    }
                    _ => (char::from_u32(unit), 6),
                }
            }
            Some(&other) => (Some(char::from(other)), 2),
            None => (None, 1),
        };
        out.extend(char);
        rest = rest.get(found + length..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// Reads the array or object that begins at `at`, and returns where it ends.
pub(super) fn nested(text: &str, at: usize) -> Result<usize, Bad> {
    let bytes = text.as_bytes();
    let (mut depth, mut from) = (0_usize, at);
    let end = loop {
        let rest = bytes.get(from..).unwrap_or_default();
        let special = |byte: &u8| matches!(byte, b'"' | b'[' | b'{' | b']' | b'}');
        let Some(found) = rest.iter().position(special) else {
            return Err(bad(at, "an array or object does not end", CUT));
        };
        from += found;
        match bytes[from] {
            b'"' => from = string(bytes, from)?.end,
            b'[' | b'{' => depth += 1,
            _ => depth = depth.saturating_sub(1),
        }
        from += 1;
        if depth == 0 {
            break from;
        }
    };
    let whole = text.get(at..end).unwrap_or_default();
    json::check(whole).map_err(|invalid| {
        let hint = match invalid {
            Invalid::Syntax => "the value that begins here is not JSON",
            Invalid::DuplicateKey => "readers disagree about which of the two counts; remove one",
            Invalid::TooDeep => "arrays and objects may nest 512 deep",
            Invalid::Exponent => "no reader computes with such a number",
        };
        bad(at, invalid, hint)
    })?;
    Ok(end)
}
