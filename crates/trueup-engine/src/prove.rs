//! Verifies every collection at the end of a run and writes the certificate.

use crate::apply::Written;
use crate::certificate::{Certificate, SideProof};
use crate::compare::Compared;
use crate::link::{Link, World};
use crate::report::Report;
use crate::verify::verify;
use trueup_core::Result;
use trueup_core::digest::{ALGORITHM, Digest};
use trueup_core::endpoint::{Endpoint, Snapshot};

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
        let mut apart = refused(written.and_then(|written| written.get(index)));
        let withheld = one.withheld.as_deref().unwrap_or_default();
        apart.extend(withheld);
        let (exact, target) = (link.mode.delete, link.target.as_mut());
        let (mut proof, at) = verify(&one.collection, source, target, exact, &apart, world)?;
        proof.parked -= withheld.len() as u64;
        position = at.0;
        report.equal &= proof.wrong == 0;
        let summary = &mut report.collections[index];
        if withheld.is_empty() {
            // Otherwise a part was read again, and compare is what read all of it last.
            (summary.source_fold, summary.target_fold) = (proof.source_fold, proof.target_fold);
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
