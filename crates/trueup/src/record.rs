//! A record that a person wrote: one JSON object from a file or from standard input.
//!
//! Invariant: it has exactly the fields that are asked for, each once. Whether the values fit is the engine's business.
//! No value of it appears in an error, and neither does the text of a JSON parser, which may quote one.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use trueup_core::{Error, Kind, Result, json};

/// A record may have this many bytes of JSON.
const BYTES_MAX: u64 = 64 << 20;
/// How many names an error lists.
const NAMES_SHOWN_MAX: usize = 10;

/// Fields in the order of the collection, with their values.
pub(crate) type Fields = Vec<(String, Value)>;

/// Reads a record from `path`; `-` is standard input.
///
/// # Errors
/// `Config` when it cannot be read, or is no object with exactly the fields `names`.
pub(crate) fn read(path: &Path, names: &[String]) -> Result<Fields> {
    let place = || format!("file={}", path.display());
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(BYTES_MAX + 1)
            .read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes))
    };
    read.map_err(|cause| {
        Error::new(Kind::Config, "cannot read the record")
            .at(place())
            .hint("--take is source, target, a file with the record as a JSON object, or - for standard input")
            .cause(cause)
    })?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(
            Error::config(format!("the record passes bytes={BYTES_MAX}"))
                .hint("a record is one JSON object: is this the right file?")
                .at(place()),
        );
    }
    parse(&bytes, names).map_err(|error| error.at(place()))
}

/// Reads a record from JSON.
fn parse(bytes: &[u8], names: &[String]) -> Result<Fields> {
    let Object { fields, twice } = serde_json::from_slice(bytes).map_err(|cause| {
        let (line, column) = (cause.line(), cause.column());
        Error::config(format!(
            "the record is no JSON object: line={line} column={column}"
        ))
        .hint("write one object with every field of the record: {\"id\": 1, \"name\": null}")
    })?;
    let stray: Vec<&str> = fields
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !names.iter().any(|known| known == name))
        .collect();
    let missing: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !fields.iter().any(|(found, _)| found == name))
        .collect();
    let twice: Vec<&str> = twice.iter().map(String::as_str).collect();
    for (what, names) in [
        ("has fields that the collection does not have", stray),
        ("lacks fields", missing),
        ("has fields twice", twice),
    ] {
        if !names.is_empty() {
            return Err(
                Error::config(format!("the record {what}: {}", shortened(&names)))
                    .hint("write every field of the record once; null where there is no value"),
            );
        }
    }
    check_exact(bytes, &fields)?;
    let value = |name: &String| {
        let found = fields.iter().find(|(found, _)| found == name);
        found.cloned()
    };
    Ok(names.iter().filter_map(value).collect())
}

/// Refuses what was read as something else: a number of more digits than a double has, an object with a key twice.
fn check_exact(bytes: &[u8], fields: &Fields) -> Result<()> {
    let object: serde_json::Map<String, Value> = fields.iter().cloned().collect();
    let (mut written, mut understood) = (Vec::new(), Vec::new());
    json::canonical(&String::from_utf8_lossy(bytes), &mut written);
    json::canonical(&Value::Object(object).to_string(), &mut understood);
    if written == understood {
        return Ok(());
    }
    Err(
        Error::config("the record has a number of too many digits, or an object with a key twice")
            .hint("write such a number as a text: \"0.30000000000000000001\""),
    )
}

fn shortened(names: &[&str]) -> String {
    let more = if names.len() > NAMES_SHOWN_MAX {
        ", ..."
    } else {
        ""
    };
    let shown: Vec<&str> = names.iter().take(NAMES_SHOWN_MAX).copied().collect();
    format!("{}{more}", shown.join(", "))
}

/// An object, and the names that occur more than once in it: which value counts would be a guess.
struct Object {
    fields: Fields,
    twice: Vec<String>,
}

impl<'de> serde::Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let (mut fields, mut twice) = (Fields::new(), Vec::new());
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if fields.iter().any(|(known, _)| *known == name) {
                twice.push(name);
            } else {
                fields.push((name, value));
            }
        }
        Ok(Object { fields, twice })
    }
}

#[cfg(test)]
mod tests;
