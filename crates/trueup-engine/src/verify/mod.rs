//! Proves that two sides hold the same records, by another path than the one that made them so.
//!
//! Shared with compare is how a record is read and put into canonical bytes, and no more: no key order, no merge of
//! keys, no plan. Both sides are read in whatever order is fastest, and each record is summed into a bucket chosen by
//! its key's digest. When all buckets agree, the sides agree. Otherwise both sides are read again and the records of
//! the buckets that differ are compared digest by digest.
//!
//! The source is read as of the run's snapshot, so what changed there since is not seen. The target is read as it is
//! now, each time through a new snapshot, and may be in use: only a difference that two reads in a row agree on
//! counts. Nothing is repaired here; which records are wrong is compare's to say.

mod buckets;
mod entries;
mod hashed;
mod settle;
#[cfg(test)]
mod tests;

use crate::certificate::CollectionProof;
use crate::connect::Collection;
use crate::link::World;
use crate::progress::Step;
use crate::scan::{Piece, Reading, Role};
use crate::sieve::{Hidden, filtered};
use buckets::{Buckets, Marks};
use entries::{Entry, Sorted, Sorter};
pub(crate) use hashed::verify_by_hashes;
use settle::{Asked, Before, Verdict, settle};
use std::sync::atomic::{AtomicBool, Ordering};
use trueup_core::digest::{Digest, Fold};
use trueup_core::endpoint::{Endpoint, Position, Snapshot};
use trueup_core::keyed::Standing;
use trueup_core::mapping::{bag, key_digest};
use trueup_core::{Error, Kind, Result};

/// How often both sides are read again at most, while the target moves.
const REREADS_MAX: usize = 5;

/// The part of the run's sort budget that each side's entries may take.
const SORT_SHARE: usize = 4;

/// What can be proven: a collection of either kind of link.
pub(crate) trait Subject: Sync {
    /// Returns what the side calls it.
    fn name(&self, role: Role) -> &str;

    /// Returns one side as something to be read.
    fn reading<'a>(&'a self, role: Role, world: &'a World<'a>) -> Reading<'a>;

    /// Tells whether the target had no such collection when the run began.
    fn creates_target(&self) -> bool;

    /// Tells whether equal records count instead of being told apart by a key.
    fn is_bag(&self) -> bool {
        false
    }

    /// Spells the type rules: `field: source type -> target type (fit)`.
    fn rules(&self) -> Vec<String>;

    /// Returns the filter, where only a part of the source takes part.
    fn filter(&self) -> Option<&str> {
        None
    }

    /// Says what the source decides of the filter; `None` where it decides nothing.
    fn sieve(&self, world: &World<'_>) -> Option<String> {
        let _ = world;
        None
    }
}

/// Proves one collection: the source as of `source` against the target as it is now.
///
/// Source records that are unknown (parked, filtered) and keys whose digest is in `refused` take part on neither
/// side. With `exact`, records that only the target has are wrong; otherwise they are counted and no more. The counts
/// and folds are those of the last read, whose position at the target comes with them.
///
/// # Errors
/// Those of the endpoints; `Stale` when the target changed too fast for any difference to be seen twice, or when the
/// source's snapshot gave other records the second time.
pub(crate) fn verify(
    subject: &dyn Subject,
    source: &mut (dyn Snapshot + 'static),
    target: &mut dyn Endpoint,
    exact: bool,
    refused: &[Digest],
    world: &World<'_>,
) -> Result<(CollectionProof, Position)> {
    let proving = Proving::new(subject, refused, world);
    let mut marks = Marks::none();
    let mut before = proving.read(source, target, &marks, proving.sieve.is_some())?;
    // A record of a bag that does not fit may equal any that only the target has.
    let exact = exact && before.source.keyless == 0;
    if !marks.join(&before.differing()) {
        return Ok((proving.proof(&before, None), before.position));
    }
    let mut last: Option<Verdict> = None;
    for reread in 1..=REREADS_MAX {
        // What the target alone has may be what the source held back.
        let mut now = proving.read(source, target, &marks, false)?;
        if now.source.buckets != before.source.buckets {
            return Err(proving.source_moved());
        }
        let moved = now.target.buckets.differing(&before.target.buckets);
        let seen = Before {
            moved: &moved,
            found: last.as_mut().map(|verdict| &mut verdict.found),
        };
        let verdict = settle(
            &mut now.source.entries,
            &mut now.target.entries,
            seen,
            Asked {
                exact,
                bag: subject.is_bag(),
            },
            world,
        )?;
        // A bucket that began to differ only now has not been looked into. The target is in use, then, and the next
        // read looks into everything: it would begin to differ somewhere else each time.
        let fresh = marks.join(&now.differing());
        if fresh {
            marks = Marks::all();
        }
        let settled = verdict.moving == 0 && !fresh;
        if settled || (reread == REREADS_MAX && verdict.wrong > 0) {
            return Ok((proving.proof(&now, Some(&verdict)), now.position));
        }
        before = now;
        last = Some(verdict);
    }
    Err(proving.never_still())
}

/// What all reads of one verification share.
struct Proving<'a> {
    subject: &'a dyn Subject,
    /// Sorted, each once.
    refused: Vec<Digest>,
    /// How many records were refused; in a bag several may be equal.
    refused_records: u64,
    /// What the source decides of the filter.
    sieve: Option<String>,
    world: &'a World<'a>,
}

/// One side, read once.
struct Side {
    buckets: Buckets,
    /// Records of a bag that may equal any.
    keyless: u64,
    /// The records of the marked buckets.
    entries: Sorted,
    parked: u64,
    /// The records that the filter hides.
    hidden: Hidden,
}

/// Both sides, read once and at the same time.
struct Read {
    source: Side,
    target: Side,
    /// Where in its history the target was read.
    position: Position,
}

impl Read {
    fn differing(&self) -> Marks {
        self.source.buckets.differing(&self.target.buckets)
    }
}

impl<'a> Proving<'a> {
    fn new(subject: &'a dyn Subject, refused: &[Digest], world: &'a World<'a>) -> Self {
        let mut refused = refused.to_vec();
        refused.sort_unstable();
        if !subject.is_bag() {
            refused.dedup();
        }
        let refused_records = refused.len() as u64;
        refused.dedup();
        Self {
            subject,
            refused,
            refused_records,
            sieve: subject.sieve(world),
            world,
        }
    }

    /// Reads both sides, at the same time where reading ahead is allowed, the target through a new snapshot.
    fn read(
        &self,
        source: &mut (dyn Snapshot + 'static),
        target: &mut dyn Endpoint,
        marks: &Marks,
        sieved: bool,
    ) -> Result<Read> {
        let mut opened = self.open(target).map_err(|error| error.at("target"))?;
        let position = opened.as_ref().map(|opened| opened.position());
        let abandoned = &AtomicBool::new(false);
        let (from, to) = (
            self.reading(Role::Source, sieved),
            self.reading(Role::Target, false),
        );
        let mut source = || self.read_side(&from, Some(source), marks, abandoned);
        let mut target = || self.read_side(&to, opened.as_deref_mut(), marks, abandoned);
        let (source, target) = if self.world.limits.batches_ahead == 0 {
            (source(), target())
        } else {
            both(source, target)
        };
        // Either side that failed is looked at before the other is used: that one may have been cut short.
        Ok(Read {
            source: source?,
            target: target?,
            position: position.unwrap_or_else(|| Position(String::from("absent"))),
        })
    }

    fn reading(&self, role: Role, sieved: bool) -> Reading<'_> {
        Reading {
            sieved,
            ..self.subject.reading(role, self.world)
        }
    }

    /// Opens the target; `None` when the collection was to be created and is not there.
    fn open(&self, target: &mut dyn Endpoint) -> Result<Option<Box<dyn Snapshot>>> {
        let name = self.subject.name(Role::Target);
        if self.subject.creates_target() && target.schema(name)?.is_none() {
            return Ok(None);
        }
        target.snapshot().map(Some)
    }

    fn read_side(
        &self,
        reading: &Reading<'_>,
        snapshot: Option<&mut (dyn Snapshot + 'static)>,
        marks: &Marks,
        abandoned: &AtomicBool,
    ) -> Result<Side> {
        let world = self.world;
        let bytes_max = world.limits.sort_bytes_max / SORT_SHARE;
        let mut sorter = Sorter::new(world.spool_folder.clone(), bytes_max);
        let (mut buckets, mut parked, mut hidden) = (Buckets::new(), 0, 0);
        let mut keyless = 0;
        let mut read = |snapshot| -> Result<()> {
            let mut pieces = reading.pieces(snapshot, false);
            while let Some(piece) = pieces.next()? {
                // A record may be parked here and refused by the target before: it is one record.
                let parked_here = piece.parked.iter().filter(|p| !self.is_refused(p.key));
                parked += parked_here.count() as u64;
                hidden += piece.hidden;
                keyless += self.keyless(&piece);
                self.take(&piece, marks, &mut buckets, &mut sorter)
                    .map_err(|error| reading.place(error))?;
                if abandoned.load(Ordering::Relaxed) {
                    break;
                }
            }
            Ok(())
        };
        if let Some(snapshot) = snapshot {
            read(snapshot).inspect_err(|_| abandoned.store(true, Ordering::Relaxed))?;
        }
        Ok(Side {
            buckets,
            keyless,
            entries: sorter.finish(),
            parked,
            hidden: match &self.sieve {
                Some(part) if reading.sieved => Hidden::HeldBack(part.clone()),
                _ => Hidden::Counted(hidden),
            },
        })
    }

    fn keyless(&self, piece: &Piece) -> u64 {
        if !self.subject.is_bag() {
            return 0;
        }
        let entries = piece.keyed.entries();
        entries.filter(|entry| bag::is_keyless(entry.key)).count() as u64
    }

    fn take(
        &self,
        piece: &Piece,
        marks: &Marks,
        buckets: &mut Buckets,
        sorter: &mut Sorter,
    ) -> Result<()> {
        for entry in piece.keyed.entries() {
            let key = key_digest(entry.key);
            if self.is_refused(key) {
                continue;
            }
            if let Standing::Present(digest) = entry.standing {
                buckets.add(key, digest);
            }
            if marks.holds(key) {
                sorter.push(Entry::new(key, entry.standing))?;
            }
        }
        Ok(())
    }

    fn is_refused(&self, key: Digest) -> bool {
        self.refused.binary_search(&key).is_ok()
    }

    fn proof(&self, read: &Read, verdict: Option<&Verdict>) -> CollectionProof {
        let name = |role| self.subject.name(role).to_owned();
        let hidden = verdict.map_or(Fold::default(), |verdict| verdict.hidden);
        let mut target_fold = read.target.buckets.total();
        target_fold.sum = target_fold.sum.wrapping_sub(hidden.sum);
        target_fold.count -= hidden.count;
        let mut rules = self.subject.rules();
        let filter = self.subject.filter();
        rules.extend(filter.map(|filter| filtered(filter, &read.source.hidden)));
        CollectionProof {
            source: name(Role::Source),
            target: name(Role::Target),
            source_fold: read.source.buckets.total(),
            target_fold,
            only_target: verdict.map_or(0, |verdict| verdict.only_target),
            wrong: verdict.map_or(0, |verdict| verdict.wrong),
            parked: read.source.parked + self.refused_records,
            open: 0,
            hashed: None,
            rules,
        }
    }

    fn source_moved(&self) -> Error {
        Error::new(
            Kind::Stale,
            format!(
                "source collection={}: two reads of one snapshot gave different records",
                self.subject.name(Role::Source)
            ),
        )
        .hint("nothing was proven; let the source rest and verify again")
    }

    fn never_still(&self) -> Error {
        Error::new(
            Kind::Stale,
            format!(
                "target collection={}: it differs from the source and kept changing reads={}",
                self.subject.name(Role::Target),
                REREADS_MAX + 1
            ),
        )
        .hint(
            "something else writes to the target; verify again when it rests, or stop that writer",
        )
    }
}

/// Reads the two sides at the same time.
fn both<A: Send, B: Send>(
    source: impl FnOnce() -> A + Send,
    target: impl FnOnce() -> B + Send,
) -> (A, B) {
    let (source, target) = std::thread::scope(|scope| {
        let (source, target) = (scope.spawn(source), scope.spawn(target));
        (source.join(), target.join())
    });
    (ended(source), ended(target))
}

/// Passes a reading thread's panic on.
fn ended<T>(side: std::thread::Result<T>) -> T {
    side.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Subject for Collection {
    fn name(&self, role: Role) -> &str {
        match role {
            Role::Source => &self.source.collection,
            Role::Target => &self.target.collection,
        }
    }

    fn reading<'a>(&'a self, role: Role, world: &'a World<'a>) -> Reading<'a> {
        self.reading(role, Some(Step::Verify), world)
    }

    fn creates_target(&self) -> bool {
        self.create.is_some()
    }

    fn is_bag(&self) -> bool {
        self.mapping.is_bag()
    }

    fn rules(&self) -> Vec<String> {
        rules(self)
    }

    fn filter(&self) -> Option<&str> {
        self.mapping.filter()
    }

    fn sieve(&self, world: &World<'_>) -> Option<String> {
        self.sieve(world)
    }
}

/// Spells the type rules: `field: source type -> target type (fit)`.
fn rules(collection: &Collection) -> Vec<String> {
    let mapping = &collection.mapping;
    let rule = |(position, field): (usize, &trueup_core::mapping::MappedField)| {
        let from = match mapping.supply(position) {
            None => match mapping.expression(position) {
                Some(text) => format!("({text})"),
                None => "constant".to_owned(),
            },
            Some((source, None)) => collection.source.fields[source].native.clone(),
            Some((source, Some(via))) => {
                format!("{} as {via}", collection.source.fields[source].native)
            }
        };
        let target = &collection.target.fields[mapping.target_fields()[position]];
        format!(
            "{}: {from} -> {} ({})",
            field.name, target.native, field.fit
        )
    };
    let bag = "compared as a bag: all fields, equal records counted".to_owned();
    let bag = mapping.is_bag().then_some(bag).into_iter();
    bag.chain(mapping.fields().iter().enumerate().map(rule))
        .collect()
}
