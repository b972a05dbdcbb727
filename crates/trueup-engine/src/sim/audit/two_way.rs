//! What is particular to two-way links: conflicts are complete and true, nothing is lost, nothing returns.

use super::Over;
use crate::report::{CollectionReport, Report};
use crate::sim::case::Case;
use crate::state::PastConflict;
use trueup_core::conflict::ConflictKind;
use trueup_core::side::{Side, Sides};
use trueup_testkit::Owned;
use trueup_testkit::sim::Sim;
use trueup_testkit::sim::lineage::Place;

/// What makes one conflict differ from another, whichever state it is in.
pub(super) fn content(conflict: &PastConflict) -> String {
    let records = Sides::by(|side| record_of(conflict, side));
    let (collection, key) = (&conflict.collection.source, &conflict.key);
    format!("{collection} {key:?} {:?} {records:?}", conflict.kind)
}

/// G11: every record that the run changed is counted, also where an answer was lost on the way; what went with a machine
/// that was put back is not known to anybody.
pub(super) fn told(over: &Over<'_>, report: &Report) {
    if Side::BOTH.iter().any(|&side| over.sim.put_back(side) > 0) {
        return;
    }
    let named = |one: &CollectionReport| over.sim.collection(&one.source);
    for one in &report.collections {
        let Some(index) = named(one) else { continue };
        let sum: u64 = Side::BOTH
            .map(|side| over.sim.changes(over.run, side, index))
            .iter()
            .sum();
        let told = one.to_source.total() + one.to_target.total();
        if sum != told {
            over.sim
                .violate(format!("G11: {sum} were changed, told {told}: {one:?}"));
        }
    }
}

/// Puts a conflict's values on record; a `fresh` one is judged.
pub(super) fn record(sim: &Sim, conflict: &PastConflict, fresh: bool, joined: bool) {
    let records = Sides::by(|side| record_of(conflict, side));
    let Some(place) = place(sim, conflict, &records) else {
        return sim.violate(format!("G23: a conflict about nothing: {conflict:?}"));
    };
    if fresh {
        let kind = conflict.kind;
        sim.note(|| {
            format!(
                "conflict {kind} {place:?} {}: {records:?}",
                conflict.decision
            )
        });
    }
    sim.lineage(|lineage| {
        for record in Side::BOTH
            .into_iter()
            .filter_map(|side| records[side].as_ref())
        {
            lineage.log(record);
        }
        if records.source.is_none() || records.target.is_none() {
            lineage.excuse_deletes_here(place);
        }
        if conflict.kind == ConflictKind::Join {
            lineage.join(place);
        }
    });
    if fresh && let Some(why) = untrue(sim, conflict, place, &records, joined) {
        sim.violate(format!("G23: false conflict: {why}: {place:?} {records:?}"));
    }
}

/// Says why a conflict is none. What the two records show of who saw what is enough: it does not depend on when one asks.
fn untrue(
    sim: &Sim,
    conflict: &PastConflict,
    place: Place,
    records: &Sides<Option<Vec<Owned>>>,
    joined: bool,
) -> Option<String> {
    let rulings = conflict.ruling.fields.iter();
    let fields: Vec<usize> = rulings
        .filter_map(|ruling| position(conflict, ruling.field))
        .collect();
    let kind = conflict.kind;
    let both = match (&records.source, &records.target) {
        (Some(source), Some(target)) => Some((source, target)),
        _ => None,
    };
    let holder = records.source.as_ref().or(records.target.as_ref());
    let holds = sim.lineage(|lineage| match (kind, both) {
        // The winner of a join may be a value that the loser's writer had seen: it is new where it comes back.
        _ if joined => true,
        (ConflictKind::Join, _) => false,
        (ConflictKind::UpdateUpdate, Some((source, target))) => fields.iter().all(|&field| {
            lineage.unseen(source, field, target) && lineage.unseen(target, field, source)
        }),
        (ConflictKind::InsertInsert, Some((source, target))) => {
            let unseen = |ours: &[Owned], theirs: &[Owned]| {
                (1..ours.len()).any(|field| lineage.unseen(ours, field, theirs))
            };
            unseen(source, target) && unseen(target, source)
        }
        (ConflictKind::DeleteUpdate, None) => {
            holder.is_some_and(|record| lineage.unseen_delete(place, record, &fields))
        }
        (ConflictKind::UpdateUpdate | ConflictKind::InsertInsert, None)
        | (ConflictKind::DeleteUpdate, Some(_)) => false,
    });
    (!holds).then(|| format!("{kind} of fields {fields:?}"))
}

/// The record that a side held, in the order of the simulated fields.
fn record_of(conflict: &PastConflict, side: Side) -> Option<Vec<Owned>> {
    let batch = conflict.records[side].as_ref()?;
    let values = Owned::record(batch.record(0));
    let mut record = vec![Owned::Null; values.len()];
    for (field, value) in values.into_iter().enumerate() {
        record[position(conflict, field)?] = value;
    }
    Some(record)
}

/// Where a field of the conflict stands in a simulated record.
fn position(conflict: &PastConflict, field: usize) -> Option<usize> {
    let name = conflict.fields.source.get(field)?;
    ["id", "x", "y", "at"]
        .iter()
        .position(|known| known == name)
}

fn place(sim: &Sim, conflict: &PastConflict, records: &Sides<Option<Vec<Owned>>>) -> Option<Place> {
    let record = records.source.as_ref().or(records.target.as_ref())?;
    let collection = sim.collection(&conflict.collection.source)?;
    match record.first() {
        Some(Owned::Int(key)) => Some((collection, *key)),
        _ => None,
    }
}

/// Every open conflict is about two records that differ now.
fn stands(sim: &Sim, open: &[PastConflict]) -> Result<(), String> {
    for conflict in open {
        let name = &conflict.collection.source;
        let told = Sides::by(|side| record_of(conflict, side));
        let key = told.source.as_ref().or(told.target.as_ref());
        let key = key.map(|record| record[..1].to_vec()).unwrap_or_default();
        let found = Sides::by(|side| sim.memory(side).record(name, &key));
        if found.source == found.target {
            return Err(format!("G23: {name}: open, but they agree: {found:?}"));
        }
    }
    Ok(())
}

/// Says why a link is not settled, whose last run ended well: the sides differ where no conflict is open, something is
/// lost, or something has returned.
pub(in crate::sim) fn settled(sim: &Sim, case: &Case, open: &[PastConflict]) -> Result<(), String> {
    stands(sim, open)?;
    let mut held = Vec::new();
    for (index, name) in case.setting.collections.iter().enumerate() {
        let here = Sides::by(|side| sim.memory(side).records(name));
        let of = |side: Side, key: &Owned| here[side].iter().find(|record| record[0] == *key);
        for key in here
            .source
            .iter()
            .chain(&here.target)
            .map(|record| &record[0])
        {
            let found = Sides::by(|side| of(side, key).cloned());
            let conflict = open.iter().find(|conflict| {
                conflict.collection.source == **name
                    && Side::BOTH.into_iter().any(|side| {
                        record_of(conflict, side).is_some_and(|record| record[0] == *key)
                    })
            });
            match conflict {
                None if found.source == found.target => {}
                None => return Err(format!("G1: {name}: they differ: {found:?}")),
                Some(conflict) => {
                    let told = Sides::by(|side| record_of(conflict, side));
                    if told != found {
                        return Err(format!("G23: {name}: {told:?} is open, not {found:?}"));
                    }
                }
            }
        }
        for side in Side::BOTH {
            for record in &here[side] {
                let Owned::Int(key) = record[0] else { continue };
                let returned = sim.lineage(|lineage| lineage.returned((index, key), record));
                if let Some(delete) = returned.first() {
                    return Err(format!("G3: {delete} was undone"));
                }
            }
        }
        held.extend(here.source);
        held.extend(here.target);
    }
    let lost = sim.lineage(|lineage| lineage.lost(held.iter().map(Vec::as_slice)));
    match lost.first() {
        None => Ok(()),
        Some(write) => Err(format!("G2: lost: {write}")),
    }
}
