//! Texts of every character set, as the server makes Unicode of them.
//!
//! Invariant: a text from the log becomes what a scan delivers. For sets of one byte a character the server is asked once
//! what it takes each byte for; sets of several bytes that are no form of Unicode are refused before anything is told.

use crate::mysql::quote;
use crate::mysql::session::Connection;
use trueup_core::batch::Batch;
use trueup_core::value::Value;
use trueup_core::{Error, Result};

/// How a column's texts are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    /// As they are: UTF-8, or no text at all.
    Utf8,
    /// Two bytes a unit, the high one first or last.
    Utf16 {
        high_first: bool,
    },
    Utf32,
    /// What each byte stands for.
    Bytes(Vec<String>),
}

impl Charset {
    /// Finds out how a set's texts are read.
    ///
    /// # Errors
    /// `Config` when that is not known.
    pub(super) fn of(connection: &Connection, name: &str, field: &str) -> Result<Self> {
        match name {
            "" | "binary" | "utf8mb4" | "utf8mb3" | "utf8" | "ascii" => return Ok(Self::Utf8),
            "ucs2" | "utf16" => return Ok(Self::Utf16 { high_first: true }),
            "utf16le" => return Ok(Self::Utf16 { high_first: false }),
            "utf32" => return Ok(Self::Utf32),
            _ => {}
        }
        let sql = format!(
            "SELECT MAXLEN FROM information_schema.CHARACTER_SETS WHERE CHARACTER_SET_NAME = {}",
            quote::text(name)
        );
        let known = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !known || connection.one(&sql)?.int(0)? != 1 {
            return Err(Error::config(format!(
                "texts of this character set cannot be followed: charset={} field={}",
                name.escape_debug(),
                field.escape_debug()
            ))
            .hint("ALTER TABLE ... CONVERT TO CHARACTER SET utf8mb4, or leave the field out"));
        }
        let asked =
            (0..=u8::MAX).map(|byte| format!("CONVERT(_{name} x'{byte:02x}' USING utf8mb4)"));
        let row = connection.one(&format!("SELECT {}", asked.collect::<Vec<_>>().join(", ")))?;
        let table = (0..=usize::from(u8::MAX)).map(|at| row.text(at));
        table.collect::<Result<Vec<String>>>().map(Self::Bytes)
    }

    /// Appends a text, or a JSON text.
    pub(super) fn push(&self, bytes: &[u8], json: bool, scratch: &mut String, into: &mut Batch) {
        let text = match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok(),
            _ => {
                scratch.clear();
                self.decode(bytes, scratch).then_some(scratch.as_str())
            }
        };
        into.push(match text {
            Some(text) if json => Value::Json(text),
            Some(text) => Value::Text(text),
            None => Value::InvalidText(bytes),
        });
    }

    fn decode(&self, bytes: &[u8], out: &mut String) -> bool {
        match self {
            Self::Utf8 => false,
            Self::Bytes(table) => {
                let texts = bytes
                    .iter()
                    .filter_map(|&byte| table.get(usize::from(byte)));
                texts.for_each(|text| out.push_str(text));
                true
            }
            Self::Utf16 { high_first } => {
                let (pairs, rest) = bytes.as_chunks::<2>();
                let units = pairs.iter().map(|&pair| match high_first {
                    true => u16::from_be_bytes(pair),
                    false => u16::from_le_bytes(pair),
                });
                let whole = char::decode_utf16(units).all(|c| c.map(|c| out.push(c)).is_ok());
                whole && rest.is_empty()
            }
            Self::Utf32 => {
                let (fours, rest) = bytes.as_chunks::<4>();
                let mut chars = fours
                    .iter()
                    .map(|&four| char::from_u32(u32::from_be_bytes(four)));
                let whole = chars.all(|c| c.map(|c| out.push(c)).is_some());
                whole && rest.is_empty()
            }
        }
    }
}
