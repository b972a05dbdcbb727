//! The base of a collection, read in key order beside the two sides.

use crate::state::{CollectionId, Store};
use trueup_core::Result;
use trueup_core::base::Base;

/// Entries read at once.
const PAGE: usize = 4_096;

/// Where reading stands.
pub(super) struct BaseCursor<'a> {
    store: &'a Store,
    collection: Option<CollectionId>,
    page: Vec<(Vec<u8>, Base)>,
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
        let (key, base) = self.page.get(self.at)?;
        Some((key, base))
    }

    /// Goes to the next entry.
    pub(super) fn advance(&mut self) -> Result<()> {
        self.at += 1;
        if self.at < self.page.len() || self.last {
            return Ok(());
        }
        let after = self.page.pop().map(|(key, _)| key);
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
