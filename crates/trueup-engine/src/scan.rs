//! Reads one side of a collection into keyed batches, pulled one at a time.
//!
//! A side is a [`Stream`]; nothing here needs a thread. Where reading ahead pays, [`read_ahead`] lets a thread pump
//! each stream into a channel of fixed depth. With a depth of 0 there is no thread: the sides are read on the
//! caller's, in the order in which the caller asks, so a run is one sequence of calls that can be replayed.

mod ahead;
mod ascent;
mod conveyor;
mod held;
mod parcels;
mod part;
mod repeats;
mod told;

pub(crate) use ahead::{Side, read_ahead};
pub(crate) use ascent::Arrival;
pub(crate) use part::Part;

use crate::compare::Parking;
use crate::expression::on_stack;
use crate::link::World;
use crate::progress::{Event, Step, Tick};
use crate::sort::{Sorted, Sorter};
use trueup_core::batch::{Batch, Record};
use trueup_core::diff::{Stream, one_by_one};
use trueup_core::endpoint::{Order, Scan, ScanRequest, Snapshot};
use trueup_core::keyed::Keyed;
use trueup_core::mapping::{Mapping, Shared};
use trueup_core::park::Parked;
use trueup_core::schema::Schema;
use trueup_core::side;
use trueup_core::types::Type;
use trueup_core::{Error, Result};

/// Which side is read: they differ in what happens to a value that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Source,
    Target,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

/// How what one side delivers becomes records that can be compared.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Translation<'a> {
    /// Of a one-way link: the source's values must fit the target, which is taken as it is.
    OneWay(Role, &'a Mapping),
    /// Of a two-way link: what does not fit both sides is parked, on either side.
    Shared(side::Side, &'a Shared),
}

impl Translation<'_> {
    fn width(self) -> usize {
        match self {
            Self::OneWay(_, mapping) => mapping.fields().len(),
            Self::Shared(_, shared) => shared.types().len(),
        }
    }

    /// The key, as positions among [`Translation::fields`].
    pub(crate) fn key(self) -> Option<Vec<usize>> {
        match self {
            Self::OneWay(Role::Source, mapping) => mapping.source_key(),
            Self::OneWay(Role::Target, mapping) => Some(mapping.key().to_vec()),
            Self::Shared(_, shared) => Some(shared.key().to_vec()),
        }
    }

    /// Whether equal records count, so that no order of a scan tells one from the other.
    fn is_bag(self) -> bool {
        match self {
            Self::OneWay(_, mapping) => mapping.is_bag(),
            Self::Shared(..) => false,
        }
    }

    /// The key of a record that was mapped, as plans show it.
    fn key_text(self, record: Record<'_>) -> Option<String> {
        match self {
            Self::OneWay(_, mapping) => mapping.key_text(record),
            Self::Shared(side, shared) => Some(shared.key_text(side, record)),
        }
    }

    /// The types in which the key is compared, in its order.
    fn key_types(self) -> Vec<Type> {
        let (key, types) = match self {
            Self::OneWay(_, mapping) => (mapping.key(), mapping.types()),
            Self::Shared(_, shared) => (shared.key(), shared.types()),
        };
        key.iter().map(|&position| types[position]).collect()
    }

    /// Maps what was scanned into an empty `piece`; `raw` is void then.
    fn map(self, raw: &mut Batch, piece: &mut Piece, scratch: &mut Vec<u8>) {
        let Piece {
            keyed,
            parked,
            hidden,
        } = piece;
        match self {
            Self::OneWay(Role::Source, mapping) => {
                *hidden = mapping.take_source(raw, keyed, parked, scratch);
            }
            Self::OneWay(Role::Target, mapping) => mapping.take_target(raw, keyed, scratch),
            Self::Shared(side, shared) => shared.map(side, raw, keyed, parked, scratch),
        }
    }
}

impl<'a> Translation<'a> {
    /// The stack that mapping a record takes, where it is more than a thread has to spare; else 0.
    fn stack_bytes(self) -> usize {
        match self {
            Self::OneWay(Role::Source, mapping) => mapping.stack_bytes(),
            Self::OneWay(Role::Target, _) | Self::Shared(..) => 0,
        }
    }

    fn fields(self) -> &'a [usize] {
        match self {
            Self::OneWay(Role::Source, mapping) => mapping.source_fields(),
            Self::OneWay(Role::Target, mapping) => mapping.target_fields(),
            Self::Shared(side, shared) => shared.fields(side),
        }
    }

    fn wanted(self) -> &'a [Type] {
        match self {
            Self::OneWay(Role::Source, mapping) => mapping.source_types(),
            Self::OneWay(Role::Target, mapping) => mapping.types(),
            Self::Shared(side, shared) => shared.scan_types(side),
        }
    }
}

/// One side of one collection.
pub(crate) struct Reading<'a> {
    /// What the user calls the side: `source` or `target`.
    pub(crate) name: &'static str,
    /// What listeners call the collection: one name for both sides.
    pub(crate) title: &'a str,
    pub(crate) schema: &'a Schema,
    pub(crate) translation: Translation<'a>,
    pub(crate) world: &'a World<'a>,
    /// The step that is told of progress; `None` when what becomes of the records is told instead.
    pub(crate) step: Option<Step>,
    /// Whether records come in key order unasked, as [`Reading::count_ascending`] found out.
    pub(crate) ascending: bool,
    /// Set where only a part is read in order.
    pub(crate) part: Option<Part>,
}

/// Keyed batches and the records parked on the way.
pub(crate) struct Piece {
    pub(crate) keyed: Keyed,
    pub(crate) parked: Vec<Parked>,
    /// Records that the filter hides: unknown, but not parked.
    pub(crate) hidden: u64,
}

impl Reading<'_> {
    /// Tells whether the endpoint can deliver the canonical order itself, and enforces the key's uniqueness: a
    /// repeated key must be found before the first write.
    pub(crate) fn is_ordered(&self, snapshot: &mut dyn Snapshot) -> Result<bool> {
        let Some(key) = self.translation.key() else {
            return Ok(false);
        };
        if self.translation.is_bag() {
            return Ok(false);
        }
        let ordered = self.request(Order::Key(&key), |request| {
            Ok(self.key_is_enforced() && snapshot.ordered(request)?)
        });
        let by_endpoint = ordered.map_err(|error| self.place(error))?;
        self.world.progress.event(Event::Order {
            side: self.name,
            collection: &self.schema.collection,
            by_endpoint,
        });
        Ok(by_endpoint)
    }

    /// Reads in key order (`ordered`) or any order. The scan starts with the first piece, so that sides which are
    /// read ahead start at the same time.
    pub(crate) fn pieces<'s>(
        &'s self,
        snapshot: &'s mut (dyn Snapshot + 'static),
        ordered: bool,
    ) -> Pieces<'s> {
        Pieces {
            reading: self,
            ordered,
            snapshot: Some(snapshot),
            scan: None,
            raw: Batch::new(self.translation.fields().len()),
            scratch: Vec::new(),
        }
    }

    /// Reads in key order, a bag in any, and parks what does not fit in `parking`.
    pub(crate) fn records<'s>(
        &'s self,
        snapshot: &'s mut (dyn Snapshot + 'static),
        parking: &'s Parking,
    ) -> Records<'s> {
        let bag = self.translation.is_bag();
        Records {
            pieces: self.pieces(snapshot, !bag),
            parking,
            numbers: bag.then_some(0),
        }
    }

    pub(crate) fn map(&self, raw: &mut Batch, scratch: &mut Vec<u8>) -> Result<Piece> {
        let mut piece = Piece {
            keyed: Keyed::new(self.translation.width()),
            parked: Vec::new(),
            hidden: 0,
        };
        let mut map = || self.translation.map(raw, &mut piece, scratch);
        match self.translation.stack_bytes() {
            0 => map(),
            // One thread for all records of a batch: one for each would cost more than the expression.
            bytes => on_stack(bytes, map)?,
        }
        Ok(piece)
    }

    /// Reads everything and sorts it; each piece is shown to `park` before.
    pub(crate) fn sort(
        &self,
        snapshot: &mut (dyn Snapshot + 'static),
        park: &mut dyn FnMut(&mut Piece) -> Result<()>,
    ) -> Result<Sorted> {
        let world = self.world;
        let width = self.translation.width();
        let folder = world.spool_folder.clone();
        let mut sorter = Sorter::new(folder, world.limits.sort_bytes_max, width)
            .counting(self.translation.is_bag());
        let reading = self.sorting();
        let mut pieces = reading.pieces(snapshot, false);
        while let Some(mut piece) = pieces.next()? {
            let taken = park(&mut piece).and_then(|()| sorter.push(&piece.keyed));
            taken.map_err(|error| self.place(error))?;
        }
        drop(pieces);
        let finished = sorter.finish().map_err(|error| self.place(error))?;
        let sorted = match finished {
            Ok(sorted) => sorted,
            Err(repeated) => return Err(self.place(self.not_unique(&repeated, snapshot))),
        };
        world.progress.event(Event::Sorted {
            side: self.name,
            collection: &self.schema.collection,
            records: sorted.len(),
        });
        Ok(sorted)
    }

    /// Names the side and the collection in an error.
    pub(crate) fn place(&self, error: Error) -> Error {
        error.at(format!(
            "{} collection={}",
            self.name, self.schema.collection
        ))
    }

    fn tick(&self, records: usize) {
        let Some(step) = self.step else { return };
        self.world.progress.tick(Tick {
            collection: self.title,
            step,
            side: Some(self.name),
            records: records as u64,
            total: None,
        });
    }

    /// Whether the endpoint itself keeps two records from sharing the link's key.
    pub(crate) fn key_is_enforced(&self) -> bool {
        let Some(key) = self.translation.key() else {
            return false;
        };
        let mut ours: Vec<usize> = key
            .iter()
            .map(|&position| self.translation.fields()[position])
            .collect();
        ours.sort_unstable();
        let same = |constraint: &[usize]| {
            let mut theirs = constraint.to_vec();
            theirs.sort_unstable();
            theirs == ours
                && ours
                    .iter()
                    .all(|&field| !self.schema.fields[field].inferred)
        };
        let nullable = ours.iter().any(|&field| self.schema.fields[field].nullable);
        same(&self.schema.key) || (!nullable && self.schema.uniques.iter().any(|u| same(u)))
    }

    fn request<T>(
        &self,
        order: Order<'_>,
        use_it: impl FnOnce(&ScanRequest<'_>) -> Result<T>,
    ) -> Result<T> {
        use_it(&self.whole(order))
    }

    pub(crate) fn whole<'r>(&'r self, order: Order<'r>) -> ScanRequest<'r> {
        ScanRequest {
            schema: self.schema,
            fields: self.translation.fields(),
            wanted: self.translation.wanted(),
            order,
            after: None,
            batch_records_max: self.world.limits.batch_records_max,
            batch_bytes_max: self.world.limits.batch_bytes_max,
        }
    }
}

/// One side being read. Gives pieces of any size, also empty ones.
pub(crate) struct Pieces<'s> {
    reading: &'s Reading<'s>,
    ordered: bool,
    /// Taken when the scan starts.
    snapshot: Option<&'s mut (dyn Snapshot + 'static)>,
    /// Gone when it has ended, well or not.
    scan: Option<Box<dyn Scan + 's>>,
    raw: Batch,
    scratch: Vec<u8>,
}

impl Pieces<'_> {
    /// Reads the next piece; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>> {
        self.pull()
            .inspect_err(|_| self.scan = None)
            .map_err(|error| self.reading.place(error))
    }

    fn pull(&mut self) -> Result<Option<Piece>> {
        if let Some(snapshot) = self.snapshot.take() {
            self.scan = Some(self.reading.start(snapshot, self.ordered)?);
        }
        let Some(scan) = &mut self.scan else {
            return Ok(None);
        };
        self.reading.world.check_stop()?;
        self.raw.reset(self.reading.translation.fields().len());
        if !scan.next(&mut self.raw)? {
            self.scan = None;
            return Ok(None);
        }
        let scanned = self.raw.len();
        let piece = self.reading.map(&mut self.raw, &mut self.scratch)?;
        self.reading.tick(scanned);
        Ok(Some(piece))
    }
}

/// One side in key order, as compare wants it. Made by [`Reading::records`].
pub(crate) struct Records<'s> {
    pieces: Pieces<'s>,
    parking: &'s Parking,
    /// Of a bag, how many records were read: their key is the place where they came, so that the order they have
    /// at the source is kept when all are written.
    numbers: Option<u64>,
}

/// Replaces the keys by running numbers from `next` on.
fn numbered(keyed: &Keyed, width: usize, next: &mut u64) -> Keyed {
    let mut out = Keyed::new(width);
    for entry in keyed.entries() {
        let (records, keys) = out.open();
        records.push_record(entry.record);
        keys.extend(next.to_be_bytes());
        out.seal(entry.standing);
        *next += 1;
    }
    out
}

/// Parks what does not fit, and returns the rest, numbered where it is one of a bag; `None` where nothing is left.
fn settled(
    reading: &Reading<'_>,
    parking: &Parking,
    numbers: Option<&mut u64>,
    mut piece: Piece,
) -> Result<Option<Keyed>> {
    let parked = parking.park(&mut piece);
    parked.map_err(|error| reading.place(error))?;
    if piece.keyed.is_empty() {
        return Ok(None);
    }
    let width = reading.translation.width();
    let numbered = numbers.map(|next| numbered(&piece.keyed, width, next));
    Ok(Some(numbered.unwrap_or(piece.keyed)))
}

impl Stream for Records<'_> {
    fn next(&mut self) -> Result<Option<Keyed>> {
        while let Some(piece) = self.pieces.next()? {
            let numbers = self.numbers.as_mut();
            let keyed = settled(self.pieces.reading, self.parking, numbers, piece)?;
            if keyed.is_some() {
                return Ok(keyed);
            }
        }
        Ok(None)
    }

    fn each(&mut self, take: &mut dyn FnMut(Keyed) -> bool) -> Result<()> {
        let reading = self.pieces.reading;
        let Some(snapshot) = self.pieces.snapshot.take() else {
            // It was begun so, and goes on.
            return one_by_one(self, take);
        };
        let (parking, numbers) = (self.parking, &mut self.numbers);
        reading.each_piece(snapshot, self.pieces.ordered, &mut |piece| {
            let keyed = settled(reading, parking, numbers.as_mut(), piece)?;
            Ok(keyed.is_none_or(&mut *take))
        })
    }
}

/// A stream without entries.
pub(crate) struct Nothing;

impl Stream for Nothing {
    fn next(&mut self) -> Result<Option<Keyed>> {
        Ok(None)
    }
}
