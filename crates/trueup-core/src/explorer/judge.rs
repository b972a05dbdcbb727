//! Lets one engine run alone to its end, and compares the end with what the writers knew.

use super::decide::Known;
use super::model::{Flaw, Protocol, Setting};
use super::outside::Action;
use super::search::{Model, Verdict};
use super::world::{At, Rec, World};
use crate::policy::{OnDelete, Policy};
use crate::side::{Side, Sides};

/// An engine that writes this often is taken for one that never stops.
const PASSES_MAX: u8 = 6;

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn starts(&mut self) -> Vec<(Action, World)> {
        let there = Rec([1, 1]);
        let starts = [
            (Known::Absent, Sides::new(Rec::ABSENT, Rec::ABSENT)),
            (Known::Present(there), Sides::new(there, there)),
            (Known::Unknown, Sides::new(there, Rec::ABSENT)),
        ];
        let start = |(base, rec): (Known, Sides<Rec>)| {
            let mut world = World::new(base, rec.source, rec.target);
            world.canonical(self.setting.unique());
            (Action::Start(base, rec), world)
        };
        starts.map(start).into()
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
        verdict.unsettled = verdict.passes > passes_max || (held.source != held.target && !frozen);
        let values = [0, 1].map(|field| held.source.0[field] | held.target.0[field]);
        let lineage = &world.lineage;
        let keeps = matches!(self.setting.policy, Policy::KeepBoth(_));
        let on_record = if keeps && self.setting.on_delete == OnDelete::Keep {
            // Here it is not enough that the log has the loser: its copy must be there.
            Sides::by(|side| world.store[side].kept)
        } else {
            Sides::new(lineage.logged, [0, 0])
        };
        let on_record = [0, 1].map(|field| on_record.source[field] | on_record.target[field]);
        verdict.lost = lineage.lost(values, on_record, self.setting.adds()) || gone(&world);
        // What the filter hides is not looked at, nor is its delete on the other side.
        verdict.returned = !plan.waits && lineage.returned(values);
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
