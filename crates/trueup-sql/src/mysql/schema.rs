//! Reads shapes from the catalogue.
//!
//! Invariant: a [`Table`] names exactly one table of the session's database, and its columns stand in the order of the
//! [`Schema`] made from it. Views and sequences are not collections: they have no key to agree on.

use super::quote::{self, ident};
use super::session::{Connection, Row};
use super::sieve;
use super::types::{self, Limit, Wire};
use trueup_core::schema::{Field, Reference, Schema};
use trueup_core::{Error, Kind, Result};

/// What the names of our control tables begin with.
pub(super) const CONTROL_PREFIX: &str = "_trueup_";
/// What our native types begin with, on MariaDB too.
pub(super) const NATIVE: &str = "mysql:";

/// What a column is beyond its [`Field`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) wire: Wire,
    pub(super) limit: Limit,
    pub(super) nullable: bool,
    pub(super) labels: Vec<String>,
    /// Whether its own order, and what it takes for equal, is that of the bytes.
    pub(super) bytewise: bool,
    /// Whether a text column compares by anything but the bytes, or pads blanks: different texts may be equal there.
    pub(super) folding: bool,
}

/// A table as the catalogue has it.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) schema: Schema,
    pub(super) columns: Vec<Column>,
    pub(super) engine: String,
    /// Whether triggers run when records are written.
    pub(super) triggers: bool,
}

impl Table {
    /// The table's name, quoted.
    pub(super) fn sql(&self) -> String {
        ident(&self.schema.collection)
    }

    /// Makes sure that `seen` is still this table's shape.
    ///
    /// # Errors
    /// `Stale` when a field is gone or has another type.
    pub(super) fn agree(&self, seen: &Schema) -> Result<()> {
        let mut pairs = seen.fields.iter().zip(&self.schema.fields);
        let same = seen.fields.len() == self.schema.fields.len()
            && pairs.all(|(a, b)| a.name == b.name && a.native == b.native);
        if same {
            return Ok(());
        }
        let name = self.schema.collection.escape_debug();
        Err(Error::new(
            Kind::Stale,
            format!("the collection's fields changed while it was in use: collection={name}"),
        )
        .hint("run again with the new shape"))
    }

    /// Makes sure that writes to it can be undone.
    ///
    /// # Errors
    /// `Config` when its storage engine knows no transactions.
    pub(super) fn transactional(&self) -> Result<()> {
        if self.engine.eq_ignore_ascii_case("InnoDB") {
            return Ok(());
        }
        let name = self.schema.collection.escape_debug();
        Err(Error::config(format!(
            "the collection cannot be written: collection={name} engine={}",
            self.engine.escape_debug()
        ))
        .hint("only InnoDB commits records and marker together; ALTER TABLE ... ENGINE=InnoDB, then run again"))
    }
}

/// Finds a collection that was there a moment ago.
pub(super) fn described(connection: &Connection, collection: &str) -> Result<Table> {
    describe(connection, collection)?.ok_or_else(|| {
        let name = collection.escape_debug();
        Error::config(format!("no such collection: collection={name}"))
            .hint("check its name, and that this user may read it")
    })
}

/// Lists the collections.
pub(super) fn collections(connection: &Connection) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
         AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND LEFT(TABLE_NAME, {}) <> '{CONTROL_PREFIX}' \
         ORDER BY CAST(TABLE_NAME AS BINARY)",
        CONTROL_PREFIX.len()
    );
    connection
        .query(&sql)?
        .iter()
        .map(|row| row.text(0))
        .collect()
}

/// The condition that finds a table, by the index and then exactly.
pub(super) fn named(column: &str, name: &str) -> String {
    let (text, bytes) = (quote::text(name), quote::bytes(name.as_bytes()));
    format!("{column} = {text} AND CAST({column} AS BINARY) = {bytes}")
}

/// Reads a table's shape; `None` when there is no collection of that name.
pub(super) fn describe(connection: &Connection, collection: &str) -> Result<Option<Table>> {
    let unfit = quote::check(collection, "collection").is_err();
    if unfit || collection.to_lowercase().starts_with(CONTROL_PREFIX) {
        return Ok(None);
    }
    let sql = format!(
        "SELECT TABLE_NAME, ENGINE, TABLE_TYPE FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND {}",
        named("TABLE_NAME", collection)
    );
    let rows = connection.query(&sql)?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let mut table = Table {
        schema: Schema {
            collection: row.text(0)?,
            ..Schema::default()
        },
        columns: Vec::new(),
        engine: row.maybe(1)?.unwrap_or_default(),
        triggers: false,
    };
    if table.transactional().is_err() {
        let engine = table.engine.escape_debug();
        table.schema.notes.push(format!(
            "WARNING: engine={engine} knows no snapshots: what is written while it is read is read in part; \
             it cannot be a target"
        ));
    }
    if row.text(2)? == "SYSTEM VERSIONED" {
        let note =
            "system versioned: only the present records are read; the server keeps the history";
        table.schema.notes.push(note.to_owned());
    }
    let json = json_columns(connection, collection)?;
    read_columns(connection, &mut table, &json)?;
    read_uniques(connection, &mut table)?;
    read_references(connection, &mut table)?;
    read_triggers(connection, &mut table)?;
    note_key(&mut table);
    Ok(Some(table))
}

/// MariaDB's JSON is a text with a check on it.
fn json_columns(connection: &Connection, collection: &str) -> Result<Vec<String>> {
    if !connection.server.mariadb {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS \
         WHERE CONSTRAINT_SCHEMA = DATABASE() AND {}",
        named("TABLE_NAME", collection)
    );
    let rows = connection.query(&sql)?;
    let clauses: Result<Vec<String>> = rows.iter().map(|row| row.text(0)).collect();
    Ok(clauses?
        .iter()
        .filter_map(|clause| json_column(clause))
        .collect())
}

/// The column of the check ``json_valid(`name`)``, which says nothing else.
pub(super) fn json_column(clause: &str) -> Option<String> {
    let name = clause.strip_prefix("json_valid(`")?.strip_suffix("`)")?;
    (!name.replace("``", "").contains('`')).then(|| name.replace("``", "`"))
}

fn read_columns(connection: &Connection, table: &mut Table, json: &[String]) -> Result<()> {
    let sql = format!(
        "SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COALESCE(GENERATION_EXPRESSION, ''), \
         COALESCE(CHARACTER_SET_NAME, ''), COALESCE(COLLATION_NAME, '') \
         FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND {} ORDER BY ORDINAL_POSITION",
        named("TABLE_NAME", &table.schema.collection)
    );
    for row in connection.query(&sql)? {
        let (name, declared) = (row.text(0)?, row.text(1)?);
        let native = types::native(&declared, json.contains(&name));
        let (nullable, generated) = (row.text(2)? == "YES", !row.text(3)?.is_empty());
        let (charset, collation) = (row.text(4)?, row.text(5)?);
        let textual = !charset.is_empty() && native.wire != Wire::Json;
        if native.wire == Wire::Spatial {
            let shown = name.escape_debug();
            let note = format!("field={shown} is carried in the server's own bytes");
            table.schema.notes.push(note);
        }
        table.schema.fields.push(Field {
            nullable,
            generated,
            extremes: types::extremes(&native),
            sieve: sieve::of(native.wire, types::is_bytewise(&collation)),
            ..Field::new(&name, native.ty, format!("{NATIVE}{}", native.name))
        });
        table.columns.push(Column {
            name,
            wire: native.wire,
            limit: native.limit,
            nullable,
            labels: native.labels,
            bytewise: types::is_bytewise(&collation),
            folding: textual && !types::is_bytewise(&collation),
        });
    }
    Ok(())
}

/// Gathers the columns of records that name the same index or constraint, which stand together.
fn grouped(rows: &[Row], table: &Table) -> Result<Vec<(String, Vec<Option<usize>>)>> {
    let mut groups: Vec<(String, Vec<Option<usize>>)> = Vec::new();
    for row in rows {
        let (name, column) = (row.text(0)?, row.maybe(1)?);
        let at = column.and_then(|column| {
            let mut columns = table.columns.iter();
            columns.position(|known| known.name == column)
        });
        match groups.last_mut() {
            Some((last, columns)) if *last == name => columns.push(at),
            _ => groups.push((name, vec![at])),
        }
    }
    Ok(groups)
}

fn read_uniques(connection: &Connection, table: &mut Table) -> Result<()> {
    // An index on the beginning of a text, or on an expression, says nothing about whole values.
    let sql = format!(
        "SELECT INDEX_NAME, IF(SUB_PART IS NULL, COLUMN_NAME, NULL) FROM information_schema.STATISTICS \
         WHERE TABLE_SCHEMA = DATABASE() AND NON_UNIQUE = 0 AND {} \
         ORDER BY INDEX_NAME = 'PRIMARY' DESC, CAST(INDEX_NAME AS BINARY), SEQ_IN_INDEX",
        named("TABLE_NAME", &table.schema.collection)
    );
    let rows = connection.query(&sql)?;
    for (name, columns) in grouped(&rows, table)? {
        let Some(columns) = columns.into_iter().collect::<Option<Vec<usize>>>() else {
            continue;
        };
        if name == "PRIMARY" {
            table.schema.key = columns;
        } else {
            table.schema.uniques.push(columns);
        }
    }
    Ok(())
}

fn read_references(connection: &Connection, table: &mut Table) -> Result<()> {
    let name = &table.schema.collection;
    let sql = format!(
        "SELECT k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_NAME, \
         r.DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') OR r.UPDATE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') \
         FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r \
         ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME \
         AND r.TABLE_NAME = k.TABLE_NAME \
         WHERE k.TABLE_SCHEMA = DATABASE() AND k.REFERENCED_TABLE_SCHEMA = DATABASE() AND {} \
         ORDER BY CAST(k.CONSTRAINT_NAME AS BINARY), k.ORDINAL_POSITION",
        named("k.TABLE_NAME", name)
    );
    let rows = connection.query(&sql)?;
    for (constraint, columns) in grouped(&rows, table)? {
        let of = rows
            .iter()
            .find(|row| row.text(0).is_ok_and(|name| name == constraint));
        if let (Some(row), Some(fields)) = (of, columns.into_iter().collect::<Option<Vec<usize>>>())
        {
            table.schema.references.push(Reference {
                fields,
                collection: row.text(2)?,
                cascades: row.text(3)? == "1",
            });
        }
    }
    let sql = format!(
        "SELECT DISTINCT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_SCHEMA = DATABASE() \
         FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE UNIQUE_CONSTRAINT_SCHEMA = DATABASE() \
         AND DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') AND {} ORDER BY 1, 2",
        named("REFERENCED_TABLE_NAME", name)
    );
    for row in connection.query(&sql)? {
        let (database, name) = (row.text(0)?, row.text(1)?);
        let here = row.text(2)? == "1";
        let cascading = if here {
            name
        } else {
            format!("{database}.{name}")
        };
        table.schema.cascades.push(cascading);
    }
    Ok(())
}

fn read_triggers(connection: &Connection, table: &mut Table) -> Result<()> {
    let sql = format!(
        "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS \
         WHERE EVENT_OBJECT_SCHEMA = DATABASE() AND {} ORDER BY CAST(TRIGGER_NAME AS BINARY)",
        named("EVENT_OBJECT_TABLE", &table.schema.collection)
    );
    let rows = connection.query(&sql)?;
    let names: Result<Vec<String>> = rows.iter().map(|row| row.text(0)).collect();
    let names = names?;
    table.triggers = !names.is_empty();
    if table.triggers {
        let shown: Vec<String> = names
            .iter()
            .map(|name| name.escape_debug().to_string())
            .collect();
        let note = format!(
            "triggers will fire when it is written: {}",
            shown.join(", ")
        );
        table.schema.notes.push(note);
    }
    Ok(())
}

/// Says what a reader should know about the key, or the lack of one.
fn note_key(table: &mut Table) {
    let never_null = |columns: &&Vec<usize>| {
        let mut columns = columns.iter();
        columns.all(|&at| table.columns.get(at).is_some_and(|column| !column.nullable))
    };
    let usable = table.schema.uniques.iter().find(never_null);
    if let Some(unique) = usable.filter(|_| table.schema.key.is_empty()) {
        let names = unique.iter().filter_map(|&at| table.columns.get(at));
        let names = names.map(|column| column.name.escape_debug().to_string());
        let names = names.collect::<Vec<_>>().join(",");
        table.schema.notes.push(format!(
            "no primary key; fields={names} are unique and never null, and could be named as the key"
        ));
    }
    let folding: Vec<String> = table
        .schema
        .key
        .iter()
        .filter_map(|&at| table.columns.get(at))
        .filter(|column| column.folding)
        .map(|column| column.name.escape_debug().to_string())
        .collect();
    if !folding.is_empty() {
        table.schema.notes.push(format!(
            "the key takes different texts for one (case, accents or blanks at the end): fields={}; \
             a record whose key is taken in this way is parked, never merged",
            folding.join(",")
        ));
    }
}
