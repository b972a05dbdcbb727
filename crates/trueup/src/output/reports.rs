//! The links of a file on their way out, one after the other as they end.
//!
//! For people each link is what `sync` would print, below its name. As JSON it is one array, printed piece by piece: what
//! is done is told though the next link takes hours.

use super::style::{HEADING, paint};
use super::{PlanReport, Way, complain, escape, json, raw, stderr, stdout, text};
use crate::terminal;
use trueup_core::{Error, Result};
use trueup_engine::Report;
use trueup_engine::check::CheckReport;

/// Prints what became of links.
#[derive(Debug)]
pub(crate) struct ReportList {
    as_json: bool,
    /// How many links were printed.
    count: usize,
}

impl ReportList {
    /// Starts a list.
    pub(crate) fn new(as_json: bool) -> Self {
        Self { as_json, count: 0 }
    }

    /// Says which link comes now.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be written.
    pub(crate) fn begin(&mut self, name: &str) -> Result<()> {
        if self.as_json {
            return Ok(());
        }
        let gap = if self.count > 0 { "\n" } else { "" };
        let name = paint(HEADING, &format!("[{}]", escape::line(name)));
        stdout(&format!("{gap}{name}\n"))
    }

    /// Prints what a run did, or what it would do.
    ///
    /// # Errors
    /// As [`ReportList::begin`].
    pub(crate) fn push(
        &mut self,
        name: &str,
        report: &Report,
        way: Way,
        plan: PlanReport<'_>,
    ) -> Result<()> {
        if self.as_json {
            let plan = match plan {
                PlanReport::Planned(plan) => plan,
                PlanReport::Done => None,
            };
            return self.object(&json::named_report(name, report, plan)?);
        }
        self.count += 1;
        match plan {
            PlanReport::Done => stdout(&text::synced(report, way)),
            PlanReport::Planned(_) => {
                stderr(&text::planned(report));
                Ok(())
            }
        }
    }

    /// Prints what a verification found.
    ///
    /// # Errors
    /// As [`ReportList::begin`].
    pub(crate) fn verified(&mut self, name: &str, report: &Report) -> Result<()> {
        if self.as_json {
            return self.object(&json::named_report(name, report, None)?);
        }
        self.count += 1;
        stdout(&text::verified(report))
    }

    /// Prints what a check found.
    ///
    /// # Errors
    /// As [`ReportList::begin`].
    pub(crate) fn checked(&mut self, name: &str, report: &CheckReport) -> Result<()> {
        if self.as_json {
            return self.object(&json::check::link(report, Some(name))?);
        }
        self.count += 1;
        stdout(&text::check::link(report, terminal::get().verbose))
    }

    /// Prints why a link failed: for people always, and as an object where JSON is wanted.
    ///
    /// # Errors
    /// As [`ReportList::begin`].
    pub(crate) fn fail(&mut self, name: &str, error: &Error) -> Result<()> {
        complain(error);
        if !self.as_json {
            self.count += 1;
            return Ok(());
        }
        let kind = error.kind().name();
        let object = json::named_failure(
            name,
            kind,
            error.message(),
            error.advice(),
            error.reported(),
        );
        self.object(&object)
    }

    /// Ends the list.
    ///
    /// # Errors
    /// As [`ReportList::begin`].
    pub(crate) fn finish(self) -> Result<()> {
        match (self.as_json, self.count) {
            (false, _) => Ok(()),
            (true, 0) => raw("[]\n"),
            (true, _) => raw("]\n"),
        }
    }

    fn object(&mut self, object: &str) -> Result<()> {
        let before = if self.count == 0 { "[" } else { "," };
        self.count += 1;
        raw(&format!("{before}{object}"))
    }
}
