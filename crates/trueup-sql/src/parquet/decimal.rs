//! Decimals as Parquet holds them, whole numbers of the last digit's unit, to and from exact text.

use arrow_buffer::i256;
use std::fmt::Write;
use trueup_core::decimal::{self, Parts};

/// The most digits of a decimal at all.
pub(super) const DIGITS_MAX: u16 = 76;

/// How many bytes the library gives a decimal of so many digits: as few as hold it with its sign.
pub(super) fn bytes(digits: u8) -> i32 {
    let bits = f64::from(digits) * std::f64::consts::LOG2_10 + 1.0;
    // At most 32.
    (bits / 8.0).ceil() as i32
}

/// Writes `unscaled` with `scale` digits behind the point.
pub(super) fn text_128(unscaled: i128, scale: i8, out: &mut String) {
    let size = unscaled.unsigned_abs();
    let start = out.len();
    let written = match u64::try_from(size) {
        Ok(small) => write!(out, "{small}"),
        Err(_) => write!(out, "{size}"),
    };
    // Writing to a string cannot fail.
    written.unwrap_or_default();
    point(out, start, unscaled < 0, scale);
}

/// As [`text_128`].
pub(super) fn text_256(unscaled: i256, scale: i8, out: &mut String) {
    let start = out.len();
    let spelled = unscaled.to_string();
    let negative = spelled.starts_with('-');
    out.push_str(spelled.strip_prefix('-').unwrap_or(&spelled));
    point(out, start, negative, scale);
}

/// Puts sign and point into the digits from `start` on.
fn point(out: &mut String, start: usize, negative: bool, scale: i8) {
    if let Ok(scale @ 1..) = usize::try_from(scale) {
        let digits = out.len() - start;
        if digits <= scale {
            out.insert_str(start, &"0".repeat(scale + 1 - digits));
        }
        out.insert(out.len() - scale, '.');
    } else if &out[start..] != "0" {
        out.extend(std::iter::repeat_n('0', usize::from(scale.unsigned_abs())));
    }
    if negative {
        out.insert(start, '-');
    }
}

/// Why a decimal cannot be held.
pub(super) const NOT_HELD: &str = "the column holds fewer digits";
/// Why a decimal that is no number cannot be held.
pub(super) const NOT_FINITE: &str = "a decimal of Parquet is neither NaN nor infinite";

/// Takes a decimal apart into its sign and the digits of the unscaled number, at most `precision` of them.
fn digits(
    text: &str,
    precision: u8,
    scale: i8,
) -> Result<(bool, impl Iterator<Item = u8>), &'static str> {
    let (negative, exponent, whole, fraction) = match decimal::parts(text) {
        Some(Parts::Zero) => (false, 0, &b""[..], &b""[..]),
        Some(Parts::Finite {
            negative,
            exponent,
            whole,
            fraction,
        }) => (negative, exponent, whole, fraction),
        Some(Parts::NaN | Parts::Infinite(_)) => return Err(NOT_FINITE),
        None => return Err("the value is no decimal"),
    };
    // The number is 0.DIGITS * 10^exponent, so its last digit stands at this place behind the point.
    let known = whole.len() + fraction.len();
    let wanted = i64::from(exponent) + i64::from(scale);
    let zeros = wanted - i64::try_from(known).unwrap_or(i64::MAX);
    if known > 0 && (zeros < 0 || wanted > i64::from(precision)) {
        return Err(NOT_HELD);
    }
    let zeros = if known == 0 {
        0
    } else {
        usize::try_from(zeros).unwrap_or(0)
    };
    let all = whole.iter().chain(fraction).map(|digit| digit - b'0');
    Ok((negative, all.chain(std::iter::repeat_n(0, zeros))))
}

/// Reads a decimal as a number of 128 bits.
pub(super) fn parse_128(text: &str, precision: u8, scale: i8) -> Result<i128, &'static str> {
    let (negative, digits) = digits(text, precision, scale)?;
    let mut number = 0_i128;
    for digit in digits {
        let next = number.checked_mul(10);
        number = next
            .and_then(|next| next.checked_add(i128::from(digit)))
            .ok_or(NOT_HELD)?;
    }
    Ok(if negative { -number } else { number })
}

/// Reads a decimal as a number of 256 bits.
pub(super) fn parse_256(text: &str, precision: u8, scale: i8) -> Result<i256, &'static str> {
    let (negative, digits) = digits(text, precision, scale)?;
    let (mut number, ten) = (i256::ZERO, i256::from_i128(10));
    for digit in digits {
        let next = number.checked_mul(ten);
        number = next
            .and_then(|next| next.checked_add(i256::from_i128(i128::from(digit))))
            .ok_or(NOT_HELD)?;
    }
    Ok(if negative {
        number.wrapping_neg()
    } else {
        number
    })
}
