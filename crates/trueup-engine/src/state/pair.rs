//! The two-way relation of two endpoints: who they are, their seals, their collections.
//!
//! Everything here is in the pair's own order of the sides: `source` is the endpoint whose identity sorts first, whatever
//! the user called it. A seal is the token that both endpoints and this file hold while nothing was put back; a mark is the
//! token of the last batch that one side took for one collection. Equality of tokens is all they mean.
//!
//! Invariants. A new seal is on the disk as *pending* before it goes to an endpoint, and becomes the seal in the
//! transaction that first relies on it. Where a history cannot be told from another, [`Store::forget`] takes the base
//! away, never a conflict that may have been carried out.
//!
//! It does not judge: whether tokens fit, and what follows, is the run's business.

use super::change::{Attempt, Change, Failure};
use super::conflict::{self, ConflictId};
use super::lock::Lock;
use super::{LinkId, Store};
use rusqlite::{Connection, OptionalExtension, Row, params};
use trueup_core::base::Base;
use trueup_core::batch::Batch;
use trueup_core::conflict::Conflict;
use trueup_core::digest::Digest;
use trueup_core::side::Sides;
use trueup_core::{Error, Result};

/// A random number that a seal or a batch is known by. Equality only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub [u8; 16]);

/// The number of a pair's collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CollectionId(pub i64);

/// Who the two sides of a pair are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    /// What tells an endpoint from every other; the source's sorts first.
    pub identity: Sides<String>,
    /// Where it was reached last, without secrets.
    pub address: Sides<String>,
}

/// What a pair's endpoints should hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The seal that this state knows each side by.
    pub seal: Sides<Option<Token>>,
    /// A seal that may have reached the sides, or one of them.
    pub pending: Option<Token>,
}

/// What is known of one collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionRow {
    /// Its number.
    pub id: CollectionId,
    /// Whether a key without a base entry was agreed to be absent.
    pub complete: bool,
    /// The token of the last batch that is known to have reached each side.
    pub marks: Sides<Option<Token>>,
    /// The batch that may have reached each side.
    pub intents: Sides<Option<Intent>>,
}

/// A batch that is about to be written to one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// What the batch's marker holds.
    pub token: Token,
    /// One per write, in the batch's order.
    pub items: Vec<Item>,
}

/// What becomes of one key once its write applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The key's canonical encoding. A value: never for a log or an error.
    pub key: Vec<u8>,
    /// The base entry then.
    pub base: Base,
    /// The values of the record that the entry is about, where they are wanted, in the stored form of a record.
    pub kept: Option<Vec<u8>>,
    /// The conflict that the write decides.
    pub conflict: Option<ConflictId>,
}

/// A base entry that is stored without a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// See [`Item::key`].
    pub key: Vec<u8>,
    /// The entry.
    pub base: Base,
    /// See [`Item::kept`].
    pub kept: Option<Vec<u8>>,
}

/// A base entry on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseEntry {
    /// See [`Item::key`].
    pub key: Vec<u8>,
    /// The entry.
    pub base: Base,
    /// Whether the record's values are kept: [`Store::kept`] reads them.
    pub keeps: bool,
}

/// An item that is not on record yet.
#[derive(Clone, Debug)]
pub struct Pending {
    /// See [`Item::key`].
    pub key: Vec<u8>,
    /// See [`Item::base`].
    pub base: Base,
    /// See [`Item::kept`].
    pub kept: Option<Vec<u8>>,
    /// The conflict that the write decides.
    pub conflict: Option<DecidedConflict>,
}

/// A conflict that a rule decided, before it is carried out.
#[derive(Clone, Debug)]
pub struct DecidedConflict {
    /// What met what, and what was decided.
    pub conflict: Conflict,
    /// The digest of the record that both sides hold then; `None`: no record.
    pub result: Option<Digest>,
    /// That record, where it is known.
    pub record: Option<Batch>,
}

/// A pair on record: durable name, ends, and its collections' names.
pub type TwoWayLink = (String, Ends, Vec<Sides<String>>);

impl Store {
    /// Opens the pair of the link under way, and creates it at first; the addresses, the link's name and the order in which
    /// the user has the sides are brought up to date. `turned` says that the user's source is the pair's target.
    ///
    /// From here until the run is finished, every commit of this store is on the disk when it returns.
    ///
    /// # Errors
    /// `Bug` when the ends are not in order, or are not those of this pair; see also [`Store::begin`].
    pub fn pair(&mut self, link: &LinkId, ends: &Ends, turned: bool) -> Result<Pair> {
        if ends.identity.source > ends.identity.target {
            return Err(Error::bug(
                "the ends of a pair are not in the order of their identities",
            ));
        }
        let id = self.ours(link)?;
        self.sync_fully()?;
        for run in self.under_way.iter_mut().filter(|run| run.link == id) {
            run.two_way = true;
        }
        self.change(link, "open the pair", |change| {
            change.name_pair(link, ends, turned)?;
            let (found, pair) = read_pair(change)?;
            if found == ends.identity {
                Ok(pair)
            } else {
                Err(Error::bug("the pair is that of other endpoints").into())
            }
        })
    }

    /// Makes a new seal durable, before it goes to the endpoints.
    pub fn expect_seal(&mut self, link: &LinkId, token: Token) -> Result<()> {
        self.change(link, "record a seal", |change| {
            change.need_pair()?;
            change.transaction.execute(
                "UPDATE pair SET pending = ?2 WHERE link = ?1",
                params![change.link, token.0],
            )?;
            Ok(())
        })
    }

    /// The pending seal becomes that of both sides. Nothing happens where none is pending.
    pub fn sealed(&mut self, link: &LinkId) -> Result<()> {
        self.change(link, "record that both sides are sealed", |change| {
            change.need_pair()?;
            change.seal()
        })
    }

    /// Forgets what the sides agreed on: every base entry of every collection, intents, marks and the pending seal. The
    /// seals are then those that were found.
    ///
    /// Nobody knows whether the intents were carried out, so their conflicts stay on record with a note that says so:
    /// they may hold the only copy of what was overwritten.
    pub fn forget(&mut self, link: &LinkId, found_seals: &Sides<Option<Token>>) -> Result<()> {
        self.change(link, "forget the base", |change| {
            change.need_pair()?;
            let transaction = change.transaction;
            conflict::leave_unknown(change, None)?;
            for sql in [
                "DELETE FROM intent WHERE collection IN (SELECT id FROM pair_collection WHERE link = ?1)",
                "DELETE FROM base WHERE collection IN (SELECT id FROM pair_collection WHERE link = ?1)",
                "UPDATE pair_collection SET complete = 0, source_mark = NULL, target_mark = NULL \
                 WHERE link = ?1",
            ] {
                transaction.execute(sql, [change.link])?;
            }
            transaction.execute(
                "UPDATE pair SET source_seal = ?2, target_seal = ?3, pending = NULL WHERE link = ?1",
                params![
                    change.link,
                    found_seals.source.map(|token| token.0),
                    found_seals.target.map(|token| token.0)
                ],
            )?;
            Ok(())
        })
    }

    /// Records the seals that were found: a side may hold the pending one, which died before anything relied on it.
    pub fn adopt_seals(&mut self, link: &LinkId, found: &Sides<Option<Token>>) -> Result<()> {
        self.change(link, "record the seals", |change| {
            change.need_pair()?;
            change.transaction.execute(
                "UPDATE pair SET source_seal = ?2, target_seal = ?3 WHERE link = ?1",
                params![
                    change.link,
                    found.source.map(|token| token.0),
                    found.target.map(|token| token.0)
                ],
            )?;
            Ok(())
        })
    }

    /// Every pair on record, by durable name.
    pub fn two_way_links(&self) -> Result<Vec<TwoWayLink>> {
        let pairs = self.read_all(
            "read the pairs",
            "SELECT durable, source_identity, target_identity, source_address, target_address, link.id \
             FROM pair JOIN link ON link.id = pair.link ORDER BY durable",
            [],
            |row| Ok((row.get::<_, String>(0)?, ends(row, 1)?, row.get::<_, i64>(5)?)),
        )?;
        let with_collections = |(durable, ends, link)| {
            let collections = self.read_all(
                "read a pair's collections",
                "SELECT source, target FROM pair_collection WHERE link = ?1 ORDER BY id",
                [link],
                |row| Ok(Sides::new(row.get(0)?, row.get(1)?)),
            )?;
            Ok((durable, ends, collections))
        };
        pairs.into_iter().map(with_collections).collect()
    }

    /// Forgets a pair that is no longer used, with everything that is kept for it: base, intents, parked records, and
    /// its conflicts with their records. The history of its runs stays. Returns whether there was one.
    ///
    /// # Errors
    /// `Stale` while a run of it is under way.
    pub fn forget_pair(&mut self, durable: &str) -> Result<bool> {
        let _lock: Option<Lock> = self.lock(durable)?;
        self.sync_fully()?;
        let forgotten = self.transact("forget a pair", |transaction| {
            let link: Option<i64> = transaction
                .query_row(
                    "SELECT link FROM pair WHERE link = (SELECT id FROM link WHERE durable = ?1)",
                    [durable],
                    |row| row.get(0),
                )
                .optional()?;
            let Some(link) = link else {
                return Ok(false);
            };
            transaction.execute(
                "UPDATE pair_collection SET shape = NULL WHERE link = ?1",
                [link],
            )?;
            for table in ["intent", "base", "conflict", "shape"] {
                transaction.execute(
                    &format!(
                        "DELETE FROM {table} WHERE collection IN \
                         (SELECT id FROM pair_collection WHERE link = ?1)"
                    ),
                    [link],
                )?;
            }
            for table in ["pair_collection", "pair", "parked"] {
                transaction.execute(&format!("DELETE FROM {table} WHERE link = ?1"), [link])?;
            }
            Ok(true)
        });
        self.relax();
        forgotten
    }

    /// Carries out `steps`, which only read.
    pub(super) fn look<T>(
        &self,
        doing: &str,
        steps: impl FnOnce(&Connection) -> Attempt<T>,
    ) -> Result<T> {
        steps(&self.connection).map_err(|failure| failure.told(&self.path, doing))
    }
}

impl Change<'_> {
    /// Writes what the user calls the pair, in one transaction: apart from each other these say nothing.
    fn name_pair(&self, link: &LinkId, ends: &Ends, turned: bool) -> Attempt<()> {
        self.transaction.execute(
            "INSERT INTO pair (link, source_identity, target_identity, source_address, target_address, turned) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (link) DO UPDATE \
             SET source_address = excluded.source_address, target_address = excluded.target_address, \
                 turned = excluded.turned \
             WHERE (source_address, target_address, turned) \
             IS NOT (excluded.source_address, excluded.target_address, excluded.turned)",
            params![
                self.link,
                ends.identity.source,
                ends.identity.target,
                ends.address.source,
                ends.address.target,
                turned
            ],
        )?;
        self.transaction.execute(
            "UPDATE link SET name = ?2 WHERE id = ?1 AND name <> ?2",
            params![self.link, link.name],
        )?;
        Ok(())
    }

    /// Refuses to go on where [`Store::pair`] was not called.
    pub(super) fn need_pair(&self) -> Attempt<()> {
        let found: Option<i64> = self
            .transaction
            .query_row("SELECT 1 FROM pair WHERE link = ?1", [self.link], |row| {
                row.get(0)
            })
            .optional()?;
        found
            .map(drop)
            .ok_or_else(|| Error::bug("the link's pair was not opened").into())
    }

    /// Makes the pending seal the one of both sides.
    pub(super) fn seal(&self) -> Attempt<()> {
        self.transaction.execute(
            "UPDATE pair SET source_seal = pending, target_seal = pending, pending = NULL \
             WHERE link = ?1 AND pending IS NOT NULL",
            [self.link],
        )?;
        Ok(())
    }

    /// Tells whether the base of a collection of this link is complete.
    pub(super) fn complete(&self, collection: CollectionId) -> Attempt<bool> {
        let complete = self
            .transaction
            .query_row(
                "SELECT complete FROM pair_collection WHERE id = ?1 AND link = ?2",
                [collection.0, self.link],
                |row| row.get(0),
            )
            .optional()?;
        complete.ok_or_else(|| Error::bug("the collection is not one of this link").into())
    }
}

/// Reads the ends of a pair from four columns, the first of which is `first`.
pub(super) fn ends(row: &Row<'_>, first: usize) -> rusqlite::Result<Ends> {
    Ok(Ends {
        identity: Sides::new(row.get(first)?, row.get(first + 1)?),
        address: Sides::new(row.get(first + 2)?, row.get(first + 3)?),
    })
}

fn read_pair(change: &Change<'_>) -> Attempt<(Sides<String>, Pair)> {
    let (identity, tokens) = change.transaction.query_row(
        "SELECT source_identity, target_identity, source_seal, target_seal, pending \
         FROM pair WHERE link = ?1",
        [change.link],
        |row| {
            let identity = Sides::new(row.get(0)?, row.get(1)?);
            let tokens: [Option<Vec<u8>>; 3] = [row.get(2)?, row.get(3)?, row.get(4)?];
            Ok((identity, tokens))
        },
    )?;
    let [source, target, pending] = tokens;
    let pair = Pair {
        seal: Sides::new(token(source)?, token(target)?),
        pending: token(pending)?,
    };
    Ok((identity, pair))
}

pub(super) fn token(bytes: Option<Vec<u8>>) -> Attempt<Option<Token>> {
    let read = |bytes: Vec<u8>| {
        let bytes = bytes.try_into().map_err(|_| Failure::Damaged("a token"))?;
        Ok(Token(bytes))
    };
    bytes.map(read).transpose()
}
