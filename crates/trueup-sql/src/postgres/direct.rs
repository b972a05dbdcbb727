//! Writes few records by statements of their own, all sent before the first answer is waited for.
//!
//! Invariant: `None` means that nothing was written, and that the temporary table is the way; each attempt is a
//! savepoint. Only where the server's own `=` on the key is ours, and no type changes a value without a word.

use super::connect::Connection;
use super::encode;
use super::error;
use super::quote::{ident, idents};
use super::scan::described;
use super::schema::{Column, Equality, Table};
use super::types::Wire;
use bytes::{BufMut, BytesMut};
use futures_util::future::{join, join_all};
use std::ops::Range;
use tokio_postgres::Statement;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use trueup_core::batch::{Batch, Record};
use trueup_core::endpoint::{Op, Outcome, Writes};
use trueup_core::value::Value;
use trueup_core::{Error, Result};

/// How many shapes have their statements ready.
const SHAPES_MAX: usize = 1_000;

const UNDO: &str = "ROLLBACK TO trueup_direct; RELEASE trueup_direct";

/// A value in the form in which the server takes it.
#[derive(Debug)]
struct Encoded<'a>(Option<&'a [u8]>);

impl ToSql for Encoded<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let Some(bytes) = self.0 else {
            return Ok(IsNull::Yes);
        };
        out.put_slice(bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Binary
    }

    to_sql_checked!();
}

/// The statements of one shape.
#[derive(Debug)]
pub(super) struct Direct {
    collection: String,
    natives: Vec<String>,
    fields: Vec<usize>,
    key: Vec<usize>,
    columns: Vec<Column>,
    /// Insert or replace, and remove; `None` where records of the shape go through the temporary table.
    whole: Option<[Statement; 2]>,
    /// Whether the server tells keys apart as we do.
    exact: bool,
    /// Replace what is given; the key stands behind the values. Prepared when it is wanted first.
    amend: Option<Statement>,
    /// As `amend`, the key included: behind the values stands the one that the record had.
    rekey: Option<Statement>,
}

/// Writes records; `None`, with nothing written, where they have to go the other way.
pub(super) fn write(
    connection: &Connection,
    shapes: &mut Vec<Direct>,
    writes: &Writes<'_>,
) -> Result<Option<Vec<Outcome>>> {
    let direct = shape(connection, shapes, writes)?;
    let Some([put, remove]) = &direct.whole else {
        return Ok(None);
    };
    let mut sending = Sending::default();
    for (record, &op) in writes.records.records().zip(writes.ops) {
        let fits = match op {
            Op::Insert | Op::Update => {
                sending.begin(put, true);
                sending.all(direct, record)
            }
            Op::Delete => {
                sending.begin(remove, false);
                sending.key(direct, record, true)
            }
        };
        if !fits {
            return Ok(None);
        }
    }
    Ok(match sending.send(connection)? {
        Sent::Done => Some(vec![Outcome::Applied(None); writes.ops.len()]),
        // Which record it is, and why, is found out the other way.
        Sent::Missed | Sent::Refused { .. } => None,
    })
}

/// Replaces the given fields of existing records, found by the keys in `before`, else by their own.
pub(super) fn amend(
    connection: &Connection,
    shapes: &mut Vec<Direct>,
    writes: &Writes<'_>,
    before: Option<&Batch>,
) -> Result<Vec<Outcome>> {
    let direct = shape(connection, shapes, writes)?;
    if !direct.exact {
        let name = writes.schema.collection.escape_debug();
        return Err(Error::config(format!(
            "collection={name}: its key is compared in another way there, so that its records cannot be changed in part"
        ))
        .hint("let the source send whole records: ALTER TABLE .. REPLICA IDENTITY FULL there"));
    }
    direct.prepare_part(connection, &writes.schema.collection, before.is_some())?;
    let direct = &*direct;
    let known = match before {
        Some(_) => &direct.rekey,
        None => &direct.amend,
    };
    let Some(statement) = known else {
        // Nothing but the key is given: whether it is there is all there is to say.
        return Ok(vec![Outcome::Unchanged; writes.ops.len()]);
    };
    let one = |(index, record): (usize, Record<'_>)| {
        let mut sending = Sending::default();
        sending.begin(statement, true);
        let fits = sending.values(direct, record, before.is_some())
            && match before {
                Some(before) => sending.key(direct, before.record(index), false),
                None => sending.key(direct, record, true),
            };
        if !fits {
            return Ok(Outcome::Rejected {
                reason: "a value does not fit its field at the target".to_owned(),
                blocked: false,
            });
        }
        Ok(match sending.send(connection)? {
            Sent::Done => Outcome::Applied(None),
            Sent::Missed => Outcome::Stale,
            Sent::Refused { reason, blocked } => Outcome::Rejected { reason, blocked },
        })
    };
    writes.records.records().enumerate().map(one).collect()
}

/// What became of statements that were sent together: of all of them, or of none.
enum Sent {
    Done,
    /// One found no record, or a trigger withheld it; none was kept.
    Missed,
    /// The server refused one; none was kept.
    Refused {
        reason: String,
        blocked: bool,
    },
}

/// Statements with their values.
#[derive(Default)]
struct Sending<'a> {
    bytes: Vec<u8>,
    /// Where each value stands; `None` is NULL.
    values: Vec<Option<Range<usize>>>,
    /// Each statement, where its values begin, and whether it must find a record.
    statements: Vec<(&'a Statement, usize, bool)>,
}

impl<'a> Sending<'a> {
    fn begin(&mut self, statement: &'a Statement, must: bool) {
        self.statements.push((statement, self.values.len(), must));
    }

    fn value(&mut self, column: &Column, value: Value<'_>) -> bool {
        let start = self.bytes.len();
        if encode::value(column, value, &mut self.bytes).is_err() {
            return false;
        }
        let content = start + size_of::<i32>()..self.bytes.len();
        self.values.push((!value.is_null()).then_some(content));
        true
    }

    fn all(&mut self, direct: &Direct, record: Record<'_>) -> bool {
        let mut values = direct.columns.iter().zip(record.values());
        values.all(|(column, value)| self.value(column, value))
    }

    /// The values that a record is changed to; those of the key only where it changes, too.
    fn values(&mut self, direct: &Direct, record: Record<'_>, rekeyed: bool) -> bool {
        let mut values = direct.columns.iter().zip(record.values()).enumerate();
        values
            .all(|(at, (column, value))| !direct.changes(at, rekeyed) || self.value(column, value))
    }

    /// The values of the key: of a record with all fields, or of a record that is the key.
    fn key(&mut self, direct: &Direct, record: Record<'_>, whole: bool) -> bool {
        let mut key = direct.key.iter().enumerate();
        key.all(|(place, &at)| {
            let place = if whole { at } else { place };
            let column = direct.columns.get(at);
            column.is_some_and(|column| self.value(column, record.value(place)))
        })
    }

    /// Sends all inside a savepoint, before the first answer is waited for.
    fn send(&self, connection: &Connection) -> Result<Sent> {
        let values: Vec<Encoded<'_>> = self
            .values
            .iter()
            .map(|range| Encoded(range.clone().and_then(|range| self.bytes.get(range))))
            .collect();
        let values: Vec<&(dyn ToSql + Sync)> = values
            .iter()
            .map(|value| -> &(dyn ToSql + Sync) { value })
            .collect();
        let ends = self.statements.iter().skip(1).map(|&(_, start, _)| start);
        let ends = ends.chain([values.len()]);
        let sent = connection.wait(|client| async move {
            let statements = self.statements.iter().zip(ends);
            let executed = statements.map(|(&(statement, start, _), end)| {
                let values = values.get(start..end).unwrap_or_default();
                client.execute_raw(statement, values.iter().copied())
            });
            let (begun, counts) = join(
                client.batch_execute("SAVEPOINT trueup_direct"),
                join_all(executed),
            )
            .await;
            begun?;
            counts.into_iter().collect()
        })?;
        let counts: Vec<u64> = match sent {
            Ok(counts) => counts,
            Err(foreign) => return refused(connection, &foreign),
        };
        let mut found = self.statements.iter().zip(&counts);
        if !found.all(|(&(_, _, must), &count)| count == 1 || !must && count == 0) {
            connection.execute(UNDO)?;
            return Ok(Sent::Missed);
        }
        // Deferred constraints speak now, while the savepoint can still take the blame.
        let kept = connection.wait(|client| {
            client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE; RELEASE trueup_direct")
        })?;
        match kept {
            Ok(()) => Ok(Sent::Done),
            Err(foreign) => refused(connection, &foreign),
        }
    }
}

/// Undoes what was sent, if it was the data that the server refused.
fn refused(connection: &Connection, foreign: &tokio_postgres::Error) -> Result<Sent> {
    let Some(db) = error::data(foreign) else {
        return Err(error::translate(foreign));
    };
    connection.execute(UNDO)?;
    Ok(Sent::Refused {
        reason: error::reason(db),
        blocked: error::blocked(db),
    })
}

/// Returns the statements for the shape of a batch, and prepares them when they are wanted first.
fn shape<'a>(
    connection: &Connection,
    shapes: &'a mut Vec<Direct>,
    writes: &Writes<'_>,
) -> Result<&'a mut Direct> {
    let known = shapes.iter().position(|one| one.is_for(writes));
    let at = match known {
        Some(at) => at,
        None => {
            if shapes.len() >= SHAPES_MAX {
                shapes.clear();
            }
            shapes.push(Direct::prepare(connection, writes)?);
            shapes.len() - 1
        }
    };
    let direct = shapes.get_mut(at);
    direct.ok_or_else(|| Error::bug("a shape has no statements"))
}

impl Direct {
    fn is_for(&self, writes: &Writes<'_>) -> bool {
        let natives = writes.schema.fields.iter().map(|field| &field.native);
        self.collection == writes.schema.collection
            && self.fields == writes.fields
            && self.key == writes.key
            && natives.eq(self.natives.iter())
    }

    fn prepare(connection: &Connection, writes: &Writes<'_>) -> Result<Self> {
        let table = described(connection, &writes.schema.collection)?;
        table.agree(writes.schema)?;
        let columns: Option<Vec<Column>> = writes
            .fields
            .iter()
            .map(|&at| table.columns.get(at).cloned())
            .collect();
        let columns = columns
            .ok_or_else(|| Error::bug("a batch names a field that the schema does not have"))?;
        let mut direct = Self {
            collection: writes.schema.collection.clone(),
            natives: writes
                .schema
                .fields
                .iter()
                .map(|field| field.native.clone())
                .collect(),
            fields: writes.fields.to_vec(),
            key: writes.key.to_vec(),
            columns,
            whole: None,
            exact: false,
            amend: None,
            rekey: None,
        };
        direct.exact = direct.is_exact();
        if !direct.exact {
            return Ok(direct);
        }
        let prepare = |sql: &str| {
            let prepared = connection.wait(|client| client.prepare(sql))?;
            prepared.map_err(|foreign| error::translate(&foreign))
        };
        if table.has_arbiter(writes.fields, writes.key)
            && direct.columns.iter().any(|one| !one.always)
        {
            direct.whole = Some([
                prepare(&direct.puts(&table))?,
                prepare(&direct.removes(&table))?,
            ]);
        }
        Ok(direct)
    }

    /// Whether the server tells keys apart as we do, and no type changes a value without a word.
    fn is_exact(&self) -> bool {
        let mut key = self.key.iter().map(|&at| self.columns.get(at));
        let exact = |column: Option<&Column>| {
            column.is_some_and(|one| one.equality == Equality::Exact && !one.nullable)
        };
        !self.key.is_empty() && key.all(exact) && !self.columns.iter().any(|one| one.modified)
    }

    /// Prepares the change of a part of a record, unless it is.
    fn prepare_part(
        &mut self,
        connection: &Connection,
        collection: &str,
        rekeyed: bool,
    ) -> Result<()> {
        let known = if rekeyed { &self.rekey } else { &self.amend };
        if known.is_some() || !(0..self.columns.len()).any(|at| self.changes(at, rekeyed)) {
            return Ok(());
        }
        let table = described(connection, collection)?;
        let sql = self.amends(&table, rekeyed);
        let prepared = connection.wait(|client| client.prepare(&sql))?;
        let prepared = prepared.map_err(|foreign| error::translate(&foreign))?;
        let slot = if rekeyed {
            &mut self.rekey
        } else {
            &mut self.amend
        };
        *slot = Some(prepared);
        Ok(())
    }

    /// Whether a change of a part of a record sets the column at `at`. Numbers that are always the server's own stay.
    fn changes(&self, at: usize, rekeyed: bool) -> bool {
        let key = self.key.contains(&at);
        self.columns.get(at).is_some_and(|column| !column.always) && (rekeyed || !key)
    }

    /// Finds the record by its key, whose values are the parameters after `behind`.
    fn found(&self, behind: usize) -> String {
        let key = self.key.iter().enumerate();
        let found = key.filter_map(|(place, &at)| {
            let column = self.columns.get(at)?;
            Some(format!(
                "t.{} = {}",
                ident(&column.name),
                given(behind + place, column)
            ))
        });
        found.collect::<Vec<_>>().join(" AND ")
    }

    fn amends(&self, table: &Table, rekeyed: bool) -> String {
        let columns = self.columns.iter().enumerate();
        let changed = columns.filter(|(at, _)| self.changes(*at, rekeyed));
        let sets = changed.enumerate().map(|(place, (_, column))| {
            format!("{} = {}", ident(&column.name), given(place, column))
        });
        let sets: Vec<String> = sets.collect();
        let found = self.found(sets.len());
        format!(
            "UPDATE {} AS t SET {} WHERE {found}",
            table.sql_only(),
            sets.join(", ")
        )
    }

    fn removes(&self, table: &Table) -> String {
        format!(
            "DELETE FROM {} AS t WHERE {}",
            table.sql_only(),
            self.found(0)
        )
    }

    fn puts(&self, table: &Table) -> String {
        let names = idents(self.columns.iter().map(|column| column.name.as_str()));
        let values = self.columns.iter().enumerate();
        let values = values
            .map(|(at, column)| given(at, column))
            .collect::<Vec<_>>()
            .join(", ");
        let named = |at: &usize| Some(self.columns.get(*at)?.name.as_str());
        let key = idents(self.key.iter().filter_map(named));
        let others = self
            .columns
            .iter()
            .enumerate()
            .filter(|(at, column)| !self.key.contains(at) && !column.always);
        let others = others.map(|(_, column)| ident(&column.name));
        let sets = others
            .map(|name| format!("{name} = excluded.{name}"))
            .collect::<Vec<_>>();
        // Where there is nothing but the key, the record is found all the same: one that was touched is counted.
        let sets = if sets.is_empty() {
            let key = self.key.iter().filter_map(|&at| self.columns.get(at));
            let key = key.filter(|column| !column.always);
            key.map(|column| format!("{0} = excluded.{0}", ident(&column.name)))
                .collect()
        } else {
            sets
        };
        let overriding = if self.columns.iter().any(|column| column.always) {
            "OVERRIDING SYSTEM VALUE "
        } else {
            ""
        };
        format!(
            "INSERT INTO {} ({names}) {overriding}VALUES ({values}) ON CONFLICT ({key}) DO UPDATE SET {}",
            table.sql(),
            sets.join(", ")
        )
    }
}

/// A parameter in its column's type; modifiers and domains are left to the assignment.
fn given(at: usize, column: &Column) -> String {
    let number = at + 1;
    if column.wire == Wire::Cast {
        format!("${number}::text::{}", column.cast)
    } else {
        format!("${number}::{}", column.cast)
    }
}
