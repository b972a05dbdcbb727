//! The standing of links for people: a paragraph each, and what needs a person at the end.

use super::{escape, moment, name, outcome, say};
use crate::output::style::{ADVICE, GOOD, HEADING, WAITS, count, paint};
use crate::status::{Base, Standing};
use std::fmt::Write as _;

/// Every link, one paragraph each.
pub(in crate::output) fn links(links: &[Standing]) -> String {
    if links.is_empty() {
        return "no links yet\n".to_owned();
    }
    let mut out = String::new();
    for link in links {
        one(link, &mut out);
        out.push('\n');
    }
    let waiting = links.iter().filter(|link| !link.needs().is_empty()).count();
    let verdict = match waiting {
        0 => paint(GOOD, "nothing needs a person"),
        1 => paint(WAITS, "1 link needs a person"),
        more => paint(WAITS, &format!("{more} links need a person")),
    };
    say(&mut out, format_args!("{verdict}"));
    out
}

fn one(link: &Standing, out: &mut String) {
    say(
        out,
        format_args!("{}", paint(HEADING, &escape::line(&link.name))),
    );
    let mut plain = |label: &str, text: &str| {
        say(out, format_args!("  {label:<12}{text}"));
    };
    plain("id", &escape::line(&link.id));
    plain("kind", link.kind());
    plain("last run", &last(link));
    for collection in &link.collections {
        let mut text = name(&collection.names.source, &collection.names.target);
        match collection.base {
            None => {}
            Some(Base::Complete) => text.push_str(", base complete"),
            Some(Base::Joining) => text.push_str(", joining"),
        }
        plain("collection", &text);
    }
    if link.two_way {
        let mut text = format!("{} open", link.open);
        if link.answers > 0 {
            let wait = if link.answers == 1 {
                "answer waits"
            } else {
                "answers wait"
            };
            write!(text, ", {} {wait} for the next sync", link.answers)
                .expect("writing to a string cannot fail");
        }
        plain("conflicts", &text);
    }
    plain("parked", &count(WAITS, "", link.parked));
    if !link.needs().is_empty() {
        plain("to do", &paint(ADVICE, &link.needs().join("; ")));
    }
}

fn last(link: &Standing) -> String {
    let Some(run) = &link.last else {
        return "none on record".to_owned();
    };
    let exit = run
        .exit
        .map_or_else(String::new, |exit| format!(", exit {exit}"));
    let started = moment(run.started_ms);
    format!("{}{exit}, {}, {started}", run.run.0, outcome(run))
}

/// What was forgotten.
pub(in crate::output) fn forgotten(link: &Standing) -> String {
    let collections = link.collections.len();
    let collections = match collections {
        1 => "1 collection".to_owned(),
        more => format!("{more} collections"),
    };
    let mut out = format!(
        "forgot {}: the base of {collections} and all conflicts on record",
        escape::line(&link.name)
    );
    if link.open > 0 {
        write!(out, ", {} of them open", link.open).expect("writing to a string cannot fail");
    }
    out.push_str("\nNo data was touched. Synced again, the link joins both sides anew.\n");
    out
}

#[cfg(test)]
mod tests;
