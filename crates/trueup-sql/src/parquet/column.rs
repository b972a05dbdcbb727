//! The values of one column, of as many records as were read at once.
//!
//! Invariant: a value is the one that stands in the file, or of a class that fits no field of the column's type (so that it
//! is parked): a timestamp with nanoseconds is its text, one that our microseconds cannot count is no text at all.

use super::decimal;
use super::native::{Native, by_number};
use super::nested::{self, Unsaid};
use super::spell;
use super::types::{Class, Column};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeBinaryArray,
    PrimitiveArray,
};
use arrow_schema::{DataType, TimeUnit};
use trueup_core::batch::Batch;
use trueup_core::value::Value;
use trueup_core::{decimal as decimals, text};

/// What stands where a value, or a part of it, is out of range: no field takes it.
const OUT_OF_RANGE: Value<'static> = Value::InvalidText(b"out of range");
const DAY_US: i64 = 86_400_000_000;

/// The values of a column.
pub(super) struct Cells {
    /// As the file has them.
    array: ArrayRef,
    values: Values,
}

enum Values {
    Bool(BooleanArray),
    Int8(PrimitiveArray<Int8Type>),
    Int16(PrimitiveArray<Int16Type>),
    Int32(PrimitiveArray<Int32Type>),
    Int64(PrimitiveArray<Int64Type>),
    UInt8(PrimitiveArray<UInt8Type>),
    UInt16(PrimitiveArray<UInt16Type>),
    UInt32(PrimitiveArray<UInt32Type>),
    Float16(PrimitiveArray<Float16Type>),
    Float32(PrimitiveArray<Float32Type>),
    Float64(PrimitiveArray<Float64Type>),
    // As bytes: of columns with some annotations the library hands out texts that nobody has checked.
    Text(BinaryViewArray),
    Json(BinaryViewArray),
    Decimal(BinaryViewArray),
    Bytes(BinaryViewArray),
    Fixed(FixedSizeBinaryArray),
    Uuid(FixedSizeBinaryArray),
    Date(PrimitiveArray<Date32Type>),
    Timestamp(PrimitiveArray<TimestampMicrosecondType>),
    Instant(PrimitiveArray<TimestampMicrosecondType>),
    /// Values that had to be made, each a record of one field.
    Made(Batch),
}

impl Cells {
    /// Takes an array of `column`; `None` when it is of a type that is not known here.
    pub(super) fn new(array: &ArrayRef, column: &Column) -> Option<Self> {
        let values = plain(array, column.class).or_else(|| made(array).map(Values::Made))?;
        Some(Self {
            array: ArrayRef::clone(array),
            values,
        })
    }

    /// Returns the value of record `row`.
    #[inline]
    pub(super) fn value(&self, row: usize) -> Value<'_> {
        if let Values::Made(batch) = &self.values {
            return batch.record(row).value(0);
        }
        if self.array.is_null(row) {
            return Value::Null;
        }
        match &self.values {
            Values::Bool(array) => Value::Bool(array.value(row)),
            Values::Int8(array) => Value::Int(array.value(row).into()),
            Values::Int16(array) => Value::Int(array.value(row).into()),
            Values::Int32(array) => Value::Int(array.value(row).into()),
            Values::Int64(array) => Value::Int(array.value(row)),
            Values::UInt8(array) => Value::Int(array.value(row).into()),
            Values::UInt16(array) => Value::Int(array.value(row).into()),
            Values::UInt32(array) => Value::Int(array.value(row).into()),
            Values::Float16(array) => Value::Float(array.value(row).to_f64()),
            Values::Float32(array) => Value::Float(array.value(row).into()),
            Values::Float64(array) => Value::Float(array.value(row)),
            Values::Text(array) => text_of(array.value(row), Value::Text),
            Values::Json(array) => text_of(array.value(row), Value::Json),
            Values::Decimal(array) => text_of(array.value(row), |text| {
                if decimals::parts(text).is_some() {
                    Value::Decimal(text)
                } else {
                    Value::Text(text)
                }
            }),
            Values::Bytes(array) => Value::Bytes(array.value(row)),
            Values::Fixed(array) => Value::Bytes(array.value(row)),
            Values::Uuid(array) => Value::Uuid(array.value(row)),
            Values::Date(array) => match array.value(row) {
                // With us these are the infinities.
                i32::MIN | i32::MAX => OUT_OF_RANGE,
                days => Value::Date(days),
            },
            Values::Timestamp(array) => match array.value(row) {
                i64::MIN | i64::MAX => OUT_OF_RANGE,
                us => Value::Timestamp(us),
            },
            Values::Instant(array) => match array.value(row) {
                i64::MIN | i64::MAX => OUT_OF_RANGE,
                us => Value::Instant(us),
            },
            Values::Made(_) => Value::Null,
        }
    }
}

/// Makes a text's value, if it is one.
fn text_of<'v>(bytes: &'v [u8], of: impl FnOnce(&'v str) -> Value<'v>) -> Value<'v> {
    std::str::from_utf8(bytes).map_or(Value::InvalidText(bytes), of)
}

/// Takes an array whose values are ours as they stand.
fn plain(array: &ArrayRef, class: Class) -> Option<Values> {
    macro_rules! number {
        ($as:ident) => {
            Values::$as(array.as_primitive_opt()?.clone())
        };
    }
    Some(match array.data_type() {
        DataType::Boolean => Values::Bool(array.as_boolean_opt()?.clone()),
        DataType::Int8 => number!(Int8),
        DataType::Int16 => number!(Int16),
        DataType::Int32 => number!(Int32),
        DataType::Int64 => number!(Int64),
        DataType::UInt8 => number!(UInt8),
        DataType::UInt16 => number!(UInt16),
        DataType::UInt32 => number!(UInt32),
        DataType::Float16 => number!(Float16),
        DataType::Float32 => number!(Float32),
        DataType::Float64 => number!(Float64),
        DataType::Date32 => number!(Date),
        DataType::Timestamp(TimeUnit::Microsecond, None) => number!(Timestamp),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => number!(Instant),
        DataType::Utf8View => {
            let texts = array.as_string_view_opt()?.clone().to_binary_view();
            match class {
                Class::Json => Values::Json(texts),
                Class::Decimal => Values::Decimal(texts),
                Class::Plain | Class::Text | Class::Uuid => Values::Text(texts),
            }
        }
        DataType::BinaryView => Values::Bytes(array.as_binary_view_opt()?.clone()),
        DataType::FixedSizeBinary(16) if class == Class::Uuid => {
            Values::Uuid(array.as_fixed_size_binary_opt()?.clone())
        }
        DataType::FixedSizeBinary(_) => Values::Fixed(array.as_fixed_size_binary_opt()?.clone()),
        _ => return None,
    })
}

/// Makes the values of an array that is not so.
fn made(array: &ArrayRef) -> Option<Batch> {
    let mut batch = Batch::new(1);
    let mut spelled = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            batch.push(Value::Null);
            continue;
        }
        spelled.clear();
        make(array, row, &mut spelled, &mut batch)?;
    }
    Some(batch)
}

fn make(array: &ArrayRef, row: usize, spelled: &mut String, batch: &mut Batch) -> Option<()> {
    match array.data_type() {
        DataType::UInt64 => {
            let number = array.as_primitive_opt::<UInt64Type>()?.value(row);
            match i64::try_from(number) {
                Ok(number) => batch.push(Value::Int(number)),
                Err(_) => batch.push(Value::Decimal(&number.to_string())),
            }
        }
        DataType::Decimal128(_, scale) => {
            let number = array.as_primitive_opt::<Decimal128Type>()?.value(row);
            decimal::text_128(number, *scale, spelled);
            batch.push(Value::Decimal(spelled));
        }
        DataType::Decimal256(_, scale) => {
            let number = array.as_primitive_opt::<Decimal256Type>()?.value(row);
            decimal::text_256(number, *scale, spelled);
            batch.push(Value::Decimal(spelled));
        }
        DataType::Time32(_) | DataType::Time64(_) => time(array, row, spelled, batch)?,
        DataType::Timestamp(..) => timestamp(array, row, spelled, batch)?,
        DataType::Utf8 => {
            let texts = BinaryArray::from(array.as_string_opt::<i32>()?.clone());
            batch.push(text_of(texts.value(row), Value::Text));
        }
        DataType::Binary => batch.push(Value::Bytes(array.as_binary_opt::<i32>()?.value(row))),
        DataType::Null => batch.push(Value::Null),
        _ => {
            batch.push(match nested::write(array, row, spelled) {
                Ok(()) => Value::Json(spelled),
                Err(Unsaid::Value) => OUT_OF_RANGE,
                Err(Unsaid::Type) => return None,
            });
        }
    }
    Some(())
}

fn time(array: &ArrayRef, row: usize, spelled: &mut String, batch: &mut Batch) -> Option<()> {
    use arrow_array::types::{Time32MillisecondType, Time64MicrosecondType, Time64NanosecondType};
    let (us, rest_ns) = match array.data_type() {
        DataType::Time32(TimeUnit::Millisecond) => {
            let ms = array
                .as_primitive_opt::<Time32MillisecondType>()?
                .value(row);
            (i64::from(ms) * 1000, 0)
        }
        DataType::Time64(TimeUnit::Microsecond) => (
            array
                .as_primitive_opt::<Time64MicrosecondType>()?
                .value(row),
            0,
        ),
        DataType::Time64(TimeUnit::Nanosecond) => {
            let ns = array.as_primitive_opt::<Time64NanosecondType>()?.value(row);
            (ns.div_euclid(1000), ns.rem_euclid(1000))
        }
        _ => return None,
    };
    match rest_ns {
        _ if !(0..=DAY_US).contains(&us) => batch.push(OUT_OF_RANGE),
        0 => batch.push(Value::Time(us)),
        rest => {
            let seconds = us - us.rem_euclid(1_000_000);
            text::write(Value::Time(seconds), spelled);
            fraction(us, rest, spelled);
            batch.push(Value::Text(spelled));
        }
    }
    Some(())
}

fn timestamp(array: &ArrayRef, row: usize, spelled: &mut String, batch: &mut Batch) -> Option<()> {
    use arrow_array::types::{TimestampMillisecondType, TimestampNanosecondType};
    let (us, rest_ns) = match array.data_type() {
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            let ms = array
                .as_primitive_opt::<TimestampMillisecondType>()?
                .value(row);
            (ms.checked_mul(1000), 0)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let ns = array
                .as_primitive_opt::<TimestampNanosecondType>()?
                .value(row);
            (Some(ns.div_euclid(1000)), ns.rem_euclid(1000))
        }
        _ => return None,
    };
    let zoned = matches!(array.data_type(), DataType::Timestamp(_, Some(_)));
    match (us.filter(|us| *us != i64::MIN && *us != i64::MAX), rest_ns) {
        (None, _) => batch.push(OUT_OF_RANGE),
        (Some(us), 0) if zoned => batch.push(Value::Instant(us)),
        (Some(us), 0) => batch.push(Value::Timestamp(us)),
        (Some(us), rest) => {
            // No class of ours counts nanoseconds: as text they reach a field that takes texts, and no other.
            let seconds = us - us.rem_euclid(1_000_000);
            text::write(Value::Timestamp(seconds), spelled);
            fraction(us, rest, spelled);
            if zoned {
                spelled.push('Z');
            }
            batch.push(Value::Text(spelled));
        }
    }
    Some(())
}

/// Appends the digits of a second's fraction.
fn fraction(us: i64, rest_ns: i64, spelled: &mut String) {
    let ns = us.rem_euclid(1_000_000) * 1000 + rest_ns;
    spelled.push_str(&format!(".{ns:09}"));
}

impl Cells {
    /// Appends a value as [`super::spell`] does, as it stands in the file; `None` where it is of a type that is not written.
    pub(super) fn put(&self, row: usize, out: &mut Vec<u8>) -> Option<()> {
        if self.array.is_null(row) {
            out.push(spell::NULL);
            return Some(());
        }
        out.push(spell::VALUE);
        match &self.values {
            Values::Bool(array) => out.push(u8::from(array.value(row))),
            Values::Text(array)
            | Values::Json(array)
            | Values::Decimal(array)
            | Values::Bytes(array) => spell::slice(array.value(row), out),
            Values::Fixed(array) | Values::Uuid(array) => spell::slice(array.value(row), out),
            _ => {
                let array = &self.array;
                macro_rules! number {
                    ($ty:ty) => {
                        array.as_primitive_opt::<$ty>()?.value(row).put(out)
                    };
                }
                by_number!(array.data_type(), number, return None);
            }
        }
        Some(())
    }
}
