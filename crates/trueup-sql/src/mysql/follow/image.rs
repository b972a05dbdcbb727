//! Records as they stand in the log, read into the values that a scan delivers.
//!
//! Invariant: whatever the bytes are, reading them never panics, and a record is appended whole.

use super::charset::Charset;
use super::decimal;
use super::mapped::{Form, Laid, fraction_bytes, kind};
use crate::mysql::decode::{misfit, push_moment, push_time, slice, whole};
use crate::mysql::session;
use crate::mysql::types::{Limit, Wire};
use crate::mysql::wire::Parts;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use trueup_core::batch::Batch;
use trueup_core::calendar;
use trueup_core::value::Value;

/// What a record has in one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// The log does not say.
    Absent,
    Null,
    Here(&'a [u8]),
}

/// Takes one record apart, a part for each column of the log.
pub(super) fn split<'a>(
    images: &mut Parts<'a>,
    forms: impl Iterator<Item = Form>,
    present: &[u8],
    width: usize,
    into: &mut Vec<Part<'a>>,
) -> io::Result<()> {
    into.clear();
    let bit = |bits: &[u8], at: usize| bits.get(at / 8).copied().unwrap_or(0) >> (at % 8) & 1 == 1;
    let count = (0..width).filter(|&at| bit(present, at)).count();
    let nulls = images.take(count.div_ceil(8))?;
    let mut n = 0;
    for (at, form) in forms.enumerate() {
        if !bit(present, at) {
            into.push(Part::Absent);
            continue;
        }
        into.push(if bit(nulls, n) {
            Part::Null
        } else {
            Part::Here(form.take(images)?)
        });
        n += 1;
    }
    Ok(())
}

/// Memory that is used again for each value.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    text: String,
    bytes: Vec<u8>,
}

/// Appends a value of the log.
pub(super) fn push(
    laid: &Laid,
    form: Form,
    bytes: &[u8],
    scratch: &mut Scratch,
    into: &mut Batch,
) -> io::Result<()> {
    let Scratch { text, bytes: room } = scratch;
    text.clear();
    let wire = laid.column.wire;
    let number = || Parts::new(bytes).int(bytes.len());
    match form.kind {
        kind::TINY | kind::SHORT | kind::INT24 | kind::LONG | kind::LONGLONG => {
            let bits = u32::try_from(bytes.len() * 8).map_err(|_| misfit())?;
            let sent = session::Column {
                kind: form.kind,
                unsigned: laid.unsigned,
            };
            whole(wire, sent, number()?, bits, text, into)
        }
        kind::YEAR => {
            let year = number()?;
            let year = if year == 0 { 0 } else { year + 1900 };
            into.push(Value::Int(year.cast_signed()));
            Ok(())
        }
        kind::FLOAT => {
            let bits = u32::try_from(number()?).map_err(|_| misfit())?;
            into.push(Value::Float(f64::from(f32::from_bits(bits))));
            Ok(())
        }
        kind::DOUBLE => {
            into.push(Value::Float(f64::from_bits(number()?)));
            Ok(())
        }
        kind::DECIMAL => {
            let (digits, scale) = (form.meta.0.into(), form.meta.1.into());
            decimal::push(bytes, digits, scale, text)?;
            into.push(Value::Decimal(text));
            Ok(())
        }
        kind::ENUM => {
            let at = usize::try_from(number()?).map_err(|_| misfit())?;
            into.push(Value::Text(label(laid, at)?));
            Ok(())
        }
        kind::SET => {
            labels(laid, number()?, text)?;
            into.push(Value::Text(text));
            Ok(())
        }
        kind::BLOB_COMPRESSED | kind::VARCHAR_COMPRESSED => Err(misfit()),
        _ if matches!(
            wire,
            Wire::Date | Wire::Time | Wire::Timestamp | Wire::Instant
        ) =>
        {
            moment(wire, form, bytes, text, into)
        }
        _ => content(laid, bytes, text, room, into),
    }
}

fn label(laid: &Laid, at: usize) -> io::Result<&str> {
    if at == 0 {
        return Ok("");
    }
    let label = laid.column.labels.get(at - 1);
    label.map(String::as_str).ok_or_else(misfit)
}

fn labels(laid: &Laid, bits: u64, text: &mut String) -> io::Result<()> {
    for bit in (0..64).filter(|bit| bits >> bit & 1 == 1) {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(label(laid, bit + 1)?);
    }
    Ok(())
}

/// Texts and bytes.
fn content(
    laid: &Laid,
    bytes: &[u8],
    text: &mut String,
    room: &mut Vec<u8>,
    into: &mut Batch,
) -> io::Result<()> {
    // What is padded with zeros to a length stands in the log without them.
    let mut padded = |len: usize| {
        room.clear();
        room.extend_from_slice(bytes);
        room.resize(len.max(bytes.len()), 0);
    };
    match (laid.column.wire, laid.column.limit) {
        (Wire::Fixed, Limit::Exactly(len)) => {
            padded(usize::try_from(len).map_err(|_| misfit())?);
            into.push(Value::Bytes(room));
        }
        (Wire::Uuid, _) => {
            padded(16);
            let stored = room.first_chunk::<16>().ok_or_else(misfit)?;
            into.push(Value::Uuid(&uuid(*stored)));
        }
        (Wire::Cast, _) if laid.declared.starts_with("inet4") => {
            padded(4);
            let address = room.first_chunk::<4>().ok_or_else(misfit)?;
            into.push(Value::Text(&Ipv4Addr::from(*address).to_string()));
        }
        (Wire::Cast, _) if laid.declared.starts_with("inet6") => {
            padded(16);
            let address = room.first_chunk::<16>().ok_or_else(misfit)?;
            into.push(Value::Text(&inet6(*address)));
        }
        (Wire::Text, _) => laid.charset.push(bytes, false, text, into),
        (Wire::Json, _) => laid.charset.push(bytes, true, text, into),
        (Wire::Padded, _) => {
            let trimmed = match laid.charset {
                Charset::Utf8 | Charset::Bytes(_) => unpadded(bytes),
                _ => bytes,
            };
            laid.charset.push(trimmed, false, text, into);
        }
        (wire @ (Wire::Bytes | Wire::Spatial | Wire::Bit), _) => slice(wire, bytes, into)?,
        _ => return Err(misfit()),
    }
    Ok(())
}

/// Cuts off the blanks at the end, and no other white space.
fn unpadded(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| byte != b' ');
    bytes
        .get(..end.map_or(0, |end| end + 1))
        .unwrap_or_default()
}

/// The server keeps the parts of most UUIDs in another order, the time's highest first.
fn uuid(stored: [u8; 16]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = stored;
    let turned = [m, n, o, p, k, l, i, j, g, h, a, b, c, d, e, f];
    let version = turned[6] >> 4;
    let is_turned = (1..=5).contains(&version) && turned[8] & 0xc0 == 0x80;
    if is_turned { turned } else { stored }
}

/// An address as the server spells it: the first longest run of zeros left out, be it one only, and the last four bytes
/// as an older address where it takes them for one.
fn inet6(bytes: [u8; 16]) -> String {
    let parts = Ipv6Addr::from(bytes).segments();
    let (mut gap, mut run) = (0..0, 0..0);
    for (at, part) in parts.iter().enumerate() {
        run = if *part != 0 {
            at + 1..at + 1
        } else {
            run.start..at + 1
        };
        if run.len() > gap.len() {
            gap = run.clone();
        }
    }
    let mapped = gap == (0..5) && parts[5] == 0xffff;
    let older = gap == (0..6) || mapped;
    let hex = |part: &u16| format!("{part:x}");
    let join = |parts: &[u16]| parts.iter().map(hex).collect::<Vec<_>>().join(":");
    if older {
        let [.., a, b, c, d] = bytes;
        let head = if mapped { "::ffff:" } else { "::" };
        return format!("{head}{}", Ipv4Addr::new(a, b, c, d));
    }
    if gap.is_empty() {
        return join(&parts);
    }
    let head = parts.get(..gap.start).unwrap_or_default();
    let tail = parts.get(gap.end..).unwrap_or_default();
    format!("{}::{}", join(head), join(tail))
}

fn big(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}

/// The microseconds of a fraction of so many digits.
fn micros(bytes: &[u8]) -> u64 {
    match bytes.len() {
        1 => big(bytes) * 10_000,
        2 => big(bytes) * 100,
        _ => big(bytes),
    }
}

/// Dates and times.
fn moment(
    wire: Wire,
    form: Form,
    bytes: &[u8],
    text: &mut String,
    into: &mut Batch,
) -> io::Result<()> {
    let little = || Parts::new(bytes).int(bytes.len());
    let digits = usize::from(form.meta.0);
    let at = bytes.len().checked_sub(fraction_bytes(digits));
    let (main, fraction) = bytes
        .split_at_checked(at.ok_or_else(misfit)?)
        .ok_or_else(misfit)?;
    match form.kind {
        kind::DATE | kind::NEWDATE => {
            let packed = little()?;
            let day = [packed >> 9, packed >> 5 & 15, packed & 31];
            push_moment(wire, day, [0; 4], text, into)
        }
        kind::TIMESTAMP2 => instant(wire, big(main), micros(fraction), text, into),
        kind::TIMESTAMP => instant(wire, little()?, 0, text, into),
        kind::DATETIME2 => {
            // The highest bit says that it is not negative, which none is.
            let packed = big(main) & !(1 << 39);
            let (date, time) = (packed >> 17, packed & 0x1_ffff);
            let months = date >> 5;
            let day = [months / 13, months % 13, date & 31];
            let time = [time >> 12, time >> 6 & 63, time & 63, micros(fraction)];
            push_moment(wire, day, time, text, into)
        }
        kind::DATETIME => {
            let packed = little()?;
            let (date, time) = (packed / 1_000_000, packed % 1_000_000);
            let day = [date / 10_000, date / 100 % 100, date % 100];
            let time = [time / 10_000, time / 100 % 100, time % 100, 0];
            push_moment(wire, day, time, text, into)
        }
        kind::TIME2 => {
            // All of it is one number, from whose middle it counts up and down.
            let middle = 1_u64 << (8 * bytes.len() - 1);
            let whole = big(bytes);
            let packed = whole.abs_diff(middle);
            let low = 8 * fraction.len();
            let time = packed >> low;
            let rest = packed & ((1 << low) - 1);
            let micro = match fraction.len() {
                1 => rest * 10_000,
                2 => rest * 100,
                _ => rest,
            };
            let time = [time >> 12, time >> 6 & 63, time & 63, micro];
            push_time(whole < middle, time, text, into)
        }
        kind::TIME => {
            let packed = little()?;
            let negative = packed & 0x80_0000 != 0;
            let packed = if negative {
                0x100_0000 - packed
            } else {
                packed
            };
            let time = [packed / 10_000, packed / 100 % 100, packed % 100, 0];
            push_time(negative, time, text, into)
        }
        _ => Err(misfit()),
    }
}

/// Seconds since 1970; zero is the date of zeros.
fn instant(
    wire: Wire,
    seconds: u64,
    micro: u64,
    text: &mut String,
    into: &mut Batch,
) -> io::Result<()> {
    if seconds == 0 && micro == 0 {
        return push_moment(wire, [0; 3], [0; 4], text, into);
    }
    let seconds = i64::try_from(seconds).map_err(|_| misfit())?;
    let us = seconds * (calendar::DAY_US / 86_400) + micro.cast_signed();
    if wire != Wire::Instant {
        return Err(misfit());
    }
    into.push(Value::Instant(us));
    Ok(())
}
