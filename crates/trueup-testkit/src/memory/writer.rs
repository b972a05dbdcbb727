//! Writing to a world in memory: each batch is one step.
//!
//! The order is the one a database must keep: epoch first, then every condition against what stood before the batch,
//! then the writes, then the marker. All of it under one lock, and nothing before the first write can fail halfway.

use super::table::{Changed, Place, Stored, Table};
use super::transaction::MemoryTransaction;
use super::{By, Memory, World};
use crate::owned::Owned;
use std::collections::BTreeMap;
use std::sync::Arc;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{
    Applied, Bag, Claim, Design, Mark, Marker, Op, Outcome, Writer, Writes,
};
use trueup_core::error::{Error, Kind, Result};
use trueup_core::follow::Transaction;
use trueup_core::removals::Removals;

#[derive(Debug)]
pub(super) struct MemoryWriter {
    memory: Memory,
    claim: Claim,
    epoch: u64,
}

impl MemoryWriter {
    pub(super) fn new(memory: Memory, claim: Claim, epoch: u64) -> Self {
        Self {
            memory,
            claim,
            epoch,
        }
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(super) fn link(&self) -> &str {
        &self.claim.link
    }

    pub(super) fn fence(&self, world: &World) -> Result<()> {
        let now = world.epochs.get(&self.claim.link).copied().unwrap_or(0);
        if now == self.epoch || world.sabotage.no_epoch_check {
            return Ok(());
        }
        let message = format!(
            "link={} epoch={} now={now}: fenced",
            self.claim.link, self.epoch
        );
        Err(Error::new(Kind::Stale, message)
            .hint("another engine runs this link; stop one of them"))
    }

    /// Stores a marker.
    pub(super) fn store(&self, world: &mut World, mark: &Mark, position: Vec<u8>) {
        if world.sabotage.no_marker {
            return;
        }
        let marker = Marker {
            incarnation: self.claim.incarnation.clone(),
            batch: mark.batch,
            position,
            epoch: self.epoch,
        };
        let place = (self.claim.link.clone(), mark.partition.clone());
        world.markers.insert(place, marker);
    }
}

impl Writer for MemoryWriter {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn marker(&mut self, partition: &str) -> Result<Option<Marker>> {
        Ok(self.memory.marker(&self.claim.link, partition))
    }

    fn create(&mut self, design: &Design) -> Result<()> {
        let mut world = self.memory.lock();
        self.fence(&world)?;
        let collection = &design.schema.collection;
        if let Some(table) = world.tables.get(collection) {
            if table.schema == design.schema {
                return Ok(());
            }
            let message = format!("collection={collection}: exists in another shape");
            return Err(Error::config(message).hint("drop it, or write to it as it is"));
        }
        let table = Arc::new(Table::new(design.schema.clone()));
        world.tables.insert(collection.clone(), table);
        world.commit(collection, &By::Outsider, Vec::new());
        Ok(())
    }

    fn apply(&mut self, writes: &Writes<'_>) -> Result<Applied> {
        let mut world = self.memory.lock();
        self.fence(&world)?;
        let sabotage = world.sabotage;
        let table = table_in(&mut world.tables, writes)?;
        let found: Vec<Option<Place>> = match writes.bag {
            Some(bag) => equal(table, writes, bag),
            None => (0..writes.ops.len())
                .map(|index| find(table, writes, index))
                .collect(),
        };
        let stale = stale(table, writes, &found);
        let mut changes = Vec::new();
        let mut outcomes = Vec::with_capacity(writes.ops.len());
        for (index, found) in found.iter().enumerate() {
            outcomes.push(if stale.contains(&index) && !sabotage.no_check {
                Outcome::Stale
            } else {
                write(table, writes, index, found.as_ref(), &mut changes)
            });
        }
        let partition = writes.mark.partition.clone();
        let (link, batch) = (self.claim.link.clone(), writes.mark.batch);
        *world
            .applied
            .entry((link.clone(), partition.clone(), batch))
            .or_default() += 1;
        let position = writes.position(&outcomes);
        self.store(&mut world, writes.mark, position);
        let by = By::Batch {
            link,
            partition,
            batch,
        };
        world.commit(&writes.schema.collection, &by, changes);
        Ok(Applied {
            outcomes,
            durable: true,
        })
    }

    fn transaction(&mut self) -> Result<Option<Box<dyn Transaction + '_>>> {
        Ok(Some(Box::new(MemoryTransaction::begin(self)?)))
    }

    fn mark(&mut self, mark: &Mark) -> Result<()> {
        let mut world = self.memory.lock();
        self.fence(&world)?;
        self.store(&mut world, mark, mark.position.clone());
        // Every commit moves the position, this one too.
        world.commit(&mark.partition, &By::Outsider, Vec::new());
        Ok(())
    }

    fn finish(&mut self, _collection: &str) -> Result<()> {
        Ok(())
    }
}

/// Finds the table and refuses a batch that breaks the contract, before anything is written.
pub(super) fn table_in<'w>(
    tables: &'w mut BTreeMap<String, Arc<Table>>,
    writes: &Writes<'_>,
) -> Result<&'w mut Table> {
    let schema = writes.schema;
    let place = || format!("collection={}", schema.collection);
    let sound = writes.ops.len() == writes.records.len()
        && writes.records.width() == writes.fields.len()
        && writes
            .fields
            .iter()
            .all(|&f| schema.fields.get(f).is_some_and(|f| !f.generated))
        && writes.key.iter().all(|&k| k < writes.fields.len())
        && writes.key.is_empty() == writes.bag.is_some()
        && !(writes.bag.is_some() && writes.ops.contains(&Op::Update));
    if !sound {
        return Err(Error::bug("a batch of writes contradicts itself").at(place()));
    }
    let table = tables
        .get_mut(&schema.collection)
        .filter(|table| table.schema == *schema);
    let Some(table) = table else {
        let message = "not there in the shape that was asked";
        return Err(Error::new(Kind::Stale, message)
            .at(place())
            .hint("read the schema again"));
    };
    Ok(Arc::make_mut(table))
}

fn find(table: &Table, writes: &Writes<'_>, index: usize) -> Option<Place> {
    let record = writes.records.record(index);
    let key: Vec<Owned> = writes.key.iter().map(|&k| record.value(k).into()).collect();
    let fields: Vec<usize> = writes.key.iter().map(|&k| writes.fields[k]).collect();
    table.find(&fields, &key)
}

/// Finds a record to remove for each delete in a bag: one for each, among those that stood before the batch.
fn equal(table: &Table, writes: &Writes<'_>, bag: &dyn Bag) -> Vec<Option<Place>> {
    let mut removals = Removals::of(writes);
    let mut found = vec![None; writes.ops.len()];
    let mut current = Batch::new(writes.fields.len());
    for (place, record) in &table.records {
        current.reset(writes.fields.len());
        for &field in writes.fields {
            current.push(record[field].value());
        }
        if let Some((_, index)) = removals.take(bag, current.record(0)) {
            found[index] = Some(place.clone());
        }
    }
    found
}

/// Asks the condition about every write, against what stood before the batch: keys occur once, so no write of the
/// batch can change what another one expects.
fn stale(table: &Table, writes: &Writes<'_>, found: &[Option<Place>]) -> Vec<usize> {
    let Some(check) = writes.check else {
        return Vec::new();
    };
    let mut current = Batch::new(writes.fields.len());
    let mut holds = |index: usize| {
        let Some(place) = &found[index] else {
            return check.holds(index, None);
        };
        current.reset(writes.fields.len());
        let record = &table.records[place];
        writes
            .fields
            .iter()
            .for_each(|&field| current.push(record[field].value()));
        check.holds(index, Some(current.record(0)))
    };
    (0..writes.ops.len())
        .filter(|&index| !holds(index))
        .collect()
}

/// Carries out one write that may be carried out.
pub(super) fn write(
    table: &mut Table,
    writes: &Writes<'_>,
    index: usize,
    equal: Option<&Place>,
    changes: &mut Vec<Changed>,
) -> Outcome {
    // In a bag, what is removed was settled before the batch, and an insert replaces nothing.
    let counted = writes.bag.is_some();
    let deletes = writes.ops[index] == Op::Delete;
    // Looked up again: with a key that is not the table's own, an earlier write may have moved the record.
    let place = if counted {
        equal.filter(|_| deletes).cloned()
    } else {
        find(table, writes, index)
    };
    let changed = match (writes.ops[index], place) {
        (Op::Delete, None) => Ok(None),
        (Op::Delete, Some(place)) => Ok(table.remove(&place)),
        (Op::Insert | Op::Update, place) => {
            let record = merged(table, writes, index, place.as_ref());
            table.put(place.as_ref(), record)
        }
    };
    match changed {
        Ok(Some(change)) => {
            changes.push(change);
            Outcome::Applied(None)
        }
        Ok(None) => Outcome::Unchanged,
        Err(refused) => Outcome::Rejected {
            reason: refused.reason,
            blocked: refused.blocked,
        },
    }
}

/// Replaces the given fields of the record that has the key `before`, else its own.
pub(super) fn amend(
    table: &mut Table,
    writes: &Writes<'_>,
    before: Option<&Batch>,
    index: usize,
    changes: &mut Vec<Changed>,
) -> Outcome {
    let place = match before {
        None => find(table, writes, index),
        Some(before) => {
            let key: Vec<Owned> = before.record(index).values().map(Owned::from).collect();
            let fields: Vec<usize> = writes.key.iter().map(|&k| writes.fields[k]).collect();
            table.find(&fields, &key)
        }
    };
    let Some(place) = place else {
        return Outcome::Stale;
    };
    let record = merged(table, writes, index, Some(&place));
    match table.put(Some(&place), record) {
        Ok(change) => {
            changes.extend(change);
            Outcome::Applied(None)
        }
        Err(refused) => Outcome::Rejected {
            reason: refused.reason,
            blocked: refused.blocked,
        },
    }
}

/// The record that stands at `place` (or one of NULLs), with the written fields replaced. A value that did not travel
/// leaves the field as it is.
fn merged(table: &Table, writes: &Writes<'_>, index: usize, place: Option<&Place>) -> Stored {
    let mut record = match place {
        Some(place) => table.records[place].to_vec(),
        None => vec![Owned::Null; table.schema.fields.len()],
    };
    for (&field, value) in writes
        .fields
        .iter()
        .zip(writes.records.record(index).values())
    {
        let value = Owned::from(value);
        if place.is_none() || !matches!(value, Owned::Unchanged) {
            record[field] = value;
        }
    }
    record.into()
}
