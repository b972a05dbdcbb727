//! Writes records in the binary COPY format.
//!
//! Invariant: a value is written exactly, or refused by name before it is sent. The server would cut blanks, round
//! digits and fractions of seconds without a word; what it would change is refused here instead.

use super::decode::{EPOCH_DAYS, EPOCH_US, SIGNATURE};
use super::numeric;
use super::schema::Column;
use super::types::{Limit, Wire};
use trueup_core::decimal::{Parts, parts};
use trueup_core::value::Value;

/// Why a record cannot be written: names, no values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) String);

/// Appends the header.
pub(super) fn begin(out: &mut Vec<u8>) {
    out.extend_from_slice(SIGNATURE);
    out.extend([0; 8]);
}

/// Appends the end mark.
pub(super) fn end(out: &mut Vec<u8>) {
    out.extend((-1i16).to_be_bytes());
}

/// Appends the number of fields of the record that follows.
pub(super) fn record(fields: usize, out: &mut Vec<u8>) {
    // A table has at most 1,600 columns.
    out.extend(u16::try_from(fields).unwrap_or(u16::MAX).to_be_bytes());
}

/// Appends a four-byte integer as a field.
pub(super) fn int4(value: i32, out: &mut Vec<u8>) {
    out.extend(4i32.to_be_bytes());
    out.extend(value.to_be_bytes());
}

/// Appends NULL as a field.
pub(super) fn null(out: &mut Vec<u8>) {
    out.extend((-1i32).to_be_bytes());
}

/// Appends a value as a field of `column`.
pub(super) fn value(column: &Column, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    if value.is_null() {
        null(out);
        return Ok(());
    }
    let start = out.len();
    out.extend([0; 4]);
    let why = content(column, value, out).err();
    let len = out.len() - start - 4;
    match (why, i32::try_from(len)) {
        (None, Ok(len)) if len <= 1 << 30 => {
            if let Some(prefix) = out.get_mut(start..start + 4) {
                prefix.copy_from_slice(&len.to_be_bytes());
            }
            Ok(())
        }
        (why, _) => {
            out.truncate(start);
            Err(refusal(why.unwrap_or(TOO_LONG), column))
        }
    }
}

/// Appends what comes before a value that travels as the bytes it consists of, and returns these, for the caller to append; of
/// any other value it appends nothing, and returns `None`.
pub(super) fn verbatim<'v>(
    column: &Column,
    value: Value<'v>,
    out: &mut Vec<u8>,
) -> Result<Option<&'v [u8]>, Refusal> {
    let (before, checked): (&[u8], _) = match (column.wire, value) {
        (Wire::Text | Wire::Padded | Wire::Cast, Value::Text(v)) => (&[], fitting(column, v)),
        (Wire::Bytes, Value::Bytes(v)) => (&[], Ok(v)),
        (Wire::Json, Value::Json(v)) => (&[], whole(v)),
        (Wire::Jsonb, Value::Json(v)) => (&[1], whole(v)),
        _ => return Ok(None),
    };
    let content = checked.map_err(|why| refusal(why, column))?;
    let len = i32::try_from(before.len() + content.len()).ok();
    let len = len.filter(|&len| len <= 1 << 30);
    let len = len.ok_or_else(|| refusal(TOO_LONG, column))?;
    out.extend(len.to_be_bytes());
    out.extend_from_slice(before);
    Ok(Some(content))
}

fn refusal(why: &str, column: &Column) -> Refusal {
    Refusal(format!("{why}: field={}", column.name.escape_debug()))
}

const TOO_LONG: &str = "value is longer than 1 GiB";
const MISFIT: &str = "value is of another class than the field";
const RANGE: &str = "number is out of range";

fn content(column: &Column, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
    match (column.wire, value) {
        (Wire::Bool, Value::Bool(v)) => out.push(u8::from(v)),
        (Wire::Int2, Value::Int(v)) => {
            out.extend(i16::try_from(v).map_err(|_| RANGE)?.to_be_bytes());
        }
        (Wire::Int4, Value::Int(v)) => {
            out.extend(i32::try_from(v).map_err(|_| RANGE)?.to_be_bytes());
        }
        (Wire::Int8, Value::Int(v)) => out.extend(v.to_be_bytes()),
        (Wire::Oid, Value::Int(v)) => {
            out.extend(u32::try_from(v).map_err(|_| RANGE)?.to_be_bytes());
        }
        (Wire::Float4, Value::Float(v)) => out.extend(single(v)?.to_be_bytes()),
        (Wire::Float8, Value::Float(v)) => out.extend(v.to_be_bytes()),
        (Wire::Numeric, Value::Decimal(v)) => decimal(column.limit, v, out)?,
        (Wire::Numeric, Value::Int(v)) => decimal(column.limit, &v.to_string(), out)?,
        (Wire::Text | Wire::Padded | Wire::Char | Wire::Cast, Value::Text(v)) => {
            text(column, v, out)?;
        }
        (Wire::Bytes, Value::Bytes(v)) => out.extend_from_slice(v),
        (Wire::Date, Value::Date(v)) => out.extend(date(v)?.to_be_bytes()),
        (Wire::Time, Value::Time(v)) => out.extend(fraction(column.limit, v)?.to_be_bytes()),
        (Wire::Timestamp, Value::Timestamp(v)) | (Wire::Instant, Value::Instant(v)) => {
            out.extend(micros(column.limit, v)?.to_be_bytes());
        }
        (Wire::Uuid, Value::Uuid(v)) if v.len() == 16 => out.extend_from_slice(v),
        (Wire::Json, Value::Json(v)) => out.extend_from_slice(whole(v)?),
        (Wire::Jsonb, Value::Json(v)) => {
            out.push(1);
            out.extend_from_slice(whole(v)?);
        }
        (_, Value::InvalidText(_)) => return Err("text is not valid UTF-8"),
        (_, Value::Unchanged) => return Err("value did not travel"),
        _ => return Err(MISFIT),
    }
    Ok(())
}

fn single(v: f64) -> Result<f32, &'static str> {
    // The cast rounds, and the comparison finds out.
    #[expect(clippy::cast_possible_truncation, reason = "checked on the next line")]
    let single = v as f32;
    if v.is_nan() || f64::from(single) == v {
        Ok(single)
    } else {
        Err("number needs a double")
    }
}

fn decimal(limit: Limit, v: &str, out: &mut Vec<u8>) -> Result<(), &'static str> {
    if let (
        Limit::Scale(scale),
        Some(Parts::Finite {
            exponent,
            whole,
            fraction,
            ..
        }),
    ) = (limit, parts(v))
    {
        let digits = i64::try_from(whole.len() + fraction.len()).unwrap_or(i64::MAX);
        if i64::from(exponent) - digits < -i64::from(scale) {
            return Err("number has more digits behind the point than the field keeps");
        }
    }
    numeric::encode(v, out).ok_or("number has more digits than the server holds")
}

fn text(column: &Column, v: &str, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let fitting = fitting(column, v)?;
    match (column.wire, fitting) {
        (Wire::Char, []) => out.push(0),
        (Wire::Char, [byte]) => out.push(*byte),
        (Wire::Char, _) => return Err("text is longer than the field allows"),
        _ => out.extend_from_slice(fitting),
    }
    Ok(())
}

/// Returns a text's bytes, if the field takes it as it is.
fn fitting<'v>(column: &Column, v: &'v str) -> Result<&'v [u8], &'static str> {
    let bytes = whole(v)?;
    match column.limit {
        Limit::Chars(max) if v.chars().nth(max as usize).is_some() => {
            return Err("text is longer than the field allows");
        }
        Limit::Bytes(max) if v.len() > max as usize => {
            return Err("text is longer than the field allows");
        }
        _ => {}
    }
    if column.wire == Wire::Padded && v.ends_with(' ') {
        return Err("char(n) does not keep blanks at the end");
    }
    Ok(bytes)
}

/// Returns a text's bytes, where it has none that ends it for the server.
fn whole(v: &str) -> Result<&[u8], &'static str> {
    if v.as_bytes().contains(&0) {
        return Err("text holds a zero byte");
    }
    Ok(v.as_bytes())
}

fn date(days: i32) -> Result<i32, &'static str> {
    match days {
        i32::MIN | i32::MAX => Ok(days),
        _ => days
            .checked_sub(EPOCH_DAYS)
            .filter(|&days| days != i32::MIN)
            .ok_or("date is out of range"),
    }
}

fn fraction(limit: Limit, us: i64) -> Result<i64, &'static str> {
    let Limit::Fraction(digits) = limit else {
        return Ok(us);
    };
    let unit = 10i64.pow(6u32.saturating_sub(digits.into()));
    if us % unit == 0 {
        Ok(us)
    } else {
        Err("time has a finer fraction than the field keeps")
    }
}

fn micros(limit: Limit, us: i64) -> Result<i64, &'static str> {
    match us {
        i64::MIN | i64::MAX => Ok(us),
        _ => {
            let shifted = us.checked_sub(EPOCH_US).filter(|&us| us != i64::MIN);
            fraction(limit, shifted.ok_or("timestamp is out of range")?)
        }
    }
}
