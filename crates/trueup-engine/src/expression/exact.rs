//! The values that CEL has no type for, as types of their own: decimals, dates and times, UUIDs.
//!
//! As text, `"9.50" > "10.00"`, and a rule would pick the wrong price without a word; as doubles, digits are lost. So
//! they compare as what they are: with their like, and with whatever casts to them exactly (a number, a text that
//! spells one), on either side of the operator. What does not compare is an error, never `false`.
//! They deliberately have no arithmetic: `double(x)` and `string(x)` say what is lost.

use super::convert;
use cel::common::types::Type as CelType;
use cel::common::value::{StaticVal, Val};
use std::any::Any;
use std::cmp::Ordering;
use trueup_core::batch::Batch;
use trueup_core::decimal;
use trueup_core::types::Type;
use trueup_core::value::Value;

/// A value of one of these types.
#[derive(Clone, Debug)]
pub(crate) enum Exact {
    Decimal(Box<str>),
    Date(i32),
    Time(i64),
    Timestamp(i64),
    Instant(i64),
    Uuid([u8; 16]),
    /// JSON's null, which is a value where NULL is none.
    JsonNull,
}

pub(crate) static DECIMAL: CelType = CelType::new_unspecified_type("decimal");
pub(crate) static DATE: CelType = CelType::new_unspecified_type("date");
pub(crate) static TIME: CelType = CelType::new_unspecified_type("time");
pub(crate) static TIMESTAMP: CelType = CelType::new_unspecified_type("timestamp");
pub(crate) static INSTANT: CelType = CelType::new_unspecified_type("instant");
pub(crate) static UUID: CelType = CelType::new_unspecified_type("uuid");
static JSON_NULL: CelType = CelType::new_unspecified_type("json null");

impl Exact {
    /// Keeps a value, where it is of one of these classes and well formed.
    pub(crate) fn of(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Decimal(text) => {
                decimal::parts(text)?;
                Some(Self::Decimal(text.into()))
            }
            Value::Date(v) => Some(Self::Date(v)),
            Value::Time(v) => Some(Self::Time(v)),
            Value::Timestamp(v) => Some(Self::Timestamp(v)),
            Value::Instant(v) => Some(Self::Instant(v)),
            Value::Uuid(bytes) => bytes.try_into().ok().map(Self::Uuid),
            _ => None,
        }
    }

    /// Returns the value as it stands in a batch.
    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::Decimal(text) => Value::Decimal(text),
            Self::Date(v) => Value::Date(*v),
            Self::Time(v) => Value::Time(*v),
            Self::Timestamp(v) => Value::Timestamp(*v),
            Self::Instant(v) => Value::Instant(*v),
            Self::Uuid(bytes) => Value::Uuid(bytes),
            Self::JsonNull => Value::Json("null"),
        }
    }

    fn ty(&self) -> Type {
        match self {
            Self::Decimal(_) => Type::DECIMAL,
            Self::Date(_) => Type::Date,
            Self::Time(_) => Type::Time,
            Self::Timestamp(_) => Type::Timestamp,
            Self::Instant(_) => Type::Instant,
            Self::Uuid(_) => Type::Uuid,
            Self::JsonNull => Type::Json,
        }
    }

    /// Orders this value and another of any class; `None` where the two do not compare.
    pub(crate) fn order(&self, other: &dyn Val) -> Option<Ordering> {
        if let Some(cast) = cast(other, self.ty()) {
            return order(self.value(), cast.record(0).value(0));
        }
        // A date casts to a timestamp, but not the other way.
        let other = other.downcast_ref::<Self>()?;
        let cast = cast(self, other.ty())?;
        order(cast.record(0).value(0), other.value())
    }
}

fn cast(value: &dyn Val, to: Type) -> Option<Batch> {
    let mut batch = Batch::new(1);
    if to == Type::Json {
        return None;
    }
    convert::push(value, to, &mut batch).ok()?;
    (batch.record(0).value(0) != Value::Null).then_some(batch)
}

fn order(a: Value<'_>, b: Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Time(a), Value::Time(b))
        | (Value::Timestamp(a), Value::Timestamp(b))
        | (Value::Instant(a), Value::Instant(b)) => Some(a.cmp(&b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(&b)),
        (Value::Uuid(a), Value::Uuid(b)) => Some(a.cmp(b)),
        (Value::Decimal(a), Value::Decimal(b)) => Some(number(a)?.cmp(&number(b)?)),
        _ => None,
    }
}

/// Returns bytes that order as the decimal does; NaN is no number.
fn number(text: &str) -> Option<Vec<u8>> {
    let parts = decimal::parts(text).filter(|parts| *parts != decimal::Parts::NaN)?;
    let mut bytes = Vec::new();
    decimal::encode(parts, &mut bytes);
    Some(bytes)
}

impl Val for Exact {
    fn get_type(&self) -> &CelType {
        match self {
            Self::Decimal(_) => &DECIMAL,
            Self::Date(_) => &DATE,
            Self::Time(_) => &TIME,
            Self::Timestamp(_) => &TIMESTAMP,
            Self::Instant(_) => &INSTANT,
            Self::Uuid(_) => &UUID,
            Self::JsonNull => &JSON_NULL,
        }
    }

    /// Only the interpreter's macros ask for it, for types whose values are all of one; they are not used here.
    fn cel_type() -> &'static CelType {
        &JSON_NULL
    }

    /// How maps and lists compare their elements; `==` itself goes through [`Exact::order`] and can fail.
    fn equals(&self, other: &dyn Val) -> bool {
        match (self, other.downcast_ref::<Self>()) {
            (Self::JsonNull, Some(Self::JsonNull)) => true,
            _ => self.order(other) == Some(Ordering::Equal),
        }
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Exact {}
