//! What the endpoints that are database servers check alike, and say in the same words.

#[cfg(test)]
pub(crate) mod given;

use trueup_core::schema::{Field, Schema};
use trueup_core::{Error, Kind, Result};

/// Makes sure that a new connection leads to the database that was connected first.
///
/// # Errors
/// `Stale` when it has another identity.
pub(crate) fn same_database(was: &str, is: &str) -> Result<()> {
    if was == is {
        return Ok(());
    }
    Err(Error::new(
        Kind::Stale,
        format!("the address leads to another server now: was={was} is={is}"),
    )
    .hint("nothing was done there; check DNS, failover and the URL, then run again"))
}

/// Makes sure that the link's epoch is still the writer's own.
///
/// # Errors
/// `Stale` when another engine raised it.
pub(crate) fn same_epoch(epoch: u64, current: Option<u64>) -> Result<()> {
    if current == Some(epoch) {
        return Ok(());
    }
    let current = current.map_or_else(|| "none".to_owned(), |epoch| epoch.to_string());
    Err(Error::new(
        Kind::Stale,
        format!("another engine writes this link: epoch={epoch} current={current}"),
    )
    .hint("what this run wrote before that stays; make sure that only one engine runs this link, then run again"))
}

/// Says that a writer's connection is gone: what it wrote last may or may not be there.
pub(crate) fn unusable() -> Error {
    Error::new(Kind::Unavailable, "the writer's connection broke earlier")
        .hint("claim the right to write again, then read the marker")
}

/// Says that nobody knows whether a commit took place.
pub(crate) fn answer_lost(cause: Error) -> Error {
    Error::new(Kind::Unavailable, "the answer to the commit was lost")
        .hint("run again: the marker at the target tells whether it was applied")
        .cause(cause)
}

/// Makes sure that a collection that exists has the designed shape.
///
/// # Errors
/// `Config` when it has not; names the fields.
pub(crate) fn same_shape(designed: &Schema, found: &Schema) -> Result<()> {
    let differing = |field: &&Field| {
        let same = found.fields.iter().find(|other| other.name == field.name);
        same.is_none_or(|other| other.ty != field.ty || other.generated != field.generated)
    };
    let names = designed.fields.iter().filter(differing);
    let names = names.map(|field| field.name.escape_debug().to_string());
    let names = names.collect::<Vec<_>>();
    let count = designed.fields.len() == found.fields.len();
    if names.is_empty() && count && designed.key == found.key {
        return Ok(());
    }
    let collection = designed.collection.escape_debug();
    let fields = if names.is_empty() {
        "key or number of fields".to_owned()
    } else {
        names.join(",")
    };
    Err(Error::config(format!(
        "the collection exists in another shape: collection={collection} differs={fields}"
    ))
    .hint("use it as it is with a mapping, or drop it so that it can be created"))
}
