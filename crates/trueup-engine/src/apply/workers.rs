//! Several workers, each with a session of its own on both sides, that load at the same time.
//!
//! All of them read one view of the source and write under one epoch of the target. Which jobs there are depends on the sides, and
//! what comes of them does not depend on who does which. Invariant: the first error ends all workers, each at its next batch,
//! and no thread outlives [`Applier::load`]. With one worker there is no thread, and one collection follows the other.

use super::load::{Job, Loaded, Way};
use super::queue::{Queue, lock};
use super::{Applier, Written};
use crate::compare::Compared;
use crate::connect::Collection;
use crate::progress::Event;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use trueup_core::Result;
use trueup_core::endpoint::Snapshot;

/// Into how many parts a collection is cut at most, for each worker: the last ones to be done should be short.
const PARTS_A_WORKER: usize = 4;

/// Gathers collections that may be loaded at the same time, as places in `compared`; each stands in one wave, and the waves in the
/// order of the collections. What refers to a collection comes after it, and what is no load stands alone.
pub(super) fn waves(compared: &[Compared]) -> Vec<Vec<usize>> {
    let mut waves: Vec<Vec<usize>> = Vec::new();
    let mut open = false;
    for (index, one) in compared.iter().enumerate() {
        let loads = one.plan.load.is_some();
        let refer = |other: &usize| {
            let other = &compared[*other].collection;
            refers(&one.collection, other) || refers(other, &one.collection)
        };
        match waves.last_mut() {
            Some(wave) if open && loads && !wave.iter().any(refer) => wave.push(index),
            _ => waves.push(vec![index]),
        }
        open = loads;
    }
    waves
}

/// Whether records of the one refer to records of the other, as the target has it now.
fn refers(one: &Collection, other: &Collection) -> bool {
    let mut references = one.target.references.iter();
    references.any(|reference| reference.collection == other.target.collection)
}

/// Whether the records may be written in any order: two workers that write to one collection must not wait for each other's.
fn can_be_cut(collection: &Collection) -> bool {
    let target = &collection.target;
    !refers(collection, collection) && target.uniques.iter().all(|unique| *unique == target.key)
}

impl<'a> Applier<'a> {
    /// Loads those collections of a wave that are to be loaded.
    pub(super) fn load(
        &mut self,
        compared: &mut [Compared],
        wave: &[usize],
        source: &mut (dyn Snapshot + 'static),
        written: &mut [Written],
    ) -> Result<()> {
        let names: BTreeSet<String> = compared.iter().map(|one| one.plan.target.clone()).collect();
        let jobs = self.jobs(compared, wave, source)?;
        let others = self.others(jobs.len(), source, &names)?;
        self.workers = others.len() + 1;
        let left = self.tell_loading(&jobs, !others.is_empty());
        let alone = others.is_empty();
        // The largest first: one that begins last would be waited for. One worker keeps to the order of the collections.
        let rank = |job: &Job<'_>| if alone { 0 } else { job.bytes };
        let queue = Queue::new(jobs, &self.halted, rank);
        std::thread::scope(|scope| {
            for (mut other, mut view) in others {
                let (queue, left) = (&queue, &left);
                scope.spawn(move || queue.work(|job| other.told(job, view.as_mut(), left)));
            }
            queue.work(|job| self.told(job, source, &left));
        });
        self.workers = 1;
        self.follow_claim()?;
        for (index, loaded) in queue.finish()? {
            loaded.count(&mut compared[index], &mut written[index], self.world)?;
        }
        Ok(())
    }

    /// Tells listeners which collections are loaded at the same time, and counts the jobs of each.
    fn tell_loading(&self, jobs: &[Job<'_>], several: bool) -> Mutex<BTreeMap<usize, usize>> {
        let mut left = BTreeMap::new();
        for job in jobs.iter().filter(|_| several) {
            let parts = left.entry(job.index).or_insert(0);
            *parts += 1;
            if *parts == 1 {
                let collection = &job.collection.source.collection;
                self.world.progress.event(Event::Loading { collection });
            }
        }
        Mutex::new(left)
    }

    /// Does a job, and tells listeners when its collection has none `left`.
    fn told(
        &mut self,
        job: Job<'_>,
        source: &mut (dyn Snapshot + 'static),
        left: &Mutex<BTreeMap<usize, usize>>,
    ) -> Result<(usize, Loaded)> {
        let (index, collection) = (job.index, &job.collection.source.collection);
        let loaded = self.job(job, source)?;
        let mut left = lock(left);
        if let Some(parts) = left.get_mut(&index) {
            *parts -= 1;
            if *parts == 0 {
                self.world.progress.event(Event::Loaded { collection });
            }
        }
        Ok((index, loaded))
    }

    /// Says what is to be done for a wave, in the order of the collections.
    fn jobs<'j>(
        &mut self,
        compared: &'j mut [Compared],
        wave: &[usize],
        source: &mut (dyn Snapshot + 'static),
    ) -> Result<Vec<Job<'j>>> {
        let mut jobs = Vec::new();
        for (index, one) in compared.iter_mut().enumerate() {
            let Some(load) = one.plan.load.as_ref().filter(|_| wave.contains(&index)) else {
                continue;
            };
            let unread =
                one.sorted_source.is_none() && self.has_common_form(&one.collection, source)?;
            let mut sorted = one.sorted_source.as_mut();
            for (way, bytes) in self.ways(&one.collection, unread, source)? {
                jobs.push(Job {
                    collection: &one.collection,
                    index,
                    way,
                    bytes,
                    total: load.records,
                    ascending: one.ascending_source,
                    sorted: sorted.take(),
                });
            }
        }
        Ok(jobs)
    }

    /// Says in how many parts a collection is loaded, and how large each is about.
    fn ways(
        &self,
        collection: &Collection,
        unread: bool,
        source: &mut (dyn Snapshot + 'static),
    ) -> Result<Vec<(Way, u64)>> {
        let whole = if unread {
            Way::Parcels(None)
        } else {
            Way::Read
        };
        let limits = self.world.limits;
        if limits.workers <= 1 {
            return Ok(vec![(whole, 0)]);
        }
        let parts_max = match unread && can_be_cut(collection) {
            true => limits.workers.saturating_mul(PARTS_A_WORKER),
            false => 1,
        };
        let parts = source.parts(&collection.source, limits.part_bytes_min, parts_max);
        let parts = parts.map_err(|error| error.at("source"))?;
        Ok(match parts.as_slice() {
            // Of unknown size: it may be the largest.
            [] => vec![(whole, u64::MAX)],
            [only] => vec![(whole, only.bytes)],
            parts => {
                let part = |part| Way::Parcels(Some(part));
                parts.iter().map(|&one| (part(one), one.bytes)).collect()
            }
        })
    }

    /// Opens sessions for as many other workers as there is work for, and both sides allow.
    fn others(
        &mut self,
        jobs: usize,
        source: &mut (dyn Snapshot + 'static),
        names: &BTreeSet<String>,
    ) -> Result<Vec<(Self, Box<dyn Snapshot>)>> {
        let wanted = self.world.limits.workers.min(jobs);
        let mut others = Vec::new();
        for number in 2..=wanted {
            let Some(other) = self.another(number, wanted, names)? else {
                break;
            };
            let view = source.another().map_err(|error| error.at("source"))?;
            let Some(view) = view else { break };
            others.push((other, view));
        }
        Ok(others)
    }

    /// Makes another worker with a session of its own at the target; `None` where it has no room for one.
    pub(super) fn another(
        &self,
        number: usize,
        workers: usize,
        names: &BTreeSet<String>,
    ) -> Result<Option<Self>> {
        let mut partition = format!("worker {number}");
        while names.contains(&partition) {
            partition.push('\'');
        }
        let mut claimed = self.claimed();
        let epoch = claimed.epoch;
        // What there is no room for is no failure: those that are there do the work.
        let joined = claimed.target.join(&self.claim, epoch).ok().flatten();
        drop(claimed);
        let Some(mut writer) = joined else {
            return Ok(None);
        };
        writer.constructing(&self.constructing);
        let marker = writer.marker(&partition);
        let marker = marker.map_err(|error| error.at("target"))?;
        let last = marker.map_or(0, |marker| marker.batch);
        Ok(Some(Self {
            claimed: Arc::clone(&self.claimed),
            writer,
            claim: self.claim.clone(),
            link: self.link,
            world: self.world,
            batches: [(partition.clone(), last)].into(),
            partition: Some(partition),
            workers,
            halted: Arc::clone(&self.halted),
            volatile: BTreeSet::new(),
            position: self.position.clone(),
            constructing: self.constructing.clone(),
        }))
    }
}
