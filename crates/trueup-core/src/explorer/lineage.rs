//! Who had seen what: the ghost beside the model, which no step reads.
//!
//! Every outside write has a number, and is one bit in a [`Mask`]. A value *is* the set of writes in it (one bit, or more
//! where a policy merges values). A write's ancestors are what was visible where it was made; so a write that is gone at
//! the end is superseded where a writer after it had seen it, and lost where nobody had and nothing is on record.

use super::world::Rec;
use crate::conflict::ConflictKind;
use crate::side::{Side, Sides};

/// A set of outside writes; bit 0 stands for what was there before the first.
pub(super) type Mask = u8;

/// The most outside writes in one exploration.
pub(super) const WRITES_MAX: usize = 6;

/// All that is known about the writes so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lineage {
    /// How many there were.
    pub(super) made: u8,
    /// What each had seen; index 0 is what was there before.
    pub(super) ancestors: [Mask; WRITES_MAX + 1],
    /// What each delete removed: the writes that had gone into the record.
    pub(super) removed: [Mask; WRITES_MAX + 1],
    /// Which wrote this field.
    pub(super) wrote: [Mask; 2],
    /// Which deleted the record.
    pub(super) deletes: Mask,
    /// Whose values are on record, per field.
    pub(super) logged: [Mask; 2],
    /// Which deletes are on record, or were undone by an announced join.
    pub(super) forgiven: Mask,
    /// Which were undone by putting back an earlier copy of the store they were made in.
    pub(super) undone: Mask,
    /// Whether a conflict was recorded where there was none.
    pub(super) false_conflict: bool,
    /// Whether the base is a guess: a crash left open whether a conditional write took place.
    pub(super) doubtful: bool,
    /// Whether an engine died, or a copy was put back.
    pub(super) crashed: bool,
}

impl Lineage {
    /// Begins with a record that everybody knows.
    pub(super) fn new() -> Self {
        Self {
            wrote: [1, 1],
            ..Self::default()
        }
    }

    /// Numbers a write by somebody who had seen `known`, to a record that `live` had gone into; `fields` are those it
    /// wrote, none for a delete.
    pub(super) fn write(&mut self, known: Mask, live: Mask, fields: &[usize]) -> Mask {
        self.made += 1;
        self.ancestors[usize::from(self.made)] = known;
        let bit = 1 << self.made;
        for &field in fields {
            self.wrote[field] |= bit;
        }
        if fields.is_empty() {
            self.deletes |= bit;
            self.removed[usize::from(self.made)] = live;
        }
        bit
    }

    /// Puts both records on record, and the deletes that one side had not seen of the other. Notes a conflict that is
    /// none: one of the values had gone into the record of the side that holds the other.
    pub(super) fn conflict(
        &mut self,
        kind: ConflictKind,
        fields: [bool; 2],
        rec: Sides<Rec>,
        known: Sides<Mask>,
    ) {
        for field in 0..2 {
            self.logged[field] |= rec.source.0[field] | rec.target.0[field];
        }
        self.excuse_deletes(rec, known);
        let unseen = |side: Side, field: usize| rec[side].0[field] & !known[side.other()] != 0;
        let both = |field: usize| unseen(Side::Source, field) && unseen(Side::Target, field);
        let holder = if rec.source.is_absent() {
            Side::Target
        } else {
            Side::Source
        };
        let mut told = [0, 1].into_iter().filter(|&field| fields[field]);
        self.false_conflict |= match kind {
            _ if self.doubtful => false,
            // The base was lost, or there was none yet: nobody can know who saw what, and it is said to be a join.
            ConflictKind::Join => false,
            ConflictKind::UpdateUpdate => told.any(|field| !both(field)),
            // Two records met whole: each has something the other's writer had not seen.
            ConflictKind::InsertInsert => Side::BOTH
                .into_iter()
                .any(|side| !(unseen(side, 0) || unseen(side, 1))),
            ConflictKind::DeleteUpdate => {
                let unseen_delete = known[holder.other()] & !known[holder] & self.deletes != 0;
                !unseen_delete || !told.any(|field| unseen(holder, field))
            }
        };
    }

    /// The deletes behind an absent side that the holder of a record had not seen are on record from now on.
    pub(super) fn excuse_deletes(&mut self, rec: Sides<Rec>, known: Sides<Mask>) {
        for side in Side::BOTH {
            if rec[side].is_absent() {
                self.forgiven |= self.deletes & known[side] & !known[side.other()];
            }
        }
    }

    /// An earlier copy of a store is put back: what only it knew is gone, and that was not the engine.
    pub(super) fn put_back(&mut self, now: Mask, copy: Mask, other: Mask) {
        self.undone |= now & !copy & !other;
    }

    /// Tells whether a write is neither in `held` nor on record nor superseded; where writers `add` to values, only a
    /// delete supersedes.
    pub(super) fn lost(&self, held: [Mask; 2], on_record: [Mask; 2], adds: bool) -> bool {
        (0..=self.made).any(|write| {
            let bit = 1_u8 << write;
            (0..2).any(|field| {
                let supersedes = self.deletes | if adds { 0 } else { self.wrote[field] };
                let accounted = held[field] | on_record[field] | self.undone;
                self.wrote[field] & bit != 0
                    && accounted & bit == 0
                    && !self.seen_by(bit, supersedes)
            })
        })
    }

    /// Tells whether something in `held` had been deleted by somebody who had seen it there, and nothing is on record.
    pub(super) fn returned(&self, held: [Mask; 2]) -> bool {
        (1..=self.made).any(|delete| {
            let bit = 1_u8 << delete;
            let stands = self.deletes & bit != 0 && (self.forgiven | self.undone) & bit == 0;
            // A record written after the delete stands in its place, and is judged itself.
            stands
                && !self.seen_by(bit, self.wrote[0] | self.wrote[1])
                && self.removed[usize::from(delete)] & (held[0] | held[1]) != 0
        })
    }

    /// Hands out every byte that makes one lineage differ from another.
    pub(super) fn pack(&self, out: &mut impl FnMut(&[u8])) {
        out(&self.ancestors);
        out(&self.removed);
        out(&self.wrote);
        out(&self.logged);
        let flags = [self.false_conflict, self.crashed, self.doubtful];
        let flags = flags
            .into_iter()
            .fold(0, |all, flag| all << 1 | u8::from(flag));
        out(&[self.made, self.deletes, self.forgiven, self.undone, flags]);
    }

    /// Tells whether any of the writes `by` had seen `bit`.
    fn seen_by(&self, bit: Mask, by: Mask) -> bool {
        (0..=self.made)
            .any(|write| by & (1 << write) != 0 && self.ancestors[usize::from(write)] & bit != 0)
    }
}
