//! A batch as the lines that `LOAD DATA` reads, made piece by piece.
//!
//! Invariant: a line says what the literals of [`encode`](super::encode) say, by the same rules; where a value cannot be
//! said, the stream ends and is not whole, and nothing of it may be kept. Bytes travel in hexadecimal digits, because
//! a line is text in one character set.

use super::encode;
use super::quote::ident;
use super::schema::Column;
use super::types::Wire;
use super::write::taken;
use trueup_core::batch::Batch;
use trueup_core::value::Value;

/// About how many bytes a piece has.
const PIECE_BYTES: usize = 256 << 10;

/// The statement that reads the lines into these columns.
pub(super) fn statement(table: &str, columns: &[&Column]) -> String {
    let mut list = Vec::with_capacity(columns.len());
    let mut sets = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let variable = format!("@trueup_{at}");
        match taken(column, &variable) {
            Some(set) => {
                list.push(variable);
                sets.push(set);
            }
            None => list.push(ident(&column.name)),
        }
    }
    let sets = if sets.is_empty() {
        String::new()
    } else {
        format!(" SET {}", sets.join(", "))
    };
    format!(
        "LOAD DATA LOCAL INFILE 'trueup' INTO TABLE {table} CHARACTER SET utf8mb4 \
         FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' ({}){sets}",
        list.join(", ")
    )
}

/// The lines of a whole batch.
pub(super) struct Stream<'a> {
    records: &'a Batch,
    columns: &'a [&'a Column],
    at: usize,
    refused: bool,
    literal: String,
}

impl<'a> Stream<'a> {
    pub(super) fn new(records: &'a Batch, columns: &'a [&'a Column]) -> Self {
        Self {
            records,
            columns,
            at: 0,
            refused: false,
            literal: String::new(),
        }
    }

    /// Whether every record could be said, and was.
    pub(super) fn is_whole(&self) -> bool {
        !self.refused && self.at == self.records.len()
    }

    /// Returns the next piece; `None` after the last, or when a value cannot be said.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 8);
        while self.at < self.records.len() && out.len() < PIECE_BYTES && !self.refused {
            let start = out.len();
            let record = self.records.record(self.at);
            for (n, (column, value)) in self.columns.iter().zip(record.values()).enumerate() {
                if n > 0 {
                    out.push(b'\t');
                }
                if !push(column, value, &mut self.literal, &mut out) {
                    self.refused = true;
                    out.truncate(start);
                    break;
                }
            }
            if !self.refused {
                out.push(b'\n');
                self.at += 1;
            }
        }
        (!out.is_empty()).then_some(out)
    }
}

/// Appends one value; `false` when it cannot be said.
fn push(column: &Column, value: Value<'_>, literal: &mut String, out: &mut Vec<u8>) -> bool {
    if value.is_null() {
        out.extend_from_slice(b"\\N");
        return column.nullable;
    }
    match (column.wire, value) {
        (
            Wire::Text | Wire::Padded | Wire::Label | Wire::Labels | Wire::Cast,
            Value::Text(text),
        ) => {
            escape(text, out);
            encode::text(column, text).is_ok()
        }
        (Wire::Json, Value::Json(text)) => {
            escape(text, out);
            encode::json(column, text).is_ok()
        }
        (Wire::Bytes | Wire::Fixed | Wire::Spatial, Value::Bytes(bytes)) => {
            hex(bytes, out);
            encode::bytes(column, bytes).is_ok()
        }
        _ => {
            literal.clear();
            let said = encode::push(column, value, literal).is_ok();
            // A number, or what stands between two quotes and needs none.
            out.extend_from_slice(literal.trim_matches('\'').as_bytes());
            said
        }
    }
}

fn escape(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest
        .iter()
        .position(|byte| matches!(byte, b'\\' | b'\t' | b'\n' | b'\0'))
    {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        out.push(b'\\');
        let (first, after) = special.split_at(1);
        out.push(match first {
            b"\t" => b't',
            b"\n" => b'n',
            b"\0" => b'0',
            _ => b'\\',
        });
        rest = after;
    }
    out.extend_from_slice(rest);
}

fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for &byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}
