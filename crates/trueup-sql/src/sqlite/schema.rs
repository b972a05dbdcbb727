//! Reads the catalogue.

use super::decl;
use super::error::translate;
use super::{quote, sieve};
use rusqlite::{Connection, OptionalExtension};
use trueup_core::Result;
use trueup_core::endpoint::Writes;
use trueup_core::schema::{Field, Holds, Reference, Schema};

/// The prefix of our own tables.
pub(super) const CONTROL_PREFIX: &str = "_trueup_";

/// Lists the ordinary tables: no views, no virtual tables or their shadows, nothing of SQLite's or ours.
pub(super) fn collections(connection: &Connection) -> Result<Vec<String>> {
    let list = || -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
             AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND substr(name, 1, 8) <> ?1 ORDER BY name",
        )?;
        let names = statement.query_map([CONTROL_PREFIX], |row| row.get(0))?;
        names.collect()
    };
    list().map_err(|cause| translate(cause, "list tables"))
}

/// Reads the shape of one table.
pub(super) fn read(connection: &Connection, collection: &str) -> Result<Option<Schema>> {
    read_table(connection, collection).map_err(|cause| {
        translate(
            cause,
            &format!("read the shape of table {}", quote(collection)),
        )
    })
}

fn read_table(connection: &Connection, collection: &str) -> rusqlite::Result<Option<Schema>> {
    let found = connection
        .query_row(
            "SELECT name, type, strict FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE",
            [collection],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?)),
        )
        .optional()?;
    let Some((name, kind, strict)) = found else {
        return Ok(None);
    };
    if kind != "table" || name.starts_with(CONTROL_PREFIX) {
        return Ok(None);
    }
    let mut schema = Schema {
        collection: name,
        ..Schema::default()
    };
    read_fields(connection, strict, &mut schema)?;
    read_uniques(connection, &mut schema)?;
    read_references(connection, &mut schema)?;
    read_cascades(connection, &mut schema)?;
    read_triggers(connection, &mut schema)?;
    Ok(Some(schema))
}

fn read_fields(connection: &Connection, strict: bool, schema: &mut Schema) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare("SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo(?1)")?;
    let mut rows = statement.query([&schema.collection])?;
    let mut key: Vec<(i64, usize)> = Vec::new();
    while let Some(row) = rows.next()? {
        let declared: String = row.get(1)?;
        // Of a generated column SQLite takes the words for a part of the type.
        let mut declared = match declared
            .to_ascii_uppercase()
            .strip_suffix("GENERATED ALWAYS")
        {
            Some(own) if row.get::<_, i64>(4)? >= 2 => own.trim().to_owned(),
            _ => declared,
        };
        let any = strict && declared.eq_ignore_ascii_case("ANY");
        if any {
            // Elsewhere than in a strict table the word makes numbers of texts that look like some.
            declared.clear();
        }
        let native = format!("sqlite:{}", declared.trim().to_ascii_uppercase());
        let mut field = Field::new(row.get::<_, String>(0)?, decl::type_of(&declared), native);
        field.nullable = row.get::<_, i64>(2)? == 0;
        field.generated = row.get::<_, i64>(4)? >= 2;
        field.sieve = sieve::of(field.ty);
        field.extremes = decl::extremes(field.ty, strict);
        if !strict || any {
            field.holds = Holds::Mixed;
        }
        let place: i64 = row.get(3)?;
        if place > 0 {
            key.push((place, schema.fields.len()));
        }
        schema.fields.push(field);
    }
    key.sort_unstable();
    schema.key = key.into_iter().map(|(_, index)| index).collect();
    Ok(())
}

fn read_uniques(connection: &Connection, schema: &mut Schema) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT name FROM pragma_index_list(?1) WHERE \"unique\" = 1 AND origin <> 'pk' AND partial = 0 ORDER BY seq",
    )?;
    let names = statement.query_map([&schema.collection], |row| row.get::<_, String>(0))?;
    for name in names {
        let mut statement =
            connection.prepare("SELECT name FROM pragma_index_info(?1) ORDER BY seqno")?;
        let columns = statement.query_map([name?], |row| row.get::<_, Option<String>>(0))?;
        let columns: Vec<Option<String>> = columns.collect::<rusqlite::Result<_>>()?;
        // An index over an expression has a column without a name; it is enforced, but is no key for us.
        let indices: Option<Vec<usize>> = columns
            .iter()
            .map(|name| name.as_deref().and_then(|name| schema.index_of(name)))
            .collect();
        schema.uniques.extend(indices);
    }
    Ok(())
}

fn read_references(connection: &Connection, schema: &mut Schema) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT id, \"table\", \"from\", on_delete FROM pragma_foreign_key_list(?1) ORDER BY id, seq",
    )?;
    let mut rows = statement.query([&schema.collection])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let (id, parent): (i64, String) = (row.get(0)?, row.get(1)?);
        let (from, on_delete): (String, String) = (row.get(2)?, row.get(3)?);
        if last != Some(id) {
            let cascades = !matches!(on_delete.as_str(), "NO ACTION" | "RESTRICT");
            schema.references.push(Reference {
                fields: Vec::new(),
                collection: parent,
                cascades,
            });
            last = Some(id);
        }
        let field = schema.index_of(&from);
        if let Some(reference) = schema.references.last_mut() {
            reference.fields.extend(field);
        }
    }
    Ok(())
}

/// Finds the tables whose foreign keys to this one have an action on delete.
fn read_cascades(connection: &Connection, schema: &mut Schema) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT DISTINCT m.name FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' \
         AND f.\"table\" = ?1 COLLATE NOCASE AND f.on_delete NOT IN ('NO ACTION', 'RESTRICT') ORDER BY m.name",
    )?;
    let names = statement.query_map([&schema.collection], |row| row.get(0))?;
    schema.cascades = names.collect::<rusqlite::Result<_>>()?;
    Ok(())
}

/// Tells whether records of a batch can be removed and inserted anew without anything else happening: they are
/// written whole, no trigger fires, and no reference to them has an action of its own. (A rowid that is no field is
/// nobody's: `VACUUM` changes it, too.)
pub(super) fn rewritable(connection: &Connection, writes: &Writes<'_>) -> rusqlite::Result<bool> {
    let Some(now) = read_table(connection, &writes.schema.collection)? else {
        return Ok(false);
    };
    let written = |name: &str| {
        let mut fields = writes.fields.iter();
        fields.any(|&field| writes.schema.fields[field].name == name)
    };
    if !now
        .fields
        .iter()
        .all(|field| field.generated || written(&field.name))
    {
        return Ok(false);
    }
    connection.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE) \
         AND NOT EXISTS (SELECT 1 FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' \
           AND f.\"table\" = ?1 COLLATE NOCASE AND f.on_delete NOT IN ('NO ACTION', 'RESTRICT'))",
        [&now.collection],
        |row| row.get(0),
    )
}

/// Tells whether a trigger of the table may fire.
pub(super) fn has_triggers(connection: &Connection, collection: &str) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE)",
        [collection],
        |row| row.get(0),
    )
}

fn read_triggers(connection: &Connection, schema: &mut Schema) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?1 ORDER BY name",
    )?;
    let names = statement.query_map([&schema.collection], |row| row.get::<_, String>(0))?;
    for name in names {
        schema
            .notes
            .push(format!("trigger {} fires on writes", name?));
    }
    Ok(())
}
