//! Parked records for people: which they are, by their keys and places, and what to do about them. No other value of
//! theirs is shown, because no other is kept.

use super::{dash, escape, moment, row, say, table};
use crate::args::quoted;
use trueup_core::park::{Parked, Place};
use trueup_engine::state::ParkedRecord;

/// All of them, one a line.
pub(in crate::output) fn list(records: &[ParkedRecord]) -> String {
    if records.is_empty() {
        return "nothing is parked\n".to_owned();
    }
    let placed = records.iter().any(|one| one.parked.place.is_some());
    let mut head = row(&["id", "since", "collection", "key"]);
    head.extend(placed.then(|| "place".to_owned()));
    head.extend(row(&["field", "reason", "link"]));
    let mut rows = vec![head];
    for one in records {
        let field = one.parked.field.as_deref();
        let mut cells = vec![
            one.id.to_string(),
            one.first_ms.map_or_else(dash, moment),
            escape::line(&one.collection),
            key(&one.parked),
        ];
        cells.extend(placed.then(|| place(one.parked.place.as_ref())));
        cells.extend([
            field.map_or_else(dash, escape::line),
            escape::line(&one.parked.reason),
            escape::line(&one.link_name),
        ]);
        rows.push(cells);
    }
    let mut out = String::new();
    table(&rows, &[0], &mut out);
    say(
        &mut out,
        format_args!("\ntrueup parked retry SOURCE TARGET tries them again, and nothing else"),
    );
    out
}

/// Each in full.
pub(in crate::output) fn show(records: &[ParkedRecord]) -> String {
    let mut out = String::new();
    for (index, one) in records.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let field = one.parked.field.as_deref();
        let first = one.first_run.map_or_else(dash, |run| run.0.to_string());
        for (label, text) in [
            ("id", one.id.to_string()),
            ("link", escape::line(&one.link_name)),
            ("collection", escape::line(&one.collection)),
            (
                "key",
                one.parked
                    .key_text
                    .as_deref()
                    .map_or_else(dash, escape::line),
            ),
            ("digest", one.parked.key.to_string()),
            ("place", place(one.parked.place.as_ref())),
            ("field", field.map_or_else(dash, escape::line)),
            ("reason", escape::line(&one.parked.reason)),
            ("since", one.first_ms.map_or_else(dash, moment)),
            ("first run", first),
            ("last run", one.run.0.to_string()),
        ] {
            say(&mut out, format_args!("{label:<12}{text}"));
        }
        out.push('\n');
        advice(one, &mut out);
    }
    out
}

/// Which record it is: its key as plans show it, or the digest of a record that has none to show.
pub(super) fn key(parked: &Parked) -> String {
    let digest = || format!("key={}", parked.key);
    parked.key_text.as_deref().map_or_else(digest, escape::line)
}

fn place(place: Option<&Place>) -> String {
    place.map_or_else(dash, |place| {
        escape::line(&format!("{} line {}", place.file, place.line))
    })
}

/// What to do about it, ending in the command that tries it again.
fn advice(one: &ParkedRecord, out: &mut String) {
    let what = match &one.parked.field {
        Some(field) => format!(
            "mend the value of {} at its source, or take the field as another type or leave it out",
            escape::line(field)
        ),
        None => "mend the record at its source, or what the target demands of it".to_owned(),
    };
    let ends = one.link_name.split_once(" -> ");
    match ends.filter(|(_, target)| !target.contains(" -> ")) {
        Some((source, target)) => {
            let ends = format!("{} {}", quoted(source), quoted(target));
            say(
                out,
                format_args!(
                    "{what}; then, with the options that the link was run with (--key and the like):\n  \
                     trueup parked retry {}",
                    escape::line(&ends)
                ),
            );
        }
        None => say(
            out,
            format_args!("{what}; the link's next run tries it again"),
        ),
    }
}

#[cfg(test)]
mod tests;
