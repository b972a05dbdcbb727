//! Carries the plan out: batches in order, each with its marker, each outcome accounted for.
//!
//! What may have been applied is found out, never guessed ([`settle`]). A record that another one blocks (a unique value not yet handed over, a parent not yet there) is tried again after the others,
//! until a round makes no progress; then it is parked.

mod blocked;
mod build;
mod claimed;
mod counted;
mod keys;
mod load;
mod parcels;
mod pending;
mod queue;
mod settle;
mod workers;

pub(crate) use settle::only_we_claimed;

use crate::compare::Compared;
use crate::connect::Collection;
use crate::link::World;
use crate::progress::{Event, Step, Tick};
use crate::spool::Spooled;
use crate::state::{LinkId, Store};
use blocked::Blocked;
use claimed::Claimed;
use pending::Pending;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use trueup_core::batch::{Batch, Record};
use trueup_core::endpoint::{Claim, Endpoint, Outcome, Snapshot, Writer};
use trueup_core::mapping::Mapping;
use trueup_core::park::Parked;
use trueup_core::plan::{self, Counts};
use trueup_core::{Error, Kind, Result};

/// What was written to one collection.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) counts: Counts,
    pub(crate) parked: Vec<Parked>,
    blocked: Blocked,
}

impl Written {
    /// Adds what another worker wrote of the same collection.
    fn absorb(&mut self, mut other: Self, world: &World<'_>) -> Result<()> {
        self.counts.merge(other.counts);
        self.parked.append(&mut other.parked);
        self.blocked.absorb(other.blocked, world)?;
        self.check_room(world)
    }

    /// Makes sure that not too many records were refused.
    fn check_room(&self, world: &World<'_>) -> Result<()> {
        let max = world.limits.refused_max;
        if self.parked.len() + self.blocked.len() <= max {
            return Ok(());
        }
        let last = self.parked.last().map(|parked| &parked.reason);
        let last = last.or(self.blocked.last_reason());
        let last = last.map_or("", String::as_str);
        let message = format!("the target refused more than {max} records; the last one: {last}");
        Err(Error::new(Kind::Rejected, message)
            .hint("the batches so far are in place; mend the cause and run again"))
    }
}

/// The right to write, and what is needed to get it back after a broken connection. Each worker has one of its own; all of them
/// write under one epoch.
pub(crate) struct Applier<'a> {
    claimed: Arc<Mutex<Claimed<'a>>>,
    writer: Box<dyn Writer>,
    claim: Claim,
    link: &'a LinkId,
    world: &'a World<'a>,
    /// What this one's batches are counted under, where that is not their collection: only one worker counts those.
    partition: Option<String>,
    /// How many workers share the memory that batches may take.
    workers: usize,
    /// Set when a worker failed: the others need not go on.
    halted: Arc<AtomicBool>,
    /// The last batch of each partition.
    batches: BTreeMap<String, u64>,
    /// Partitions with accepted batches that are not durable yet.
    volatile: BTreeSet<String>,
    position: Vec<u8>,
    /// The collections under construction.
    constructing: BTreeSet<String>,
}

impl<'a> Applier<'a> {
    /// Claims the target. `seen` is the link's epoch before anything was read: whoever claimed it since may have
    /// written what the plan does not know, so the plan is void.
    pub(crate) fn claim(
        target: &'a mut dyn Endpoint,
        store: &'a mut Store,
        link: &'a LinkId,
        position: Vec<u8>,
        seen: Option<u64>,
        world: &'a World<'a>,
    ) -> Result<Self> {
        let claim = Claim {
            link: link.durable.clone(),
            incarnation: store.incarnation().to_owned(),
        };
        let writer = target.writer(&claim).map_err(|error| error.at("target"))?;
        world.failpoints.pass("engine.claimed")?;
        if let Some(seen) = seen {
            only_we_claimed(seen, writer.epoch()).map_err(|error| error.at("target"))?;
        }
        let epoch = writer.epoch();
        let claimed = Claimed {
            target,
            store,
            epoch,
        };
        Ok(Self {
            claimed: Arc::new(Mutex::new(claimed)),
            writer,
            claim,
            link,
            world,
            partition: None,
            workers: 1,
            halted: Arc::new(AtomicBool::new(false)),
            batches: BTreeMap::new(),
            volatile: BTreeSet::new(),
            position,
            constructing: BTreeSet::new(),
        })
    }

    /// Creates what is missing, then writes every plan: inserts and updates parents first, deletes children first.
    pub(crate) fn apply(
        &mut self,
        compared: &mut [Compared],
        source: &mut (dyn Snapshot + 'static),
        notes: &mut Vec<String>,
    ) -> Result<Vec<Written>> {
        let mut written: Vec<Written> = compared.iter().map(|_| Written::default()).collect();
        for one in compared.iter() {
            self.continuity(&one.plan.target, notes)?;
            if let Some(design) = &one.plan.create {
                self.writer
                    .create(design)
                    .map_err(|error| error.at("target"))?;
                self.world.failpoints.pass("engine.created")?;
                self.created(&design.schema.collection)?;
            }
        }
        for wave in workers::waves(compared) {
            self.load(compared, &wave, source, &mut written)?;
            for index in wave {
                self.spooled(&mut compared[index], true, &mut written[index])?;
            }
        }
        for (one, done) in compared.iter_mut().zip(&mut written).rev() {
            self.spooled(one, false, done)?;
        }
        self.retry_blocked(compared, &mut written)?;
        for one in compared.iter().filter(|one| !one.plan.is_empty()) {
            self.finish(&one.plan.target)?;
            self.world.progress.event(Event::Durable {
                collection: &one.plan.source,
            });
        }
        Ok(written)
    }

    /// Makes a collection durable and moves its checkpoint.
    fn finish(&mut self, partition: &str) -> Result<()> {
        self.writer
            .finish(partition)
            .map_err(|error| error.at("target"))?;
        self.volatile.remove(partition);
        self.world.failpoints.pass("engine.finished")?;
        self.checkpoint(partition)
    }

    /// Records that the partition's last batch is durable at the target.
    fn checkpoint(&mut self, partition: &str) -> Result<()> {
        match self.batches.get(partition) {
            Some(&batch) if self.partition.is_none() => {
                let link = self.link;
                self.claimed().store.checkpoint(link, partition, batch)
            }
            // The marker alone counts what the other workers do: nothing but an answer that was lost asks for it.
            Some(_) | None => Ok(()),
        }
    }

    /// Finds where the partition's batches go on, and whether state and target still belong together. One way, a
    /// mismatch costs nothing (everything was compared anyway), but it is said.
    fn continuity(&mut self, partition: &str, notes: &mut Vec<String>) -> Result<()> {
        let known = self.claimed().store.batch(self.link, partition)?;
        let marker = self
            .writer
            .marker(partition)
            .map_err(|error| error.at("target"))?;
        let (at_target, note) = match &marker {
            None if known > 0 && self.keeps_markers() => (
                0,
                Some("the target has lost its marker: it was restored or created anew"),
            ),
            None => (0, None),
            Some(marker) if marker.incarnation != self.claim.incarnation => (
                marker.batch,
                Some("the target was last written under another state file"),
            ),
            Some(marker) if marker.batch < known => (
                marker.batch,
                Some("the target is older than the state file: it was restored from a backup"),
            ),
            Some(marker) if marker.batch > known + 1 => (
                marker.batch,
                Some("the state file is older than the target: it was restored from a backup"),
            ),
            Some(marker) => (marker.batch, None),
        };
        if let Some(note) = note {
            notes.push(format!(
                "collection={partition}: {note}; everything was compared"
            ));
        }
        self.batches
            .insert(partition.to_owned(), known.max(at_target));
        Ok(())
    }

    /// Writes the spooled upserts or deletes.
    fn spooled(&mut self, one: &mut Compared, upserts: bool, done: &mut Written) -> Result<()> {
        let Compared {
            collection,
            upserts: up,
            deletes,
            plan,
            ..
        } = one;
        let spool = if upserts { up } else { deletes };
        self.replay(collection, spool, false, Some(plan.counts.total()), done)
    }

    fn flush(
        &mut self,
        collection: &Collection,
        batch: &mut Pending,
        load: bool,
        total: Option<u64>,
        done: &mut Written,
    ) -> Result<()> {
        if batch.ops.is_empty() {
            return Ok(());
        }
        self.check_stop()?;
        let partition = &collection.target.collection;
        let applied = self
            .settle(collection, batch, load)
            .map_err(|error| error.at(format!("target collection={partition}")))?;
        self.settled(collection, batch.ops.len(), applied.durable, total)?;
        self.account(collection, batch, applied.outcomes, done)?;
        batch.clear();
        Ok(())
    }

    /// Moves the checkpoint behind a batch, and tells who listens.
    fn settled(
        &mut self,
        collection: &Collection,
        records: usize,
        durable: bool,
        total: Option<u64>,
    ) -> Result<()> {
        let (world, name) = (self.world, &collection.source.collection);
        world.failpoints.pass("engine.applied")?;
        if durable {
            self.checkpoint(&collection.target.collection)?;
        }
        world.failpoints.pass("engine.checkpointed")?;
        world.progress.tick(Tick {
            collection: name,
            step: Step::Apply,
            side: None,
            records: records as u64,
            total,
        });
        world.progress.event(Event::Batch {
            collection: name,
            records: records as u64,
            durable,
        });
        Ok(())
    }

    fn account(
        &mut self,
        collection: &Collection,
        batch: &Pending,
        outcomes: Vec<Outcome>,
        done: &mut Written,
    ) -> Result<()> {
        if outcomes.len() != batch.ops.len() {
            return Err(Error::bug("the target did not answer for every write"));
        }
        for (index, outcome) in outcomes.into_iter().enumerate() {
            let (op, record) = (batch.ops[index], batch.records.record(index));
            match outcome {
                Outcome::Applied(_) | Outcome::Unchanged => done.counts.add(op),
                Outcome::Rejected {
                    reason,
                    blocked: true,
                } => {
                    done.blocked.push(op, record, reason, self.world)?;
                }
                Outcome::Rejected {
                    reason,
                    blocked: false,
                } => {
                    done.parked
                        .push(parked(&collection.mapping, record, reason));
                }
                Outcome::Stale | Outcome::Unknown => {
                    return Err(Error::bug(
                        "the target gave an answer that an unconditional write cannot have",
                    ));
                }
            }
        }
        done.check_room(self.world)
    }

    /// Tries blocked writes again until a whole round changes nothing, then parks what is left.
    fn retry_blocked(&mut self, compared: &[Compared], written: &mut [Written]) -> Result<()> {
        let waiting = |written: &[Written]| written.iter().map(|done| done.blocked.len()).sum();
        let mut before: usize = waiting(written);
        let mut backwards = false;
        while before > 0 {
            // Backwards every second time: a chain in which each waits for the next one then falls in one round.
            backwards = !backwards;
            for (one, done) in compared.iter().zip(written.iter_mut()) {
                if let (Some(mut records), _) = done.blocked.take()? {
                    self.replay(&one.collection, &mut records, backwards, None, done)?;
                }
            }
            let after = waiting(written);
            if after == before {
                break;
            }
            before = after;
        }
        for (one, done) in compared.iter().zip(written.iter_mut()) {
            let (Some(mut records), reasons) = done.blocked.take()? else {
                continue;
            };
            let width = one.collection.mapping.fields().len();
            let (mut reader, mut record) = (records.read()?, Batch::new(width));
            for reason in reasons {
                let entry = reader
                    .next()?
                    .ok_or_else(|| Error::bug("a write is lost"))?;
                record.reset(width);
                plan::decode(entry, &mut record)?;
                let mapping = &one.collection.mapping;
                done.parked.push(parked(mapping, record.record(0), reason));
            }
        }
        Ok(())
    }

    /// Writes spooled actions in their order, or each batch of them backwards.
    fn replay(
        &mut self,
        collection: &Collection,
        actions: &mut Spooled,
        backwards: bool,
        total: Option<u64>,
        done: &mut Written,
    ) -> Result<()> {
        let mut batch = Pending::new(collection.mapping.fields().len());
        let mut reader = actions.read()?;
        while let Some(entry) = reader.next()? {
            let action = plan::decode(entry, &mut batch.records)?;
            batch.ops.push(action.op);
            reader.let_go();
            if batch.is_full(self.world) {
                batch.turn(backwards);
                self.flush(collection, &mut batch, false, total, done)?;
            }
        }
        batch.turn(backwards);
        self.flush(collection, &mut batch, false, total, done)
    }
}

/// Puts a record aside that the target does not take.
pub(crate) fn parked(mapping: &Mapping, record: Record<'_>, reason: String) -> Parked {
    Parked {
        key: mapping.name(record),
        key_text: mapping.key_text(record),
        place: None,
        field: None,
        reason,
    }
}
