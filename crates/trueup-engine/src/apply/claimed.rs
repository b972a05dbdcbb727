//! What the workers of a run share: the endpoint that hands out writers, the state store, and the epoch they write under.
//!
//! Invariant: one worker at a time uses any of it, for as long as one call takes. Nothing that waits for another worker happens
//! meanwhile: whoever raises the epoch waits for batches in flight, and those need none of this.

use super::Applier;
use super::settle::only_we_claimed;
use crate::state::Store;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use trueup_core::endpoint::Endpoint;
use trueup_core::{Error, Kind, Result};

/// The target, the store, and the last claim.
pub(super) struct Claimed<'a> {
    pub(super) target: &'a mut dyn Endpoint,
    pub(super) store: &'a mut Store,
    /// The epoch that this run claimed last. A worker whose writer has an older one was refused by our own claim.
    pub(super) epoch: u64,
}

impl<'a> Applier<'a> {
    pub(super) fn claimed(&self) -> MutexGuard<'_, Claimed<'a>> {
        // A worker that panicked left no half of a call behind that another one could see.
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the target keeps markers.
    pub(super) fn keeps_markers(&self) -> bool {
        self.claimed().target.about().capabilities.marker
    }

    /// Whether a batch that ended with `error` has to be looked for: its answer was lost, or another worker of this run
    /// raised the epoch because an answer of its own was.
    pub(super) fn is_lost(&self, error: &Error) -> bool {
        match error.kind() {
            Kind::Unavailable => true,
            Kind::Stale => self.claimed().epoch != self.writer.epoch(),
            _ => false,
        }
    }

    /// Gets a writer under an epoch that refuses whatever this worker has sent and is not there yet: a new one, unless another
    /// worker has claimed it since.
    pub(super) fn claim_again(&mut self) -> Result<()> {
        let mut claimed = self.claimed();
        let ours = claimed.epoch;
        let writer = if ours == self.writer.epoch() {
            let writer = claimed.target.writer(&self.claim)?;
            if claimed.target.about().capabilities.marker {
                only_we_claimed(ours, writer.epoch())?;
            }
            claimed.epoch = writer.epoch();
            writer
        } else {
            let joined = claimed.target.join(&self.claim, ours)?;
            joined.ok_or_else(|| Error::bug("a target that had several writers has one"))?
        };
        drop(claimed);
        self.writer = writer;
        self.writer.constructing(&self.constructing);
        Ok(())
    }

    /// Gets a writer under the present epoch, where another worker claimed it since.
    pub(super) fn follow_claim(&mut self) -> Result<()> {
        if self.claimed().epoch == self.writer.epoch() || self.halted.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.claim_again().map_err(|error| error.at("target"))
    }

    /// Fails when the user wants the run to stop, or another worker has failed.
    pub(super) fn check_stop(&self) -> Result<()> {
        self.world.check_stop()?;
        if self.halted.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Interrupted, "another worker failed"));
        }
        Ok(())
    }
}
