//! Civil dates and times, without a time zone database and without a dependency.
//!
//! Why our own: the range. PostgreSQL's dates reach from 4713 BC to the year 5874897, and both infinities are values.
//! Invariant: whatever a `format` function writes, the `parse` function of the same name reads back as the same
//! value, for every value of the type; no function panics. The calendar is the proleptic Gregorian one, as in SQL.
//!
//! It deliberately knows no zone but fixed offsets, no leap seconds, no locale, and guesses nothing: a year has at
//! least four digits, a month and a day have two, and the year 0 does not exist (it is `0001 BC`).

use std::fmt::Write as _;

#[cfg(test)]
mod tests;

/// Microseconds in a day.
pub const DAY_US: i64 = 86_400_000_000;

const SECOND_US: i64 = 1_000_000;
/// The most digits a year is read with; days that fit 32 bits need no more.
const YEAR_DIGITS_MAX: usize = 7;
/// Digits of a fraction of a second that count: microseconds.
const FRACTION_DIGITS: usize = 6;

/// Returns the days from 1970-01-01 to a civil date; the year 0 is 1 BC. `None` when there is no such day, or when
/// it is out of range.
pub fn days(year: i32, month: u8, day: u8) -> Option<i32> {
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    // Years start in March, so that the leap day comes last; eras are 400 years (Hinnant, "chrono-compatible
    // low-level date algorithms").
    let shifted = i64::from(year) - i64::from(month <= 2);
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    i32::try_from(days)
        .ok()
        .filter(|&days| days != i32::MIN && days != i32::MAX)
}

/// Returns the civil date of a day as year, month, day; the year 0 is 1 BC.
pub fn civil(days: i32) -> (i32, u8, u8) {
    civil_of(i64::from(days))
}

/// The days of every time that 64 bits of microseconds hold fit 32 bits, and so does every year below.
fn civil_of(days: i64) -> (i32, u8, u8) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year as i32, month as u8, day as u8)
}

fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Reads `2013-01-31`, `0044-03-15 BC`, `infinity` or `-infinity` as days since 1970-01-01.
pub fn parse_date(text: &str) -> Option<i32> {
    match text {
        "infinity" => return Some(i32::MAX),
        "-infinity" => return Some(i32::MIN),
        _ => {}
    }
    let mut reader = Reader::new(text);
    let date = reader.date()?;
    reader.days(date)
}

/// Appends days since 1970-01-01 as [`parse_date`] reads them.
pub fn format_date(days: i32, out: &mut String) {
    match days {
        i32::MAX => out.push_str("infinity"),
        i32::MIN => out.push_str("-infinity"),
        _ => {
            let year = push_date(i64::from(days), out);
            push_era(year, out);
        }
    }
}

/// Reads `05:00`, `05:00:00` or `05:00:00.123456` as microseconds since midnight; `24:00:00` is the latest.
pub fn parse_time(text: &str) -> Option<i64> {
    let mut reader = Reader::new(text);
    let time = reader.time()?;
    reader.rest.is_empty().then_some(time)
}

/// Appends microseconds since midnight as [`parse_time`] reads them. What is no time of day is written in the same
/// notation, with a sign or with more hours, and is not read back.
pub fn format_time(time: i64, out: &mut String) {
    if time < 0 {
        out.push('-');
    }
    push_time(time.unsigned_abs(), out);
}

/// Reads `2013-01-01 05:00:00.25` or `2013-01-01T05:00:00`, with ` BC` behind it or not, or an infinity, as
/// microseconds since 1970-01-01 00:00:00. A text with a zone is refused.
pub fn parse_timestamp(text: &str) -> Option<i64> {
    if let Some(infinity) = parse_infinity(text) {
        return Some(infinity);
    }
    let mut reader = Reader::new(text);
    let (date, time) = reader.date_and_time()?;
    let days = reader.days(date)?;
    finite(i128::from(days) * i128::from(DAY_US) + i128::from(time))
}

/// Appends microseconds since 1970-01-01 00:00:00 as [`parse_timestamp`] reads them.
pub fn format_timestamp(timestamp: i64, out: &mut String) {
    if !push_infinity(timestamp, out) {
        let year = push_date_and_time(timestamp, out);
        push_era(year, out);
    }
}

/// Reads a date, a time and an offset (`Z`, `+00`, `+02:30`, `-0330`, `+00:53:28`), with ` BC` behind them or not, or
/// an infinity, as microseconds since 1970-01-01 00:00:00 UTC. A text without a zone is refused.
pub fn parse_instant(text: &str) -> Option<i64> {
    if let Some(infinity) = parse_infinity(text) {
        return Some(infinity);
    }
    let mut reader = Reader::new(text);
    let (date, time) = reader.date_and_time()?;
    let offset = reader.offset()?;
    let days = reader.days(date)?;
    finite(i128::from(days) * i128::from(DAY_US) + i128::from(time - offset))
}

/// Appends microseconds since 1970-01-01 00:00:00 UTC as [`parse_instant`] reads them, always in UTC (`+00:00`).
pub fn format_instant(instant: i64, out: &mut String) {
    if !push_infinity(instant, out) {
        let year = push_date_and_time(instant, out);
        out.push_str("+00:00");
        push_era(year, out);
    }
}

fn parse_infinity(text: &str) -> Option<i64> {
    match text {
        "infinity" => Some(i64::MAX),
        "-infinity" => Some(i64::MIN),
        _ => None,
    }
}

fn push_infinity(time: i64, out: &mut String) -> bool {
    match time {
        i64::MAX => out.push_str("infinity"),
        i64::MIN => out.push_str("-infinity"),
        _ => return false,
    }
    true
}

/// The ends of the range are the infinities, so no finite time may be one of them.
fn finite(time: i128) -> Option<i64> {
    i64::try_from(time)
        .ok()
        .filter(|&time| time != i64::MIN && time != i64::MAX)
}

fn push_date_and_time(time: i64, out: &mut String) -> i32 {
    let year = push_date(time.div_euclid(DAY_US), out);
    out.push(' ');
    push_time(time.rem_euclid(DAY_US).unsigned_abs(), out);
    year
}

/// Appends the date without its era, and returns the year that decides it.
fn push_date(days: i64, out: &mut String) -> i32 {
    let (year, month, day) = civil_of(days);
    let shown = if year > 0 { year } else { 1 - year };
    if shown < 10_000 {
        push_two((shown / 100) as u64, out);
        push_two((shown % 100) as u64, out);
    } else {
        write!(out, "{shown}").expect("a String takes every character");
    }
    out.push('-');
    push_two(u64::from(month), out);
    out.push('-');
    push_two(u64::from(day), out);
    year
}

fn push_era(year: i32, out: &mut String) {
    if year <= 0 {
        out.push_str(" BC");
    }
}

fn push_time(time: u64, out: &mut String) {
    let (seconds, fraction) = (time / SECOND_US as u64, time % SECOND_US as u64);
    let hours = seconds / 3_600;
    if hours < 100 {
        push_two(hours, out);
    } else {
        write!(out, "{hours}").expect("a String takes every character");
    }
    out.push(':');
    push_two(seconds / 60 % 60, out);
    out.push(':');
    push_two(seconds % 60, out);
    if fraction != 0 {
        write!(out, ".{fraction:06}").expect("a String takes every character");
        let shown = out.trim_end_matches('0').len();
        out.truncate(shown);
    }
}

/// Appends a number below 100 with two digits; a quarter of the cost of `write!`.
fn push_two(number: u64, out: &mut String) {
    out.push(char::from(b'0' + (number / 10 % 10) as u8));
    out.push(char::from(b'0' + (number % 10) as u8));
}

/// What is left of a text. Every method takes from the front what it names, or returns `None`.
struct Reader<'a> {
    rest: &'a [u8],
}

/// A year as written, a month, a day: not yet known to exist.
type Written = (i32, u8, u8);

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.as_bytes(),
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    fn digits(&mut self, at_least: usize, at_most: usize) -> Option<&'a [u8]> {
        let count = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if count < at_least || count > at_most {
            return None;
        }
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        Some(digits)
    }

    /// Two digits, whatever follows them.
    fn two(&mut self) -> Option<u8> {
        let (&[tens, ones], rest) = self.rest.split_first_chunk()?;
        if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
            return None;
        }
        self.rest = rest;
        Some((tens - b'0') * 10 + (ones - b'0'))
    }

    fn date(&mut self) -> Option<Written> {
        let year = number(self.digits(4, YEAR_DIGITS_MAX)?);
        self.eat(b'-')?;
        let month = self.two()?;
        self.eat(b'-')?;
        let day = self.two()?;
        Some((i32::try_from(year).ok()?, month, day))
    }

    fn date_and_time(&mut self) -> Option<(Written, i64)> {
        let date = self.date()?;
        self.eat(b' ').or_else(|| self.eat(b'T'))?;
        Some((date, self.time()?))
    }

    fn time(&mut self) -> Option<i64> {
        let hours = self.two()?;
        self.eat(b':')?;
        let minutes = self.two()?;
        let (mut seconds, mut fraction) = (0, 0);
        if self.eat(b':').is_some() {
            seconds = self.two()?;
            if self.eat(b'.').is_some() {
                fraction = self.fraction()?;
            }
        }
        if minutes > 59 || seconds > 59 {
            return None;
        }
        let time = sexagesimal(hours, minutes, seconds) * SECOND_US + fraction;
        (time <= DAY_US).then_some(time)
    }

    fn fraction(&mut self) -> Option<i64> {
        let digits = self.digits(1, usize::MAX)?;
        let (counted, excess) = digits.split_at(digits.len().min(FRACTION_DIGITS));
        if excess.iter().any(|&digit| digit != b'0') {
            return None;
        }
        let missing = (FRACTION_DIGITS - counted.len()) as u32;
        Some(number(counted) * 10_i64.pow(missing))
    }

    fn offset(&mut self) -> Option<i64> {
        if self.eat(b'Z').is_some() {
            return Some(0);
        }
        let sign = match self.eat(b'+') {
            Some(()) => 1,
            None => self.eat(b'-').map(|()| -1)?,
        };
        let hours = self.two()?;
        let (mut minutes, mut seconds) = (0, 0);
        if self.eat(b':').is_some() {
            minutes = self.two()?;
            if self.eat(b':').is_some() {
                seconds = self.two()?;
            }
        } else if self.rest.first().is_some_and(u8::is_ascii_digit) {
            minutes = self.two()?;
        }
        if hours > 23 || minutes > 59 || seconds > 59 {
            return None;
        }
        Some(sign * sexagesimal(hours, minutes, seconds) * SECOND_US)
    }

    /// Takes the era, which must end the text, and counts the days.
    fn days(&mut self, (year, month, day): Written) -> Option<i32> {
        let before_christ = match self.rest {
            b"" => false,
            b" BC" => true,
            _ => return None,
        };
        if year == 0 {
            return None;
        }
        days(if before_christ { 1 - year } else { year }, month, day)
    }
}

/// The number that at most [`YEAR_DIGITS_MAX`] digits spell.
fn number(digits: &[u8]) -> i64 {
    digits
        .iter()
        .fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
}

fn sexagesimal(hours: u8, minutes: u8, seconds: u8) -> i64 {
    (i64::from(hours) * 60 + i64::from(minutes)) * 60 + i64::from(seconds)
}
