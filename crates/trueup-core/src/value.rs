//! One value of one field, borrowed from the batch that holds it.
//!
//! A `Value` is a view: it is made by reading a [`Cell`](crate::batch::Cell) and never stored. Numbers of different
//! classes are different values (`Int(1)` is not `Float(1.0)`): which classes a field may hold is settled by the
//! mapping before values are compared.

/// A value as it stands in a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// SQL NULL: no value.
    Null,
    /// A value that did not travel (an unchanged TOAST value in a change log). Never written, never compared.
    Unchanged,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A double. `-0.0` equals `0.0` and every NaN equals every other.
    Float(f64),
    /// An exact decimal as ASCII text: an optional minus, digits, optionally a point and digits; or `NaN`,
    /// `Infinity`, `-Infinity`. Trailing zeros are kept but do not count: `1.0` equals `1.00`.
    Decimal(&'a str),
    /// Unicode text.
    Text(&'a str),
    /// Text that is not valid UTF-8 (SQLite allows it). Passes between untyped fields only.
    InvalidText(&'a [u8]),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Days since 1970-01-01; `i32::MIN` and `i32::MAX` are the infinities.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 1970-01-01 00:00:00 in no zone; `i64::MIN` and `i64::MAX` are the infinities.
    Timestamp(i64),
    /// Microseconds since 1970-01-01 00:00:00 UTC; `i64::MIN` and `i64::MAX` are the infinities.
    Instant(i64),
    /// The 16 bytes of a UUID.
    Uuid(&'a [u8]),
    /// A JSON text as the engine gave it.
    Json(&'a str),
}

impl Value<'_> {
    /// Returns the name of the value's class, for error messages that may not show the value.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unchanged => "unchanged",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Decimal(_) => "decimal",
            Self::Text(_) => "text",
            Self::InvalidText(_) => "text with invalid UTF-8",
            Self::Bytes(_) => "bytes",
            Self::Date(_) => "date",
            Self::Time(_) => "time",
            Self::Timestamp(_) => "timestamp",
            Self::Instant(_) => "instant",
            Self::Uuid(_) => "uuid",
            Self::Json(_) => "json",
        }
    }

    /// Tells whether the value is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}
