//! Places in a log, and what a snapshot holds.
//!
//! Invariant: a place is of one server and one database; that of another is never compared with it. Whether a snapshot
//! holds a transaction is decided by the snapshot's own list, never by places (a commit is in the log before others can
//! see it).

use std::fmt;
use trueup_core::endpoint::Position;
use trueup_core::{Error, Result};

/// A place in the write-ahead log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lsn(pub(super) u64);

impl Lsn {
    /// Reads `16/B374D848`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.split_once('/')?;
        let part = |text: &str| u32::from_str_radix(text, 16).ok().map(u64::from);
        Some(Self(part(high)? << 32 | part(low)?))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

/// A place, and in which of the server's histories: each promotion and each restore begins another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) timeline: u32,
    pub(super) lsn: Lsn,
}

/// What stands before the parts of a position.
const TIMELINE: &str = " timeline=";
const LSN: &str = " lsn=";

/// Names a place as a position. `identity` is that of server and database.
pub(super) fn position(identity: &str, place: Place) -> Position {
    let Place { timeline, lsn } = place;
    Position(format!("{identity}{TIMELINE}{timeline}{LSN}{lsn}"))
}

/// Takes a position apart into identity and place.
pub(super) fn parse(position: &Position) -> Option<(&str, Place)> {
    let (rest, lsn) = position.0.rsplit_once(LSN)?;
    let (identity, timeline) = rest.rsplit_once(TIMELINE)?;
    let place = Place {
        timeline: timeline.parse().ok()?,
        lsn: Lsn::parse(lsn)?,
    };
    Some((identity, place))
}

/// Reads in a history file where a timeline was left: a line for each, with its number and that place.
pub(super) fn left(history: &str, timeline: u32) -> Option<Lsn> {
    history.lines().find_map(|line| {
        let mut parts = line.split_whitespace();
        let number: u32 = parts.next()?.parse().ok()?;
        (number == timeline).then(|| Lsn::parse(parts.next()?))?
    })
}

/// Which transactions a snapshot sees: `xmin:xmax:xip,...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    xmin: u64,
    xmax: u64,
    running: Vec<u64>,
}

impl Seen {
    /// Reads the position of a snapshot of the database that `identity` names.
    ///
    /// # Errors
    /// `Config` when it is none.
    pub(super) fn parse(identity: &str, position: &Position) -> Result<Self> {
        let list = position
            .0
            .strip_prefix(identity)
            .and_then(|rest| rest.strip_prefix(LSN)?.split_once(" snapshot="));
        list.and_then(|(_, list)| Self::list(list)).ok_or_else(|| {
            Error::config("the position is not that of a snapshot of this source")
                .hint("take the snapshot from the source that is followed")
        })
    }

    fn list(text: &str) -> Option<Self> {
        let (xmin, rest) = text.split_once(':')?;
        let (xmax, rest) = rest.split_once(':')?;
        let running = rest.split(',').filter(|xid| !xid.is_empty());
        Some(Self {
            xmin: xmin.parse().ok()?,
            xmax: xmax.parse().ok()?,
            running: running.map(|xid| xid.parse().ok()).collect::<Option<_>>()?,
        })
    }

    /// Tells whether a committed transaction is seen. The log says the lower half of its number only: it is the one
    /// nearest to the snapshot's own, because the server lets no two lie further apart.
    pub(super) fn holds(&self, xid: u32) -> bool {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_possible_wrap,
            reason = "numbers of transactions are compared as the server does: modulo 2^32"
        )]
        let distance = xid.wrapping_sub(self.xmax as u32) as i32;
        let Some(full) = self.xmax.checked_add_signed(i64::from(distance)) else {
            // Before the first transaction of all: frozen long ago.
            return true;
        };
        full < self.xmin || (full < self.xmax && !self.running.contains(&full))
    }
}
