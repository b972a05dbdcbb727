//! The plan of a two-way link: what [`run`](super::run) would write, on both sides. Writes nothing, anywhere.

mod meeting;

use super::decide::{Before, Decided, Snapshots, decide};
use super::pass::before;
use super::prepare::Joint;
use super::summary::{self, Found};
use super::work::Work;
use super::{in_order, moved, prepared};
use crate::link::{Link, World};
use crate::report::Report;
use crate::state::{LinkId, Store};
use std::collections::BTreeMap;
use trueup_core::Result;
use trueup_core::plan::{Decoded, Form};
use trueup_core::side::{Side, Sides};

/// Takes the lines of a plan.
type Out<'o> = &'o mut dyn FnMut(&str) -> Result<()>;

/// Compares both sides with the base and passes the plan to `out`, line by line. What an interrupted run left behind is
/// finished by the next run and does not show here.
///
/// # Errors
/// Those of reading; `Guard` when the guard would stop the plan, which is printed first.
pub(crate) fn plan(
    link: &mut Link,
    store: Option<&Store>,
    id: &LinkId,
    world: &World<'_>,
    form: Form,
    out: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<Report> {
    in_order(link, |link, turned| {
        let joints = prepared(link, turned)?;
        if let Some(store) = store {
            moved::refuse(link, store, id)?;
        }
        let name = |side: Side| super::user(turned, side).name();
        // A place where every collection is yet to be created may not exist itself.
        let there = |side: Side| joints.iter().any(|joint| joint.create[side].is_none());
        let mut snapshots: Snapshots = Sides::new(None, None);
        if there(Side::Source) {
            let source = link.source.snapshot();
            snapshots.source = Some(source.map_err(|error| error.at(name(Side::Source)))?);
        }
        if there(Side::Target) {
            let target = link.target.snapshot();
            snapshots.target = Some(target.map_err(|error| error.at(name(Side::Target)))?);
        }
        let empty = Store::in_memory("plan")?;
        let store = store.unwrap_or(&empty);
        let (mut all, mut notes, mut answered) = (Vec::new(), Vec::new(), Vec::new());
        for joint in &joints {
            let known = store.peek_collection(id, &joint.names(), &joint.shared.shape())?;
            // What is created anew is joined.
            let known = known.filter(|_| {
                Side::BOTH
                    .into_iter()
                    .all(|side| joint.create[side].is_none())
            });
            let (before, lapsed) = match known {
                Some(known) => {
                    let (mut before, lapsed) = before(store, known.id, joint)?;
                    before.complete = known.complete;
                    (before, lapsed)
                }
                None => (nothing_known(store), Vec::new()),
            };
            let mut decided = decide(joint, &before, &mut snapshots, world)?;
            for side in [Side::Target, Side::Source] {
                print(joint, &mut decided, super::user(turned, side), form, out)?;
            }
            // Without answers on record there is nothing to look for.
            let answering = match before.answers.is_empty() {
                true => Vec::new(),
                false => meeting::answering(joint, &mut decided)?,
            };
            meeting::print(joint, &before, &mut decided, &answering, form, out)?;
            answered.push(answering.len() as u64);
            notes.push(meeting::notes(&before, &decided, &lapsed));
            all.push(decided);
        }
        summary::guard(link, &joints, &all)?;
        let mut report = report(link, turned, joints, &all);
        let found = notes.into_iter().zip(answered);
        for (one, (notes, answered)) in report.collections.iter_mut().zip(found) {
            one.notes.extend(notes);
            one.conflicts += answered;
        }
        Ok(report)
    })
}

/// What a run knows of a collection that none has compared.
fn nothing_known(store: &Store) -> Before<'_> {
    Before {
        store,
        collection: None,
        complete: false,
        open: BTreeMap::new(),
        answers: BTreeMap::new(),
        batch: 0,
    }
}

/// Prints what is planned for one side: the first writes, and the second ones of decisions that begin elsewhere.
fn print(
    joint: &Joint,
    decided: &mut Decided,
    side: Side,
    form: Form,
    out: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let plan = summary::plan_of(joint, decided, side);
    let to = joint.user[side];
    if plan.is_empty() {
        return Ok(());
    }
    let mut text = format!("to the {to}: ");
    match form {
        Form::Text => plan.write_header(&mut text),
        Form::Json => {
            let mut header = plan.header_json();
            header["to"] = to.name().into();
            text = format!("{header}\n");
        }
    }
    out(&text)?;
    let width = joint.shared.types().len();
    for first in [side, side.other()] {
        let planned = &mut decided.planned[first];
        for spool in [&mut planned.upserts, &mut planned.deletes] {
            let mut reader = spool.read()?;
            while let Some(entry) = reader.next()? {
                let work = Work::decode(entry, width)?;
                let steps = [Some(&work.step), work.then.as_ref()];
                for step in steps.into_iter().flatten().filter(|step| step.side == side) {
                    let action = Decoded {
                        op: step.op,
                        before: step.expected,
                        after: None,
                        changed: step.changed.clone(),
                    };
                    let record = step.record.record(0);
                    text.clear();
                    match form {
                        Form::Text => plan.write_action(&action, record, &mut text),
                        Form::Json => {
                            text = format!("{}\n", plan.action_json(&action, record));
                        }
                    }
                    out(&text)?;
                }
            }
        }
    }
    Ok(())
}

fn report(link: &Link, turned: bool, joints: Vec<Joint>, all: &[Decided]) -> Report {
    let found: Vec<Found> = all.iter().map(|one| Found::new(one, Vec::new())).collect();
    let tally = super::tally::Tally::new(joints.len());
    let pass = super::pass::Pass {
        joints,
        found: found.clone(),
        again: false,
        idle: true,
        positions: Sides::by(|_| trueup_core::endpoint::Position(String::new())),
    };
    let mut report = summary::report(link, turned, &found, &pass, &tally);
    for (one, summary) in all.iter().zip(&mut report.collections) {
        summary.open_conflicts = one.open.len();
        summary.conflicts = one.open.len() + one.ruled;
    }
    let written = |one: &Decided| Sides::by(|side| one.planned[side].counts);
    report.equal = all
        .iter()
        .all(|one| !summary::writes(written(one)) && one.open.len() == 0);
    report
}
