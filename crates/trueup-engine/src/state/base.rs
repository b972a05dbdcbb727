//! The base of a collection and the intents that move it.
//!
//! Invariant: the base moves by outcomes only. An intent holds, on the disk before its batch is written, what each key's
//! entry will be *if* its write applies; [`Store::finalise`] stores the entries of those that did, and the batch's marker
//! tells which after a crash. One intent is outstanding per collection and side.
//!
//! A missing entry means "agreed to be absent" in a complete base only, so an agreed absence is stored until the base is
//! complete, and removed from then on; an entry that says "unknown" is always stored.
//!
//! Beside an entry stand the values of the record it is about, where the caller gives them. They come and go with the
//! entry, so they never are those of another record; an entry that speaks of no record has none.
//!
//! It does not look into entries, and reads no values unless asked for those of one key: a page of entries is bounded,
//! a page of records is not.

use super::change::{Attempt, Change, Failure};
use super::pair::{self, BaseEntry, CollectionId, Intent, Item, Move, Pending, Token};
use super::{LinkId, RunId, Store, blob, collection, conflict};
use rusqlite::{Connection, OptionalExtension, params};
use trueup_core::base::Base;
use trueup_core::batch::Batch;
use trueup_core::side::Side;
use trueup_core::{Error, Kind, Result};

/// The most items of one intent.
pub const INTENT_ITEMS_MAX: usize = 16_384;

impl Store {
    /// Up to `limit` base entries with keys after `after`, in ascending order of the keys' bytes.
    ///
    /// # Errors
    /// `Corrupt` when an entry does not decode.
    pub fn base(
        &self,
        collection: CollectionId,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<BaseEntry>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.look("read the base", |connection| {
            // Nothing is below the empty key, which is none itself.
            let mut statement = connection.prepare(match after {
                Some(_) => {
                    "SELECT key, entry, kept IS NOT NULL FROM base WHERE collection = ?1 AND key > ?2 \
                     ORDER BY key LIMIT ?3"
                }
                None => {
                    "SELECT key, entry, kept IS NOT NULL FROM base WHERE collection = ?1 AND key >= ?2 \
                     ORDER BY key LIMIT ?3"
                }
            })?;
            let mut rows = statement.query(params![collection.0, after.unwrap_or_default(), limit])?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                let entry = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
                entries.push(BaseEntry {
                    key: row.get(0)?,
                    base: Base::decode(entry).map_err(|_| Failure::Damaged("a base entry"))?,
                    keeps: row.get(2)?,
                });
            }
            Ok(entries)
        })
    }

    /// The values kept beside the base entry of one key, a record of `width` fields; `None` where none are kept.
    ///
    /// # Errors
    /// `Corrupt` when they do not decode.
    pub fn kept(
        &self,
        collection: CollectionId,
        key: &[u8],
        width: usize,
    ) -> Result<Option<Batch>> {
        self.look("read the values of a base entry", |connection| {
            let mut statement =
                connection.prepare("SELECT kept FROM base WHERE collection = ?1 AND key = ?2")?;
            let mut rows = statement.query(params![collection.0, key])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            let kept = row.get_ref(0)?.as_blob_or_null();
            let decode = |kept| {
                blob::decode_record(kept, width).ok_or(Failure::Damaged("a base entry's values"))
            };
            kept.map_err(rusqlite::Error::from)?.map(decode).transpose()
        })
    }

    /// Puts a batch on record before it is written to `side`, with the conflicts it decides, and makes a pending seal the
    /// present one. On the disk when it returns.
    ///
    /// The conflicts are not listed until the batch was carried out. Their time is the run's beginning.
    ///
    /// # Errors
    /// `Stale` when `run` is not the link's run under way; `Bug` when a batch of this collection and side is on record
    /// already, when it is too large, or when one of its conflicts is open.
    pub fn intend(
        &mut self,
        link: &LinkId,
        run: RunId,
        collection: CollectionId,
        side: Side,
        token: Token,
        items: Vec<Pending>,
    ) -> Result<Intent> {
        if items.len() > INTENT_ITEMS_MAX {
            return Err(Error::bug(format!(
                "a batch is too large: items={}",
                items.len()
            )));
        }
        self.check_run(link, run)?;
        self.change(link, "record an intent", |change| {
            change.complete(collection)?;
            if token_of(change.transaction, collection, side)?.is_some() {
                let message = format!("a batch is outstanding: side={side}");
                return Err(Error::bug(message).into());
            }
            let mut held = conflict::Holding::new(change, collection)?;
            let mut stored = Vec::with_capacity(items.len());
            for Pending {
                key,
                base,
                kept,
                conflict,
            } in items
            {
                let conflict = match conflict {
                    Some(decided) => Some(held.hold(&decided)?),
                    None => None,
                };
                stored.push(Item {
                    key,
                    base,
                    kept,
                    conflict,
                });
            }
            drop(held);
            change.transaction.execute(
                "INSERT INTO intent (collection, side, token, items) VALUES (?1, ?2, ?3, ?4)",
                params![
                    collection.0,
                    side.name(),
                    token.0,
                    blob::encode_items(&stored)
                ],
            )?;
            change.seal()?;
            Ok(Intent {
                token,
                items: stored,
            })
        })
    }

    /// Records what came of a batch: the base of the items that `applied` names takes their entries, their conflicts are
    /// on record; the conflicts of the others are withdrawn; the side's mark is the intent's token. One transaction.
    ///
    /// # Errors
    /// `Stale` when the intent is not the one on record.
    pub fn finalise(
        &mut self,
        link: &LinkId,
        collection: CollectionId,
        side: Side,
        intent: &Intent,
        applied: &dyn Fn(usize) -> bool,
    ) -> Result<()> {
        self.change(link, "record what came of a batch", |change| {
            remove_intent(change, collection, side, intent.token)?;
            let mut moves = Moves::new(change, collection)?;
            for (index, item) in intent.items.iter().enumerate() {
                let applied = applied(index);
                if applied {
                    moves.put(&item.key, &item.base, item.kept.as_deref())?;
                }
                match item.conflict {
                    Some(id) if applied => conflict::settle(change, id)?,
                    Some(id) => conflict::withdraw(change, id)?,
                    None => {}
                }
            }
            drop(moves);
            collection::mark(change, collection, side, Some(intent.token))
        })
    }

    /// Takes a batch that was not written off the record; its conflicts are withdrawn.
    ///
    /// # Errors
    /// `Stale` when the intent is not the one on record.
    pub fn drop_intent(
        &mut self,
        link: &LinkId,
        collection: CollectionId,
        side: Side,
        intent: &Intent,
    ) -> Result<()> {
        self.change(link, "drop an intent", |change| {
            remove_intent(change, collection, side, intent.token)?;
            for id in intent.items.iter().filter_map(|item| item.conflict) {
                conflict::withdraw(change, id)?;
            }
            Ok(())
        })
    }

    /// Stores base entries that need no write, and makes a pending seal the present one.
    pub fn move_base(
        &mut self,
        link: &LinkId,
        collection: CollectionId,
        moves: &[Move],
    ) -> Result<()> {
        self.change(link, "move the base", |change| {
            let mut stored = Moves::new(change, collection)?;
            for Move { key, base, kept } in moves {
                stored.put(key, base, kept.as_deref())?;
            }
            change.seal()
        })
    }

    /// Records that every key was looked at: from here a missing entry means that both sides agreed on its absence. A
    /// pending seal becomes the present one.
    pub fn complete(&mut self, link: &LinkId, collection: CollectionId) -> Result<()> {
        self.change(link, "record that the base is complete", |change| {
            if !change.complete(collection)? {
                change.transaction.execute(
                    "UPDATE pair_collection SET complete = 1 WHERE id = ?1",
                    [collection.0],
                )?;
                let mut absent = Vec::new();
                Base::Absent.encode(&mut absent);
                change.transaction.execute(
                    "DELETE FROM base WHERE collection = ?1 AND entry = ?2",
                    params![collection.0, absent],
                )?;
            }
            change.seal()
        })
    }
}

/// The statements that store base entries, prepared once per transaction.
struct Moves<'a> {
    put: rusqlite::Statement<'a>,
    remove: rusqlite::Statement<'a>,
    collection: CollectionId,
    complete: bool,
    entry: Vec<u8>,
}

impl<'a> Moves<'a> {
    fn new(change: &Change<'a>, collection: CollectionId) -> Attempt<Self> {
        Ok(Self {
            put: change.transaction.prepare(
                "INSERT INTO base (collection, key, entry, kept) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (collection, key) DO UPDATE SET entry = excluded.entry, kept = excluded.kept",
            )?,
            remove: change
                .transaction
                .prepare("DELETE FROM base WHERE collection = ?1 AND key = ?2")?,
            collection,
            complete: change.complete(collection)?,
            entry: Vec::new(),
        })
    }

    fn put(&mut self, key: &[u8], base: &Base, kept: Option<&[u8]>) -> Attempt<()> {
        if self.complete && *base == Base::Absent {
            self.remove.execute(params![self.collection.0, key])?;
        } else {
            self.entry.clear();
            base.encode(&mut self.entry);
            let kept = kept.filter(|_| base.present().is_some());
            self.put
                .execute(params![self.collection.0, key, self.entry, kept])?;
        }
        Ok(())
    }
}

fn token_of(
    connection: &Connection,
    collection: CollectionId,
    side: Side,
) -> Attempt<Option<Token>> {
    let found = connection
        .query_row(
            "SELECT token FROM intent WHERE collection = ?1 AND side = ?2",
            params![collection.0, side.name()],
            |row| row.get(0),
        )
        .optional()?;
    pair::token(found)
}

/// Reads the batch on record, where there is one.
pub(super) fn read_intent(
    connection: &Connection,
    collection: CollectionId,
    side: Side,
) -> Attempt<Option<Intent>> {
    let Some(token) = token_of(connection, collection, side)? else {
        return Ok(None);
    };
    let items: Vec<u8> = connection.query_row(
        "SELECT items FROM intent WHERE collection = ?1 AND side = ?2",
        params![collection.0, side.name()],
        |row| row.get(0),
    )?;
    let items = blob::decode_items(&items).ok_or(Failure::Damaged("an intent"))?;
    Ok(Some(Intent { token, items }))
}

/// Replaces the items of the batch on record.
pub(super) fn rewrite_intent(
    change: &Change<'_>,
    collection: CollectionId,
    side: Side,
    intent: &Intent,
) -> Attempt<()> {
    let items = blob::encode_items(&intent.items);
    change.transaction.execute(
        "UPDATE intent SET items = ?3 WHERE collection = ?1 AND side = ?2",
        params![collection.0, side.name(), items],
    )?;
    Ok(())
}

/// Takes the batch off the record, provided that it is the one.
fn remove_intent(
    change: &Change<'_>,
    collection: CollectionId,
    side: Side,
    token: Token,
) -> Attempt<()> {
    change.complete(collection)?;
    if token_of(change.transaction, collection, side)? != Some(token) {
        let error = Error::new(
            Kind::Stale,
            format!("another batch is on record: side={side}"),
        );
        return Err(error
            .hint("nothing was written to the state; run again")
            .into());
    }
    change.transaction.execute(
        "DELETE FROM intent WHERE collection = ?1 AND side = ?2",
        params![collection.0, side.name()],
    )?;
    Ok(())
}
