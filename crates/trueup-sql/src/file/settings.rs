//! The address of files: a path, and options as a query; and the options that every syntax has.
//!
//! Options are percent-decoded after they were taken apart, so a name may hold any character. Unknown options are
//! errors. The path is taken as it stands; one that holds a question mark is recognised when it exists.

use super::error;
use super::pack::Unpacking;
use std::path::{Path, PathBuf};
use trueup_core::types::Type;
use trueup_core::{Error, Result};

/// The names of the options that every syntax has.
pub(crate) const SHARED: [&str; 6] = [
    "key",
    "types",
    "open_end",
    "name",
    "max_bytes",
    "window_log_max",
];

/// The options that every syntax has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The key of every collection that has these fields.
    pub(crate) key: Vec<String>,
    /// Declared types by column.
    pub(crate) types: Vec<(String, Type)>,
    /// Whether a last line without a line end counts as complete.
    pub(crate) open_end: bool,
    /// What the collection of a standard stream is called.
    pub(crate) name: Option<String>,
    /// How far packed files are unpacked.
    pub(crate) unpacking: Unpacking,
}

impl Settings {
    /// Takes over an option if it is one of [`SHARED`], and tells whether it is.
    pub(crate) fn take(&mut self, name: &str, value: &str) -> Result<bool> {
        match name {
            "key" => self.key = value.split(',').map(decode).collect::<Result<_>>()?,
            "types" => self.types = types(value)?,
            "open_end" => self.open_end = truth(name, value)?,
            "name" => self.name = Some(collection(decode(value)?)?),
            "max_bytes" => self.unpacking.bytes_max = Some(number(name, value, 0..=u64::MAX)?),
            "window_log_max" => {
                let log = number(name, value, 10..=31)?;
                self.unpacking.window_log_max = u32::try_from(log).unwrap_or(31);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Checks what one option alone cannot say.
    pub(crate) fn check(&self) -> Result<()> {
        if self.key.iter().any(String::is_empty) {
            return Err(Error::config("empty field name option=key").hint("write key=a or key=a,b"));
        }
        Ok(())
    }
}

/// Splits an address, with or without `scheme:`, into its path and its query.
pub(crate) fn split<'a>(address: &'a str, scheme: &str) -> Result<(PathBuf, &'a str)> {
    let rest = address
        .strip_prefix(scheme)
        .and_then(|rest| rest.strip_prefix(':'))
        .unwrap_or(address);
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) if !Path::new(rest).exists() => (path, query),
        _ => (rest, ""),
    };
    if path.is_empty() {
        return Err(Error::config("address names no file or directory").hint(format!(
            "write {scheme}:DIR, {scheme}:FILE.{scheme}, or {scheme}:- for standard input or output"
        )));
    }
    Ok((PathBuf::from(path), query))
}

/// Takes a query apart and passes each option's name and value to `take`, which tells whether there is one of that name
/// among `known`.
pub(crate) fn each(
    query: &str,
    scheme: &str,
    known: &[&str],
    mut take: impl FnMut(&str, &str) -> Result<bool>,
) -> Result<()> {
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or_else(|| {
            Error::config(format!("option has no value option={part}")).hint("write option=value")
        })?;
        if !take(name, value)? {
            let error = Error::config(format!("unknown option for {scheme} option={name}"));
            return Err(error::suggest(error, name, known));
        }
    }
    Ok(())
}

fn collection(name: String) -> Result<String> {
    if name.is_empty() || name.contains(['/', '\0']) {
        return Err(
            Error::config("a collection cannot have this name option=name")
                .hint("write a name without / in it"),
        );
    }
    Ok(name)
}

fn number(name: &str, value: &str, range: std::ops::RangeInclusive<u64>) -> Result<u64> {
    let found = value.parse().ok().filter(|number| range.contains(number));
    found.ok_or_else(|| {
        Error::config(format!("option is no number in its range option={name}")).hint(format!(
            "write a number from {} to {}",
            range.start(),
            range.end()
        ))
    })
}

/// Reads `true` or `false`.
pub(crate) fn truth(name: &str, value: &str) -> Result<bool> {
    match value {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(
            Error::config(format!("option is neither true nor false option={name}"))
                .hint("write true or false"),
        ),
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
pub(crate) fn decode(text: &str) -> Result<String> {
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
