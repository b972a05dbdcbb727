//! Which links a configuration file means by its names, told without connecting.
//!
//! What a name meant when it ran last is on record, but a file is edited: what it says now goes before that. Invariant: a
//! link that the file contradicts is none of its links, for a name may lead to a command that forgets or writes.

use crate::config::{self, Config};
use crate::registry::Address;
use crate::run::lasting;
use crate::spec::Spec;
use crate::world;
use std::path::Path;
use trueup_core::Result;
use trueup_core::digest::Digest;
use trueup_engine::state::Store;

/// A name in the file, and the durable name of the link that it means.
pub(crate) type Known = (String, String);

/// Returns a word that stands for the two places of a link as the file gives them; `None` where one has a password in it,
/// of which nothing is to be kept.
pub(crate) fn places(spec: &Spec) -> Option<String> {
    let addresses = [&spec.source.address, &spec.target.address];
    let secret = |text: &&String| Address::parse(text).is_ok_and(|one| one.has_password());
    if addresses.iter().any(secret) {
        return None;
    }
    // The file may be named from another folder the next time.
    let lasting = |text: &String| Address::parse(text).ok().and_then(|one| one.lasting());
    let both = addresses.map(|text| lasting(text).unwrap_or_else(|| text.clone()));
    Some(Digest::of(both.join("\n").as_bytes()).to_string())
}

/// Which links the file means by the names that it has: those that ran by them, unless the file names other places now.
/// Where the file does not read beyond its `names`, what is on record is believed.
///
/// # Errors
/// What the store says.
pub(crate) fn on_record(
    store: &Store,
    path: &Path,
    names: &[String],
    config: Option<&Config>,
) -> Result<Vec<Known>> {
    let Some(file) = lasting(path) else {
        return Ok(Vec::new());
    };
    let contradicts = |name: &str, noted: &str| {
        let link = config.and_then(|config| config.links.iter().find(|link| link.name == name));
        let now = link.and_then(|link| places(&link.spec));
        now.is_some_and(|now| now != noted)
    };
    let mut found = Vec::new();
    for named in store.named_links(&file)? {
        let gone = !names.contains(&named.name);
        let other = named
            .places
            .is_some_and(|noted| contradicts(&named.name, &noted));
        if !gone && !other {
            found.push((named.name, named.durable));
        }
    }
    Ok(found)
}

/// Tells whether a file still means the link of that durable name by `name`, and keeps its state in `state`.
pub(crate) fn means(
    file: &Path,
    name: &str,
    durable: &str,
    store: &Store,
    state: Option<&Path>,
) -> bool {
    let Ok(names) = config::read_names(file) else {
        return false;
    };
    let config = config::read(file, &world::variable).ok();
    let known = on_record(store, file, &names, config.as_ref());
    let means = known.is_ok_and(|known| known.iter().any(|(one, id)| one == name && id == durable));
    let real = |path: &Path| path.canonicalize().ok();
    let own = config::read_state(file, &world::variable);
    means && own.is_ok_and(|own| own.as_deref().and_then(real) == state.and_then(real))
}
