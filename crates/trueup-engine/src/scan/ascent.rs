//! Finds out whether records come in key order unasked.
//!
//! Files are often written in key order, and no file can promise it. Reading the keys once more is cheaper than sorting
//! whole records on disk. Invariant: nothing rests on the answer alone; whoever reads such a side as ordered asserts the
//! order record by record.

use super::Reading;
use crate::compare::Parking;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Order, ScanRequest, Snapshot};
use trueup_core::keyed::{Entry, Standing};
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_core::{Result, cast, encode};

/// How the records of a side come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// In key order, if asked for it.
    OnRequest,
    /// In key order, unasked, and so many.
    Unasked(u64),
    /// In no order that is of use.
    Unordered,
}

impl Arrival {
    /// Returns how many records there are, where that was found out on the way.
    pub(crate) fn records(self) -> Option<u64> {
        match self {
            Self::Unasked(records) => Some(records),
            Self::OnRequest | Self::Unordered => None,
        }
    }
}

impl Reading<'_> {
    /// Finds out how the records come, and how to read them in order from now on.
    pub(crate) fn find_order(&mut self, snapshot: &mut dyn Snapshot) -> Result<Arrival> {
        if self.translation.is_bag() {
            return Ok(Arrival::Unordered);
        }
        if self.is_ordered(snapshot)? {
            return Ok(Arrival::OnRequest);
        }
        let records = if snapshot.keeps_order() {
            self.count_ascending(snapshot)?
        } else {
            None
        };
        self.ascending = records.is_some();
        Ok(records.map_or(Arrival::Unordered, Arrival::Unasked))
    }

    /// Reads everything, keeps nothing but what is parked, and tells how many records are left.
    pub(crate) fn count_known(
        &self,
        snapshot: &mut (dyn Snapshot + 'static),
        parking: &Parking,
    ) -> Result<u64> {
        let mut known = 0;
        let mut pieces = self.pieces(snapshot, false);
        while let Some(mut piece) = pieces.next()? {
            parking
                .park(&mut piece)
                .map_err(|error| self.place(error))?;
            let present = |entry: &Entry<'_>| entry.standing != Standing::Unknown;
            known += piece.keyed.entries().filter(present).count() as u64;
        }
        Ok(known)
    }

    /// Reads the keys alone and tells how many records there are if they come in key order and no key twice. A side that
    /// does not mostly shows it in its first records.
    fn count_ascending(&self, snapshot: &mut dyn Snapshot) -> Result<Option<u64>> {
        let Some(key) = self.translation.key() else {
            return Ok(None);
        };
        let types = self.translation.key_types();
        let fields: Vec<usize> = key
            .iter()
            .map(|&position| self.translation.fields()[position])
            .collect();
        if let Some(known) = self.known_to_ascend(snapshot, &fields, &types)? {
            return Ok(Some(known));
        }
        let request = ScanRequest {
            fields: &fields,
            wanted: &types,
            ..self.whole(Order::Natural)
        };
        let mut ascent = Ascent::new(types.clone());
        let mut count = || -> Result<Option<u64>> {
            let mut scan = snapshot.scan(&request)?;
            let mut raw = Batch::new(fields.len());
            while scan.next(&mut raw)? {
                self.world.check_stop()?;
                if !ascent.takes(&raw) {
                    return Ok(None);
                }
                raw.reset(fields.len());
            }
            Ok(Some(ascent.count))
        };
        count().map_err(|error| self.place(error))
    }
}

impl Reading<'_> {
    /// As [`Reading::count_ascending`], where the endpoint knows it already of a key that is one whole number.
    fn known_to_ascend(
        &self,
        snapshot: &mut dyn Snapshot,
        fields: &[usize],
        types: &[Type],
    ) -> Result<Option<u64>> {
        let (&[field], &[ty @ Type::Int { .. }]) = (fields, types) else {
            return Ok(None);
        };
        let known = snapshot.ascending(self.schema, field);
        let known = known.map_err(|error| self.place(error))?;
        // What lies between two numbers of the type is one, too.
        let fit = |number| cast::fits(Value::Int(number), ty);
        let known = known.filter(|known| fit(known.first) && fit(known.last));
        Ok(known.map(|known| known.records))
    }
}

/// Keys that have ascended so far.
struct Ascent {
    types: Vec<Type>,
    cast: Batch,
    last: Vec<u8>,
    key: Vec<u8>,
    count: u64,
}

impl Ascent {
    fn new(types: Vec<Type>) -> Self {
        Self {
            cast: Batch::new(types.len()),
            types,
            last: Vec::new(),
            key: Vec::new(),
            count: 0,
        }
    }

    /// Whether all keys of `raw` ascend further; not where one is NULL, or does not fit.
    fn takes(&mut self, raw: &Batch) -> bool {
        for record in raw.records() {
            self.cast.reset(self.types.len());
            for (value, &ty) in record.values().zip(&self.types) {
                if value.is_null() || cast::push(value, ty, &mut self.cast).is_err() {
                    return false;
                }
            }
            self.key.clear();
            for value in self.cast.record(0).values() {
                encode::key(value, &mut self.key);
            }
            if self.count > 0 && self.key <= self.last {
                return false;
            }
            std::mem::swap(&mut self.key, &mut self.last);
            self.count += 1;
        }
        true
    }
}
