//! `trueup check`: what a sync would need, do and promise, before anything is read or written.

use crate::args::{CollectionRule, KeyRule, Sides};
use crate::link;
use crate::output;
use crate::world::Machine;
use trueup_core::guard::Guard;
use trueup_core::{Error, Result};
use trueup_engine::check::{self, CheckReport};
use trueup_engine::{Mode, TwoWay};

const EXAMPLES: &str = "\
Examples:
  trueup check csv:shop sqlite:shop.db --key customers=id --key orders=id
  trueup check sqlite:shop.db postgres://app@db1/shop --two-way
  trueup check postgres://app@db1/shop --json

Nothing is written, and nothing is read but shapes and rights. Exit code 0 means that a sync can start,
1 that something is missing; what is missing is printed with the statement that grants it.";

/// What `check` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where the records come from, and where they go; the source alone is looked at by itself
    #[arg(value_name = "SOURCE [TARGET]", required = true, num_args = 1..=2)]
    places: Vec<String>,

    /// As a link that carries changes both ways
    #[arg(long)]
    two_way: bool,

    /// Only these collections, otherwise all that the source has; `a=b` where the target calls it `b`
    #[arg(long, value_name = "a,b", value_delimiter = ',')]
    collections: Vec<CollectionRule>,

    /// Collection `c` has the key `f,g`; may be repeated; `f,g` suffices for a single collection
    #[arg(long = "key", value_name = "c=f,g")]
    keys: Vec<KeyRule>,

    /// Print one JSON object instead of a text
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a checked link may do: nothing is carried out.
pub(crate) const MODE: Mode = Mode {
    write: true,
    count_all: false,
    delete: false,
    verify: true,
    lift_guard: false,
};

/// Runs the command and returns the exit code.
pub(crate) fn check(args: &Args) -> Result<u8> {
    let machine = Machine::new()?;
    let report = match args.places.as_slice() {
        [source, target] => {
            let sides = Sides {
                source: source.clone(),
                target: target.clone(),
                collections: args.collections.clone(),
                keys: args.keys.clone(),
            };
            pair(&sides, args.two_way, &machine)?
        }
        [_] if args.two_way => {
            return Err(
                Error::config("--two-way needs two places, and only the source is named")
                    .hint("name the target too"),
            );
        }
        [source] => {
            let opened =
                link::open_alone(source, &args.collections, &args.keys, &machine.context());
            let (mut endpoint, collections) = opened?;
            check::alone(endpoint.as_mut(), &collections)?
        }
        _ => return Err(Error::bug("check was given neither one place nor two")),
    };
    output::checked(&report, args.json)?;
    Ok(report.exit_code())
}

/// Checks two places as a link.
pub(crate) fn pair(sides: &Sides, two_way: bool, machine: &Machine) -> Result<CheckReport> {
    let mut link = link::open(sides, None, MODE, Guard::default(), &machine.context())?;
    link.two_way = two_way.then(TwoWay::default);
    check::check(&mut link)
}
