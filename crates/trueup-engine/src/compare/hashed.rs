//! Finds out by hashes which records need not be read.
//!
//! Both endpoints hash their own records at the same time, each within its snapshot, and only sums of buckets travel.
//! Invariant: a record is left unread only where both sides have as many records in its bucket and their hashes have the
//! same sum; what differs is told from values, by the same merge as ever. It deliberately decides nothing about the
//! records that are read.

use crate::connect::Collection;
use crate::link::{Comparison, WITHOUT_HASHES, World};
use crate::progress::Event;
use crate::scan::{Arrival, Part, Reading};
use std::sync::Arc;
use trueup_core::endpoint::{Order, ScanRequest, Snapshot};
use trueup_core::hashes::{Bucket, Chosen, Hashes, Hashing, Offer, buckets_for};
use trueup_core::{Error, Result};

/// Of so many records, so many may lie in differing buckets before all of them are read in one go.
const READ_MAX: (u64, u64) = (2, 1);

/// What hashes said about a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// How many buckets the records were dealt into.
    pub buckets: u32,
    /// In how many the two sides differ.
    pub differing: u32,
    /// Records of one side in buckets that agree, and which were not read for that.
    pub unread: u64,
}

impl Hashed {
    /// Says it in one line.
    pub(crate) fn note(&self) -> String {
        let Self {
            buckets, differing, ..
        } = *self;
        let of = match (differing, self.unread) {
            (0, _) => "the sums of all of them agree, and no record was read".to_owned(),
            (_, 0) => format!("{differing} differ, too many, so all records were read"),
            (1, _) => "1 differs, and its records were read".to_owned(),
            _ => format!("{differing} differ, and their records were read"),
        };
        format!("compared by hashes that the servers make: of {buckets} buckets {of}")
    }
}

/// What was found out, and the part that is left to be read.
struct Outcome {
    hashed: Hashed,
    /// `None` where everything is read.
    part: Option<Part>,
}

/// One side: how it is read, and from what.
struct Half<'a, 's> {
    reading: &'a Reading<'a>,
    snapshot: &'s mut (dyn Snapshot + 'static),
}

/// Lets both sides be read without the records that hashes show to be equal; `orders` says how they come otherwise.
///
/// # Errors
/// `Config` when hashes were demanded and cannot be had; those of the endpoints.
pub(super) fn leave_out(
    collection: &Collection,
    way: Comparison,
    orders: [Arrival; 2],
    halves: [(&mut Reading<'_>, &mut (dyn Snapshot + 'static)); 2],
    world: &World<'_>,
) -> Result<Option<Hashed>> {
    if orders != [Arrival::OnRequest; 2] {
        return match way {
            Comparison::Hash => Err(refused(
                collection,
                "its key is not unique and in order on both sides",
            )),
            Comparison::Auto | Comparison::Stream => Ok(None),
        };
    }
    let [(source, here), (target, there)] = halves;
    let halves = [
        Half {
            reading: source,
            snapshot: here,
        },
        Half {
            reading: target,
            snapshot: there,
        },
    ];
    let Some(Outcome { hashed, part }) = hash(collection, way, halves, world)? else {
        return Ok(None);
    };
    source.part.clone_from(&part);
    target.part = part;
    Ok(Some(hashed))
}

/// Compares by hashes what can be. `None` where it cannot, or is not worth it.
fn hash(
    collection: &Collection,
    way: Comparison,
    mut halves: [Half<'_, '_>; 2],
    world: &World<'_>,
) -> Result<Option<Outcome>> {
    if way == Comparison::Stream {
        return Ok(None);
    }
    let hashings = match settle(collection, way, &mut halves, world)? {
        Ok(hashings) => hashings,
        Err(why) if way == Comparison::Hash => return Err(refused(collection, why)),
        Err(_) => return Ok(None),
    };
    let [source, target] = fold(&mut halves, &hashings, world)?;
    let chosen = Chosen::differing(&source, &target);
    let [all_source, all_target] = [&source, &target].map(|side| count(side, |_| true));
    let inside = |bucket| chosen.contains(bucket);
    let [read_source, read_target] = [&source, &target].map(|side| count(side, inside));
    let (read, all) = (read_source + read_target, all_source + all_target);
    let whole = read.saturating_mul(READ_MAX.0) > all.saturating_mul(READ_MAX.1);
    let unread = if whole { 0 } else { all_source - read_source };
    let hashed = Hashed {
        buckets: hashings[0].buckets,
        differing: chosen.count(),
        unread,
    };
    world.progress.event(Event::Hashed {
        collection: &collection.source.collection,
        buckets: hashed.buckets,
        differing: hashed.differing,
        unread,
    });
    let chosen = Arc::new(chosen);
    let [hashing, _] = hashings;
    let part = (!whole).then_some(Part { hashing, chosen });
    Ok(Some(Outcome { hashed, part }))
}

/// What both servers made of all records, bucket by bucket.
pub(crate) struct Sums {
    pub(crate) source: Vec<Bucket>,
    pub(crate) target: Vec<Bucket>,
    pub(crate) seed: u64,
}

/// Lets both sides hash all their records; `None` where they cannot do it alike.
///
/// # Errors
/// Those of the endpoints.
pub(crate) fn sums(
    collection: &Collection,
    halves: [(&Reading<'_>, &mut (dyn Snapshot + 'static)); 2],
    world: &World<'_>,
) -> Result<Option<Sums>> {
    let mut halves = halves.map(|(reading, snapshot)| Half { reading, snapshot });
    let Ok(hashings) = settle(collection, Comparison::Hash, &mut halves, world)? else {
        return Ok(None);
    };
    let [source, target] = fold(&mut halves, &hashings, world)?;
    let seed = hashings[0].seed;
    Ok(Some(Sums {
        source,
        target,
        seed,
    }))
}

fn refused(collection: &Collection, why: &str) -> Error {
    let name = &collection.source.collection;
    Error::config(format!(
        "collection={name}: it cannot be compared by hashes: {why}"
    ))
    .hint(WITHOUT_HASHES)
}

/// Settles how both sides hash; the inner error says why they do not.
fn settle(
    collection: &Collection,
    way: Comparison,
    halves: &mut [Half<'_, '_>; 2],
    world: &World<'_>,
) -> Result<std::result::Result<[Hashing; 2], &'static str>> {
    if !collection.mapping.is_identity() {
        return Ok(Err("its mapping filters, computes or casts values"));
    }
    let mut offers = Vec::new();
    for half in halves.iter_mut() {
        let reading = half.reading;
        let offer = with_hashes(half, |hashes, request| hashes.offer(request));
        match offer.map_err(|error| reading.place(error))? {
            Some(Some(offer)) => offers.push(offer),
            Some(None) => return Ok(Err("a field has no hash that tells all its values apart")),
            None => return Ok(Err("an endpoint makes no hashes")),
        }
    }
    let [source, target] = [&offers[0], &offers[1]];
    if source.dialect != target.dialect {
        return Ok(Err("the two sides hash in different ways"));
    }
    let bytes = source.bytes.max(target.bytes);
    if way == Comparison::Auto && bytes < world.limits.hash_bytes_min {
        return Ok(Err("it is small"));
    }
    agree(collection, &offers, world).map(Ok)
}

/// Draws what both sides share, and what they do not.
fn agree(collection: &Collection, offers: &[Offer], world: &World<'_>) -> Result<[Hashing; 2]> {
    let (mut seed, mut salt) = ([0; 8], [0; 8]);
    (world.random)(&mut seed)?;
    (world.random)(&mut salt)?;
    let bytes = offers.iter().map(|offer| offer.bytes).max().unwrap_or(0);
    let mapping = &collection.mapping;
    let fields = mapping.source_fields().iter().zip(mapping.target_fields());
    let nullable = fields.map(|(&source, &target)| {
        collection.source.fields[source].nullable || collection.target.fields[target].nullable
    });
    let nullable: Vec<bool> = nullable.collect();
    let salt = u64::from_le_bytes(salt);
    Ok([salt, !salt].map(|salt| Hashing {
        seed: u64::from_le_bytes(seed),
        buckets: buckets_for(bytes),
        nullable: nullable.clone(),
        salt,
    }))
}

/// Hashes both sides at the same time; one after the other where there are to be no threads.
fn fold(
    halves: &mut [Half<'_, '_>; 2],
    hashings: &[Hashing; 2],
    world: &World<'_>,
) -> Result<[Vec<Bucket>; 2]> {
    let [source, target] = halves;
    let [here, there] = hashings;
    if world.limits.batches_ahead == 0 {
        return Ok([fold_one(source, here)?, fold_one(target, there)?]);
    }
    std::thread::scope(|scope| {
        let source = scope.spawn(|| fold_one(source, here));
        let target = fold_one(target, there);
        let source = source
            .join()
            .map_err(|_| Error::bug("a hashing thread ended without saying so"))?;
        Ok([source?, target?])
    })
}

fn fold_one(half: &mut Half<'_, '_>, hashing: &Hashing) -> Result<Vec<Bucket>> {
    half.reading.world.check_stop()?;
    let reading = half.reading;
    let folded = with_hashes(half, |hashes, request| hashes.fold(request, hashing));
    let folded = folded.map_err(|error| reading.place(error))?;
    let folded = folded.filter(|buckets| buckets.len() == hashing.buckets as usize);
    folded.ok_or_else(|| reading.place(Error::bug("an endpoint hashes into other buckets")))
}

fn with_hashes<T>(
    half: &mut Half<'_, '_>,
    ask: impl FnOnce(&mut dyn Hashes, &ScanRequest<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let Some(hashes) = half.snapshot.hashes() else {
        return Ok(None);
    };
    let key = half.reading.translation.key().unwrap_or_default();
    let request = half.reading.whole(Order::Key(&key));
    ask(hashes, &request).map(Some)
}

fn count(side: &[Bucket], wanted: impl Fn(u32) -> bool) -> u64 {
    let numbered = (0..).zip(side);
    let wanted = numbered.filter(|&(number, _)| wanted(number));
    wanted.map(|(_, bucket)| bucket.count).sum()
}
