//! The simulated world: two endpoints in memory, and everything that can happen to them, drawn from a seed.
//!
//! Each call that an engine makes to an endpoint, each named place it passes and each wait is a *step*, before which the
//! script may act: outside writers edit either side, connections break, replies are lost, commits land late, machines
//! are down, full or read-only, backups are put back, the engine dies, a second engine runs. Time is a number. The same
//! seed gives the same steps, and the hash of all of them proves it.
//!
//! The world judges what it can see by itself: who may write ([`Sim::violations`], fencing), and that a key's value never
//! goes back in time at the target of a one-way link. It does not know the engine: what the engine's driver has to do (run
//! a second one, copy the state) is passed in as a hook.

mod act;
mod endpoint;
mod host;
mod late;
pub mod lineage;
mod order;
mod outside;
pub mod random;
mod runs;
mod watch;

#[cfg(test)]
mod tests;

pub use act::{Act, Outer, Rates};
pub use runs::{Reading, RunId};

use crate::memory::Memory;
use crate::owned::Owned;
use crate::records::schema;
use act::Script;
use host::{Condition, Host};
use late::Late;
use lineage::Lineage;
use order::Order;
use random::Random;
use runs::Run;
use std::collections::BTreeMap;
use std::panic;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use trueup_core::endpoint::Endpoint;
use trueup_core::error::{Error, Kind, Result};
use trueup_core::schema::Schema;
use trueup_core::side::{Side, Sides};
use trueup_core::types::Type;

/// After so many steps nothing happens any more: every simulation ends.
const STEPS_MAX: u64 = 5_000;

/// What a panic carries that stands for the death of an engine.
#[derive(Clone, Copy, Debug)]
pub struct Crash;

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The collections' names.
    pub collections: Vec<&'static str>,
    /// Keys are 0 up to this.
    pub keys: usize,
    /// Both sides have equal rights; else only the target is written.
    pub two_way: bool,
    /// Records have a stamp, which each outside write moves.
    pub stamp: bool,
    /// The target's field `y` is narrower than what some outside writers put into the source's.
    pub narrow: bool,
    /// How often what happens.
    pub rates: Rates,
    /// Take the list of stale writes out of every marker: a protection that a test takes away.
    pub lose_stale_list: bool,
    /// Keep every step as text.
    pub trace: bool,
}

/// A handle to a simulated world. Clones are handles to the same.
#[derive(Clone)]
pub struct Sim {
    inner: Arc<Mutex<Inner>>,
}

/// What the driver of the engines does when the script says so.
type Hook = dyn Fn(Outer) -> bool + Send + Sync;

struct Inner {
    setting: Setting,
    script: Script,
    hosts: Sides<Host>,
    lineage: Lineage,
    order: Order,
    runs: Vec<Run>,
    /// The latest own commit of each connection, by moment.
    connections: Vec<usize>,
    late: Vec<Late>,
    claims: u64,
    now_ms: i64,
    steps: u64,
    hash: u64,
    lines: Vec<String>,
    violations: Vec<String>,
    hook: Option<Arc<Hook>>,
    happened: BTreeMap<Act, u64>,
    /// Nobody can know who saw what: the sides are joined, and what one lacks is copied there.
    joining: bool,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim").finish_non_exhaustive()
    }
}

/// How many characters a narrow field holds.
const NARROW_CHARS: usize = 4;

/// The shape of a simulated collection.
fn shape(collection: &str, stamp: bool, narrow: bool) -> Schema {
    let chars_max = narrow.then_some(NARROW_CHARS as u32);
    let shape = schema(collection).int("id").text("x");
    let shape = shape.field("y", Type::Text { chars_max });
    let shape = if stamp { shape.int("at") } else { shape };
    shape.key(["id"]).build()
}

impl Sim {
    /// Makes the world of `seed`: every collection on both sides, empty.
    pub fn new(seed: u64, setting: Setting) -> Self {
        silence_crashes();
        let memory = |name: &str, narrow: bool| {
            let memory = Memory::new(name);
            for collection in &setting.collections {
                memory.create(shape(collection, setting.stamp, narrow));
            }
            memory
        };
        let hosts = Sides::new(
            Host::new(memory("source", false)),
            Host::new(memory("target", setting.narrow)),
        );
        let inner = Inner {
            script: Script::new(Random::new(seed), setting.rates.clone()),
            order: Order::default(),
            setting,
            hosts,
            lineage: Lineage::default(),
            runs: Vec::new(),
            connections: Vec::new(),
            late: Vec::new(),
            claims: 0,
            now_ms: 1_000,
            steps: 0,
            hash: 0xcbf2_9ce4_8422_2325,
            lines: Vec::new(),
            violations: Vec::new(),
            hook: None,
            happened: BTreeMap::new(),
            joining: true,
        };
        let sim = Self {
            inner: Arc::new(Mutex::new(inner)),
        };
        for side in Side::BOTH {
            sim.lock().observe(side, None);
        }
        sim
    }

    /// Passes what the script leaves to the driver of the engines to `hook`. No lock is held meanwhile.
    ///
    /// The hook tells whether it did anything.
    pub fn on_outer(&self, hook: impl Fn(Outer) -> bool + Send + Sync + 'static) {
        self.lock().hook = Some(Arc::new(hook));
    }

    /// Forgets the hook, which may hold a handle to this world.
    pub fn forget_outer(&self) {
        self.lock().hook = None;
    }

    /// Connects a run to a side.
    pub fn endpoint(&self, run: RunId, side: Side) -> Box<dyn Endpoint> {
        endpoint::open(self, run, side)
    }

    /// A run passes a named place.
    ///
    /// # Errors
    /// None; the run may die here.
    pub fn pass(&self, run: RunId, name: &'static str) -> Result<()> {
        self.step(run, None, name)
    }

    /// A run waits.
    pub fn wait(&self, run: RunId, ms: u64) {
        self.lock().now_ms += i64::try_from(ms).unwrap_or(i64::MAX);
        drop(self.step(run, None, "wait"));
    }

    /// Returns the time.
    pub fn now_ms(&self) -> i64 {
        self.lock().now_ms
    }

    /// Ends all trouble: machines are well, nobody edits, nothing breaks. What is in flight lands or never will.
    pub fn calm(&self) {
        let mut inner = self.lock();
        inner.note(|| "calm".to_owned());
        inner.script.calm();
        inner.mend();
        while inner.land() {}
        // Whoever had a reading of before has died since, or ends now.
        for side in Side::BOTH {
            let host = &mut inner.hosts[side];
            host.condition = Condition::Fine;
            host.poison = None;
            host.horizon = host.moments.len() - 1;
        }
    }

    /// Takes a script's decision outside of any run.
    pub fn between_runs(&self) {
        for _ in 0..4 {
            let act = self.lock().script.decide();
            match act {
                None | Some(Act::Crash | Act::Break) => {}
                Some(act) => self.carry_out(act, None),
            }
        }
    }

    /// Notes something in the trace.
    pub fn note(&self, text: impl FnOnce() -> String) {
        self.lock().note(text);
    }

    /// Notes that a guarantee does not hold.
    pub fn violate(&self, text: String) {
        self.lock().violate(text);
    }

    /// Returns what does not hold.
    pub fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    /// Returns the hash of all steps, how many there were, and their text where it was to be kept.
    pub fn trace(&self) -> (u64, u64, Vec<String>) {
        let inner = self.lock();
        (inner.hash, inner.steps, inner.lines.clone())
    }

    /// Returns how often each act happened.
    pub fn happened(&self) -> BTreeMap<Act, u64> {
        self.lock().happened.clone()
    }

    /// Returns a side's content.
    pub fn memory(&self, side: Side) -> Memory {
        self.lock().hosts[side].memory.clone()
    }

    /// Looks at who had seen what.
    pub fn lineage<T>(&self, look: impl FnOnce(&mut Lineage) -> T) -> T {
        look(&mut self.lock().lineage)
    }

    /// Returns the number of a collection.
    pub fn collection(&self, name: &str) -> Option<usize> {
        let inner = self.lock();
        let mut names = inner.setting.collections.iter();
        names.position(|known| *known == name)
    }

    /// Says whether what the sides agreed on is known: while it is not, what one side lacks is copied there.
    pub fn set_joining(&self, joining: bool) {
        self.lock().joining = joining;
    }

    /// Tells whether the sides are being joined.
    pub fn is_joining(&self) -> bool {
        self.lock().joining
    }

    /// Returns how often a backup of a side was put back.
    pub fn put_back(&self, side: Side) -> u32 {
        self.lock().hosts[side].generation
    }

    /// Draws a choice from the script's stream.
    pub fn draw<T>(&self, choose: impl FnOnce(&mut Random) -> T) -> T {
        choose(&mut self.lock().script.random)
    }

    /// What can happen before a run goes on. `side` is the one it calls; the error is that of the call.
    fn step(&self, run: RunId, side: Option<Side>, call: &str) -> Result<()> {
        let mut inner = self.lock();
        if std::thread::panicking() || inner.runs[run.0].over {
            inner.violate(format!("G6: run {} is dead and called {call}", run.0));
            return Err(fault(Kind::Bug, "a dead engine"));
        }
        inner.steps += 1;
        inner.now_ms += 1;
        inner.note(|| {
            let side = side.map_or("", Side::name);
            format!("run {} {side} {call}", run.0)
        });
        if inner.steps > STEPS_MAX {
            inner.script.calm();
        }
        let mut broken = false;
        for _ in 0..3 {
            let Some(act) = inner.script.decide() else {
                break;
            };
            match act {
                Act::Break => {
                    broken = side.is_some();
                    inner.count(act, u64::from(broken));
                }
                Act::Crash => {
                    inner.count(act, 1);
                    inner.runs[run.0].over = true;
                    inner.note(|| format!("run {} dies", run.0));
                    drop(inner);
                    panic::panic_any(Crash);
                }
                act => {
                    drop(inner);
                    self.carry_out(act, Some(run));
                    inner = self.lock();
                }
            }
        }
        match side {
            Some(_) if broken => Err(fault(Kind::Unavailable, "the connection broke")),
            Some(side) => inner.ailment(side, call),
            None => Ok(()),
        }
    }

    /// Lets something happen that is not the death of a run, nor of its connection.
    fn carry_out(&self, act: Act, run: Option<RunId>) {
        let mut inner = self.lock();
        if let Some(outer) = act.outer() {
            let nested = run.is_some_and(|run| inner.runs[run.0].nested);
            let inside = outer == Outer::SecondEngine || outer == Outer::SecondEngineOfCopy;
            if nested && inside {
                return;
            }
            let hook = inner.hook.clone();
            inner.note(|| format!("{outer:?}"));
            drop(inner);
            let did = hook.is_some_and(|hook| hook(outer));
            self.lock().count(act, u64::from(did));
            return;
        }
        let did = inner.happen(act);
        inner.count(act, u64::from(did));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the key of a record.
fn key_of(record: &[Owned]) -> i64 {
    match record.first() {
        Some(Owned::Int(key)) => *key,
        _ => -1,
    }
}

fn fault(kind: Kind, what: &str) -> Error {
    Error::new(kind, format!("simulated: {what}")).hint("the script asked for it")
}

/// Keeps the deaths of simulated engines out of the test's output; other panics are told as before.
fn silence_crashes() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !info.payload().is::<Crash>() {
                told(info);
            }
        }));
    });
}
