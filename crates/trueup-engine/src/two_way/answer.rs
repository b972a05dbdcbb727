//! What people decided about conflicts, on its way to being carried out.
//!
//! An answer is about what the person saw. It is carried out only while each side still holds that, or already holds
//! what was decided (a run may have died between the two writes); otherwise it is taken back and the conflict stays.

use super::prepare::Joint;
use super::spelling::{Meaning, meaning};
use crate::state::{Answer, ConflictId, PastConflict};
use serde_json::Value as Json;
use trueup_core::batch::Batch;
use trueup_core::cast;
use trueup_core::digest::Digest;
use trueup_core::encode;
use trueup_core::side::{Side, Sides};
use trueup_core::types::Type;
use trueup_core::value::Value;

/// An answer that is to be carried out.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) id: ConflictId,
    /// The record that both sides are to hold; `None`: none.
    pub(super) wanted: Option<Batch>,
    /// What each side held when the person decided.
    pub(super) expected: Sides<Option<Digest>>,
}

/// What became of an answer that needed no write.
#[derive(Clone, Debug)]
pub(super) enum Answered {
    /// Both sides hold what was decided: the digest of the record, and the record; `None`: none.
    Done(Option<Digest>, Option<Batch>),
    /// It cannot be carried out; says why, without values.
    Refused(String),
}

impl Answered {
    /// A side holds something that the person had not seen.
    pub(super) fn changed() -> Self {
        Self::Refused("the record has changed since; look at it and decide again".to_owned())
    }

    /// Returns what to say of an answer that lapses; `None` for one that holds.
    pub(super) fn lapse(&self, id: ConflictId) -> Option<String> {
        match self {
            Self::Done(..) => None,
            Self::Refused(why) => Some(format!(
                "conflict {id}: what a person decided is not carried out: {why}"
            )),
        }
    }
}

/// Turns an answer into the record that is wanted.
///
/// # Errors
/// Why it cannot be carried out.
pub(super) fn waiting(
    id: ConflictId,
    answer: &Answer,
    conflict: &PastConflict,
    joint: &Joint,
) -> Result<Waiting, String> {
    // The values are told apart by their places only.
    let same_names = Side::BOTH
        .into_iter()
        .all(|side| conflict.fields[side] == joint.shared.names(side));
    if !same_names || conflict.key_positions != joint.shared.key() {
        return Err("the collection has other fields now".to_owned());
    }
    let wanted = match answer {
        Answer::Side(side) => conflict.records[*side].clone(),
        Answer::Record(object) => Some(record(object, conflict, joint)?),
    };
    let open = conflict.decision == "open";
    let digest = |record: &Batch| encode::digest(record.record(0), &mut Vec::new());
    let expected = Sides::by(|side| match open {
        true => conflict.records[side].as_ref().map(digest),
        false => conflict.result,
    });
    Ok(Waiting {
        id,
        wanted,
        expected,
    })
}

/// Reads a record from a JSON object: every field once, under the name that either side gives it.
fn record(object: &Json, conflict: &PastConflict, joint: &Joint) -> Result<Batch, String> {
    let Json::Object(members) = object else {
        return Err("the answer is no JSON object".to_owned());
    };
    let names = Sides::by(|side| joint.shared.names(side));
    let known = |name: &str| {
        Side::BOTH
            .into_iter()
            .any(|side| names[side].contains(&name))
    };
    if let Some(stranger) = members.keys().find(|name| !known(name)) {
        return Err(format!("there is no field={stranger}"));
    }
    let types = joint.shared.types();
    let mut record = Batch::new(types.len());
    for (field, ty) in types.iter().enumerate() {
        let named = Side::BOTH
            .into_iter()
            .find_map(|side| members.get(names[side][field]));
        let Some(member) = named else {
            return Err(format!("field={} is missing", names.source[field]));
        };
        let shown = Side::BOTH.into_iter().filter_map(|side| {
            let held = conflict.records[side].as_ref()?;
            Some(held.record(0).value(field))
        });
        let name = names.source[field];
        push(member, *ty, shown, &mut record).map_err(|why| format!("field={name} {why}"))?;
    }
    let key = joint.shared.key();
    let held = conflict
        .records
        .source
        .as_ref()
        .or(conflict.records.target.as_ref());
    let same_key = held.is_none_or(|held| {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for &position in key {
            encode::key(record.record(0).value(position), &mut ours);
            encode::key(held.record(0).value(position), &mut theirs);
        }
        ours == theirs
    });
    if same_key {
        Ok(record)
    } else {
        Err("the answer's key is another one".to_owned())
    }
}

/// Pushes what a person wrote for one field: one of the values that were `shown`, or else a value of `ty`. Where values
/// pass unread, the class of the value that stands there says what is meant.
fn push<'a>(
    written: &Json,
    ty: Type,
    shown: impl Iterator<Item = Value<'a>> + Clone,
    into: &mut Batch,
) -> Result<(), String> {
    match meaning(written, shown.clone()) {
        Meaning::Held(value) => {
            into.push(value);
            return Ok(());
        }
        Meaning::Either => {
            return Err("is written alike for both sides and differs; take a side".to_owned());
        }
        Meaning::Other => {}
    }
    let text;
    let value = match written {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::String(value) => Value::Text(value),
        Json::Number(number) => {
            text = number.to_string();
            number.as_i64().map_or(Value::Decimal(&text), Value::Int)
        }
        Json::Array(_) | Json::Object(_) => {
            text = written.to_string();
            Value::Json(&text)
        }
    };
    let like = shown.into_iter().find(|value| !value.is_null());
    let wanted = match (ty, like) {
        (Type::Any, Some(like)) => type_of(like),
        (ty, _) => ty,
    };
    cast::push(value, wanted, into).map_err(|_| format!("does not fit type={ty}"))
}

fn type_of(value: Value<'_>) -> Type {
    match value {
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int {
            bits: 64,
            signed: true,
        },
        Value::Float(_) => Type::Float { bits: 64 },
        Value::Decimal(_) => Type::Decimal { size: None },
        Value::Text(_) => Type::TEXT,
        Value::Bytes(_) => Type::Bytes { bytes_max: None },
        Value::Date(_) => Type::Date,
        Value::Time(_) => Type::Time,
        Value::Timestamp(_) => Type::Timestamp,
        Value::Instant(_) => Type::Instant,
        Value::Uuid(_) => Type::Uuid,
        Value::Json(_) => Type::Json,
        Value::Null | Value::Unchanged | Value::InvalidText(_) => Type::Any,
    }
}
