//! Failure on demand: a wrapper around any endpoint that does what a script says.
//!
//! [`Faults`] is the script and the test's handle; [`Faulty`] is an endpoint under it. Each planned fault happens once,
//! in the order planned, and [`Faults::assert_spent`] proves that the test met all of them. A connection that broke
//! stays broken: the writer or scan it happened to answers `Unavailable` from then on, so a caller that does not claim
//! again is found out.
//!
//! Nothing waits for a clock: a held call waits for the test, a slow one calls the test's hook. A scan that breaks
//! says so; one that lies (ends early and calls it success) is deliberately not offered, since no caller could tell.

mod endpoint;
mod follow;
pub(crate) mod subset;

#[cfg(test)]
mod tests;

pub use endpoint::Faulty;

use crate::owned::Owned;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use trueup_core::endpoint::{Applied, Endpoint, Writer};
use trueup_core::error::{Error, Kind, Result};

/// How often a log is asked that has nothing to tell, before [`Faults::end_when_idle`] ends it.
pub const IDLE_CALLS: u64 = 4;

/// A call of the endpoint contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "most variants are the function of the same name"
)]
pub enum Step {
    Connect,
    Collections,
    Schema,
    Snapshot,
    Another,
    Ordered,
    IsEmpty,
    Scan,
    Next,
    Epoch,
    Writer,
    Join,
    Marker,
    Create,
    Apply,
    Mark,
    Finish,
    Follow,
    /// A log's next.
    Told,
    Transaction,
    /// What a transaction writes.
    Write,
    /// A transaction's commit, before it.
    Commit,
    /// A transaction's commit, after it: its answer.
    Committed,
}

/// What goes wrong at an apply or a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The record at `index` is not written and reported as rejected; the others are applied.
    Reject {
        /// Its place in the batch.
        index: usize,
        /// Whether another record is said to stand in the way.
        blocked: bool,
    },
    /// The connection breaks before anything is applied.
    FailBefore,
    /// The batch is committed, then the connection breaks: the commit's result is unknown.
    FailAfterWrite,
    /// The connection breaks while the commit is in flight: it lands when the test calls [`Faults::land`].
    Late,
    /// The call waits until the test calls [`Faults::release`], then goes on.
    Hold,
    /// The batch as a whole is refused with an error of this kind, and the connection stays whole.
    Refuse(Kind),
}

/// Which apply or mark a fault happens at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// The next apply of the batch with this number, in any partition.
    Batch(u64),
    /// The next apply of this partition's batch with this number.
    BatchOf(String, u64),
    /// The n-th apply under this script, counted from 1 over all writers.
    Call(u64),
    /// The n-th mark under this script, counted from 1 over all writers.
    Mark(u64),
}

type Hook = dyn Fn(Step) + Send + Sync;

/// A script of faults. Clones are handles to the same script.
#[derive(Clone, Default)]
pub struct Faults {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    script: Mutex<Script>,
    /// Told whenever `held` or `released` changes.
    moved: Condvar,
}

#[derive(Default)]
struct Script {
    applies: BTreeMap<When, VecDeque<Fault>>,
    scans: BTreeMap<String, VecDeque<u64>>,
    steps: BTreeMap<Step, VecDeque<Kind>>,
    refused: Vec<(String, Vec<Owned>)>,
    called: BTreeMap<Step, u64>,
    hook: Option<Arc<Hook>>,
    /// How many calls wait, and how many may go on.
    held: u64,
    released: u64,
    late: Vec<Late>,
    /// See [`Faults::end_when_idle`].
    idle_ends: bool,
}

/// A commit in flight: the writer whose connection broke, and what it had sent.
struct Late {
    writer: Box<dyn Writer>,
    writes: subset::OwnedWrites,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.lock();
        f.debug_struct("Faults")
            .field("applies", &script.applies)
            .field("scans", &script.scans)
            .field("steps", &script.steps)
            .finish_non_exhaustive()
    }
}

impl Faults {
    /// Makes a script in which nothing fails.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a connected endpoint under the script.
    pub fn wrap(&self, inner: Box<dyn Endpoint>) -> Box<dyn Endpoint> {
        Box::new(Faulty::new(self.clone(), inner))
    }

    /// Connects by calling `open`, unless the script says that connecting fails.
    ///
    /// # Errors
    /// The planned one, or that of `open`.
    pub fn connect(
        &self,
        open: impl FnOnce() -> Result<Box<dyn Endpoint>>,
    ) -> Result<Box<dyn Endpoint>> {
        self.pass(Step::Connect)?;
        Ok(self.wrap(open()?))
    }

    /// Plans a fault at an apply or a mark. Several at the same place happen one after the other, one per call. A mark can
    /// be neither rejected nor late.
    pub fn plan(&self, when: When, fault: Fault) -> &Self {
        self.lock()
            .applies
            .entry(when)
            .or_default()
            .push_back(fault);
        self
    }

    /// Plans that the next scan of `collection` breaks after it delivered `batches`.
    pub fn break_scan(&self, collection: &str, batches: u64) -> &Self {
        self.lock()
            .scans
            .entry(collection.to_owned())
            .or_default()
            .push_back(batches);
        self
    }

    /// Plans that the next `times` calls of `step` fail with `Unavailable`.
    pub fn fail(&self, step: Step, times: usize) -> &Self {
        self.fail_with(step, times, Kind::Unavailable)
    }

    /// Plans that the next `times` calls of `step` fail with an error of `kind`.
    pub fn fail_with(&self, step: Step, times: usize, kind: Kind) -> &Self {
        self.lock()
            .steps
            .entry(step)
            .or_default()
            .extend(vec![kind; times]);
        self
    }

    /// Refuses the record with this key at every apply to `collection`, until [`Faults::accept_all`]: a poison record.
    pub fn refuse_key(&self, collection: &str, key: &[Owned]) -> &Self {
        self.lock()
            .refused
            .push((collection.to_owned(), key.to_vec()));
        self
    }

    /// Forgets every [`Faults::refuse_key`].
    pub fn accept_all(&self) -> &Self {
        self.lock().refused.clear();
        self
    }

    /// Calls `hook` before every call, on the caller's thread: the place to be slow, to count, or to change the world
    /// between two steps.
    pub fn on_call(&self, hook: impl Fn(Step) + Send + Sync + 'static) -> &Self {
        self.lock().hook = Some(Arc::new(hook));
        self
    }

    /// Lets a log that has nothing to tell end with an error of the kind `Interrupted`, as if its reader was asked to stop.
    pub fn end_when_idle(&self) -> &Self {
        self.lock().idle_ends = true;
        self
    }

    /// Waits until `calls` applies in all have been held.
    pub fn wait_held(&self, calls: u64) {
        let mut script = self.lock();
        while script.held < calls {
            script = self
                .shared
                .moved
                .wait(script)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets one held call go on; before any is held, lets the next one pass.
    pub fn release(&self) {
        self.lock().released += 1;
        self.shared.moved.notify_all();
    }

    /// Lets every commit in flight arrive, oldest first, and returns what became of each.
    pub fn land(&self) -> Vec<Result<Applied>> {
        let late = std::mem::take(&mut self.lock().late);
        late.into_iter()
            .map(|mut l| l.writer.apply(&l.writes.writes()))
            .collect()
    }

    /// Returns how many times `step` was called, failed calls included.
    pub fn called(&self, step: Step) -> u64 {
        self.lock().called.get(&step).copied().unwrap_or(0)
    }

    /// Asserts that everything planned has happened: a fault that is never met tests nothing.
    ///
    /// # Panics
    /// When a planned fault was not met.
    pub fn assert_spent(&self) {
        let script = self.lock();
        let unmet = script.applies.values().map(VecDeque::len).sum::<usize>()
            + script.scans.values().map(VecDeque::len).sum::<usize>()
            + script.steps.values().map(VecDeque::len).sum::<usize>()
            + script.late.len();
        drop(script);
        assert_eq!(unmet, 0, "every planned fault happens: {self:?}");
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.shared
            .script
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call, runs the hook without the lock, and fails where the script says so.
    /// Returns the call's number.
    fn pass(&self, step: Step) -> Result<u64> {
        let mut script = self.lock();
        let called = script.called.entry(step).or_default();
        *called += 1;
        let call = *called;
        let planned = script.steps.get_mut(&step).and_then(VecDeque::pop_front);
        let hook = script.hook.clone();
        drop(script);
        if let Some(hook) = hook {
            hook(step);
        }
        planned.map_or(Ok(call), |kind| Err(failure(kind, step)))
    }

    /// Takes the fault planned for this apply.
    fn take(&self, call: u64, partition: &str, batch: u64) -> Option<Fault> {
        let mut script = self.lock();
        let places = [
            When::Call(call),
            When::BatchOf(partition.to_owned(), batch),
            When::Batch(batch),
        ];
        places
            .iter()
            .find_map(|when| script.applies.get_mut(when)?.pop_front())
    }

    /// Takes the fault planned for this mark.
    fn take_mark(&self, call: u64) -> Option<Fault> {
        self.lock().applies.get_mut(&When::Mark(call))?.pop_front()
    }

    /// Takes the break planned for this scan: after how many batches.
    fn take_scan(&self, collection: &str) -> Option<u64> {
        self.lock().scans.get_mut(collection)?.pop_front()
    }

    fn hold(&self) {
        let mut script = self.lock();
        script.held += 1;
        let turn = script.held;
        self.shared.moved.notify_all();
        while script.released < turn {
            script = self
                .shared
                .moved
                .wait(script)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The error of a planned fault.
fn failure(kind: Kind, step: Step) -> Error {
    Error::new(kind, format!("step={step:?}: a planned fault")).hint("the test asked for it")
}
