//! Reads records of the binary form straight into a batch.
//!
//! Invariant: whatever the bytes are, reading them never panics, and never delivers part of a record. It allocates
//! nothing per value.

use super::session::Column as Form;
use super::types::Wire;
use super::wire::Parts;
use std::fmt::Write as _;
use std::io;
use trueup_core::batch::Batch;
use trueup_core::calendar;
use trueup_core::value::Value;
use trueup_core::{Error, Result};

/// The longest value the server can send.
const VALUE_BYTES_MAX: usize = 1 << 30;
/// At how many bytes a batch is refused, whoever sent it: below what its arena can hold.
const BATCH_BYTES_MAX: usize = 3 << 30;

/// The protocol's numbers for types.
mod kind {
    pub(super) const TINY: u8 = 1;
    pub(super) const SHORT: u8 = 2;
    pub(super) const LONG: u8 = 3;
    pub(super) const FLOAT: u8 = 4;
    pub(super) const DOUBLE: u8 = 5;
    pub(super) const TIMESTAMP: u8 = 7;
    pub(super) const LONGLONG: u8 = 8;
    pub(super) const INT24: u8 = 9;
    pub(super) const DATE: u8 = 10;
    pub(super) const TIME: u8 = 11;
    pub(super) const DATETIME: u8 = 12;
    pub(super) const YEAR: u8 = 13;
}

/// Appends a record of `wires` to `into`.
pub(super) fn record(
    wires: &[Wire],
    forms: &[Form],
    packet: &[u8],
    scratch: &mut String,
    into: &mut Batch,
) -> Result<()> {
    if forms.len() != wires.len() {
        return Err(broken());
    }
    let read = fields(wires, forms, packet, scratch, into);
    if read.is_err() {
        into.drop_partial();
    }
    read.map_err(|_| broken())
}

fn broken() -> Error {
    Error::corrupt("the server's records do not have the form that was announced").hint(
        "the connection may lead through something that changes it; connect directly and run again",
    )
}

pub(super) fn misfit() -> io::Error {
    super::wire::broken("a value has another form than its type")
}

fn fields(
    wires: &[Wire],
    forms: &[Form],
    packet: &[u8],
    scratch: &mut String,
    into: &mut Batch,
) -> io::Result<()> {
    let mut parts = Parts::new(packet);
    parts.take(1)?;
    let nulls = parts.take((wires.len() + 9) / 8)?;
    if into.bytes() + packet.len() > BATCH_BYTES_MAX {
        return Err(misfit());
    }
    for (at, (&wire, form)) in wires.iter().zip(forms).enumerate() {
        let bit = at + 2;
        let byte = nulls.get(bit / 8).copied().unwrap_or(0);
        if byte >> (bit % 8) & 1 == 1 {
            into.push(Value::Null);
        } else {
            value(wire, *form, &mut parts, scratch, into)?;
        }
    }
    Ok(())
}

fn value(
    wire: Wire,
    form: Form,
    parts: &mut Parts<'_>,
    scratch: &mut String,
    into: &mut Batch,
) -> io::Result<()> {
    scratch.clear();
    match form.kind {
        kind::TINY => whole(wire, form, parts.int(1)?, 8, scratch, into),
        kind::SHORT | kind::YEAR => whole(wire, form, parts.int(2)?, 16, scratch, into),
        kind::LONG | kind::INT24 => whole(wire, form, parts.int(4)?, 32, scratch, into),
        kind::LONGLONG => whole(wire, form, parts.int(8)?, 64, scratch, into),
        kind::FLOAT => {
            let bits = u32::try_from(parts.int(4)?).map_err(|_| misfit())?;
            into.push(Value::Float(f64::from(f32::from_bits(bits))));
            Ok(())
        }
        kind::DOUBLE => {
            into.push(Value::Float(f64::from_bits(parts.int(8)?)));
            Ok(())
        }
        kind::DATE | kind::DATETIME | kind::TIMESTAMP => moment(wire, parts, scratch, into),
        kind::TIME => time(parts, scratch, into),
        _ => {
            let bytes = parts.bytes()?.ok_or_else(misfit)?;
            slice(wire, bytes, into)
        }
    }
}

pub(super) fn whole(
    wire: Wire,
    form: Form,
    raw: u64,
    bits: u32,
    scratch: &mut String,
    into: &mut Batch,
) -> io::Result<()> {
    // The sign stands in the highest of the bits sent.
    let shift = 64 - bits;
    let signed = (raw << shift).cast_signed() >> shift;
    let unsigned = form.unsigned || wire == Wire::Year;
    let number = if unsigned {
        i64::try_from(raw).ok()
    } else {
        Some(signed)
    };
    match (wire, number) {
        (Wire::Bool, Some(0)) => into.push(Value::Bool(false)),
        (Wire::Bool, Some(1)) => into.push(Value::Bool(true)),
        (_, Some(number)) => into.push(Value::Int(number)),
        (_, None) => {
            write!(scratch, "{raw}").map_err(|_| misfit())?;
            into.push(Value::Decimal(scratch));
        }
    }
    Ok(())
}

/// A date, with its time or without. A date with zeros is a text: no calendar has it.
fn moment(
    wire: Wire,
    parts: &mut Parts<'_>,
    scratch: &mut String,
    into: &mut Batch,
) -> io::Result<()> {
    let len = parts.int(1)?;
    let mut part = |wanted: u64, bytes: usize| {
        if len >= wanted {
            parts.int(bytes)
        } else {
            Ok(0)
        }
    };
    let day = [part(4, 2)?, part(4, 1)?, part(4, 1)?];
    let time = [part(7, 1)?, part(7, 1)?, part(7, 1)?, part(11, 4)?];
    push_moment(wire, day, time, scratch, into)
}

/// Appends what stands at a year, month and day, at an hour, minute, second and microsecond.
pub(super) fn push_moment(
    wire: Wire,
    [year, month, day]: [u64; 3],
    [hour, minute, second, micro]: [u64; 4],
    scratch: &mut String,
    into: &mut Batch,
) -> io::Result<()> {
    let date = i32::try_from(year).ok().filter(|&year| year > 0);
    let date = date
        .and_then(|year| calendar::days(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?));
    let of_day = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micro;
    let at = |days: i32| i64::from(days) * calendar::DAY_US + of_day.cast_signed();
    match (wire, date) {
        (Wire::Date, Some(days)) => into.push(Value::Date(days)),
        (Wire::Timestamp, Some(days)) => into.push(Value::Timestamp(at(days))),
        (Wire::Instant, Some(days)) => into.push(Value::Instant(at(days))),
        _ => {
            write!(scratch, "{year:04}-{month:02}-{day:02}").map_err(|_| misfit())?;
            if wire != Wire::Date {
                write!(scratch, " {hour:02}:{minute:02}:{second:02}").map_err(|_| misfit())?;
                push_micro(micro, scratch)?;
            }
            into.push(Value::Text(scratch));
        }
    }
    Ok(())
}

fn push_micro(micro: u64, scratch: &mut String) -> io::Result<()> {
    if micro > 0 {
        write!(scratch, ".{micro:06}").map_err(|_| misfit())?;
    }
    Ok(())
}

/// A time of day; a text where it is none.
fn time(parts: &mut Parts<'_>, scratch: &mut String, into: &mut Batch) -> io::Result<()> {
    let len = parts.int(1)?;
    let mut part = |wanted: u64, bytes: usize| {
        if len >= wanted {
            parts.int(bytes)
        } else {
            Ok(0)
        }
    };
    let (negative, days) = (part(8, 1)? == 1, part(8, 4)?);
    let (hour, minute, second) = (part(8, 1)?, part(8, 1)?, part(8, 1)?);
    let micro = part(12, 4)?;
    let hours = days
        .checked_mul(24)
        .map(|hours| hours + hour)
        .ok_or_else(misfit)?;
    push_time(negative, [hours, minute, second, micro], scratch, into)
}

/// Appends so many hours, minutes, seconds and microseconds after midnight, or before it.
pub(super) fn push_time(
    negative: bool,
    [hours, minute, second, micro]: [u64; 4],
    scratch: &mut String,
    into: &mut Batch,
) -> io::Result<()> {
    let whole = hours.checked_mul(3_600_000_000).ok_or_else(misfit)?;
    let us = whole + (minute * 60 + second) * 1_000_000 + micro;
    match i64::try_from(us) {
        Ok(us @ 0..=calendar::DAY_US) if !negative || us == 0 => into.push(Value::Time(us)),
        _ => {
            let sign = if negative { "-" } else { "" };
            write!(scratch, "{sign}{hours:02}:{minute:02}:{second:02}").map_err(|_| misfit())?;
            push_micro(micro, scratch)?;
            into.push(Value::Text(scratch));
        }
    }
    Ok(())
}

pub(super) fn slice(wire: Wire, bytes: &[u8], into: &mut Batch) -> io::Result<()> {
    if bytes.len() > VALUE_BYTES_MAX {
        return Err(misfit());
    }
    let text = || std::str::from_utf8(bytes);
    match wire {
        Wire::Bytes | Wire::Fixed | Wire::Spatial => into.push(Value::Bytes(bytes)),
        Wire::Bit => {
            let number = bytes
                .iter()
                .fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
            match i64::try_from(number) {
                Ok(number) => into.push(Value::Int(number)),
                Err(_) => into.push(Value::Decimal(&number.to_string())),
            }
        }
        Wire::Decimal => into.push(Value::Decimal(text().map_err(|_| misfit())?)),
        Wire::Uuid => {
            let uuid = text().ok().and_then(uuid).ok_or_else(misfit)?;
            into.push(Value::Uuid(&uuid));
        }
        Wire::Json => into.push(text().map_or(Value::InvalidText(bytes), Value::Json)),
        Wire::Text | Wire::Padded | Wire::Label | Wire::Labels | Wire::Cast => {
            into.push(text().map_or(Value::InvalidText(bytes), Value::Text));
        }
        _ => return Err(misfit()),
    }
    Ok(())
}

/// Reads a UUID as the server spells it.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let mut digits = text.bytes().filter(|&byte| byte != b'-');
    for byte in &mut bytes {
        let mut digit = || char::from(digits.next()?).to_digit(16);
        *byte = u8::try_from(digit()? << 4 | digit()?).ok()?;
    }
    digits.next().is_none().then_some(bytes)
}
