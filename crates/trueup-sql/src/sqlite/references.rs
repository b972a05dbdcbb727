//! Finds the records that refer to one that is to be removed, through a foreign key with an action of its own.
//!
//! `CASCADE`, `SET NULL` and `SET DEFAULT` delete and rewrite records that no plan holds. Where each write is decided on
//! what was seen, they are therefore treated as `RESTRICT`. `NO ACTION` and `RESTRICT` are left to SQLite.

use super::quote;
use rusqlite::{Connection, Statement};

/// A foreign key to the table, with an action on delete.
pub(super) struct Referencing<'c> {
    /// Finds a record that refers to the one with the bound key.
    pub(super) held: Statement<'c>,
    /// Why that one stays.
    pub(super) reason: String,
}

/// A foreign key as the catalogue has it.
struct Key {
    table: String,
    id: i64,
    action: String,
    /// The field there, and the one it refers to.
    pairs: Vec<(String, String)>,
}

/// Prepares the questions for a table; `key_is` makes the condition that finds a record of it under a name.
pub(super) fn prepare<'c>(
    connection: &'c Connection,
    collection: &str,
    key_is: impl Fn(&str) -> String,
) -> rusqlite::Result<Vec<Referencing<'c>>> {
    let question = |key: Key| {
        let pairs = key.pairs.iter().map(|(from, to)| {
            // In this order: the comparison takes collation and affinity from the record that is referred to.
            format!("t.{} = c.{}", quote(to), quote(from))
        });
        let mut conditions: Vec<String> = std::iter::once(key_is("t")).chain(pairs).collect();
        if key.table.eq_ignore_ascii_case(collection) {
            // A record that refers to itself goes with itself.
            conditions.push(format!("NOT ({})", key_is("c")));
        }
        let sql = format!(
            "SELECT 1 FROM {} AS t CROSS JOIN {} AS c WHERE {} LIMIT 1",
            quote(collection),
            quote(&key.table),
            conditions.join(" AND ")
        );
        let (table, action) = (key.table.escape_debug(), key.action);
        Ok(Referencing {
            held: connection.prepare(&sql)?,
            reason: format!("still referenced: table={table} on_delete={action}"),
        })
    };
    let keys = read(connection, collection)?;
    keys.into_iter().map(question).collect()
}

/// Reads the foreign keys to a table that have an action on delete.
fn read(connection: &Connection, collection: &str) -> rusqlite::Result<Vec<Key>> {
    let mut statement =
        connection.prepare("SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk")?;
    let primary = statement.query_map([collection], |row| row.get::<_, String>(0))?;
    let primary: Vec<String> = primary.collect::<rusqlite::Result<_>>()?;
    let mut statement = connection.prepare(
        "SELECT m.name, f.id, f.seq, f.\"from\", f.\"to\", f.on_delete \
         FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' \
         AND f.\"table\" = ?1 COLLATE NOCASE AND f.on_delete NOT IN ('NO ACTION', 'RESTRICT') \
         ORDER BY m.name, f.id, f.seq",
    )?;
    let mut rows = statement.query([collection])?;
    let mut keys: Vec<Key> = Vec::new();
    while let Some(row) = rows.next()? {
        let (table, id): (String, i64) = (row.get(0)?, row.get(1)?);
        let (seq, to): (u32, Option<String>) = (row.get(2)?, row.get(4)?);
        // Without a name it is the primary key that is meant. Where that does not fit, SQLite refuses any delete.
        let Some(to) = to.or_else(|| primary.get(seq as usize).cloned()) else {
            continue;
        };
        if keys
            .last()
            .is_none_or(|key| key.table != table || key.id != id)
        {
            keys.push(Key {
                table,
                id,
                action: row.get(5)?,
                pairs: Vec::new(),
            });
        }
        if let Some(key) = keys.last_mut() {
            key.pairs.push((row.get(3)?, to));
        }
    }
    Ok(keys)
}
