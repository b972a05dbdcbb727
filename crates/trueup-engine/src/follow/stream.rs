//! The log on its way into the target: gathers transactions, writes them, and says how far it is.

use super::Followed;
use super::apply::Outlet;
use super::group::Group;
use super::session::{End, PARTITION, mark};
use crate::connect::Collection;
use crate::link::World;
use crate::state::{FollowStanding, LinkId, Store};
use std::time::Duration;
use trueup_core::endpoint::{Position, Writer};
use trueup_core::follow::{Changes, Log, Told};
use trueup_core::{Error, Result};

/// How long is waited for the next change before something else is looked at.
const WAIT: Duration = Duration::from_millis(200);

/// How often, in milliseconds, people are told how far it is.
const TOLD_MS: i64 = 1_000;

/// How often, in milliseconds, a position is stored that no change of ours led to.
const QUIET_MS: i64 = 10_000;

/// The log on its way into the target.
pub(super) struct Stream<'a, 'w> {
    world: &'a World<'w>,
    store: &'a mut Store,
    id: &'a LinkId,
    log: &'a mut dyn Log,
    group: Group<'a>,
    piece: Changes,
    seams: Vec<&'a Position>,
    outlet: Outlet<'a>,
    /// The number of the last batch.
    batch: u64,
    standing: FollowStanding,
    told_ms: i64,
    quiet_ms: i64,
    /// A position that no change of ours led to, and that is not stored yet.
    quiet: Option<Position>,
    followed: &'a mut Followed,
}

/// What came of listening once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    /// Part of a transaction.
    Part,
    /// A transaction's end.
    Whole,
    Quiet,
    Reshaped,
}

impl<'a, 'w> Stream<'a, 'w> {
    /// The log of some collections, each with the snapshot it was compared with; `batch` is the last one at the target.
    pub(super) fn new(
        (log, collections, seams): (&'a mut dyn Log, &'a [Collection], Vec<&'a Position>),
        outlet: Outlet<'a>,
        (world, store, id): (&'a World<'w>, &'a mut Store, &'a LinkId),
        batch: u64,
        followed: &'a mut Followed,
    ) -> Result<Self> {
        Ok(Self {
            world,
            standing: store.follow_standing(&id.durable)?.unwrap_or_default(),
            store,
            id,
            log,
            group: Group::new(collections, world),
            piece: Changes::default(),
            seams,
            outlet,
            batch,
            told_ms: 0,
            quiet_ms: world.clock.now_ms(),
            quiet: None,
            followed,
        })
    }

    /// Writes what the log tells until something ends it.
    pub(super) fn run(&mut self, writer: &mut dyn Writer) -> Result<End> {
        loop {
            if self.world.is_stopped() {
                // What is not written yet is told again.
                self.tell(true)?;
                return Ok(End::Stopped);
            }
            // Within a transaction there is nothing to write yet.
            let wait = if self.group.is_whole() {
                Duration::ZERO
            } else {
                WAIT
            };
            match self.listen(wait)? {
                Heard::Nothing if self.group.is_whole() => {
                    if !self.write(writer)? {
                        return Ok(End::Reshaped);
                    }
                }
                heard @ (Heard::Nothing | Heard::Quiet) => {
                    if self.group.is_empty() && heard == Heard::Nothing {
                        self.standing.level_ms = Some(self.world.clock.now_ms());
                    }
                    self.store_quiet(writer)?;
                }
                Heard::Part | Heard::Whole if self.group.is_full() => {
                    if !self.write(writer)? {
                        return Ok(End::Reshaped);
                    }
                }
                Heard::Part | Heard::Whole => {}
                Heard::Reshaped => {
                    if self.group.is_whole() {
                        self.write(writer)?;
                    }
                    self.tell(true)?;
                    return Ok(End::Reshaped);
                }
            }
            self.tell(false)?;
        }
    }

    fn listen(&mut self, wait: Duration) -> Result<Heard> {
        let told = self.log.next(&mut self.piece, wait);
        let told = told.map_err(|error| error.at("source"))?;
        Ok(match told {
            Told::Nothing => Heard::Nothing,
            Told::Changes(at) => {
                if !self.is_seen(at)? {
                    self.group.take(at, &mut self.piece)?;
                }
                Heard::Part
            }
            Told::Truncated(all) => {
                for at in all {
                    if !self.is_seen(at)? {
                        self.group.clear(at);
                    }
                }
                Heard::Part
            }
            Told::Commit { position, at_us } => {
                self.group.end(position, at_us);
                Heard::Whole
            }
            Told::Quiet(position) => {
                self.quiet = Some(position);
                Heard::Quiet
            }
            Told::Reshaped(at) => {
                let name = self.group.name(at);
                let note = format!(
                    "source collection={name}: the log tells of another shape than it has now; the sides are compared, and \
                     what differs is written"
                );
                self.world.progress.note(&note);
                Heard::Reshaped
            }
        })
    }

    fn is_seen(&self, at: usize) -> Result<bool> {
        let seam = self.seams.get(at);
        let seam =
            seam.ok_or_else(|| Error::bug("the log tells of a collection that was not asked for"))?;
        self.log.seen(seam).map_err(|error| error.at("source"))
    }

    /// Writes what was gathered in one transaction. Where that ends within a transaction of the source, its rest is written
    /// with it: part of it is never seen. `false` as [`Stream::rest`] says it; then nothing was written.
    fn write(&mut self, writer: &mut dyn Writer) -> Result<bool> {
        self.world.failpoints.pass("engine.group")?;
        let at = |error: Error| error.at("target");
        if !self.group.has_changes() {
            // All of it was seen before, or concerns nobody: its position is stored with what comes next.
            let (position, _) = self.group.position()?;
            self.quiet = Some(position);
            self.group.forget();
            return Ok(true);
        }
        let begun = writer.transaction().map_err(at)?;
        let Some(mut transaction) = begun else {
            return Err(Error::bug("the target keeps no markers"));
        };
        loop {
            self.outlet
                .write(&self.group, transaction.as_mut())
                .map_err(at)?;
            self.group.written();
            if self.group.is_whole() {
                break;
            }
            if !self.rest()? {
                return Ok(false);
            }
        }
        let (position, at_us) = self.group.position()?;
        let (transactions, changes) = self.group.counts();
        self.outlet.settle(transaction.as_mut()).map_err(at)?;
        self.outlet.prepare(self.store)?;
        self.world.failpoints.pass("engine.group_written")?;
        transaction
            .commit(&mark(&position, self.batch + 1))
            .map_err(at)?;
        self.batch += 1;
        self.group.forget();
        self.world.failpoints.pass("engine.group_committed")?;
        self.outlet.committed(self.store)?;
        self.log.durable(&position);
        self.quiet = None;
        self.followed.transactions += transactions;
        self.followed.changes += changes;
        self.standing.transactions += transactions;
        self.standing.changes += changes;
        self.standing.at_us = at_us.or(self.standing.at_us);
        self.standing.position = Some(position.0);
        Ok(true)
    }

    /// Gathers more of a transaction that is too large to be held; `false` when a collection has got another shape within it:
    /// then none of it can be written.
    fn rest(&mut self) -> Result<bool> {
        loop {
            self.world.check_stop()?;
            match self.listen(WAIT)? {
                Heard::Reshaped => return Ok(false),
                Heard::Whole => return Ok(true),
                Heard::Part if self.group.is_full() => return Ok(true),
                Heard::Part | Heard::Nothing | Heard::Quiet => {}
            }
        }
    }

    /// Stores a position that no change of ours led to, now and then: the source need not keep what is before it.
    fn store_quiet(&mut self, writer: &mut dyn Writer) -> Result<()> {
        let now = self.world.clock.now_ms();
        if now - self.quiet_ms < QUIET_MS || !self.group.is_empty() {
            return Ok(());
        }
        self.quiet_ms = now;
        let Some(position) = self.quiet.take() else {
            return Ok(());
        };
        let marked = writer.mark(&mark(&position, self.batch + 1));
        marked.map_err(|error| error.at("target"))?;
        self.batch += 1;
        self.log.durable(&position);
        self.standing.position = Some(position.0);
        Ok(())
    }

    /// Records for people how far it is, now and then.
    fn tell(&mut self, last: bool) -> Result<()> {
        let now = self.world.clock.now_ms();
        if now - self.told_ms < TOLD_MS && !last {
            return Ok(());
        }
        self.told_ms = now;
        self.standing.heard_ms = Some(now);
        let backlog = self.log.backlog().map_err(|error| error.at("source"))?;
        self.standing.kept_bytes = backlog.kept_bytes;
        self.standing.untold_bytes = backlog.untold_bytes;
        self.store.checkpoint(self.id, PARTITION, self.batch)?;
        self.store.followed(self.id, &self.standing)
    }
}
