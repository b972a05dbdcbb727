//! What is said on standard error besides results: progress, notes, details, errors.
//!
//! Everything goes through [`tell`], as a line for people or, with `--log json`, as an object. Names and counts only,
//! never a record's value.

use crate::output;
use crate::terminal;
use crate::world;
use serde::Serialize;
use std::path::Path;

/// How much it matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Somebody must act.
    Error,
    /// Something went wrong and was dealt with, or somebody should look.
    Warn,
    /// What goes on.
    #[default]
    Info,
    /// Only with `--verbose`.
    Debug,
}

/// One thing that is said. What does not apply is left out.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Entry<'a> {
    pub(crate) level: Level,
    pub(crate) event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) side: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) collection: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<&'a str>,
}

/// Says which state file is used.
pub(crate) fn state(path: &Path) {
    let text = format!("state file={}", path.display());
    let entry = Entry {
        event: "state",
        message: Some(&text),
        ..Entry::default()
    };
    tell(&entry, &text);
}

/// An entry with when, and about which link.
#[derive(Debug, Serialize)]
struct Line<'a> {
    ts: String,
    #[serde(flatten)]
    entry: &'a Entry<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
}

/// Says `entry` to programs, or `text` to people, unless nobody wants to know.
pub(crate) fn tell(entry: &Entry<'_>, text: &str) {
    let terminal = terminal::get();
    let wanted = match entry.level {
        Level::Error => true,
        Level::Warn | Level::Info => !terminal.quiet,
        Level::Debug => terminal.verbose,
    };
    if !wanted {
        return;
    }
    if terminal.json {
        output::log(&object(entry));
        return;
    }
    match entry.level {
        Level::Error => output::complaint(text),
        Level::Warn | Level::Info | Level::Debug if terminal.verbose => {
            let ms = (world::now_ms() - terminal.started_ms).max(0);
            output::progress(&format!("[{:>4}.{:03}] {text}", ms / 1000, ms % 1000));
        }
        Level::Warn | Level::Info | Level::Debug => output::progress(text),
    }
}

/// Says something that is only wanted with `--verbose`.
pub(crate) fn detail(entry: Entry<'_>, text: &str) {
    let entry = Entry {
        level: Level::Debug,
        message: Some(text),
        ..entry
    };
    tell(&entry, text);
}

/// Returns `entry` as it stands in the log now.
pub(crate) fn object(entry: &Entry<'_>) -> String {
    json(entry, terminal::get().link().as_deref(), world::now_ms())
}

fn json(entry: &Entry<'_>, link: Option<&str>, now_ms: i64) -> String {
    let line = Line {
        ts: output::moment(now_ms),
        entry,
        link,
    };
    // Texts and numbers: there is nothing in it that JSON does not have.
    serde_json::to_string(&line).unwrap_or_default()
}

#[cfg(test)]
mod tests;
