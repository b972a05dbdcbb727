//! The JSON Schema of configuration files, for editors: completion, and marks while writing.
//!
//! Made from the table of keys, so that it says what the program reads. It knows kinds and words; what a policy, a type or
//! an expression may be, and which endpoints there are, only the program tells.

use super::keys::{self, Kind, Section};
use serde_json::{Map, Value, json};

/// Where the schema says it is from.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Makes the schema.
pub(crate) fn schema() -> Value {
    let mut schema = json!({
        "$schema": DIALECT,
        "title": "trueup configuration",
    });
    if let (Some(schema), Value::Object(file)) = (schema.as_object_mut(), table(&keys::FILE)) {
        schema.extend(file);
    }
    schema
}

fn table(section: &Section) -> Value {
    let mut properties = Map::new();
    for key in section.keys {
        let mut value = kind(key.kind);
        if let Some(value) = value.as_object_mut() {
            value.insert("description".to_owned(), described(key).into());
        }
        properties.insert(key.name.to_owned(), value);
    }
    let required: Vec<&str> = section
        .keys
        .iter()
        .filter(|key| key.required)
        .map(|key| key.name)
        .collect();
    let mut table = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if let (Some(table), false) = (table.as_object_mut(), required.is_empty()) {
        table.insert("required".to_owned(), required.into());
    }
    table
}

fn described(key: &keys::Key) -> String {
    match key.default {
        Some(default) => format!("{}; default: {default}", key.about),
        None => key.about.to_owned(),
    }
}

fn kind(kind: Kind) -> Value {
    match kind {
        Kind::Text => text(),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Number(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Share => json!({
            "anyOf": [
                { "type": "string", "pattern": "^([0-9]|[1-9][0-9]|100)%$" },
                { "type": "integer", "minimum": 0 },
            ]
        }),
        Kind::Texts => texts(),
        Kind::TextsOr(word) => json!({ "anyOf": [texts(), { "const": word }] }),
        Kind::Names => json!({ "type": "object", "additionalProperties": text() }),
        Kind::Table(section) => table(section),
        Kind::Tables(section) => json!({
            "type": "object",
            "additionalProperties": false,
            "patternProperties": { "^[A-Za-z0-9][A-Za-z0-9_-]*$": table(section) },
        }),
        Kind::Entries(section) => json!({
            "type": "array",
            "minItems": 1,
            "items": { "anyOf": [text(), table(section)] },
        }),
    }
}

fn text() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

fn texts() -> Value {
    json!({ "type": "array", "items": text() })
}
