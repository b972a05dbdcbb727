//! Colour, sparing: it repeats what the words say and never says it alone.
//!
//! Texts are composed with it whatever the terminal is; the one place that writes takes it out again where it is not
//! wanted. That is safe because every name was escaped before: what is left to take out is ours.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

/// A heading.
pub(in crate::output) const HEADING: Style = Style::new().bold();
/// What is well: equal, inserted.
pub(in crate::output) const GOOD: Style = AnsiColor::Green.on_default();
/// What is lost or stands against something: deleted, conflicts, errors.
pub(in crate::output) const BAD: Style = AnsiColor::Red.on_default();
/// What waits for somebody: parked, differences, notes.
pub(in crate::output) const WAITS: Style = AnsiColor::Yellow.on_default();
/// What to do.
pub(in crate::output) const ADVICE: Style = AnsiColor::Cyan.on_default();

/// The styles of help and of complaints about arguments.
pub(crate) const HELP: clap::builder::Styles = clap::builder::Styles::styled()
    .header(HEADING)
    .usage(HEADING)
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Green.on_default())
    .error(BAD.bold())
    .valid(AnsiColor::Green.on_default())
    .invalid(AnsiColor::Yellow.on_default());

/// Puts `text` into a style.
pub(in crate::output) fn paint(style: Style, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("{style}{text}{style:#}")
}

/// A count, in a style unless it is nothing.
pub(in crate::output) fn count(style: Style, sign: &str, count: u64) -> String {
    let text = format!("{sign}{count}");
    if count == 0 {
        text
    } else {
        paint(style, &text)
    }
}

/// Takes the colour out.
pub(in crate::output) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Returns how many columns `text` takes on a terminal.
pub(in crate::output) fn width(text: &str) -> usize {
    plain(text).width()
}

/// Paints each line of a plan by what it does. The lines are escaped.
pub(in crate::output) fn plan(lines: &str) -> String {
    let mut out = String::with_capacity(lines.len());
    for line in lines.split_inclusive('\n') {
        let (body, end) = match line.strip_suffix('\n') {
            Some(body) => (body, "\n"),
            None => (line, ""),
        };
        let style = match body.split_whitespace().next() {
            Some("insert") if body.starts_with("  ") => Some(GOOD),
            Some("delete") if body.starts_with("  ") => Some(BAD),
            Some(_) if !body.starts_with(' ') => Some(HEADING),
            Some(_) | None => None,
        };
        out.push_str(&style.map_or_else(|| body.to_owned(), |style| paint(style, body)));
        out.push_str(end);
    }
    out
}
