//! What a column's declared type means, and what SQLite does to values put there.
//!
//! SQLite keeps any value in any column; the declaration only sets an *affinity* that converts some values on the
//! way in (`'1.10'` becomes the number 1.1 in a NUMERIC column). Types that must survive as text are therefore
//! declared with a name that holds `TEXT`: `DECIMAL_TEXT(10,2)`, `JSON_TEXT`. See sqlite.org/datatype3.html.

use trueup_core::extremes::Extremes;
use trueup_core::types::Type;

/// What SQLite does to a value stored in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Affinity {
    Integer,
    Text,
    Blob,
    Real,
    Numeric,
}

/// Applies the rules of section 3.1 of the SQLite documentation, in their order.
pub(super) fn affinity(declared: &str) -> Affinity {
    let upper = declared.to_ascii_uppercase();
    let has = |part: &str| upper.contains(part);
    if has("INT") {
        Affinity::Integer
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        Affinity::Text
    } else if has("BLOB") || upper.trim().is_empty() {
        Affinity::Blob
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

/// Reads a declared type. Lengths are ignored, as SQLite ignores them (trap 45).
pub(super) fn type_of(declared: &str) -> Type {
    let upper = declared.trim().to_ascii_uppercase();
    let (name, size) = match upper.split_once('(') {
        Some((name, rest)) => (name.trim(), size(rest)),
        None => (upper.as_str(), None),
    };
    match name {
        "BOOL" | "BOOLEAN" => Type::Bool,
        "DATE" => Type::Date,
        "TIME" => Type::Time,
        "DATETIME" | "TIMESTAMP" => Type::Timestamp,
        "TIMESTAMPTZ" | "TIMESTAMP WITH TIME ZONE" => Type::Instant,
        "UUID" => Type::Uuid,
        "JSON" | "JSONB" | "JSON_TEXT" => Type::Json,
        "DECIMAL_TEXT" => Type::Decimal { size },
        "DECIMAL" | "NUMERIC" | "NUMBER" => Type::DECIMAL,
        "BLOB" => Type::BYTES,
        "ANY" | "" => Type::Any,
        _ => match affinity(name) {
            Affinity::Integer => Type::INT,
            Affinity::Text => Type::TEXT,
            Affinity::Blob => Type::BYTES,
            Affinity::Real => Type::FLOAT,
            Affinity::Numeric => Type::Any,
        },
    }
}

fn size(rest: &str) -> Option<(u16, i16)> {
    let inner = rest.split(')').next()?;
    let (precision, scale) = inner.split_once(',').unwrap_or((inner, "0"));
    Some((precision.trim().parse().ok()?, scale.trim().parse().ok()?))
}

/// The declaration for a core type, such that [`type_of`] gives a type that holds the same values.
pub(super) fn declare(ty: Type) -> String {
    match ty {
        Type::Any => String::new(),
        Type::Bool => "BOOLEAN".into(),
        // uint64 passes i64 and would turn into REAL (trap 45).
        Type::Int {
            bits: 64,
            signed: false,
        } => "DECIMAL_TEXT(20,0)".into(),
        Type::Int { .. } => "INTEGER".into(),
        Type::Float { .. } => "REAL".into(),
        Type::Decimal { size: None } => "DECIMAL_TEXT".into(),
        Type::Decimal {
            size: Some((precision, scale)),
        } => {
            format!("DECIMAL_TEXT({precision},{scale})")
        }
        Type::Text { .. } => "TEXT".into(),
        Type::Bytes { .. } => "BLOB".into(),
        Type::Date => "DATE".into(),
        Type::Time => "TIME".into(),
        Type::Timestamp => "TIMESTAMP".into(),
        Type::Instant => "TIMESTAMPTZ".into(),
        Type::Uuid => "UUID".into(),
        Type::Json => "JSON_TEXT".into(),
    }
}

/// Which of the values at the ends of its type a column can hold; `strict` says that its table keeps classes apart.
pub(super) fn extremes(ty: Type, strict: bool) -> Extremes {
    let common = match ty {
        Type::Float { .. } => Extremes::INFINITE,
        Type::Any => Extremes::of(ty) - Extremes::NAN,
        Type::Text { .. } => Extremes::of(ty) | Extremes::BROKEN_TEXTS,
        Type::Json => Extremes::of(ty) | Extremes::ODD_JSON,
        _ => Extremes::of(ty),
    };
    if strict {
        common
    } else {
        common | Extremes::OTHER_CLASSES
    }
}
