//! The command line of trueup: reads arguments, connects endpoints, calls the engine, prints.
//!
//! Invariant: whatever happens becomes one of the exit codes of the contract, and only [`output`] prints. It decides
//! nothing about data: that is the engine's business.

mod args;
mod check;
mod compare;
mod completions;
mod config;
mod conflict;
mod conflicts;
mod diff;
mod explain;
mod failpoint;
mod forget;
mod history;
mod init;
mod known;
mod link;
mod log;
mod man;
mod output;
mod parked;
mod pattern;
mod progress;
mod record;
mod registry;
mod run;
mod spec;
mod status;
mod sync;
mod terminal;
mod two_way;
mod verify;
mod world;

use args::{Command, Parsed};
use std::process::ExitCode;
use trueup_core::{Error, Kind, Result};
use trueup_engine::run::exit_code;

fn main() -> ExitCode {
    output::hide_panics();
    let arguments = world::arguments();
    let (options, parsed) = args::parse(&arguments);
    terminal::set(options);
    let command = match parsed {
        Parsed::Command(command) => command,
        Parsed::Help(text) => {
            output::help(&text);
            return ExitCode::SUCCESS;
        }
        Parsed::Wrong { complaint, json } => {
            output::usage(&complaint, json);
            return ExitCode::from(exit_code(Kind::Config));
        }
    };
    let json = command.json();
    // A panic is a defect; it ends with that exit code, not with a number that the contract does not know.
    let done = std::panic::catch_unwind(|| carry_out(&command));
    let done =
        done.unwrap_or_else(|_| Err(Error::bug("the program stopped at a broken invariant")));
    ExitCode::from(done.unwrap_or_else(|error| {
        let error = args::how_to_go_on(error, &arguments);
        output::failure(&error, json);
        exit_code(error.kind())
    }))
}

fn carry_out(command: &Command) -> Result<u8> {
    match command {
        Command::Sync(args) => sync::sync(args),
        Command::Run(args) => run::run(args),
        Command::Verify(args) => verify::verify(args),
        Command::Schema => output::schema(&config::schema()).map(|()| 0),
        Command::Diff(args) => diff::diff(args),
        Command::Check(args) => check::check(args),
        Command::Init(args) => init::init(args),
        Command::History(args) => history::history(args),
        Command::Status(args) => status::status(args),
        Command::Conflicts(args) => conflicts::conflicts(args),
        Command::Parked(args) => parked::parked(args),
        Command::Forget(args) => forget::forget(args),
        Command::Explain(args) => explain::explain(args),
        Command::Completions(args) => completions::completions(args),
        Command::Man(args) => man::man(args),
    }
}
