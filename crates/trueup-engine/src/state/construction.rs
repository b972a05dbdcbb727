//! Which collections of a target are under construction: created by a run of the link, and not built upon yet.
//!
//! Here and not at the target: a run learns of them without claiming anything, and targets that keep no markers are
//! built upon too. Who loses the state file has to build what is missing by hand.

use super::{LinkId, Store};
use rusqlite::params;
use std::collections::BTreeSet;
use trueup_core::Result;

impl Store {
    /// Adds collections to those under construction; durable when it returns.
    ///
    /// # Errors
    /// `Bug` unless this store began a run of the link.
    pub fn construct(&mut self, link: &LinkId, collections: &BTreeSet<String>) -> Result<()> {
        let id = self.ours(link)?;
        self.write("record what is under construction", |transaction| {
            let mut insert = transaction.prepare(
                "INSERT INTO construction (link, collection) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?;
            for collection in collections {
                insert.execute(params![id, collection])?;
            }
            Ok(())
        })
    }

    /// Takes all collections of the link for built.
    ///
    /// # Errors
    /// As [`Store::construct`].
    pub fn constructed(&mut self, link: &LinkId) -> Result<()> {
        let id = self.ours(link)?;
        self.write("record what was built", |transaction| {
            transaction.execute("DELETE FROM construction WHERE link = ?1", [id])?;
            Ok(())
        })
    }

    /// Returns the collections of the link that are under construction.
    ///
    /// # Errors
    /// As reading the file has.
    pub fn under_construction(&self, link: &LinkId) -> Result<BTreeSet<String>> {
        let names = self.read_all(
            "read what is under construction",
            "SELECT collection FROM construction JOIN link ON link.id = construction.link WHERE durable = ?1",
            [&link.durable],
            |row| row.get(0),
        )?;
        Ok(names.into_iter().collect())
    }
}
