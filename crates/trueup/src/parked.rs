//! `trueup parked`: records that were put aside, why and since when, and trying them again.
//!
//! List and show read the state file only, which says of a record its key and its place, and no other value. A retry is a
//! run of the link like any other, but what it writes concerns parked records alone; a record that fits now leaves the
//! list.

mod again;

pub(crate) use again::{Again, options};

use crate::args::{Choice, DeletesMax, Sides, StateFile, name_state};
use crate::config;
use crate::link;
use crate::output::{self, Way};
use crate::run::lasting;
use crate::spec::Spec;
use crate::sync::{Asked, batch_records, refuse_stream};
use crate::world::{self, Machine};
use std::path::PathBuf;
use trueup_core::guard::Guard;
use trueup_core::{Error, Result};
use trueup_engine::run::tried_by_every_run;
use trueup_engine::state::{LinkStanding, ParkedRecord, Said, Store};
use trueup_engine::{Comparison, Limits, Mode};

const LIST_EXAMPLES: &str = "\
Examples:
  trueup parked list
  trueup parked list --json";

const SHOW_EXAMPLES: &str = "\
Examples:
  trueup parked show 3
  trueup parked show 5a0c1e8b3f0d4d2f9a7c6b5e4d3c2b1a --json";

const RETRY_EXAMPLES: &str = "\
Examples:
  trueup parked retry csv:shop sqlite:shop.db --key orders=id
  trueup parked retry --config trueup.toml orders
  trueup parked retry orders

Name the link as sync does, with the same options, or as a configuration file does (--config, else
./trueup.toml); parked show has the command. Other differences are left, and are no failure:
exit code 0 says that nothing is parked any more. A link that goes both ways tries its parked
records again at every run.";

/// What `parked` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

/// What to do with parked records.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Lists the parked records of all links
    List(List),
    /// Shows one parked record: why it is parked, and since when
    Show(Show),
    /// Tries the parked records of a link again, and writes nothing else
    Retry(Retry),
}

/// What `parked list` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = LIST_EXAMPLES)]
struct List {
    #[command(flatten)]
    state: StateFile,

    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

/// What `parked show` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = SHOW_EXAMPLES)]
struct Show {
    /// The record's number, or the digest of its key
    #[arg(value_name = "ID|KEY")]
    which: String,

    #[command(flatten)]
    state: StateFile,

    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

/// What `parked retry` is told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = RETRY_EXAMPLES,
    override_usage = "trueup parked retry [OPTIONS] SOURCE TARGET\n       trueup parked retry [OPTIONS] [--config FILE] LINK"
)]
struct Retry {
    /// The two sides as sync names them, or the name of a link of the configuration file
    #[arg(value_name = "SOURCE TARGET | LINK", required = true, num_args = 1..=2)]
    names: Vec<String>,

    /// The configuration file that describes the link [default: trueup.toml, where one name is given]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    choice: Choice,

    /// Delete parked records that the source does not have any more
    #[arg(long, conflicts_with = "config")]
    delete: bool,

    /// Do not compare again afterwards
    #[arg(long)]
    no_verify: bool,

    /// Lift the guard on deletes, and nothing else
    #[arg(long)]
    yes: bool,

    /// The guard's limit: `20%` of the target's records (if that is more than 100), or a number of records
    #[arg(long, value_name = "LIMIT", conflicts_with = "config")]
    deletes_max: Option<DeletesMax>,

    /// At most this many records move together
    #[arg(long, value_name = "N", default_value_t = Limits::default().batch_records_max, value_parser = batch_records, conflicts_with = "config")]
    batch_records: usize,

    /// Where runs, positions and history are kept [default: the file's state, else $XDG_STATE_HOME/trueup/state.db]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Tells whether the result is wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        match &self.action {
            Action::List(args) => args.json,
            Action::Show(args) => args.json,
            Action::Retry(args) => args.json,
        }
    }
}

/// Only what concerns parked records is written: what else the target has is no part of it.
const RETRIED: Way = Way {
    two_way: false,
    delete: true,
    in_file: false,
};

/// Runs the command and returns the exit code.
pub(crate) fn parked(args: &Args) -> Result<u8> {
    match &args.action {
        Action::List(args) => {
            let store = args.state.open()?;
            let found = records(store.as_ref())?;
            let again = again(&found, store.as_ref(), &args.state)?;
            output::parked_list(&found, &again, args.json)?;
        }
        Action::Show(args) => {
            let store = args.state.open()?;
            let found = find(records(store.as_ref())?, &args.which)?;
            let again = again(&found, store.as_ref(), &args.state)?;
            output::parked_shown(&found, &again, args.json)?;
        }
        Action::Retry(args) => return retry(args),
    }
    Ok(0)
}

/// How each of the records is tried again.
fn again(records: &[ParkedRecord], store: Option<&Store>, state: &StateFile) -> Result<Vec<Again>> {
    match store {
        Some(store) => again::again(records, store, state),
        None => Ok(Vec::new()),
    }
}

fn records(store: Option<&Store>) -> Result<Vec<ParkedRecord>> {
    store.map_or_else(|| Ok(Vec::new()), |store| store.parked_records(None))
}

/// The record of that number, or all with that key: several links may have one parked.
fn find(records: Vec<ParkedRecord>, which: &str) -> Result<Vec<ParkedRecord>> {
    let is_it =
        |one: &ParkedRecord| one.id.to_string() == which || one.parked.key.to_string() == which;
    let found: Vec<ParkedRecord> = records.into_iter().filter(is_it).collect();
    if found.is_empty() {
        return Err(
            Error::config("no record of that number or key is parked").hint(format!(
                "{} shows those there are",
                output::with_state("trueup parked list")
            )),
        );
    }
    Ok(found)
}

fn retry(args: &Retry) -> Result<u8> {
    let machine = Machine::new()?;
    let Described { spec, state, said } = described(args)?;
    refuse_stream(&spec)?;
    let mut link = link::open(&spec, &machine.context())?;
    link.said = said;
    name_state(state.as_deref());
    let Some(mut store) = world::open_store_if_any(state.as_deref())? else {
        return Err(never_ran());
    };
    let asked = Asked {
        machine: &machine,
        state: state.as_deref(),
        json: args.json,
    };
    refuse_both_ways(&spec, &link.lasting_name(), &store)?;
    let durable = link.durable_name();
    if !store.links()?.iter().any(|one| one.durable == durable) {
        return Err(never_ran());
    }
    let report = asked.retry(&spec, &mut link, &mut store)?;
    output::synced(&report, RETRIED, args.json)?;
    Ok(report.exit_code())
}

/// Nothing can be parked of a link that never ran: it is mistyped, or its state is elsewhere.
fn never_ran() -> Error {
    Error::config("the link has not run with this state: nothing of it is parked").hint(
        "trueup parked show ID has the command for each parked record; --state or --config names another state",
    )
}

/// Refuses two places whose parked records belong to a link that goes both ways: a link in one direction has none there.
fn refuse_both_ways(spec: &Spec, name: &str, store: &Store) -> Result<()> {
    let Some((source, target)) = name.split_once(" -> ") else {
        return Ok(());
    };
    let both = [
        format!("{source} <-> {target}"),
        format!("{target} <-> {source}"),
    ];
    let links = store.links()?;
    let known = links.iter().any(|one| one.name == name);
    let is_meant = |one: &LinkStanding| one.pair.is_some() && both.contains(&one.name);
    if spec.two_way.is_none() && !known && links.iter().any(is_meant) {
        return Err(tried_by_every_run());
    }
    Ok(())
}

/// The configuration file that is meant: a name alone is that of a link in the file at hand. An address is none.
fn file(args: &Retry) -> Option<PathBuf> {
    let at_hand = || match args.names.as_slice() {
        [name] if !name.contains(':') => Some(PathBuf::from(config::FILE)),
        _ => None,
    };
    let at_hand = || at_hand().filter(|path| path.is_file());
    args.config.clone().or_else(at_hand)
}

/// Refuses what the configuration file says, where it is the one at hand: clap knows of a named one only.
fn refuse_options(args: &Retry) -> Result<()> {
    args.choice.refuse()?;
    if !args.delete && args.deletes_max.is_none() {
        return Ok(());
    }
    Err(Error::config(
        "--delete and --deletes-max are for two places, and a link of a file is named",
    )
    .hint("write them into the file: delete, and deletes_max of its guard"))
}

/// The link that is meant.
struct Described {
    spec: Spec,
    /// Where its state is, if not at the usual place.
    state: Option<PathBuf>,
    said: Option<Said>,
}

/// Describes the link that is meant.
fn described(args: &Retry) -> Result<Described> {
    match (file(args), args.names.as_slice()) {
        (Some(path), [name]) => {
            refuse_options(args)?;
            let config = config::read(&path, &world::variable)?;
            let mut spec = config.link(name)?.spec.clone();
            spec.mode.verify &= !args.no_verify;
            spec.mode.lift_guard = args.yes;
            Ok(Described {
                spec,
                state: args.state.clone().or(config.state),
                said: lasting(&path).map(|file| Said::InFile {
                    file,
                    name: name.clone(),
                }),
            })
        }
        (None, [source, target]) => {
            let sides = Sides {
                source: source.clone(),
                target: target.clone(),
                choice: args.choice.clone(),
            };
            let mode = Mode {
                write: true,
                count_all: true,
                delete: args.delete,
                verify: !args.no_verify,
                lift_guard: args.yes,
                compare: Comparison::Auto,
            };
            let guard = args
                .deletes_max
                .map_or_else(Guard::default, DeletesMax::guard);
            let spec = sides.spec(None, mode, guard, args.batch_records);
            Ok(Described {
                spec,
                state: args.state.clone(),
                said: Some(Said::Options(options(&args.choice))),
            })
        }
        (Some(_), _) => Err(Error::config("with --config one link is named")
            .hint("write trueup parked retry --config FILE LINK")),
        (None, _) => Err(Error::config("a source and a target are needed")
            .hint("write trueup parked retry SOURCE TARGET, or --config FILE LINK; LINK alone where trueup.toml is")),
    }
}
