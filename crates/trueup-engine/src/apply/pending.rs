//! Writes on their way into a batch.

use crate::link::{Limits, World};
use trueup_core::batch::Batch;
use trueup_core::endpoint::Op;
use trueup_core::keyed::{Entry, Keyed, Standing};

/// A batch that is filling up.
pub(super) struct Pending {
    pub(super) ops: Vec<Op>,
    pub(super) records: Batch,
    /// How many batches a load writes at once: one at first, so that the target does not wait until several are read,
    /// then twice as many each time, up to the limit.
    batches: usize,
}

impl Pending {
    pub(super) fn new(width: usize) -> Self {
        Self {
            ops: Vec::new(),
            records: Batch::new(width),
            batches: 1,
        }
    }

    /// Adds the records of a piece, without those that are unknown where there are `some_unknown`, and tells how many.
    pub(super) fn insert(&mut self, piece: Keyed, some_unknown: bool) -> u64 {
        let before = self.records.len();
        if some_unknown {
            let known = |entry: &Entry<'_>| entry.standing != Standing::Unknown;
            for entry in piece.entries().filter(known) {
                self.records.push_record(entry.record);
            }
        } else {
            self.records.append(piece.into_records());
        }
        self.ops.resize(self.records.len(), Op::Insert);
        (self.records.len() - before) as u64
    }

    /// Whether a load may still write this much more at once.
    pub(super) fn has_room(&self, records: usize, bytes: usize, limits: Limits) -> bool {
        let Limits {
            batch_records_max,
            batch_bytes_max,
            load_batches,
            ..
        } = limits;
        let batches = self.batches.min(load_batches);
        self.ops.len() + records <= batch_records_max.saturating_mul(batches)
            && self.records.bytes() + bytes <= batch_bytes_max.saturating_mul(batches)
    }

    /// Puts the writes in the opposite order, if `backwards`.
    pub(super) fn turn(&mut self, backwards: bool) {
        if !backwards {
            return;
        }
        self.ops.reverse();
        let mut records = Batch::new(self.records.width());
        for index in (0..self.records.len()).rev() {
            records.push_record(self.records.record(index));
        }
        self.records = records;
    }

    pub(super) fn is_full(&self, world: &World<'_>) -> bool {
        self.ops.len() >= world.limits.batch_records_max
            || self.records.bytes() >= world.limits.batch_bytes_max
    }

    pub(super) fn clear(&mut self) {
        self.ops.clear();
        self.records.reset(self.records.width());
        self.batches = self.batches.saturating_mul(2);
    }
}
