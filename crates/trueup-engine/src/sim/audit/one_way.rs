//! What is particular to one-way links: checkpoints, and that every record read is accounted for.

use super::{Audit, Over};
use crate::report::{CollectionReport, Report};
use crate::state::Store;
use trueup_core::digest::Digest;
use trueup_core::mapping::key_digest;
use trueup_core::side::Side;
use trueup_testkit::Owned;
use trueup_testkit::owned::key_bytes;

impl Audit {
    /// G5: a checkpoint never moves back, and is never ahead of what is durable at the target.
    pub(super) fn checkpoints(&mut self, over: &Over<'_>, store: &Store) {
        let Over { sim, link, .. } = *over;
        let target = sim.memory(Side::Target);
        for name in &over.case.setting.collections {
            let now = store.batch(link, name).unwrap();
            let key = (over.state.to_owned(), (*name).to_owned());
            let before = self.checkpoints.insert(key, now).unwrap_or(0);
            if now < before {
                sim.violate(format!("G5: {name}: checkpoint {before} became {now}"));
            }
            let marker = target.marker(&link.durable, name);
            let marked = marker.map_or(0, |marker| marker.batch);
            if now > marked && sim.put_back(Side::Target) == 0 {
                sim.violate(format!("G5: {name}: checkpoint {now}, marker {marked}"));
            }
        }
    }
}

/// G11: every record that was read is accounted for.
pub(super) fn conserved(over: &Over<'_>, report: &Report) {
    let readings = over.sim.readings(over.run, Side::Source);
    let Some(reading) = readings.first() else {
        let text = "G11: a report on a source that was not read";
        return over.sim.violate(text.to_owned());
    };
    for (keys, one) in reading.keys.iter().zip(&report.collections) {
        let told = told(one, keys.iter().copied());
        if keys.len() as u64 != told {
            let (name, read) = (&one.source, keys.len());
            over.sim
                .violate(format!("G11: {name}: read {read}, told {told}: {one:?}"));
        }
    }
}

fn told(one: &CollectionReport, keys: impl Iterator<Item = i64>) -> u64 {
    let digest = |key: i64| key_digest(&key_bytes([&Owned::Int(key)]));
    let digests: Vec<Digest> = keys.map(digest).collect();
    // A refused delete is parked too, and is no record of the source's.
    let parked = one.parked.iter();
    let parked = parked.filter(|parked| digests.contains(&parked.key));
    one.inserted + one.updated + one.unchanged + parked.count() as u64
}
