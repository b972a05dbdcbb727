//! The options of a link that goes both ways: which rule decides a conflict, what a delete means, where the stamp is.
//!
//! Invariant: one place has one rule, so saying it twice is an error. What a name means is settled here only as far as
//! a dot can belong to a collection's name; whether it exists is the engine's business.

use std::str::FromStr;
use trueup_core::policy::{OnDelete, Policy};
use trueup_core::{Error, Result};
use trueup_engine::{ConflictRule, PolicySpec, TwoWay};

/// Begins a rule that is an expression.
const EXPRESSION: &str = "cel:";

/// The rules that have a name.
const POLICIES: [Policy; 9] = [
    Policy::Source,
    Policy::Target,
    Policy::Newest,
    Policy::Merge,
    Policy::Manual,
    Policy::KeepBoth(trueup_core::side::Side::Source),
    Policy::Max,
    Policy::Min,
    Policy::SetUnion,
];

/// What `sync` is told about links that go both ways.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Carry the changes of each side to the other, deletes included
    #[arg(long, conflicts_with = "delete")]
    two_way: bool,

    /// What decides when both sides changed the same: source, target, newest, merge, manual, keep-both, max, min, set-union or cel:EXPRESSION; for all, one collection or one field; may be repeated [default: manual]
    #[arg(long, value_name = "[c[.f]=]POLICY", requires = "two_way")]
    on_conflict: Vec<ConflictOption>,

    /// Where one side deleted what the other changed, keep the record, or let the delete win; may be repeated [default: keep]
    #[arg(long, value_name = "[c=]keep|wins", requires = "two_way")]
    on_delete: Vec<DeleteOption>,

    /// The field that says when a record was last changed, for newest; may be repeated
    #[arg(long, value_name = "[c=]FIELD", requires = "two_way")]
    stamp: Vec<StampOption>,
}

impl Options {
    /// Tells whether changes go both ways.
    pub(crate) fn two_way(&self) -> bool {
        self.two_way
    }

    /// Returns what was said; `None` for a link that goes one way.
    ///
    /// # Errors
    /// `Config` when two rules are for one place.
    pub(crate) fn stated(&self) -> Result<Option<Stated>> {
        if !self.two_way {
            return Ok(None);
        }
        let mut stated = Stated::default();
        once(
            "--on-conflict",
            self.on_conflict.iter().map(|one| one.place.as_ref()),
        )?;
        for one in &self.on_conflict {
            let policy = one.policy.clone();
            match &one.place {
                None => stated.rules.default = policy,
                Some(place) => stated.places.push((place.clone(), policy)),
            }
        }
        once(
            "--on-delete",
            self.on_delete.iter().map(|one| one.collection.as_ref()),
        )?;
        let on_delete = self.on_delete.iter();
        stated.rules.on_delete = on_delete
            .map(|one| (one.collection.clone(), one.rule))
            .collect();
        once(
            "--stamp",
            self.stamp.iter().map(|one| one.collection.as_ref()),
        )?;
        let stamps = self.stamp.iter();
        stated.rules.stamps = stamps
            .map(|one| (one.collection.clone(), one.field.clone()))
            .collect();
        Ok(Some(stated))
    }
}

/// The rules of a link that goes both ways, as they were said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stated {
    /// What is settled.
    pub(crate) rules: TwoWay,
    /// Rules for a collection, or for a field after a dot: which of them depends on the collections there are.
    places: Vec<(String, PolicySpec)>,
}

impl Stated {
    /// Tells whether the rules cannot be read without the collections' names: a dot may be part of one.
    pub(crate) fn needs_names(&self) -> bool {
        self.places.iter().any(|(place, _)| place.contains('.'))
    }

    /// Makes the engine's rules. `known` are names of collections.
    pub(crate) fn settle(&self, known: &[String]) -> TwoWay {
        let mut rules = self.rules.clone();
        for (place, policy) in &self.places {
            let (collection, field) = split(place, known);
            rules.rules.push(ConflictRule {
                collection: Some(collection.to_owned()),
                field: field.map(str::to_owned),
                policy: policy.clone(),
            });
        }
        rules
    }
}

/// Insists that every place is named once.
fn once<'a>(option: &str, places: impl Iterator<Item = Option<&'a String>>) -> Result<()> {
    let mut seen = Vec::new();
    for place in places {
        if seen.contains(&place) {
            let what = place.map_or_else(
                || format!("{option} is given twice for all collections"),
                |place| format!("{option} names {place} twice"),
            );
            return Err(Error::config(what).hint("leave one of the two out"));
        }
        seen.push(place);
    }
    Ok(())
}

/// Takes `collection` or `collection.field` apart: the longest known collection counts, without one the last dot.
fn split<'a>(place: &'a str, known: &[String]) -> (&'a str, Option<&'a str>) {
    let is_known = |name: &str| known.iter().any(|known| known == name);
    if is_known(place) {
        return (place, None);
    }
    let at = |dot: usize| (&place[..dot], &place[dot + 1..]);
    let dots = || place.match_indices('.').map(|(dot, _)| dot).rev();
    let named = dots().map(at).filter(|(_, field)| !field.is_empty());
    let found = named.clone().find(|(collection, _)| is_known(collection));
    match found.or_else(|| named.clone().next()) {
        Some((collection, field)) => (collection, Some(field)),
        None => (place, None),
    }
}

/// `POLICY`, `collection=POLICY` or `collection.field=POLICY`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ConflictOption {
    /// What stands before the equals sign.
    place: Option<String>,
    policy: PolicySpec,
}

impl FromStr for ConflictOption {
    type Err = String;

    /// A rule may hold any character once it is an expression, so the first equals sign before a rule counts; a
    /// text that is a rule as it stands has no place before it.
    fn from_str(text: &str) -> Result<Self, String> {
        let splits = text.match_indices('=').map(|(at, _)| at);
        let split = splits.map(|at| (Some(&text[..at]), &text[at + 1..]));
        let mut ways = std::iter::once((None, text)).chain(split);
        let (place, policy) = ways
            .find_map(|(place, rest)| Some((place, policy(rest)?)))
            .ok_or_else(|| format!("write {}, or {EXPRESSION}EXPRESSION", names()))?;
        if place.is_some_and(|place| !is_place(place)) {
            return Err("write collection=POLICY or collection.field=POLICY".to_owned());
        }
        if policy == PolicySpec::Expression(String::new()) {
            return Err(format!("write an expression after {EXPRESSION}"));
        }
        Ok(Self {
            place: place.map(str::to_owned),
            policy,
        })
    }
}

fn is_place(place: &str) -> bool {
    !place.is_empty() && !place.starts_with('.') && !place.ends_with('.')
}

/// Reads a rule; `None` for what is none.
pub(crate) fn policy(text: &str) -> Option<PolicySpec> {
    if let Some(expression) = text.strip_prefix(EXPRESSION) {
        return Some(PolicySpec::Expression(expression.trim().to_owned()));
    }
    let named = POLICIES.into_iter().find(|policy| policy.name() == text);
    named.map(PolicySpec::Named)
}

fn names() -> String {
    POLICIES.map(Policy::name).join(", ")
}

/// Returns the names of the rules that have one.
pub(crate) fn policies() -> [&'static str; 9] {
    POLICIES.map(Policy::name)
}

/// `keep`, `wins`, or the same for one collection.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DeleteOption {
    collection: Option<String>,
    rule: OnDelete,
}

impl FromStr for DeleteOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (collection, rule) = match text.rsplit_once('=') {
            Some((collection, rule)) => (Some(collection), rule),
            None => (None, text),
        };
        let rule = rule.parse().ok().filter(|_| collection != Some(""));
        let rule = rule.ok_or("write keep or wins, or collection=keep")?;
        Ok(Self {
            collection: collection.map(str::to_owned),
            rule,
        })
    }
}

/// `field`, or `collection=field`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StampOption {
    collection: Option<String>,
    field: String,
}

impl FromStr for StampOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (collection, field) = match text.split_once('=') {
            Some((collection, field)) => (Some(collection), field),
            None => (None, text),
        };
        if collection == Some("") || field.is_empty() {
            return Err("write a field's name, or collection=field".to_owned());
        }
        Ok(Self {
            collection: collection.map(str::to_owned),
            field: field.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
