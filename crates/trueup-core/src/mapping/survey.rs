//! Everything that can be said about how two shapes meet, field by field, for a person who wants to know before a run.
//!
//! Building a mapping stops at the first thing that is wrong; a survey goes on and collects. Invariant, held by a
//! property test: it finds a problem exactly where building fails, and it says it in the same words.

use super::build::{
    self, Place, Supply, is_read, key_names, key_positions, permit, refuse_other_key, renamed,
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
    /// Surveys a link from `source` to `target`.
    pub fn one_way(source: &Schema, target: &Schema, rules: &Rules) -> Self {
        let mut survey = Self::default();
        let mut found: Vec<(Place, Error)> = Vec::new();
        let mut wrong = |place, error| {
            found.push((place, error));
            Ok(())
        };
        // Nothing ends what only collects.
        let strangers = build::refuse_strangers(source, target, rules, &mut wrong);
        let pairs = build::pair(source, target, rules, &mut Vec::new(), &mut wrong);
        survey.problems.extend(strangers.err());
        let mut pairs = pairs.unwrap_or_default();
        for index in 0..source.fields.len() {
            let mut one = forward(source, index, target, rules, &mut pairs);
            if one.problem.is_none() {
                let mine = found
                    .iter()
                    .position(|(place, _)| place.source == Some(index));
                one.problem = mine.map(|at| found.remove(at).1);
            }
            survey.fields.push(one);
        }
        survey.problems.extend(found.into_iter().map(|(_, e)| e));
        for (at, supply) in pairs.iter().enumerate() {
            let Some(supply) = supply else { continue };
            let mut one = SurveyedField::default();
            judge(&mut one, supply, source, (target, at), rules);
            one.note = Some(match supply {
                Supply::Constant(..) => "a constant".to_owned(),
                Supply::Field(..) | Supply::Computed(_) => "computed by an expression".to_owned(),
            });
            survey.fields.push(one);
        }
        survey.add_alone(target, |field| {
            let note = if field.generated {
                "computed by the target: neither written nor compared"
            } else if field.nullable {
                "only at the target: left alone"
            } else {
                "only at the target: left alone; NULL is refused there, so that inserts need its default"
            };
            (Some(note.to_owned()), None)
        });
        let used = |field: &SurveyedField| field.target.filter(|_| field.fit.is_some());
        let key = survey.fields.iter().filter_map(used).collect::<Vec<_>>();
        survey.check_key(source, target, rules, true, &|names| {
            let known: Vec<&str> = key
                .iter()
                .map(|&at| target.fields[at].name.as_str())
                .collect();
            let positions = key_positions(names, &known)?;
            let ours = positions.iter().map(|&position| key[position]);
            refuse_other_key(ours.collect(), target, names, "the target")
        });
        if let Some(filter) = &rules.filter {
            let read = filter.fields().into_iter();
            let strays = read.filter_map(|name| build::position("the source", source, name).err());
            survey.problems.extend(strays);
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
        survey.check_key(source, target, rules, false, &|names| {
            two_way_key(source, target, names, &pairs)
        });
        survey
    }

    /// Tells whether anything is wrong.
    pub fn is_broken(&self) -> bool {
        !self.problems.is_empty() || self.fields.iter().any(|field| field.problem.is_some())
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
        bag: bool,
        judge: &dyn Fn(&[String]) -> Result<()>,
    ) {
        if rules.bag {
            return;
        }
        match key_names(source, target, rules, bag) {
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

/// A field on its way to the target. What supplies a target field in its name is taken out of `pairs`.
fn forward(
    source: &Schema,
    index: usize,
    target: &Schema,
    rules: &Rules,
    pairs: &mut [Option<Supply>],
) -> SurveyedField {
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
        if is_read(name, rules) {
            one.note = Some("only read by expressions".to_owned());
        }
        return one;
    };
    let other = &target.fields[at];
    if other.generated {
        one.note = Some("computed by the target: neither written nor compared".to_owned());
        return one;
    }
    let computed = rules.computed.iter().any(|(to, _)| to == name);
    let ours =
        |supply: &Supply| matches!(supply, Supply::Field(of, _) if *of == index) && !computed;
    match pairs[at].take_if(|supply| ours(supply)) {
        Some(supply) => judge(&mut one, &supply, source, (target, at), rules),
        None => one.note = Some("replaced by another field or a constant".to_owned()),
    }
    // Of a key's NULL the same is true on every side.
    let key = source.key.contains(&index) || target.key.contains(&at);
    if one.fit.is_some() && field.nullable && !other.nullable && !key && one.problem.is_none() {
        one.note =
            Some("a record with NULL here is parked: the target does not allow it".to_owned());
    }
    one
}

/// Says how what supplies the target's field `at` fits it.
fn judge(
    one: &mut SurveyedField,
    supply: &Supply,
    source: &Schema,
    (target, at): (&Schema, usize),
    rules: &Rules,
) {
    let to = &target.fields[at];
    one.target = Some(at);
    one.fit = Some(lattice::fit(
        &build::supplied(supply, source, &to.name).0,
        to,
    ));
    one.problem = build::meet(supply, source, to, rules).err();
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
