//! Canonical JSON: bytes that are equal exactly when two JSON values are.
//!
//! The form: no white space; members sorted by the bytes of their keys, each with a comma behind it; strings as UTF-8
//! with only `"` and `\` escaped (a lone surrogate as the three bytes UTF-8 would give it, which no valid text
//! holds); a number as its digits without leading or trailing zeros and a power of ten, so that no digit is lost to
//! a double. These bytes are part of the contract of [`encode`](crate::encode).
//!
//! A text without one such value (bad syntax, a key twice in one object, nesting or an exponent beyond the limits)
//! equals only itself. It deliberately builds no tree and does not recurse: memory grows with the text, never
//! with its shape.

use crate::decimal::{self, Parts};
use std::fmt;
use std::io::Write as _;

#[cfg(test)]
pub(crate) mod tests;

/// How deep arrays and objects may nest.
pub const DEPTH_MAX: usize = 512;
/// The largest power of ten a number may have, either way. Far beyond what any engine computes with.
pub const EXPONENT_MAX: i64 = 1_000_000_000_000_000;

/// Stands before a text that has no canonical form; no canonical form starts with it.
const VERBATIM: u8 = 0xff;

/// Why a text has no canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It is not JSON.
    Syntax,
    /// It nests deeper than [`DEPTH_MAX`].
    TooDeep,
    /// An object has one key twice, so that engines disagree about its value.
    DuplicateKey,
    /// A number's exponent is beyond [`EXPONENT_MAX`].
    Exponent,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "not valid JSON",
            Self::TooDeep => "JSON nested too deep",
            Self::DuplicateKey => "JSON object with a key that occurs twice",
            Self::Exponent => "JSON number with an exponent out of range",
        })
    }
}

/// Appends the canonical form of `text`, or the text itself behind a distinguishing byte where there is none.
pub fn canonical(text: &str, out: &mut Vec<u8>) {
    canonical_of(text.as_bytes(), out);
}

/// As [`canonical`], of a text's bytes.
pub fn canonical_of(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    if write(text, out).is_err() {
        out.truncate(start);
        out.push(VERBATIM);
        out.extend_from_slice(text);
    }
}

/// Tells whether `text` has a canonical form.
///
/// # Errors
/// Says why not.
pub fn check(text: &str) -> Result<(), Invalid> {
    check_of(text.as_bytes())
}

/// As [`check`], of a text's bytes.
///
/// # Errors
/// Says why not.
pub fn check_of(text: &[u8]) -> Result<(), Invalid> {
    write(text, &mut Vec::with_capacity(text.len()))
}

fn write(text: &[u8], out: &mut Vec<u8>) -> Result<(), Invalid> {
    Canonical {
        input: text,
        at: 0,
        out,
        open: Vec::new(),
        members: Vec::new(),
        sorted: Vec::new(),
    }
    .run()
}

/// An array or object that has begun and not ended.
#[derive(Clone, Copy)]
enum Open {
    Array,
    /// Its members are those from this index on.
    Object(usize),
}

/// What a complete value is followed by.
enum Next {
    /// Another value.
    Value,
    /// The end of the array or object around it, which is now the complete value.
    Closed,
    /// Nothing.
    End,
}

/// Where a member stands in the output: its key without quotes, and all of it.
#[derive(Clone, Copy)]
struct Member {
    start: usize,
    key_end: usize,
    end: usize,
}

impl Member {
    fn key(self, out: &[u8]) -> &[u8] {
        &out[self.start + 1..self.key_end]
    }
}

/// One pass over a text.
struct Canonical<'a> {
    input: &'a [u8],
    at: usize,
    out: &'a mut Vec<u8>,
    open: Vec<Open>,
    /// Members of all open objects, the innermost last.
    members: Vec<Member>,
    /// Room to sort in.
    sorted: Vec<u8>,
}

impl Canonical<'_> {
    fn run(&mut self) -> Result<(), Invalid> {
        loop {
            if !self.value()? {
                continue;
            }
            // A value is complete. Close everything that ends here, until another value must follow.
            loop {
                match self.next()? {
                    Next::Value => break,
                    Next::Closed => {}
                    Next::End => return Ok(()),
                }
            }
        }
    }

    /// Reads a value; false when it is an array or object of which only the beginning was read.
    fn value(&mut self) -> Result<bool, Invalid> {
        match self.peek() {
            Some(b'"') => self.string()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word(b"true")?,
            Some(b'f') => self.word(b"false")?,
            Some(b'n') => self.word(b"null")?,
            Some(b'[') => return self.begin(Open::Array, b'[', b']'),
            Some(b'{') => {
                let complete = self.begin(Open::Object(self.members.len()), b'{', b'}')?;
                if !complete {
                    self.key()?;
                }
                return Ok(complete);
            }
            _ => return Err(Invalid::Syntax),
        }
        Ok(true)
    }

    /// Reads what stands behind a complete value.
    fn next(&mut self) -> Result<Next, Invalid> {
        let next = self.peek();
        self.at += 1;
        match (self.open.last().copied(), next) {
            (None, None) => Ok(Next::End),
            (Some(Open::Array), Some(b',')) => {
                self.out.push(b',');
                Ok(Next::Value)
            }
            (Some(Open::Object(_)), Some(b',')) => {
                self.end_member();
                self.key()?;
                Ok(Next::Value)
            }
            (Some(Open::Array), Some(b']')) => {
                self.out.push(b']');
                self.open.pop();
                Ok(Next::Closed)
            }
            (Some(Open::Object(first)), Some(b'}')) => {
                self.end_member();
                self.sort(first)?;
                self.members.truncate(first);
                self.out.push(b'}');
                self.open.pop();
                Ok(Next::Closed)
            }
            _ => Err(Invalid::Syntax),
        }
    }

    fn begin(&mut self, open: Open, begin: u8, end: u8) -> Result<bool, Invalid> {
        self.at += 1;
        self.out.push(begin);
        if self.open.len() == DEPTH_MAX {
            return Err(Invalid::TooDeep);
        }
        if self.peek() == Some(end) {
            self.at += 1;
            self.out.push(end);
            return Ok(true);
        }
        self.open.push(open);
        Ok(false)
    }

    fn key(&mut self) -> Result<(), Invalid> {
        if self.peek() != Some(b'"') {
            return Err(Invalid::Syntax);
        }
        let start = self.out.len();
        self.string()?;
        self.members.push(Member {
            start,
            key_end: self.out.len() - 1,
            end: 0,
        });
        if self.peek() != Some(b':') {
            return Err(Invalid::Syntax);
        }
        self.at += 1;
        self.out.push(b':');
        Ok(())
    }

    fn end_member(&mut self) {
        self.out.push(b',');
        let member = self
            .members
            .last_mut()
            .expect("an object's first key was read when it began");
        member.end = self.out.len();
    }

    /// Puts the members from `first` on, which end the output, in order.
    fn sort(&mut self, first: usize) -> Result<(), Invalid> {
        let out = &mut *self.out;
        let members = &mut self.members[first..];
        if members.is_sorted_by(|a, b| a.key(out) < b.key(out)) {
            return Ok(());
        }
        let start = members[0].start;
        members.sort_unstable_by(|a, b| a.key(out).cmp(b.key(out)));
        if !members.is_sorted_by(|a, b| a.key(out) < b.key(out)) {
            return Err(Invalid::DuplicateKey);
        }
        self.sorted.clear();
        for member in members {
            self.sorted
                .extend_from_slice(&out[member.start..member.end]);
        }
        out[start..].copy_from_slice(&self.sorted);
        Ok(())
    }

    fn string(&mut self) -> Result<(), Invalid> {
        self.at += 1;
        self.out.push(b'"');
        loop {
            let rest = &self.input[self.at..];
            let plain = memchr::memchr2(b'"', b'\\', rest).ok_or(Invalid::Syntax)?;
            if rest[..plain].iter().any(|&byte| byte < b' ') {
                return Err(Invalid::Syntax);
            }
            self.out.extend_from_slice(&rest[..plain]);
            self.at += plain + 1;
            if rest[plain] == b'"' {
                self.out.push(b'"');
                return Ok(());
            }
            self.escape()?;
        }
    }

    /// Reads an escape behind its backslash.
    fn escape(&mut self) -> Result<(), Invalid> {
        let letter = *self.input.get(self.at).ok_or(Invalid::Syntax)?;
        self.at += 1;
        let byte = match letter {
            b'"' | b'\\' | b'/' => letter,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(),
            _ => return Err(Invalid::Syntax),
        };
        self.push_char(u32::from(byte));
        Ok(())
    }

    fn unicode(&mut self) -> Result<(), Invalid> {
        let unit = self.hex(self.at).ok_or(Invalid::Syntax)?;
        self.at += 4;
        let mut code = unit;
        if (0xd800..0xdc00).contains(&unit) && self.input[self.at..].starts_with(b"\\u") {
            let low = self.hex(self.at + 2).ok_or(Invalid::Syntax)?;
            if (0xdc00..0xe000).contains(&low) {
                self.at += 6;
                code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            }
        }
        self.push_char(code);
        Ok(())
    }

    /// Reads four hexadecimal digits at `at`.
    fn hex(&self, at: usize) -> Option<u32> {
        let digits = self.input.get(at..at + 4)?;
        digits.iter().try_fold(0, |code, &byte| {
            Some(code << 4 | char::from(byte).to_digit(16)?)
        })
    }

    fn push_char(&mut self, code: u32) {
        match char::from_u32(code) {
            Some(special @ ('"' | '\\')) => self.out.extend([b'\\', special as u8]),
            Some(char) => {
                self.out
                    .extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            }
            // A lone surrogate, in the three bytes that UTF-8 would give it.
            None => self.out.extend([
                0xe0 | (code >> 12) as u8,
                0x80 | (code >> 6 & 0x3f) as u8,
                0x80 | (code & 0x3f) as u8,
            ]),
        }
    }

    fn number(&mut self) -> Result<(), Invalid> {
        let start = self.at;
        self.skip(b'-');
        let leading_zero = self.input.get(self.at) == Some(&b'0');
        let whole = self.digits()?;
        if leading_zero && whole > 1 {
            return Err(Invalid::Syntax);
        }
        if self.skip(b'.') {
            self.digits()?;
        }
        let digits = &self.input[start..self.at];
        let power = self.power()?;
        let Some(Parts::Finite {
            negative,
            exponent,
            whole,
            fraction,
        }) = decimal::parts_of(digits)
        else {
            self.out.push(b'0');
            return Ok(());
        };
        if negative {
            self.out.push(b'-');
        }
        self.out.extend_from_slice(whole);
        self.out.extend_from_slice(fraction);
        let count = (whole.len() + fraction.len()) as i64;
        let power = power + i64::from(exponent) - count;
        if power.abs() > EXPONENT_MAX {
            return Err(Invalid::Exponent);
        }
        if power != 0 {
            write!(self.out, "e{power}").expect("a Vec takes every byte");
        }
        Ok(())
    }

    /// Reads an exponent where there is one. Stops counting far beyond [`EXPONENT_MAX`].
    fn power(&mut self) -> Result<i64, Invalid> {
        if !self.skip(b'e') && !self.skip(b'E') {
            return Ok(0);
        }
        let negative = self.skip(b'-');
        if !negative {
            self.skip(b'+');
        }
        let start = self.at;
        self.digits()?;
        let power = self.input[start..self.at].iter().fold(0, |power, digit| {
            (power * 10 + i64::from(digit - b'0')).min(EXPONENT_MAX * 100)
        });
        Ok(if negative { -power } else { power })
    }

    /// Reads digits, at least one, and counts them.
    fn digits(&mut self) -> Result<usize, Invalid> {
        let count = self.input[self.at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        self.at += count;
        if count == 0 {
            Err(Invalid::Syntax)
        } else {
            Ok(count)
        }
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.input.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Invalid> {
        if !self.input[self.at..].starts_with(word) {
            return Err(Invalid::Syntax);
        }
        self.at += word.len();
        self.out.extend_from_slice(word);
        Ok(())
    }

    /// Skips white space and returns the byte behind it without taking it.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.input[self.at..];
        self.at += rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
            .count();
        self.input.get(self.at).copied()
    }
}
