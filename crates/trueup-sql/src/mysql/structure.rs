//! Reads what a table has besides its columns and key from the catalogue.
//!
//! MariaDB quotes a default that is a text and leaves an expression as it is; MySQL does it the other way round and marks
//! expressions. An index that the server made for a foreign key cannot be told from one that somebody made, and is
//! carried.

use super::quote;
use super::schema::{json_column, named};
use super::session::{Connection, Row};
use super::types;
use crate::definition::{default_of, literal};
use std::collections::{BTreeMap, BTreeSet};
use trueup_core::Result;
use trueup_core::structure::{
    Check, DefaultValue, Extras, ForeignKey, Generated, Identity, Index, IndexField, Literal, Lost,
    Rule, Structure,
};
use trueup_core::types::Type;

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
        out.lose(
            "partitions",
            collection,
            "all its records go into one table",
        );
    }
    if row.text(4)? == "SYSTEM VERSIONED" {
        out.lose("history", collection, "only present records are carried");
    }
    let json = read_fields(connection, next, &mut out)?;
    read_indexes(connection, &mut out)?;
    read_references(connection, &mut out)?;
    read_checks(connection, &json, &mut out)?;
    let sql = format!(
        "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = DATABASE() AND {} ORDER BY 1",
        named("EVENT_OBJECT_TABLE", collection)
    );
    for row in connection.query(&sql)? {
        out.lose("trigger", &row.text(0)?, "write it anew where it is needed");
    }
    Ok(out)
}

/// Reads what fields have, and returns which can hold MariaDB's JSON.
fn read_fields(
    connection: &Connection,
    next: Option<i128>,
    out: &mut Structure,
) -> Result<BTreeSet<String>> {
    let sql = format!(
        "SELECT COLUMN_NAME, COLUMN_DEFAULT, EXTRA, COALESCE(GENERATION_EXPRESSION, ''), COLUMN_COMMENT, COLUMN_TYPE, \
         COALESCE(COLLATION_NAME, '') FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND {} ORDER BY ORDINAL_POSITION",
        named("TABLE_NAME", &out.collection)
    );
    let mut collations: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut json = BTreeSet::new();
    for row in connection.query(&sql)? {
        let (field, extra) = (row.text(0)?, row.text(2)?.to_lowercase());
        let expression = said(connection, row.text(3)?);
        let collation = row.text(6)?;
        if types::native(&row.text(5)?, true).ty == Type::Json {
            json.insert(field.clone());
        } else if !collation.is_empty() && !collation.ends_with("_bin") {
            let fields = collations.entry(collation).or_default();
            fields.push(field.clone());
        }
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
            out.lose("on update", &extras.field, why);
        }
        out.fields.push(extras);
    }
    for (collation, fields) in collations {
        let why =
            "texts that it takes for one are different where they are compared by their bytes";
        out.lose(
            "collation",
            &fields.join(", "),
            format!("{collation}: {why}"),
        );
    }
    Ok(json)
}

/// What the server says of an expression. MySQL's views have it as it would stand in a text, MariaDB's as it is.
fn said(connection: &Connection, text: String) -> String {
    if connection.server.mariadb {
        text
    } else {
        unescaped(&text)
    }
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, chars.clone().next()) {
            ('\\', Some(escaped)) => {
                chars.next();
                out.push(match escaped {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    '0' => '\0',
                    'Z' => '\u{1a}',
                    other => other,
                });
            }
            _ => out.push(c),
        }
    }
    out
}

/// A number that is written in bits: `b'101'`.
fn bits(text: &str) -> Option<DefaultValue> {
    let digits = text.strip_prefix("b'")?.strip_suffix('\'')?;
    let number = u64::from_str_radix(digits, 2).ok()?;
    Some(DefaultValue::Literal(Literal::Number(number.to_string())))
}

fn default(connection: &Connection, row: &Row, extra: &str) -> Result<Option<DefaultValue>> {
    let (Some(text), declared) = (row.maybe(1)?, row.text(5)?) else {
        return Ok(None);
    };
    let ty = types::native(&declared, false).ty;
    let as_is = !connection.server.mariadb
        && !extra.contains("default_generated")
        && !text.to_lowercase().starts_with("current_timestamp");
    let number = bits(&text).filter(|_| declared.starts_with("bit"));
    let default = if number.is_some() {
        number
    } else if as_is {
        Some(DefaultValue::Literal(Literal::Text(text)))
    } else {
        let text = said(connection, text);
        // MySQL names the character set of a text in front of it.
        let bare = text
            .strip_prefix("_utf8mb4")
            .filter(|rest| literal(rest, true).is_some());
        default_of(bare.unwrap_or(&text), ty, true)
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
    read_parsers(connection, out)
}

/// Only the statement that creates the table says how an index takes texts apart.
fn read_parsers(connection: &Connection, out: &mut Structure) -> Result<()> {
    let full = |index: &Index| index.verbatim.as_deref() == Some("FULLTEXT");
    if !out.indexes.iter().any(full) {
        return Ok(());
    }
    let table = quote::ident(&out.collection);
    let statement = connection.one(&format!("SHOW CREATE TABLE {table}"))?;
    let statement = statement.text(1)?;
    let names = out.indexes.iter().filter(|index| full(index));
    let names: Vec<String> = names.filter_map(|index| index.name.clone()).collect();
    for name in names {
        let start = format!("FULLTEXT KEY {} ", quote::ident(&name));
        let mut lines = statement.lines().map(str::trim_start);
        if lines.any(|line| line.starts_with(&start) && line.contains("WITH PARSER")) {
            out.lose("parser", &name, "the server's own is used");
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
            out.lose("foreign key", &name, "it refers to another database");
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

fn read_checks(
    connection: &Connection,
    json: &BTreeSet<String>,
    out: &mut Structure,
) -> Result<()> {
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
        let (name, expression) = (row.text(0)?, said(connection, row.text(1)?));
        // MariaDB's way to say that a field holds JSON, and nothing else.
        let field = json_column(&expression).filter(|_| connection.server.mariadb);
        if field.is_none_or(|field| !json.contains(&field)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_and_bits_are_read_as_mysql_8_spells_them() {
        assert_eq!(unescaped("_utf8mb4\\'a\\'"), "_utf8mb4'a'");
        assert_eq!(unescaped("concat(\\'\\\\\\',`b`)\\n"), "concat('\\',`b`)\n");
        let number = |text: &str| DefaultValue::Literal(Literal::Number(text.to_owned()));
        assert_eq!(bits("b'0'"), Some(number("0")));
        assert_eq!(bits("b'101'"), Some(number("5")));
        assert_eq!(bits("b'x'"), None);
    }

    #[test]
    fn only_a_check_that_says_nothing_else_means_json() {
        for (clause, expected) in [
            ("json_valid(`doc`)", Some("doc")),
            ("json_valid(`a``b`)", Some("a`b")),
            ("json_valid(`doc`) and octet_length(`doc`) < 100", None),
            ("json_valid(`a`) and json_valid(`b`)", None),
        ] {
            assert_eq!(json_column(clause).as_deref(), expected, "{clause}");
        }
    }
}
