//! Keeps names and messages from writing to somebody's terminal.
//!
//! Control characters, and the marks that turn the direction of text around, are shown as escapes. What is harmless
//! stays as it is, other scripts included.

/// Escapes one line: line breaks too.
pub(super) fn line(text: &str) -> String {
    escape(text, false)
}

/// Escapes several lines: line breaks stay.
pub(super) fn lines(text: &str) -> String {
    escape(text, true)
}

fn escape(text: &str, keep_breaks: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for ch in text.chars() {
        if (ch == '\n' && keep_breaks) || !(ch.is_control() || turns_direction(ch)) {
            out.push(ch);
        } else {
            out.extend(ch.escape_default());
        }
    }
    out
}

/// Marks that make text look like other text than it is, and the line separators that are no control characters.
fn turns_direction(ch: char) -> bool {
    matches!(ch, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
