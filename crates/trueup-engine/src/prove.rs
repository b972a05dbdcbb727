//! Verifies every collection at the end of a run and writes the certificate.

use crate::apply::Written;
use crate::certificate::{Certificate, CollectionProof, SideProof};
use crate::compare::Compared;
use crate::connect::{self, Collection};
use crate::link::{Comparison, Link, World};
use crate::progress::{Event, Step};
use crate::report::{CollectionReport, Report};
use crate::state::{LinkId, Store};
use crate::verify::{verify, verify_by_hashes};
use std::collections::BTreeMap;
use trueup_core::Result;
use trueup_core::digest::{ALGORITHM, Digest};
use trueup_core::endpoint::{Endpoint, Position, Snapshot};
use trueup_core::park::Parked;
use trueup_core::plan::Counts;
use trueup_core::side::Sides;

/// Reads both sides again and puts what that proves into `report`: folds, verdict, certificate.
///
/// Records that were left out of the plan take no part. What is proven then is no proof of the collection, so there is
/// a certificate only if it says that something else is wrong.
pub(crate) fn prove(
    link: &mut Link,
    compared: &[Compared],
    written: Option<&[Written]>,
    source: &mut (dyn Snapshot + 'static),
    report: &mut Report,
    world: &World<'_>,
) -> Result<()> {
    let mut collections = Vec::new();
    let mut position = String::new();
    if compared.iter().any(|one| one.withheld.is_none()) {
        let note = "too many records were left as they are: nothing was verified";
        report.notes.push(note.to_owned());
        return Ok(());
    }
    for (index, one) in compared.iter().enumerate() {
        let done = written.and_then(|written| written.get(index));
        let mut apart = refused(done);
        let withheld = one.withheld.as_deref().unwrap_or_default();
        apart.extend(withheld);
        world.progress.event(Event::Expected {
            collection: &one.collection.source.collection,
            step: Step::Verify,
            records: records(one, done),
        });
        let (exact, target) = (link.mode.delete, link.target.as_mut());
        let way = (link.mode.compare, exact);
        let (mut proof, at) = proven(&one.collection, source, target, way, &apart, world)?;
        proof.parked -= withheld.len() as u64;
        position = at.0;
        report.equal &= proof.wrong == 0;
        let summary = &mut report.collections[index];
        if withheld.is_empty() {
            // Otherwise a part was read again, and compare is what read all of it last.
            (summary.source_fold, summary.target_fold) = (proof.source_fold, proof.target_fold);
            summary.unread = unread(&proof);
        }
        collections.push(proof);
    }
    let stayed = report.stayed();
    if stayed > 0 && collections.iter().all(|proof| proof.wrong == 0) {
        let were = if stayed == 1 {
            "record was"
        } else {
            "records were"
        };
        report.notes.push(format!(
            "{stayed} differing {were} left; all others were read again and agree; a part gets no certificate"
        ));
        return Ok(());
    }
    let positions = Sides::new(source.position().0, position);
    report.certificate = Some(certificate(link, positions, collections, report, world));
    Ok(())
}

/// Proves a link by itself: what no run has just compared. Both sides are read, nothing is written. What `store` says is
/// parked takes no part; it is counted, and keeps the sides from being equal.
pub(crate) fn prove_alone(
    link: &mut Link,
    store: Option<&Store>,
    id: &LinkId,
    world: &World<'_>,
) -> Result<Report> {
    let subjects = connect::prepare(link, &BTreeMap::new())?;
    let mut source = link.source.snapshot().map_err(|error| error.at("source"))?;
    let mut report = Report {
        link: link.name(),
        equal: true,
        notes: [link.source.about().notes, link.target.about().notes].concat(),
        ..Report::default()
    };
    let (mut collections, mut position) = (Vec::new(), String::new());
    for one in &subjects {
        let parked = match store {
            Some(store) => store.parked(id, &one.target.collection)?,
            None => Vec::new(),
        };
        let left_out: Vec<Digest> = parked.iter().map(|parked| parked.key).collect();
        let (exact, target) = (link.mode.delete, link.target.as_mut());
        let way = (link.mode.compare, exact);
        let (proof, at) = proven(one, source.as_mut(), target, way, &left_out, world)?;
        position = at.0;
        let summary = summary(&proof, parked);
        report.equal &= proof.wrong == 0 && proof.parked == 0 && summary.parked.is_empty();
        report.collections.push(summary);
        collections.push(proof);
    }
    let positions = Sides::new(source.position().0, position);
    report.certificate = Some(certificate(link, positions, collections, &report, world));
    Ok(report)
}

/// Proves one collection: by hashes where they were asked for and say that all is well, else by reading.
fn proven(
    collection: &Collection,
    source: &mut (dyn Snapshot + 'static),
    target: &mut dyn Endpoint,
    (compare, exact): (Comparison, bool),
    apart: &[Digest],
    world: &World<'_>,
) -> Result<(CollectionProof, Position)> {
    if compare == Comparison::Hash && apart.is_empty() {
        let proof = verify_by_hashes(collection, source, target, world)?;
        if let Some(proof) = proof {
            return Ok(proof);
        }
    }
    verify(collection, source, target, exact, apart, world)
}

/// How many records of each side were proven without being read.
fn unread(proof: &CollectionProof) -> u64 {
    proof.hashed.as_ref().map_or(0, |_| proof.source_fold.count)
}

/// What a proof says of a collection, without the run that a report is usually about.
pub(crate) fn summary(proof: &CollectionProof, parked: Vec<Parked>) -> CollectionReport {
    CollectionReport {
        source: proof.source.clone(),
        target: proof.target.clone(),
        source_fold: proof.source_fold,
        target_fold: proof.target_fold,
        only_target: proof.only_target,
        changed: proof.wrong,
        parked,
        unread: unread(proof),
        ..CollectionReport::default()
    }
}

/// Writes the certificate of what was proven about the link's sides, as the user names them.
pub(crate) fn certificate(
    link: &Link,
    positions: Sides<String>,
    collections: Vec<CollectionProof>,
    report: &Report,
    world: &World<'_>,
) -> Certificate {
    Certificate {
        link: link.name(),
        issued_ms: world.clock.now_ms(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        algorithm: ALGORITHM.to_owned(),
        source: side(link.source.as_ref(), positions.source),
        target: side(link.target.as_ref(), positions.target),
        collections,
        notes: report.notes.clone(),
    }
}

/// How many records both sides should have by now.
fn records(one: &Compared, done: Option<&Written>) -> u64 {
    let counts = done.map_or_else(Counts::default, |done| done.counts);
    let (source, target) = (one.totals.source.count, one.totals.target.count);
    (source + target + counts.inserts).saturating_sub(counts.deletes)
}

/// The keys of the records that the target refused: they take no part, they are parked.
fn refused(written: Option<&Written>) -> Vec<Digest> {
    let parked = written.into_iter().flat_map(|written| &written.parked);
    parked.map(|parked| parked.key).collect()
}

fn side(endpoint: &dyn Endpoint, position: String) -> SideProof {
    SideProof {
        address: endpoint.about().address,
        position,
    }
}
