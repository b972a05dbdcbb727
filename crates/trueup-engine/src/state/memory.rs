//! A store without a file, and copies of a store: for tests that put a state back.
//!
//! What is in memory has no lock: a link is still run once at a time in one store, but a copy knows nothing of the
//! store it was made of, which is what makes it a backup.

use super::change::Attempt;
use super::{Store, schema};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::path::{Path, PathBuf};
use trueup_core::{Error, Result};

/// What errors call a store that has no file.
const NAME: &str = ":memory:";

impl Store {
    /// Makes a store that lives in memory: no file, no lock.
    ///
    /// # Errors
    /// `Bug` without an incarnation id.
    pub fn in_memory(incarnation: &str) -> Result<Self> {
        if incarnation.is_empty() {
            return Err(Error::bug("a state store needs an incarnation id"));
        }
        Ok(Self {
            connection: schema::in_memory(Path::new(NAME), incarnation)?,
            path: PathBuf::from(NAME),
            file: None,
            incarnation: incarnation.to_owned(),
            under_way: Vec::new(),
            relaxed: None,
        })
    }

    /// Makes an independent copy, in memory, of everything that is committed: what a backup of the file would hold.
    ///
    /// No run is under way in the copy; one that is here reads there as a run whose process died.
    pub fn copy(&self) -> Result<Self> {
        let copy = Self::in_memory(&self.incarnation)?;
        copy_rows(&self.connection, &copy.connection)
            .map_err(|failure| failure.told(&self.path, "copy it"))?;
        Ok(copy)
    }
}

fn copy_rows(from: &Connection, into: &Connection) -> Attempt<()> {
    // One read transaction: another process may be writing.
    let from = from.unchecked_transaction()?;
    into.pragma_update(None, "foreign_keys", false)?;
    let into_all = into.unchecked_transaction()?;
    let tables: Vec<String> = from
        .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name = 'sqlite_sequence'",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for table in tables {
        copy_table(&from, &into_all, &table)?;
    }
    into_all.commit()?;
    into.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

fn copy_table(from: &Connection, into: &Connection, table: &str) -> Attempt<()> {
    into.execute(&format!("DELETE FROM {table}"), [])?;
    let mut read = from.prepare(&format!("SELECT * FROM {table}"))?;
    let width = read.column_count();
    let places = vec!["?"; width].join(", ");
    let mut write = into.prepare(&format!("INSERT INTO {table} VALUES ({places})"))?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let values: Vec<Value> = (0..width)
            .map(|column| row.get(column))
            .collect::<rusqlite::Result<_>>()?;
        write.execute(params_from_iter(values))?;
    }
    Ok(())
}
