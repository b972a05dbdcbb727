//! PostgreSQL's binary numeric, to and from exact decimal text.
//!
//! Invariant: the text has exactly the digits and the scale that the server holds; reading back what was written
//! gives the same text. No arithmetic: base-10000 digits are printed and cut, nothing is converted.

use std::fmt::Write as _;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const NEGATIVE_INFINITY: u16 = 0xF000;

/// The most digits before the point, and behind it, that the server holds.
const WHOLE_DIGITS_MAX: usize = 131_072;
const SCALE_MAX: usize = 16_383;

/// Writes the text of a binary numeric into `out`, which is emptied first. `None` when the bytes are not one.
pub(super) fn decode<'a>(bytes: &[u8], out: &'a mut String) -> Option<&'a str> {
    out.clear();
    let (head, body) = bytes.split_at_checked(8)?;
    let word = |at: usize| Some(u16::from_be_bytes([*head.get(at)?, *head.get(at + 1)?]));
    let count = usize::from(word(0)?);
    let weight = i32::from(i16::from_be_bytes([*head.get(2)?, *head.get(3)?]));
    let sign = word(4)?;
    let scale = usize::from(word(6)?);
    if body.len() != count * 2 {
        return None;
    }
    match sign {
        NAN => return Some("NaN"),
        INFINITY => return Some("Infinity"),
        NEGATIVE_INFINITY => return Some("-Infinity"),
        NEGATIVE => out.push('-'),
        0 => {}
        _ => return None,
    }
    let group = |index: i32| -> Option<u16> {
        let Ok(at) = usize::try_from(index) else {
            return Some(0);
        };
        let Some(pair) = body.get(at * 2..at * 2 + 2) else {
            return Some(0);
        };
        let digits = u16::from_be_bytes([*pair.first()?, *pair.get(1)?]);
        (digits < 10_000).then_some(digits)
    };
    // Digits that the scale hides would be lost.
    let behind = i32::try_from(count).ok()? - weight - 1;
    if scale > SCALE_MAX || behind > i32::try_from(scale.div_ceil(4)).ok()? {
        return None;
    }
    whole(weight, &group, out)?;
    fraction(weight, scale, &group, out)?;
    Some(out)
}

fn whole(weight: i32, group: &dyn Fn(i32) -> Option<u16>, out: &mut String) -> Option<()> {
    let mut started = false;
    for index in 0..=weight {
        let digits = group(index)?;
        if started {
            push_group(digits, out);
        } else if digits != 0 {
            started = true;
            write!(out, "{digits}").ok()?;
        }
    }
    if !started {
        out.push('0');
    }
    Some(())
}

fn fraction(
    weight: i32,
    scale: usize,
    group: &dyn Fn(i32) -> Option<u16>,
    out: &mut String,
) -> Option<()> {
    if scale == 0 {
        return Some(());
    }
    out.push('.');
    let end = out.len() + scale;
    let mut index = weight + 1;
    while out.len() < end {
        // Before the first group stand only zeros.
        push_group(if index < 0 { 0 } else { group(index)? }, out);
        index += 1;
    }
    let lost = out.get(end..)?.bytes().any(|digit| digit != b'0');
    out.truncate(end);
    (!lost).then_some(())
}

fn push_group(digits: u16, out: &mut String) {
    for unit in [1000, 100, 10, 1] {
        let digit = u8::try_from(digits / unit % 10).unwrap_or(0);
        out.push(char::from(b'0' + digit));
    }
}

/// Appends the binary form of a decimal's text. `None` when the text is no decimal or too long for the server.
pub(super) fn encode(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let special = match text {
        "NaN" => Some(NAN),
        "Infinity" => Some(INFINITY),
        "-Infinity" => Some(NEGATIVE_INFINITY),
        _ => None,
    };
    if let Some(sign) = special {
        out.extend([0, 0, 0, 0]);
        out.extend(sign.to_be_bytes());
        out.extend([0, 0]);
        return Some(());
    }
    trueup_core::decimal::parts(text)?;
    let (negative, digits) = match text.as_bytes().split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text.as_bytes()),
    };
    let point = digits
        .iter()
        .position(|&c| c == b'.')
        .unwrap_or(digits.len());
    let (whole, fraction) = digits.split_at_checked(point)?;
    let fraction = fraction.get(1..).unwrap_or(&[]);
    let zeros = whole.iter().take_while(|&&c| c == b'0').count();
    let whole = whole.get(zeros..)?;
    if whole.len() > WHOLE_DIGITS_MAX || fraction.len() > SCALE_MAX {
        return None;
    }
    groups(negative, whole, fraction, out)
}

fn groups(negative: bool, whole: &[u8], fraction: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let lead = (4 - whole.len() % 4) % 4;
    let count = (whole.len() + lead) / 4 + fraction.len().div_ceil(4);
    // Zeros pad the first group in front and the last behind, so that the point falls between two groups.
    let digit = |at: usize| -> u16 {
        let Some(at) = at.checked_sub(lead) else {
            return 0;
        };
        let byte = whole.get(at).or_else(|| fraction.get(at - whole.len()));
        u16::from(byte.map_or(0, |c| c - b'0'))
    };
    let group = |at: usize| -> u16 { (0..4).fold(0, |sum, i| sum * 10 + digit(at * 4 + i)) };
    let is_zero = |&at: &usize| group(at) == 0;
    let first = (0..count).take_while(is_zero).count();
    let last = count - (0..count).rev().take_while(is_zero).count();
    let kept = first..last.max(first);
    let weight = i64::try_from((whole.len() + lead) / 4).ok()? - 1 - i64::try_from(first).ok()?;
    let weight = if kept.is_empty() {
        0
    } else {
        i16::try_from(weight).ok()?
    };
    let sign = if negative && !kept.is_empty() {
        NEGATIVE
    } else {
        0
    };
    out.extend(u16::try_from(kept.len()).ok()?.to_be_bytes());
    out.extend(weight.to_be_bytes());
    out.extend(sign.to_be_bytes());
    out.extend(u16::try_from(fraction.len()).ok()?.to_be_bytes());
    for at in kept {
        out.extend(group(at).to_be_bytes());
    }
    Some(())
}
