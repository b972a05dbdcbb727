//! The rules for conflicts: what to do when both sides changed the same thing.
//!
//! A policy is only ever asked about a *conflict*. What one side alone changed is carried to the other under every
//! policy, and fields that only one side changed are merged under every policy. Policies are names and data: the
//! deciding is in [`reconcile`](mod@crate::reconcile). An expression is evaluated by the caller, who passes the
//! [`Answers`] in; the core knows no expression language.

use crate::error::{Error, Result};
use crate::side::Side;
use crate::types::Type;
use crate::value::Value;
use std::fmt;
use std::str::FromStr;

/// The rule for one kind of conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// The source's value wins.
    Source,
    /// The target's value wins.
    Target,
    /// The value written last wins; nobody decides on a tie or where a stamp is missing.
    Newest,
    /// A merge program's value, which the caller passes in, wins; nobody decides where there is none.
    Merge,
    /// Nobody decides: both sides keep what they have until a person resolves it.
    Manual,
    /// The record of this side keeps its key, the other side's is kept under a fresh key. Whole records only.
    KeepBoth(Side),
    /// A counter: what each side added since is added up. Fields only; never a conflict where totals are kept.
    Counter,
    /// A JSON array taken as a set: all elements of both sides.
    SetUnion,
    /// The larger value wins.
    Max,
    /// The smaller value wins.
    Min,
    /// An expression decides, which the caller has evaluated.
    Expression,
}

impl Policy {
    /// Every policy, in the order of the documentation.
    pub const ALL: [Self; 12] = [
        Self::Source,
        Self::Target,
        Self::Newest,
        Self::Merge,
        Self::Manual,
        Self::KeepBoth(Side::Source),
        Self::KeepBoth(Side::Target),
        Self::Counter,
        Self::SetUnion,
        Self::Max,
        Self::Min,
        Self::Expression,
    ];

    /// Returns the name as it is written in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
            Self::Newest => "newest",
            Self::Merge => "merge",
            Self::Manual => "manual",
            Self::KeepBoth(Side::Source) => "keep-both",
            Self::KeepBoth(Side::Target) => "keep-both-target",
            Self::Counter => "counter",
            Self::SetUnion => "set-union",
            Self::Max => "max",
            Self::Min => "min",
            Self::Expression => "expression",
        }
    }

    /// Returns the policy that does the same when the sides are named the other way round.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Source => Self::Target,
            Self::Target => Self::Source,
            Self::KeepBoth(side) => Self::KeepBoth(side.other()),
            Self::Newest
            | Self::Merge
            | Self::Manual
            | Self::Counter
            | Self::SetUnion
            | Self::Max
            | Self::Min
            | Self::Expression => self,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Policy {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|policy| policy.name() == name)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                Error::config(format!("no such conflict policy: on_conflict={name:?}"))
                    .hint(format!("write one of: {names}"))
            })
    }
}

/// What to do when one side deleted what the other changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnDelete {
    /// The data stays: it is put back where it was deleted.
    #[default]
    Keep,
    /// The delete wins.
    Wins,
}

impl OnDelete {
    /// Returns the name as it is written in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Wins => "wins",
        }
    }
}

impl fmt::Display for OnDelete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for OnDelete {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        [Self::Keep, Self::Wins]
            .into_iter()
            .find(|rule| rule.name() == name)
            .ok_or_else(|| {
                Error::config(format!("no such rule for deletes: on_delete={name:?}"))
                    .hint("write keep (the data stays) or wins (the delete wins)")
            })
    }
}

/// Where [`Policy::Newest`] finds out when a record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StampFrom {
    /// In this field of the record.
    Field(usize),
    /// In the stamp that the endpoint reports with each record.
    Endpoint,
}

/// The rules of one collection, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    policy: Policy,
    /// One per field; `None` means `policy`.
    fields: Vec<Option<Policy>>,
    on_delete: OnDelete,
    stamp: Option<StampFrom>,
    counters: bool,
    /// What each field's values mean where they are held as something else; empty: what they are.
    meanings: Vec<Type>,
}

impl Rules {
    /// Makes the rules of a collection of `width` fields: `policy` for whole records and for every field that is not
    /// among `fields`.
    ///
    /// # Errors
    /// `Config` when a field does not exist or is named twice, when `newest` has no stamp, when a policy for fields is
    /// given to records, or the other way round.
    pub fn new(
        width: usize,
        policy: Policy,
        fields: &[(usize, Policy)],
        on_delete: OnDelete,
        stamp: Option<StampFrom>,
    ) -> Result<Self> {
        if policy == Policy::Counter {
            return Err(Error::config(format!(
                "policy is for single fields: on_conflict={policy}"
            ))
            .hint("name the fields that count something, and give the policy to each"));
        }
        let mut of_field = vec![None; width];
        for &(field, policy) in fields {
            match of_field.get_mut(field) {
                None => return Err(no_field(field, width)),
                Some(Some(_)) => {
                    return Err(Error::config(format!(
                        "field has two conflict policies: field={field}"
                    ))
                    .hint("give each field one policy"));
                }
                Some(slot) => *slot = Some(policy),
            }
            if matches!(policy, Policy::KeepBoth(_)) {
                return Err(Error::config(format!(
                    "policy is for whole records: on_conflict={policy} field={field}"
                ))
                .hint("give it to the collection"));
            }
        }
        match stamp {
            Some(StampFrom::Field(field)) if field >= width => return Err(no_field(field, width)),
            Some(_) => {}
            None if policy == Policy::Newest || of_field.contains(&Some(Policy::Newest)) => {
                return Err(Error::config("policy needs a stamp: on_conflict=newest")
                    .hint("name the field that holds the time of the last change: stamp = \"updated_at\""));
            }
            None => {}
        }
        let counters = of_field.contains(&Some(Policy::Counter));
        Ok(Self {
            policy,
            fields: of_field,
            on_delete,
            stamp,
            counters,
            meanings: Vec::new(),
        })
    }

    /// Returns the rules with what each field's values mean, for rules that order them: where both sides keep a number as
    /// text, the larger text is not the larger number.
    #[must_use]
    pub fn meaning(self, meanings: Vec<Type>) -> Self {
        Self { meanings, ..self }
    }

    /// Returns what the values of `field` mean; `Any` where they are what they mean.
    pub fn meaning_of(&self, field: usize) -> Type {
        self.meanings.get(field).copied().unwrap_or(Type::Any)
    }

    /// Returns the rule for whole records.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Returns the rule for `field`.
    pub fn of(&self, field: usize) -> Policy {
        self.fields
            .get(field)
            .copied()
            .flatten()
            .unwrap_or(self.policy)
    }

    /// Returns the rule for delete against update.
    pub fn on_delete(&self) -> OnDelete {
        self.on_delete
    }

    /// Returns where the time of a write is found.
    pub fn stamp(&self) -> Option<StampFrom> {
        self.stamp
    }

    /// Tells whether any field is a counter.
    pub fn counters(&self) -> bool {
        self.counters
    }

    /// Returns the rules that do the same when the sides are named the other way round.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        Self {
            policy: self.policy.mirrored(),
            fields: self
                .fields
                .iter()
                .map(|rule| rule.map(Policy::mirrored))
                .collect(),
            ..self.clone()
        }
    }
}

fn no_field(field: usize, width: usize) -> Error {
    Error::config(format!("no such field: field={field} fields={width}"))
        .hint("name a field that the mapping delivers")
}

/// What an expression or a merge program said about one conflict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer<'a> {
    /// This side's value wins.
    Side(Side),
    /// This value wins.
    Value(Value<'a>),
    /// It did not decide.
    Open,
}

/// The answers for one key, for [`Policy::Expression`] and [`Policy::Merge`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Answers<'a> {
    /// For every field without one of its own.
    pub record: Option<Side>,
    /// For single fields.
    pub fields: &'a [(usize, Answer<'a>)],
}

impl<'a> Answers<'a> {
    /// No answers: what asks for one stays open.
    pub const NONE: Self = Self {
        record: None,
        fields: &[],
    };

    /// Returns the answer for `field`.
    pub fn of(&self, field: usize) -> Answer<'a> {
        match self.fields.iter().find(|(index, _)| *index == field) {
            Some(&(_, answer)) => answer,
            None => self.record.map_or(Answer::Open, Answer::Side),
        }
    }
}
