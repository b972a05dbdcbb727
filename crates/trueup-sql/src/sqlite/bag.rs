//! Removes single records of a bag, where no key finds them.
//!
//! Invariant: what is equal is what compare found equal: the rows are read as a scan reads them and handed to the
//! engine, never compared by SQLite, whose `=` follows collations and affinities. All of it happens under the file's
//! write lock, so a row that was found is there when it is removed. The price is one reading of the table, up to the
//! last row that is needed, for each batch with deletes.

use super::quote;
use super::scan::value_of;
use rusqlite::types::Value as Stored;
use rusqlite::{Connection, Statement};
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Bag, Op, Writes};
use trueup_core::removals::Removals;

/// What each row has that no other row has, unless a column takes the name.
const ROW_NAMES: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// The rows that the deletes of a batch remove.
pub(super) struct Rows<'c> {
    delete: Statement<'c>,
    /// By index in the batch: what finds the row.
    places: Vec<Option<Vec<Stored>>>,
}

impl<'c> Rows<'c> {
    /// Finds a row for each delete; `None` when there is none in the batch.
    pub(super) fn find(
        connection: &'c Connection,
        writes: &Writes<'_>,
        bag: &dyn Bag,
    ) -> rusqlite::Result<Option<Self>> {
        if !writes.ops.contains(&Op::Delete) {
            return Ok(None);
        }
        let table = quote(&writes.schema.collection);
        let fields: Vec<String> = writes
            .fields
            .iter()
            .map(|&field| quote(&writes.schema.fields[field].name))
            .collect();
        let (names, mut select) = by_row(connection, writes, &table, &fields)?;
        let found = names
            .iter()
            .enumerate()
            .map(|(at, name)| format!("{name} IS ?{}", at + 1));
        let found = found.collect::<Vec<_>>().join(" AND ");
        let delete = connection.prepare(&format!("DELETE FROM {table} WHERE {found}"))?;
        let mut removals = Removals::of(writes);
        let mut places = vec![None; writes.ops.len()];
        let mut current = Batch::new(fields.len());
        let mut rows = select.query([])?;
        while !removals.is_done() {
            let Some(row) = rows.next()? else { break };
            current.reset(fields.len());
            for column in 0..fields.len() {
                current.push(value_of(row.get_ref(names.len() + column)?));
            }
            let Some((_, index)) = removals.take(bag, current.record(0)) else {
                continue;
            };
            let place = (0..names.len()).map(|column| row.get::<_, Stored>(column));
            places[index] = Some(place.collect::<rusqlite::Result<_>>()?);
        }
        Ok(Some(Self { delete, places }))
    }

    /// Returns the statement that removes the row found for the delete at `index`, bound; `None` when none was found.
    pub(super) fn removal(&mut self, index: usize) -> rusqlite::Result<Option<&mut Statement<'c>>> {
        let Some(Some(place)) = self.places.get(index) else {
            return Ok(None);
        };
        for (at, value) in place.iter().enumerate() {
            self.delete.raw_bind_parameter(at + 1, value)?;
        }
        Ok(Some(&mut self.delete))
    }
}

/// Prepares reading all rows with what finds each of them again, and names that: the number of the row, or, in a table
/// without those, its key.
fn by_row<'c>(
    connection: &'c Connection,
    writes: &Writes<'_>,
    table: &str,
    fields: &[String],
) -> rusqlite::Result<(Vec<String>, Statement<'c>)> {
    let taken = |name: &str| {
        let mut fields = writes.schema.fields.iter();
        fields.any(|field| field.name.eq_ignore_ascii_case(name))
    };
    let select = |names: &[String]| {
        let list = names.iter().chain(fields).map(String::as_str);
        let list = list.collect::<Vec<_>>().join(", ");
        connection.prepare(&format!("SELECT {list} FROM {table}"))
    };
    let key: Vec<String> = writes.schema.key_names().into_iter().map(quote).collect();
    let number = ROW_NAMES.into_iter().find(|name| !taken(name));
    let number: Vec<String> = number.into_iter().map(str::to_owned).collect();
    match select(&number) {
        Ok(statement) if !number.is_empty() => Ok((number, statement)),
        Err(cause) if key.is_empty() => Err(cause),
        Ok(_) if key.is_empty() => Err(rusqlite::Error::InvalidColumnName("rowid".to_owned())),
        Ok(_) | Err(_) => select(&key).map(|statement| (key, statement)),
    }
}
