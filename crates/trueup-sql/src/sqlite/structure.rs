//! Reads what a table has besides its columns and key.
//!
//! What the pragmas say is taken from them; the rest from the statement that created the table ([`ddl`]). A key that is a
//! whole number counts up by itself here, declared or not.

use super::ddl;
use super::error::translate;
use super::schema::{CONTROL_PREFIX, read};
use crate::definition::{default_of, unwrapped};
use rusqlite::{Connection, OptionalExtension};
use trueup_core::Result;
use trueup_core::schema::Schema;
use trueup_core::structure::{
    Check, DefaultValue, Extras, ForeignKey, Generated, Identity, Index, IndexField, Literal, Lost,
    Rule, Structure,
};

/// In whose words texts are.
pub(super) const ENGINE: &str = "sqlite";
/// The present time as instants are spelled here: SQLite's own word for it says no zone.
pub(super) const NOW: &str = "strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')";

/// Reads the structure of `collection`.
pub(super) fn structure(connection: &Connection, collection: &str) -> Result<Structure> {
    let Some(schema) = read(connection, collection)? else {
        return Ok(Structure::default());
    };
    read_all(connection, &schema).map_err(|cause| translate(cause, "read the structure of a table"))
}

fn read_all(connection: &Connection, schema: &Schema) -> rusqlite::Result<Structure> {
    let name = &schema.collection;
    let mut out = Structure {
        engine: ENGINE,
        collection: name.clone(),
        ..Structure::default()
    };
    let (sql, strict, rowless) = connection.query_row(
        "SELECT m.sql, t.strict, t.wr FROM sqlite_master m JOIN pragma_table_list t ON t.name = m.name \
         WHERE m.type = 'table' AND t.schema = 'main' AND m.name = ?1",
        [name],
        |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?, row.get::<_, bool>(2)?)),
    )?;
    let said = ddl::table(&sql);
    if strict {
        out.lose("strict", name, "what a field may hold is not enforced");
    }
    if rowless {
        let why = "its records are kept apart from its key's index";
        out.lost.push(Lost::new("without rowid", name.clone(), why));
    }
    for (field, what) in &said.conflicts {
        let why = format!("it says {what}; here a write that breaks it is refused");
        out.lose("conflict clause", field, &why);
    }
    for (field, collation) in &said.collations {
        let why = format!("it is {collation}, and texts are compared by their bytes");
        out.lose("collation", field, &why);
    }
    read_fields(connection, schema, &said, rowless, &mut out)?;
    read_indexes(connection, &mut out)?;
    read_references(connection, &said, &mut out)?;
    let checks = said.checks.into_iter().map(|check| Check {
        name: check.name,
        expression: check.expression,
    });
    out.checks = checks.collect();
    let mut triggers = connection.prepare(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE ORDER BY name",
    )?;
    for trigger in triggers.query_map([name], |row| row.get::<_, String>(0))? {
        out.lose("trigger", &trigger?, "write it anew where it is needed");
    }
    Ok(out)
}

fn read_fields(
    connection: &Connection,
    schema: &Schema,
    said: &ddl::Table,
    rowless: bool,
    out: &mut Structure,
) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare("SELECT name, type, dflt_value FROM pragma_table_xinfo(?1)")?;
    let mut rows = statement.query([&schema.collection])?;
    while let Some(row) = rows.next()? {
        let (field, declared): (String, String) = (row.get(0)?, row.get(1)?);
        let default: Option<String> = row.get(2)?;
        let Some(known) = schema.fields.iter().find(|known| known.name == field) else {
            continue;
        };
        let generated = said.generated.iter().find(|(name, _, _)| *name == field);
        let alone = schema.key_names() == [field.as_str()];
        let mut extras = Extras {
            field,
            ..Extras::default()
        };
        if let Some((_, expression, stored)) = generated.filter(|_| known.generated) {
            extras.generated = Some(Generated {
                expression: expression.clone(),
                stored: *stored,
            });
        } else if alone && !rowless && declared.eq_ignore_ascii_case("integer") {
            extras.identity = Some(Identity {
                always: false,
                implied: !said.autoincrement,
                increment: 1,
                next: next(connection, &schema.collection, said.autoincrement)?,
            });
        } else if let Some(text) = default {
            let text = ddl::uncommented(&text);
            extras.default = match (unwrapped(&text), ddl::text_default(&text)) {
                (NOW, _) => Some(DefaultValue::Now),
                (_, Some(text)) => Some(DefaultValue::Literal(Literal::Text(text))),
                _ => default_of(&text, known.ty, false),
            };
        }
        out.fields.push(extras);
    }
    Ok(())
}

fn next(connection: &Connection, table: &str, kept: bool) -> rusqlite::Result<Option<i128>> {
    if !kept {
        return Ok(None);
    }
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
    let last: Option<i64> = connection
        .query_row(sql, [table], |row| row.get(0))
        .optional()?;
    Ok(last.map(|last| i128::from(last) + 1))
}

fn read_indexes(connection: &Connection, out: &mut Structure) -> rusqlite::Result<()> {
    let mut list = connection.prepare(
        "SELECT l.name, l.\"unique\", l.origin, l.partial, m.sql FROM pragma_index_list(?1) l \
         LEFT JOIN sqlite_master m ON m.type = 'index' AND m.name = l.name WHERE l.origin <> 'pk' ORDER BY l.seq DESC",
    )?;
    let mut rows = list.query([&out.collection])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let declared = row.get::<_, String>(2)? == "u";
        let (partial, sql): (bool, Option<String>) = (row.get(3)?, row.get(4)?);
        let mut index = Index {
            unique: row.get(1)?,
            constraint: declared,
            beyond: partial.then(|| "it is on some of the records only".to_owned()),
            ..Index::default()
        };
        let mut columns = connection.prepare(
            "SELECT name, \"desc\", coll FROM pragma_index_xinfo(?1) WHERE \"key\" ORDER BY seqno",
        )?;
        let mut columns = columns.query([&name])?;
        while let Some(column) = columns.next()? {
            let collation: Option<String> = column.get(2)?;
            match column.get::<_, Option<String>>(0)? {
                Some(field) => index.fields.push(IndexField {
                    descending: column.get(1)?,
                    ..IndexField::of(field)
                }),
                None => index.beyond = Some("it is on an expression".to_owned()),
            }
            if collation.is_some_and(|collation| collation != "BINARY") {
                index.beyond = Some("it has a collation of its own".to_owned());
            }
        }
        if index.beyond.is_some() {
            index.fields.clear();
            index.verbatim = sql.as_deref().and_then(ddl::index_tail);
        }
        index.name = (!declared).then_some(name);
        out.indexes.push(index);
    }
    Ok(())
}

/// The last one declared comes first.
fn read_references(
    connection: &Connection,
    said: &ddl::Table,
    out: &mut Structure,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete FROM pragma_foreign_key_list(?1) ORDER BY id DESC, seq",
    )?;
    let mut rows = statement.query([&out.collection])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        if last != Some(id) {
            last = Some(id);
            let parent: String = row.get(1)?;
            out.references.push(ForeignKey {
                collection: parent,
                on_update: Rule::of_sql(&row.get::<_, String>(4)?),
                on_delete: Rule::of_sql(&row.get::<_, String>(5)?),
                ..ForeignKey::default()
            });
        }
        if let Some(key) = out.references.last_mut() {
            key.fields.push(row.get(2)?);
            key.referred.extend(row.get::<_, Option<String>>(3)?);
        }
    }
    for key in &mut out.references {
        if let Some(parent) = read(connection, &key.collection).ok().flatten() {
            if key.referred.is_empty() {
                key.referred = parent.key_names().into_iter().map(str::to_owned).collect();
            }
            for referred in &mut key.referred {
                let of_parent = parent.fields.iter().map(|field| &field.name);
                let known = { of_parent }.find(|name| name.eq_ignore_ascii_case(referred));
                if let Some(known) = known {
                    referred.clone_from(known);
                }
            }
            key.collection = parent.collection;
        }
    }
    if said.references.len() == out.references.len() {
        for (key, said) in out.references.iter_mut().zip(&said.references) {
            (key.name, key.deferrable) = (said.name.clone(), said.deferrable);
        }
    }
    Ok(())
}

/// Lists what is no table, and that no link carries.
pub(super) fn apart(connection: &Connection) -> Result<Vec<Lost>> {
    let list = || -> rusqlite::Result<Vec<Lost>> {
        let mut statement = connection.prepare(
            "SELECT type, name FROM pragma_table_list WHERE schema = 'main' AND type IN ('view', 'virtual') \
             AND substr(name, 1, 8) <> ?1 ORDER BY type, name",
        )?;
        let lost = statement.query_map([CONTROL_PREFIX], |row| {
            let kind: String = row.get(0)?;
            let kind = if kind == "view" {
                "view"
            } else {
                "virtual table"
            };
            let name = row.get::<_, String>(1)?;
            Ok(Lost::new(kind, name, "write it anew where it is needed"))
        })?;
        lost.collect()
    };
    list().map_err(|cause| translate(cause, "list views"))
}
