//! Says values as literals of a statement.
//!
//! Invariant: a value is said exactly, or refused by name before it is sent. The server would pad bytes, cut blanks, round
//! digits and fractions of seconds, and take a label for another that looks like it; what it would change is refused
//! here instead.

use super::quote;
use super::schema::Column;
use super::types::{Limit, Wire};
use std::fmt::Write as _;
use trueup_core::calendar;
use trueup_core::decimal::{Parts, parts};
use trueup_core::value::Value;

/// Why a record cannot be written: names, no values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) String);

const MISFIT: &str = "value is of another class than the field";
const RANGE: &str = "number is out of range";
const LONG: &str = "value is longer than the field allows";
const FINE: &str = "time has a finer fraction than the field keeps";
const DATE_RANGE: &str = "date is beyond what the server holds";

const DAY_US: i64 = 86_400_000_000;
/// 0001-01-01 and 9999-12-31, as days since 1970-01-01.
const DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;
/// 1970-01-01 00:00:01 and 2038-01-19 03:14:07.999999: what a `timestamp` of every version holds.
const INSTANTS: std::ops::RangeInclusive<i64> = 1_000_000..=2_147_483_647_999_999;
/// The most digits of a `decimal`.
const DIGITS_MAX: usize = 65;

/// Appends a value as a literal for `column`.
pub(super) fn push(column: &Column, value: Value<'_>, out: &mut String) -> Result<(), Refusal> {
    let start = out.len();
    content(column, value, out).map_err(|why| {
        out.truncate(start);
        Refusal(format!("{why}: field={}", column.name.escape_debug()))
    })
}

fn content(column: &Column, value: Value<'_>, out: &mut String) -> Result<(), &'static str> {
    match (column.wire, value) {
        (_, Value::Null) if column.nullable => out.push_str("NULL"),
        // The server has ways to fill such a field on its own.
        (_, Value::Null) => return Err("field may not be null"),
        (Wire::Bool, Value::Bool(v)) => out.push(if v { '1' } else { '0' }),
        // A text of one zero is the year 2000, and a line of a load is made of texts.
        (Wire::Year, Value::Int(0)) => out.push_str("'0000'"),
        (Wire::Year, Value::Int(1901..=2155)) => whole(column, value, out)?,
        (Wire::Year, Value::Int(_)) => return Err(RANGE),
        (Wire::Bool | Wire::Int | Wire::Bit, Value::Int(_) | Value::Decimal(_)) => {
            whole(column, value, out)?;
        }
        (Wire::Float4 | Wire::Float8, Value::Float(v)) => float(column, v, out)?,
        (Wire::Decimal, Value::Decimal(v)) => decimal(column, v, out)?,
        (Wire::Decimal, Value::Int(v)) => decimal(column, &v.to_string(), out)?,
        (Wire::Text | Wire::Padded | Wire::Label | Wire::Labels | Wire::Cast, Value::Text(v)) => {
            text(column, v)?;
            quote::push_text(v, out);
        }
        (Wire::Bytes | Wire::Fixed | Wire::Spatial, Value::Bytes(v)) => {
            bytes(column, v)?;
            quote::push_bytes(v, out);
        }
        (Wire::Date, Value::Date(v)) => quoted(out, |out| date(v, out))?,
        (Wire::Time, Value::Time(v)) => quoted(out, |out| time(column, v, out))?,
        (Wire::Timestamp, Value::Timestamp(v)) => quoted(out, |out| moment(column, v, out))?,
        (Wire::Instant, Value::Instant(v)) if INSTANTS.contains(&v) => {
            quoted(out, |out| moment(column, v, out))?;
        }
        (Wire::Instant, Value::Instant(_)) => {
            return Err("instant is beyond what a timestamp holds (1970 to 2038)");
        }
        // What only a field of the same native type delivers: dates of zeros, times beyond a day.
        (Wire::Date | Wire::Time | Wire::Timestamp | Wire::Instant, Value::Text(v))
            if is_temporal(v) =>
        {
            quote::push_text(v, out);
        }
        (Wire::Uuid, Value::Uuid(v)) if v.len() == 16 => quoted(out, |out| {
            quote::push_uuid(v, out);
            Ok(())
        })?,
        (Wire::Json, Value::Json(v)) => {
            json(column, v)?;
            quote::push_text(v, out);
        }
        (_, Value::InvalidText(_)) => return Err("text is not valid UTF-8"),
        (_, Value::Unchanged) => return Err("value did not travel"),
        _ => return Err(MISFIT),
    }
    Ok(())
}

fn quoted(
    out: &mut String,
    inner: impl FnOnce(&mut String) -> Result<(), &'static str>,
) -> Result<(), &'static str> {
    out.push('\'');
    inner(out)?;
    out.push('\'');
    Ok(())
}

fn whole(column: &Column, value: Value<'_>, out: &mut String) -> Result<(), &'static str> {
    let number = match value {
        Value::Int(v) => i128::from(v),
        Value::Decimal(v) => v.parse::<i128>().map_err(|_| RANGE)?,
        _ => return Err(MISFIT),
    };
    let (low, high) = match column.limit {
        Limit::Bits(bits, true) => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
        Limit::Bits(bits, false) => (0, (1_i128 << bits) - 1),
        _ => (i128::from(i64::MIN), i128::from(u64::MAX)),
    };
    if !(low..=high).contains(&number) {
        return Err(RANGE);
    }
    write!(out, "{number}").expect("a String takes all");
    Ok(())
}

fn float(column: &Column, v: f64, out: &mut String) -> Result<(), &'static str> {
    if !v.is_finite() {
        return Err("the server holds no NaN and no infinity");
    }
    // The cast rounds, and the comparison finds out.
    #[expect(clippy::cast_possible_truncation, reason = "checked on the next line")]
    if column.wire == Wire::Float4 && f64::from(v as f32) != v {
        return Err("number needs a double");
    }
    if let Limit::Digits(_, scale) = column.limit {
        let unit = 10_f64.powi(i32::from(scale));
        #[expect(
            clippy::float_cmp,
            reason = "exactly what the server's rounding would keep"
        )]
        if (v * unit).round() / unit != v {
            return Err("number has more digits behind the point than the field keeps");
        }
    }
    // With an exponent, it is a double to the server and no decimal.
    write!(out, "{v:e}").expect("a String takes all");
    Ok(())
}

fn decimal(column: &Column, v: &str, out: &mut String) -> Result<(), &'static str> {
    let (digits, scale) = match column.limit {
        Limit::Digits(digits, scale) => (i64::from(digits), i64::from(scale)),
        _ => (65, 30),
    };
    match parts(v) {
        Some(Parts::Zero) => out.push('0'),
        Some(Parts::Finite {
            exponent,
            whole,
            fraction,
            ..
        }) => {
            let count = i64::try_from(whole.len() + fraction.len()).unwrap_or(i64::MAX);
            if count - i64::from(exponent) > scale {
                return Err("number has more digits behind the point than the field keeps");
            }
            if i64::from(exponent) > digits - scale {
                return Err("number has more digits before the point than the field keeps");
            }
            let start = out.len();
            trueup_core::decimal::shortest(v, out);
            if out.len() - start > DIGITS_MAX * 2 {
                return Err("number has more digits than the server holds");
            }
        }
        _ => return Err("the server holds no NaN and no infinity"),
    }
    Ok(())
}

pub(super) fn text(column: &Column, v: &str) -> Result<(), &'static str> {
    match column.limit {
        Limit::Chars(max) if v.chars().nth(max as usize).is_some() => return Err(LONG),
        Limit::Bytes(max) if v.len() > max as usize => return Err(LONG),
        _ => {}
    }
    match column.wire {
        Wire::Padded if v.ends_with(' ') => Err("char(n) does not keep blanks at the end"),
        Wire::Label if !column.labels.iter().any(|label| label == v) => {
            Err("text is not one of the field's labels")
        }
        Wire::Labels if !is_set(&column.labels, v) => {
            Err("text is not a list of the field's labels in their order")
        }
        _ => Ok(()),
    }
}

/// Whether a text is labels separated by commas, each once and in the order in which the server says them.
fn is_set(labels: &[String], v: &str) -> bool {
    if v.is_empty() {
        return true;
    }
    let mut labels = labels.iter();
    v.split(',').all(|part| labels.any(|label| label == part))
}

/// MySQL's own JSON keeps numbers as 64-bit integers and doubles, and would round any other.
pub(super) fn json(column: &Column, v: &str) -> Result<(), &'static str> {
    if column.limit != Limit::Numbers {
        return Ok(());
    }
    let (mut quoted, mut escaped) = (false, false);
    let outside = v.split(|c: char| {
        let was_quoted = quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        was_quoted || quoted || !(c.is_ascii_digit() || "+-.eE".contains(c))
    });
    let mut numbers = outside.filter(|part| part.contains(|c: char| c.is_ascii_digit()));
    if numbers.all(is_kept) {
        Ok(())
    } else {
        Err("a number in the JSON has more digits than the server keeps")
    }
}

/// Whether a number is one of 64 bits, or has so few digits that a double gives them back.
fn is_kept(number: &str) -> bool {
    if let Ok(whole) = number.parse::<i128>() {
        return (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&whole);
    }
    let mantissa = number.split(['e', 'E']).next().unwrap_or(number);
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let value = number.parse::<f64>().unwrap_or(f64::NAN);
    digits <= 15 && value.is_finite() && (value == 0.0 || value.abs() > 1e-290)
}

pub(super) fn bytes(column: &Column, v: &[u8]) -> Result<(), &'static str> {
    match column.limit {
        Limit::Bytes(max) if v.len() > max as usize => Err(LONG),
        Limit::Exactly(len) if v.len() > len as usize => Err(LONG),
        Limit::Exactly(len) if v.len() < len as usize => {
            Err("binary(n) pads a shorter value with zeros")
        }
        _ => Ok(()),
    }
}

fn date(days: i32, out: &mut String) -> Result<(), &'static str> {
    if !DAYS.contains(&days) {
        return Err(DATE_RANGE);
    }
    calendar::format_date(days, out);
    Ok(())
}

fn whole_fraction(column: &Column, us: i64) -> Result<(), &'static str> {
    let Limit::Fraction(digits) = column.limit else {
        return Ok(());
    };
    let unit = 10_i64.pow(6_u32.saturating_sub(digits.into()));
    if us % unit == 0 { Ok(()) } else { Err(FINE) }
}

fn time(column: &Column, us: i64, out: &mut String) -> Result<(), &'static str> {
    if !(0..=DAY_US).contains(&us) {
        return Err("time is no time of day");
    }
    whole_fraction(column, us)?;
    calendar::format_time(us, out);
    Ok(())
}

fn moment(column: &Column, us: i64, out: &mut String) -> Result<(), &'static str> {
    let days = i32::try_from(us.div_euclid(DAY_US)).map_err(|_| DATE_RANGE)?;
    if !DAYS.contains(&days) {
        return Err(DATE_RANGE);
    }
    whole_fraction(column, us)?;
    calendar::format_timestamp(us, out);
    Ok(())
}

/// Whether a text is made of digits and what stands between them.
fn is_temporal(v: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_digit() || b"-: .".contains(&byte);
    v.len() <= 26 && v.bytes().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a number it would do; a line that is loaded is made of texts.
    #[test]
    fn trap_31_a_year_of_zeros_is_not_the_year_2000() {
        let column = Column {
            name: "y".to_owned(),
            wire: Wire::Year,
            limit: Limit::None,
            nullable: true,
            labels: Vec::new(),
            bytewise: false,
            folding: false,
        };
        let mut said = String::new();
        push(&column, Value::Int(0), &mut said).unwrap();
        push(&column, Value::Int(1901), &mut said).unwrap();
        assert_eq!(said, "'0000'1901");
        assert!(push(&column, Value::Int(2156), &mut said).is_err());
    }

    #[test]
    fn numbers_that_mysql_would_round_are_refused() {
        let column = |limit| Column {
            name: "j".to_owned(),
            wire: Wire::Json,
            limit,
            nullable: true,
            labels: Vec::new(),
            bytewise: false,
            folding: false,
        };
        for (text, kept) in [
            ("{\"a\": [1, -2.5, 1e10, 18446744073709551615, 0.0]}", true),
            ("\"12345678901234567890123\"", true),
            ("{\"\\\\\": 1, \"\\\"12345678901234567890123\": true}", true),
            ("18446744073709551616", false),
            ("[0.12345678901234567]", false),
            ("1e400", false),
            ("{\"a\\\"\": 12345678901234567890123}", false),
        ] {
            assert_eq!(json(&column(Limit::Numbers), text).is_ok(), kept, "{text}");
            assert!(json(&column(Limit::None), text).is_ok(), "{text}");
        }
    }
}
