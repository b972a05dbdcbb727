//! What a two-way run found and did, in the user's order of the sides; and the guard, which judges each side's plan.

use super::decide::Decided;
use super::pass::Pass;
use super::prepare::Joint;
use super::tally::Tally;
use super::user;
use crate::compare::Differences;
use crate::link::Link;
use crate::report::{CollectionReport, Report};
use trueup_core::Result;
use trueup_core::digest::{Digest, Fold};
use trueup_core::park::Parked;
use trueup_core::plan::{CollectionPlan, Counts};
use trueup_core::side::{Side, Sides};

/// What a pass found in one collection.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) totals: Sides<Fold>,
    pub(super) differences: Differences,
    pub(super) parked: Vec<Parked>,
    /// The digests of the keys in open conflict.
    pub(super) open: Vec<Digest>,
}

impl Found {
    pub(super) fn new(decided: &Decided, open: Vec<Digest>) -> Self {
        Self {
            totals: decided.totals,
            differences: decided.differences,
            parked: decided.parked.clone(),
            open,
        }
    }
}

/// What is planned for one side of one collection.
pub(super) fn plan_of(joint: &Joint, decided: &Decided, side: Side) -> CollectionPlan {
    let fields = joint.shared.names(side);
    CollectionPlan {
        source: joint.partition(side.other()).to_owned(),
        target: joint.partition(side).to_owned(),
        fields: fields.into_iter().map(str::to_owned).collect(),
        key: joint.shared.key().to_vec(),
        create: joint.create[side].clone(),
        load: None,
        counts: decided.planned[side].counts,
        target_records: decided.totals[side].count,
        left_alone: 0,
        parked: decided.parked.len() as u64,
    }
}

/// Stops a plan that deletes suspiciously much on either side.
pub(super) fn guard(link: &Link, joints: &[Joint], decided: &[Decided]) -> Result<()> {
    if link.mode.lift_guard {
        return Ok(());
    }
    for (joint, one) in joints.iter().zip(decided) {
        let guard = joint.spec.guard.unwrap_or(link.guard);
        for side in Side::BOTH {
            let plan = plan_of(joint, one, side);
            let judged = guard.judge(&plan).and_then(|()| {
                // Both sides change: what was emptied is not told by this side's plan alone.
                let emptied = one.totals[side.other()].count == 0;
                if emptied && plan.counts.deletes > guard.emptied_max {
                    let plan = CollectionPlan {
                        counts: Counts {
                            deletes: plan.target_records,
                            ..Counts::default()
                        },
                        ..plan
                    };
                    return guard.judge(&plan);
                }
                Ok(())
            });
            judged.map_err(|error| error.at(joint.user[side].name()))?;
        }
    }
    Ok(())
}

/// Sums up a run: what its first pass found, and what all passes did.
pub(super) fn report(
    link: &Link,
    turned: bool,
    first: &[Found],
    last: &Pass,
    tally: &Tally,
) -> Report {
    let ours = |name| user(turned, name);
    let about = Sides::new(link.source.about(), link.target.about());
    let mut collections = Vec::new();
    for (index, joint) in last.joints.iter().enumerate() {
        let (first, last, done) = (&first[index], &last.found[index], &tally.done[index]);
        let (source, target) = (ours(Side::Source), ours(Side::Target));
        let only = Sides::new(first.differences.only_source, first.differences.only_target);
        let (to_source, to_target) = (done.written[source], done.written[target]);
        let mut notes = joint.shared.notes().to_vec();
        for side in Side::BOTH {
            let of_schema = joint.schema[ours(side)].notes.iter();
            notes.extend(of_schema.map(|note| format!("{side}: {note}")));
        }
        collections.push(CollectionReport {
            source: joint.partition(source).to_owned(),
            target: joint.partition(target).to_owned(),
            source_fold: last.totals[source],
            target_fold: last.totals[target],
            inserted: to_source.inserts + to_target.inserts,
            updated: to_source.updates + to_target.updates,
            deleted: to_source.deletes + to_target.deletes,
            to_source,
            to_target,
            conflicts: done.conflicts + last.open.len() as u64,
            open_conflicts: last.open.len() as u64,
            unchanged: first.differences.same,
            only_source: only[source],
            only_target: only[target],
            changed: first.differences.changed,
            parked: last
                .parked
                .iter()
                .chain(done.refused.values())
                .cloned()
                .collect(),
            hashed: None,
            unread: 0,
            selected: None,
            notes,
        });
    }
    Report {
        structure: None,
        link: format!(
            "{} <-> {}",
            about[ours(Side::Source)].address,
            about[ours(Side::Target)].address
        ),
        equal: true,
        collections,
        certificate: None,
        notes: [
            about[ours(Side::Source)].notes.clone(),
            about[ours(Side::Target)].notes.clone(),
        ]
        .concat(),
    }
}

/// Tells whether anything would be written.
pub(super) fn writes(counts: Sides<Counts>) -> bool {
    counts.source.total() + counts.target.total() > 0
}
