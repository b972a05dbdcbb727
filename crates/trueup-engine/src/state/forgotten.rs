//! Links that nobody wants to hear of any more.
//!
//! Invariant: what is forgotten is what stands here about a link that is not a record of the past: its base, conflicts,
//! parked records, what is under construction, and which log it follows. Its runs stay in the history, its batch numbers stay beside its markers. A run of the link makes
//! it known again.

use super::{LinkId, Store};
use rusqlite::{Transaction, params};
use trueup_core::Result;

/// Begins the name under which a forgotten link stands among the store's facts; its durable name follows.
pub(super) const PREFIX: &str = "forgotten ";

impl Store {
    /// Forgets a link, whichever way it goes. Returns whether there was one that was not forgotten yet.
    ///
    /// # Errors
    /// `Stale` while a run of it is under way.
    pub fn forget_link(&mut self, durable: &str) -> Result<bool> {
        let pair = self.forget_pair(durable)?;
        let _lock = self.lock(durable)?;
        let link = self.write("forget a link", |transaction| {
            for table in ["parked", "construction", "seam", "following"] {
                transaction.execute(
                    &format!("DELETE FROM {table} WHERE link = (SELECT id FROM link WHERE durable = ?1)"),
                    [durable],
                )?;
            }
            transaction.execute(
                "INSERT INTO meta (name, value) SELECT ?2 || durable, '' FROM link WHERE durable = ?1 \
                 ON CONFLICT (name) DO NOTHING",
                params![durable, PREFIX],
            )
        })?;
        Ok(pair || link > 0)
    }
}

/// Makes a link known again.
pub(super) fn remember(transaction: &Transaction<'_>, link: &LinkId) -> rusqlite::Result<()> {
    let name = format!("{PREFIX}{}", link.durable);
    transaction.execute("DELETE FROM meta WHERE name = ?1", [name])?;
    Ok(())
}
