//! Shows how far a run is: bars on a terminal, plain lines elsewhere, nothing when asked.
//!
//! A step has no end event: it ended when another one of its collections, or the run, goes on. Lines come at most
//! every two seconds and when a step ended. Shows names and counts, never a record.

use crate::output;
use crate::world;
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use std::fmt;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use trueup_engine::{Progress, Step, Tick};

/// How often a plain line may come.
const LINE_EVERY_MS: i64 = 2_000;

/// Who listens to a run.
pub(crate) enum Listener {
    /// Nobody.
    Quiet,
    /// A terminal.
    Bars(Bars),
    /// A file or a pipe.
    Lines(Mutex<Lines>),
}

impl Listener {
    /// Chooses by what standard error is.
    pub(crate) fn new(quiet: bool) -> Self {
        if quiet {
            Self::Quiet
        } else if std::io::stderr().is_terminal() {
            Self::Bars(Bars::default())
        } else {
            Self::Lines(Mutex::new(Lines::new(world::now_ms())))
        }
    }

    /// Ends the show: bars are removed, the last lines are written.
    pub(crate) fn finish(&self) {
        match self {
            Self::Quiet => {}
            Self::Bars(bars) => bars.clear(),
            Self::Lines(lines) => print(&lock(lines).end(world::now_ms())),
        }
    }

    /// Does `print` while no bar is on the screen.
    pub(crate) fn hide<T>(&self, print: impl FnOnce() -> T) -> T {
        match self {
            Self::Bars(bars) => bars.screen.suspend(print),
            Self::Quiet | Self::Lines(_) => print(),
        }
    }
}

impl Progress for Listener {
    fn tick(&self, tick: Tick<'_>) {
        match self {
            Self::Quiet => {}
            Self::Bars(bars) => bars.tick(tick),
            Self::Lines(lines) => {
                let said = lock(lines).tick(tick, world::now_ms());
                print(&said);
            }
        }
    }

    fn note(&self, text: &str) {
        let line = format!("note: {text}");
        match self {
            Self::Quiet => {}
            Self::Bars(_) | Self::Lines(_) => self.hide(|| output::progress(&line)),
        }
    }
}

fn print(lines: &[String]) {
    lines.iter().for_each(|line| output::progress(line));
}

/// A listener that panicked has nothing to spoil but a line.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The active step, as a bar.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    screen: MultiProgress,
    active: Mutex<Option<(String, Step, ProgressBar)>>,
}

impl Bars {
    fn tick(&self, tick: Tick<'_>) {
        let mut active = lock(&self.active);
        let same = |(collection, step, _): &&mut (String, Step, ProgressBar)| {
            collection == tick.collection && *step == tick.step
        };
        if let Some((_, _, bar)) = active.as_mut().filter(same) {
            bar.inc(tick.records);
            return;
        }
        if let Some((_, _, bar)) = active.take() {
            bar.finish_and_clear();
        }
        let bar = self.screen.add(ProgressBar::no_length());
        if let Some(total) = tick.total {
            bar.set_length(total);
        }
        bar.set_style(style(tick.total.is_some(), unit(tick.step)));
        bar.set_message(format!(
            "{} {}",
            output::safe(tick.collection),
            tick.step.name()
        ));
        bar.inc(tick.records);
        *active = Some((tick.collection.to_owned(), tick.step, bar));
    }

    fn clear(&self) {
        if let Some((_, _, bar)) = lock(&self.active).take() {
            bar.finish_and_clear();
        }
    }
}

/// What is counted: a scan counts the records of both sides.
fn unit(step: Step) -> &'static str {
    match step {
        Step::Apply => "records written",
        Step::Sort | Step::Compare | Step::Verify => "records read",
    }
}

fn style(with_total: bool, unit: &'static str) -> ProgressStyle {
    let template = if with_total {
        "{msg} [{bar:24}] {pos}/{len} {unit} {rate} {eta} left"
    } else {
        "{msg} {spinner} {pos} {unit} {rate}"
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = style.with_key(
        "unit",
        move |_: &ProgressState, out: &mut dyn fmt::Write| {
            out.write_str(unit).ok();
        },
    );
    // A bar that cannot be drawn is no reason to stop.
    style.with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
        write!(out, "{:.0}/s", state.per_sec()).ok();
    })
}

/// The active step, as lines.
#[derive(Debug)]
pub(crate) struct Lines {
    active: Option<Active>,
    /// When the last tick came: the next step began there at the latest.
    ticked_ms: i64,
    said_ms: i64,
}

#[derive(Debug)]
struct Active {
    collection: String,
    step: Step,
    started_ms: i64,
    records: u64,
    total: Option<u64>,
}

impl Lines {
    fn new(now_ms: i64) -> Self {
        Self {
            active: None,
            ticked_ms: now_ms,
            said_ms: now_ms,
        }
    }

    /// Takes a tick and returns what is to be said now.
    fn tick(&mut self, tick: Tick<'_>, now_ms: i64) -> Vec<String> {
        let mut said = Vec::new();
        let same =
            |active: &Active| active.collection == tick.collection && active.step == tick.step;
        if !self.active.as_ref().is_some_and(same) {
            said = self.end(self.ticked_ms);
            self.active = Some(Active {
                collection: tick.collection.to_owned(),
                step: tick.step,
                started_ms: self.ticked_ms,
                records: 0,
                total: None,
            });
        }
        self.ticked_ms = now_ms;
        if let Some(active) = &mut self.active {
            active.records += tick.records;
            active.total = tick.total;
            if now_ms - self.said_ms >= LINE_EVERY_MS {
                self.said_ms = now_ms;
                said.push(active.under_way(now_ms));
            }
        }
        said
    }

    /// Ends the active step and returns what is to be said about it.
    fn end(&mut self, now_ms: i64) -> Vec<String> {
        let ended = self.active.take();
        ended.iter().map(|active| active.ended(now_ms)).collect()
    }
}

impl Active {
    fn under_way(&self, now_ms: i64) -> String {
        let rate = self.rate(now_ms);
        let Self {
            collection,
            records,
            ..
        } = self;
        let (step, unit) = (self.step.name(), unit(self.step));
        match self.total {
            Some(total) if rate > 0 => {
                let left = total.saturating_sub(*records).div_ceil(rate);
                format!("{collection}: {step} {records} of {total} {unit}, {rate}/s, {left} s left")
            }
            Some(_) | None => format!("{collection}: {step} {records} {unit}, {rate}/s"),
        }
    }

    fn ended(&self, now_ms: i64) -> String {
        let (collection, unit) = (&self.collection, unit(self.step));
        let (records, rate) = (self.records, self.rate(now_ms));
        format!(
            "{collection}: {} done, {records} {unit}, {rate}/s",
            self.step.name()
        )
    }

    fn rate(&self, now_ms: i64) -> u64 {
        let ms = u64::try_from(now_ms - self.started_ms).unwrap_or(0).max(1);
        self.records.saturating_mul(1000) / ms
    }
}

#[cfg(test)]
mod tests;
