//! Takes one line apart: an object, its members, and what each value is.
//!
//! Invariant: a line is JSON from its first byte to its last, by RFC 8259 and not by what some reader lets pass, or it
//! is refused with the place. Memory grows with the line, never with its shape.

use super::number::{self, Number};
use super::syntax::{Bad, bad, nested, string, unescape};
use std::borrow::Cow;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text,
    /// An array or an object.
    Nested,
}

/// Where a value stands: from, until.
pub(super) type Span = (u32, u32);

/// One value of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) kind: Kind,
    /// The value as it stands in the line.
    pub(super) raw: Span,
    /// What it says: in the scratch text where `rewritten`, else in the line.
    pub(super) content: Span,
    pub(super) rewritten: bool,
}

const OBJECT: &str = "each line is one object: {\"name\": value, ...}";
const MEMBER: &str = "members are \"name\": value, with a comma between two of them";
const VALUE: &str = "a value is a string, a number, true, false, null, an array or an object";
const NOT_FINITE: &str = "JSON has no NaN and no infinity; write null, or a text";

/// Offsets within a line fit 32 bits: it is at most `RECORD_BYTES_MAX` long.
fn span(start: usize, end: usize) -> Span {
    (start as u32, end as u32)
}

/// Takes `line` apart and passes each member, with the place of its name, to `member`.
pub(super) fn object(
    line: &str,
    scratch: &mut String,
    mut member: impl FnMut(&str, usize, Cell) -> Result<(), Bad>,
) -> Result<(), Bad> {
    let mut parser = Parser {
        line,
        at: 0,
        scratch,
    };
    match parser.peek() {
        Some(b'{') => parser.at += 1,
        None => return Err(bad(0, "blank line", "remove it: each line is one object")),
        Some(_) => return Err(bad(parser.at, "line is not an object", OBJECT)),
    }
    if parser.peek() == Some(b'}') {
        parser.at += 1;
        return parser.end();
    }
    loop {
        let at = parser.at;
        let name = parser.name()?;
        let cell = parser.value()?;
        member(&name, at, cell)?;
        match parser.peek() {
            Some(b',') => parser.at += 1,
            Some(b'}') => {
                parser.at += 1;
                return parser.end();
            }
            _ => {
                return Err(bad(
                    parser.at,
                    "neither comma nor end of the object",
                    MEMBER,
                ));
            }
        }
        parser.peek();
    }
}

struct Parser<'a, 's> {
    line: &'a str,
    at: usize,
    scratch: &'s mut String,
}

impl<'a> Parser<'a, '_> {
    fn name(&mut self) -> Result<Cow<'a, str>, Bad> {
        if self.peek() != Some(b'"') {
            return Err(bad(self.at, "no member name", MEMBER));
        }
        let quoted = string(self.line.as_bytes(), self.at)?;
        let content = self.line.get(quoted.start..quoted.end).unwrap_or_default();
        self.at = quoted.end + 1;
        if self.peek() != Some(b':') {
            return Err(bad(self.at, "no colon behind a member name", MEMBER));
        }
        self.at += 1;
        if !quoted.escaped {
            return Ok(Cow::Borrowed(content));
        }
        let mut name = String::with_capacity(content.len());
        unescape(content, &mut name);
        Ok(Cow::Owned(name))
    }

    fn value(&mut self) -> Result<Cell, Bad> {
        let first = self.peek();
        let at = self.at;
        let text = self.line.as_bytes();
        let word = |word: &str| text[at..].starts_with(word.as_bytes());
        let plain = |kind, end: usize| Cell {
            kind,
            raw: span(at, end),
            content: span(at, end),
            rewritten: false,
        };
        let cell = match first {
            Some(b'"') => {
                let quoted = string(text, at)?;
                let mut cell = plain(Kind::Text, quoted.end + 1);
                cell.content = span(quoted.start, quoted.end);
                if quoted.escaped {
                    let content = &self.line[quoted.start..quoted.end];
                    cell.content = self.rewrite(|out| unescape(content, out)).1;
                    cell.rewritten = true;
                }
                cell
            }
            Some(b'-' | b'0'..=b'9') => {
                let Some(end) = number::end(text, at) else {
                    return Err(bad(at, "not a number", VALUE));
                };
                let digits = &self.line[at..end];
                let (number, content) = self.rewrite(|out| number::read(digits, out));
                let mut cell = plain(Kind::Number(number), end);
                if number == Number::WrittenOut {
                    cell.content = content;
                    cell.rewritten = true;
                }
                cell
            }
            Some(b't') if word("true") => plain(Kind::Bool(true), at + 4),
            Some(b'f') if word("false") => plain(Kind::Bool(false), at + 5),
            Some(b'n') if word("null") => plain(Kind::Null, at + 4),
            Some(b'[' | b'{') => plain(Kind::Nested, nested(self.line, at)?),
            Some(b'N' | b'I') => return Err(bad(at, "not a value of JSON", NOT_FINITE)),
            _ => return Err(bad(at, "not a value of JSON", VALUE)),
        };
        self.at = cell.raw.1 as usize;
        Ok(cell)
    }

    /// Appends to the scratch text and says where.
    fn rewrite<T>(&mut self, write: impl FnOnce(&mut String) -> T) -> (T, Span) {
        let start = self.scratch.len();
        let told = write(self.scratch);
        (told, span(start, self.scratch.len()))
    }

    /// Insists that nothing follows.
    fn end(mut self) -> Result<(), Bad> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(bad(
                self.at,
                "text behind the object",
                "one object on each line",
            )),
        }
    }

    /// Skips white space and returns the byte behind it without taking it.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.line.as_bytes().get(self.at..).unwrap_or_default();
        let white = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.at += rest.iter().take_while(white).count();
        self.line.as_bytes().get(self.at).copied()
    }
}
