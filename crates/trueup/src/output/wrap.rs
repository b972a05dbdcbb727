//! Long lines for people, cut between words: a terminal cuts anywhere.
//!
//! Invariant: no word is cut, and a line that fits, or goes to no terminal, stays as it is.

use super::style::width;

/// Breaks `line`, which has no end of line, where `room` columns end; what follows is `indent` columns in.
pub(in crate::output) fn wrap(line: &str, room: Option<usize>, indent: usize) -> String {
    let Some(room) = room.filter(|&room| width(line) > room) else {
        return line.to_owned();
    };
    let text = line.trim_start_matches(' ');
    let begin = &line[..line.len() - text.len()];
    let (mut out, mut used) = (begin.to_owned(), begin.len());
    for (place, word) in text.split(' ').enumerate() {
        let taken = width(word);
        if place > 0 && used + 1 + taken > room {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            used = indent;
        } else if place > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += taken;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_between_words() {
        for (line, room, expected) in [
            ("a note", None, "a note"),
            ("a note", Some(6), "a note"),
            ("a note", Some(5), "a\n    note"),
            ("  one two three", Some(9), "  one two\n    three"),
            ("  one two three", Some(1), "  one\n    two\n    three"),
            ("東京 is far", Some(7), "東京 is\n    far"),
        ] {
            assert_eq!(wrap(line, room, 4), expected, "{line} {room:?}");
        }
    }
}
