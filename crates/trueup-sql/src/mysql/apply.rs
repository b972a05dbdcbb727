//! Applies batches: one transaction each, with the epoch checked and the marker written inside it.
//!
//! Invariant: after `Ok` every record has its outcome and the applied ones are durable; after any error but
//! `Unavailable` nothing was written. How the records are written, and what happens to refused ones, is
//! [`write`](super::write)'s business.

use super::control;
use super::quote::text;
use super::schema::{Table, described, named};
use super::session::Connection;
use super::transact::MysqlTransaction;
use super::write;
use crate::definition;
use crate::server::{answer_lost, same_shape, unusable};
use trueup_core::endpoint::{Applied, Claim, Design, Mark, Marker, Outcome, Writer, Writes};
use trueup_core::failpoint::Failpoints;
use trueup_core::follow::Transaction;
use trueup_core::structure::{Built, Step, StepKind};
use trueup_core::{Error, Kind, Result};

/// How many tables' shapes are kept.
const TABLES_MAX: usize = 1_000;

/// The right to write to a database.
#[derive(Debug)]
pub(super) struct MysqlWriter {
    pub(super) connection: Connection,
    claim: Claim,
    epoch: u64,
    /// Whether there are control tables: class T.
    control: bool,
    failpoints: Failpoints,
    /// The tables of the last batches, as they were read.
    tables: Vec<Table>,
    broken: bool,
}

impl MysqlWriter {
    /// Claims the right to write.
    pub(super) fn claim(
        connection: Connection,
        claim: &Claim,
        control: bool,
        failpoints: Failpoints,
    ) -> Result<Self> {
        let epoch = if control {
            control::ensure(&connection)?;
            control::raise(&connection, claim)?
        } else {
            0
        };
        Ok(Self {
            control,
            ..Self::join(connection, claim, epoch, failpoints)?
        })
    }

    /// One more writer under a claimed epoch.
    pub(super) fn join(
        connection: Connection,
        claim: &Claim,
        epoch: u64,
        failpoints: Failpoints,
    ) -> Result<Self> {
        // What a batch reads it locks, so that it needs no snapshot; and a gap between two keys is nobody's. A log of
        // statements would not have it.
        let log = "SHOW VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_format')";
        let mut of_statements = Vec::new();
        for row in connection.query(log)? {
            of_statements.push(matches!(row.text(1)?.as_str(), "ON" | "1" | "STATEMENT"));
        }
        if of_statements != [true, true] {
            connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")?;
        }
        Ok(Self {
            connection,
            claim: claim.clone(),
            epoch,
            control: true,
            failpoints,
            tables: Vec::new(),
            broken: false,
        })
    }

    fn usable(&self) -> Result<()> {
        if self.broken || self.connection.is_closed() {
            return Err(unusable());
        }
        Ok(())
    }

    /// Reads the table's shape, unless it is that of one of the last batches.
    pub(super) fn prepare(&mut self, writes: &Writes<'_>) -> Result<Table> {
        let wanted = &writes.schema.collection;
        let mut known = self.tables.iter();
        let known = known.position(|table| table.schema.collection == *wanted);
        let known = known.map(|at| self.tables.swap_remove(at));
        let table = match known.filter(|table| table.agree(writes.schema).is_ok()) {
            Some(table) => table,
            None => described(&self.connection, wanted)?,
        };
        table.agree(writes.schema)?;
        table.transactional()?;
        Ok(table)
    }

    /// Keeps a table's shape for the next batch.
    pub(super) fn keep(&mut self, table: Table) {
        if self.tables.len() >= TABLES_MAX {
            self.tables.clear();
        }
        self.tables.push(table);
    }

    /// Begins a transaction, under the epoch's lock where there is one.
    pub(super) fn begin(&self) -> Result<()> {
        self.connection.execute("START TRANSACTION READ WRITE")?;
        if self.control {
            control::hold(&self.connection, &self.claim.link, self.epoch)?;
        }
        self.failpoints.pass("mysql.before_write")
    }

    pub(super) fn set_marker(&self, mark: &Mark, position: &[u8]) -> Result<()> {
        control::set_marker(&self.connection, &self.claim, self.epoch, mark, position)
    }

    /// Everything up to, and without, the commit.
    fn transact(&self, table: &Table, writes: &Writes<'_>) -> Result<Vec<Outcome>> {
        self.begin()?;
        let outcomes = write::records(&self.connection, table, writes)?;
        if self.control {
            self.set_marker(writes.mark, &writes.position(&outcomes))?;
        }
        Ok(outcomes)
    }

    /// Ends a transaction that failed; where that fails too, the connection's end does it.
    pub(super) fn give_up(&mut self, error: &Error) {
        self.broken =
            self.connection.execute("ROLLBACK").is_err() || error.kind() == Kind::Unavailable;
    }

    /// Commits. An error that the server reports means that nothing was written; silence means that nobody knows.
    pub(super) fn commit(&self) -> Result<()> {
        self.failpoints.pass("mysql.before_commit")?;
        self.connection.execute("COMMIT")?;
        self.failpoints
            .pass("mysql.after_commit")
            .map_err(answer_lost)
    }

    /// Makes sure that the epoch is still ours, right before a change of a table: no transaction of MySQL spans that.
    fn hold(&self) -> Result<()> {
        if !self.control {
            return Ok(());
        }
        self.connection.execute("START TRANSACTION READ WRITE")?;
        let held = control::hold(&self.connection, &self.claim.link, self.epoch);
        let ended = self.connection.execute("ROLLBACK");
        held.and(ended)
    }

    /// Whether what a step makes is there. Key and comments are none: they are part of the statement that creates the table.
    fn is_there(&self, step: &Step) -> Result<bool> {
        let (view, column, only) = match step.kind {
            StepKind::Next => return self.counts_beyond(step),
            StepKind::Key | StepKind::Comment => return Ok(false),
            StepKind::Unique | StepKind::Index => ("STATISTICS", "INDEX_NAME", ""),
            StepKind::ForeignKey => (
                "TABLE_CONSTRAINTS",
                "CONSTRAINT_NAME",
                " AND CONSTRAINT_TYPE = 'FOREIGN KEY'",
            ),
            StepKind::Check => (
                "TABLE_CONSTRAINTS",
                "CONSTRAINT_NAME",
                " AND CONSTRAINT_TYPE = 'CHECK'",
            ),
        };
        let (table, name) = (named("TABLE_NAME", &step.collection), text(&step.name));
        let sql = format!(
            "SELECT 1 FROM information_schema.{view} WHERE TABLE_SCHEMA = DATABASE() AND {table} AND {column} = {name}{only} LIMIT 1"
        );
        Ok(!self.connection.query(&sql)?.is_empty())
    }

    /// Carries out a step, unless what it makes is there.
    fn build_step(&self, step: &Step) -> Result<Built> {
        if self.is_there(step)? {
            return Ok(Built::There);
        }
        self.hold()?;
        let done = self.connection.execute(&step.statement);
        definition::built(step.kind, done)
    }

    /// Whether the table's next number is at least the step's: it would be set back when its last records are gone.
    fn counts_beyond(&self, step: &Step) -> Result<bool> {
        if !self.connection.server.mariadb && self.connection.server.number >= (8, 0) {
            // It may be a day old otherwise.
            let fresh = "SET SESSION information_schema_stats_expiry = 0";
            self.connection.execute(fresh)?;
        }
        let sql = format!(
            "SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND {}",
            named("TABLE_NAME", &step.collection)
        );
        let rows = self.connection.query(&sql)?;
        let present = rows.first().map_or(Ok(None), |row| row.maybe(0))?;
        let number = |text: &str| text.parse::<u64>().ok();
        let wanted = step.statement.rsplit(' ').next().and_then(number);
        Ok(present.as_deref().and_then(number) >= wanted && wanted.is_some())
    }

    /// Creates a table. No transaction of MySQL spans that: the epoch is looked at right before, and the table is
    /// empty, so that the worst an older engine can leave behind is an empty table.
    fn create_table(&self, design: &Design) -> Result<()> {
        self.hold()?;
        self.connection.execute(&design.statement)
    }
}

impl Writer for MysqlWriter {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn marker(&mut self, partition: &str) -> Result<Option<Marker>> {
        self.usable()?;
        if !self.control {
            return Ok(None);
        }
        control::marker(&self.connection, &self.claim.link, partition)
    }

    fn create(&mut self, design: &Design) -> Result<()> {
        self.usable()?;
        let place = format!("collection={}", design.schema.collection.escape_debug());
        self.create_table(design)
            .map_err(|error| error.at(&place))?;
        let table = described(&self.connection, &design.schema.collection)?;
        same_shape(&design.schema, &table.schema)
    }

    fn build(&mut self, step: &Step) -> Result<Built> {
        self.usable()?;
        self.build_step(step)
            .map_err(|error| error.at(format!("collection={}", step.collection.escape_debug())))
    }

    fn apply(&mut self, writes: &Writes<'_>) -> Result<Applied> {
        self.usable()?;
        let place = format!("collection={}", writes.schema.collection.escape_debug());
        let table = self.prepare(writes).map_err(|error| error.at(&place))?;
        let done = self
            .transact(&table, writes)
            .and_then(|outcomes| self.commit().map(|()| outcomes));
        match done {
            Ok(outcomes) => {
                self.keep(table);
                Ok(Applied {
                    outcomes,
                    durable: true,
                })
            }
            Err(error) => {
                self.give_up(&error);
                Err(error.at(&place))
            }
        }
    }

    fn mark(&mut self, mark: &Mark) -> Result<()> {
        self.usable()?;
        if !self.control {
            return Err(
                Error::config("this database keeps no markers: engine=mysql").hint(
                    "let the user create and use the tables _trueup_epoch and _trueup_marker there",
                ),
            );
        }
        let done = self
            .begin()
            .and_then(|()| self.set_marker(mark, &mark.position))
            .and_then(|()| self.commit());
        done.map_err(|error| {
            self.give_up(&error);
            error.at(format!("partition={}", mark.partition.escape_debug()))
        })
    }

    fn transaction(&mut self) -> Result<Option<Box<dyn Transaction + '_>>> {
        self.usable()?;
        if !self.control {
            return Ok(None);
        }
        Ok(Some(Box::new(MysqlTransaction::begin(self)?)))
    }

    fn finish(&mut self, _collection: &str) -> Result<()> {
        self.usable()
    }
}
