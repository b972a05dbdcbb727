//! One collection: its schema, its records by key, and its unique constraints.
//!
//! Invariant: `uniques[i]` holds exactly one entry per record whose fields of constraint `i` are all present, and a
//! refused write changes nothing. A table is cloned when it is written while a snapshot still shows it.

use super::class;
use crate::owned::{Owned, key_bytes};
use std::collections::BTreeMap;
use std::sync::Arc;
use trueup_core::endpoint::Op;
use trueup_core::schema::Schema;

/// Where a record stands: its canonical key bytes, or a running number where the collection has no key.
pub(super) type Place = Vec<u8>;

/// A record's values in the schema's order.
pub(super) type Stored = Arc<[Owned]>;

#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) schema: Schema,
    pub(super) records: BTreeMap<Place, Stored>,
    uniques: Vec<BTreeMap<Vec<u8>, Place>>,
    next: u64,
}

/// One record's transition.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) op: Op,
    pub(super) before: Option<Stored>,
    pub(super) after: Option<Stored>,
}

/// Why a table does not take a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) reason: String,
    pub(super) blocked: bool,
}

impl Table {
    pub(super) fn new(schema: Schema) -> Self {
        let uniques = vec![BTreeMap::new(); schema.uniques.len()];
        Self {
            schema,
            records: BTreeMap::new(),
            uniques,
            next: 0,
        }
    }

    /// Finds the record whose `fields` equal `values`.
    pub(super) fn find(&self, fields: &[usize], values: &[Owned]) -> Option<Place> {
        let wanted = key_bytes(values);
        if fields == self.schema.key && !fields.is_empty() {
            return self.records.contains_key(&wanted).then_some(wanted);
        }
        // A link may name another key than the table's own.
        let same = |record: &Stored| key_bytes(fields.iter().map(|&f| &record[f])) == wanted;
        self.records
            .iter()
            .find(|(_, record)| same(record))
            .map(|(place, _)| place.clone())
    }

    /// Finds the record that `record` would replace by the table's own key.
    pub(super) fn place_of(&self, record: &[Owned]) -> Option<Place> {
        let key: Vec<Owned> = self.schema.key.iter().map(|&f| record[f].clone()).collect();
        if key.is_empty() {
            None
        } else {
            self.find(&self.schema.key, &key)
        }
    }

    /// Stores `record` in place of the one at `old`, or as a new one. `None` when it was so already.
    pub(super) fn put(
        &mut self,
        old: Option<&Place>,
        record: Stored,
    ) -> Result<Option<Changed>, Refused> {
        let before = old.map(|place| Arc::clone(&self.records[place]));
        if before.as_deref() == Some(&*record) {
            return Ok(None);
        }
        self.admit(&record)?;
        let place = match old {
            Some(place) if self.schema.key.is_empty() => place.clone(),
            None if self.schema.key.is_empty() => self.next.to_be_bytes().to_vec(),
            _ => key_bytes(self.schema.key.iter().map(|&f| &record[f])),
        };
        if old != Some(&place) && self.records.contains_key(&place) {
            let names = self.schema.key_names().join(",");
            return Err(Refused {
                reason: format!("constraint=key({names})"),
                blocked: true,
            });
        }
        self.free_of_rivals(&record, old)?;
        if let Some(old) = old {
            self.forget(old);
        }
        self.next += 1;
        for (constraint, index) in self.schema.uniques.iter().zip(&mut self.uniques) {
            if let Some(bytes) = unique_bytes(constraint, &record) {
                index.insert(bytes, place.clone());
            }
        }
        self.records.insert(place, Arc::clone(&record));
        let op = if before.is_some() {
            Op::Update
        } else {
            Op::Insert
        };
        Ok(Some(Changed {
            op,
            before,
            after: Some(record),
        }))
    }

    /// Removes the record at `place`. `None` when there is none.
    pub(super) fn remove(&mut self, place: &Place) -> Option<Changed> {
        let before = self.forget(place)?;
        Some(Changed {
            op: Op::Delete,
            before: Some(before),
            after: None,
        })
    }

    fn forget(&mut self, place: &Place) -> Option<Stored> {
        let record = self.records.remove(place)?;
        for (constraint, index) in self.schema.uniques.iter().zip(&mut self.uniques) {
            if let Some(bytes) = unique_bytes(constraint, &record) {
                index.remove(&bytes);
            }
        }
        Some(record)
    }

    fn admit(&self, record: &[Owned]) -> Result<(), Refused> {
        let refusal = |(field, value): (_, &Owned)| class::refusal(field, value.value());
        match self.schema.fields.iter().zip(record).find_map(refusal) {
            Some(reason) => Err(Refused {
                reason,
                blocked: false,
            }),
            None => Ok(()),
        }
    }

    fn free_of_rivals(&self, record: &[Owned], own: Option<&Place>) -> Result<(), Refused> {
        for (constraint, index) in self.schema.uniques.iter().zip(&self.uniques) {
            let Some(bytes) = unique_bytes(constraint, record) else {
                continue;
            };
            if index.get(&bytes).is_some_and(|place| Some(place) != own) {
                let name = |&field: &usize| self.schema.fields[field].name.as_str();
                let names = constraint.iter().map(name).collect::<Vec<_>>().join(",");
                let reason = format!("constraint=unique({names})");
                return Err(Refused {
                    reason,
                    blocked: true,
                });
            }
        }
        Ok(())
    }
}

/// What must occur once; `None` where a NULL makes the record no rival, as SQL has it.
fn unique_bytes(constraint: &[usize], record: &[Owned]) -> Option<Vec<u8>> {
    let values = || constraint.iter().map(|&field| &record[field]);
    let complete = values().all(|value| !matches!(value, Owned::Null));
    complete.then(|| key_bytes(values()))
}
