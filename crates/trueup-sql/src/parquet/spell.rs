//! The form in which a row waits until it is put into columns: for each column a sign whether there is a value, and the
//! bytes that the column holds for it.
//!
//! Invariant: what a column would not hold exactly is refused here, so that putting it in cannot fail. This is no file
//! format: it lives as long as one run's writer.

use super::decimal;
use super::native::Native;
use super::types::{Class, Column};
use crate::file::format::{FIELD_BYTES_MAX, Spelling};
use arrow_schema::{DataType, TimeUnit};
use half::f16;
use std::sync::Arc;
use trueup_core::cast;
use trueup_core::types::Type;
use trueup_core::value::Value;

/// The sign of no value.
pub(super) const NULL: u8 = 0;
/// The sign before a value.
pub(super) const VALUE: u8 = 1;
const LENGTH_BYTES: usize = size_of::<u32>();

/// Gives values their form.
#[derive(Debug)]
pub(crate) struct Packed {
    columns: Arc<[Column]>,
}

impl Packed {
    /// Makes what spells values for these columns.
    pub(super) fn new(columns: Arc<[Column]>) -> Self {
        Self { columns }
    }
}

/// Appends bytes and how many they are.
pub(super) fn slice(bytes: &[u8], out: &mut Vec<u8>) {
    // A field is far below 4 GiB (FIELD_BYTES_MAX).
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    length.put(out);
    out.extend_from_slice(bytes);
}

/// How many bytes the values of a column have; `None` where each says it.
pub(super) fn width(held: &DataType) -> Option<usize> {
    if matches!(held, DataType::Boolean) {
        return Some(1);
    }
    held.primitive_width()
}

/// Splits the first value of a column of this width off; the value is `None` where there is none. `None` when the bytes
/// end before it does.
pub(super) fn next<'b>(width: Option<usize>, bytes: &mut &'b [u8]) -> Option<Option<&'b [u8]>> {
    let (&sign, rest) = bytes.split_first()?;
    if sign == NULL {
        *bytes = rest;
        return Some(None);
    }
    let (count, rest) = match width {
        Some(width) => (width, rest),
        None => {
            let (length, rest) = rest.split_at_checked(LENGTH_BYTES)?;
            (u32::get(length)? as usize, rest)
        }
    };
    let (value, rest) = rest.split_at_checked(count)?;
    *bytes = rest;
    Some(Some(value))
}

impl Spelling for Packed {
    fn label(&self, _name: &str) -> Vec<u8> {
        Vec::new()
    }

    fn begin(&self, _out: &mut Vec<u8>) {}

    fn separate(&self, _out: &mut Vec<u8>) {}

    fn null(&self, out: &mut Vec<u8>) {
        out.push(NULL);
    }

    fn value(
        &mut self,
        column: usize,
        value: Value<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), &'static str> {
        let column = self.columns.get(column).ok_or("there is no such column")?;
        if matches!(value, Value::Null | Value::Unchanged) {
            if !column.field.nullable {
                return Err("the column takes no NULL");
            }
            out.push(NULL);
            return Ok(());
        }
        let before = out.len();
        out.push(VALUE);
        // What only an entry of the footer says is held to here.
        let done = match column.field.ty {
            Type::Text { chars_max: Some(_) }
            | Type::Bytes { bytes_max: Some(_) }
            | Type::Int { bits: 24, .. }
                if !cast::fits(value, column.field.ty) =>
            {
                Err(NARROW)
            }
            _ => put(column, value, out),
        };
        if done.is_err() {
            out.truncate(before);
        }
        done
    }

    fn end(&self, _out: &mut Vec<u8>) {}
}

const NARROW: &str = "the value is beyond the field's type";
const CLASS: &str = "the column holds no values of this class";
const RANGE: &str = "the value is out of the column's range";
const INFINITE: &str = "Parquet has no infinite dates and times";
const UNIT: &str = "the column counts in larger units";

fn put(column: &Column, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
    match (&column.held, value) {
        (DataType::Boolean, Value::Bool(v)) => out.push(u8::from(v)),
        (DataType::Int64, Value::Int(v)) => v.put(out),
        (
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64,
            _,
        ) => int(&column.held, value, out)?,
        (DataType::Float64, Value::Float(v)) => v.put(out),
        (DataType::Float32 | DataType::Float16, Value::Float(v)) => float(&column.held, v, out)?,
        (DataType::Decimal128(..) | DataType::Decimal256(..), _) => {
            number(&column.held, value, out)?;
        }
        (DataType::Date32, Value::Date(i32::MIN | i32::MAX)) => return Err(INFINITE),
        (DataType::Date32, Value::Date(v)) => v.put(out),
        (DataType::Time32(unit) | DataType::Time64(unit), Value::Time(v)) => {
            time(*unit, v, out)?;
        }
        (DataType::Timestamp(unit, None), Value::Timestamp(v))
        | (DataType::Timestamp(unit, Some(_)), Value::Instant(v)) => timestamp(*unit, v, out)?,
        (DataType::Utf8View | DataType::BinaryView | DataType::FixedSizeBinary(_), _) => {
            bytes(column, value, out)?;
        }
        _ => return Err(CLASS),
    }
    Ok(())
}

fn int(held: &DataType, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
    fn ranged<T: TryFrom<i64> + Native>(v: i64, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let number = T::try_from(v).map_err(|_| RANGE)?;
        number.put(out);
        Ok(())
    }
    match (held, value) {
        (DataType::Int8, Value::Int(v)) => ranged::<i8>(v, out),
        (DataType::Int16, Value::Int(v)) => ranged::<i16>(v, out),
        (DataType::Int32, Value::Int(v)) => ranged::<i32>(v, out),
        (DataType::UInt8, Value::Int(v)) => ranged::<u8>(v, out),
        (DataType::UInt16, Value::Int(v)) => ranged::<u16>(v, out),
        (DataType::UInt32, Value::Int(v)) => ranged::<u32>(v, out),
        (DataType::UInt64, Value::Int(v)) => ranged::<u64>(v, out),
        (DataType::UInt64, Value::Decimal(text)) => {
            let number = decimal::parse_128(text, 20, 0)?;
            u64::try_from(number).map_err(|_| RANGE)?.put(out);
            Ok(())
        }
        _ => Err(CLASS),
    }
}

fn float(held: &DataType, v: f64, out: &mut Vec<u8>) -> Result<(), &'static str> {
    if matches!(held, DataType::Float32) {
        let narrow = v as f32;
        if f64::from(narrow) != v && !v.is_nan() {
            return Err(RANGE);
        }
        narrow.put(out);
        return Ok(());
    }
    let narrow = f16::from_f64(v);
    if narrow.to_f64() != v && !v.is_nan() {
        return Err(RANGE);
    }
    narrow.put(out);
    Ok(())
}

fn number(held: &DataType, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let whole;
    let text = match value {
        Value::Decimal(text) => text,
        Value::Int(number) => {
            whole = number.to_string();
            &whole
        }
        _ => return Err(CLASS),
    };
    match held {
        DataType::Decimal128(digits, scale) => {
            decimal::parse_128(text, *digits, *scale)?.put(out);
        }
        DataType::Decimal256(digits, scale) => {
            decimal::parse_256(text, *digits, *scale)?.put(out);
        }
        _ => return Err(CLASS),
    }
    Ok(())
}

fn time(unit: TimeUnit, us: i64, out: &mut Vec<u8>) -> Result<(), &'static str> {
    if !(0..86_400_000_000).contains(&us) {
        return Err("a time of Parquet is before 24:00:00");
    }
    match unit {
        TimeUnit::Millisecond if us % 1000 != 0 => return Err(UNIT),
        TimeUnit::Millisecond => i32::try_from(us / 1000).map_err(|_| RANGE)?.put(out),
        TimeUnit::Microsecond => us.put(out),
        TimeUnit::Nanosecond => (us * 1000).put(out),
        TimeUnit::Second => return Err(UNIT),
    }
    Ok(())
}

fn timestamp(unit: TimeUnit, us: i64, out: &mut Vec<u8>) -> Result<(), &'static str> {
    if us == i64::MIN || us == i64::MAX {
        return Err(INFINITE);
    }
    match unit {
        TimeUnit::Millisecond if us % 1000 != 0 => return Err(UNIT),
        TimeUnit::Millisecond => (us / 1000).put(out),
        TimeUnit::Microsecond => us.put(out),
        TimeUnit::Nanosecond => us.checked_mul(1000).ok_or(RANGE)?.put(out),
        TimeUnit::Second => return Err(UNIT),
    }
    Ok(())
}

fn bytes(column: &Column, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let content = match (column.class, value) {
        (Class::Text, Value::Text(text))
        | (Class::Json, Value::Json(text))
        | (Class::Decimal, Value::Decimal(text)) => text.as_bytes(),
        (Class::Plain, Value::Text(text)) if column.held == DataType::Utf8View => text.as_bytes(),
        (Class::Plain, Value::Bytes(bytes)) if column.held != DataType::Utf8View => bytes,
        (Class::Uuid, Value::Uuid(bytes)) => bytes,
        (_, Value::InvalidText(_)) => return Err("text is not valid UTF-8"),
        _ => return Err(CLASS),
    };
    if content.len() > FIELD_BYTES_MAX {
        return Err("value is longer than a field may be");
    }
    if let DataType::FixedSizeBinary(length) = column.held
        && usize::try_from(length) != Ok(content.len())
    {
        return Err("the column holds values of one length");
    }
    slice(content, out);
    Ok(())
}
