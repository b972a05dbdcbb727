//! Which links follow their source's log, from where, and how far they are.
//!
//! The place to go on is not here but in the target's marker, written with what it stands for. What is here says where
//! the log began, and which snapshot each collection was compared with: losing it costs another comparison.

use super::{LinkId, Store};
use rusqlite::params;
use std::collections::BTreeMap;
use trueup_core::Result;
use trueup_core::endpoint::Position;

/// How a link is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Following {
    /// Where the log began.
    pub start: Position,
    /// Where the log goes on for each collection, by its name at the target.
    pub seams: BTreeMap<String, Seam>,
}

/// What of a log is written already, of one collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seam {
    /// The source's snapshot that it was compared with last.
    pub snapshot: Position,
    /// What the link said of it then, in short.
    pub meaning: String,
}

/// How far a link that is followed has come, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowStanding {
    /// The last position that is durable at the target.
    pub position: Option<String>,
    /// When the source committed the last transaction that is, in microseconds since 1970 UTC.
    pub at_us: Option<i64>,
    /// When the process that follows it was last there, in milliseconds since 1970 UTC.
    pub heard_ms: Option<i64>,
    /// When all that the log had told was durable at the target, the last time that was so, in milliseconds since 1970
    /// UTC: the target is behind by no more than the time since then.
    pub level_ms: Option<i64>,
    /// Transactions written since the log began.
    pub transactions: u64,
    /// Changes written since the log began.
    pub changes: u64,
    /// Bytes that the source keeps for the link, where it says.
    pub kept_bytes: Option<u64>,
    /// Bytes of the log that are not told yet, where the source says.
    pub untold_bytes: Option<u64>,
}

impl Store {
    /// Records that the link follows a log from `following.start`, its collections compared as `following.seams` say. What
    /// was on record of an earlier log of the link is forgotten.
    ///
    /// # Errors
    /// `Bug` unless this store began a run of the link.
    pub fn begin_following(&mut self, link: &LinkId, following: &Following) -> Result<()> {
        let id = self.ours(link)?;
        self.write("record that a log is followed", |transaction| {
            transaction.execute("DELETE FROM seam WHERE link = ?1", [id])?;
            transaction.execute(
                "INSERT INTO following (link, start) VALUES (?1, ?2) ON CONFLICT (link) DO UPDATE SET \
                 start = excluded.start",
                params![id, following.start.0],
            )?;
            let sql = "INSERT INTO seam (link, collection, snapshot, meaning) VALUES (?1, ?2, ?3, ?4)";
            let mut insert = transaction.prepare(sql)?;
            for (collection, seam) in &following.seams {
                insert.execute(params![id, collection, seam.snapshot.0, seam.meaning])?;
            }
            Ok(())
        })
    }

    /// Returns how the link is followed; `None` where it is not, yet.
    ///
    /// # Errors
    /// As reading the file has.
    pub fn following(&self, link: &LinkId) -> Result<Option<Following>> {
        let start: Option<String> = self.read_one(
            "read which log is followed",
            "SELECT start FROM following JOIN link ON link.id = following.link WHERE durable = ?1",
            [&link.durable],
        )?;
        let Some(start) = start else {
            return Ok(None);
        };
        let seams = self.read_all(
            "read which log is followed",
            "SELECT collection, snapshot, meaning FROM seam JOIN link ON link.id = seam.link WHERE durable = ?1",
            [&link.durable],
            |row| {
                let seam = Seam {
                    snapshot: Position(row.get(1)?),
                    meaning: row.get(2)?,
                };
                Ok((row.get(0)?, seam))
            },
        )?;
        Ok(Some(Following {
            start: Position(start),
            seams: seams.into_iter().collect(),
        }))
    }

    /// Records how far the link has come. Durable as a checkpoint is.
    ///
    /// # Errors
    /// As [`Store::begin_following`].
    pub fn followed(&mut self, link: &LinkId, standing: &FollowStanding) -> Result<()> {
        let id = self.ours(link)?;
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.write("record how far a log was followed", |transaction| {
            transaction.execute(
                "UPDATE following SET position = ?2, at_us = ?3, heard_ms = ?4, level_ms = ?5, transactions = ?6, \
                 changes = ?7, kept_bytes = ?8, untold_bytes = ?9 WHERE link = ?1",
                params![
                    id,
                    standing.position,
                    standing.at_us,
                    standing.heard_ms,
                    standing.level_ms,
                    count(standing.transactions),
                    count(standing.changes),
                    standing.kept_bytes.map(count),
                    standing.untold_bytes.map(count),
                ],
            )?;
            Ok(())
        })
    }

    /// Returns how far the link, by its durable name, has come; `None` where it follows no log.
    ///
    /// # Errors
    /// As reading the file has.
    pub fn follow_standing(&self, durable: &str) -> Result<Option<FollowStanding>> {
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        let rows = self.read_all(
            "read how far a log was followed",
            "SELECT position, at_us, heard_ms, level_ms, transactions, changes, kept_bytes, untold_bytes \
             FROM following JOIN link ON link.id = following.link WHERE durable = ?1",
            [durable],
            |row| {
                Ok(FollowStanding {
                    position: row.get(0)?,
                    at_us: row.get(1)?,
                    heard_ms: row.get(2)?,
                    level_ms: row.get(3)?,
                    transactions: count(row.get(4)?),
                    changes: count(row.get(5)?),
                    kept_bytes: row.get::<_, Option<i64>>(6)?.map(count),
                    untold_bytes: row.get::<_, Option<i64>>(7)?.map(count),
                })
            },
        )?;
        Ok(rows.into_iter().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> LinkId {
        LinkId {
            durable: "a -> b".to_owned(),
            name: "a for people".to_owned(),
            said: None,
        }
    }

    fn seam(position: &str) -> Seam {
        Seam {
            snapshot: at(position),
            meaning: "all".to_owned(),
        }
    }

    fn at(position: &str) -> Position {
        Position(position.to_owned())
    }

    #[test]
    fn a_log_is_followed_until_the_link_is_forgotten() -> Result<()> {
        let mut store = Store::in_memory("test")?;
        let link = link();
        let run = store.begin(&link, 1)?;
        assert_eq!(store.following(&link)?, None);
        let first = Following {
            start: at("1"),
            seams: [
                ("orders".to_owned(), seam("2")),
                ("items".to_owned(), seam("2")),
            ]
            .into(),
        };
        store.begin_following(&link, &first)?;
        assert_eq!(store.following(&link)?, Some(first));
        let again = Following {
            start: at("7"),
            seams: [("orders".to_owned(), seam("8"))].into(),
        };
        store.begin_following(&link, &again)?;
        assert_eq!(store.following(&link)?, Some(again));
        let standing = FollowStanding {
            position: Some("9".to_owned()),
            at_us: Some(-5),
            heard_ms: Some(12),
            level_ms: Some(11),
            transactions: 3,
            changes: 40,
            kept_bytes: None,
            untold_bytes: Some(0),
        };
        store.followed(&link, &standing)?;
        assert_eq!(store.follow_standing(&link.durable)?, Some(standing));
        store.finish(run, 2, 0, None, None)?;
        assert!(store.forget_link(&link.durable)?);
        assert_eq!(store.following(&link)?, None);
        assert_eq!(store.follow_standing(&link.durable)?, None);
        Ok(())
    }
}
