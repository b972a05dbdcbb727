//! How PostgreSQL's types meet ours, and in which form each travels.
//!
//! Invariant: a type either travels in its exact binary form, or as the text the server makes of it; nothing is
//! rounded in between. It deliberately knows few types: everything else is text with its own native name.

use trueup_core::extremes::Extremes;
use trueup_core::types::Type;

/// In which form the values of a column travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    /// `text`, `varchar` and `name`.
    Text,
    /// `char(n)`: the blanks it is padded with are not part of the value.
    Padded,
    /// The one-byte type `"char"`.
    Char,
    Bytes,
    Date,
    Time,
    Timestamp,
    Instant,
    Uuid,
    Json,
    Jsonb,
    /// Everything else: cast to text on the way out, and from text on the way in.
    Cast,
}

/// What a column's type modifier allows. Values beyond it are refused, because the server would round or cut them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    None,
    /// At most this many characters.
    Chars(u32),
    /// At most this many bytes.
    Bytes(u32),
    /// Digits behind the point; negative: zeros before it.
    Scale(i16),
    /// Digits of a second's fraction.
    Fraction(u8),
}

/// Offset of a type modifier that holds a length.
const VARHDRSZ: i32 = 4;

/// Finds the form for a base type (domains already resolved).
pub(super) fn wire(oid: u32) -> Wire {
    match oid {
        16 => Wire::Bool,
        17 => Wire::Bytes,
        18 => Wire::Char,
        19 | 25 | 1043 => Wire::Text,
        20 => Wire::Int8,
        21 => Wire::Int2,
        23 => Wire::Int4,
        26 => Wire::Oid,
        114 => Wire::Json,
        700 => Wire::Float4,
        701 => Wire::Float8,
        1042 => Wire::Padded,
        1082 => Wire::Date,
        1083 => Wire::Time,
        1114 => Wire::Timestamp,
        1184 => Wire::Instant,
        1700 => Wire::Numeric,
        2950 => Wire::Uuid,
        3802 => Wire::Jsonb,
        _ => Wire::Cast,
    }
}

/// Reads the type modifier of a base type.
pub(super) fn limit(oid: u32, typmod: i32) -> Limit {
    match (wire(oid), typmod) {
        (Wire::Text, _) if oid == 19 => Limit::Bytes(63),
        (Wire::Text | Wire::Padded, 4..) => {
            Limit::Chars(u32::try_from(typmod - VARHDRSZ).unwrap_or(u32::MAX))
        }
        (Wire::Numeric, 4..) => Limit::Scale(numeric_size(typmod).1),
        (Wire::Time | Wire::Timestamp | Wire::Instant, 0..=5) => {
            Limit::Fraction(u8::try_from(typmod).unwrap_or(6))
        }
        _ => Limit::None,
    }
}

/// Takes `numeric(p,s)` apart. The scale is an 11-bit signed number since version 15.
fn numeric_size(typmod: i32) -> (u16, i16) {
    let bits = typmod - VARHDRSZ;
    let precision = u16::try_from((bits >> 16) & 0xffff).unwrap_or(u16::MAX);
    let scale = ((bits & 0x7ff) ^ 1024) - 1024;
    (precision, i16::try_from(scale).unwrap_or(0))
}

/// Finds our type for a base type.
pub(super) fn core(oid: u32, typmod: i32) -> Type {
    match wire(oid) {
        Wire::Bool => Type::Bool,
        Wire::Int2 => Type::Int {
            bits: 16,
            signed: true,
        },
        Wire::Int4 => Type::Int {
            bits: 32,
            signed: true,
        },
        Wire::Int8 => Type::INT,
        Wire::Oid => Type::Int {
            bits: 32,
            signed: false,
        },
        Wire::Float4 => Type::Float { bits: 32 },
        Wire::Float8 => Type::FLOAT,
        Wire::Numeric if typmod >= VARHDRSZ => Type::Decimal {
            size: Some(numeric_size(typmod)),
        },
        Wire::Numeric => Type::DECIMAL,
        Wire::Text | Wire::Padded => match limit(oid, typmod) {
            Limit::Chars(n) | Limit::Bytes(n) => Type::Text { chars_max: Some(n) },
            Limit::None | Limit::Scale(_) | Limit::Fraction(_) => Type::TEXT,
        },
        Wire::Char => Type::Text { chars_max: Some(1) },
        Wire::Bytes => Type::BYTES,
        Wire::Date => Type::Date,
        Wire::Time => Type::Time,
        Wire::Timestamp => Type::Timestamp,
        Wire::Instant => Type::Instant,
        Wire::Uuid => Type::Uuid,
        Wire::Json | Wire::Jsonb => Type::Json,
        Wire::Cast => Type::TEXT,
    }
}

/// Whether ordering a key of this form by the server's own order (texts: by byte) is ordering by the canonical
/// encoding, once the values have been cast to `wanted`.
pub(super) fn ordered(wire: Wire, wanted: Type) -> bool {
    match wire {
        Wire::Bool => matches!(wanted, Type::Bool | Type::Any),
        Wire::Int2 | Wire::Int4 | Wire::Int8 | Wire::Oid => {
            matches!(wanted, Type::Int { .. } | Type::Decimal { .. } | Type::Any)
        }
        Wire::Float4 | Wire::Float8 => matches!(wanted, Type::Float { .. } | Type::Any),
        Wire::Numeric => matches!(wanted, Type::Decimal { .. } | Type::Any),
        Wire::Text | Wire::Padded | Wire::Cast => matches!(wanted, Type::Text { .. } | Type::Any),
        Wire::Bytes => matches!(wanted, Type::Bytes { .. } | Type::Any),
        Wire::Date => matches!(wanted, Type::Date | Type::Any),
        Wire::Time => matches!(wanted, Type::Time | Type::Any),
        Wire::Timestamp => matches!(wanted, Type::Timestamp | Type::Any),
        Wire::Instant => matches!(wanted, Type::Instant | Type::Any),
        Wire::Uuid => matches!(wanted, Type::Uuid | Type::Any),
        // The canonical order of JSON is that of a text the server does not know; "char" orders by a signed byte.
        Wire::Json | Wire::Jsonb | Wire::Char => false,
    }
}

/// Which of the values at the ends of its type a column of the type `native` can hold.
pub(super) fn extremes(native: &str, ty: Type) -> Extremes {
    let name = native.split('(').next().unwrap_or(native).trim();
    let common = Extremes::of(ty);
    match (ty, name) {
        (
            Type::Text { .. },
            "text" | "character varying" | "character" | "bpchar" | "name" | "citext",
        ) => common - Extremes::ZERO_BYTES,
        // Read and written as what the server spells.
        (Type::Text { .. }, _) => Extremes::NONE,
        (Type::Timestamp | Type::Instant, _) => common | Extremes::LAST_YEARS,
        (Type::Json, "jsonb") => common - Extremes::ZERO_BYTES,
        (Type::Json, _) => common | Extremes::ODD_JSON,
        _ => common,
    }
}
