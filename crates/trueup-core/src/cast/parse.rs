//! Reading what is not a number: truth values, bytes, UUIDs, dates and times.

use super::Misfit;
use crate::calendar;
use crate::text::UUID_BYTES;
use crate::types::Type;
use crate::value::Value;

/// Reads `true`, `false`, `t`, `f` in any case, `1` and `0`.
pub(super) fn boolean(text: &str) -> Option<bool> {
    let spelled = |word: &str| text.eq_ignore_ascii_case(word);
    if spelled("true") || spelled("t") || text == "1" {
        Some(true)
    } else if spelled("false") || spelled("f") || text == "0" {
        Some(false)
    } else {
        None
    }
}

/// Reads `\x` and an even number of hexadecimal digits.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let (pairs, odd) = digits.as_chunks();
    if !odd.is_empty() {
        return None;
    }
    pairs.iter().map(|&pair| byte(pair)).collect()
}

fn byte([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// Reads a UUID with its four hyphens or with none, in braces or without.
pub(super) fn uuid(text: &str) -> Option<[u8; UUID_BYTES]> {
    let inner = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}')?,
        None => text,
    };
    let mut digits = [0; UUID_BYTES * 2];
    match inner.len() {
        32 => digits.copy_from_slice(inner.as_bytes()),
        36 => {
            let mut groups = inner.as_bytes().split(|&byte| byte == b'-');
            let mut start = 0;
            for len in [8, 4, 4, 4, 12] {
                let group = groups.next().filter(|group| group.len() == len)?;
                digits[start..start + len].copy_from_slice(group);
                start += len;
            }
        }
        _ => return None,
    }
    let mut uuid = [0; UUID_BYTES];
    for (to, &pair) in uuid.iter_mut().zip(digits.as_chunks().0) {
        *to = byte(pair)?;
    }
    Some(uuid)
}

/// Casts to a date or a time. A date is midnight; midnight is a date; no zone is assumed.
pub(super) fn to_temporal(value: Value<'_>, to: Type) -> Result<Value<'static>, Misfit> {
    let class = value.class();
    match (value, to) {
        (Value::Text(v), _) => from_text(v, to, class),
        (Value::Date(v), Type::Timestamp) => timestamp(v)
            .map(Value::Timestamp)
            .ok_or(Misfit::OutOfRange(class)),
        (Value::Timestamp(v), Type::Date) => {
            date(v).map(Value::Date).ok_or(Misfit::NotExact(class))
        }
        (Value::Timestamp(_) | Value::Date(_), Type::Instant)
        | (Value::Instant(_), Type::Timestamp | Type::Date) => Err(Misfit::Zone(class)),
        _ => Err(Misfit::WrongClass(class)),
    }
}

fn from_text(text: &str, to: Type, class: &'static str) -> Result<Value<'static>, Misfit> {
    let read = match to {
        Type::Date => calendar::parse_date(text).map(Value::Date),
        Type::Time => calendar::parse_time(text).map(Value::Time),
        Type::Timestamp => calendar::parse_timestamp(text)
            .or_else(|| calendar::parse_date(text).and_then(timestamp))
            .map(Value::Timestamp),
        _ => calendar::parse_instant(text).map(Value::Instant),
    };
    let zone_differs = || match to {
        Type::Timestamp => calendar::parse_instant(text).is_some(),
        Type::Instant => calendar::parse_timestamp(text).is_some(),
        _ => false,
    };
    match read {
        Some(value) => Ok(value),
        None if zone_differs() => Err(Misfit::Zone(class)),
        None => Err(Misfit::Syntax(class)),
    }
}

/// Returns the midnight a day begins with, where a timestamp reaches it.
fn timestamp(date: i32) -> Option<i64> {
    match date {
        i32::MIN => Some(i64::MIN),
        i32::MAX => Some(i64::MAX),
        _ => i64::from(date).checked_mul(calendar::DAY_US),
    }
}

fn date(timestamp: i64) -> Option<i32> {
    match timestamp {
        i64::MIN => Some(i32::MIN),
        i64::MAX => Some(i32::MAX),
        _ if timestamp % calendar::DAY_US != 0 => None,
        _ => i32::try_from(timestamp / calendar::DAY_US).ok(),
    }
}
