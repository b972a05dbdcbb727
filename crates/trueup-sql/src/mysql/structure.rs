//! Reads what a table has besides its columns and key from the catalogue.
//!
//! MariaDB quotes a default that is a text and leaves an expression as it is; MySQL does it the other way round and marks
//! expressions. An index that the server made for a foreign key cannot be told from one that somebody made, and is
//! carried.

use super::quote;
use super::schema::named;
use super::session::{Connection, Row};
use super::types;
use crate::definition::default_of;
use trueup_core::Result;
use trueup_core::structure::{
    Check, DefaultValue, Extras, ForeignKey, Generated, Identity, Index, IndexField, Literal, Lost,
    Rule, Structure,
};

/// In whose words texts are, MariaDB's too.
pub(super) const ENGINE: &str = "mysql";
/// What a timestamp without a default is given when it is created here, so that it does not fill itself.
pub(super) const NO_TIME: &str = "1970-01-01 00:00:01";

/// Reads the structure of `collection`.
pub(super) fn structure(connection: &Connection, collection: &str) -> Result<Structure> {
    let sql = format!(
        "SELECT TABLE_NAME, TABLE_COMMENT, AUTO_INCREMENT, COALESCE(CREATE_OPTIONS, ''), TABLE_TYPE FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = DATABASE() AND {}",
        named("TABLE_NAME", collection)
    );
    let rows = connection.query(&sql)?;
    let Some(row) = rows.first() else {
        return Ok(Structure::default());
    };
    let mut out = Structure {
        engine: ENGINE,
        collection: row.text(0)?,
        comment: row.maybe(1)?.filter(|text| !text.is_empty()),
        ..Structure::default()
    };
    let next = row.maybe(2)?.and_then(|text| text.parse().ok());
    if row.text(3)?.contains("partitioned") {
        lose(
            &mut out,
            "partitions",
            collection,
            "all its records go into one table",
        );
    }
    if row.text(4)? == "SYSTEM VERSIONED" {
        lose(
            &mut out,
            "history",
            collection,
            "only present records are carried",
        );
    }
    read_fields(connection, next, &mut out)?;
    read_indexes(connection, &mut out)?;
    read_references(connection, &mut out)?;
    read_checks(connection, &mut out)?;
    let sql = format!(
        "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = DATABASE() AND {} ORDER BY 1",
        named("EVENT_OBJECT_TABLE", collection)
    );
    for row in connection.query(&sql)? {
        lose(
            &mut out,
            "trigger",
            &row.text(0)?,
            "write it anew where it is needed",
        );
    }
    Ok(out)
}

fn lose(out: &mut Structure, kind: &str, name: &str, why: &str) {
    let name = format!("{}.{name}", out.collection);
    out.lost.push(Lost::new(kind, name, why));
}

fn read_fields(connection: &Connection, next: Option<i128>, out: &mut Structure) -> Result<()> {
    let sql = format!(
        "SELECT COLUMN_NAME, COLUMN_DEFAULT, EXTRA, COALESCE(GENERATION_EXPRESSION, ''), COLUMN_COMMENT, COLUMN_TYPE \
         FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND {} ORDER BY ORDINAL_POSITION",
        named("TABLE_NAME", &out.collection)
    );
    for row in connection.query(&sql)? {
        let (field, extra) = (row.text(0)?, row.text(2)?.to_lowercase());
        let expression = row.text(3)?;
        let mut extras = Extras {
            comment: Some(row.text(4)?).filter(|text| !text.is_empty()),
            field,
            ..Extras::default()
        };
        if extra.contains("auto_increment") {
            extras.identity = Some(Identity {
                always: false,
                implied: false,
                increment: 1,
                next,
            });
        } else if !expression.is_empty() {
            extras.generated = Some(Generated {
                expression,
                stored: !extra.contains("virtual"),
            });
        } else {
            extras.default = default(connection, &row, &extra)?;
        }
        if extra.contains("on update") {
            let why = "the time of a change is written by who changes it";
            lose(out, "on update", &extras.field, why);
        }
        out.fields.push(extras);
    }
    Ok(())
}

fn default(connection: &Connection, row: &Row, extra: &str) -> Result<Option<DefaultValue>> {
    let (Some(text), declared) = (row.maybe(1)?, row.text(5)?) else {
        return Ok(None);
    };
    let ty = types::native(&declared, false).ty;
    let as_is = !connection.server.mariadb
        && !extra.contains("default_generated")
        && !text.to_lowercase().starts_with("current_timestamp");
    let default = if as_is {
        Some(DefaultValue::Literal(Literal::Text(text)))
    } else {
        default_of(&text, ty, true)
    };
    let filled = |default: &DefaultValue| match default {
        DefaultValue::Literal(Literal::Text(text)) => {
            declared.starts_with("timestamp") && text.starts_with(NO_TIME)
        }
        _ => false,
    };
    Ok(default.filter(|default| !filled(default)))
}

fn read_indexes(connection: &Connection, out: &mut Structure) -> Result<()> {
    let sql = format!(
        "SELECT INDEX_NAME, COLUMN_NAME, NON_UNIQUE, SUB_PART, COALESCE(COLLATION, 'A'), INDEX_TYPE \
         FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND INDEX_NAME <> 'PRIMARY' AND {} \
         ORDER BY CAST(INDEX_NAME AS BINARY), SEQ_IN_INDEX",
        named("TABLE_NAME", &out.collection)
    );
    for row in connection.query(&sql)? {
        let (name, column, method) = (row.text(0)?, row.maybe(1)?, row.text(5)?);
        if out
            .indexes
            .last()
            .is_none_or(|last| last.name.as_ref() != Some(&name))
        {
            let ordinary = method == "BTREE" || method == "HASH";
            let unique = row.text(2)? == "0";
            out.indexes.push(Index {
                name: Some(name),
                unique,
                constraint: unique,
                verbatim: (!ordinary).then(|| method.clone()),
                beyond: (!ordinary).then(|| format!("its method is {method}")),
                ..Index::default()
            });
        }
        let Some(index) = out.indexes.last_mut() else {
            continue;
        };
        match column {
            Some(column) => index.fields.push(IndexField {
                descending: row.text(4)? == "D",
                prefix: row.maybe(3)?.and_then(|text| text.parse().ok()),
                ..IndexField::of(column)
            }),
            None => index.beyond = Some("it is on an expression".to_owned()),
        }
    }
    Ok(())
}

fn read_references(connection: &Connection, out: &mut Structure) -> Result<()> {
    let sql = format!(
        "SELECT k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME, r.DELETE_RULE, \
         r.UPDATE_RULE, k.REFERENCED_TABLE_SCHEMA = DATABASE() \
         FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r \
         ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME \
         WHERE k.TABLE_SCHEMA = DATABASE() AND k.REFERENCED_TABLE_NAME IS NOT NULL AND {} \
         ORDER BY CAST(k.CONSTRAINT_NAME AS BINARY), k.ORDINAL_POSITION",
        named("k.TABLE_NAME", &out.collection)
    );
    for row in connection.query(&sql)? {
        let name = row.text(0)?;
        if row.text(6)? != "1" {
            lose(out, "foreign key", &name, "it refers to another database");
            continue;
        }
        if out
            .references
            .last()
            .is_none_or(|last| last.name.as_ref() != Some(&name))
        {
            out.references.push(ForeignKey {
                name: Some(name),
                collection: row.text(2)?,
                on_delete: Rule::of_sql(&row.text(4)?),
                on_update: Rule::of_sql(&row.text(5)?),
                ..ForeignKey::default()
            });
        }
        if let Some(key) = out.references.last_mut() {
            key.fields.push(row.text(1)?);
            key.referred.push(row.text(3)?);
        }
    }
    Ok(())
}

fn read_checks(connection: &Connection, out: &mut Structure) -> Result<()> {
    let table = named("c.TABLE_NAME", &out.collection);
    // MySQL's view names no table.
    let sql = if connection.server.mariadb {
        format!(
            "SELECT c.CONSTRAINT_NAME, c.CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS c \
             WHERE c.CONSTRAINT_SCHEMA = DATABASE() AND {table} ORDER BY 1"
        )
    } else {
        format!(
            "SELECT k.CONSTRAINT_NAME, k.CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS k \
             JOIN information_schema.TABLE_CONSTRAINTS c ON c.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA \
             AND c.CONSTRAINT_NAME = k.CONSTRAINT_NAME WHERE k.CONSTRAINT_SCHEMA = DATABASE() AND {table} ORDER BY 1"
        )
    };
    for row in connection.query(&sql)? {
        let (name, expression) = (row.text(0)?, row.text(1)?);
        // MariaDB's way to say that a field holds JSON.
        if !expression.starts_with("json_valid(") {
            out.checks.push(Check {
                name: Some(name),
                expression,
            });
        }
    }
    Ok(())
}

/// Lists what belongs to no table, and that no link carries.
pub(super) fn apart(connection: &Connection) -> Result<Vec<Lost>> {
    let again = quote::text("write it anew where it is needed");
    let rows = connection.query(&format!(
        "SELECT LOWER(TABLE_TYPE), TABLE_NAME, {again} FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('VIEW', 'SEQUENCE') \
         UNION ALL SELECT LOWER(ROUTINE_TYPE), ROUTINE_NAME, {again} FROM information_schema.ROUTINES \
         WHERE ROUTINE_SCHEMA = DATABASE() \
         UNION ALL SELECT 'event', EVENT_NAME, {again} FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() \
         ORDER BY 1, 2"
    ))?;
    let lost = rows
        .iter()
        .map(|row| Ok(Lost::new(&row.text(0)?, row.text(1)?, row.text(2)?)));
    lost.collect()
}
