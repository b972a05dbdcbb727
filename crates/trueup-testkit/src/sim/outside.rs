//! What happens to the world from outside: writers, machines, backups.

use super::host::Condition;
use super::lineage::{Ghost, Ghosts, Place, stamp_of, text_of, wide_text_of};
use super::{Act, Inner, NARROW_CHARS, RunId, Sim};
use crate::owned::Owned;
use std::collections::BTreeSet;
use std::sync::Arc;
use trueup_core::side::Side;

/// How many steps a machine is unwell at most.
const AILING_STEPS_MAX: usize = 40;

/// How long a slow moment takes at most.
const SLOW_MS_MAX: usize = 100_000;

impl Sim {
    /// Fills both sides at random, before anything else happens.
    pub fn populate(&self) {
        let mut inner = self.lock();
        let writes = inner.setting.keys * inner.setting.collections.len();
        for _ in 0..inner.script.random.below(2 * writes + 1) {
            inner.write();
        }
    }

    /// Takes every collection off a side, so that it has to be created.
    pub fn drop_collections(&self, side: Side) {
        let mut inner = self.lock();
        for name in inner.setting.collections.clone() {
            inner.hosts[side].memory.drop_collection(name);
        }
        inner.observe(side, None);
    }

    /// Lets outside writers edit.
    pub fn edit(&self, times: usize) {
        let mut inner = self.lock();
        for _ in 0..times {
            inner.write();
        }
    }
}

impl Inner {
    /// Lets `act` happen; tells whether anything did.
    pub(super) fn happen(&mut self, act: Act) -> bool {
        match act {
            Act::Write => self.write(),
            Act::Burst => self.burst(),
            Act::Land => return self.land(),
            Act::Ail => self.ail(),
            Act::Slow => self.now_ms += self.script.random.below(SLOW_MS_MAX) as i64,
            Act::Poison => self.poison(),
            Act::BackUp => {
                let side = self.any_side();
                self.note(|| format!("{} is backed up", side.name()));
                self.hosts[side].back_up();
            }
            Act::PutBack => return self.put_back(),
            _ => return false,
        }
        true
    }

    fn any_side(&mut self) -> Side {
        self.script.random.pick(&Side::BOTH)
    }

    /// Where an outside writer writes: one way, mostly where it counts.
    fn written_side(&mut self) -> Side {
        let target = if self.setting.two_way { 50 } else { 20 };
        if self.script.random.chance(target) {
            Side::Target
        } else {
            Side::Source
        }
    }

    fn any_place(&mut self) -> Place {
        let collection = self.script.random.below(self.setting.collections.len());
        let key = self.script.random.below(self.setting.keys);
        (collection, key as i64)
    }

    /// One edit of one record.
    pub(super) fn write(&mut self) {
        let (side, place) = (self.written_side(), self.any_place());
        let deletes = self.script.random.chance(25);
        let fields = self.script.random.pick(&[&[1_usize][..], &[2], &[1, 2]]);
        if !self.lineage.is_full() {
            self.write_to(side, place, deletes, fields);
        }
    }

    /// Shortens what does not fit the target.
    pub(super) fn mend(&mut self) {
        for collection in 0..self.setting.collections.len() {
            let name = self.setting.collections[collection];
            for record in self.hosts.source.memory.records(name) {
                if matches!(&record[2], Owned::Text(text) if text.len() > NARROW_CHARS) {
                    let place = (collection, super::key_of(&record));
                    self.write_to(Side::Source, place, false, &[2]);
                }
            }
        }
    }

    fn write_to(&mut self, side: Side, place: Place, deletes: bool, fields: &[usize]) {
        let collection = self.setting.collections[place.0];
        let memory = self.hosts[side].memory.clone();
        if memory.schema(collection).is_none() {
            return;
        }
        let key = [Owned::Int(place.1)];
        let found = memory.record(collection, &key);
        let mut fields = match &found {
            None => vec![1, 2],
            Some(_) if deletes => Vec::new(),
            Some(_) => fields.to_vec(),
        };
        if self.setting.stamp && !fields.is_empty() {
            fields.push(3);
        }
        let wide = side == Side::Source
            && self.setting.narrow
            && self.script.is_wild()
            && self.script.random.chance(25);
        let id = self.lineage.next();
        let mut ghost = self.ghost(side, place);
        self.lineage.write(side, place, &mut ghost, &fields);
        Arc::make_mut(&mut self.hosts[side].ghosts).insert(place, ghost);
        if fields.is_empty() {
            memory.delete(collection, &key);
        } else {
            let width = if self.setting.stamp { 4 } else { 3 };
            let mut record = found.unwrap_or_else(|| vec![Owned::Null; width]);
            record[0] = key[0].clone();
            for field in fields {
                record[field] = match field {
                    3 => stamp_of(id, self.now_ms),
                    2 if wide => wide_text_of(id),
                    _ => text_of(id),
                };
            }
            memory.insert(collection, &record);
        }
        self.observe(side, None);
    }

    /// While the sides are joined, what one side lacks is copied there, and that is announced: deletes that the other side
    /// had not seen are undone by it.
    pub(super) fn excuse_joined(&mut self, run: RunId) {
        let seen = self.runs[run.0].seen.clone();
        let (true, Some(source), Some(target)) = (self.joining, seen.source, seen.target) else {
            return;
        };
        let places: BTreeSet<&Place> = source.keys().chain(target.keys()).collect();
        for place in places {
            let known = |ghosts: &Ghosts| ghosts.get(place).copied().unwrap_or_default().known;
            let (source, target) = (known(&source), known(&target));
            self.lineage.excuse_deletes(*place, source.without(target));
            self.lineage.excuse_deletes(*place, target.without(source));
        }
    }

    fn ghost(&self, side: Side, place: Place) -> Ghost {
        let ghosts = &self.hosts[side].ghosts;
        ghosts.get(&place).copied().unwrap_or_default()
    }

    /// A collection is emptied, or nearly.
    fn burst(&mut self) {
        let (side, (collection, _)) = (self.written_side(), self.any_place());
        let share = self.script.random.pick(&[60, 100]);
        for key in 0..self.setting.keys {
            let place = (collection, key as i64);
            let name = self.setting.collections[collection];
            let there = self.hosts[side].memory.record(name, &[Owned::Int(place.1)]);
            if there.is_some() && !self.lineage.is_full() && self.script.random.chance(share) {
                self.write_to(side, place, true, &[]);
            }
        }
    }

    fn ail(&mut self) {
        let side = self.any_side();
        let condition = [Condition::Down, Condition::Full, Condition::ReadOnly];
        let condition = self.script.random.pick(&condition);
        let steps = 1 + self.script.random.below(AILING_STEPS_MAX) as u64;
        self.note(|| format!("{} is {condition:?} for {steps} steps", side.name()));
        let host = &mut self.hosts[side];
        host.condition = condition;
        host.until = self.steps + steps;
    }

    fn poison(&mut self) {
        let (side, place) = (self.any_side(), self.any_place());
        let name = self.setting.collections[place.0].to_owned();
        let blocked = self.script.random.chance(50);
        let host = &mut self.hosts[side];
        host.poison = match host.poison {
            None => Some((name, place.1, blocked)),
            Some(_) => None,
        };
        let poison = host.poison.clone();
        self.note(|| format!("{} refuses {poison:?}", side.name()));
    }

    /// Puts a side's backup back. One way, that is a change of the source like any other.
    fn put_back(&mut self) -> bool {
        let side = self.any_side();
        let now = Arc::clone(&self.hosts[side].ghosts);
        let before = self.hosts[side].moments.last().cloned();
        let Some(copy) = self.hosts[side].put_back() else {
            return false;
        };
        self.note(|| format!("{} is put back", side.name()));
        let other = Arc::clone(&self.hosts[side.other()].ghosts);
        self.lineage.put_back(&now, &copy, &other);
        self.joining = true;
        if side == Side::Target {
            self.order.target_put_back();
            return true;
        }
        let (Some(before), Some(after)) = (before, self.hosts[side].moments.last().cloned()) else {
            return true;
        };
        for (index, name) in self.setting.collections.iter().enumerate() {
            let (before, after) = (before.view.records(name), after.view.records(name));
            for key in 0..self.setting.keys {
                let key = key as i64;
                let of = |records: &[Vec<Owned>]| {
                    records.iter().find(|r| r[0] == Owned::Int(key)).cloned()
                };
                let (before, after) = (of(&before), of(&after));
                if before != after {
                    self.order.source((index, key), after.as_deref());
                }
            }
        }
        true
    }
}
