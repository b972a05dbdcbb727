//! Replaces some fields of records that are there.
//!
//! Invariant: as for whole records: each ends with an outcome, and a refused one leaves no trace. A record that is not
//! there is said to be missing, never made.

use super::super::error;
use super::super::quote::ident;
use super::super::schema::Table;
use super::super::session::Connection;
use super::{STATEMENT_BYTES, STATEMENT_RECORDS_MAX, Work, is, lost, refused};
use crate::mysql::error::Foreign;
use trueup_core::Result;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Op, Outcome, Writes};

/// Replaces the given fields of existing records, found by the keys in `before`, else by their own.
pub(in crate::mysql) fn amend(
    connection: &Connection,
    table: &Table,
    writes: &Writes<'_>,
    before: Option<&Batch>,
) -> Result<Vec<Outcome>> {
    let mut work = Work::new(connection, table, writes)?;
    let mut part = Vec::with_capacity(writes.ops.len());
    for index in 0..writes.ops.len() {
        match work.refusal(index, Op::Update) {
            Some(reason) => work.reject(index, reason, false),
            None => part.push(index),
        }
    }
    let limit = STATEMENT_BYTES.min(connection.server.packet_bytes_max / 2);
    let mut rest = part.as_slice();
    while !rest.is_empty() {
        let mut sql = String::new();
        for (sent, &index) in rest.iter().take(STATEMENT_RECORDS_MAX).enumerate() {
            let statement = work.amendment(index, before);
            if sent > 0 && sql.len() + statement.len() > limit {
                break;
            }
            if sent > 0 {
                sql.push(';');
            }
            sql.push_str(&statement);
        }
        let sent = connection.run_all(&sql);
        let (done, failed) = sent.map_err(|foreign| lost(&foreign))?;
        let (through, after) = rest.split_at(done.len().min(rest.len()));
        for (&index, done) in through.iter().zip(&done) {
            let found = done.touched > 0;
            work.settle(
                index,
                if found {
                    Outcome::Applied(None)
                } else {
                    Outcome::Stale
                },
            );
        }
        rest = after;
        if let (Some(refusal), Some((&index, after))) = (failed, rest.split_first()) {
            let refusal = refused(Foreign::Server(refusal))?;
            let blocked = error::is_blocked(&refusal);
            work.reject(index, error::reason(&refusal), blocked);
            rest = after;
        }
    }
    Ok(work.outcomes)
}

impl Work<'_> {
    /// The statement that replaces what is given of one record.
    fn amendment(&self, index: usize, before: Option<&Batch>) -> String {
        let record = self.writes.records.record(index);
        let mut sets = String::new();
        for (at, column) in self.columns.iter().enumerate() {
            if !sets.is_empty() {
                sets.push_str(", ");
            }
            sets.push_str(&format!("{} = ", ident(&column.name)));
            self.push_value(column, record.value(at), &mut sets);
        }
        let key = match before {
            None => self.key_is(record, ""),
            Some(before) => {
                let old = before.record(index);
                let terms = self.writes.key.iter().enumerate().filter_map(|(n, &at)| {
                    let column = self.columns.get(at)?;
                    Some(is(column, old.value(n), ""))
                });
                terms.collect::<Vec<_>>().join(" AND ")
            }
        };
        format!("UPDATE {} SET {sets} WHERE {key}", self.table.sql())
    }
}
