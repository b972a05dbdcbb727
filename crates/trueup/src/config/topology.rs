//! How the links of a file lie to each other: what would make them undo each other's work.
//!
//! Links that go both ways have to form a star or a tree: in a ring a change comes back to its writer as a conflict. A
//! link that deletes has its target's collection for itself: it would delete what another one brings. Endpoints are
//! compared by their addresses as they were written; what only connecting would show is refused at the run.

use super::Link;
use super::mistake::Mistakes;
use crate::pattern;
use crate::spec::Spec;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A collection at an endpoint, by the endpoint's address and the collection's name.
type Node<'a> = (&'a str, &'a str);

/// Finds links that cannot be next to each other. `places` are those of the links' names.
pub(super) fn check(links: &[Link], places: &[Range<usize>], mistakes: &mut Mistakes) {
    check_rings(links, places, mistakes);
    check_writers(links, places, mistakes);
}

fn check_rings(links: &[Link], places: &[Range<usize>], mistakes: &mut Mistakes) {
    let names = names(links);
    let mut trees = Trees::default();
    for (link, place) in links.iter().zip(places) {
        if link.spec.two_way.is_none() {
            continue;
        }
        let mut closes = false;
        for (source, target) in edges(&link.spec, &names) {
            closes |= !trees.join(source, target);
        }
        if closes {
            mistakes.add_with_help(
                place.clone(),
                "this link closes a ring of links that go both ways",
                "leave one of them out: a star or a tree reaches every place, and in a ring a change would come back as a conflict",
            );
        }
    }
}

/// The names of all collections that some link names, and the patterns: each stands for what it alone matches. The one
/// for all stands for the collections that no link names.
fn names(links: &[Link]) -> BTreeSet<&str> {
    let mut names = BTreeSet::from([pattern::ALL]);
    for link in links {
        for one in &link.spec.collections {
            names.insert(&one.source);
            names.extend(one.target.as_deref());
        }
        let patterns = link.spec.patterns.iter().chain(&link.spec.exclude);
        names.extend(patterns.map(String::as_str));
    }
    names
}

/// Tells whether a link's patterns choose `name`, which may be another's pattern. Where two overlap in a part only,
/// they are taken to meet.
fn chooses(spec: &Spec, name: &str) -> bool {
    let chosen = |own: &String| {
        let wider = pattern::covers(name, own) && name != own;
        pattern::meet(own, name) && !wider
    };
    let excluded = |own: &String| pattern::covers(own, name);
    spec.patterns.iter().any(chosen) && !spec.exclude.iter().any(excluded)
}

/// The pairs of collections that a link connects.
fn edges<'a>(spec: &'a Spec, names: &BTreeSet<&'a str>) -> Vec<(Node<'a>, Node<'a>)> {
    let (source, target) = (spec.source.address.as_str(), spec.target.address.as_str());
    let all = spec.collections.is_empty() && spec.patterns.is_empty();
    let named = |name: &str| spec.collections.iter().any(|one| one.source == name);
    let taken = names.iter().copied();
    let taken = taken.filter(|name| all || !named(name) && chooses(spec, name));
    let chosen = taken.map(|name| ((source, name), (target, name)));
    let named = spec.collections.iter().map(|one| {
        let to = one.target.as_deref().unwrap_or(&one.source);
        ((source, one.source.as_str()), (target, to))
    });
    named.chain(chosen).collect()
}

/// Which nodes are connected.
#[derive(Default)]
struct Trees<'a>(BTreeMap<Node<'a>, Node<'a>>);

impl<'a> Trees<'a> {
    /// Connects two nodes; `false` when they were connected already.
    fn join(&mut self, one: Node<'a>, other: Node<'a>) -> bool {
        let (one, other) = (self.root(one), self.root(other));
        if one == other {
            return false;
        }
        self.0.insert(one, other);
        true
    }

    fn root(&self, mut node: Node<'a>) -> Node<'a> {
        while let Some(&above) = self.0.get(&node) {
            node = above;
        }
        node
    }
}

/// A link that writes a collection.
struct Writer<'a> {
    link: &'a Link,
    /// Where the records come from.
    from: Node<'a>,
    to: Node<'a>,
}

fn check_writers(links: &[Link], places: &[Range<usize>], mistakes: &mut Mistakes) {
    let names = names(links);
    let mut writers: Vec<Writer<'_>> = Vec::new();
    for (link, place) in links.iter().zip(places) {
        let mut own = Vec::new();
        for (source, target) in edges(&link.spec, &names) {
            own.push(Writer {
                link,
                from: source,
                to: target,
            });
            if link.spec.two_way.is_some() {
                own.push(Writer {
                    link,
                    from: target,
                    to: source,
                });
            }
        }
        let fight = own.iter().find_map(|new| {
            let other = writers
                .iter()
                .find_map(|old| Some((old, fight(old, new)?)))?;
            Some((other.0.link.name.as_str(), other.1))
        });
        if let Some((other, (what, help))) = fight {
            mistakes.add_with_help(place.clone(), format!("{what}: {other}"), help);
        }
        writers.extend(own);
    }
}

/// Says why two links cannot both write, if so.
fn fight(old: &Writer<'_>, new: &Writer<'_>) -> Option<(&'static str, &'static str)> {
    let both = |writer: &Writer<'_>| writer.link.spec.two_way.is_some();
    if both(old) && both(new) {
        // That is a ring, or none.
        return None;
    }
    if old.to == new.from && old.from == new.to {
        return Some((
            "this link writes back what another one brings",
            "write one link with direction = \"both\" instead of the two",
        ));
    }
    let deletes = old.link.spec.mode.delete || new.link.spec.mode.delete;
    (old.to == new.to && old.from != new.from && deletes).then_some((
        "one link deletes at the target what another one brings there",
        "leave delete out, or name collections so that they do not meet",
    ))
}
