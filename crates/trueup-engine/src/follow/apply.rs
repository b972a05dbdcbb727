//! Writes a group into a transaction of the target, and accounts for every record that is not taken.
//!
//! Invariant: a record that the target refuses leaves no trace and is parked with its reason, when and only when the
//! transaction is committed; what other records stood in the way of is tried again before that.

use super::group::{Group, Move, Part, Stage};
use crate::connect::Collection;
use crate::link::World;
use crate::state::{LinkId, RunId, Store};
use std::collections::{BTreeMap, BTreeSet};
use trueup_core::batch::{Batch, Record};
use trueup_core::digest::Digest;
use trueup_core::endpoint::{Mark, Op, Outcome, Writes};
use trueup_core::follow::Transaction;
use trueup_core::park::Parked;
use trueup_core::{Error, Kind, Result};

/// How often records that others stand in the way of are tried again.
const ROUNDS_MAX: usize = 8;

/// Why a record is parked that is replaced in part, and is not there.
const GONE: &str = "only part of its values came, and the target does not have it";

/// A write that another record stands in the way of.
struct Blocked {
    collection: usize,
    op: Op,
    record: Batch,
    reason: String,
}

/// Where changes go.
pub(super) struct Outlet<'a> {
    collections: &'a [Collection],
    /// Whether records are removed.
    deletes: bool,
    link: &'a LinkId,
    run: RunId,
    world: &'a World<'a>,
    /// What is parked, by collection.
    parked: Vec<BTreeMap<Digest, Parked>>,
    /// Collections whose parked records changed since the last commit.
    changed: BTreeSet<usize>,
    blocked: Vec<Blocked>,
    unused: Mark,
}

impl<'a> Outlet<'a> {
    pub(super) fn new(
        collections: &'a [Collection],
        deletes: bool,
        store: &Store,
        link: &'a LinkId,
        run: RunId,
        world: &'a World<'a>,
    ) -> Result<Self> {
        let parked = collections.iter().map(|one| {
            let parked = store.parked(link, &one.target.collection)?;
            Ok(parked.into_iter().map(|one| (one.key, one)).collect())
        });
        Ok(Self {
            collections,
            deletes,
            link,
            run,
            world,
            parked: parked.collect::<Result<_>>()?,
            changed: BTreeSet::new(),
            blocked: Vec::new(),
            unused: Mark {
                partition: String::new(),
                batch: 0,
                position: Vec::new(),
            },
        })
    }

    /// Writes what was gathered.
    pub(super) fn write(
        &mut self,
        group: &Group<'_>,
        transaction: &mut dyn Transaction,
    ) -> Result<()> {
        for (at, parked) in &group.parked {
            self.park(*at, parked.clone())?;
        }
        group
            .stages
            .iter()
            .try_for_each(|stage| self.stage(stage, transaction))
    }

    /// Removes children first, then writes parents first; then what comes behind it.
    fn stage(&mut self, stage: &Stage, transaction: &mut dyn Transaction) -> Result<()> {
        let parts = || stage.parts.iter().zip(self.collections).enumerate();
        for (_, (part, one)) in parts().rev().filter(|(_, (part, _))| part.cleared) {
            debug_assert!(part.cleared);
            if self.deletes {
                transaction.clear(&one.target)?;
            }
        }
        if self.deletes {
            for at in (0..stage.parts.len()).rev() {
                let deletes = stage.parts.get(at).map(|part| part.net.deletes());
                self.records(at, Op::Delete, &deletes.unwrap_or_default(), transaction)?;
            }
        }
        for (at, part) in stage.parts.iter().enumerate() {
            self.records(at, Op::Insert, &part.net.puts(), transaction)?;
            self.amend(at, part, transaction)?;
        }
        match &stage.then {
            None => Ok(()),
            Some(then) => self.rekey(then, transaction),
        }
    }

    fn collection(&self, at: usize) -> Result<&'a Collection> {
        let collection = self.collections.get(at);
        collection.ok_or_else(|| Error::bug("a change of no collection"))
    }

    fn records(
        &mut self,
        at: usize,
        op: Op,
        records: &Batch,
        transaction: &mut dyn Transaction,
    ) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let one = self.collection(at)?;
        let ops = vec![op; records.len()];
        let outcomes = transaction.write(&Writes {
            schema: &one.target,
            fields: one.mapping.target_fields(),
            key: one.mapping.key(),
            ops: &ops,
            records,
            mark: &self.unused,
            load: false,
            check: None,
            bag: None,
        })?;
        answered(&outcomes, records.len())?;
        for (record, outcome) in records.records().zip(outcomes) {
            self.account(at, op, record, outcome)?;
        }
        Ok(())
    }

    fn amend(&mut self, at: usize, part: &Part, transaction: &mut dyn Transaction) -> Result<()> {
        for amended in part.net.amends() {
            self.part(at, &amended.fields, &amended.records, None, transaction)?;
        }
        Ok(())
    }

    fn rekey(&mut self, then: &Move, transaction: &mut dyn Transaction) -> Result<()> {
        let record = then.after.record(0);
        let given = |at: &usize| record.value(*at) != trueup_core::value::Value::Unchanged;
        let fields: Vec<usize> = (0..record.width()).filter(given).collect();
        let mut records = Batch::new(fields.len());
        fields.iter().for_each(|&at| records.push(record.value(at)));
        let before = Some(&then.before);
        self.part(then.collection, &fields, &records, before, transaction)
    }

    /// Replaces some fields of records.
    fn part(
        &mut self,
        at: usize,
        fields: &[usize],
        records: &Batch,
        before: Option<&Batch>,
        transaction: &mut dyn Transaction,
    ) -> Result<()> {
        let one = self.collection(at)?;
        let target = one.mapping.target_fields();
        let places: Vec<usize> = fields
            .iter()
            .filter_map(|&at| target.get(at).copied())
            .collect();
        let place = |key: &usize| fields.iter().position(|at| at == key);
        let key: Option<Vec<usize>> = one.mapping.key().iter().map(place).collect();
        let key = key.ok_or_else(|| Error::bug("a changed record comes without its key"))?;
        let ops = vec![Op::Update; records.len()];
        let writes = Writes {
            schema: &one.target,
            fields: &places,
            key: &key,
            ops: &ops,
            records,
            mark: &self.unused,
            load: false,
            check: None,
            bag: None,
        };
        let outcomes = transaction.amend(&writes, before)?;
        answered(&outcomes, records.len())?;
        let width = one.mapping.fields().len();
        for (record, outcome) in records.records().zip(outcomes) {
            // Its key, for who has to be told.
            let mut whole = Batch::new(width);
            for at in 0..width {
                let place = fields.iter().position(|&field| field == at);
                whole.push(place.map_or(trueup_core::value::Value::Null, |at| record.value(at)));
            }
            let outcome = match outcome {
                Outcome::Stale => rejected(GONE.to_owned()),
                // It is not tried again by itself: its other values are not here.
                Outcome::Rejected { reason, .. } => rejected(reason),
                other => other,
            };
            self.account(at, Op::Update, whole.record(0), outcome)?;
        }
        Ok(())
    }

    fn account(&mut self, at: usize, op: Op, record: Record<'_>, outcome: Outcome) -> Result<()> {
        match outcome {
            Outcome::Applied(_) | Outcome::Unchanged => self.unpark(at, record),
            Outcome::Rejected {
                reason,
                blocked: true,
            } => {
                let mut kept = Batch::new(record.width());
                kept.push_record(record);
                self.blocked.push(Blocked {
                    collection: at,
                    op,
                    record: kept,
                    reason,
                });
                self.check_refused()
            }
            Outcome::Rejected { reason, .. } => {
                let parked = self.refused(at, record, reason)?;
                self.park(at, parked)
            }
            Outcome::Stale | Outcome::Unknown => Err(Error::bug(
                "the target gave an answer that an unconditional write cannot have",
            )),
        }
    }

    fn refused(&self, at: usize, record: Record<'_>, reason: String) -> Result<Parked> {
        let mapping = &self.collection(at)?.mapping;
        Ok(Parked {
            key: mapping.name(record),
            key_text: mapping.key_text(record),
            place: None,
            field: None,
            reason,
        })
    }

    fn park(&mut self, at: usize, parked: Parked) -> Result<()> {
        if let Some(all) = self.parked.get_mut(at) {
            all.insert(parked.key, parked);
            self.changed.insert(at);
        }
        self.check_refused()
    }

    fn unpark(&mut self, at: usize, record: Record<'_>) -> Result<()> {
        if self.parked.get(at).is_none_or(BTreeMap::is_empty) {
            return Ok(());
        }
        let name = self.collection(at)?.mapping.name(record);
        if let Some(all) = self.parked.get_mut(at)
            && all.remove(&name).is_some()
        {
            self.changed.insert(at);
        }
        Ok(())
    }

    fn check_refused(&self) -> Result<()> {
        let count = self.parked.iter().map(BTreeMap::len).sum::<usize>() + self.blocked.len();
        if count <= self.world.limits.refused_max {
            return Ok(());
        }
        let last = self.blocked.last().map_or("", |one| one.reason.as_str());
        Err(Error::new(
            Kind::Rejected,
            format!(
                "the target refuses more than {} records; the last one: {last}",
                self.world.limits.refused_max
            ),
        )
        .hint("what was written so far stays; mend the cause, and run the link again"))
    }

    /// Tries again what others stood in the way of, until a whole round changes nothing; what is left is parked.
    pub(super) fn settle(&mut self, transaction: &mut dyn Transaction) -> Result<()> {
        for _ in 0..ROUNDS_MAX {
            let mut waiting = std::mem::take(&mut self.blocked);
            let before = waiting.len();
            if before == 0 {
                return Ok(());
            }
            // A chain in which each waits for the next one falls in one round, in one of the two orders.
            waiting.reverse();
            for one in waiting {
                self.records(one.collection, one.op, &one.record, transaction)?;
            }
            if self.blocked.len() == before {
                break;
            }
        }
        for one in std::mem::take(&mut self.blocked) {
            let parked = self.refused(one.collection, one.record.record(0), one.reason)?;
            self.park(one.collection, parked)?;
        }
        Ok(())
    }

    /// Records what was parked, now that the transaction is there.
    pub(super) fn committed(&mut self, store: &mut Store) -> Result<()> {
        for at in std::mem::take(&mut self.changed) {
            let name = &self.collection(at)?.target.collection;
            let all: Vec<Parked> = self
                .parked
                .get(at)
                .into_iter()
                .flat_map(BTreeMap::values)
                .cloned()
                .collect();
            store.park(self.link, name, self.run, &all)?;
        }
        Ok(())
    }
}

fn rejected(reason: String) -> Outcome {
    Outcome::Rejected {
        reason,
        blocked: false,
    }
}

fn answered(outcomes: &[Outcome], writes: usize) -> Result<()> {
    if outcomes.len() == writes {
        return Ok(());
    }
    Err(Error::bug("the target did not answer for every write"))
}
