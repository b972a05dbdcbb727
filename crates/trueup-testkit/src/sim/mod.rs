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

#[cfg(test)]
mod tests;

pub use act::{Act, Outer, Rates};

use crate::memory::{Change, Memory};
use crate::owned::Owned;
use crate::records::schema;
use act::Script;
use host::{Condition, Host};
use late::Late;
use lineage::{Ghosts, Lineage, Place};
use order::Order;
use random::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::panic;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use trueup_core::endpoint::Endpoint;
use trueup_core::error::{Error, Kind, Result};
use trueup_core::schema::Schema;
use trueup_core::side::{Side, Sides};

/// After so many steps nothing happens any more: every simulation ends.
const STEPS_MAX: u64 = 5_000;

/// What a panic carries that stands for the death of an engine.
#[derive(Clone, Copy, Debug)]
pub struct Crash;

/// The number of a run of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId(usize);

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

/// One run of an engine.
#[derive(Clone, Debug, Default)]
struct Run {
    /// Whether it runs inside a step of another.
    nested: bool,
    over: bool,
    /// What was known of each side when it was read last.
    seen: Sides<Option<Arc<Ghosts>>>,
    /// Each time a side was read.
    readings: Sides<Vec<Reading>>,
    /// How often anything was committed, a claim too.
    commits: u64,
    /// How often anything but a claim was committed.
    writes: u64,
}

/// What a run found when it read a side, and what it did to it then.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The keys of each collection.
    pub keys: Vec<BTreeSet<i64>>,
    /// How many records were deleted from each collection.
    pub deleted: BTreeMap<usize, u64>,
}

/// The run behind a commit, and what it knew.
#[derive(Clone, Debug)]
struct Author {
    run: RunId,
    seen: Sides<Option<Arc<Ghosts>>>,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim").finish_non_exhaustive()
    }
}

/// The shape of a simulated collection.
pub fn shape(collection: &str, stamp: bool) -> Schema {
    let shape = schema(collection).int("id").text("x").text("y");
    let shape = if stamp { shape.int("at") } else { shape };
    shape.key(["id"]).build()
}

impl Sim {
    /// Makes the world of `seed`: every collection on both sides, empty.
    pub fn new(seed: u64, setting: Setting) -> Self {
        silence_crashes();
        let memory = |name: &str| {
            let memory = Memory::new(name);
            for collection in &setting.collections {
                memory.create(shape(collection, setting.stamp));
            }
            memory
        };
        let hosts = Sides::new(Host::new(memory("source")), Host::new(memory("target")));
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

    /// Begins a run of an engine; a `nested` one runs inside a step of another.
    pub fn start(&self, nested: bool) -> RunId {
        let mut inner = self.lock();
        let id = inner.runs.len();
        inner.runs.push(Run {
            nested,
            ..Run::default()
        });
        inner.note(|| format!("run {id} starts{}", if nested { " inside" } else { "" }));
        RunId(id)
    }

    /// Ends a run: it may take no further step. What it still has in flight may land.
    pub fn end(&self, run: RunId, how: &str) {
        let mut inner = self.lock();
        inner.runs[run.0].over = true;
        inner.note(|| format!("run {} ends: {how}", run.0));
    }

    /// Tells whether no run began after this one.
    pub fn is_last(&self, run: RunId) -> bool {
        self.lock().runs.len() == run.0 + 1
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

    /// Returns what was known of both sides when a run read them last.
    pub fn seen(&self, run: RunId) -> Sides<Ghosts> {
        let inner = self.lock();
        let seen = &inner.runs[run.0].seen;
        Sides::by(|side| seen[side].as_deref().cloned().unwrap_or_default())
    }

    /// Returns the number of a collection.
    pub fn collection(&self, name: &str) -> Option<usize> {
        let inner = self.lock();
        let mut names = inner.setting.collections.iter();
        names.position(|known| *known == name)
    }

    /// Returns each time that the run read a side.
    pub fn readings(&self, run: RunId, side: Side) -> Vec<Reading> {
        self.lock().runs[run.0].readings[side].clone()
    }

    /// Returns how often the run committed anything but a claim.
    pub fn writes(&self, run: RunId) -> u64 {
        self.lock().runs[run.0].writes
    }

    /// Says whether what the sides agreed on is known: while it is not, what one side lacks is copied there.
    pub fn set_joining(&self, joining: bool) {
        self.lock().joining = joining;
    }

    /// Tells whether the sides are being joined.
    pub fn is_joining(&self) -> bool {
        self.lock().joining
    }

    /// Returns how often the run committed anything, claims included.
    pub fn commits(&self, run: RunId) -> u64 {
        self.lock().runs[run.0].commits
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

impl Inner {
    fn note(&mut self, text: impl FnOnce() -> String) {
        let text = text();
        for byte in text.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.setting.trace {
            self.lines.push(text);
        }
    }

    fn count(&mut self, act: Act, times: u64) {
        *self.happened.entry(act).or_default() += times;
    }

    /// Tells whether `act` happens at this call.
    fn happens(&mut self, act: Act) -> bool {
        let happens = self.script.happens(act);
        self.count(act, u64::from(happens));
        happens
    }

    fn violate(&mut self, text: String) {
        self.note(|| format!("VIOLATION {text}"));
        self.violations.push(text);
    }

    /// The error of a call to a machine that is not well.
    fn ailment(&mut self, side: Side, call: &str) -> Result<()> {
        let steps = self.steps;
        let host = &mut self.hosts[side];
        if host.condition != Condition::Fine && steps >= host.until {
            host.condition = Condition::Fine;
        }
        let writes = matches!(call, "claim" | "apply" | "create" | "mark" | "finish");
        match host.condition {
            Condition::Down => Err(fault(Kind::Unavailable, "the machine is down")),
            Condition::Full if writes => Err(fault(Kind::Rejected, "the disk is full")),
            Condition::ReadOnly if writes => Err(fault(Kind::Auth, "the rights were taken away")),
            _ => Ok(()),
        }
    }

    /// Takes in what was committed at `side`: by a run, or by an outside writer. Returns the moment it led to.
    fn observe(&mut self, side: Side, by: Option<&Author>) -> usize {
        if let Some(changes) = self.hosts[side].news() {
            if let Some(by) = by {
                self.runs[by.run.0].commits += 1;
            }
            for change in &changes {
                self.changed(side, change, by);
            }
            self.hosts[side].keep();
        }
        self.hosts[side].moments.len() - 1
    }

    fn changed(&mut self, side: Side, change: &Change, by: Option<&Author>) {
        let place = self.place(change);
        self.note(|| {
            let who = if by.is_some() { "engine" } else { "outside" };
            let (before, after) = (&change.before, &change.after);
            format!(
                "  {} {place:?} by {who}: {before:?} -> {after:?}",
                side.name()
            )
        });
        let Some(Author { run, seen }) = by else {
            if side == Side::Source {
                self.order.source(place, change.after.as_deref());
            }
            return;
        };
        if change.after.is_none()
            && let Some(reading) = self.runs[run.0].readings[side].last_mut()
        {
            *reading.deleted.entry(place.0).or_default() += 1;
        }
        if !self.setting.two_way {
            let verdict = match side {
                Side::Source => Err("a one-way link wrote to its source".to_owned()),
                Side::Target => self.order.target(place, change.after.as_deref()),
            };
            if let Err(why) = verdict {
                self.violate(format!("G8: {place:?}: {why}"));
            }
        }
        let mut ghost = self.hosts[side]
            .ghosts
            .get(&place)
            .copied()
            .unwrap_or_default();
        for seen in Side::BOTH
            .into_iter()
            .filter_map(|side| seen[side].as_ref())
        {
            let seen = seen.get(&place).copied().unwrap_or_default();
            ghost.known |= seen.known;
            ghost.live |= seen.live;
        }
        match &change.after {
            Some(record) => ghost.known |= self.lineage.behind(record),
            None => ghost.live = lineage::Ids::default(),
        }
        Arc::make_mut(&mut self.hosts[side].ghosts).insert(place, ghost);
    }

    fn place(&self, change: &Change) -> Place {
        let collections = &self.setting.collections;
        let collection = collections
            .iter()
            .position(|name| *name == change.collection);
        let record = change.after.as_ref().or(change.before.as_ref());
        let key = record.map_or(-1, |record| key_of(record));
        (collection.unwrap_or(usize::MAX), key)
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
