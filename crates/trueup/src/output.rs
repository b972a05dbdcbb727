//! The only place that prints: results to standard output, errors and progress to standard error.
//!
//! Invariant: whatever comes from outside (names, messages, plans) is escaped before it reaches a terminal; JSON
//! escapes it by its own rules. A reader that went away (`trueup diff ... | head`) is not an error: the rest is
//! dropped and the exit code stays what it was. What is said is composed in [`text`] and [`json`].

mod escape;
mod json;
mod reports;
mod sink;
mod text;

pub(crate) use reports::ReportList;
pub(crate) use sink::Sink;

use crate::conflict::Conflict;
use crate::status::Standing;
use std::error::Error as _;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use trueup_core::{Error, Kind, Result};
use trueup_engine::check::CheckReport;
use trueup_engine::state::{ParkedRecord, PastRun};
use trueup_engine::{Certificate, Found, Report, Shape};

/// How much of a plan is gathered before it is written.
const PLAN_BYTES: usize = 64 << 10;
/// How many causes of an error are shown.
const CAUSES_MAX: usize = 8;

/// Prints what a sync did; with `two_way`, what it did to each side.
pub(crate) fn synced(report: &Report, two_way: bool, as_json: bool) -> Result<()> {
    if as_json {
        stdout(&json::report(report, None)?)
    } else {
        stdout(&text::synced(report, two_way))
    }
}

/// Prints what a sync did whose records went to standard output.
pub(crate) fn synced_aside(report: &Report) {
    stderr(&text::synced(report, false));
}

/// Prints what a compare found.
pub(crate) fn compared(report: &Report, as_json: bool) -> Result<()> {
    if as_json {
        stdout(&json::report(report, None)?)
    } else {
        stdout(&text::compared(report))
    }
}

/// Prints what a compare found to standard error: standard output is taken by the differences themselves.
pub(crate) fn compared_aside(report: &Report, as_json: bool) -> Result<()> {
    stderr(&if as_json {
        json::report(report, None)?
    } else {
        text::compared(report)
    });
    Ok(())
}

/// Prints what a plan in a file holds.
pub(crate) fn plan_written(report: &Report, path: &Path, as_json: bool) -> Result<()> {
    if as_json {
        stdout(&json::report(report, None)?)
    } else {
        stdout(&text::selected::plan_written(report, path))
    }
}

/// Prints the parked records of all links.
pub(crate) fn parked_list(records: &[ParkedRecord], as_json: bool) -> Result<()> {
    if as_json {
        stdout(&json::parked::list(records)?)
    } else {
        stdout(&text::parked::list(records))
    }
}

/// Prints some parked records, each in full.
pub(crate) fn parked_shown(records: &[ParkedRecord], as_json: bool) -> Result<()> {
    if as_json {
        stdout(&json::parked::list(records)?)
    } else {
        stdout(&text::parked::show(records))
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
        stdout(&json::report(report, None)?)
    } else {
        stdout(&text::verified(report))
    }
}

/// Prints the schema of configuration files.
pub(crate) fn schema(schema: &serde_json::Value) -> Result<()> {
    stdout(&format!("{schema:#}\n"))
}

/// Prints what a dry run found. For people the plan is out already: standard output stays the plan and nothing else.
pub(crate) fn planned(report: &Report, plan: Option<&str>) -> Result<()> {
    match plan {
        Some(plan) => stdout(&json::report(report, Some(plan))?),
        None => {
            stderr(&text::planned(report));
            Ok(())
        }
    }
}

/// Prints past runs.
pub(crate) fn runs(runs: &[PastRun], as_json: bool) -> Result<()> {
    if as_json {
        stdout(&json::runs(runs)?)
    } else {
        stdout(&text::runs(runs))
    }
}

/// Prints one certificate.
pub(crate) fn certificate(certificate: &Certificate, as_json: bool) -> Result<()> {
    if as_json {
        stdout(&json::certificate(certificate)?)
    } else {
        stdout(&text::certificate::alone(certificate))
    }
}

/// Prints one conflict.
pub(crate) fn conflict(conflict: &Conflict, as_json: bool) -> Result<()> {
    if as_json {
        stdout(&json::conflicts::show(conflict)?)
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
        stdout(&json::check::link(report, None)?)
    } else {
        stdout(&text::check::link(report))
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
pub(crate) fn links(links: &[Standing], as_json: bool) -> Result<()> {
    if as_json {
        stdout(&json::status::links(links)?)
    } else {
        stdout(&text::status::links(links))
    }
}

/// Prints that a link was forgotten.
pub(crate) fn forgotten(link: &Standing) -> Result<()> {
    stdout(&text::status::forgotten(link))
}

/// Prints an error: for people always, and as an object where JSON is wanted.
pub(crate) fn failure(error: &Error, as_json: bool) {
    stderr(&describe(error));
    if as_json {
        // Standard output may be what failed.
        drop(stdout(&json::failure(
            error.kind().name(),
            error.message(),
            error.advice(),
        )));
    }
}

/// Prints what is wrong with the arguments.
pub(crate) fn usage(complaint: &str, as_json: bool) {
    stderr(&escape::lines(complaint));
    if as_json {
        let message = first_paragraph(complaint);
        let hint = "trueup --help shows what can be said";
        drop(stdout(&json::failure(
            Kind::Config.name(),
            &message,
            Some(hint),
        )));
    }
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
    stderr(&format!("{}\n", escape::line(line)));
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
        stderr(&format!("error[bug]: panic at {}\n", escape::line(&place)));
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

/// A plan on its way out: printed piece by piece, because it can be larger than memory, or gathered for JSON.
#[derive(Debug)]
pub(crate) struct PlanText {
    gather: bool,
    text: String,
}

impl PlanText {
    /// Starts a plan; `gather` keeps all of it.
    pub(crate) fn new(gather: bool) -> Self {
        Self {
            gather,
            text: String::new(),
        }
    }

    /// Takes some lines.
    ///
    /// # Errors
    /// `Unavailable` when they cannot be written.
    pub(crate) fn push(&mut self, lines: &str) -> Result<()> {
        self.text.push_str(lines);
        if !self.gather && self.text.len() >= PLAN_BYTES {
            stdout(&escape::lines(&self.text))?;
            self.text.clear();
        }
        Ok(())
    }

    /// Writes the rest, or returns the whole.
    ///
    /// # Errors
    /// As [`PlanText::push`].
    pub(crate) fn finish(self) -> Result<Option<String>> {
        if self.gather {
            return Ok(Some(self.text));
        }
        stdout(&escape::lines(&self.text))?;
        Ok(None)
    }
}

/// Conflicts on their way out: as JSON they are printed piece by piece, because together they can be larger than
/// memory; a table has to be known whole, but holds no records.
#[derive(Debug)]
pub(crate) struct ConflictList {
    open: bool,
    as_json: bool,
    json: String,
    rows: Vec<Vec<String>>,
}

impl ConflictList {
    /// Starts a list; with `open`, it is one of the open ones.
    pub(crate) fn new(open: bool, as_json: bool) -> Self {
        Self {
            open,
            as_json,
            json: "[".to_owned(),
            rows: Vec::new(),
        }
    }

    /// Takes the next one.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be written.
    pub(crate) fn push(&mut self, conflict: &Conflict) -> Result<()> {
        self.rows.push(if self.as_json {
            Vec::new()
        } else {
            text::conflicts::cells(conflict)
        });
        if !self.as_json {
            return Ok(());
        }
        if self.rows.len() > 1 {
            self.json.push(',');
        }
        self.json
            .push_str(json::conflicts::show(conflict)?.trim_end());
        if self.json.len() >= PLAN_BYTES {
            stdout(&self.json)?;
            self.json.clear();
        }
        Ok(())
    }

    /// Writes the rest.
    ///
    /// # Errors
    /// As [`ConflictList::push`].
    pub(crate) fn finish(self) -> Result<()> {
        if self.as_json {
            return stdout(&format!("{}]\n", self.json));
        }
        stdout(&text::conflicts::list(self.rows, self.open))
    }
}

/// An error for people: the message, its causes, and what to do.
///
/// A message of several lines quotes what somebody wrote, with a mark below it. Each further line has a bar before it, so
/// that none can be taken for another part of the error; but for those that were drawn with a bar of their own.
fn describe(error: &Error) -> String {
    let message = escape::lines(error.message());
    let mut message = message.lines();
    let first = message.next().unwrap_or_default();
    let mut lines = format!("error[{}]: {first}\n", error.kind().name());
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
        lines.push_str(&format!("  hint: {}\n", escape::line(hint)));
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

fn stdout(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    write(&mut out, text)
}

/// Writes all of `text`, unless nobody reads any more.
fn write(out: &mut dyn Write, text: &str) -> Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::new(
            Kind::Unavailable,
            "cannot write to standard output",
        )
        .hint("what the run did stands in the history; the rest of the output is lost")
        .cause(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes to standard error. A failure there can be told to nobody.
fn stderr(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests;
