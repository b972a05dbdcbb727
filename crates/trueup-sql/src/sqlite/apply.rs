//! Writes batches: one transaction each, with epoch check and marker.
//!
//! Never `INSERT OR REPLACE`: it deletes other records through a second unique key, silently (trap 48). An insert that
//! meets its key becomes an update of exactly that key, compared as bytes, so a NOCASE key merges no two records. `OR
//! ABORT` is said everywhere, because a table's own `ON CONFLICT REPLACE` would do the same.

use super::connect::Place;
use super::control;
use super::error::translate;
use super::write::Statements;
use super::{quote, rights, schema};
use crate::definition;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::{Batch, Connection};
use std::collections::BTreeSet;
use trueup_core::endpoint::{
    Applied, Claim, Context, Design, Mark, Marker, Op, Outcome, Writer, Writes,
};
use trueup_core::failpoint::Failpoints;
use trueup_core::rights::{Remedy, Wanted};
use trueup_core::schema::Schema;
use trueup_core::structure::{Built, Step, StepKind};
use trueup_core::{Error, Kind, Result};

/// How often records that others stood in the way of are tried again within their batch.
const BLOCKED_ROUNDS_MAX: usize = 8;

/// Claims the file for `claim.link`.
pub(super) fn writer(place: &Place, claim: &Claim, context: &Context) -> Result<Box<dyn Writer>> {
    let connection = place.write()?;
    let epoch = control::raise_epoch(&connection, claim).map_err(|error| refused(place, error))?;
    let failpoints = context.failpoints.clone();
    Ok(Box::new(SqliteWriter {
        connection,
        claim: claim.clone(),
        epoch,
        failpoints,
        constructing: BTreeSet::new(),
    }))
}

/// Says which file this user cannot write, and what gives the right: the same as the check says.
fn refused(place: &Place, error: Error) -> Error {
    let asked = rights::rights(place, &[Wanted::Control]);
    let missing = asked.map(|rights| rights.missing).unwrap_or_default();
    match (error.kind(), missing.first()) {
        (Kind::Auth, Some(missing)) => {
            let error = error.at(format_args!("no right to {}", missing.right));
            match &missing.remedy {
                Remedy::Advice(advice) | Remedy::Statement(advice) => error.hint(advice.clone()),
            }
        }
        _ => error,
    }
}

struct SqliteWriter {
    connection: Connection,
    claim: Claim,
    epoch: u64,
    failpoints: Failpoints,
    /// Tables whose foreign keys hold for inserts when they are built, and not before.
    constructing: BTreeSet<String>,
}

impl Writer for SqliteWriter {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn marker(&mut self, partition: &str) -> Result<Option<Marker>> {
        control::marker(&self.connection, &self.claim.link, partition)
    }

    fn create(&mut self, design: &Design) -> Result<()> {
        let created = self.create_table(design);
        self.roll_back_unless(created.is_ok());
        created
    }

    fn constructing(&mut self, collections: &BTreeSet<String>) {
        self.constructing.clone_from(collections);
    }

    fn build(&mut self, step: &Step) -> Result<Built> {
        let built = self.build_step(step);
        self.roll_back_unless(matches!(built, Ok(Built::Done)));
        built
    }

    fn apply(&mut self, writes: &Writes<'_>) -> Result<Applied> {
        // Only what a load writes, an interrupted one too: what it refers to may be loaded later, and the last step looks.
        let inserts = writes.ops.iter().all(|&op| op == Op::Insert);
        let free = inserts && self.constructing.contains(&writes.schema.collection);
        if free {
            self.run("PRAGMA foreign_keys = OFF", "load a new table")?;
        }
        let applied = self.transaction(writes);
        self.roll_back_unless(applied.is_ok());
        if free {
            self.run("PRAGMA foreign_keys = ON", "load a new table")?;
        }
        applied
    }

    fn mark(&mut self, mark: &Mark) -> Result<()> {
        let marked = self.store_mark(mark);
        self.roll_back_unless(marked.is_ok());
        marked
    }

    fn finish(&mut self, _collection: &str) -> Result<()> {
        Ok(())
    }
}

impl SqliteWriter {
    fn run(&self, sql: &str, doing: &str) -> Result<()> {
        self.connection
            .execute_batch(sql)
            .map_err(|cause| translate(cause, doing))
    }

    /// Runs what holds pieces in the source's words: one statement, and nothing where there are more.
    fn run_one(&self, sql: &str) -> rusqlite::Result<()> {
        let mut statements = Batch::new(&self.connection, sql);
        match (statements.next()?, statements.next()?) {
            (Some(mut statement), None) => statement.execute([]).map(drop),
            _ => Err(rusqlite::Error::MultipleStatement),
        }
    }

    /// Takes the file's write lock and checks under it that nobody has claimed the link since.
    fn begin(&self) -> Result<()> {
        self.run("BEGIN IMMEDIATE", "begin a batch")?;
        control::check_epoch(&self.connection, &self.claim.link, self.epoch)
    }

    fn roll_back_unless(&self, done: bool) {
        if !done && !self.connection.is_autocommit() {
            // The work is void either way; if this fails too, the next begin says so.
            drop(self.connection.execute_batch("ROLLBACK"));
        }
    }

    /// Carries out a step in a transaction of its own, unless what it makes is there.
    fn build_step(&self, step: &Step) -> Result<Built> {
        self.begin()?;
        if matches!(step.kind, StepKind::Unique | StepKind::Index) {
            let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = ?1 AND tbl_name = ?2)";
            let names = [&step.name, &step.collection];
            let there = self.connection.query_row(sql, names, |row| row.get(0));
            if there.map_err(|cause| translate(cause, "look for an index"))? {
                return Ok(Built::There);
            }
        }
        let done = match step.kind {
            StepKind::ForeignKey => self.broken_references(&step.statement),
            _ => self.run_one(&step.statement).map(|()| 0),
        };
        let failed = match done {
            Ok(0) => {
                self.run("COMMIT", "commit a step")?;
                return Ok(Built::Done);
            }
            Ok(count) => Error::new(
                Kind::Rejected,
                format!("references to records that are not there: count={count}"),
            ),
            // Its words name tables and columns only.
            Err(cause) => {
                let words = cause.to_string();
                let error = translate(cause, "build");
                if error.kind() == Kind::Unavailable {
                    return Err(error);
                }
                Error::new(Kind::Rejected, words)
            }
        };
        definition::built(step.kind, Err(failed))
    }

    /// Counts what the check of a table's foreign keys finds.
    fn broken_references(&self, check: &str) -> rusqlite::Result<u64> {
        let mut statement = self.connection.prepare(check)?;
        let mut rows = statement.query([])?;
        let mut count = 0;
        while rows.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    fn create_table(&self, design: &Design) -> Result<()> {
        let name = &design.schema.collection;
        self.begin()?;
        match schema::read(&self.connection, name)? {
            None => self
                .run_one(&design.statement)
                .map_err(|cause| translate(cause, &format!("create table {}", quote(name))))?,
            Some(found) if shape(&found) == shape(&design.schema) => {}
            Some(_) => {
                return Err(Error::new(
                    Kind::Stale,
                    format!("collection={name} was created by somebody else meanwhile"),
                )
                .hint("run again: its present shape is then used as it is"));
            }
        }
        self.run("COMMIT", "create a table")
    }

    fn transaction(&mut self, writes: &Writes<'_>) -> Result<Applied> {
        self.failpoints.pass("sqlite.before_write")?;
        self.begin()?;
        let outcomes = self.write_all(writes)?;
        self.put_marker(writes.mark, &writes.position(&outcomes))?;
        self.failpoints.pass("sqlite.before_commit")?;
        self.run("COMMIT", "commit a batch")?;
        self.failpoints.pass("sqlite.after_commit")?;
        Ok(Applied {
            outcomes,
            durable: true,
        })
    }

    /// A transaction that writes nothing but the marker.
    fn store_mark(&self, mark: &Mark) -> Result<()> {
        self.failpoints.pass("sqlite.before_write")?;
        self.begin()?;
        self.put_marker(mark, &mark.position)?;
        self.failpoints.pass("sqlite.before_commit")?;
        self.run("COMMIT", "commit a marker")?;
        self.failpoints.pass("sqlite.after_commit")
    }

    fn put_marker(&self, mark: &Mark, position: &[u8]) -> Result<()> {
        control::put_marker(&self.connection, &self.claim, mark, position, self.epoch)
            .map_err(|cause| translate(cause, "write the marker"))
    }

    fn write_all(&self, writes: &Writes<'_>) -> Result<Vec<Outcome>> {
        let table = quote(&writes.schema.collection);
        let mut statements = Statements::prepare(&self.connection, writes)
            .map_err(|cause| translate(cause, &format!("prepare writes to table {table}")))?;
        let mut outcomes = Vec::with_capacity(writes.ops.len());
        for (index, &op) in writes.ops.iter().enumerate() {
            let record = writes.records.record(index);
            let outcome = statements.write(writes, index, op, record);
            outcomes.push(
                outcome.map_err(|cause| translate(cause, &format!("write to table {table}")))?,
            );
        }
        self.retry(&mut statements, writes, &mut outcomes)
            .and_then(|()| self.swap(&mut statements, writes, &mut outcomes))
            .map_err(|cause| translate(cause, &format!("write to table {table}")))?;
        Ok(outcomes)
    }

    /// Writes blocked records again as long as that frees one: what stood in the way may have moved since.
    fn retry(
        &self,
        statements: &mut Statements<'_>,
        writes: &Writes<'_>,
        outcomes: &mut [Outcome],
    ) -> rusqlite::Result<()> {
        for round in 0..BLOCKED_ROUNDS_MAX {
            let mut freed = false;
            // From either end in turn: a chain (a tree's parents before its children) resolves in one of the two orders.
            let backwards = round % 2 == 0;
            for step in 0..outcomes.len() {
                let index = if backwards {
                    outcomes.len() - 1 - step
                } else {
                    step
                };
                let outcome = &mut outcomes[index];
                if is_blocked(outcome) {
                    let record = writes.records.record(index);
                    *outcome = statements.write(writes, index, writes.ops[index], record)?;
                    freed |= !is_blocked(outcome);
                }
            }
            if !freed {
                break;
            }
        }
        Ok(())
    }

    /// Writes records that hold what each other wants (A takes B's unique value and B takes A's): removes them all
    /// and inserts them anew. Nothing is lost by it: it is one transaction, each record is written whole, and
    /// nothing of the target's own hangs on the removal. A record that stays refused keeps its old state, and so
    /// may block others: then the rest is tried without it.
    fn swap(
        &self,
        statements: &mut Statements<'_>,
        writes: &Writes<'_>,
        outcomes: &mut [Outcome],
    ) -> rusqlite::Result<()> {
        let stuck =
            |index: &usize| is_blocked(&outcomes[*index]) && writes.ops[*index] != Op::Delete;
        let mut part: Vec<usize> = (0..outcomes.len()).filter(stuck).collect();
        for _ in 0..BLOCKED_ROUNDS_MAX {
            if part.len() < 2
                || writes.bag.is_some()
                || !schema::rewritable(&self.connection, writes)?
            {
                break;
            }
            self.connection.execute_batch("SAVEPOINT trueup_swap")?;
            let done = self.rewrite(statements, writes, &part)?;
            if done.len() == part.len() {
                self.connection.execute_batch("RELEASE trueup_swap")?;
                for index in part {
                    outcomes[index] = Outcome::Applied(None);
                }
                break;
            }
            self.connection
                .execute_batch("ROLLBACK TO trueup_swap; RELEASE trueup_swap")?;
            part = done;
        }
        Ok(())
    }

    /// Removes records and inserts them anew, and returns those that went in.
    fn rewrite(
        &self,
        statements: &mut Statements<'_>,
        writes: &Writes<'_>,
        part: &[usize],
    ) -> rusqlite::Result<Vec<usize>> {
        for &index in part {
            let removed = statements.execute(writes, writes.records.record(index), Op::Delete)?;
            // A key of NULLs may stand for several records, whatever index there is.
            let several = removed == Outcome::Applied(None) && self.connection.changes() > 1;
            if several || matches!(removed, Outcome::Rejected { .. }) {
                return Ok(Vec::new());
            }
        }
        let mut done = Vec::with_capacity(part.len());
        for &index in part {
            let record = writes.records.record(index);
            if statements.execute(writes, record, Op::Insert)? == Outcome::Applied(None) {
                done.push(index);
            }
        }
        Ok(done)
    }
}

fn is_blocked(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Rejected { blocked: true, .. })
}

/// What makes two tables the same shape: fields, declared types, key.
fn shape(schema: &Schema) -> (Vec<(&str, &str)>, &[usize]) {
    let fields = schema
        .fields
        .iter()
        .map(|field| (field.name.as_str(), field.native.as_str()));
    (fields.collect(), &schema.key)
}
