//! The text of a new configuration file.
//!
//! Invariant: it reads as what it was made from, whatever the names are: a name is escaped in a string, and in a comment
//! it cannot end the line.

use super::draft::{Draft, Place};
use crate::output;
use std::fmt::Write as _;
use trueup_core::side::Side;
use trueup_engine::check::{CheckReport, CollectionCheck};

/// Writes the file.
pub(super) fn file(draft: &Draft, report: &CheckReport) -> String {
    let mut out = String::from(
        "# Written by `trueup init`. `trueup check` says whether it can run, `trueup run` runs it.\n\
         # Every setting: docs/guide/configuration.md; `trueup schema` prints them for editors.\n\
         \n\
         # Where runs, positions and history are kept; without it, $XDG_STATE_HOME/trueup/state.db.\n\
         # state = \"trueup.db\"\n\
         \n\
         # Addresses: ${NAME} is replaced from the environment, $$ is a dollar. Relative paths begin in this file's folder.\n",
    );
    for place in [&draft.source, &draft.target] {
        endpoint(place, &mut out);
    }
    link(draft, report, &mut out);
    collections(report, &mut out);
    out
}

/// Tells whether a collection cannot take part as it is.
pub(super) fn is_broken(one: &CollectionCheck) -> bool {
    one.all_problems().next().is_some()
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

fn collections(report: &CheckReport, out: &mut String) {
    out.push_str(
        "# What takes part, each with the fields that identify a record; without this list, all that the source has.\n\
         collections = [\n",
    );
    for one in &report.collections {
        if is_broken(one) {
            broken(one, out);
            continue;
        }
        let note = match &one.create {
            Some((side, _)) => format!(" # will be created at the {side}"),
            None => String::new(),
        };
        for note in &one.notes {
            say(out, format_args!("  # {}", output::safe(note)));
        }
        say(out, format_args!("  {},{note}", entry(one, &one.key)));
    }
    out.push_str("]\n");
}

/// A collection that cannot take part, as a comment that can become an entry.
fn broken(one: &CollectionCheck, out: &mut String) {
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
    let todo = if one.key.is_empty() {
        "name the fields that identify a record, or \"all\" to count equal ones"
    } else {
        "set that right"
    };
    say(out, format_args!("  #   {todo}, and take the # away:"));
    let key = if one.key.is_empty() {
        vec![likely_key(one)]
    } else {
        one.key.clone()
    };
    say(
        out,
        format_args!("  # {},", output::safe(&entry(one, &key))),
    );
}

/// The field that a person would look at first.
fn likely_key(one: &CollectionCheck) -> String {
    let fields = one
        .fields
        .iter()
        .filter_map(|field| field.held[Side::Source].as_ref());
    let names: Vec<&str> = fields.map(|held| held.name.as_str()).collect();
    let collection = one.names.source.as_str();
    let singular = collection.strip_suffix('s').unwrap_or(collection);
    let likely = [
        "id".to_owned(),
        format!("{singular}_id"),
        format!("{collection}_id"),
    ];
    let found = likely
        .iter()
        .find(|likely| names.contains(&likely.as_str()));
    found
        .cloned()
        .unwrap_or_else(|| names.first().map_or("FIELD", |name| *name).to_owned())
}

fn entry(one: &CollectionCheck, key: &[String]) -> String {
    let mut parts = vec![format!("source = {}", string(&one.names.source))];
    if one.names.target != one.names.source {
        parts.push(format!("target = {}", string(&one.names.target)));
    }
    if key.is_empty() {
        // It can take part without a key: equal records count.
        parts.push("key = \"all\"".to_owned());
    } else {
        let fields: Vec<String> = key.iter().map(|field| string(field)).collect();
        parts.push(format!("key = [{}]", fields.join(", ")));
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
