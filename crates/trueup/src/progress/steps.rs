//! The steps that are under way, in numbers: how far, how fast, how long. There is one at a time, unless several collections are
//! loaded at once.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use trueup_engine::{Step, Tick};

/// How often something may be said about a step that is under way.
const SAID_EVERY_MS: i64 = 2_000;

/// What is counted, of a step whose sides are not told apart.
pub(super) fn unit(step: Step) -> &'static str {
    match step {
        Step::Apply => "records written",
        Step::Sort => "records read",
        Step::Compare | Step::Verify => "records of both sides read",
    }
}

/// What a step has done, of which side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Done {
    source: u64,
    target: u64,
    /// Records that belong to no side in particular.
    both: u64,
}

impl Done {
    fn add(&mut self, side: Option<&str>, records: u64) {
        let count = match side {
            Some("source") => &mut self.source,
            Some("target") => &mut self.target,
            Some(_) | None => &mut self.both,
        };
        *count = count.saturating_add(records);
    }

    fn total(self) -> u64 {
        let sides = self.source.saturating_add(self.target);
        sides.saturating_add(self.both)
    }

    /// Says what is counted.
    fn unit(self, step: Step) -> &'static str {
        match (self.source > 0, self.target > 0, step) {
            (true, false, Step::Sort | Step::Compare | Step::Verify) => "source records read",
            (false, true, Step::Sort | Step::Compare | Step::Verify) => "target records read",
            (true, true, _) => "records of both sides read",
            _ => unit(step),
        }
    }
}

/// The steps of a run.
#[derive(Debug)]
pub(super) struct Steps {
    active: Vec<Active>,
    /// The collections that are loaded beside others: their step goes on while another one's does.
    loading: BTreeSet<String>,
    expected: HashMap<(String, Step), u64>,
    /// When the last tick came: the next step began there at the latest.
    ticked_ms: i64,
    said_ms: i64,
}

#[derive(Debug)]
struct Active {
    collection: String,
    step: Step,
    started_ms: i64,
    ticked_ms: i64,
    done: Done,
    total: Option<u64>,
    about: bool,
}

/// What is to be said about a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) collection: String,
    pub(super) step: Step,
    done: Done,
    /// How many there will be, while it is under way and where that is known.
    pub(super) total: Option<u64>,
    /// Whether the total is what an earlier reading counted.
    about: bool,
    pub(super) ms: i64,
    pub(super) ended: bool,
}

impl Steps {
    pub(super) fn new(now_ms: i64) -> Self {
        Self {
            active: Vec::new(),
            loading: BTreeSet::new(),
            expected: HashMap::new(),
            ticked_ms: now_ms,
            said_ms: now_ms,
        }
    }

    /// Takes how many records a step will concern, as far as one can tell.
    pub(super) fn expect(&mut self, collection: &str, step: Step, records: u64) {
        self.expected.insert((collection.to_owned(), step), records);
    }

    /// Returns how many records the tick's step has in all, as far as one can tell.
    pub(super) fn total(&self, tick: Tick<'_>) -> Option<u64> {
        let key = (tick.collection.to_owned(), tick.step);
        tick.total.or_else(|| self.expected.get(&key).copied())
    }

    /// Takes a tick and returns what is to be said now.
    pub(super) fn tick(&mut self, tick: Tick<'_>, now_ms: i64) -> Vec<Said> {
        let mut said = Vec::new();
        let same =
            |active: &Active| active.collection == tick.collection && active.step == tick.step;
        if !self.active.iter().any(same) {
            let loading = std::mem::take(&mut self.loading);
            said = self
                .take(|active| active.step != Step::Apply || !loading.contains(&active.collection));
            self.loading = loading;
            self.active.push(Active {
                collection: tick.collection.to_owned(),
                step: tick.step,
                started_ms: self.ticked_ms,
                ticked_ms: self.ticked_ms,
                done: Done::default(),
                total: None,
                about: false,
            });
        }
        self.ticked_ms = now_ms;
        let total = self.total(tick);
        if let Some(active) = self.active.iter_mut().find(|active| same(active)) {
            active.ticked_ms = now_ms;
            active.done.add(tick.side, tick.records);
            (active.total, active.about) = (total, tick.total.is_none());
            if now_ms - self.said_ms >= SAID_EVERY_MS {
                self.said_ms = now_ms;
                said.push(active.said(now_ms, false));
            }
        }
        said
    }

    /// Takes that a collection is loaded beside others.
    pub(super) fn loading(&mut self, collection: &str) {
        self.loading.insert(collection.to_owned());
    }

    /// Takes that all of it was written, and returns what is to be said about it.
    pub(super) fn loaded(&mut self, collection: &str) -> Vec<Said> {
        self.loading.remove(collection);
        self.take(|active| active.step == Step::Apply && active.collection == collection)
    }

    /// Ends steps where their last ticks came.
    fn take(&mut self, ended: impl Fn(&Active) -> bool) -> Vec<Said> {
        let ended = self.active.extract_if(.., |active| ended(active));
        ended
            .map(|active| active.said(active.ticked_ms, true))
            .collect()
    }

    /// Ends all steps and returns what is to be said about them.
    pub(super) fn end(&mut self, now_ms: i64) -> Vec<Said> {
        self.loading.clear();
        let ended = std::mem::take(&mut self.active);
        ended
            .iter()
            .map(|active| active.said(now_ms, true))
            .collect()
    }
}

impl Active {
    fn said(&self, now_ms: i64, ended: bool) -> Said {
        Said {
            collection: self.collection.clone(),
            step: self.step,
            done: self.done,
            total: self.total.filter(|_| !ended),
            about: self.about,
            ms: (now_ms - self.started_ms).max(0),
            ended,
        }
    }
}

impl Said {
    /// Returns how many records were done, of whichever side.
    pub(super) fn records(&self) -> u64 {
        self.done.total()
    }
}

impl fmt::Display for Said {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, unit, records) = (self.step.name(), self.done.unit(self.step), self.records());
        let ms = u64::try_from(self.ms).unwrap_or(0);
        let rate = records.saturating_mul(1000) / ms.max(1);
        write!(out, "{}: {step} ", self.collection)?;
        if self.ended {
            let (seconds, tenths) = (ms / 1000, ms % 1000 / 100);
            match self.done {
                Done {
                    source: 1..,
                    target: 1..,
                    ..
                } => {
                    let Done { source, target, .. } = self.done;
                    write!(
                        out,
                        "done, {source} source and {target} target records read"
                    )?;
                }
                _ => write!(out, "done, {records} {unit}")?,
            }
            return write!(out, " in {seconds}.{tenths} s, {rate}/s");
        }
        let about = if self.about { "about " } else { "" };
        match self.total {
            // An expectation that proved too small says nothing about what is left.
            Some(total) if total >= records && rate > 0 => {
                let left = (total - records).div_ceil(rate);
                write!(
                    out,
                    "{records} of {about}{total} {unit}, {rate}/s, {left} s left"
                )
            }
            Some(_) | None => write!(out, "{records} {unit}, {rate}/s"),
        }
    }
}
