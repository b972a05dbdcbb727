//! Finds the records that refer to one that is to be removed, through a foreign key with an action of its own.
//!
//! `CASCADE` and `SET NULL` delete and rewrite records that no plan holds, and leave no trace in the server's log. Where
//! each write is decided on what was seen, they are therefore treated as `RESTRICT`. `NO ACTION` and `RESTRICT` are left
//! to the server.
//!
//! Invariant: asked after the record was locked (who is about to refer to it waits for that lock), and read as it stands
//! now and not as of the snapshot, the answer holds until the batch ends.

use super::quote::ident;
use super::schema::{Table, named};
use super::session::Connection;
use trueup_core::{Kind, Result};

/// The foreign keys to a table that have an action on delete.
#[derive(Debug, Default)]
pub(super) struct References {
    keys: Vec<Key>,
    table: String,
}

#[derive(Debug)]
struct Key {
    child: String,
    pairs: Vec<String>,
    own: bool,
    reason: String,
}

impl References {
    /// Reads them.
    pub(super) fn read(connection: &Connection, table: &Table) -> Result<Self> {
        let mut references = Self {
            keys: Vec::new(),
            table: table.sql(),
        };
        if table.schema.cascades.is_empty() {
            return Ok(references);
        }
        let sql = format!(
            "SELECT k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_COLUMN_NAME, \
             r.DELETE_RULE, k.TABLE_SCHEMA = DATABASE() \
             FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r \
             ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME \
             AND r.TABLE_NAME = k.TABLE_NAME \
             WHERE k.REFERENCED_TABLE_SCHEMA = DATABASE() AND {} \
             AND r.DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') \
             ORDER BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION",
            named("k.REFERENCED_TABLE_NAME", &table.schema.collection)
        );
        let mut last = String::new();
        for row in connection.query(&sql)? {
            let (database, name, constraint) = (row.text(0)?, row.text(1)?, row.text(2)?);
            let (action, here) = (row.text(5)?, row.text(6)? == "1");
            let child = format!("{}.{}", ident(&database), ident(&name));
            let this = format!("{child} {constraint}");
            if this != last {
                let shown = name.escape_debug();
                references.keys.push(Key {
                    child,
                    pairs: Vec::new(),
                    own: here && name == table.schema.collection,
                    reason: format!("still referenced: table={shown} on_delete={action}"),
                });
                last = this;
            }
            let pair = format!("t.{} = c.{}", ident(&row.text(4)?), ident(&row.text(3)?));
            if let Some(key) = references.keys.last_mut() {
                key.pairs.push(pair);
            }
        }
        Ok(references)
    }

    /// Tells what holds the record that `key` finds as `t`, and `own` as `c`.
    pub(super) fn held(
        &self,
        connection: &Connection,
        key: &str,
        own: &str,
    ) -> Result<Option<String>> {
        for reference in &self.keys {
            // A record that refers to itself goes with itself.
            let other = if reference.own {
                format!(" AND NOT ({own})")
            } else {
                String::new()
            };
            let sql = format!(
                "SELECT 1 FROM {} AS t JOIN {} AS c ON {} WHERE {key}{other} LIMIT 1 LOCK IN SHARE MODE",
                self.table,
                reference.child,
                reference.pairs.join(" AND ")
            );
            match connection.query(&sql) {
                Ok(rows) if rows.is_empty() => {}
                Ok(_) => return Ok(Some(reference.reason.clone())),
                // Who cannot look has to take it for granted.
                Err(error) if error.kind() == Kind::Auth => {
                    let reason = &reference.reason;
                    return Ok(Some(format!("{reason} (this user cannot read it)")));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
