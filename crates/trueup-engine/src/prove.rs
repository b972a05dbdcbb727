//! Verifies every collection at the end of a run and writes the certificate.

use crate::apply::Written;
use crate::certificate::{Certificate, SideProof};
use crate::compare::Compared;
use crate::link::{Link, World};
use crate::progress::{Event, Step};
use crate::report::Report;
use crate::verify::verify;
use trueup_core::Result;
use trueup_core::digest::{ALGORITHM, Digest};
use trueup_core::endpoint::{Endpoint, Snapshot};
use trueup_core::plan::Counts;

/// Reads both sides again and puts what that proves into `report`: folds, verdict, certificate.
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
    for (index, one) in compared.iter().enumerate() {
        let done = written.and_then(|written| written.get(index));
        let refused = refused(done);
        world.progress.event(Event::Expected {
            collection: &one.collection.source.collection,
            step: Step::Verify,
            records: records(one, done),
        });
        let (exact, target) = (link.mode.delete, link.target.as_mut());
        let (proof, at) = verify(&one.collection, source, target, exact, &refused, world)?;
        position = at.0;
        report.equal &= proof.wrong == 0;
        let summary = &mut report.collections[index];
        (summary.source_fold, summary.target_fold) = (proof.source_fold, proof.target_fold);
        collections.push(proof);
    }
    report.certificate = Some(Certificate {
        link: link.name(),
        issued_ms: world.clock.now_ms(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        algorithm: ALGORITHM.to_owned(),
        source: side(link.source.as_ref(), source.position().0),
        target: side(link.target.as_ref(), position),
        collections,
        notes: report.notes.clone(),
    });
    Ok(())
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
