//! Links that follow their source's log, each on a thread of its own.
//!
//! Invariant: a link that fails does not stop another one; all of them stop when the process is asked to.

use super::{Args, fail, open, way};
use crate::config::{self, Config};
use crate::log::{self, Entry, Level};
use crate::output::{PlanReport, ReportList};
use crate::progress::Listener;
use crate::sync::Asked;
use crate::world;
use std::sync::{Mutex, PoisonError};
use trueup_core::{Error, Result};
use trueup_engine::{Event, Followed, Progress, Tick, World};

/// What links are followed with.
pub(super) struct Following<'a> {
    pub(super) args: &'a Args,
    pub(super) config: &'a Config,
    pub(super) asked: Asked<'a>,
    /// The configuration file, as it is called from every folder.
    pub(super) file: Option<&'a str>,
    pub(super) list: Mutex<&'a mut ReportList>,
}

impl Following<'_> {
    /// Follows all until they are asked to stop, and returns the worst exit code.
    pub(super) fn all(&self, links: &[&config::Link]) -> Result<u8> {
        std::thread::scope(|scope| {
            let threads: Vec<_> = links
                .iter()
                .map(|link| scope.spawn(|| self.one(link)))
                .collect();
            let mut worst = 0;
            for thread in threads {
                let code = thread.join();
                let died = |_| Error::bug("a link ended without saying so");
                worst = worst.max(code.map_err(died)??);
            }
            Ok(worst)
        })
    }

    fn one(&self, link: &config::Link) -> Result<u8> {
        match self.follow(link) {
            Ok(followed) => {
                stopped(&link.name, followed);
                Ok(0)
            }
            Err(error) => self.list(|list| fail(list, self.config, link, error)),
        }
    }

    fn list<T>(&self, show: impl FnOnce(&mut ReportList) -> T) -> T {
        show(&mut self.list.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn follow(&self, link: &config::Link) -> Result<Followed> {
        let mut store = world::open_store(self.asked.state)?;
        let (spec, mut opened) = open(self.args, self.asked, self.file, Some(&mut store), link)?;
        let listener = Named {
            name: &link.name,
            listener: Listener::new(&opened.name()),
        };
        let world = World {
            limits: spec.limits(),
            ..self.asked.machine.world(&listener, self.asked.state)
        };
        let mut copied = |report: &trueup_engine::Report| {
            listener.listener.end(Ok(()))?;
            self.list(|list| {
                list.begin(&link.name)?;
                list.push(&link.name, report, way(link), PlanReport::Done)
            })
        };
        let followed = trueup_engine::follow(&mut opened, &mut store, &world, &mut copied);
        listener.listener.end(followed)
    }
}

/// Says what a link did until it was asked to stop.
fn stopped(name: &str, followed: Followed) {
    let Followed {
        transactions,
        changes,
    } = followed;
    let text = format!(
        "link={name}: stopped on request; {transactions} transactions with {changes} changes were written, and are durable"
    );
    let entry = Entry {
        level: Level::Info,
        event: "stopped",
        message: Some(&text),
        ..Entry::default()
    };
    log::tell(&entry, &text);
}

/// Says of which link a note is.
struct Named<'a> {
    name: &'a str,
    listener: Listener,
}

impl Progress for Named<'_> {
    fn tick(&self, tick: Tick<'_>) {
        self.listener.tick(tick);
    }

    fn event(&self, event: Event<'_>) {
        self.listener.event(event);
    }

    fn note(&self, text: &str) {
        self.listener.note(&format!("link={}: {text}", self.name));
    }
}
