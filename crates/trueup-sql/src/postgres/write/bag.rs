//! Removes single records of a bag, where no key finds them.
//!
//! Invariant: what is equal is what compare found equal: the rows are read as a scan reads them and handed to the
//! engine, never compared by the server, whose `=` depends on types and collations and does not exist for some. Rows that
//! were found are locked and looked at once more before they are removed by their place, because another
//! transaction may have changed them in between. The price is one reading of the table for each batch with
//! deletes; a join without hashable equality would cost a reading for each record.

use super::super::decode::{Room, Slot};
use super::super::scan::CopySource;
use super::super::types::Wire;
use super::{Act, Failure, Refused, Work, suppressed};
use std::collections::BTreeMap;
use tokio_postgres::SimpleQueryMessage;
use trueup_core::Result;
use trueup_core::batch::{Batch, Record};
use trueup_core::digest::Digest;
use trueup_core::endpoint::{Bag, Outcome, Writes};
use trueup_core::removals::Removals;
use trueup_core::value::Value;

/// How often a record is looked for anew after somebody else changed the one that was found.
const ROUNDS_MAX: usize = 5;
/// How much is read at once.
const ROOM: Room = Room {
    records_max: 10_000,
    bytes_max: 4 << 20,
};

/// Where a row lies: its table, for one that is partitioned, and its place there.
type Spot = (i64, String);

/// A row that was found for a delete.
struct Found {
    index: usize,
    digest: Digest,
    spot: Spot,
}

impl Work<'_> {
    /// Carries out the deletes of `part` and returns the rest.
    pub(super) fn remove_equal(
        &mut self,
        part: Vec<(usize, Act)>,
        writes: &Writes<'_>,
        bag: &dyn Bag,
    ) -> Result<Vec<(usize, Act)>> {
        let (deletes, rest): (Vec<_>, Vec<_>) =
            part.into_iter().partition(|(_, act)| *act == Act::Delete);
        // Until a record is found for it, there is nothing to remove.
        for &(index, _) in &deletes {
            self.settle(index, Outcome::Unchanged);
        }
        let mut removals = Removals::of(writes);
        for round in 1.. {
            let found = self.read_equal("", &mut removals, bag)?;
            if found.is_empty() {
                break;
            }
            let (locked, lost) = self.lock_equal(found, bag)?;
            self.remove_spots(&locked)?;
            if lost.is_empty() {
                break;
            }
            if round == ROUNDS_MAX {
                for found in &lost {
                    self.settle(found.index, overtaken());
                }
                break;
            }
            // What was not there at all need not be looked for again.
            removals = Removals::default();
            for found in lost {
                removals.put_back(found.digest, found.index);
            }
        }
        Ok(rest)
    }

    /// Reads the table and takes what is to be removed; `suffix` narrows and locks.
    fn read_equal(
        &self,
        suffix: &str,
        removals: &mut Removals,
        bag: &dyn Bag,
    ) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        if removals.is_done() {
            return Ok(found);
        }
        let columns = &self.statements.columns;
        let slot = |name: &str, wire| Slot {
            name: name.to_owned(),
            wire,
        };
        let mut slots = vec![slot("tableoid", Wire::Oid), slot("ctid", Wire::Text)];
        slots.extend(columns.iter().map(|column| slot(&column.name, column.wire)));
        let (mut read, width) = (Batch::new(slots.len()), slots.len());
        let mut current = Batch::new(columns.len());
        let sql = format!("{}{suffix}", self.statements.places);
        let mut source = CopySource::open(self.connection, &sql, slots)?;
        loop {
            let more = source.fill(&mut read, ROOM)?;
            for record in read.records() {
                current.reset(columns.len());
                record
                    .values()
                    .skip(2)
                    .for_each(|value| current.push(value));
                if let Some((digest, index)) = removals.take(bag, current.record(0)) {
                    found.push(Found {
                        index,
                        digest,
                        spot: spot(record),
                    });
                }
            }
            read.reset(width);
            if !more {
                return Ok(found);
            }
        }
    }

    /// Locks the rows that were found. Returns those that are still equal, where they lie now, and the others.
    fn lock_equal(&self, found: Vec<Found>, bag: &dyn Bag) -> Result<(Vec<Found>, Vec<Found>)> {
        let mut removals = Removals::default();
        for one in &found {
            removals.put_back(one.digest, one.index);
        }
        let mut locked = Vec::new();
        for spots in by_table(found.iter().map(|one| &one.spot)) {
            let suffix = format!(" WHERE {spots} FOR UPDATE OF t");
            locked.extend(self.read_equal(&suffix, &mut removals, bag)?);
        }
        let mut kept: Vec<usize> = locked.iter().map(|one| one.index).collect();
        kept.sort_unstable();
        let lost = found
            .into_iter()
            .filter(|one| kept.binary_search(&one.index).is_err());
        Ok((locked, lost.collect()))
    }

    /// Removes locked rows, and settles each delete.
    fn remove_spots(&mut self, locked: &[Found]) -> Result<()> {
        let spots: BTreeMap<usize, &Spot> =
            locked.iter().map(|one| (one.index, &one.spot)).collect();
        let part = spots.keys().map(|&index| (index, Act::Delete)).collect();
        self.halve(part, |work, part| {
            let spots = part.iter().filter_map(|(index, _)| spots.get(index));
            let mut sql = String::new();
            for spots in by_table(spots.copied()) {
                sql.push_str(&format!("{} WHERE {spots}; ", work.statements.remove));
            }
            sql.push_str("SET CONSTRAINTS ALL IMMEDIATE");
            let wanted = part.len() as u64;
            work.guarded(|work| {
                let answers = work
                    .connection
                    .wait(|client| client.simple_query(&sql))?
                    .map_err(Refused::Server)?;
                let counted = |answer: &SimpleQueryMessage| match answer {
                    SimpleQueryMessage::CommandComplete(count) => *count,
                    _ => 0,
                };
                let removed: u64 = answers.iter().map(counted).sum();
                let done: std::result::Result<Outcome, Failure> = if removed == wanted {
                    Ok(Outcome::Applied(None))
                } else {
                    Err(suppressed())
                };
                Ok(done)
            })
        })?;
        Ok(())
    }
}

fn spot(record: Record<'_>) -> Spot {
    let table = match record.value(0) {
        Value::Int(oid) => oid,
        _ => 0,
    };
    let place = match record.value(1) {
        Value::Text(place) => place.to_owned(),
        _ => String::new(),
    };
    (table, place)
}

/// Spells the conditions that find rows, one for each table they lie in. A place is digits, a comma and parentheses.
fn by_table<'s>(spots: impl Iterator<Item = &'s Spot>) -> Vec<String> {
    let mut tables: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for (table, place) in spots {
        tables
            .entry(*table)
            .or_default()
            .push(format!("\"{place}\""));
    }
    let condition = |(table, places): (i64, Vec<String>)| {
        let places = places.join(",");
        format!("t.tableoid = {table} AND t.ctid = ANY ('{{{places}}}'::tid[])")
    };
    tables.into_iter().map(condition).collect()
}

fn overtaken() -> Outcome {
    Outcome::Rejected {
        reason: "somebody else kept changing the records that were to be removed".to_owned(),
        blocked: true,
    }
}
