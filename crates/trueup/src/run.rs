//! `trueup run`: runs the links of a configuration file.
//!
//! Links are run one after the other, in the order of the file. Invariant: a link that fails does not keep the next from
//! running, and is not forgotten either: its error is printed at once, and the exit code is the worst of all.

mod follow;

use crate::args::{how_to_go_on, name_state};
use crate::config::{self, Config};
use crate::known;
use crate::link;
use crate::log;
use crate::output::{self, PlanReport, ReportList, Way};
use crate::registry::Address;
use crate::spec::Spec;
use crate::sync::{Asked, refuse_plan_file, refuse_state_as_side, workers};
use crate::world::{self, Machine};
use follow::Following;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use trueup_core::{Error, Kind, Result};
use trueup_engine::run::exit_code;
use trueup_engine::state::{Said, Store};
use trueup_engine::{Link, Report};

const EXAMPLES: &str = "\
Examples:
  trueup run
  trueup run orders customers
  trueup run /etc/trueup/shop.toml --dry-run
  trueup run orders --plan-out plan.jsonl
  trueup run orders --plan-in plan.jsonl

CONFIG is a file, or ends in .toml; without it, ./trueup.toml. Without LINK, all links run, in the
order of the file. A link that fails does not stop the next; the exit code is the highest of all.
Links with when = \"continuous\" come last, all at the same time: each compares its sides, then
follows its source's log until the first SIGINT or SIGTERM. The next run goes on from there.

--state goes before the file's own state.";

/// What `run` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, override_usage = "trueup run [OPTIONS] [CONFIG] [LINK]...")]
pub(crate) struct Args {
    /// The configuration file, then the names of links
    #[arg(value_name = "CONFIG LINK")]
    names: Vec<String>,

    /// Print the plans and stop; nothing is written
    #[arg(long)]
    dry_run: bool,

    /// Write the plan of the one link to FILE, readable by you only, and stop; --plan-in carries it out
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    plan_out: Option<PathBuf>,

    /// Carry out what the plan of the one link in FILE lists, and nothing else; what changed since is left and reported
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "plan_out"])]
    plan_in: Option<PathBuf>,

    /// Do not compare again afterwards; there is no certificate then
    #[arg(long)]
    no_verify: bool,

    /// Lift the guard on deletes, and nothing else
    #[arg(long)]
    yes: bool,

    /// At most this many sessions load and build at the same time, where both sides allow several [default: what the file says]
    #[arg(long, value_name = "N", value_parser = workers)]
    workers: Option<usize>,

    /// Where runs, positions and history are kept [default: the file's state, else $XDG_STATE_HOME/trueup/state.db]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Print one JSON array with an object for each link; for a plan in a file, the one object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command and returns the exit code.
pub(crate) fn run(args: &Args) -> Result<u8> {
    let machine = Machine::new()?;
    let (path, names) = config_and_links(&args.names);
    let config = config::read(&path, &world::variable)?;
    let planned = args.plan_out.is_some() || args.plan_in.is_some();
    let links = match planned {
        true => vec![one_of(&config, names)?],
        false => chosen(&config, names)?,
    };
    let state = args.state.as_deref().or(config.state.as_deref());
    if let Some(state) = state {
        log::state(state);
    }
    name_state(state);
    let mut running = Running {
        args,
        config: &config,
        asked: Asked {
            machine: &machine,
            state,
            json: args.json,
        },
        store: None,
        file: lasting(&path),
        list: ReportList::new(args.json),
    };
    if !args.dry_run && args.plan_out.is_none() {
        running.store = Some(world::open_store(state)?);
    }
    if let ([link], true) = (links.as_slice(), planned) {
        return running.by_file(link).map_err(|error| {
            let error = config.point(link, error);
            how_to_go_on(
                error.at(format_args!("link={}", link.name)),
                &world::arguments(),
            )
        });
    }
    let mut worst = 0;
    let later = |link: &&config::Link| link.continuous && !args.dry_run;
    let (continuous, once): (Vec<_>, Vec<_>) = links.into_iter().partition(later);
    for link in once {
        if machine.stopped() {
            // The link before it came to its end.
            worst = worst.max(running.fail(link, stopped_before())?);
            break;
        }
        let code = running.link(link)?;
        worst = worst.max(code);
        if code == exit_code(Kind::Interrupted) && machine.stopped() {
            break;
        }
    }
    if !continuous.is_empty() && !machine.stopped() {
        let Running {
            list, file, asked, ..
        } = &mut running;
        let following = Following {
            args,
            config: &config,
            asked: *asked,
            file: file.as_deref(),
            list: Mutex::new(list),
        };
        worst = worst.max(following.all(&continuous)?);
    }
    running.list.finish()?;
    Ok(worst)
}

/// What is said of a link that does not begin any more.
pub(crate) fn stopped_before() -> Error {
    Error::new(Kind::Interrupted, "stopped on request, before this link")
        .hint("nothing is lost; run the same command again and it goes on")
}

/// The links that are meant, in the order of the file, or as they were named; each once.
pub(crate) fn chosen<'a>(config: &'a Config, names: &[String]) -> Result<Vec<&'a config::Link>> {
    if names.is_empty() && config.links.is_empty() {
        let file = config.path.display();
        return Err(Error::config(format!("there is no link in file={file}"))
            .hint("write one: [link.NAME] with source and target"));
    }
    if names.is_empty() {
        return Ok(config.links.iter().collect());
    }
    let mut links: Vec<&config::Link> = Vec::new();
    for name in names {
        let link = config.link(name)?;
        if !links.iter().any(|chosen| chosen.name == link.name) {
            links.push(link);
        }
    }
    Ok(links)
}

/// The one link that is meant: the one that is named, or the only one there is.
///
/// # Errors
/// `Config` when none is named and the file has several or none, when several are, or when the file has no such link.
pub(crate) fn one_of<'a>(config: &'a Config, names: &[String]) -> Result<&'a config::Link> {
    let links = chosen(config, names)?;
    match links.as_slice() {
        [link] => Ok(link),
        links => {
            let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
            Err(Error::config(format!(
                "one link is meant, and these are: {}",
                names.join(", ")
            ))
            .hint("name one of them"))
        }
    }
}

/// Splits the file off, if the first argument is one.
pub(crate) fn config_and_links(arguments: &[String]) -> (PathBuf, &[String]) {
    match arguments.split_first() {
        Some((first, links)) if is_config(first) => (PathBuf::from(first), links),
        Some(_) | None => (PathBuf::from(config::FILE), arguments),
    }
}

/// Returns the name that a file has from every folder; `None` where it has none that can be written.
pub(crate) fn lasting(path: &Path) -> Option<String> {
    Some(path.canonicalize().ok()?.to_str()?.to_owned())
}

/// Tells whether an argument is a configuration file: a link's name has no dot.
fn is_config(argument: &str) -> bool {
    argument.ends_with(".toml") || Path::new(argument).is_file()
}

struct Running<'a> {
    args: &'a Args,
    config: &'a Config,
    asked: Asked<'a>,
    store: Option<Store>,
    /// The configuration file, as it is called from every folder.
    file: Option<String>,
    list: ReportList,
}

impl Running<'_> {
    /// Runs one link, prints what it did or why it did not, and returns its exit code.
    fn link(&mut self, link: &config::Link) -> Result<u8> {
        self.list.begin(&link.name)?;
        match self.carry_out(link) {
            Ok((report, plan)) => {
                let plan = match &plan {
                    Some(plan) => PlanReport::Planned(plan.as_deref()),
                    None => PlanReport::Done,
                };
                self.list.push(&link.name, &report, way(link), plan)?;
                Ok(report.exit_code())
            }
            Err(error) => self.fail(link, error),
        }
    }

    fn fail(&mut self, link: &config::Link, error: Error) -> Result<u8> {
        fail(&mut self.list, self.config, link, error)
    }

    /// Writes the plan of one link to a file, or carries out the one in a file, and returns the exit code.
    fn by_file(&mut self, link: &config::Link) -> Result<u8> {
        refuse_plan_file(&link.spec)?;
        let (spec, mut opened) = self.open(link)?;
        let report = match (&self.args.plan_out, &self.args.plan_in, &mut self.store) {
            (None, Some(path), Some(store)) => {
                let report = self.asked.carry_out(path, &spec, &mut opened, store)?;
                output::synced(&report, way(link), self.args.json)?;
                report
            }
            (Some(path), _, _) => {
                let report = self.asked.plan_out(path, &spec, &mut opened)?;
                output::plan_written(&report, path, self.args.json)?;
                report
            }
            (None, _, _) => return Err(Error::bug("a plan in no file")),
        };
        Ok(report.exit_code())
    }

    fn carry_out(&mut self, link: &config::Link) -> Result<(Report, Option<Option<String>>)> {
        let (spec, mut opened) = self.open(link)?;
        match &mut self.store {
            Some(store) => Ok((self.asked.run(&spec, &mut opened, store)?, None)),
            None => {
                let (report, plan) = self.asked.plan(&spec, &mut opened)?;
                Ok((report, Some(plan)))
            }
        }
    }

    fn open(&mut self, link: &config::Link) -> Result<(Spec, Link)> {
        open(
            self.args,
            self.asked,
            self.file.as_deref(),
            self.store.as_mut(),
            link,
        )
    }
}

/// Opens a link of the file, with what the command says of it; the state learns what the file calls it.
fn open(
    args: &Args,
    asked: Asked<'_>,
    file: Option<&str>,
    store: Option<&mut Store>,
    link: &config::Link,
) -> Result<(Spec, Link)> {
    let mut spec = link.spec.clone();
    if Address::is_standard(&spec.target.address) {
        return Err(
            Error::config("a configured link cannot write to standard output")
                .hint("its reports go there; use trueup sync"),
        );
    }
    spec.mode.verify &= !args.no_verify;
    spec.mode.lift_guard = args.yes;
    spec.workers = args.workers.or(spec.workers);
    refuse_state_as_side(&spec, asked.state)?;
    let mut opened = link::open(&spec, &asked.machine.context())?;
    if let (Some(store), Some(file)) = (store, file) {
        let places = known::places(&link.spec);
        store.name_link(file, &link.name, &opened.durable_name(), Some(&places))?;
        opened.said = Some(Said::InFile {
            file: file.to_owned(),
            name: link.name.clone(),
        });
    }
    Ok((spec, opened))
}

/// Prints why a link failed, and returns its exit code.
fn fail(list: &mut ReportList, config: &Config, link: &config::Link, error: Error) -> Result<u8> {
    let kind = error.kind();
    let error = config.point(link, error);
    let error = error.at(format_args!("link={}", link.name));
    let error = how_to_go_on(error, &world::arguments());
    list.fail(&link.name, &error)?;
    Ok(exit_code(kind))
}

/// In which way the link is run, for what is said of it.
fn way(link: &config::Link) -> Way {
    Way {
        two_way: link.spec.two_way.is_some(),
        delete: link.spec.mode.delete,
        in_file: true,
    }
}
