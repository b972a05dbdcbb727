//! Starts a scan: of a whole side, or of the part of it that hashes did not show to be equal.

use super::Reading;
use std::sync::Arc;
use trueup_core::endpoint::{Order, Scan, Snapshot};
use trueup_core::hashes::{Chosen, Hashing};
use trueup_core::{Error, Result};

/// The records that hashes did not show to be equal.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) hashing: Hashing,
    pub(crate) chosen: Arc<Chosen>,
}

impl Reading<'_> {
    pub(super) fn start<'s>(
        &self,
        snapshot: &'s mut (dyn Snapshot + 'static),
        ordered: bool,
    ) -> Result<Box<dyn Scan + 's>> {
        let key = self.translation.key().unwrap_or_default();
        let order = if ordered && !self.ascending {
            Order::Key(&key)
        } else {
            Order::Natural
        };
        let Some(part) = &self.part else {
            return self.request(order, |request| snapshot.scan(request));
        };
        let hashes = snapshot
            .hashes()
            .ok_or_else(|| Error::bug("an endpoint that made hashes makes none"))?;
        hashes.scan(&self.whole(Order::Key(&key)), &part.hashing, &part.chosen)
    }
}
