//! Tells what the log says, in pieces.
//!
//! Invariant: a piece is of one collection and one transaction. Nothing is said to be durable that nobody said was. The
//! stream begins with the first [`Log::next`]: until then, which may be hours, no server waits for answers.

use super::message::{self, Message, Old, Tuples};
use super::place::{self, Lsn, Place, Seen};
use super::session::{Session, refusal};
use super::shape::{Places, Shape};
use super::slot::{self, PAUSE};
use super::socket::{Frame, now};
use super::text::Scratch;
use crate::postgres::connect::{Connection, column};
use crate::postgres::decode::micros;
use crate::postgres::quote::ident;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use trueup_core::endpoint::Position;
use trueup_core::follow::{Backlog, Change, Changes, Log, Told};
use trueup_core::{Error, Result};

/// How often a quiet log says how far it is.
const QUIET_EVERY: Duration = Duration::from_secs(2);
/// How soon after the last report another one may be sent for a new durable position.
const REPORT_SOON: Duration = Duration::from_millis(100);
/// How long the server is told nothing at the most.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// How long the server waits for a report. It is long, because a target may be slow; a dead client is noticed by its
/// connection.
const SERVER_PATIENCE: &str = "SELECT set_config(name, '300000', false) FROM pg_settings \
    WHERE name = 'wal_sender_timeout' AND setting::int BETWEEN 1 AND 300000";

/// What a log begins with.
#[derive(Debug)]
pub(super) struct Beginning {
    /// Of the slot and the publication.
    pub(super) name: String,
    /// What positions of this log begin with.
    pub(super) identity: String,
    /// What positions of this source's snapshots begin with.
    pub(super) known: String,
    pub(super) start: Lsn,
    pub(super) timeline: u32,
    /// Whether values may be asked for in binary form.
    pub(super) binary: bool,
    pub(super) changes_max: usize,
    pub(super) bytes_max: usize,
}

/// A log being told.
pub(super) struct PostgresLog {
    session: Session,
    /// For questions beside the log.
    connection: Connection,
    shapes: Vec<Shape>,
    given: Beginning,
    streams: bool,
    /// What the server described: `None` where it is not followed.
    relations: BTreeMap<u32, Option<(usize, Places)>>,
    tuples: Tuples,
    scratch: Scratch,
    /// The transaction that is being told, or was told last.
    xid: Option<u32>,
    /// Whether its end is still to come.
    inside: bool,
    /// Whether something of it was told.
    touched: bool,
    /// Everything up to here was told, or is nobody's business.
    passed: Lsn,
    /// The last position that was told.
    announced: Lsn,
    announced_at: Option<Instant>,
    durable: Lsn,
    reported: Lsn,
    reported_at: Instant,
}

impl PostgresLog {
    pub(super) fn new(
        mut session: Session,
        connection: Connection,
        shapes: Vec<Shape>,
        given: Beginning,
    ) -> Result<Self> {
        session.query(SERVER_PATIENCE)?;
        let start = given.start;
        Ok(Self {
            session,
            connection,
            shapes,
            given,
            streams: false,
            relations: BTreeMap::new(),
            tuples: Tuples::default(),
            scratch: Scratch::default(),
            xid: None,
            inside: false,
            touched: false,
            passed: start,
            announced: start,
            announced_at: None,
            durable: start,
            reported: start,
            reported_at: now(),
        })
    }

    /// Asks the server to begin. What a client that died a moment ago holds is free soon.
    fn begin(&mut self) -> Result<()> {
        let binary = self.given.binary && self.shapes.iter().all(Shape::binary);
        let command = command(&self.given.name, self.given.start, binary, None);
        let session = &mut self.session;
        slot::until_free(&self.given.name, || {
            match session.begin_copy(&command)?.as_deref() {
                None => Ok(true),
                Some("55006") => session.query(PAUSE).map(|_| false),
                Some(code) => Err(refusal(code)),
            }
        })?;
        self.streams = true;
        self.report(false)
    }

    fn position(&self, lsn: Lsn) -> Position {
        let timeline = self.given.timeline;
        place::position(&self.given.identity, Place { timeline, lsn })
    }

    /// Tells the server what arrived and what is durable.
    fn report(&mut self, answer: bool) -> Result<()> {
        let mut out = [0; 34];
        let (written, flushed) = (self.passed.max(self.durable), self.durable);
        let parts = [(1, written), (9, flushed), (17, flushed)];
        for (at, lsn) in parts {
            if let Some(place) = out.get_mut(at..at + 8) {
                place.copy_from_slice(&lsn.0.to_be_bytes());
            }
        }
        // The time at bytes 25 to 32 is for people only, and nobody needs ours.
        out[0] = b'r';
        out[33] = u8::from(answer);
        self.session.send(&out)?;
        self.reported = flushed;
        self.reported_at = now();
        Ok(())
    }

    fn report_when_due(&mut self) -> Result<()> {
        let silent = now().saturating_duration_since(self.reported_at);
        let news = self.durable > self.reported && silent >= REPORT_SOON;
        if news || silent >= REPORT_EVERY {
            self.report(false)?;
        }
        Ok(())
    }

    /// Until when nothing has to be sent.
    fn silence_ends(&self) -> Instant {
        let news = self.durable > self.reported;
        self.reported_at + if news { REPORT_SOON } else { REPORT_EVERY }
    }

    /// Says how far a log is that says nothing, now and then.
    fn quiet(&mut self) -> Option<Told> {
        let recent = self
            .announced_at
            .is_some_and(|at| now().saturating_duration_since(at) < QUIET_EVERY);
        if self.inside || recent || self.passed <= self.announced {
            return None;
        }
        Some(Told::Quiet(self.announce(self.passed)))
    }

    fn announce(&mut self, lsn: Lsn) -> Position {
        self.announced = lsn;
        self.announced_at = Some(now());
        self.position(lsn)
    }

    /// Takes one message in. It is used up unless it has to wait until the piece before it is told.
    fn take(
        &mut self,
        frame: Frame,
        piece: &mut Changes,
        current: &mut Option<usize>,
    ) -> Result<Option<Told>> {
        let content = self.session.content(frame);
        match content.split_first() {
            Some((b'w', rest)) => {
                let Some((_places, message)) = rest.split_first_chunk::<24>() else {
                    return Err(unreadable());
                };
                let read = message::read(message, &mut self.tuples)?;
                self.tell(frame, read, piece, current)
            }
            Some((b'k', rest)) => {
                let (Some((end, _)), Some(&answer)) = (rest.split_first_chunk(), rest.get(16))
                else {
                    return Err(unreadable());
                };
                let end = Lsn(u64::from_be_bytes(*end));
                self.session.used(frame);
                if !self.inside {
                    self.passed = self.passed.max(end);
                }
                if answer == 1 {
                    self.report(false)?;
                }
                Ok(None)
            }
            _ => Err(unreadable()),
        }
    }

    fn tell(
        &mut self,
        frame: Frame,
        read: Message,
        piece: &mut Changes,
        current: &mut Option<usize>,
    ) -> Result<Option<Told>> {
        let (relation, change) = match read {
            Message::Insert { relation } => (relation, Kind::Insert),
            Message::Update { relation, old } => (relation, Kind::Update(old)),
            Message::Delete { relation, old } => (relation, Kind::Delete(old)),
            // What is no change ends the piece.
            _ if current.is_some() && !matches!(read, Message::Other) => {
                return Ok(current.map(Told::Changes));
            }
            other => return self.tell_other(frame, other),
        };
        let Some(known) = self.relations.get(&relation) else {
            return Err(
                Error::corrupt("the log changes a table that it did not describe")
                    .hint("the server or something between does not speak PostgreSQL's protocol"),
            );
        };
        let Some((collection, places)) = known else {
            self.session.used(frame);
            return Ok(None);
        };
        let collection = *collection;
        if current.is_some_and(|one| one != collection) {
            return Ok(current.map(Told::Changes));
        }
        let Some(shape) = self.shapes.get(collection) else {
            return Err(Error::bug("a relation belongs to no collection"));
        };
        if current.is_none() {
            piece.reset(shape.width());
            *current = Some(collection);
        }
        let content = self.session.content(frame);
        let message = content.get(25..).unwrap_or(&[]);
        change.push(
            shape,
            places,
            (message, &self.tuples),
            &mut self.scratch,
            piece,
        )?;
        self.session.used(frame);
        self.touched = true;
        let full = piece.changes.len() >= self.given.changes_max
            || piece.records.bytes() >= self.given.bytes_max;
        Ok(full.then_some(Told::Changes(collection)))
    }

    /// Tells what is no change of a record.
    fn tell_other(&mut self, frame: Frame, read: Message) -> Result<Option<Told>> {
        let told = match read {
            Message::Begin { xid } => {
                (self.xid, self.inside, self.touched) = (Some(xid), true, false);
                None
            }
            Message::Commit { end, at } => {
                self.inside = false;
                self.passed = self.passed.max(end);
                self.touched.then(|| Told::Commit {
                    position: self.announce(end),
                    at_us: micros(at),
                })
            }
            Message::Relation(relation) => {
                let followed = self.followed(&relation);
                if let Some((collection, None)) = followed {
                    // Not used up: whoever asks again is told again.
                    return Ok(Some(Told::Reshaped(collection)));
                }
                let known = followed.and_then(|(at, places)| Some((at, places?)));
                self.relations.insert(relation.oid, known);
                None
            }
            Message::Truncate { relations } => {
                let known = relations.iter().filter_map(|oid| self.relations.get(oid));
                let followed = known.flatten().map(|(collection, _)| *collection);
                let followed = followed.collect::<Vec<_>>();
                self.touched |= !followed.is_empty();
                (!followed.is_empty()).then_some(Told::Truncated(followed))
            }
            Message::Other
            | Message::Insert { .. }
            | Message::Update { .. }
            | Message::Delete { .. } => None,
        };
        self.session.used(frame);
        Ok(told)
    }

    /// Finds the collection that a relation is, and its fields; without those, it has another shape.
    fn followed(&self, relation: &message::Relation) -> Option<(usize, Option<Places>)> {
        let mut shapes = self.shapes.iter();
        let at = shapes.position(|shape| shape.table.oid() == relation.oid)?;
        Some((at, self.shapes.get(at)?.places(relation)))
    }
}

impl Log for PostgresLog {
    fn start(&self) -> Position {
        self.position(self.given.start)
    }

    fn next(&mut self, piece: &mut Changes, wait: Duration) -> Result<Told> {
        if !self.streams {
            self.begin()?;
        }
        let deadline = now() + wait;
        let (mut current, mut asked) = (None, false);
        loop {
            self.report_when_due()?;
            while let Some(frame) = self.session.message()? {
                if let Some(told) = self.take(frame, piece, &mut current)? {
                    return Ok(told);
                }
            }
            let over = asked && now() >= deadline;
            if current.is_none()
                && let Some(told) = self.quiet()
            {
                return Ok(told);
            }
            if over {
                return Ok(current.map_or(Told::Nothing, Told::Changes));
            }
            self.session.fill(deadline.min(self.silence_ends()))?;
            asked = true;
        }
    }

    fn seen(&self, snapshot: &Position) -> Result<bool> {
        let xid = self
            .xid
            .ok_or_else(|| Error::bug("no transaction has been told yet"))?;
        Ok(Seen::parse(&self.given.known, snapshot)?.holds(xid))
    }

    fn durable(&mut self, position: &Position) {
        if let Some((identity, place)) = place::parse(position)
            && identity == self.given.identity
        {
            self.durable = self.durable.max(place.lsn.min(self.announced));
        }
    }

    fn backlog(&mut self) -> Result<Backlog> {
        let sql = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::int8, \
                   pg_wal_lsn_diff(pg_current_wal_lsn(), $2::text::pg_lsn)::int8 \
                   FROM pg_replication_slots WHERE slot_name = $1::text::name";
        let passed = self.passed.to_string();
        let rows = self.connection.query(sql, &[&self.given.name, &passed])?;
        let Some(row) = rows.first() else {
            return Ok(Backlog::default());
        };
        let bytes = |at| -> Result<Option<u64>> {
            let count: Option<i64> = column(row, at)?;
            Ok(count.map(|count| u64::try_from(count).unwrap_or(0)))
        };
        Ok(Backlog {
            kept_bytes: bytes(0)?,
            untold_bytes: bytes(1)?,
        })
    }
}

/// What a change does, with what is known of the record before it.
#[derive(Clone, Copy)]
enum Kind {
    Insert,
    Update(Option<Old>),
    Delete(Old),
}

impl Kind {
    fn push(
        self,
        shape: &Shape,
        places: &Places,
        (message, tuples): (&[u8], &Tuples),
        scratch: &mut Scratch,
        piece: &mut Changes,
    ) -> Result<()> {
        let into = &mut piece.records;
        let change = match self {
            Self::Insert => {
                shape.after(places, (tuples, None), message, scratch, into)?;
                Change::Insert
            }
            Self::Delete(old) => {
                shape.before(places, (tuples, old), message, scratch, into)?;
                Change::Delete
            }
            // In a bag the whole record says which one it is.
            Self::Update(Some(old)) if shape.bag || !shape.same_key(places, tuples, message) => {
                shape.before(places, (tuples, old), message, scratch, into)?;
                shape.after(places, (tuples, Some(old)), message, scratch, into)?;
                Change::Rekey
            }
            Self::Update(old) => {
                shape.after(places, (tuples, old), message, scratch, into)?;
                Change::Update
            }
        };
        piece.changes.push(change);
        Ok(())
    }
}

/// The command that begins the stream. `origin` is for links that go both ways: `none` leaves out what was replicated to
/// the source.
fn command(name: &str, start: Lsn, binary: bool, origin: Option<&str>) -> String {
    let publication = ident(name);
    let mut options = format!("proto_version '1', publication_names '{publication}'");
    if binary {
        options.push_str(", binary 'true'");
    }
    if let Some(origin) = origin {
        options.push_str(&format!(", origin '{origin}'"));
    }
    format!("START_REPLICATION SLOT {publication} LOGICAL {start} ({options})")
}

fn unreadable() -> Error {
    Error::corrupt("unreadable message around the log")
        .hint("the server or something between does not speak PostgreSQL's protocol")
}
