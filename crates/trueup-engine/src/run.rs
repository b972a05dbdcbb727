//! One execution of a link, from connect to verify. Reads like a table of contents.

use crate::apply::Applier;
use crate::compare::{self, Compared, Sides};
use crate::connect;
use crate::link::{Link, World};
use crate::progress::{Event, Step};
use crate::prove::{prove, prove_alone};
pub use crate::report::exit_code;
use crate::report::{Report, report};
use crate::state::{LinkId, RunId, Store};
use crate::two_way;
use trueup_core::Result;
use trueup_core::endpoint::Snapshot;
use trueup_core::plan::Form;

/// How many past runs are searched for the link's last one.
const RUNS_LOOKED_AT: usize = 50;

/// Runs `link` once: compares, writes what the mode allows, verifies, and keeps the record in `store`.
///
/// # Errors
/// Every kind. After an error the target holds a consistent part of the plan; the next run goes on.
pub fn run(link: &mut Link, store: &mut Store, world: &World<'_>) -> Result<Report> {
    let id = link.id();
    let run = store.begin(&id, world.clock.now_ms())?;
    expect_as_before(store, &id, world);
    let result = if link.two_way.is_some() {
        two_way::run(link, store, &id, run, world)
    } else {
        journey(link, store, &id, world)
    };
    let result = result.and_then(|report| park(store, &id, run, report));
    let now = world.clock.now_ms();
    match &result {
        Ok(report) => store.finish(run, now, report.exit_code(), None, Some(report))?,
        Err(error) => {
            let text = format!("{}: {error}", error.kind().name());
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
    link.mode.write = false;
    link.mode.count_all = true;
    let (compared, _) = read(link, world)?;
    let mut report = report(link, &compared, None);
    report.equal = compared.iter().all(|one| {
        let found = one.differences;
        found.only_source + found.only_target + found.changed == 0 && one.parked.is_empty()
    });
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
    let (mut compared, _) = read(link, world)?;
    for one in &mut compared {
        one.print(form, out)?;
    }
    guard(link, &compared)?;
    let mut report = report(link, &compared, None);
    report.equal = compared.iter().all(|one| one.plan.is_empty());
    Ok(report)
}

fn journey(link: &mut Link, store: &mut Store, id: &LinkId, world: &World<'_>) -> Result<Report> {
    let seen = link.target.epoch(&id.durable);
    let seen = seen.map_err(|error| error.at("target"))?;
    let (mut compared, mut source) = read(link, world)?;
    guard(link, &compared)?;
    world.failpoints.pass("engine.planned")?;

    let mut notes = Vec::new();
    let mut written = None;
    if compared.iter().any(|one| !one.plan.is_empty()) {
        let position = source.position().0.into_bytes();
        let target = link.target.as_mut();
        let mut applier = Applier::claim(target, store, id, position, seen, world)?;
        written = Some(applier.apply(&mut compared, source.as_mut(), &mut notes)?);
    } else if let Err(error) = link.target.sweep() {
        // The target agrees, whatever lies beside it, and may be one that this user cannot write.
        notes.push(format!("target: what a killed run left stays: {error}"));
    }
    let mut report = report(link, &compared, written.as_deref());
    report.notes.extend(notes);
    report.equal = true;
    if link.mode.verify {
        world.failpoints.pass("engine.verifying")?;
        let (written, source) = (written.as_deref(), source.as_mut());
        prove(link, &compared, written, source, &mut report, world)?;
    }
    report.equal &= report.parked() == 0;
    Ok(report)
}

fn park(store: &mut Store, id: &LinkId, run: RunId, report: Report) -> Result<Report> {
    for one in &report.collections {
        store.park(id, &one.target, run, &one.parked)?;
    }
    Ok(report)
}

/// Reads and compares every collection; the source's snapshot comes back, because verify reads it once more.
fn read(link: &mut Link, world: &World<'_>) -> Result<(Vec<Compared>, Box<dyn Snapshot>)> {
    let collections = connect::prepare(link)?;
    for one in &collections {
        for (side, schema) in [("source", &one.source), ("target", &one.target)] {
            world.progress.event(Event::Shape {
                side,
                collection: &schema.collection,
                fields: schema.fields.len(),
                missing: side == "target" && one.create.is_some(),
            });
        }
    }
    let mut source = link.source.snapshot().map_err(|error| error.at("source"))?;
    let mut target = None;
    if collections.iter().any(|one| one.create.is_none()) {
        target = Some(link.target.snapshot().map_err(|error| error.at("target"))?);
    }
    let mut compared = Vec::new();
    for collection in collections {
        let mut sides = Sides {
            source: source.as_mut(),
            target: target.as_deref_mut(),
        };
        compared.push(compare::compare(collection, &mut sides, link.mode, world)?);
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
