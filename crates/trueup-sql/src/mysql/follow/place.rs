//! Positions in the log, and where a snapshot stands among them.
//!
//! Invariant: a position names the server and the last transaction of every domain; what follows them is everything that
//! was committed after it. Where a snapshot stands is told by file and byte, which the server says for the snapshot itself.

use std::collections::BTreeMap;
use std::fmt;
use trueup_core::endpoint::Position;
use trueup_core::{Error, Result};

/// The last transaction of each domain, as `domain-server-number`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gtids(BTreeMap<u32, (u32, u64)>);

impl Gtids {
    /// Reads `0-1-42,1-7-3`; nothing at all is a log that has not begun.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut all = BTreeMap::new();
        for one in text.split(',').filter(|one| !one.is_empty()) {
            let mut numbers = one.split('-');
            let domain = numbers.next()?.parse().ok()?;
            let server = numbers.next()?.parse().ok()?;
            let seq = numbers.next()?.parse().ok()?;
            if numbers.next().is_some() || all.insert(domain, (server, seq)).is_some() {
                return None;
            }
        }
        Some(Self(all))
    }

    /// Says that this transaction is the domain's last.
    pub(super) fn advance(&mut self, domain: u32, server: u32, seq: u64) {
        self.0.insert(domain, (server, seq));
    }

    /// Returns the first transaction that `log` has not come to.
    pub(super) fn beyond(&self, log: &Self) -> Option<String> {
        let mut all = self.0.iter();
        let missing = |(domain, (_, seq)): &(&u32, &(u32, u64))| {
            log.0.get(domain).is_none_or(|(_, reached)| reached < seq)
        };
        all.find(missing)
            .map(|(domain, (server, seq))| format!("{domain}-{server}-{seq}"))
    }

    /// Whether each of the domains of `other` ends at the same transaction here.
    pub(super) fn holds(&self, other: &Self) -> bool {
        let mut all = other.0.iter();
        all.all(|(domain, last)| self.0.get(domain) == Some(last))
    }
}

impl fmt::Display for Gtids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (domain, (server, seq))) in self.0.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            write!(f, "{comma}{domain}-{server}-{seq}")?;
        }
        Ok(())
    }
}

/// Whose log it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// As in the endpoint's description.
    pub(super) identity: String,
    /// The server's own number, where it has one.
    pub(super) uid: String,
}

/// A place between two transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) gtids: Gtids,
    /// The file and where in it the transaction ends that came last; unknown before the first.
    pub(super) at: Option<(String, u64)>,
}

impl Place {
    /// Writes it down for good.
    pub(super) fn position(&self, origin: &Origin) -> Position {
        let Origin { identity, uid } = origin;
        let mut text = format!("{identity} server={uid} gtid={}", self.gtids);
        if let Some((file, end)) = &self.at {
            text.push_str(&format!(" at={file}:{end}"));
        }
        Position(text)
    }

    /// Reads what [`Place::position`] wrote, with whose it is; `None` when it is no such position.
    pub(super) fn parse(position: &Position) -> Option<(Self, Origin)> {
        let (identity, rest) = position.0.rsplit_once(" server=")?;
        let (uid, rest) = rest.split_once(" gtid=")?;
        let (gtids, at) = match rest.split_once(" at=") {
            Some((gtids, at)) => (gtids, Some(at)),
            None => (rest, None),
        };
        let at = match at {
            Some(at) => {
                let (file, end) = at.rsplit_once(':')?;
                Some((file.to_owned(), end.parse().ok()?))
            }
            None => None,
        };
        let place = Self {
            gtids: Gtids::parse(gtids)?,
            at,
        };
        let origin = Origin {
            identity: identity.to_owned(),
            uid: uid.to_owned(),
        };
        Some((place, origin))
    }
}

/// A place in the log's files, which can be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    file: u64,
    end: u64,
}

impl Spot {
    /// `None` where the file's name does not end in a number.
    pub(super) fn new(file: &str, end: u64) -> Option<Self> {
        let (_, number) = file.rsplit_once('.')?;
        let file = number.parse().ok()?;
        Some(Self { file, end })
    }

    /// Where a snapshot of this database stands.
    ///
    /// # Errors
    /// `Config` when the position is not one of this database's snapshots.
    pub(super) fn of_snapshot(position: &Position, identity: &str) -> Result<Self> {
        let found = position.0.strip_prefix(identity).and_then(|rest| {
            let said = |name: &str| {
                let mut words = rest.split(' ');
                words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
            };
            let end = said("binlog_snapshot_position")?.parse().ok()?;
            Self::new(said("binlog_snapshot_file")?, end)
        });
        found.ok_or_else(|| {
            Error::config(format!(
                "this is no place in the log of the source: position={position}"
            ))
            .hint("compare the source anew, with its log switched on (log_bin=ON)")
        })
    }
}
