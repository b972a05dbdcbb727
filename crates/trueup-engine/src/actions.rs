//! The actions of one collection's plan, in the order of their keys.
//!
//! A plan is spooled as upserts and deletes, because they are carried out apart; who compares it with something else
//! walks it by key. The order is asserted: both spools came out of one ordered merge.

use crate::compare::Compared;
use crate::spool::SpoolReader;
use trueup_core::batch::{Batch, Record};
use trueup_core::plan::{self, Decoded};
use trueup_core::{Error, Result, encode};

/// One action.
pub(crate) struct Next<'a> {
    /// The spooled bytes.
    pub(crate) bytes: &'a [u8],
    /// What they say.
    pub(crate) action: &'a Decoded,
    /// The record that is written or removed.
    pub(crate) record: Record<'a>,
    /// The canonical key.
    pub(crate) key: &'a [u8],
}

/// Reads upserts and deletes side by side.
pub(crate) struct Actions<'a> {
    spools: [Spool<'a>; 2],
    /// The one whose head was given out.
    given: Option<usize>,
    last: Vec<u8>,
}

/// One of the two, and its next action.
struct Spool<'a> {
    reader: SpoolReader<'a>,
    /// The key, as positions.
    key_at: Vec<usize>,
    bytes: Vec<u8>,
    action: Option<Decoded>,
    record: Batch,
    key: Vec<u8>,
}

impl<'a> Actions<'a> {
    /// Starts at the first action.
    pub(crate) fn read(one: &'a mut Compared) -> Result<Self> {
        let width = one.plan.fields.len();
        let key = &one.plan.key;
        let mut spools = [
            Spool::new(one.upserts.read()?, key, width),
            Spool::new(one.deletes.read()?, key, width),
        ];
        for spool in &mut spools {
            spool.advance()?;
        }
        Ok(Self {
            spools,
            given: None,
            last: Vec::new(),
        })
    }

    /// Returns the next action; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Next<'_>>> {
        if let Some(given) = self.given.take() {
            let spool = &mut self.spools[given];
            std::mem::swap(&mut self.last, &mut spool.key);
            spool.advance()?;
        }
        let [upserts, deletes] = &self.spools;
        let at = match (upserts.key(), deletes.key()) {
            (None, None) => return Ok(None),
            (Some(_), None) => 0,
            (None, Some(_)) => 1,
            (Some(upsert), Some(delete)) => usize::from(delete < upsert),
        };
        self.given = Some(at);
        let spool = &self.spools[at];
        if spool.key <= self.last {
            return Err(Error::bug("a plan is not in the order of its keys"));
        }
        Ok(spool.action.as_ref().map(|action| Next {
            bytes: &spool.bytes,
            action,
            record: spool.record.record(0),
            key: &spool.key,
        }))
    }
}

impl<'a> Spool<'a> {
    fn new(reader: SpoolReader<'a>, key_at: &[usize], width: usize) -> Self {
        Self {
            reader,
            key_at: key_at.to_vec(),
            bytes: Vec::new(),
            action: None,
            record: Batch::new(width),
            key: Vec::new(),
        }
    }

    fn key(&self) -> Option<&[u8]> {
        self.action.is_some().then_some(self.key.as_slice())
    }

    fn advance(&mut self) -> Result<()> {
        self.key.clear();
        let Some(entry) = self.reader.next()? else {
            self.action = None;
            return Ok(());
        };
        self.bytes.clear();
        self.bytes.extend_from_slice(entry);
        self.record.reset(self.record.width());
        self.action = Some(plan::decode(entry, &mut self.record)?);
        let record = self.record.record(0);
        for &position in &self.key_at {
            encode::key(record.value(position), &mut self.key);
        }
        Ok(())
    }
}
