//! Loads an empty collection in parcels, where source and target have a form in common.
//!
//! Nothing is taken apart: values, keys and digests are not looked at, and the report has no digests until verify, which
//! reads everything. A parcel that the target refuses, or that holds what we would not let pass, is opened and goes the
//! ordinary way, which finds out which record it is, and why.

use super::{Applier, Pending, Written, count};
use crate::compare::{Compared, Parking};
use crate::connect::Collection;
use crate::scan::{Piece, Reading, Role};
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Order, ScanRequest, Snapshot};
use trueup_core::parcel::Parcel;
use trueup_core::{Error, Result};

impl Applier<'_> {
    /// Streams the whole source into an empty collection in parcels; `false`, with nothing read, when it has to be done
    /// record by record.
    pub(super) fn load_parcels(
        &mut self,
        one: &mut Compared,
        source: &mut (dyn Snapshot + 'static),
        done: &mut Written,
    ) -> Result<bool> {
        let world = self.world;
        let collection = &one.collection;
        let reading = collection.reading(Role::Source, None, world);
        if one.sorted_source.is_some() || !self.has_common_form(collection, &reading, source)? {
            return Ok(false);
        }
        let total = one.plan.load.as_ref().and_then(|load| load.records);
        let parking = Parking::new(world.limits.refused_max);
        let (found, totals) = (&mut one.differences, &mut one.totals);
        let limits = world.limits;
        let request = ScanRequest {
            batch_records_max: limits.batch_records_max.saturating_mul(limits.load_batches),
            batch_bytes_max: limits.batch_bytes_max.saturating_mul(limits.load_batches),
            ..reading.whole(Order::Natural)
        };
        reading.each_parcel(source, &request, &mut |parcel| {
            let partition = &collection.target.collection;
            let whole = !parcel.odd && {
                let settled = self.settle_parcel(collection, parcel);
                settled.map_err(|error| error.at(format!("target collection={partition}")))?
            };
            if whole {
                let records = parcel.records as u64;
                totals.source.count += records;
                totals.unread += records;
                found.only_source += records;
                done.counts.inserts += records;
                return self.settled(collection, parcel.records, true, total);
            }
            let mut piece = self.opened(collection, &reading, parcel)?;
            parking.park(&mut piece)?;
            count(&piece.keyed, totals);
            let mut batch = Pending::new(collection.mapping.fields().len());
            found.only_source += batch.insert(piece.keyed, true);
            self.flush(collection, &mut batch, true, total, done)
        })?;
        let (parked, hidden) = parking.into_inner();
        one.parked.extend(parked);
        one.hidden += hidden;
        Ok(true)
    }

    /// Whether records may pass as they are: both sides name the same form, nothing is to be changed or left out, and
    /// neither a NULL nor a repeated key can come of it.
    fn has_common_form(
        &mut self,
        collection: &Collection,
        reading: &Reading<'_>,
        source: &mut (dyn Snapshot + 'static),
    ) -> Result<bool> {
        let mapping = &collection.mapping;
        let ends = mapping.source_fields().iter().zip(mapping.target_fields());
        let mut fields = ends.map(|(&from, &to)| {
            (
                &collection.source.fields[from],
                &collection.target.fields[to],
            )
        });
        let fits = mapping.is_identity()
            && reading.key_is_enforced()
            && mapping.source_fields().len() == mapping.target_fields().len()
            && fields.all(|(from, to)| to.nullable || !from.nullable);
        if !fits {
            return Ok(false);
        }
        let request = reading.whole(Order::Natural);
        let Some(theirs) = source.form(&request).map_err(|error| error.at("source"))? else {
            return Ok(false);
        };
        let ours = self
            .writer
            .form(&collection.target, mapping.target_fields());
        Ok(ours.map_err(|error| error.at("target"))? == Some(theirs))
    }

    /// Opens a parcel and maps its records.
    fn opened(
        &mut self,
        collection: &Collection,
        reading: &Reading<'_>,
        parcel: &Parcel,
    ) -> Result<Piece> {
        let fields = collection.mapping.target_fields();
        let mut raw = Batch::new(fields.len());
        let opened = self
            .writer
            .open(&collection.target, fields, parcel, &mut raw);
        opened.map_err(|error: Error| error.at("target"))?;
        reading.map(&mut raw, &mut Vec::new())
    }
}
