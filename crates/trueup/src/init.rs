//! `trueup init`: looks at two places and writes a configuration file that runs as it is.
//!
//! Invariant: what is written can be read back ([`config::read`]), holds no password, and goes over no file unless that
//! was asked for. Nothing but that file is written.

mod ask;
mod compose;
mod draft;
#[cfg(test)]
mod tests;

use crate::args::{CollectionRule, KeyRule, Sides};
use crate::check;
use crate::config;
use crate::output;
use crate::registry::Address;
use crate::world::{self, Machine};
use draft::Draft;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use trueup_core::{Error, Kind, Result};
use trueup_engine::check::CheckReport;

const EXAMPLES: &str = "\
Examples:
  trueup init csv:shop sqlite:shop.db --key customers=id --key orders=id
  trueup init sqlite:shop.db postgres://app@db1/shop --two-way --out shop.toml
  trueup init

Without places it asks for them, if there is a terminal. Passwords are not written: the file names
a variable of the environment. A collection that cannot run yet is written as a comment, with the
reason.";

/// What `init` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, override_usage = "trueup init [OPTIONS] [SOURCE TARGET]")]
pub(crate) struct Args {
    /// Where the records come from, and where they go
    #[arg(value_name = "SOURCE TARGET", num_args = 0..=2)]
    places: Vec<String>,

    /// Write this file
    #[arg(long, value_name = "FILE", default_value = config::FILE)]
    out: PathBuf,

    /// Carry changes both ways
    #[arg(long)]
    two_way: bool,

    /// Only these collections, otherwise all that the source has; `a=b` where the target calls it `b`; `a*`: those that match; `!a*`: not those
    #[arg(long, value_name = "a,b", value_delimiter = ',')]
    collections: Vec<CollectionRule>,

    /// Collection `c` has the key `f,g`, or `all` where equal records count; may be repeated; `f,g` suffices for a single collection
    #[arg(long = "key", value_name = "c=f,g")]
    keys: Vec<KeyRule>,

    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

/// What is to be written about, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    source: String,
    target: String,
    two_way: bool,
    out: PathBuf,
}

/// Runs the command and returns the exit code.
pub(crate) fn init(args: &Args) -> Result<u8> {
    let machine = Machine::new()?;
    let wish = wish(args)?;
    refuse_taken(&wish.out, args.force)?;
    if Address::is_standard(&wish.source) || Address::is_standard(&wish.target) {
        return Err(Error::config(
            "a configured link runs more than once, and a standard stream does not",
        )
        .hint("name files or databases"));
    }
    let sides = Sides {
        source: wish.source.clone(),
        target: wish.target.clone(),
        collections: args.collections.clone(),
        keys: args.keys.clone(),
        filters: Vec::new(),
    };
    let report = check::pair(&check::between(&sides, wish.two_way), &machine)?;
    if let Some(problem) = report.problems.first() {
        // Not a collection's: no file would make this link run.
        let error = Error::config(problem.message.clone());
        return Err(match &problem.hint {
            Some(hint) => error.hint(hint.clone()),
            None => error,
        });
    }
    let draft = Draft::new(&wish.source, &wish.target, &folder(&wish.out)?)?;
    let text = compose::file(&draft, &report);
    write(&wish.out, &text, args.force)?;
    output::initialised(&next(&wish.out, &draft, &report))?;
    Ok(0)
}

fn wish(args: &Args) -> Result<Wish> {
    match args.places.as_slice() {
        [source, target] => Ok(Wish {
            source: source.clone(),
            target: target.clone(),
            two_way: args.two_way,
            out: args.out.clone(),
        }),
        [] if world::has_terminal() => {
            let known = Wish {
                source: String::new(),
                target: String::new(),
                two_way: args.two_way,
                out: args.out.clone(),
            };
            ask::wish(&known, &mut world::read_line, &mut output::prompt)
        }
        [] => Err(
            Error::config("no places, and no terminal to ask for them on")
                .hint("for example: trueup init csv:shop sqlite:shop.db"),
        ),
        _ => Err(Error::config("a link has two places")
            .hint("for example: trueup init csv:shop sqlite:shop.db")),
    }
}

/// The folder that the file's paths begin in; empty where that is the working directory.
fn folder(out: &Path) -> Result<PathBuf> {
    let parent = out.parent().unwrap_or(Path::new(""));
    if parent.as_os_str().is_empty() || parent == Path::new(".") {
        return Ok(PathBuf::new());
    }
    std::path::absolute(".").map_err(|cause| {
        Error::config("the working directory has no name")
            .hint("write the file into the working directory")
            .cause(cause)
    })
}

fn refuse_taken(out: &Path, force: bool) -> Result<()> {
    if force || !out.exists() {
        return Ok(());
    }
    Err(taken(out))
}

fn taken(out: &Path) -> Error {
    Error::config(format!("there is a file={} already", out.display()))
        .hint("name another one with --out, or write over it with --force")
}

fn write(out: &Path, text: &str, force: bool) -> Result<()> {
    let file = if force {
        File::create(out)
    } else {
        OpenOptions::new().write(true).create_new(true).open(out)
    };
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|cause| match cause.kind() {
        ErrorKind::AlreadyExists => taken(out),
        _ => Error::new(Kind::Config, format!("cannot write file={}", out.display()))
            .hint("name another one with --out")
            .cause(cause),
    })
}

/// What was written, and what to do next.
fn next(out: &Path, draft: &Draft, report: &CheckReport) -> String {
    let broken = |one: &&_| compose::is_broken(one);
    let waiting = report.collections.iter().filter(broken).count();
    let runs = report.collections.len() - waiting;
    let noun = |count: usize| {
        if count == 1 {
            "collection"
        } else {
            "collections"
        }
    };
    let mut text = format!("wrote {}: {runs} {}", out.display(), noun(runs));
    if waiting > 0 {
        text.push_str(&format!(
            ", and as a comment {waiting} {} that cannot run yet",
            noun(waiting)
        ));
    }
    text.push_str("\nnext:\n");
    for variable in draft.variables() {
        text.push_str(&format!("  read -rs {variable} && export {variable}\n"));
    }
    let file = if out == Path::new(config::FILE) {
        String::new()
    } else {
        format!(" {}", draft::shell(&out.display().to_string()))
    };
    text.push_str(&format!("  trueup check{file}\n  trueup run{file}\n"));
    text
}
