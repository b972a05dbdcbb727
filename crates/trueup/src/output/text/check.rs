//! What a check found, for people: each endpoint, the promises, each collection field by field, and last what is wrong
//! and the verdict: a terminal shows the end of what is printed.

use super::{escape, name, say, structure};
use crate::output::is_drawn;
use crate::output::style::{ADVICE, BAD, GOOD, HEADING, WAITS, paint};
use crate::output::table;
use crate::output::wrap::wrap;
use crate::terminal;
use trueup_core::endpoint::Capabilities;
use trueup_core::lattice::Fit;
use trueup_core::rights::{Missing, Remedy};
use trueup_core::side::{Side, Sides};
use trueup_engine::check::{
    CheckReport, CollectionCheck, EndCheck, FieldCheck, Held, Problem, Promise, Standing, meaning,
};

/// Where the text of a note begins.
const NOTE_COLUMN: usize = 12;

/// One link, or one endpoint alone; with `all`, every promise in words.
pub(in crate::output) fn link(report: &CheckReport, all: bool) -> String {
    let mut out = String::new();
    if report.target.is_some() {
        let link = paint(HEADING, &escape::line(&report.link));
        say(&mut out, format_args!("{link}\n"));
    }
    for (side, one) in report.ends() {
        let role = report.target.is_some().then_some(side);
        end(role, one, &mut out);
    }
    if all {
        promises(&report.promises, &mut out);
    } else {
        promises_in_short(&report.promises, &mut out);
    }
    for one in &report.collections {
        collection(report, one, &mut out);
    }
    structure::planned(report.structure.as_ref(), &mut out);
    problems(report, &mut out);
    let style = if report.problems_total() == 0 {
        GOOD
    } else {
        BAD
    };
    let verdict = paint(style.bold(), &verdict(report));
    say(&mut out, format_args!("{verdict}"));
    out
}

/// The last line.
fn verdict(report: &CheckReport) -> String {
    let weaker = report.ends().any(|(_, end)| !end.weaker.is_empty());
    match (report.problems_total(), weaker) {
        (0, _) if report.target.is_none() => "ready: a sync can read it".to_owned(),
        (0, false) => "ready: a sync can start".to_owned(),
        (0, true) => {
            "ready: a sync can start, with fewer guarantees than there could be".to_owned()
        }
        (1, _) => "not ready: 1 problem".to_owned(),
        (more, _) => format!("not ready: {more} problems"),
    }
}

fn end(role: Option<Side>, end: &EndCheck, out: &mut String) {
    let about = &end.about;
    let address = escape::line(&about.address);
    match role {
        Some(side) => say(out, format_args!("{:<12}{address}", side.name())),
        None => say(out, format_args!("{address}")),
    }
    let class = format!("{}: {}", about.class.letter(), meaning(about.class));
    plain(
        "engine",
        &format!("{} {}", about.engine, escape::line(&about.version)),
        out,
    );
    plain("class", &class, out);
    plain("can", &abilities(about.capabilities), out);
    if end.missing.is_empty() && end.weaker.is_empty() {
        plain("rights", "nothing is missing", out);
    }
    if !end.missing.is_empty() {
        let count = end.missing.len();
        plain("rights", &format!("{count} missing, see below"), out);
    }
    for one in &end.weaker {
        missing("weaker", one, out);
    }
    for note in &end.notes {
        write_note(note, out);
    }
    out.push('\n');
}

fn plain(label: &str, text: &str, out: &mut String) {
    say(out, format_args!("  {label:<10}{text}"));
}

fn write_note(note: &str, out: &mut String) {
    let line = format!("  {:<10}{}", "note", escape::line(note));
    say(
        out,
        format_args!("{}", wrap(&line, terminal::get().width, NOTE_COLUMN)),
    );
}

fn abilities(able: Capabilities) -> String {
    let all = [
        (able.write, "write"),
        (able.create, "create"),
        (able.marker, "keep markers"),
        (able.check, "write under conditions"),
        (able.ordered, "read in key order"),
        (able.typed, "hold typed values"),
    ];
    let words = all
        .into_iter()
        .filter(|(can, _)| *can)
        .map(|(_, word)| word);
    let words: Vec<&str> = std::iter::once("read").chain(words).collect();
    words.join(", ")
}

/// A right that would give more guarantees.
fn missing(label: &str, one: &Missing, out: &mut String) {
    plain(label, &right(one), out);
    remedy(one, out);
}

fn right(one: &Missing) -> String {
    let why = escape::line(&one.wanted.to_string());
    format!("{} (to {why})", escape::line(&one.right))
}

/// What gives a right: a statement stands alone on its line, so that it can be copied.
fn remedy(one: &Missing, out: &mut String) {
    match &one.remedy {
        Remedy::Statement(sql) => say(out, format_args!("    {};", escape::line(sql))),
        Remedy::Advice(advice) => say(out, format_args!("    {}", escape::line(advice))),
    }
}

/// The promises by their numbers, and in words why one does not hold.
fn promises_in_short(promises: &[Promise], out: &mut String) {
    if promises.is_empty() {
        return;
    }
    let holding = promises
        .iter()
        .filter(|one| one.standing == Standing::Holds);
    let holding: Vec<&str> = holding.map(|one| one.id).collect();
    let hold = if holding.len() == 1 { "holds" } else { "hold" };
    let word = paint(HEADING, "guarantees:");
    let list = match holding.as_slice() {
        [] => "none holds as it is written".to_owned(),
        ids => format!("{} {}", ranges(ids), paint(GOOD, hold)),
    };
    say(out, format_args!("{word} {list}; --verbose says them all"));
    for one in promises {
        let (word, style) = match one.standing {
            Standing::Holds => continue,
            Standing::Partly(_) => ("partly", WAITS),
            Standing::Fails(_) => ("not", BAD),
        };
        let reason = standing(one.standing).1.unwrap_or_default();
        let word = paint(style, word);
        say(out, format_args!("  {} {word}: {reason}", one.id));
    }
    out.push('\n');
}

/// `G1`, `G2`, `G3`, `G5` as `G1-G3, G5`.
fn ranges(ids: &[&str]) -> String {
    let number = |id: &str| id.trim_start_matches('G').parse::<u32>().ok();
    let mut runs: Vec<(&str, &str)> = Vec::new();
    for id in ids {
        match runs.last_mut() {
            Some((_, last))
                if number(id).is_some() && number(id) == number(last).map(|n| n + 1) =>
            {
                *last = id;
            }
            Some(_) | None => runs.push((id, id)),
        }
    }
    let shown = runs.into_iter().map(|(first, last)| {
        if first == last {
            first.to_owned()
        } else {
            format!("{first}-{last}")
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn promises(promises: &[Promise], out: &mut String) {
    if promises.is_empty() {
        return;
    }
    say(out, format_args!("{}", paint(HEADING, "guarantees")));
    let rows: Vec<Vec<String>> = promises
        .iter()
        .map(|one| {
            let (word, reason) = standing(one.standing);
            let style = match one.standing {
                Standing::Holds => GOOD,
                Standing::Partly(_) => WAITS,
                Standing::Fails(_) => BAD,
            };
            let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
            vec![
                format!("  {}", paint(style, word)),
                one.id.to_owned(),
                format!("{}{reason}", one.text),
            ]
        })
        .collect();
    table::rows(&rows, out);
    out.push('\n');
}

/// A standing in a word, and the reason.
pub(in crate::output) fn standing(standing: Standing) -> (&'static str, Option<&'static str>) {
    match standing {
        Standing::Holds => ("holds", None),
        Standing::Partly(reason) => ("partly", Some(reason)),
        Standing::Fails(reason) => ("fails", Some(reason)),
    }
}

fn collection(report: &CheckReport, one: &CollectionCheck, out: &mut String) {
    let name = paint(HEADING, &name(&one.names.source, &one.names.target));
    say(out, format_args!("{name}"));
    plain("key", &keys(report, one), out);
    if let Some((side, statement)) = &one.create {
        plain("create", &format!("at the {side}"), out);
        for line in statement.lines() {
            say(out, format_args!("    {}", escape::line(line)));
        }
    }
    let engines = Sides::new(
        report.source.about.engine,
        report.target.as_ref().map_or("", |end| end.about.engine),
    );
    let rows: Vec<Vec<String>> = one
        .fields
        .iter()
        .map(|field| row(field, &engines, report))
        .collect();
    table::rows(&rows, out);
    for note in &one.notes {
        write_note(note, out);
    }
    out.push('\n');
}

fn keys(report: &CheckReport, one: &CollectionCheck) -> String {
    let list = |names: &[String]| {
        if names.is_empty() {
            return "none".to_owned();
        }
        escape::line(&names.join(","))
    };
    let bag = one.key.is_empty() && one.all_problems().next().is_none();
    if bag {
        return "all: equal records are counted".to_owned();
    }
    let link = list(&one.key);
    if report.target.is_none() {
        return link;
    }
    let other = |side: &Side| one.keys[*side].as_ref().is_some_and(|key| *key != one.key);
    let side = |side: Side| {
        one.keys[side]
            .as_ref()
            .map(|key| format!("{side} {}", list(key)))
    };
    let sides = Side::BOTH.into_iter().filter(other);
    let sides: Vec<String> = sides.filter_map(side).collect();
    if sides.is_empty() {
        return link;
    }
    format!("{link} ({})", sides.join(", "))
}

fn row(field: &FieldCheck, engines: &Sides<&str>, report: &CheckReport) -> Vec<String> {
    let shown = |side: Side| {
        let Some(Held { name, native }) = &field.held[side] else {
            return ["-".to_owned(), String::new()];
        };
        let prefix = format!("{}:", engines[side]);
        let native = native.strip_prefix(&prefix).unwrap_or(native);
        let native = if native.is_empty() {
            "(no type)"
        } else {
            native
        };
        [escape::line(name), escape::line(native)]
    };
    let [name, native] = shown(Side::Source);
    let mut cells = vec![format!("  {name}"), native];
    if report.target.is_some() {
        let [name, native] = shown(Side::Target);
        let arrow = if report.two_way { "<->" } else { "->" };
        cells.extend([arrow.to_owned(), name, native]);
    }
    cells.push(verdict_of(field));
    cells
}

fn verdict_of(field: &FieldCheck) -> String {
    let spell = |fit: Fit| escape::line(&fit.to_string());
    let fit = match (field.fit, field.back) {
        (Some(fit), Some(back)) if fit != back => format!("-> {}; <- {}", spell(fit), spell(back)),
        (Some(fit), _) => spell(fit),
        (None, _) if field.problem.is_some() => "refused".to_owned(),
        (None, _) => String::new(),
    };
    let note = field.note.as_ref().map(|note| escape::line(note));
    match (fit.is_empty(), note) {
        (_, None) => fit,
        (true, Some(note)) => note,
        (false, Some(note)) => format!("{fit}; {note}"),
    }
}

/// All that is wrong: with the link, with rights, with collections.
fn problems(report: &CheckReport, out: &mut String) {
    if report.problems_total() == 0 {
        return;
    }
    for problem in &report.problems {
        write_problem("", problem, out);
    }
    let word = paint(BAD, "problem");
    for (side, end) in report.ends() {
        for one in &end.missing {
            let right = right(one);
            say(out, format_args!("{word}   {side}: no right: {right}"));
            remedy(one, out);
        }
    }
    for one in &report.collections {
        let name = format!("{}: ", name(&one.names.source, &one.names.target));
        for problem in one.all_problems() {
            write_problem(&name, problem, out);
        }
    }
    out.push('\n');
}

fn write_problem(place: &str, problem: &Problem, out: &mut String) {
    let message = escape::lines(&problem.message);
    let mut lines = message.lines();
    let mut message = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        let bar = if is_drawn(line) { "\n    " } else { "\n    | " };
        message = message + bar + line;
    }
    let word = paint(BAD, "problem");
    say(out, format_args!("{word}   {place}{message}"));
    if let Some(hint) = &problem.hint {
        let word = paint(ADVICE, "hint:");
        say(out, format_args!("  {word} {}", escape::line(hint)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_follow_each_other_are_a_range() {
        for (ids, expected) in [
            (&["G1"][..], "G1"),
            (&["G1", "G2"], "G1-G2"),
            (&["G1", "G2", "G4", "G5", "G6", "G8"], "G1-G2, G4-G6, G8"),
            (&[], ""),
        ] {
            assert_eq!(ranges(ids), expected);
        }
    }
}
