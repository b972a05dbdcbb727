//! Which deletes of a bag's batch still look for a record to remove.
//!
//! Whoever carries the batch out reads the records that stand at the target and asks, for each, whether it is one to
//! remove. Invariant: each delete gets at most one record, and each record goes to at most one delete.

use crate::batch::Record;
use crate::digest::Digest;
use crate::encode;
use crate::endpoint::{Bag, Op, Writes};
use std::collections::BTreeMap;

/// The deletes of a batch that have no record yet.
#[derive(Clone, Debug, Default)]
pub struct Removals {
    waiting: BTreeMap<Digest, Vec<usize>>,
}

impl Removals {
    /// Starts with every delete of `writes`.
    pub fn of(writes: &Writes<'_>) -> Self {
        let mut removals = Self::default();
        let mut scratch = Vec::new();
        for (index, op) in writes.ops.iter().enumerate() {
            if *op == Op::Delete {
                let digest = encode::digest(writes.records.record(index), &mut scratch);
                removals.put_back(digest, index);
            }
        }
        removals
    }

    /// Lets a delete look on: what it was given is gone.
    pub fn put_back(&mut self, digest: Digest, index: usize) {
        self.waiting.entry(digest).or_default().push(index);
    }

    /// Gives a record to a delete; returns the record's digest and that delete's index in the batch.
    pub fn take(&mut self, bag: &dyn Bag, current: Record<'_>) -> Option<(Digest, usize)> {
        if self.is_done() {
            return None;
        }
        let digest = bag.digest(current);
        let waiting = self.waiting.get_mut(&digest)?;
        let index = waiting.pop()?;
        if waiting.is_empty() {
            self.waiting.remove(&digest);
        }
        Some((digest, index))
    }

    /// Tells whether no delete looks for a record any more.
    pub fn is_done(&self) -> bool {
        self.waiting.is_empty()
    }
}
