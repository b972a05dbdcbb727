//! Shows how far a run is: bars on a terminal, plain lines elsewhere, objects for programs, nothing when asked.
//!
//! A step has no end event: it ended when another one of its collections, or the run, goes on. Collections that are loaded at
//! the same time say when they are done. Lines come at most
//! every two seconds and when a step ended. Shows names and counts, never a record.

mod bars;
mod events;
mod steps;

use crate::log::{self, Entry, Level};
use crate::terminal;
use crate::world;
use bars::Bars;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use steps::{Said, Steps};
use trueup_core::{Error, Kind, Result};
use trueup_engine::{Event, Progress, Tick};

/// Listens to a run.
#[derive(Debug)]
pub(crate) struct Listener {
    bars: Option<Bars>,
    steps: Mutex<Steps>,
    written: Mutex<BTreeMap<String, Written>>,
}

/// What is known to be at the endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Written {
    durable: u64,
    /// Applied, but lost if the machine fails now.
    volatile: u64,
}

impl Listener {
    /// Starts to listen to the run of `link`, a name for people.
    pub(crate) fn new(link: &str) -> Self {
        let terminal = terminal::get();
        terminal.begin(link);
        Self {
            bars: terminal.screen.clone().map(Bars::new),
            steps: Mutex::new(Steps::new(world::now_ms())),
            written: Mutex::default(),
        }
    }

    /// Ends the show: bars are removed, the last lines are written. Of a run that was interrupted, says what is there
    /// to stay.
    pub(crate) fn end<T>(&self, result: Result<T>) -> Result<T> {
        if let Some(bars) = &self.bars {
            bars.clear();
        }
        let ended = lock(&self.steps).end(world::now_ms());
        ended.iter().for_each(say);
        if result.as_ref().err().map(Error::kind) == Some(Kind::Interrupted) {
            let text = durable(&lock(&self.written));
            let entry = Entry {
                level: Level::Warn,
                event: "interrupted",
                message: Some(&text),
                ..Entry::default()
            };
            log::tell(&entry, &text);
        }
        result
    }

    /// Keeps the count of what was written: after an interruption it is wanted.
    fn wrote(&self, collection: &str, records: u64, durable: bool) {
        let mut written = lock(&self.written);
        let known = written.entry(collection.to_owned()).or_default();
        if durable {
            known.durable += records;
        } else {
            known.volatile += records;
        }
    }

    /// Says what ended, and takes its bars away.
    fn ended(&self, said: &[Said]) {
        if let Some(bars) = &self.bars {
            said.iter()
                .for_each(|said| bars.end(&said.collection, said.step));
        }
        said.iter().for_each(say);
    }

    fn lasts(&self, collection: &str) {
        if let Some(known) = lock(&self.written).get_mut(collection) {
            known.durable += std::mem::take(&mut known.volatile);
        }
    }
}

impl Progress for Listener {
    fn tick(&self, tick: Tick<'_>) {
        let said = lock(&self.steps).tick(tick, world::now_ms());
        if let Some(bars) = &self.bars {
            // The bar itself shows what is under way.
            let ended: Vec<Said> = said.into_iter().filter(|said| said.ended).collect();
            self.ended(&ended);
            bars.tick(tick, lock(&self.steps).total(tick));
        } else {
            said.iter().for_each(say);
        }
    }

    fn event(&self, event: Event<'_>) {
        match event {
            Event::Expected {
                collection,
                step,
                records,
            } => lock(&self.steps).expect(collection, step, records),
            Event::Batch {
                collection,
                records,
                durable,
            } => self.wrote(collection, records, durable),
            Event::Durable { collection } => self.lasts(collection),
            Event::Loading { collection } => lock(&self.steps).loading(collection),
            Event::Loaded { collection } => {
                let said = lock(&self.steps).loaded(collection);
                self.ended(&said);
            }
            Event::Shape { .. }
            | Event::Order { .. }
            | Event::Sorted { .. }
            | Event::Hashed { .. } => {}
        }
        events::tell(event);
    }

    fn note(&self, text: &str) {
        let entry = Entry {
            level: Level::Warn,
            event: "note",
            message: Some(text),
            ..Entry::default()
        };
        log::tell(&entry, &format!("note: {text}"));
    }
}

fn say(said: &Said) {
    let entry = Entry {
        event: if said.ended { "step_done" } else { "progress" },
        collection: Some(&said.collection),
        step: Some(said.step.name()),
        records: Some(said.records()),
        total: said.total,
        ms: Some(said.ms),
        ..Entry::default()
    };
    log::tell(&entry, &said.to_string());
}

/// Says what an interrupted run has written.
fn durable(written: &BTreeMap<String, Written>) -> String {
    let each = |count: fn(&Written) -> u64| {
        let counted = written.iter().map(|(name, known)| (name, count(known)));
        let some = counted.filter(|(_, count)| *count > 0);
        let shown: Vec<String> = some
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        shown.join(", ")
    };
    let (durable, volatile) = (each(|known| known.durable), each(|known| known.volatile));
    match (durable.is_empty(), volatile.is_empty()) {
        (true, true) => "nothing was written".to_owned(),
        (false, true) => format!("written and durable: {durable}"),
        (true, false) => format!("written, not known to be durable: {volatile}"),
        (false, false) => {
            format!("written and durable: {durable}; not known to be durable: {volatile}")
        }
    }
}

/// A listener that panicked has nothing to spoil but a line.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
