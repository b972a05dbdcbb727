//! The text of a new configuration file.
//!
//! Invariant: it reads as what it was made from, whatever the names are: a name is escaped in a string, and in a comment
//! it cannot end the line.

use super::Examined;
use super::draft::{Draft, Place};
use super::look::{self, Look};
use crate::output;
use std::fmt::Write as _;
use trueup_core::side::Side;
use trueup_engine::check::{CheckReport, CollectionCheck};

/// A file that was composed.
#[derive(Clone, Debug)]
pub(super) struct Composed {
    /// What it says.
    pub(super) text: String,
    /// The collections that stand in it as comments, in its order.
    pub(super) waiting: Vec<Waiting>,
}

/// A collection that cannot take part yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// The source's name for it.
    pub(super) name: String,
    /// The line of the file that makes it take part, counted from 1.
    pub(super) line: usize,
    /// What is wrong with it first of all.
    pub(super) reason: String,
}

/// Writes the file.
pub(super) fn file(draft: &Draft, found: &Examined) -> Composed {
    let mut out = String::from(
        "# Written by `trueup init`. `trueup check` says whether it can run, `trueup run` runs it.\n\
         # Every setting: docs/guide/configuration.md; `trueup schema` prints them for editors.\n\
         \n\
         # Where runs, positions and history are kept; without it, $XDG_STATE_HOME/trueup/state.db.\n",
    );
    let state = state(draft);
    if found.report.two_way {
        // What both sides agreed on stands there: whoever runs the file has to have the same one.
        say(&mut out, format_args!("state = \"{state}\""));
    } else {
        say(&mut out, format_args!("# state = \"{state}\""));
    }
    out.push_str(
        "\n\
         # Addresses: ${NAME} is replaced from the environment, $$ is a dollar. Relative paths begin in this file's folder.\n",
    );
    for place in [&draft.source, &draft.target] {
        endpoint(place, &mut out);
    }
    link(draft, &found.report, &mut out);
    let waiting = collections(found, &mut out);
    Composed { text: out, waiting }
}

/// A name for the state file that neither place has.
fn state(draft: &Draft) -> &'static str {
    let [usual, other] = ["trueup.db", "trueup-state.db"];
    let taken = |place: &Place| {
        let path = place.url.split(['?', '#']).next().unwrap_or_default();
        path.rsplit(['/', ':']).next() == Some(usual)
    };
    if taken(&draft.source) || taken(&draft.target) {
        other
    } else {
        usual
    }
}

fn endpoint(place: &Place, out: &mut String) {
    let url = string(&place.url.replace('$', "$$"));
    say(out, format_args!("[endpoint.{}]\nurl = {url}", place.name));
    if let Some(variable) = &place.variable {
        say(
            out,
            format_args!(
                "# Where the password is: a variable of the environment, or \"file:PATH\".\npassword = {}",
                string(&format!("env:{variable}"))
            ),
        );
    }
    out.push('\n');
}

fn link(draft: &Draft, report: &CheckReport, out: &mut String) {
    let Draft {
        source,
        target,
        link,
    } = draft;
    say(
        out,
        format_args!(
            "# Where records come from and where they go: names of endpoints.\n\
             [link.{link}]\nsource = \"{}\"\ntarget = \"{}\"",
            source.name, target.name
        ),
    );
    let settings = if report.two_way {
        "# Changes go both ways; \"forward\" carries those of the source to the target.\n\
         direction = \"both\"\n\
         # What decides when both sides changed the same: manual (a person), source, target, newest, merge, ...\n\
         on_conflict = \"manual\"\n\
         # Where one side deleted what the other changed: keep the record, or let the delete win (wins).\n\
         on_delete = \"keep\"\n"
    } else {
        "# From the source to the target; \"both\" carries changes both ways.\n\
         direction = \"forward\"\n\
         # Whether records that the source does not have are deleted.\n\
         delete = false\n"
    };
    out.push_str(settings);
    out.push_str(
        "# Whether both sides are compared again after a run; the result is a certificate.\n\
         verify = true\n\
         # A plan that deletes more than this share of a collection, or number of records, is stopped.\n\
         guard = { deletes_max = \"20%\" }\n",
    );
}

fn collections(found: &Examined, out: &mut String) -> Vec<Waiting> {
    out.push_str(
        "# What takes part, each with the fields that identify a record; without this list, all that the source has.\n\
         collections = [\n",
    );
    let mut waiting = Vec::new();
    for one in &found.report.collections {
        if let Some(problem) = one.all_problems().next() {
            let look = found.looks.get(&one.names.source);
            let usual = Look::default();
            broken(one, look.unwrap_or(&usual), found.report.two_way, out);
            waiting.push(Waiting {
                name: one.names.source.clone(),
                line: out.matches('\n').count(),
                reason: problem.message.clone(),
            });
            continue;
        }
        let note = match &one.create {
            Some((side, _)) => format!(" # will be created at the {side}"),
            None => String::new(),
        };
        for note in &one.notes {
            say(out, format_args!("  # {}", output::safe(note)));
        }
        let entry = entry(one, &one.key, &[]);
        say(out, format_args!("  {entry},{note}"));
    }
    out.push_str("]\n");
    waiting
}

/// A collection that cannot take part, as a comment whose last line can become an entry.
fn broken(one: &CollectionCheck, look: &Look, two_way: bool, out: &mut String) {
    let name = output::safe(&one.names.source);
    say(out, format_args!("  # {name} cannot take part yet:"));
    for problem in one.all_problems() {
        say(
            out,
            format_args!("  #   {}", output::safe(&problem.message)),
        );
        // The command line's own words help nobody here.
        if let Some(hint) = problem.hint.as_ref().filter(|hint| !hint.contains("--")) {
            say(out, format_args!("  #     {}", output::safe(hint)));
        }
    }
    if one.key.is_empty()
        && let Some(seen) = seen(look)
    {
        say(out, format_args!("  #   {seen}"));
    }
    let key = if one.key.is_empty() {
        likely_key(one, look, two_way)
    } else {
        one.key.clone()
    };
    let drop = unmatched(one, &key);
    let todo = todo(one, !drop.is_empty(), two_way);
    say(out, format_args!("  #   {todo}, and take the # away:"));
    let entry = entry(one, &key, &drop);
    say(out, format_args!("  # {},", output::safe(&entry)));
}

/// What is to be done about a collection before its line may be read.
fn todo(one: &CollectionCheck, drops: bool, two_way: bool) -> &'static str {
    if one.keys.source.is_none() && one.keys.target.is_none() {
        // Its shape is not known: what it needs besides cannot be said yet.
        return "set that right first, name the fields that identify a record";
    }
    match (one.key.is_empty(), drops) {
        (true, true) => "name the fields that identify a record, and make the others fit",
        (true, false) if two_way => "name the fields that identify a record",
        (true, false) => "name the fields that identify a record, or \"all\" to count equal ones",
        (false, true) if one.problems.is_empty() && two_way => {
            "leave these fields out, or rename = { a = \"b\" } them"
        }
        (false, true) if one.problems.is_empty() => {
            "leave these fields out, or fit them: rename = { a = \"b\" }, cast = { a = \"TYPE\" }"
        }
        (false, _) => "set that right",
    }
}

/// What the first records say of its fields; `None` when they say nothing.
pub(super) fn seen(look: &Look) -> Option<String> {
    let joined = look.candidates.iter().map(|fields| fields.join(","));
    let names: Vec<String> = joined.map(|fields| output::safe(&fields)).collect();
    let records = match look.records {
        0 => return None,
        1 => "only record".to_owned(),
        more => format!("first {more} records"),
    };
    Some(match names.as_slice() {
        [] => match &look.nearly {
            Some((field, few)) => format!(
                "no field is unique in the {records}, {} but for {few} of them: mend these and it is the key",
                output::safe(field)
            ),
            None => format!("no field is unique in the {records}"),
        },
        names => format!("unique in the {records}: {}", names.join("; ")),
    })
}

/// The fields that a person would look at first; none where equal records are better counted.
fn likely_key(one: &CollectionCheck, look: &Look, two_way: bool) -> Vec<String> {
    if let Some(best) = look.likely() {
        return best.clone();
    }
    match look.records {
        0 => {}
        // What was seen not to be unique is no proposal.
        _ if two_way => return vec!["FIELD".to_owned()],
        _ => return Vec::new(),
    }
    let fields = one
        .fields
        .iter()
        .filter_map(|field| field.held[Side::Source].as_ref());
    let names = fields.map(|held| held.name.as_str());
    let best = names.min_by_key(|name| look::rank(&one.names.source, name));
    vec![best.unwrap_or("FIELD").to_owned()]
}

/// The fields that have no place on the other side, and need none.
fn unmatched(one: &CollectionCheck, key: &[String]) -> Vec<String> {
    let wrong = one.fields.iter().filter(|field| field.problem.is_some());
    let names = wrong.filter_map(|field| {
        let held = field.held.source.as_ref().or(field.held.target.as_ref())?;
        Some(held.name.clone())
    });
    names.filter(|name| !key.contains(name)).collect()
}

fn entry(one: &CollectionCheck, key: &[String], drop: &[String]) -> String {
    let list = |names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| string(name)).collect();
        format!("[{}]", names.join(", "))
    };
    let mut parts = vec![format!("source = {}", string(&one.names.source))];
    if one.names.target != one.names.source {
        parts.push(format!("target = {}", string(&one.names.target)));
    }
    if key.is_empty() {
        // It can take part without a key: equal records count.
        parts.push("key = \"all\"".to_owned());
    } else {
        parts.push(format!("key = {}", list(key)));
    }
    if !drop.is_empty() {
        parts.push(format!("drop = {}", list(drop)));
    }
    format!("{{ {} }}", parts.join(", "))
}

/// A basic string of TOML.
pub(super) fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for ch in text.chars() {
        match ch {
            '"' | '\\' => out.extend(['\\', ch]),
            _ if ch.is_control() => {
                write!(out, "\\U{:08X}", u32::from(ch)).expect("a String takes every character");
            }
            _ => out.push(ch),
        }
    }
    out.push('"');
    out
}

fn say(out: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(out, "{line}").expect("a String takes every character");
}
