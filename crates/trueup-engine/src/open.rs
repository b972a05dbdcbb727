//! Opens what is compared: a snapshot of each side.

use crate::connect;
use crate::link::{Link, World};
use crate::progress::Event;
use trueup_core::Result;
use trueup_core::endpoint::Snapshot;

/// The snapshots that are compared; none of a target in which every collection is missing.
pub(crate) struct Opened {
    pub(crate) source: Box<dyn Snapshot>,
    pub(crate) target: Option<Box<dyn Snapshot>>,
}

/// Opens a snapshot of each side, one after the other.
pub(crate) fn open<'c>(
    link: &mut Link,
    mut collections: impl Iterator<Item = &'c connect::Collection>,
    world: &World<'_>,
) -> Result<Opened> {
    let source = link.source.snapshot().map_err(|error| error.at("source"))?;
    world.failpoints.pass("engine.source_open")?;
    let mut target = None;
    if collections.any(|one| one.create.is_none()) {
        target = Some(link.target.snapshot().map_err(|error| error.at("target"))?);
    }
    Ok(Opened { source, target })
}

/// Tells listeners what is compared.
pub(crate) fn tell_shapes(collections: &[connect::Collection], world: &World<'_>) {
    for one in collections {
        for (side, schema) in [("source", &one.source), ("target", &one.target)] {
            world.progress.event(Event::Shape {
                side,
                collection: &schema.collection,
                fields: schema.fields.len(),
                missing: side == "target" && one.create.is_some(),
            });
        }
    }
}
