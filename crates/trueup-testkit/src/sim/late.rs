//! Commits in flight: sent over a connection that broke, they land later or are refused by a raised epoch.
//!
//! A condition is borrowed from the engine and cannot outlive its call. So what it says is taken down when the batch is
//! sent: of each record whether it may be replaced, and the marker's bytes for each set of stale writes. When the batch
//! lands, a record that is still the same is judged the same, and another one is stale.

use super::Inner;
use super::runs::Author;
use crate::faults::subset::OwnedWrites;
use crate::owned::Owned;
use std::collections::BTreeMap;
use trueup_core::batch::{Batch, Record};
use trueup_core::endpoint::{Check, Mark, Writer, Writes};
use trueup_core::side::Side;

/// The most writes of a batch that may be in flight: each set of them needs its own marker.
pub(super) const WRITES_MAX: usize = 4;

/// A commit in flight.
pub(super) struct Late {
    pub(super) by: Author,
    pub(super) side: Side,
    pub(super) writer: Box<dyn Writer>,
    pub(super) link: String,
    pub(super) serial: u64,
    pub(super) generation: u32,
    pub(super) sent: Sent,
}

/// What is in flight.
pub(super) enum Sent {
    /// A batch, and what its condition said.
    Batch(Box<OwnedWrites>, Option<Said>),
    /// A marker alone.
    Mark(Mark),
}

/// What a condition said when the batch was sent.
pub(super) struct Said {
    current: Vec<Option<Vec<Owned>>>,
    holds: Vec<bool>,
    positions: BTreeMap<Vec<usize>, Vec<u8>>,
}

impl Said {
    /// Takes down what the batch's condition says of what `find` finds; `None` without a condition.
    pub(super) fn of(
        writes: &Writes<'_>,
        find: impl Fn(usize) -> Option<Vec<Owned>>,
    ) -> Option<Self> {
        let check = writes.check?;
        let count = writes.ops.len();
        let (mut current, mut holds) = (Vec::new(), Vec::new());
        for index in 0..count {
            let found = find(index);
            let mut batch = Batch::new(writes.fields.len());
            for value in found.iter().flatten() {
                batch.push(value.value());
            }
            let record = found.as_ref().map(|_| batch.record(0));
            holds.push(check.holds(index, record));
            current.push(found);
        }
        let mut positions = BTreeMap::new();
        for set in 0..1_usize << count {
            let stale: Vec<usize> = (0..count).filter(|index| set >> index & 1 == 1).collect();
            let bytes = check.position(&stale);
            positions.insert(stale, bytes);
        }
        Some(Self {
            current,
            holds,
            positions,
        })
    }
}

impl Check for Said {
    fn holds(&self, index: usize, current: Option<Record<'_>>) -> bool {
        self.holds[index] && current.map(Owned::record) == self.current[index]
    }

    fn position(&self, stale: &[usize]) -> Vec<u8> {
        self.positions.get(stale).cloned().unwrap_or_default()
    }
}

impl Inner {
    /// Lets the oldest commit in flight land; tells whether there was one.
    pub(super) fn land(&mut self) -> bool {
        if self.late.is_empty() {
            return false;
        }
        let mut late = self.late.remove(0);
        if late.generation != self.hosts[late.side].generation {
            self.note(|| "a commit in flight went with its machine".to_owned());
            return true;
        }
        let landed = match &late.sent {
            Sent::Mark(mark) => late.writer.mark(mark).map(|()| Vec::new()),
            Sent::Batch(writes, said) => {
                let check = said.as_ref().map(|said| {
                    let check: &dyn Check = said;
                    check
                });
                let writes = Writes {
                    check,
                    ..writes.writes()
                };
                late.writer.apply(&writes).map(|applied| applied.outcomes)
            }
        };
        let run = late.by.run.0;
        match landed {
            Ok(outcomes) => {
                self.note(|| format!("a commit of run {run} lands: {outcomes:?}"));
                self.committed(late.side, &late.link, late.serial);
                self.observe(late.side, Some(&late.by));
            }
            Err(error) => {
                let kind = error.kind();
                self.note(|| format!("a commit of run {run} is refused: {}", kind.name()));
            }
        }
        true
    }

    /// A writer has committed: it must be the last one that claimed the link.
    pub(super) fn committed(&mut self, side: Side, link: &str, serial: u64) {
        let last = self.hosts[side].claims.get(link).copied();
        if last != Some(serial) {
            self.violate(format!(
                "G7: {}: claim {serial} wrote after claim {last:?}",
                side.name()
            ));
        }
    }
}
