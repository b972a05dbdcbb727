//! `trueup init`: looks at two places and writes a configuration file that runs as it is.
//!
//! Invariant: what is written can be read back ([`config::read`]), holds no password, and goes over no file unless that
//! was asked for. Nothing but that file is written.

mod ask;
mod compose;
mod draft;
mod look;
#[cfg(test)]
mod tests;

use crate::args::{Choice, CollectionRule, KeyRule, Sides, places};
use crate::check;
use crate::config;
use crate::link;
use crate::output;
use crate::registry::Address;
use crate::world::{self, Machine};
use compose::Waiting;
use draft::Draft;
use look::Look;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use trueup_core::{Error, Kind, Result};
use trueup_engine::check::{CheckReport, CollectionCheck};

/// How many lines that wait for an edit are named.
const WAITING_SHOWN_MAX: usize = 10;

const EXAMPLES: &str = "\
Examples:
  trueup init csv:shop sqlite:shop.db --key customers=id --key orders=id
  trueup init sqlite:shop.db postgres://app@db1/shop --two-way --out shop.toml
  trueup init

What is not said it asks for, if there is a terminal: the places, and the keys of collections that
have none. Passwords are not written: the file names a variable of the environment. A collection
that cannot run yet is written as a comment, with the reason and what it needs.

Exit codes:
  0 a file that runs   2 a file whose collections all wait for an edit, or none";

/// What `init` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, override_usage = "trueup init [OPTIONS] [SOURCE TARGET]")]
pub(crate) struct Args {
    /// Where the records come from, and where they go.
    #[arg(value_name = "SOURCE TARGET", num_args = 0..=2, help = places("Where the records come from, and where they go"))]
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
    let machine = Machine::asking()?;
    // Before anything is asked; another file may be named in the answers.
    refuse_taken(&args.out, args.force)?;
    let wish = wish(args)?;
    refuse_taken(&wish.out, args.force)?;
    if Address::is_standard(&wish.source) || Address::is_standard(&wish.target) {
        return Err(Error::config(
            "a configured link runs more than once, and a standard stream does not",
        )
        .hint("name files or databases"));
    }
    let mut sides = Sides {
        source: wish.source.clone(),
        target: wish.target.clone(),
        choice: Choice {
            collections: args.collections.clone(),
            keys: args.keys.clone(),
            filters: Vec::new(),
        },
    };
    let mut found = examine(&sides, wish.two_way, &machine)?;
    if world::has_terminal() {
        let keys = ask_keys(&found)?;
        if !keys.is_empty() {
            sides.choice.keys.extend(keys);
            found = examine(&sides, wish.two_way, &machine)?;
        }
    }
    let draft = Draft::new(&wish.source, &wish.target, &folder(&wish.out)?)?;
    let composed = compose::file(&draft, &found);
    write(&wish.out, &composed.text, args.force)?;
    let runs = found.report.collections.len() - composed.waiting.len();
    let mut said = notes(&found);
    said.push_str(&next(&wish.out, &draft, runs, &composed.waiting));
    output::initialised(&said)?;
    match composed.waiting.first() {
        Some(first) if runs == 0 => Err(nothing_runs(&wish.out, first)),
        Some(_) | None => Ok(0),
    }
}

/// What was found at the two places.
struct Examined {
    report: CheckReport,
    /// Of each collection without a key, by the source's name: what its records say.
    looks: BTreeMap<String, Look>,
}

/// Checks the link, and looks at the collections that have no key.
fn examine(sides: &Sides, two_way: bool, machine: &Machine) -> Result<Examined> {
    let mut link = link::open(&check::between(sides, two_way), &machine.context())?;
    let report = trueup_engine::check::check(&mut link, None)?;
    if let Some(problem) = report.problems.first() {
        // Not a collection's: no file would make this link run.
        let error = Error::config(problem.message.clone());
        return Err(match &problem.hint {
            Some(hint) => error.hint(hint.clone()),
            None => error,
        });
    }
    let looks = report.collections.iter().filter(|one| has_no_key(one));
    let looks = looks.map(|one| (one.names.source.clone(), look::look(&mut link, one)));
    Ok(Examined {
        looks: looks.collect(),
        report,
    })
}

fn has_no_key(one: &CollectionCheck) -> bool {
    one.key.is_empty() && one.all_problems().next().is_some()
}

/// Asks for the keys that are missing. One that only the target would have cannot be said here.
fn ask_keys(found: &Examined) -> Result<Vec<KeyRule>> {
    let mut keys = Vec::new();
    let bag = !found.report.two_way;
    let all = found.report.collections.iter();
    for one in all.filter(|one| has_no_key(one) && one.keys.source.is_some()) {
        let name = &one.names.source;
        let Some(look) = found.looks.get(name) else {
            continue;
        };
        let fields = ask::key(name, look, bag, &mut world::read_line, &mut output::prompt)?;
        keys.extend(fields.map(|fields| KeyRule {
            collection: Some(name.clone()),
            fields,
        }));
    }
    Ok(keys)
}

/// What a person should know of the target before the file is used: that it is new, for one.
fn notes(found: &Examined) -> String {
    let notes = found.report.target.iter().flat_map(|end| &end.about.notes);
    let lines = notes.map(|note| format!("note: target: {}\n", output::safe(note)));
    lines.collect()
}

/// The file is there, and nothing would come of running it.
fn nothing_runs(out: &Path, first: &Waiting) -> Error {
    Error::config(format!(
        "no collection can run yet: {}: {}",
        first.name, first.reason
    ))
    .hint(format!(
        "edit line {} of {}: what it needs stands above it",
        first.line,
        out.display()
    ))
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
fn next(out: &Path, draft: &Draft, runs: usize, waiting: &[Waiting]) -> String {
    let noun = |count: usize| match count {
        0 => "no collection".to_owned(),
        1 => "1 collection".to_owned(),
        more => format!("{more} collections"),
    };
    let mut text = format!("wrote {}: {}", out.display(), noun(runs));
    if !waiting.is_empty() {
        let count = noun(waiting.len());
        text.push_str(&format!(", and as a comment {count} that cannot run yet"));
    }
    text.push_str("\nnext:\n");
    for one in waiting.iter().take(WAITING_SHOWN_MAX) {
        let (line, file) = (one.line, out.display());
        let name = output::safe(&one.name);
        text.push_str(&format!("  edit line {line} of {file}: {name}\n"));
    }
    if waiting.len() > WAITING_SHOWN_MAX {
        let more = waiting.len() - WAITING_SHOWN_MAX;
        text.push_str(&format!("  ... and {more} more lines\n"));
    }
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
