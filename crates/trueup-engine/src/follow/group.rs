//! Transactions of the source on their way into one transaction of the target.
//!
//! Invariant: only whole transactions of the source are committed. Within a group nobody sees what is in between, so that
//! of each record the net effect is kept; where a record changes its key without all its values having travelled, what
//! came before it is written first.

use crate::apply;
use crate::connect::Collection;
use crate::link::World;
use crate::scan::{Reading, Role};
use std::collections::BTreeMap;
use trueup_core::batch::{Batch, Record};
use trueup_core::digest::Digest;
use trueup_core::endpoint::Position;
use trueup_core::follow::{Change, Changes};
use trueup_core::keyed::{Entry, Keyed, Standing};
use trueup_core::mapping::key_digest;
use trueup_core::net::{Net, fill};
use trueup_core::park::Parked;
use trueup_core::value::Value;
use trueup_core::{Error, Result};

/// How many changes, and bytes of them, are gathered for one transaction of the target.
const CHANGES_MAX: usize = 20_000;
const BYTES_MAX: usize = 16 << 20;

/// Why a record is parked of which only some values came, and the others are not at the target.
pub(super) const INCOMPLETE: &str = "only some of its values came, and the others are not at the target (REPLICA IDENTITY FULL, or \
    binlog_row_image=FULL, at the source sends all)";

/// What is to be written of one collection.
pub(super) struct Part {
    /// Whether all records go first.
    pub(super) cleared: bool,
    pub(super) net: Net,
}

/// A record that changes its key, and some of whose values did not travel.
pub(super) struct Move {
    pub(super) collection: usize,
    /// The key's values before, as a record of them.
    pub(super) before: Batch,
    /// The mapped record after, some values unchanged.
    pub(super) after: Batch,
}

/// What is written together, one part for each collection, and what comes behind it.
pub(super) struct Stage {
    pub(super) parts: Vec<Part>,
    pub(super) then: Option<Move>,
}

/// Transactions that are gathered.
pub(super) struct Group<'a> {
    collections: &'a [Collection],
    world: &'a World<'a>,
    pub(super) stages: Vec<Stage>,
    /// Records that do not fit as they stand last, by collection and the digest of their keys.
    pub(super) parked: BTreeMap<(usize, Digest), Parked>,
    /// The end of the last whole transaction.
    end: Option<(Position, Option<i64>)>,
    /// Whether it ends within a transaction.
    within: bool,
    transactions: u64,
    changes: u64,
    scratch: Vec<u8>,
}

impl<'a> Group<'a> {
    pub(super) fn new(collections: &'a [Collection], world: &'a World<'a>) -> Self {
        let mut group = Self {
            collections,
            world,
            stages: Vec::new(),
            parked: BTreeMap::new(),
            end: None,
            within: false,
            transactions: 0,
            changes: 0,
            scratch: Vec::new(),
        };
        group.stages.push(group.stage());
        group
    }

    fn stage(&self) -> Stage {
        let part = |one: &Collection| Part {
            cleared: false,
            net: Net::new(one.mapping.fields().len()),
        };
        Stage {
            parts: self.collections.iter().map(part).collect(),
            then: None,
        }
    }

    pub(super) fn name(&self, at: usize) -> &str {
        let collection = self.collections.get(at);
        collection.map_or("", |one| one.source.collection.as_str())
    }

    /// Whether nothing at all is gathered.
    pub(super) fn is_empty(&self) -> bool {
        self.end.is_none() && !self.within
    }

    /// Whether it ends with a transaction's end.
    pub(super) fn is_whole(&self) -> bool {
        self.end.is_some() && !self.within
    }

    /// Whether there is something to write.
    pub(super) fn has_changes(&self) -> bool {
        self.changes > 0 || self.within
    }

    pub(super) fn is_full(&self) -> bool {
        let parts = || self.stages.iter().flat_map(|stage| &stage.parts);
        let apart = self.stages.len() + self.parked.len();
        apart + parts().map(|part| part.net.changes()).sum::<usize>() >= CHANGES_MAX
            || parts().map(|part| part.net.bytes()).sum::<usize>() >= BYTES_MAX
    }

    /// The end of the last transaction.
    pub(super) fn position(&self) -> Result<(Position, Option<i64>)> {
        let end = self.end.clone();
        end.ok_or_else(|| Error::bug("a group ends within a transaction"))
    }

    /// How many transactions and changes it has, of those that were not known before.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.transactions, self.changes)
    }

    /// The transaction under way ends here.
    pub(super) fn end(&mut self, position: Position, at_us: Option<i64>) {
        self.transactions += u64::from(self.within);
        self.within = false;
        self.end = Some((position, at_us));
    }

    /// All records of a collection were removed.
    pub(super) fn clear(&mut self, at: usize) {
        self.within = true;
        self.changes += 1;
        if let Some(part) = self.part(at) {
            part.net.clear();
            part.cleared = true;
        }
    }

    fn part(&mut self, at: usize) -> Option<&mut Part> {
        self.stages.last_mut()?.parts.get_mut(at)
    }

    /// What was gathered is written; the transaction under way may go on.
    pub(super) fn written(&mut self) {
        let stage = self.stage();
        self.stages.clear();
        self.stages.push(stage);
        self.parked.clear();
    }

    /// Begins anew.
    pub(super) fn forget(&mut self) {
        self.written();
        self.end = None;
        (self.transactions, self.changes) = (0, 0);
    }

    /// Takes in changes of one collection.
    pub(super) fn take(&mut self, at: usize, piece: &mut Changes) -> Result<()> {
        let collection = self.collections.get(at);
        let collection = collection.ok_or_else(|| Error::bug("a change of no collection"))?;
        self.within = true;
        self.changes += piece.changes.len() as u64;
        let reading = collection.reading(Role::Source, None, self.world);
        let mut records = piece.records.records();
        let mut after = Batch::new(piece.records.width());
        let mut before: Vec<Record<'_>> = Vec::new();
        for change in &piece.changes {
            let mut next = || {
                records
                    .next()
                    .ok_or_else(|| Error::bug("a change has no record"))
            };
            match change {
                Change::Insert | Change::Update => after.push_record(next()?),
                Change::Delete => before.push(next()?),
                Change::Rekey => {
                    before.push(next()?);
                    after.push_record(next()?);
                }
            }
        }
        let (after, parked) = aligned(&reading, after)?;
        let mut parked = parked.into_iter().map(|one| ((at, one.key), one)).collect();
        let (mut after, mut before) = (after.entries(), before.into_iter());
        for change in &piece.changes {
            match change {
                Change::Insert | Change::Update => {
                    self.put(at, collection, next(&mut after)?, &mut parked);
                }
                Change::Delete => self.delete(at, collection, next(&mut before)?),
                Change::Rekey => {
                    let (old, new) = (next(&mut before)?, next(&mut after)?);
                    self.rekey(at, collection, old, new, &mut parked);
                }
            }
        }
        // Those whose keys cannot be said.
        self.parked.append(&mut parked);
        Ok(())
    }

    /// A record stands as an entry says; `parked` says why those stay behind that are not taken further.
    fn put(&mut self, at: usize, collection: &Collection, entry: Entry<'_>, parked: &mut Kept) {
        let name = (at, key_digest(entry.key));
        let open = entry.record.values().any(|value| value == Value::Unchanged);
        let Some(part) = self.part(at) else { return };
        if entry.standing == Standing::Unknown {
            part.net.lose(entry.key);
            match parked.remove(&name) {
                Some(reason) => self.parked.insert(name, reason),
                // A filter hides it, and it is left as it is.
                None => self.parked.remove(&name),
            };
            return;
        }
        // What a filter hid before was not written, and nobody remembers it.
        let lost = open && collection.mapping.filter().is_some();
        if lost {
            part.net.lose(entry.key);
        }
        if lost || !part.net.put(entry.key, entry.record) {
            let aside = apply::parked(&collection.mapping, entry.record, INCOMPLETE.to_owned());
            self.parked.insert(name, aside);
        } else if !open {
            self.parked.remove(&name);
        }
    }

    fn delete(&mut self, at: usize, collection: &Collection, record: Record<'_>) {
        let mut key = std::mem::take(&mut self.scratch);
        key.clear();
        // A key that does not fit the target cannot be there.
        if let Some(mapped) = collection.mapping.map_key(record, &mut key)
            && let Some(part) = self.part(at)
        {
            part.net.delete(&key, mapped.record(0));
            self.parked.remove(&(at, key_digest(&key)));
        }
        self.scratch = key;
    }

    fn rekey(
        &mut self,
        at: usize,
        collection: &Collection,
        old: Record<'_>,
        new: Entry<'_>,
        parked: &mut Kept,
    ) {
        let mut key = Vec::new();
        let mapped = collection.mapping.map_key(old, &mut key);
        let (Some(before), Standing::Present(_)) = (mapped, new.standing) else {
            // Of what is hidden or parked now, what it was before is gone all the same.
            self.delete(at, collection, old);
            return self.put(at, collection, new, parked);
        };
        let Some(part) = self.part(at) else { return };
        let filled = part.net.known(&key).map(|known| fill(new.record, known));
        let after = filled
            .as_ref()
            .map_or(new.record, |filled| filled.record(0));
        let whole = after.values().all(|value| value != Value::Unchanged);
        // A removal at the target may take others with it, of which the log says nothing.
        if key == new.key || whole && collection.target.cascades.is_empty() {
            if key != new.key {
                self.delete(at, collection, old);
            }
            return self.put(at, collection, new_entry(new, after), parked);
        }
        if whole {
            self.parked.remove(&(at, key_digest(&key)));
        }
        let positions = collection.mapping.key();
        let mut named = Batch::new(positions.len());
        for &position in positions {
            named.push(before.record(0).value(position));
        }
        let mut moved = Batch::new(after.width());
        moved.push_record(after);
        if let Some(stage) = self.stages.last_mut() {
            stage.then = Some(Move {
                collection: at,
                before: named,
                after: moved,
            });
        }
        let stage = self.stage();
        self.stages.push(stage);
    }
}

/// Reasons why records are kept back, by collection and the digest of their keys.
type Kept = BTreeMap<(usize, Digest), Parked>;

fn new_entry<'e>(entry: Entry<'e>, record: Record<'e>) -> Entry<'e> {
    Entry { record, ..entry }
}

fn next<T>(items: &mut impl Iterator<Item = T>) -> Result<T> {
    items
        .next()
        .ok_or_else(|| Error::bug("a change has no record"))
}

/// Maps records: one entry for each, also for those whose key cannot be said.
fn aligned(reading: &Reading<'_>, mut raw: Batch) -> Result<(Keyed, Vec<Parked>)> {
    let count = raw.len();
    if count == 0 {
        return Ok((Keyed::default(), Vec::new()));
    }
    // Taken over by the mapping where nothing is wrong with any.
    let mut kept = Batch::new(raw.width());
    raw.records().for_each(|record| kept.push_record(record));
    let mut scratch = Vec::new();
    let piece = reading.map(&mut raw, &mut scratch)?;
    if piece.keyed.len() == count {
        return Ok((piece.keyed, piece.parked));
    }
    let width = piece.keyed.records().width();
    let (mut all, mut parked) = (Keyed::new(width), Vec::new());
    for record in kept.records() {
        let mut one = Batch::new(kept.width());
        one.push_record(record);
        let piece = reading.map(&mut one, &mut scratch)?;
        parked.extend(piece.parked);
        match piece.keyed.entries().next() {
            Some(entry) => all.push(entry),
            None => {
                let (records, _) = all.open();
                (0..width).for_each(|_| records.push(Value::Null));
                all.seal(Standing::Unknown);
            }
        }
    }
    Ok((all, parked))
}
