//! Trying parked records again, and nothing else.
//!
//! What is parked is known by the digest of its key. A record whose key itself did not fit is parked under the digest
//! of the raw values, and is no longer found once the key fits: an ordinary run writes it.

use crate::connect::Collection;
use crate::selection::{Choice, Chooser, Selection};
use crate::state::{LinkId, Store};
use std::collections::{BTreeMap, BTreeSet};
use trueup_core::Result;
use trueup_core::digest::Digest;
use trueup_core::mapping::key_digest;
use trueup_core::plan::Decoded;

/// The parked records of a link, by the target's names for collections.
pub(crate) struct ParkedOnly(BTreeMap<String, BTreeSet<Digest>>);

impl ParkedOnly {
    /// Reads what is parked.
    pub(crate) fn of(store: &Store, link: &LinkId) -> Result<Self> {
        let mut all: BTreeMap<String, BTreeSet<Digest>> = BTreeMap::new();
        for one in store.parked_records(Some(&link.durable))? {
            all.entry(one.collection)
                .or_default()
                .insert(one.parked.key);
        }
        Ok(Self(all))
    }
}

impl Selection for ParkedOnly {
    fn open<'a>(&'a mut self, collection: &Collection) -> Result<Option<Box<dyn Chooser + 'a>>> {
        let keys = self.0.get(&collection.target.collection);
        Ok(keys.map(|keys| -> Box<dyn Chooser> { Box::new(Among(keys)) }))
    }

    fn is_complete(&self) -> bool {
        false
    }
}

struct Among<'a>(&'a BTreeSet<Digest>);

impl Chooser for Among<'_> {
    fn choose(&mut self, key: &[u8], _: &Decoded) -> Result<Choice> {
        let parked = self.0.contains(&key_digest(key));
        Ok(if parked { Choice::Take } else { Choice::Leave })
    }

    fn end(&mut self) -> Result<u64> {
        Ok(0)
    }
}
