//! The step that is under way, as a bar.

use super::lock;
use super::steps::unit;
use crate::output;
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use std::fmt;
use std::sync::Mutex;
use trueup_engine::{Step, Tick};

/// The bar on the screen; it goes when the next step begins.
#[derive(Debug)]
pub(super) struct Bars {
    screen: MultiProgress,
    active: Mutex<Option<(String, Step, ProgressBar)>>,
}

impl Bars {
    pub(super) fn new(screen: MultiProgress) -> Self {
        Self {
            screen,
            active: Mutex::default(),
        }
    }

    /// Moves the bar of the tick's step, a new one where another step was under way.
    pub(super) fn tick(&self, tick: Tick<'_>, total: Option<u64>) {
        let mut active = lock(&self.active);
        let same = |(collection, step, _): &&mut (String, Step, ProgressBar)| {
            collection == tick.collection && *step == tick.step
        };
        if active.as_mut().filter(same).is_none() {
            if let Some((_, _, bar)) = active.take() {
                bar.finish_and_clear();
            }
            let total = total.filter(|total| tick.records <= *total);
            let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
            bar.set_style(style(total.is_some(), unit(tick.step)));
            bar.set_message(format!(
                "{}: {}",
                output::safe(tick.collection),
                tick.step.name()
            ));
            let bar = self.screen.add(bar);
            *active = Some((tick.collection.to_owned(), tick.step, bar));
        }
        if let Some((_, _, bar)) = active.as_ref() {
            let position = bar.position().saturating_add(tick.records);
            match total {
                Some(total) if position <= total => bar.set_length(total),
                // More than were expected: nobody knows how many there will be.
                Some(_) if bar.length().is_some() => {
                    bar.unset_length();
                    bar.set_style(style(false, unit(tick.step)));
                }
                Some(_) | None => {}
            }
            bar.inc(tick.records);
        }
    }

    /// Returns where the bar stands, and its total.
    #[cfg(test)]
    pub(super) fn place(&self) -> Option<(u64, Option<u64>)> {
        let active = lock(&self.active);
        let (_, _, bar) = active.as_ref()?;
        Some((bar.position(), bar.length()))
    }

    pub(super) fn clear(&self) {
        if let Some((_, _, bar)) = lock(&self.active).take() {
            bar.finish_and_clear();
        }
    }
}

fn style(with_total: bool, unit: &'static str) -> ProgressStyle {
    let template = if with_total {
        "{msg} [{bar:24}] {pos}/{len} {unit}, {rate}, {elapsed}, {eta} left"
    } else {
        "{msg} {spinner} {pos} {unit}, {rate}, {elapsed}"
    };
    // A bar that cannot be drawn is no reason to stop.
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = style.with_key(
        "unit",
        move |_: &ProgressState, out: &mut dyn fmt::Write| {
            out.write_str(unit).ok();
        },
    );
    style.with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
        write!(out, "{:.0}/s", state.per_sec()).ok();
    })
}
