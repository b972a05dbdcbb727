//! Exact decimals as ASCII text: checking, comparing and encoding without arithmetic.
//!
//! A decimal has any number of digits: PostgreSQL's numeric goes to 131,072 before the point, and no machine type
//! holds MySQL's 65. The text is kept as the engine gave it; what counts for equality is the [`Parts`].

#[cfg(test)]
pub(crate) mod tests;

/// A decimal taken apart: `0.digits * 10^exponent`, without leading or trailing zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts<'a> {
    /// Not a number.
    NaN,
    /// Infinite; `true` is negative.
    Infinite(bool),
    /// Zero.
    Zero,
    /// Any other number.
    Finite {
        /// Whether it is below zero.
        negative: bool,
        /// Where the point stands: the number of digits before it, or minus the zeros behind it.
        exponent: i32,
        /// Digits before the point that count.
        whole: &'a [u8],
        /// Digits behind the point that count.
        fraction: &'a [u8],
    },
}

/// Takes a decimal apart; `None` when the text is not one. Accepts `[-+]digits[.digits]` with digits on at least one
/// side of the point, `NaN`, `Infinity` and `-Infinity`. No exponent: that is a float's notation.
pub fn parts(text: &str) -> Option<Parts<'_>> {
    parts_of(text.as_bytes())
}

/// As [`parts`], of a text's bytes.
pub fn parts_of(bytes: &[u8]) -> Option<Parts<'_>> {
    match bytes {
        b"NaN" => return Some(Parts::NaN),
        b"Infinity" => return Some(Parts::Infinite(false)),
        b"-Infinity" => return Some(Parts::Infinite(true)),
        _ => {}
    }
    let (negative, digits) = match bytes.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, bytes),
    };
    let (whole, fraction) = match memchr::memchr(b'.', digits) {
        Some(point) => (&digits[..point], &digits[point + 1..]),
        None => (digits, &digits[..0]),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    if !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    Some(trimmed(negative, whole, fraction))
}

fn trimmed<'a>(negative: bool, whole: &'a [u8], fraction: &'a [u8]) -> Parts<'a> {
    let lead = whole.iter().take_while(|&&d| d == b'0').count();
    let mut whole = &whole[lead..];
    let tail = fraction.iter().rev().take_while(|&&d| d == b'0').count();
    let mut fraction = &fraction[..fraction.len() - tail];
    let exponent = if whole.is_empty() {
        let zeros = fraction.iter().take_while(|&&d| d == b'0').count();
        fraction = &fraction[zeros..];
        -i32::try_from(zeros).unwrap_or(i32::MAX)
    } else {
        i32::try_from(whole.len()).unwrap_or(i32::MAX)
    };
    if whole.is_empty() && fraction.is_empty() {
        return Parts::Zero;
    }
    if fraction.is_empty() {
        let tail = whole.iter().rev().take_while(|&&d| d == b'0').count();
        whole = &whole[..whole.len() - tail];
    }
    Parts::Finite {
        negative,
        exponent,
        whole,
        fraction,
    }
}

/// Appends the one shortest spelling of a decimal: no sign before zero, no zeros that do not count. What is no decimal
/// is appended as it is.
pub fn shortest(text: &str, out: &mut String) {
    match parts(text) {
        Some(Parts::Finite { negative, .. }) => {
            let digits = text.trim_start_matches(['-', '+']);
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
            let (whole, fraction) = (
                whole.trim_start_matches('0'),
                fraction.trim_end_matches('0'),
            );
            out.push_str(if negative { "-" } else { "" });
            out.push_str(if whole.is_empty() { "0" } else { whole });
            out.push_str(if fraction.is_empty() { "" } else { "." });
            out.push_str(fraction);
        }
        Some(Parts::Zero) => out.push('0'),
        Some(Parts::NaN | Parts::Infinite(_)) | None => out.push_str(text),
    }
}

/// Appends the order-preserving encoding: memcmp of two encodings orders as the numbers do, NaN last (as PostgreSQL
/// sorts it), and equal numbers have equal encodings. Self-delimiting.
pub fn encode(parts: Parts<'_>, out: &mut Vec<u8>) {
    match parts {
        Parts::Infinite(true) => out.push(0),
        Parts::Zero => out.push(2),
        Parts::Infinite(false) => out.push(4),
        Parts::NaN => out.push(5),
        Parts::Finite {
            negative,
            exponent,
            whole,
            fraction,
        } => {
            // The sign decides first, then the exponent, then the digits; all turned over for negative numbers.
            let flip = if negative { 0xff } else { 0 };
            out.push(if negative { 1 } else { 3 });
            let exponent = (i64::from(exponent) - i64::from(i32::MIN)) as u32;
            out.extend(exponent.to_be_bytes().map(|byte| byte ^ flip));
            // Two plain loops: a chain of the two is not vectorised.
            out.extend(whole.iter().map(|digit| (digit - b'0' + 1) ^ flip));
            out.extend(fraction.iter().map(|digit| (digit - b'0' + 1) ^ flip));
            out.push(flip);
        }
    }
}
