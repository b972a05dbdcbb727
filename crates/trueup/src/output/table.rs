//! Aligned columns, by the width that is seen: wide characters count twice, colour not at all.
//!
//! A table that is too wide for the terminal becomes a list, a paragraph for each row: cut or broken lines could be
//! misread, a list cannot.

use super::style::{self, HEADING, paint, width};
use crate::terminal;

/// Stands between two columns.
const GAP: &str = "  ";

/// Appends a table whose first row has the headings; the columns of `numbers` are aligned to the right.
pub(in crate::output) fn table(rows: &[Vec<String>], numbers: &[usize], out: &mut String) {
    out.push_str(&lay_out(rows, numbers, terminal::get().width));
}

/// Appends aligned rows that have no headings.
pub(in crate::output) fn rows(rows: &[Vec<String>], out: &mut String) {
    out.push_str(&columns(rows, &[]));
}

fn lay_out(rows: &[Vec<String>], numbers: &[usize], room: Option<usize>) -> String {
    let Some((headings, records)) = rows.split_first() else {
        return String::new();
    };
    let headings: Vec<String> = headings.iter().map(|name| paint(HEADING, name)).collect();
    let mut painted = vec![headings.clone()];
    painted.extend_from_slice(records);
    let table = columns(&painted, numbers);
    let widest = table.lines().map(width).max().unwrap_or_default();
    if room.is_some_and(|room| widest > room) {
        return list(&headings, records);
    }
    table
}

fn columns(rows: &[Vec<String>], numbers: &[usize]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| width(cell)).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, room)) in row.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(room.saturating_sub(width(cell)));
            let gap = if column == 0 { "" } else { GAP };
            let (before, after) = if numbers.contains(&column) {
                (pad.as_str(), "")
            } else {
                ("", pad.as_str())
            };
            line.extend([gap, before, cell, after]);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Each row as a paragraph, a cell a line; what is empty is left out.
fn list(headings: &[String], records: &[Vec<String>]) -> String {
    let widest = headings.iter().map(|name| width(name)).max();
    let widest = widest.unwrap_or_default();
    let mut out = String::new();
    for (index, record) in records.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        for (name, cell) in headings.iter().zip(record) {
            if !style::plain(cell).is_empty() {
                let pad = " ".repeat(widest.saturating_sub(width(name)));
                out.extend([name, pad.as_str(), GAP, cell, "\n"]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::style::{BAD, count, plain};

    fn sample() -> Vec<Vec<String>> {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        vec![
            row(["collection", "deleted", ""]),
            row(["Büros", &count(BAD, "", 12), "*"]),
            row(["東京", "0", ""]),
        ]
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let seen = lay_out(&sample(), &[1], None);
        let expected = "collection  deleted\nBüros            12  *\n東京              0\n";
        assert_eq!(plain(&seen), expected);
        assert_ne!(seen, expected, "there is colour");
        assert_eq!(lay_out(&sample(), &[1], Some(22)), seen);
    }

    #[test]
    fn what_is_too_wide_becomes_a_list() {
        let seen = lay_out(&sample(), &[1], Some(21));
        assert_eq!(
            plain(&seen),
            "collection  Büros\ndeleted     12\n            *\n\ncollection  東京\ndeleted     0\n"
        );
    }

    #[test]
    fn nothing_at_all_is_no_table() {
        assert_eq!(lay_out(&[], &[], Some(1)), "");
    }
}
