//! COPY data for the server, made piece by piece, and a batch as such data for the target itself.
//!
//! While the server takes one piece in, the next is made: neither waits for the other, and no batch is in memory twice. It
//! deliberately does not go on after a record that has no binary form: the staged way tells which one, and why.

use super::connect::Connection;
use super::encode::{self, Refusal};
use super::schema::Column;
use bytes::Bytes;
use futures_util::SinkExt;
use trueup_core::batch::Batch;
use trueup_core::value::Value;

/// How many bytes go into one message of a COPY.
pub(super) const COPY_BYTES: usize = 256 << 10;

/// Runs `COPY ... FROM STDIN` over the pieces that `next` makes, and returns how many records the server took, or its error;
/// `None` when `next` refused, and the server has forgotten what it got.
pub(super) fn copy_in(
    connection: &Connection,
    sql: &str,
    mut next: impl FnMut() -> Result<Option<Bytes>, Refusal>,
) -> trueup_core::Result<Result<Option<u64>, tokio_postgres::Error>> {
    connection.wait(async |client| {
        let sink = client.copy_in::<_, Bytes>(sql).await;
        // When the server refuses a COPY before it begins, the driver asks for one answer more than it reads,
        // and everything later would get the answer to what was asked before it.
        let mut sink = Box::pin(sink.inspect_err(|_| connection.give_up())?);
        loop {
            match next() {
                Ok(Some(piece)) => sink.feed(piece).await?,
                Ok(None) => return sink.as_mut().finish().await.map(Some),
                // Dropping the sink makes the server forget.
                Err(_) => return Ok(None),
            }
        }
    })
}

/// The COPY data of a whole batch for the target itself, made piece by piece.
pub(super) struct Stream<'a> {
    records: &'a Batch,
    columns: &'a [Column],
    begun: bool,
    /// The next record; one past the last stands for the end mark.
    at: usize,
    /// The next field of it.
    field: usize,
    /// What is left of the field before that.
    rest: &'a [u8],
}

impl<'a> Stream<'a> {
    pub(super) fn new(records: &'a Batch, columns: &'a [Column]) -> Self {
        Self {
            records,
            columns,
            begun: false,
            at: 0,
            field: 0,
            rest: &[],
        }
    }

    /// Returns the next piece, of about `bytes` and a short record; `None` after the last.
    pub(super) fn next(&mut self, bytes: usize) -> Result<Option<Vec<u8>>, Refusal> {
        let last = self.records.len();
        if self.at > last {
            return Ok(None);
        }
        let mut out = Vec::with_capacity(bytes + bytes / 8);
        if !self.begun {
            encode::begin(&mut out);
            self.begun = true;
        }
        while self.at < last && out.len() < bytes {
            let (now, rest) = self.rest.split_at(self.rest.len().min(bytes - out.len()));
            out.extend_from_slice(now);
            self.rest = rest;
            if rest.is_empty() {
                self.record(bytes, &mut out)?;
            }
        }
        if self.at == last {
            encode::end(&mut out);
            self.at += 1;
        }
        Ok(Some(out))
    }

    /// Appends the record's next fields: all, or those up to one that is longer than a piece.
    fn record(&mut self, long: usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if self.field == 0 {
            encode::record(self.columns.len(), out);
        }
        let record = self.records.record(self.at);
        let fields = self.columns.iter().zip(record.values()).enumerate();
        for (at, (column, value)) in fields.skip(self.field) {
            if length(value) <= long {
                encode::value(column, value, out)?;
                continue;
            }
            match encode::verbatim(column, value, out)? {
                Some(rest) => {
                    (self.field, self.rest) = (at + 1, rest);
                    return Ok(());
                }
                None => encode::value(column, value, out)?,
            }
        }
        (self.at, self.field) = (self.at + 1, 0);
        Ok(())
    }
}

/// How long a value is that may be long.
fn length(value: Value<'_>) -> usize {
    match value {
        Value::Text(v) | Value::Json(v) => v.len(),
        Value::Bytes(v) => v.len(),
        _ => 0,
    }
}
