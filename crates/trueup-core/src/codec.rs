//! Bytes for what leaves memory and comes back: spooled plans and sorted runs.
//!
//! Versioned by its users, not here. Reading never panics: a torn or foreign file is [`Kind::Corrupt`](crate::Kind).
//! Not the canonical encoding: this one keeps every value exactly as it was (the scale of a decimal, the text of a
//! JSON value), while canonical bytes keep only what equality needs.

use crate::batch::{Batch, Record};
use crate::error::{Error, Result};
use crate::value::Value;

/// Appends a length or count.
pub fn put_len(len: usize, out: &mut Vec<u8>) {
    let mut rest = len;
    while rest >= 0x80 {
        out.push((rest as u8 & 0x7f) | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Appends a length-prefixed byte string.
pub fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_len(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Appends a record's values. The width is not stored.
pub fn put_record(record: Record<'_>, out: &mut Vec<u8>) {
    for value in record.values() {
        put_value(value, out);
    }
}

fn put_value(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0),
        Value::Unchanged => out.push(1),
        Value::Bool(v) => out.extend([2, u8::from(v)]),
        Value::Int(v) => put_fixed(3, v.to_le_bytes(), out),
        Value::Float(v) => put_fixed(4, v.to_bits().to_le_bytes(), out),
        Value::Date(v) => {
            out.push(5);
            out.extend(v.to_le_bytes());
        }
        Value::Time(v) => put_fixed(6, v.to_le_bytes(), out),
        Value::Timestamp(v) => put_fixed(7, v.to_le_bytes(), out),
        Value::Instant(v) => put_fixed(8, v.to_le_bytes(), out),
        Value::Decimal(v) => put_slice(9, v.as_bytes(), out),
        Value::Text(v) => put_slice(10, v.as_bytes(), out),
        Value::InvalidText(v) => put_slice(11, v, out),
        Value::Bytes(v) => put_slice(12, v, out),
        Value::Uuid(v) => put_slice(13, v, out),
        Value::Json(v) => put_slice(14, v.as_bytes(), out),
    }
}

fn put_fixed(tag: u8, bytes: [u8; 8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend(bytes);
}

fn put_slice(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    put_bytes(bytes, out);
}

/// Reads what the `put` functions wrote.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Tells whether everything was read.
    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or_else(torn)?;
        self.rest = rest;
        Ok(*head)
    }

    /// Reads one byte.
    pub fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// Reads a length or count.
    pub fn len(&mut self) -> Result<usize> {
        let mut len = 0usize;
        for shift in (0..usize::BITS).step_by(7) {
            let byte = self.byte()?;
            len |= usize::from(byte & 0x7f)
                .checked_shl(shift)
                .ok_or_else(torn)?;
            if byte < 0x80 {
                return Ok(len);
            }
        }
        Err(torn())
    }

    /// Reads a length-prefixed byte string.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.len()?;
        if len > self.rest.len() {
            return Err(torn());
        }
        let (head, rest) = self.rest.split_at(len);
        self.rest = rest;
        Ok(head)
    }

    /// Reads the values of one record into `into`, whose width says how many there are.
    pub fn record(&mut self, into: &mut Batch) -> Result<()> {
        for _ in 0..into.width() {
            let value = self.value()?;
            into.push(value);
        }
        Ok(())
    }

    fn value(&mut self) -> Result<Value<'a>> {
        Ok(match self.byte()? {
            0 => Value::Null,
            1 => Value::Unchanged,
            2 => Value::Bool(self.byte()? != 0),
            3 => Value::Int(i64::from_le_bytes(self.array()?)),
            4 => Value::Float(f64::from_bits(u64::from_le_bytes(self.array()?))),
            5 => Value::Date(i32::from_le_bytes(self.array()?)),
            6 => Value::Time(i64::from_le_bytes(self.array()?)),
            7 => Value::Timestamp(i64::from_le_bytes(self.array()?)),
            8 => Value::Instant(i64::from_le_bytes(self.array()?)),
            9 => Value::Decimal(self.text()?),
            10 => Value::Text(self.text()?),
            11 => Value::InvalidText(self.bytes()?),
            12 => Value::Bytes(self.bytes()?),
            13 => Value::Uuid(self.bytes()?),
            14 => Value::Json(self.text()?),
            _ => return Err(torn()),
        })
    }

    fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| torn())
    }
}

fn torn() -> Error {
    Error::corrupt("a spooled record does not decode")
        .hint("a temporary file was changed while it was in use; run again")
}
