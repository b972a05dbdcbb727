//! How a value in conflict is spelled in JSON for people, and what a spelling means when it comes back.
//!
//! Invariant: a value that comes back as it was spelled is the value that was spelled, whatever JSON cannot say about it
//! (text that is no UTF-8, bytes, the class of an untyped field). Where both sides' values are spelled alike and are not
//! the same, nobody can know which was meant. What is not one of the two is read as its field's type: not here.

use serde_json::Value as Json;
use trueup_core::value::Value;
use trueup_core::{encode, text};

/// Spells a value: JSON's own classes as they are, all others as their plain text.
pub fn spelled(value: Value<'_>) -> Json {
    match value {
        Value::Null | Value::Unchanged => Json::Null,
        Value::Bool(value) => Json::from(value),
        Value::Int(value) => Json::from(value),
        Value::Float(value) if value.is_finite() => Json::from(value),
        Value::InvalidText(bytes) => Json::from(String::from_utf8_lossy(bytes)),
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
            let mut plain = String::new();
            // Only null and invalid text have no plain form, and those were handled above.
            text::write(value, &mut plain);
            Json::from(plain)
        }
    }
}

/// What a spelling means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meaning<'a> {
    /// The value that was spelled so.
    Held(Value<'a>),
    /// One of two values that are spelled alike.
    Either,
    /// None of those that were spelled.
    Other,
}

/// Tells which of the values that were shown is meant.
pub(super) fn meaning<'a>(spelling: &Json, shown: impl Iterator<Item = Value<'a>>) -> Meaning<'a> {
    let encoded = |value: Value<'_>| {
        let mut bytes = Vec::new();
        encode::value(value, &mut bytes);
        bytes
    };
    let mut meaning = Meaning::Other;
    for value in shown.filter(|value| spelled(*value) == *spelling) {
        meaning = match meaning {
            Meaning::Other => Meaning::Held(value),
            Meaning::Held(first) if encoded(first) == encoded(value) => meaning,
            Meaning::Held(_) | Meaning::Either => Meaning::Either,
        };
    }
    meaning
}

#[cfg(test)]
mod tests;
