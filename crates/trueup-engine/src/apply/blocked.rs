//! Writes that another record stood in the way of, kept for another try.
//!
//! Invariant: memory is bounded by their number, which has a limit, not by their size: the records wait on disk.

use crate::link::World;
use crate::spool::{Spool, Spooled};
use trueup_core::Result;
use trueup_core::batch::Record;
use trueup_core::endpoint::Op;
use trueup_core::plan::Action;

/// Collects blocked writes of one collection in the order they came.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    records: Option<Spool>,
    /// Why, one per record.
    reasons: Vec<String>,
}

impl Blocked {
    pub(super) fn len(&self) -> usize {
        self.reasons.len()
    }

    pub(super) fn last_reason(&self) -> Option<&String> {
        self.reasons.last()
    }

    pub(super) fn push(
        &mut self,
        op: Op,
        record: Record<'_>,
        reason: String,
        world: &World<'_>,
    ) -> Result<()> {
        let action = Action {
            op,
            before: None,
            after: None,
            changed: Vec::new(),
            record,
        };
        let mut bytes = Vec::new();
        action.encode(&mut bytes);
        let spool = match &mut self.records {
            Some(spool) => spool,
            none => none.insert(Spool::new(&world.spool_folder)),
        };
        spool.push(&bytes)?;
        self.reasons.push(reason);
        Ok(())
    }

    /// Appends those of another worker.
    pub(super) fn absorb(&mut self, mut other: Self, world: &World<'_>) -> Result<()> {
        let (Some(mut records), reasons) = other.take()? else {
            return Ok(());
        };
        let mut reader = records.read()?;
        let spool = match &mut self.records {
            Some(spool) => spool,
            none => none.insert(Spool::new(&world.spool_folder)),
        };
        while let Some(entry) = reader.next()? {
            spool.push(entry)?;
        }
        self.reasons.extend(reasons);
        Ok(())
    }

    /// Takes everything out: the writes as spooled actions, and their reasons.
    pub(super) fn take(&mut self) -> Result<(Option<Spooled>, Vec<String>)> {
        let records = self.records.take().map(Spool::finish).transpose()?;
        Ok((records, std::mem::take(&mut self.reasons)))
    }
}
