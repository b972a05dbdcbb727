//! Loads an empty collection in parcels, where source and target have a form in common.
//!
//! Nothing is taken apart: values, keys and digests are not looked at, and the report has no digests until verify, which
//! reads everything. A parcel that the target refuses, or that holds what we would not let pass, is opened and goes the
//! ordinary way, which finds out which record it is, and why.

use super::load::{Job, Loaded, count};
use super::{Applier, Pending};
use crate::compare::Parking;
use crate::connect::Collection;
use crate::scan::{Piece, Reading, Role};
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Order, Part, ScanRequest, Snapshot};
use trueup_core::parcel::Parcel;
use trueup_core::{Error, Result};

impl Applier<'_> {
    /// Streams the whole source, or a part of it, into an empty collection in parcels.
    pub(super) fn load_parcels(
        &mut self,
        job: &Job<'_>,
        part: Option<Part>,
        source: &mut (dyn Snapshot + 'static),
    ) -> Result<Loaded> {
        let (collection, total) = (job.collection, job.total);
        let reading = collection.reading(Role::Source, None, self.world);
        let limits = self.limits();
        let parking = Parking::new(limits.refused_max);
        let mut loaded = Loaded::default();
        let request = ScanRequest {
            batch_records_max: limits.batch_records_max.saturating_mul(limits.load_batches),
            batch_bytes_max: limits.batch_bytes_max.saturating_mul(limits.load_batches),
            ..reading.whole(Order::Natural)
        };
        reading.each_parcel(source, (&request, part), &mut |parcel| {
            self.check_stop()?;
            let partition = &collection.target.collection;
            let whole = !parcel.odd && {
                let settled = self.settle_parcel(collection, parcel);
                settled.map_err(|error| error.at(format!("target collection={partition}")))?
            };
            if whole {
                let records = parcel.records as u64;
                loaded.totals.source.count += records;
                loaded.totals.unread += records;
                loaded.only_source += records;
                loaded.written.counts.inserts += records;
                return self.settled(collection, parcel.records, true, total);
            }
            let mut piece = self.opened(collection, &reading, parcel)?;
            parking.park(&mut piece)?;
            count(&piece.keyed, &mut loaded.totals);
            let mut batch = Pending::new(collection.mapping.fields().len());
            loaded.only_source += batch.insert(piece.keyed, true);
            self.flush(collection, &mut batch, true, total, &mut loaded.written)
        })?;
        loaded.park(parking);
        Ok(loaded)
    }

    /// Whether records may pass as they are: both sides name the same form, nothing is to be changed or left out, and
    /// neither a NULL nor a repeated key can come of it.
    pub(super) fn has_common_form(
        &mut self,
        collection: &Collection,
        source: &mut (dyn Snapshot + 'static),
    ) -> Result<bool> {
        let reading = collection.reading(Role::Source, None, self.world);
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
