//! The types a field can have, independent of any engine.
//!
//! Deliberately few: an engine's own type that has no equal here is carried as text with its name in
//! [`Field::native`](crate::schema::Field::native), so that two fields of the same native type pass through
//! unread, and any other pair is refused or cast by the lattice.

use std::fmt;

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Any value at all: an untyped SQLite column.
    Any,
    /// True or false.
    Bool,
    /// A whole number of `bits` (8, 16, 24, 32 or 64).
    Int {
        /// Width in bits.
        bits: u8,
        /// Whether negative numbers exist.
        signed: bool,
    },
    /// A binary floating-point number of `bits` (32 or 64).
    Float {
        /// Width in bits.
        bits: u8,
    },
    /// An exact decimal number; `None` means any number of digits. May hold NaN and infinities where the engine
    /// has them.
    Decimal {
        /// Digits in all, and digits after the point.
        size: Option<(u16, i16)>,
    },
    /// Unicode text of at most `chars_max` characters.
    Text {
        /// The longest text allowed, in characters.
        chars_max: Option<u32>,
    },
    /// A byte string of at most `bytes_max` bytes.
    Bytes {
        /// The longest string allowed, in bytes.
        bytes_max: Option<u32>,
    },
    /// A day of the proleptic Gregorian calendar, or an infinity.
    Date,
    /// A time of day in microseconds (24:00:00 included).
    Time,
    /// A date and time without a zone, in microseconds, or an infinity.
    Timestamp,
    /// A point in time in microseconds, or an infinity.
    Instant,
    /// A UUID.
    Uuid,
    /// A JSON text; equality is of the JSON values, not of the texts.
    Json,
}

impl Type {
    /// Text of any length.
    pub const TEXT: Self = Self::Text { chars_max: None };
    /// Bytes of any length.
    pub const BYTES: Self = Self::Bytes { bytes_max: None };
    /// A signed 64-bit integer.
    pub const INT: Self = Self::Int {
        bits: 64,
        signed: true,
    };
    /// A double.
    pub const FLOAT: Self = Self::Float { bits: 64 };
    /// A decimal of any size.
    pub const DECIMAL: Self = Self::Decimal { size: None };
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Bool => f.write_str("bool"),
            Self::Int { bits, signed: true } => write!(f, "int{bits}"),
            Self::Int {
                bits,
                signed: false,
            } => write!(f, "uint{bits}"),
            Self::Float { bits } => write!(f, "float{bits}"),
            Self::Decimal { size: None } => f.write_str("decimal"),
            Self::Decimal { size: Some((p, s)) } => write!(f, "decimal({p},{s})"),
            Self::Text { chars_max: None } => f.write_str("text"),
            Self::Text { chars_max: Some(n) } => write!(f, "text({n})"),
            Self::Bytes { bytes_max: None } => f.write_str("bytes"),
            Self::Bytes { bytes_max: Some(n) } => write!(f, "bytes({n})"),
            Self::Date => f.write_str("date"),
            Self::Time => f.write_str("time"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Instant => f.write_str("instant"),
            Self::Uuid => f.write_str("uuid"),
            Self::Json => f.write_str("json"),
        }
    }
}
