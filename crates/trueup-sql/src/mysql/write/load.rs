//! Loads new records the fast way, or not at all.
//!
//! Invariant: it is all or nothing, inside a savepoint: where anything is refused, warned of or not as counted, every
//! record goes the careful way, which finds out whose fault it is. `LOAD DATA LOCAL` turns errors into warnings and
//! values into others, so a single warning is enough.

use super::super::error::{self, Foreign};
use super::super::schema::Column;
use super::super::types::Wire;
use super::super::{encode, quote, tabbed};
use super::{STATEMENT_RECORDS_MAX, Work, lost};
use trueup_core::endpoint::{Op, Outcome};
use trueup_core::{Kind, Result};

impl Work<'_> {
    /// Loads the whole batch; `false` when it has to be done the other way.
    pub(super) fn load(&mut self) -> Result<bool> {
        let plain = self.writes.check.is_none() && !self.writes.ops.contains(&Op::Delete);
        if !self.writes.load || !plain || self.writes.ops.is_empty() {
            return Ok(false);
        }
        self.connection.execute("SAVEPOINT trueup_load")?;
        let streamed = match self.connection.server.local_infile {
            true => self.stream()?,
            false => None,
        };
        let loaded = match streamed {
            Some(whole) => whole,
            None => self.insert_all()?,
        };
        if loaded {
            self.outcomes.fill(Outcome::Applied(None));
            self.connection.execute("RELEASE SAVEPOINT trueup_load")?;
        } else {
            self.connection
                .execute("ROLLBACK TO SAVEPOINT trueup_load")?;
        }
        Ok(loaded)
    }

    /// Sends all records as a file that is none; `None` where the server does not let anybody do that after all.
    fn stream(&self) -> Result<Option<bool>> {
        let mut stream = tabbed::Stream::new(self.writes.records, &self.columns);
        let sql = tabbed::statement(&self.table.sql(), &self.columns);
        let done = self.connection.load(&sql, || stream.next());
        let whole = stream.is_whole();
        match done {
            Ok(done) => {
                let total = u64::try_from(self.writes.ops.len()).unwrap_or(u64::MAX);
                Ok(Some(whole && done.warnings == 0 && done.touched == total))
            }
            Err(Foreign::Server(refused)) if error::is_no_local_file(&refused) => Ok(None),
            Err(foreign) => given_up(&foreign).map(Some),
        }
    }

    /// Inserts all records by large statements.
    fn insert_all(&self) -> Result<bool> {
        let mut at = 0;
        let total = self.writes.ops.len();
        let mut literal = String::new();
        for index in 0..total {
            let record = self.writes.records.record(index);
            for (column, value) in self.columns.iter().zip(record.values()) {
                literal.clear();
                if encode::push(column, value, &mut literal).is_err() {
                    return Ok(false);
                }
            }
        }
        while at < total {
            let until = total.min(at + STATEMENT_RECORDS_MAX * 4);
            let (sql, taken) = self.insertion(at..until);
            at += taken;
            match self.connection.run(&sql) {
                Ok(done) if done.touched == u64::try_from(taken).unwrap_or(u64::MAX) => {}
                Ok(_) => return Ok(false),
                Err(foreign) => return given_up(&foreign),
            }
        }
        Ok(true)
    }
}

/// Refused for one record or for all: the careful way finds out, and says why. Unless the transaction went with it.
fn given_up(foreign: &Foreign) -> Result<bool> {
    let error = lost(foreign);
    if error.kind() == Kind::Unavailable {
        return Err(error);
    }
    Ok(false)
}

/// How a column takes what stands in the file, where that is not the text itself.
pub(in super::super) fn taken(column: &Column, variable: &str) -> Option<String> {
    let name = quote::ident(&column.name);
    match column.wire {
        Wire::Bytes | Wire::Fixed | Wire::Spatial => Some(format!("{name} = UNHEX({variable})")),
        Wire::Bit => Some(format!("{name} = CAST({variable} AS UNSIGNED)")),
        _ => None,
    }
}
