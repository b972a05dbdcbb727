//! The types a field can have, independent of any engine.
//!
//! Deliberately few: an engine's own type that has no equal here is carried as text with its name in
//! [`Field::native`](crate::schema::Field::native), so that two fields of the same native type pass through
//! unread, and any other pair is refused or cast by the lattice.

use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

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

    /// How types are written, each kind once, for hints. What is written with a size may have any; `int64` and
    /// `float64` are read too.
    pub const SPELLINGS: [&str; 26] = [
        "any",
        "bool",
        "int",
        "int8",
        "int16",
        "int24",
        "int32",
        "uint8",
        "uint16",
        "uint24",
        "uint32",
        "uint64",
        "float",
        "float32",
        "decimal",
        "decimal(10,2)",
        "text",
        "text(80)",
        "bytes",
        "bytes(16)",
        "date",
        "time",
        "timestamp",
        "instant",
        "uuid",
        "json",
    ];
}

impl FromStr for Type {
    type Err = Error;

    /// Reads what [`Type`]'s `Display` writes; `int` and `float` are the widest ones.
    fn from_str(text: &str) -> Result<Self> {
        read(text).ok_or_else(|| {
            Error::config("there is no such type")
                .hint(format!("the types are: {}", Self::SPELLINGS.join(", ")))
        })
    }
}

fn read(text: &str) -> Option<Type> {
    let (name, size) = match text.split_once('(') {
        Some((name, rest)) => (name, Some(rest.strip_suffix(')')?)),
        None => (text, None),
    };
    if let Some(size) = size {
        return match name {
            "decimal" => {
                let (digits, scale) = size.split_once(',')?;
                let size = Some((digits.trim().parse().ok()?, scale.trim().parse().ok()?));
                Some(Type::Decimal { size })
            }
            "text" => Some(Type::Text {
                chars_max: Some(size.trim().parse().ok()?),
            }),
            "bytes" => Some(Type::Bytes {
                bytes_max: Some(size.trim().parse().ok()?),
            }),
            _ => None,
        };
    }
    let int = |bits, signed| Some(Type::Int { bits, signed });
    match name {
        "any" => Some(Type::Any),
        "bool" => Some(Type::Bool),
        "int" | "int64" => Some(Type::INT),
        "int8" => int(8, true),
        "int16" => int(16, true),
        "int24" => int(24, true),
        "int32" => int(32, true),
        "uint8" => int(8, false),
        "uint16" => int(16, false),
        "uint24" => int(24, false),
        "uint32" => int(32, false),
        "uint64" => int(64, false),
        "float" | "float64" => Some(Type::FLOAT),
        "float32" => Some(Type::Float { bits: 32 }),
        "decimal" => Some(Type::DECIMAL),
        "text" => Some(Type::TEXT),
        "bytes" => Some(Type::BYTES),
        "date" => Some(Type::Date),
        "time" => Some(Type::Time),
        "timestamp" => Some(Type::Timestamp),
        "instant" => Some(Type::Instant),
        "uuid" => Some(Type::Uuid),
        "json" => Some(Type::Json),
        _ => None,
    }
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

#[cfg(test)]
mod tests;
