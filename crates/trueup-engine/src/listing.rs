//! Showing differences as they are found, to whoever lists them.

use crate::connect::Collection;
use trueup_core::Result;
use trueup_core::batch::Record;
use trueup_core::diff::Difference;
use trueup_core::digest::Digest;
use trueup_core::keyed::Standing;

/// The shape in which both sides' records are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The source's name for the collection.
    pub source: String,
    /// The target's name for it.
    pub target: String,
    /// The names of the fields, the target's.
    pub fields: Vec<String>,
    /// The key, as positions among the fields; none in a bag.
    pub key: Vec<usize>,
}

impl Shape {
    pub(crate) fn of(collection: &Collection) -> Self {
        let mapping = &collection.mapping;
        Self {
            source: collection.source.collection.clone(),
            target: collection.target.collection.clone(),
            fields: mapping
                .fields()
                .iter()
                .map(|field| field.name.clone())
                .collect(),
            key: mapping.key().to_vec(),
        }
    }
}

/// One difference: the record of each side that has one, in the terms of the comparison.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The source's record.
    pub source: Option<Record<'a>>,
    /// The target's record.
    pub target: Option<Record<'a>>,
    /// The digest of the one record there is, or of the source's: the name that a record of a bag has in plans.
    pub digest: Digest,
}

/// Who is shown the differences. An error ends the comparison.
pub trait Listing {
    /// Is told of all collections before the first difference.
    fn begin(&mut self, shapes: &[Shape]) -> Result<()>;

    /// Is shown a difference of the collection with this index. Collections come in order, and keys within each.
    fn difference(&mut self, collection: usize, found: Found<'_>) -> Result<()>;
}

/// Returns what `difference` has to show.
pub(crate) fn found(difference: Difference<'_>) -> Option<Found<'_>> {
    let (source, target) = match difference {
        Difference::OnlySource(source) => (Some(source), None),
        Difference::OnlyTarget(target) => (None, Some(target)),
        Difference::Changed { source, target } => (Some(source), Some(target)),
        Difference::Same(_) | Difference::Unknown { .. } => return None,
    };
    let digest = match source.or(target).map(|entry| entry.standing) {
        Some(Standing::Present(digest)) => digest,
        Some(Standing::Unknown) | None => Digest::default(),
    };
    Some(Found {
        digest,
        source: source.map(|entry| entry.record),
        target: target.map(|entry| entry.record),
    })
}
