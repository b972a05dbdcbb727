//! Verify (stub).
use crate::certificate::CollectionProof;
use crate::connect::Collection;
use crate::link::World;
use trueup_core::Result;
use trueup_core::digest::Digest;
use trueup_core::endpoint::{Endpoint, Position, Snapshot};

/// Proves one collection: the source as of `source` against the target as it is now.
pub(crate) fn verify(
    _collection: &Collection,
    _source: &mut dyn Snapshot,
    _target: &mut dyn Endpoint,
    _exact: bool,
    _refused: &[Digest],
    _world: &World<'_>,
) -> Result<(CollectionProof, Position)> {
    Err(trueup_core::Error::bug("stub"))
}
