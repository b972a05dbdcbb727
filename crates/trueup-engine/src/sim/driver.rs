//! Lets engines run in a simulated world: in trouble, then in peace, then idle.

use super::audit::Audit;
use super::case::Case;
use super::states::States;
use crate::clock::Clock;
use crate::link::{Link, World};
use crate::report::Report;
use crate::run;
use crate::state::Store;
use crate::testing::{Silent, seeded};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};
use trueup_core::failpoint::Failpoints;
use trueup_core::side::Side;
use trueup_core::{Error, Kind, Result};
use trueup_testkit::sim::{Act, Crash, Outer, RunId, Sim};

/// What came of a seed.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) violations: Vec<String>,
    pub(super) hash: u64,
    pub(super) steps: u64,
    pub(super) happened: BTreeMap<Act, u64>,
    pub(super) lines: Vec<String>,
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum Ended {
    Died,
    Failed(Error),
    Done(Box<Report>),
}

impl Ended {
    fn told(&self) -> String {
        match self {
            Self::Died => String::from("died"),
            Self::Failed(error) => error.kind().name().to_owned(),
            Self::Done(report) => format!("exit {}", report.exit_code()),
        }
    }

    fn is_guard(&self) -> bool {
        matches!(self, Self::Failed(error) if error.kind() == Kind::Guard)
    }
}

/// Everything of one simulation.
pub(super) struct Driver {
    pub(super) case: Case,
    pub(super) sim: Sim,
    pub(super) states: Mutex<States>,
    pub(super) audit: Mutex<Audit>,
    random: Box<Random>,
}

/// As [`World::random`].
type Random = dyn Fn(&mut [u8]) -> Result<()> + Send + Sync;

/// Simulates `case`.
pub(super) fn simulate(case: &Case) -> Verdict {
    let sim = Sim::new(case.seed, case.setting.clone());
    for side in Side::BOTH {
        sim.memory(side).sabotage(case.sabotage);
    }
    if case.bare_target {
        sim.drop_collections(Side::Target);
    }
    sim.populate();
    let driver = Arc::new(Driver {
        case: case.clone(),
        states: Mutex::new(States::new()),
        audit: Mutex::new(Audit::default()),
        random: Box::new(seeded(case.seed)),
        sim,
    });
    let inside = Arc::clone(&driver);
    driver.sim.on_outer(move |outer| inside.outer(outer));
    driver.trouble();
    driver.sim.calm();
    driver.peace();
    driver.sim.forget_outer();
    let (hash, steps, lines) = driver.sim.trace();
    Verdict {
        violations: driver.sim.violations(),
        hash,
        steps,
        happened: driver.sim.happened(),
        lines,
    }
}

impl Driver {
    fn trouble(&self) {
        for _ in 0..self.case.passes {
            self.sim.between_runs();
            let lift = self.sim.draw(|random| random.chance(20));
            let own = self.states().own();
            self.run(&own, lift, false);
            if !self.sim.violations().is_empty() {
                return;
            }
        }
    }

    /// Faults have stopped, and nobody edits: the sides must agree soon, and stay as they are.
    fn peace(&self) {
        let own = self.states().own();
        let shaken = self.sim.happened().contains_key(&Act::Crash) || self.audit().shaken();
        let passes_max = if shaken { 3 } else { 2 };
        let (mut passes, mut lift) = (0, false);
        while self.sim.violations().is_empty() {
            let ended = self.run(&own, lift, false).1;
            if ended.is_guard() && !lift {
                // Somebody has looked at the plan.
                lift = true;
                continue;
            }
            passes += 1;
            let unsettled = self.unsettled(&ended);
            let Some(why) = unsettled else { break };
            if passes >= passes_max {
                self.sim
                    .violate(format!("G1: after {passes} passes: {why}"));
            }
        }
        for _ in 0..self.case.idle_passes {
            if !self.sim.violations().is_empty() {
                return;
            }
            let (run, ended) = self.run(&own, false, false);
            if let Some(why) = self.unsettled(&ended) {
                self.sim.violate(format!("G4: an idle run: {why}"));
            }
            if self.sim.commits(run) > 0 {
                self.sim.violate(String::from("G4: an idle run wrote"));
            }
        }
    }

    /// What the script leaves to us, within a step of a run or between two.
    fn outer(&self, outer: Outer) -> bool {
        match outer {
            Outer::SecondEngine => {
                let own = self.states().own();
                self.run(&own, false, true);
            }
            Outer::SecondEngineOfCopy => {
                let fresh = self.sim.draw(|random| random.chance(50));
                let mut states = self.states();
                if fresh || !states.second().exists() {
                    states.split();
                    self.audit().forget_state(&states.second());
                }
                let second = states.second();
                drop(states);
                self.run(&second, false, true);
            }
            Outer::CopyState => self.states().copy(),
            Outer::PutBackState | Outer::LoseState => {
                let mut states = self.states();
                let replaced = match outer {
                    Outer::LoseState => states.lose(),
                    _ => states.put_back(),
                };
                if replaced {
                    self.audit().forget_state(&states.own());
                }
                return replaced;
            }
        }
        true
    }

    /// Runs an engine once, and looks at what it did.
    fn run(&self, state: &Path, lift_guard: bool, nested: bool) -> (RunId, Ended) {
        let run = self.sim.start(nested);
        let ended = match catch_unwind(AssertUnwindSafe(|| self.engine(run, state, lift_guard))) {
            Ok(Ok(report)) => Ended::Done(Box::new(report)),
            Ok(Err(error)) => Ended::Failed(error),
            Err(panic) if panic.is::<Crash>() => Ended::Died,
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or(panic.downcast_ref::<&str>().copied());
                self.sim
                    .violate(format!("G6: the engine panicked: {text:?}"));
                Ended::Died
            }
        };
        self.sim.end(run, &ended.told());
        let case = &self.case;
        self.audit()
            .run(&self.sim, case, run, state, lift_guard, &ended);
        (run, ended)
    }

    fn engine(&self, run: RunId, state: &Path, lift_guard: bool) -> Result<Report> {
        let mut store = Store::open(state, "unborn")?;
        let (mut link, clock) = (self.link(run), SimClock(self.sim.clone(), run));
        link.mode.lift_guard |= lift_guard;
        let sim = self.sim.clone();
        let folder = self.states().folder().to_owned();
        let world = World {
            clock: &clock,
            progress: &Silent,
            failpoints: Failpoints::new(move |name| sim.pass(run, name)),
            stop: &AtomicBool::new(false),
            random: &self.random,
            spool_folder: folder,
            limits: self.case.limits,
        };
        run::run(&mut link, &mut store, &world)
    }

    fn link(&self, run: RunId) -> Link {
        Link {
            source: self.sim.endpoint(run, Side::Source),
            target: self.sim.endpoint(run, Side::Target),
            collections: Vec::new(),
            mode: self.case.mode,
            guard: self.case.guard,
            two_way: None,
        }
    }

    /// Says why the link has not settled.
    fn unsettled(&self, ended: &Ended) -> Option<String> {
        match ended {
            Ended::Done(report) if report.exit_code() == 0 && report.equal => {}
            Ended::Done(report) => return Some(format!("{report:?}")),
            Ended::Failed(error) => return Some(format!("{error:?}")),
            Ended::Died => return Some(String::from("the engine died")),
        }
        let (source, target) = (self.sim.memory(Side::Source), self.sim.memory(Side::Target));
        for name in &self.case.setting.collections {
            let (wanted, mut found) = (source.records(name), target.records(name));
            if !self.case.mode.delete {
                found.retain(|record| source.record(name, &record[..1]).is_some());
            }
            if wanted != found {
                return Some(format!("collection={name}: {wanted:?} is not {found:?}"));
            }
        }
        None
    }

    fn states(&self) -> MutexGuard<'_, States> {
        self.states.lock().unwrap()
    }

    fn audit(&self) -> MutexGuard<'_, Audit> {
        self.audit.lock().unwrap()
    }
}

/// The world's time, as one run sees it.
struct SimClock(Sim, RunId);

impl Clock for SimClock {
    fn now_ms(&self) -> i64 {
        self.0.now_ms()
    }

    fn wait_ms(&self, ms: u64) {
        self.0.wait(self.1, ms);
    }
}
