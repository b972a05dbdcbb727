//! Verifies a two-way link: both sides are read once more, by the path that verifies every link.
//!
//! Keys in open conflict and parked records take no part: they are counted in the report. Both sides may be in use, so a
//! difference is no failure by itself: the next pass looks at it. It is one when neither side has moved since it was
//! read and the pass itself found nothing to do.

use super::pass::Pass;
use super::prepare::Joint;
use super::user;
use crate::certificate::{Certificate, CollectionProof, SideProof};
use crate::link::{Link, World};
use crate::progress::{Event, Step};
use crate::report::Report;
use crate::scan::{Reading, Role};
use crate::verify::{Subject, verify};
use std::collections::BTreeSet;
use trueup_core::digest::{ALGORITHM, Digest};
use trueup_core::endpoint::{Endpoint, Position};
use trueup_core::side::{Side, Sides};
use trueup_core::{Kind, Result};

impl Subject for Joint {
    fn name(&self, role: Role) -> &str {
        self.partition(self.side(role))
    }

    fn reading<'a>(&'a self, role: Role, world: &'a World<'a>) -> Reading<'a> {
        self.reading(self.side(role), Step::Verify, world)
    }

    fn creates_target(&self) -> bool {
        false
    }

    fn rules(&self) -> Vec<String> {
        let (source, target) = (self.side(Role::Source), self.side(Role::Target));
        let names = Sides::by(|side| self.shared.names(side));
        let native = |side: Side, position: usize| {
            let field = self.shared.fields(side)[position];
            &self.schema[side].fields[field].native
        };
        let types = self.shared.types().iter().enumerate();
        types
            .map(|(position, ty)| {
                format!(
                    "{}: {} <-> {} (as {ty})",
                    names[source][position],
                    native(source, position),
                    native(target, position)
                )
            })
            .collect()
    }
}

impl Joint {
    fn side(&self, role: Role) -> Side {
        match role {
            Role::Source => self.user[Side::Source],
            Role::Target => self.user[Side::Target],
        }
    }
}

/// Reads both sides again and puts what that proves into `report`. Returns `false` when the next pass has to look.
pub(super) fn prove(
    link: &mut Link,
    turned: bool,
    passed: &Pass,
    report: &mut Report,
    world: &World<'_>,
) -> Result<bool> {
    let addresses = Sides::new(link.source.about(), link.target.about()).map(|about| about.address);
    let mut ends: Sides<&mut dyn Endpoint> = Sides::new(link.source.as_mut(), link.target.as_mut());
    if turned {
        ends = ends.swapped();
    }
    let Sides { source, target } = ends;
    let source = source.snapshot().map_err(|error| error.at("source"));
    let mut source = source?;
    let mut position = Position(String::new());
    let mut collections = Vec::new();
    for (index, joint) in passed.joints.iter().enumerate() {
        let parked = report.collections[index].parked.iter().map(|one| one.key);
        let left_out = LeftOut::new(parked, passed.found[index].open.iter().copied());
        let summary = &report.collections[index];
        world.progress.event(Event::Expected {
            collection: joint.title(),
            step: Step::Verify,
            records: summary.source_fold.count + summary.target_fold.count,
        });
        let keys = &left_out.keys;
        let proven = verify(joint, source.as_mut(), target, true, keys, world);
        let (proof, at) = match proven {
            // It changes faster than it can be read twice.
            Err(error) if error.kind() == Kind::Stale => {
                return Ok(unproven(report, 1));
            }
            proven => proven?,
        };
        let proof = left_out.counted(proof);
        position = at;
        let summary = &mut report.collections[index];
        (summary.source_fold, summary.target_fold) = (proof.source_fold, proof.target_fold);
        collections.push(proof);
    }
    let wrong: u64 = collections.iter().map(|proof| proof.wrong).sum();
    let read = passed.positions.as_ref();
    let rested = passed.idle
        && *read.source == at(turned, Side::Source, &source.position(), &position)
        && *read.target == at(turned, Side::Target, &source.position(), &position);
    if wrong > 0 && !rested {
        return Ok(unproven(report, wrong));
    }
    report.equal &= wrong == 0;
    let side = |side: Side, position: String| SideProof {
        address: addresses[user(turned, side)].clone(),
        position,
    };
    report.certificate = Some(Certificate {
        link: report.link.clone(),
        issued_ms: world.clock.now_ms(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        algorithm: ALGORITHM.to_owned(),
        source: side(Side::Source, source.position().0),
        target: side(Side::Target, position.0),
        collections,
        notes: report.notes.clone(),
    });
    Ok(true)
}

/// Where the canonical `side` was verified.
fn at(turned: bool, side: Side, source: &Position, target: &Position) -> Position {
    match user(turned, side) {
        Side::Source => source.clone(),
        Side::Target => target.clone(),
    }
}

fn unproven(report: &mut Report, wrong: u64) -> bool {
    report.equal = false;
    report.notes.push(format!(
        "records changed while they were verified records={wrong}: there is no certificate; run again (if it is so each time, a trigger changes \
         what is written)"
    ));
    false
}

/// The keys that take no part.
pub(super) struct LeftOut {
    /// Their digests.
    pub(super) keys: Vec<Digest>,
    /// How many of them are in open conflict, and not parked as well.
    open: u64,
}

impl LeftOut {
    pub(super) fn new(
        parked: impl Iterator<Item = Digest>,
        open: impl Iterator<Item = Digest>,
    ) -> Self {
        let parked: BTreeSet<Digest> = parked.collect();
        let open: BTreeSet<Digest> = open.filter(|key| !parked.contains(key)).collect();
        Self {
            open: open.len() as u64,
            keys: parked.into_iter().chain(open).collect(),
        }
    }

    /// Tells open conflicts from parked records in what was proven with these keys left out.
    pub(super) fn counted(&self, proof: CollectionProof) -> CollectionProof {
        CollectionProof {
            parked: proof.parked.saturating_sub(self.open),
            open: self.open,
            ..proof
        }
    }
}
