//! Every small graph, against an oracle that looks at it another way.

use super::*;
use trueup_core::error::Kind;

/// A pair that owns its names.
struct Owned {
    identity: Sides<String>,
    address: Sides<String>,
    collections: Vec<Sides<String>>,
}

impl Owned {
    fn new(source: &str, target: &str, collections: &[(&str, &str)]) -> Self {
        Self {
            identity: Sides::new(format!("id-{source}"), format!("id-{target}")),
            address: Sides::new(format!("at:{source}"), format!("at:{target}")),
            collections: collections
                .iter()
                .map(|&(source, target)| Sides::new(source.to_owned(), target.to_owned()))
                .collect(),
        }
    }

    fn pair(&self) -> Pair<'_> {
        Pair {
            identity: self.identity.as_ref().map(String::as_str),
            address: self.address.as_ref().map(String::as_str),
            collections: &self.collections,
        }
    }
}

fn refused(links: &[Owned], new: &Owned) -> Option<String> {
    let links: Vec<Pair<'_>> = links.iter().map(Owned::pair).collect();
    let error = refuse_ring(&links, &new.pair()).err()?;
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.advice().unwrap().contains("trueup forget"));
    Some(error.message().to_owned())
}

const T: &[(&str, &str)] = &[("t", "t")];

#[test]
fn a_triangle_is_refused_and_shown() {
    let links = [Owned::new("a", "b", T), Owned::new("c", "b", T)];
    assert_eq!(
        refused(&links, &Owned::new("a", "c", T)).unwrap(),
        "two-way links in a ring: at:a (t) - at:b (t) - at:c (t) - at:a (t)"
    );
}

#[test]
fn stars_chains_and_itself_are_let_in() {
    let star = [Owned::new("hub", "a", T), Owned::new("b", "hub", T)];
    assert_eq!(refused(&star, &Owned::new("hub", "c", T)), None);
    assert_eq!(refused(&star, &Owned::new("a", "c", T)), None);
    assert_eq!(refused(&star, &Owned::new("a", "hub", T)), None);
    assert_eq!(refused(&star, &Owned::new("hub", "a", T)), None);
    assert_eq!(refused(&[], &Owned::new("a", "b", T)), None);
}

/// Collections are what is paired: endpoints may form a ring where no collection does.
#[test]
fn a_ring_is_of_collections() {
    let links = [
        Owned::new("a", "b", &[("t", "t"), ("u", "u")]),
        Owned::new("b", "c", &[("t", "t")]),
    ];
    assert_eq!(refused(&links, &Owned::new("c", "a", &[("u", "u")])), None);
    assert!(refused(&links, &Owned::new("c", "a", &[("u", "u"), ("t", "t")])).is_some());
    // Under other names it is the same collection.
    let links = [
        Owned::new("a", "b", &[("t", "x")]),
        Owned::new("b", "c", &[("x", "y")]),
    ];
    assert!(refused(&links, &Owned::new("c", "a", &[("y", "t")])).is_some());
    assert_eq!(refused(&links, &Owned::new("c", "a", &[("y", "y")])), None);
    // Two pairs of the same endpoints are no ring as long as no collection comes twice.
    let links = [Owned::new("a", "b", &[("t", "t")])];
    assert_eq!(refused(&links, &Owned::new("a", "b", &[("t", "u")])), None);
    assert_eq!(
        refused(&links, &Owned::new("b", "a", &[("u", "t"), ("t", "t")])),
        None
    );
}

#[test]
fn a_link_can_be_a_ring_by_itself() {
    assert!(refused(&[], &Owned::new("a", "a", T)).is_some());
    assert_eq!(refused(&[], &Owned::new("a", "a", &[("t", "u")])), None);
    let square = [("t", "t"), ("t", "u"), ("u", "t"), ("u", "u")];
    assert!(refused(&[], &Owned::new("a", "b", &square)).is_some());
    assert_eq!(refused(&[], &Owned::new("a", "b", &square[..3])), None);
    let twice = [("t", "t"), ("t", "t")];
    assert_eq!(refused(&[], &Owned::new("a", "b", &twice)), None);
}

/// One identity under two addresses is one node; the address just typed is shown.
#[test]
fn identities_decide() {
    let mut other = Owned::new("b", "c", T);
    other.address.source = "elsewhere:b".to_owned();
    let links = [Owned::new("a", "b", T), other];
    assert_eq!(
        refused(&links, &Owned::new("c", "a", T)).unwrap(),
        "two-way links in a ring: at:a (t) - at:b (t) - at:c (t) - at:a (t)"
    );
}

/// Every graph of up to five nodes, and every pair that could be added, in both orders: refused exactly where its two
/// ends are connected without it, as the closure of the matrix says.
#[test]
fn all_small_graphs() {
    const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
    for nodes in 2..=5_usize {
        let edges: Vec<(usize, usize)> = (0..nodes)
            .flat_map(|a| (a + 1..nodes).map(move |b| (a, b)))
            .collect();
        for graph in 0..1_u32 << edges.len() {
            let chosen = |index: usize| graph >> index & 1 == 1;
            let links: Vec<Owned> = (0..edges.len())
                .filter(|&index| chosen(index))
                .map(|index| {
                    let (a, b) = edges[index];
                    // Which end comes first must not matter.
                    let (a, b) = if (graph as usize + index).is_multiple_of(2) {
                        (a, b)
                    } else {
                        (b, a)
                    };
                    Owned::new(NAMES[a], NAMES[b], T)
                })
                .collect();
            for (new, &(a, b)) in edges.iter().enumerate() {
                let mut reach = [[false; 5]; 5];
                for (index, &(x, y)) in edges.iter().enumerate() {
                    if chosen(index) && index != new {
                        (reach[x][y], reach[y][x]) = (true, true);
                    }
                }
                for middle in 0..nodes {
                    for x in 0..nodes {
                        for y in 0..nodes {
                            reach[x][y] |= reach[x][middle] && reach[middle][y];
                        }
                    }
                }
                for (a, b) in [(a, b), (b, a)] {
                    let said = refused(&links, &Owned::new(NAMES[a], NAMES[b], T));
                    assert_eq!(said.is_some(), reach[a][b], "{nodes} {graph:b} {a} {b}");
                }
            }
        }
    }
}
