//! Applies batches: one transaction each, with the epoch checked and the marker written inside it.
//!
//! Invariant: after `Ok` every record has its outcome and the applied ones are durable; after any error but
//! `Unavailable` nothing was written. How the records are written, and what happens to refused ones, is
//! [`write`](super::write)'s business.

use super::connect::{Connection, column};
use super::control;
use super::design;
use super::direct::Direct;
use super::parcel::{self, Route};
use super::scan::described;
use super::schema::Table;
use super::stage::Statements;
use super::transact::PostgresTransaction;
use super::write;
use crate::definition;
use crate::server::{answer_lost, same_shape, unusable};
use std::collections::BTreeSet;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Applied, Claim, Design, Mark, Marker, Outcome, Writer, Writes};
use trueup_core::failpoint::Failpoints;
use trueup_core::follow::Transaction;
use trueup_core::parcel::{Delivered, Delivery, Parcel};
use trueup_core::schema::Schema;
use trueup_core::structure::{Built, Step, StepKind};
use trueup_core::{Error, Kind, Result};

/// How many shapes of batches have a temporary table of their own.
const SHAPES_MAX: usize = 8;

/// The right to write to a database.
#[derive(Debug)]
pub(super) struct PostgresWriter {
    pub(super) connection: Connection,
    claim: Claim,
    epoch: u64,
    /// Whether there are control tables: class T.
    control: bool,
    failpoints: Failpoints,
    pub(super) shapes: Vec<Shape>,
    /// Statements for few records at a time.
    pub(super) directs: Vec<Direct>,
    /// Where the last parcel went.
    route: Option<Route>,
    /// The collections under construction. Those whose key follows the records get it when something needs it.
    constructing: BTreeSet<String>,
    pub(super) broken: bool,
}

/// What is prepared for a shape of batch.
#[derive(Debug)]
pub(super) struct Shape {
    collection: String,
    natives: Vec<String>,
    fields: Vec<usize>,
    key: Vec<usize>,
    statements: Statements,
    /// Whether the key is to follow, so that nothing but a load may be written yet.
    keyless: bool,
    /// Tells its temporary table from those of the others.
    number: usize,
    /// Whether that holds records of the transaction under way.
    dirty: bool,
}

impl PostgresWriter {
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
        // A batch whose engine fell silent must not block its successor for ever.
        connection.execute("SET idle_in_transaction_session_timeout = '5min'")?;
        Ok(Self {
            connection,
            claim: claim.clone(),
            epoch,
            control: true,
            failpoints,
            shapes: Vec::new(),
            directs: Vec::new(),
            route: None,
            constructing: BTreeSet::new(),
            broken: false,
        })
    }

    fn usable(&self) -> Result<()> {
        if self.broken || self.connection.is_closed() {
            return Err(unusable());
        }
        Ok(())
    }

    /// Prepares the statements and the temporary table for a batch, unless there are such already, and returns their place.
    fn prepare(&mut self, writes: &Writes<'_>) -> Result<usize> {
        let natives = || {
            writes
                .schema
                .fields
                .iter()
                .map(|field| field.native.clone())
        };
        let same = |shape: &Shape| {
            shape.collection == writes.schema.collection
                && shape.fields == writes.fields
                && shape.key == writes.key
                && natives().eq(shape.natives.iter().cloned())
                && (writes.load || !shape.keyless)
        };
        if let Some(at) = self.shapes.iter().position(same) {
            return Ok(at);
        }
        // A table that got its key since has another shape, too.
        self.shapes
            .retain(|shape| shape.collection != writes.schema.collection || !shape.keyless);
        if self.shapes.len() >= SHAPES_MAX {
            self.shapes.clear();
        }
        let mut table = described(&self.connection, &writes.schema.collection)?;
        let mut keyless = self.awaits_key(&table, writes.schema);
        if keyless && !writes.load {
            self.build_key(writes.schema)?;
            table = described(&self.connection, &writes.schema.collection)?;
            keyless = false;
        }
        table.agree(writes.schema)?;
        let free = |number: &usize| self.shapes.iter().all(|shape| shape.number != *number);
        let number = (0..=self.shapes.len()).find(free).unwrap_or_default();
        let statements = Statements::new(&table, writes.fields, writes.key, number)?;
        self.connection.execute(&statements.create)?;
        self.shapes.push(Shape {
            collection: writes.schema.collection.clone(),
            natives: natives().collect(),
            fields: writes.fields.to_vec(),
            key: writes.key.to_vec(),
            statements,
            keyless,
            number,
            dirty: false,
        });
        Ok(self.shapes.len() - 1)
    }

    /// Whether the table is one under construction whose key follows the records.
    fn awaits_key(&self, table: &Table, designed: &Schema) -> bool {
        table.schema.key.is_empty()
            && !designed.key.is_empty()
            && self.constructing.contains(&designed.collection)
    }

    /// Builds the key now: what is to be written finds records by it, or may bring one a second time.
    fn build_key(&mut self, designed: &Schema) -> Result<()> {
        let table = design::table_name(&self.connection, &designed.collection)?;
        let step = Step {
            kind: StepKind::Key,
            collection: designed.collection.clone(),
            name: "primary key".to_owned(),
            statement: design::key_statement(&table, designed),
        };
        match self.build_step(&step)? {
            Built::Done | Built::There => Ok(()),
            Built::Refused { reason, .. } => Err(Error::new(
                Kind::Rejected,
                format!("the key is refused: {reason}"),
            )
            .hint("mend the cause, then run again: the key is built first")),
        }
    }

    /// Begins a transaction, under the epoch's lock where there is one.
    pub(super) fn begin(&self) -> Result<()> {
        let mode = if self.control {
            let turn = control::begin(&self.claim.link);
            format!("; SET LOCAL synchronous_commit = on; {turn}")
        } else {
            String::new()
        };
        self.connection.execute(&format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE{mode}"
        ))?;
        if self.control {
            control::hold(&self.connection, &self.claim.link, self.epoch)?;
        }
        self.failpoints.pass("postgres.before_write")
    }

    /// Finds the way of parcels into a collection.
    fn route(&mut self, schema: &Schema, fields: &[usize]) -> Result<&Route> {
        let known = self.route.take();
        let known = known.filter(|route| route.leads_to(schema, fields));
        let route = match known {
            Some(route) => route,
            None => Route::new(&self.connection, schema, fields)?,
        };
        Ok(self.route.insert(route))
    }

    /// Everything of a delivery up to, and without, the commit; `false` when it was refused.
    fn send(&mut self, delivery: &Delivery<'_>) -> Result<bool> {
        self.route(delivery.schema, delivery.fields)?;
        self.begin()?;
        let Some(route) = &self.route else {
            return Err(Error::bug("a parcel has no route"));
        };
        if !route.send(&self.connection, delivery.parcel)? {
            return Ok(false);
        }
        if self.control {
            self.set_marker(delivery.mark, &delivery.mark.position)?;
        }
        Ok(true)
    }

    pub(super) fn set_marker(&self, mark: &Mark, position: &[u8]) -> Result<()> {
        control::set_marker(&self.connection, &self.claim, self.epoch, mark, position)
    }

    /// Writes a batch inside the transaction under way, through the temporary table.
    pub(super) fn staged(&mut self, writes: &Writes<'_>) -> Result<Vec<Outcome>> {
        let at = self.prepare(writes)?;
        let shape = self.shapes.get_mut(at);
        let shape = shape.ok_or_else(|| Error::bug("a batch has no statements"))?;
        let standing = (false, std::mem::replace(&mut shape.dirty, true));
        let outcomes = write::records(&self.connection, &shape.statements, writes, standing)?;
        outcomes.ok_or_else(|| Error::bug("a transaction writes to what has no key yet"))
    }

    /// The transaction under way is over: it left nothing in temporary tables, and where it was not committed, none that it
    /// made.
    pub(super) fn over(&mut self, committed: bool) {
        if !committed {
            self.shapes.clear();
        }
        self.shapes.iter_mut().for_each(|shape| shape.dirty = false);
    }

    /// Everything up to, and without, the commit; `None`, with nothing to commit, where it takes the key, which is not there
    /// yet.
    fn transact(&self, shape: &Shape, writes: &Writes<'_>) -> Result<Option<Vec<Outcome>>> {
        self.begin()?;
        let (statements, keyless) = (&shape.statements, shape.keyless);
        let outcomes = write::records(&self.connection, statements, writes, (keyless, false))?;
        if let Some(outcomes) = outcomes.as_ref().filter(|_| self.control) {
            self.set_marker(writes.mark, &writes.position(outcomes))?;
        }
        Ok(outcomes)
    }

    /// Ends a transaction that failed; where that fails too, the connection's end does it.
    fn give_up(&mut self, error: &Error) {
        self.broken =
            self.connection.execute("ROLLBACK").is_err() || error.kind() == Kind::Unavailable;
    }

    /// Runs what holds pieces in the source's words: the server refuses to prepare more than one statement.
    fn run_one(&self, sql: &str) -> Result<()> {
        self.connection.query(sql, &[]).map(drop)
    }

    /// Whether what a step makes is there; numbers go on in any case.
    fn is_there(&self, step: &Step) -> Result<bool> {
        let table = described(&self.connection, &step.collection)?;
        // An index and a foreign key of one table may have the same name.
        let sql = match step.kind {
            StepKind::Next => return Ok(false),
            StepKind::Key => return Ok(!table.schema.key.is_empty()),
            StepKind::Unique | StepKind::Index => {
                "SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
                 WHERE i.indrelid = $1 AND c.relname = $2)"
            }
            // Somebody may have written another one since.
            StepKind::Comment if step.statement.starts_with("COMMENT ON TABLE ") => {
                "SELECT obj_description($1, 'pg_class') IS NOT NULL AND $2::text IS NOT NULL"
            }
            StepKind::Comment => {
                "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = $1 AND attname = $2 \
                 AND col_description($1, attnum) IS NOT NULL)"
            }
            StepKind::Check | StepKind::ForeignKey => {
                "SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = $1 AND conname = $2 AND contype IN ('f', 'c'))"
            }
        };
        let rows = self.connection.query(sql, &[&table.oid(), &step.name])?;
        rows.first().map_or(Ok(false), |row| column(row, 0))
    }

    /// Carries out a step in a transaction of its own, under the epoch's lock, unless what it makes is there.
    fn build_step(&mut self, step: &Step) -> Result<Built> {
        if self.is_there(step)? {
            return Ok(Built::There);
        }
        // What is prepared counts on what was there before.
        self.shapes.clear();
        self.begin()?;
        let done = self.run_one(&step.statement);
        if let Err(error) = &done {
            self.give_up(error);
            // Another connection of this run may have been quicker.
            if step.kind == StepKind::Key && !self.broken && self.is_there(step)? {
                return Ok(Built::There);
            }
            return definition::built(step.kind, done);
        }
        self.commit().map(|()| Built::Done)
    }

    /// Commits. An error that the server reports means that nothing was written; silence means that nobody knows.
    pub(super) fn commit(&self) -> Result<()> {
        self.failpoints.pass("postgres.before_commit")?;
        self.connection.execute("COMMIT")?;
        self.failpoints
            .pass("postgres.after_commit")
            .map_err(answer_lost)
    }
}

impl Writer for PostgresWriter {
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
        self.shapes.clear();
        let place = format!("collection={}", design.schema.collection.escape_debug());
        if self.control {
            // Under the epoch's lock, as every write.
            let turn = control::begin(&self.claim.link);
            let begun = self
                .connection
                .execute(&format!("BEGIN READ WRITE; {turn}"));
            let created = begun
                .and_then(|()| control::hold(&self.connection, &self.claim.link, self.epoch))
                .and_then(|()| self.run_one(&design.statement))
                .and_then(|()| self.connection.execute("COMMIT"));
            if let Err(error) = created {
                self.broken = self.connection.execute("ROLLBACK").is_err();
                return Err(error.at(place));
            }
        } else {
            self.run_one(&design.statement)
                .map_err(|error| error.at(&place))?;
        }
        let mut table = described(&self.connection, &design.schema.collection)?;
        if self.awaits_key(&table, &design.schema) {
            table.schema.key.clone_from(&design.schema.key);
        }
        same_shape(&design.schema, &table.schema)
    }

    fn constructing(&mut self, collections: &BTreeSet<String>) {
        self.constructing.clone_from(collections);
    }

    fn build(&mut self, step: &Step) -> Result<Built> {
        self.usable()?;
        self.build_step(step)
            .map_err(|error| error.at(format!("collection={}", step.collection.escape_debug())))
    }

    fn builds_together(&self, kind: StepKind) -> bool {
        // An index is built under a lock that another one shares; a constraint wants the table for itself.
        kind == StepKind::Index
    }

    fn apply(&mut self, writes: &Writes<'_>) -> Result<Applied> {
        self.usable()?;
        let place = format!("collection={}", writes.schema.collection.escape_debug());
        let at = self.prepare(writes).map_err(|error| error.at(&place))?;
        let shape = self.shapes.get(at);
        let shape = shape.ok_or_else(|| Error::bug("a batch has no statements"))?;
        let done = self.transact(shape, writes).and_then(|outcomes| {
            match outcomes {
                Some(_) => self.commit()?,
                None => self.connection.execute("ROLLBACK")?,
            }
            Ok(outcomes)
        });
        match done {
            Ok(Some(outcomes)) => Ok(Applied {
                outcomes,
                durable: true,
            }),
            // Once more, with the key.
            Ok(None) => self.apply(&Writes {
                load: false,
                ..*writes
            }),
            Err(error) => {
                self.give_up(&error);
                Err(error.at(&place))
            }
        }
    }

    fn transaction(&mut self) -> Result<Option<Box<dyn Transaction + '_>>> {
        self.usable()?;
        if !self.control {
            return Ok(None);
        }
        Ok(Some(Box::new(PostgresTransaction::begin(self)?)))
    }

    fn form(&mut self, schema: &Schema, fields: &[usize]) -> Result<Option<String>> {
        self.usable()?;
        let table = described(&self.connection, &schema.collection)?;
        parcel::form(&self.connection, &table, fields)
    }

    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<Delivered> {
        self.usable()?;
        let done = match self.send(delivery) {
            Ok(true) => self.commit().map(|()| true),
            Ok(false) => self.connection.execute("ROLLBACK").map(|()| false),
            Err(error) => Err(error),
        };
        match done {
            Ok(true) => Ok(Delivered::Durable),
            Ok(false) => Ok(Delivered::Refused),
            Err(error) => {
                self.give_up(&error);
                let name = delivery.schema.collection.escape_debug();
                Err(error.at(format!("collection={name}")))
            }
        }
    }

    fn open(
        &mut self,
        schema: &Schema,
        fields: &[usize],
        parcel: &Parcel,
        into: &mut Batch,
    ) -> Result<()> {
        self.usable()?;
        self.route(schema, fields)?.open(parcel, into)
    }

    fn mark(&mut self, mark: &Mark) -> Result<()> {
        self.usable()?;
        if !self.control {
            return Err(
                Error::config("this database keeps no markers: engine=postgres")
                    .hint("let the user create the schema trueup, or use the control tables there"),
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

    fn finish(&mut self, _collection: &str) -> Result<()> {
        self.usable()
    }
}
