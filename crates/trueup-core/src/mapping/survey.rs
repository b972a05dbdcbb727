//! Everything that can be said about how two shapes meet, field by field, for a person who wants to know before a run.
//!
//! Building a mapping stops at the first thing that is wrong; a survey goes on and collects. Invariant, held by a
//! property test: it finds a problem exactly where building fails, and it says it in the same words.

use super::build::{
    key_names, key_positions, no_counterpart, permit, refuse_other_key, renamed, supplied_as,
};
use super::{Rules, shared};
use crate::error::{Error, Result};
use crate::lattice::{self, Fit};
use crate::schema::{Field, Schema};

/// How one field fares.
#[derive(Debug, Default)]
pub struct SurveyedField {
    /// The source's field, as an index into its schema; `None` where it has none.
    pub source: Option<usize>,
    /// The target's.
    pub target: Option<usize>,
    /// How the source's values fit the target, where they go there.
    pub fit: Option<Fit>,
    /// How the target's values fit the source, where they go there.
    pub back: Option<Fit>,
    /// What the user should know.
    pub note: Option<String>,
    /// Why this cannot be.
    pub problem: Option<Error>,
}

/// How two shapes meet.
#[derive(Debug, Default)]
pub struct Survey {
    /// The source's fields in its order, then what only the target has.
    pub fields: Vec<SurveyedField>,
    /// The link's key in the target's names, as far as anything says one.
    pub key: Vec<String>,
    /// What is wrong besides single fields.
    pub problems: Vec<Error>,
}

impl Survey {
    /// Surveys a link from `source` to `target`. Target fields in `computed` get a value by other means than the rules.
    pub fn one_way(source: &Schema, target: &Schema, rules: &Rules, computed: &[String]) -> Self {
        let mut survey = Self::default();
        for index in 0..source.fields.len() {
            survey.fields.push(forward(source, index, target, rules));
        }
        for (name, _) in &rules.constants {
            survey.fields.push(constant(name, target, rules));
        }
        survey.let_the_last_supply_win();
        survey.add_alone(target, |field| {
            let note = if computed.contains(&field.name) {
                "computed by an expression"
            } else if field.generated {
                "computed by the target: neither written nor compared"
            } else if field.nullable {
                "only at the target: left alone"
            } else {
                "only at the target: left alone; NULL is refused there, so that inserts need its default"
            };
            (Some(note.to_owned()), None)
        });
        let used = |field: &SurveyedField| {
            let expressed = |at: &usize| computed.contains(&target.fields[*at].name);
            field
                .target
                .filter(|at| field.fit.is_some() || expressed(at))
        };
        let key = survey.fields.iter().filter_map(used).collect::<Vec<_>>();
        survey.check_key(source, target, rules, &|names| {
            let known: Vec<&str> = key
                .iter()
                .map(|&at| target.fields[at].name.as_str())
                .collect();
            let positions = key_positions(names, &known)?;
            let ours = positions.iter().map(|&position| key[position]);
            refuse_other_key(ours.collect(), target, names, "the target")
        });
        if let Some(filter) = &rules.filter {
            let stray = filter
                .fields()
                .into_iter()
                .find(|name| source.index_of(name).is_none());
            survey
                .problems
                .extend(stray.map(super::build::stray_in_filter));
        }
        survey
    }

    /// Surveys a link that goes both ways.
    pub fn two_way(source: &Schema, target: &Schema, rules: &Rules) -> Self {
        let mut survey = Self::default();
        survey.problems.extend(shared::refuse_one_way(rules).err());
        let left_out = |field: &Field| {
            rules.drop.contains(&field.name) && source.index_of(&field.name).is_none()
        };
        let mut met = vec![false; target.fields.len()];
        for (index, field) in source.fields.iter().enumerate() {
            let at = target.index_of(renamed(&field.name, rules));
            let mut one = SurveyedField {
                source: Some(index),
                target: at,
                ..SurveyedField::default()
            };
            match at {
                _ if rules.drop.contains(&field.name) => one.note = Some(LEFT_OUT.to_owned()),
                Some(at) if left_out(&target.fields[at]) => one.note = Some(LEFT_OUT.to_owned()),
                None => (one.note, one.problem) = alone(field, target),
                Some(at) if met[at] => {
                    one.problem = Some(shared::met_twice(&target.fields[at]));
                }
                Some(at) => {
                    met[at] = true;
                    let other = &target.fields[at];
                    both_ways(&mut one, field, other, rules);
                    let key = source.key.contains(&index) || target.key.contains(&at);
                    if field.nullable != other.nullable && !key && one.note.is_none() {
                        one.note = Some(ONE_SIDE_NULL.to_owned());
                    }
                }
            }
            survey.fields.push(one);
        }
        survey.add_alone(target, |field| {
            if left_out(field) {
                return (Some(LEFT_OUT.to_owned()), None);
            }
            alone(field, source)
        });
        let pairs = survey.fields.iter().filter(|one| one.fit.is_some());
        let pairs: Vec<(usize, usize)> =
            pairs.filter_map(|one| one.source.zip(one.target)).collect();
        survey.check_key(source, target, rules, &|names| {
            two_way_key(source, target, names, &pairs)
        });
        survey
    }

    /// Tells whether anything is wrong.
    pub fn is_broken(&self) -> bool {
        !self.problems.is_empty() || self.fields.iter().any(|field| field.problem.is_some())
    }

    /// Where two rules supply one field, the later one does.
    fn let_the_last_supply_win(&mut self) {
        for at in (0..self.fields.len()).rev() {
            let (earlier, later) = self.fields.split_at_mut(at);
            let Some(winner) = later.first().filter(|one| one.fit.is_some()) else {
                continue;
            };
            for one in earlier.iter_mut().filter(|one| one.target == winner.target) {
                if one.fit.take().is_some() {
                    one.problem = None;
                    one.note = Some("replaced by another field or a constant".to_owned());
                }
            }
        }
    }

    /// Adds the target's fields that none of the source's met.
    fn add_alone(
        &mut self,
        target: &Schema,
        mut say: impl FnMut(&Field) -> (Option<String>, Option<Error>),
    ) {
        for (at, field) in target.fields.iter().enumerate() {
            if self.fields.iter().any(|one| one.target == Some(at)) {
                continue;
            }
            let (note, problem) = say(field);
            self.fields.push(SurveyedField {
                target: Some(at),
                note,
                problem,
                ..SurveyedField::default()
            });
        }
    }

    fn check_key(
        &mut self,
        source: &Schema,
        target: &Schema,
        rules: &Rules,
        judge: &dyn Fn(&[String]) -> Result<()>,
    ) {
        if rules.bag {
            return;
        }
        match key_names(source, target, rules) {
            Ok(names) => {
                self.problems.extend(judge(&names).err());
                self.key = names;
            }
            Err(error) => self.problems.push(error),
        }
    }
}

const LEFT_OUT: &str = "left out by a rule";
const ONE_SIDE_NULL: &str = "a record with NULL here is parked: one side does not allow it";

/// A field on its way to the target.
fn forward(source: &Schema, index: usize, target: &Schema, rules: &Rules) -> SurveyedField {
    let field = &source.fields[index];
    let name = renamed(&field.name, rules);
    let mut one = SurveyedField {
        source: Some(index),
        ..SurveyedField::default()
    };
    if rules.drop.contains(&field.name) {
        one.note = Some(LEFT_OUT.to_owned());
        return one;
    }
    one.target = target.index_of(name);
    let Some(at) = one.target else {
        one.problem = Some(no_counterpart(&field.name, name, target));
        return one;
    };
    let other = &target.fields[at];
    if other.generated {
        one.note = Some("computed by the target: neither written nor compared".to_owned());
        return one;
    }
    judge(&mut one, &supplied_as(field, rules).0, other, rules);
    // Of a key's NULL the same is true on every side.
    let key = source.key.contains(&index) || target.key.contains(&at);
    if field.nullable && !other.nullable && !key && one.problem.is_none() {
        one.note =
            Some("a record with NULL here is parked: the target does not allow it".to_owned());
    }
    one
}

fn constant(name: &str, target: &Schema, rules: &Rules) -> SurveyedField {
    let mut one = SurveyedField {
        target: target.index_of(name),
        ..SurveyedField::default()
    };
    match one.target {
        None => one.problem = Some(no_counterpart(name, name, target)),
        Some(at) => {
            judge(
                &mut one,
                &super::build::constant_field(name),
                &target.fields[at],
                rules,
            );
            one.note = Some("a constant".to_owned());
        }
    }
    one
}

fn judge(one: &mut SurveyedField, from: &Field, to: &Field, rules: &Rules) {
    one.fit = Some(lattice::fit(from, to));
    one.problem = permit(&to.name, from, to, rules.lossy.contains(&to.name)).err();
}

fn both_ways(one: &mut SurveyedField, field: &Field, other: &Field, rules: &Rules) {
    if field.generated || other.generated {
        one.note = Some("computed by an endpoint: neither written nor compared".to_owned());
        return;
    }
    let agreed = rules.lossy.contains(&field.name) || rules.lossy.contains(&other.name);
    one.fit = Some(lattice::fit(field, other));
    one.back = Some(lattice::fit(other, field));
    let there = permit(&field.name, field, other, agreed);
    one.problem = there
        .and_then(|_| permit(&other.name, other, field, agreed))
        .err();
}

fn alone(field: &Field, other: &Schema) -> (Option<String>, Option<Error>) {
    let mut notes = Vec::new();
    let problem = shared::alone(field, other, &mut notes).err();
    let note = problem
        .is_none()
        .then(|| "computed by an endpoint: neither written nor compared".to_owned());
    (note, problem)
}

fn two_way_key(
    source: &Schema,
    target: &Schema,
    names: &[String],
    pairs: &[(usize, usize)],
) -> Result<()> {
    let known: Vec<&str> = pairs
        .iter()
        .map(|&(_, at)| target.fields[at].name.as_str())
        .collect();
    let positions = key_positions(names, &known)?;
    let ours: Vec<(usize, usize)> = positions.iter().map(|&position| pairs[position]).collect();
    let (here, there): (Vec<usize>, Vec<usize>) = ours.iter().copied().unzip();
    refuse_other_key(here, source, names, "one side")?;
    refuse_other_key(there, target, names, "one side")?;
    for (from, to) in ours {
        shared::refuse_json_key(&source.fields[from], &target.fields[to])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
