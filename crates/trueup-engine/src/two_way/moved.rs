//! Two sides that were kept in agreement as another link: files that were moved, renamed or copied together.
//!
//! A link is known by who its sides are, and a file is known by its path. Moved, the sides are a new link, whose first run
//! joins them: what one side deleted since the last run would come back, and nobody would have asked for that. So such a
//! run is refused. It deliberately carries nothing over: a copy is no reason to take what its original agreed on.

use crate::link::Link;
use crate::state::{LinkId, Store};
use trueup_core::{Error, Kind, Result};

/// Refuses to join sides both of which were written by one and the same other link that the state knows.
///
/// # Errors
/// `Stale`, naming that link; those of the endpoints.
pub(super) fn refuse(link: &mut Link, store: &Store, id: &LinkId) -> Result<()> {
    let known = store.two_way_links()?;
    if known.iter().any(|(durable, ..)| *durable == id.durable) {
        return Ok(());
    }
    for (durable, ends, _) in known {
        let here = link.source.epoch(&durable)?.unwrap_or(0);
        if here == 0 || link.target.epoch(&durable)?.unwrap_or(0) == 0 {
            continue;
        }
        return Err(Error::new(
            Kind::Stale,
            format!(
                "both sides were kept in agreement before, as the link {} <-> {}: they were moved, renamed or copied since, and \
                 under these names nothing is known of what was deleted on either",
                ends.address.source, ends.address.target
            ),
        )
        .hint(
            "nothing was written; put them back where they were, and the link goes on; copies get a state of their own, with \
             --state; to join them anew, and let what was deleted since come back, forget the old link first \
             (trueup status --all lists it, trueup forget takes it)",
        ));
    }
    Ok(())
}
