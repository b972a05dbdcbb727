//! Parked records for people: which they are, by their keys and places, and what to do about them. No other value of
//! theirs is shown, because no other is kept.

use super::{dash, escape, moment, row, say, table};
use crate::parked::Again;
use trueup_core::park::{NULL_KEY, Parked, Place};
use trueup_engine::state::ParkedRecord;

/// What is said of options that nobody noted.
const WITH_OPTIONS: &str = "with the options that the link was run with (--key and the like)";

/// All of them, one a line.
pub(in crate::output) fn list(records: &[ParkedRecord], again: &[Again]) -> String {
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
    out.push('\n');
    end(records, again, &mut out);
    out
}

/// What tries them again: of one link the command, of several where it stands.
fn end(records: &[ParkedRecord], again: &[Again], out: &mut String) {
    let one_link = records.windows(2).all(|two| two[0].link == two[1].link);
    let by_runs = again.iter().filter(|one| **one == Again::NextRun).count();
    let line = match again.first() {
        _ if by_runs == again.len() && one_link => {
            "each run of the link tries them again".to_owned()
        }
        _ if by_runs == again.len() => "each run of its link tries a record again".to_owned(),
        Some(Again::Command(command)) if one_link && by_runs == 0 => {
            format!("to try them again, and nothing else:\n  {}", escape::line(command))
        }
        Some(Again::WithOptions(command)) if one_link && by_runs == 0 => format!(
            "to try them again, and nothing else, {WITH_OPTIONS}:\n  {}",
            escape::line(command)
        ),
        _ => "trueup parked show ID has the command that tries a record again, or says that a run of its link does"
            .to_owned(),
    };
    say(out, format_args!("{line}"));
}

/// Each in full.
pub(in crate::output) fn show(records: &[ParkedRecord], again: &[Again]) -> String {
    let mut out = String::new();
    for (index, (one, again)) in records.iter().zip(again).enumerate() {
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
        advice(one, again, &mut out);
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
fn advice(one: &ParkedRecord, again: &Again, out: &mut String) {
    let what = match &one.parked.field {
        _ if one.parked.reason == NULL_KEY => "give the record a key at its source".to_owned(),
        Some(field) => format!(
            "mend the value of {} at its source, or take the field as another type or leave it out",
            escape::line(field)
        ),
        None => "mend the record at its source, or what the target demands of it".to_owned(),
    };
    let then = match again {
        Again::Command(command) => format!("then:\n  {}", escape::line(command)),
        Again::WithOptions(command) => {
            format!("then, {WITH_OPTIONS}:\n  {}", escape::line(command))
        }
        Again::NextRun => "the link's next run tries it again".to_owned(),
    };
    say(out, format_args!("{what}; {then}"));
}

#[cfg(test)]
mod tests;
