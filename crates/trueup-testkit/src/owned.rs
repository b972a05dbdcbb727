//! Values that own their content, for tests that keep records.
//!
//! Equality and order are those of the canonical encoding, so `assert_eq!` means what the product means by equal:
//! decimals `1.0` and `1.00` are equal, every NaN is equal, an int is never equal to a float. It deliberately offers no
//! other comparison: a test that wants to see trailing zeros matches on the variant.

use std::cmp::Ordering;
use std::fmt;
use trueup_core::batch::Record;
use trueup_core::encode;
use trueup_core::value::Value;

/// One value, owned. Each variant is the [`Value`] of the same name.
#[derive(Clone)]
#[expect(
    missing_docs,
    reason = "each variant is documented at the Value of the same name"
)]
pub enum Owned {
    Null,
    Unchanged,
    Bool(bool),
    Int(i64),
    Float(f64),
    Decimal(String),
    Text(String),
    InvalidText(Vec<u8>),
    Bytes(Vec<u8>),
    Date(i32),
    Time(i64),
    Timestamp(i64),
    Instant(i64),
    Uuid(Vec<u8>),
    Json(String),
}

impl Owned {
    /// Lends the value.
    pub fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Unchanged => Value::Unchanged,
            Self::Bool(v) => Value::Bool(*v),
            Self::Int(v) => Value::Int(*v),
            Self::Float(v) => Value::Float(*v),
            Self::Decimal(v) => Value::Decimal(v),
            Self::Text(v) => Value::Text(v),
            Self::InvalidText(v) => Value::InvalidText(v),
            Self::Bytes(v) => Value::Bytes(v),
            Self::Date(v) => Value::Date(*v),
            Self::Time(v) => Value::Time(*v),
            Self::Timestamp(v) => Value::Timestamp(*v),
            Self::Instant(v) => Value::Instant(*v),
            Self::Uuid(v) => Value::Uuid(v),
            Self::Json(v) => Value::Json(v),
        }
    }

    /// Copies every value of `record`.
    pub fn record(record: Record<'_>) -> Vec<Self> {
        record.values().map(Self::from).collect()
    }

    /// Makes a decimal from its digits.
    pub fn decimal(digits: &str) -> Self {
        Self::Decimal(digits.to_owned())
    }
}

/// Encodes `values` as a key: memcmp of two such byte strings is the canonical order.
pub fn key_bytes<'a>(values: impl IntoIterator<Item = &'a Owned>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in values {
        encode::key(value.value(), &mut bytes);
    }
    bytes
}

impl PartialEq for Owned {
    fn eq(&self, other: &Self) -> bool {
        key_bytes([self]) == key_bytes([other])
    }
}

impl Eq for Owned {}

impl PartialOrd for Owned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Owned {
    fn cmp(&self, other: &Self) -> Ordering {
        key_bytes([self]).cmp(&key_bytes([other]))
    }
}

/// How many characters or bytes of a long value a failed assertion shows.
const SHOWN_MAX: usize = 60;

impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value();
        match value {
            Value::Text(v) | Value::Json(v) | Value::Decimal(v) if v.len() > SHOWN_MAX => {
                let start: String = v.chars().take(SHOWN_MAX).collect();
                write!(f, "{}({start:?}.. {} bytes)", value.class(), v.len())
            }
            Value::Bytes(v) | Value::InvalidText(v) if v.len() > SHOWN_MAX => {
                write!(
                    f,
                    "{}({:02x?}.. {} bytes)",
                    value.class(),
                    &v[..SHOWN_MAX],
                    v.len()
                )
            }
            _ => write!(f, "{value:?}"),
        }
    }
}

impl From<Value<'_>> for Owned {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Unchanged => Self::Unchanged,
            Value::Bool(v) => Self::Bool(v),
            Value::Int(v) => Self::Int(v),
            Value::Float(v) => Self::Float(v),
            Value::Decimal(v) => Self::Decimal(v.to_owned()),
            Value::Text(v) => Self::Text(v.to_owned()),
            Value::InvalidText(v) => Self::InvalidText(v.to_vec()),
            Value::Bytes(v) => Self::Bytes(v.to_vec()),
            Value::Date(v) => Self::Date(v),
            Value::Time(v) => Self::Time(v),
            Value::Timestamp(v) => Self::Timestamp(v),
            Value::Instant(v) => Self::Instant(v),
            Value::Uuid(v) => Self::Uuid(v.to_vec()),
            Value::Json(v) => Self::Json(v.to_owned()),
        }
    }
}

impl From<bool> for Owned {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Owned {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Owned {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Owned {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Owned {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Owned {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
