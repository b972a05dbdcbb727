//! `trueup verify`: proves that the sides of a configured link agree, or says that they do not.
//!
//! It takes the path that verifies a run, and not the one that decides what to write. It writes nothing to the endpoints
//! and nothing to the state: only what is parked and in open conflict is looked up there.

use crate::config;
use crate::link;
use crate::output;
use crate::progress::Listener;
use crate::run::config_and_links;
use crate::world::{self, Machine};
use std::path::PathBuf;
use trueup_core::{Error, Result};
use trueup_engine::run;

/// The exit code when the sides differ.
const DIFFERENT: u8 = 1;

const EXAMPLES: &str = "\
Examples:
  trueup verify orders
  trueup verify /etc/trueup/shop.toml orders --json

Exit codes:
  0 equal   1 differences, open conflicts or parked records";

/// What `verify` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, override_usage = "trueup verify [OPTIONS] [CONFIG] LINK")]
pub(crate) struct Args {
    /// The configuration file [default: trueup.toml], and the name of a link
    #[arg(value_name = "CONFIG LINK", required = true, num_args = 1..=2)]
    names: Vec<String>,

    /// Where the link's state is [default: the file's state, else $XDG_STATE_HOME/trueup/state.db]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command and returns the exit code.
pub(crate) fn verify(args: &Args) -> Result<u8> {
    let machine = Machine::new()?;
    let (path, names) = config_and_links(&args.names);
    let config = config::read(&path, &world::variable)?;
    let [name] = names else {
        return Err(Error::config("one link is verified at a time")
            .hint("write trueup verify [CONFIG] LINK"));
    };
    let link = config.link(name)?;
    let state = args.state.as_deref().or(config.state.as_deref());
    let store = world::open_store_if_any(state)?;
    let mut opened = link::open(&link.spec, &machine.context())?;
    let listener = Listener::new(&opened.name());
    let mut world = machine.world(&listener, state);
    world.limits.batch_records_max = link.spec.batch_records;
    let result = listener.end(run::verify(&mut opened, store.as_ref(), &world));
    let report = result.map_err(|error| {
        let error = config.point(link, error);
        error.at(format_args!("link={name}"))
    })?;
    output::verified(&report, args.json)?;
    Ok(if report.equal { 0 } else { DIFFERENT })
}
