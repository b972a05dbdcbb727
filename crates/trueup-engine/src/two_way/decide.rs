//! Compares both sides of a collection with their base and spools what is to be done about it.
//!
//! One ordered pass over three streams. Most keys hold what both sides agreed on, and cost one comparison of digests;
//! for the others `reconcile` decides. Nothing is written here, neither to an endpoint nor to the state: both scans
//! must have come to their ends before the absence of a record means anything.

mod answering;
mod making;

use super::answer::{Answered, Waiting};
use super::asked::Said;
use super::base::BaseCursor;
use super::kept::Agreed;
use super::prepare::Joint;
use super::work::{Ruled, Work, own};
use crate::compare::{Differences, Parking};
use crate::link::World;
use crate::progress;
use crate::scan::{Nothing, Piece, Side as Stream, read_ahead};
use crate::sort::Sorted;
use crate::spool::{Spool, Spooled};
use crate::state::{CollectionId, ConflictId, Store};
use std::collections::{BTreeMap, BTreeSet};
use trueup_core::base::{Base, FieldDigest, Present};
use trueup_core::batch::Batch;
use trueup_core::codec::put_bytes;
use trueup_core::diff::Cursor;
use trueup_core::digest::{Digest, Fold};
use trueup_core::endpoint::{Op, Snapshot};
use trueup_core::keyed::{Entry, Standing};
use trueup_core::observation::{Fields, Observation, Reason, Seen, field_digests};
use trueup_core::park::Parked;
use trueup_core::plan::Counts;
use trueup_core::policy::Answers;
use trueup_core::reconcile::{BaseMove, Wait, reconcile};
use trueup_core::side::{Side, Sides};
use trueup_core::value::Value;
use trueup_core::{Error, Result};

/// What is to be done about one collection.
#[derive(Debug)]
pub(super) struct Decided {
    /// What is written, by the side of the first write.
    pub(super) planned: Sides<Planned>,
    /// Keys whose base moves though nothing is written: the key, the base's bytes, those of the kept values or none.
    pub(super) moves: Spooled,
    /// Conflicts that nobody has decided: the key, then the [`Ruled`].
    pub(super) open: Spooled,
    /// How many conflicts the planned writes decide.
    pub(super) ruled: u64,
    /// Conflicts on record as open whose key is in conflict no more, and the digest of what both sides hold.
    pub(super) gone: Vec<(Vec<u8>, Option<Digest>)>,
    /// What became of the answers of people that need no write.
    pub(super) answered: Vec<(ConflictId, Answered)>,
    /// Each side's records and their digest.
    pub(super) totals: Sides<Fold>,
    pub(super) differences: Differences,
    pub(super) parked: Vec<Parked>,
    /// The largest value of the key's integer, for fresh keys.
    pub(super) largest: Option<i64>,
}

/// What is written first on one side.
#[derive(Debug)]
pub(super) struct Planned {
    /// Inserts and updates, in key order.
    pub(super) upserts: Spooled,
    /// Deletes, in key order.
    pub(super) deletes: Spooled,
    /// How many of each, second writes included.
    pub(super) counts: Counts,
}

impl Decided {
    /// Tells whether nothing is to be done, not even to remember something.
    pub(super) fn is_idle(&self) -> bool {
        let writes = self.planned.source.counts.total() + self.planned.target.counts.total();
        writes == 0 && self.moves.len() == 0
    }
}

/// What deciding needs to know besides the data.
pub(super) struct Before<'a> {
    pub(super) store: &'a Store,
    /// `None` when the state knows nothing of it.
    pub(super) collection: Option<CollectionId>,
    /// Whether a missing base entry means that both sides agreed on no record.
    pub(super) complete: bool,
    /// The conflicts on record as open, by key.
    pub(super) open: BTreeMap<Vec<u8>, ConflictId>,
    /// The answers that people gave, by key.
    pub(super) answers: BTreeMap<Vec<u8>, Waiting>,
    /// The number that new base entries carry.
    pub(super) batch: u64,
}

/// A view of each side; `None` where there is nothing at all yet.
pub(super) type Snapshots = Sides<Option<Box<dyn Snapshot>>>;

/// Compares one collection. A side without a snapshot has no such collection yet.
pub(super) fn decide(
    joint: &Joint,
    before: &Before<'_>,
    snapshots: &mut Snapshots,
    world: &World<'_>,
) -> Result<Decided> {
    let parking = Parking::new(world.limits.refused_max);
    let readings = Sides::by(|side| joint.reading(side, progress::Step::Compare, world));
    let mut sorted = Sides::new(None, None);
    for side in Side::BOTH {
        let reading = &readings[side];
        let snapshot = snapshots[side].as_mut();
        if let Some(snapshot) = snapshot.filter(|_| joint.create[side].is_none())
            && !reading.is_ordered(snapshot.as_mut())?
        {
            let mut park = |piece: &mut Piece| parking.park(piece);
            sorted[side] = Some(reading.sort(snapshot.as_mut(), &mut park)?);
        }
    }
    let limits = world.limits;
    let mut decider = Decider::new(joint, before, world);
    let stream = |side: Side, snapshot, sorted| -> Result<Stream<'_>> {
        let snapshot: &mut Option<Box<dyn Snapshot>> = snapshot;
        let sorted: &mut Option<Sorted> = sorted;
        Ok(match (sorted, snapshot) {
            (Some(sorted), _) => Box::new(readings[side].told(sorted.read(limits)?)),
            (None, Some(snapshot)) if joint.create[side].is_none() => {
                Box::new(readings[side].records(snapshot.as_mut(), &parking))
            }
            (None, _) => Box::new(Nothing),
        })
    };
    let sides = [
        stream(Side::Source, &mut snapshots.source, &mut sorted.source)?,
        stream(Side::Target, &mut snapshots.target, &mut sorted.target)?,
    ];
    read_ahead(limits.batches_ahead, sides, |[source, target]| {
        let base = BaseCursor::new(before.store, before.collection)?;
        let source = Cursor::new(joint.user[Side::Source].name(), source)?;
        let target = Cursor::new(joint.user[Side::Target].name(), target)?;
        decider.walk(source, target, base)
    })?;
    decider.finish(parking.into_inner().0)
}

/// The decisions while they grow.
struct Decider<'a> {
    joint: &'a Joint,
    before: &'a Before<'a>,
    planned: Sides<Growing>,
    moves: Spool,
    open: Spool,
    ruled: u64,
    gone: Vec<(Vec<u8>, Option<Digest>)>,
    answered: Vec<(ConflictId, Answered)>,
    totals: Sides<Fold>,
    differences: Differences,
    largest: Option<i64>,
    digests: Sides<Vec<FieldDigest>>,
    scratch: Vec<u8>,
    entry: Vec<u8>,
}

struct Growing {
    upserts: Spool,
    deletes: Spool,
    counts: Counts,
}

/// What is known of one key.
#[derive(Clone, Copy)]
struct Known<'b> {
    base: &'b Base,
    /// Whether the base is an entry on record.
    stored: bool,
    /// Whether the values of the record that it is about are kept.
    keeps: bool,
}

/// What one key holds on the two sides.
type Found<'e> = Sides<Option<Entry<'e>>>;

impl<'a> Decider<'a> {
    fn new(joint: &'a Joint, before: &'a Before<'a>, world: &World<'_>) -> Self {
        let spool = || Spool::new(&world.spool_folder);
        Self {
            joint,
            before,
            planned: Sides::by(|_| Growing {
                upserts: spool(),
                deletes: spool(),
                counts: Counts::default(),
            }),
            moves: spool(),
            open: spool(),
            ruled: 0,
            gone: Vec::new(),
            answered: Vec::new(),
            totals: Sides::default(),
            differences: Differences::default(),
            largest: None,
            digests: Sides::default(),
            scratch: Vec::new(),
            entry: Vec::new(),
        }
    }

    /// Visits every key that occurs anywhere, in order; those of answers too, which may bring back what nobody holds, and
    /// those of open conflicts, which are over when nobody holds the record.
    fn walk(
        &mut self,
        mut source: Cursor<'_>,
        mut target: Cursor<'_>,
        mut base: BaseCursor<'_>,
    ) -> Result<()> {
        let missing = Base::missing(self.before.complete);
        let before = self.before;
        let awaited: BTreeSet<&Vec<u8>> = before.answers.keys().chain(before.open.keys()).collect();
        let mut awaited = awaited.into_iter().map(Vec::as_slice).peekable();
        loop {
            let keys = [
                source.entry().map(|entry| entry.key),
                target.entry().map(|entry| entry.key),
                base.entry().map(|(key, _)| key),
                awaited.peek().copied(),
            ];
            let Some(key) = keys.into_iter().flatten().min() else {
                return Ok(());
            };
            let [in_source, in_target, in_base, in_awaited] = keys.map(|found| found == Some(key));
            let found = Sides::new(
                source.entry().filter(|_| in_source),
                target.entry().filter(|_| in_target),
            );
            let known = base.entry().filter(|_| in_base).map(|(_, base)| base);
            let known = Known {
                base: known.unwrap_or(&missing),
                stored: in_base,
                keeps: in_base && base.keeps(),
            };
            self.key(key, &found, known)?;
            if in_source {
                source.advance()?;
            }
            if in_target {
                target.advance()?;
            }
            if in_base {
                base.advance()?;
            }
            if in_awaited {
                awaited.next();
            }
        }
    }

    fn key(&mut self, key: &[u8], found: &Found<'_>, known: Known<'_>) -> Result<()> {
        let digests = found.as_ref().map(|entry| entry.and_then(digest_of));
        self.count(found, &digests);
        let waiting = self.before.answers.get(key);
        if waiting.is_none() && agreed(known.base, found, &digests) {
            self.catch_up(key, found, known)?;
            self.close(key, digests.source);
            return Ok(());
        }
        for side in Side::BOTH {
            let into = &mut self.digests[side];
            into.clear();
            if let Some(entry) = found[side] {
                field_digests(entry.record, None, &mut self.scratch, into)
                    .map_err(|field| Error::bug(format!("a scan left out field={field}")))?;
            }
        }
        let field_digests = std::mem::take(&mut self.digests);
        let seen = Sides::new(
            observe(found.source, &field_digests.source)?,
            observe(found.target, &field_digests.target)?,
        );
        let result = match waiting {
            Some(waiting) => self.answer(key, found, &seen, waiting),
            None => Ok(false),
        };
        let result = match result {
            Ok(false) => self.reconcile(key, found, &seen, known),
            Ok(true) => Ok(()),
            Err(error) => Err(error),
        };
        self.digests = field_digests;
        result
    }

    /// Counts what was read.
    fn count(&mut self, found: &Found<'_>, digests: &Sides<Option<Digest>>) {
        for side in Side::BOTH {
            if let Some(digest) = digests[side] {
                self.totals[side].add(digest);
            }
            if let (Some(entry), Some(field)) = (found[side], self.joint.counted())
                && let Value::Int(number) = entry.record.value(field)
            {
                self.largest = Some(self.largest.map_or(number, |most| most.max(number)));
            }
        }
        let counts = &mut self.differences;
        match (found.source.is_some(), found.target.is_some()) {
            (true, true) if digests.source.is_some() && digests.source == digests.target => {
                counts.same += 1;
            }
            (true, true) => counts.changed += 1,
            (true, false) => counts.only_source += 1,
            (false, true) => counts.only_target += 1,
            (false, false) => {}
        }
    }

    /// Lets the rules decide.
    fn reconcile(
        &mut self,
        key: &[u8],
        found: &Found<'_>,
        seen: &Sides<Observation<'_>>,
        known: Known<'_>,
    ) -> Result<()> {
        let Known { base, stored, .. } = known;
        let (rules, asked) = (&self.joint.rules, &self.joint.asked);
        let mut decision = reconcile(base, seen, rules, &Answers::NONE);
        let records = found.map(|entry| entry.map(|entry| entry.record));
        let open = decision.conflict.as_ref().filter(|ruling| ruling.is_open());
        let kept = match open {
            Some(ruling) if known.keeps && asked.merging.asks(ruling) => self.kept(key)?,
            Some(_) | None => None,
        };
        let values = kept.as_ref().zip(base.present());
        let said = open.and_then(|ruling| asked.ask(ruling, &records, &self.joint.user, values));
        let answers = said.as_ref().map(Said::fields);
        if let (Some(said), Some(answers)) = (&said, &answers) {
            decision = reconcile(base, seen, rules, &said.answers(answers));
        }
        match decision.wait {
            None => {}
            Some(Wait::Unknown(_)) => return self.leave(key, stored),
            Some(Wait::Read(side)) => {
                let side = self.joint.user[side];
                return Err(Error::bug(format!("{side}: a record was read in part")));
            }
        }
        if decision.writes() {
            let mut work = self.work(key, found, seen, base, &decision)?;
            // One side went back to what was agreed on: the conflict is over once the write has applied.
            work.closes = decision.conflict.is_none() && self.before.open.contains_key(key);
            return self.push(&work);
        }
        if let Some(ruling) = decision.conflict {
            self.entry.clear();
            put_bytes(key, &mut self.entry);
            let ruled = Ruled {
                ruling,
                records: found.map(|entry| entry.map(|entry| own(entry.record))),
                result: None,
                reason: said.as_ref().and_then(|said| asked.reason(said)),
            };
            ruled.encode(&mut self.entry);
            self.open.push(&self.entry)?;
            return self.leave(key, stored);
        }
        self.close(key, found.source.and_then(digest_of));
        match decision.base {
            BaseMove::Keep => Ok(()),
            BaseMove::Absent => self.remember(key, &Agreed::bare(Base::Absent)),
            BaseMove::Agreed => {
                let present = Present::new(self.held(found, seen), self.before.batch);
                let agreed = Agreed::on(present, records.source, self.keeps());
                self.remember(key, &agreed)
            }
            BaseMove::Observed(_) => Err(Error::bug("a base moved to one side's record")),
        }
    }

    /// Leaves a key undecided: a base that becomes complete must not take its missing entry for agreed absence.
    fn leave(&mut self, key: &[u8], stored: bool) -> Result<()> {
        if stored || self.before.complete {
            return Ok(());
        }
        self.remember(key, &Agreed::bare(Base::Unknown))
    }

    /// Tells whether the base of this collection keeps values.
    fn keeps(&self) -> bool {
        self.joint.asked.merging.keeps()
    }

    /// Keeps the values of a record that both sides agreed on before there was a rule that merges.
    fn catch_up(&mut self, key: &[u8], found: &Found<'_>, known: Known<'_>) -> Result<()> {
        let (Some(present), Some(entry)) = (known.base.present(), found.source) else {
            return Ok(());
        };
        if known.keeps || !self.keeps() || !present.same_on_both() {
            return Ok(());
        }
        self.remember(key, &Agreed::on(present.clone(), Some(entry.record), true))
    }

    fn kept(&self, key: &[u8]) -> Result<Option<Batch>> {
        let width = self.joint.shared.types().len();
        match self.before.collection {
            Some(collection) => self.before.store.kept(collection, key, width),
            None => Ok(None),
        }
    }

    fn remember(&mut self, key: &[u8], agreed: &Agreed) -> Result<()> {
        self.entry.clear();
        put_bytes(key, &mut self.entry);
        let mut bytes = Vec::new();
        agreed.base.encode(&mut bytes);
        put_bytes(&bytes, &mut self.entry);
        put_bytes(agreed.kept.as_deref().unwrap_or_default(), &mut self.entry);
        self.moves.push(&self.entry)
    }

    /// Notes that the key is in conflict no more, if it was.
    fn close(&mut self, key: &[u8], held: Option<Digest>) {
        if self.before.open.contains_key(key) {
            self.gone.push((key.to_vec(), held));
        }
    }

    fn push(&mut self, work: &Work) -> Result<()> {
        for step in [Some(&work.step), work.then.as_ref()].into_iter().flatten() {
            self.planned[step.side].counts.add(step.op);
        }
        self.ruled += u64::from(work.conflict.is_some());
        if work.copy.is_some() {
            self.planned[work.step.side].counts.add(Op::Insert);
        }
        self.entry.clear();
        work.encode(&mut self.entry);
        let growing = &mut self.planned[work.step.side];
        let spool = match work.step.op {
            Op::Insert | Op::Update => &mut growing.upserts,
            Op::Delete => &mut growing.deletes,
        };
        spool.push(&self.entry)
    }

    fn finish(self, parked: Vec<Parked>) -> Result<Decided> {
        let planned = |growing: Growing| -> Result<Planned> {
            Ok(Planned {
                upserts: growing.upserts.finish()?,
                deletes: growing.deletes.finish()?,
                counts: growing.counts,
            })
        };
        Ok(Decided {
            planned: Sides::new(planned(self.planned.source)?, planned(self.planned.target)?),
            moves: self.moves.finish()?,
            open: self.open.finish()?,
            ruled: self.ruled,
            gone: self.gone,
            answered: self.answered,
            totals: self.totals,
            differences: self.differences,
            parked,
            largest: self.largest,
        })
    }
}

/// Tells whether both sides hold what the base says, so that there is nothing to decide.
fn agreed(base: &Base, found: &Found<'_>, digests: &Sides<Option<Digest>>) -> bool {
    match base {
        Base::Present(present) => Side::BOTH
            .into_iter()
            .all(|side| digests[side] == Some(present.digest(side))),
        Base::Absent => found.source.is_none() && found.target.is_none(),
        Base::Unknown => false,
    }
}

fn digest_of(entry: Entry<'_>) -> Option<Digest> {
    match entry.standing {
        Standing::Present(digest) => Some(digest),
        Standing::Unknown => None,
    }
}

/// What a side shows under a key. That there is nothing is a fact only because both scans end before anybody acts.
fn observe<'e>(entry: Option<Entry<'e>>, digests: &'e [FieldDigest]) -> Result<Observation<'e>> {
    let Some(entry) = entry else {
        return Ok(Observation::Absent);
    };
    match entry.standing {
        Standing::Unknown => Ok(Observation::Unknown(Reason::Unrepresentable)),
        Standing::Present(digest) => Ok(Observation::Present(Seen {
            digest: Some(digest),
            fields: Some(Fields::new(entry.record, digests)?),
            ..Seen::default()
        })),
    }
}
