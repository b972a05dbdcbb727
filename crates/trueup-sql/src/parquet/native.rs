//! The numbers of which columns are made, to and from bytes.

use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time32MillisecondType, Time64MicrosecondType,
    Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_buffer::i256;
use half::f16;

/// A number of a fixed width.
pub(super) trait Native: Sized + Copy {
    /// Appends its bytes.
    fn put(self, out: &mut Vec<u8>);
    /// Reads it back; `None` when these are not as many bytes as it has.
    fn get(bytes: &[u8]) -> Option<Self>;
}

macro_rules! native {
    ($($ty:ty),*) => {
        $(impl Native for $ty {
            fn put(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn get(bytes: &[u8]) -> Option<Self> {
                Some(Self::from_le_bytes(bytes.try_into().ok()?))
            }
        })*
    };
}

native!(
    i8, i16, i32, i64, i128, u8, u16, u32, u64, f32, f64, f16, i256
);

/// Calls `$work!` with the arrow type of a column of numbers; `$else` for any other.
macro_rules! by_number {
    ($data_type:expr, $work:ident, $else:expr) => {{
        use arrow_schema::{DataType, TimeUnit};
        match $data_type {
            DataType::Int8 => $work!($crate::parquet::native::Int8),
            DataType::Int16 => $work!($crate::parquet::native::Int16),
            DataType::Int32 => $work!($crate::parquet::native::Int32),
            DataType::Int64 => $work!($crate::parquet::native::Int64),
            DataType::UInt8 => $work!($crate::parquet::native::UInt8),
            DataType::UInt16 => $work!($crate::parquet::native::UInt16),
            DataType::UInt32 => $work!($crate::parquet::native::UInt32),
            DataType::UInt64 => $work!($crate::parquet::native::UInt64),
            DataType::Float16 => $work!($crate::parquet::native::Float16),
            DataType::Float32 => $work!($crate::parquet::native::Float32),
            DataType::Float64 => $work!($crate::parquet::native::Float64),
            DataType::Decimal128(..) => $work!($crate::parquet::native::Decimal128),
            DataType::Decimal256(..) => $work!($crate::parquet::native::Decimal256),
            DataType::Date32 => $work!($crate::parquet::native::Date),
            DataType::Time32(TimeUnit::Millisecond) => $work!($crate::parquet::native::TimeMs),
            DataType::Time64(TimeUnit::Microsecond) => $work!($crate::parquet::native::TimeUs),
            DataType::Time64(TimeUnit::Nanosecond) => $work!($crate::parquet::native::TimeNs),
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                $work!($crate::parquet::native::StampMs)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                $work!($crate::parquet::native::StampUs)
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                $work!($crate::parquet::native::StampNs)
            }
            _ => $else,
        }
    }};
}
pub(super) use by_number;

pub(super) type Int8 = Int8Type;
pub(super) type Int16 = Int16Type;
pub(super) type Int32 = Int32Type;
pub(super) type Int64 = Int64Type;
pub(super) type UInt8 = UInt8Type;
pub(super) type UInt16 = UInt16Type;
pub(super) type UInt32 = UInt32Type;
pub(super) type UInt64 = UInt64Type;
pub(super) type Float16 = Float16Type;
pub(super) type Float32 = Float32Type;
pub(super) type Float64 = Float64Type;
pub(super) type Decimal128 = Decimal128Type;
pub(super) type Decimal256 = Decimal256Type;
pub(super) type Date = Date32Type;
pub(super) type TimeMs = Time32MillisecondType;
pub(super) type TimeUs = Time64MicrosecondType;
pub(super) type TimeNs = Time64NanosecondType;
pub(super) type StampMs = TimestampMillisecondType;
pub(super) type StampUs = TimestampMicrosecondType;
pub(super) type StampNs = TimestampNanosecondType;
