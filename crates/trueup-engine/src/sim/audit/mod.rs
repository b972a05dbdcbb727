//! Looks at each run when it is over, and at the end of all: counters, guard, checkpoints, conflicts, lineage.
//!
//! Nothing here asks the engine what is right: it counts what the world saw.

mod one_way;
mod two_way;

pub(super) use two_way::settled;

use super::case::Case;
use super::driver::Ended;
use crate::report::Report;
use crate::state::{LinkId, PastConflict, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use trueup_core::Kind;
use trueup_core::conflict::ConflictKind;
use trueup_core::side::Side;
use trueup_testkit::sim::{Act, RunId, Sim};

/// A run that is over.
pub(super) struct Over<'a> {
    pub(super) sim: &'a Sim,
    pub(super) case: &'a Case,
    pub(super) link: &'a LinkId,
    pub(super) run: RunId,
    pub(super) state: &'a Path,
    /// The state, where it is still open.
    pub(super) store: Option<&'a Store>,
    /// Whether the guard was lifted.
    pub(super) lifted: bool,
    /// Whether base and endpoints belonged together when it began.
    pub(super) joining: bool,
    pub(super) ended: &'a Ended,
}

/// What is remembered between runs.
#[derive(Debug, Default)]
pub(super) struct Audit {
    /// The checkpoints of each state file, by collection.
    checkpoints: BTreeMap<(PathBuf, String), u64>,
    /// How often a state file was replaced.
    pub(super) replaced: u64,
    /// The conflicts that were judged.
    judged: BTreeSet<String>,
    /// The keys that were in conflict when the sides were joined: they stay so until somebody decides.
    joined: BTreeSet<(String, Vec<u8>)>,
}

impl Audit {
    /// The state at `path` is another one now.
    pub(super) fn forget_state(&mut self, path: &Path) {
        self.replaced += 1;
        self.checkpoints.retain(|(state, _), _| state != path);
    }

    /// Judges a run.
    pub(super) fn run(&mut self, over: &Over<'_>) {
        let two_way = over.case.setting.two_way;
        match over.ended {
            Ended::Died => {}
            Ended::Failed(error) => failed(over, error),
            Ended::Done(report) => {
                verified(over, report);
                if two_way {
                    two_way::told(over, report);
                } else {
                    one_way::conserved(over, report);
                }
            }
        }
        braked(over);
        once(over);
        let opened;
        let store = match over.store {
            Some(store) => store,
            None => match Store::open(over.state, "unborn") {
                Ok(store) => {
                    opened = store;
                    &opened
                }
                Err(error) => return over.sim.violate(format!("G6: no state: {error:?}")),
            },
        };
        if two_way {
            match store.conflicts(&crate::state::ConflictFilter::default()) {
                Ok(conflicts) => self.conflicts(over.sim, over.joining, &conflicts),
                Err(error) => over.sim.violate(format!("G6: {error:?}")),
            }
        } else {
            self.checkpoints(over, store);
        }
    }

    /// Puts conflicts on record: what they hold is not lost.
    ///
    /// A conflict of a join is true while the sides are `joining`, and stays so until somebody decides. A record that was
    /// refused in a join, or did not fit, was never agreed on either; it may be told as inserted on both sides.
    pub(super) fn conflicts(&mut self, sim: &Sim, joining: bool, conflicts: &[PastConflict]) {
        let refused = sim.happened().contains_key(&Act::Poison) || sim.is_narrow();
        for conflict in conflicts {
            let fresh = self.judged.insert(two_way::content(conflict));
            let key = (conflict.collection.source.clone(), conflict.key.clone());
            let joins = match conflict.kind {
                ConflictKind::Join => joining || sim.is_narrow(),
                ConflictKind::InsertInsert => refused,
                ConflictKind::UpdateUpdate | ConflictKind::DeleteUpdate => false,
            };
            if joins {
                self.joined.insert(key.clone());
            }
            two_way::record(sim, conflict, fresh, self.joined.contains(&key));
        }
    }
}

/// What may go wrong without being wrong, and what a run that ended so may have done.
fn failed(over: &Over<'_>, error: &trueup_core::Error) {
    let sim = over.sim;
    match error.kind() {
        Kind::Bug | Kind::Config | Kind::Corrupt => {
            sim.violate(format!("G6: {error:?}"));
        }
        // Two ways, an earlier pass of the run may have written.
        Kind::Guard if sim.commits(over.run) > 0 && !over.case.setting.two_way => {
            sim.violate("G12: a plan was stopped after its first write".to_owned());
        }
        _ => {}
    }
}

/// A certificate says no more than was seen.
fn verified(over: &Over<'_>, report: &Report) {
    let wrong = report.certificate.as_ref();
    let wrong = wrong.is_some_and(|proof| proof.collections.iter().any(|one| one.wrong > 0));
    if wrong && report.exit_code() != 5 {
        let text = "a failed verification was not told";
        over.sim.violate(text.to_owned());
    }
}

/// G12: after no reading does a run delete more than its guard allows.
fn braked(over: &Over<'_>) {
    let Over { sim, case, .. } = *over;
    if case.mode.lift_guard || over.lifted {
        return;
    }
    for side in Side::BOTH {
        for reading in sim.readings(over.run, side) {
            for (index, keys) in reading.keys.iter().enumerate() {
                let deleted = reading.deleted.get(&index).copied().unwrap_or(0);
                let percent = u64::from(case.guard.deletes_percent_max);
                let share = deleted * 100 > keys.len() as u64 * percent;
                if deleted > case.guard.deletes_max && share {
                    let (name, of) = (case.setting.collections[index], keys.len());
                    sim.violate(format!(
                        "G12: {side} {name}: {deleted} of {of} were deleted"
                    ));
                }
            }
        }
    }
}

/// G4: no batch is applied twice under one number, unless its endpoint was put back.
fn once(over: &Over<'_>) {
    let sim = over.sim;
    for side in Side::BOTH {
        if sim.put_back(side) > 0 {
            continue;
        }
        let applied = sim.memory(side).applied_all();
        if let Some((batch, times)) = applied.iter().find(|(_, times)| **times > 1) {
            sim.violate(format!("G4: {side}: {batch:?} was applied {times} times"));
        }
    }
}
