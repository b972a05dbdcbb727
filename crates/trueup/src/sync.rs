//! `trueup sync`: makes the target agree with the source, then verifies.

use crate::args::{DeletesMax, Sides};
use crate::link;
use crate::output::{self, PlanText};
use crate::progress::Listener;
use crate::two_way;
use crate::world::{self, Machine};
use std::path::PathBuf;
use trueup_core::Result;
use trueup_core::guard::Guard;
use trueup_core::plan::Form;
use trueup_engine::{Limits, Link, Mode, run};

const EXAMPLES: &str = "\
Examples:
  trueup sync csv:shop sqlite:shop.db --key customers=id --key orders=id
  trueup sync 'csv:orders.csv?delimiter=;' sqlite:shop.db#orders --key id
  trueup sync sqlite:shop.db postgres://app@db1/shop --dry-run --delete
  trueup sync sqlite:shop.db postgres://app@db1/shop --collections orders,items=order_items
  trueup sync sqlite:shop.db sqlite:till.db --two-way --on-conflict newest --stamp changed
  trueup sync sqlite:shop.db sqlite:till.db --two-way --on-conflict stock.count=min

With --two-way, what one side changed goes to the other; the first run joins both sides and
deletes nothing. What both sides changed is a conflict. All of them are kept (trueup conflicts
list); what no rule decides stays as it is on both sides.

Without --delete, records that only the target has are left, and do not count as a difference.
A run that was interrupted or killed is continued by the same command.";

/// What `--batch-records` may be at most.
const BATCH_RECORDS_MAX: usize = 100_000;

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

    /// Do not compare again afterwards; there is no certificate then
    #[arg(long)]
    no_verify: bool,

    /// Lift the guard on deletes, and nothing else
    #[arg(long)]
    yes: bool,

    /// The guard's limit: `20%` of the target's records (if that is more than 100), or a number of records
    #[arg(long, value_name = "LIMIT")]
    deletes_max: Option<DeletesMax>,

    /// At most this many records move together: what is held in memory, and what is repeated after a kill
    #[arg(long, value_name = "N", default_value_t = Limits::default().batch_records_max, value_parser = batch_records)]
    batch_records: usize,

    /// Where runs, positions and history are kept [default: $XDG_STATE_HOME/trueup/state.db]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

fn batch_records(text: &str) -> Result<usize, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (1..=BATCH_RECORDS_MAX).contains(number));
    number.ok_or_else(|| format!("write a number from 1 to {BATCH_RECORDS_MAX}"))
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
    };
    let guard = args
        .deletes_max
        .map_or_else(Guard::default, DeletesMax::guard);
    let mut link = link::open(
        &args.sides,
        Some(&args.two_way),
        mode,
        guard,
        &machine.context(),
    )?;
    if args.dry_run {
        return dry_run(args, &mut link, &machine);
    }
    let mut store = world::open_store(args.state.as_deref())?;
    let listener = Listener::new(&link.name());
    let mut world = machine.world(&listener, args.state.as_deref());
    world.limits.batch_records_max = args.batch_records;
    let report = listener.end(run::run(&mut link, &mut store, &world))?;
    output::synced(&report, args.two_way.two_way(), args.json)?;
    Ok(report.exit_code())
}

/// Prints what a run would do. Exit code 0 means that there is nothing to do.
fn dry_run(args: &Args, link: &mut Link, machine: &Machine) -> Result<u8> {
    let listener = Listener::new(&link.name());
    let mut text = PlanText::new(args.json);
    let mut world = machine.world(&listener, args.state.as_deref());
    world.limits.batch_records_max = args.batch_records;
    let form = if args.json { Form::Json } else { Form::Text };
    let store = if args.two_way.two_way() {
        world::open_store_if_any(args.state.as_deref())?
    } else {
        None
    };
    let result = run::plan(link, store.as_ref(), &world, form, &mut |lines| {
        text.push(lines)
    });
    let result = listener.end(result);
    // A plan that the guard stops is shown all the same: it says why.
    let plan = text.finish()?;
    let report = result?;
    output::planned(&report, plan.as_deref())?;
    Ok(report.exit_code())
}
