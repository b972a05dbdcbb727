//! Writes changes in the order of the source: several batches, one commit.
//!
//! Invariant: nothing is visible before the commit, which writes the marker too, under the epoch's lock. Few records go
//! by statements of their own, sent together and answered together ([`direct`](super::direct)); more, and those that the
//! server does not take so, go through the temporary table ([`write`](mod@super::write)), which finds out what is refused.

use super::apply::PostgresWriter;
use super::direct;
use super::scan::described;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Mark, Outcome, Writes};
use trueup_core::follow::Transaction;
use trueup_core::schema::Schema;
use trueup_core::{Error, Kind, Result};

/// How many records are written by statements of their own at most.
const DIRECT_MAX: usize = 100;

/// A transaction under way.
pub(super) struct PostgresTransaction<'a> {
    writer: &'a mut PostgresWriter,
    /// Whether it still has to be ended.
    open: bool,
}

impl<'a> PostgresTransaction<'a> {
    /// Begins it, under the epoch's lock.
    pub(super) fn begin(writer: &'a mut PostgresWriter) -> Result<Self> {
        writer.begin()?;
        Ok(Self { writer, open: true })
    }

    /// Runs `step`; what fails ends the transaction.
    fn step<T>(
        &mut self,
        collection: &str,
        step: impl FnOnce(&mut PostgresWriter) -> Result<T>,
    ) -> Result<T> {
        if !self.open {
            return Err(Error::bug("a transaction is used after its end"));
        }
        step(self.writer).map_err(|error| {
            self.end(error.kind() == Kind::Unavailable);
            error.at(format!("collection={}", collection.escape_debug()))
        })
    }

    /// Ends what was not committed.
    fn end(&mut self, lost: bool) {
        self.open = false;
        self.writer.over(false);
        self.writer.broken |= lost || self.writer.connection.execute("ROLLBACK").is_err();
    }
}

impl Transaction for PostgresTransaction<'_> {
    fn write(&mut self, writes: &Writes<'_>) -> Result<Vec<Outcome>> {
        self.step(&writes.schema.collection, |writer| {
            if writes.ops.len() <= DIRECT_MAX
                && let Some(outcomes) =
                    direct::write(&writer.connection, &mut writer.directs, writes)?
            {
                return Ok(outcomes);
            }
            writer.staged(writes)
        })
    }

    fn amend(&mut self, writes: &Writes<'_>, before: Option<&Batch>) -> Result<Vec<Outcome>> {
        self.step(&writes.schema.collection, |writer| {
            direct::amend(&writer.connection, &mut writer.directs, writes, before)
        })
    }

    fn clear(&mut self, schema: &Schema) -> Result<()> {
        self.step(&schema.collection, |writer| {
            let table = described(&writer.connection, &schema.collection)?;
            let sql = format!("DELETE FROM {}", table.sql_only());
            writer.connection.execute(&sql)
        })
    }

    fn commit(mut self: Box<Self>, mark: &Mark) -> Result<()> {
        self.step(&mark.partition, |writer| {
            writer.set_marker(mark, &mark.position)?;
            writer.commit()
        })?;
        self.open = false;
        self.writer.over(true);
        Ok(())
    }
}

impl Drop for PostgresTransaction<'_> {
    fn drop(&mut self) {
        if self.open {
            self.end(false);
        }
    }
}
