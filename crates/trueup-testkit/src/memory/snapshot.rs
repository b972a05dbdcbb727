//! Reading a world in memory as it was.

use super::hashes::Hashed;
use super::table::{Stored, Table};
use crate::owned::{Owned, key_bytes};
use std::collections::BTreeMap;
use std::mem::discriminant;
use std::sync::Arc;
use trueup_core::batch::Batch;
use trueup_core::digest::Digest;
use trueup_core::endpoint::{Order, Position, Scan, ScanRequest, Snapshot};
use trueup_core::error::{Error, Kind, Result};
use trueup_core::hashes::Hashes;
use trueup_core::schema::Schema;
use trueup_core::types::Type;

/// The tables as they were; a writer that comes later clones what it changes.
#[derive(Clone, Debug)]
pub(super) struct MemorySnapshot {
    position: Position,
    tables: BTreeMap<String, Arc<Table>>,
    pub(super) hashed: Hashed,
}

impl MemorySnapshot {
    pub(super) fn new(position: Position, tables: BTreeMap<String, Arc<Table>>) -> Self {
        Self {
            position,
            tables,
            hashed: Hashed::None,
        }
    }

    /// The same, hashing its records like this.
    pub(super) fn hashing(self, hashed: Hashed) -> Self {
        Self { hashed, ..self }
    }

    pub(super) fn table(&self, schema: &Schema) -> Result<&Table> {
        let collection = &schema.collection;
        let table = self
            .tables
            .get(collection)
            .filter(|table| table.schema == *schema);
        table.map(Arc::as_ref).ok_or_else(|| {
            let message = format!("collection={collection}: not there in the shape that was asked");
            Error::new(Kind::Stale, message).hint("read the schema again")
        })
    }
}

impl Snapshot for MemorySnapshot {
    fn position(&self) -> Position {
        self.position.clone()
    }

    fn another(&mut self) -> Result<Option<Box<dyn Snapshot>>> {
        Ok(Some(Box::new(self.clone())))
    }

    fn ordered(&mut self, request: &ScanRequest<'_>) -> Result<bool> {
        let table = self.table(request.schema)?;
        Ok(match request.order {
            Order::Natural => false,
            Order::Key(places) => places.iter().all(|&place| {
                let stored = table.schema.fields[request.fields[place]].ty;
                keeps_order(stored, request.wanted[place])
            }),
        })
    }

    fn keeps_order(&self) -> bool {
        true
    }

    fn is_empty(&mut self, schema: &Schema) -> Result<bool> {
        Ok(self.table(schema)?.records.is_empty())
    }

    fn scan<'a>(&'a mut self, request: &ScanRequest<'_>) -> Result<Box<dyn Scan + 'a>> {
        let table = self.table(request.schema)?;
        let records = match request.order {
            Order::Natural => natural(table),
            Order::Key(places) => {
                let fields: Vec<usize> = places.iter().map(|&p| request.fields[p]).collect();
                in_order(table, &fields, request)
            }
        };
        Ok(scan_of(records, request))
    }

    fn hashes(&mut self) -> Option<&mut dyn Hashes> {
        (self.hashed != Hashed::None).then_some(self)
    }
}

/// Delivers `records` as `request` wants them.
pub(super) fn scan_of(records: Vec<Stored>, request: &ScanRequest<'_>) -> Box<dyn Scan> {
    Box::new(MemoryScan {
        records: records.into_iter(),
        fields: request.fields.to_vec(),
        batch_records_max: request.batch_records_max.max(1),
        batch_bytes_max: request.batch_bytes_max,
    })
}

/// Whether values stored as `stored` keep their canonical order when they are cast to `wanted`. Cast to `Any` they
/// stay what they are.
fn keeps_order(stored: Type, wanted: Type) -> bool {
    wanted == Type::Any || discriminant(&stored) == discriminant(&wanted)
}

/// A stable order that is not the key's.
fn natural(table: &Table) -> Vec<Stored> {
    let mut records: Vec<_> = table.records.iter().collect();
    records.sort_by_cached_key(|(place, _)| Digest::of(place));
    if records.is_sorted_by_key(|(place, _)| *place) {
        records.reverse();
    }
    records
        .into_iter()
        .map(|(_, record)| Arc::clone(record))
        .collect()
}

pub(super) fn in_order(table: &Table, fields: &[usize], request: &ScanRequest<'_>) -> Vec<Stored> {
    let after = request
        .after
        .map(|record| key_bytes(&Owned::record(record)));
    let key_of = |record: &Stored| key_bytes(fields.iter().map(|&field| &record[field]));
    let mut records: Vec<_> = table
        .records
        .values()
        .map(|r| (key_of(r), Arc::clone(r)))
        .collect();
    if let Some(after) = after {
        records.retain(|(key, _)| *key > after);
    }
    records.sort_by(|a, b| a.0.cmp(&b.0));
    records.into_iter().map(|(_, record)| record).collect()
}

#[derive(Debug)]
struct MemoryScan {
    records: std::vec::IntoIter<Stored>,
    fields: Vec<usize>,
    batch_records_max: usize,
    batch_bytes_max: usize,
}

impl Scan for MemoryScan {
    fn next(&mut self, into: &mut Batch) -> Result<bool> {
        if into.width() != self.fields.len() {
            return Err(Error::bug(
                "the batch was not reset to the width of the scan",
            ));
        }
        let mut any = false;
        while into.len() < self.batch_records_max && into.bytes() < self.batch_bytes_max {
            let Some(record) = self.records.next() else {
                break;
            };
            self.fields
                .iter()
                .for_each(|&field| into.push(record[field].value()));
            any = true;
        }
        Ok(any)
    }
}
