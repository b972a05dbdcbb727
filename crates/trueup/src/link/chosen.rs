//! Which collections patterns choose, among those that there are.
//!
//! Invariant: a pattern that chooses nothing is an error, as a name is that nothing has, also one that is excluded. A pattern
//! may exclude nothing: what it keeps away need not be there every day. What was named in full takes part under its own
//! rules; patterns add to it what was not named.

use super::{NAMES_SHOWN_MAX, list};
use crate::pattern;
use crate::spec::{Named, Spec};
use trueup_core::endpoint::Endpoint;
use trueup_core::{Error, Result};

/// Refuses what patterns and exclusions cannot mean together, before anything is connected.
pub(super) fn check(spec: &Spec) -> Result<()> {
    if spec.exclude.iter().any(String::is_empty) {
        return Err(Error::config("an exclusion names no collection")
            .hint("write the name or the pattern after the !"));
    }
    let [first, ..] = spec.exclude.as_slice() else {
        return Ok(());
    };
    if !spec.patterns.is_empty() {
        return Ok(());
    }
    Err(Error::config(format!(
        "!{first} has nothing to leave out: all other collections are named in full"
    ))
    .hint("an exclusion takes from what patterns choose: write a pattern too, or * for all"))
}

/// Returns the collections that were named, and those that the patterns choose, in the order of the source. With
/// `target`, those that only it has are there too.
pub(super) fn chosen(
    spec: &Spec,
    source: &mut dyn Endpoint,
    target: Option<&mut (dyn Endpoint + 'static)>,
) -> Result<Vec<Named>> {
    let mut known = source.collections().map_err(|error| error.at("source"))?;
    let both = target.is_some();
    if let Some(target) = target {
        let others = target.collections().map_err(|error| error.at("target"))?;
        let fresh = others.into_iter().filter(|one| !known.contains(one));
        let fresh: Vec<String> = fresh.collect();
        known.extend(fresh);
    }
    let none = |pattern: &&String| !known.iter().any(|name| pattern::matches(pattern, name));
    if let Some(stray) = spec.patterns.iter().find(none) {
        return Err(
            Error::config(format!("no collection matches the pattern {stray}"))
                .hint(near(stray, &known, both)),
        );
    }
    let mut named = spec.exclude.iter().filter(|one| !pattern::is_pattern(one));
    if let Some(stray) = named.find(none) {
        return Err(
            Error::config(format!("there is no collection {stray} to exclude"))
                .hint(near(stray, &known, both)),
        );
    }
    let among = |patterns: &[String], name: &str| {
        let mut patterns = patterns.iter();
        patterns.any(|pattern| pattern::matches(pattern, name))
    };
    let mut all = spec.collections.clone();
    for name in known {
        let named = spec.collections.iter().any(|one| one.source == name);
        if !named && among(&spec.patterns, &name) && !among(&spec.exclude, &name) {
            all.push(Named {
                source: name,
                ..Named::default()
            });
        }
    }
    if all.is_empty() {
        return Err(Error::config("every collection is excluded")
            .hint("leave less out, or take the link out"));
    }
    Ok(all)
}

/// Says which names come near to a pattern; all of them if none does.
fn near(pattern: &str, known: &[String], both: bool) -> String {
    let letters = pattern.chars().filter(|sign| !['*', '?'].contains(sign));
    // A third of the letters may be wrong.
    let allowed = letters.count() / 3;
    let distance = |name: &&str| pattern::distance(&pattern.to_lowercase(), &name.to_lowercase());
    let names = known.iter().map(String::as_str);
    let mut near: Vec<&str> = names.filter(|name| distance(name) <= allowed).collect();
    near.sort_by_key(distance);
    near.truncate(NAMES_SHOWN_MAX);
    if !near.is_empty() {
        return format!("near it: {}", near.join(", "));
    }
    let listed = list(known);
    if both && !known.is_empty() {
        return listed.replacen("the source has", "the two sides have", 1);
    }
    listed
}
