//! Follows a source's log: copies once, then writes what changes, until it is asked to stop.
//!
//! Invariant: the target's marker says which transactions of the source are written there, and is written with them. So
//! whatever breaks, the way back is the same: claim the target, read the marker, open the log behind it. Where the log
//! does not hold what comes next, the sides are compared and made to agree by an ordinary run; never is all copied anew.
//!
//! It deliberately trusts no connection: after any failure that may pass, everything is opened again
//! (`docs/design/0013-follow.md`).

mod apply;
mod group;
mod session;
mod stream;

use crate::link::{Link, World};
use crate::report::Report;
use crate::state::Store;
use session::{End, Session};
use trueup_core::{Error, Kind, Result};

/// How long to wait before the first new attempt, and at most, in milliseconds; twice as long each time.
const PAUSE_MS: u64 = 500;
const PAUSE_MS_MAX: u64 = 30_000;

/// What was done while a link was followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Transactions of the source that were written, in whole or what concerns the link of them.
    pub transactions: u64,
    /// Changes among them.
    pub changes: u64,
}

/// Follows `link` until it is asked to stop. Each time the sides are compared (at first, and where the log was lost or a
/// collection has got another shape), `copied` is shown what that run did.
///
/// # Errors
/// Every kind but those that pass by themselves: those are tried again. Nothing is lost by any: the next call goes on
/// where this one ended.
pub fn follow(
    link: &mut Link,
    store: &mut Store,
    world: &World<'_>,
    copied: &mut dyn FnMut(&Report) -> Result<()>,
) -> Result<Followed> {
    refuse(link)?;
    let mut followed = Followed::default();
    let mut pause_ms = PAUSE_MS;
    let mut anew = false;
    loop {
        let before = followed;
        let mut session = Session {
            link,
            store,
            world,
            copied,
            followed: &mut followed,
            anew: &mut anew,
        };
        let error = match session.run() {
            Ok(End::Stopped) => return Ok(followed),
            Ok(End::Reshaped) => {
                anew = true;
                if followed == before {
                    // A log that tells of another shape each time it is begun must not be begun all the time.
                    world.clock.wait_ms(pause_ms);
                    pause_ms = (pause_ms * 2).min(PAUSE_MS_MAX);
                }
                continue;
            }
            Err(error) if world.is_stopped() && error.kind() == Kind::Interrupted => {
                return Ok(followed);
            }
            Err(error) => error,
        };
        if !passes(error.kind()) {
            return Err(error);
        }
        if followed != before {
            pause_ms = PAUSE_MS;
        }
        let note = format!("{error}; going on from the last position at the target");
        world.progress.note(&note);
        world.clock.wait_ms(pause_ms);
        pause_ms = (pause_ms * 2).min(PAUSE_MS_MAX);
        if world.is_stopped() {
            return Ok(followed);
        }
    }
}

/// Whether trying again may help by itself.
fn passes(kind: Kind) -> bool {
    matches!(kind, Kind::Unavailable | Kind::Throttled)
}

/// Refuses what cannot be followed, before anything is opened.
fn refuse(link: &Link) -> Result<()> {
    if link.two_way.is_some() {
        return Err(
            Error::config("a link that goes both ways is not followed yet")
                .hint("leave out when, and run it again and again"),
        );
    }
    let target = link.target.about();
    if !target.capabilities.marker {
        return Err(Error::config(format!(
            "target: {} keeps no markers, so that nobody could say after a crash what is written there",
            target.address
        ))
        .hint("follow into a database in which trueup may have its control tables; or leave out when, and run again and again"));
    }
    match link.collections.iter().find(|one| one.rules.bag) {
        None => Ok(()),
        Some(bag) => Err(Error::config(format!(
            "collection={}: changes are told by keys, and it has none: its key is all",
            bag.source
        ))
        .hint("name its key, or leave the collection out")),
    }
}
