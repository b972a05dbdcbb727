//! The address of files: a path, and options as a query; and the options that every syntax has.
//!
//! Options are percent-decoded after they were taken apart, so a name may hold any character. Unknown options are
//! errors. The path is taken as it stands; one that holds a question mark is recognised when it exists.

use super::error;
use super::pack::{Packing, Unpacking};
use crate::percent::{self, Wrong};
use std::path::{Path, PathBuf};
use trueup_core::types::Type;
use trueup_core::{Error, Result};

/// The names of the options that every syntax has.
pub(crate) const SHARED: [&str; 7] = [
    "key",
    "types",
    "open_end",
    "name",
    "max_bytes",
    "window_log_max",
    "compress",
];

/// The options that every syntax has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Whether the address has options at all.
    pub(crate) any: bool,
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
    /// How the new files of a folder are packed.
    pub(crate) fresh: Packing,
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
            "compress" => self.fresh = packing(value)?,
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

fn packing(value: &str) -> Result<Packing> {
    let mut all = Packing::ALL.into_iter();
    all.find(|packing| {
        *packing != Packing::None && packing.ending().strip_prefix('.') == Some(value)
    })
    .ok_or_else(|| {
        Error::config("option names no packing option=compress")
            .hint("write compress=gz or compress=zst")
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
        let declared = declared(&ty).ok_or_else(|| {
            let known = spellings();
            let near = error::nearest(&ty, &known);
            let near = near.map_or(String::new(), |near| format!("did you mean {near}? "));
            Error::config(format!("unknown type type={ty} column={column}"))
                .hint(format!("{near}the types are: {}", known.join(", ")))
        })?;
        found.push((decode(column)?, declared));
    }
    Ok(found)
}

/// The spellings of types that may be declared.
fn spellings() -> Vec<&'static str> {
    let all = Type::SPELLINGS.into_iter();
    all.filter(|name| declared(name).is_some()).collect()
}

/// Reads a type that may be declared: not `any`, which says nothing. The scale of a decimal may be left out.
fn declared(text: &str) -> Option<Type> {
    let size = text
        .strip_prefix("decimal(")
        .and_then(|rest| rest.strip_suffix(')'));
    let whole = size.filter(|size| !size.contains(','));
    let whole = whole.map(|digits| format!("decimal({digits},0)"));
    let ty = whole.as_deref().unwrap_or(text).parse().ok()?;
    (ty != Type::Any).then_some(ty)
}

/// Undoes percent-encoding. A percent sign that starts no escape is an error, so that nothing is guessed.
pub(crate) fn decode(text: &str) -> Result<String> {
    percent::decode(text).map_err(|wrong| match wrong {
        Wrong::Escape => Error::config("a percent sign in the options starts no escape")
            .hint("write %25 for a percent sign"),
        Wrong::Utf8 => Error::config("an option is not UTF-8 after percent-decoding")
            .hint("write the characters themselves, or percent-encode their UTF-8 bytes"),
    })
}
