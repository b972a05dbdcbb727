//! The address: a path, and options as a query.
//!
//! `csv:DIR-or-FILE?key=a,b&null=NA&delimiter=;&quote='&header=false&types=col:decimal,col2:text&open_end=true`, and the
//! other options that every syntax has.

use crate::file::settings::{self, SHARED, Settings, decode, truth};
use std::path::PathBuf;
use trueup_core::{Error, Result};

/// How a file is to be read and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// What every syntax has.
    pub(super) settings: Settings,
    /// An unquoted field equal to this is NULL.
    pub(super) null: String,
    /// Between fields.
    pub(super) delimiter: u8,
    /// Around fields.
    pub(super) quote: u8,
    /// Whether the first line names the columns.
    pub(super) header: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            null: String::new(),
            delimiter: b',',
            quote: b'"',
            header: true,
        }
    }
}

const OWN: [&str; 4] = ["null", "delimiter", "quote", "header"];

/// Takes an address apart, with or without `csv:`.
pub(super) fn parse(address: &str) -> Result<(PathBuf, Options)> {
    let (path, query) = settings::split(address, "csv")?;
    let mut options = Options::default();
    options.settings.any = !query.is_empty();
    let known = [OWN.as_slice(), &SHARED].concat();
    settings::each(query, "csv", &known, |name, value| {
        match name {
            "null" => options.null = decode(value)?,
            "delimiter" => options.delimiter = byte(name, &decode(value)?)?,
            "quote" => options.quote = byte(name, &decode(value)?)?,
            "header" => options.header = truth(name, value)?,
            _ => return options.settings.take(name, value),
        }
        Ok(true)
    })?;
    Ok((path, check(options)?))
}

fn check(options: Options) -> Result<Options> {
    options.settings.check()?;
    if options.delimiter == options.quote {
        return Err(Error::config("delimiter and quote are the same character")
            .hint("give each a character of its own: delimiter=C, quote=C"));
    }
    let special = |byte: u8| {
        byte == options.delimiter || byte == options.quote || byte == b'\n' || byte == b'\r'
    };
    if options.null.bytes().any(special) {
        return Err(Error::config(
            "the null marker holds the delimiter, the quote or a line end option=null",
        )
        .hint("choose a marker without them, for example null=NA"));
    }
    Ok(options)
}

/// Reads a delimiter or quote: one ASCII character that is neither a line end nor alphanumeric.
fn byte(name: &str, value: &str) -> Result<u8> {
    match (value, value.as_bytes()) {
        ("tab" | "\\t", _) => Ok(b'\t'),
        (_, &[byte])
            if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\r\n\0".contains(&byte) =>
        {
            Ok(byte)
        }
        _ => Err(Error::config(format!(
            "option must be one character of ASCII, or tab option={name}"
        ))
        .hint("percent-encode characters that mean something in an address: %26 for &, %23 for #")),
    }
}
