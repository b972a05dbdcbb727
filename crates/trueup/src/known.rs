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

/// Returns a word that stands for the two places of a link as the file gives them. No password goes into it.
pub(crate) fn places(spec: &Spec) -> String {
    // The file may be named from another folder the next time.
    let lasting = |text: &String| Address::parse(text).ok().and_then(|one| one.lasting());
    let both = [&spec.source.address, &spec.target.address]
        .map(|text| lasting(text).unwrap_or_else(|| bare(text)));
    Digest::of(both.join("\n").as_bytes()).to_string()
}

/// A URL without what may be a secret: the password, and all options.
fn bare(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let user = user.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}@{host}/{path}")
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
        link.is_some_and(|link| places(&link.spec) != noted)
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
    let own = config::read_state(file, &world::variable);
    means
        && own.is_ok_and(|own| {
            own.as_deref().and_then(world::real_path) == state.and_then(world::real_path)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_known_without_its_secrets() {
        for (url, expected) in [
            (
                "postgres://app:pa:ss@db1:5432/shop?password=x",
                "postgres://app@db1:5432/shop",
            ),
            ("postgres://app@db1/shop#t", "postgres://app@db1/shop#t"),
            ("postgres:///shop", "postgres://@/shop"),
            ("mysql://a:b@c", "mysql://a@c/"),
            ("csv:-", "csv:-"),
        ] {
            assert_eq!(bare(url), expected);
        }
    }
}
