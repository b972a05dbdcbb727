//! The steps that are under way, as bars.

use super::lock;
use super::steps::unit;
use crate::output;
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use std::fmt;
use std::sync::Mutex;
use trueup_engine::{Step, Tick};

/// The bars on the screen; each goes when its step ends.
#[derive(Debug)]
pub(super) struct Bars {
    screen: MultiProgress,
    active: Mutex<Vec<Active>>,
}

type Active = (String, Step, ProgressBar);

impl Bars {
    pub(super) fn new(screen: MultiProgress) -> Self {
        Self {
            screen,
            active: Mutex::default(),
        }
    }

    /// Moves the bar of the tick's step, which is a new one at its first tick.
    pub(super) fn tick(&self, tick: Tick<'_>, total: Option<u64>) {
        let mut active = lock(&self.active);
        let same =
            |(collection, step, _): &Active| collection == tick.collection && *step == tick.step;
        if !active.iter().any(same) {
            let total = total.filter(|total| tick.records <= *total);
            let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
            bar.set_style(style(total.is_some(), unit(tick.step)));
            bar.set_message(format!(
                "{}: {}",
                output::safe(tick.collection),
                tick.step.name()
            ));
            let bar = self.screen.add(bar);
            active.push((tick.collection.to_owned(), tick.step, bar));
        }
        if let Some((_, _, bar)) = active.iter().find(|one| same(one)) {
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
        let (_, _, bar) = active.last()?;
        Some((bar.position(), bar.length()))
    }

    /// Takes the bar of a step away.
    pub(super) fn end(&self, collection: &str, step: Step) {
        let mut active = lock(&self.active);
        let of = |one: &mut Active| one.0 == collection && one.1 == step;
        active
            .extract_if(.., of)
            .for_each(|(_, _, bar)| bar.finish_and_clear());
    }

    pub(super) fn clear(&self) {
        let active = std::mem::take(&mut *lock(&self.active));
        active
            .into_iter()
            .for_each(|(_, _, bar)| bar.finish_and_clear());
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
