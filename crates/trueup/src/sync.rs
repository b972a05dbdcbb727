//! `trueup sync`: makes the target agree with the source, then verifies.

use crate::args::{BATCH_RECORDS_MAX, DeletesMax, Sides, WORKERS_MAX, name_state};
use crate::compare::Compare;
use crate::link;
use crate::output::{self, PlanText, Sink, Way};
use crate::parked;
use crate::progress::Listener;
use crate::registry::Address;
use crate::spec::Spec;
use crate::two_way;
use crate::world::{self, Machine};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use trueup_core::guard::Guard;
use trueup_core::plan::Form;
use trueup_core::{Error, Result};
use trueup_engine::state::{Said, Store};
use trueup_engine::{Limits, Link, Mode, PlanFile, Report, World, run};

const EXAMPLES: &str = "\
Examples:
  trueup sync csv:shop sqlite:shop.db --key customers=id --key orders=id
  trueup sync 'csv:orders.csv?delimiter=;' sqlite:shop.db#orders --key id
  trueup sync sqlite:shop.db postgres://app@db1/shop --dry-run --delete
  trueup sync sqlite:shop.db postgres://app@db1/shop --delete --plan-out plan.jsonl
  trueup sync sqlite:shop.db postgres://app@db1/shop --delete --plan-in plan.jsonl
  trueup sync sqlite:shop.db postgres://app@db1/shop --collections orders,items=order_items
  trueup sync sqlite:shop.db sqlite:till.db --two-way --on-conflict newest --stamp changed
  trueup sync sqlite:shop.db sqlite:till.db --two-way --on-conflict stock.count=min

With --two-way, what one side changed goes to the other; the first run joins both sides and
deletes nothing. What both sides changed is a conflict. All of them are kept (trueup conflicts
list); what no rule decides stays as it is on both sides.

Without --delete, records that only the target has are left, and do not count as a difference.
A run that was interrupted or killed is continued by the same command.";

/// What `sync` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    sides: Sides,

    /// Delete records that the source does not have
    #[arg(long)]
    delete: bool,

    #[command(flatten)]
    two_way: two_way::Options,

    /// Print the plan and stop; nothing is written, not even a table is created
    #[arg(long)]
    dry_run: bool,

    /// Write the plan to FILE, readable by you only, and stop; --plan-in carries it out
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    plan_out: Option<PathBuf>,

    /// Carry out what the plan in FILE lists, and nothing else; what changed since is left and reported
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "plan_out"])]
    plan_in: Option<PathBuf>,

    /// Do not compare again afterwards; there is no certificate then
    #[arg(long)]
    no_verify: bool,

    /// How to compare: `hash` leaves out what the servers' own hashes show to be equal, `stream` reads every record, `auto` hashes where that can be done and saves time
    #[arg(
        long,
        value_name = "auto|stream|hash",
        hide_possible_values = true,
        default_value = "auto",
        conflicts_with = "two_way"
    )]
    compare: Compare,

    /// Lift the guard on deletes, and nothing else
    #[arg(long)]
    yes: bool,

    /// The guard's limit: `20%` of the target's records (if that is more than 100), or a number of records
    #[arg(long, value_name = "LIMIT")]
    deletes_max: Option<DeletesMax>,

    /// At most this many records move together: what is held in memory, and what is repeated after a kill
    #[arg(long, value_name = "N", default_value_t = Limits::default().batch_records_max, value_parser = batch_records)]
    batch_records: usize,

    /// At most this many sessions load and build at the same time, where both sides allow several [default: one for each processor, at most 4]
    #[arg(long, value_name = "N", value_parser = workers, conflicts_with = "two_way")]
    workers: Option<usize>,

    /// Where runs, positions and history are kept [default: $XDG_STATE_HOME/trueup/state.db]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn batch_records(text: &str) -> Result<usize, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (1..=BATCH_RECORDS_MAX).contains(number));
    number.ok_or_else(|| format!("write a number from 1 to {BATCH_RECORDS_MAX}"))
}

pub(crate) fn workers(text: &str) -> Result<usize, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (1..=WORKERS_MAX).contains(number));
    number.ok_or_else(|| format!("write a number from 1 to {WORKERS_MAX}"))
}

/// Runs the command and returns the exit code.
pub(crate) fn sync(args: &Args) -> Result<u8> {
    let machine = Machine::new()?;
    let mode = Mode {
        write: true,
        count_all: false,
        delete: args.delete,
        verify: !args.no_verify,
        lift_guard: args.yes,
        compare: args.compare.way(),
    };
    let guard = args
        .deletes_max
        .map_or_else(Guard::default, DeletesMax::guard);
    let aside = Address::is_standard(&args.sides.target);
    if aside && args.json && !args.dry_run {
        return Err(Error::config("--json and a target that is standard output")
            .hint("the records go there; the report goes to standard error, for people"));
    }
    let stated = args.two_way.stated()?;
    let mut spec = args.sides.spec(stated, mode, guard, args.batch_records);
    spec.workers = args.workers;
    if args.plan_out.is_some() || args.plan_in.is_some() {
        refuse_plan_file(&spec)?;
    }
    refuse_state_as_side(&spec, args.state.as_deref())?;
    let mut link = link::open(&spec, &machine.context())?;
    link.said = Some(Said::Options(parked::options(&args.sides.choice)));
    let asked = Asked {
        machine: &machine,
        state: args.state.as_deref(),
        json: args.json,
    };
    if args.dry_run {
        let (report, plan) = asked.plan(&spec, &mut link)?;
        output::planned(&report, plan.as_deref())?;
        return Ok(report.exit_code());
    }
    if let Some(path) = &args.plan_out {
        let report = asked.plan_out(path, &spec, &mut link)?;
        output::plan_written(&report, path, args.json)?;
        return Ok(report.exit_code());
    }
    name_state(args.state.as_deref());
    let mut store = world::open_store(args.state.as_deref())?;
    let report = match &args.plan_in {
        Some(path) => asked.carry_out(path, &spec, &mut link, &mut store)?,
        None => asked.run(&spec, &mut link, &mut store)?,
    };
    let way = Way {
        two_way: args.two_way.two_way(),
        delete: args.delete,
        in_file: false,
    };
    if aside {
        output::synced_aside(&report, way);
    } else {
        output::synced(&report, way, args.json)?;
    }
    Ok(report.exit_code())
}

/// Refuses a state file that is one of the sides: its own tables would be taken for data.
///
/// # Errors
/// `Config` when it is.
pub(crate) fn refuse_state_as_side(spec: &Spec, state: Option<&Path>) -> Result<()> {
    let Ok(state) = world::state_path(state, &world::variable) else {
        return Ok(());
    };
    // A folder is no state file either, which the store says.
    if state.is_dir() {
        return Ok(());
    }
    let is_state = |text: &str| {
        let lasting = Address::parse(text).ok().and_then(|one| one.lasting());
        let path = lasting.as_deref().and_then(|text| text.split_once(':'));
        path.is_some_and(|(_, path)| world::real_path(Path::new(path)) == world::real_path(&state))
    };
    for (side, place) in [("source", &spec.source), ("target", &spec.target)] {
        if is_state(&place.address) {
            return Err(
                Error::config(format!("{side}: it is the state file itself"))
                    .hint("name another file with --state, or state in trueup.toml"),
            );
        }
    }
    Ok(())
}

/// Refuses a link that has no plan in a file. Nothing was read by then.
///
/// # Errors
/// `Config` when changes go both ways, or the target is standard output.
pub(crate) fn refuse_plan_file(spec: &Spec) -> Result<()> {
    if spec.two_way.is_none() {
        return refuse_stream(spec);
    }
    Err(Error::config(
        "a plan in a file is for a link that goes one way, and this one goes both ways",
    )
    .hint("--dry-run prints what a run both ways would do, conflicts included"))
}

/// Refuses a target that is standard output, for what carries out a part of a plan. Nothing was read by then.
///
/// # Errors
/// `Config` when the target is standard output.
pub(crate) fn refuse_stream(spec: &Spec) -> Result<()> {
    if !Address::is_standard(&spec.target.address) {
        return Ok(());
    }
    Err(Error::config(
        "target: standard output is written as a whole: no single records can be chosen for it",
    )
    .hint("name a file as the target; a sync without a plan in a file writes to -"))
}

/// What a command asks for besides the link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The machine.
    pub(crate) machine: &'a Machine,
    /// The state file, where one was named.
    pub(crate) state: Option<&'a Path>,
    /// Whether the result is wanted as JSON.
    pub(crate) json: bool,
}

impl Asked<'_> {
    /// What a run of the link may use.
    fn world<'w>(&'w self, listener: &'w Listener, spec: &Spec) -> World<'w> {
        World {
            limits: spec.limits(),
            ..self.machine.world(listener, self.state)
        }
    }

    /// Runs the link once.
    ///
    /// # Errors
    /// What the engine says.
    pub(crate) fn run(self, spec: &Spec, link: &mut Link, store: &mut Store) -> Result<Report> {
        let listener = Listener::new(&link.name());
        let world = self.world(&listener, spec);
        listener.end(run::run(link, store, &world))
    }

    /// Carries out the plan in a file, as far as it still holds.
    ///
    /// # Errors
    /// `Config` when it is no plan for this link; what the engine says.
    pub(crate) fn carry_out(
        self,
        path: &Path,
        spec: &Spec,
        link: &mut Link,
        store: &mut Store,
    ) -> Result<Report> {
        let listener = Listener::new(&link.name());
        let world = self.world(&listener, spec);
        let place = format!("plan={}", path.display());
        let file = File::open(path).map_err(|cause| {
            Error::config(format!("{place}: it cannot be read"))
                .hint("name a file that --plan-out wrote")
                .cause(cause)
        })?;
        let plan = PlanFile::read(&mut BufReader::new(file), &world);
        let mut plan = plan.map_err(|error| error.at(&place))?;
        listener.end(run::carry_out(link, store, &mut plan, &world))
    }

    /// Runs the link once, but writes only what concerns parked records.
    ///
    /// # Errors
    /// What the engine says.
    pub(crate) fn retry(self, spec: &Spec, link: &mut Link, store: &mut Store) -> Result<Report> {
        let listener = Listener::new(&link.name());
        let world = self.world(&listener, spec);
        listener.end(run::retry(link, store, &world))
    }

    /// Writes the plan to a file, and nothing else.
    ///
    /// # Errors
    /// What the engine says; then there is no file. `Config` when no file can be there.
    pub(crate) fn plan_out(self, path: &Path, spec: &Spec, link: &mut Link) -> Result<Report> {
        let listener = Listener::new(&link.name());
        let world = self.world(&listener, spec);
        let mut sink = Sink::file(path, &world.failpoints)?;
        let result = run::plan_file(link, &world, &mut |lines| sink.push(lines));
        let report = listener.end(result)?;
        sink.finish()?;
        Ok(report)
    }

    /// Prints what a run would do, or returns it where JSON is wanted. Writes nothing.
    ///
    /// # Errors
    /// What the engine says. A plan that the guard stops is shown all the same: it says why.
    pub(crate) fn plan(self, spec: &Spec, link: &mut Link) -> Result<(Report, Option<String>)> {
        let listener = Listener::new(&link.name());
        let mut text = PlanText::new(self.json);
        let world = self.world(&listener, spec);
        let form = if self.json { Form::Json } else { Form::Text };
        let store = world::open_store_if_any(self.state)?;
        let result = run::plan(link, store.as_ref(), &world, form, &mut |lines| {
            text.push(lines)
        });
        let result = listener.end(result);
        let plan = text.finish()?;
        Ok((result?, plan))
    }
}
