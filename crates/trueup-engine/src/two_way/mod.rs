//! Links that carry changes both ways.
//!
//! A run is one or more passes: [`open`] claims both sides and finishes what an earlier run left behind, [`decide`]
//! compares both sides with the base, [`carry`] writes, and the base follows the outcomes. A record that somebody
//! changed between reading and writing is left alone and looked at again by the next pass. The protocol, and why it
//! loses nothing, is in `docs/design/0003-two-way-protocol.md`; the deciding is `trueup_core::reconcile`.
//!
//! Inside, the sides are in canonical order (see [`prepare`]); what people read is in theirs.

mod alone;
mod answer;
mod asked;
mod base;
mod carry;
mod config;
mod decide;
mod expression;
mod fresh_key;
mod kept;
mod marker;
mod merge_text;
mod moved;
mod open;
mod outlook;
mod pass;
mod prepare;
mod prove;
mod ring;
mod sending;
mod spelling;
mod summary;
mod tally;
mod trial;
mod work;

pub(crate) use alone::prove_alone;
pub use config::{ConflictRule, PolicySpec, TwoWay};
pub(crate) use outlook::plan;
pub use spelling::spelled;
pub(crate) use trial::{attempt, reversed};

use crate::link::{Link, World};
use crate::progress::Event;
use crate::report::Report;
use crate::state::{Ends, LinkId, RunId, Store};
use pass::{Pass, Passing};
use prepare::Joint;
use tally::Tally;
use trueup_core::side::{Side, Sides};
use trueup_core::{Error, Kind, Result};

/// How often a run looks again when records change while it is under way.
const PASSES_MAX: usize = 5;

/// How often a broken connection is tried again, and the first pause; each next one is twice as long.
const RECONNECTS_MAX: u32 = 5;
const RECONNECT_PAUSE_MS: u64 = 200;

/// Runs a two-way link once: carries what changed, records conflicts, verifies.
///
/// # Errors
/// Every kind. After an error both sides hold a consistent part of what was decided; the next run goes on.
pub(crate) fn run(
    link: &mut Link,
    store: &mut Store,
    id: &LinkId,
    run: RunId,
    world: &World<'_>,
) -> Result<Report> {
    in_order(link, |link, turned| {
        let joints = prepared(link, turned)?;
        tell_shapes(&joints, world);
        // Every pass is about the same collections, whatever appears meanwhile.
        link.collections = joints.iter().map(|joint| joint.spec.clone()).collect();
        let mut journey = Journey {
            ends: ends(link),
            link,
            store,
            id,
            run,
            world,
            turned,
        };
        journey.refuse_ring(&joints)?;
        moved::refuse(journey.link, journey.store, id)?;
        journey.go(joints.len())
    })
}

/// Puts the sides in canonical order for as long as `what` runs.
fn in_order<T>(link: &mut Link, what: impl FnOnce(&mut Link, bool) -> Result<T>) -> Result<T> {
    let turned = prepare::is_turned(link);
    if turned {
        swap(link);
    }
    let result = what(link, turned);
    if turned {
        swap(link);
    }
    result
}

fn swap(link: &mut Link) {
    std::mem::swap(&mut link.source, &mut link.target);
    link.places = std::mem::take(&mut link.places).swapped();
}

fn prepared(link: &mut Link, turned: bool) -> Result<Vec<Joint>> {
    let two_way = link
        .two_way
        .clone()
        .ok_or_else(|| Error::bug("the link does not go both ways"))?;
    prepare::prepare(link, &two_way, turned)
}

/// Tells listeners what is compared, the user's source first.
fn tell_shapes(joints: &[Joint], world: &World<'_>) {
    for joint in joints {
        for name in Side::BOTH {
            // The user's name for a side is also the side that the user calls so.
            let side = joint.user[name];
            let schema = &joint.schema[side];
            world.progress.event(Event::Shape {
                side: name.name(),
                collection: &schema.collection,
                fields: schema.fields.len(),
                missing: joint.create[side].is_some(),
            });
        }
    }
}

fn ends(link: &Link) -> Ends {
    let about = Sides::new(link.source.about(), link.target.about());
    Ends {
        identity: about.map(|about| about.identity),
        address: link.lasting_addresses(),
    }
}

/// One run of a two-way link.
struct Journey<'a, 'w> {
    ends: Ends,
    link: &'a mut Link,
    store: &'a mut Store,
    id: &'a LinkId,
    run: RunId,
    world: &'a World<'w>,
    turned: bool,
}

impl Journey<'_, '_> {
    fn go(&mut self, collections: usize) -> Result<Report> {
        let mut tally = Tally::new(collections);
        let mut first: Option<Vec<summary::Found>> = None;
        let (mut passes, mut reconnects) = (0, 0);
        let mut notes = Vec::new();
        loop {
            let passed = match self.pass(&mut tally, &mut notes) {
                Ok(passed) => passed,
                Err(lost) => {
                    self.reconnect(lost, &mut reconnects)?;
                    continue;
                }
            };
            passes += 1;
            let found = first.get_or_insert_with(|| passed.found.clone());
            let last = passes == PASSES_MAX;
            if passed.again && !last {
                continue;
            }
            let mut report = summary::report(self.link, self.turned, found, &passed, &tally);
            report.notes.append(&mut notes.clone());
            if passed.again {
                report.notes.push(format!(
                    "records changed faster than they could be written, in each of {passes} passes: run again"
                ));
            }
            if self.link.mode.verify {
                self.world.failpoints.pass("two-way.verifying")?;
                let proven = self.prove(&passed, &mut report)?;
                if !proven && !last {
                    continue;
                }
            }
            report.equal &= !passed.again && report.parked() == 0 && report.open_conflicts() == 0;
            return Ok(report);
        }
    }

    /// Two-way links in a ring need not ever settle (the explorer has schedules that do not).
    fn refuse_ring(&self, joints: &[Joint]) -> Result<()> {
        let known = self.store.two_way_links()?;
        let others = known
            .iter()
            .filter(|(durable, _, _)| *durable != self.id.durable);
        let others: Vec<_> = others
            .map(|(_, ends, names)| ring_pair(ends, names))
            .collect();
        let ours: Vec<Sides<String>> = joints.iter().map(Joint::names).collect();
        ring::refuse_ring(&others, &ring_pair(&self.ends, &ours))
    }

    fn pass(&mut self, tally: &mut Tally, notes: &mut Vec<String>) -> Result<Pass> {
        Passing {
            link: self.link,
            store: self.store,
            ends: &self.ends,
            id: self.id,
            run: self.run,
            world: self.world,
            tally,
            notes,
            turned: self.turned,
        }
        .pass()
    }

    /// Waits after a broken connection. The next pass starts at raising the epochs: to go on under the old ones would
    /// hide that an endpoint was put back meanwhile.
    fn reconnect(&self, lost: Error, reconnects: &mut u32) -> Result<()> {
        *reconnects += 1;
        if lost.kind() != Kind::Unavailable || *reconnects > RECONNECTS_MAX {
            return Err(lost);
        }
        let note = format!("a side went away ({lost}); beginning again");
        self.world.progress.note(&note);
        self.world
            .clock
            .wait_ms(RECONNECT_PAUSE_MS << (*reconnects - 1));
        self.world.check_stop()
    }

    /// Verifies every collection. Returns `false` when records differ that are neither open nor parked: somebody changed
    /// them since, or they were not written as it seemed; either way the next pass looks.
    fn prove(&mut self, passed: &Pass, report: &mut Report) -> Result<bool> {
        prove::prove(self.link, self.turned, passed, report, self.world)
    }
}

fn ring_pair<'a>(ends: &'a Ends, collections: &'a [Sides<String>]) -> ring::Pair<'a> {
    ring::Pair {
        identity: ends.identity.as_ref().map(String::as_str),
        address: ends.address.as_ref().map(String::as_str),
        collections,
    }
}

/// Returns what the user calls `side`.
fn user(turned: bool, side: Side) -> Side {
    if turned { side.other() } else { side }
}
