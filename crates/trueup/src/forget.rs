//! `trueup forget`: forgets a two-way link that is no longer used.
//!
//! Its base, intents and conflicts go, its runs stay in the history. No endpoint is touched. A link whose sides are
//! still in use elsewhere would otherwise count for ever when rings of two-way links are looked for.

use crate::args::StateFile;
use crate::output;
use crate::status::{Standing, standings};
use crate::world;
use trueup_core::{Error, Result};

const EXAMPLES: &str = "\
Examples:
  trueup forget 'sqlite:shop.db <-> postgres://app@db1/shop'
  trueup forget 41d0a2c6b1c0f3a7

No data is touched. If the link is synced again, it joins both sides anew, as at its first run.";

/// What `forget` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The link, by its name or its id; trueup status lists both
    link: String,

    #[command(flatten)]
    state: StateFile,
}

/// Runs the command and returns the exit code.
pub(crate) fn forget(args: &Args) -> Result<u8> {
    let store = world::open_store_if_present(args.state.path()?.as_deref())?;
    let Some(mut store) = store else {
        return Err(unknown());
    };
    let links = standings(&store)?;
    let link = find(&links, &args.link)?;
    if !store.forget_pair(&link.id)? {
        return Err(unknown());
    }
    output::forgotten(link)?;
    Ok(0)
}

/// The two-way link of that name or id.
fn find<'a>(links: &'a [Standing], wanted: &str) -> Result<&'a Standing> {
    let mirrored = wanted
        .split_once(" <-> ")
        .map(|(source, target)| format!("{target} <-> {source}"));
    let names = |link: &Standing| {
        link.id == wanted || link.name == wanted || Some(&link.name) == mirrored.as_ref()
    };
    let found: Vec<&Standing> = links.iter().filter(|link| names(link)).collect();
    let both: Vec<&Standing> = found.iter().copied().filter(|link| link.two_way).collect();
    match (both.as_slice(), found.is_empty()) {
        (&[link], _) => Ok(link),
        ([], true) => Err(unknown()),
        ([], false) => Err(Error::config(
            "the link goes one way, and there is nothing to forget about it",
        )
        .hint("its runs stay in the history and do no harm")),
        (several, _) => {
            let ids: Vec<&str> = several.iter().map(|link| link.id.as_str()).collect();
            Err(
                Error::config(format!("{} links have this name", several.len()))
                    .hint(format!("name one by its id: {}", ids.join(", "))),
            )
        }
    }
}

/// Does not repeat what was asked for: an address may hold a password.
fn unknown() -> Error {
    Error::config("there is no such link in the state")
        .hint("trueup status lists the links with their names and ids")
}

#[cfg(test)]
mod tests;
