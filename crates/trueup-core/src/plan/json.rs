//! The plan as JSON: the same lines as the text, one object each, for programs.
//!
//! A key's values stand as JSON numbers, booleans, strings or null; what JSON has no class for stands as its plain
//! text. As in the text, no other value of a record is shown.

use super::{CollectionPlan, Counts, Decoded};
use crate::batch::Record;
use crate::digest::Digest;
use crate::endpoint::Op;
use crate::value::Value;
use serde_json::{Map, Value as Json, json};

impl CollectionPlan {
    /// Returns the header: what will be created and loaded, and how many listed actions follow.
    pub fn header_json(&self) -> Json {
        let Counts {
            inserts,
            updates,
            deletes,
        } = self.counts;
        json!({
            "collection": self.target,
            "source": self.source,
            "create": self.create.as_ref().map(|design| design.statement.as_str()),
            "load": self.load.is_some(),
            "load_records": self.load.as_ref().and_then(|load| load.records),
            "inserts": inserts,
            "updates": updates,
            "deletes": deletes,
        })
    }

    /// Returns one action: its kind, its key, and the names of the fields it changes.
    pub fn action_json(&self, action: &Decoded, record: Record<'_>) -> Json {
        let key = key_of(self, record);
        let fields: Vec<&str> = action
            .changed
            .iter()
            .map(|&position| self.fields[position].as_str())
            .collect();
        let op = super::verb(action.op);
        json!({ "collection": self.target, "op": op, "key": key, "fields": fields })
    }

    /// Returns `copies` equal actions in a bag: their kind and the digest of the record.
    pub fn copies_json(&self, op: Op, record: Digest, copies: u64) -> Json {
        json!({
            "collection": self.target,
            "op": super::verb(op),
            "record": record.to_string(),
            "copies": copies,
        })
    }
}

/// Returns a record's key.
pub(super) fn key_of(plan: &CollectionPlan, record: Record<'_>) -> Map<String, Json> {
    let field = |&position: &usize| {
        let name = plan.fields[position].clone();
        (name, key_value(record.value(position)))
    };
    plan.key.iter().map(field).collect()
}

fn key_value(value: Value<'_>) -> Json {
    match value {
        Value::Null | Value::Unchanged => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::InvalidText(bytes) => json!(String::from_utf8_lossy(bytes)),
        Value::Float(_)
        | Value::Decimal(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Date(_)
        | Value::Time(_)
        | Value::Timestamp(_)
        | Value::Instant(_)
        | Value::Uuid(_)
        | Value::Json(_) => {
            let mut text = String::new();
            // Only null and invalid text have no plain form, and those were handled above.
            crate::text::write(value, &mut text);
            json!(text)
        }
    }
}
