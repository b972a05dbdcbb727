//! Begins a pass: claims both sides, finishes what an earlier run left behind, and asks whether state and endpoints
//! still belong together.
//!
//! The order matters. The epochs are raised first, so that a commit of an earlier run that is still in flight becomes
//! visible or is refused before any marker is read. A marker is only compared for equality: any other token than the
//! expected ones says that something was put back (an endpoint, the state, or both), and then what the sides agreed
//! on is forgotten. Forgetting is always safe: the sides are joined again, differences become conflicts, and nothing
//! is deleted.

use super::marker::{self, Found};
use super::prepare::Joint;
use super::user;
use crate::link::{Link, World};
use crate::state::{CollectionId, CollectionRow, Intent, LinkId, Pair, Store, Token};
use trueup_core::endpoint::{Claim, Mark, Writer};
use trueup_core::side::{Side, Sides};
use trueup_core::{Error, Result};

/// The partition whose marker is the seal. No collection has an empty name.
const SEAL: &str = "";

/// Both sides claimed, and the state in agreement with them.
pub(super) struct Opened {
    pub(super) writers: Sides<Box<dyn Writer>>,
    /// One per joint.
    pub(super) collections: Vec<Known>,
    pub(super) notes: Vec<String>,
    /// The number of the last seal on each side.
    seals: Sides<u64>,
}

/// What is known of one collection when a pass begins.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) id: CollectionId,
    pub(super) complete: bool,
    /// The number of the last batch on each side.
    pub(super) batches: Sides<u64>,
}

/// An earlier batch that turned out to have been applied, to be counted by who knows what it held.
pub(super) struct Recovered {
    pub(super) token: Token,
    pub(super) left_out: Vec<usize>,
}

/// Claims both endpoints: raises their epochs. What is read of them from here on is read under them.
pub(super) fn claim(
    link: &mut Link,
    store: &Store,
    id: &LinkId,
    turned: bool,
    world: &World<'_>,
) -> Result<Sides<Box<dyn Writer>>> {
    let claim = Claim {
        link: id.durable.clone(),
        incarnation: store.incarnation().to_owned(),
    };
    let at = |side: Side, error: Error| error.at(user(turned, side).name());
    let source = link.source.writer(&claim);
    let source = source.map_err(|error| at(Side::Source, error))?;
    let target = link.target.writer(&claim);
    let target = target.map_err(|error| at(Side::Target, error))?;
    world.failpoints.pass("two-way.claimed")?;
    Ok(Sides::new(source, target))
}

/// Brings the state up to date with what the endpoints say.
pub(super) fn open(
    writers: Sides<Box<dyn Writer>>,
    pair: &Pair,
    store: &mut Store,
    link: &LinkId,
    joints: &[Joint],
    world: &World<'_>,
    recovered: &mut Vec<Recovered>,
) -> Result<Opened> {
    let user = joints.first().map(|joint| joint.user);
    let name = |side: Side| user.map_or("endpoint", |user| user[side].name());
    let mut opening = Opening {
        writers,
        store,
        link,
        notes: Vec::new(),
        name: &name,
    };
    let seals = opening.seals(pair)?;
    let mut collections = Vec::new();
    for joint in joints {
        collections.push(opening.collection(joint, recovered)?);
    }
    world.failpoints.pass("two-way.recovered")?;
    Ok(Opened {
        writers: opening.writers,
        collections,
        notes: opening.notes,
        seals,
    })
}

impl Opened {
    /// Writes a fresh token to both sides: whatever is put back from here on, even to a moment after the reading, is
    /// noticed. Checked under the epoch, it also proves that nothing was put back while we read.
    pub(super) fn seal(
        &mut self,
        store: &mut Store,
        link: &LinkId,
        world: &World<'_>,
        user: &Sides<Side>,
    ) -> Result<()> {
        let token = fresh(world)?;
        store.expect_seal(link, token)?;
        world.failpoints.pass("two-way.sealing")?;
        for side in Side::BOTH {
            self.seals[side] += 1;
            let mark = Mark {
                partition: SEAL.to_owned(),
                batch: self.seals[side],
                position: marker::encode(token, &[]),
            };
            self.writers[side]
                .mark(&mark)
                .map_err(|error| error.at(user[side].name()))?;
            world.failpoints.pass("two-way.sealed")?;
        }
        Ok(())
    }
}

/// Draws a token.
pub(super) fn fresh(world: &World<'_>) -> Result<Token> {
    let mut token = Token([0; 16]);
    (world.random)(&mut token.0)?;
    Ok(token)
}

struct Opening<'a> {
    writers: Sides<Box<dyn Writer>>,
    store: &'a mut Store,
    link: &'a LinkId,
    notes: Vec<String>,
    name: &'a dyn Fn(Side) -> &'static str,
}

impl Opening<'_> {
    /// Compares the seals with what the state knows; a strange one makes the state forget every base of the pair.
    fn seals(&mut self, pair: &Pair) -> Result<Sides<u64>> {
        let mut numbers = Sides::new(0, 0);
        let mut found = Sides::new(None, None);
        for side in Side::BOTH {
            let (number, marker) = self.marker(side, SEAL)?;
            numbers[side] = number;
            found[side] = marker.map(|found| found.token);
        }
        let strange = |side: Side| {
            let pending = pair.pending.is_some() && found[side] == pair.pending;
            found[side] != pair.seal[side] && !pending
        };
        let strange = Side::BOTH.map(strange);
        if strange.contains(&true) {
            self.store.forget(self.link, &found)?;
            let (source, target) = (strange[0], strange[1]);
            let whose = match (source, target) {
                (true, false) => (self.name)(Side::Source),
                (false, true) => (self.name)(Side::Target),
                _ => "one side",
            };
            self.notes.push(format!(
                "{whose} or the state file is not the one of the last run (restored from a backup, or replaced; \
                 state={}, and another user or another HOME has another one): what the sides agreed on is no longer known, so they are joined again, and nothing is deleted",
                self.store.path().display()
            ));
        } else if found != pair.seal {
            self.store.adopt_seals(self.link, &found)?;
        }
        Ok(numbers)
    }

    /// Opens one collection: its intents are finished or dropped, its marks compared.
    fn collection(&mut self, joint: &Joint, recovered: &mut Vec<Recovered>) -> Result<Known> {
        let fields = Sides::by(|side| {
            let names = joint.shared.names(side);
            names.into_iter().map(str::to_owned).collect::<Vec<_>>()
        });
        let (row, reshaped) = self.store.collection(
            self.link,
            &joint.names(),
            &joint.shared.shape(),
            &fields,
            joint.shared.key(),
        )?;
        if reshaped {
            self.note(joint, "its fields are others than before: the sides are joined again, and nothing is deleted");
        }
        let mut batches = Sides::new(0, 0);
        let mut tokens = Sides::new(None, None);
        let mut strange = false;
        for side in Side::BOTH {
            let (number, found) = self.marker(side, joint.partition(side))?;
            batches[side] = number;
            tokens[side] = found.as_ref().map(|found| found.token);
            strange |= !self.settle(&row, side, found, recovered)?;
        }
        // A collection that is missing was dropped, with whatever it held: that is no word about its records.
        let missing = Side::BOTH
            .into_iter()
            .find(|&side| joint.create[side].is_some());
        let mut complete = row.complete;
        if let Some(side) = missing {
            if self.store.forget_collection(self.link, row.id, &tokens)? {
                let name = joint.user[side].name();
                self.note(
                    joint,
                    &format!("it is missing at the {name}: it is created anew and the sides are joined again"),
                );
            }
            complete = false;
        } else if strange {
            if self.store.forget_collection(self.link, row.id, &tokens)? {
                self.note(
                    joint,
                    "a side or the state file was put back: the sides are joined again, and nothing is deleted",
                );
            }
            complete = false;
        }
        Ok(Known {
            id: row.id,
            complete,
            batches,
        })
    }

    /// Finishes or drops the batch that may have reached `side`. Returns whether the marker is one that the state
    /// expects.
    fn settle(
        &mut self,
        row: &CollectionRow,
        side: Side,
        found: Option<Found>,
        recovered: &mut Vec<Recovered>,
    ) -> Result<bool> {
        let token = found.as_ref().map(|found| found.token);
        match &row.intents[side] {
            Some(intent) if token == Some(intent.token) => {
                let left_out = found.map(|found| found.stale).unwrap_or_default();
                self.finish(row.id, side, intent, &left_out)?;
                recovered.push(Recovered {
                    token: intent.token,
                    left_out,
                });
                Ok(true)
            }
            Some(intent) if token == row.marks[side] => {
                self.store.drop_intent(self.link, row.id, side, intent)?;
                Ok(true)
            }
            Some(_) | None => Ok(token == row.marks[side]),
        }
    }

    fn finish(
        &mut self,
        collection: CollectionId,
        side: Side,
        intent: &Intent,
        left_out: &[usize],
    ) -> Result<()> {
        let applied = |index: usize| left_out.binary_search(&index).is_err();
        self.store
            .finalise(self.link, collection, side, intent, &applied)
    }

    fn marker(&mut self, side: Side, partition: &str) -> Result<(u64, Option<Found>)> {
        let marker = self.writers[side].marker(partition);
        let marker = marker.map_err(|error: Error| error.at((self.name)(side)))?;
        let number = marker.as_ref().map_or(0, |marker| marker.batch);
        let found = marker::decode(marker).map_err(|error| error.at((self.name)(side)))?;
        Ok((number, found))
    }

    fn note(&mut self, joint: &Joint, text: &str) {
        let name = &joint.schema[joint.user[Side::Source]].collection;
        self.notes.push(format!("collection={name}: {text}"));
    }
}
