//! A conflict as people see it: its sides stand in the order in which the link's name has them.
//!
//! The state keeps conflicts in an order of its own, so that `sync A B` and `sync B A` mean the same conflict. Everything
//! that names a side is turned around here and nowhere else. Values are shown: that is what conflicts are kept for.

use crate::record::Fields;
use serde_json::Value as Json;
use trueup_core::batch::Batch;
use trueup_core::conflict::{ConflictKind, Resolution, Ruling};
use trueup_core::policy::Policy;
use trueup_core::side::{Side, Sides};
use trueup_core::{Error, Result};
use trueup_engine::spelled;
use trueup_engine::state::{Answer, LinkStanding, PairStanding, PastConflict};

/// How a conflict that nobody decided stands.
const OPEN: &str = "open";
/// How one ended that another one took the place of: there is nothing left to decide.
const SUPERSEDED: &str = "superseded";
/// How one ended whose sides came to hold the same by themselves.
const AGREED: &str = "agreed";
/// What the state notes of one that a person decided.
const BY_PERSON: &str = "a person decided";

/// A conflict on record.
#[derive(Clone, Debug)]
pub(crate) struct Conflict {
    /// Its number.
    pub(crate) id: i64,
    /// The link's name.
    pub(crate) link: String,
    /// The collection's name on each side.
    pub(crate) collection: Sides<String>,
    /// The names of the fields, the source's; the key's first.
    pub(crate) names: Vec<String>,
    /// The key's fields.
    pub(crate) key: Fields,
    /// What met what.
    pub(crate) kind: ConflictKind,
    /// The fields in conflict.
    pub(crate) fields: Vec<FieldInConflict>,
    /// What each side held; `None` where it had no record.
    pub(crate) records: Sides<Option<Fields>>,
    /// How it stands or ended.
    pub(crate) decision: String,
    /// The run that met it.
    pub(crate) run: i64,
    /// When, in milliseconds since 1970 UTC.
    pub(crate) at_ms: i64,
    /// Whether a person decided it, and not a rule.
    pub(crate) by_person: bool,
    /// The record that both sides held after the decision; `None` where there is no decision, no record, or none that is
    /// known.
    pub(crate) chosen: Option<Fields>,
    /// What a person answered and no run has carried out yet.
    pub(crate) answer: Option<Taken>,
    /// Whether the last answer was taken back, because a record had changed; the note says why.
    pub(crate) lapsed: bool,
    /// What became of an earlier answer, or of the conflict itself.
    pub(crate) note: Option<String>,
    /// How the state's order of the sides is told.
    pub(crate) stored: Stored,
}

/// What an answer needs to know of the conflict as the state keeps it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    /// Whether its sides are in the other order.
    pub(crate) flipped: bool,
    /// Whether nobody can tell in which order the user has the sides; then they are shown as the state has them.
    pub(crate) order_unknown: bool,
    /// The names of the fields there, in the order of [`Conflict::names`].
    pub(crate) names: Vec<String>,
}

/// A field in conflict, and how that ended.
#[derive(Clone, Debug)]
pub(crate) struct FieldInConflict {
    /// Its name.
    pub(crate) name: String,
    /// The rule that was asked; `None` where the rule for deletes decides.
    pub(crate) policy: Option<Policy>,
    /// How it ended.
    pub(crate) decision: Resolution,
}

/// What a person takes: one side's record, or one of their own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Taken {
    /// The record, or the lack of one, of this side.
    Side(Side),
    /// This record.
    Record(Fields),
}

impl Taken {
    /// Returns the word for it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Side(side) => side.name(),
            Self::Record(_) => "record",
        }
    }
}

impl Conflict {
    /// Turns a conflict as the state keeps it towards the people who named the link.
    pub(crate) fn shown(past: &PastConflict, links: &[LinkStanding]) -> Self {
        let link = links.iter().find(|link| link.durable == past.link);
        let name = link.map_or(past.link.as_str(), |link| link.name.as_str());
        let pair = link.and_then(|link| link.pair.as_ref());
        let flipped = pair.is_some_and(PairStanding::is_flipped);
        let ruling = if flipped {
            past.ruling.mirrored()
        } else {
            past.ruling.clone()
        };
        let order = order(past);
        let of_user = &past.fields[seen(Side::Source, flipped)];
        let names = in_order(of_user, &order);
        let stored = in_order(&past.fields.source, &order);
        let batch = Sides::by(|side| past.records[seen(side, flipped)].as_ref());
        let records = batch.map(|batch| batch.and_then(|batch| fields(batch, &names, &order)));
        let answer = past.answer.as_ref();
        let decision = decision(&past.decision, flipped);
        let side = Side::BOTH.into_iter().find(|side| side.name() == decision);
        let chosen = match side {
            Some(side) => records[side].clone(),
            None => past
                .outcome()
                .filter(|_| is_decided(&decision))
                .and_then(|batch| fields(batch, &names, &order)),
        };
        Self {
            id: past.id.0,
            link: name.to_owned(),
            collection: Sides::by(|side| past.collection[seen(side, flipped)].clone()),
            key: key(past, &records),
            kind: past.kind,
            fields: in_conflict(&ruling, of_user),
            records,
            by_person: by_person(past),
            chosen,
            decision,
            run: past.run.0,
            at_ms: past.at_ms,
            answer: answer.map(|answer| taken(answer, &names, &stored, flipped)),
            lapsed: past.lapsed,
            note: past.note.clone(),
            names,
            stored: Stored {
                flipped,
                order_unknown: pair.is_some_and(|pair| pair.turned.is_none()),
                names: stored,
            },
        }
    }

    /// Tells whether nobody has decided it.
    pub(crate) fn is_open(&self) -> bool {
        self.decision == OPEN
    }

    /// Tells whether it came to a decision, of a rule or of a person.
    pub(crate) fn is_decided(&self) -> bool {
        is_decided(&self.decision)
    }

    /// Tells whether the decision was that there is no record: a delete, or the side that had none.
    pub(crate) fn chose_nothing(&self) -> bool {
        let mut sides = Side::BOTH.into_iter();
        let side = sides.find(|side| side.name() == self.decision);
        self.decision == Resolution::Delete.name()
            || side.is_some_and(|side| self.records[side].is_none())
    }

    /// Tells whether nobody knows which side the user calls the source: then no answer by side can be taken.
    pub(crate) fn is_order_unknown(&self) -> bool {
        self.stored.order_unknown
    }

    /// Tells whether a person may decide it, or decide it anew.
    pub(crate) fn is_decidable(&self) -> bool {
        self.decision != SUPERSEDED
    }

    /// Refuses an answer while nobody can tell which side the user calls the source, and a record under another key: it
    /// would be another record.
    ///
    /// # Errors
    /// `Config`, naming the fields of the key.
    pub(crate) fn check(&self, taken: &Taken) -> Result<()> {
        if self.is_order_unknown() {
            return Err(Error::config(
                "which side is called the source is not known: the link ran last under other names",
            )
            .hint("run the link once, then look at the conflict again and decide"));
        }
        let Taken::Record(record) = taken else {
            return Ok(());
        };
        let other = |(name, value): &&(String, Json)| {
            let found = record.iter().find(|(found, _)| found == name);
            found.is_none_or(|(_, found)| found != value)
        };
        let others: Vec<&str> = self
            .key
            .iter()
            .filter(other)
            .map(|(name, _)| name.as_str())
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        Err(Error::config(format!(
            "the record has another key: {}",
            others.join(", ")
        ))
        .hint("a conflict is about one record; write its key as trueup conflicts show --json has it"))
    }

    /// Turns what a person takes towards the state.
    pub(crate) fn answer(&self, taken: &Taken) -> Answer {
        match taken {
            Taken::Side(side) => Answer::Side(seen(*side, self.stored.flipped)),
            Taken::Record(record) => {
                let names = self.stored.names.iter().cloned();
                let values = record.iter().map(|(_, value)| value.clone());
                Answer::Record(Json::Object(names.zip(values).collect()))
            }
        }
    }
}

/// The side that people call `side` when the state has them the other way round.
fn seen(side: Side, flipped: bool) -> Side {
    if flipped { side.other() } else { side }
}

fn decision(stored: &str, flipped: bool) -> String {
    let side = Side::BOTH.into_iter().find(|side| side.name() == stored);
    side.map_or(stored, |side| seen(side, flipped).name())
        .to_owned()
}

/// Tells whether a person decided: what was recorded then is the ruling that the person overruled.
fn by_person(past: &PastConflict) -> bool {
    let ruled = past.ruling.resolution.name();
    is_decided(&past.decision)
        && (past.note.as_deref() == Some(BY_PERSON) || ruled != past.decision)
}

fn is_decided(decision: &str) -> bool {
    ![OPEN, SUPERSEDED, AGREED].contains(&decision)
}

fn in_conflict(ruling: &Ruling, names: &[String]) -> Vec<FieldInConflict> {
    let field = |index: usize| names.get(index).cloned().unwrap_or_default();
    let fields = ruling.fields.iter();
    fields
        .map(|one| FieldInConflict {
            name: field(one.field),
            policy: one.policy,
            decision: one.resolution,
        })
        .collect()
}

/// The order in which fields are shown: the key's first, because the state sorts them by name.
fn order(past: &PastConflict) -> Vec<usize> {
    let others = (0..past.fields.source.len()).filter(|at| !past.key_positions.contains(at));
    past.key_positions.iter().copied().chain(others).collect()
}

fn in_order(names: &[String], order: &[usize]) -> Vec<String> {
    let name = |&at: &usize| names.get(at).cloned();
    order.iter().filter_map(name).collect()
}

fn fields(batch: &Batch, names: &[String], order: &[usize]) -> Option<Fields> {
    if batch.is_empty() {
        return None;
    }
    let record = batch.record(0);
    let values = order.iter().map(|&at| spelled(record.value(at)));
    Some(names.iter().cloned().zip(values).collect())
}

/// The key's fields: where both sides hold a record, they are the same in both.
fn key(past: &PastConflict, records: &Sides<Option<Fields>>) -> Fields {
    let record = Side::BOTH
        .into_iter()
        .find_map(|side| records[side].as_ref());
    let fields = record.into_iter().flatten().cloned();
    fields.take(past.key_positions.len()).collect()
}

/// An answer on record, with the names that people know.
fn taken(answer: &Answer, names: &[String], stored: &[String], flipped: bool) -> Taken {
    match answer {
        Answer::Side(side) => Taken::Side(seen(*side, flipped)),
        Answer::Record(record) => {
            let value = |name| record.get(name).cloned().unwrap_or(Json::Null);
            let values = stored.iter().map(value);
            Taken::Record(names.iter().cloned().zip(values).collect())
        }
    }
}

#[cfg(test)]
mod tests;
