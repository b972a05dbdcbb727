//! `trueup check`: what a sync would need, do and promise, before anything is read or written.

use crate::args::{Choice, Sides, places};
use crate::config;
use crate::link;
use crate::output::{self, ReportList};
use crate::registry::Address;
use crate::run::{chosen, config_and_links};
use crate::spec::Spec;
use crate::two_way::Stated;
use crate::world::{self, Machine};
use std::path::Path;
use trueup_core::guard::Guard;
use trueup_core::{Error, Kind, Result};
use trueup_engine::check::{self, CheckReport};
use trueup_engine::run::exit_code;
use trueup_engine::{Comparison, Limits, Mode};

const EXAMPLES: &str = "\
Examples:
  trueup check csv:shop sqlite:shop.db --key customers=id --key orders=id
  trueup check sqlite:shop.db postgres://app@db1/shop --two-way
  trueup check postgres://app@db1/shop --json
  trueup check
  trueup check /etc/trueup/shop.toml orders

Nothing is written, and nothing is read but shapes and rights. What is missing is printed with the
statement that grants it.

Exit codes:
  0 a sync can start   1 something is missing";

/// What `check` is told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = EXAMPLES,
    override_usage = "trueup check [OPTIONS] SOURCE [TARGET]\n       trueup check [OPTIONS] [CONFIG] [LINK]..."
)]
pub(crate) struct Args {
    /// Where the records come from, and where they go; or a configuration file and links of it.
    #[arg(
        value_name = "SOURCE TARGET | CONFIG LINK",
        help = places("A configuration file [default: trueup.toml], and links of it [default: all]; or where the records come from, and where they go")
    )]
    places: Vec<String>,

    /// As a link that carries changes both ways
    #[arg(long)]
    two_way: bool,

    #[command(flatten)]
    choice: Choice,

    /// Print one JSON object instead of a text; of links of a file, an array
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command and returns the exit code.
pub(crate) fn check(args: &Args) -> Result<u8> {
    let machine = Machine::new()?;
    let report = match args.places.as_slice() {
        places if means_config(places) => return links(args, &machine),
        [source] if !args.two_way => {
            let spec = args.spec(source, "");
            let (mut endpoint, collections) = link::open_alone(&spec, &machine.context())?;
            check::alone(endpoint.as_mut(), &collections)?
        }
        [_] => {
            return Err(
                Error::config("--two-way needs two places, and only the source is named")
                    .hint("name the target too"),
            );
        }
        [source, target] => pair(&args.spec(source, target), None, &machine)?,
        _ => {
            return Err(Error::config("a link has two places, and there are more")
                .hint("write trueup check SOURCE TARGET"));
        }
    };
    output::checked(&report, args.json)?;
    Ok(report.exit_code())
}

impl Args {
    /// The link between two places.
    fn spec(&self, source: &str, target: &str) -> Spec {
        let sides = Sides {
            source: source.to_owned(),
            target: target.to_owned(),
            choice: self.choice.clone(),
        };
        between(&sides, self.two_way)
    }
}

/// Describes a link of which nothing else is known.
pub(crate) fn between(sides: &Sides, two_way: bool) -> Spec {
    let mode = Mode {
        write: true,
        count_all: false,
        delete: false,
        verify: true,
        lift_guard: false,
        compare: Comparison::Auto,
    };
    let stated = two_way.then(Stated::default);
    let records = Limits::default().batch_records_max;
    sides.spec(stated, mode, Guard::default(), records)
}

/// Checks what was described. `state` is the state file, `None` for the usual one.
pub(crate) fn pair(spec: &Spec, state: Option<&Path>, machine: &Machine) -> Result<CheckReport> {
    // Where nothing says which file is usual, no run has used it.
    let known = world::state_path(state, &world::variable).is_ok();
    let store = if known {
        world::open_store_if_any(state)?
    } else {
        None
    };
    let mut link = link::open(spec, &machine.context())?;
    check::check(&mut link, store.as_ref())
}

/// Tells whether the arguments mean a configuration file: by its name, or because they are no addresses.
pub(crate) fn means_config(places: &[String]) -> bool {
    let Some(first) = places.first() else {
        return true;
    };
    let address = Address::parse(first).is_ok();
    first.ends_with(".toml") || (!address && (Path::new(first).is_file() || is_link(first)))
}

/// Tells whether an argument can only be the name of a link.
fn is_link(argument: &str) -> bool {
    !argument.contains([':', '.', '/', '#', '?'])
}

/// Checks links of a configuration file, one after the other; one that cannot be asked does not stop the next.
fn links(args: &Args, machine: &Machine) -> Result<u8> {
    args.choice.refuse()?;
    if args.two_way {
        return Err(
            Error::config("--two-way is for two places, and there are none")
                .hint("the links of a configuration file say so themselves"),
        );
    }
    let (path, names) = config_and_links(&args.places);
    if args.places.is_empty() && !path.exists() {
        return Err(Error::config(format!(
            "there is neither a place to check nor a file={}",
            path.display()
        ))
        .hint("for example: trueup check sqlite:shop.db postgres://app@db1/shop"));
    }
    let config = config::read(&path, &world::variable)?;
    let mut list = ReportList::new(args.json);
    let mut worst = 0;
    for one in chosen(&config, names)? {
        list.begin(&one.name)?;
        let code = match pair(&one.spec, config.state.as_deref(), machine) {
            Ok(mut report) => {
                config.point_all(one, &mut report);
                list.checked(&one.name, &report)?;
                report.exit_code()
            }
            Err(error) => {
                let kind = error.kind();
                let error = config.point(one, error);
                list.fail(&one.name, &error.at(format_args!("link={}", one.name)))?;
                exit_code(kind)
            }
        };
        worst = worst.max(code);
        if machine.stopped() {
            worst = worst.max(exit_code(Kind::Interrupted));
            break;
        }
    }
    list.finish()?;
    Ok(worst)
}
