//! One go at following: from connect to whatever ends it.

use super::Followed;
use super::apply::Outlet;
use super::group::Group;
use crate::connect::{self, Collection};
use crate::link::{Link, World};
use crate::report::Report;
use crate::run;
use crate::state::{FollowStanding, Following, LinkId, RunId, Store};
use std::time::Duration;
use trueup_core::endpoint::{Claim, Mark, Marker, Position, Writer};
use trueup_core::follow::{Changes, FollowRequest, Log, Opened, Told};
use trueup_core::{Error, Kind, Result};

/// The partition whose marker says how far the log was followed.
const PARTITION: &str = "";

/// How long is waited for the next change before something else is looked at.
const WAIT: Duration = Duration::from_millis(200);

/// How often, in milliseconds, people are told how far it is.
const TOLD_MS: i64 = 1_000;

/// How often, in milliseconds, a position is stored that no change of ours led to.
const QUIET_MS: i64 = 10_000;

/// How a go at following ended well.
pub(super) enum End {
    /// As it was asked to.
    Stopped,
    /// A collection has got another shape: what was told of the old one cannot be read in the new one, so that all is
    /// compared, and the log begun anew.
    Reshaped,
}

/// What a go at following is given.
pub(super) struct Session<'a, 'w> {
    pub(super) link: &'a mut Link,
    pub(super) store: &'a mut Store,
    pub(super) world: &'a World<'w>,
    pub(super) copied: &'a mut dyn FnMut(&Report) -> Result<()>,
    pub(super) followed: &'a mut Followed,
    /// Whether the log is to be begun anew, whatever is known of it.
    pub(super) anew: &'a mut bool,
}

/// An open log, and what came before it.
struct Opening {
    log: Box<dyn Log>,
    following: Following,
    collections: Vec<Collection>,
}

impl Session<'_, '_> {
    /// Goes on where the last one ended, or begins anew.
    pub(super) fn run(&mut self) -> Result<End> {
        let id = self.link.id();
        let known = if *self.anew { None } else { self.resume(&id)? };
        let opening = match known {
            Some(opening) => opening,
            None => self.begin(&id)?,
        };
        let run = self.store.begin(&id, self.world.clock.now_ms())?;
        self.store.met(&id)?;
        let ended = self.stream(&id, run, opening);
        let now = self.world.clock.now_ms();
        match &ended {
            Ok(_) => self.store.finish(run, now, 0, None, None)?,
            Err(error) => {
                let text = format!("{}: {error}", error.kind().name());
                // The first failure is the one to report, whatever becomes of the record of it.
                drop(
                    self.store
                        .finish(run, now, run::exit_code(error.kind()), Some(&text), None),
                );
            }
        }
        ended
    }

    fn claim(&self, id: &LinkId) -> Claim {
        Claim {
            link: id.durable.clone(),
            incarnation: self.store.incarnation().to_owned(),
        }
    }

    fn prepare(&mut self, id: &LinkId) -> Result<Vec<Collection>> {
        let pending = self.store.under_construction(id)?;
        connect::prepare(self.link, &pending)
    }

    /// Goes on behind what the target's marker says; `None` where that cannot be: then the sides are compared.
    fn resume(&mut self, id: &LinkId) -> Result<Option<Opening>> {
        let Some(following) = self.store.following(id)? else {
            return Ok(None);
        };
        let collections = self.prepare(id)?;
        let all = |one: &Collection| {
            one.create.is_none() && following.seams.contains_key(&one.target.collection)
        };
        if !collections.iter().all(all) || collections.len() != following.seams.len() {
            self.note("the link has other collections than before");
            return Ok(None);
        }
        let claim = self.claim(id);
        let writer = self.link.target.writer(&claim);
        let mut writer = writer.map_err(|error| error.at("target"))?;
        let marker = writer
            .marker(PARTITION)
            .map_err(|error| error.at("target"))?;
        drop(writer);
        let from = match marker {
            None => following.start.clone(),
            Some(marker) if marker.incarnation != claim.incarnation => {
                self.note("the target was last written under another state file");
                return Ok(None);
            }
            Some(marker) => position(&marker)?,
        };
        match self.open(id, &collections, Some(&from))? {
            Opened::Log(log) => Ok(Some(Opening {
                log,
                following,
                collections,
            })),
            Opened::Lost(reason) => {
                self.note(&format!(
                    "the log does not go on where it was left: {reason}"
                ));
                Ok(None)
            }
        }
    }

    fn note(&self, what: &str) {
        let note = format!("{what}; the sides are compared, and what differs is written");
        self.world.progress.note(&note);
    }

    /// Begins a log, compares the sides and makes them agree, and returns the log from its beginning.
    fn begin(&mut self, id: &LinkId) -> Result<Opening> {
        let collections = self.prepare(id)?;
        let start = match self.open(id, &collections, None)? {
            Opened::Log(log) => log.start(),
            Opened::Lost(reason) => return Err(lost_at_once(&reason)),
        };
        self.world.failpoints.pass("engine.log_open")?;
        let (report, snapshot) = run::copy(self.link, self.store, self.world)?;
        (self.copied)(&report)?;
        if report.exit_code() >= 5 {
            return Err(
                Error::new(Kind::Bug, "the sides do not agree after they were made to")
                    .hint("see the certificate; nothing is followed until a run agrees"),
            );
        }
        self.world.failpoints.pass("engine.copied")?;
        let collections = self.prepare(id)?;
        let seam = |one: &Collection| (one.target.collection.clone(), snapshot.clone());
        let following = Following {
            start: start.clone(),
            seams: collections.iter().map(seam).collect(),
        };
        // The log behind an older marker is another one.
        let run = self.store.begin(id, self.world.clock.now_ms())?;
        let begun = self
            .mark(id, &start)
            .and_then(|()| self.store.begin_following(id, &following));
        let now = self.world.clock.now_ms();
        self.store.finish(run, now, 0, None, None)?;
        begun?;
        *self.anew = false;
        match self.open(id, &collections, Some(&start))? {
            Opened::Log(log) => Ok(Opening {
                log,
                following,
                collections,
            }),
            Opened::Lost(reason) => Err(lost_at_once(&reason)),
        }
    }

    /// Stores the position in the target's marker.
    fn mark(&mut self, id: &LinkId, position: &Position) -> Result<()> {
        let writer = self.link.target.writer(&self.claim(id));
        let mut writer = writer.map_err(|error| error.at("target"))?;
        let marker = writer
            .marker(PARTITION)
            .map_err(|error| error.at("target"))?;
        let batch = marker.map_or(0, |marker| marker.batch);
        let marked = writer.mark(&mark(position, batch + 1));
        marked.map_err(|error| error.at("target"))
    }

    fn open(
        &mut self,
        id: &LinkId,
        collections: &[Collection],
        from: Option<&Position>,
    ) -> Result<Opened> {
        let keys: Vec<Vec<usize>> = collections.iter().map(key).collect::<Result<_>>()?;
        let followed =
            collections
                .iter()
                .zip(&keys)
                .map(|(one, key)| trueup_core::follow::Followed {
                    schema: &one.source,
                    fields: one.mapping.source_fields(),
                    key,
                });
        let followed: Vec<_> = followed.collect();
        let limits = self.world.limits;
        let request = FollowRequest {
            link: &id.durable,
            collections: &followed,
            from,
            changes_max: limits.batch_records_max,
            bytes_max: limits.batch_bytes_max,
        };
        self.link
            .source
            .follow(&request)
            .map_err(|error| error.at("source"))
    }

    /// Writes what the log tells until something ends it.
    fn stream(&mut self, id: &LinkId, run: RunId, opening: Opening) -> Result<End> {
        let Opening {
            mut log,
            following,
            collections,
        } = opening;
        let claim = self.claim(id);
        let writer = self.link.target.writer(&claim);
        let mut writer = writer.map_err(|error| error.at("target"))?;
        let marker = writer
            .marker(PARTITION)
            .map_err(|error| error.at("target"))?;
        self.world
            .progress
            .note(&format!("following from {}", log.start()));
        let seams = collections
            .iter()
            .map(|one| following.seams.get(&one.target.collection))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| Error::bug("a collection has no seam"))?;
        let outlet = Outlet::new(
            &collections,
            self.link.mode.delete,
            self.store,
            id,
            run,
            self.world,
        )?;
        let standing = self.store.follow_standing(&id.durable)?.unwrap_or_default();
        let mut stream = Stream {
            world: self.world,
            store: self.store,
            id,
            log: log.as_mut(),
            group: Group::new(&collections, self.world),
            piece: Changes::default(),
            seams,
            outlet,
            batch: marker.map_or(0, |marker| marker.batch),
            standing,
            told_ms: 0,
            quiet_ms: self.world.clock.now_ms(),
            quiet: None,
            followed: self.followed,
        };
        stream.run(writer.as_mut())
    }
}

fn lost_at_once(reason: &str) -> Error {
    Error::new(
        Kind::Unavailable,
        format!("the log was lost as soon as it was begun: {reason}"),
    )
    .hint("see that nobody else uses what the link keeps at the source")
    .at("source")
}

fn position(marker: &Marker) -> Result<Position> {
    let text = String::from_utf8(marker.position.clone());
    let text = text.map_err(|_| Error::corrupt("target: the marker of the log is no position"))?;
    Ok(Position(text))
}

fn mark(position: &Position, batch: u64) -> Mark {
    Mark {
        partition: PARTITION.to_owned(),
        batch,
        position: position.0.clone().into_bytes(),
    }
}

/// The key, as positions among the fields that are read.
fn key(one: &Collection) -> Result<Vec<usize>> {
    let key = one.mapping.source_key().filter(|key| !key.is_empty());
    key.ok_or_else(|| {
        Error::config(format!(
            "source collection={}: a change is told by fields of the source, and the key is computed from them",
            one.source.collection
        ))
        .hint("name fields of the source as the key, or leave the collection out")
    })
}

/// The log on its way into the target.
struct Stream<'a, 'w> {
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
enum Heard {
    Nothing,
    /// Part of a transaction.
    Part,
    /// A transaction's end.
    Whole,
    Quiet,
    Reshaped,
}

impl Stream<'_, '_> {
    fn run(&mut self, writer: &mut dyn Writer) -> Result<End> {
        loop {
            if self.world.is_stopped() {
                // What is not written yet is told again.
                self.tell(true)?;
                return Ok(End::Stopped);
            }
            let wait = if self.group.is_empty() {
                WAIT
            } else {
                Duration::ZERO
            };
            match self.listen(wait)? {
                Heard::Nothing if self.group.is_whole() => self.write(writer)?,
                Heard::Nothing | Heard::Quiet => {
                    if self.group.is_empty() {
                        self.standing.level_ms = Some(self.world.clock.now_ms());
                    }
                    self.store_quiet(writer)?;
                }
                Heard::Part | Heard::Whole if self.group.is_full() => self.write(writer)?,
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
    /// with it: part of it is never seen.
    fn write(&mut self, writer: &mut dyn Writer) -> Result<()> {
        self.world.failpoints.pass("engine.group")?;
        let at = |error: Error| error.at("target");
        if !self.group.has_changes() {
            // All of it was seen before, or concerns nobody: its position is stored with what comes next.
            let (position, _) = self.group.position()?;
            self.quiet = Some(position);
            self.group.forget();
            return Ok(());
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
            self.rest()?;
        }
        let (position, at_us) = self.group.position()?;
        let (transactions, changes) = self.group.counts();
        self.outlet.settle(transaction.as_mut()).map_err(at)?;
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
        Ok(())
    }

    /// Gathers more of a transaction that is too large to be held.
    fn rest(&mut self) -> Result<()> {
        loop {
            self.world.check_stop()?;
            match self.listen(WAIT)? {
                Heard::Reshaped => {
                    return Err(Error::new(
                        Kind::Unavailable,
                        "a collection has got another shape within a transaction",
                    )
                    .hint("it is read again"));
                }
                Heard::Whole => return Ok(()),
                Heard::Part if self.group.is_full() => return Ok(()),
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
