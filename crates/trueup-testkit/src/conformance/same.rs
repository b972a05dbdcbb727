//! Reading what was delivered as what was meant: the one place where the suite knows that some endpoints hold text
//! only, or fewer classes than there are types.

use crate::owned::Owned;
use trueup_core::types::Type;

/// Reads `value` as one of `ty`; a value that is of another class and not its plain text stays what it is, and so
/// equals nothing that was expected.
pub(super) fn cast(ty: Type, value: &Owned) -> Owned {
    let cast = match (ty, value) {
        (Type::Bool, Owned::Int(v @ (0 | 1))) => Some(Owned::Bool(*v == 1)),
        (Type::Float { .. }, Owned::Int(v)) => Some(Owned::Float(*v as f64)),
        (_, Owned::Text(text)) => parse(ty, text),
        _ => None,
    };
    cast.unwrap_or_else(|| value.clone())
}

fn parse(ty: Type, text: &str) -> Option<Owned> {
    match ty {
        Type::Bool => text.parse().ok().map(Owned::Bool),
        Type::Int { .. } => text.parse().ok().map(Owned::Int),
        Type::Float { .. } => text.parse().ok().map(Owned::Float),
        Type::Decimal { .. } => Some(Owned::decimal(text)),
        Type::Json => Some(Owned::Json(text.to_owned())),
        Type::Bytes { .. } => hex(text.strip_prefix("\\x")?).map(Owned::Bytes),
        Type::Uuid => hex(&text.replace('-', "")).map(Owned::Uuid),
        Type::Any
        | Type::Text { .. }
        | Type::Date
        | Type::Time
        | Type::Timestamp
        | Type::Instant => None,
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).map(|d| d as u8))
        .collect::<Option<_>>()?;
    digits
        .len()
        .is_multiple_of(2)
        .then(|| digits.chunks(2).map(|d| d[0] << 4 | d[1]).collect())
}
