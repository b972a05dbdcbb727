//! `trueup status`: how every link of the state file stands, and which of them need a person.
//!
//! It reads the state and nothing else: no endpoint is connected, so what it says is as of the last run.

use crate::args::StateFile;
use crate::output;
use crate::world;
use trueup_core::Result;
use trueup_core::side::Sides;
use trueup_engine::CollectionReport;
use trueup_engine::state::{LinkStanding, PairStanding, PastRun, Store};

/// The exit code when something needs a person.
const NEEDS_PERSON: u8 = 1;
/// Stands in the name of a link that goes both ways.
const BOTH_WAYS: &str = " <-> ";
/// From here an exit code says that a run stopped, not what it found.
const STOPPED: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  trueup status
  trueup status --json

Exit codes:
  0 nothing needs a person   1 open conflicts, parked records, or a run that failed";

/// What `status` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    state: StateFile,

    /// Print one JSON array instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// How one link stands.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// What names it whatever its addresses look like.
    pub(crate) id: String,
    /// Its name for people.
    pub(crate) name: String,
    /// Whether changes go both ways.
    pub(crate) two_way: bool,
    /// Its last run.
    pub(crate) last: Option<PastRun>,
    /// Its collections, as of the last run.
    pub(crate) collections: Vec<Collection>,
    /// Conflicts that nobody has decided.
    pub(crate) open: u64,
    /// Of these and of decided ones: those that a person answered since the last run.
    pub(crate) answers: u64,
    /// Open conflicts among the answered ones.
    pub(crate) answered_open: u64,
    /// Records put aside.
    pub(crate) parked: u64,
}

/// One collection of a link.
#[derive(Clone, Debug)]
pub(crate) struct Collection {
    /// Its name on each side.
    pub(crate) names: Sides<String>,
    /// What is known of both sides' common past; `None` for a link that goes one way.
    pub(crate) base: Option<Base>,
}

/// What is known of both sides' common past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// All: from here deletes are carried over.
    Complete,
    /// Not all yet, or no more: nothing is deleted.
    Joining,
}

impl Base {
    /// Returns the word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Joining => "joining",
        }
    }
}

impl Standing {
    /// Returns the word for the direction.
    pub(crate) fn kind(&self) -> &'static str {
        if self.two_way { "two-way" } else { "one-way" }
    }

    /// Returns what only a person can do about the link.
    pub(crate) fn needs(&self) -> Vec<&'static str> {
        let mut needs = Vec::new();
        let stopped = self.last.as_ref().and_then(|run| run.exit);
        if stopped.is_some_and(|exit| exit >= STOPPED) {
            needs.push("see why the last run failed, then run it again");
        }
        if self.open > self.answered_open {
            needs.push("decide the open conflicts");
        }
        if self.parked > 0 {
            needs.push("see why records are parked");
        }
        needs
    }
}

/// Runs the command and returns the exit code.
pub(crate) fn status(args: &Args) -> Result<u8> {
    let store = world::open_store_if_present(args.state.path()?.as_deref())?;
    let links = match &store {
        Some(store) => standings(store)?,
        None => Vec::new(),
    };
    output::links(&links, args.json)?;
    let waiting = links.iter().any(|link| !link.needs().is_empty());
    Ok(if waiting { NEEDS_PERSON } else { 0 })
}

/// How all links of the state stand.
pub(crate) fn standings(store: &Store) -> Result<Vec<Standing>> {
    let links = store.links()?;
    Ok(links.into_iter().map(standing).collect())
}

fn standing(link: LinkStanding) -> Standing {
    let two_way = link.pair.is_some() || link.name.contains(BOTH_WAYS);
    let collections = collections(&link);
    let count = |count: fn(&PairStanding) -> u64| link.pair.as_ref().map_or(0, count);
    Standing {
        open: count(|pair| pair.open),
        answers: count(|pair| pair.answers),
        answered_open: count(|pair| pair.answered_open),
        id: link.durable,
        name: link.name,
        two_way,
        last: link.last,
        collections,
        parked: link.parked,
    }
}

/// The pair knows its collections; of a link that goes one way the last report does.
fn collections(link: &LinkStanding) -> Vec<Collection> {
    let Some(pair) = &link.pair else {
        let report = link.last.as_ref().and_then(|run| run.report.as_ref());
        let collections = report.map_or(&[][..], |report| &report.collections);
        let names = |one: &CollectionReport| Sides::new(one.source.clone(), one.target.clone());
        return collections
            .iter()
            .map(|one| Collection {
                names: names(one),
                base: None,
            })
            .collect();
    };
    let flipped = pair.is_flipped(&link.name);
    let collection = |(names, complete): &(Sides<String>, bool)| Collection {
        names: if flipped {
            names.clone().swapped()
        } else {
            names.clone()
        },
        base: Some(if *complete {
            Base::Complete
        } else {
            Base::Joining
        }),
    };
    pair.collections.iter().map(collection).collect()
}

#[cfg(test)]
mod tests;
