//! What a run has done so far. It outlives a pass: a broken connection ends the pass, not the count.

use super::open::Recovered;
use crate::state::Token;
use std::collections::BTreeMap;
use trueup_core::digest::Digest;
use trueup_core::endpoint::Op;
use trueup_core::park::Parked;
use trueup_core::plan::Counts;
use trueup_core::side::{Side, Sides};

/// What a run did to one collection, over all its passes.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) written: Sides<Counts>,
    pub(super) conflicts: u64,
    /// What the endpoints refused in the last pass, by key digest.
    pub(super) refused: BTreeMap<Digest, Parked>,
    /// Writes that found another record than was read: the next pass looks again.
    pub(super) stale: u64,
}

/// A batch that was sent, so that it is counted when its answer is lost and the marker says what became of it.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) token: Token,
    /// The collection's place among the run's.
    pub(super) collection: usize,
    pub(super) side: Side,
    pub(super) ops: Vec<Op>,
    /// The writes that decide a conflict.
    pub(super) conflicts: Vec<usize>,
}

/// What survives a broken connection.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) done: Vec<Done>,
    sent: Option<Sent>,
}

impl Tally {
    /// Starts a run of `collections`.
    pub(super) fn new(collections: usize) -> Self {
        Self {
            done: (0..collections).map(|_| Done::default()).collect(),
            sent: None,
        }
    }

    /// Remembers the batch on its way.
    pub(super) fn sending(&mut self, sent: Sent) {
        self.sent = Some(sent);
    }

    /// The batch on its way was answered, and is counted by its answer.
    pub(super) fn answered(&mut self) {
        self.sent = None;
    }

    /// Counts what a lost answer turned out to have been. Where nothing was found out yet, because the connection broke
    /// again, the next attempt does.
    pub(super) fn recovered(&mut self, recovered: &[Recovered]) {
        let of = |sent: &Sent| recovered.iter().find(|found| found.token == sent.token);
        let Some(found) = self.sent.as_ref().and_then(of) else {
            return;
        };
        let Some(sent) = self.sent.take() else { return };
        let applied = |index: &usize| found.left_out.binary_search(index).is_err();
        let done = &mut self.done[sent.collection];
        for index in (0..sent.ops.len()).filter(applied) {
            done.written[sent.side].add(sent.ops[index]);
        }
        done.conflicts += sent.conflicts.iter().filter(|index| applied(index)).count() as u64;
    }
}
