//! The conflicts of an intent: on record before it is carried out, listed after.
//!
//! Invariant: a held conflict belongs to exactly one intent, and leaves that state in the transaction in which the
//! intent ends. What is not known to have been carried out is withdrawn only if it is known *not* to have been.

use super::super::RunId;
use super::super::change::{Attempt, Change, Failure};
use super::super::pair::{CollectionId, DecidedConflict};
use super::row::{self, Shape, Stored, digest_bytes, digest_of};
use super::{ConflictId, SUPERSEDED};
use rusqlite::{Statement, params};
use trueup_core::Error;
use trueup_core::side::Sides;

/// Records the conflicts of one intent.
pub(in crate::state) struct Holding<'a> {
    insert: Statement<'a>,
    shape: Shape,
    collection: CollectionId,
    run: RunId,
    at_ms: i64,
}

impl<'a> Holding<'a> {
    pub(in crate::state) fn new(change: &Change<'a>, collection: CollectionId) -> Attempt<Self> {
        Ok(Self {
            insert: change.transaction.prepare(
                "INSERT INTO conflict (collection, shape, stage, decision, run, at_ms, ruling, result, \
                 key, source_record, target_record, chosen) \
                 VALUES (?1, ?2, 'held', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?,
            shape: Shape::present(change, collection)?,
            collection,
            run: change.run,
            at_ms: change.started_ms,
        })
    }

    pub(in crate::state) fn hold(&mut self, decided: &DecidedConflict) -> Attempt<ConflictId> {
        let conflict = &decided.conflict;
        if conflict.ruling().is_open() {
            return Err(Error::bug("a conflict that nobody decided leads to no write").into());
        }
        self.shape.fits(conflict)?;
        let stored = Stored::of(conflict);
        let held = Sides::by(|side| conflict.record(side).map(digest_of));
        let record = decided.record.as_ref().map(|record| record.record(0));
        let chosen = row::chosen(record, &held);
        let id = self.insert.insert(params![
            self.collection.0,
            self.shape.id,
            conflict.ruling().resolution.name(),
            self.run.0,
            self.at_ms,
            stored.ruling,
            digest_bytes(decided.result),
            conflict.key(),
            stored.records.source,
            stored.records.target,
            chosen
        ])?;
        Ok(ConflictId(id))
    }
}

/// A conflict was carried out. What is open for the same key and has no answer is over with it.
pub(in crate::state) fn settle(change: &Change<'_>, id: ConflictId) -> Attempt<()> {
    held_only(
        change,
        "UPDATE conflict SET stage = 'closed' WHERE id = ?1 AND stage = 'held'",
        id,
    )?;
    change.transaction.execute(
        "UPDATE conflict SET stage = 'closed', decision = ?2, note = ?3, lapsed = 0 \
         FROM (SELECT collection, key FROM conflict WHERE id = ?1) AS settled \
         WHERE conflict.collection = settled.collection AND conflict.key = settled.key \
         AND conflict.stage = 'open' AND conflict.answer IS NULL",
        params![
            id.0,
            SUPERSEDED,
            format!("a rule decided it: conflict {id}")
        ],
    )?;
    Ok(())
}

/// A conflict was not carried out: the write found another record there, or never happened.
pub(in crate::state) fn withdraw(change: &Change<'_>, id: ConflictId) -> Attempt<()> {
    held_only(
        change,
        "DELETE FROM conflict WHERE id = ?1 AND stage = 'held'",
        id,
    )
}

fn held_only(change: &Change<'_>, sql: &str, id: ConflictId) -> Attempt<()> {
    let mut statement = change.transaction.prepare(sql)?;
    if statement.execute([id.0])? == 1 {
        Ok(())
    } else {
        Err(Failure::Damaged("an intent, whose conflict is missing,"))
    }
}

/// Nobody knows whether the held conflicts of the link, or of one collection of it, were carried out.
pub(in crate::state) fn leave_unknown(
    change: &Change<'_>,
    only: Option<CollectionId>,
) -> Attempt<()> {
    change.transaction.execute(
        "UPDATE conflict SET stage = 'closed', note = 'the state or an endpoint was put back: it is not known \
         whether this was carried out' WHERE stage = 'held' \
         AND collection IN (SELECT id FROM pair_collection WHERE link = ?1) \
         AND (?2 IS NULL OR collection = ?2)",
        params![change.link, only.map(|only| only.0)],
    )?;
    Ok(())
}

/// Closes every open conflict of a collection whose shape changed.
pub(in crate::state) fn supersede_all(
    change: &Change<'_>,
    collection: CollectionId,
) -> Attempt<()> {
    change.transaction.execute(
        "UPDATE conflict SET stage = 'closed', decision = ?2, answer = NULL, lapsed = 0, note = iif(answer IS NULL, \
         'the fields changed: the records are compared anew', \
         'the fields changed before the answer was carried out: the records are compared anew') \
         WHERE collection = ?1 AND stage = 'open'",
        params![collection.0, SUPERSEDED],
    )?;
    Ok(())
}
