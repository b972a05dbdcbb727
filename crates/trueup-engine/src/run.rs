//! One execution of a link, from connect to verify. Reads like a table of contents.

use crate::link::{Link, World};
use crate::report::Report;
use crate::state::Store;
use trueup_core::Result;

/// Runs `link` once: compares, writes what the mode allows, verifies, and keeps the record in `store`.
///
/// # Errors
/// Every kind. After an error the target holds a consistent part of the plan; the next run goes on.
pub fn run(_link: &mut Link, _store: &mut Store, _world: &World<'_>) -> Result<Report> {
    Err(trueup_core::Error::bug("not built yet"))
}
