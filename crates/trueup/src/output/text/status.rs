//! The standing of links for people: a paragraph each, and what needs a person at the end.

use super::{escape, moment, name, outcome, say};
use crate::output::state::with_state;
use crate::output::style::{ADVICE, BAD, GOOD, HEADING, WAITS, count, paint};
use crate::status::{Base, Listed, Standing};
use std::fmt::Write as _;
use trueup_engine::state::FollowStanding;

/// Every link, one paragraph each; then those of which there is nothing to say.
pub(in crate::output) fn links(listed: &Listed) -> String {
    let Listed {
        links,
        never,
        others,
    } = listed;
    let mut out = String::new();
    for link in links {
        one(link, &mut out);
        out.push('\n');
    }
    if !never.is_empty() {
        let names: Vec<String> = never.iter().map(|name| escape::line(name)).collect();
        say(
            &mut out,
            format_args!("no run on record by these names: {}", names.join(", ")),
        );
    }
    if !others.is_empty() {
        say(&mut out, format_args!("{}", left_out(others)));
    }
    match (links.is_empty(), out.is_empty()) {
        (true, true) => return "no links yet\n".to_owned(),
        (true, false) if others.iter().all(|link| !link.needs_person()) => return out,
        (_, false) if !out.ends_with("\n\n") => out.push('\n'),
        _ => {}
    }
    let waiting = listed.waiting().count();
    let verdict = match waiting {
        0 => paint(GOOD, "nothing needs a person"),
        1 => paint(WAITS, "1 link needs a person"),
        more => paint(WAITS, &format!("{more} links need a person")),
    };
    say(&mut out, format_args!("{verdict}"));
    out
}

/// The links that the file does not have: how many there are, and how many of them need a person.
fn left_out(others: &[Standing]) -> String {
    let noun = if others.len() == 1 { "link" } else { "links" };
    let waiting = match others.iter().filter(|link| link.needs_person()).count() {
        0 => String::new(),
        1 => paint(WAITS, ", 1 needs a person"),
        more => paint(WAITS, &format!(", {more} need a person")),
    };
    let command = with_state("trueup status --all");
    format!(
        "not of this file: {} {noun}{waiting}; {command} lists all",
        others.len()
    )
}

fn one(link: &Standing, out: &mut String) {
    let labels = link.labels.iter();
    let labels: String = labels
        .map(|label| format!("[{}] ", escape::line(label)))
        .collect();
    let heading = format!("{labels}{}", escape::line(&link.name));
    say(out, format_args!("{}", paint(HEADING, &heading)));
    let mut plain = |label: &str, text: &str| {
        say(out, format_args!("  {label:<12}{text}"));
    };
    plain("id", &escape::line(&link.id));
    plain("kind", link.kind());
    plain("last run", &last(link));
    if let Some(error) = link.last.as_ref().and_then(|run| run.error.as_deref()) {
        let first = error.lines().next().unwrap_or_default();
        plain("error", &paint(BAD, &escape::line(first)));
    }
    if let Some(hint) = link.last.as_ref().and_then(|run| run.hint.as_deref()) {
        plain("hint", &escape::line(hint));
    }
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
    if let Some(following) = &link.following {
        plain("following", &follows(following));
    }
    plain("parked", &count(WAITS, "", link.parked));
    let mut needs = link.needs().join("; ");
    if !needs.is_empty() {
        if !link.succeeded && !link.kept {
            let command = with_state(&format!("trueup forget {}", link.id));
            needs.push_str(&format!("; or {}", escape::line(&command)));
        }
        plain("to do", &paint(ADVICE, &needs));
    }
}

/// How far a link is that follows a log. Lag is never told smaller than it is: what is not known is said to be so.
fn follows(standing: &FollowStanding) -> String {
    let level = match standing.level_ms {
        None => "not level with the source yet".to_owned(),
        Some(ms) => format!("level with the source at {}", moment(ms)),
    };
    let heard = standing
        .heard_ms
        .map_or_else(String::new, |ms| format!(", as of {}", moment(ms)));
    let bytes = |what: &str, bytes: Option<u64>| {
        bytes.map_or_else(String::new, |bytes| format!(", {bytes} bytes {what}"))
    };
    let (kept, untold) = (
        bytes("kept there for it", standing.kept_bytes),
        bytes("of the log to come", standing.untold_bytes),
    );
    let (transactions, changes) = (standing.transactions, standing.changes);
    format!(
        "{level}{heard}; {transactions} transactions with {changes} changes written{untold}{kept}"
    )
}

fn last(link: &Standing) -> String {
    let Some(run) = &link.last else {
        return "none on record".to_owned();
    };
    let exit = run
        .exit
        .map_or_else(String::new, |exit| format!(", exit {exit}"));
    let started = moment(run.started_ms);
    let never = if link.succeeded || run.ended_ms.is_none() {
        ""
    } else {
        ", none succeeded"
    };
    format!("{}{exit}, {}{never}, {started}", run.run.0, outcome(run))
}

/// What was forgotten.
pub(in crate::output) fn forgotten(link: &Standing) -> String {
    if link.collections.iter().all(|one| one.base.is_none()) {
        let parked = match link.parked {
            0 => String::new(),
            1 => ": 1 parked record is off the list".to_owned(),
            more => format!(": {more} parked records are off the list"),
        };
        return format!(
            "forgot {}{parked}\nNo data was touched, and its runs stay in the history. Run again, it is listed again.\n",
            escape::line(&link.name)
        );
    }
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
    out.push_str("\nNo data was touched, and its runs stay in the history. Synced again, the link joins both sides anew.\n");
    out
}

#[cfg(test)]
mod tests;
