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

/// Reads the type of a field.
pub(super) fn ty(entries: &[KeyValue], field: &str) -> Option<Type> {
    value(entries, &format!("{TYPE}{field}"))?.parse().ok()
}
