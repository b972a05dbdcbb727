//! `trueup forget`: forgets a link that is no longer used, or was mistyped.
//!
//! Its base, intents, conflicts and parked records go, its runs stay in the history. No endpoint is touched. A two-way
//! link whose sides are still in use elsewhere would otherwise count for ever when rings are looked for.

use crate::args::StateFile;
use crate::output;
use crate::registry::Address;
use crate::status::{Standing, listed};
use trueup_core::{Error, Result};

const EXAMPLES: &str = "\
Examples:
  trueup forget 'sqlite:shop.db <-> postgres://app@db1/shop'
  trueup forget 41d0a2c6b1c0f3a7
  trueup forget orders

No data is touched, and its runs stay in the history. Lost are: of a link that goes both ways, its
base and its conflicts with the records that lost (synced again, it joins both sides anew, as at its
first run); of any link, the list of its parked records (the next run finds them again).";

/// What `forget` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The link, by its name, its id, or its name in the configuration file; trueup status lists all of them
    link: String,

    #[command(flatten)]
    state: StateFile,
}

/// Runs the command and returns the exit code.
pub(crate) fn forget(args: &Args) -> Result<u8> {
    let store = args.state.open()?;
    let Some(mut store) = store else {
        return Err(unknown());
    };
    let links = listed(Some(&store), &args.state, true)?.links;
    let link = find(&links, &args.link)?;
    if !store.forget_link(&link.id)? {
        return Err(unknown());
    }
    args.state.tell(&store);
    output::forgotten(link)?;
    Ok(0)
}

/// The link of that name or id, or that the configuration file calls so.
fn find<'a>(links: &'a [Standing], wanted: &str) -> Result<&'a Standing> {
    let spellings = spellings(wanted);
    let label = wanted
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let label = label.unwrap_or(wanted);
    let names = |link: &&Standing| {
        let labelled = link.labels.iter().any(|one| one == label);
        labelled || link.id == wanted || spellings.contains(&link.name)
    };
    let found: Vec<&Standing> = links.iter().filter(names).collect();
    match found.as_slice() {
        [link] => Ok(link),
        [] => Err(unknown()),
        several => {
            let ids: Vec<&str> = several.iter().map(|link| link.id.as_str()).collect();
            Err(
                Error::config(format!("{} links have this name", several.len()))
                    .hint(format!("name one by its id: {}", ids.join(", "))),
            )
        }
    }
}

/// A name as it was written, with paths that mean the same from every folder, and a two-way link's the other way round.
fn spellings(wanted: &str) -> Vec<String> {
    let mut all = vec![wanted.to_owned()];
    let lasting = |address: &str| {
        let found = Address::parse(address).ok().and_then(|one| one.lasting());
        found.unwrap_or_else(|| address.to_owned())
    };
    for arrow in [" <-> ", " -> "] {
        let Some((source, target)) = wanted.split_once(arrow) else {
            continue;
        };
        let (from, to) = (lasting(source), lasting(target));
        all.push(format!("{from}{arrow}{to}"));
        if arrow == " <-> " {
            all.push(format!("{target}{arrow}{source}"));
            all.push(format!("{to}{arrow}{from}"));
        }
        break;
    }
    all
}

/// Does not repeat what was asked for: an address may hold a password.
fn unknown() -> Error {
    Error::config("there is no such link in the state").hint(format!(
        "{} lists the links with their names and ids",
        output::with_state("trueup status --all")
    ))
}

#[cfg(test)]
mod tests;
