//! A pair's collections: their names and shapes, the marks of their last batches, and whether their base is complete.
//!
//! Invariant: the base of a collection speaks of one shape. Under another shape it is forgotten, because digests of other
//! fields say nothing, and its conflicts are superseded; what batches under way decided is still settled by their markers.

use super::change::{Attempt, Change};
use super::pair::{CollectionId, CollectionRow, Token, token};
use super::{LinkId, Store, base, blob, conflict};
use rusqlite::{Connection, OptionalExtension, params};
use trueup_core::base::Base;
use trueup_core::side::{Side, Sides};
use trueup_core::{Error, Result};

impl Store {
    /// Opens a collection of the pair, and creates it at first: its names, its shape (what the base's digests mean), its
    /// fields on both sides and the positions of the key among them.
    ///
    /// Returns whether the shape is another than before. Then the base was forgotten, and so were the entries that
    /// intents hold; the intents stay, so that their markers still tell which conflicts were carried out. Conflicts that
    /// were open are closed as `superseded`: the keys are compared anew, and may be other keys.
    ///
    /// # Errors
    /// `Bug` when the fields do not fit each other or the key, or [`Store::pair`] was not called.
    pub fn collection(
        &mut self,
        link: &LinkId,
        names: &Sides<String>,
        shape: &str,
        fields: &Sides<Vec<String>>,
        key: &[usize],
    ) -> Result<(CollectionRow, bool)> {
        let width = fields.source.len();
        if width == 0 || fields.target.len() != width || key.iter().any(|&at| at >= width) {
            return Err(Error::bug("the fields of a collection do not fit its key"));
        }
        self.change(link, "open a collection", |change| {
            change.need_pair()?;
            let id = find_collection(change, names)?;
            let before: Option<String> = change.transaction.query_row(
                "SELECT (SELECT shape FROM shape WHERE shape.id = pair_collection.shape) \
                 FROM pair_collection WHERE id = ?1",
                [id.0],
                |row| row.get(0),
            )?;
            let changed = before.is_some_and(|before| before != shape);
            if changed {
                reshape(change, id)?;
            }
            set_shape(change, id, shape, fields, key)?;
            Ok((read_collection(change.transaction, id)?, changed))
        })
    }

    /// Looks a collection up without writing anything; `None` when it is unknown, or was remembered in another shape.
    pub fn peek_collection(
        &self,
        link: &LinkId,
        names: &Sides<String>,
        shape: &str,
    ) -> Result<Option<CollectionRow>> {
        self.look("look a collection up", |connection| {
            let id: Option<i64> = connection
                .query_row(
                    "SELECT pair_collection.id FROM pair_collection JOIN shape ON shape.id = pair_collection.shape \
                     JOIN link ON link.id = link WHERE durable = ?1 AND source = ?2 AND target = ?3 \
                     AND shape.shape = ?4",
                    params![link.durable, names.source, names.target, shape],
                    |row| row.get(0),
                )
                .optional()?;
            id.map(|id| read_collection(connection, CollectionId(id))).transpose()
        })
    }

    /// Forgets what the sides agreed on in one collection, whose `marks` are then those that were found. Returns whether
    /// there was anything to forget. See [`Store::forget`] for what becomes of intents.
    pub fn forget_collection(
        &mut self,
        link: &LinkId,
        collection: CollectionId,
        marks: &Sides<Option<Token>>,
    ) -> Result<bool> {
        self.change(link, "forget a collection's base", |change| {
            let mut known = change.complete(collection)?;
            conflict::leave_unknown(change, Some(collection))?;
            for table in ["intent", "base"] {
                let sql = format!("DELETE FROM {table} WHERE collection = ?1");
                known |= change.transaction.execute(&sql, [collection.0])? > 0;
            }
            change.transaction.execute(
                "UPDATE pair_collection SET complete = 0 WHERE id = ?1",
                [collection.0],
            )?;
            for side in Side::BOTH {
                mark(change, collection, side, marks[side])?;
            }
            Ok(known)
        })
    }

    /// Records the token that a side's marker was found to hold.
    pub fn set_mark(
        &mut self,
        link: &LinkId,
        collection: CollectionId,
        side: Side,
        found: Option<Token>,
    ) -> Result<()> {
        self.change(link, "record a mark", |change| {
            change.complete(collection)?;
            mark(change, collection, side, found)
        })
    }
}

pub(super) fn mark(
    change: &Change<'_>,
    collection: CollectionId,
    side: Side,
    found: Option<Token>,
) -> Attempt<()> {
    let sql = match side {
        Side::Source => "UPDATE pair_collection SET source_mark = ?2 WHERE id = ?1",
        Side::Target => "UPDATE pair_collection SET target_mark = ?2 WHERE id = ?1",
    };
    change
        .transaction
        .execute(sql, params![collection.0, found.map(|token| token.0)])?;
    Ok(())
}

fn find_collection(change: &Change<'_>, names: &Sides<String>) -> Attempt<CollectionId> {
    let values = params![change.link, names.source, names.target];
    let found = change
        .transaction
        .query_row(
            "SELECT id FROM pair_collection WHERE link = ?1 AND source = ?2 AND target = ?3",
            values,
            |row| row.get(0),
        )
        .optional()?;
    if let Some(id) = found {
        return Ok(CollectionId(id));
    }
    change.transaction.execute(
        "INSERT INTO pair_collection (link, source, target) VALUES (?1, ?2, ?3)",
        values,
    )?;
    Ok(CollectionId(change.transaction.last_insert_rowid()))
}

fn set_shape(
    change: &Change<'_>,
    collection: CollectionId,
    shape: &str,
    fields: &Sides<Vec<String>>,
    key: &[usize],
) -> Attempt<()> {
    let names = fields.as_ref().map(|names| blob::encode_names(names));
    let key = blob::encode_positions(key);
    let values = params![collection.0, shape, names.source, names.target, key];
    change.transaction.execute(
        "INSERT INTO shape (collection, shape, source_fields, target_fields, key) \
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
        values,
    )?;
    change.transaction.execute(
        "UPDATE pair_collection SET shape = found.id FROM (SELECT id FROM shape WHERE collection = ?1 \
         AND shape = ?2 AND source_fields = ?3 AND target_fields = ?4 AND key = ?5) AS found \
         WHERE pair_collection.id = ?1 AND pair_collection.shape IS NOT found.id",
        values,
    )?;
    Ok(())
}

/// What was agreed on under the old shape means nothing under another.
fn reshape(change: &Change<'_>, collection: CollectionId) -> Attempt<()> {
    let transaction = change.transaction;
    transaction.execute("DELETE FROM base WHERE collection = ?1", [collection.0])?;
    transaction.execute(
        "UPDATE pair_collection SET complete = 0 WHERE id = ?1",
        [collection.0],
    )?;
    conflict::supersede_all(change, collection)?;
    for side in Side::BOTH {
        let Some(mut intent) = base::read_intent(change.transaction, collection, side)? else {
            continue;
        };
        for item in &mut intent.items {
            (item.base, item.kept) = (Base::Unknown, None);
        }
        base::rewrite_intent(change, collection, side, &intent)?;
    }
    Ok(())
}

fn read_collection(connection: &Connection, id: CollectionId) -> Attempt<CollectionRow> {
    let (complete, source, target) = connection.query_row(
        "SELECT complete, source_mark, target_mark FROM pair_collection WHERE id = ?1",
        [id.0],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    Ok(CollectionRow {
        id,
        complete,
        marks: Sides::new(token(source)?, token(target)?),
        intents: Sides::new(
            base::read_intent(connection, id, Side::Source)?,
            base::read_intent(connection, id, Side::Target)?,
        ),
    })
}
