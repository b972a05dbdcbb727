//! The engine's steps: raise, recover, read, seal, decide, apply, finalise. Each is atomic; it can die between any two.
//!
//! A run: (1) the state store gives out a run number; both endpoints' epochs are raised to it and their markers read;
//! (2) recover: an intent whose batch is in the marker is finalised, another is dropped; a marker that does not belong to
//! this state makes the base unknown; (3) read both sides; (4) **seal**: a fresh number goes into each endpoint before
//! the base may move on what was read, so that putting back any copy older than the reading is noticed; (5) decide,
//! recording the conflict and the intent in one transaction; (6) apply, with the epoch and the expectation checked and
//! the marker written in one transaction (class T), or conditional on the version (class V); (7) finalise the base.

use super::decide::{Known, Look, Plan};
use super::model::{Class, Flaw, Protocol};
use super::recover;
use super::world::{At, Engine, Held, Rec, Work, World};
use crate::conflict::ConflictKind;
use crate::reconcile::{BaseMove, Decision};
use crate::side::{Side, Sides};

/// What ends a run early: it is shut out by another, or by a copy that was put back.
struct ShutOut;

impl Protocol {
    /// Takes one step of engine `index`.
    pub(super) fn step(&mut self, world: &mut World, index: usize) {
        loop {
            let mut engine = world.engine[index];
            if self.atomic(world, &mut engine).is_err() || engine.at == At::Idle {
                engine = Engine::default();
            }
            world.engine[index] = engine;
            let between = matches!(
                engine.at,
                At::Raise(_) | At::Recover | At::Seal(_) | At::Decide
            );
            if !(between && self.setting.coarse()) {
                break;
            }
        }
    }

    fn atomic(&mut self, world: &mut World, engine: &mut Engine) -> Result<(), ShutOut> {
        engine.at = match engine.at {
            At::Idle => {
                engine.run = world.fresh();
                world.state.run = engine.run;
                At::Raise(Side::Source)
            }
            At::Raise(side) => {
                self.raise(world, engine, side);
                other_first(side, At::Raise(Side::Target), At::Recover)
            }
            At::Recover => {
                self.own_state(world, engine)?;
                self.recover(world, engine);
                At::Read(Side::Source)
            }
            At::Read(side) => {
                engine.read[side] = world.store[side].held;
                other_first(side, At::Read(Side::Target), At::Seal(Side::Source))
            }
            At::Seal(side) => {
                self.own_store(world, engine, side)?;
                if self.setting.flaw != Flaw::NoSeal {
                    world.store[side].marker.seal = engine.seal;
                }
                other_first(side, At::Seal(Side::Target), At::Decide)
            }
            At::Decide => {
                self.own_state(world, engine)?;
                self.decide(world, engine)
            }
            At::Peek => {
                if world.store[engine.work.side()].epoch != engine.run {
                    return Err(ShutOut);
                }
                At::Apply
            }
            At::Mark | At::Apply | At::ApplyOther | At::MarkDone => self.endpoint(world, engine)?,
            At::Finalise => {
                self.own_state(world, engine)?;
                self.finalise(world, engine)
            }
            At::Then => {
                self.own_state(world, engine)?;
                self.then(world, engine)
            }
        };
        Ok(())
    }

    /// A step that changes an endpoint.
    fn endpoint(&mut self, world: &mut World, engine: &mut Engine) -> Result<At, ShutOut> {
        let work = engine.work;
        let side = work.side();
        let transactional = self.setting.class[side] == Class::Transactional;
        let locks = self.setting.flaw != Flaw::EpochPlainRead;
        Ok(match engine.at {
            At::Mark => {
                self.own_store(world, engine, side)?;
                world.store[side].marker.batch = work.batch;
                At::Apply
            }
            At::MarkDone => {
                self.own_store(world, engine, side)?;
                world.store[side].marker.batch = work.done;
                At::Finalise
            }
            At::ApplyOther => {
                let side = side.other();
                self.own_store(world, engine, side)?;
                let stale = engine.stale;
                self.apply(world, engine, side, engine.read[side].rec, work.then);
                engine.stale |= stale;
                At::Finalise
            }
            _ => {
                // A versioned store has no transaction to check the epoch in.
                if transactional && locks {
                    self.own_store(world, engine, side)?;
                }
                self.apply(world, engine, side, work.expected, work.new);
                match (self.both(engine), work.done) {
                    (true, _) => At::ApplyOther,
                    (false, 0) => At::Finalise,
                    (false, _) => At::MarkDone,
                }
            }
        })
    }

    /// Every transaction of a run on the state store checks that the run is still the last.
    fn own_state(&self, world: &World, engine: &Engine) -> Result<(), ShutOut> {
        if world.state.run == engine.run || self.setting.flaw == Flaw::NoEpoch {
            Ok(())
        } else {
            Err(ShutOut)
        }
    }

    /// Every transaction of a run on an endpoint locks and checks the epoch.
    fn own_store(&self, world: &World, engine: &Engine, side: Side) -> Result<(), ShutOut> {
        if world.store[side].epoch == engine.run || self.setting.flaw == Flaw::NoEpoch {
            Ok(())
        } else {
            Err(ShutOut)
        }
    }

    fn both(&self, engine: &Engine) -> bool {
        self.setting.flaw == Flaw::BothAtOnce && !engine.work.then.is_absent()
    }

    fn raise(&self, world: &mut World, engine: &mut Engine, side: Side) {
        let store = &mut world.store[side];
        if self.setting.flaw == Flaw::StaleOverwritten {
            store.marker.stale = false;
        }
        store.epoch = engine.run;
        engine.found[side] = store.marker;
        engine.read[side] = store.held;
    }

    /// Decides with the shipped function; the conflict and the intent are durable afterwards.
    fn decide(&mut self, world: &mut World, engine: &mut Engine) -> At {
        if self.setting.flaw != Flaw::NoSeal {
            for side in Side::BOTH {
                world.state.marker[side].seal = engine.seal;
            }
        }
        let intent = std::mem::take(&mut world.state.intent);
        if intent.batch != 0 {
            // Class V. Only now that the reading is sealed may the base move on what it shows.
            recover::versioned(world, engine.read[intent.side()], &intent);
        }
        let plan = self.ask(world, &engine.read);
        if plan.waits {
            return At::Idle;
        }
        let read = engine.read;
        let (rec, known) = (read.map(|held| held.rec), read.map(|held| held.known));
        let lww = self.setting.flaw == Flaw::NewestWithoutBase;
        if world.state.base == Known::Unknown && !lww {
            // A join: it is announced that what one side lacks is copied there.
            world.lineage.excuse_deletes(rec, known);
        }
        if let Some((kind, fields, _)) = plan.conflict
            && !lww
        {
            if self.setting.flaw == Flaw::LogAfterApply && plan.write != Sides::default() {
                engine.owed = owe(kind, fields);
            } else {
                world.lineage.conflict(kind, fields, rec, known);
            }
        }
        if plan.write == Sides::default() {
            let base = moved(plan.base, &read, plan.after).unwrap_or(world.state.base);
            if plan.base != BaseMove::Keep && !lww {
                world.lineage.doubtful = false;
                world.state.base = base;
                world.state.version = read.map(|held| held.version);
            }
            return At::Idle;
        }
        engine.work = self.work(world, engine, &plan);
        self.intend(world, engine)
    }

    /// Makes the first write of a decision.
    fn work(&self, world: &mut World, engine: &Engine, plan: &Plan) -> Work {
        let both = plan.write.source && plan.write.target;
        let side = match (both, plan.write.target) {
            (true, _) => match plan.copy {
                // What is overwritten there is copied in the same transaction: before anything else is written.
                Some(side) if self.setting.flaw == Flaw::CopyLast => side.other(),
                Some(side) => side,
                None => self.setting.first,
            },
            (false, true) => Side::Target,
            (false, false) => Side::Source,
        };
        let base = if both && self.setting.flaw != Flaw::BothAtOnce {
            Decision::base_between(side)
        } else {
            plan.base
        };
        let read = &engine.read;
        Work {
            at_target: side == Side::Target,
            batch: self.batch(world),
            done: self.done(world, side),
            expected: read[side].rec,
            expected_version: read[side].version,
            new: plan.after[side],
            base: moved(base, read, plan.after).unwrap_or(world.state.base),
            other_version: read[side.other()].version,
            agreed: !matches!(base, BaseMove::Observed(_)),
            copies: plan.copy == Some(side),
            copies_then: plan.copy == Some(side.other()),
            then: if both {
                plan.after[side.other()]
            } else {
                Rec::ABSENT
            },
            known: read.source.known | read.target.known,
            live: read.source.live | read.target.live,
        }
    }

    fn batch(&self, world: &mut World) -> u8 {
        if self.setting.flaw == Flaw::NoIncarnation {
            world.state.count += 1;
            return world.state.count;
        }
        world.fresh()
    }

    fn done(&self, world: &mut World, side: Side) -> u8 {
        let wanted = self.setting.marked(side) && self.setting.flaw != Flaw::NoMarkAfter;
        if wanted && self.setting.class[side] == Class::Versioned {
            world.fresh()
        } else {
            0
        }
    }

    fn intend(&self, world: &mut World, engine: &Engine) -> At {
        if self.setting.flaw != Flaw::BaseAfterApply {
            world.state.intent = engine.work;
        }
        let side = engine.work.side();
        match (self.setting.class[side], self.setting.flaw) {
            (_, Flaw::EpochPlainRead) => At::Peek,
            (Class::Versioned, flaw) if flaw != Flaw::NoMarkBefore => At::Mark,
            _ => At::Apply,
        }
    }

    /// Asks `reconcile` about what was read.
    pub(super) fn ask(&mut self, world: &World, read: &Sides<Held>) -> Plan {
        let base = if self.setting.flaw == Flaw::NewestWithoutBase {
            Known::Unknown
        } else {
            world.state.base
        };
        let look = Sides::by(|side| {
            let held = read[side];
            let same_version = self.setting.class[side] == Class::Versioned
                && matches!(base, Known::Present(_))
                && !held.rec.is_absent()
                && held.version == world.state.version[side];
            match (held.hidden, self.setting.flaw) {
                (true, Flaw::FilterAsDelete) => Look::At(Rec::ABSENT),
                (true, _) => Look::Hidden,
                (false, _) if same_version => Look::Cheap(held.rec),
                (false, _) => Look::At(held.rec),
            }
        });
        self.decider.ask(base, look)
    }

    /// The endpoint's part: one transaction, or one conditional write.
    fn apply(&self, world: &mut World, engine: &mut Engine, side: Side, expected: Rec, new: Rec) {
        let version = world.fresh();
        let store = &mut world.store[side];
        let holds = match self.setting.class[side] {
            Class::Transactional => self.expected(store.held.rec, expected),
            Class::Versioned => store.held.version == engine.work.expected_version,
        };
        engine.stale = !holds;
        if holds {
            if engine.work.copies {
                for (kept, value) in store.kept.iter_mut().zip(store.held.rec.0) {
                    *kept |= value;
                }
            }
            store.held.rec = new;
            store.held.hidden &= !new.is_absent();
            store.held.known |= engine.work.known;
            store.held.live |= engine.work.live;
            if new.is_absent() {
                store.held.live = 0;
            }
            store.held.version = self.version(new, version);
            engine.made = store.held.version;
        }
        if self.setting.marked(side) && self.setting.class[side] == Class::Transactional {
            store.marker.batch = engine.work.batch;
            store.marker.stale = engine.stale;
        }
    }

    /// Returns the version of a record that was just written.
    pub(super) fn version(&self, rec: Rec, fresh: u8) -> u8 {
        if rec.is_absent() && self.setting.flaw == Flaw::AbsentHasNoVersion {
            0
        } else {
            fresh
        }
    }

    /// Moves the base by what became of the write.
    fn finalise(&self, world: &mut World, engine: &mut Engine) -> At {
        let work = engine.work;
        let side = work.side();
        if engine.owed != 0 {
            let rec = engine.read.map(|held| held.rec);
            let known = engine.read.map(|held| held.known);
            let (kind, fields) = owed(engine.owed);
            world.lineage.conflict(kind, fields, rec, known);
            engine.owed = 0;
        }
        if self.setting.marked(side) {
            world.state.marker[side].batch = if work.done == 0 {
                work.batch
            } else {
                work.done
            };
            if self.both(engine) {
                world.state.marker[side.other()].batch = work.batch;
            }
        }
        world.state.intent = Work::default();
        if engine.stale || self.setting.flaw == Flaw::NewestWithoutBase {
            return At::Idle;
        }
        settle(world, &work, engine.made);
        if self.setting.flaw == Flaw::BaseReread {
            let now = world.store.source.held.rec;
            world.state.base = if now.is_absent() {
                Known::Absent
            } else {
                Known::Present(now)
            };
        }
        if work.then.is_absent() || self.both(engine) {
            At::Idle
        } else {
            At::Then
        }
    }

    /// Makes the second write of a decision.
    fn then(&self, world: &mut World, engine: &mut Engine) -> At {
        let (first, side) = (engine.work, engine.work.side().other());
        engine.work = Work {
            at_target: side == Side::Target,
            batch: self.batch(world),
            done: self.done(world, side),
            expected: engine.read[side].rec,
            expected_version: engine.read[side].version,
            new: first.then,
            base: Known::Present(first.then),
            other_version: engine.made,
            agreed: true,
            copies: first.copies_then,
            copies_then: false,
            then: Rec::ABSENT,
            known: first.known,
            live: first.live,
        };
        self.intend(world, engine)
    }
}

/// Moves the base to what it is when `work` is done, and the written side has the version `made`.
pub(super) fn settle(world: &mut World, work: &Work, made: u8) {
    let side = work.side();
    world.lineage.doubtful &= !work.agreed;
    world.state.base = work.base;
    world.state.version[side.other()] = work.other_version;
    // Between two steps the base speaks of what the first side held before: its version now is no news of that.
    world.state.version[side] = if work.agreed { made } else { 0 };
}

/// Returns the base after a move; `None` where it stays.
fn moved(base: BaseMove, read: &Sides<Held>, after: Sides<Rec>) -> Option<Known> {
    match base {
        BaseMove::Keep => None,
        BaseMove::Absent => Some(Known::Absent),
        BaseMove::Agreed => {
            assert_eq!(after.source, after.target, "sides agree that do not");
            Some(Known::Present(after.source))
        }
        BaseMove::Observed(side) => Some(Known::Present(read[side].rec)),
    }
}

fn other_first(side: Side, other: At, next: At) -> At {
    match side {
        Side::Source => other,
        Side::Target => next,
    }
}

fn owe(kind: ConflictKind, fields: [bool; 2]) -> u8 {
    let kind = match kind {
        ConflictKind::UpdateUpdate => 0,
        ConflictKind::InsertInsert => 1,
        ConflictKind::DeleteUpdate => 2,
        ConflictKind::Join => 3,
    };
    u8::from(fields[0]) | u8::from(fields[1]) << 1 | 1 << 2 | kind << 3
}

fn owed(owed: u8) -> (ConflictKind, [bool; 2]) {
    let kind = match owed >> 3 {
        0 => ConflictKind::UpdateUpdate,
        1 => ConflictKind::InsertInsert,
        2 => ConflictKind::DeleteUpdate,
        _ => ConflictKind::Join,
    };
    (kind, [owed & 1 != 0, owed & 2 != 0])
}
