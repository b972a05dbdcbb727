//! One execution of a link, from connect to verify. Reads like a table of contents.

use crate::apply::{Applier, only_we_claimed};
use crate::compare::{self, Compared, Sides};
use crate::connect;
use crate::link::{Comparison, Link, Mode, WITHOUT_HASHES, World};
use crate::listing::Listing;
use crate::open::{Opened, open, tell_shapes};
use crate::plan_file::{self, PlanFile};
use crate::progress::{Event, Step};
use crate::prove::{prove, prove_alone};
pub use crate::report::exit_code;
use crate::report::{Report, report};
use crate::retry::ParkedOnly;
use crate::script;
use crate::selection::{Selection, select};
use crate::shared;
use crate::state::{HINT, LinkId, RunId, Store};
use crate::structure::Building;
use crate::twice::compare_twice;
use crate::two_way;
use std::collections::BTreeMap;
use trueup_core::endpoint::{Claim, Position, Snapshot};
use trueup_core::plan::Form;
use trueup_core::{Error, Result};

/// How many past runs are searched for the link's last one.
const RUNS_LOOKED_AT: usize = 50;

/// Runs `link` once: compares, writes what the mode allows, verifies, and keeps the record in `store`.
///
/// # Errors
/// Every kind. After an error the target holds a consistent part of the plan; the next run goes on.
pub fn run(link: &mut Link, store: &mut Store, world: &World<'_>) -> Result<Report> {
    recorded(link, store, world, |link, store, id, run| {
        if link.two_way.is_some() {
            two_way::run(link, store, id, run, world)
        } else {
            journey(link, store, id, None, world)
        }
    })
}

/// Runs `link` once, and returns the position of the source's snapshot that it was compared with, too: what
/// [`follow`](crate::follow) writes comes after that.
pub(crate) fn copy(
    link: &mut Link,
    store: &mut Store,
    world: &World<'_>,
) -> Result<(Report, Position)> {
    let mut position = None;
    let report = recorded(link, store, world, |link, store, id, _| {
        let (report, source) = travelled(link, store, id, None, world)?;
        position = Some(source);
        Ok(report)
    })?;
    let position = position.ok_or_else(|| Error::bug("a run has no position"))?;
    Ok((report, position))
}

/// Runs `link` once, but carries out only what `plan` lists and both sides still ask for.
///
/// # Errors
/// As [`run`]; `Config` when the plan was made for something else, with nothing written.
pub fn carry_out(
    link: &mut Link,
    store: &mut Store,
    plan: &mut PlanFile,
    world: &World<'_>,
) -> Result<Report> {
    one_way_only(link)?;
    refuse_bags(
        link,
        "a plan in a file",
        "trueup sync writes it as a whole, and --dry-run shows what that would do",
    )?;
    plan.check(link)?;
    recorded(link, store, world, |link, store, id, _| {
        journey(link, store, id, Some(plan), world)
    })
}

/// Runs `link` once, but carries out only what concerns parked records. Other differences stay, and are no failure.
///
/// # Errors
/// As [`run`]; `Config` for a link that goes both ways, every run of which tries its parked records.
pub fn retry(link: &mut Link, store: &mut Store, world: &World<'_>) -> Result<Report> {
    if link.two_way.is_some() {
        return Err(tried_by_every_run());
    }
    refuse_bags(
        link,
        "trying parked records again",
        "trueup sync runs the link as a whole, and tries them again",
    )?;
    recorded(link, store, world, |link, store, id, _| {
        let mut parked = ParkedOnly::of(store, id)?;
        journey(link, store, id, Some(&mut parked), world)
    })
}

/// Refuses collections without a key: `what` needs one. `instead` says what does without.
fn refuse_bags(link: &Link, what: &str, instead: &str) -> Result<()> {
    let bag = link.collections.iter().find(|one| one.rules.bag);
    bag.map_or(Ok(()), |bag| {
        let name = &bag.source;
        Err(Error::config(format!(
            "collection={name}: {what} names records by their keys, and it has none: its key is all"
        ))
        .hint(format!(
            "{instead}; or name its key: --key {name}=field, or key in a file; or leave the collection out"
        )))
    })
}

/// Makes the error for who wants the parked records of a two-way link tried again, and nothing else.
pub fn tried_by_every_run() -> Error {
    Error::config("a link that goes both ways tries its parked records again at every run")
        .hint("run it, by trueup run or trueup sync --two-way; there is nothing to retry by itself")
}

fn one_way_only(link: &Link) -> Result<()> {
    if link.two_way.is_none() {
        return Ok(());
    }
    Err(
        Error::config("a plan in a file is carried out one way only, and the link goes both ways")
            .hint(
                "--dry-run prints what a run would do; --collections makes it a part of the link",
            ),
    )
}

/// Records that a run of the link began, and how it ended.
fn recorded(
    link: &mut Link,
    store: &mut Store,
    world: &World<'_>,
    journey: impl FnOnce(&mut Link, &mut Store, &LinkId, RunId) -> Result<Report>,
) -> Result<Report> {
    let id = link.id();
    let run = store.begin(&id, world.clock.now_ms())?;
    expect_as_before(store, &id, world);
    let result = journey(link, store, &id, run);
    let result = result.and_then(|report| park(store, &id, run, report));
    let now = world.clock.now_ms();
    match &result {
        Ok(report) => store.finish(run, now, report.exit_code(), None, Some(report))?,
        Err(error) => {
            let mut text = format!("{}: {error}", error.kind().name());
            if let Some(hint) = error.advice() {
                text.push_str(HINT);
                text.push_str(hint);
            }
            // The first failure is the one to report, whatever becomes of the record of it.
            drop(store.finish(run, now, exit_code(error.kind()), Some(&text), None));
        }
    }
    result
}

/// Compares the two sides of `link` and writes nothing, anywhere. Every difference counts, also records that only
/// the target has.
///
/// # Errors
/// As [`run`], without those of writing.
pub fn diff(link: &mut Link, world: &World<'_>) -> Result<Report> {
    compare_all(link, None, world)
}

/// Compares as [`diff`] does, and shows each difference to `listing`.
///
/// # Errors
/// As [`diff`]; those of `listing`.
pub fn diff_listed(
    link: &mut Link,
    listing: &mut dyn Listing,
    world: &World<'_>,
) -> Result<Report> {
    compare_all(link, Some(listing), world)
}

fn compare_all(
    link: &mut Link,
    listing: Option<&mut dyn Listing>,
    world: &World<'_>,
) -> Result<Report> {
    link.mode.write = false;
    link.mode.count_all = true;
    let (compared, notes) = compare_twice(link, listing, link.mode, world)?;
    let mut report = differences(link, &compared);
    report.notes.extend(notes);
    Ok(report)
}

/// Compares as [`diff`] does, and passes a script to `out` that makes the target agree, in the target's own language.
///
/// # Errors
/// As [`diff`]; `Config` when the target has no such language, or a value cannot be said in it.
pub fn script(
    link: &mut Link,
    world: &World<'_>,
    out: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<Report> {
    link.mode.write = false;
    link.mode.count_all = true;
    link.mode.delete = true;
    script::refuse_speechless(link)?;
    refuse_bags(
        link,
        "a script",
        "trueup sync writes it as a whole, and trueup diff --out lists its differences",
    )?;
    let (mut compared, _) = read(link, link.mode, world)?;
    script::write(link, &mut compared, out)?;
    Ok(differences(link, &compared))
}

fn differences(link: &Link, compared: &[Compared]) -> Report {
    let mut report = report(link, compared, None);
    report.equal = compared.iter().all(|one| {
        let found = one.differences;
        found.only_source + found.only_target + found.changed == 0 && one.parked.is_empty()
    });
    report
}

/// Compares, and passes the plan to `out` as the lines of a file for [`carry_out`]. Writes nothing to either side, and
/// nothing to `out` when a guard stops the plan.
///
/// # Errors
/// As [`run`], without those of writing; those of `out`.
pub fn plan_file(
    link: &mut Link,
    world: &World<'_>,
    out: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<Report> {
    one_way_only(link)?;
    refuse_bags(
        link,
        "a plan in a file",
        "trueup sync writes it as a whole, and --dry-run shows what that would do",
    )?;
    link.mode.count_all = true;
    // The file says the digests of both sides.
    if link.mode.compare == Comparison::Hash {
        return Err(
            Error::config("a plan in a file has digests, which hashes do not give")
                .hint(WITHOUT_HASHES),
        );
    }
    link.mode.compare = Comparison::Stream;
    let (mut compared, _) = read(link, link.mode, world)?;
    guard(link, &compared)?;
    plan_file::write(link, &mut compared, world, out)?;
    let mut report = report(link, &compared, None);
    report.equal = compared.iter().all(|one| one.plan.is_empty());
    Ok(report)
}

/// Compares the two sides of `link` by the path that verifies a run, and shares nothing with the one that decides what to
/// write. Writes nothing, anywhere. `store` says what is parked and what is in open conflict: that takes no part, and
/// keeps the sides from being equal. The report has a certificate also where they are not.
///
/// # Errors
/// As [`run`], without those of writing.
pub fn verify(link: &mut Link, store: Option<&Store>, world: &World<'_>) -> Result<Report> {
    link.mode.write = false;
    let id = link.id();
    if link.two_way.is_some() {
        return two_way::prove_alone(link, store, &id, world);
    }
    prove_alone(link, store, &id, world)
}

/// Compares, and passes the plan to `out` line by line: exactly what [`run`] would carry out. Writes nothing. A two-way
/// link needs the `store` to know what the sides agreed on; without one they are joined.
///
/// # Errors
/// As [`run`], without those of writing; a plan that a guard stops is printed first.
pub fn plan(
    link: &mut Link,
    store: Option<&Store>,
    world: &World<'_>,
    form: Form,
    out: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<Report> {
    if link.two_way.is_some() {
        let id = link.id();
        return two_way::plan(link, store, &id, world, form, out);
    }
    // The link is prepared as for a run; what compare finds is only told.
    let mode = Mode {
        write: false,
        ..link.mode
    };
    let pending = store.map_or(Ok(BTreeMap::new()), |store| {
        store.under_construction(&link.id())
    })?;
    let collections = connect::prepare(link, &pending)?;
    let building = Building::gather(link, &collections)?;
    let (mut compared, _) = read_prepared(link, collections, mode, world)?;
    for one in &mut compared {
        one.print(form, out)?;
    }
    let structure = building.planned();
    if let Some(structure) = &structure {
        structure.print(form, out)?;
    }
    guard(link, &compared)?;
    let mut report = report(link, &compared, None);
    let building = structure
        .as_ref()
        .is_some_and(|one| !one.planned.is_empty());
    report.equal = compared.iter().all(|one| one.plan.is_empty()) && !building;
    report.structure = structure;
    Ok(report)
}

fn journey(
    link: &mut Link,
    store: &mut Store,
    id: &LinkId,
    selection: Option<&mut dyn Selection>,
    world: &World<'_>,
) -> Result<Report> {
    travelled(link, store, id, selection, world).map(|(report, _)| report)
}

/// The journey, with the position of the source's snapshot.
fn travelled(
    link: &mut Link,
    store: &mut Store,
    id: &LinkId,
    mut selection: Option<&mut dyn Selection>,
    world: &World<'_>,
) -> Result<(Report, Position)> {
    let seen = link.target.epoch(&id.durable);
    let seen = seen.map_err(|error| error.at("target"))?;
    let seen = settle_bags(link, store, id, seen)?;
    // What is chosen is chosen record by record, so a load is compared like everything else.
    link.mode.count_all |= selection.is_some();
    let pending = store.under_construction(id)?;
    let collections = connect::prepare(link, &pending)?;
    let mut building = Building::gather(link, &collections)?;
    store.not_constructing(id, &building.foreign(&pending))?;
    store.met(id)?;
    let (mut compared, mut source) = read_prepared(link, collections, link.mode, world)?;
    if let Some(selection) = selection.as_deref_mut() {
        select(&mut compared, selection, world)?;
        for left in compared.iter().filter(|one| one.plan.create.is_none()) {
            let created = left.collection.create.as_ref();
            let left = created.and(left.collection.construction.as_ref());
            left.into_iter().for_each(|left| building.leave_out(left));
        }
    }
    guard(link, &compared)?;
    world.failpoints.pass("engine.planned")?;

    let mut notes = Vec::new();
    let (mut written, mut structure) = (None, None);
    if compared.iter().any(|one| !one.plan.is_empty()) || !building.collections.is_empty() {
        let position = source.position().0.into_bytes();
        let target = link.target.as_mut();
        let mut applier = Applier::claim(target, store, id, position, seen, world)?;
        applier.construct(&building)?;
        written = Some(applier.apply(&mut compared, source.as_mut(), &mut notes)?);
        structure = applier.build(building)?;
    } else if let Err(error) = link.target.sweep() {
        // The target agrees, whatever lies beside it, and may be one that this user cannot write.
        notes.push(format!("target: what a killed run left stays: {error}"));
    }
    let mut report = report(link, &compared, written.as_deref());
    report.notes.extend(notes);
    report.structure = structure;
    shared::note(link, store, &mut report)?;
    report.equal = !selection.is_some_and(|one| one.is_complete()) || report.stayed() == 0;
    if link.mode.verify {
        world.failpoints.pass("engine.verifying")?;
        let (written, source) = (written.as_deref(), source.as_mut());
        prove(link, &compared, written, source, &mut report, world)?;
    }
    report.equal &= report.parked() == 0;
    Ok((report, source.position()))
}

/// Where a bag is written to: makes sure that what a killed run sent is either there before the sides are compared, or
/// never. A record whose commit lands between compare and claim would be written once more. Raising the epoch does
/// that; it is not needed before the first claim, and not possible where there is none. Returns the link's epoch.
fn settle_bags(
    link: &mut Link,
    store: &Store,
    id: &LinkId,
    seen: Option<u64>,
) -> Result<Option<u64>> {
    let bag = link.collections.iter().any(|one| one.rules.bag);
    let Some(before) = seen.filter(|&epoch| bag && link.mode.write && epoch > 0) else {
        return Ok(seen);
    };
    let claim = Claim {
        link: id.durable.clone(),
        incarnation: store.incarnation().to_owned(),
    };
    let claimed = link.target.writer(&claim);
    let now = claimed.map_err(|error| error.at("target"))?.epoch();
    only_we_claimed(before, now).map_err(|error| error.at("target"))?;
    Ok(Some(now))
}

fn park(store: &mut Store, id: &LinkId, run: RunId, report: Report) -> Result<Report> {
    for one in &report.collections {
        store.park(id, &one.target, run, &one.parked)?;
    }
    Ok(report)
}

/// Prepares, reads and compares every collection.
fn read(
    link: &mut Link,
    mode: Mode,
    world: &World<'_>,
) -> Result<(Vec<Compared>, Box<dyn Snapshot>)> {
    let collections = connect::prepare(link, &BTreeMap::new())?;
    read_prepared(link, collections, mode, world)
}

/// Reads and compares every collection; the source's snapshot comes back, because verify reads it once more.
fn read_prepared(
    link: &mut Link,
    collections: Vec<connect::Collection>,
    mode: Mode,
    world: &World<'_>,
) -> Result<(Vec<Compared>, Box<dyn Snapshot>)> {
    tell_shapes(&collections, world);
    let Opened {
        mut source,
        mut target,
    } = open(link, collections.iter(), world)?;
    let mut compared = Vec::new();
    for collection in collections {
        let mut sides = Sides {
            source: source.as_mut(),
            target: target.as_deref_mut(),
            seen: None,
        };
        compared.push(compare::compare(collection, &mut sides, mode, world)?);
    }
    Ok((compared, source))
}

/// Tells listeners how many records the last run of the link saw: about as many will be read now. That the history
/// cannot be read is found out, and said, by what comes next.
fn expect_as_before(store: &Store, id: &LinkId, world: &World<'_>) {
    let past = store.history(RUNS_LOOKED_AT).unwrap_or_default();
    let ours = past.into_iter().filter(|past| past.link == id.name);
    let Some(report) = ours.filter_map(|past| past.report).next() else {
        return;
    };
    for one in &report.collections {
        world.progress.event(Event::Expected {
            collection: &one.source,
            step: Step::Compare,
            records: one.source_fold.count + one.target_fold.count,
        });
    }
}

fn guard(link: &Link, compared: &[Compared]) -> Result<()> {
    if link.mode.lift_guard {
        return Ok(());
    }
    compared.iter().try_for_each(|one| {
        let guard = one.collection.guard.unwrap_or(link.guard);
        guard.judge(&one.plan)
    })
}
