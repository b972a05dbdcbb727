//! Results that are printed piece by piece, because together they can be larger than memory.

use super::{PLAN_BYTES, escape, json, raw, stdout, style, text};
use crate::conflict::Conflict;
use crate::terminal;
use trueup_core::Result;

/// A plan on its way out: printed piece by piece, because it can be larger than memory, or gathered for JSON.
#[derive(Debug)]
pub(crate) struct PlanText {
    gather: bool,
    text: String,
    /// How many actions of a collection are printed.
    shown_max: u64,
    /// How many of this one came so far.
    came: u64,
}

/// How many actions of a collection a person is shown on a terminal, where the first would be gone with the last.
const SHOWN_MAX: u64 = 1000;

impl PlanText {
    /// Starts a plan; `gather` keeps all of it.
    pub(crate) fn new(gather: bool) -> Self {
        let to_a_person = !gather && terminal::get().width.is_some();
        Self {
            gather,
            text: String::new(),
            shown_max: if to_a_person { SHOWN_MAX } else { u64::MAX },
            came: 0,
        }
    }

    /// Takes some lines.
    ///
    /// # Errors
    /// `Unavailable` when they cannot be written.
    pub(crate) fn push(&mut self, lines: &str) -> Result<()> {
        if !is_action(lines) {
            self.end_collection();
        } else if self.came < self.shown_max {
            self.came += 1;
        } else {
            self.came += 1;
            return Ok(());
        }
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
    pub(crate) fn finish(mut self) -> Result<Option<String>> {
        self.end_collection();
        if self.gather {
            return Ok(Some(self.text));
        }
        stdout(&style::plan(&escape::lines(&self.text)))?;
        Ok(None)
    }

    /// Says how many actions were not printed.
    fn end_collection(&mut self) {
        let more = self.came.saturating_sub(self.shown_max);
        if more > 0 {
            self.text.push_str(&format!(
                "  ... and {more} more: --json, or --dry-run into a file, has all\n"
            ));
        }
        self.came = 0;
    }
}

/// Tells whether a piece of a plan for people is the line of an action: those are told one by one, and indented.
fn is_action(lines: &str) -> bool {
    lines.starts_with("  ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_plan_is_cut_for_a_person_per_collection() {
        let mut plan = PlanText {
            gather: true,
            text: String::new(),
            shown_max: 2,
            came: 0,
        };
        for line in [
            "collection a: 3 to insert\n  create x\n",
            "  insert 1\n",
            "  insert 2\n",
            "  insert 3\n",
        ] {
            plan.push(line).unwrap();
        }
        for line in [
            "collection b: 2 to insert\n",
            "  insert 1\n",
            "  insert 2\n",
        ] {
            plan.push(line).unwrap();
        }
        for line in [
            "collection c: 4 to insert\n",
            "  insert 1\n",
            "  insert 2\n",
            "  insert 3\n",
            "  insert 4\n",
        ] {
            plan.push(line).unwrap();
        }
        let all = plan.finish().unwrap().unwrap();
        let expected = "\
collection a: 3 to insert
  create x
  insert 1
  insert 2
  ... and 1 more: --json, or --dry-run into a file, has all
collection b: 2 to insert
  insert 1
  insert 2
collection c: 4 to insert
  insert 1
  insert 2
  ... and 2 more: --json, or --dry-run into a file, has all
";
        assert_eq!(all, expected);
    }
}
