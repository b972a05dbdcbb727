//! `trueup diff`: compares, and writes nothing but temporary files.

use crate::args::Sides;
use crate::link;
use crate::output;
use crate::progress::Listener;
use crate::world::Machine;
use std::path::PathBuf;
use trueup_core::Result;
use trueup_core::guard::Guard;
use trueup_engine::{Limits, Mode, run};

const EXAMPLES: &str = "\
Examples:
  trueup diff csv:shop sqlite:shop.db --key customers=id --key orders=id
  trueup diff sqlite:shop.db#orders postgres://app@db1/shop#orders --json

Output:
  collection  +only at the source  -only at the target  ~changed  =same";

/// What `diff` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    sides: Sides,

    /// Print one JSON object instead of lines
    #[arg(long)]
    pub(crate) json: bool,

    /// Put temporary files beside this state file, which itself is not read [default: as for sync]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

/// Runs the command and returns the exit code.
pub(crate) fn diff(args: &Args) -> Result<u8> {
    let machine = Machine::new()?;
    let mode = Mode {
        write: false,
        count_all: true,
        delete: false,
        verify: false,
        lift_guard: false,
    };
    let batch_records = Limits::default().batch_records_max;
    let spec = args.sides.spec(None, mode, Guard::default(), batch_records);
    let mut link = link::open(&spec, &machine.context())?;
    let listener = Listener::new(&link.name());
    let world = machine.world(&listener, args.state.as_deref());
    let report = listener.end(run::diff(&mut link, &world))?;
    output::compared(&report, args.json)?;
    Ok(report.exit_code())
}
