//! One transaction that a two-way run writes with, and what can go wrong in it.
//!
//! Invariant: what a run knows of its pair is written only while that run is the link's newest in the file that stands
//! at the state's path. A lock cannot see to that alone: the file may be put back from a copy under a run, or the lock
//! be removed by hand; what the run then knows belongs to another history, and it is refused before anything is written.
//! The identity of the file is compared as well, because a file that was renamed away takes writes that nobody reads
//! again.
//!
//! It deliberately does not retry: what was refused here is over, and the next run begins anew.

use super::{LinkId, RunId, Store, error, file, place};
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior};
use std::path::Path;
use trueup_core::{Error, Kind, Result};

/// Why a transaction was given up. Nothing of it was written.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite refused.
    Sqlite(rusqlite::Error),
    /// What stands in the file is not what this program writes; says what it is.
    Damaged(&'static str),
    /// We refused.
    Ours(Error),
}

/// What comes of a step of a transaction.
pub(super) type Attempt<T> = std::result::Result<T, Failure>;

impl From<rusqlite::Error> for Failure {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Sqlite(cause)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl Failure {
    /// Turns it into an error that names the file; `doing` says what was tried.
    pub(super) fn told(self, path: &Path, doing: &str) -> Error {
        match self {
            Self::Sqlite(cause) => error::sqlite(cause, path, doing),
            Self::Damaged(what) => error::damaged(path, what),
            Self::Ours(error) => error,
        }
    }
}

/// A transaction of the run under way.
#[derive(Debug)]
pub(super) struct Change<'a> {
    /// Writes with it are all kept or none.
    pub(super) transaction: &'a Transaction<'a>,
    /// The row of the link.
    pub(super) link: i64,
    /// The run.
    pub(super) run: RunId,
    /// When the run began.
    pub(super) started_ms: i64,
}

impl Store {
    /// Carries out `steps` in one transaction of the link's run. When it returns, the disk has it.
    ///
    /// # Errors
    /// `Bug` unless this store began a run of the link; `Stale` when that run is not the newest any more.
    pub(super) fn change<T>(
        &mut self,
        link: &LinkId,
        doing: &str,
        steps: impl FnOnce(&Change<'_>) -> Attempt<T>,
    ) -> Result<T> {
        let id = self.ours(link)?;
        let run = self.under_way.iter().find(|run| run.link == id);
        let Some((run, started_ms)) = run.map(|run| (run.run, run.started_ms)) else {
            return Err(Error::bug(format!("{}: no run is under way", place(link))));
        };
        self.transact(doing, |transaction| {
            let change = Change {
                transaction,
                link: id,
                run,
                started_ms,
            };
            if !change.is_newest()? {
                return Err(replaced().at(place(link)).into());
            }
            steps(&change)
        })
    }

    /// Carries out `steps` in one transaction, which takes the write lock first, in the file that was opened.
    pub(super) fn transact<T>(
        &mut self,
        doing: &str,
        steps: impl FnOnce(&Transaction<'_>) -> Attempt<T>,
    ) -> Result<T> {
        let (connection, path, opened) = (&mut self.connection, &self.path, self.file);
        let carry_out = || -> Attempt<T> {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if opened.is_some() && file::identity(path).ok() != opened {
                return Err(replaced().at(format!("state={}", path.display())).into());
            }
            let result = steps(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        carry_out().map_err(|failure| failure.told(path, doing))
    }

    /// Refuses a run that this store did not begin for the link.
    pub(super) fn check_run(&self, link: &LinkId, run: RunId) -> Result<()> {
        let known = |found: &super::UnderWay| found.durable == link.durable && found.run == run;
        if self.under_way.iter().any(known) {
            return Ok(());
        }
        let error = Error::new(Kind::Stale, format!("run={} is not under way", run.0));
        Err(error.at(place(link)).hint("nothing was written; run again"))
    }
}

impl Change<'_> {
    fn is_newest(&self) -> rusqlite::Result<bool> {
        let newest: Option<(i64, i64, bool)> = self
            .transaction
            .query_row(
                "SELECT id, started_ms, ended_ms IS NULL FROM run WHERE link = ?1 \
                 ORDER BY id DESC LIMIT 1",
                [self.link],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()?;
        Ok(newest == Some((self.run.0, self.started_ms, true)))
    }
}

pub(super) fn replaced() -> Error {
    Error::new(
        Kind::Stale,
        "the state file was put back, or another run of the link began, while this run was under way",
    )
    .hint("nothing was written to the state; end other runs of the link, then run again")
}
