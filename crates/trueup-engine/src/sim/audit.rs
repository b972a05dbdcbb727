//! Looks at each run when it is over: counters, guard, checkpoints, the kind of its error.
//!
//! Nothing here asks the engine what is right: it counts what the world saw.

use super::case::Case;
use super::driver::Ended;
use crate::report::{CollectionReport, Report};
use crate::state::{LinkId, Store};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use trueup_core::Kind;
use trueup_core::digest::Digest;
use trueup_core::mapping::key_digest;
use trueup_core::side::Side;
use trueup_testkit::Owned;
use trueup_testkit::owned::key_bytes;
use trueup_testkit::sim::{RunId, Sim};

/// What is remembered between runs.
#[derive(Debug, Default)]
pub(super) struct Audit {
    /// The checkpoints of each state file, by collection.
    checkpoints: BTreeMap<(PathBuf, String), u64>,
    /// How often a state file was replaced.
    replaced: u64,
}

impl Audit {
    /// Tells whether a state was lost or put back.
    pub(super) fn shaken(&self) -> bool {
        self.replaced > 0
    }

    /// The state at `path` is another one now.
    pub(super) fn forget_state(&mut self, path: &Path) {
        self.replaced += 1;
        self.checkpoints.retain(|(state, _), _| state != path);
    }

    /// Judges a run.
    pub(super) fn run(
        &mut self,
        sim: &Sim,
        case: &Case,
        run: RunId,
        state: &Path,
        lifted: bool,
        ended: &Ended,
    ) {
        match ended {
            Ended::Died => {}
            Ended::Failed(error) => failed(sim, run, error),
            Ended::Done(report) => {
                for (index, one) in report.collections.iter().enumerate() {
                    conserved(sim, run, index, one);
                }
                verified(sim, report);
            }
        }
        if case.mode.delete && !(case.mode.lift_guard || lifted) {
            braked(sim, case, run, ended);
        }
        self.checkpoints(sim, case, state);
        once(sim);
    }

    /// G5: a checkpoint never moves back, and is never ahead of what is durable at the target.
    fn checkpoints(&mut self, sim: &Sim, case: &Case, state: &Path) {
        let Ok(store) = Store::open(state, "unborn") else {
            sim.violate(String::from("G6: the state file does not open"));
            return;
        };
        let link = link_id(sim);
        for name in &case.setting.collections {
            let now = store.batch(&link, name).unwrap();
            let key = (state.to_owned(), (*name).to_owned());
            let before = self.checkpoints.insert(key, now).unwrap_or(0);
            if now < before {
                sim.violate(format!(
                    "G5: {name}: the checkpoint {before} moved back to {now}"
                ));
            }
            let target = sim.memory(Side::Target);
            let marked = target
                .marker(&link.durable, name)
                .map_or(0, |marker| marker.batch);
            if now > marked && sim.put_back(Side::Target) == 0 {
                sim.violate(format!("G5: {name}: checkpoint {now} but marker {marked}"));
            }
        }
    }
}

/// The link's name in the state, worked out from the endpoints as the engine does.
fn link_id(sim: &Sim) -> LinkId {
    let identity = |side| sim.memory(side).open();
    let link = crate::Link {
        source: Box::new(identity(Side::Source)),
        target: Box::new(identity(Side::Target)),
        collections: Vec::new(),
        mode: crate::Mode {
            write: false,
            count_all: false,
            delete: false,
            verify: false,
            lift_guard: false,
        },
        guard: trueup_core::guard::Guard::default(),
        two_way: None,
    };
    link.id()
}

/// What may go wrong without being wrong, and what a run that ended so may have done.
fn failed(sim: &Sim, run: RunId, error: &trueup_core::Error) {
    match error.kind() {
        Kind::Bug | Kind::Config | Kind::Corrupt => {
            sim.violate(format!("G6: {error:?}"));
        }
        Kind::Guard if sim.commits(run) > 0 => {
            sim.violate(String::from(
                "G12: a plan was stopped after its first write",
            ));
        }
        _ => {}
    }
}

/// G11: every record that was read is accounted for.
fn conserved(sim: &Sim, run: RunId, index: usize, one: &CollectionReport) {
    let keys = sim.keys_seen(run, Side::Source, index);
    let digest = |key: &i64| key_digest(&key_bytes([&Owned::Int(*key)]));
    let digests: Vec<Digest> = keys.iter().map(digest).collect();
    // A refused delete is parked too, and is no record of the source's.
    let parked = one
        .parked
        .iter()
        .filter(|parked| digests.contains(&parked.key));
    let told = one.inserted + one.updated + one.unchanged + parked.count() as u64;
    if keys.len() as u64 != told {
        let (name, read) = (&one.source, keys.len());
        sim.violate(format!("G11: {name}: read {read}, told {told}: {one:?}"));
    }
}

/// A certificate says no more than was seen.
fn verified(sim: &Sim, report: &Report) {
    let wrong = report.certificate.as_ref();
    let wrong = wrong.is_some_and(|proof| proof.collections.iter().any(|one| one.wrong > 0));
    if wrong && report.exit_code() != 5 {
        sim.violate(String::from("a failed verification was not told"));
    }
}

/// G12: no run deletes more than its guard allows.
fn braked(sim: &Sim, case: &Case, run: RunId, ended: &Ended) {
    for (index, name) in case.setting.collections.iter().enumerate() {
        let deleted = sim.deleted(run, Side::Target, index);
        let records = sim.keys_seen(run, Side::Target, index).len() as u64;
        let share = deleted * 100 > records * u64::from(case.guard.deletes_percent_max);
        if deleted > case.guard.deletes_max && share {
            sim.violate(format!(
                "G12: {name}: {deleted} of {records} were deleted: {ended:?}"
            ));
        }
    }
}

/// No batch is applied twice under one number, unless its endpoint was put back.
fn once(sim: &Sim) {
    for side in Side::BOTH
        .into_iter()
        .filter(|&side| sim.put_back(side) == 0)
    {
        let applied = sim.memory(side).applied_all();
        if let Some((batch, times)) = applied.iter().find(|(_, times)| **times > 1) {
            sim.violate(format!(
                "G4: {}: {batch:?} was applied {times} times",
                side.name()
            ));
        }
    }
}
