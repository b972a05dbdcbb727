//! Carries decisions out: intent, conditional writes, outcome, base. One batch is outstanding per side and collection.
//!
//! The intent is durable before the batch is sent, and with it the conflicts it decides, so nothing is overwritten that
//! is not on record. The base moves after the outcome is known, by what applied and nothing else. A connection that
//! breaks in between ends the pass: the next one reads the marker under a new epoch and finishes or drops the intent.
//! Nothing is ever sent twice.
//!
//! A decision for both sides is two writes: the second goes out once the first has applied, and until then the base says
//! what the other side still holds, so that dying in between looks like an ordinary change of one side.

use super::decide::Decided;
use super::marker;
use super::open::{Opened, fresh};
use super::prepare::Joint;
use super::sending::Sending;
use super::tally::Tally;
use super::work::Work;
use crate::link::World;
use crate::progress::{Event, Step, Tick};
use crate::spool::{Spool, Spooled};
use crate::state::{INTENT_ITEMS_MAX, LinkId, RunId, Store};
use trueup_core::endpoint::{Applied, Mark, Op, Outcome, Writes};
use trueup_core::mapping::key_digest;
use trueup_core::park::Parked;
use trueup_core::side::{Side, Sides};
use trueup_core::{Error, Kind, Result};

/// Why a record is parked whose loser nothing could keep.
const NO_COPY: &str = "no copy of it could be kept: it is on record as a conflict";

/// What carrying out needs.
pub(super) struct Carrier<'a> {
    pub(super) opened: &'a mut Opened,
    pub(super) store: &'a mut Store,
    pub(super) link: &'a LinkId,
    pub(super) run: RunId,
    pub(super) joints: &'a [Joint],
    pub(super) world: &'a World<'a>,
    pub(super) tally: &'a mut Tally,
}

/// Works on their way to one side of one collection.
struct Batching {
    works: Vec<Work>,
    writes: usize,
    bytes: usize,
}

/// What one collection still has to do in this pass.
struct Rest {
    /// Second writes, by side.
    then: Sides<Spool>,
    /// Writes that another record stands in the way of.
    blocked: Vec<(Work, String)>,
    /// Copies made beside a write that was refused: they are removed again.
    undo: Vec<Work>,
    /// The largest integer key of both sides, which fresh ones continue from, and how many were given out.
    largest: Option<i64>,
    fresh: u64,
}

impl Carrier<'_> {
    /// Carries out all decisions: missing collections, inserts and updates parents first, deletes children first, the
    /// second writes, and once more what was blocked.
    pub(super) fn carry(&mut self, decided: &mut [Decided]) -> Result<()> {
        for joint in self.joints {
            for side in Side::BOTH {
                if let Some(design) = &joint.create[side] {
                    let created = self.opened.writers[side].create(design);
                    created.map_err(|error| self.at(joint, side, error))?;
                    self.world.failpoints.pass("two-way.created")?;
                }
            }
        }
        let folder = &self.world.spool_folder;
        let mut rests: Vec<Rest> = decided
            .iter()
            .map(|one| Rest {
                then: Sides::by(|_| Spool::new(folder)),
                blocked: Vec::new(),
                undo: Vec::new(),
                largest: one.largest,
                fresh: 0,
            })
            .collect();
        for index in 0..decided.len() {
            for side in Side::BOTH {
                let (one, rest) = (&mut decided[index], &mut rests[index]);
                self.spooled(index, &mut one.planned[side].upserts, rest)?;
            }
        }
        for index in (0..decided.len()).rev() {
            for side in Side::BOTH {
                let (one, rest) = (&mut decided[index], &mut rests[index]);
                self.spooled(index, &mut one.planned[side].deletes, rest)?;
            }
        }
        self.second_writes(&mut rests)?;
        self.blocked(&mut rests)?;
        Ok(())
    }

    fn second_writes(&mut self, rests: &mut [Rest]) -> Result<()> {
        for (index, rest) in rests.iter_mut().enumerate() {
            for side in Side::BOTH {
                let spool = Spool::new(&self.world.spool_folder);
                let mut spooled = std::mem::replace(&mut rest.then[side], spool).finish()?;
                self.spooled(index, &mut spooled, rest)?;
            }
        }
        Ok(())
    }

    /// Tries blocked writes again until a whole round changes nothing; what is left is parked.
    fn blocked(&mut self, rests: &mut [Rest]) -> Result<()> {
        let waiting = |rests: &[Rest]| rests.iter().map(|rest| rest.blocked.len()).sum::<usize>();
        let mut before = waiting(rests);
        let mut backwards = false;
        while before > 0 {
            backwards = !backwards;
            for (index, rest) in rests.iter_mut().enumerate() {
                let mut works = std::mem::take(&mut rest.blocked);
                if backwards {
                    works.reverse();
                }
                for side in Side::BOTH {
                    let (ours, others): (Vec<_>, Vec<_>) = works
                        .into_iter()
                        .partition(|(work, _)| work.step.side == side);
                    works = others;
                    let mut batching = Batching::new();
                    for (work, _) in ours {
                        self.add(index, work, &mut batching, rest)?;
                    }
                    self.flush(index, side, &mut batching, rest)?;
                }
            }
            self.second_writes(rests)?;
            let after = waiting(rests);
            if after == before {
                break;
            }
            before = after;
        }
        for (index, rest) in rests.iter_mut().enumerate() {
            for (work, reason) in rest.blocked.drain(..) {
                self.refuse(index, &work, None, &reason)?;
            }
        }
        Ok(())
    }

    fn spooled(&mut self, index: usize, works: &mut Spooled, rest: &mut Rest) -> Result<()> {
        let width = self.joints[index].shared.types().len();
        let mut batching = Batching::new();
        let mut side = None;
        let mut reader = works.read()?;
        while let Some(entry) = reader.next()? {
            let work = Work::decode(entry, width)?;
            side = Some(work.step.side);
            batching.bytes += entry.len();
            self.add(index, work, &mut batching, rest)?;
        }
        match side {
            Some(side) => self.flush(index, side, &mut batching, rest),
            None => Ok(()),
        }
    }

    fn add(
        &mut self,
        index: usize,
        work: Work,
        batching: &mut Batching,
        rest: &mut Rest,
    ) -> Result<()> {
        let side = work.step.side;
        // A keep-both is two writes.
        batching.writes += 1 + usize::from(work.copy.is_some());
        batching.works.push(work);
        let limits = self.world.limits;
        let most = limits.batch_records_max.min(INTENT_ITEMS_MAX - 1);
        let full = batching.writes >= most || batching.bytes >= limits.batch_bytes_max;
        if full {
            self.flush(index, side, batching, rest)?;
        }
        Ok(())
    }

    /// Writes one batch, and accounts for every write of it.
    fn flush(
        &mut self,
        index: usize,
        side: Side,
        batching: &mut Batching,
        rest: &mut Rest,
    ) -> Result<()> {
        let works = std::mem::take(&mut batching.works);
        (batching.bytes, batching.writes) = (0, 0);
        if works.is_empty() {
            return Ok(());
        }
        self.world.check_stop()?;
        let joint = &self.joints[index];
        let token = fresh(self.world)?;
        let mut sending = Sending::new(joint, side, token);
        for work in works {
            if let Err(misfit) = sending.take(work, rest.largest, &mut rest.fresh) {
                self.refuse(index, &misfit.work, misfit.field, &misfit.reason)?;
            }
        }
        if sending.works.is_empty() {
            return Ok(());
        }
        let applied = self.send(index, side, &sending)?;
        let ticked = sending.ops.len() as u64;
        self.world.progress.tick(Tick {
            collection: joint.title(),
            step: Step::Apply,
            side: None,
            records: ticked,
            total: None,
        });
        // `send` does not return before the batch is durable.
        self.world.progress.event(Event::Batch {
            collection: joint.title(),
            records: ticked,
            durable: true,
        });
        self.account(index, side, sending, applied.outcomes, rest)?;
        batching.works = std::mem::take(&mut rest.undo);
        self.flush(index, side, batching, rest)
    }

    /// Intent, batch, outcome.
    fn send(&mut self, index: usize, side: Side, sending: &Sending<'_>) -> Result<Applied> {
        let joint = &self.joints[index];
        let collection = self.opened.collections[index].id;
        let items = sending.items();
        let token = sending.token;
        let intent = self
            .store
            .intend(self.link, self.run, collection, side, token, items)?;
        self.world.failpoints.pass("two-way.intended")?;
        self.tally.sending(sending.sent(index));
        let number = &mut self.opened.collections[index].batches[side];
        *number += 1;
        let mark = Mark {
            partition: joint.partition(side).to_owned(),
            batch: *number,
            position: marker::encode(token, &[]),
        };
        let writes = Writes {
            schema: &joint.schema[side],
            fields: joint.shared.fields(side),
            key: joint.shared.key(),
            ops: &sending.ops,
            records: &sending.records,
            mark: &mark,
            load: false,
            check: Some(sending),
            bag: None,
        };
        let writer = &mut self.opened.writers[side];
        let applied = writer.apply(&writes);
        let applied = applied.map_err(|error| self.at(joint, side, error))?;
        if !applied.durable {
            let finished = self.opened.writers[side].finish(joint.partition(side));
            finished.map_err(|error| self.at(joint, side, error))?;
        }
        if applied.outcomes.len() != sending.ops.len() {
            return Err(Error::bug("an endpoint did not answer for every write"));
        }
        self.world.failpoints.pass("two-way.applied")?;
        let done = |index: usize| match applied.outcomes[index] {
            Outcome::Applied(_) | Outcome::Unchanged => true,
            Outcome::Stale | Outcome::Rejected { .. } | Outcome::Unknown => false,
        };
        self.store
            .finalise(self.link, collection, side, &intent, &done)?;
        self.tally.answered();
        self.world.failpoints.pass("two-way.finalised")?;
        Ok(applied)
    }

    fn account(
        &mut self,
        index: usize,
        side: Side,
        mut sending: Sending<'_>,
        outcomes: Vec<Outcome>,
        rest: &mut Rest,
    ) -> Result<()> {
        // Of the last write that a copy belongs to: whether it was made, and what is parked where the copy was not.
        let mut last = (false, Parked::default());
        for (place, outcome) in outcomes.into_iter().enumerate() {
            let Some(work) = sending.works.get_mut(place) else {
                return Err(Error::bug("a write belongs to no decision"));
            };
            let done = matches!(outcome, Outcome::Applied(_) | Outcome::Unchanged);
            let Some(work) = work.take() else {
                self.copied(index, &sending, place, (done, &last), rest);
                continue;
            };
            if work.copy.is_some() {
                last = (done, self.parked(index, &work, None, NO_COPY.to_owned()));
            }
            match outcome {
                Outcome::Applied(_) | Outcome::Unchanged => {
                    let done = &mut self.tally.done[index];
                    done.written[side].add(work.step.op);
                    done.conflicts += u64::from(work.conflict.is_some());
                    self.follow(index, work, rest)?;
                }
                Outcome::Stale => self.tally.done[index].stale += 1,
                Outcome::Rejected {
                    reason,
                    blocked: true,
                } => {
                    rest.blocked.push((work, reason));
                    self.bound(index, rest.blocked.len())?;
                }
                Outcome::Rejected {
                    reason,
                    blocked: false,
                } => self.refuse(index, &work, None, &reason)?,
                Outcome::Unknown => {
                    return Err(Error::bug(
                        "an endpoint answered a batch, but not for each write",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Accounts for the copy of a keep-both, which goes with the write before it: `went` says whether the copy was made,
    /// and the write, and what is parked where only the write was.
    fn copied(
        &mut self,
        index: usize,
        sending: &Sending<'_>,
        place: usize,
        went: (bool, &(bool, Parked)),
        rest: &mut Rest,
    ) {
        let done = &mut self.tally.done[index];
        match went {
            (true, (true, _)) => done.written[sending.side].add(Op::Insert),
            // Nothing was overwritten: left there, a copy would come with every attempt.
            (true, (false, _)) => {
                done.written[sending.side].add(Op::Insert);
                rest.undo.extend(sending.undo(place));
            }
            (false, (true, parked)) => {
                drop(done.refused.insert(parked.key, parked.clone()));
            }
            (false, (false, _)) => {}
        }
    }

    /// What comes after a write that applied: the second one, or the end of an answer.
    fn follow(&mut self, index: usize, work: Work, rest: &mut Rest) -> Result<()> {
        let result = work.step.base.present();
        let result = result.map(|present| present.digest(Side::Source));
        let answers = work.answers.map(|id| (id, work.step.record.clone()));
        if work.closes && work.then.is_none() {
            let collection = self.opened.collections[index].id;
            self.store
                .close_conflict(self.link, collection, &work.key, "agreed", result)?;
        }
        match (work.rest(), answers) {
            (Some(then), _) => {
                let mut entry = Vec::new();
                then.encode(&mut entry);
                rest.then[then.step.side].push(&entry)
            }
            (None, Some((id, record))) => {
                let record = result.map(|_| record.record(0));
                self.store.carried_out(self.link, id, result, record)?;
                self.tally.done[index].conflicts += 1;
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    /// Puts a record aside that a side refuses.
    fn refuse(
        &mut self,
        index: usize,
        work: &Work,
        field: Option<String>,
        reason: &str,
    ) -> Result<()> {
        let side = self.joints[index].user[work.step.side];
        let parked = self.parked(index, work, field, format!("{side}: {reason}"));
        self.tally.done[index].refused.insert(parked.key, parked);
        self.bound(index, 0)
    }

    fn parked(&self, index: usize, work: &Work, field: Option<String>, reason: String) -> Parked {
        let (side, record) = (work.step.side, work.step.record.record(0));
        Parked {
            key: key_digest(&work.key),
            key_text: Some(self.joints[index].shared.key_text(side, record)),
            place: None,
            field,
            reason,
        }
    }

    fn bound(&self, index: usize, blocked: usize) -> Result<()> {
        let (refused, max) = (
            &self.tally.done[index].refused,
            self.world.limits.refused_max,
        );
        if refused.len() + blocked <= max {
            return Ok(());
        }
        let last = refused.values().next_back();
        Err(Error::new(
            Kind::Rejected,
            format!(
                "more than {max} records were refused; one of them: {}",
                last.map_or("", |parked| &parked.reason)
            ),
        )
        .hint("the batches so far are in place; mend the cause and run again"))
    }

    fn at(&self, joint: &Joint, side: Side, error: Error) -> Error {
        let name = joint.user[side].name();
        error.at(format!("{name} collection={}", joint.partition(side)))
    }
}

impl Batching {
    fn new() -> Self {
        Self {
            works: Vec::new(),
            writes: 0,
            bytes: 0,
        }
    }
}
