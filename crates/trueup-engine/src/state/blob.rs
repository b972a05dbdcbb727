//! What two-way links keep in one column: the items of an intent, a record, a ruling, an answer, lists of names.
//!
//! Each form begins with its version and has a golden test; another version, and anything that does not decode, is an
//! error of the caller's, never a panic. Records keep every value exactly as it was (see [`trueup_core::codec`]), because
//! a conflict must be able to give back what it took. Rulings and answers are JSON, so that a person can read them with
//! any SQLite client.
//!
//! ```text
//! intent   1, varint count; then each: varint length and key, varint length and base entry, varint length and kept
//!          record or 0, varint conflict or 0
//! record   1, varint width, the values
//! ruling   {"format":1,"kind":...,"fields":[{"field":0,"policy":...|null,"resolution":...}],"resolution":...}
//! answer   {"format":1,"take":"source"|"target"}  or  {"format":1,"record":{...}}
//! ```

use super::conflict::{Answer, ConflictId};
use super::pair::Item;
use serde_json::{Value as Json, json};
use trueup_core::base::Base;
use trueup_core::batch::{Batch, Record};
use trueup_core::codec::{Reader, put_bytes, put_len, put_record};
use trueup_core::conflict::{ConflictKind, FieldRuling, Resolution, Ruling};
use trueup_core::policy::Policy;
use trueup_core::side::Side;
use trueup_core::value::Value;

/// The version of the intent's and the record's form, their first byte.
const VERSION: u8 = 1;
/// The version of the ruling's and the answer's form.
const FORMAT: u64 = 1;
const UUID_BYTES: usize = 16;

/// Returns the stored form of an intent's items.
pub(super) fn encode_items(items: &[Item]) -> Vec<u8> {
    let mut out = vec![VERSION];
    let mut entry = Vec::new();
    put_len(items.len(), &mut out);
    for item in items {
        put_bytes(&item.key, &mut out);
        entry.clear();
        item.base.encode(&mut entry);
        put_bytes(&entry, &mut out);
        put_bytes(item.kept.as_deref().unwrap_or_default(), &mut out);
        let conflict = item.conflict.and_then(|id| usize::try_from(id.0).ok());
        put_len(conflict.unwrap_or(0), &mut out);
    }
    out
}

/// Reads an intent's items; `None` when the bytes are not exactly that.
pub(super) fn decode_items(bytes: &[u8]) -> Option<Vec<Item>> {
    let mut reader = versioned(bytes)?;
    let count = reader.count().ok()?;
    let mut items = Vec::new();
    for _ in 0..count {
        let key = reader.bytes().ok()?.to_vec();
        let base = Base::decode(reader.bytes().ok()?).ok()?;
        let kept = reader.bytes().ok().map(<[u8]>::to_vec)?;
        let conflict = match reader.count().ok()? {
            0 => None,
            id => Some(ConflictId(i64::try_from(id).ok()?)),
        };
        items.push(Item {
            key,
            base,
            kept: Some(kept).filter(|kept| !kept.is_empty()),
            conflict,
        });
    }
    reader.is_done().then_some(items)
}

/// Returns the stored form of a record.
pub(crate) fn encode_record(record: Record<'_>) -> Vec<u8> {
    let mut out = vec![VERSION];
    put_len(record.width(), &mut out);
    put_record(record, &mut out);
    out
}

/// Reads a record of `width` fields; `None` when the bytes are not exactly that.
pub(super) fn decode_record(bytes: &[u8], width: usize) -> Option<Batch> {
    let mut reader = versioned(bytes)?;
    if reader.count().ok()? != width {
        return None;
    }
    let mut batch = Batch::new(width);
    reader.record(&mut batch).ok()?;
    let sound = |value: Value<'_>| !matches!(value, Value::Uuid(v) if v.len() != UUID_BYTES);
    let whole = reader.is_done() && batch.len() == 1;
    (whole && batch.record(0).values().all(sound)).then_some(batch)
}

fn versioned(bytes: &[u8]) -> Option<Reader<'_>> {
    let mut reader = Reader::new(bytes);
    (reader.byte().ok()? == VERSION).then_some(reader)
}

/// Returns the stored form of a ruling.
pub(crate) fn encode_ruling(ruling: &Ruling) -> String {
    let field = |field: &FieldRuling| {
        json!({
            "field": field.field,
            "policy": field.policy.map(Policy::name),
            "resolution": field.resolution.name(),
        })
    };
    let fields: Vec<Json> = ruling.fields.iter().map(field).collect();
    json!({
        "format": FORMAT,
        "kind": ruling.kind.name(),
        "fields": fields,
        "resolution": ruling.resolution.name(),
    })
    .to_string()
}

/// Reads a ruling about records of `width` fields; `None` when the text is not exactly that.
pub(crate) fn decode_ruling(text: &str, width: usize) -> Option<Ruling> {
    let document = document(text)?;
    let field = |field: &Json| {
        let index = usize::try_from(field.get("field")?.as_u64()?).ok()?;
        let policy = match field.get("policy")? {
            Json::Null => None,
            name => Some(name.as_str()?.parse().ok()?),
        };
        (index < width).then_some(FieldRuling {
            field: index,
            policy,
            resolution: resolution(field)?,
        })
    };
    let kinds = [
        ConflictKind::UpdateUpdate,
        ConflictKind::InsertInsert,
        ConflictKind::DeleteUpdate,
        ConflictKind::Join,
    ];
    let name = document.get("kind")?.as_str()?;
    let fields = document.get("fields")?.as_array()?;
    Some(Ruling {
        kind: kinds.into_iter().find(|kind| kind.name() == name)?,
        fields: fields.iter().map(field).collect::<Option<_>>()?,
        resolution: resolution(&document)?,
    })
}

fn resolution(document: &Json) -> Option<Resolution> {
    let name = document.get("resolution")?.as_str()?;
    let all = [
        Resolution::Open,
        Resolution::Side(Side::Source),
        Resolution::Side(Side::Target),
        Resolution::Merge,
        Resolution::KeepBoth,
        Resolution::Delete,
    ];
    all.into_iter().find(|resolution| resolution.name() == name)
}

/// Returns the stored form of an answer.
pub(super) fn encode_answer(answer: &Answer) -> String {
    match answer {
        Answer::Side(side) => json!({ "format": FORMAT, "take": side.name() }),
        Answer::Record(record) => json!({ "format": FORMAT, "record": record }),
    }
    .to_string()
}

/// Reads an answer; `None` when the text is not exactly that.
pub(super) fn decode_answer(text: &str) -> Option<Answer> {
    let document = document(text)?;
    match (document.get("take"), document.get("record")) {
        (Some(name), None) => {
            let name = name.as_str()?;
            let side = Side::BOTH.into_iter().find(|side| side.name() == name)?;
            Some(Answer::Side(side))
        }
        (None, Some(record)) if record.is_object() => Some(Answer::Record(record.clone())),
        _ => None,
    }
}

/// Parses a document in the present format.
fn document(text: &str) -> Option<Json> {
    let document: Json = serde_json::from_str(text).ok()?;
    (document.get("format")?.as_u64()? == FORMAT).then_some(document)
}

/// Returns the stored form of a list of names.
pub(super) fn encode_names(names: &[String]) -> String {
    json!(names).to_string()
}

/// Reads a list of names.
pub(super) fn decode_names(text: &str) -> Option<Vec<String>> {
    let list: Json = serde_json::from_str(text).ok()?;
    let name = |name: &Json| name.as_str().map(str::to_owned);
    list.as_array()?.iter().map(name).collect()
}

/// Returns the stored form of a list of positions.
pub(super) fn encode_positions(positions: &[usize]) -> String {
    json!(positions).to_string()
}

/// Reads a list of positions, each below `width`.
pub(super) fn decode_positions(text: &str, width: usize) -> Option<Vec<usize>> {
    let list: Json = serde_json::from_str(text).ok()?;
    let position = |position: &Json| {
        let position = usize::try_from(position.as_u64()?).ok()?;
        (position < width).then_some(position)
    };
    list.as_array()?.iter().map(position).collect()
}

#[cfg(test)]
mod tests;
