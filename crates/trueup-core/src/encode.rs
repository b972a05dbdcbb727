//! Canonical encoding: the one meaning of "equal".
//!
//! Two encodings, both typed and self-delimiting. [`key`] preserves order under memcmp and depends on no collation;
//! [`record`] is length-prefixed and cheaper. Equality, digests, keys and loop suppression use nothing else, so
//! `('a|b','c')` never equals `('a','b|c')`, NULL is not `'<null>'`, and 1.0 and 1.00 are equal numbers.
//!
//! The bytes are a contract ([`VERSION`]): stored digests and keys are compared with ones made by later releases. A
//! golden file in `cases/` pins them.

use crate::batch::{Content, Record, SliceKind};
use crate::decimal;
use crate::digest::{Digest, Digester};
use crate::json;
use crate::value::Value;

#[cfg(test)]
mod tests;

/// The version of both encodings. Changes whenever a byte of either would.
pub const VERSION: u8 = 1;

// Tags order the classes as SQLite does (null, numbers, text, bytes); between other classes the order is arbitrary.
const NULL: u8 = 0x01;
const BOOL: u8 = 0x02;
const INT: u8 = 0x10;
const DECIMAL: u8 = 0x12;
const FLOAT: u8 = 0x14;
const DATE: u8 = 0x20;
const TIME: u8 = 0x21;
const TIMESTAMP: u8 = 0x22;
const INSTANT: u8 = 0x23;
const TEXT: u8 = 0x30;
const INVALID_TEXT: u8 = 0x31;
const JSON: u8 = 0x32;
const UUID: u8 = 0x33;
const BYTES: u8 = 0x34;
const UNCHANGED: u8 = 0x7f;

/// Appends the order-preserving encoding of one key value.
pub fn key(value: Value<'_>, out: &mut Vec<u8>) {
    key_content(value.into(), out);
}

/// Appends the length-prefixed encoding of one value.
pub fn value(value: Value<'_>, out: &mut Vec<u8>) {
    content(value.into(), out);
}

/// Appends the length-prefixed encoding of a whole record.
pub fn record(record: Record<'_>, out: &mut Vec<u8>) {
    for field in record.contents() {
        content(field, out);
    }
}

/// A value of more bytes is digested where it stands, and not encoded first: it would be in memory twice.
const LONG_BYTES: usize = 8 << 20;

/// Digests a record, using `scratch` as the buffer.
pub fn digest(fields: Record<'_>, scratch: &mut Vec<u8>) -> Digest {
    scratch.clear();
    // Most batches are too small to hold a long value.
    if fields.batch_bytes() > LONG_BYTES {
        return digest_long(fields, scratch);
    }
    record(fields, scratch);
    Digest::of(scratch)
}

/// As [`digest`], in pieces.
fn digest_long(fields: Record<'_>, scratch: &mut Vec<u8>) -> Digest {
    let mut digester = Digester::default();
    for field in fields.contents() {
        let (tag, bytes) = match field {
            Content::Slice(SliceKind::Text, v) => (TEXT, v),
            Content::Slice(SliceKind::InvalidText, v) => (INVALID_TEXT, v),
            Content::Slice(SliceKind::Bytes, v) => (BYTES, v),
            other => {
                content(other, scratch);
                continue;
            }
        };
        prefix(tag, bytes.len(), scratch);
        if bytes.len() > LONG_BYTES {
            digester.add(scratch);
            digester.add(bytes);
            scratch.clear();
        } else {
            scratch.extend_from_slice(bytes);
        }
    }
    digester.add(scratch);
    digester.finish()
}

/// As [`key`], of a value whose text need not be looked at.
pub(crate) fn key_content(content: Content<'_>, out: &mut Vec<u8>) {
    match content {
        Content::Value(value) => fixed(value, out),
        Content::Slice(SliceKind::Text, v) => escaped(TEXT, v, out),
        Content::Slice(SliceKind::InvalidText, v) => escaped(INVALID_TEXT, v, out),
        Content::Slice(SliceKind::Bytes, v) => escaped(BYTES, v, out),
        Content::Slice(SliceKind::Json, v) => {
            let mut canonical = Vec::with_capacity(v.len());
            json::canonical_of(v, &mut canonical);
            escaped(JSON, &canonical, out);
        }
        Content::Slice(SliceKind::Uuid, v) => uuid(v, out),
        Content::Slice(SliceKind::Decimal, v) => number(v, out),
    }
}

fn content(content: Content<'_>, out: &mut Vec<u8>) {
    match content {
        Content::Value(value) => fixed(value, out),
        Content::Slice(SliceKind::Text, v) => prefixed(TEXT, v, out),
        Content::Slice(SliceKind::InvalidText, v) => prefixed(INVALID_TEXT, v, out),
        Content::Slice(SliceKind::Bytes, v) => prefixed(BYTES, v, out),
        Content::Slice(SliceKind::Json, v) => {
            out.push(JSON);
            let start = out.len();
            out.extend([0; 4]);
            json::canonical_of(v, out);
            let len = u32::try_from(out.len() - start - 4).expect("values are below 1 GiB");
            out[start..start + 4].copy_from_slice(&len.to_be_bytes());
        }
        Content::Slice(SliceKind::Uuid, v) => uuid(v, out),
        Content::Slice(SliceKind::Decimal, v) => number(v, out),
    }
}

/// The classes whose encoding is the same, and ordered, in keys and records.
fn fixed(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(NULL),
        Value::Unchanged => out.push(UNCHANGED),
        Value::Bool(v) => out.extend([BOOL, u8::from(v)]),
        Value::Int(v) => signed(INT, v, out),
        Value::Time(v) => signed(TIME, v, out),
        Value::Timestamp(v) => signed(TIMESTAMP, v, out),
        Value::Instant(v) => signed(INSTANT, v, out),
        Value::Date(v) => tagged(DATE, ((v as u32) ^ (1 << 31)).to_be_bytes(), out),
        Value::Float(v) => tagged(FLOAT, ordered_bits(v).to_be_bytes(), out),
        Value::Text(_)
        | Value::InvalidText(_)
        | Value::Bytes(_)
        | Value::Json(_)
        | Value::Uuid(_)
        | Value::Decimal(_) => unreachable!("a slice is no content of this kind"),
    }
}

fn uuid(v: &[u8], out: &mut Vec<u8>) {
    out.push(UUID);
    out.extend_from_slice(v);
}

fn number(v: &[u8], out: &mut Vec<u8>) {
    out.push(DECIMAL);
    match decimal::parts_of(v) {
        Some(parts) => decimal::encode(parts, out),
        // Endpoints push checked decimals only; anything else stays distinct from every number.
        None => escaped(0xff, v, out),
    }
}

/// One copy of a known length, where pushing the tag first would check the room twice.
fn tagged<const N: usize>(tag: u8, bytes: [u8; N], out: &mut Vec<u8>) {
    let mut all = [0; 16];
    all[0] = tag;
    all[1..=N].copy_from_slice(&bytes);
    out.extend_from_slice(&all[..=N]);
}

fn signed(tag: u8, v: i64, out: &mut Vec<u8>) {
    tagged(tag, ((v as u64) ^ (1 << 63)).to_be_bytes(), out);
}

/// Maps doubles to integers that order the same: -0 is 0, every NaN is one value above infinity.
fn ordered_bits(v: f64) -> u64 {
    if v.is_nan() {
        return u64::MAX;
    }
    let bits = if v == 0.0 { 0 } else { v.to_bits() };
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | (1 << 63)
    }
}

fn prefixed(tag: u8, content: &[u8], out: &mut Vec<u8>) {
    prefix(tag, content.len(), out);
    out.extend_from_slice(content);
}

fn prefix(tag: u8, len: usize, out: &mut Vec<u8>) {
    let len = u32::try_from(len).expect("values are below 1 GiB");
    tagged(tag, len.to_be_bytes(), out);
}

/// Zero bytes become `00 ff` and the end is `00 00`, so that a prefix sorts first.
fn escaped(tag: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    let mut rest = content;
    while let Some(zero) = memchr::memchr(0, rest) {
        out.extend_from_slice(&rest[..=zero]);
        out.push(0xff);
        rest = &rest[zero + 1..];
    }
    out.extend_from_slice(rest);
    out.extend([0, 0]);
}
