//! One pass: open, compare, guard, seal, apply, remember.

use super::answer::{self, Answered};
use super::carry::Carrier;
use super::decide::{Before, Decided, Snapshots, decide};
use super::open::{Opened, claim, open};
use super::prepare::Joint;
use super::prepared;
use super::summary::{self, Found};
use super::tally::Tally;
use super::work::Ruled;
use crate::link::{Link, World};
use crate::state::{CollectionId, ConflictId, Ends, LinkId, Move, RunId, Store};
use std::collections::BTreeMap;
use trueup_core::base::Base;
use trueup_core::codec::Reader;
use trueup_core::conflict::Conflict;
use trueup_core::digest::Digest;
use trueup_core::endpoint::{Position, Snapshot, Writer};
use trueup_core::mapping::key_digest;
use trueup_core::side::{Side, Sides};
use trueup_core::{Error, Result};

/// Base entries moved in one transaction.
const MOVES: usize = 4_096;

/// Open conflicts put on record in one transaction, each with two whole records.
const CONFLICTS: usize = 256;

/// What became of a pass.
pub(super) struct Pass {
    /// The collections, as they were when it began.
    pub(super) joints: Vec<Joint>,
    /// What each collection held before.
    pub(super) found: Vec<Found>,
    /// Whether records changed while it was under way: another pass has to look at them.
    pub(super) again: bool,
    /// Whether nothing had to be written or remembered.
    pub(super) idle: bool,
    /// Where each side was read.
    pub(super) positions: Sides<Position>,
}

/// What a pass needs.
pub(super) struct Passing<'a, 'w> {
    pub(super) link: &'a mut Link,
    pub(super) store: &'a mut Store,
    pub(super) ends: &'a Ends,
    pub(super) id: &'a LinkId,
    pub(super) run: RunId,
    pub(super) world: &'a World<'w>,
    pub(super) tally: &'a mut Tally,
    pub(super) notes: &'a mut Vec<String>,
    pub(super) turned: bool,
}

impl Passing<'_, '_> {
    pub(super) fn pass(&mut self) -> Result<Pass> {
        for done in &mut self.tally.done {
            (done.stale, done.refused) = (0, BTreeMap::new());
        }
        let writers = claim(self.link, self.store, self.id, self.turned, self.world)?;
        // Only now: what an earlier pass knew of the shapes may be the past, and a collection that it found missing and
        // created must not be read as empty.
        let shapes = prepared(self.link, self.turned)?;
        let joints = shapes.as_slice();
        let mut opened = self.open(writers, joints)?;
        let (mut decided, positions) = self.compare(joints, &opened)?;
        summary::guard(self.link, joints, &decided)?;
        self.world.failpoints.pass("two-way.planned")?;
        let idle = decided.iter().all(Decided::is_idle);
        let complete = opened.collections.iter().all(|known| known.complete);
        if !idle || !complete {
            let user = joints.first().map(|joint| joint.user);
            let user = user.unwrap_or_else(|| Sides::by(|side| side));
            opened.seal(self.store, self.id, self.world, &user)?;
            for (known, one) in opened.collections.iter().zip(&mut decided) {
                self.remember(known.id, one)?;
            }
            self.carrier(&mut opened, joints).carry(&mut decided)?;
        }
        let mut found = Vec::new();
        for (index, one) in decided.iter_mut().enumerate() {
            let known = &opened.collections[index];
            let open = self.conflicts(joints, index, known.id, one)?;
            if self.tally.done[index].stale == 0 && !known.complete {
                self.store.complete(self.id, known.id)?;
                self.world.failpoints.pass("two-way.completed")?;
            }
            found.push(Found::new(one, open));
        }
        Ok(Pass {
            joints: shapes,
            found,
            again: self.tally.done.iter().any(|done| done.stale > 0),
            idle,
            positions,
        })
    }

    fn open(&mut self, writers: Sides<Box<dyn Writer>>, joints: &[Joint]) -> Result<Opened> {
        let mut recovered = Vec::new();
        let pair = self.store.pair(self.id, self.ends, self.turned)?;
        let opened = open(
            writers,
            &pair,
            self.store,
            self.id,
            joints,
            self.world,
            &mut recovered,
        );
        self.tally.recovered(&recovered);
        let mut opened = opened?;
        self.notes.append(&mut opened.notes);
        Ok(opened)
    }

    fn carrier<'c>(&'c mut self, opened: &'c mut Opened, joints: &'c [Joint]) -> Carrier<'c> {
        Carrier {
            opened,
            store: self.store,
            link: self.id,
            run: self.run,
            joints,
            world: self.world,
            tally: self.tally,
        }
    }

    /// Reads both sides and decides. The snapshots end here: an endpoint may not be able to take writes while one is
    /// held.
    fn compare(
        &mut self,
        joints: &[Joint],
        opened: &Opened,
    ) -> Result<(Vec<Decided>, Sides<Position>)> {
        let user = joints.first().map(|joint| joint.user);
        let name = |side: Side| user.map_or("endpoint", |user| user[side].name());
        let source = self.link.source.snapshot();
        let source = source.map_err(|error| error.at(name(Side::Source)))?;
        let target = self.link.target.snapshot();
        let target = target.map_err(|error| error.at(name(Side::Target)))?;
        let mut snapshots: Snapshots = Sides::new(Some(source), Some(target));
        let mut decided = Vec::new();
        for (joint, known) in joints.iter().zip(&opened.collections) {
            let (before, refused) = before(self.store, known.id, joint)?;
            let before = Before {
                complete: known.complete,
                batch: self.run.0.unsigned_abs(),
                ..before
            };
            let mut one = decide(joint, &before, &mut snapshots, self.world)?;
            one.answered.extend(refused);
            decided.push(one);
        }
        let position = |snapshot: &Option<Box<dyn Snapshot>>| {
            let position = snapshot.as_ref().map(|snapshot| snapshot.position());
            position.unwrap_or_else(|| Position(String::new()))
        };
        let positions = snapshots.as_ref().map(position);
        Ok((decided, positions))
    }

    /// Moves the base where both sides agree without a write.
    fn remember(&mut self, collection: CollectionId, one: &mut Decided) -> Result<()> {
        let mut reader = one.moves.read()?;
        let (mut moves, mut bytes) = (Vec::new(), 0);
        loop {
            let entry = reader.next()?;
            let last = entry.is_none();
            if let Some(entry) = entry {
                let mut entry = Reader::new(entry);
                let (key, base, kept) = (entry.bytes()?, entry.bytes()?, entry.bytes()?);
                bytes += kept.len();
                moves.push(Move {
                    key: key.to_vec(),
                    base: Base::decode(base)?,
                    kept: Some(kept.to_vec()).filter(|kept| !kept.is_empty()),
                });
            }
            let full = moves.len() >= MOVES || bytes >= self.world.limits.batch_bytes_max;
            if full || (last && !moves.is_empty()) {
                self.store.move_base(self.id, collection, &moves)?;
                self.world.failpoints.pass("two-way.moved")?;
                moves.clear();
                bytes = 0;
            }
            if last {
                return Ok(());
            }
        }
    }

    /// Puts open conflicts on record, closes those that are over, and notes what became of answers. Returns the digests
    /// of the keys in open conflict.
    fn conflicts(
        &mut self,
        joints: &[Joint],
        index: usize,
        collection: CollectionId,
        one: &mut Decided,
    ) -> Result<Vec<Digest>> {
        let joint = &joints[index];
        let (name, width) = (joint.partition(Side::Source), joint.shared.types().len());
        let now_ms = self.world.clock.now_ms();
        for (id, became) in std::mem::take(&mut one.answered) {
            self.notes.extend(became.lapse(id));
            match became {
                Answered::Done(result, record) => {
                    let record = record.as_ref().map(|record| record.record(0));
                    self.store.carried_out(self.id, id, result, record)?;
                }
                Answered::Refused(why) => self.store.lapse(self.id, id, &why)?,
            }
        }
        let (mut keys, mut open, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut reader = one.open.read()?;
        while let Some(entry) = reader.next()? {
            let (key, ruled) = Ruled::read_open(entry, width)?;
            keys.push(key_digest(&key));
            let records = ruled.records.as_ref();
            let records = records.map(|record| record.as_ref().map(|record| record.record(0)));
            let conflict = Conflict::new(name, &key, ruled.ruling, records);
            bytes += entry.len();
            open.push((conflict, ruled.reason));
            if open.len() >= CONFLICTS || bytes >= self.world.limits.batch_bytes_max {
                self.store
                    .open_conflicts(self.id, self.run, collection, &open, now_ms)?;
                open.clear();
                bytes = 0;
            }
        }
        self.store
            .open_conflicts(self.id, self.run, collection, &open, now_ms)?;
        for (key, held) in &one.gone {
            self.store
                .close_conflict(self.id, collection, key, "agreed", *held)?;
        }
        self.world.failpoints.pass("two-way.conflicts-recorded")?;
        Ok(keys)
    }
}

/// Answers that cannot be carried out, and why.
type Refused = Vec<(ConflictId, Answered)>;

/// Gathers what is on record about a collection before it is compared: open conflicts, and what people decided.
pub(super) fn before<'a>(
    store: &'a Store,
    collection: CollectionId,
    joint: &Joint,
) -> Result<(Before<'a>, Refused)> {
    let (mut answers, mut refused) = (BTreeMap::new(), Vec::new());
    for (id, key, answer, conflict) in store.answers(collection)? {
        match answer::waiting(id, &answer, &conflict, joint) {
            Ok(waiting) => drop(answers.insert(key, waiting)),
            Err(why) => refused.push((id, Answered::Refused(why))),
        }
    }
    let before = Before {
        store,
        collection: Some(collection),
        complete: false,
        open: store.open_keys(collection)?,
        answers,
        batch: 0,
    };
    Ok((before, refused))
}

impl Ruled {
    /// Reads an entry of the spool of open conflicts.
    pub(super) fn read_open(entry: &[u8], width: usize) -> Result<(Vec<u8>, Self)> {
        let mut reader = Reader::new(entry);
        let key = reader.bytes()?.to_vec();
        let ruled = Self::decode(&mut reader, width)?;
        if reader.is_done() {
            Ok((key, ruled))
        } else {
            Err(Error::corrupt("a spooled conflict does not decode")
                .hint("a temporary file was changed while it was in use; run again"))
        }
    }
}
