//! Writes fields so that the parser reads back the very same: text as text, NULL as NULL.
//!
//! Invariant: `read(write(v)) == v` for every text and for NULL, in any dialect the options allow. No field is
//! altered to keep a spreadsheet from taking it for a formula: fidelity goes first.

use super::config::Options;
use crate::file::format::{FIELD_BYTES_MAX, Spelling};
use trueup_core::text;
use trueup_core::value::Value;

/// A dialect, and room to spell values in.
#[derive(Debug)]
pub(crate) struct Dialect {
    delimiter: u8,
    quote: u8,
    null: String,
    line_end: &'static str,
    special: [bool; 256],
    spelled: String,
}

impl Dialect {
    /// Makes the dialect of `options` with `line_end`.
    pub(super) fn new(options: &Options, line_end: &'static str) -> Self {
        let mut special = [false; 256];
        for byte in [options.delimiter, options.quote, b'\n', b'\r'] {
            special[usize::from(byte)] = true;
        }
        Self {
            delimiter: options.delimiter,
            quote: options.quote,
            null: options.null.clone(),
            line_end,
            special,
            spelled: String::new(),
        }
    }

    /// Appends the line that names the columns.
    pub(super) fn head(&self, names: &[String], out: &mut Vec<u8>) {
        for (index, name) in names.iter().enumerate() {
            if index > 0 {
                self.separate(out);
            }
            self.text(name, out);
        }
        self.end(out);
    }

    /// Appends a text, quoted where it would otherwise be read as something else.
    pub(super) fn text(&self, text: &str, out: &mut Vec<u8>) {
        let plain = !text.is_empty()
            && text != self.null
            && !text.starts_with('\u{feff}')
            && !text.bytes().any(|byte| self.special[usize::from(byte)]);
        if plain {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        out.push(self.quote);
        let mut rest = text.as_bytes();
        while let Some(found) = memchr::memchr(self.quote, rest) {
            out.extend_from_slice(&rest[..=found]);
            out.push(self.quote);
            rest = &rest[found + 1..];
        }
        out.extend_from_slice(rest);
        out.push(self.quote);
    }
}

impl Spelling for Dialect {
    fn label(&self, _name: &str) -> Vec<u8> {
        Vec::new()
    }

    fn begin(&self, _out: &mut Vec<u8>) {}

    fn separate(&self, out: &mut Vec<u8>) {
        out.push(self.delimiter);
    }

    fn null(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.null.as_bytes());
    }

    fn value(
        &mut self,
        _column: usize,
        value: Value<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), &'static str> {
        let before = out.len();
        match value {
            Value::Null | Value::Unchanged => self.null(out),
            Value::Text(text) | Value::Json(text) => self.text(text, out),
            Value::InvalidText(_) => return Err("text is not valid UTF-8"),
            _ => {
                let mut spelled = std::mem::take(&mut self.spelled);
                spelled.clear();
                let has_text = text::write(value, &mut spelled);
                self.text(&spelled, out);
                self.spelled = spelled;
                if !has_text {
                    out.truncate(before);
                    return Err("value has no text");
                }
            }
        }
        if out.len() - before > FIELD_BYTES_MAX {
            out.truncate(before);
            return Err("value is longer than a field may be");
        }
        Ok(())
    }

    fn end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.line_end.as_bytes());
    }
}
