//! Takes in what happened: the trace, what was committed and by whom, and who knows of it.

use super::host::Condition;
use super::lineage::{self, Place};
use super::runs::Author;
use super::{Act, Inner, fault, key_of};
use crate::memory::Change;
use std::sync::Arc;
use trueup_core::error::{Kind, Result};
use trueup_core::side::Side;

impl Inner {
    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        let text = text();
        for byte in text.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.setting.trace {
            self.lines.push(text);
        }
    }

    pub(super) fn count(&mut self, act: Act, times: u64) {
        *self.happened.entry(act).or_default() += times;
    }

    /// Tells whether `act` happens at this call.
    pub(super) fn happens(&mut self, act: Act) -> bool {
        let happens = self.script.happens(act);
        self.count(act, u64::from(happens));
        happens
    }

    pub(super) fn violate(&mut self, text: String) {
        self.note(|| format!("VIOLATION {text}"));
        self.violations.push(text);
    }

    /// The error of a call to a machine that is not well.
    pub(super) fn ailment(&mut self, side: Side, call: &str) -> Result<()> {
        let steps = self.steps;
        let host = &mut self.hosts[side];
        if host.condition != Condition::Fine && steps >= host.until {
            host.condition = Condition::Fine;
        }
        let writes = matches!(call, "claim" | "apply" | "create" | "mark" | "finish");
        match host.condition {
            Condition::Down => Err(fault(Kind::Unavailable, "the machine is down")),
            Condition::Full if writes => Err(fault(Kind::Rejected, "the disk is full")),
            Condition::ReadOnly if writes => Err(fault(Kind::Auth, "the rights were taken away")),
            _ => Ok(()),
        }
    }

    /// Takes in what was committed at `side`: by a run, or by an outside writer. Returns the moment it led to.
    pub(super) fn observe(&mut self, side: Side, by: Option<&Author>) -> usize {
        if let Some(changes) = self.hosts[side].news() {
            if let Some(by) = by {
                self.runs[by.run.0].commits += 1;
            }
            for change in &changes {
                self.changed(side, change, by);
            }
            self.hosts[side].keep();
        }
        self.hosts[side].moments.len() - 1
    }

    pub(super) fn changed(&mut self, side: Side, change: &Change, by: Option<&Author>) {
        let place = self.place(change);
        self.note(|| {
            let who = if by.is_some() { "engine" } else { "outside" };
            let (before, after) = (&change.before, &change.after);
            format!(
                "  {} {place:?} by {who}: {before:?} -> {after:?}",
                side.name()
            )
        });
        let Some(Author { run, seen }) = by else {
            if side == Side::Source {
                self.order.source(place, change.after.as_deref());
            }
            return;
        };
        let changes = &mut self.runs[run.0].changes[side];
        *changes.entry(place.0).or_default() += 1;
        if change.after.is_none()
            && let Some(reading) = self.runs[run.0].readings[side].last_mut()
        {
            *reading.deleted.entry(place.0).or_default() += 1;
        }
        if self.runs[run.0].target_generation != self.hosts.target.generation {
            // An epoch is a number: put back, it can come to the same one again, and an old plan passes for a new one.
            self.order.target_put_back();
        }
        if !self.setting.two_way {
            let verdict = match side {
                Side::Source => Err("a one-way link wrote to its source".to_owned()),
                Side::Target => self.order.target(place, change.after.as_deref()),
            };
            if let Err(why) = verdict {
                self.violate(format!("G8: {place:?}: {why}"));
            }
        }
        let mut ghost = self.hosts[side]
            .ghosts
            .get(&place)
            .copied()
            .unwrap_or_default();
        for seen in Side::BOTH
            .into_iter()
            .filter_map(|side| seen[side].as_ref())
        {
            let seen = seen.get(&place).copied().unwrap_or_default();
            ghost.known |= seen.known;
            ghost.live |= seen.live;
        }
        match &change.after {
            Some(record) => ghost.known |= self.lineage.behind(record),
            None => ghost.live = lineage::Ids::default(),
        }
        Arc::make_mut(&mut self.hosts[side].ghosts).insert(place, ghost);
    }

    pub(super) fn place(&self, change: &Change) -> Place {
        let collections = &self.setting.collections;
        let collection = collections
            .iter()
            .position(|name| *name == change.collection);
        let record = change.after.as_ref().or(change.before.as_ref());
        let key = record.map_or(-1, |record| key_of(record));
        (collection.unwrap_or(usize::MAX), key)
    }
}
