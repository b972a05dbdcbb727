//! Which collections of a target are under construction: created by a run of the link, and not built upon yet.
//!
//! Here and not at the target: a run learns of them without claiming anything, and targets that keep no markers are
//! built upon too. Who loses the state file has to build what is missing by hand.

use super::{LinkId, Store};
use rusqlite::params;
use std::collections::{BTreeMap, BTreeSet};
use trueup_core::Result;

/// How far a collection under construction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A run was about to create it. What is there now may be somebody else's.
    Intended,
    /// A run created it.
    Created,
}

impl Store {
    /// Adds collections to those under construction, each as far as it has come; durable when it returns.
    ///
    /// # Errors
    /// `Bug` unless this store began a run of the link.
    pub fn construct(
        &mut self,
        link: &LinkId,
        collections: &BTreeMap<String, Stage>,
    ) -> Result<()> {
        let id = self.ours(link)?;
        self.write("record what is under construction", |transaction| {
            let mut insert = transaction.prepare(
                "INSERT INTO construction (link, collection, created) VALUES (?1, ?2, ?3) \
                 ON CONFLICT DO UPDATE SET created = excluded.created",
            )?;
            for (collection, stage) in collections {
                insert.execute(params![id, collection, *stage == Stage::Created])?;
            }
            Ok(())
        })
    }

    /// Takes `collections`, all that a run of the link dealt with, for built, and returns `true`: unless another one of
    /// the link is under construction. One may refer to the other, so they are built together, or stay.
    ///
    /// # Errors
    /// As [`Store::construct`].
    pub fn constructed(&mut self, link: &LinkId, collections: &BTreeSet<String>) -> Result<bool> {
        let pending = self.under_construction(link)?;
        if !pending.keys().all(|name| collections.contains(name)) {
            return Ok(false);
        }
        self.not_constructing(link, collections)?;
        Ok(true)
    }

    /// Takes `collections` from those under construction.
    ///
    /// # Errors
    /// As [`Store::construct`].
    pub fn not_constructing(
        &mut self,
        link: &LinkId,
        collections: &BTreeSet<String>,
    ) -> Result<()> {
        if collections.is_empty() {
            return Ok(());
        }
        let id = self.ours(link)?;
        self.write("record what is not under construction", |transaction| {
            let sql = "DELETE FROM construction WHERE link = ?1 AND collection = ?2";
            let mut delete = transaction.prepare(sql)?;
            for collection in collections {
                delete.execute(params![id, collection])?;
            }
            Ok(())
        })
    }

    /// Returns the collections of the link that are under construction.
    ///
    /// # Errors
    /// As reading the file has.
    pub fn under_construction(&self, link: &LinkId) -> Result<BTreeMap<String, Stage>> {
        let rows = self.read_all(
            "read what is under construction",
            "SELECT collection, created FROM construction JOIN link ON link.id = construction.link \
             WHERE durable = ?1",
            [&link.durable],
            |row| {
                let stage = if row.get(1)? {
                    Stage::Created
                } else {
                    Stage::Intended
                };
                Ok((row.get(0)?, stage))
            },
        )?;
        Ok(rows.into_iter().collect())
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

    fn named(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn staged(names: &[(&str, Stage)]) -> BTreeMap<String, Stage> {
        let names = names.iter();
        names
            .map(|&(name, stage)| (name.to_owned(), stage))
            .collect()
    }

    #[test]
    fn a_run_of_some_collections_does_not_take_the_others_for_built() -> Result<()> {
        let mut store = Store::in_memory("test")?;
        let link = link();
        let run = store.begin(&link, 1)?;
        let both = staged(&[("customers", Stage::Created), ("orders", Stage::Intended)]);
        store.construct(&link, &both)?;
        assert!(!store.constructed(&link, &named(&["customers"]))?);
        assert_eq!(store.under_construction(&link)?, both);
        assert!(store.constructed(&link, &named(&["customers", "orders", "planes"]))?);
        assert_eq!(store.under_construction(&link)?, BTreeMap::new());
        store.finish(run, 2, 0, None, None)
    }

    #[test]
    fn what_is_intended_becomes_created_and_the_other_way_round() -> Result<()> {
        let mut store = Store::in_memory("test")?;
        let link = link();
        store.begin(&link, 1)?;
        for stage in [Stage::Intended, Stage::Created, Stage::Intended] {
            let one = staged(&[("orders", stage)]);
            store.construct(&link, &one)?;
            assert_eq!(store.under_construction(&link)?, one);
        }
        store.not_constructing(&link, &named(&["orders"]))?;
        assert_eq!(store.under_construction(&link)?, BTreeMap::new());
        Ok(())
    }

    #[test]
    fn a_forgotten_link_has_nothing_under_construction() -> Result<()> {
        let mut store = Store::in_memory("test")?;
        let link = link();
        let run = store.begin(&link, 1)?;
        store.construct(&link, &staged(&[("orders", Stage::Created)]))?;
        store.finish(run, 2, 0, None, None)?;
        assert!(store.forget_link(&link.durable)?);
        assert_eq!(store.under_construction(&link)?, BTreeMap::new());
        Ok(())
    }
}
