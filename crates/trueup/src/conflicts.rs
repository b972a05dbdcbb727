//! `trueup conflicts`: what both sides changed, how it was decided, and what a person says to it.
//!
//! An answer is only recorded here. The next run carries it out, because it alone may write to the endpoints, and sees
//! whether the records are still the ones that the person looked at.

use crate::args::StateFile;
use crate::conflict::{Conflict, Taken};
use crate::output::{self, ConflictList};
use crate::record;
use std::path::PathBuf;
use trueup_core::side::Side;
use trueup_core::{Error, Result};
use trueup_engine::state::{ConflictFilter, ConflictId, Store};

/// How many conflicts are in memory at a time: each holds two whole records.
const CONFLICTS_AHEAD_MAX: usize = 256;

const LIST_EXAMPLES: &str = "\
Examples:
  trueup conflicts list --open
  trueup conflicts list --json";

const SHOW_EXAMPLES: &str = "\
Examples:
  trueup conflicts show 3
  trueup conflicts show 3 --json";

const RESOLVE_EXAMPLES: &str = "\
Examples:
  trueup conflicts resolve 3 --take source
  trueup conflicts resolve 3 --take record.json
  trueup conflicts resolve 3 --take - < record.json

A conflict that was decided already is reversed. The next sync of the link carries the answer out,
unless a record is no longer what trueup conflicts show shows.";

/// What `conflicts` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

/// What to do with conflicts.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Lists the conflicts on record
    List(List),
    /// Shows one conflict: both records, and what was decided by which rule
    Show(Show),
    /// Records what a person decides; the next sync carries it out
    Resolve(Resolve),
}

/// What `conflicts list` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = LIST_EXAMPLES)]
struct List {
    /// Only those that nobody has decided
    #[arg(long)]
    open: bool,

    #[command(flatten)]
    state: StateFile,

    /// Print one JSON array, with the values of both sides
    #[arg(long)]
    json: bool,
}

/// What `conflicts show` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = SHOW_EXAMPLES)]
struct Show {
    /// The conflict's number
    id: i64,

    #[command(flatten)]
    state: StateFile,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `conflicts resolve` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = RESOLVE_EXAMPLES)]
struct Resolve {
    /// The conflict's number
    id: i64,

    /// Whose record counts: that of the source, that of the target, or the one in FILE, a JSON object with all fields; `-` reads standard input
    #[arg(long, value_name = "source|target|FILE")]
    take: PathBuf,

    #[command(flatten)]
    state: StateFile,
}

impl Args {
    /// Tells whether the result is wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        match &self.action {
            Action::List(args) => args.json,
            Action::Show(args) => args.json,
            Action::Resolve(_) => false,
        }
    }
}

/// Runs the command and returns the exit code.
pub(crate) fn conflicts(args: &Args) -> Result<u8> {
    match &args.action {
        Action::List(args) => list(args)?,
        Action::Show(args) => {
            let (_, found) = find(&args.state, args.id)?;
            output::conflict(&found, args.json)?;
        }
        Action::Resolve(args) => resolve(args)?,
    }
    Ok(0)
}

fn list(args: &List) -> Result<()> {
    let mut list = ConflictList::new(args.open, args.json);
    let store = args.state.open()?;
    if let Some(store) = &store {
        let links = store.links()?;
        let mut filter = ConflictFilter {
            open: args.open,
            limit: Some(CONFLICTS_AHEAD_MAX),
            ..ConflictFilter::default()
        };
        loop {
            let past = store.conflicts(&filter)?;
            let Some(last) = past.last() else { break };
            filter.after = Some(last.id);
            for one in &past {
                list.push(&Conflict::shown(one, &links))?;
            }
        }
    }
    list.finish()
}

fn find(state: &StateFile, id: i64) -> Result<(Store, Conflict)> {
    let unknown = || {
        Error::config(format!("there is no conflict={id} on record")).hint(format!(
            "{} shows those there are",
            output::with_state("trueup conflicts list")
        ))
    };
    let store = state.open()?.ok_or_else(unknown)?;
    let past = store.conflict(ConflictId(id))?.ok_or_else(unknown)?;
    let shown = Conflict::shown(&past, &store.links()?);
    Ok((store, shown))
}

fn resolve(args: &Resolve) -> Result<()> {
    let (mut store, mut conflict) = find(&args.state, args.id)?;
    let named = |side: &Side| args.take.as_os_str() == side.name();
    let taken = match Side::BOTH.into_iter().find(named) {
        Some(side) => Taken::Side(side),
        None => Taken::Record(record::read(&args.take, &conflict.names)?),
    };
    conflict.check(&taken)?;
    store.answer(ConflictId(args.id), &conflict.answer(&taken))?;
    args.state.tell(&store);
    conflict.answer = Some(taken);
    output::answered(&conflict)
}
