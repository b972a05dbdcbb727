//! The address: a path, and options as a query.
//!
//! `csv:DIR-or-FILE?key=a,b&null=NA&delimiter=;&quote='&header=false&types=col:decimal,col2:text&open_end=true`.
//! Options are percent-decoded after they were taken apart, so a name may hold any character. Unknown options are
//! errors. The path is taken as it stands; one that holds a question mark is recognised when it exists.

use super::error;
use std::path::{Path, PathBuf};
use trueup_core::types::Type;
use trueup_core::{Error, Result};

/// How a file is to be read and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// The key of every collection that has these fields.
    pub(super) key: Vec<String>,
    /// An unquoted field equal to this is NULL.
    pub(super) null: String,
    /// Between fields.
    pub(super) delimiter: u8,
    /// Around fields.
    pub(super) quote: u8,
    /// Whether the first line names the columns.
    pub(super) header: bool,
    /// Declared types by column.
    pub(super) types: Vec<(String, Type)>,
    /// Whether a last line without a line end counts as complete.
    pub(super) open_end: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            key: Vec::new(),
            null: String::new(),
            delimiter: b',',
            quote: b'"',
            header: true,
            types: Vec::new(),
            open_end: false,
        }
    }
}

const KNOWN: [&str; 7] = [
    "key",
    "null",
    "delimiter",
    "quote",
    "header",
    "types",
    "open_end",
];

/// Takes an address apart, with or without `csv:`.
pub(super) fn parse(address: &str) -> Result<(PathBuf, Options)> {
    let rest = address.strip_prefix("csv:").unwrap_or(address);
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) if !Path::new(rest).exists() => (path, query),
        _ => (rest, ""),
    };
    if path.is_empty() {
        return Err(Error::config("address names no file or directory")
            .hint("write csv:DIR or csv:FILE.csv"));
    }
    Ok((PathBuf::from(path), options(query)?))
}

fn options(query: &str) -> Result<Options> {
    let mut options = Options::default();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or_else(|| {
            Error::config(format!("option has no value option={part}")).hint("write option=value")
        })?;
        match name {
            "key" => options.key = value.split(',').map(decode).collect::<Result<_>>()?,
            "null" => options.null = decode(value)?,
            "delimiter" => options.delimiter = byte(name, &decode(value)?)?,
            "quote" => options.quote = byte(name, &decode(value)?)?,
            "header" => options.header = truth(name, value)?,
            "open_end" => options.open_end = truth(name, value)?,
            "types" => options.types = types(value)?,
            _ => {
                let error = Error::config(format!("unknown option for csv option={name}"));
                return Err(error::suggest(error, name, &KNOWN));
            }
        }
    }
    check(options)
}

fn check(options: Options) -> Result<Options> {
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
    if options.key.iter().any(String::is_empty) {
        return Err(Error::config("empty field name option=key").hint("write key=a or key=a,b"));
    }
    Ok(options)
}

fn truth(name: &str, value: &str) -> Result<bool> {
    match value {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(
            Error::config(format!("option is neither true nor false option={name}"))
                .hint("write true or false"),
        ),
    }
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

/// Reads `col:type,col:type`; a comma within parentheses belongs to the type.
fn types(value: &str) -> Result<Vec<(String, Type)>> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let parts = value.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    for part in parts {
        let (column, ty) = part.rsplit_once(':').ok_or_else(|| {
            Error::config(format!("declared type names no type part={part}"))
                .hint("write types=column:decimal,other:text")
        })?;
        let ty = decode(ty)?;
        let declared = parse_type(&ty).ok_or_else(|| {
            let error = Error::config(format!("unknown type type={ty} column={column}"));
            error::suggest(error, &ty, &NAMES)
        })?;
        found.push((decode(column)?, declared));
    }
    Ok(found)
}

const NAMES: [&str; 13] = [
    "bool",
    "int",
    "uint64",
    "float",
    "decimal",
    "text",
    "bytes",
    "date",
    "time",
    "timestamp",
    "instant",
    "uuid",
    "json",
];

/// Reads a type as [`Type`] displays it, and the plain names for the widest ones.
fn parse_type(text: &str) -> Option<Type> {
    let (name, sizes) = match text.split_once('(') {
        Some((name, rest)) => (name, Some(rest.strip_suffix(')')?)),
        None => (text, None),
    };
    let int = |bits, signed| Some(Type::Int { bits, signed });
    let plain = match name {
        "bool" => Some(Type::Bool),
        "int" | "int64" => int(64, true),
        "int8" => int(8, true),
        "int16" => int(16, true),
        "int24" => int(24, true),
        "int32" => int(32, true),
        "uint8" => int(8, false),
        "uint16" => int(16, false),
        "uint24" => int(24, false),
        "uint32" => int(32, false),
        "uint64" => int(64, false),
        "float" | "float64" => Some(Type::FLOAT),
        "float32" => Some(Type::Float { bits: 32 }),
        "decimal" => Some(Type::DECIMAL),
        "text" => Some(Type::TEXT),
        "bytes" => Some(Type::BYTES),
        "date" => Some(Type::Date),
        "time" => Some(Type::Time),
        "timestamp" => Some(Type::Timestamp),
        "instant" => Some(Type::Instant),
        "uuid" => Some(Type::Uuid),
        "json" => Some(Type::Json),
        _ => None,
    };
    match (plain?, sizes) {
        (plain, None) => Some(plain),
        (Type::Decimal { .. }, Some(sizes)) => {
            let (digits, scale) = sizes.split_once(',').unwrap_or((sizes, "0"));
            let size = (digits.trim().parse().ok()?, scale.trim().parse().ok()?);
            Some(Type::Decimal { size: Some(size) })
        }
        (Type::Text { .. }, Some(n)) => Some(Type::Text {
            chars_max: Some(n.trim().parse().ok()?),
        }),
        (Type::Bytes { .. }, Some(n)) => Some(Type::Bytes {
            bytes_max: Some(n.trim().parse().ok()?),
        }),
        _ => None,
    }
}

/// Undoes percent-encoding. A percent sign that starts no escape is an error, so that nothing is guessed.
fn decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let escaped = digit()
            .zip(digit())
            .and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(escaped.ok_or_else(|| {
            Error::config("a percent sign in the options starts no escape")
                .hint("write %25 for a percent sign")
        })?);
    }
    String::from_utf8(bytes).map_err(|_| {
        Error::config("an option is not UTF-8 after percent-decoding")
            .hint("write the characters themselves, or percent-encode their UTF-8 bytes")
    })
}
