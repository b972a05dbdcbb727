//! The base of a collection, read in key order beside the two sides.

use crate::state::{BaseEntry, CollectionId, Store};
use trueup_core::Result;
use trueup_core::base::Base;

/// Entries read at once.
const PAGE: usize = 4_096;

/// Where reading stands.
pub(super) struct BaseCursor<'a> {
    store: &'a Store,
    collection: Option<CollectionId>,
    page: Vec<BaseEntry>,
    at: usize,
    last: bool,
}

impl<'a> BaseCursor<'a> {
    /// Starts at the first entry.
    pub(super) fn new(store: &'a Store, collection: Option<CollectionId>) -> Result<Self> {
        let mut cursor = Self {
            store,
            collection,
            page: Vec::new(),
            at: 0,
            last: false,
        };
        cursor.turn(None)?;
        Ok(cursor)
    }

    /// Returns the entry that it stands at; `None` after the last.
    pub(super) fn entry(&self) -> Option<(&[u8], &Base)> {
        let entry = self.page.get(self.at)?;
        Some((&entry.key, &entry.base))
    }

    /// Tells whether the values of the record that the entry is about are kept.
    pub(super) fn keeps(&self) -> bool {
        self.page.get(self.at).is_some_and(|entry| entry.keeps)
    }

    /// Goes to the next entry.
    pub(super) fn advance(&mut self) -> Result<()> {
        self.at += 1;
        if self.at < self.page.len() || self.last {
            return Ok(());
        }
        let after = self.page.pop().map(|entry| entry.key);
        self.turn(after.as_deref())
    }

    fn turn(&mut self, after: Option<&[u8]>) -> Result<()> {
        self.page = match self.collection {
            Some(collection) => self.store.base(collection, after, PAGE)?,
            None => Vec::new(),
        };
        self.at = 0;
        self.last = self.page.len() < PAGE;
        Ok(())
    }
}
