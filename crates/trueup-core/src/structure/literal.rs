//! A literal as a field of the target would hold it.

use super::Literal;
use crate::batch::Batch;
use crate::cast;
use crate::text;
use crate::types::Type;
use crate::value::Value;

/// A value that a target's definition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plain {
    /// True or false.
    Bool(bool),
    /// A number, in digits.
    Number(String),
    /// A text, or the text of a date, a UUID and the like.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Returns what `literal` is in a field of type `ty`; `None` where it cannot be held there as it is.
pub fn plain(literal: &Literal, ty: Type) -> Option<Plain> {
    let mut first = Batch::new(1);
    match literal {
        Literal::Bool(value) => first.push(Value::Bool(*value)),
        Literal::Number(text) => {
            cast::push(Value::Text(text), Type::INT, &mut first)
                .or_else(|_| cast::push(Value::Text(text), Type::DECIMAL, &mut first))
                .or_else(|_| cast::push(Value::Text(text), Type::FLOAT, &mut first))
                .ok()?;
        }
        Literal::Text(text) => first.push(Value::Text(text)),
    }
    let mut second = Batch::new(1);
    cast::push(first.record(0).value(0), ty, &mut second).ok()?;
    match second.record(0).value(0) {
        Value::Bool(value) => Some(Plain::Bool(value)),
        Value::Float(value) if !value.is_finite() => None,
        value @ (Value::Int(_) | Value::Float(_) | Value::Decimal(_)) => {
            spelled(value).map(Plain::Number)
        }
        Value::Bytes(bytes) => Some(Plain::Bytes(bytes.to_vec())),
        Value::Null | Value::Unchanged | Value::InvalidText(_) => None,
        value @ (Value::Text(_)
        | Value::Json(_)
        | Value::Date(_)
        | Value::Time(_)
        | Value::Timestamp(_)
        | Value::Instant(_)
        | Value::Uuid(_)) => spelled(value).map(Plain::Text),
    }
}

fn spelled(value: Value<'_>) -> Option<String> {
    let mut out = String::new();
    text::write(value, &mut out).then_some(out)
}
