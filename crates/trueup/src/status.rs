//! `trueup status`: how every link of the state file stands, and which of them need a person.
//!
//! It reads the state and nothing else: no endpoint is connected, so what it says is as of the last run.

use crate::args::StateFile;
use crate::config::{self, Config};
use crate::known::{self, Known};
use crate::output;
use crate::registry::Address;
use crate::world;
use trueup_core::Result;
use trueup_core::side::Sides;
use trueup_engine::CollectionReport;
use trueup_engine::state::{FollowStanding, LinkStanding, PairStanding, PastRun, Store};

/// The exit code when something needs a person.
const NEEDS_PERSON: u8 = 1;
/// Stands in the name of a link that goes both ways.
const BOTH_WAYS: &str = " <-> ";
/// From here an exit code says that a run stopped, not what it found.
const STOPPED: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  trueup status
  trueup status --all
  trueup status --json

Where there is a configuration file (--config, else ./trueup.toml; not with --state), its links are
listed, by their names; the others that the state file knows are counted, and with --all listed.
With --json, those of them that need a person are listed too.

Exit codes:
  0 nothing needs a person   1 open conflicts, parked records, or a run that failed";

/// What `status` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    state: StateFile,

    /// Also the links that the configuration file does not have
    #[arg(long)]
    all: bool,

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
    /// What the configuration file calls it; several of its links may have the same sides.
    pub(crate) labels: Vec<String>,
    /// Whether changes go both ways.
    pub(crate) two_way: bool,
    /// Its last run.
    pub(crate) last: Option<PastRun>,
    /// Whether a run of it came to its end.
    pub(crate) succeeded: bool,
    /// Whether more of it is kept than its runs.
    pub(crate) kept: bool,
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
    /// How far it is, where it follows its source's log.
    pub(crate) following: Option<FollowStanding>,
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

    /// Tells whether there is something that only a person can do about the link.
    pub(crate) fn needs_person(&self) -> bool {
        !self.needs().is_empty()
    }

    /// Returns what only a person can do about the link.
    pub(crate) fn needs(&self) -> Vec<String> {
        let mut needs = Vec::new();
        let stopped = self.last.as_ref().and_then(|run| run.exit);
        if stopped.is_some_and(|exit| exit >= STOPPED) {
            needs.push("see why the last run failed, then run it again".to_owned());
        }
        if self.open > self.answered_open {
            let command = output::with_state("trueup conflicts list --open");
            needs.push(format!("decide the open conflicts: {command}"));
        }
        if self.parked > 0 {
            let command = output::with_state("trueup parked list");
            needs.push(format!("see why records are parked: {command}"));
        }
        needs
    }
}

/// What there is to say of all links.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listed {
    /// Those that are wanted.
    pub(crate) links: Vec<Standing>,
    /// Links of the configuration file that never ran, by its names for them.
    pub(crate) never: Vec<String>,
    /// Those that the state file knows besides.
    pub(crate) others: Vec<Standing>,
}

/// Runs the command and returns the exit code.
pub(crate) fn status(args: &Args) -> Result<u8> {
    let store = args.state.open()?;
    let listed = listed(store.as_ref(), &args.state, args.all)?;
    output::links(&listed, args.json)?;
    let waiting = listed.waiting().next().is_some();
    Ok(if waiting { NEEDS_PERSON } else { 0 })
}

/// How the links stand, those of the configuration file that is meant with its names for them; unless `all` are wanted,
/// those that it does not have stand apart.
pub(crate) fn listed(store: Option<&Store>, state: &StateFile, all: bool) -> Result<Listed> {
    let mut listed = Listed::default();
    if let Some(store) = store {
        listed.links = standings(store)?;
    }
    if let Some(path) = state.config() {
        let names = config::read_names(&path).map_err(|error| state.around(error))?;
        let config = config::read(&path, &world::variable).ok();
        let mut known = match store {
            Some(store) => known::on_record(store, &path, &names, config.as_ref())?,
            None => Vec::new(),
        };
        // What the file ran by another of its names is that one: another link of it may have the same places.
        let found = found_by_places(config.as_ref(), &listed.links).into_iter();
        let strange = |id: &String| known.iter().all(|(_, known)| known != id);
        let found: Vec<_> = found.filter(|(_, id)| strange(id)).collect();
        known.extend(found);
        listed.choose(&names, &known, all);
    }
    Ok(listed)
}

/// Which links a configuration file means by the places that it names: it may have been renamed, or its link, since they
/// ran. Nothing where the file does not read, or where a place has two spellings: a guess would be worse.
fn found_by_places(config: Option<&Config>, links: &[Standing]) -> Vec<Known> {
    let mut found = Vec::new();
    for link in config.map_or(&[][..], |config| &config.links) {
        let at = |address: &str| {
            let lasting = Address::parse(address).ok().and_then(|one| one.lasting());
            lasting.unwrap_or_else(|| address.to_owned())
        };
        let (source, target) = (at(&link.spec.source.address), at(&link.spec.target.address));
        let names = if link.spec.two_way.is_some() {
            [(&source, &target), (&target, &source)]
                .map(|(one, other)| format!("{one} <-> {other}"))
        } else {
            [format!("{source} -> {target}"), String::new()]
        };
        let same: Vec<&Standing> = links
            .iter()
            .filter(|one| names.contains(&one.name))
            .collect();
        if let [one] = same.as_slice() {
            found.push((link.name.clone(), one.id.clone()));
        }
    }
    found
}

impl Listed {
    /// The links that need a person, those included that are not of the file.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Standing> {
        let all = self.links.iter().chain(&self.others);
        all.filter(|link| link.needs_person())
    }

    /// Gives the links their names in a configuration file, and unless `all` are wanted sets those without apart. What is
    /// `known` first goes before what is known after it.
    fn choose(&mut self, names: &[String], known: &[(String, String)], all: bool) {
        let mut never: Vec<String> = Vec::new();
        for name in names {
            let mut ids = known.iter().filter(|(known, _)| known == name);
            let at = ids.find_map(|(_, id)| self.links.iter().position(|link| link.id == *id));
            match at.and_then(|at| self.links.get_mut(at)) {
                Some(link) => link.labels.push(name.clone()),
                None => never.push(name.clone()),
            }
        }
        self.never = never;
        if !all {
            let links = std::mem::take(&mut self.links).into_iter();
            (self.links, self.others) = links.partition(|link| !link.labels.is_empty());
        }
    }
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
        labels: Vec::new(),
        succeeded: link.succeeded,
        kept: link.kept,
        two_way,
        last: link.last,
        collections,
        parked: link.parked,
        following: link.following,
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
    let flipped = pair.is_flipped();
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
