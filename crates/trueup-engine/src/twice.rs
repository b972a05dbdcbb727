//! Looks twice at what differs before it is told: the sides may be in use.
//!
//! The two snapshots of a comparison are not of the same moment. Between two places that something else keeps equal, what
//! was written in between differs, and is no difference a moment later. So where differences were found, and a side has
//! moved since, both sides are compared once more through new snapshots, and only keys that differ both times are told.
//!
//! Invariant: a difference between sides that rest is told, always, and from one reading. It deliberately gives no proof:
//! a record that is written all the time may differ both times, or equal one of them by luck. That is `verify`'s business.

use crate::compare::{self, Compared, Differences, Sides};
use crate::connect;
use crate::link::{Link, Mode, World};
use crate::listing::{Listing, Shape, found};
use crate::open::{Opened, open, tell_shapes};
use std::collections::{BTreeMap, BTreeSet};
use trueup_core::Result;
use trueup_core::diff::Difference;
use trueup_core::digest::Digest;
use trueup_core::keyed::Keyed;

/// How many bytes of differences are kept to be looked at again. More than that is told at once: so many do not come from
/// two snapshots that are a moment apart.
const HELD_BYTES_MAX: usize = 64 << 20;

/// What differs in one collection, in the order of the keys.
struct Held {
    source: Keyed,
    target: Keyed,
    /// Of each difference, which sides have a record.
    standing: Vec<[bool; 2]>,
    keys: BTreeSet<Digest>,
}

/// What the first reading found, and who wants to see it.
struct Kept<'a, 'l> {
    held: Vec<Held>,
    listing: Option<&'a mut (dyn Listing + 'l)>,
    /// Whether there was too much to keep.
    told: bool,
}

/// Compares every collection, the second time where that is needed, and shows `listing` the differences that stand. The
/// notes say what did not.
pub(crate) fn compare_twice(
    link: &mut Link,
    listing: Option<&mut dyn Listing>,
    mode: Mode,
    world: &World<'_>,
) -> Result<(Vec<Compared>, Vec<String>)> {
    let collections = connect::prepare(link, &BTreeMap::new())?;
    tell_shapes(&collections, world);
    let mut kept = Kept::new(&collections, listing)?;
    let mut first = open(link, collections.iter(), world)?;
    let mut compared = Vec::new();
    for (index, collection) in collections.into_iter().enumerate() {
        let mut show = |difference: Difference<'_>| kept.take(index, difference);
        let mut sides = first.sides(Some(&mut show));
        compared.push(compare::compare(collection, &mut sides, mode, world)?);
    }
    if kept.told || kept.held.iter().all(|held| held.keys.is_empty()) {
        return Ok((compared, Vec::new()));
    }
    let before = first.positions();
    drop(first);
    let mut second = open(link, compared.iter().map(|one| &one.collection), world)?;
    if second.positions() == before {
        kept.tell_all()?;
        return Ok((compared, Vec::new()));
    }
    again(compared, kept, &mut second, mode, world)
}

/// Compares what differed once more.
fn again(
    compared: Vec<Compared>,
    mut kept: Kept<'_, '_>,
    second: &mut Opened,
    mode: Mode,
    world: &World<'_>,
) -> Result<(Vec<Compared>, Vec<String>)> {
    let (mut settled, mut notes) = (Vec::new(), Vec::new());
    for (index, one) in compared.into_iter().enumerate() {
        // Which of several equal records is which, nobody can say.
        if kept.held[index].keys.is_empty() || one.collection.mapping.is_bag() {
            kept.tell(index)?;
            settled.push(one);
            continue;
        }
        let name = one.collection.source.collection.clone();
        let (mut stands, mut moving) = (Differences::default(), 0);
        let mut show = |difference: Difference<'_>| {
            if let Difference::Unknown { source, .. } = difference {
                // It cannot be read any more: it did not agree, and is told as such.
                kept.held[index].keys.remove(&Digest::of(source.key));
                return Ok(());
            }
            let Some((key, count)) = counted(difference, &mut stands) else {
                return Ok(());
            };
            if !kept.held[index].keys.remove(&Digest::of(key)) {
                moving += 1;
                return Ok(());
            }
            *count += 1;
            kept.show(index, difference)
        };
        let mut sides = second.sides(Some(&mut show));
        let mut now = compare::compare(one.collection, &mut sides, mode, world)?;
        let gone = kept.held[index].keys.len() as u64;
        now.differences = Differences {
            same: now.differences.same,
            ..stands
        };
        if gone + moving > 0 {
            notes.push(format!(
                "{name}: the sides are in use; of what differed, {gone} agreed when it was read again, and {moving} \
                 began to differ: neither is told"
            ));
        }
        settled.push(now);
    }
    Ok((settled, notes))
}

/// The key of a difference, and where its kind is counted.
fn counted<'d, 'c>(
    difference: Difference<'d>,
    counts: &'c mut Differences,
) -> Option<(&'d [u8], &'c mut u64)> {
    match difference {
        Difference::OnlySource(entry) => Some((entry.key, &mut counts.only_source)),
        Difference::OnlyTarget(entry) => Some((entry.key, &mut counts.only_target)),
        Difference::Changed { source, .. } => Some((source.key, &mut counts.changed)),
        Difference::Same(_) | Difference::Unknown { .. } => None,
    }
}

impl<'a, 'l> Kept<'a, 'l> {
    fn new(
        collections: &[connect::Collection],
        mut listing: Option<&'a mut (dyn Listing + 'l)>,
    ) -> Result<Self> {
        if let Some(listing) = listing.as_deref_mut() {
            let shapes: Vec<Shape> = collections.iter().map(Shape::of).collect();
            listing.begin(&shapes)?;
        }
        let held = |one: &connect::Collection| {
            let width = one.mapping.fields().len();
            Held {
                source: Keyed::new(width),
                target: Keyed::new(width),
                standing: Vec::new(),
                keys: BTreeSet::new(),
            }
        };
        Ok(Self {
            held: collections.iter().map(held).collect(),
            listing,
            told: false,
        })
    }

    /// Keeps a difference, or shows it where there are too many.
    fn take(&mut self, index: usize, difference: Difference<'_>) -> Result<()> {
        if self.told {
            return self.show(index, difference);
        }
        let (source, target) = match difference {
            Difference::OnlySource(source) => (Some(source), None),
            Difference::OnlyTarget(target) => (None, Some(target)),
            Difference::Changed { source, target } => (Some(source), Some(target)),
            Difference::Same(_) | Difference::Unknown { .. } => return Ok(()),
        };
        let held = &mut self.held[index];
        let key = source.or(target).map(|entry| Digest::of(entry.key));
        held.keys.extend(key);
        if self.listing.is_some() {
            source.into_iter().for_each(|entry| held.source.push(entry));
            target.into_iter().for_each(|entry| held.target.push(entry));
            held.standing.push([source.is_some(), target.is_some()]);
        }
        let bytes = |held: &Held| {
            held.source.bytes() + held.target.bytes() + held.keys.len() * size_of::<Digest>()
        };
        if self.held.iter().map(bytes).sum::<usize>() > HELD_BYTES_MAX {
            self.tell_all()?;
            self.told = true;
        }
        Ok(())
    }

    fn tell_all(&mut self) -> Result<()> {
        (0..self.held.len()).try_for_each(|index| self.tell(index))
    }

    /// Shows what was kept of a collection, and keeps it no longer.
    fn tell(&mut self, index: usize) -> Result<()> {
        let held = &mut self.held[index];
        let standing = std::mem::take(&mut held.standing);
        let empty = |keyed: &Keyed| Keyed::new(keyed.records().width());
        let (no_source, no_target) = (empty(&held.source), empty(&held.target));
        let source = std::mem::replace(&mut held.source, no_source);
        let target = std::mem::replace(&mut held.target, no_target);
        held.keys.clear();
        let (mut sources, mut targets) = (source.entries(), target.entries());
        for [from_source, from_target] in standing {
            let source = from_source.then(|| sources.next()).flatten();
            let target = from_target.then(|| targets.next()).flatten();
            let difference = match (source, target) {
                (Some(source), Some(target)) => Difference::Changed { source, target },
                (Some(source), None) => Difference::OnlySource(source),
                (None, Some(target)) => Difference::OnlyTarget(target),
                (None, None) => continue,
            };
            self.show(index, difference)?;
        }
        Ok(())
    }

    fn show(&mut self, index: usize, difference: Difference<'_>) -> Result<()> {
        match (&mut self.listing, found(difference)) {
            (Some(listing), Some(found)) => listing.difference(index, found),
            _ => Ok(()),
        }
    }
}

/// The sides of a comparison while their snapshots are open.
impl Opened {
    fn sides<'s>(&'s mut self, seen: Option<&'s mut compare::Seen<'s>>) -> Sides<'s> {
        Sides {
            source: self.source.as_mut(),
            target: self.target.as_deref_mut(),
            seen,
        }
    }

    fn positions(&self) -> [Option<String>; 2] {
        let target = self.target.as_ref().map(|target| target.position().0);
        [Some(self.source.position().0), target]
    }
}
