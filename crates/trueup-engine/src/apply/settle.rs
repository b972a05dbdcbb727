//! Sends one batch, and when the answer is lost finds out what became of it.
//!
//! Invariant: no batch number is applied twice, and no commit of ours can land behind our back. After a broken
//! connection the epoch is raised first, which makes a commit still in flight either visible or refused; only then is
//! the marker read. It is ours if it was written under the epoch that sent the batch: an epoch belongs to one claim,
//! while another engine, above all one with a copy of our state file, may well use the same number.
//!
//! A batch found applied has lost its outcomes with the answer. It is sent again under the next number: what was
//! applied is so already, and what was refused is refused again and says so. The rejected alternative, to take every
//! record for applied, loses refused records until verify finds them, and calls that a failed verification.
//!
//! In a bag that would make two records of one. There the marker itself says which writes were refused ([`counted`]),
//! and where no markers are kept, a lost answer ends the run.

use super::counted::{self, Counted};
use super::{Applier, Pending};
use crate::connect::Collection;
use trueup_core::endpoint::{Applied, Bag, Mark, Marker, Writes};
use trueup_core::parcel::{Delivered, Delivery, Parcel};
use trueup_core::{Error, Kind, Result};

/// How often a broken connection to the target is tried again, and the first pause; each next one is twice as long.
const RECONNECTS_MAX: u32 = 5;
const RECONNECT_PAUSE_MS: u64 = 200;

impl Applier<'_> {
    /// Applies a batch and says what became of each of its writes.
    pub(super) fn settle(
        &mut self,
        collection: &Collection,
        batch: &Pending,
        mut load: bool,
    ) -> Result<Applied> {
        let mut reconnects = 0;
        let position = self.position.clone();
        let counted = Counted {
            mapping: &collection.mapping,
            position: &position,
        };
        let bag: Option<&dyn Bag> = if collection.mapping.is_bag() {
            Some(&counted)
        } else {
            None
        };
        loop {
            let mark = self.next_mark(&collection.target.collection);
            let writes = Writes {
                schema: &collection.target,
                fields: collection.mapping.target_fields(),
                key: collection.mapping.key(),
                ops: &batch.ops,
                records: &batch.records,
                mark: &mark,
                load,
                check: None,
                bag,
            };
            let sent_under = self.writer.epoch();
            let lost = match self.writer.apply(&writes) {
                Err(error) if self.is_lost(&error) => error,
                Err(error) => return Err(error),
                Ok(applied) => {
                    self.accepted(&mark, applied.durable);
                    return Ok(applied);
                }
            };
            if bag.is_some() && !self.keeps_markers() {
                return Err(lost.hint(
                    "whether the last batch was written is not known, and writing it again could double its records; \
                     run again: everything is compared first",
                ));
            }
            if let Some(found) = self.find_out(lost, &mark, sent_under, &mut reconnects)? {
                if bag.is_some() {
                    let outcomes = counted::outcomes(&found.position, batch.ops.len())?;
                    return Ok(Applied {
                        outcomes,
                        durable: true,
                    });
                }
                load = false;
            }
        }
    }

    /// Delivers a parcel; `false` when it was refused, and nothing was written.
    pub(super) fn settle_parcel(
        &mut self,
        collection: &Collection,
        parcel: &Parcel,
    ) -> Result<bool> {
        let mut reconnects = 0;
        loop {
            let mark = self.next_mark(&collection.target.collection);
            let delivery = Delivery {
                schema: &collection.target,
                fields: collection.mapping.target_fields(),
                parcel,
                mark: &mark,
            };
            let sent_under = self.writer.epoch();
            let lost = match self.writer.deliver(&delivery) {
                Err(error) if self.is_lost(&error) => error,
                Err(error) => return Err(error),
                Ok(Delivered::Refused) => return Ok(false),
                Ok(Delivered::Durable) => {
                    self.accepted(&mark, true);
                    return Ok(true);
                }
            };
            // All of a parcel was written, or none; where no marker tells which, its records are put in one by one.
            let found = self.find_out(lost, &mark, sent_under, &mut reconnects)?;
            if found.is_some() || !self.keeps_markers() {
                return Ok(found.is_some());
            }
        }
    }

    /// Finds out what became of a batch whose answer was lost: its marker, where it was applied.
    fn find_out(
        &mut self,
        lost: Error,
        mark: &Mark,
        sent_under: u64,
        reconnects: &mut u32,
    ) -> Result<Option<Marker>> {
        let marker = self.reconnect(lost, &mark.partition, reconnects)?;
        let ours = |found: &Marker| found.batch == mark.batch && found.epoch == sent_under;
        let Some(found) = marker.filter(ours) else {
            return Ok(None);
        };
        self.accepted(mark, true);
        self.checkpoint(&mark.partition)?;
        Ok(Some(found))
    }

    /// Names the next batch of the collection, or of this worker.
    fn next_mark(&self, collection: &str) -> Mark {
        let partition = self.partition.as_deref().unwrap_or(collection);
        Mark {
            partition: partition.to_owned(),
            batch: self.batches.get(partition).copied().unwrap_or(0) + 1,
            position: self.position.clone(),
        }
    }

    fn accepted(&mut self, mark: &Mark, durable: bool) {
        self.batches.insert(mark.partition.clone(), mark.batch);
        if !durable {
            self.volatile.insert(mark.partition.clone());
        }
    }

    /// Claims the target again and reads the partition's marker. `lost` is the error that broke the connection.
    fn reconnect(
        &mut self,
        mut lost: Error,
        partition: &str,
        reconnects: &mut u32,
    ) -> Result<Option<Marker>> {
        if let Some(collection) = self.volatile.first() {
            // Earlier batches may have gone with the connection; sending this one again would hide that.
            return Err(lost.at(format!("collection={collection} was not yet durable")));
        }
        let mut pause_ms = RECONNECT_PAUSE_MS;
        loop {
            // Who was refused by another worker's claim has lost nothing that it would have to wait for.
            if lost.kind() != Kind::Stale {
                *reconnects += 1;
                if *reconnects > RECONNECTS_MAX {
                    return Err(lost);
                }
                let note = format!("the target went away ({lost}); connecting again");
                self.world.progress.note(&note);
                self.world.clock.wait_ms(pause_ms);
                pause_ms *= 2;
            }
            self.check_stop()?;
            // The epoch is raised, then the marker is read: in this order.
            let again = self.claim_again();
            match again.and_then(|()| self.writer.marker(partition)) {
                Err(error) if error.kind() == Kind::Unavailable => lost = error,
                other => return other,
            }
        }
    }
}

/// Makes sure that nobody claimed the link between `before`, seen by us, and our claim `now`. Another engine that did
/// may have written newer records, which our plan would take back.
///
/// When it was our own claim whose answer was lost, this stops a run that could have gone on: that is the safe side.
pub(crate) fn only_we_claimed(before: u64, now: u64) -> Result<()> {
    if now == before + 1 {
        return Ok(());
    }
    Err(Error::new(
        Kind::Stale,
        format!("another engine claimed this link epoch={before} now={now}"),
    )
    .hint(
        "nothing was written since; make sure that only one engine runs this link, then run again",
    ))
}
