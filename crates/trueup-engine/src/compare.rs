//! Compares the two sides of a collection and spools the plan.
//!
//! Both sides are read ahead, each on a thread of its own, and merged on the caller's. One way, the decision per key
//! needs no base: the source is right. An empty target is not compared but planned as one load.

pub(crate) mod hashed;
mod parking;

pub use hashed::Hashed;
pub(crate) use parking::{Parking, check_room};

use crate::connect::Collection;
use crate::link::{Mode, World};
use crate::progress::Step;
use crate::scan::{self, Arrival, Nothing, Reading, Role, read_ahead};
use crate::selection::{Selected, Withheld};
use crate::sort::Sorted;
use crate::spool::{Spool, Spooled};
use trueup_core::Result;
use trueup_core::batch::Batch;
use trueup_core::diff::{Cursor, Difference, Flow, Totals, diff};
use trueup_core::digest::Digest;
use trueup_core::endpoint::{Op, Snapshot};
use trueup_core::lattice::Fit;
use trueup_core::mapping::{MappedField, bag};
use trueup_core::park::Parked;
use trueup_core::plan::{self, Action, CollectionPlan, Counts, Form, Load};
use trueup_core::schema::Holds;
use trueup_core::types::Type;

/// A collection with its plan.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) collection: Collection,
    pub(crate) plan: CollectionPlan,
    /// Inserts and updates, in key order.
    pub(crate) upserts: Spooled,
    /// Deletes, in key order; only those that will be carried out.
    pub(crate) deletes: Spooled,
    /// The source in key order, where the endpoint does not deliver it so.
    pub(crate) sorted_source: Option<Sorted>,
    /// Whether the source comes in key order unasked.
    pub(crate) ascending_source: bool,
    pub(crate) differences: Differences,
    pub(crate) totals: Totals,
    /// What hashes said, where both sides were hashed.
    pub(crate) hashed: Option<Hashed>,
    pub(crate) parked: Vec<Parked>,
    /// Deletes that were wanted and are not in the plan: a record of the source that does not fit may equal any.
    pub(crate) held_back: u64,
    /// Records of the source that the filter hides, as often as it was read.
    pub(crate) hidden: u64,
    /// What was chosen of the plan, where not all of it is carried out.
    pub(crate) selected: Option<Selected>,
    /// The keys of the records that were left out of the plan.
    pub(crate) withheld: Withheld,
}

/// What compare found, whatever the mode makes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Differences {
    /// Records that only the source has.
    pub(crate) only_source: u64,
    /// Records that only the target has.
    pub(crate) only_target: u64,
    /// Records that differ.
    pub(crate) changed: u64,
    /// Records that are equal.
    pub(crate) same: u64,
}

/// The sides of a comparison.
pub(crate) struct Sides<'a> {
    pub(crate) source: &'a mut (dyn Snapshot + 'static),
    /// `None` when the target holds nothing at all yet.
    pub(crate) target: Option<&'a mut (dyn Snapshot + 'static)>,
    /// Is shown every key in order, with what each side has there; not those of records that hashes show to be equal.
    pub(crate) seen: Option<&'a mut Seen<'a>>,
}

/// Who wants to see the differences, as they are found.
pub(crate) type Seen<'a> = dyn FnMut(Difference<'_>) -> Result<()> + 'a;

/// Compares `collection` and plans what `mode` allows. An empty target is compared only when all is to be counted.
pub(crate) fn compare(
    collection: Collection,
    sides: &mut Sides<'_>,
    mode: Mode,
    world: &World<'_>,
) -> Result<Compared> {
    let parked = Parking::new(world.limits.refused_max);
    let mut source = collection.reading(Role::Source, Some(Step::Compare), world);
    let mut target = collection.reading(Role::Target, Some(Step::Compare), world);
    let (mut source_sorted, mut target_sorted) = (None, None);
    let mut target_order = Arrival::Unordered;
    let mut target_snapshot = match sides.target.as_deref_mut() {
        Some(snapshot) if collection.create.is_none() => Some(snapshot),
        _ => None,
    };
    let target_empty = is_empty(&target, target_snapshot.as_deref_mut())?;
    // A bag that is loaded is written in the order in which the source has it.
    let bag = collection.mapping.is_bag();
    let loaded = target_empty && !mode.count_all;
    let source_order = source.find_order(sides.source)?;
    if source_order == Arrival::Unordered && !(bag && loaded) {
        source_sorted = Some(source.sort(sides.source, &mut |piece| parked.park(piece))?);
    }
    if let Some(snapshot) = target_snapshot.as_deref_mut()
        && !target_empty
    {
        (target_order, target_sorted) = in_order(&mut target, snapshot)?;
    }
    let ascending = source.ascending;
    // Nothing to load is no plan at all: the target is not claimed for it.
    let source_empty = sides.source.is_empty(&collection.source);
    let source_empty = source_empty.map_err(|e| e.at("source"))?;
    let mut planned = Planned::new(mode, bag, sides.seen.take(), world);
    if target_empty && !mode.count_all && !source_empty {
        let records = match &source_sorted {
            Some(sorted) => Some(sorted.known()),
            // What is only planned is told as it would be done: without the records that would be parked.
            None if !mode.write && may_park(&collection) => {
                Some(source.count_known(sides.source, &parked)?)
            }
            None => source_order.records(),
        };
        planned.load = Some(Load { records });
    } else {
        let mut snapshot = target_snapshot.filter(|_| !target_empty);
        if let Some(target_snapshot) = snapshot.as_deref_mut()
            && !source_empty
        {
            let orders = [source_order, target_order];
            let halves = [
                (&mut source, &mut *sides.source),
                (&mut target, target_snapshot),
            ];
            planned.hashed = hashed::leave_out(&collection, mode.compare, orders, halves, world)?;
        }
        let both = [
            Side {
                reading: &source,
                snapshot: Some(sides.source),
                sorted: source_sorted.as_mut(),
            },
            Side {
                reading: &target,
                snapshot,
                sorted: target_sorted.as_mut(),
            },
        ];
        merge(both, &mut planned, &parked, world)?;
    }
    // Only a load reads the sorted source again; kept, it would hold files open until the end of the run.
    let source_sorted = source_sorted.filter(|_| planned.load.is_some());
    let compared = planned.finish(collection, source_sorted, parked)?;
    Ok(Compared {
        ascending_source: ascending,
        ..compared
    })
}

/// Whether the target holds no record, or is not there.
fn is_empty(target: &Reading<'_>, snapshot: Option<&mut (dyn Snapshot + 'static)>) -> Result<bool> {
    let Some(snapshot) = snapshot else {
        return Ok(true);
    };
    let empty = snapshot.is_empty(target.schema);
    empty.map_err(|error| target.place(error))
}

/// Finds out how the target's records come, and sorts them where that is in no order.
fn in_order(
    target: &mut Reading<'_>,
    snapshot: &mut (dyn Snapshot + 'static),
) -> Result<(Arrival, Option<Sorted>)> {
    let order = target.find_order(snapshot)?;
    let sorted = match order {
        Arrival::Unordered => Some(target.sort(snapshot, &mut |_| Ok(()))?),
        Arrival::OnRequest | Arrival::Unasked(_) => None,
    };
    Ok((order, sorted))
}

/// Whether a record of the source may be put aside, or hidden.
fn may_park(collection: &Collection) -> bool {
    let mapping = &collection.mapping;
    let inexact = |field: &MappedField| field.fit != Fit::Exact;
    // That declared types fit exactly says little of a source whose values may be of others; a guess from the data is
    // taken for texts in the first place.
    let mut read = mapping.source_fields().iter().zip(mapping.source_types());
    let loose = |(&field, &ty): (&usize, &Type)| {
        let field = &collection.source.fields[field];
        field.holds != Holds::Typed && !field.inferred && ty != Type::Any
    };
    mapping.filter().is_some() || mapping.fields().iter().any(inexact) || read.any(loose)
}

/// One side during the merge: sorted on disk, or read in order from its endpoint, or empty.
struct Side<'a, 's> {
    reading: &'a Reading<'a>,
    snapshot: Option<&'s mut (dyn Snapshot + 'static)>,
    sorted: Option<&'s mut Sorted>,
}

impl Side<'_, '_> {
    fn stream<'b>(&'b mut self, parking: &'b Parking) -> Result<scan::Side<'b>> {
        Ok(match (&mut self.sorted, &mut self.snapshot) {
            (Some(sorted), _) => {
                let read = sorted.read(self.reading.world.limits)?;
                Box::new(self.reading.told(read))
            }
            (None, Some(snapshot)) => Box::new(self.reading.records(*snapshot, parking)),
            (None, None) => Box::new(Nothing),
        })
    }
}

fn merge(
    both: [Side<'_, '_>; 2],
    planned: &mut Planned<'_>,
    parked: &Parking,
    world: &World<'_>,
) -> Result<()> {
    if planned
        .hashed
        .as_ref()
        .is_some_and(|hashed| hashed.differing == 0)
    {
        return Ok(());
    }
    let [mut source, mut target] = both;
    let sides = [source.stream(parked)?, target.stream(parked)?];
    read_ahead(world.limits.batches_ahead, sides, |[source, target]| {
        let mut source = Cursor::new("source", source)?;
        let mut target = Cursor::new("target", target)?;
        planned.totals = diff(&mut source, &mut target, &mut |difference| {
            planned.take(difference)
        })?;
        Ok(())
    })
}

/// The plan while it grows.
struct Planned<'a> {
    mode: Mode,
    bag: bool,
    /// Records of a bag's source that may equal any at the target: no record is deleted because none equals it.
    keyless: u64,
    seen: Option<&'a mut Seen<'a>>,
    upserts: Spool,
    deletes: Spool,
    counts: Counts,
    differences: Differences,
    totals: Totals,
    hashed: Option<Hashed>,
    load: Option<Load>,
    left_alone: u64,
    held_back: u64,
    scratch: Vec<u8>,
}

impl Compared {
    /// Passes the plan to `out`, line by line.
    pub(crate) fn print(
        &mut self,
        form: Form,
        out: &mut dyn FnMut(&str) -> Result<()>,
    ) -> Result<()> {
        let mut text = String::new();
        match form {
            Form::Text => self.plan.write_header(&mut text),
            Form::Json => text = format!("{}\n", self.plan.header_json()),
        }
        out(&text)?;
        if self.collection.mapping.is_bag() {
            return self.print_copies(form, out);
        }
        let mut records = Batch::new(self.plan.fields.len());
        for spool in [&mut self.upserts, &mut self.deletes] {
            let mut reader = spool.read()?;
            while let Some(entry) = reader.next()? {
                records.reset(self.plan.fields.len());
                let action = plan::decode(entry, &mut records)?;
                text.clear();
                let record = records.record(0);
                match form {
                    Form::Text => self.plan.write_action(&action, record, &mut text),
                    Form::Json => text = format!("{}\n", self.plan.action_json(&action, record)),
                }
                out(&text)?;
            }
        }
        Ok(())
    }
}

impl Compared {
    /// Passes the actions of a bag to `out`: one line for all copies of a record, which stand together.
    fn print_copies(&mut self, form: Form, out: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let plan = &self.plan;
        let mut tell = |told: Option<(Op, Digest, u64)>| -> Result<()> {
            let Some((op, record, copies)) = told else {
                return Ok(());
            };
            let mut text = String::new();
            match form {
                Form::Text => plan.write_copies(op, record, copies, &mut text),
                Form::Json => text = format!("{}\n", plan.copies_json(op, record, copies)),
            }
            out(&text)
        };
        let mut records = Batch::new(plan.fields.len());
        let mut last: Option<(Op, Digest, u64)> = None;
        for spool in [&mut self.upserts, &mut self.deletes] {
            let mut reader = spool.read()?;
            while let Some(entry) = reader.next()? {
                records.reset(plan.fields.len());
                let action = plan::decode(entry, &mut records)?;
                let record = action.after.or(action.before).unwrap_or_default();
                match &mut last {
                    Some((op, of, copies)) if (*op, *of) == (action.op, record) => *copies += 1,
                    _ => tell(last.replace((action.op, record, 1)))?,
                }
            }
        }
        tell(last)
    }
}

impl<'a> Planned<'a> {
    fn new(mode: Mode, bag: bool, seen: Option<&'a mut Seen<'a>>, world: &World<'_>) -> Self {
        Self {
            mode,
            bag,
            keyless: 0,
            held_back: 0,
            seen,
            upserts: Spool::new(&world.spool_folder),
            deletes: Spool::new(&world.spool_folder),
            counts: Counts::default(),
            differences: Differences::default(),
            totals: Totals::default(),
            hashed: None,
            load: None,
            left_alone: 0,
            scratch: Vec::new(),
        }
    }

    /// One way, the source is right; what it does not say, or only half says, changes nothing.
    fn take(&mut self, difference: Difference<'_>) -> Result<Flow> {
        if let Some(seen) = &mut self.seen {
            seen(difference)?;
        }
        match difference {
            Difference::Same(_) => self.differences.same += 1,
            Difference::OnlySource(source) => {
                self.differences.only_source += 1;
                self.push(&Action::insert(source))?;
            }
            Difference::Changed { source, target } => {
                self.differences.changed += 1;
                self.push(&Action::update(source, target))?;
            }
            Difference::OnlyTarget(target) => {
                self.differences.only_target += 1;
                if self.mode.delete && self.keyless > 0 {
                    self.left_alone += 1;
                    self.held_back += 1;
                } else if self.mode.delete {
                    self.push(&Action::delete(target))?;
                } else {
                    self.left_alone += 1;
                }
            }
            // It exists at the source, so it is not deleted; what it holds is not known, so it is not written.
            Difference::Unknown { source, .. } => {
                self.keyless += u64::from(self.bag && bag::is_keyless(source.key));
            }
        }
        Ok(Flow::Continue)
    }

    fn push(&mut self, action: &Action<'_>) -> Result<()> {
        self.counts.add(action.op);
        self.scratch.clear();
        action.encode(&mut self.scratch);
        let spool = match action.op {
            Op::Insert | Op::Update => &mut self.upserts,
            Op::Delete => &mut self.deletes,
        };
        spool.push(&self.scratch)
    }

    fn finish(
        mut self,
        collection: Collection,
        sorted_source: Option<Sorted>,
        parking: Parking,
    ) -> Result<Compared> {
        if let Some(hashed) = &self.hashed {
            let totals = &mut self.totals;
            totals.unread = hashed.unread;
            totals.source.count += hashed.unread;
            totals.target.count += hashed.unread;
            self.differences.same += hashed.unread;
        }
        let (parked, hidden) = parking.into_inner();
        let plan = CollectionPlan {
            source: collection.source.collection.clone(),
            target: collection.target.collection.clone(),
            fields: collection
                .mapping
                .fields()
                .iter()
                .map(|field| field.name.clone())
                .collect(),
            key: collection.mapping.key().to_vec(),
            create: collection.create.clone(),
            load: self.load,
            counts: self.counts,
            target_records: self.totals.target.count,
            left_alone: self.left_alone,
            parked: parked.len() as u64,
        };
        Ok(Compared {
            collection,
            plan,
            upserts: self.upserts.finish()?,
            deletes: self.deletes.finish()?,
            sorted_source,
            ascending_source: false,
            differences: self.differences,
            totals: self.totals,
            hashed: self.hashed,
            parked,
            held_back: self.held_back,
            selected: None,
            withheld: Some(Vec::new()),
            hidden,
        })
    }
}
