//! Spells records as compact JSON, each on its line, so that the parser reads back the very same values.
//!
//! Invariant: `read(write(v)) == v` for every value that is not refused, once both are cast to the type of the field. A
//! double is written with a point or an exponent, so that it is not taken for a whole number; what has no class in JSON
//! is written as its text. Members stand in the order of the columns, NULL as `null`.

use super::syntax;
use crate::file::format::{FIELD_BYTES_MAX, Spelling};
use trueup_core::decimal::{self, Parts};
use trueup_core::value::Value;
use trueup_core::{json, text};

/// Room to spell values in.
#[derive(Debug)]
pub(crate) struct Spelled {
    line_end: &'static str,
    text: String,
}

const NOT_FINITE: &str = "JSON has no NaN and no infinity";

impl Spelled {
    /// Starts spelling, for lines that end in `line_end`.
    pub(super) fn new(line_end: &'static str) -> Self {
        Self {
            line_end,
            text: String::new(),
        }
    }

    fn spell(&mut self, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
        self.text.clear();
        match value {
            Value::Null | Value::Unchanged => out.extend_from_slice(b"null"),
            Value::Text(text) => quote(text, out),
            Value::Json(text) => compact(text, out)?,
            Value::Decimal(text) => plain(text, out)?,
            Value::Float(number) => {
                if !number.is_finite() {
                    return Err(NOT_FINITE);
                }
                text::write(value, &mut self.text);
                if !self.text.contains(['.', 'e']) {
                    self.text.push_str(".0");
                }
                out.extend_from_slice(self.text.as_bytes());
            }
            Value::Bool(_) | Value::Int(_) => {
                text::write(value, &mut self.text);
                out.extend_from_slice(self.text.as_bytes());
            }
            Value::InvalidText(_) => return Err("text is not valid UTF-8"),
            _ => {
                if !text::write(value, &mut self.text) {
                    return Err("value has no text");
                }
                quote(&self.text, out);
            }
        }
        Ok(())
    }
}

impl Spelling for Spelled {
    fn label(&self, name: &str) -> Vec<u8> {
        let mut label = Vec::new();
        quote(name, &mut label);
        label.push(b':');
        label
    }

    fn begin(&self, out: &mut Vec<u8>) {
        out.push(b'{');
    }

    fn separate(&self, out: &mut Vec<u8>) {
        out.push(b',');
    }

    fn null(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"null");
    }

    fn value(
        &mut self,
        _column: usize,
        value: Value<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), &'static str> {
        let before = out.len();
        let mut spelled = self.spell(value, out);
        if out.len() - before > FIELD_BYTES_MAX {
            spelled = Err("value is longer than a field may be");
        }
        if spelled.is_err() {
            out.truncate(before);
        }
        spelled
    }

    fn end(&self, out: &mut Vec<u8>) {
        out.push(b'}');
        out.extend_from_slice(self.line_end.as_bytes());
    }
}

/// Appends a string.
pub(crate) fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    let special = |byte: &u8| *byte < b' ' || matches!(byte, b'"' | b'\\');
    while let Some(found) = rest.iter().position(special) {
        out.extend_from_slice(&rest[..found]);
        match rest[found] {
            byte @ (b'"' | b'\\') => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            byte => out.extend(format!("\\u{byte:04x}").bytes()),
        }
        rest = &rest[found + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Appends a decimal; a number of JSON has no zeros before its first digit.
fn plain(text: &str, out: &mut Vec<u8>) -> Result<(), &'static str> {
    match decimal::parts(text) {
        Some(Parts::Finite { .. } | Parts::Zero) => {}
        Some(Parts::NaN | Parts::Infinite(_)) => return Err(NOT_FINITE),
        None => return Err("value is no decimal"),
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    out.extend(sign.bytes());
    out.extend(if whole.is_empty() { "0" } else { whole }.bytes());
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend(fraction.bytes());
    }
    Ok(())
}

/// Appends a JSON text on one line, without white space between its parts.
fn compact(text: &str, out: &mut Vec<u8>) -> Result<(), &'static str> {
    json::check(text).map_err(|invalid| match invalid {
        json::Invalid::Syntax => "text is not JSON",
        json::Invalid::TooDeep => "JSON nests too deep",
        json::Invalid::DuplicateKey => "a JSON object has a key twice",
        json::Invalid::Exponent => "a JSON number has an exponent out of range",
    })?;
    let before = out.len();
    let (bytes, mut at) = (text.as_bytes(), 0);
    while let Some(&byte) = bytes.get(at) {
        let end = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            b'"' => {
                let quoted = syntax::string(bytes, at);
                quoted
                    .map_err(|_| "a JSON string has half a character")?
                    .end
                    + 1
            }
            _ => at + 1,
        };
        out.extend_from_slice(&bytes[at..end]);
        at = end;
    }
    if &out[before..] == b"null" {
        return Err("a null of JSON cannot be told from no value");
    }
    Ok(())
}
