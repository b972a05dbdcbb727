//! Whole numbers, decimals and doubles: one into another where no digit is lost.
//!
//! A double stands for the shortest decimal that reads back as it. A decimal therefore fits a double when it is that
//! shortest decimal; a text also when it is the double correctly rounded to so many digits that no other double
//! rounds to them, which is what `%.17g` prints.

use super::Misfit;
use crate::batch::Batch;
use crate::decimal::{self, Parts};
use crate::value::Value;
use std::fmt::{self, Write as _};

/// Digits that tell any two doubles apart; and any two of 32 bits.
const FLOAT64_DIGITS: usize = 17;
const FLOAT32_DIGITS: usize = 9;
/// Digits that survive the way into any normal double and back; and into one of 32 bits.
const FLOAT64_SURE: usize = 15;
const FLOAT32_SURE: usize = 6;
/// No double has more significant digits than this, however long it is written out.
const FLOAT_DIGITS_MAX: usize = 800;
/// The digits of the largest whole number of 64 bits.
const INT_DIGITS_MAX: i32 = 20;

/// Tells whether a whole number of `bits` can be `v`.
pub(super) fn in_range(v: i128, bits: u8, signed: bool) -> bool {
    let bits = u32::from(bits.clamp(1, 64));
    let (min, max) = if signed {
        let limit = 1_i128 << (bits - 1);
        (-limit, limit - 1)
    } else {
        (0, (1_i128 << bits) - 1)
    };
    (min..=max).contains(&v)
}

/// Casts to a whole number. One above `i64::MAX` is pushed as a decimal.
pub(super) fn to_int(
    value: Value<'_>,
    bits: u8,
    signed: bool,
    into: &mut Batch,
) -> Result<(), Misfit> {
    let class = value.class();
    let v = match value {
        Value::Int(v) => i128::from(v),
        Value::Bool(v) => i128::from(v),
        Value::Float(v) => whole_float(v, class)?,
        Value::Decimal(v) => whole_decimal(decimal::parts(v).ok_or(Misfit::Syntax(class))?, class)?,
        Value::Text(v) => match v.parse::<i64>() {
            Ok(v) => i128::from(v),
            Err(_) => whole_decimal(decimal::parts(v).ok_or(Misfit::Syntax(class))?, class)?,
        },
        _ => return Err(Misfit::WrongClass(class)),
    };
    if !in_range(v, bits, signed) {
        return Err(Misfit::OutOfRange(class));
    }
    match i64::try_from(v) {
        Ok(v) => into.push(Value::Int(v)),
        Err(_) => into.push(Value::Decimal(Digits::of(format_args!("{v}")).text())),
    }
    Ok(())
}

fn whole_float(v: f64, class: &'static str) -> Result<i128, Misfit> {
    const LIMIT: f64 = 18_446_744_073_709_551_616.0;
    if v.is_nan() || v.abs() > LIMIT {
        Err(Misfit::OutOfRange(class))
    } else if v.fract() != 0.0 {
        Err(Misfit::NotExact(class))
    } else {
        Ok(v as i128)
    }
}

fn whole_decimal(parts: Parts<'_>, class: &'static str) -> Result<i128, Misfit> {
    let Parts::Finite {
        negative,
        exponent,
        whole,
        fraction,
    } = parts
    else {
        return if parts == Parts::Zero {
            Ok(0)
        } else {
            Err(Misfit::OutOfRange(class))
        };
    };
    if exponent > INT_DIGITS_MAX {
        return Err(Misfit::OutOfRange(class));
    }
    if !fraction.is_empty() {
        return Err(Misfit::NotExact(class));
    }
    let digits = whole
        .iter()
        .fold(0, |v: i128, digit| v * 10 + i128::from(digit - b'0'));
    let zeros = usize::try_from(exponent)
        .unwrap_or(0)
        .saturating_sub(whole.len());
    let v = (0..zeros).fold(digits, |v, _| v * 10);
    Ok(if negative { -v } else { v })
}

/// Casts to a decimal; texts are brought into the form [`Value::Decimal`] asks for.
pub(super) fn to_decimal(
    value: Value<'_>,
    size: Option<(u16, i16)>,
    into: &mut Batch,
) -> Result<(), Misfit> {
    let class = value.class();
    let check = |text: &str| match size {
        Some(size) => sized(text.as_bytes(), size).map_err(|misfit| misfit(class)),
        None => Ok(()),
    };
    let mut spelled = String::new();
    let text = match value {
        Value::Decimal(v) => v,
        Value::Int(v) => {
            let digits = Digits::of(format_args!("{v}"));
            check(digits.text())?;
            into.push(Value::Decimal(digits.text()));
            return Ok(());
        }
        Value::Float(v) => spell_float(v, &mut spelled),
        Value::Text(v) => {
            decimal::parts(v).ok_or(Misfit::Syntax(class))?;
            tidy(v, &mut spelled)
        }
        _ => return Err(Misfit::WrongClass(class)),
    };
    check(text)?;
    into.push(Value::Decimal(text));
    Ok(())
}

/// Spells a double in a decimal's notation.
fn spell_float(v: f64, out: &mut String) -> &str {
    if v.is_nan() {
        "NaN"
    } else if v.is_infinite() {
        if v < 0.0 { "-Infinity" } else { "Infinity" }
    } else if v == 0.0 {
        "0"
    } else {
        write!(out, "{v}").expect("a String takes every character");
        out
    }
}

/// Takes away a plus sign and makes sure that there are digits on both sides of a point.
fn tidy<'a>(text: &'a str, out: &'a mut String) -> &'a str {
    let text = text.strip_prefix('+').unwrap_or(text);
    let text = text.strip_suffix('.').unwrap_or(text);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    if !digits.starts_with('.') {
        return text;
    }
    out.push_str(sign);
    out.push('0');
    out.push_str(digits);
    out
}

/// Checks that a decimal of `precision` digits, `scale` of them behind the point, holds `text`. A negative scale
/// means zeros before the point, a scale above the precision zeros behind it, as in PostgreSQL 15.
pub(super) fn sized(
    text: &[u8],
    (precision, scale): (u16, i16),
) -> Result<(), fn(&'static str) -> Misfit> {
    match decimal::parts_of(text) {
        None => Err(Misfit::Syntax),
        Some(Parts::Zero | Parts::NaN) => Ok(()),
        Some(Parts::Infinite(_)) => Err(Misfit::OutOfRange),
        Some(Parts::Finite {
            exponent,
            whole,
            fraction,
            ..
        }) => {
            let (exponent, scale) = (i64::from(exponent), i64::from(scale));
            if exponent > i64::from(precision) - scale {
                return Err(Misfit::OutOfRange);
            }
            let behind_point = (whole.len() + fraction.len()) as i64 - exponent;
            if behind_point > scale {
                Err(Misfit::NotExact)
            } else {
                Ok(())
            }
        }
    }
}

/// Casts to a double that 32 or 64 bits can hold.
pub(super) fn to_float(value: Value<'_>, bits: u8, into: &mut Batch) -> Result<(), Misfit> {
    let class = value.class();
    let v = match value {
        Value::Int(v) => int_to_float(v, bits, class)?,
        Value::Float(v) => {
            if v.is_finite() && (v as f32).is_infinite() {
                return Err(Misfit::OutOfRange(class));
            }
            return Err(Misfit::NotExact(class));
        }
        Value::Decimal(v) => text_to_float(v, bits, false, class)?,
        Value::Text(v) => text_to_float(v, bits, true, class)?,
        _ => return Err(Misfit::WrongClass(class)),
    };
    into.push(Value::Float(v));
    Ok(())
}

fn int_to_float(v: i64, bits: u8, class: &'static str) -> Result<f64, Misfit> {
    let float = if bits == 32 {
        f64::from(v as f32)
    } else {
        v as f64
    };
    // Through 128 bits: the nearest double to i64::MAX is beyond it.
    if float as i128 == i128::from(v) {
        Ok(float)
    } else {
        Err(Misfit::NotExact(class))
    }
}

/// Reads a double. `notations` allows what a text may have and a decimal has not: an exponent, and more digits than
/// the shortest.
fn text_to_float(
    text: &str,
    bits: u8,
    notations: bool,
    class: &'static str,
) -> Result<f64, Misfit> {
    let number = Scientific::read(text).ok_or(Misfit::Syntax(class))?;
    if !notations && number.has_exponent {
        return Err(Misfit::Syntax(class));
    }
    match number.parts {
        Parts::NaN => return Ok(f64::NAN),
        Parts::Infinite(negative) => {
            return Ok(if negative {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            });
        }
        Parts::Zero => return Ok(0.0),
        Parts::Finite { .. } => {}
    }
    let double: f64 = text.parse().map_err(|_| Misfit::Syntax(class))?;
    let single: f32 = match bits {
        32 => text.parse().map_err(|_| Misfit::Syntax(class))?,
        _ => 0.0,
    };
    if double.is_infinite() || single.is_infinite() {
        return Err(Misfit::OutOfRange(class));
    }
    let (float, sure, enough) = match bits {
        32 => (f64::from(single), single.is_normal(), FLOAT32_DIGITS),
        _ => (double, double.is_normal(), FLOAT64_DIGITS),
    };
    // So few digits come back from every normal float, so the number is the float's shortest spelling.
    if sure
        && number.digits
            <= (if bits == 32 {
                FLOAT32_SURE
            } else {
                FLOAT64_SURE
            })
    {
        return Ok(float);
    }
    let exact = float == double && number.is(format_args!("{double:e}"));
    let shortest = bits == 32 && number.is(format_args!("{single:e}"));
    if exact || shortest || (notations && number.is_rounding_of(float, enough)) {
        return Ok(float);
    }
    Err(Misfit::NotExact(class))
}

/// A number in scientific notation: a decimal and a power of ten.
struct Scientific<'a> {
    parts: Parts<'a>,
    power: i64,
    /// Digits that count.
    digits: usize,
    /// Digits from the first that is not zero to the last that was written.
    written: usize,
    has_exponent: bool,
}

impl<'a> Scientific<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (mantissa, power) = match text.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, Some(power)),
            None => (text, None),
        };
        let parts = decimal::parts(mantissa)?;
        let numeric = mantissa.bytes().any(|byte| byte.is_ascii_digit());
        if power.is_some() && !numeric {
            return None;
        }
        let digits = match parts {
            Parts::Finite {
                whole, fraction, ..
            } => whole.len() + fraction.len(),
            Parts::NaN | Parts::Infinite(_) | Parts::Zero => 0,
        };
        let significant = mantissa.trim_start_matches(['+', '-', '0', '.']);
        Some(Self {
            parts,
            digits,
            power: power.map_or(Some(0), read_power)?,
            written: significant.bytes().filter(u8::is_ascii_digit).count(),
            has_exponent: power.is_some(),
        })
    }

    /// Tells whether this is the number that `other` spells.
    fn is(&self, other: fmt::Arguments<'_>) -> bool {
        let other = Digits::of(other);
        Scientific::read(other.text()).is_some_and(|other| self.equals(&other))
    }

    fn equals(&self, other: &Scientific<'_>) -> bool {
        match (self.parts, other.parts) {
            (
                Parts::Finite {
                    negative,
                    exponent,
                    whole,
                    fraction,
                },
                Parts::Finite {
                    negative: sign,
                    exponent: point,
                    whole: before,
                    fraction: behind,
                },
            ) => {
                negative == sign
                    && i64::from(exponent) + self.power == i64::from(point) + other.power
                    && whole.iter().chain(fraction).eq(before.iter().chain(behind))
            }
            (one, another) => one == another,
        }
    }

    /// Tells whether this is `float` correctly rounded to as many digits as were written, and those are `enough`.
    fn is_rounding_of(&self, float: f64, enough: usize) -> bool {
        if self.written < enough {
            return false;
        }
        let behind_point = self.written.min(FLOAT_DIGITS_MAX) - 1;
        let rounded = format!("{float:.behind_point$e}");
        Scientific::read(&rounded).is_some_and(|rounded| self.equals(&rounded))
    }
}

/// Reads a power of ten; far beyond every double it is cut short.
fn read_power(text: &str) -> Option<i64> {
    const POWER_MAX: i64 = 1_000_000_000_000;
    let (negative, digits) = match text.as_bytes().split_first()? {
        (b'-', digits) => (true, digits),
        (b'+', digits) => (false, digits),
        _ => (false, text.as_bytes()),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let power = digits.iter().fold(0, |power, digit| {
        (power * 10 + i64::from(digit - b'0')).min(POWER_MAX)
    });
    Some(if negative { -power } else { power })
}

/// A short number spelled without an allocation.
struct Digits {
    bytes: [u8; Self::BYTES_MAX],
    len: usize,
}

impl Digits {
    /// The longest: a sign, 39 digits of 128 bits. The shortest form of a double takes 24.
    const BYTES_MAX: usize = 40;

    fn of(number: fmt::Arguments<'_>) -> Self {
        let mut digits = Self {
            bytes: [0; Self::BYTES_MAX],
            len: 0,
        };
        digits
            .write_fmt(number)
            .expect("no number spelled here is longer");
        digits
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).expect("written from str")
    }
}

impl fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes
            .get_mut(self.len..end)
            .ok_or(fmt::Error)?
            .copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
