//! The plain text of a value: one spelling, the same on every endpoint.
//!
//! CSV cells, dates in SQLite and plans for people are written with it, and [`cast`](crate::cast) reads it back.
//! Invariant: equal values have equal texts, except that decimals keep their trailing zeros and JSON its white space.
//! It deliberately quotes nothing and escapes nothing: that is the business of the format the text goes into.

use crate::calendar;
use crate::value::Value;
use std::fmt::Write as _;

#[cfg(test)]
mod tests;

/// The bytes of a UUID.
pub const UUID_BYTES: usize = 16;

/// Appends the text of `value` and returns true; appends nothing and returns false when it has none: NULL, an
/// unchanged value, text that is not valid UTF-8.
pub fn write(value: Value<'_>, out: &mut String) -> bool {
    match value {
        Value::Null | Value::Unchanged | Value::InvalidText(_) => return false,
        Value::Bool(v) => out.push_str(if v { "true" } else { "false" }),
        Value::Int(v) => write!(out, "{v}").expect(TAKES_ALL),
        Value::Float(v) => float(v, out),
        Value::Decimal(v) | Value::Text(v) | Value::Json(v) => out.push_str(v),
        Value::Bytes(v) => {
            out.push_str("\\x");
            hex(v, out);
        }
        Value::Date(v) => calendar::format_date(v, out),
        Value::Time(v) => calendar::format_time(v, out),
        Value::Timestamp(v) => calendar::format_timestamp(v, out),
        Value::Instant(v) => calendar::format_instant(v, out),
        Value::Uuid(v) => return uuid(v, out),
    }
    true
}

const TAKES_ALL: &str = "a String takes every character";

/// The shortest digits that read back as the same double, with an exponent where the zeros would outnumber them.
/// Both zeros are `0`: they are equal.
fn float(v: f64, out: &mut String) {
    let size = v.abs();
    if v.is_nan() {
        out.push_str("NaN");
    } else if size == f64::INFINITY {
        out.push_str(if v < 0.0 { "-Infinity" } else { "Infinity" });
    } else if v == 0.0 {
        out.push('0');
    } else if (1e-5..1e16).contains(&size) {
        write!(out, "{v}").expect(TAKES_ALL);
    } else {
        write!(out, "{v:e}").expect(TAKES_ALL);
    }
}

fn hex(bytes: &[u8], out: &mut String) {
    out.reserve(bytes.len() * 2);
    for &byte in bytes {
        out.push(nibble(byte >> 4));
        out.push(nibble(byte & 0x0f));
    }
}

fn nibble(half: u8) -> char {
    char::from(if half < 10 {
        b'0' + half
    } else {
        b'a' + half - 10
    })
}

fn uuid(bytes: &[u8], out: &mut String) -> bool {
    if bytes.len() != UUID_BYTES {
        return false;
    }
    for (part, group) in [0..4, 4..6, 6..8, 8..10, 10..16].into_iter().enumerate() {
        if part > 0 {
            out.push('-');
        }
        hex(&bytes[group], out);
    }
    true
}
