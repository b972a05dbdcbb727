//! What trueup remembers between two runs: one SQLite file.
//!
//! It holds which links there are, which runs each had and how they ended, how far each got, and which records were
//! put aside; of a two-way link also the base, the intents, the conflicts and what people decided about them. It holds no
//! secret, and records' values in conflicts only: both sides' records, because every decision must be reversible, and
//! the record that a person gave as an answer; besides, keys stand in the base and in intents. The file's mode, `0600`,
//! is what protects them. Losing it costs work, never data: the next run gets another incarnation id, finds markers that
//! are not its own, and compares everything; two ways it then joins both sides and deletes nothing.
//!
//! **Durability.** The write-ahead log with `synchronous=NORMAL`: what a method has returned from is in the kernel's
//! hands, so a killed process loses nothing. A power loss may take the last commits with it, whole and in order from
//! the end. That is safe because nothing here is ahead of the target: a checkpoint is recorded after its batch and
//! marker are durable there, and the marker decides, so an older checkpoint means at most a batch looked at again.
//! The birth of a file is fully synced: its incarnation id must not be lost once a marker has it. A two-way run *is*
//! ahead of the endpoints (an intent is on record before it is carried out, a seal before it is written), so from
//! [`Store::pair`] to [`Store::finish`] every commit is fully synced (`synchronous=FULL`).
//!
//! **Invariants.** A link's progress never moves back. Only the store that began a run, and so holds the link's lock,
//! records anything for it. Several links, processes and stores may use one file at the same time.
//!
//! It does not decide what progress means, reads no clock, and retries nothing but SQLite's own wait for a lock.

mod base;
mod blob;
mod change;
mod codec;
mod collection;
mod conflict;
mod construction;
mod error;
mod file;
mod following;
mod forgotten;
mod lock;
mod memory;
mod named;
mod pair;
mod parked;
mod schema;
mod standing;
#[cfg(test)]
mod tests;

pub use base::INTENT_ITEMS_MAX;
pub(crate) use blob::{decode_ruling, encode_record, encode_ruling};
pub use conflict::{Answer, ConflictFilter, ConflictId, PastConflict, Waiting};
pub use construction::Stage;
pub use following::{FollowStanding, Following, Seam};
pub use named::NamedLink;
pub use pair::{
    BaseEntry, CollectionId, CollectionRow, DecidedConflict, Ends, Intent, Item, Move, Pair,
    Pending, Token, TwoWayLink,
};
pub use parked::ParkedRecord;
pub use standing::{LinkStanding, PairStanding};

use crate::report::Report;
use lock::Lock;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use trueup_core::{Error, Result};

/// Runs kept in the history of one link; older ones are dropped.
const RUNS_KEPT_MAX: i64 = 1_000;

/// Bytes of reports kept for one link. Of older runs only the report is dropped. The newest is kept whatever its size.
const REPORT_BYTES_MAX: i64 = 16 << 20;

/// `PRAGMA synchronous = FULL`.
const FULL: i64 = 2;

/// What names a link in the store.
#[derive(Clone, Debug)]
pub struct LinkId {
    /// The durable name ([`crate::Link::durable_name`]).
    pub durable: String,
    /// The name for people.
    pub name: String,
    /// How a person named it, where that is known.
    pub said: Option<Said>,
}

/// How a person named a link, its collections and its keys: kept with each run, so that one can be told how to run it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// By its places, with these options, as they are typed.
    Options(String),
    /// By its name in a configuration file, a path that means the same from every folder.
    InFile {
        /// The file.
        file: String,
        /// The name.
        name: String,
    },
}

/// The number of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunId(pub i64);

/// One line of the history.
#[derive(Clone, Debug, PartialEq)]
pub struct PastRun {
    /// Its number.
    pub run: RunId,
    /// The link's name for people, as of that run.
    pub link: String,
    /// When it began, in milliseconds since 1970 UTC.
    pub started_ms: i64,
    /// When it ended; `None` while it runs, or when its process died.
    pub ended_ms: Option<i64>,
    /// The exit code it ended with.
    pub exit: Option<u8>,
    /// The error it ended with: kind and message, no values.
    pub error: Option<String>,
    /// What to do about that.
    pub hint: Option<String>,
    /// Its report, where it has one; certificate included. `None` too when another version of
    /// trueup wrote it in a form unknown to this one.
    pub report: Option<Report>,
}

/// Stands between an error on record and what to do about it.
pub(crate) const HINT: &str = "\nhint: ";

/// The state store: one SQLite file.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    /// Which file was opened; `None` in memory.
    file: Option<(u64, u64)>,
    incarnation: String,
    under_way: Vec<UnderWay>,
    /// The value of `synchronous` to return to after the last two-way run.
    relaxed: Option<i64>,
}

/// A run that this store began and has not finished.
#[derive(Debug)]
struct UnderWay {
    run: RunId,
    link: i64,
    durable: String,
    started_ms: i64,
    two_way: bool,
    /// See [`Store::met`].
    met: bool,
    // Held, not used: dropping it releases the link. There is none in memory.
    _lock: Option<Lock>,
}

impl Store {
    /// Opens the store at `path` and creates it if it is missing; a new one gets `incarnation` as its id.
    ///
    /// The file is readable by its owner only, and so is its folder when that had to be created. Any number of
    /// processes may do this at the same time; they all get the same store.
    ///
    /// # Errors
    /// `Config` when the path leads nowhere, or to a file of another program or of a newer trueup; `Corrupt` when
    /// it is no sound database; `Auth` without the rights; `Rejected` when the disk is full; `Stale` when another file
    /// was put in its place meanwhile. What stood there stays.
    pub fn open(path: &Path, incarnation: &str) -> Result<Self> {
        if incarnation.is_empty() {
            return Err(Error::bug("a state store needs an incarnation id"));
        }
        let path = file::ensure(path, |fresh| {
            // The tables are in the main file, synced, before the log is switched on: nothing is left in the log,
            // which does not move with the file.
            let (connection, _) = schema::open(fresh, path, incarnation)?;
            connection
                .close()
                .map_err(|(_, cause)| error::sqlite(cause, path, "create it"))
        })?;
        let identity = || file::identity(&path).map_err(|e| error::io(e, &path, "look it up"));
        let file = identity()?;
        let (connection, incarnation) = schema::open(&path, &path, incarnation)?;
        if identity()? != file {
            return Err(change::replaced().at(format!("state={}", path.display())));
        }
        file::tighten(&path)?;
        Ok(Self {
            connection,
            file: Some(file),
            path,
            incarnation,
            under_way: Vec::new(),
            relaxed: None,
        })
    }

    /// Where the store is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The store's id: a copy restored elsewhere keeps it, a new store has another.
    pub fn incarnation(&self) -> &str {
        &self.incarnation
    }

    /// Takes the link's lock (refused while another process holds it) and records that a run began.
    ///
    /// A pair keeps its name until [`Store::pair`] writes it with the addresses: together they say which side is whose.
    ///
    /// The lock is held until [`Store::finish`], or until the store is dropped or the process dies: then the run
    /// stays without an end, and the next one learns of it by [`Store::was_interrupted`].
    ///
    /// # Errors
    /// `Stale` when a run of the link is under way, in another process or in this one. Nothing was recorded then.
    pub fn begin(&mut self, link: &LinkId, now_ms: i64) -> Result<RunId> {
        let lock = self.lock(&link.durable).map_err(|e| e.at(place(link)))?;
        let (said, said_in) = match &link.said {
            Some(Said::Options(options)) => (Some(options), None),
            Some(Said::InFile { file, name }) => (Some(name), Some(file)),
            None => (None, None),
        };
        let (run, id) = self.write("record that a run began", |transaction| {
            let id: i64 = transaction.query_row(
                "INSERT INTO link (durable, name) VALUES (?1, ?2) \
                 ON CONFLICT (durable) DO UPDATE SET name = iif( \
                     EXISTS (SELECT 1 FROM pair WHERE pair.link = link.id), link.name, excluded.name) \
                 RETURNING id",
                params![link.durable, link.name],
                |row| row.get(0),
            )?;
            forgotten::remember(transaction, link)?;
            transaction.execute(
                "INSERT INTO run (link, started_ms, name, said, said_in) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![id, now_ms, link.name, said, said_in],
            )?;
            Ok((RunId(transaction.last_insert_rowid()), id))
        })?;
        self.under_way.push(UnderWay {
            run,
            link: id,
            durable: link.durable.clone(),
            started_ms: now_ms,
            two_way: false,
            met: false,
            _lock: lock,
        });
        Ok(run)
    }

    /// Notes that both sides of the link were met and their collections fit each other: what fails from here on is more
    /// than a link that was stated wrongly. It is written by [`Store::finish`].
    ///
    /// # Errors
    /// `Bug` unless this store began a run of the link.
    pub fn met(&mut self, link: &LinkId) -> Result<()> {
        self.ours(link)?;
        let runs = self.under_way.iter_mut();
        for run in runs.filter(|run| run.durable == link.durable) {
            run.met = true;
        }
        Ok(())
    }

    /// Whether the link's run before the present one ended without saying so.
    ///
    /// The present one is the run that this store began. Asked before [`Store::begin`], the answer is about the
    /// latest run, which may then still be under way in another process.
    pub fn was_interrupted(&self, link: &LinkId) -> Result<bool> {
        let present = self
            .under_way
            .iter()
            .find(|run| run.durable == link.durable)
            .map_or(i64::MAX, |found| found.run.0);
        let open = self.read_one(
            "read the link's last run",
            "SELECT ended_ms IS NULL FROM run \
             WHERE link = (SELECT id FROM link WHERE durable = ?1) AND id < ?2 \
             ORDER BY id DESC LIMIT 1",
            params![link.durable, present],
        )?;
        Ok(open.unwrap_or(false))
    }

    /// The last batch known to be durable at the target; 0 before the first.
    pub fn batch(&self, link: &LinkId, partition: &str) -> Result<u64> {
        let batch: Option<i64> = self.read_one(
            "read the link's progress",
            "SELECT batch FROM progress \
             WHERE link = (SELECT id FROM link WHERE durable = ?1) AND partition = ?2",
            params![link.durable, partition],
        )?;
        u64::try_from(batch.unwrap_or(0)).map_err(|_| {
            Error::corrupt(format!(
                "state={}: a negative batch partition={partition}",
                self.path.display()
            ))
            .hint("restore the file from a backup, or begin a new one with --state")
        })
    }

    /// Records that `batch` is durable at the target. Never moves back.
    ///
    /// When it returns, the record outlives the process; see the module for a power loss.
    ///
    /// # Errors
    /// `Bug` unless this store began a run of the link.
    pub fn checkpoint(&mut self, link: &LinkId, partition: &str, batch: u64) -> Result<()> {
        let id = self.ours(link)?;
        let batch = i64::try_from(batch)
            .map_err(|_| Error::bug(format!("batch={batch} is beyond any count")))?;
        self.connection
            .execute(
                "INSERT INTO progress (link, partition, batch) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (link, partition) DO UPDATE SET batch = max(batch, excluded.batch)",
                params![id, partition, batch],
            )
            .map_err(|cause| error::sqlite(cause, &self.path, "record a checkpoint"))?;
        Ok(())
    }

    /// Records how a run ended, and releases the link's lock. An error may end in a line that says what to do.
    ///
    /// When recording fails, the lock is kept
    /// and `finish` may be tried again. Old runs of the link are dropped.
    ///
    /// # Errors
    /// `Bug` unless this store began the run and has not finished it.
    pub fn finish(
        &mut self,
        run: RunId,
        now_ms: i64,
        exit: u8,
        error: Option<&str>,
        report: Option<&Report>,
    ) -> Result<()> {
        let position = self.under_way.iter().position(|found| found.run == run);
        let position = position
            .ok_or_else(|| Error::bug(format!("run={} is not under way in this store", run.0)))?;
        let UnderWay { link, met, .. } = self.under_way[position];
        let report = report.map(codec::encode);
        self.write("record how the run ended", |transaction| {
            transaction.execute(
                "UPDATE run SET ended_ms = ?2, exit = ?3, error = ?4, report = ?5, met = ?6 WHERE id = ?1",
                params![run.0, now_ms, exit, error, report, met],
            )?;
            drop_old(transaction, link)
        })?;
        self.under_way.remove(position);
        self.relax();
        Ok(())
    }

    /// The latest runs, newest first.
    pub fn history(&self, limit: usize) -> Result<Vec<PastRun>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read_all(
            "read the history",
            "SELECT run.id, coalesce(run.name, link.name), started_ms, ended_ms, exit, error, report \
             FROM run JOIN link ON link.id = run.link ORDER BY run.id DESC LIMIT ?1",
            [limit],
            past_run,
        )
    }

    /// Takes a link's lock; in memory there is none, only a look at what is under way here.
    fn lock(&self, durable: &str) -> Result<Option<Lock>> {
        if self.file.is_some() {
            return Lock::take(&self.path, durable).map(Some);
        }
        if self.under_way.iter().any(|run| run.durable == durable) {
            return Err(lock::held(Some(std::process::id())));
        }
        Ok(None)
    }

    /// From here every commit is on the disk when it returns.
    fn sync_fully(&mut self) -> Result<()> {
        if self.relaxed.is_none() {
            let doing = "learn how it is synced";
            self.relaxed = self.read_one(doing, "PRAGMA synchronous", [])?;
        }
        self.set_synchronous(FULL)
    }

    /// Syncs as before, unless a two-way run is under way. Where that fails, the sync stays full, which does no harm.
    fn relax(&mut self) {
        if !self.under_way.iter().any(|run| run.two_way)
            && let Some(before) = self.relaxed
            && self.set_synchronous(before).is_ok()
        {
            self.relaxed = None;
        }
    }

    fn set_synchronous(&self, level: i64) -> Result<()> {
        self.connection
            .pragma_update(None, "synchronous", level)
            .map_err(|cause| error::sqlite(cause, &self.path, "change how it is synced"))
    }

    /// The row id of a link whose lock this store holds.
    fn ours(&self, link: &LinkId) -> Result<i64> {
        self.under_way
            .iter()
            .find(|run| run.durable == link.durable)
            .map(|run| run.link)
            .ok_or_else(|| Error::bug(format!("{}: no run is under way", place(link))))
    }

    /// Carries out `steps` in one transaction, which takes the write lock first: so it waits for others, and never
    /// finds half-way that it cannot write.
    fn write<T>(
        &mut self,
        doing: &str,
        steps: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let carry_out = || {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = steps(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        carry_out().map_err(|cause| error::sqlite(cause, &self.path, doing))
    }

    fn read_one<T: rusqlite::types::FromSql>(
        &self,
        doing: &str,
        sql: &str,
        values: impl rusqlite::Params,
    ) -> Result<Option<T>> {
        self.connection
            .query_row(sql, values, |row| row.get(0))
            .optional()
            .map_err(|cause| error::sqlite(cause, &self.path, doing))
    }

    fn read_all<T>(
        &self,
        doing: &str,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        self.connection
            .prepare(sql)
            .and_then(|mut statement| statement.query_map(values, read)?.collect())
            .map_err(|cause| error::sqlite(cause, &self.path, doing))
    }
}

fn place(link: &LinkId) -> String {
    format!("link={:?}", link.name)
}

fn past_run(row: &Row<'_>) -> rusqlite::Result<PastRun> {
    let report: Option<String> = row.get(6)?;
    let error: Option<String> = row.get(5)?;
    let (error, hint) = match error.as_deref().map(|text| text.rsplit_once(HINT)) {
        Some(Some((error, hint))) => (Some(error.to_owned()), Some(hint.to_owned())),
        Some(None) | None => (error, None),
    };
    Ok(PastRun {
        run: RunId(row.get(0)?),
        link: row.get(1)?,
        started_ms: row.get(2)?,
        ended_ms: row.get(3)?,
        exit: row.get(4)?,
        error,
        hint,
        report: report.as_deref().and_then(codec::decode),
    })
}

/// Keeps the history of a link within its limits. The last run that came to its end stays: it says that the link works.
fn drop_old(transaction: &Transaction<'_>, link: i64) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM run WHERE id IN \
         (SELECT id FROM run WHERE link = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2) \
         AND id IS NOT (SELECT max(id) FROM run WHERE link = ?1 AND exit IN (0, 1))",
        params![link, RUNS_KEPT_MAX],
    )?;
    transaction.execute(
        "UPDATE run SET report = NULL WHERE id IN ( \
            SELECT id FROM ( \
                SELECT id, row_number() OVER newest AS place, \
                       sum(octet_length(report)) OVER newest AS bytes \
                FROM run WHERE link = ?1 AND report IS NOT NULL \
                WINDOW newest AS (ORDER BY id DESC) \
            ) WHERE place > 1 AND bytes > ?2)",
        params![link, REPORT_BYTES_MAX],
    )?;
    Ok(())
}
