//! Works out how a collection would be created here.
//!
//! Invariant: a created field holds every value of the wanted type exactly, or the design's notes say which it does not;
//! such a value is refused then, never changed. A type that the server has itself (the source is MySQL or MariaDB too)
//! is used by name.
//!
//! Texts are compared by their bytes (`utf8mb4_nopad_bin`): what is different at the source stays different here. A
//! text in a key gets as many characters as an index can hold.

use super::quote::{self, ident, idents};
use super::schema::{CONTROL_PREFIX, NATIVE};
use super::session::Connection;
use super::structure::NO_TIME;
use super::types::{self, Wire};
use trueup_core::endpoint::Design;
use trueup_core::schema::{Field, Schema};
use trueup_core::types::Type;
use trueup_core::{Error, Result};

/// The most columns of a table.
const FIELDS_MAX: usize = 1017;
/// The most bytes of an index, and how many a character may take.
const INDEX_BYTES_MAX: u32 = 3072;
const CHAR_BYTES_MAX: u32 = 4;
/// How many bytes of a record its texts of limited length may take together; longer ones lie elsewhere.
const INLINE_BYTES_MAX: u32 = 32_000;
/// The most characters of a `varchar` that is made here.
const VARCHAR_MAX: u32 = 8_000;
/// The largest `decimal`.
const DIGITS_MAX: u16 = 65;
const SCALE_MAX: u16 = 30;

/// The collations that compare texts by their bytes, the best first.
const COLLATIONS: [&str; 3] = ["utf8mb4_nopad_bin", "utf8mb4_0900_bin", "utf8mb4_bin"];

/// Designs `wanted` for this server.
///
/// # Errors
/// `Config` when a name is not allowed or a key cannot be one; names the field.
pub(super) fn design(connection: &Connection, wanted: &Schema) -> Result<Design> {
    let Shape { schema, collation } = shape(connection, wanted)?;
    let statement = statement(&schema, collation, &[]);
    Ok(Design { schema, statement })
}

/// A table that is to be created: its fields in the server's types, and how it compares texts.
pub(super) struct Shape {
    pub(super) schema: Schema,
    pub(super) collation: &'static str,
}

/// Works out the fields' types.
pub(super) fn shape(connection: &Connection, wanted: &Schema) -> Result<Shape> {
    check_names(wanted)?;
    let collation = collation(connection)?;
    let mut schema = Schema {
        notes: Vec::new(),
        references: Vec::new(),
        cascades: Vec::new(),
        partial: false,
        ..wanted.clone()
    };
    if collation == "utf8mb4_bin" {
        let note = "the server compares texts without the blanks at their end: keys that differ in those only are parked";
        schema.notes.push(note.to_owned());
    }
    let shares = shares(wanted);
    let mut inline = INLINE_BYTES_MAX;
    for (at, field) in schema.fields.iter_mut().enumerate() {
        let share = shares.get(at).copied().flatten();
        let native = native(connection, field, share, &mut inline)?;
        field.native = format!("{NATIVE}{native}");
        let parsed = types::native(&native, native == "json");
        let ty = parsed.ty;
        field.extremes = types::extremes(&parsed);
        schema.notes.extend(note(field, ty, share.is_some()));
        field.ty = ty;
        field.nullable = field.nullable && !wanted.key.contains(&at);
        (field.generated, field.inferred) = (false, false);
    }
    Ok(Shape { schema, collation })
}

fn check_names(wanted: &Schema) -> Result<()> {
    quote::check(&wanted.collection, "collection")?;
    if wanted.collection.to_lowercase().starts_with(CONTROL_PREFIX) {
        return Err(
            Error::config("the collection's name is kept for control tables")
                .hint("map the collection to another name"),
        );
    }
    let total = wanted.fields.len();
    if total == 0 || total > FIELDS_MAX {
        return Err(
            Error::config(format!("{total} fields: a table needs 1 to {FIELDS_MAX}"))
                .hint("drop fields, or split the collection"),
        );
    }
    let mut seen: Vec<String> = Vec::new();
    for field in &wanted.fields {
        quote::check(&field.name, "field")?;
        let folded = field.name.to_lowercase();
        if seen.contains(&folded) {
            let shown = field.name.escape_debug();
            return Err(Error::config(format!(
                "the server takes the field for another one, as it does not tell upper from lower case: field={shown}"
            ))
            .hint("rename one of the two"));
        }
        seen.push(folded);
    }
    Ok(())
}

/// The server's collation for texts that are different where their bytes are.
fn collation(connection: &Connection) -> Result<&'static str> {
    let sql = format!(
        "SELECT COLLATION_NAME FROM information_schema.COLLATIONS WHERE COLLATION_NAME IN ('{}')",
        COLLATIONS.join("', '")
    );
    let rows = connection.query(&sql)?;
    let known: Result<Vec<String>> = rows.iter().map(|row| row.text(0)).collect();
    let known = known?;
    let best = COLLATIONS
        .into_iter()
        .find(|name| known.iter().any(|known| known == name));
    Ok(best.unwrap_or("utf8mb4_bin"))
}

/// Of the fields in an index, how many bytes of it each may take.
fn shares(wanted: &Schema) -> Vec<Option<u32>> {
    let mut shares: Vec<Option<u32>> = vec![None; wanted.fields.len()];
    for index in std::iter::once(&wanted.key).chain(&wanted.uniques) {
        let fields = || index.iter().filter_map(|&at| wanted.fields.get(at));
        let wide = |field: &&Field| fixed_bytes(field).is_none();
        let taken: u32 = fields().filter_map(fixed_bytes).sum();
        let count = u32::try_from(fields().filter(wide).count()).unwrap_or(1);
        let share = INDEX_BYTES_MAX.saturating_sub(taken) / count.max(1);
        for &at in index {
            if let Some(slot) = shares.get_mut(at) {
                *slot = Some(slot.map_or(share, |other| other.min(share)));
            }
        }
    }
    shares
}

/// How many bytes of an index a field takes; `None` when that is to be decided.
fn fixed_bytes(field: &Field) -> Option<u32> {
    match field.ty {
        Type::Text { chars_max: Some(n) } if n <= 64 => Some(n * CHAR_BYTES_MAX + 2),
        Type::Bytes { bytes_max: Some(n) } if n <= 256 => Some(n + 2),
        Type::Any | Type::Text { .. } | Type::Bytes { .. } | Type::Json => None,
        Type::Decimal { .. } => Some(31),
        Type::Uuid => Some(16),
        _ => Some(9),
    }
}

/// The statement that creates it. `clauses` stand behind the types of the fields that have one.
pub(super) fn statement(schema: &Schema, collation: &str, clauses: &[Option<String>]) -> String {
    let mut lines = Vec::new();
    for (at, field) in schema.fields.iter().enumerate() {
        let ty = field.native.strip_prefix(NATIVE).unwrap_or(&field.native);
        let clause = clauses.get(at).cloned().flatten();
        let clause = clause.unwrap_or_else(|| unfilled(field));
        lines.push(format!("  {} {ty}{clause}", ident(&field.name)));
    }
    let names = |columns: &[usize]| {
        let fields = columns.iter().filter_map(|&at| schema.fields.get(at));
        idents(fields.map(|field| field.name.as_str()))
    };
    if !schema.key.is_empty() {
        lines.push(format!("  PRIMARY KEY ({})", names(&schema.key)));
    }
    for unique in &schema.uniques {
        lines.push(format!("  UNIQUE ({})", names(unique)));
    }
    format!(
        "CREATE TABLE IF NOT EXISTS {} (\n{}\n) ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET utf8mb4 COLLATE {collation}",
        ident(&schema.collection),
        lines.join(",\n")
    )
}

/// What stands behind the type of a field that nothing fills.
pub(super) fn unfilled(field: &Field) -> String {
    let ty = field.native.strip_prefix(NATIVE).unwrap_or(&field.native);
    // A timestamp that does not say NULL fills itself on older servers.
    match (field.nullable, ty.starts_with("timestamp")) {
        (true, _) => " NULL DEFAULT NULL".to_owned(),
        (false, true) => format!(" NOT NULL DEFAULT '{NO_TIME}'"),
        (false, false) => " NOT NULL".to_owned(),
    }
}

/// The type's name in SQL.
fn native(
    connection: &Connection,
    field: &Field,
    share: Option<u32>,
    inline: &mut u32,
) -> Result<String> {
    let mariadb = connection.server.mariadb;
    let own = field.native.strip_prefix(NATIVE);
    if let Some(name) = own.filter(|name| types::is_known(name, mariadb)) {
        let parsed = types::native(name, name == "json");
        let wide = matches!(
            parsed.wire,
            Wire::Text | Wire::Padded | Wire::Bytes | Wire::Fixed | Wire::Json | Wire::Spatial
        );
        if !wide {
            return Ok(name.to_owned());
        }
        let small = match parsed.ty {
            Type::Text { chars_max: Some(n) } => n.saturating_mul(CHAR_BYTES_MAX),
            Type::Bytes { bytes_max: Some(n) } => n,
            _ => u32::MAX,
        };
        if share.is_none_or(|share| small <= share)
            && (small > INLINE_BYTES_MAX || small <= *inline)
        {
            *inline = inline.saturating_sub(if small > INLINE_BYTES_MAX { 0 } else { small });
            return Ok(name.to_owned());
        }
    }
    if field.ty == Type::Json && share.is_some() {
        let shown = field.name.escape_debug();
        return Err(Error::config(format!(
            "a JSON field cannot be part of a key: field={shown}"
        ))
        .hint("name another key with --key"));
    }
    let uuid = mariadb && connection.server.number >= (10, 7);
    Ok(created(field.ty, uuid, share, inline))
}

/// What a field of our type is created as.
fn created(ty: Type, uuid: bool, share: Option<u32>, inline: &mut u32) -> String {
    match ty {
        Type::Bool => "tinyint(1)".to_owned(),
        Type::Int { bits, signed } => {
            let name = match bits {
                0..=8 => "tinyint",
                9..=16 => "smallint",
                17..=24 => "mediumint",
                25..=32 => "int",
                _ => "bigint",
            };
            let sign = if signed { "" } else { " unsigned" };
            format!("{name}{sign}")
        }
        Type::Float { bits: 0..=32 } => "float".to_owned(),
        Type::Float { .. } => "double".to_owned(),
        Type::Decimal { size } => decimal(size),
        Type::Any => text(None, share, inline),
        Type::Text { chars_max } => text(chars_max, share, inline),
        Type::Bytes { bytes_max } => bytes(bytes_max, share, inline),
        Type::Date => "date".to_owned(),
        Type::Time => "time(6)".to_owned(),
        Type::Timestamp => "datetime(6)".to_owned(),
        Type::Instant => "timestamp(6)".to_owned(),
        Type::Uuid if uuid => "uuid".to_owned(),
        Type::Uuid => "char(36)".to_owned(),
        Type::Json => "json".to_owned(),
    }
}

fn decimal(size: Option<(u16, i16)>) -> String {
    let (digits, scale) = match size {
        None => (DIGITS_MAX, SCALE_MAX),
        Some((digits, scale)) => {
            // Zeros before the point count as digits here.
            let zeros = u16::try_from(-i32::from(scale)).unwrap_or(0);
            let scale = u16::try_from(scale).unwrap_or(0);
            let digits = digits.max(scale) + zeros;
            (digits.clamp(1, DIGITS_MAX), scale.min(SCALE_MAX))
        }
    };
    format!("decimal({digits},{scale})")
}

fn text(chars_max: Option<u32>, share: Option<u32>, inline: &mut u32) -> String {
    if let Some(share) = share {
        let room = (share.saturating_sub(2) / CHAR_BYTES_MAX).clamp(1, 768);
        let chars = chars_max.unwrap_or(room).min(room);
        *inline = inline.saturating_sub(chars * CHAR_BYTES_MAX);
        return format!("varchar({chars})");
    }
    match chars_max {
        Some(chars @ 0..=VARCHAR_MAX) if chars * CHAR_BYTES_MAX <= *inline => {
            *inline -= chars * CHAR_BYTES_MAX;
            format!("varchar({chars})")
        }
        Some(0..=4_000_000) => "mediumtext".to_owned(),
        _ => "longtext".to_owned(),
    }
}

fn bytes(bytes_max: Option<u32>, share: Option<u32>, inline: &mut u32) -> String {
    if let Some(share) = share {
        let room = share.saturating_sub(2).clamp(1, INDEX_BYTES_MAX);
        let bytes = bytes_max.unwrap_or(room).min(room);
        *inline = inline.saturating_sub(bytes);
        return format!("varbinary({bytes})");
    }
    match bytes_max {
        Some(bytes) if bytes <= VARCHAR_MAX && bytes <= *inline => {
            *inline -= bytes;
            format!("varbinary({bytes})")
        }
        Some(0..=16_777_215) => "mediumblob".to_owned(),
        _ => "longblob".to_owned(),
    }
}

/// What the field created does not hold, where that is not plain.
fn note(field: &Field, ty: Type, indexed: bool) -> Option<String> {
    let shown = field.name.escape_debug();
    let (name, what) = match (field.ty, ty) {
        (Type::Any, _) => {
            return Some(format!(
                "field={shown} has no declared type at the source and is created as text"
            ));
        }
        (Type::Instant, _) => ("timestamp", "instants from 1970 to 2038"),
        (Type::Decimal { size: None }, _) => {
            ("decimal(65,30)", "35 digits before the point and 30 behind")
        }
        (Type::Text { chars_max: None }, Type::Text { chars_max: Some(n) }) if indexed => {
            return Some(format!(
                "field={shown} is part of a key and holds {n} characters; a longer value is parked"
            ));
        }
        (Type::Bytes { bytes_max: None }, Type::Bytes { bytes_max: Some(n) }) if indexed => {
            return Some(format!(
                "field={shown} is part of a key and holds {n} bytes; a longer value is parked"
            ));
        }
        _ => return None,
    };
    Some(format!(
        "field={shown} is created as {name} and holds {what}; any other value is parked"
    ))
}
