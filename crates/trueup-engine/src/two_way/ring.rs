//! Refuses a two-way link that would close a ring.
//!
//! In a ring a change comes back to its writer around the other way, later and maybe merged, and meets itself as a
//! conflict; a star or a tree of pairs has one way between any two, and always settles. A node is a collection at an
//! endpoint, by identity: two addresses of one database are one node. Invariant: when every pair was let in here, the
//! pairs form a forest. It deliberately sees only the pairs that this state knows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use trueup_core::error::{Error, Result};
use trueup_core::side::{Side, Sides};

#[cfg(test)]
mod tests;

/// A two-way pair of endpoints and its pairs of collections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair<'a> {
    /// The endpoints' identities.
    pub(crate) identity: Sides<&'a str>,
    /// Their addresses, as they are shown.
    pub(crate) address: Sides<&'a str>,
    /// The collections that are paired.
    pub(crate) collections: &'a [Sides<String>],
}

/// A collection at an endpoint: identity and name.
type Node<'a> = (&'a str, &'a str);

impl<'a> Pair<'a> {
    fn edges(&self) -> impl Iterator<Item = Sides<Node<'a>>> + use<'a> {
        let (identity, collections) = (self.identity, self.collections);
        collections
            .iter()
            .map(move |names| Sides::by(|side| (identity[side], names[side].as_str())))
    }
}

/// Refuses `new` where one of its pairs of collections closes a ring with the known `links`; the same pair among them, in
/// either order, does not count. Called when a two-way link is planned.
///
/// # Errors
/// `Config`, naming the ring.
pub(crate) fn refuse_ring(links: &[Pair<'_>], new: &Pair<'_>) -> Result<()> {
    let own: BTreeSet<[Node<'_>; 2]> = new.edges().map(undirected).collect();
    let mut neighbours: BTreeMap<Node<'_>, Vec<Node<'_>>> = BTreeMap::new();
    let mut known = BTreeSet::new();
    for edge in links.iter().flat_map(Pair::edges) {
        let edge = undirected(edge);
        if !own.contains(&edge) && known.insert(edge) {
            connect(&mut neighbours, edge);
        }
    }
    for edge in own {
        let [from, to] = edge;
        if let Some(way) = way(&neighbours, from, to) {
            return Err(ring(&way, links, new));
        }
        connect(&mut neighbours, edge);
    }
    Ok(())
}

fn undirected(edge: Sides<Node<'_>>) -> [Node<'_>; 2] {
    let mut ends = [edge.source, edge.target];
    ends.sort_unstable();
    ends
}

fn connect<'a>(neighbours: &mut BTreeMap<Node<'a>, Vec<Node<'a>>>, [a, b]: [Node<'a>; 2]) {
    neighbours.entry(a).or_default().push(b);
    neighbours.entry(b).or_default().push(a);
}

/// Returns the shortest way between two nodes, both included.
fn way<'a>(
    neighbours: &BTreeMap<Node<'a>, Vec<Node<'a>>>,
    from: Node<'a>,
    to: Node<'a>,
) -> Option<Vec<Node<'a>>> {
    let mut came_from = BTreeMap::from([(from, from)]);
    let mut queue = VecDeque::from([from]);
    while let Some(node) = queue.pop_front() {
        if node == to {
            let mut way = vec![node];
            let mut at = node;
            while at != from {
                at = *came_from.get(&at)?;
                way.push(at);
            }
            way.reverse();
            return Some(way);
        }
        for &next in neighbours.get(&node).into_iter().flatten() {
            came_from.entry(next).or_insert_with(|| {
                queue.push_back(next);
                node
            });
        }
    }
    None
}

fn ring(way: &[Node<'_>], links: &[Pair<'_>], new: &Pair<'_>) -> Error {
    let address = |identity: &str| {
        // The new link's addresses are what was just typed.
        let pairs = std::iter::once(new).chain(links);
        let mut ends =
            pairs.flat_map(|pair| Side::BOTH.map(|side| (pair.identity[side], pair.address[side])));
        ends.find(|&(known, _)| known == identity)
            .map_or(identity.to_owned(), |(_, address)| address.to_owned())
    };
    let mut shown = String::new();
    for (identity, collection) in way.iter().chain(way.first()) {
        if !shown.is_empty() {
            shown.push_str(" - ");
        }
        let address = address(identity);
        write!(shown, "{address} ({collection})").expect("a String takes every character");
    }
    Error::config(format!("two-way links in a ring: {shown}")).hint(
        "a change would come back to its writer from the other side: make it a star, where each endpoint is paired with \
         one hub; or `trueup forget LINK` a link that is no longer used",
    )
}
