//! The keys of collections under construction, where they are built after the records.
//!
//! Invariant: between the statement that creates such a collection and the step that builds its key, only the run that
//! created it writes to it, and only loads: records that cannot share a key, each batch known by its marker. A run that
//! dies in between leaves a collection without its key. The next one does not take it for one that has none: the key is
//! built before anything is compared, so before anything is written by it.

use crate::apply::only_we_claimed;
use crate::connect::{self, Collection};
use crate::link::{Link, World};
use crate::state::{LinkId, Stage, Store};
use std::collections::BTreeMap;
use trueup_core::endpoint::{Claim, Writer};
use trueup_core::structure::{Built, Construction, Step};
use trueup_core::{Error, Kind, Result};

/// Prepares the link's collections, and builds the keys that a dead run left out. `seen` is the link's epoch before; returns
/// the one after, which is another where something had to be built.
pub(crate) fn prepare(
    link: &mut Link,
    store: &Store,
    id: &LinkId,
    (seen, pending): (Option<u64>, &BTreeMap<String, Stage>),
    world: &World<'_>,
) -> Result<(Vec<Collection>, Option<u64>)> {
    let collections = connect::prepare(link, pending)?;
    let missing: Vec<Step> = collections.iter().filter_map(missing).cloned().collect();
    if missing.is_empty() {
        return Ok((collections, seen));
    }
    let claim = Claim {
        link: id.durable.clone(),
        incarnation: store.incarnation().to_owned(),
    };
    let claimed = link.target.writer(&claim);
    let mut writer = claimed.map_err(|error| error.at("target"))?;
    world.failpoints.pass("engine.claimed")?;
    let epoch = writer.epoch();
    if let Some(seen) = seen {
        only_we_claimed(seen, epoch).map_err(|error| error.at("target"))?;
    }
    for step in &missing {
        world.check_stop()?;
        build_key(writer.as_mut(), step)?;
        world.failpoints.pass("engine.built")?;
    }
    drop(writer);
    Ok((connect::prepare(link, pending)?, seen.map(|_| epoch)))
}

/// The step that builds the key of a collection that is there without it.
fn missing(collection: &Collection) -> Option<&Step> {
    let there = collection.create.is_none() && collection.target.key.is_empty();
    let construction = collection.construction.as_ref().filter(|_| there);
    construction.and_then(Construction::key)
}

/// Builds a key, and tells whether that was still to be done.
///
/// # Errors
/// As [`Writer::build`]; `Rejected` when the target refuses the key.
pub(crate) fn build_key(writer: &mut dyn Writer, step: &Step) -> Result<bool> {
    let built = writer.build(step);
    is_new(step, built.map_err(|error| error.at("target"))?)
}

/// Tells whether a key that is there now was still to be built.
///
/// # Errors
/// `Rejected` when the target refuses it: what is without a key can neither be verified nor written to again, and the next run
/// builds it before all else.
pub(crate) fn is_new(step: &Step, built: Built) -> Result<bool> {
    match built {
        Built::Done => Ok(true),
        Built::There => Ok(false),
        Built::Refused { reason, hint } => Err(Error::new(
            Kind::Rejected,
            format!("the key is refused: {reason}"),
        )
        .hint(hint.unwrap_or_else(|| {
            "the records are in place; mend the cause, then run again: the key is built first"
                .to_owned()
        }))
        .at(format!("target collection={}", step.collection))),
    }
}
