//! What stands at the target, and whether a write's condition holds for it.
//!
//! Invariant: a record that was found stays locked until the batch ends, so that nobody changes it, and nobody comes to
//! refer to it, between the decision and the write.

use super::super::decode::{Room, Slot};
use super::super::scan::CopySource;
use super::super::types::Wire;
use super::{Act, References, Refused, Work};
use std::cell::RefCell;
use trueup_core::Result;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Check, Outcome};
use trueup_core::value::Value;

impl Work<'_> {
    /// Locks what stands at the target, asks whether each record still holds, and returns what is to be done.
    pub(super) fn check(
        &mut self,
        part: &[(usize, Act)],
        check: &dyn Check,
    ) -> Result<Vec<(usize, Act)>> {
        if part.iter().any(|(_, act)| *act == Act::Delete) {
            // Read anew for each batch, under the lock that keeps it so.
            self.references = References::read(self.connection, &self.statements.removal)?;
        }
        let standing = RefCell::new(Standing::new(self.statements.columns.len()));
        let unlocked = self.halve(part.to_vec(), |work, part| {
            work.guarded(|work| {
                work.stage(part)?;
                work.read_standing(&mut standing.borrow_mut())?;
                Ok(Ok(Outcome::Applied(None)))
            })
        })?;
        debug_assert!(unlocked.is_empty(), "reading violates no constraint");
        let standing = standing.into_inner();
        let mut acts = Vec::with_capacity(part.len());
        for &(index, act) in part {
            if matches!(self.outcomes.get(index), Some(Outcome::Rejected { .. })) {
                continue;
            }
            let holds = match standing.find(index) {
                Found::Missing => check.holds(index, None),
                Found::One(at) => check.holds(index, Some(standing.records.record(at))),
                // Not a key after all; nothing can be said about "the" record.
                Found::Several => false,
            };
            match (holds, act, standing.find(index)) {
                (false, ..) => self.settle(index, Outcome::Stale),
                (true, Act::Delete, Found::Missing) => self.settle(index, Outcome::Applied(None)),
                (true, Act::Delete, _) => acts.push((index, Act::Delete)),
                (true, _, Found::Missing) => acts.push((index, Act::Insert)),
                (true, ..) => acts.push((index, Act::Replace)),
            }
        }
        Ok(acts)
    }

    /// Reads and locks the records at the target that have the keys of the staged ones.
    fn read_standing(&self, standing: &mut Standing) -> std::result::Result<(), Refused> {
        let columns = &self.statements.columns;
        let mut slots = vec![Slot {
            name: "n".to_owned(),
            wire: Wire::Int4,
        }];
        slots.extend(columns.iter().map(|column| Slot {
            name: column.name.clone(),
            wire: column.wire,
        }));
        let mut read = Batch::new(slots.len());
        let mut source = CopySource::open(self.connection, &self.statements.current, slots)?;
        let room = Room {
            records_max: usize::MAX,
            bytes_max: usize::MAX,
        };
        while source.fill(&mut read, room)? {}
        for record in read.records() {
            let mut values = record.values();
            let Some(Value::Int(index)) = values.next() else {
                continue;
            };
            standing
                .numbers
                .push(usize::try_from(index).unwrap_or(usize::MAX));
            values.for_each(|value| standing.records.push(value));
        }
        Ok(())
    }
}

/// What stands at the target, by number in the batch, ascending within each part read.
struct Standing {
    numbers: Vec<usize>,
    records: Batch,
}

enum Found {
    Missing,
    One(usize),
    Several,
}

impl Standing {
    fn new(width: usize) -> Self {
        Self {
            numbers: Vec::new(),
            records: Batch::new(width),
        }
    }

    /// The parts of a batch are read first half first, so that the numbers ascend over all of them.
    fn find(&self, index: usize) -> Found {
        let from = self.numbers.partition_point(|&number| number < index);
        let to = self.numbers.partition_point(|&number| number <= index);
        match to - from {
            0 => Found::Missing,
            1 => Found::One(from),
            _ => Found::Several,
        }
    }
}
