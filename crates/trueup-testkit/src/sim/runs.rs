//! Runs of engines: when they began, what they read, what they wrote.

use super::Sim;
use super::lineage::Ghosts;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use trueup_core::side::{Side, Sides};

/// The number of a run of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId(pub(super) usize);

/// One run of an engine.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    /// Whether it runs inside a step of another.
    pub(super) nested: bool,
    pub(super) over: bool,
    /// What was known of each side when it was read last.
    pub(super) seen: Sides<Option<Arc<Ghosts>>>,
    /// Each time a side was read.
    pub(super) readings: Sides<Vec<Reading>>,
    /// How often anything was committed, a claim too.
    pub(super) commits: u64,
    /// How often anything but a claim was committed.
    pub(super) writes: u64,
    /// How many records it changed in each collection.
    pub(super) changes: Sides<BTreeMap<usize, u64>>,
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
pub(super) struct Author {
    pub(super) run: RunId,
    pub(super) seen: Sides<Option<Arc<Ghosts>>>,
}

impl Sim {
    /// Tells whether some records do not fit the target.
    pub fn is_narrow(&self) -> bool {
        self.lock().setting.narrow
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

    /// Returns each time that the run read a side.
    pub fn readings(&self, run: RunId, side: Side) -> Vec<Reading> {
        self.lock().runs[run.0].readings[side].clone()
    }

    /// Returns how often the run committed anything but a claim.
    pub fn writes(&self, run: RunId) -> u64 {
        self.lock().runs[run.0].writes
    }

    /// Returns how often the run committed anything, claims included.
    pub fn commits(&self, run: RunId) -> u64 {
        self.lock().runs[run.0].commits
    }

    /// Returns how many records of a collection of a side the run changed.
    pub fn changes(&self, run: RunId, side: Side, collection: usize) -> u64 {
        let inner = self.lock();
        let changes = inner.runs[run.0].changes[side].get(&collection);
        changes.copied().unwrap_or(0)
    }
}
