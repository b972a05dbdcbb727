//! What is almost right, in words: a path beside which a file of nearly that name lies, a column of which nearly all
//! values are of one type.
//!
//! Invariant: names, lines and counts only; never a value.

use super::error;
use super::format::Endings;
use super::infer::Odd;
use super::pack::Packing;
use super::settings::Settings;
use crate::percent;
use std::path::Path;
use trueup_core::Error;
use trueup_core::types::Type;

/// How many names a hint lists.
const NAMES_SHOWN_MAX: usize = 10;
/// How many entries of a folder are looked at for such names.
const ENTRIES_MAX: usize = 10_000;
/// What means something in the options of an address, or in an address.
const RESERVED: &str = ",:&%?#=()";
/// How many columns are told of one file.
const COLUMNS_SHOWN_MAX: usize = 10;

/// Says that there is nothing at `path`, and what lies beside it.
pub(super) fn missing(path: &Path, endings: &Endings) -> Error {
    let error = Error::config(format!("no such file or directory path={}", path.display()));
    let (Some(name), names) = (
        path.file_name().and_then(|name| name.to_str()),
        beside(path, endings),
    ) else {
        return error.hint("check the path");
    };
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    if let Some(nearest) = error::nearest(name, &known) {
        let nearest = path.with_file_name(nearest);
        return error.hint(format!("did you mean {}?", nearest.display()));
    }
    if known.is_empty() {
        return error.hint("check the path");
    }
    let shown: Vec<&str> = known.iter().take(NAMES_SHOWN_MAX).copied().collect();
    let more = if known.len() > shown.len() {
        ", ..."
    } else {
        ""
    };
    error.hint(format!(
        "check the path; beside it there are: {}{more}",
        shown.join(", ")
    ))
}

/// The folders beside `path`, and the files there that may be collections.
fn beside(path: &Path, endings: &Endings) -> Vec<String> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    for entry in entries.take(ENTRIES_MAX).flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let (bare, _) = Packing::split(&name);
        let file = endings.folder.iter().any(|ending| bare.ends_with(ending));
        if !name.starts_with('.') && (file || entry.path().is_dir()) {
            names.push(name);
        }
    }
    names.sort_unstable();
    names
}

/// The sign that probably parts the columns of what was read as one, and how an address names it.
pub(super) fn parted(names: &[String]) -> Option<(&'static str, &'static str)> {
    let [only] = names else {
        return None;
    };
    let signs = [
        ('\t', "tabs", "tab"),
        (';', "semicolons", ";"),
        ('|', "bars", "|"),
    ];
    let found = signs.iter().find(|(sign, ..)| only.contains(*sign));
    found.map(|&(_, name, word)| (name, word))
}

/// Says that a column is not of the type that almost all its values have.
pub(super) fn odd(name: &str, ty: Type, odd: Odd, settings: &Settings) -> String {
    let Odd {
        ty: almost,
        count,
        values,
        line,
    } = odd;
    let almost = match almost {
        Type::INT => "int".to_owned(),
        Type::FLOAT => "float".to_owned(),
        other => other.to_string(),
    };
    let are = if count == 1 { "is" } else { "are" };
    let option = format!("{}:{almost}", percent::encode(name, RESERVED));
    let option = match settings {
        Settings { any: false, .. } => format!("?types={option}"),
        Settings { types, .. } if types.is_empty() => {
            format!("types={option} among the address's options")
        }
        Settings { .. } => format!("{option} added to the address's types="),
    };
    format!(
        "column {name} is read as {ty}: {count} of {values} values {are} not {almost}, first at line {line}; \
         {option} takes it as {almost}, and a record whose value is not is parked"
    )
}

/// The first of the notes, and how many there are more.
pub(super) fn few(mut notes: Vec<String>) -> Vec<String> {
    let more = notes.len().saturating_sub(COLUMNS_SHOWN_MAX);
    if more > 0 {
        notes.truncate(COLUMNS_SHOWN_MAX);
        notes.push(format!("{more} more columns are like that"));
    }
    notes
}
