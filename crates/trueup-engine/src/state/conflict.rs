//! Conflicts on record, and what people decided about them.
//!
//! Invariant: a conflict holds both sides' whole records before anything is overwritten. One that a rule decided is
//! *held* by the intent that carries it out and is listed only once that was done; one that nobody decided is *open*
//! until the sides agree or a person's answer was carried out; then it is *closed*. A key has at most one open conflict.
//! Numbers are never used twice, so what a person types always means what was shown.
//!
//! Sides are the pair's own (see [`pair`](super::pair)); readers turn them round for people. Nothing is carried out
//! here, and nothing is ever dropped but with its pair ([`Store::forget_pair`]).

mod held;
mod row;

pub(super) use held::{Holding, leave_unknown, settle, supersede_all, withdraw};

use super::change::{Attempt, Change, Failure};
use super::pair::{CollectionId, Ends};
use super::{LinkId, RunId, Store, blob};
use row::{SELECT, Shape, Stored, digest_bytes, past};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeMap;
use std::fmt;
use trueup_core::batch::{Batch, Record};
use trueup_core::conflict::{Conflict, ConflictKind, Ruling};
use trueup_core::digest::Digest;
use trueup_core::side::{Side, Sides};
use trueup_core::{Error, Result};

/// What became of a conflict that a later decision, or another shape of the collection, made meaningless.
const SUPERSEDED: &str = "superseded";

/// The number of a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConflictId(pub i64);

impl fmt::Display for ConflictId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a person decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What this side held.
    Side(Side),
    /// A record: a JSON object.
    Record(serde_json::Value),
}

/// A conflict on record.
#[derive(Clone, Debug)]
pub struct PastConflict {
    /// Its number.
    pub id: ConflictId,
    /// The durable name of its link.
    pub link: String,
    /// Who the sides are.
    pub ends: Ends,
    /// The collection's name on each side.
    pub collection: Sides<String>,
    /// The fields' names on each side, in the order of the records' values.
    pub fields: Sides<Vec<String>>,
    /// Where the key's fields stand among them.
    pub key_positions: Vec<usize>,
    /// The key's canonical encoding. A value: never for a log or an error.
    pub key: Vec<u8>,
    /// What met what.
    pub kind: ConflictKind,
    /// What was decided when it was recorded.
    pub ruling: Ruling,
    /// What each side held: one record, or none.
    pub records: Sides<Option<Batch>>,
    /// The run that recorded it, or recorded it anew.
    pub run: RunId,
    /// When, in milliseconds since 1970 UTC; of one that a rule decided, when that run began.
    pub at_ms: i64,
    /// How it stands: `open`, or how it ended: `source`, `target`, `merge`, `keep-both`, `delete`, `agreed` (by
    /// themselves), `superseded` (the note says by what).
    pub decision: String,
    /// The digest of the record that both sides hold after the decision; `None` where there is no record, and while
    /// it is open.
    pub result: Option<Digest>,
    /// The record that both sides hold after the decision, where neither held it before.
    pub chosen: Option<Batch>,
    /// What a person decided and no run has carried out yet.
    pub answer: Option<Answer>,
    /// Whether what a person decided last was taken back, because a record had changed; the note says why.
    pub lapsed: bool,
    /// What else there is to say; no values.
    pub note: Option<String>,
}

impl PastConflict {
    /// Returns the record that both sides hold under the key after the decision, as far as it is known: that of the side
    /// which held it already, or the one that neither held.
    pub fn outcome(&self) -> Option<&Batch> {
        let is_result = |batch: &&Batch| {
            !batch.is_empty() && Some(row::digest_of(batch.record(0))) == self.result
        };
        let mut sides = Side::BOTH.into_iter();
        let held = sides.find_map(|side| self.records[side].as_ref().filter(is_result));
        held.or(self.chosen.as_ref())
    }
}

/// An answer that is to be carried out: the conflict's number and key, the answer, and the conflict.
pub type Waiting = (ConflictId, Vec<u8>, Answer, PastConflict);

/// Which conflicts to list.
#[derive(Clone, Debug, Default)]
pub struct ConflictFilter {
    /// Only those that are open.
    pub open: bool,
    /// Only those of this link (its durable name).
    pub link: Option<String>,
    /// Only those with larger numbers.
    pub after: Option<ConflictId>,
    /// At most so many.
    pub limit: Option<usize>,
}

impl Store {
    /// Puts a conflict that nobody decided on record, in place of what was on record as open for its key.
    ///
    /// The very same one is left alone, without a write. Where either record is another than before, an answer that
    /// was not carried out is taken back: who gave it had not seen this. `reason` says why the rules left it open, where
    /// they can; no values. It is the conflict's note while there is no other.
    ///
    /// # Errors
    /// `Stale` when `run` is not the link's run under way; `Bug` when the conflict is not open, or does not fit its
    /// collection.
    pub fn open_conflict(
        &mut self,
        link: &LinkId,
        run: RunId,
        collection: CollectionId,
        conflict: &Conflict,
        reason: Option<&str>,
        now_ms: i64,
    ) -> Result<()> {
        let one = (conflict.clone(), reason.map(str::to_owned));
        self.open_conflicts(link, run, collection, std::slice::from_ref(&one), now_ms)
    }

    /// Puts conflicts on record as [`Store::open_conflict`] does one, each with the reason it is open for, in one
    /// transaction; none where nothing is new.
    ///
    /// # Errors
    /// As [`Store::open_conflict`].
    pub fn open_conflicts(
        &mut self,
        link: &LinkId,
        run: RunId,
        collection: CollectionId,
        conflicts: &[(Conflict, Option<String>)],
        now_ms: i64,
    ) -> Result<()> {
        if conflicts.iter().any(|(one, _)| !one.ruling().is_open()) {
            return Err(Error::bug("a conflict that was decided is no open one"));
        }
        self.check_run(link, run)?;
        let mut news = Vec::new();
        for (conflict, reason) in conflicts {
            let (stored, reason) = (Stored::of(conflict), reason.as_deref());
            match self.is_on_record(collection, conflict.key(), &stored, reason)? {
                OnRecord::Same => {}
                found => news.push((conflict, stored, reason, found)),
            }
        }
        if news.is_empty() {
            return Ok(());
        }
        self.change(link, "record open conflicts", |change| {
            change.complete(collection)?;
            for (conflict, stored, reason, found) in &news {
                match found {
                    OnRecord::Same => {}
                    OnRecord::ForAnotherReason => {
                        change.transaction.execute(
                            "UPDATE conflict SET reason = ?3 WHERE collection = ?1 AND key = ?2 AND stage = 'open'",
                            params![collection.0, conflict.key(), reason],
                        )?;
                    }
                    OnRecord::No => put_open(change, collection, conflict, stored, *reason, now_ms)?,
                }
            }
            Ok(())
        })
    }

    /// The open conflicts of a collection, by key.
    pub fn open_keys(&self, collection: CollectionId) -> Result<BTreeMap<Vec<u8>, ConflictId>> {
        let found = self.read_all(
            "read the open conflicts",
            "SELECT key, id FROM conflict WHERE collection = ?1 AND stage = 'open'",
            [collection.0],
            |row| Ok((row.get(0)?, ConflictId(row.get(1)?))),
        )?;
        Ok(found.into_iter().collect())
    }

    /// Closes the key's open conflict, where there is one: `how` it ended without a decision (`agreed`), and the digest
    /// of the record that both sides hold (`None`: no record).
    pub fn close_conflict(
        &mut self,
        link: &LinkId,
        collection: CollectionId,
        key: &[u8],
        how: &str,
        result: Option<Digest>,
    ) -> Result<()> {
        let open: Option<i64> = self.read_one(
            "look for an open conflict",
            "SELECT id FROM conflict WHERE collection = ?1 AND key = ?2 AND stage = 'open'",
            params![collection.0, key],
        )?;
        if open.is_none() {
            return Ok(());
        }
        self.change(link, "close a conflict", |change| {
            change.complete(collection)?;
            change.transaction.execute(
                "UPDATE conflict SET stage = 'closed', decision = ?3, result = ?4, lapsed = 0, \
                 note = iif(answer IS NULL, note, 'the sides agreed when the answer was looked at') \
                 WHERE collection = ?1 AND key = ?2 AND stage = 'open'",
                params![collection.0, key, how, digest_bytes(result)],
            )?;
            Ok(())
        })
    }

    /// The conflicts on record, in the order they were recorded.
    ///
    /// # Errors
    /// `Corrupt` when one does not decode.
    pub fn conflicts(&self, filter: &ConflictFilter) -> Result<Vec<PastConflict>> {
        let limit = filter
            .limit
            .map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
        let stage = if filter.open { "= 'open'" } else { "<> 'held'" };
        self.select(
            &format!(
                "WHERE conflict.stage {stage} AND (?1 IS NULL OR link.durable = ?1) \
                 AND conflict.id > ?2 ORDER BY conflict.id LIMIT ?3"
            ),
            params![
                filter.link,
                filter.after.map_or(i64::MIN, |id| id.0),
                limit.unwrap_or(-1)
            ],
        )
    }

    /// One conflict, unless its number is unknown or it was not carried out yet.
    pub fn conflict(&self, id: ConflictId) -> Result<Option<PastConflict>> {
        let found = self.select(
            "WHERE conflict.stage <> 'held' AND conflict.id = ?1",
            [id.0],
        )?;
        Ok(found.into_iter().next())
    }

    /// Records what a person decided, in place of an earlier answer. The next run carries it out. Of a conflict that
    /// was decided it reverses the decision.
    ///
    /// # Errors
    /// `Config` when there is no such conflict, when another one took its place, or when the answer is no record.
    pub fn answer(&mut self, id: ConflictId, answer: &Answer) -> Result<()> {
        if matches!(answer, Answer::Record(record) if !record.is_object()) {
            return Err(Error::config("the answer is not a JSON object")
                .hint("give an object with one value for each field"));
        }
        self.sync_fully()?;
        let answered = self.transact("record an answer", |transaction| {
            let decision: Option<String> = transaction
                .query_row(
                    "SELECT decision FROM conflict WHERE id = ?1 AND stage <> 'held'",
                    [id.0],
                    |row| row.get(0),
                )
                .optional()?;
            match decision.as_deref() {
                None => return Err(unknown(id).into()),
                Some(SUPERSEDED) => return Err(ended(id).into()),
                Some(_) => {}
            }
            transaction.execute(
                "UPDATE conflict SET answer = ?2, note = NULL, lapsed = 0 WHERE id = ?1",
                params![id.0, blob::encode_answer(answer)],
            )?;
            Ok(())
        });
        self.relax();
        answered
    }

    /// The answers that are to be carried out in a collection, in the order of the conflicts.
    pub fn answers(&self, collection: CollectionId) -> Result<Vec<Waiting>> {
        let found = self.select(
            "WHERE conflict.stage <> 'held' AND conflict.collection = ?1 \
             AND conflict.answer IS NOT NULL ORDER BY conflict.id",
            [collection.0],
        )?;
        let waiting = |mut found: PastConflict| {
            let answer = found.answer.take()?;
            found.answer = Some(answer.clone());
            Some((found.id, found.key.clone(), answer, found))
        };
        Ok(found.into_iter().filter_map(waiting).collect())
    }

    /// Takes an answer back: the conflict stays as it was, and the note says `why`.
    ///
    /// # Errors
    /// `Config` when there is no such conflict; `Bug` when it has no answer.
    pub fn lapse(&mut self, link: &LinkId, id: ConflictId, why: &str) -> Result<()> {
        self.change(link, "take an answer back", |change| {
            given_answer(change, id)?;
            change.transaction.execute(
                "UPDATE conflict SET answer = NULL, note = ?2, lapsed = 1 WHERE id = ?1",
                params![id.0, why],
            )?;
            Ok(())
        })
    }

    /// Records that an answer was carried out: the conflict is closed, the note says that a person decided, and `result`
    /// is the digest of the `record` that both sides hold (`None`: no record).
    ///
    /// # Errors
    /// As [`Store::lapse`].
    pub fn carried_out(
        &mut self,
        link: &LinkId,
        id: ConflictId,
        result: Option<Digest>,
        record: Option<Record<'_>>,
    ) -> Result<()> {
        let held = self.conflict(id)?.map(|past| past.records);
        let held = held.unwrap_or_default();
        let held = held.map(|record| record.map(|record| row::digest_of(record.record(0))));
        self.change(link, "record what came of an answer", |change| {
            let given = given_answer(change, id)?;
            // By what was carried out: who answered may have thought again since the run began.
            let decision = match result {
                None => "delete",
                _ if result == held.source => Side::Source.name(),
                _ if result == held.target => Side::Target.name(),
                Some(_) => match given {
                    Answer::Side(side) => side.name(),
                    Answer::Record(_) => "merge",
                },
            };
            let another = |side: Side| held[side.other()] == result && held[side] != result;
            let another = matches!(given, Answer::Side(side) if another(side));
            change.transaction.execute(
                "UPDATE conflict SET stage = 'closed', decision = ?2, result = ?3, lapsed = 0, \
                 answer = iif(?4, answer, NULL), note = 'a person decided', chosen = ?5 WHERE id = ?1",
                params![id.0, decision, digest_bytes(result), another, row::chosen(record, &held)],
            )?;
            Ok(())
        })
    }

    /// Tells whether this very conflict is on record as open, as one of the collection's present shape.
    fn is_on_record(
        &self,
        collection: CollectionId,
        key: &[u8],
        stored: &Stored,
        reason: Option<&str>,
    ) -> Result<OnRecord> {
        let reason_is_same: Option<bool> = self.read_one(
            "look for an open conflict",
            "SELECT reason IS ?6 \
             FROM conflict JOIN pair_collection ON pair_collection.id = conflict.collection \
             WHERE conflict.collection = ?1 AND key = ?2 AND stage = 'open' \
             AND conflict.shape = pair_collection.shape AND ruling = ?3 \
             AND source_record IS ?4 AND target_record IS ?5",
            params![
                collection.0,
                key,
                stored.ruling,
                stored.records.source,
                stored.records.target,
                reason
            ],
        )?;
        Ok(match reason_is_same {
            None => OnRecord::No,
            Some(false) => OnRecord::ForAnotherReason,
            Some(true) => OnRecord::Same,
        })
    }

    fn select(&self, rest: &str, values: impl rusqlite::Params) -> Result<Vec<PastConflict>> {
        self.look("read the conflicts", |connection| {
            let mut statement = connection.prepare(&format!("{SELECT} {rest}"))?;
            let mut rows = statement.query(values)?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(past(row)?);
            }
            Ok(found)
        })
    }
}

/// Whether a conflict is on record as open.
enum OnRecord {
    No,
    ForAnotherReason,
    Same,
}

/// Puts one open conflict on record, in place of the key's.
fn put_open(
    change: &Change<'_>,
    collection: CollectionId,
    conflict: &Conflict,
    stored: &Stored,
    reason: Option<&str>,
    now_ms: i64,
) -> Attempt<()> {
    let shape = Shape::present(change, collection)?;
    shape.fits(conflict)?;
    change.transaction.execute(
        "INSERT INTO conflict (collection, shape, stage, decision, run, at_ms, ruling, key, \
         source_record, target_record, reason) \
         VALUES (?1, ?2, 'open', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
         ON CONFLICT (collection, key) WHERE stage = 'open' DO UPDATE SET \
         shape = excluded.shape, run = excluded.run, at_ms = excluded.at_ms, \
         ruling = excluded.ruling, source_record = excluded.source_record, \
         target_record = excluded.target_record, reason = excluded.reason, answer = NULL, \
         lapsed = iif(answer IS NULL, lapsed, 1), note = iif(answer IS NULL, note, \
                    'a record changed before the answer was carried out; decide again')",
        params![
            collection.0,
            shape.id,
            conflict.ruling().resolution.name(),
            change.run.0,
            now_ms,
            stored.ruling,
            conflict.key(),
            stored.records.source,
            stored.records.target,
            reason
        ],
    )?;
    Ok(())
}

fn unknown(id: ConflictId) -> Error {
    Error::config(format!("no such conflict: id={id}"))
        .hint("`trueup conflicts list` shows those on record")
}

fn ended(id: ConflictId) -> Error {
    Error::config(format!("another conflict took the place of id={id}"))
        .hint("`trueup conflicts show` says which; decide that one")
}

/// Reads a conflict's answer that is to be carried out.
fn given_answer(change: &Change<'_>, id: ConflictId) -> Attempt<Answer> {
    let found: Option<Option<String>> = change
        .transaction
        .query_row(
            "SELECT answer FROM conflict WHERE id = ?1 AND stage <> 'held' \
             AND collection IN (SELECT id FROM pair_collection WHERE link = ?2)",
            [id.0, change.link],
            |row| row.get(0),
        )
        .optional()?;
    let answer = found.ok_or_else(|| unknown(id))?;
    let answer =
        answer.ok_or_else(|| Error::bug(format!("the conflict has no answer: id={id}")))?;
    blob::decode_answer(&answer).ok_or(Failure::Damaged("a conflict's answer"))
}
