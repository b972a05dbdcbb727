//! Lets engines run in a simulated world: in trouble, then in peace, then idle.

use super::audit::{Audit, Over, settled};
use super::case::Case;
use super::states::States;
use crate::clock::Clock;
use crate::link::{Link, World};
use crate::report::Report;
use crate::run;
use crate::state::{Answer, ConflictFilter, LinkId, PastConflict, Store};
use crate::testing::{Silent, seeded};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use trueup_core::failpoint::Failpoints;
use trueup_core::side::{Side, Sides};
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
    trust: Mutex<Option<Trust>>,
    stop: AtomicBool,
    link: LinkId,
    random: Box<Random>,
}

/// Which state and which endpoints belonged together when a run ended well: the state's path, how often states were
/// replaced, how often each side was put back, and how many runs there were.
type Trust = (PathBuf, u64, [u32; 2]);

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
        trust: Mutex::new(None),
        stop: AtomicBool::new(false),
        link: link_id(&sim, case),
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
            if self.case.answers {
                self.answer(30);
            }
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
        let happened = self.sim.happened();
        let shaking = [Act::Crash, Act::PutBack, Act::PutBackState, Act::LoseState];
        let shook = |act: &Act| happened.get(act).is_some_and(|&times| times > 0);
        self.settle(if shaking.iter().any(shook) { 3 } else { 2 });
        self.idle();
        if self.case.answers && self.sim.violations().is_empty() && self.answer(100) > 0 {
            self.settle(2);
            self.idle();
            if self.sim.violations().is_empty() && !self.conflicts(true).is_empty() {
                let text = "G23: every open conflict was answered, and one is left";
                self.sim.violate(text.to_owned());
            }
        }
    }

    /// Runs until the link has settled: soon.
    fn settle(&self, passes_max: usize) {
        let own = self.states().own();
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
    }

    /// G4, G22: what has settled stays as it is.
    fn idle(&self) {
        let own = self.states().own();
        for _ in 0..self.case.idle_passes {
            if !self.sim.violations().is_empty() {
                return;
            }
            let (run, ended) = self.run(&own, false, false);
            if let Some(why) = self.unsettled(&ended) {
                self.sim.violate(format!("G4: an idle run: {why}"));
            }
            if self.sim.writes(run) > 0 {
                self.sim.violate(String::from("G4: an idle run wrote"));
            }
        }
    }

    /// People decide conflicts, `percent` of those that are open and, unless that is all of them, some that are closed;
    /// returns how many of the open ones.
    fn answer(&self, percent: usize) -> usize {
        let mut store = Store::open(&self.states().own(), "unborn").unwrap();
        let mut answered = 0;
        for conflict in store.conflicts(&ConflictFilter::default()).unwrap() {
            let open = conflict.decision == "open";
            let percent = match (open, percent) {
                (true, percent) => percent,
                (false, 100) => 0,
                (false, _) => 10,
            };
            if self.sim.draw(|random| random.chance(percent)) {
                let side = self.sim.draw(|random| random.pick(&Side::BOTH));
                self.sim.note(|| format!("answer {}: {side}", conflict.id));
                // A later conflict may have taken its place.
                let taken = store.answer(conflict.id, &Answer::Side(side)).is_ok();
                answered += usize::from(open && taken);
            }
        }
        answered
    }

    fn conflicts(&self, open: bool) -> Vec<PastConflict> {
        let store = Store::open(&self.states().own(), "unborn").unwrap();
        let filter = ConflictFilter {
            open,
            ..ConflictFilter::default()
        };
        store.conflicts(&filter).unwrap()
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
                    if self.case.setting.two_way && states.second().exists() {
                        let held = states.on_record(&states.second());
                        let joining = self.sim.is_joining();
                        self.audit().conflicts(&self.sim, joining, &held);
                    }
                    states.split();
                    self.audit().forget_state(&states.second());
                }
                let second = states.second();
                drop(states);
                self.run(&second, false, true);
            }
            Outer::Stop => self.stop.store(true, Ordering::Relaxed),
            Outer::CopyState => self.states().copy(),
            Outer::PutBackState | Outer::LoseState => {
                let mut states = self.states();
                if self.case.setting.two_way {
                    let held = states.on_record(&states.own());
                    let joining = self.sim.is_joining();
                    self.audit().conflicts(&self.sim, joining, &held);
                }
                let replaced = match outer {
                    Outer::LoseState => states.lose(),
                    _ => states.put_back(),
                };
                if replaced {
                    self.audit().forget_state(&states.own());
                    self.sim.set_joining(true);
                }
                return replaced;
            }
        }
        true
    }

    /// Runs an engine once, and looks at what it did.
    fn run(&self, state: &Path, lifted: bool, nested: bool) -> (RunId, Ended) {
        let now = self.now(state);
        let joining = self.trust().as_ref() != Some(&now);
        self.sim.set_joining(joining);
        let run = self.sim.start(nested);
        let (mut store, mut ended) = (None, Ended::Died);
        self.stop.store(false, Ordering::Relaxed);
        let mut engine = || {
            let mut opened = Store::open(state, "unborn")?;
            let result = self.engine(run, &mut opened, lifted);
            store = Some(opened);
            result
        };
        match catch_unwind(AssertUnwindSafe(&mut engine)) {
            Ok(Ok(report)) => ended = Ended::Done(Box::new(report)),
            Ok(Err(error)) => ended = Ended::Failed(error),
            Err(panic) if panic.is::<Crash>() => {}
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or(panic.downcast_ref::<&str>().copied());
                self.sim
                    .violate(format!("G6: the engine panicked: {text:?}"));
            }
        }
        self.sim.end(run, &ended.told());
        // What was open is of no use once another file has its name.
        let store = store.filter(|_| self.audit().replaced == now.1);
        self.audit().run(&Over {
            store: store.as_ref(),
            sim: &self.sim,
            case: &self.case,
            link: &self.link,
            run,
            state,
            lifted,
            joining: self.sim.is_joining(),
            ended: &ended,
        });
        // Who was interrupted by another engine cannot know what became of the base.
        let alone = self.sim.is_last(run) && !nested;
        if nested {
            self.sim.set_joining(true);
        }
        match ended {
            Ended::Done(_) if alone => *self.trust() = Some(now),
            _ if !alone || joining => *self.trust() = None,
            _ => {}
        }
        (run, ended)
    }

    /// What must stay as it is for base and endpoints to belong together.
    fn now(&self, state: &Path) -> Trust {
        let put_back = Side::BOTH.map(|side| self.sim.put_back(side));
        (state.to_owned(), self.audit().replaced, put_back)
    }

    fn engine(&self, run: RunId, store: &mut Store, lifted: bool) -> Result<Report> {
        let turned = self.case.setting.two_way && self.sim.draw(|random| random.chance(30));
        let (mut link, clock) = (self.link(run, turned), SimClock(self.sim.clone(), run));
        link.mode.lift_guard |= lifted;
        let sim = self.sim.clone();
        let folder = self.states().folder().to_owned();
        let world = World {
            clock: &clock,
            progress: &Silent,
            failpoints: Failpoints::new(move |name| sim.pass(run, name)),
            stop: &self.stop,
            random: &self.random,
            spool_folder: folder,
            limits: self.case.limits,
        };
        run::run(&mut link, store, &world)
    }

    fn link(&self, run: RunId, turned: bool) -> Link {
        let side = |side: Side| if turned { side.other() } else { side };
        Link {
            source: self.sim.endpoint(run, side(Side::Source)),
            target: self.sim.endpoint(run, side(Side::Target)),
            places: Sides::default(),
            collections: self.case.specs(),
            mode: self.case.mode,
            guard: self.case.guard,
            two_way: self.case.two_way(turned),
            said: None,
        }
    }

    /// Says why the link has not settled.
    fn unsettled(&self, ended: &Ended) -> Option<String> {
        let two_way = self.case.setting.two_way;
        match ended {
            Ended::Done(report) if report.exit_code() == 0 && report.equal => {}
            Ended::Done(report)
                if two_way && report.exit_code() == 1 && report.open_conflicts() > 0 => {}
            Ended::Done(report) => return Some(format!("{report:?}")),
            Ended::Failed(error) => return Some(format!("{error:?}")),
            Ended::Died => return Some(String::from("the engine died")),
        }
        if !two_way {
            return self.unequal();
        }
        let states = self.states();
        if states.second().exists() {
            // The second engine may never run again; what it has on record is on record.
            let held = states.on_record(&states.second());
            self.audit().conflicts(&self.sim, true, &held);
        }
        drop(states);
        settled(&self.sim, &self.case, &self.conflicts(true)).err()
    }

    /// Says where the target of a one-way link differs from its source.
    fn unequal(&self) -> Option<String> {
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

    fn trust(&self) -> MutexGuard<'_, Option<Trust>> {
        self.trust.lock().unwrap()
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

/// The link's name in the state.
fn link_id(sim: &Sim, case: &Case) -> LinkId {
    let link = Link {
        source: sim.memory(Side::Source).boxed(),
        target: sim.memory(Side::Target).boxed(),
        places: Sides::default(),
        collections: Vec::new(),
        mode: case.mode,
        guard: case.guard,
        two_way: case.two_way(false),
        said: None,
    };
    link.id()
}
