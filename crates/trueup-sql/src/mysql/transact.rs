//! Writes changes in the order of the source: several batches, one commit.
//!
//! Invariant: nothing is visible before the commit, which writes the marker too, under the epoch's lock; what fails ends
//! the transaction.

use super::apply::MysqlWriter;
use super::schema::described;
use super::write;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Mark, Outcome, Writes};
use trueup_core::follow::Transaction;
use trueup_core::schema::Schema;
use trueup_core::{Error, Result};

/// A transaction under way.
pub(super) struct MysqlTransaction<'a> {
    writer: &'a mut MysqlWriter,
    /// Whether it still has to be ended.
    open: bool,
}

impl<'a> MysqlTransaction<'a> {
    /// Begins it, under the epoch's lock.
    pub(super) fn begin(writer: &'a mut MysqlWriter) -> Result<Self> {
        if let Err(error) = writer.begin() {
            writer.give_up(&error);
            return Err(error);
        }
        Ok(Self { writer, open: true })
    }

    /// Runs `step`; what fails ends the transaction.
    fn step<T>(
        &mut self,
        collection: &str,
        step: impl FnOnce(&mut MysqlWriter) -> Result<T>,
    ) -> Result<T> {
        if !self.open {
            return Err(Error::bug("a transaction is used after its end"));
        }
        step(self.writer).map_err(|error| {
            self.open = false;
            self.writer.give_up(&error);
            error.at(format!("collection={}", collection.escape_debug()))
        })
    }
}

impl Transaction for MysqlTransaction<'_> {
    fn write(&mut self, writes: &Writes<'_>) -> Result<Vec<Outcome>> {
        self.step(&writes.schema.collection, |writer| {
            let table = writer.prepare(writes)?;
            let outcomes = write::records(&writer.connection, &table, writes)?;
            writer.keep(table);
            Ok(outcomes)
        })
    }

    fn amend(&mut self, writes: &Writes<'_>, before: Option<&Batch>) -> Result<Vec<Outcome>> {
        self.step(&writes.schema.collection, |writer| {
            let table = writer.prepare(writes)?;
            let outcomes = write::amend(&writer.connection, &table, writes, before)?;
            writer.keep(table);
            Ok(outcomes)
        })
    }

    fn clear(&mut self, schema: &Schema) -> Result<()> {
        self.step(&schema.collection, |writer| {
            let table = described(&writer.connection, &schema.collection)?;
            table.transactional()?;
            writer
                .connection
                .execute(&format!("DELETE FROM {}", table.sql()))
        })
    }

    fn commit(mut self: Box<Self>, mark: &Mark) -> Result<()> {
        self.step(&mark.partition, |writer| {
            writer.set_marker(mark, &mark.position)?;
            writer.commit()
        })?;
        self.open = false;
        Ok(())
    }
}

impl Drop for MysqlTransaction<'_> {
    fn drop(&mut self) {
        if self.open {
            let dropped = Error::bug("a transaction was dropped");
            self.writer.give_up(&dropped);
        }
    }
}
