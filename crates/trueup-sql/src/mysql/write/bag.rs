//! Removes single records of a bag, where no key finds them.
//!
//! Invariant: what is equal is what compare found equal: the records are read and locked as a scan reads them and handed
//! to the engine, never compared by the server, whose `=` follows collations. What was found is then removed by all the
//! values it was read with, so many times as it was found. The price is one reading of the table, up to the last record
//! that is needed, for each batch with deletes.

use super::super::scan::{Source, select};
use super::{Act, Part, Work, is, lost};
use std::collections::BTreeMap;
use trueup_core::Result;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Bag, Op, Outcome};
use trueup_core::removals::Removals;

impl Work<'_> {
    /// Carries out the deletes of a bag's batch, and returns what is left to do.
    pub(super) fn remove_equal(&mut self, part: &[(usize, Op)], bag: &dyn Bag) -> Result<Part> {
        let inserts = part.iter().filter(|(_, op)| *op != Op::Delete);
        let inserts: Part = inserts.map(|&(index, _)| (index, Act::Insert)).collect();
        if inserts.len() == part.len() {
            return Ok(inserts);
        }
        for &(index, op) in part {
            if op == Op::Delete {
                self.settle(index, Outcome::Unchanged);
            }
        }
        for (condition, indices) in self.find_equal(bag)? {
            let sql = format!(
                "DELETE FROM {} WHERE {condition} LIMIT {}",
                self.table.sql(),
                indices.len()
            );
            let outcome = match self.connection.run(&sql) {
                Ok(done) if usize::try_from(done.touched) == Ok(indices.len()) => {
                    Outcome::Applied(None)
                }
                // Nothing is known of which of them are gone.
                Ok(_) => {
                    return Err(trueup_core::Error::bug(
                        "records that were read and locked could not be found again",
                    ));
                }
                Err(foreign) => {
                    let refused = super::refused(foreign)?;
                    Outcome::Rejected {
                        reason: super::error::reason(&refused),
                        blocked: super::error::is_blocked(&refused),
                    }
                }
            };
            for index in indices {
                self.settle(index, outcome.clone());
            }
        }
        Ok(inserts)
    }

    /// Reads and locks records until each delete has one: the condition of each, and the deletes it is for.
    fn find_equal(&self, bag: &dyn Bag) -> Result<BTreeMap<String, Vec<usize>>> {
        let mut removals = Removals::of(self.writes);
        let mut found: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut current = Batch::new(self.columns.len());
        let sql = format!("{} FOR UPDATE", select(&self.columns, self.table));
        let wires = self.columns.iter().map(|column| column.wire).collect();
        let mut source = Source::open(self.connection, &sql, wires)?;
        while !removals.is_done() {
            current.reset(self.columns.len());
            if !source.next(&mut current)? {
                break;
            }
            let record = current.record(0);
            if let Some((_, index)) = removals.take(bag, record) {
                let columns = self.columns.iter().zip(record.values());
                let terms = columns.map(|(column, value)| is(column, value, ""));
                let condition = terms.collect::<Vec<_>>().join(" AND ");
                found.entry(condition).or_default().push(index);
            }
        }
        drop(source);
        // A scan that was cut off may have been cancelled: the connection has to stand for what follows.
        self.connection
            .run("DO 0")
            .map_err(|foreign| lost(&foreign))?;
        Ok(found)
    }
}
