//! `trueup parked`: records that were put aside, why and since when, and trying them again.
//!
//! List and show read the state file only. A retry is a run of the link like any other, but what it writes concerns
//! parked records alone; a record that fits now leaves the list.

use crate::args::{DeletesMax, Sides};
use crate::link;
use crate::output;
use crate::progress::Listener;
use crate::sync::batch_records;
use crate::world::{self, Machine};
use std::path::PathBuf;
use trueup_core::guard::Guard;
use trueup_core::{Error, Result};
use trueup_engine::state::ParkedRecord;
use trueup_engine::{Limits, Link, Mode, run};

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

Name the link as sync does, with the same options. Other differences are left, and are no failure:
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
    state: State,

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
    state: State,

    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

/// What `parked retry` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = RETRY_EXAMPLES)]
struct Retry {
    #[command(flatten)]
    sides: Sides,

    /// Delete parked records that the source does not have any more
    #[arg(long)]
    delete: bool,

    /// Do not compare again afterwards
    #[arg(long)]
    no_verify: bool,

    /// Lift the guard on deletes, and nothing else
    #[arg(long)]
    yes: bool,

    /// The guard's limit: `20%` of the target's records (if that is more than 100), or a number of records
    #[arg(long, value_name = "LIMIT")]
    deletes_max: Option<DeletesMax>,

    /// At most this many records move together
    #[arg(long, value_name = "N", default_value_t = Limits::default().batch_records_max, value_parser = batch_records)]
    batch_records: usize,

    #[command(flatten)]
    state: State,

    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,

    /// Show no progress
    #[arg(long)]
    quiet: bool,
}

/// Where parked records are kept.
#[derive(Debug, clap::Args)]
struct State {
    /// Where runs, positions and history are kept [default: $XDG_STATE_HOME/trueup/state.db]
    #[arg(long = "state", value_name = "FILE")]
    file: Option<PathBuf>,
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

/// Runs the command and returns the exit code.
pub(crate) fn parked(args: &Args) -> Result<u8> {
    match &args.action {
        Action::List(args) => output::parked_list(&records(&args.state)?, args.json)?,
        Action::Show(args) => {
            let found = find(records(&args.state)?, &args.which)?;
            output::parked_shown(&found, args.json)?;
        }
        Action::Retry(args) => return retry(args),
    }
    Ok(0)
}

fn records(state: &State) -> Result<Vec<ParkedRecord>> {
    let store = world::open_store_if_present(state.file.as_deref())?;
    store.map_or_else(|| Ok(Vec::new()), |store| store.parked_records(None))
}

/// The record of that number, or all with that key: several links may have one parked.
fn find(records: Vec<ParkedRecord>, which: &str) -> Result<Vec<ParkedRecord>> {
    let is_it =
        |one: &ParkedRecord| one.id.to_string() == which || one.parked.key.to_string() == which;
    let found: Vec<ParkedRecord> = records.into_iter().filter(is_it).collect();
    if found.is_empty() {
        return Err(Error::config("no record of that number or key is parked")
            .hint("trueup parked list shows those there are"));
    }
    Ok(found)
}

fn retry(args: &Retry) -> Result<u8> {
    let machine = Machine::new()?;
    let mode = Mode {
        write: true,
        count_all: true,
        delete: args.delete,
        verify: !args.no_verify,
        lift_guard: args.yes,
    };
    let guard = args
        .deletes_max
        .map_or_else(Guard::default, DeletesMax::guard);
    let mut link = link::open(&args.sides, None, mode, guard, &machine.context())?;
    retry_link(&mut link, args, &machine)
}

/// Tries the parked records of `link` again, wherever its description comes from.
fn retry_link(link: &mut Link, args: &Retry, machine: &Machine) -> Result<u8> {
    let mut store = world::open_store(args.state.file.as_deref())?;
    let listener = Listener::new(args.quiet);
    let mut world = machine.world(&listener, args.state.file.as_deref());
    world.limits.batch_records_max = args.batch_records;
    let result = run::retry(link, &mut store, &world);
    listener.finish();
    let report = result?;
    output::synced(&report, false, args.json)?;
    Ok(report.exit_code())
}
