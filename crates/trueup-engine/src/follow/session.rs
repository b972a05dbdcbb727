//! One go at following: from connect to whatever ends it.

use super::Followed;
use super::apply::Outlet;
use super::stream::Stream;
use crate::connect::{self, Collection};
use crate::link::{Link, World};
use crate::report::Report;
use crate::run;
use crate::state::{Following, LinkId, RunId, Seam, Store};
use trueup_core::digest::Digest;
use trueup_core::endpoint::{Claim, Mark, Marker, Position};
use trueup_core::follow::{self, FollowRequest, Log, Opened};
use trueup_core::schema::Schema;
use trueup_core::{Error, Kind, Result};

/// The partition whose marker says how far the log was followed.
pub(super) const PARTITION: &str = "";

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
        let delete = self.link.mode.delete;
        let same = |one: &Collection| {
            let seam = following.seams.get(&one.target.collection);
            one.create.is_none() && seam.is_some_and(|seam| seam.meaning == meaning(one, delete))
        };
        if !collections.iter().all(same) || collections.len() != following.seams.len() {
            self.note("the link has other collections, fields or rules than before");
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
        let delete = self.link.mode.delete;
        let seam = |one: &Collection| {
            let seam = Seam {
                snapshot: snapshot.clone(),
                meaning: meaning(one, delete),
            };
            (one.target.collection.clone(), seam)
        };
        let following = Following {
            start: start.clone(),
            seams: collections.iter().map(seam).collect(),
        };
        let run = self.store.begin(id, self.world.clock.now_ms())?;
        // First: a log that begins behind the marker is lost, and the sides are compared again.
        let begun = self.store.begin_following(id, &following);
        let begun = begun.and_then(|()| self.mark(id, &start));
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
        let followed = collections
            .iter()
            .zip(&keys)
            .map(|(one, key)| follow::Followed {
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
            .map(|one| Some(&following.seams.get(&one.target.collection)?.snapshot))
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
        let mut stream = Stream::new(
            (log.as_mut(), &collections, seams),
            outlet,
            (self.world, self.store, id),
            marker.map_or(0, |marker| marker.batch),
            self.followed,
        )?;
        stream.run(writer.as_mut())
    }
}

/// What a link says of a collection, shapes and rules, in short: records that were written under another one are to be
/// compared under this one.
fn meaning(one: &Collection, delete: bool) -> String {
    let bare = |schema: &Schema| Schema {
        notes: Vec::new(),
        ..schema.clone()
    };
    let (source, target) = (bare(&one.source), bare(&one.target));
    let said = format!("{delete} {source:?} {target:?} {:?}", one.mapping);
    Digest::of(said.as_bytes()).to_string()
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

/// Names the batch that leads to a position.
pub(super) fn mark(position: &Position, batch: u64) -> Mark {
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
