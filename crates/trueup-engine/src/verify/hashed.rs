//! Proves a collection by hashes that both servers make of their own records.
//!
//! Nothing of the path that wrote the records takes part: neither how they are read, nor what is made of their values. It
//! says that all is well, or nothing: whatever does not agree is read.

use super::rules;
use crate::certificate::CollectionProof;
use crate::compare::hashed::{Sums, sums};
use crate::connect::Collection;
use crate::link::World;
use crate::progress::Step;
use crate::scan::Role;
use trueup_core::Result;
use trueup_core::digest::Fold;
use trueup_core::endpoint::{Endpoint, Position, Snapshot};
use trueup_core::hashes::Bucket;

/// Proves one collection: the source as of `source` against the target as it is now. `None` where the sides cannot hash
/// alike, or do not agree.
///
/// # Errors
/// Those of the endpoints.
pub(crate) fn verify_by_hashes(
    collection: &Collection,
    source: &mut (dyn Snapshot + 'static),
    target: &mut dyn Endpoint,
    world: &World<'_>,
) -> Result<Option<(CollectionProof, Position)>> {
    let name = &collection.target.collection;
    if target
        .schema(name)
        .map_err(|error| error.at("target"))?
        .is_none()
    {
        return Ok(None);
    }
    let mut opened = target.snapshot().map_err(|error| error.at("target"))?;
    let position = opened.position();
    let from = collection.reading(Role::Source, Some(Step::Verify), world);
    let to = collection.reading(Role::Target, Some(Step::Verify), world);
    let halves = [(&from, source), (&to, opened.as_mut())];
    let Some(Sums {
        source,
        target,
        seed,
    }) = sums(collection, halves, world)?
    else {
        return Ok(None);
    };
    if source != target {
        return Ok(None);
    }
    let proof = CollectionProof {
        source: collection.source.collection.clone(),
        target: name.clone(),
        source_fold: total(&source),
        target_fold: total(&target),
        only_target: 0,
        wrong: 0,
        parked: 0,
        open: 0,
        hashed: Some(format!(
            "64-bit hashes of the servers' own, in {} sums, seed {seed:016x}",
            source.len()
        )),
        rules: rules(collection),
    };
    Ok(Some((proof, position)))
}

fn total(buckets: &[Bucket]) -> Fold {
    let mut total = Fold::default();
    for bucket in buckets {
        total.count += bucket.count;
        total.sum = total.sum.wrapping_add(u128::from(bucket.sum));
    }
    total
}
