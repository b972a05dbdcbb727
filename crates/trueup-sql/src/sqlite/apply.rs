//! Writes batches: one transaction each, with epoch check and marker.
//!
//! Never `INSERT OR REPLACE`: it deletes other records through a second unique key, silently (trap 48). An insert that
//! meets its key becomes an update of exactly that key, compared as bytes, so a NOCASE key merges no two records.

use super::bind::{affinity_of, bind};
use super::connect::Place;
use super::control;
use super::decl::Affinity;
use super::error::{refusal, translate};
use super::scan::value_of;
use super::{quote, schema};
use rusqlite::{Connection, Statement, ToSql};
use trueup_core::batch::{Batch, Record};
use trueup_core::endpoint::{Applied, Claim, Context, Design, Marker, Op, Outcome, Writer, Writes};
use trueup_core::failpoint::Failpoints;
use trueup_core::{Error, Kind, Result};

/// Claims the file for `claim.link`.
pub(super) fn writer(place: &Place, claim: &Claim, context: &Context) -> Result<Box<dyn Writer>> {
    let connection = place.write()?;
    let epoch = control::raise_epoch(&connection, claim)?;
    let failpoints = context.failpoints.clone();
    Ok(Box::new(SqliteWriter {
        connection,
        claim: claim.clone(),
        epoch,
        failpoints,
    }))
}

struct SqliteWriter {
    connection: Connection,
    claim: Claim,
    epoch: u64,
    failpoints: Failpoints,
}

impl Writer for SqliteWriter {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn marker(&mut self, partition: &str) -> Result<Option<Marker>> {
        control::marker(&self.connection, &self.claim.link, partition)
    }

    fn create(&mut self, design: &Design) -> Result<()> {
        let name = &design.schema.collection;
        let Some(found) = schema::read(&self.connection, name)? else {
            return self
                .connection
                .execute_batch(&design.statement)
                .map_err(|cause| translate(cause, &format!("create table {}", quote(name))));
        };
        let shape = |schema: &trueup_core::schema::Schema| {
            let fields: Vec<(String, String)> = schema
                .fields
                .iter()
                .map(|f| (f.name.clone(), f.native.clone()))
                .collect();
            (fields, schema.key.clone())
        };
        if shape(&found) == shape(&design.schema) {
            return Ok(());
        }
        Err(Error::new(
            Kind::Stale,
            format!("collection={name} was created by somebody else meanwhile"),
        )
        .hint("run again: its present shape is then used as it is"))
    }

    fn apply(&mut self, writes: &Writes<'_>) -> Result<Applied> {
        let applied = self.transaction(writes);
        if applied.is_err() && !self.connection.is_autocommit() {
            // The batch is void either way; a failed rollback leaves an open transaction that the next one meets.
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        applied
    }

    fn finish(&mut self, _collection: &str) -> Result<()> {
        Ok(())
    }
}

impl SqliteWriter {
    fn transaction(&mut self, writes: &Writes<'_>) -> Result<Applied> {
        let run = |sql: &str, doing: &str| {
            self.connection
                .execute_batch(sql)
                .map_err(|cause| translate(cause, doing))
        };
        self.failpoints.pass("sqlite.before_write")?;
        run("BEGIN IMMEDIATE", "begin a batch")?;
        control::check_epoch(&self.connection, &self.claim.link, self.epoch)?;
        let outcomes = self.write_all(writes)?;
        let position = position(writes, &outcomes);
        control::put_marker(
            &self.connection,
            &self.claim,
            writes.mark,
            &position,
            self.epoch,
        )
        .map_err(|cause| translate(cause, "write the marker"))?;
        self.failpoints.pass("sqlite.before_commit")?;
        run("COMMIT", "commit a batch")?;
        self.failpoints.pass("sqlite.after_commit")?;
        Ok(Applied {
            outcomes,
            durable: true,
        })
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
        Ok(outcomes)
    }
}

/// What the marker stores: the stale list, where writes were conditional.
fn position(writes: &Writes<'_>, outcomes: &[Outcome]) -> Vec<u8> {
    let Some(check) = writes.check else {
        return writes.mark.position.clone();
    };
    let stale: Vec<usize> = outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| **outcome == Outcome::Stale)
        .map(|(index, _)| index)
        .collect();
    check.position(&stale)
}

/// The prepared statements of one batch.
struct Statements<'c> {
    insert: Statement<'c>,
    /// `None` when every field belongs to the key.
    update: Option<Statement<'c>>,
    delete: Statement<'c>,
    select: Statement<'c>,
    affinities: Vec<Affinity>,
    others: Vec<usize>,
    texts: Vec<String>,
}

impl<'c> Statements<'c> {
    fn prepare(connection: &'c Connection, writes: &Writes<'_>) -> rusqlite::Result<Self> {
        let fields: Vec<_> = writes
            .fields
            .iter()
            .map(|&field| &writes.schema.fields[field])
            .collect();
        let names: Vec<String> = fields.iter().map(|field| quote(&field.name)).collect();
        let table = quote(&writes.schema.collection);
        let others: Vec<usize> = (0..names.len())
            .filter(|position| !writes.key.contains(position))
            .collect();
        let marks = vec!["?"; names.len()].join(", ");
        let list = names.join(", ");
        let set: Vec<String> = others
            .iter()
            .map(|&p| format!("{} = ?", names[p]))
            .collect();
        let matches: Vec<String> = writes
            .key
            .iter()
            .enumerate()
            // The first term finds the record by its index, the second tells 'a' from 'A' under NOCASE (trap 28).
            .map(|(n, &p)| {
                let (name, mark) = (&names[p], others.len() + n + 1);
                format!("{name} IS ?{mark} AND {name} COLLATE BINARY IS ?{mark}")
            })
            .collect();
        let matches = matches.join(" AND ");
        let key_only: Vec<String> = writes
            .key
            .iter()
            .enumerate()
            .map(|(n, &p)| {
                format!(
                    "{0} IS ?{1} AND {0} COLLATE BINARY IS ?{1}",
                    names[p],
                    n + 1
                )
            })
            .collect();
        let key_only = key_only.join(" AND ");
        let update = if set.is_empty() {
            None
        } else {
            let sql = format!("UPDATE {table} SET {} WHERE {matches}", set.join(", "));
            Some(connection.prepare(&sql)?)
        };
        Ok(Self {
            insert: connection
                .prepare(&format!("INSERT INTO {table} ({list}) VALUES ({marks})"))?,
            update,
            delete: connection.prepare(&format!("DELETE FROM {table} WHERE {key_only}"))?,
            select: connection.prepare(&format!("SELECT {list} FROM {table} WHERE {key_only}"))?,
            affinities: fields.iter().map(|field| affinity_of(field)).collect(),
            others,
            texts: vec![String::new(); names.len()],
        })
    }

    fn write(
        &mut self,
        writes: &Writes<'_>,
        index: usize,
        op: Op,
        record: Record<'_>,
    ) -> rusqlite::Result<Outcome> {
        let all: Vec<usize> = match op {
            Op::Delete => writes.key.to_vec(),
            Op::Insert | Op::Update => (0..record.width()).collect(),
        };
        let mut bound: Vec<Option<rusqlite::types::ToSqlOutput<'_>>> =
            (0..record.width()).map(|_| None).collect();
        let mut refused = None;
        for (position, text) in self.texts.iter_mut().enumerate() {
            if !all.contains(&position) {
                continue;
            }
            match bind(record.value(position), self.affinities[position], text) {
                Ok(value) => bound[position] = Some(value),
                Err(reason) => refused = Some((position, reason)),
            }
        }
        if let Some((position, reason)) = refused {
            let name = &writes.schema.fields[writes.fields[position]].name;
            return Ok(rejected(format!("field {name}: {reason}"), false));
        }
        let null = rusqlite::types::ToSqlOutput::Borrowed(rusqlite::types::ValueRef::Null);
        let value = |position: usize| bound[position].as_ref().unwrap_or(&null);
        let key: Vec<&dyn ToSql> = writes.key.iter().map(|&p| value(p) as &dyn ToSql).collect();
        if let Some(check) = writes.check {
            let current = current(&mut self.select, &key, record.width())?;
            if !check.holds(index, current.as_ref().map(|batch| batch.record(0))) {
                return Ok(Outcome::Stale);
            }
        }
        if op == Op::Delete {
            return settle(self.delete.execute(&*key).map(|_| true));
        }
        let row: Vec<&dyn ToSql> = (0..record.width())
            .map(|p| value(p) as &dyn ToSql)
            .collect();
        let mut set: Vec<&dyn ToSql> = self
            .others
            .iter()
            .map(|&p| value(p) as &dyn ToSql)
            .collect();
        set.extend(&key);
        let update = &mut self.update;
        let mut replace = || match update {
            Some(update) => update.execute(&*set).map(|changed| changed > 0),
            None => Ok(false),
        };
        if op == Op::Update {
            match settle(replace())? {
                Outcome::Unchanged => return settle(self.insert.execute(&*row).map(|_| true)),
                done => return Ok(done),
            }
        }
        match settle(self.insert.execute(&*row).map(|_| true))? {
            // Either our own key stands there already, and is replaced, or another record is in the way.
            Outcome::Rejected {
                reason,
                blocked: true,
            } => match settle(replace())? {
                Outcome::Unchanged => match current(&mut self.select, &key, record.width())? {
                    Some(_) => Ok(Outcome::Unchanged),
                    None => Ok(rejected(reason, true)),
                },
                done => Ok(done),
            },
            done => Ok(done),
        }
    }
}

fn rejected(reason: String, blocked: bool) -> Outcome {
    Outcome::Rejected { reason, blocked }
}

/// Turns the result of one statement into an outcome; errors that concern more than its record stay errors.
fn settle(done: rusqlite::Result<bool>) -> rusqlite::Result<Outcome> {
    match done {
        Ok(true) => Ok(Outcome::Applied(None)),
        Ok(false) => Ok(Outcome::Unchanged),
        Err(cause) => match refusal(&cause) {
            Some((reason, blocked)) => Ok(rejected(reason, blocked)),
            None => Err(cause),
        },
    }
}

fn current(
    select: &mut Statement<'_>,
    key: &[&dyn ToSql],
    width: usize,
) -> rusqlite::Result<Option<Batch>> {
    let mut rows = select.query(key)?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let mut batch = Batch::new(width);
    for column in 0..width {
        batch.push(value_of(row.get_ref(column)?));
    }
    Ok(Some(batch))
}
