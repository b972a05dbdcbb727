//! Asks what the rules cannot decide by themselves: expressions and the merge program, about one conflict at a time.
//!
//! `reconcile` is asked first; only where it leaves fields to an expression or to merging are they asked, and the question
//! put again with the answers. Expressions speak of the user's source and target.

use super::config::{ConflictRule, PolicySpec};
use super::expression::{Expression, Shape, Verdict};
use super::kept::Merging;
use trueup_core::base::Present;
use trueup_core::batch::{Batch, Record};
use trueup_core::conflict::Ruling;
use trueup_core::policy::{Answer, Answers, Policy};
use trueup_core::side::{Side, Sides};
use trueup_core::types::Type;
use trueup_core::{Error, Result};

/// How many fields one reason names.
const REASONS_MAX: usize = 8;

/// The expressions of one collection, and its fields that are merged.
#[derive(Debug, Default)]
pub(super) struct Asked {
    record: Option<Expression>,
    fields: Vec<(usize, Expression)>,
    pub(super) merging: Merging,
    /// The fields' names, as the user's source calls them.
    names: Vec<String>,
}

/// What they said about one conflict.
#[derive(Debug, Default)]
pub(super) struct Said {
    record: Option<Side>,
    fields: Vec<(usize, Verdict)>,
    /// Why the rule for whole records did not decide.
    undecided: Option<String>,
}

impl Asked {
    /// Checks the expressions of a collection: the rule for whole records, and those of single fields.
    ///
    /// # Errors
    /// `Config`, with the position in the expression.
    pub(super) fn compile(
        whole: &PolicySpec,
        fields: &[(usize, &ConflictRule)],
        names: &[&str],
        types: &[Type],
        key: &[usize],
    ) -> Result<Self> {
        let shape = Shape { names, types, key };
        let mut asked = Self::default();
        if let PolicySpec::Expression(text) = whole {
            let compiled = Expression::compile(text, &shape, None);
            asked.record = Some(compiled.map_err(|error: Error| error.at("on_conflict"))?);
        }
        for (field, rule) in fields {
            if let PolicySpec::Expression(text) = &rule.policy {
                let place = format!("on_conflict field={}", names[*field]);
                let compiled = Expression::compile(text, &shape, Some(*field));
                let compiled = compiled.map_err(|error: Error| error.at(place))?;
                asked.fields.push((*field, compiled));
            }
        }
        Ok(asked)
    }

    /// Adds the fields that are merged, in a collection with fields of these names.
    pub(super) fn merging(self, merging: Merging, names: &[&str]) -> Self {
        Self {
            merging,
            names: names.iter().map(|&name| name.to_owned()).collect(),
            ..self
        }
    }

    /// Asks about the fields that `ruling` leaves to an expression or to merging; `None` when there is none. `user` says
    /// what the user calls each side, `agreed` what was kept of the record that both agreed on.
    pub(super) fn ask(
        &self,
        ruling: &Ruling,
        records: &Sides<Option<Record<'_>>>,
        user: &Sides<Side>,
        agreed: Option<(&Batch, &Present)>,
    ) -> Option<Said> {
        let left = |field: usize| {
            let mut rulings = ruling.fields.iter();
            rulings.any(|one| one.field == field && one.policy == Some(Policy::Expression))
        };
        let theirs = Sides::by(|side| records[user[side]]);
        let mut said = Said {
            fields: self.merging.ask(ruling, records, agreed),
            ..Said::default()
        };
        for (field, expression) in self.fields.iter().filter(|(field, _)| left(*field)) {
            let verdict = match expression.evaluate(&theirs) {
                Verdict::Side(side) => Verdict::Side(user[side]),
                verdict => verdict,
            };
            said.fields.push((*field, verdict));
        }
        let of_record = |field: usize| left(field) && !self.fields.iter().any(|(f, _)| *f == field);
        if let Some(expression) = &self.record
            && ruling.fields.iter().any(|one| of_record(one.field))
        {
            match expression.evaluate(&theirs) {
                Verdict::Side(side) => said.record = Some(user[side]),
                verdict => said.undecided = verdict.note().map(str::to_owned),
            }
        }
        let nothing = said.record.is_none() && said.fields.is_empty() && said.undecided.is_none();
        (!nothing).then_some(said)
    }

    /// Returns why what was `said` leaves the conflict open, where it says why.
    pub(super) fn reason(&self, said: &Said) -> Option<String> {
        let of_field = |(field, verdict): &(usize, Verdict)| {
            let name = self.names.get(*field).map_or("", String::as_str);
            verdict.note().map(|note| format!("field={name}: {note}"))
        };
        let fields = said.fields.iter().filter_map(of_field);
        let all: Vec<String> = said.undecided.clone().into_iter().chain(fields).collect();
        let more = all.len().saturating_sub(REASONS_MAX);
        let mut text = all
            .into_iter()
            .take(REASONS_MAX)
            .collect::<Vec<_>>()
            .join("; ");
        if more > 0 {
            text += &format!("; and {more} more");
        }
        Some(text).filter(|text| !text.is_empty())
    }
}

impl Said {
    /// Returns the answers by field.
    pub(super) fn fields(&self) -> Vec<(usize, Answer<'_>)> {
        let fields = self.fields.iter();
        fields
            .map(|(field, verdict)| (*field, verdict.answer()))
            .collect()
    }

    /// Returns all answers, `fields` being those of [`Said::fields`].
    pub(super) fn answers<'a>(&self, fields: &'a [(usize, Answer<'a>)]) -> Answers<'a> {
        Answers {
            record: self.record,
            fields,
        }
    }
}
