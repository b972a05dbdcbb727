//! What the engine has no say in: writers, crashes, and copies that are put back.

use super::decide::Known;
use super::lineage::Mask;
use super::model::{Protocol, Restore};
use super::world::{At, Copied, Engine, Rec, State, World};
use crate::side::{Side, Sides};

/// Something that happens.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "shown in traces")]
pub(super) enum Action {
    /// This was the situation at first.
    Start(Known, Sides<Rec>),
    Insert(Side),
    Update(Side, usize),
    Delete(Side),
    /// The record leaves the link's filter, or comes back.
    Hide(Side),
    /// An engine takes a step.
    Step(usize),
    /// An engine dies.
    Crash(usize),
    /// A copy is made.
    Copy,
    /// It is put back.
    PutBack,
    /// The state store is lost, and an empty one takes its place.
    Lose,
}

impl Protocol {
    /// Adds everything that can happen in `world`.
    pub(super) fn follow(&mut self, world: &World, into: &mut Vec<(Action, World)>) {
        if world.lineage.made < self.setting.writes {
            self.writers(world, into);
        }
        for index in 0..usize::from(self.setting.engines) {
            let mut next = *world;
            let starts = world.engine[index].at == At::Idle && self.setting.runs != u8::MAX;
            next.runs += u8::from(starts);
            if next.runs <= self.setting.runs {
                self.step(&mut next, index);
                into.push((Action::Step(index), next));
            }
            if world.engine[index].at != At::Idle && world.crashes < self.setting.crashes {
                let mut next = *world;
                next.engine[index] = Engine::default();
                next.crashes += 1;
                next.lineage.crashed = true;
                into.push((Action::Crash(index), next));
            }
        }
        if self.setting.restore != Restore::Nothing {
            self.copies(world, into);
        }
        let unique = self.setting.unique();
        for (_, next) in into {
            next.canonical(unique);
        }
    }

    fn writers(&self, world: &World, into: &mut Vec<(Action, World)>) {
        for side in Side::BOTH {
            if world.store[side].held.rec.is_absent() {
                into.push((Action::Insert(side), self.insert(*world, side)));
                continue;
            }
            for field in 0..2 {
                let action = Action::Update(side, field);
                into.push((action, self.update(*world, side, field)));
            }
            into.push((Action::Delete(side), self.delete(*world, side)));
            if self.setting.filter {
                let mut next = *world;
                // It is a change like any other, but for the values; it uses up a write.
                next.lineage.made += 1;
                next.store[side].held.hidden = !world.store[side].held.hidden;
                into.push((Action::Hide(side), next));
            }
        }
    }

    fn insert(&self, mut world: World, side: Side) -> World {
        let held = world.store[side].held;
        let bit = world.lineage.write(held.known, held.live, &[0, 1]);
        self.wrote(&mut world, side, bit, Rec([bit, bit]));
        world
    }

    fn update(&self, mut world: World, side: Side, field: usize) -> World {
        let held = world.store[side].held;
        let bit = world.lineage.write(held.known, held.live, &[field]);
        let mut rec = held.rec;
        rec.0[field] = if self.setting.adds() {
            rec.0[field] | bit
        } else {
            bit
        };
        self.wrote(&mut world, side, bit, rec);
        world
    }

    fn delete(&self, mut world: World, side: Side) -> World {
        let held = world.store[side].held;
        let bit = world.lineage.write(held.known, held.live, &[]);
        self.wrote(&mut world, side, bit, Rec::ABSENT);
        world.store[side].held.hidden = false;
        world
    }

    fn wrote(&self, world: &mut World, side: Side, bit: Mask, rec: Rec) {
        let version = world.fresh();
        let held = &mut world.store[side].held;
        held.rec = rec;
        held.known |= bit;
        held.live = if rec.is_absent() { 0 } else { held.live | bit };
        held.version = self.version(rec, version);
    }

    /// What is put back is another database: whoever was connected to the one before is so no longer. That is why its
    /// epoch, or run, is nobody's.
    fn copies(&self, world: &World, into: &mut Vec<(Action, World)>) {
        let mut next = *world;
        match (world.copied, self.setting.restore) {
            (Copied::Nothing, Restore::State) => {
                next.copied = Copied::State(world.state);
                into.push((Action::Copy, next));
                let mut next = *world;
                next.state = State::default();
                next.state.run = next.fresh();
                next.copied = Copied::Used;
                next.lineage.crashed = true;
                into.push((Action::Lose, next));
            }
            (Copied::Nothing, Restore::Store(side)) => {
                next.copied = Copied::Store(world.store[side]);
                into.push((Action::Copy, next));
            }
            (Copied::State(state), _) => {
                next.state = state;
                next.state.run = next.fresh();
                next.copied = Copied::Used;
                next.lineage.crashed = true;
                into.push((Action::PutBack, next));
            }
            (Copied::Store(store), Restore::Store(side)) => {
                let known = |store: &super::world::Store| store.held.known;
                let (now, other) = (known(&world.store[side]), known(&world.store[side.other()]));
                next.lineage.put_back(now, known(&store), other);
                next.store[side] = store;
                next.store[side].epoch = next.fresh();
                next.copied = Copied::Used;
                next.lineage.crashed = true;
                into.push((Action::PutBack, next));
            }
            (Copied::Nothing | Copied::Used | Copied::Store(_), _) => {}
        }
    }
}
