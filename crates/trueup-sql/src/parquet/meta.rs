//! What we write into a file's footer beside its schema, and read back: the key, and types that Parquet has no word for.
//!
//! Invariant: an entry only narrows what the schema says. One that contradicts it, because another program changed the
//! file and kept our entries, is left aside.

use crate::percent;
use parquet::file::metadata::KeyValue;
use trueup_core::schema::Schema;
use trueup_core::types::Type;

/// The entry that names the key's fields.
const KEY: &str = "trueup.key";
/// What stands before a field's name in the entry that says its type.
const TYPE: &str = "trueup.type.";
/// What stands before a field's name in the entry that says which type of PostgreSQL it came from.
const ORIGIN: &str = "trueup.origin.";
/// What stands before such a type in a field's native type.
const POSTGRES: &str = "postgres:";
/// The types of PostgreSQL that our own types say again.
const SAID: [&str; 15] = [
    "smallint",
    "integer",
    "bigint",
    "boolean",
    "real",
    "double precision",
    "numeric",
    "text",
    "bytea",
    "date",
    "time without time zone",
    "timestamp without time zone",
    "timestamp with time zone",
    "uuid",
    "json",
];
/// What means something in a list of names.
const RESERVED: &str = ",%";

/// Makes the entries of a new file; `typed` tells of which fields Parquet itself says the type.
pub(super) fn entries(designed: &Schema, typed: impl Fn(usize) -> bool) -> Vec<KeyValue> {
    let mut entries = Vec::new();
    if !designed.key.is_empty() {
        let names = designed.key_names();
        let names = names.iter().map(|name| percent::encode(name, RESERVED));
        let names: Vec<String> = names.collect();
        entries.push(KeyValue::new(KEY.to_owned(), names.join(",")));
    }
    for (index, field) in designed.fields.iter().enumerate() {
        if !typed(index) {
            let name = format!("{TYPE}{}", field.name);
            entries.push(KeyValue::new(name, field.ty.to_string()));
        }
        if let Some(origin) = origin_of(&field.native) {
            let name = format!("{ORIGIN}{}", field.name);
            entries.push(KeyValue::new(name, format!("{} {origin}", field.ty)));
        }
    }
    entries
}

fn value<'a>(entries: &'a [KeyValue], name: &str) -> Option<&'a str> {
    let entry = entries.iter().find(|entry| entry.key == name)?;
    entry.value.as_deref()
}

/// Reads the key's fields.
pub(super) fn key(entries: &[KeyValue]) -> Vec<String> {
    let Some(names) = value(entries, KEY) else {
        return Vec::new();
    };
    let names = names.split(',').map(percent::decode);
    names.collect::<Result<_, _>>().unwrap_or_default()
}

/// The type of PostgreSQL that a field is or was, where ours does not say it.
pub(super) fn origin_of(native: &str) -> Option<&str> {
    let origin = match native.find(" as postgres:") {
        Some(at) => native.get(at + 4..)?,
        None => native,
    };
    let name = origin.strip_prefix(POSTGRES)?;
    let said = SAID.contains(&name)
        || name.starts_with("numeric(")
        || name.starts_with("character varying");
    (!said).then_some(origin)
}

/// Reads which type of PostgreSQL a field of this type came from.
pub(super) fn origin<'a>(entries: &'a [KeyValue], field: &str, ty: Type) -> Option<&'a str> {
    let (of, origin) = value(entries, &format!("{ORIGIN}{field}"))?.split_once(' ')?;
    (of == ty.to_string()).then_some(origin)?;
    origin_of(origin)
}

/// Reads the type of a field.
pub(super) fn ty(entries: &[KeyValue], field: &str) -> Option<Type> {
    value(entries, &format!("{TYPE}{field}"))?.parse().ok()
}
