//! The only place that prints: results to standard output, errors and progress to standard error.
//!
//! Invariant: whatever comes from outside (names, messages, plans) is escaped before it reaches a terminal; JSON
//! escapes it by its own rules. A reader that went away (`trueup diff ... | head`) is not an error: the rest is
//! dropped and the exit code stays what it was. What is said is composed in [`text`] and [`json`].

mod escape;
mod json;
mod pieces;
mod reports;
mod sink;
mod state;
mod style;
mod table;
mod text;
mod wrap;

pub(crate) use pieces::{ConflictList, PlanText};
pub(crate) use reports::ReportList;
pub(crate) use sink::Sink;
pub(crate) use state::{set_state_words, with_state};
pub(crate) use style::HELP;
pub(crate) use text::moment;

use crate::conflict::Conflict;
use crate::log::{self, Entry, Level};
use crate::parked::Again;
use crate::status::{Listed, Standing};
use crate::terminal;
use std::borrow::Cow;
use std::error::Error as _;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use style::{ADVICE, BAD, HEADING, WAITS, paint};
use trueup_core::{Error, Kind, Result};
use trueup_engine::check::CheckReport;
use trueup_engine::state::{ParkedRecord, PastRun};
use trueup_engine::{Certificate, Found, Report, Shape};

/// How much of a plan is gathered before it is written.
const PLAN_BYTES: usize = 64 << 10;
/// How far in the further lines of a note begin.
const NOTE_INDENT: usize = 4;
/// How many causes of an error are shown.
const CAUSES_MAX: usize = 8;

/// Which way a run went, and whether it was to delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    /// Changes went both ways.
    pub(crate) two_way: bool,
    /// Records that the source does not have were to be deleted, or deletes were no part of it.
    pub(crate) delete: bool,
    /// The link stands in a configuration file: options of `sync` do not fit it.
    pub(crate) in_file: bool,
}

/// Prints what a sync did; both ways, what it did to each side.
pub(crate) fn synced(report: &Report, way: Way, as_json: bool) -> Result<()> {
    if as_json {
        raw(&json::report(report, None)?)
    } else {
        stdout(&text::synced(report, way))
    }
}

/// Prints what a sync did whose records went to standard output.
pub(crate) fn synced_aside(report: &Report, way: Way) {
    stderr(&text::synced(report, way));
}

/// Prints what a compare found.
pub(crate) fn compared(report: &Report, as_json: bool) -> Result<()> {
    if as_json {
        raw(&json::report(report, None)?)
    } else {
        stdout(&text::compared(report))
    }
}

/// Prints what a compare found to standard error: standard output is taken by the differences themselves.
pub(crate) fn compared_aside(report: &Report, as_json: bool) -> Result<()> {
    if as_json {
        let report = json::report(report, None)?;
        terminal::get().suspend(|| say(&report));
    } else {
        stderr(&text::compared(report));
    }
    Ok(())
}

/// Prints what a plan in a file holds.
pub(crate) fn plan_written(report: &Report, path: &Path, as_json: bool) -> Result<()> {
    if as_json {
        raw(&json::report(report, None)?)
    } else {
        stdout(&text::selected::plan_written(report, path))
    }
}

/// Prints the parked records of all links.
pub(crate) fn parked_list(records: &[ParkedRecord], again: &[Again], as_json: bool) -> Result<()> {
    if as_json {
        raw(&json::parked::list(records)?)
    } else {
        stdout(&text::parked::list(records, again))
    }
}

/// Prints some parked records, each in full.
pub(crate) fn parked_shown(records: &[ParkedRecord], again: &[Again], as_json: bool) -> Result<()> {
    if as_json {
        raw(&json::parked::list(records)?)
    } else {
        stdout(&text::parked::show(records, again))
    }
}

/// Spells the first line of a list of differences.
pub(crate) fn diff_header(link: &str, shapes: &[Shape]) -> Result<String> {
    json::diff::header(link, shapes)
}

/// Spells one difference.
pub(crate) fn diff_line(shape: &Shape, found: &Found<'_>, values: bool) -> Result<String> {
    json::diff::difference(shape, found, values)
}

/// Prints what a verification by itself found.
pub(crate) fn verified(report: &Report, as_json: bool) -> Result<()> {
    if as_json {
        raw(&json::report(report, None)?)
    } else {
        stdout(&text::verified(report))
    }
}

/// Prints the schema of configuration files.
pub(crate) fn schema(schema: &serde_json::Value) -> Result<()> {
    raw(&format!("{schema:#}\n"))
}

/// Prints what a dry run found. For people the plan is out already: standard output stays the plan and nothing else.
pub(crate) fn planned(report: &Report, plan: Option<&str>) -> Result<()> {
    match plan {
        Some(plan) => raw(&json::report(report, Some(plan))?),
        None => {
            stderr(&text::planned(report));
            Ok(())
        }
    }
}

/// Prints past runs.
pub(crate) fn runs(runs: &[PastRun], as_json: bool) -> Result<()> {
    if as_json {
        raw(&json::runs(runs)?)
    } else {
        stdout(&text::runs(runs))
    }
}

/// Prints one certificate.
pub(crate) fn certificate(certificate: &Certificate, as_json: bool) -> Result<()> {
    if as_json {
        raw(&json::certificate(certificate)?)
    } else {
        stdout(&text::certificate::alone(certificate))
    }
}

/// Prints one conflict.
pub(crate) fn conflict(conflict: &Conflict, as_json: bool) -> Result<()> {
    if as_json {
        raw(&json::conflicts::show(conflict)?)
    } else {
        stdout(&text::conflicts::show(conflict))
    }
}

/// Prints that a person's answer was recorded.
pub(crate) fn answered(conflict: &Conflict) -> Result<()> {
    stdout(&text::conflicts::answered(conflict))
}

/// Prints what a check found.
pub(crate) fn checked(report: &CheckReport, as_json: bool) -> Result<()> {
    if as_json {
        raw(&json::check::link(report, None)?)
    } else {
        stdout(&text::check::link(report, terminal::get().verbose))
    }
}

/// Prints what was written, and what to do next.
pub(crate) fn initialised(text: &str) -> Result<()> {
    stdout(&escape::lines(text))
}

/// Shows a question, and stays on its line.
pub(crate) fn prompt(text: &str) {
    stderr(&escape::lines(text));
}

/// Prints how links stand.
pub(crate) fn links(listed: &Listed, as_json: bool) -> Result<()> {
    if as_json {
        raw(&json::status::links(listed)?)
    } else {
        stdout(&text::status::links(listed))
    }
}

/// Prints that a link was forgotten.
pub(crate) fn forgotten(link: &Standing) -> Result<()> {
    stdout(&text::status::forgotten(link))
}

/// Prints an error: for people or the log always, and as an object where JSON is wanted.
pub(crate) fn failure(error: &Error, as_json: bool) {
    complain(error);
    if as_json {
        // Standard output may be what failed.
        drop(raw(&json::failure(
            error.kind().name(),
            error.message(),
            error.advice(),
            error.reported(),
        )));
    }
}

/// Prints an error for people, or to the log; the records it is about stand below it, where somebody looks on or asked for
/// more: what is caught in a file is a log, and has no values.
fn complain(error: &Error) {
    let entry = Entry {
        level: Level::Error,
        event: "error",
        kind: Some(error.kind().name()),
        message: Some(error.message()),
        hint: error.advice(),
        ..Entry::default()
    };
    let terminal = terminal::get();
    let watched = terminal.watched || terminal.verbose;
    let lines = error.reported().filter(|_| !terminal.json);
    let mut told = describe(error);
    if lines.is_some() && !watched {
        let more = paint(ADVICE, "more:");
        told.push_str(&format!("  {more} --verbose shows some of the keys\n"));
    }
    log::tell(&entry, &told);
    if let Some(lines) = lines.filter(|_| watched) {
        stderr(&escape::lines(lines));
    }
}

/// Prints what is wrong with the arguments.
pub(crate) fn usage(complaint: &str, as_json: bool) {
    let message = first_paragraph(complaint);
    let hint = "trueup --help shows what can be said";
    let entry = Entry {
        level: Level::Error,
        event: "error",
        kind: Some(Kind::Config.name()),
        message: Some(&message),
        hint: Some(hint),
        ..Entry::default()
    };
    log::tell(&entry, &painted(&escape::lines(complaint)));
    if as_json {
        drop(raw(&json::failure(
            Kind::Config.name(),
            &message,
            Some(hint),
            None,
        )));
    }
}

/// Paints the words that begin the lines of a complaint.
fn painted(complaint: &str) -> String {
    let mut out = String::new();
    for line in complaint.split_inclusive('\n') {
        let words = [
            ("error:", BAD.bold()),
            ("Usage:", HEADING),
            ("  tip:", ADVICE),
        ];
        let found = words.into_iter().find(|(word, _)| line.starts_with(word));
        match found {
            Some((word, style)) => {
                out.push_str(&paint(style, word));
                out.push_str(&line[word.len()..]);
            }
            None => out.push_str(line),
        }
    }
    out
}

/// What is wrong, without the usage that follows it.
fn first_paragraph(complaint: &str) -> String {
    let lines = complaint.lines().map(str::trim);
    let lines: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    let message = lines.join(" ");
    message
        .strip_prefix("error: ")
        .map_or_else(|| message.clone(), str::to_owned)
}

/// Prints help or the version.
pub(crate) fn help(text: &str) {
    drop(stdout(text));
}

/// Prints one line of progress.
pub(crate) fn progress(line: &str) {
    let line = escape::line(line);
    let line = match line.strip_prefix("note:") {
        Some(rest) => {
            let note = format!("{}{rest}", paint(WAITS, "note:"));
            wrap::wrap(&note, terminal::get().width_err, NOTE_INDENT)
        }
        None => line,
    };
    stderr(&format!("{line}\n"));
}

/// Prints a complaint: lines that were escaped and painted.
pub(crate) fn complaint(text: &str) {
    stderr(text);
}

/// Prints one object of the log.
pub(crate) fn log(object: &str) {
    terminal::get().suspend(|| say(&format!("{object}\n")));
}

/// Says that the run was asked to stop and is about to.
pub(crate) fn stopping() {
    let text =
        "stopping at the end of this batch; press Ctrl-C again to end at once, which is safe too";
    let entry = Entry {
        level: Level::Warn,
        event: "stopping",
        message: Some(text),
        ..Entry::default()
    };
    log::tell(&entry, text);
}

/// Prints a page of a document.
pub(crate) fn page(text: &str) -> Result<()> {
    stdout(text)
}

/// Returns `text` as a heading of such a page.
pub(crate) fn heading(text: &str) -> String {
    paint(HEADING, text)
}

/// Prints what a program reads: a script, a manual page.
pub(crate) fn source(text: &[u8]) -> Result<()> {
    terminal::get().suspend(|| write(&mut io::stdout().lock(), text))
}

/// Escapes what a bar shows.
pub(crate) fn safe(text: &str) -> String {
    escape::line(text)
}

/// Makes panics say where, and not what: a message could hold a value.
pub(crate) fn hide_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let place = place.unwrap_or_else(|| "an unknown place".to_owned());
        // Past the bars: the panic may have come out of drawing them.
        let place = escape::line(&place);
        say(&if terminal::get().json {
            let message = format!("panic at {place}");
            let entry = Entry {
                level: Level::Error,
                event: "panic",
                kind: Some(Kind::Bug.name()),
                message: Some(&message),
                ..Entry::default()
            };
            format!("{}\n", log::object(&entry))
        } else {
            format!("error[bug]: panic at {place}\n")
        });
    }));
}

/// What there is to say of a link besides its report.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PlanReport<'a> {
    /// It was carried out.
    Done,
    /// It was only planned; the plan, where JSON is wanted. For people it is out already.
    Planned(Option<&'a str>),
}

/// An error for people: the message, its causes, and what to do.
///
/// A message of several lines quotes what somebody wrote, with a mark below it. Each further line has a bar before it, so
/// that none can be taken for another part of the error; but for those that were drawn with a bar of their own.
fn describe(error: &Error) -> String {
    let message = escape::lines(error.message());
    let mut message = message.lines();
    let first = message.next().unwrap_or_default();
    let begin = paint(BAD.bold(), &format!("error[{}]:", error.kind().name()));
    let mut lines = format!("{begin} {first}\n");
    for line in message {
        let bar = if is_drawn(line) { "  " } else { "  | " };
        lines.push_str(&format!("{bar}{line}\n"));
    }
    let mut cause = error.source();
    for _ in 0..CAUSES_MAX {
        let Some(shown) = cause else { break };
        lines.push_str(&format!(
            "  because: {}\n",
            escape::line(&shown.to_string())
        ));
        cause = shown.source();
    }
    if let Some(hint) = error.advice() {
        let begin = paint(ADVICE, "hint:");
        lines.push_str(&format!("  {begin} {}\n", escape::line(hint)));
    }
    if terminal::get().verbose {
        let begin = paint(ADVICE, "more:");
        lines.push_str(&format!(
            "  {begin} trueup explain {}\n",
            error.kind().name()
        ));
    }
    lines
}

/// Tells whether a line shows by itself that it belongs to a drawing: by its arrow, bar or sign, after spaces and the
/// number of a line.
fn is_drawn(line: &str) -> bool {
    let line = line.trim_start_matches(|ch: char| ch == ' ' || ch.is_ascii_digit());
    ["--> ", "|", "= "]
        .iter()
        .any(|sign| line.starts_with(sign))
}

/// Writes text for people.
fn stdout(text: &str) -> Result<()> {
    let terminal = terminal::get();
    let text = colored(text, terminal.color_out);
    terminal.suspend(|| write(&mut io::stdout().lock(), text.as_bytes()))
}

/// Writes JSON, which escapes by its own rules and has no colour.
fn raw(text: &str) -> Result<()> {
    terminal::get().suspend(|| write(&mut io::stdout().lock(), text.as_bytes()))
}

fn colored(text: &str, wanted: bool) -> Cow<'_, str> {
    if wanted {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(style::plain(text))
    }
}

/// Writes all of `text`, unless nobody reads any more.
fn write(out: &mut dyn Write, text: &[u8]) -> Result<()> {
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::new(
            Kind::Unavailable,
            "cannot write to standard output",
        )
        .hint("what the run did stands in the history; the rest of the output is lost")
        .cause(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn stderr(text: &str) {
    let terminal = terminal::get();
    let text = colored(text, terminal.color_err);
    terminal.suspend(|| say(&text));
}

/// Writes to standard error. A failure there can be told to nobody.
fn say(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests;
