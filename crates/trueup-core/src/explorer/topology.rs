//! Several places: links that share a hub settle, a ring of links does not. That is why a ring is refused.
//!
//! One base per link, and each link is synchronised in one step; the crashes are the other model's business. The nodes
//! are judged as the two stores are.

use super::decide::{Decider, Known, Look, Values};
use super::lineage::Lineage;
use super::search::{Model, Report, Until, Verdict, search};
use super::world::{Held, Rec};
use crate::policy::{OnDelete, Policy, Rules, StampFrom};
use crate::reconcile::BaseMove;
use crate::side::{Side, Sides};
use xxhash_rust::xxh3::xxh3_64;

const NODES_MAX: usize = 4;
const LINKS_MAX: usize = 4;
/// Whoever still writes after so many rounds will not stop.
const ROUNDS_MAX: u8 = 16;

/// Which nodes are linked.
struct Topology {
    nodes: usize,
    links: Vec<(usize, usize)>,
    writes: u8,
    decider: Decider,
}

#[derive(Clone, Copy, Debug)]
struct Places {
    held: [Held; NODES_MAX],
    base: [Known; LINKS_MAX],
    lineage: Lineage,
}

#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "shown in traces")]
enum Event {
    Start,
    Write(usize, Option<usize>),
    Delete(usize),
    Sync(usize),
}

impl Topology {
    fn new(nodes: usize, links: &[(usize, usize)], policy: Policy, writes: u8) -> Self {
        let rules = Rules::new(2, policy, &[], OnDelete::Keep, Some(StampFrom::Endpoint)).unwrap();
        Self {
            nodes,
            links: links.to_vec(),
            writes,
            decider: Decider::new(rules, Values::Numbers),
        }
    }

    /// Synchronises one link; tells whether it wrote, and whether a conflict stays open.
    fn sync(&mut self, places: &mut Places, link: usize) -> (bool, bool) {
        let (source, target) = self.links[link];
        let held = Sides::new(places.held[source], places.held[target]);
        let look = held.map(|held| Look::At(held.rec));
        let plan = self.decider.ask(places.base[link], look);
        let (rec, known) = (held.map(|held| held.rec), held.map(|held| held.known));
        if let Some((kind, fields, _)) = plan.conflict {
            places.lineage.conflict(kind, fields, rec, known);
        }
        for (side, node) in [(Side::Source, source), (Side::Target, target)] {
            if plan.write[side] {
                places.held[node] = Held {
                    rec: plan.after[side],
                    known: known.source | known.target,
                    live: if plan.after[side].is_absent() {
                        0
                    } else {
                        held.source.live | held.target.live
                    },
                    ..held[side]
                };
            }
        }
        if plan.write == Sides::default() && rec.source == rec.target {
            // They agree: what either side's writers meant by it is what both say now.
            for node in [source, target] {
                places.held[node].known = known.source | known.target;
                places.held[node].live = held.source.live | held.target.live;
            }
        }
        places.base[link] = match plan.base {
            BaseMove::Keep => places.base[link],
            BaseMove::Absent => Known::Absent,
            BaseMove::Agreed => Known::Present(plan.after.source),
            BaseMove::Observed(_) => panic!("only between two steps"),
        };
        let open = plan.conflict.is_some_and(|(_, _, open)| open);
        (plan.write != Sides::default(), open)
    }

    fn write(&self, mut places: Places, node: usize, fields: &[usize]) -> Places {
        let held = &mut places.held[node];
        let bit = places.lineage.write(held.known, held.live, fields);
        if fields.is_empty() {
            held.rec = Rec::ABSENT;
            held.live = 0;
        } else {
            held.live |= bit;
        }
        for &field in fields {
            held.rec.0[field] = bit;
        }
        held.known |= bit;
        places
    }
}

impl Model for Topology {
    type State = Places;
    type Action = Event;

    fn starts(&mut self) -> Vec<(Event, Places)> {
        let rec = Rec([1, 1]);
        let held = Held {
            rec,
            known: 1,
            live: 1,
            ..Held::default()
        };
        let places = Places {
            held: [held; NODES_MAX],
            base: [Known::Present(rec); LINKS_MAX],
            lineage: Lineage::new(),
        };
        vec![(Event::Start, places)]
    }

    fn next(&mut self, places: &Places, into: &mut Vec<(Event, Places)>) {
        if places.lineage.made < self.writes {
            for node in 0..self.nodes {
                if places.held[node].rec.is_absent() {
                    into.push((Event::Write(node, None), self.write(*places, node, &[0, 1])));
                    continue;
                }
                for field in 0..2 {
                    let next = self.write(*places, node, &[field]);
                    into.push((Event::Write(node, Some(field)), next));
                }
                into.push((Event::Delete(node), self.write(*places, node, &[])));
            }
        }
        for link in 0..self.links.len() {
            let mut next = *places;
            self.sync(&mut next, link);
            into.push((Event::Sync(link), next));
        }
    }

    fn fingerprint(&self, places: &Places) -> u64 {
        let mut bytes = Vec::with_capacity(80);
        for held in &places.held[..self.nodes] {
            bytes.extend([held.rec.0[0], held.rec.0[1], held.known, held.live]);
        }
        for base in &places.base[..self.links.len()] {
            bytes.extend(match base {
                Known::Unknown => [0, 0, 0],
                Known::Absent => [1, 0, 0],
                Known::Present(rec) => [2, rec.0[0], rec.0[1]],
            });
        }
        places.lineage.pack(&mut |part| bytes.extend(part));
        xxh3_64(&bytes)
    }

    fn judge(&mut self, places: &Places) -> Option<Verdict> {
        let mut places = *places;
        let mut verdict = Verdict::default();
        let open = loop {
            let (mut wrote, mut open) = (false, false);
            for link in 0..self.links.len() {
                let (writes, stays) = self.sync(&mut places, link);
                wrote |= writes;
                open |= stays;
            }
            if !wrote || verdict.passes == ROUNDS_MAX {
                verdict.unsettled = wrote;
                break open;
            }
            verdict.passes += 1;
        };
        let nodes = &places.held[..self.nodes];
        verdict.unsettled |= !open && nodes.iter().any(|held| held.rec != nodes[0].rec);
        let held = [0, 1].map(|field| nodes.iter().fold(0, |all, held| all | held.rec.0[field]));
        let lineage = &places.lineage;
        verdict.lost = lineage.lost(held, lineage.logged, false);
        verdict.returned = lineage.returned(held);
        verdict.false_conflict = lineage.false_conflict;
        verdict.conflict = lineage.logged != [0, 0];
        Some(verdict)
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the counts are what a person wants to see"
)]
fn explore(name: &str, nodes: usize, links: &[(usize, usize)], policy: Policy) -> Report {
    let mut topology = Topology::new(nodes, links, policy, 3);
    let report = search(&mut topology, Until::Everything);
    println!("{name} {policy}: {report:?}");
    report
}

const POLICIES: [Policy; 6] = [
    Policy::Source,
    Policy::Target,
    Policy::Newest,
    Policy::Merge,
    Policy::Manual,
    Policy::Max,
];

#[test]
fn a_star_of_three_settles() {
    for policy in POLICIES {
        let report = explore("star of three", 3, &[(0, 1), (0, 2)], policy);
        assert!(report.states > 1_000, "{report:?}");
        assert_eq!(report.violations(), 0, "{policy}: {report:#?}");
    }
}

#[test]
fn a_hub_with_three_spokes_settles() {
    let links = [(0, 1), (0, 2), (0, 3)];
    let report = explore("hub with three spokes", 4, &links, Policy::Source);
    assert!(report.states > 20_000, "{report:?}");
    assert_eq!(report.violations(), 0, "{report:#?}");
}

#[test]
fn a_ring_of_three_does_not_settle() {
    let ring = [(0, 1), (1, 2), (2, 0)];
    let report = explore("ring", 3, &ring, Policy::Source);
    assert_ne!(report.unsettled, 0, "{report:#?}");
    assert_ne!(report.false_conflicts, 0, "{report:#?}");
}
