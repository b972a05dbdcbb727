//! Writes the records of one batch, inside the batch's transaction.
//!
//! Invariant: every record ends with an outcome, and a refused one leaves no trace: InnoDB undoes a statement that fails,
//! and one that holds several records is halved until the refused ones stand alone. What is to be done with a record is
//! decided on what was read and locked under its exact key, never by a unique index: `ON DUPLICATE KEY UPDATE` and
//! `REPLACE` would rewrite or remove another record that holds the same value in any of them.

mod amend;
mod bag;
mod load;
mod standing;

pub(super) use self::amend::amend;
pub(super) use self::load::taken;

use super::encode;
use super::error::{self, Foreign, Refused};
use super::quote::{ident, idents};
use super::references::References;
use super::schema::{Column, Table};
use super::session::Connection;
use super::types::Wire;
use trueup_core::batch::Record;
use trueup_core::endpoint::{Op, Outcome, Writes};
use trueup_core::value::Value;
use trueup_core::{Error, Result};

/// How often records that others stood in the way of are tried again within their batch.
const BLOCKED_ROUNDS_MAX: usize = 8;
/// About how many bytes of statements go out at once; one record may pass it.
const STATEMENT_BYTES: usize = 512 << 10;
/// How many records a statement holds at most.
const STATEMENT_RECORDS_MAX: usize = 500;
/// What of a packet is not ours.
const PACKET_SLACK_BYTES: usize = 4096;

/// What is done with one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Delete,
    Replace,
    Insert,
}

/// A record and what is done with it.
type Part = Vec<(usize, Act)>;

/// Writes the records of a batch and returns their outcomes. A refused record is an outcome, not an error.
pub(super) fn records(
    connection: &Connection,
    table: &Table,
    writes: &Writes<'_>,
) -> Result<Vec<Outcome>> {
    let mut work = Work::new(connection, table, writes)?;
    work.run()?;
    Ok(work.outcomes)
}

/// One batch being written.
struct Work<'a> {
    connection: &'a Connection,
    table: &'a Table,
    writes: &'a Writes<'a>,
    /// The columns of the batch's fields.
    columns: Vec<&'a Column>,
    outcomes: Vec<Outcome>,
    /// Who would notice a removal; asked before a conditional one.
    references: References,
}

impl<'a> Work<'a> {
    fn new(connection: &'a Connection, table: &'a Table, writes: &'a Writes<'a>) -> Result<Self> {
        let columns = writes.fields.iter().map(|&at| table.columns.get(at));
        let columns = columns.collect::<Option<Vec<&Column>>>().ok_or_else(|| {
            Error::bug("a batch writes a field that the collection does not have")
        })?;
        Ok(Self {
            connection,
            table,
            writes,
            columns,
            outcomes: vec![Outcome::Unknown; writes.ops.len()],
            references: References::default(),
        })
    }
}

impl Work<'_> {
    fn run(&mut self) -> Result<()> {
        if self.load()? {
            return Ok(());
        }
        let mut part = Vec::with_capacity(self.writes.ops.len());
        for (index, &op) in self.writes.ops.iter().enumerate() {
            match self.refusal(index, op) {
                Some(reason) => self.reject(index, reason, false),
                None => part.push((index, op)),
            }
        }
        let acts = match self.writes.bag {
            Some(bag) => self.remove_equal(&part, bag)?,
            None => self.decide(&part)?,
        };
        // What is removed first may free what others want.
        let (removed, others): (Part, Part) =
            acts.into_iter().partition(|(_, act)| *act == Act::Delete);
        let mut blocked = self.attempt(&removed)?;
        blocked.extend(self.attempt(&others)?);
        self.unblock(blocked)
    }

    fn settle(&mut self, index: usize, outcome: Outcome) {
        if let Some(slot) = self.outcomes.get_mut(index) {
            *slot = outcome;
        }
    }

    fn reject(&mut self, index: usize, reason: impl Into<String>, blocked: bool) {
        let reason = reason.into();
        self.settle(index, Outcome::Rejected { reason, blocked });
    }

    /// Tells why a record cannot be said, or is too long for a packet.
    fn refusal(&self, index: usize, op: Op) -> Option<String> {
        let record = self.writes.records.record(index);
        let mut literal = String::new();
        let mut total = 0;
        for (at, column) in self.columns.iter().enumerate() {
            let wanted =
                op != Op::Delete || self.writes.bag.is_some() || self.writes.key.contains(&at);
            if !wanted {
                continue;
            }
            // What cannot be there cannot be removed; and a field that may not be null is null nowhere.
            if op == Op::Delete && record.value(at).is_null() {
                continue;
            }
            literal.clear();
            if let Err(refusal) = encode::push(column, record.value(at), &mut literal) {
                return (op != Op::Delete || self.writes.bag.is_none()).then_some(refusal.0);
            }
            total += literal.len();
        }
        (total + PACKET_SLACK_BYTES > self.connection.server.packet_bytes_max).then(|| {
            format!("the record is longer than the server's max_allowed_packet: bytes={total}")
        })
    }

    /// Tries records, and returns those that others block.
    fn attempt(&mut self, part: &[(usize, Act)]) -> Result<Part> {
        let mut blocked = Vec::new();
        let mut rest = part;
        while let Some(&(_, act)) = rest.first() {
            let same = rest.iter().take_while(|(_, other)| *other == act).count();
            let (run, after) = rest.split_at(same);
            rest = after;
            match act {
                Act::Insert => self.insert(run, &mut blocked)?,
                Act::Delete | Act::Replace => self.one_by_one(run, &mut blocked)?,
            }
        }
        Ok(blocked)
    }

    /// Inserts records, several by one statement; halves what is refused.
    fn insert(&mut self, part: &[(usize, Act)], blocked: &mut Part) -> Result<()> {
        let mut waiting: Vec<&[(usize, Act)]> = part.chunks(STATEMENT_RECORDS_MAX).rev().collect();
        while let Some(part) = waiting.pop() {
            let (sql, taken) = self.insertion(part.iter().map(|(index, _)| *index));
            let (now, later) = part.split_at(taken);
            if !later.is_empty() {
                waiting.push(later);
            }
            match self.connection.run(&sql) {
                Ok(_) => now
                    .iter()
                    .for_each(|&(index, _)| self.settle(index, Outcome::Applied(None))),
                Err(foreign) => match (refused(foreign)?, now) {
                    (refused, &[(index, act)]) => self.refuse(index, act, &refused, blocked)?,
                    _ => {
                        // The first half goes first: order may matter.
                        let (first, second) = now.split_at(now.len() / 2);
                        waiting.push(second);
                        waiting.push(first);
                    }
                },
            }
        }
        Ok(())
    }

    /// The statement that inserts as many of these as fit, and how many these are.
    fn insertion(&self, indices: impl Iterator<Item = usize>) -> (String, usize) {
        let mut sql = format!(
            "INSERT INTO {} ({}) VALUES ",
            self.table.sql(),
            idents(self.columns.iter().map(|column| column.name.as_str()))
        );
        let limit = STATEMENT_BYTES.min(self.connection.server.packet_bytes_max / 2);
        let mut taken = 0;
        for index in indices {
            let start = sql.len();
            if taken > 0 {
                sql.push_str(", ");
            }
            self.push_record(index, &mut sql);
            if taken > 0 && sql.len() > limit {
                sql.truncate(start);
                break;
            }
            taken += 1;
        }
        (sql, taken)
    }

    /// Appends `(1, 'a')`. That each value can be said has been seen before.
    fn push_record(&self, index: usize, sql: &mut String) {
        let record = self.writes.records.record(index);
        sql.push('(');
        for (at, column) in self.columns.iter().enumerate() {
            if at > 0 {
                sql.push_str(", ");
            }
            self.push_value(column, record.value(at), sql);
        }
        sql.push(')');
    }

    fn push_value(&self, column: &Column, value: Value<'_>, sql: &mut String) {
        if encode::push(column, value, sql).is_err() {
            // Nothing is equal to it.
            sql.push_str("NULL");
        }
    }

    /// Removes or replaces records by a statement each, many of them sent together.
    fn one_by_one(&mut self, part: &[(usize, Act)], blocked: &mut Part) -> Result<()> {
        let mut rest = part;
        while !rest.is_empty() {
            let mut sql = String::new();
            let limit = STATEMENT_BYTES.min(self.connection.server.packet_bytes_max / 2);
            for (sent, &(index, act)) in rest.iter().take(STATEMENT_RECORDS_MAX).enumerate() {
                let statement = self.statement(index, act);
                if sent > 0 && sql.len() + statement.len() > limit {
                    break;
                }
                if sent > 0 {
                    sql.push(';');
                }
                sql.push_str(&statement);
            }
            let (done, failed) = self
                .connection
                .run_all(&sql)
                .map_err(|foreign| lost(&foreign))?;
            let (through, after) = rest.split_at(done.len().min(rest.len()));
            for (&(index, act), done) in through.iter().zip(&done) {
                if act == Act::Replace && done.touched == 0 {
                    self.reject(index, "the record could not be found again", false);
                } else {
                    self.settle(index, Outcome::Applied(None));
                }
            }
            rest = after;
            if let (Some(refusal), Some((&(index, act), after))) = (failed, rest.split_first()) {
                let refusal = refused(Foreign::Server(refusal))?;
                self.refuse(index, act, &refusal, blocked)?;
                rest = after;
            }
        }
        Ok(())
    }

    /// The statement that removes or replaces one record.
    fn statement(&self, index: usize, act: Act) -> String {
        let record = self.writes.records.record(index);
        let key = self.key_is(record, "");
        let table = self.table.sql();
        if act == Act::Delete {
            return format!("DELETE FROM {table} WHERE {key}");
        }
        let mut sql = format!("UPDATE {table} SET ");
        let mut first = true;
        for (at, column) in self.columns.iter().enumerate() {
            if self.writes.key.contains(&at) {
                continue;
            }
            if !first {
                sql.push_str(", ");
            }
            first = false;
            sql.push_str(&format!("{} = ", ident(&column.name)));
            self.push_value(column, record.value(at), &mut sql);
        }
        format!("{sql} WHERE {key}")
    }

    /// The condition that finds a record by its exact key; `prefix` names the table, with its dot, where there are two.
    fn key_is(&self, record: Record<'_>, prefix: &str) -> String {
        let terms = self.writes.key.iter().filter_map(|&at| {
            let column = self.columns.get(at)?;
            Some(is(column, record.value(at), prefix))
        });
        terms.collect::<Vec<_>>().join(" AND ")
    }

    /// Settles a record that the server refused.
    fn refuse(
        &mut self,
        index: usize,
        act: Act,
        refused: &Refused,
        blocked: &mut Part,
    ) -> Result<()> {
        let overtaken = self.writes.check.is_some() && act == Act::Insert && refused.code == 1062;
        if overtaken && self.stands(index)? {
            // It was missing when it was checked, and is there now.
            self.settle(index, Outcome::Stale);
            return Ok(());
        }
        let in_the_way = error::is_blocked(refused);
        if in_the_way {
            blocked.push((index, act));
        }
        self.reject(index, error::reason(refused), in_the_way);
        Ok(())
    }

    /// Tries blocked records again, now that others are written, from either end in turn: a chain of values handed
    /// from record to record resolves in one round in one of the two orders.
    fn unblock(&mut self, mut blocked: Part) -> Result<()> {
        let mut idle = 0;
        for _ in 0..BLOCKED_ROUNDS_MAX {
            if blocked.is_empty() || idle == 2 {
                break;
            }
            let before = blocked.len();
            blocked.reverse();
            blocked = self.attempt(&blocked)?;
            idle = if blocked.len() == before { idle + 1 } else { 0 };
        }
        self.swap(blocked)
    }

    /// Writes records that hold what each other wants (A takes B's unique value and B takes A's): removes them all
    /// and inserts them anew. Nothing is lost by it: it is one transaction, each record is written whole, and
    /// nothing of the target's own hangs on the removal. A record that stays refused keeps its old state, and so may
    /// block others: then the rest is tried without it.
    fn swap(&mut self, mut blocked: Part) -> Result<()> {
        blocked.retain(|&(_, act)| act != Act::Delete);
        let whole = self.columns.len()
            == self
                .table
                .schema
                .fields
                .iter()
                .filter(|field| !field.generated)
                .count();
        let free = whole
            && self.writes.bag.is_none()
            && !self.table.triggers
            && self.table.schema.cascades.is_empty();
        for _ in 0..BLOCKED_ROUNDS_MAX {
            if !free || blocked.len() < 2 {
                return Ok(());
            }
            self.connection.execute("SAVEPOINT trueup_swap")?;
            let before = self.outcomes.clone();
            if self.rewrite(&blocked)? {
                return self.connection.execute("RELEASE SAVEPOINT trueup_swap");
            }
            self.connection
                .execute("ROLLBACK TO SAVEPOINT trueup_swap")?;
            let count = blocked.len();
            blocked.retain(|&(index, _)| self.outcomes.get(index) == Some(&Outcome::Applied(None)));
            self.outcomes = before;
            if blocked.len() == count {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Removes records and inserts them anew, and tells whether all went in.
    fn rewrite(&mut self, part: &[(usize, Act)]) -> Result<bool> {
        // What was missing is not ours to remove.
        let standing = part.iter().filter(|(_, act)| *act == Act::Replace);
        let removed: Part = standing.map(|&(index, _)| (index, Act::Delete)).collect();
        if !self.attempt(&removed)?.is_empty() {
            return Ok(false);
        }
        let anew: Part = part
            .iter()
            .map(|&(index, _)| (index, Act::Insert))
            .collect();
        self.attempt(&anew)?;
        let applied =
            |&(index, _): &(usize, Act)| self.outcomes.get(index) == Some(&Outcome::Applied(None));
        Ok(part.iter().all(applied))
    }
}

/// The condition that a field holds exactly this value: its own `=` finds it by an index, and where that takes
/// different texts for one, their bytes decide.
pub(super) fn is(column: &Column, value: Value<'_>, prefix: &str) -> String {
    let name = format!("{prefix}{}", ident(&column.name));
    let mut literal = String::new();
    if value.is_null() {
        return format!("{name} IS NULL");
    }
    if encode::push(column, value, &mut literal).is_err() {
        return "FALSE".to_owned();
    }
    match (column.wire, value) {
        (Wire::Json, Value::Json(text)) => format!(
            "CAST(CAST({name} AS CHAR CHARACTER SET utf8mb4) AS BINARY) = {}",
            super::quote::bytes(text.as_bytes())
        ),
        (Wire::Spatial, _) => format!("CAST({name} AS BINARY) = {literal}"),
        (_, Value::Text(text)) if column.folding => format!(
            "{name} = {literal} AND CAST(CONVERT({name} USING utf8mb4) AS BINARY) = {}",
            super::quote::bytes(text.as_bytes())
        ),
        _ => format!("{name} = {literal}"),
    }
}

/// What refuses one record stays an outcome; anything else ends the batch.
fn refused(foreign: Foreign) -> Result<Refused> {
    match foreign {
        Foreign::Server(refused) if error::is_data(&refused) => Ok(refused),
        foreign => Err(error::translate(&foreign)),
    }
}

fn lost(foreign: &Foreign) -> Error {
    error::translate(foreign)
}
