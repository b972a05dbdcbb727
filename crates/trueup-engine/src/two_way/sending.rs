//! A batch as it goes to one side: the writes in that side's own types, and the condition on each.
//!
//! A write is made only if the record that stands there, read into the shared shape, has the digest that was decided
//! about. The copy of a keep-both goes with the write before it, or not at all.

use super::marker;
use super::prepare::Joint;
use super::tally::Sent;
use super::work::{Ruled, Work};
use crate::state::{DecidedConflict, Pending, Token};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use trueup_core::batch::{Batch, Record};
use trueup_core::conflict::Conflict;
use trueup_core::encode;
use trueup_core::endpoint::{Check, Op};
use trueup_core::mapping::Shared;
use trueup_core::side::Side;

/// A batch as it goes to one side, and the condition on each of its writes.
pub(super) struct Sending<'a> {
    joint: &'a Joint,
    shared: &'a Shared,
    pub(super) side: Side,
    pub(super) token: Token,
    /// One per write; `None` for the copy that belongs to the write before it.
    pub(super) works: Vec<Option<Work>>,
    pub(super) ops: Vec<Op>,
    pub(super) records: Batch,
    /// Each copy's canonical key, and the copy in the shared shape.
    copies: BTreeMap<usize, (Vec<u8>, Batch)>,
    /// Whether each write's condition held, as far as it was asked.
    held: Mutex<Vec<bool>>,
}

/// A work that a side cannot hold.
pub(super) struct Misfit {
    pub(super) work: Work,
    pub(super) field: Option<String>,
    pub(super) reason: String,
}

impl<'a> Sending<'a> {
    pub(super) fn new(joint: &'a Joint, side: Side, token: Token) -> Self {
        Self {
            joint,
            shared: &joint.shared,
            side,
            token,
            works: Vec::new(),
            ops: Vec::new(),
            records: Batch::new(joint.shared.types().len()),
            copies: BTreeMap::new(),
            held: Mutex::default(),
        }
    }

    /// Takes a work in, with its copy where it has one. Gives it back with what is wrong when the side cannot hold it, or
    /// has no room for the copy: then nothing is overwritten.
    pub(super) fn take(
        &mut self,
        work: Work,
        largest: Option<i64>,
        given: &mut u64,
    ) -> Result<(), Box<Misfit>> {
        let mut copy = Batch::new(self.records.width());
        let mut copied = None;
        if let Some(loser) = &work.copy {
            let made = fresh_copy(self.joint, loser.record(0), largest, given).and_then(|fresh| {
                let written = self.shared.write(self.side, fresh.record(0), &mut copy);
                written.map_err(|(_, reason)| reason)?;
                Ok((key_of(self.shared, fresh.record(0)), fresh))
            });
            match made {
                Ok(kept) => copied = Some(kept),
                Err(reason) => {
                    let reason = format!("no copy can be kept: {reason}");
                    return Err(Box::new(Misfit {
                        work,
                        field: None,
                        reason,
                    }));
                }
            }
        }
        let record = work.step.record.record(0);
        if let Err((field, reason)) = self.shared.write(self.side, record, &mut self.records) {
            let field = Some(field);
            return Err(Box::new(Misfit {
                work,
                field,
                reason,
            }));
        }
        self.ops.push(work.step.op);
        self.works.push(Some(work));
        if let Some(kept) = copied {
            self.records.push_record(copy.record(0));
            self.copies.insert(self.ops.len(), kept);
            self.ops.push(Op::Insert);
            self.works.push(None);
        }
        Ok(())
    }

    /// Returns the work that removes the copy written at `index`: nothing was overwritten beside it after all.
    pub(super) fn undo(&self, index: usize) -> Option<Work> {
        let (key, copy) = self.copies.get(&index)?;
        let digest = encode::digest(copy.record(0), &mut Vec::new());
        Some(Work::removing(key, self.side, copy, digest))
    }

    /// What goes on record before the batch is sent.
    pub(super) fn items(&self) -> Vec<Pending> {
        let name = self.joint.partition(Side::Source);
        let works = self.works.iter().enumerate();
        works
            .map(|(index, work)| match work {
                Some(work) => Pending {
                    key: work.key.clone(),
                    base: work.step.base.clone(),
                    kept: work.step.kept.clone(),
                    conflict: work
                        .conflict
                        .as_ref()
                        .map(|ruled| recorded(ruled, name, work)),
                },
                None => Pending {
                    // The copy is a new record of this side: nothing is agreed on about it yet.
                    key: self
                        .copies
                        .get(&index)
                        .map(|(key, _)| key.clone())
                        .unwrap_or_default(),
                    base: trueup_core::base::Base::Absent,
                    kept: None,
                    conflict: None,
                },
            })
            .collect()
    }

    pub(super) fn sent(&self, collection: usize) -> Sent {
        let with_conflict =
            |work: &Option<Work>| work.as_ref().is_some_and(|w| w.conflict.is_some());
        let works = self.works.iter().enumerate();
        Sent {
            token: self.token,
            collection,
            side: self.side,
            ops: self.ops.clone(),
            conflicts: works
                .filter(|(_, work)| with_conflict(work))
                .map(|(index, _)| index)
                .collect(),
        }
    }

    fn as_expected(&self, index: usize, current: Option<Record<'_>>) -> bool {
        let Some(Some(work)) = self.works.get(index) else {
            // A copy goes with the write before it, and only where nobody took its key.
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let with = index.checked_sub(1).and_then(|before| held.get(before));
            return current.is_none() && with == Some(&true);
        };
        match (work.step.expected, current) {
            (None, None) => true,
            (Some(expected), Some(current)) => {
                let mut shared = Batch::new(self.shared.types().len());
                let read = self.shared.read(self.side, current, &mut shared);
                read.is_some() && encode::digest(shared.record(0), &mut Vec::new()) == expected
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}

impl Check for Sending<'_> {
    fn holds(&self, index: usize, current: Option<Record<'_>>) -> bool {
        let holds = self.as_expected(index, current);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() <= index {
            held.resize(index + 1, false);
        }
        held[index] = holds;
        holds
    }

    fn position(&self, left_out: &[usize]) -> Vec<u8> {
        marker::encode(self.token, left_out)
    }
}

fn recorded(ruled: &Ruled, name: &str, work: &Work) -> DecidedConflict {
    let records = ruled.records.as_ref();
    let records = records.map(|record| record.as_ref().map(|record| record.record(0)));
    // What is written last is what both sides hold then.
    let last = work.then.as_ref().unwrap_or(&work.step);
    DecidedConflict {
        conflict: Conflict::new(name, &work.key, ruled.ruling.clone(), records),
        result: ruled.result,
        record: ruled.result.map(|_| last.record.clone()),
    }
}

fn key_of(shared: &Shared, record: Record<'_>) -> Vec<u8> {
    let mut key = Vec::new();
    for &position in shared.key() {
        encode::key(record.value(position), &mut key);
    }
    key
}

/// Makes the record that keep-both inserts: the loser's, under a key that nobody has.
fn fresh_copy(
    joint: &Joint,
    record: Record<'_>,
    largest: Option<i64>,
    given: &mut u64,
) -> Result<Batch, String> {
    let fresh = joint.fresh.as_ref().ok_or("its key has no room for one")?;
    let digest = encode::digest(record, &mut Vec::new());
    let mut copy = Batch::new(record.width());
    let number = if fresh.counts() { *given } else { 0 };
    let made = fresh.fresh(record, digest, largest, number, &mut copy);
    made.map_err(|error| error.message().to_owned())?;
    *given += 1;
    Ok(copy)
}
