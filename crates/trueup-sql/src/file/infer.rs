//! Guesses the columns' types from every value in the file.
//!
//! A syntax that has texts only says what each looks like; one with classes of its own says these, and only texts are
//! looked at.
//!
//! Invariant: a type is given only when each value of the whole file fits it exactly, so that no later row surprises;
//! one that could change on the way (`007`, `+1`, `-0`, an integer beyond 64 bits among floats, seven digits of a
//! second) makes the column text. Only shapes are looked at; the values themselves are cast by the caller.
//!
//! A column that is text because of a few values only is told ([`Column::odd`]), by their number and the line of the
//! first of them: mostly they are mistakes.

use trueup_core::endpoint::Ascending;
use trueup_core::types::Type;

/// The digits within which a decimal text and the nearest double mean each other.
const FLOAT_DIGITS_MAX: usize = 17;

// What the values seen so far look like, as bits.
const INT: u16 = 1;
const DECIMAL: u16 = 1 << 1;
const FLOAT: u16 = 1 << 2;
const BOOL: u16 = 1 << 3;
const DATE: u16 = 1 << 4;
const TIMESTAMP: u16 = 1 << 5;
const INSTANT: u16 = 1 << 6;
const UUID: u16 = 1 << 7;
const TEXT: u16 = 1 << 8;
/// More digits than a double has.
const WIDE: u16 = 1 << 9;

// What the values seen so far are, where the syntax tells.
const A_NUMBER: u16 = 1 << 10;
const A_BOOL: u16 = 1 << 11;
const A_TEXT: u16 = 1 << 12;
const NESTED: u16 = 1 << 13;
const CLASSES: u16 = A_NUMBER | A_BOOL | A_TEXT | NESTED;

/// How many shapes there are that a value can have: the bits up to [`TEXT`].
const SHAPES: usize = 9;
/// The shapes that values of one type have, as far as there are several types to choose from.
const FAMILIES: [u16; 6] = [INT | DECIMAL | FLOAT, BOOL, DATE, TIMESTAMP, INSTANT, UUID];
/// So many values are few, in however short a file.
const ODD_FEW: u64 = 2;
/// And so is one in so many.
const ODD_SHARE: u64 = 10;

/// The values of one shape.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    count: u64,
    /// The line of the record that has the first of them.
    line: u64,
}

/// Values that keep a column from being of the type of all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Odd {
    /// The type of the others.
    pub(crate) ty: Type,
    /// How many there are.
    pub(crate) count: u64,
    /// How many values there are in all.
    pub(crate) values: u64,
    /// The line of the record that has the first of them.
    pub(crate) line: u64,
}

/// What is known of one column.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Column {
    shapes: u16,
    tallies: [Tally; SHAPES],
    /// How many records have the field.
    pub(crate) count: u64,
    /// Whether a NULL was seen.
    pub(crate) nullable: bool,
    /// The first and the last number, while every value is one and they ascend.
    ends: Option<(i64, i64)>,
    /// Whether that is over.
    mixed: bool,
}

impl Column {
    /// Takes in a text of a syntax that has nothing else.
    pub(crate) fn see(&mut self, text: &str, quoted: bool, null: &str, line: u64) {
        if !quoted && text == null {
            self.see_null();
            return;
        }
        let shape = shape(text.as_bytes());
        self.follow(shape, text);
        self.take(0, shape, line);
    }

    /// Looks whether this value, too, is a whole number and greater than the one before.
    fn follow(&mut self, shape: u16, text: &str) {
        if self.mixed {
            return;
        }
        let number = (shape & !WIDE == INT).then(|| text.parse::<i64>().ok());
        let number = number.flatten();
        let ends = match (number, self.ends) {
            (Some(number), None) if self.count == 0 => Some((number, number)),
            (Some(number), Some((first, last))) if number > last => Some((first, number)),
            _ => None,
        };
        self.mixed = ends.is_none();
        self.ends = ends;
    }

    /// Returns what there is to say of a column of `records` records whose numbers ascend.
    pub(crate) fn ascending(self, records: u64) -> Option<Ascending> {
        let (first, last) = self.ends.filter(|_| self.count == records)?;
        Some(Ascending {
            records,
            first,
            last,
        })
    }

    /// Counts a value of this class and shape.
    fn take(&mut self, class: u16, shape: u16, line: u64) {
        self.count += 1;
        self.shapes |= class | shape;
        let bit = (shape & !(WIDE | CLASSES)).trailing_zeros();
        let tally = usize::try_from(bit).ok();
        if let Some(tally) = tally.and_then(|bit| self.tallies.get_mut(bit)) {
            if tally.count == 0 {
                tally.line = line;
            }
            tally.count += 1;
        }
    }

    /// Takes in a NULL.
    pub(crate) fn see_null(&mut self) {
        self.follow(0, "");
        self.count += 1;
        self.nullable = true;
    }

    /// Takes in a truth value.
    pub(crate) fn see_bool(&mut self, line: u64) {
        self.follow(BOOL, "");
        self.take(A_BOOL, BOOL, line);
    }

    /// Takes in a number of which no digit is lost, whatever its notation.
    pub(crate) fn see_number(&mut self, text: &str, line: u64) {
        let shape = match number(text.as_bytes()) {
            Some(shape) => shape,
            None if text == "-0" => INT,
            None => DECIMAL | WIDE,
        };
        self.follow(shape, text);
        self.take(A_NUMBER, shape, line);
    }

    /// Takes in a text, which is none of the other classes.
    pub(crate) fn see_text(&mut self, text: &str, line: u64) {
        let bytes = text.as_bytes();
        let found = moment(bytes).or_else(|| uuid(bytes).then_some(UUID));
        self.follow(TEXT, "");
        self.take(A_TEXT, found.unwrap_or(TEXT), line);
    }

    /// Takes in a value with an inner structure.
    pub(crate) fn see_nested(&mut self) {
        self.follow(NESTED, "");
        self.count += 1;
        self.shapes |= NESTED;
    }

    /// Returns what keeps the column from being of the type that almost all its values have; `None` where it is of one,
    /// or where there is no such type.
    pub(crate) fn odd(self) -> Option<Odd> {
        if self.shapes & NESTED != 0 || !matches!(self.ty(), Type::Text { .. } | Type::Json) {
            return None;
        }
        let values: u64 = self.tallies.iter().map(|tally| tally.count).sum();
        FAMILIES.into_iter().find_map(|family| {
            let is_odd = |(bit, tally): &(usize, &Tally)| tally.count > 0 && family >> bit & 1 == 0;
            let odd = || self.tallies.iter().enumerate().filter(is_odd);
            let count: u64 = odd().map(|(_, tally)| tally.count).sum();
            let few = count <= ODD_FEW.max(values / ODD_SHARE) && count * 2 < values;
            let others = Self {
                shapes: self.shapes & (family | WIDE),
                ..Self::default()
            };
            let ty = others.ty();
            (count > 0 && few && ty != Type::TEXT).then_some(Odd {
                ty,
                count,
                values,
                line: odd().map(|(_, tally)| tally.line).min().unwrap_or(0),
            })
        })
    }

    /// Returns the type that every value seen fits.
    pub(crate) fn ty(self) -> Type {
        let classes = self.shapes & CLASSES;
        if classes & NESTED != 0 || classes.count_ones() > 1 {
            return Type::Json;
        }
        match self.shapes & !(WIDE | CLASSES) {
            INT => Type::INT,
            BOOL => Type::Bool,
            DATE => Type::Date,
            TIMESTAMP => Type::Timestamp,
            INSTANT => Type::Instant,
            UUID => Type::Uuid,
            0 => Type::TEXT,
            bits if bits & !(INT | DECIMAL) == 0 => Type::DECIMAL,
            bits if bits & !(INT | DECIMAL | FLOAT) == 0 && self.shapes & WIDE == 0 => Type::FLOAT,
            _ if classes == A_NUMBER => Type::DECIMAL,
            _ => Type::TEXT,
        }
    }
}

/// Says what a text looks like.
fn shape(text: &[u8]) -> u16 {
    let Some(&first) = text.first() else {
        return TEXT;
    };
    let found = match first {
        b't' | b'f' => (text == b"true" || text == b"false").then_some(BOOL),
        b'-' => number(text),
        b'0'..=b'9' => number(text).or_else(|| moment(text)),
        _ => None,
    };
    found.or_else(|| uuid(text).then_some(UUID)).unwrap_or(TEXT)
}

/// Recognises integers, decimals and floats in the notation in which they would be written again.
fn number(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let negative = digits.len() < text.len();
    let whole = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if whole == 0 || (whole > 1 && digits[0] == b'0') {
        return None;
    }
    let rest = &digits[whole..];
    if rest.is_empty() {
        return integer(digits, negative);
    }
    let (fraction, rest) = match rest.strip_prefix(b".") {
        Some(behind) => {
            let count = behind
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if count == 0 {
                return None;
            }
            (count, &behind[count..])
        }
        None => (0, rest),
    };
    let wide = if whole + fraction > FLOAT_DIGITS_MAX {
        WIDE
    } else {
        0
    };
    if rest.is_empty() {
        return Some(DECIMAL | wide);
    }
    exponent(text, rest).then_some(FLOAT | wide)
}

fn integer(digits: &[u8], negative: bool) -> Option<u16> {
    if digits == b"0" {
        return (!negative).then_some(INT);
    }
    let limit: &[u8] = if negative {
        b"9223372036854775808"
    } else {
        b"9223372036854775807"
    };
    let fits = digits.len() < limit.len() || (digits.len() == limit.len() && digits <= limit);
    let wide = if digits.len() >= FLOAT_DIGITS_MAX {
        WIDE
    } else {
        0
    };
    Some(if fits { INT | wide } else { DECIMAL | WIDE })
}

/// Recognises `e5`, `E-05` and the like, where the number is finite and not flushed to zero.
fn exponent(text: &[u8], rest: &[u8]) -> bool {
    let Some(power) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) else {
        return false;
    };
    let power = power
        .strip_prefix(b"+")
        .or_else(|| power.strip_prefix(b"-"))
        .unwrap_or(power);
    if power.is_empty() || !power.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let value = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<f64>().ok());
    let zero = || {
        text.iter()
            .take_while(|&&b| b != b'e' && b != b'E')
            .all(|b| b"-0.".contains(b))
    };
    value.is_some_and(|value| value.is_finite() && (value != 0.0 || zero()))
}

/// Reads two digits.
fn two(text: &[u8], at: usize) -> Option<u32> {
    match text.get(at..at + 2)? {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(u32::from(a - b'0') * 10 + u32::from(b - b'0')),
        _ => None,
    }
}

/// Recognises dates, timestamps and instants in ISO notation.
fn moment(text: &[u8]) -> Option<u16> {
    if text.get(4) != Some(&b'-') || text.get(7) != Some(&b'-') {
        return None;
    }
    let year = two(text, 0)? * 100 + two(text, 2)?;
    let (month, day) = (two(text, 5)?, two(text, 8)?);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if year == 0 || day == 0 || day > days {
        return None;
    }
    let Some(separator) = text.get(10) else {
        return Some(DATE);
    };
    if !matches!(separator, b'T' | b' ')
        || text.get(13) != Some(&b':')
        || text.get(16) != Some(&b':')
    {
        return None;
    }
    if two(text, 11)? > 23 || two(text, 14)? > 59 || two(text, 17)? > 59 {
        return None;
    }
    let mut rest = &text[19..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = fraction
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if count == 0 || count > 6 {
            return None;
        }
        rest = &fraction[count..];
    }
    if rest.is_empty() {
        return Some(TIMESTAMP);
    }
    zone(rest).then_some(INSTANT)
}

/// Recognises `Z`, `+01`, `+0130` and `+01:30`.
fn zone(text: &[u8]) -> bool {
    let Some((sign, rest)) = text.split_first() else {
        return false;
    };
    let hours = two(rest, 0).is_some_and(|hours| hours <= 15);
    let minutes = |at| two(rest, at).is_some_and(|minutes| minutes <= 59);
    match (sign, rest.len()) {
        (b'Z', 0) => true,
        (b'+' | b'-', 2) => hours,
        (b'+' | b'-', 4) => hours && minutes(2),
        (b'+' | b'-', 5) => hours && rest[2] == b':' && minutes(3),
        _ => false,
    }
}

fn uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
