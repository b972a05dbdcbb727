//! Writes a group into a transaction of the target, and accounts for every record that is not taken.
//!
//! Invariant: a record that the target refuses leaves no trace and is parked with its reason, when and only when the
//! transaction is committed; what other records stood in the way of is tried again before that.

use super::group::{Group, INCOMPLETE, Move, Part, Stage};
use crate::apply::parked;
use crate::connect::Collection;
use crate::link::World;
use crate::state::{LinkId, RunId, Store};
use std::collections::{BTreeMap, BTreeSet};
use trueup_core::batch::{Batch, Record};
use trueup_core::digest::Digest;
use trueup_core::encode;
use trueup_core::endpoint::{Mark, Op, Outcome, Writes};
use trueup_core::follow::Transaction;
use trueup_core::net::{Amended, fill};
use trueup_core::park::Parked;
use trueup_core::value::Value;
use trueup_core::{Error, Kind, Result};

/// How often records that others stand in the way of are tried again.
const ROUNDS_MAX: usize = 8;

/// A write that another record stands in the way of.
struct Blocked {
    write: Kept,
    reason: String,
}

/// A write that is kept for another try.
enum Kept {
    /// Of a whole record.
    Whole(Op, Batch),
    /// Of some fields, by the key that the record had.
    Part {
        fields: Vec<usize>,
        record: Batch,
        before: Option<Batch>,
    },
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
    /// What is to be tried again, by collection and key: a later write of the same record goes before it.
    blocked: BTreeMap<(usize, Vec<u8>), Blocked>,
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
            blocked: BTreeMap::new(),
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
        for stage in &group.stages {
            self.stage(stage, transaction)?;
        }
        for (&(at, _), parked) in &group.parked {
            self.park(at, parked.clone())?;
        }
        Ok(())
    }

    /// Removes children first, then writes parents first; then what comes behind it.
    fn stage(&mut self, stage: &Stage, transaction: &mut dyn Transaction) -> Result<()> {
        let parts = || stage.parts.iter().zip(self.collections).enumerate();
        for (at, (_, one)) in parts().rev().filter(|(_, (part, _))| part.cleared) {
            if self.deletes {
                transaction.clear(&one.target)?;
                self.blocked.retain(|(of, _), _| *of != at);
                if let Some(all) = self.parked.get_mut(at).filter(|all| !all.is_empty()) {
                    all.clear();
                    self.changed.insert(at);
                }
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
            let again = || Kept::Whole(op, one_of(record));
            self.account(at, record, outcome, again)?;
        }
        Ok(())
    }

    fn amend(&mut self, at: usize, part: &Part, transaction: &mut dyn Transaction) -> Result<()> {
        for amended in part.net.amends() {
            let Amended { fields, records } = amended;
            let mut sent = Batch::new(records.width());
            for record in records.records() {
                let whole = self.widened(at, &fields, record)?;
                if !self.is_incomplete(at, whole.record(0))? {
                    sent.push_record(record);
                }
            }
            self.part(at, &fields, &sent, None, transaction)?;
        }
        Ok(())
    }

    /// Deals with a record of which some values came, and which the target does not have in the version before: it joins the
    /// one that waits, or it is parked, too. `false` where neither is so.
    fn is_incomplete(&mut self, at: usize, record: Record<'_>) -> Result<bool> {
        let key = self.key(at, record)?;
        if let Some(Blocked {
            write: Kept::Whole(Op::Insert | Op::Update, waiting),
            ..
        }) = self.blocked.get_mut(&(at, key))
        {
            *waiting = fill(record, waiting.record(0));
            return Ok(true);
        }
        let mapping = &self.collection(at)?.mapping;
        let parked = self.parked.get(at);
        Ok(parked.is_some_and(|all| !all.is_empty() && all.contains_key(&mapping.name(record))))
    }

    fn rekey(&mut self, then: &Move, transaction: &mut dyn Transaction) -> Result<()> {
        let (at, record) = (then.collection, then.after.record(0));
        let given = |at: &usize| record.value(*at) != Value::Unchanged;
        let fields: Vec<usize> = (0..record.width()).filter(given).collect();
        let mapping = &self.collection(at)?.mapping;
        let known = self.widened(at, mapping.key(), then.before.record(0))?;
        if fields.len() < record.width() && self.is_incomplete(at, known.record(0))? {
            let parked = self.refused(at, record, INCOMPLETE.to_owned())?;
            return self.park(at, parked);
        }
        let mut records = Batch::new(fields.len());
        fields.iter().for_each(|&at| records.push(record.value(at)));
        self.part(at, &fields, &records, Some(&then.before), transaction)
    }

    /// A record of which only these fields are said.
    fn widened(&self, at: usize, fields: &[usize], record: Record<'_>) -> Result<Batch> {
        let width = self.collection(at)?.mapping.fields().len();
        let mut whole = Batch::new(width);
        for position in 0..width {
            let place = fields.iter().position(|&field| field == position);
            whole.push(place.map_or(Value::Unchanged, |place| record.value(place)));
        }
        Ok(whole)
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
        if records.is_empty() {
            return Ok(());
        }
        let one = self.collection(at)?;
        let target = one.mapping.target_fields();
        let places = fields.iter().filter_map(|&at| target.get(at).copied());
        let places: Vec<usize> = places.collect();
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
        for (index, (record, outcome)) in records.records().zip(outcomes).enumerate() {
            let whole = self.widened(at, fields, record)?;
            let outcome = match outcome {
                Outcome::Stale => Outcome::Rejected {
                    reason: INCOMPLETE.to_owned(),
                    blocked: false,
                },
                other => other,
            };
            let again = || Kept::Part {
                fields: fields.to_vec(),
                record: one_of(record),
                before: before.map(|before| one_of(before.record(index))),
            };
            self.account(at, whole.record(0), outcome, again)?;
        }
        Ok(())
    }

    fn key(&self, at: usize, record: Record<'_>) -> Result<Vec<u8>> {
        let mut key = Vec::new();
        for &position in self.collection(at)?.mapping.key() {
            encode::key(record.value(position), &mut key);
        }
        Ok(key)
    }

    fn account(
        &mut self,
        at: usize,
        record: Record<'_>,
        outcome: Outcome,
        again: impl FnOnce() -> Kept,
    ) -> Result<()> {
        if !self.blocked.is_empty() || matches!(outcome, Outcome::Rejected { blocked: true, .. }) {
            let name = (at, self.key(at, record)?);
            // Whatever became of it, it goes before an older write of the same record.
            self.blocked.remove(&name);
            if let Outcome::Rejected {
                reason,
                blocked: true,
            } = outcome
            {
                let write = again();
                self.blocked.insert(name, Blocked { write, reason });
                return self.check_refused();
            }
        }
        match outcome {
            Outcome::Applied(_) | Outcome::Unchanged => self.unpark(at, record),
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
        Ok(parked(&self.collection(at)?.mapping, record, reason))
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
        let last = self.blocked.values().next_back();
        let last = last.map_or("", |one| one.reason.as_str());
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
        for round in 0..ROUNDS_MAX {
            let waiting = std::mem::take(&mut self.blocked);
            let before = waiting.len();
            if before == 0 {
                return Ok(());
            }
            // A chain in which each waits for the next one falls in one round, in one of the two orders.
            let mut waiting: Vec<_> = waiting.into_iter().collect();
            if round % 2 == 0 {
                waiting.reverse();
            }
            for ((at, _), one) in waiting {
                match one.write {
                    Kept::Whole(op, record) => self.records(at, op, &record, transaction)?,
                    Kept::Part {
                        fields,
                        record,
                        before,
                    } => self.part(at, &fields, &record, before.as_ref(), transaction)?,
                }
            }
            if self.blocked.len() == before && round > 0 {
                break;
            }
        }
        for ((at, _), one) in std::mem::take(&mut self.blocked) {
            let record = match one.write {
                Kept::Whole(_, record) => record,
                Kept::Part { fields, record, .. } => self.widened(at, &fields, record.record(0))?,
            };
            let parked = self.refused(at, record.record(0), one.reason)?;
            self.park(at, parked)?;
        }
        Ok(())
    }

    /// Records what is to be parked with the transaction under way, beside what was parked before: a kill behind its commit
    /// must not forget it.
    pub(super) fn prepare(&mut self, store: &mut Store) -> Result<()> {
        for &at in &self.changed {
            let name = &self.collection(at)?.target.collection;
            let mut all = BTreeMap::new();
            for known in store.parked(self.link, name)? {
                all.insert(known.key, known);
            }
            let ours = self.parked.get(at).into_iter().flatten();
            all.extend(ours.map(|(key, parked)| (*key, parked.clone())));
            let all: Vec<Parked> = all.into_values().collect();
            store.park(self.link, name, self.run, &all)?;
        }
        Ok(())
    }

    /// Records what is parked, now that the transaction is there.
    pub(super) fn committed(&mut self, store: &mut Store) -> Result<()> {
        for at in std::mem::take(&mut self.changed) {
            let name = &self.collection(at)?.target.collection;
            let all = self.parked.get(at).into_iter().flat_map(BTreeMap::values);
            let all: Vec<Parked> = all.cloned().collect();
            store.park(self.link, name, self.run, &all)?;
        }
        Ok(())
    }
}

fn one_of(record: Record<'_>) -> Batch {
    let mut one = Batch::new(record.width());
    one.push_record(record);
    one
}

fn answered(outcomes: &[Outcome], writes: usize) -> Result<()> {
    if outcomes.len() == writes {
        return Ok(());
    }
    Err(Error::bug("the target did not answer for every write"))
}
