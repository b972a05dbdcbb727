//! Lets one engine run alone to its end, and compares the end with what the writers knew.

use super::decide::Known;
use super::model::{Flaw, Protocol, Setting};
use super::outside::Action;
use super::search::{Model, Verdict};
use super::world::{At, Rec, World};
use crate::side::Side;

/// An engine that writes this often is taken for one that never stops.
const PASSES_MAX: u8 = 6;

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn starts(&mut self) -> Vec<World> {
        let there = Rec([1, 1]);
        let mut starts = vec![
            World::new(Known::Absent, Rec::ABSENT, Rec::ABSENT),
            World::new(Known::Present(there), there, there),
            World::new(Known::Unknown, there, Rec::ABSENT),
        ];
        for world in &mut starts {
            world.canonical(self.setting.unique());
        }
        starts
    }

    fn next(&mut self, world: &World, into: &mut Vec<(Action, World)>) {
        self.follow(world, into);
    }

    fn fingerprint(&self, world: &World) -> u64 {
        world.fingerprint()
    }

    fn judge(&mut self, world: &World) -> Option<Verdict> {
        if world.engine.iter().any(|engine| engine.at != At::Idle) {
            return None;
        }
        let mut world = *world;
        let mut verdict = Verdict::default();
        while verdict.passes < PASSES_MAX && self.pass(&mut world) {
            verdict.passes += 1;
        }
        let passes_max = if world.lineage.crashed { 3 } else { 2 };
        let held = world.store.map(|store| store.held.rec);
        let plan = self.ask(&world, &world.store.map(|store| store.held));
        let frozen = plan.waits || plan.conflict.is_some_and(|(_, _, open)| open);
        verdict.unsettled =
            verdict.passes > passes_max || (held.source != held.target && !frozen);
        let values = [0, 1].map(|field| held.source.0[field] | held.target.0[field]);
        let lineage = &world.lineage;
        verdict.lost = lineage.lost(values, self.setting.adds()) || gone(&world);
        verdict.returned = lineage.returned(values);
        verdict.false_conflict = lineage.false_conflict;
        verdict.conflict = lineage.logged != [0, 0];
        Some(verdict)
    }
}

impl Setting {
    /// Tells whether batch numbers carry the state store's incarnation.
    pub(super) fn unique(&self) -> bool {
        self.flaw != Flaw::NoIncarnation
    }
}

impl Protocol {
    /// One run without company; tells whether it changed anything that lasts.
    fn pass(&mut self, world: &mut World) -> bool {
        let before = (world.store.map(|store| store.held.rec), world.state.base);
        loop {
            self.step(world, 0);
            if world.engine[0].at == At::Idle {
                break;
            }
        }
        world.canonical(self.setting.unique());
        before != (world.store.map(|store| store.held.rec), world.state.base)
    }
}

/// Tells whether a side has lost its record though nobody deleted it.
fn gone(world: &World) -> bool {
    Side::BOTH.into_iter().any(|side| {
        let held = world.store[side].held;
        let lineage = &world.lineage;
        held.rec.is_absent() && held.known != 0 && held.known & lineage.deletes == 0
    })
}
