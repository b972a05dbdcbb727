//! Reads the texts that the server makes of values, into the very values that a scan delivers.
//!
//! Invariant: of the same stored value this makes what the binary form makes, to the byte. The session's settings fix
//! the texts' form; a text of another form is refused, never guessed at.

use crate::postgres::decode::{self, EPOCH_US, ERA_US};
use crate::postgres::types::Wire;
use trueup_core::batch::Batch;
use trueup_core::calendar;
use trueup_core::value::Value;

/// How a scan spells a type that it reads as text, where that is not simply what the type's own output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    Own,
    /// `inet`: the cast to text always writes the length of the network's prefix.
    Prefix,
}

/// Memory for values that have to be put together.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) text: String,
    bytes: Vec<u8>,
}

/// Appends the value of a text; `None` when the text is none of the type's.
pub(super) fn value(
    wire: Wire,
    spelling: Spelling,
    bytes: &[u8],
    scratch: &mut Scratch,
    into: &mut Batch,
) -> Option<()> {
    let text = || std::str::from_utf8(bytes).ok();
    let value = match wire {
        Wire::Bool => Value::Bool(match bytes {
            b"t" => true,
            b"f" => false,
            _ => return None,
        }),
        Wire::Int2 | Wire::Int4 | Wire::Int8 | Wire::Oid => Value::Int(text()?.parse().ok()?),
        // Widened from its own width, as its bits are.
        Wire::Float4 => Value::Float(text()?.parse::<f32>().ok()?.into()),
        Wire::Float8 => Value::Float(text()?.parse().ok()?),
        Wire::Numeric => Value::Decimal(decimal(text()?)?),
        Wire::Bytes => Value::Bytes(unhex(bytes.strip_prefix(b"\\x")?, &mut scratch.bytes)?),
        Wire::Date => Value::Date(calendar::parse_date(text()?)?),
        Wire::Time => Value::Time(calendar::parse_time(text()?)?),
        Wire::Timestamp => match calendar::parse_timestamp(text()?) {
            Some(us) => Value::Timestamp(us),
            None => decode::moment(late(text()?, false)?, false, &mut scratch.text),
        },
        Wire::Instant => match calendar::parse_instant(text()?) {
            Some(us) => Value::Instant(us),
            None => decode::moment(late(text()?, true)?, true, &mut scratch.text),
        },
        Wire::Uuid => Value::Uuid(uuid(bytes, &mut scratch.bytes)?),
        Wire::Json | Wire::Jsonb => {
            std::str::from_utf8(bytes).map_or(Value::InvalidText(bytes), Value::Json)
        }
        Wire::Cast if spelling == Spelling::Prefix => {
            Value::Text(prefixed(text()?, &mut scratch.text))
        }
        Wire::Padded => characters(unpadded(bytes)),
        Wire::Char => characters(single(bytes, &mut scratch.bytes)?),
        Wire::Text | Wire::Cast => characters(bytes),
    };
    into.push(value);
    Some(())
}

fn characters(bytes: &[u8]) -> Value<'_> {
    std::str::from_utf8(bytes).map_or(Value::InvalidText(bytes), Value::Text)
}

/// Strips the blanks that pad a `char(n)`.
pub(super) fn unpadded(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| byte != b' ');
    bytes.get(..end.map_or(0, |last| last + 1)).unwrap_or(bytes)
}

fn decimal(text: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_digit() || byte == b'.' || byte == b'-';
    let known = matches!(text, "NaN" | "Infinity" | "-Infinity");
    (known || (!text.is_empty() && text.bytes().all(plain))).then_some(text)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn unhex<'a>(text: &[u8], out: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    out.clear();
    let pairs = text.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    for pair in pairs {
        out.push(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?);
    }
    Some(out)
}

fn uuid<'a>(text: &[u8], out: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    if text.len() != 36 {
        return None;
    }
    let mut digits = [0; 32];
    let plain = text.iter().filter(|&&byte| byte != b'-');
    let mut count = 0;
    for (slot, &byte) in digits.iter_mut().zip(plain) {
        *slot = byte;
        count += 1;
    }
    (count == digits.len()).then_some(())?;
    unhex(&digits, out)
}

/// The one-byte type: nothing for zero, and from version 16 on a byte that is no ASCII as three octal digits.
fn single<'a>(text: &'a [u8], out: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    match text {
        [] | [_] => Some(text),
        [b'\\', digits @ ..] if digits.len() == 3 => {
            let octal = std::str::from_utf8(digits).ok()?;
            out.clear();
            out.push(u8::from_str_radix(octal, 8).ok()?);
            Some(out)
        }
        _ => None,
    }
}

fn prefixed<'a>(text: &'a str, out: &'a mut String) -> &'a str {
    if text.contains('/') {
        return text;
    }
    let bits = if text.contains(':') { "/128" } else { "/32" };
    out.clear();
    out.push_str(text);
    out.push_str(bits);
    out
}

/// Reads a timestamp of the server's last 29 years, as the server counts (from 2000 on).
fn late(text: &str, zoned: bool) -> Option<i64> {
    let (year, rest) = text.split_once('-')?;
    let earlier = format!("{}-{rest}", year.parse::<i64>().ok()?.checked_sub(400)?);
    let us = if zoned {
        calendar::parse_instant(&earlier)?
    } else {
        calendar::parse_timestamp(&earlier)?
    };
    us.checked_sub(EPOCH_US)?.checked_add(ERA_US)
}
