//! `trueup verify`: proves that the sides of configured links agree, or says that they do not.
//!
//! It takes the path that verifies a run, and not the one that decides what to write. It writes nothing to the endpoints
//! and nothing to the state: only what is parked and in open conflict is looked up there.

use crate::args::{how_to_go_on, name_state, quoted};
use crate::config::{self, Config};
use crate::link;
use crate::output::{self, ReportList};
use crate::progress::Listener;
use crate::run::{chosen, config_and_links, stopped_before};
use crate::world::{self, Machine};
use std::path::{Path, PathBuf};
use trueup_core::{Error, Kind, Result};
use trueup_engine::Report;
use trueup_engine::run::{self, exit_code};
use trueup_engine::state::Store;

/// The exit code when the sides differ.
const DIFFERENT: u8 = 1;
/// How many links of the state are named.
const LINKS_SHOWN_MAX: usize = 5;

const EXAMPLES: &str = "\
Examples:
  trueup verify
  trueup verify orders
  trueup verify /etc/trueup/shop.toml orders --json

Without LINK, all links are verified, in the order of the file; the exit code is the highest of all.
Two places that no file names are compared by trueup diff SOURCE TARGET.

Exit codes:
  0 equal   1 differences, open conflicts or parked records";

/// What `verify` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, override_usage = "trueup verify [OPTIONS] [CONFIG] [LINK]...")]
pub(crate) struct Args {
    /// The configuration file [default: trueup.toml], and the names of links [default: all]
    #[arg(value_name = "CONFIG LINK")]
    names: Vec<String>,

    /// Where the link's state is [default: the file's state, else $XDG_STATE_HOME/trueup/state.db]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Print one JSON object instead of a table; an array unless one link is named
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command and returns the exit code.
pub(crate) fn verify(args: &Args) -> Result<u8> {
    let machine = Machine::new()?;
    let (path, names) = config_and_links(&args.names);
    if args.names.is_empty() && !path.exists() {
        return Err(nothing_named(args.state.as_deref()));
    }
    let config = config::read(&path, &world::variable)?;
    name_state(args.state.as_deref().or(config.state.as_deref()));
    let verifying = Verifying {
        machine: &machine,
        config: &config,
        state: args.state.as_deref().or(config.state.as_deref()),
    };
    if let [name] = names {
        let report = verifying.link(config.link(name)?)?;
        output::verified(&report, args.json)?;
        return Ok(if report.equal { 0 } else { DIFFERENT });
    }
    verifying.links(names, args.json)
}

/// What the links are verified with.
struct Verifying<'a> {
    machine: &'a Machine,
    config: &'a Config,
    state: Option<&'a Path>,
}

impl Verifying<'_> {
    fn link(&self, link: &config::Link) -> Result<Report> {
        let verified = || {
            let store = world::open_store_if_any(self.state)?;
            let mut opened = link::open(&link.spec, &self.machine.context())?;
            let listener = Listener::new(&opened.name());
            let mut world = self.machine.world(&listener, self.state);
            world.limits.batch_records_max = link.spec.batch_records;
            listener.end(run::verify(&mut opened, store.as_ref(), &world))
        };
        verified().map_err(|error: Error| {
            let error = self.config.point(link, error);
            error.at(format_args!("link={}", link.name))
        })
    }

    /// Verifies one link after the other; one that fails does not stop the next.
    fn links(&self, names: &[String], json: bool) -> Result<u8> {
        let mut list = ReportList::new(json);
        let mut worst = 0;
        for link in chosen(self.config, names)? {
            list.begin(&link.name)?;
            let result = if self.machine.stopped() {
                Err(stopped_before())
            } else {
                self.link(link)
            };
            let code = match result {
                Ok(report) => {
                    list.verified(&link.name, &report)?;
                    if report.equal { 0 } else { DIFFERENT }
                }
                Err(error) => {
                    let error = how_to_go_on(error, &world::arguments());
                    list.fail(&link.name, &error)?;
                    exit_code(error.kind())
                }
            };
            worst = worst.max(code);
            if code == exit_code(Kind::Interrupted) && self.machine.stopped() {
                break;
            }
        }
        list.finish()?;
        Ok(worst)
    }
}

/// Says how the command is called: with a link of the state, where there is one.
fn nothing_named(state: Option<&Path>) -> Error {
    let store = world::open_store_if_any(state).ok().flatten();
    let links = store.and_then(|store: Store| store.links().ok());
    let names: Vec<String> = links
        .unwrap_or_default()
        .into_iter()
        .map(|link| link.name)
        .collect();
    Error::config(format!(
        "there is neither a link to verify nor a file={}",
        config::FILE
    ))
    .hint(how_to_call(&names))
}

/// What can be done without a file, with the latest of the links on record as the example.
fn how_to_call(names: &[String]) -> String {
    let sides = names.last().and_then(|name| {
        let both = name.split_once(" <-> ");
        both.or_else(|| name.split_once(" -> "))
    });
    let (places, known) = match sides {
        None => ("SOURCE TARGET".to_owned(), String::new()),
        Some((source, target)) => {
            let latest = names.iter().rev().take(LINKS_SHOWN_MAX);
            let latest: Vec<&str> = latest.map(String::as_str).collect();
            (
                format!("{} {}", quoted(source), quoted(target)),
                format!("; the links on record are: {}", latest.join(", ")),
            )
        }
    };
    format!("trueup init {places} writes a file; trueup diff {places} compares without one{known}")
}
