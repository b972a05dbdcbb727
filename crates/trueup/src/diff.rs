//! `trueup diff`: compares, and writes nothing but temporary files and what was asked for.
//!
//! The differences can be listed one by one, or said as a script in the language of one side. A script for the source
//! is one for the link the other way round: both sides are exchanged before they are compared, and what was found is
//! told in the order in which the user named them.

use crate::args::{Choice, Sides, places};
use crate::check::means_config;
use crate::compare::Compare;
use crate::config;
use crate::link;
use crate::output::{self, Sink};
use crate::progress::Listener;
use crate::run::{config_and_links, one_of};
use crate::spec::Spec;
use crate::world::{self, Machine};
use std::path::{Path, PathBuf};
use trueup_core::guard::Guard;
use trueup_core::{Error, Result};
use trueup_engine::{
    CollectionSpec, Comparison, Found, Limits, Link, Listing, Mode, Report, Shape, World, run,
};

const EXAMPLES: &str = "\
Examples:
  trueup diff csv:shop sqlite:shop.db --key customers=id --key orders=id
  trueup diff sqlite:shop.db#orders postgres://app@db1/shop#orders --json
  trueup diff sqlite:shop.db sqlite:till.db --out differences.jsonl --show-values
  trueup diff sqlite:shop.db postgres://app@db1/shop --sql target --out repair.sql
  trueup diff orders
  trueup diff /etc/trueup/shop.toml orders --out differences.jsonl

CONFIG is a file, or ends in .toml; without it, ./trueup.toml. The sides of a link that goes
both ways are compared as they are, whatever a run would make of it.

Output:
  collection  +only at the source  -only at the target  ~changed  =same";

/// What `diff` is told.
#[derive(Debug, clap::Args)]
#[command(
    after_help = EXAMPLES,
    override_usage = "trueup diff [OPTIONS] SOURCE TARGET\n       trueup diff [OPTIONS] [CONFIG] LINK"
)]
pub(crate) struct Args {
    /// Where the records come from, and where they go; or a configuration file and a link of it.
    #[arg(
        value_name = "SOURCE TARGET | CONFIG LINK",
        required = true,
        num_args = 1..=2,
        help = places("A configuration file [default: trueup.toml], and a link of it; or the two sides to compare")
    )]
    places: Vec<String>,

    #[command(flatten)]
    choice: Choice,

    /// List every difference in FILE, one JSON object a line; `-` is standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// List both records of a difference, not only its key and the names of its fields
    #[arg(long, requires = "out", conflicts_with = "sql")]
    show_values: bool,

    /// Print a script in the language of this side that makes it agree with the other; with --out, write it to FILE
    #[arg(long, value_name = "source|target", hide_possible_values = true)]
    sql: Option<Which>,

    /// How to compare: `hash` leaves out what the servers' own hashes show to be equal, `stream` reads every record, `auto` hashes where that can be done and saves time [default: as the link's file says, else auto]
    #[arg(long, value_name = "auto|stream|hash", hide_possible_values = true)]
    compare: Option<Compare>,

    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,

    /// Put temporary files beside this state file, which itself is not read [default: as for sync]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

/// The side that a script changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    Source,
    Target,
}

/// Runs the command and returns the exit code.
pub(crate) fn diff(args: &Args) -> Result<u8> {
    let machine = Machine::new()?;
    if means_config(&args.places) {
        args.choice.refuse()?;
        let (path, names) = config_and_links(&args.places);
        let config = config::read(&path, &world::variable)?;
        let link = one_of(&config, names)?;
        let state = args.state.as_deref().or(config.state.as_deref());
        return print(args, &link.spec, state, &machine).map_err(|error| {
            config
                .point(link, error)
                .at(format_args!("link={}", link.name))
        });
    }
    let [source, target] = args.places.as_slice() else {
        return Err(Error::config("two places are compared, and one is named")
            .hint("write trueup diff SOURCE TARGET, or name a link of a configuration file"));
    };
    let sides = Sides {
        source: source.clone(),
        target: target.clone(),
        choice: args.choice.clone(),
    };
    let batch_records = Limits::default().batch_records_max;
    let spec = sides.spec(None, COMPARE, Guard::default(), batch_records);
    print(args, &spec, args.state.as_deref(), &machine)
}

/// Nothing is written, and everything is counted.
const COMPARE: Mode = Mode {
    write: false,
    count_all: true,
    delete: false,
    verify: false,
    lift_guard: false,
    compare: Comparison::Auto,
};

/// Compares two sides, prints what was asked for, and returns the exit code.
fn print(args: &Args, spec: &Spec, state: Option<&Path>, machine: &Machine) -> Result<u8> {
    let mut spec = spec.clone();
    spec.mode = Mode {
        compare: args.compare.map_or(spec.mode.compare, Compare::way),
        ..COMPARE
    };
    let mut link = link::open(&spec, &machine.context())?;
    link.two_way = None;
    let listener = Listener::new(&link.name());
    let world = World {
        limits: Limits::of(spec.batch_records),
        ..machine.world(&listener, state)
    };
    let aside = args.out.is_some() || args.sql.is_some();
    let mut sink = if aside {
        Some(Sink::open(args.out.as_deref(), &world.failpoints)?)
    } else {
        None
    };
    let report = listener.end(compare(args, &mut link, sink.as_mut(), &world))?;
    let stdout_taken = sink.as_ref().is_some_and(Sink::is_stdout);
    if let Some(sink) = sink {
        sink.finish()?;
    }
    if stdout_taken {
        output::compared_aside(&report, args.json)?;
    } else {
        output::compared(&report, args.json)?;
    }
    Ok(report.exit_code())
}

fn compare(
    args: &Args,
    link: &mut Link,
    sink: Option<&mut Sink>,
    world: &World<'_>,
) -> Result<Report> {
    match (args.sql, sink) {
        (Some(Which::Target), Some(sink)) => run::script(link, world, &mut |text| sink.push(text)),
        (Some(Which::Source), Some(sink)) => {
            let name = link.name();
            let exchanged =
                exchange(link).and_then(|()| run::script(link, world, &mut |text| sink.push(text)));
            let mut report = exchanged
                .map_err(|error| error.at("--sql source, so source and target are exchanged"))?;
            exchange_back(&mut report);
            report.link = name;
            Ok(report)
        }
        (None, Some(sink)) => {
            let mut lines = Lines {
                link: link.name(),
                shapes: Vec::new(),
                values: args.show_values,
                sink,
            };
            run::diff_listed(link, &mut lines, world)
        }
        (_, None) => run::diff(link, world),
    }
}

/// Differences on their way to a file.
struct Lines<'a> {
    link: String,
    shapes: Vec<Shape>,
    values: bool,
    sink: &'a mut Sink,
}

impl Listing for Lines<'_> {
    fn begin(&mut self, shapes: &[Shape]) -> Result<()> {
        self.shapes = shapes.to_vec();
        self.sink.push(&output::diff_header(&self.link, shapes)?)
    }

    fn difference(&mut self, collection: usize, found: Found<'_>) -> Result<()> {
        let shape = self.shapes.get(collection);
        let shape = shape.ok_or_else(|| Error::bug("a difference of no collection"))?;
        self.sink
            .push(&output::diff_line(shape, &found, self.values)?)
    }
}

/// Exchanges both sides of a link whose rules read the same from either.
fn exchange(link: &mut Link) -> Result<()> {
    if link.collections.is_empty() {
        let names = link.source.collections();
        let names = names.map_err(|error| error.at("source"))?;
        link.collections = names
            .into_iter()
            .map(|name| CollectionSpec {
                source: name.clone(),
                target: name,
                ..CollectionSpec::default()
            })
            .collect();
    }
    for spec in &mut link.collections {
        let rules = &spec.rules;
        let one_way = !(rules.rename.is_empty()
            && rules.constants.is_empty()
            && rules.cast.is_empty()
            && rules.drop.is_empty()
            && rules.filter.is_none()
            && rules.lossy.is_empty()
            && spec.computed.is_empty()
            && spec.filter.is_none());
        if one_way {
            return Err(Error::config(format!(
                "collection={}: its mapping leads from the source to the target only",
                spec.source
            ))
            .hint("--sql target has a script for the other side"));
        }
        std::mem::swap(&mut spec.source, &mut spec.target);
    }
    std::mem::swap(&mut link.source, &mut link.target);
    Ok(())
}

/// Tells what was found in the order in which the user named the sides.
fn exchange_back(report: &mut Report) {
    let turned = |note: &str| match (note.strip_prefix("source: "), note.strip_prefix("target: ")) {
        (Some(rest), _) => format!("target: {rest}"),
        (_, Some(rest)) => format!("source: {rest}"),
        _ => note.to_owned(),
    };
    for one in &mut report.collections {
        std::mem::swap(&mut one.source, &mut one.target);
        std::mem::swap(&mut one.source_fold, &mut one.target_fold);
        std::mem::swap(&mut one.only_source, &mut one.only_target);
        one.notes = one.notes.iter().map(|note| turned(note)).collect();
    }
}
