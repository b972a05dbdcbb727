//! Shows where an expression is wrong: line, column, the line itself, and a caret below the place.
//!
//! An expression is configuration, so it may be shown. Columns count characters from 1.

use trueup_core::error::{Error, Passage};

/// The most characters of a line that are shown around the place.
const WIDTH: usize = 100;

/// Makes the error about `text`, which is a `subject`, at byte `at` (the end where it lies behind).
pub(crate) fn wrong(subject: &str, what: &str, text: &str, at: usize) -> Error {
    let (mut line, mut column) = (1, 1);
    for (_, ch) in text.char_indices().take_while(|&(byte, _)| byte < at) {
        if ch == '\n' {
            line += 1;
            column = 1;
        } else {
            column += 1;
        }
    }
    at_line(subject, what, text, line, column)
}

/// Makes the error about `text` at a line and a column, both from 1.
pub(crate) fn at_line(subject: &str, what: &str, text: &str, line: usize, column: usize) -> Error {
    let shown: Vec<char> = text
        .split('\n')
        .nth(line.saturating_sub(1))
        .unwrap_or_default()
        .chars()
        // A tab would move the caret away from its place.
        .map(|ch| if ch.is_control() { ' ' } else { ch })
        .collect();
    let before = column.saturating_sub(1).min(shown.len());
    let start = before.saturating_sub(WIDTH / 2);
    let end = shown.len().min(start + WIDTH);
    let window: String = shown.get(start..end).unwrap_or_default().iter().collect();
    let caret = " ".repeat(before - start);
    Error::config(format!(
        "{subject}: {what}: line={line} column={column}\n  {window}\n  {caret}^"
    ))
    .passage(Passage {
        text: text.to_owned(),
        at: byte(text, line, column),
        what: what.to_owned(),
    })
}

/// Returns the byte of a line and a column, both from 1; the end of the line for a column behind it.
fn byte(text: &str, line: usize, column: usize) -> usize {
    let mut lines = text.split_inclusive('\n');
    let before = lines.by_ref().take(line.saturating_sub(1)).map(str::len);
    let start: usize = before.sum();
    let line = lines.next().unwrap_or_default().trim_end_matches('\n');
    let mut chars = line.char_indices().map(|(byte, _)| byte);
    start + chars.nth(column.saturating_sub(1)).unwrap_or(line.len())
}
