//! Asks what the rules cannot decide by themselves: expressions, about one conflict at a time.
//!
//! `reconcile` is asked first; only where it leaves fields to an expression is the expression evaluated, and the question
//! put again with the answers. Expressions speak of the user's source and target.

use super::config::{ConflictRule, PolicySpec};
use super::expression::{Expression, Shape, Verdict};
use trueup_core::batch::Record;
use trueup_core::conflict::Ruling;
use trueup_core::policy::{Answer, Answers, Policy};
use trueup_core::side::{Side, Sides};
use trueup_core::types::Type;
use trueup_core::{Error, Result};

/// The expressions of one collection.
#[derive(Debug, Default)]
pub(super) struct Asked {
    record: Option<Expression>,
    fields: Vec<(usize, Expression)>,
}

/// What they said about one conflict.
#[derive(Debug, Default)]
pub(super) struct Said {
    record: Option<Side>,
    fields: Vec<(usize, Verdict)>,
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

    /// Asks about the fields that `ruling` leaves to an expression; `None` when there is none. `user` says what the user
    /// calls each side.
    pub(super) fn ask(
        &self,
        ruling: &Ruling,
        records: &Sides<Option<Record<'_>>>,
        user: &Sides<Side>,
    ) -> Option<Said> {
        let left = |field: usize| {
            let mut rulings = ruling.fields.iter();
            rulings.any(|one| one.field == field && one.policy == Some(Policy::Expression))
        };
        let theirs = Sides::by(|side| records[user[side]]);
        let mut said = Said::default();
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
            && let Verdict::Side(side) = expression.evaluate(&theirs)
        {
            said.record = Some(user[side]);
        }
        (said.record.is_some() || !said.fields.is_empty()).then_some(said)
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
