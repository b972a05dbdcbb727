//! Whether a value fits a declared type: the constraint that a real engine would enforce.
//!
//! It never converts: what does not fit is refused, as the contract wants it.

use trueup_core::decimal::{self, Parts};
use trueup_core::schema::Field;
use trueup_core::types::Type;
use trueup_core::value::Value;

/// Says why `field` cannot hold `value`, naming the field and the class but not the value.
pub(super) fn refusal(field: &Field, value: Value<'_>) -> Option<String> {
    let why = match value {
        Value::Null if field.nullable => return None,
        Value::Null => "null is not allowed".to_owned(),
        _ if fits(field.ty, value) => return None,
        _ => format!(
            "a value of class {} does not fit {}",
            value.class(),
            field.ty
        ),
    };
    Some(format!("field={}: {why}", field.name))
}

/// Tells whether a value other than NULL is one of the values of `ty`.
fn fits(ty: Type, value: Value<'_>) -> bool {
    match (ty, value) {
        (_, Value::Unchanged) => false,
        (Type::Any, _)
        | (Type::Bool, Value::Bool(_))
        | (Type::Date, Value::Date(_))
        | (Type::Time, Value::Time(_))
        | (Type::Timestamp, Value::Timestamp(_))
        | (Type::Instant, Value::Instant(_))
        | (Type::Json, Value::Json(_)) => true,
        (Type::Int { bits, signed }, Value::Int(v)) => int_fits(bits, signed, v),
        (Type::Float { bits: 32 }, Value::Float(v)) => v.is_nan() || f64::from(v as f32) == v,
        (Type::Float { .. }, Value::Float(_)) => true,
        (Type::Decimal { size }, Value::Decimal(v)) => decimal_fits(size, v),
        (Type::Text { chars_max }, Value::Text(v)) => {
            chars_max.is_none_or(|max| v.chars().nth(max as usize).is_none())
        }
        (Type::Bytes { bytes_max }, Value::Bytes(v)) => {
            bytes_max.is_none_or(|max| v.len() <= max as usize)
        }
        (Type::Uuid, Value::Uuid(v)) => v.len() == 16,
        _ => false,
    }
}

fn int_fits(bits: u8, signed: bool, v: i64) -> bool {
    let v = i128::from(v);
    let bits = u32::from(bits.min(64));
    let (low, high) = match signed {
        true => (
            -(1_i128 << (bits.max(1) - 1)),
            (1_i128 << (bits.max(1) - 1)) - 1,
        ),
        false => (0, (1_i128 << bits) - 1),
    };
    (low..=high).contains(&v)
}

fn decimal_fits(size: Option<(u16, i16)>, text: &str) -> bool {
    let Some(parts) = decimal::parts(text) else {
        return false;
    };
    let Some((digits, scale)) = size else {
        return true;
    };
    match parts {
        Parts::NaN | Parts::Infinite(_) => false,
        Parts::Zero => true,
        Parts::Finite {
            exponent,
            whole,
            fraction,
            ..
        } => {
            let significant = i64::try_from(whole.len() + fraction.len()).unwrap_or(i64::MAX);
            let behind_point = significant - i64::from(exponent);
            i64::from(exponent) <= i64::from(digits) - i64::from(scale)
                && behind_point <= i64::from(scale)
        }
    }
}
