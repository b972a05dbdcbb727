//! Numbers, with all their digits: never through a double.

use std::fmt::Write as _;
use trueup_core::decimal;

/// The most digits that a number with an exponent is written out in, on either side of the point: as many as
/// PostgreSQL's numeric has.
const DIGITS_MAX: i64 = 131_072;

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// A whole number of 64 bits.
    Int(i64),
    /// One without an exponent: it is a decimal as it stands.
    Plain,
    /// One with an exponent that was written out.
    WrittenOut,
    /// One whose exponent is too large to be written out.
    Vast,
}

/// Returns where the number that begins at `at` ends; `None` when there is none.
pub(super) fn end(text: &[u8], at: usize) -> Option<usize> {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then_some(from + count)
    };
    let whole = at + usize::from(text.get(at) == Some(&b'-'));
    let mut end = match text.get(whole) {
        Some(b'0') => whole + 1,
        _ => digits(whole)?,
    };
    if text.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        end = digits(end + 1 + sign)?;
    }
    Some(end)
}

/// Says what a number is; one with an exponent is appended to `out` without it.
pub(super) fn read(text: &str, out: &mut String) -> Number {
    let Some((mantissa, power)) = text.split_once(['e', 'E']) else {
        return match text.parse() {
            Ok(whole) => Number::Int(whole),
            Err(_) => Number::Plain,
        };
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let limits = -DIGITS_MAX..=DIGITS_MAX;
    let point = power.parse::<i64>().ok().and_then(|power| {
        let point = power.checked_add(i64::try_from(whole.len()).ok()?)?;
        limits.contains(&point).then_some(point)
    });
    let digits = whole.len() + fraction.len();
    let Some(point) = point.filter(|_| digits as u64 <= DIGITS_MAX.unsigned_abs()) else {
        if whole
            .bytes()
            .chain(fraction.bytes())
            .all(|byte| byte == b'0')
        {
            out.push('0');
            return Number::WrittenOut;
        }
        return Number::Vast;
    };
    let digit = |index: i64| {
        let index = usize::try_from(index).ok()?;
        let behind = index.checked_sub(whole.len());
        let found = match behind {
            None => whole.as_bytes().get(index),
            Some(behind) => fraction.as_bytes().get(behind),
        };
        found.copied()
    };
    let first = (0..point).find(|&index| digit(index).is_some_and(|digit| digit != b'0'));
    out.push_str(sign);
    match first {
        None => out.push('0'),
        Some(first) => {
            out.extend((first..point).map(|index| char::from(digit(index).unwrap_or(b'0'))));
        }
    }
    let last = i64::try_from(digits).unwrap_or(DIGITS_MAX);
    if point < last {
        out.push('.');
        out.extend((point..last).map(|index| char::from(digit(index).unwrap_or(b'0'))));
    }
    Number::WrittenOut
}

/// Returns the double that a decimal is the shortest spelling of.
pub(super) fn double(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    let mut spelled = String::new();
    write!(spelled, "{value}").ok()?;
    (decimal::parts(&spelled)? == decimal::parts(text)?).then_some(value)
}
