//! The state store (stub).
use crate::report::Report;
use std::path::Path;
use trueup_core::park::Parked;
use trueup_core::{Error, Result};

/// What names a link in the store.
#[derive(Clone, Debug)]
pub struct LinkId {
    /// The durable name ([`crate::Link::durable_name`]).
    pub durable: String,
    /// The name for people.
    pub name: String,
}

/// The number of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunId(pub i64);

/// One line of the history.
#[derive(Clone, Debug, PartialEq)]
pub struct PastRun {
    /// Its number.
    pub run: RunId,
    /// The link's name for people.
    pub link: String,
    /// When it began, in milliseconds since 1970 UTC.
    pub started_ms: i64,
    /// When it ended; `None` while it runs, or when its process died.
    pub ended_ms: Option<i64>,
    /// The exit code it ended with.
    pub exit: Option<u8>,
    /// The error it ended with: kind and message, no values.
    pub error: Option<String>,
    /// Its report without the plan, where it has one; certificate included.
    pub report: Option<Report>,
}

/// The state store: one SQLite file.
#[derive(Debug)]
pub struct Store;

impl Store {
    /// Opens the store at `path` and creates it if it is missing; a new one gets `incarnation` as its id.
    pub fn open(_path: &Path, _incarnation: &str) -> Result<Self> {
        Err(Error::bug("stub"))
    }
    /// The store's id: a copy restored elsewhere keeps it, a new store has another.
    pub fn incarnation(&self) -> &str {
        ""
    }
    /// Takes the link's lock (refused while another process holds it) and records that a run began.
    pub fn begin(&mut self, _link: &LinkId, _now_ms: i64) -> Result<RunId> {
        Err(Error::bug("stub"))
    }
    /// Whether the link's run before the present one ended without saying so.
    pub fn was_interrupted(&self, _link: &LinkId) -> Result<bool> {
        Ok(false)
    }
    /// The last batch known to be durable at the target; 0 before the first.
    pub fn batch(&self, _link: &LinkId, _partition: &str) -> Result<u64> {
        Ok(0)
    }
    /// Records that `batch` is durable at the target. Never moves back.
    pub fn checkpoint(&mut self, _link: &LinkId, _partition: &str, _batch: u64) -> Result<()> {
        Ok(())
    }
    /// Replaces the link's parked records of one collection.
    pub fn park(
        &mut self,
        _link: &LinkId,
        _collection: &str,
        _run: RunId,
        _parked: &[Parked],
    ) -> Result<()> {
        Ok(())
    }
    /// Records how a run ended, and releases the link's lock.
    pub fn finish(
        &mut self,
        _run: RunId,
        _now_ms: i64,
        _exit: u8,
        _error: Option<&str>,
        _report: Option<&Report>,
    ) -> Result<()> {
        Ok(())
    }
    /// The latest runs, newest first.
    pub fn history(&self, _limit: usize) -> Result<Vec<PastRun>> {
        Ok(Vec::new())
    }
}
