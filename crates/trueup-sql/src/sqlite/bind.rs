//! What a value becomes in a column, or why it cannot be held there.
//!
//! SQLite converts silently: NaN becomes NULL, a numeric-looking text becomes a number in a NUMERIC column. Each
//! such case is refused here, before the write, unless reading it back gives an equal value.

use super::decl::{self, Affinity};
use rusqlite::types::{ToSqlOutput, ValueRef};
use trueup_core::schema::Field;
use trueup_core::value::Value;

/// Beyond this no double is an integer of 64 bits.
const WHOLE_MAX: f64 = 9_223_372_036_854_775_808.0;

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
    if matches!(affinity, Affinity::Text | Affinity::Blob) || !looks_numeric(text) {
        return Ok(ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())));
    }
    match number_of(text, affinity) {
        Some(number) => Ok(ToSqlOutput::Borrowed(number)),
        None => Err(
            "the column keeps numbers as doubles, and this one has more digits than a double holds",
        ),
    }
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

/// The integer or double that is numerically the same decimal, and stays what it is in the column: a whole double becomes
/// an integer in one that is not for doubles, with all the digits that the shortest decimal of it leaves out.
fn number_of(text: &str, affinity: Affinity) -> Option<ValueRef<'static>> {
    let encoded = |text: &str| {
        let mut bytes = Vec::new();
        trueup_core::decimal::encode(trueup_core::decimal::parts(text)?, &mut bytes);
        Some(bytes)
    };
    let meant = encoded(text)?;
    let same = |other: String| encoded(&other).is_some_and(|other| other == meant);
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    if affinity != Affinity::Real
        && let Ok(number) = whole.parse::<i64>()
        && same(number.to_string())
    {
        return Some(ValueRef::Integer(number));
    }
    let number = text
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite())?;
    let turns = affinity != Affinity::Real && number.fract() == 0.0 && number.abs() < WHOLE_MAX;
    (same(number.to_string()) && !turns).then_some(ValueRef::Real(number))
}

/// Returns the affinity of a field, from its native type.
pub(super) fn affinity_of(field: &Field) -> Affinity {
    decl::affinity(field.native.strip_prefix("sqlite:").unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the engine itself makes of a bound decimal, in a column of this type.
    #[test]
    fn trap_45_a_decimal_that_a_numeric_column_would_change_is_refused() {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        for (text, affinity, kept) in [
            (
                "9007199254740993.000",
                Affinity::Numeric,
                Some("9007199254740993"),
            ),
            (
                "9223372036854775807",
                Affinity::Numeric,
                Some("9223372036854775807"),
            ),
            ("1.50", Affinity::Numeric, Some("1.5")),
            ("4611686018427388000.5", Affinity::Numeric, None),
            ("12345678901234567890123", Affinity::Numeric, None),
            ("0.1234567890123456789", Affinity::Numeric, None),
            ("9007199254740993", Affinity::Real, None),
        ] {
            let mut scratch = String::new();
            let bound = bind(Value::Decimal(text), affinity, &mut scratch);
            assert_eq!(bound.is_ok(), kept.is_some(), "{text}");
            let (Ok(bound), Some(kept)) = (bound, kept) else {
                continue;
            };
            database
                .execute_batch("CREATE TABLE t (v NUMERIC)")
                .unwrap();
            database
                .execute("INSERT INTO t VALUES (?1)", [bound])
                .unwrap();
            let held: String = database
                .query_row("SELECT CAST(v AS TEXT) FROM t", [], |row| row.get(0))
                .unwrap();
            assert_eq!(held, kept);
            database.execute_batch("DROP TABLE t").unwrap();
        }
    }
}
