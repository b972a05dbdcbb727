//! The net effect of several changes of one collection: what is left to be written when only the end can be seen.
//!
//! Invariant: writing the net effect leads to the same records as writing the changes one after the other, for a target that
//! shows nothing in between. A value that was not sent stays open until a change in the same net says it; what is still
//! open at the end is replaced in part ([`Net::amends`]).

use crate::batch::{Batch, Record};
use crate::value::Value;
use std::collections::BTreeMap;

/// What is left of a record's changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// It stands as the record at this place says.
    Put(usize),
    /// It stands as the record at this place says, and for the rest as before.
    Amend(usize),
    /// It is gone; the record at this place has its key.
    Delete(usize),
    /// It stands in a version that is not to be written.
    Unknown,
}

/// Changes of one collection, by key.
#[derive(Clone, Debug)]
pub struct Net {
    effects: BTreeMap<Box<[u8]>, Effect>,
    records: Batch,
    changes: usize,
}

/// Records of which some fields are replaced.
#[derive(Clone, Debug)]
pub struct Amended {
    /// The fields that are given, as positions in the whole record.
    pub fields: Vec<usize>,
    /// The records, of those fields.
    pub records: Batch,
}

impl Net {
    /// Makes an empty net of records with `width` fields.
    pub fn new(width: usize) -> Self {
        Self {
            effects: BTreeMap::new(),
            records: Batch::new(width),
            changes: 0,
        }
    }

    /// Returns the number of changes taken in.
    pub fn changes(&self) -> usize {
        self.changes
    }

    /// Returns the bytes held.
    pub fn bytes(&self) -> usize {
        self.records.bytes() + self.effects.len() * size_of::<(Box<[u8]>, Effect)>()
    }

    /// Tells whether nothing was taken in.
    pub fn is_empty(&self) -> bool {
        self.changes == 0
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.effects.clear();
        self.records.reset(self.records.width());
        self.changes = 0;
    }

    /// Returns the values of the record with this key as far as this net knows them, where it is there.
    pub fn known(&self, key: &[u8]) -> Option<Record<'_>> {
        match self.effects.get(key)? {
            Effect::Put(at) | Effect::Amend(at) => Some(self.records.record(*at)),
            Effect::Delete(_) | Effect::Unknown => None,
        }
    }

    /// The record stands in a version that is not to be written: what is told of it in part from here on says nothing whole.
    pub fn lose(&mut self, key: &[u8]) {
        self.changes += 1;
        self.effects.insert(key.into(), Effect::Unknown);
    }

    /// The record stands as `record` says; values that are [`Value::Unchanged`] are those it had. `false` when nobody knows
    /// those: then it is not to be written.
    pub fn put(&mut self, key: &[u8], record: Record<'_>) -> bool {
        self.changes += 1;
        let at = self.records.len();
        let open = |record: Record<'_>| record.values().any(|value| value == Value::Unchanged);
        if !open(record) {
            self.records.push_record(record);
            self.effects.insert(key.into(), Effect::Put(at));
            return true;
        }
        let before = self.effects.get(key).copied();
        match before {
            None => self.records.push_record(record),
            // What is gone, or was never written, has no values: nobody can say what it had.
            Some(Effect::Delete(_) | Effect::Unknown) => {
                self.effects.insert(key.into(), Effect::Unknown);
                return false;
            }
            Some(Effect::Put(known) | Effect::Amend(known)) => {
                let filled = fill(record, self.records.record(known));
                self.records.push_record(filled.record(0));
            }
        }
        let effect = match before {
            Some(Effect::Put(_)) => Effect::Put(at),
            _ => Effect::Amend(at),
        };
        self.effects.insert(key.into(), effect);
        true
    }

    /// The record is gone. Of `record` only the key's values count.
    pub fn delete(&mut self, key: &[u8], record: Record<'_>) {
        self.changes += 1;
        let at = self.records.len();
        self.records.push_record(record);
        self.effects.insert(key.into(), Effect::Delete(at));
    }

    /// Returns the records that stand whole, in key order.
    pub fn puts(&self) -> Batch {
        self.all(|effect| match effect {
            Effect::Put(at) => Some(at),
            Effect::Amend(_) | Effect::Delete(_) | Effect::Unknown => None,
        })
    }

    /// Returns the records that are gone, in key order.
    pub fn deletes(&self) -> Batch {
        self.all(|effect| match effect {
            Effect::Delete(at) => Some(at),
            Effect::Amend(_) | Effect::Put(_) | Effect::Unknown => None,
        })
    }

    /// Returns the records that are replaced in part, by which fields are given.
    pub fn amends(&self) -> Vec<Amended> {
        let mut amended: BTreeMap<Vec<usize>, Batch> = BTreeMap::new();
        for effect in self.effects.values() {
            let Effect::Amend(at) = *effect else { continue };
            let record = self.records.record(at);
            let given = |(_, value): &(usize, Value<'_>)| *value != Value::Unchanged;
            let fields: Vec<usize> = record
                .values()
                .enumerate()
                .filter(given)
                .map(|(at, _)| at)
                .collect();
            let width = fields.len();
            let values = fields
                .iter()
                .map(|&at| record.value(at))
                .collect::<Vec<_>>();
            let batch = amended.entry(fields).or_insert_with(|| Batch::new(width));
            values.into_iter().for_each(|value| batch.push(value));
        }
        let amended = amended.into_iter();
        amended
            .map(|(fields, records)| Amended { fields, records })
            .collect()
    }

    fn all(&self, of: impl Fn(Effect) -> Option<usize>) -> Batch {
        let mut out = Batch::new(self.records.width());
        for at in self.effects.values().filter_map(|&effect| of(effect)) {
            out.push_record(self.records.record(at));
        }
        out
    }
}

/// Takes the values that `record` leaves open from the one before.
pub fn fill(record: Record<'_>, before: Record<'_>) -> Batch {
    let mut filled = Batch::new(record.width());
    for (new, old) in record.values().zip(before.values()) {
        filled.push(if new == Value::Unchanged { old } else { new });
    }
    filled
}

#[cfg(test)]
mod tests;
