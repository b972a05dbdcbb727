//! One execution of a link, from connect to verify. Reads like a table of contents.

use crate::apply::{Applier, Written};
use crate::certificate::{Certificate, SideProof};
use crate::compare::{self, Compared, Sides};
use crate::connect::{self, Collection};
use crate::link::{Link, World};
use crate::report::{CollectionReport, Report};
use crate::state::{LinkId, Store};
use crate::verify;
use trueup_core::digest::{ALGORITHM, Digest};
use trueup_core::endpoint::{Class, Snapshot};
use trueup_core::{Error, Kind, Result};

/// Runs `link` once: compares, writes what the mode allows, verifies, and keeps the record in `store`.
///
/// # Errors
/// Every kind. After an error the target holds a consistent part of the plan; the next run goes on.
pub fn run(link: &mut Link, store: &mut Store, world: &World<'_>) -> Result<Report> {
    let id = LinkId {
        durable: link.durable_name(),
        name: link.name(),
    };
    let run = store.begin(&id, world.clock.now_ms())?;
    let result = journey(link, store, &id, world);
    let now = world.clock.now_ms();
    match &result {
        Ok(report) => {
            for one in &report.collections {
                store.park(&id, &one.target, run, &one.parked)?;
            }
            store.finish(run, now, report.exit_code(), None, Some(report))?;
        }
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
    let mut compared = Vec::new();
    let (collections, mut source) = open(link)?;
    read_all(link, collections, source.as_mut(), &mut compared, world)?;
    let mut report = report(link, &compared, None);
    report.equal = compared.iter().all(|one| {
        let found = one.differences;
        found.only_source + found.only_target + found.changed + one.totals.unknown == 0
    });
    Ok(report)
}

/// Compares, and passes the plan's text to `out` line by line: exactly what [`run`] would carry out. Writes nothing.
///
/// # Errors
/// As [`run`], without those of writing; a plan that a guard stops is printed first.
pub fn plan(
    link: &mut Link,
    world: &World<'_>,
    out: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<Report> {
    let mut compared = Vec::new();
    let (collections, mut source) = open(link)?;
    read_all(link, collections, source.as_mut(), &mut compared, world)?;
    for one in &mut compared {
        one.print(out)?;
    }
    guard(link, &compared)?;
    let mut report = report(link, &compared, None);
    report.equal = compared.iter().all(|one| one.plan.is_empty());
    Ok(report)
}

fn journey(link: &mut Link, store: &mut Store, id: &LinkId, world: &World<'_>) -> Result<Report> {
    let mut compared = Vec::new();
    let (collections, mut source) = open(link)?;
    read_all(link, collections, source.as_mut(), &mut compared, world)?;
    guard(link, &compared)?;
    world.failpoints.pass("engine.planned")?;

    let mut notes = Vec::new();
    let mut written = None;
    if compared.iter().any(|one| !one.plan.is_empty()) {
        let position = source.position().0.into_bytes();
        let mut applier = Applier::claim(link.target.as_mut(), store, id, position, world)?;
        written = Some(applier.apply(&mut compared, source.as_mut(), &mut notes)?);
    }
    let mut report = report(link, &compared, written.as_deref());
    report.notes.extend(notes);
    report.equal = true;
    if link.mode.verify {
        world.failpoints.pass("engine.verifying")?;
        prove(
            link,
            &compared,
            written.as_deref(),
            source.as_mut(),
            &mut report,
            world,
        )?;
    }
    report.equal &= report.parked() == 0;
    Ok(report)
}

fn open(link: &mut Link) -> Result<(Vec<Collection>, Box<dyn Snapshot>)> {
    let (source, target) = (link.source.about(), link.target.about());
    if source.identity == target.identity {
        return Err(Error::config("source and target are the same endpoint")
            .hint("name two different places"));
    }
    if link.mode.write && !target.capabilities.write {
        return Err(Error::config(format!(
            "target: {} cannot be written",
            target.address
        )));
    }
    let collections = connect::prepare(link)?;
    let source = link.source.snapshot().map_err(|error| error.at("source"))?;
    Ok((collections, source))
}

fn read_all(
    link: &mut Link,
    collections: Vec<Collection>,
    source: &mut (dyn Snapshot + 'static),
    compared: &mut Vec<Compared>,
    world: &World<'_>,
) -> Result<()> {
    let mode = link.mode;
    let mut target = None;
    if collections
        .iter()
        .any(|collection| collection.create.is_none())
    {
        target = Some(link.target.snapshot().map_err(|error| error.at("target"))?);
    }
    for collection in collections {
        let mut sides = Sides {
            source,
            target: target.as_deref_mut(),
        };
        compared.push(compare::compare(collection, &mut sides, mode, world)?);
    }
    Ok(())
}

fn guard(link: &Link, compared: &[Compared]) -> Result<()> {
    if link.mode.lift_guard {
        return Ok(());
    }
    compared
        .iter()
        .try_for_each(|one| link.guard.judge(&one.plan))
}

fn prove(
    link: &mut Link,
    compared: &[Compared],
    written: Option<&[Written]>,
    source: &mut (dyn Snapshot + 'static),
    report: &mut Report,
    world: &World<'_>,
) -> Result<()> {
    let mut proofs = Vec::new();
    let mut position = String::new();
    for (index, one) in compared.iter().enumerate() {
        let refused: Vec<Digest> = written
            .and_then(|written| written.get(index))
            .map(|done| done.parked.iter().map(|parked| parked.key).collect())
            .unwrap_or_default();
        let (proof, at) = verify::verify(
            &one.collection,
            source,
            link.target.as_mut(),
            link.mode.delete,
            &refused,
            world,
        )?;
        position = at.0;
        report.equal &= proof.wrong == 0;
        let summary = &mut report.collections[index];
        (summary.source_fold, summary.target_fold) = (proof.source_fold, proof.target_fold);
        proofs.push(proof);
    }
    let address = |endpoint: &dyn trueup_core::endpoint::Endpoint| endpoint.about().address;
    report.certificate = Some(Certificate {
        link: link.name(),
        issued_ms: world.clock.now_ms(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        algorithm: ALGORITHM.to_owned(),
        source: SideProof {
            address: address(link.source.as_ref()),
            position: source.position().0,
        },
        target: SideProof {
            address: address(link.target.as_ref()),
            position,
        },
        collections: proofs,
        notes: report.notes.clone(),
    });
    Ok(())
}

fn report(link: &Link, compared: &[Compared], written: Option<&[Written]>) -> Report {
    let target = link.target.about();
    let mut notes = [link.source.about().notes, target.notes].concat();
    if target.class == Class::Blind {
        notes.push("target is of class B: batches carry no marker there".to_owned());
    }
    let collections = compared.iter().enumerate();
    let collections = collections
        .map(|(index, one)| one.report(written.and_then(|written| written.get(index))))
        .collect();
    Report {
        link: link.name(),
        collections,
        notes,
        ..Report::default()
    }
}

impl Compared {
    fn report(&self, written: Option<&Written>) -> CollectionReport {
        let counts = written.map(|written| written.counts).unwrap_or_default();
        let mut parked = self.parked.clone();
        parked.extend(
            written
                .into_iter()
                .flat_map(|written| written.parked.iter().cloned()),
        );
        let mut notes = self.collection.mapping.notes().to_vec();
        notes.extend(
            self.collection
                .target
                .notes
                .iter()
                .map(|note| format!("target: {note}")),
        );
        notes.extend(
            self.collection
                .source
                .notes
                .iter()
                .map(|note| format!("source: {note}")),
        );
        CollectionReport {
            source: self.plan.source.clone(),
            target: self.plan.target.clone(),
            source_fold: self.totals.source,
            target_fold: self.totals.target,
            inserted: counts.inserts,
            updated: counts.updates,
            deleted: counts.deletes,
            unchanged: self.differences.same,
            only_source: self.differences.only_source,
            only_target: self.differences.only_target,
            changed: self.differences.changed,
            parked,
            notes,
        }
    }
}

/// Maps an error's kind to the contract's exit code.
pub fn exit_code(kind: Kind) -> u8 {
    match kind {
        Kind::Config => 2,
        Kind::Auth
        | Kind::Unavailable
        | Kind::Throttled
        | Kind::Stale
        | Kind::Rejected
        | Kind::Corrupt
        | Kind::Interrupted => 3,
        Kind::Guard => 4,
        Kind::Bug => 5,
    }
}
