//! What people read: tables, parked records, the certificate, the history.
//!
//! The text is stable, so that it can be compared in tests and quoted in documents. Every name in it was escaped.

pub(super) mod certificate;
pub(super) mod check;
pub(super) mod conflicts;
pub(super) mod parked;
pub(super) mod selected;
pub(super) mod status;
mod structure;

use super::state::with_state;
use super::style::{BAD, GOOD, HEADING, WAITS, count, paint};
use super::table::{self, table};
use super::wrap::wrap;
use super::{NOTE_INDENT, Way, escape};
use crate::terminal;
use std::fmt::Write as _;
use trueup_core::calendar;
use trueup_core::error::Kind;
use trueup_core::plan::Counts;
use trueup_engine::state::PastRun;
use trueup_engine::{CollectionReport, Report};

/// How many parked records are listed.
const PARKED_SHOWN_MAX: usize = 10;
/// How many notes are listed.
const NOTES_SHOWN_MAX: usize = 50;

/// What a sync did; both ways, what it did to each side.
pub(super) fn synced(report: &Report, way: Way) -> String {
    let mut out = format!("{}\n\n", paint(HEADING, &escape::line(&report.link)));
    if way.two_way {
        write_both_ways(report, &mut out);
    } else {
        write_one_way(report, &mut out);
    }
    conflicts(report, &mut out);
    parked(report, &mut out);
    structure::write(report.structure.as_ref(), &mut out);
    selected::write(report, &mut out);
    notes(report, (!way.two_way).then_some(way), &mut out);
    if let Some(proof) = &report.certificate {
        out.push('\n');
        certificate::write(proof, &mut out);
    }
    say(&mut out, format_args!("\n{}", ending(report)));
    out
}

fn write_one_way(report: &Report, out: &mut String) {
    let mut rows = vec![row(&[
        "collection",
        "source",
        "target",
        "inserted",
        "updated",
        "deleted",
        "unchanged",
        "parked",
    ])];
    for one in &report.collections {
        let mut cells = vec![name(&one.source, &one.target)];
        cells.extend([
            one.source_fold.count.to_string(),
            one.target_fold.count.to_string(),
            count(GOOD, "", one.inserted),
            one.updated.to_string(),
            count(BAD, "", one.deleted),
            one.unchanged.to_string(),
            count(WAITS, "", one.parked.len() as u64),
        ]);
        rows.push(cells);
    }
    table(&rows, &[1, 2, 3, 4, 5, 6, 7], out);
}

/// Shows what was written to each side in one column, in the signs of `diff`; a legend says what they mean.
fn write_both_ways(report: &Report, out: &mut String) {
    let mut rows = vec![row(&[
        "collection",
        "source",
        "target",
        "to source",
        "to target",
        "unchanged",
        "conflicts",
        "open",
        "parked",
    ])];
    let signs = |counts: Counts| {
        let Counts {
            inserts,
            updates,
            deletes,
        } = counts;
        let (inserted, deleted) = (count(GOOD, "+", inserts), count(BAD, "-", deletes));
        format!("{inserted} ~{updates} {deleted}")
    };
    for one in &report.collections {
        rows.push(vec![
            name(&one.source, &one.target),
            one.source_fold.count.to_string(),
            one.target_fold.count.to_string(),
            signs(one.to_source),
            signs(one.to_target),
            one.unchanged.to_string(),
            count(BAD, "", one.conflicts),
            count(BAD, "", one.open_conflicts),
            count(WAITS, "", one.parked.len() as u64),
        ]);
    }
    table(&rows, &[1, 2, 5, 6, 7, 8], out);
    let written = |one: &CollectionReport| one.to_source.total() + one.to_target.total() > 0;
    if report.collections.iter().any(written) {
        say(out, format_args!("(+ inserted, ~ updated, - deleted)"));
    }
}

/// What a compare found.
pub(super) fn compared(report: &Report) -> String {
    let mut out = String::new();
    table::rows(&compared_rows(report), &mut out);
    parked(report, &mut out);
    notes(report, None, &mut out);
    let word = if report.exit_code() == 0 {
        paint(GOOD.bold(), "equal")
    } else {
        paint(WAITS.bold(), "different")
    };
    say(&mut out, format_args!("{word}"));
    out
}

fn compared_rows(report: &Report) -> Vec<Vec<String>> {
    let collections = report.collections.iter();
    collections
        .map(|one| {
            vec![
                name(&one.source, &one.target),
                format!("+{}", one.only_source),
                format!("-{}", one.only_target),
                format!("~{}", one.changed),
                format!("={}", one.unchanged),
            ]
        })
        .collect()
}

/// What a verification by itself found. The counts stand in the certificate.
pub(super) fn verified(report: &Report) -> String {
    let mut out = String::new();
    if let Some(proof) = &report.certificate {
        // What differs is certified by nobody.
        let heading = if report.equal {
            "certificate"
        } else {
            "comparison"
        };
        certificate::write_as(heading, proof, &mut out);
    }
    let open = report.open_conflicts();
    if open > 0 {
        let conflicts = if open == 1 { "conflict" } else { "conflicts" };
        say(
            &mut out,
            format_args!(
                "\n{open} open {conflicts} left out: {}",
                with_state("trueup conflicts list --open")
            ),
        );
    }
    parked(report, &mut out);
    let word = if report.equal {
        paint(GOOD.bold(), "equal")
    } else {
        paint(WAITS.bold(), "different")
    };
    say(&mut out, format_args!("\n{word}"));
    out
}

/// What a dry run has to say besides the plan.
pub(super) fn planned(report: &Report) -> String {
    let mut out = String::new();
    // Nothing is on record yet: the plan names their keys.
    count_conflicts(report, &mut out);
    parked(report, &mut out);
    notes(report, None, &mut out);
    let word = if report.equal {
        "nothing to write"
    } else {
        "nothing was written"
    };
    say(&mut out, format_args!("{word}"));
    out
}

/// The history, one run a line; what went wrong stands below its line.
pub(super) fn runs(runs: &[PastRun]) -> String {
    if runs.is_empty() {
        return "no runs yet\n".to_owned();
    }
    let mut rows = vec![row(&[
        "run", "started", "seconds", "exit", "result", "link",
    ])];
    for past in runs {
        rows.push(vec![
            past.run.0.to_string(),
            moment(past.started_ms),
            past.ended_ms
                .map_or_else(dash, |ended| seconds(ended - past.started_ms)),
            past.exit.map_or_else(dash, |exit| exit.to_string()),
            outcome(past).to_owned(),
            escape::line(&past.link),
        ]);
    }
    let mut out = String::new();
    table(&rows, &[0, 2, 3], &mut out);
    for past in runs {
        if let Some(error) = &past.error {
            say(
                &mut out,
                format_args!("run {}: {}", past.run.0, escape::line(error)),
            );
        }
    }
    out
}

/// Spells milliseconds since 1970 as RFC 3339 does, in UTC, always with three digits of the second's fraction.
pub(crate) fn moment(ms: i64) -> String {
    let mut text = String::new();
    calendar::format_instant(ms.saturating_mul(1000), &mut text);
    let Some(utc) = text.strip_suffix("+00:00") else {
        return text;
    };
    let utc = utc.replacen(' ', "T", 1);
    let (second, fraction) = utc.split_once('.').unwrap_or((&utc, ""));
    format!("{second}.{fraction:0<3}Z")
}

/// How a run ended, in words.
fn outcome(past: &PastRun) -> &'static str {
    // The text of an error begins with its kind.
    let error = past.error.as_deref().unwrap_or_default();
    let is = |kind: Kind| error.split(':').next() == Some(kind.name());
    match (&past.report, past.ended_ms) {
        (_, None) => "running or killed",
        (Some(report), _) => verdict(report),
        (None, _) if is(Kind::Guard) => "stopped by a guard",
        (None, _) if is(Kind::Interrupted) => "interrupted",
        (None, _) => "failed",
    }
}

/// The last line of a sync.
fn ending(report: &Report) -> String {
    let style = match report.exit_code() {
        0 => GOOD,
        5 => BAD,
        _ => WAITS,
    };
    paint(style.bold(), verdict(report))
}

/// How a sync ended, in words.
fn verdict(report: &Report) -> &'static str {
    match report.exit_code() {
        0 if report.certificate.is_some() => "equal",
        0 if report.stayed() > 0 => "nothing is parked any more; other differences were left",
        0 => "written, not verified",
        5 => "verification failed",
        _ => match (report.open_conflicts(), report.parked()) {
            (0, 0) if report.stayed() > 0 => "differences were left",
            (0, 0) if report.unbuilt() > 0 && report.equal => "indexes or constraints are missing",
            (0, 0) => "different",
            (0, _) => "parked records remain",
            (_, 0) => "open conflicts remain",
            _ => "open conflicts and parked records remain",
        },
    }
}

/// Says how many conflicts there were, and where they can be read. Their values stand nowhere else.
fn conflicts(report: &Report, out: &mut String) {
    if count_conflicts(report, out) == 0 {
        return;
    }
    let open = if report.open_conflicts() > 0 {
        " --open"
    } else {
        ""
    };
    say(
        out,
        format_args!(
            "  {} shows them",
            with_state(&format!("trueup conflicts list{open}"))
        ),
    );
}

fn count_conflicts(report: &Report, out: &mut String) -> u64 {
    let open = report.open_conflicts();
    let total: u64 = report.collections.iter().map(|one| one.conflicts).sum();
    if total > 0 {
        say(
            out,
            format_args!(
                "\n{} {total}, {open} of them open",
                paint(BAD, "conflicts:")
            ),
        );
    }
    total
}

fn parked(report: &Report, out: &mut String) {
    let total = report.parked();
    if total == 0 {
        return;
    }
    say(out, format_args!("\n{} {total}", paint(WAITS, "parked:")));
    let all = report
        .collections
        .iter()
        .flat_map(|one| one.parked.iter().map(move |parked| (one, parked)));
    for (one, parked) in all.take(PARKED_SHOWN_MAX) {
        let mut which = parked::key(parked);
        if let Some(place) = &parked.place {
            which.push_str(&format!(" {}", escape::line(&place.to_string())));
        }
        if let Some(field) = &parked.field {
            which.push_str(&format!(" field={}", escape::line(field)));
        }
        let reason = escape::line(&parked.reason);
        say(
            out,
            format_args!("  {} {which}: {reason}", name(&one.source, &one.target)),
        );
    }
    let more = total.saturating_sub(PARKED_SHOWN_MAX as u64);
    if more > 0 {
        say(out, format_args!("  ... and {more} more"));
    }
}

/// Lists what the user should know. `left`, the way of a run, adds records that only the target has and that stayed.
fn notes(report: &Report, left: Option<Way>, out: &mut String) {
    let mut lines: Vec<String> = report.notes.iter().map(|note| escape::line(note)).collect();
    for one in &report.collections {
        let name = name(&one.source, &one.target);
        lines.extend(
            one.notes
                .iter()
                .map(|note| format!("{name}: {}", escape::line(note))),
        );
        let stayed = stayed(one);
        if let Some(way) = left.filter(|_| stayed > 0) {
            let (was, them) = if stayed == 1 {
                ("was", "it")
            } else {
                ("were", "them")
            };
            let advice = if way.delete {
                String::new()
            } else if way.in_file {
                format!("; delete = true removes {them}")
            } else {
                format!("; --delete removes {them}")
            };
            lines.push(format!(
                "{name}: {} that only the target has {was} left{advice}",
                records(stayed)
            ));
        }
    }
    if lines.is_empty() {
        return;
    }
    say(out, format_args!("\n{}", paint(HEADING, "notes")));
    for line in lines.iter().take(NOTES_SHOWN_MAX) {
        let line = wrap(&format!("  {line}"), terminal::get().width, NOTE_INDENT);
        say(out, format_args!("{line}"));
    }
    if lines.len() > NOTES_SHOWN_MAX {
        let more = lines.len() - NOTES_SHOWN_MAX;
        say(out, format_args!("  ... and {more} more"));
    }
}

fn stayed(one: &CollectionReport) -> u64 {
    one.only_target.saturating_sub(one.deleted)
}

fn records(count: u64) -> String {
    let noun = if count == 1 { "record" } else { "records" };
    format!("{count} {noun}")
}

/// One name where both sides agree on it.
fn name(source: &str, target: &str) -> String {
    if source == target {
        escape::line(source)
    } else {
        format!("{} -> {}", escape::line(source), escape::line(target))
    }
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|&cell| cell.to_owned()).collect()
}

fn dash() -> String {
    "-".to_owned()
}

fn seconds(ms: i64) -> String {
    format!("{}.{}", ms.max(0) / 1000, ms.max(0) % 1000 / 100)
}

fn say(out: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(out, "{line}").expect("writing to a string cannot fail");
}
