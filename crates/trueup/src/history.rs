//! `trueup history`: past runs and their certificates.

use crate::args::StateFile;
use crate::output;
use trueup_core::{Error, Result};
use trueup_engine::state::PastRun;

/// How many runs are looked through for a certificate.
const RUNS_MAX: usize = 1_000_000;

const EXAMPLES: &str = "\
Examples:
  trueup history
  trueup history --limit 5 --json
  trueup history --certificate 17";

/// What `history` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    state: StateFile,

    /// At most this many runs, the latest first
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        conflicts_with = "certificate"
    )]
    limit: u32,

    /// Print the certificate of this run
    #[arg(long, value_name = "RUN")]
    certificate: Option<i64>,

    /// Print JSON: one array of runs, or the certificate
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command and returns the exit code.
pub(crate) fn history(args: &Args) -> Result<u8> {
    let store = args.state.open()?;
    let limit = match args.certificate {
        Some(_) => RUNS_MAX,
        None => args.limit as usize,
    };
    let runs = match &store {
        Some(store) => store.history(limit)?,
        None => Vec::new(),
    };
    match args.certificate {
        Some(number) => output::certificate(&find(&runs, number)?, args.json)?,
        None => output::runs(&runs, args.json)?,
    }
    Ok(0)
}

fn find(runs: &[PastRun], number: i64) -> Result<trueup_engine::Certificate> {
    let found = runs.iter().find(|past| past.run.0 == number);
    let past = found.ok_or_else(|| {
        Error::config(format!("there is no run={number} in the history")).hint(format!(
            "{} lists them",
            output::with_state("trueup history")
        ))
    })?;
    let certificate = past
        .report
        .as_ref()
        .and_then(|report| report.certificate.clone());
    certificate.ok_or_else(|| {
        Error::config(format!("run={number} has no certificate"))
            .hint("a run gets one at its end, unless it was told not to verify")
    })
}
