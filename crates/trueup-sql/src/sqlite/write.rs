//! Writes single records, with the prepared statements of a batch.
//!
//! Invariant: a conditional write does what was asked for and nothing else, or is refused and leaves no trace. Two things
//! could come between: a foreign key that deletes or rewrites what refers to a removed record (nobody has looked
//! at those), and a trigger that withholds the write without an error. An unconditional write obeys both, as any
//! other program's would.

use super::bag::Rows;
use super::bind::{affinity_of, bind};
use super::decl::Affinity;
use super::error::refusal;
use super::references::{self, Referencing};
use super::scan::value_of;
use super::{quote, schema};
use rusqlite::{Connection, Statement};
use trueup_core::Result;
use trueup_core::batch::{Batch, Record};
use trueup_core::endpoint::{Op, Outcome, Writes};

/// The prepared statements of one batch. Parameters are numbered by the field's position among the written ones, so
/// that one binding of a record serves every statement.
pub(super) struct Statements<'c> {
    connection: &'c Connection,
    insert: Statement<'c>,
    /// `None` when every field belongs to the key.
    update: Option<Statement<'c>>,
    delete: Statement<'c>,
    select: Statement<'c>,
    /// Who would notice a removal; asked before a conditional one.
    references: Vec<Referencing<'c>>,
    /// Whether a trigger may do something else than was asked for; looked at after a conditional write.
    triggers: bool,
    /// What the deletes of a bag remove.
    rows: Option<Rows<'c>>,
    affinities: Vec<Affinity>,
    text: String,
}

/// Which of a record's values a statement takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Take {
    All,
    Key,
}

impl<'c> Statements<'c> {
    pub(super) fn prepare(
        connection: &'c Connection,
        writes: &Writes<'_>,
    ) -> rusqlite::Result<Self> {
        let fields: Vec<_> = writes
            .fields
            .iter()
            .map(|&field| &writes.schema.fields[field])
            .collect();
        let names: Vec<String> = fields.iter().map(|field| quote(&field.name)).collect();
        let table = quote(&writes.schema.collection);
        let list = names.join(", ");
        let marks: Vec<String> = (1..=names.len()).map(|n| format!("?{n}")).collect();
        let set: Vec<String> = (0..names.len())
            .filter(|position| !writes.key.contains(position))
            .map(|position| format!("{} = {}", names[position], marks[position]))
            .collect();
        let key = key_is(writes, "");
        let update = if set.is_empty() {
            None
        } else {
            let sql = format!("UPDATE OR ABORT {table} SET {} WHERE {key}", set.join(", "));
            Some(connection.prepare(&sql)?)
        };
        let insert = format!(
            "INSERT OR ABORT INTO {table} ({list}) VALUES ({})",
            marks.join(", ")
        );
        let conditional = writes.check.is_some();
        let references = if conditional && writes.ops.contains(&Op::Delete) {
            references::prepare(connection, &writes.schema.collection, |table| {
                key_is(writes, table)
            })?
        } else {
            Vec::new()
        };
        let rows = match writes.bag {
            Some(bag) => Rows::find(connection, writes, bag)?,
            None => None,
        };
        Ok(Self {
            connection,
            references,
            rows,
            triggers: conditional && schema::has_triggers(connection, &writes.schema.collection)?,
            insert: connection.prepare(&insert)?,
            update,
            delete: connection.prepare(&format!("DELETE FROM {table} WHERE {key}"))?,
            select: connection.prepare(&format!("SELECT {list} FROM {table} WHERE {key}"))?,
            affinities: fields.iter().map(|field| affinity_of(field)).collect(),
            text: String::new(),
        })
    }

    pub(super) fn write(
        &mut self,
        writes: &Writes<'_>,
        index: usize,
        op: Op,
        record: Record<'_>,
    ) -> rusqlite::Result<Outcome> {
        if writes.bag.is_some() {
            return self.counted(writes, index, op, record);
        }
        let Some(check) = writes.check else {
            return self.unconditional(writes, op, record);
        };
        let current = self.current(writes, record)?;
        if !check.holds(index, current.as_ref().map(|batch| batch.record(0))) {
            return Ok(Outcome::Stale);
        }
        let standing = current.is_some();
        if !self.triggers {
            return self.conditional(writes, op, record, standing);
        }
        self.connection.execute_batch("SAVEPOINT trueup_write")?;
        let outcome = self.conditional(writes, op, record, standing)?;
        if matches!(outcome, Outcome::Rejected { .. }) {
            // What a trigger did instead goes with it: a refused write leaves no trace.
            self.connection.execute_batch("ROLLBACK TO trueup_write")?;
        }
        self.connection.execute_batch("RELEASE trueup_write")?;
        Ok(outcome)
    }

    /// Writes a record that was found as expected. What others would lose by it, or a trigger withholds, is refused:
    /// who asked has seen this record and no other, and goes by the answer.
    fn conditional(
        &mut self,
        writes: &Writes<'_>,
        op: Op,
        record: Record<'_>,
        standing: bool,
    ) -> rusqlite::Result<Outcome> {
        let op = match (op, standing) {
            (Op::Delete, false) => return self.execute(writes, record, Op::Delete),
            (Op::Delete, true) => Op::Delete,
            (Op::Insert | Op::Update, false) => Op::Insert,
            (Op::Insert | Op::Update, true) if self.update.is_none() => {
                return Ok(Outcome::Unchanged);
            }
            (Op::Insert | Op::Update, true) => Op::Update,
        };
        if op == Op::Delete
            && let Some(reason) = self.still_referenced(writes, record)?
        {
            return Ok(rejected(reason, true));
        }
        let outcome = self.execute(writes, record, op)?;
        let done = match (&outcome, op) {
            (Outcome::Applied(_) | Outcome::Unchanged, _) if !self.triggers => true,
            (Outcome::Applied(_) | Outcome::Unchanged, Op::Delete) => {
                self.current(writes, record)?.is_none()
            }
            (Outcome::Applied(_), _) => self.current(writes, record)?.is_some(),
            (Outcome::Unchanged, _) => self.is_as_wanted(writes, record)?,
            _ => true,
        };
        if done {
            Ok(outcome)
        } else {
            Ok(rejected("a trigger suppressed the write".to_owned(), false))
        }
    }

    /// Tells who refers to the record in a way that its removal would change or remove them.
    fn still_referenced(
        &mut self,
        writes: &Writes<'_>,
        record: Record<'_>,
    ) -> rusqlite::Result<Option<String>> {
        for reference in &mut self.references {
            let statement = &mut reference.held;
            let (affinities, text) = (&self.affinities, &mut self.text);
            let bound = bind_record(statement, writes, record, Take::Key, affinities, text)?;
            if bound.is_ok() && statement.raw_query().next()?.is_some() {
                return Ok(Some(reference.reason.clone()));
            }
        }
        Ok(None)
    }

    /// Tells whether the record stands there, value for value.
    fn is_as_wanted(&mut self, writes: &Writes<'_>, record: Record<'_>) -> rusqlite::Result<bool> {
        let all: Vec<usize> = (0..writes.fields.len()).collect();
        let sql = format!(
            "SELECT 1 FROM {} WHERE {}",
            quote(&writes.schema.collection),
            fields_are(writes, &all, "")
        );
        let mut statement = self.connection.prepare(&sql)?;
        let (affinities, text) = (&self.affinities, &mut self.text);
        let bound = bind_record(&mut statement, writes, record, Take::All, affinities, text)?;
        Ok(bound.is_ok() && statement.raw_query().next()?.is_some())
    }

    /// Writes to a bag: an insert replaces nothing, a delete removes the row that was found for it.
    fn counted(
        &mut self,
        writes: &Writes<'_>,
        index: usize,
        op: Op,
        record: Record<'_>,
    ) -> rusqlite::Result<Outcome> {
        if op != Op::Delete {
            return self.execute(writes, record, Op::Insert);
        }
        let removal = match &mut self.rows {
            Some(rows) => rows.removal(index)?,
            None => None,
        };
        removal.map_or(Ok(Outcome::Unchanged), run)
    }

    fn unconditional(
        &mut self,
        writes: &Writes<'_>,
        op: Op,
        record: Record<'_>,
    ) -> rusqlite::Result<Outcome> {
        match op {
            Op::Delete => self.execute(writes, record, Op::Delete),
            Op::Update => match self.replace(writes, record)? {
                Outcome::Unchanged => self.execute(writes, record, Op::Insert),
                done => Ok(done),
            },
            Op::Insert => match self.execute(writes, record, Op::Insert)? {
                // Either our own key stands there already, and is replaced, or another record is in the way.
                Outcome::Rejected {
                    reason,
                    blocked: true,
                } => match self.replace(writes, record)? {
                    Outcome::Unchanged if self.current(writes, record)?.is_none() => {
                        Ok(rejected(reason, true))
                    }
                    done => Ok(done),
                },
                done => Ok(done),
            },
        }
    }

    /// Updates the record with this key; `Unchanged` when there is none, or nothing but the key to write.
    fn replace(&mut self, writes: &Writes<'_>, record: Record<'_>) -> rusqlite::Result<Outcome> {
        if self.update.is_none() {
            Ok(Outcome::Unchanged)
        } else {
            self.execute(writes, record, Op::Update)
        }
    }

    /// Runs one statement; `Unchanged` when it touches no record.
    pub(super) fn execute(
        &mut self,
        writes: &Writes<'_>,
        record: Record<'_>,
        op: Op,
    ) -> rusqlite::Result<Outcome> {
        let (statement, take) = match (op, &mut self.update) {
            (Op::Update, Some(update)) => (update, Take::All),
            (Op::Insert, _) | (Op::Update, None) => (&mut self.insert, Take::All),
            (Op::Delete, _) => (&mut self.delete, Take::Key),
        };
        let bound = bind_record(
            statement,
            writes,
            record,
            take,
            &self.affinities,
            &mut self.text,
        )?;
        if let Err(reason) = bound {
            return Ok(rejected(reason, false));
        }
        run(statement)
    }

    /// Reads the record that stands there now.
    fn current(
        &mut self,
        writes: &Writes<'_>,
        record: Record<'_>,
    ) -> rusqlite::Result<Option<Batch>> {
        let (select, text) = (&mut self.select, &mut self.text);
        let bound = bind_record(select, writes, record, Take::Key, &self.affinities, text)?;
        if bound.is_err() {
            return Ok(None);
        }
        let mut rows = select.raw_query();
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let mut batch = Batch::new(record.width());
        for column in 0..record.width() {
            batch.push(value_of(row.get_ref(column)?));
        }
        Ok(Some(batch))
    }
}

/// Runs a bound statement; `Unchanged` when it touches no record.
fn run(statement: &mut Statement<'_>) -> rusqlite::Result<Outcome> {
    match statement.raw_execute() {
        Ok(0) => Ok(Outcome::Unchanged),
        Ok(_) => Ok(Outcome::Applied(None)),
        // An error that concerns more than its record stays an error.
        Err(cause) => refusal(&cause).map_or(Err(cause), |(reason, blocked)| {
            Ok(rejected(reason, blocked))
        }),
    }
}

/// The condition that finds a record by its key; `table` names it where there are several.
fn key_is(writes: &Writes<'_>, table: &str) -> String {
    fields_are(writes, writes.key, table)
}

/// The condition that these of the written fields hold the bound values.
fn fields_are(writes: &Writes<'_>, positions: &[usize], table: &str) -> String {
    let dot = if table.is_empty() { "" } else { "." };
    if positions.is_empty() {
        // A bag: nothing is found by a key.
        return "FALSE".to_owned();
    }
    let conditions = positions.iter().map(|&position| {
        let name = quote(&writes.schema.fields[writes.fields[position]].name);
        let (name, mark) = (format!("{table}{dot}{name}"), format!("?{}", position + 1));
        // The first term finds the record by its index, the second tells 'a' from 'A' under NOCASE (trap 28).
        format!("{name} IS {mark} AND {name} COLLATE BINARY IS {mark}")
    });
    conditions.collect::<Vec<_>>().join(" AND ")
}

/// Binds a record's values; the inner error says why one cannot be held.
fn bind_record(
    statement: &mut Statement<'_>,
    writes: &Writes<'_>,
    record: Record<'_>,
    take: Take,
    affinities: &[Affinity],
    text: &mut String,
) -> rusqlite::Result<Result<(), String>> {
    for (position, &affinity) in affinities.iter().enumerate() {
        if take == Take::Key && !writes.key.contains(&position) {
            continue;
        }
        match bind(record.value(position), affinity, text) {
            Ok(value) => statement.raw_bind_parameter(position + 1, value)?,
            Err(reason) => {
                let name = &writes.schema.fields[writes.fields[position]].name;
                return Ok(Err(format!("field {name}: {reason}")));
            }
        }
    }
    Ok(Ok(()))
}

fn rejected(reason: String, blocked: bool) -> Outcome {
    Outcome::Rejected { reason, blocked }
}
