//! What a value becomes in a column, or why it cannot be held there.
//!
//! SQLite converts silently: NaN becomes NULL, a numeric-looking text becomes a number in a NUMERIC column. Each
//! such case is refused here, before the write, unless reading it back gives an equal value.

use super::decl::{self, Affinity};
use rusqlite::types::{ToSqlOutput, ValueRef};
use trueup_core::schema::Field;
use trueup_core::value::Value;

/// Makes the stored form of `value` for a column of `affinity`. `text` is the buffer for values kept as text.
pub(super) fn bind<'a>(
    value: Value<'a>,
    affinity: Affinity,
    text: &'a mut String,
) -> Result<ToSqlOutput<'a>, &'static str> {
    let stored = match value {
        Value::Null => ValueRef::Null,
        Value::Bool(v) => ValueRef::Integer(i64::from(v)),
        Value::Int(v) => ValueRef::Integer(v),
        Value::Float(v) if v.is_nan() => return Err("SQLite cannot hold NaN"),
        Value::Float(v) => ValueRef::Real(v),
        Value::Text(v) => return keep_text(v, affinity),
        Value::Decimal(v) => return keep_decimal(v, affinity),
        Value::InvalidText(v) => ValueRef::Text(v),
        Value::Bytes(v) => ValueRef::Blob(v),
        Value::Json(v) => return keep_text(v, affinity),
        Value::Unchanged => return Err("the value did not travel"),
        Value::Date(_)
        | Value::Time(_)
        | Value::Timestamp(_)
        | Value::Instant(_)
        | Value::Uuid(_) => {
            text.clear();
            trueup_core::text::write(value, text);
            ValueRef::Text(text.as_bytes())
        }
    };
    Ok(ToSqlOutput::Borrowed(stored))
}

fn keep_text(text: &str, affinity: Affinity) -> Result<ToSqlOutput<'_>, &'static str> {
    let converts = match affinity {
        Affinity::Text | Affinity::Blob => false,
        Affinity::Integer | Affinity::Real | Affinity::Numeric => looks_numeric(text),
    };
    if converts && !survives_as_number(text) {
        return Err("the column would turn this text into a number that is not equal to it");
    }
    Ok(ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())))
}

fn keep_decimal(text: &str, affinity: Affinity) -> Result<ToSqlOutput<'_>, &'static str> {
    let converts = !matches!(affinity, Affinity::Text | Affinity::Blob);
    if converts && looks_numeric(text) && !decimal_survives(text) {
        return Err(
            "the column keeps numbers as doubles, and this one has more digits than a double holds",
        );
    }
    Ok(ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())))
}

/// Whether SQLite might take the text for a number. Errs towards `true`, but a date (`2024-03-01`) is none.
pub(super) fn looks_numeric(text: &str) -> bool {
    let plain = |text: &str| -> bool {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        digits.bytes().any(|byte| byte.is_ascii_digit())
            && digits
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    let text = text.trim_matches(|ch: char| ch.is_ascii_whitespace() || ch == '\x0b');
    match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => plain(mantissa) && plain(exponent),
        None => plain(text),
    }
}

/// Whether the text is exactly how the integer it becomes is printed.
fn survives_as_number(text: &str) -> bool {
    text.parse::<i64>()
        .is_ok_and(|number| number.to_string() == text)
}

/// Whether the integer or double it becomes is numerically the same decimal.
fn decimal_survives(text: &str) -> bool {
    let same = |other: &str| {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        match (
            trueup_core::decimal::parts(text),
            trueup_core::decimal::parts(other),
        ) {
            (Some(x), Some(y)) => {
                trueup_core::decimal::encode(x, &mut a);
                trueup_core::decimal::encode(y, &mut b);
                a == b
            }
            _ => false,
        }
    };
    text.parse::<i64>()
        .is_ok_and(|number| same(&number.to_string()))
        || text
            .parse::<f64>()
            .is_ok_and(|number| number.is_finite() && same(&number.to_string()))
}

/// Returns the affinity of a field, from its native type.
pub(super) fn affinity_of(field: &Field) -> Affinity {
    decl::affinity(field.native.strip_prefix("sqlite:").unwrap_or(""))
}
