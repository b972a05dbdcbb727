//! The records of a batch as bytes for the temporary table.
//!
//! Invariant: a record is there whole, or refused by name; a part of the batch can be sent as often as it takes to find out
//! which record it is that the server refuses.

use super::Act;
use crate::postgres::encode::{self, Refusal};
use crate::postgres::schema::Column;
use std::ops::Range;
use std::slice;
use trueup_core::endpoint::{Op, Writes};
use trueup_core::value::Value;

/// The records of a batch in binary form, or why one has none.
#[derive(Debug, Default)]
pub(in crate::postgres) struct Encoded {
    bytes: Vec<u8>,
    records: Vec<Result<Range<usize>, Refusal>>,
    width: usize,
}

impl Encoded {
    pub(in crate::postgres) fn new(writes: &Writes<'_>, columns: &[Column]) -> Self {
        let mut encoded = Self {
            width: columns.len(),
            ..Self::default()
        };
        for (record, op) in writes.records.records().zip(writes.ops) {
            let start = encoded.bytes.len();
            let values = columns.iter().zip(record.values()).enumerate();
            let written = values.into_iter().try_for_each(|(at, (column, value))| {
                // Of a delete only the key travels.
                let kept = *op != Op::Delete || writes.key.contains(&at);
                encode::value(
                    column,
                    if kept { value } else { Value::Null },
                    &mut encoded.bytes,
                )
            });
            let range = start..encoded.bytes.len();
            if written.is_err() {
                encoded.bytes.truncate(start);
            }
            encoded.records.push(written.map(|()| range));
        }
        encoded
    }

    /// Why the record cannot be written at all.
    pub(in crate::postgres) fn refusal(&self, index: usize) -> Option<&Refusal> {
        self.records
            .get(index)
            .and_then(|record| record.as_ref().err())
    }

    /// The COPY data of some records for the temporary table, made piece by piece.
    pub(in crate::postgres) fn staged<'a>(&'a self, part: &'a [(usize, Act)]) -> Staged<'a> {
        Staged {
            encoded: self,
            part: part.iter(),
            begun: false,
            ended: false,
            record: &[],
        }
    }
}

/// COPY data for the temporary table. What is in it is never in memory a second time.
pub(in crate::postgres) struct Staged<'a> {
    encoded: &'a Encoded,
    part: slice::Iter<'a, (usize, Act)>,
    begun: bool,
    ended: bool,
    /// The rest of the record under way.
    record: &'a [u8],
}

impl Staged<'_> {
    /// Returns the next piece, of about `bytes`; `None` after the last.
    pub(in crate::postgres) fn next(&mut self, bytes: usize) -> Option<Vec<u8>> {
        if self.ended {
            return None;
        }
        let mut out = Vec::with_capacity(bytes + bytes / 8);
        if !self.begun {
            encode::begin(&mut out);
            self.begun = true;
        }
        while out.len() < bytes {
            if self.record.is_empty() && !self.begin_record(&mut out) {
                encode::end(&mut out);
                self.ended = true;
                break;
            }
            let now = self.record.len().min(bytes.saturating_sub(out.len()));
            let (now, rest) = self.record.split_at(now);
            out.extend_from_slice(now);
            self.record = rest;
        }
        Some(out)
    }

    /// Appends what comes before the fields of the next record that can be written; `false` when there is none left.
    fn begin_record(&mut self, out: &mut Vec<u8>) -> bool {
        let ranges = &self.encoded.records;
        let found = self.part.find_map(|&(index, act)| {
            let range = ranges.get(index)?.as_ref().ok()?;
            Some((index, act, range.clone()))
        });
        let Some((index, act, range)) = found else {
            return false;
        };
        encode::record(self.encoded.width + 2, out);
        encode::int4(i32::try_from(index).unwrap_or(i32::MAX), out);
        encode::int4(act as i32, out);
        self.record = self.encoded.bytes.get(range).unwrap_or_default();
        true
    }
}
