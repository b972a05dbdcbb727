//! `trueup man`: the manual as pages for `man`, made from the same definition as the help.

use crate::args;
use crate::output;
use clap_mangen::Man;
use std::path::{Path, PathBuf};
use trueup_core::{Error, Result};

const EXAMPLES: &str = "\
Examples:
  trueup man | man -l -
  mkdir -p ~/.local/share/man/man1 && trueup man ~/.local/share/man/man1";

/// What `man` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Write one page for every command into this folder, which is there; without it, the main page is printed
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Runs the command and returns the exit code.
pub(crate) fn man(args: &Args) -> Result<u8> {
    let definition = args::definition().disable_help_subcommand(true);
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        let rendered = Man::new(definition).render(&mut page);
        rendered.map_err(|cause| Error::bug("a manual page cannot be made").cause(cause))?;
        output::source(&page)?;
        return Ok(0);
    };
    if !folder.is_dir() {
        // A command's name is the likely mistake: `man` takes one.
        return Err(
            Error::config(format!("there is no folder path={}", folder.display()))
                .hint("make it first; the page of one command is printed by trueup help COMMAND"),
        );
    }
    clap_mangen::generate_to(definition, folder).map_err(|cause| unwritable(folder, cause))?;
    Ok(0)
}

fn unwritable(path: &Path, cause: std::io::Error) -> Error {
    Error::config(format!("cannot write path={}", path.display()))
        .hint("name a folder that you may write")
        .cause(cause)
}
