//! Proves a two-way link by itself: what no run has just compared. Writes nothing, anywhere.
//!
//! Keys in open conflict and parked records take no part: they are counted, and keep the sides from being equal. What
//! somebody changed since the last run is a difference like any other.

use super::prove::LeftOut;
use super::{in_order, prepared};
use crate::link::{Link, World};
use crate::prove::{certificate, summary};
use crate::report::Report;
use crate::scan::Role;
use crate::state::{LinkId, Store};
use crate::verify::{Subject, verify};
use std::collections::BTreeMap;
use trueup_core::endpoint::Endpoint;
use trueup_core::mapping::key_digest;
use trueup_core::side::{Side, Sides};
use trueup_core::{Error, Result};

/// Compares both sides by the path that verifies every link.
pub(crate) fn prove_alone(
    link: &mut Link,
    store: Option<&Store>,
    id: &LinkId,
    world: &World<'_>,
) -> Result<Report> {
    let name = link.name();
    let (mut report, proofs, positions) = in_order(link, |link, turned| {
        let joints = prepared(link, turned)?;
        let mut report = Report {
            link: name,
            equal: true,
            notes: [link.source.about().notes, link.target.about().notes].concat(),
            ..Report::default()
        };
        let mut ends: Sides<&mut dyn Endpoint> =
            Sides::new(link.source.as_mut(), link.target.as_mut());
        if turned {
            ends = ends.swapped();
        }
        let Sides { source, target } = ends;
        let snapshot = source.snapshot().map_err(|error| error.at("source"));
        let mut snapshot = snapshot?;
        let (mut proofs, mut position) = (Vec::new(), String::new());
        for joint in &joints {
            if let Some(side) = Side::BOTH
                .into_iter()
                .find(|&side| joint.create[side].is_some())
            {
                let (user, collection) = (joint.user[side], joint.partition(side));
                return Err(Error::config(format!(
                    "{user}: there is no collection called {collection}"
                ))
                .hint("run the link first: it creates what is missing"));
            }
            let (mut parked, mut open) = (Vec::new(), BTreeMap::new());
            if let Some(store) = store {
                parked = store.parked(id, joint.name(Role::Target))?;
                let known = store.peek_collection(id, &joint.names(), &joint.shared.shape())?;
                if let Some(known) = known {
                    open = store.open_keys(known.id)?;
                }
            }
            let open_keys = open.keys().map(|key| key_digest(key));
            let left_out = LeftOut::new(parked.iter().map(|one| one.key), open_keys);
            let (left_out, keys) = (&left_out, &left_out.keys);
            let (proof, at) = verify(joint, snapshot.as_mut(), target, true, keys, world)?;
            let proof = left_out.counted(proof);
            position = at.0;
            let mut summary = summary(&proof, parked);
            summary.open_conflicts = open.len() as u64;
            summary.conflicts = summary.open_conflicts;
            report.equal &= proof.wrong + proof.parked + proof.open + summary.open_conflicts == 0;
            report.equal &= summary.parked.is_empty();
            report.collections.push(summary);
            proofs.push(proof);
        }
        let positions = Sides::new(snapshot.position().0, position);
        Ok((report, proofs, positions))
    })?;
    report.certificate = Some(certificate(link, positions, proofs, &report, world));
    Ok(report)
}
