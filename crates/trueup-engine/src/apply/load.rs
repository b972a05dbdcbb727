//! Loads collections that are empty or missing at the target, or parts of them: what one worker does at a time.
//!
//! A [`Job`] says what is to be loaded and how; a [`Loaded`] says what came of it. Invariant: added up in the order of the jobs,
//! they are what one worker alone would have found.

use super::{Applier, Pending, Written};
use crate::compare::{Compared, Parking, check_room};
use crate::connect::Collection;
use crate::link::{Limits, World};
use crate::scan::{Role, Side, read_ahead};
use crate::sort::Sorted;
use trueup_core::Result;
use trueup_core::diff::{Cursor, Totals};
use trueup_core::endpoint::{Part, Snapshot};
use trueup_core::keyed::{Keyed, Standing};
use trueup_core::park::Parked;

/// How records come into the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Read, and written one by one.
    Read,
    /// Handed over unread; all of them, or those of a part.
    Parcels(Option<Part>),
}

/// A collection to be loaded, or a part of one.
pub(super) struct Job<'j> {
    pub(super) collection: &'j Collection,
    /// The collection's place among those of the run.
    pub(super) index: usize,
    pub(super) way: Way,
    /// About how much there is to load, for the order in which jobs are taken.
    pub(super) bytes: u64,
    /// How many records the collection has, where that is known.
    pub(super) total: Option<u64>,
    /// Whether the source comes in key order unasked.
    pub(super) ascending: bool,
    /// The source in key order, where the endpoint does not deliver it so.
    pub(super) sorted: Option<&'j mut Sorted>,
}

/// What came of a job.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) totals: Totals,
    pub(super) only_source: u64,
    pub(super) parked: Vec<Parked>,
    pub(super) hidden: u64,
    pub(super) written: Written,
}

impl Loaded {
    /// Adds it to what is known of the collection.
    pub(super) fn count(
        self,
        one: &mut Compared,
        done: &mut Written,
        world: &World<'_>,
    ) -> Result<()> {
        one.totals.merge(self.totals);
        one.differences.only_source += self.only_source;
        one.parked.extend(self.parked);
        one.hidden += self.hidden;
        check_room(&one.parked, world.limits.refused_max)?;
        done.absorb(self.written, world)
    }

    /// Takes what was parked on the way.
    pub(super) fn park(&mut self, parking: Parking) {
        (self.parked, self.hidden) = parking.into_inner();
    }
}

impl Applier<'_> {
    /// Does a job.
    pub(super) fn job(
        &mut self,
        job: Job<'_>,
        source: &mut (dyn Snapshot + 'static),
    ) -> Result<Loaded> {
        let collection = job.collection;
        let loaded = match job.way {
            Way::Parcels(part) => self.load_parcels(&job, part, source)?,
            Way::Read => self.load_records(job, source)?,
        };
        if self.partition.is_some() {
            // Nobody else can make durable what this worker's own session has accepted.
            let finished = self.writer.finish(&collection.target.collection);
            finished.map_err(|error| error.at("target"))?;
            self.volatile.clear();
        }
        Ok(loaded)
    }

    /// The limits of one worker: all of them together may hold as much as one alone.
    pub(super) fn limits(&self) -> Limits {
        let limits = self.world.limits;
        Limits {
            load_batches: (limits.load_batches / self.workers.max(1)).max(1),
            ..limits
        }
    }

    /// Streams the whole source into an empty collection, record by record.
    fn load_records(
        &mut self,
        job: Job<'_>,
        source: &mut (dyn Snapshot + 'static),
    ) -> Result<Loaded> {
        let world = self.world;
        let limits = self.limits();
        let parking = Parking::new(limits.refused_max);
        let (collection, total) = (job.collection, job.total);
        let mut loaded = Loaded::default();
        let mut reading = collection.reading(Role::Source, None, world);
        reading.ascending = job.ascending;
        let stream: Side<'_> = match job.sorted {
            Some(sorted) => Box::new(sorted.read(limits)?),
            None => Box::new(reading.records(source, &parking)),
        };
        // While one write is on its way, all batches of the next are read: neither end waits for the other.
        let ahead = match limits.batches_ahead {
            0 => 0,
            some => some.max(limits.load_batches),
        };
        read_ahead(ahead, [stream], |[stream]| {
            let mut batch = Pending::new(collection.mapping.fields().len());
            let mut cursor = Cursor::new("source", stream)?;
            let done = &mut loaded.written;
            while let Some(piece) = cursor.take_batch()? {
                let before = loaded.totals.unknown;
                count(&piece, &mut loaded.totals);
                if !batch.has_room(piece.len(), piece.bytes(), limits) {
                    self.flush(collection, &mut batch, true, total, done)?;
                }
                loaded.only_source += batch.insert(piece, loaded.totals.unknown > before);
                if !batch.has_room(0, 0, limits) {
                    self.flush(collection, &mut batch, true, total, done)?;
                }
            }
            self.flush(collection, &mut batch, true, total, done)
        })?;
        loaded.park(parking);
        Ok(loaded)
    }
}

/// Counts records of the source that were read.
pub(super) fn count(piece: &Keyed, totals: &mut Totals) {
    for entry in piece.entries() {
        match entry.standing {
            Standing::Present(digest) => totals.source.add(digest),
            Standing::Unknown => totals.unknown += 1,
        }
    }
}
