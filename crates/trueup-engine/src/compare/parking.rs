//! Where the records of a collection that fit nowhere are put while it is read.
//!
//! Invariant: there are never more of them than the limit allows; what passes it is a matter of the mapping, and ends the run.

use crate::scan::Piece;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use trueup_core::park::Parked;
use trueup_core::{Error, Result};

/// Parked records of one collection, bounded, and the number of those that its filter hides.
#[derive(Debug)]
pub(crate) struct Parking {
    parked: Mutex<Vec<Parked>>,
    hidden: AtomicU64,
    max: usize,
}

impl Parking {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            parked: Mutex::new(Vec::new()),
            hidden: AtomicU64::new(0),
            max,
        }
    }

    /// Takes what a piece parks and hides out of it.
    pub(crate) fn park(&self, piece: &mut Piece) -> Result<()> {
        self.hidden.fetch_add(piece.hidden, Ordering::Relaxed);
        let new = std::mem::take(&mut piece.parked);
        if new.is_empty() {
            return Ok(());
        }
        let mut parked = self
            .parked
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        parked.extend(new);
        check_room(&parked, self.max)
    }

    /// Returns the parked records, and the number of hidden ones.
    pub(crate) fn into_inner(self) -> (Vec<Parked>, u64) {
        let parked = self.parked.into_inner();
        (
            parked.unwrap_or_else(std::sync::PoisonError::into_inner),
            self.hidden.into_inner(),
        )
    }
}

/// Makes sure that not too many records were parked.
pub(crate) fn check_room(parked: &[Parked], max: usize) -> Result<()> {
    if parked.len() <= max {
        return Ok(());
    }
    let last = parked.last().map_or("", |parked| &parked.reason);
    Err(Error::config(format!(
        "more than {max} records do not fit the target; the last one: {last}"
    ))
    .hint("this is a matter of the mapping, not of single records: change a type, cast or drop the field"))
}
