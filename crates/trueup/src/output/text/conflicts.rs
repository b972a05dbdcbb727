//! Conflicts for people: a table of them, or one with both records side by side.

use super::{dash, escape, moment, name, row, say};
use crate::conflict::{Conflict, FieldInConflict, Taken};
use crate::output::state::with_state;
use crate::output::style::{ADVICE, BAD, HEADING, paint};
use crate::output::table::table;
use crate::record::Fields;
use serde_json::Value;
use trueup_core::conflict::Resolution;
use trueup_core::side::{Side, Sides};

/// How many characters of a value are shown in a table; JSON has all of it.
const VALUE_SHOWN_MAX: usize = 48;
/// How many names of fields are shown in a table.
const FIELDS_SHOWN_MAX: usize = 4;

/// The conflicts on record, one a line, as [`cells`] has them.
pub(in crate::output) fn list(conflicts: Vec<Vec<String>>, open: bool) -> String {
    if conflicts.is_empty() {
        let open = if open { "open " } else { "" };
        return format!("no {open}conflicts\n");
    }
    let mut rows = vec![row(&[
        "id",
        "decision",
        "kind",
        "collection",
        "key",
        "fields",
        "run",
        "link",
    ])];
    rows.extend(conflicts);
    let mut out = String::new();
    table(&rows, &[0, 6], &mut out);
    out
}

/// One conflict in a table.
pub(in crate::output) fn cells(one: &Conflict) -> Vec<String> {
    vec![
        one.id.to_string(),
        decision(one),
        one.kind.name().to_owned(),
        name(&one.collection.source, &one.collection.target),
        key(&one.key),
        fields(&one.fields),
        one.run.to_string(),
        escape::line(&one.link),
    ]
}

fn decision(one: &Conflict) -> String {
    let mut decision = escape::line(&one.decision);
    if one.is_open() {
        decision = paint(BAD, &decision);
    }
    match &one.answer {
        Some(taken) => format!("{decision}, {} asked for", taken.name()),
        None if one.lapsed => format!("{decision}, {}", paint(BAD, "answer lapsed")),
        None => decision,
    }
}

fn key(key: &Fields) -> String {
    let shown = key
        .iter()
        .map(|(name, shown)| format!("{}={}", escape::line(name), value(shown)));
    shown.collect::<Vec<_>>().join(" ")
}

fn fields(fields: &[FieldInConflict]) -> String {
    let names = fields.iter().map(|field| escape::line(&field.name));
    let mut names: Vec<String> = names.take(FIELDS_SHOWN_MAX).collect();
    if fields.len() > names.len() {
        names.push("...".to_owned());
    }
    if names.is_empty() {
        return dash();
    }
    names.join(",")
}

/// A value as JSON has it, so that a text is told from a number and from nothing.
fn value(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_SHOWN_MAX) {
        Some((end, _)) => escape::line(&format!("{} ...", &text[..end])),
        None => escape::line(&text),
    }
}

/// One conflict: what met what, both records, what was decided and by which rule.
pub(in crate::output) fn show(one: &Conflict) -> String {
    let mut out = format!("{}\n", paint(HEADING, &format!("conflict {}", one.id)));
    let mut plain = |label: &str, text: &str| {
        say(&mut out, format_args!("  {label:<12}{text}"));
    };
    plain("link", &escape::line(&one.link));
    plain(
        "collection",
        &name(&one.collection.source, &one.collection.target),
    );
    plain("key", &key(&one.key));
    plain("kind", one.kind.name());
    plain("run", &format!("{}, {}", one.run, moment(one.at_ms)));
    let mut decided = escape::line(&one.decision);
    if one.is_open() {
        decided = paint(BAD, &decided);
    } else if one.by_person {
        decided.push_str(", by a person");
    }
    plain("decision", &decided);
    if let Some(taken) = &one.answer {
        let next =
            "the next sync of the link carries it out, if both sides still hold what stands below";
        plain("answer", &format!("{}; {next}", taken.name()));
    } else if one.lapsed {
        plain("answer", &paint(BAD, "lapsed, and is not carried out"));
    }
    if let Some(note) = one.note.as_ref().filter(|_| !one.by_person || one.lapsed) {
        plain("note", &escape::line(note));
    }
    out.push('\n');
    records(one, &mut out);
    if one.is_decidable() && one.is_order_unknown() {
        say(
            &mut out,
            format_args!(
                "\nwhich side is called the source is not known: run the link once, then look again and decide"
            ),
        );
    } else if one.is_decidable() {
        let verb = if one.is_open() { "decides" } else { "reverses" };
        let command = format!(
            "trueup conflicts resolve {} --take source|target|FILE",
            one.id
        );
        let command = with_state(&command);
        let command = paint(ADVICE, &command);
        say(&mut out, format_args!("\n{command} {verb} it"));
    }
    out
}

/// Both records side by side, and the one that was decided on, or that a person asks for. A star marks a field in
/// conflict, and behind it stands how that ended.
fn records(one: &Conflict, out: &mut String) {
    let choice = choice(one);
    let mut head = vec!["", "field", "source", "target"];
    head.extend(choice.as_ref().map(|(title, _)| *title));
    head.push("decided");
    let mut rows = vec![row(&head)];
    for (index, field) in names(one).into_iter().enumerate() {
        let cell = |side: Side| match &one.records[side] {
            Some(record) => record
                .get(index)
                .map_or_else(dash, |(_, found)| value(found)),
            None => "(no record)".to_owned(),
        };
        let asked = one.fields.iter().find(|asked| asked.name == field);
        let mut cells = vec![
            asked.map_or("", |_| "*").to_owned(),
            escape::line(&field),
            cell(Side::Source),
            cell(Side::Target),
        ];
        cells.extend(choice.as_ref().map(|(_, record)| match record {
            Some(record) => {
                let mut fields = record.iter();
                let found = fields.find(|(name, _)| *name == field);
                found.map_or_else(dash, |(_, found)| value(found))
            }
            None => "(no record)".to_owned(),
        }));
        cells.push(asked.map_or_else(String::new, |field| decided(one, field)));
        rows.push(cells);
    }
    table(&rows, &[], out);
}

/// The record that a person asks for, or that was decided on, under what it is called; `None` inside: no record.
fn choice(one: &Conflict) -> Option<(&'static str, Option<&Fields>)> {
    match &one.answer {
        Some(Taken::Side(side)) => Some(("asked for", one.records[*side].as_ref())),
        Some(Taken::Record(record)) => Some(("asked for", Some(record))),
        None if one.chosen.is_some() || one.chose_nothing() => {
            Some(("chosen", one.chosen.as_ref()))
        }
        None => None,
    }
}

/// The names of the fields, in the order of the records.
fn names(one: &Conflict) -> Vec<String> {
    let record = Side::BOTH
        .iter()
        .find_map(|&side| one.records[side].as_ref());
    let record = record.into_iter().flatten();
    record.map(|(name, _)| name.clone()).collect()
}

fn decided(one: &Conflict, field: &FieldInConflict) -> String {
    let rule = field.policy.map_or("on-delete", |policy| policy.name());
    if one.by_person {
        return format!("{} by a person", escape::line(&one.decision));
    }
    match (field.decision, &one.answer) {
        (Resolution::Open, Some(taken)) => format!("{} by a person, next sync", taken.name()),
        (Resolution::Open, None) => paint(BAD, &format!("open ({rule})")),
        (decision, _) => format!("{decision} by {rule}"),
    }
}

/// What was recorded as a person's answer.
pub(in crate::output) fn answered(one: &Conflict) -> String {
    // Which address a side has follows from how the link was named last: say it.
    let address = |side: Side| {
        let (source, target) = one.link.split_once(" <-> ").unwrap_or_default();
        escape::line(Sides::new(source, target)[side])
    };
    let taken = match &one.answer {
        Some(Taken::Side(side)) if one.records[*side].is_none() => {
            format!(
                "that the {side} ({}) has no record is taken",
                address(*side)
            )
        }
        Some(Taken::Side(side)) => {
            format!("the record of the {side} ({}) is taken", address(*side))
        }
        Some(Taken::Record(_)) | None => "the record given is taken".to_owned(),
    };
    let what = if one.is_open() {
        taken
    } else {
        let decision = escape::line(&one.decision);
        format!("it was decided ({decision}); now {taken}")
    };
    let (id, place) = (one.id, name(&one.collection.source, &one.collection.target));
    let (key, link) = (key(&one.key), escape::line(&one.link));
    format!("conflict {id}, {place} {key}: {what}\nThe next sync of {link} carries it out.\n")
}

#[cfg(test)]
mod tests;
