//! Results that are printed piece by piece, because together they can be larger than memory.

use super::{PLAN_BYTES, escape, json, raw, stdout, style, text};
use crate::conflict::Conflict;
use trueup_core::Result;

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
            stdout(&style::plan(&escape::lines(&self.text)))?;
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
        stdout(&style::plan(&escape::lines(&self.text)))?;
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
            raw(&self.json)?;
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
            return raw(&format!("{}]\n", self.json));
        }
        stdout(&text::conflicts::list(self.rows, self.open))
    }
}
