//! What a run finds of the run before: an intent that may or may not have been carried out, and markers that may or may
//! not belong to this state.
//!
//! Class T knows from the marker, at once. Class V knows from the versions, and only once the reading of them is sealed:
//! until then a copy could still take their place.

use super::decide::Known;
use super::engine::settle;
use super::model::{Class, Flaw, Protocol};
use super::world::{Engine, Held, Marker, Work, World};
use crate::side::{Side, Sides};

impl Protocol {
    /// Finishes what an earlier run left behind, and compares the markers with what they must be.
    pub(super) fn recover(&self, world: &mut World, engine: &mut Engine) {
        let intent = world.state.intent;
        let side = intent.side();
        let marked = self.setting.class[side] == Class::Transactional;
        if intent.batch != 0 && marked {
            self.recover_marked(world, engine, &intent);
            world.state.intent = Work::default();
        }
        for side in Side::BOTH {
            let (found, mut known) = (engine.found[side], world.state.marker[side]);
            if intent.batch != 0 && intent.side() == side && self.reached(found, &intent) {
                known.batch = found.batch;
            }
            let sealed = found.seal == known.seal || found.seal == world.state.pending;
            let batch = !self.setting.marked(side) || found.batch == known.batch;
            if !sealed || !batch {
                world.state.base = Known::Unknown;
                world.state.intent = Work::default();
            }
            world.state.marker[side].seal = found.seal;
            world.state.marker[side].batch = found.batch;
        }
        engine.seal = world.fresh();
        world.state.pending = engine.seal;
        engine.read = Sides::default();
        engine.found = Sides::default();
    }

    /// Tells whether the marker is that of the intent's batch.
    fn reached(&self, found: Marker, intent: &Work) -> bool {
        if self.setting.flaw == Flaw::NoIncarnation {
            found.batch >= intent.batch
        } else {
            found.batch == intent.batch || (intent.done != 0 && found.batch == intent.done)
        }
    }

    fn recover_marked(&self, world: &mut World, engine: &Engine, intent: &Work) {
        let side = intent.side();
        let found = engine.found[side];
        let (applied, stale) = match self.setting.flaw {
            Flaw::ValuesOnly => (engine.read[side].rec == intent.new, false),
            _ => (self.reached(found, intent), found.stale),
        };
        if self.setting.flaw == Flaw::BothAtOnce && !intent.then.is_absent() {
            // Nothing says how far it came but two markers: where the first is there, it is taken for done.
            let other = engine.found[side.other()];
            if other.batch == intent.batch {
                world.state.marker[side.other()].batch = other.batch;
            }
            if applied && !stale && !(other.batch == intent.batch && other.stale) {
                world.state.base = intent.base;
            }
        } else if applied && !stale {
            world.state.base = intent.base;
        }
    }
}

/// Class V after a crash: same version, not written; same content, written; anything else, ours goes on record and
/// theirs is kept.
pub(super) fn versioned(world: &mut World, now: Held, intent: &Work) {
    if now.version == intent.expected_version {
        return;
    }
    if now.rec == intent.new {
        return settle(world, intent, now.version);
    }
    for field in 0..2 {
        world.lineage.logged[field] |= intent.new.0[field];
    }
    if intent.new.is_absent() {
        world.lineage.forgiven |= world.lineage.deletes & intent.known;
    }
    settle(world, intent, 0);
    world.lineage.doubtful = true;
}
