//! Works out how a collection would be created here.
//!
//! Invariant: a created field holds every value of the wanted type exactly. A type that PostgreSQL has itself (the
//! source is PostgreSQL too) is used by name, after the server has said that it knows it.

use super::connect::{Connection, column};
use super::quote::{self, ident, idents};
use super::schema::CONTROL;
use super::types;
use trueup_core::endpoint::Design;
use trueup_core::schema::{Field, Schema};
use trueup_core::types::Type;
use trueup_core::{Error, Result};

/// The longest `varchar(n)`.
const VARCHAR_MAX: u32 = 10_485_760;
/// The most digits of a `numeric(p,s)`.
const PRECISION_MAX: u16 = 1000;

/// Designs `wanted` for this server.
///
/// Text fields of the key are created with `COLLATE "C"`: the primary key's index then stands in canonical order, and
/// an ordered scan reads along it instead of sorting. Queries of the user that sort by the key get the order of the
/// bytes unless they ask for another collation.
///
/// # Errors
/// `Config` when a name is not allowed or a key cannot be one; names the field.
pub(super) fn design(connection: &Connection, wanted: &Schema) -> Result<Design> {
    let Shape { table, schema } = shape(connection, wanted)?;
    let statement = statement(&table, &schema, &[], true);
    Ok(Design { schema, statement })
}

/// A table that is to be created: its name in SQL, and its fields in the server's types.
pub(super) struct Shape {
    pub(super) table: String,
    pub(super) schema: Schema,
}

/// Works out the fields' types.
pub(super) fn shape(connection: &Connection, wanted: &Schema) -> Result<Shape> {
    let mut schema = Schema {
        notes: Vec::new(),
        ..wanted.clone()
    };
    let table = table_name(connection, &wanted.collection)?;
    let mut unknown = Vec::new();
    for (at, field) in schema.fields.iter_mut().enumerate() {
        quote::check(&field.name, "field")?;
        let (native, ty) = native(connection, field)?;
        let shown = field.name.escape_debug();
        if let Some(own) = field.native.strip_prefix("postgres:")
            && own != native
        {
            unknown.push(format!("{shown} {} as {native}", own.escape_debug()));
        }
        if field.ty == Type::Any {
            schema.notes.push(format!(
                "field={shown} has no declared type at the source and is created as text"
            ));
        }
        if ty == Type::Json && wanted.key.contains(&at) {
            let collection = wanted.collection.escape_debug();
            return Err(Error::config(format!(
                "a JSON field cannot be part of a key: collection={collection} field={shown}"
            ))
            .hint("name another key with --key"));
        }
        field.extremes = types::extremes(&native, ty);
        field.native = format!("postgres:{native}");
        field.ty = ty;
        field.nullable = field.nullable && !wanted.key.contains(&at);
        (field.generated, field.inferred) = (false, false);
    }
    if !unknown.is_empty() {
        schema.notes.push(format!(
            "the target does not know these types, and fields are created as what their values are read as: {} \
             (create the types there first to keep them)",
            unknown.join(", ")
        ));
    }
    Ok(Shape { table, schema })
}

/// The table's name in SQL: in the current schema, or in the one that the collection names.
pub(super) fn table_name(connection: &Connection, collection: &str) -> Result<String> {
    let Some((namespace, name)) = collection.split_once('.') else {
        quote::check(collection, "collection")?;
        return Ok(ident(collection));
    };
    quote::check(namespace, "schema")?;
    quote::check(name, "collection")?;
    let rows = connection.query(
        "SELECT 1 FROM pg_namespace WHERE nspname = $1",
        &[&namespace],
    )?;
    let shown = namespace.escape_debug();
    if rows.is_empty() {
        return Err(Error::config(format!(
            "the collection names a schema that does not exist: schema={shown}"
        ))
        .hint("create the schema first, or map the collection to a name without a dot"));
    }
    if namespace == CONTROL || namespace == "information_schema" || namespace.starts_with("pg_") {
        return Err(
            Error::config(format!("the schema is not for collections: schema={shown}"))
                .hint("map the collection to another schema"),
        );
    }
    Ok(format!("{}.{}", ident(namespace), ident(name)))
}

/// The statement that creates it, `keyed` or without its key. `clauses` stand behind the types of the fields, where there
/// are some.
pub(super) fn statement(table: &str, schema: &Schema, clauses: &[String], keyed: bool) -> String {
    let mut lines = Vec::new();
    for (at, field) in schema.fields.iter().enumerate() {
        let ty = field
            .native
            .strip_prefix("postgres:")
            .unwrap_or(&field.native);
        let null = if field.nullable { "" } else { " NOT NULL" };
        let by_bytes = schema.key.contains(&at)
            && (ty == "text" || ty == "character varying" || ty.starts_with("character varying("));
        let collation = if by_bytes { " COLLATE \"C\"" } else { "" };
        let clause = clauses.get(at).map_or("", String::as_str);
        lines.push(format!(
            "  {} {ty}{collation}{clause}{null}",
            ident(&field.name)
        ));
    }
    if keyed && !schema.key.is_empty() {
        lines.push(format!("  PRIMARY KEY ({})", names(schema, &schema.key)));
    }
    for unique in &schema.uniques {
        lines.push(format!("  UNIQUE ({})", names(schema, unique)));
    }
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (\n{}\n)",
        lines.join(",\n")
    )
}

/// The statement that builds its key after the records.
pub(super) fn key_statement(table: &str, schema: &Schema) -> String {
    let key = names(schema, &schema.key);
    format!("ALTER TABLE {table} ADD PRIMARY KEY ({key})")
}

fn names(schema: &Schema, columns: &[usize]) -> String {
    idents(columns.iter().map(|&at| schema.fields[at].name.as_str()))
}

/// The type's name in SQL, and ours for what it holds.
fn native(connection: &Connection, field: &Field) -> Result<(String, Type)> {
    // A file may say which type of ours its own came from.
    let ours = field.native.split_once(" as postgres:");
    let ours = ours.map(|(_, name)| name);
    if let Some(name) = ours.or_else(|| field.native.strip_prefix("postgres:"))
        && known(connection, name)?
    {
        return Ok((name.to_owned(), field.ty));
    }
    Ok(created(field.ty))
}

/// Whether the server has this very type. The server parses the whole text as one type's name, so that nothing
/// else can hide in it; comments are the exception, and refused before.
fn known(connection: &Connection, name: &str) -> Result<bool> {
    if name.contains("--") || name.contains("/*") || name.contains('\0') || name.contains(';') {
        return Ok(false);
    }
    let found = connection.query("SELECT to_regtype($1) IS NOT NULL", &[&name]);
    match found {
        Ok(rows) => rows.first().map_or(Ok(false), |row| column(row, 0)),
        // Older servers refuse a text that is no type's name instead of finding nothing.
        Err(error) if !connection.is_closed() => {
            drop(error);
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// What a field of our type is created as.
fn created(ty: Type) -> (String, Type) {
    let int = |bits| Type::Int { bits, signed: true };
    let (name, ty) = match ty {
        Type::Any => ("text", Type::TEXT),
        Type::Bool => ("boolean", Type::Bool),
        Type::Int { bits: 0..=8, .. }
        | Type::Int {
            bits: 0..=16,
            signed: true,
        } => ("smallint", int(16)),
        Type::Int {
            bits: 0..=32,
            signed: true,
        }
        | Type::Int { bits: 0..=24, .. } => ("integer", int(32)),
        Type::Int { signed: true, .. } | Type::Int { bits: 0..=32, .. } => ("bigint", Type::INT),
        Type::Int { .. } => (
            "numeric(20,0)",
            Type::Decimal {
                size: Some((20, 0)),
            },
        ),
        Type::Float { bits: 32 } => ("real", ty),
        Type::Float { .. } => ("double precision", Type::FLOAT),
        Type::Decimal { size: Some((p, s)) } => return decimal(p, s),
        Type::Decimal { size: None } => ("numeric", ty),
        Type::Text {
            chars_max: Some(n @ 1..=VARCHAR_MAX),
        } => {
            return (
                format!("character varying({n})"),
                types::core(1043, varchar_modifier(n)),
            );
        }
        Type::Text { .. } => ("text", Type::TEXT),
        Type::Bytes { .. } => ("bytea", Type::BYTES),
        Type::Date => ("date", ty),
        Type::Time => ("time without time zone", ty),
        Type::Timestamp => ("timestamp without time zone", ty),
        Type::Instant => ("timestamp with time zone", ty),
        Type::Uuid => ("uuid", ty),
        // Not jsonb: it drops duplicate keys and refuses \u0000, and the text would not come back as it was.
        Type::Json => ("json", ty),
    };
    (name.to_owned(), ty)
}

fn varchar_modifier(chars: u32) -> i32 {
    i32::try_from(chars).unwrap_or(i32::MAX - 4) + 4
}

/// A scale outside the precision is a newer server's extension: without a size, everything fits.
fn decimal(precision: u16, scale: i16) -> (String, Type) {
    let fits = (1..=PRECISION_MAX).contains(&precision)
        && u16::try_from(scale).is_ok_and(|scale| scale <= precision);
    if fits {
        let ty = Type::Decimal {
            size: Some((precision, scale)),
        };
        return (format!("numeric({precision},{scale})"), ty);
    }
    ("numeric".to_owned(), Type::DECIMAL)
}
