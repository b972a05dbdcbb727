//! `trueup completions`: the script that lets a shell complete commands and options. Made from the definition of the
//! command line, so it is never out of date; it knows words, not what lies in an endpoint.

use crate::args;
use crate::output;
use clap_complete::{Shell, generate};
use trueup_core::Result;

const EXAMPLES: &str = "\
How to install it:
  bash        trueup completions bash > ~/.local/share/bash-completion/completions/trueup
  zsh         trueup completions zsh > ~/.zfunc/_trueup
              (and in ~/.zshrc, before compinit: fpath+=~/.zfunc)
  fish        trueup completions fish > ~/.config/fish/completions/trueup.fish
  powershell  trueup completions powershell >> $PROFILE
  elvish      trueup completions elvish >> ~/.config/elvish/rc.elv

The next shell that is started knows it. To try it in this one (bash):
  source <(trueup completions bash)";

/// What `completions` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The shell: bash, zsh, fish, powershell or elvish
    #[arg(value_name = "SHELL", hide_possible_values = true)]
    shell: Shell,
}

/// Runs the command and returns the exit code.
pub(crate) fn completions(args: &Args) -> Result<u8> {
    let mut script = Vec::new();
    generate(args.shell, &mut args::definition(), "trueup", &mut script);
    output::source(&script)?;
    Ok(0)
}
