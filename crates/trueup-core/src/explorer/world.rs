//! One state of everything: two stores, the state store, the engines' memory, a saved copy, and the ghost.
//!
//! Tags (epochs, seals, batch numbers, versions) only ever mean something by being equal, so they are renumbered in the
//! order of their places ([`World::canonical`]): worlds that differ in the numbers alone are one.

use super::decide::Known;
use super::lineage::{Lineage, Mask};
use crate::side::{Side, Sides};
use xxhash_rust::xxh3::xxh3_64;

/// A number that is drawn fresh; 0 is none.
pub(super) type Tag = u8;

/// The first number that is not in use in a renumbered world.
const FRESH: Tag = 100;

/// A record of two values, or none: a value is never the empty set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rec(pub(super) [Mask; 2]);

impl Rec {
    pub(super) const ABSENT: Self = Self([0, 0]);

    pub(super) fn is_absent(self) -> bool {
        self == Self::ABSENT
    }
}

/// A record with what is needed to replace it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) rec: Rec,
    /// Whether the link's filter hides it.
    pub(super) hidden: bool,
    /// Changes with every write and delete.
    pub(super) version: Tag,
    /// Ghost: what a writer who sees the record has seen.
    pub(super) known: Mask,
    /// Ghost: the writes that have gone into the record since it was last absent.
    pub(super) live: Mask,
}

/// What an endpoint keeps about the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marker {
    /// The last batch, with the state store's incarnation.
    pub(super) batch: Tag,
    /// Whether the batch's only key was stale.
    pub(super) stale: bool,
    /// Set after each look at the store: tells a copy that is older than the look.
    pub(super) seal: Tag,
}

/// One store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Store {
    pub(super) held: Held,
    pub(super) marker: Marker,
    /// The run that may write.
    pub(super) epoch: Tag,
    /// Values that were copied to records under fresh keys, per field.
    pub(super) kept: [Mask; 2],
}

/// A write that is decided on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// Whether the target is written, and not the source.
    pub(super) at_target: bool,
    /// 0: no write.
    pub(super) batch: Tag,
    /// Class V: the number that says that the write has been made, or refused.
    pub(super) done: Tag,
    pub(super) expected: Rec,
    pub(super) expected_version: Tag,
    pub(super) new: Rec,
    /// The base once it is done, with the version of the side that is not written.
    pub(super) base: Known,
    pub(super) other_version: Tag,
    /// Whether the base speaks of what the written side holds then.
    pub(super) agreed: bool,
    /// Whether what is overwritten is copied to a fresh key, now or with the write on the other side.
    pub(super) copies: bool,
    pub(super) copies_then: bool,
    /// What the other side is to hold, where it is written next.
    pub(super) then: Rec,
    /// Ghost: what both sides' writers knew.
    pub(super) known: Mask,
    /// Ghost: what has gone into the new record.
    pub(super) live: Mask,
}

impl Work {
    pub(super) fn side(&self) -> Side {
        if self.at_target {
            Side::Target
        } else {
            Side::Source
        }
    }
}

/// The state store. Every step changes it in one transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The run that may write.
    pub(super) run: Tag,
    pub(super) base: Known,
    pub(super) version: Sides<Tag>,
    /// The markers as they must be.
    pub(super) marker: Sides<Marker>,
    /// The seal that is being set.
    pub(super) pending: Tag,
    pub(super) intent: Work,
    /// The last number given out; only where markers hold nothing else.
    pub(super) count: u8,
}

/// Where an engine is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum At {
    #[default]
    Idle,
    Raise(Side),
    Recover,
    Read(Side),
    Seal(Side),
    Decide,
    /// The epoch is looked at in a transaction of its own; only where a flaw says so.
    Peek,
    /// Class V: the batch's number goes into the endpoint before its write, and another one after it.
    Mark,
    MarkDone,
    Apply,
    /// The other side of a flawed batch that writes both.
    ApplyOther,
    Finalise,
    Then,
}

impl At {
    fn number(self) -> u8 {
        match self {
            Self::Idle => 0,
            Self::Raise(side) => 1 + u8::from(side == Side::Target),
            Self::Recover => 3,
            Self::Read(side) => 4 + u8::from(side == Side::Target),
            Self::Seal(side) => 6 + u8::from(side == Side::Target),
            Self::Decide => 8,
            Self::Peek => 9,
            Self::Apply => 10,
            Self::ApplyOther => 11,
            Self::Finalise => 12,
            Self::Then => 13,
            Self::Mark => 14,
            Self::MarkDone => 15,
        }
    }
}

/// An engine's memory; all of it is lost when it dies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Engine {
    pub(super) at: At,
    pub(super) run: Tag,
    pub(super) seal: Tag,
    pub(super) found: Sides<Marker>,
    pub(super) read: Sides<Held>,
    pub(super) work: Work,
    /// Whether the write did not happen.
    pub(super) stale: bool,
    /// The version that the write made.
    pub(super) made: Tag,
    /// The conflict that a flawed engine has yet to put on record: fields, and 4 for "there is one".
    pub(super) owed: u8,
}

/// What can be put back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Copied {
    #[default]
    Nothing,
    Store(Store),
    State(State),
    /// It has been put back.
    Used,
}

/// Everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct World {
    pub(super) store: Sides<Store>,
    pub(super) state: State,
    pub(super) engine: [Engine; 2],
    pub(super) copied: Copied,
    pub(super) lineage: Lineage,
    pub(super) crashes: u8,
    /// How often an engine has started, where that is limited.
    pub(super) runs: u8,
    next_tag: Tag,
}

impl World {
    pub(super) fn new(base: Known, source: Rec, target: Rec) -> Self {
        let held = |rec: Rec| Held {
            rec,
            known: rec.0[0] | rec.0[1],
            live: rec.0[0] | rec.0[1],
            ..Held::default()
        };
        let mut world = Self {
            store: Sides::new(source, target).map(|rec| Store {
                held: held(rec),
                ..Store::default()
            }),
            state: State {
                base,
                ..State::default()
            },
            engine: [Engine::default(); 2],
            copied: Copied::Nothing,
            lineage: Lineage::new(),
            crashes: 0,
            runs: 0,
            next_tag: FRESH,
        };
        if source.is_absent() && target.is_absent() {
            world.lineage.wrote = [0, 0];
        }
        for side in Side::BOTH {
            let version = world.fresh();
            world.store[side].held.version = version;
            world.state.version[side] = version;
        }
        world
    }

    /// Draws a number that is nowhere in use.
    pub(super) fn fresh(&mut self) -> Tag {
        self.next_tag += 1;
        self.next_tag
    }

    /// Renumbers the tags; the batches' too, where they are `unique`.
    pub(super) fn canonical(&mut self, unique: bool) {
        // Engines are alike: which of them is called the first means nothing.
        if self.engine[1].rank() > self.engine[0].rank() {
            self.engine.swap(0, 1);
        }
        let mut names = Names {
            of: [0; 256],
            last: 0,
            unique,
        };
        self.state.rename(&mut names);
        for side in Side::BOTH {
            self.store[side].rename(&mut names);
        }
        for engine in self
            .engine
            .iter_mut()
            .filter(|engine| engine.at != At::Idle)
        {
            engine.rename(&mut names);
        }
        match &mut self.copied {
            Copied::Store(store) => store.rename(&mut names),
            Copied::State(state) => state.rename(&mut names),
            Copied::Nothing | Copied::Used => {}
        }
        self.next_tag = FRESH;
    }

    /// Returns a number of the world's own; it must be canonical.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut bytes = Bytes {
            all: [0; 256],
            len: 0,
        };
        self.pack(&mut bytes);
        xxh3_64(&bytes.all[..bytes.len])
    }

    fn pack(&self, out: &mut Bytes) {
        for side in Side::BOTH {
            self.store[side].pack(out);
        }
        self.state.pack(out);
        for engine in &self.engine {
            engine.pack(out);
        }
        match &self.copied {
            Copied::Nothing => out.push(&[0]),
            Copied::Used => out.push(&[1]),
            Copied::Store(store) => {
                out.push(&[2]);
                store.pack(out);
            }
            Copied::State(state) => {
                out.push(&[3]);
                state.pack(out);
            }
        }
        self.lineage.pack(&mut |part| out.push(part));
        out.push(&[self.crashes, self.runs]);
    }
}

/// New names for tags, in the order in which they are met.
struct Names {
    of: [Tag; 256],
    last: Tag,
    unique: bool,
}

impl Names {
    fn rename(&mut self, tag: &mut Tag) {
        if *tag == 0 {
            return;
        }
        let name = &mut self.of[usize::from(*tag)];
        if *name == 0 {
            self.last += 1;
            *name = self.last;
        }
        *tag = *name;
    }

    fn batch(&mut self, tag: &mut Tag) {
        if self.unique {
            self.rename(tag);
        }
    }
}

impl Store {
    fn rename(&mut self, names: &mut Names) {
        names.rename(&mut self.held.version);
        self.marker.rename(names);
        names.rename(&mut self.epoch);
    }

    fn pack(&self, out: &mut Bytes) {
        self.held.pack(out);
        self.marker.pack(out);
        out.push(&[self.epoch, self.kept[0], self.kept[1]]);
    }
}

impl Held {
    fn pack(&self, out: &mut Bytes) {
        let [first, second] = self.rec.0;
        out.push(&[first, second, u8::from(self.hidden), self.version]);
        out.push(&[self.known, self.live]);
    }
}

impl Marker {
    fn rename(&mut self, names: &mut Names) {
        names.batch(&mut self.batch);
        names.rename(&mut self.seal);
    }

    fn pack(&self, out: &mut Bytes) {
        out.push(&[self.batch, u8::from(self.stale), self.seal]);
    }
}

impl Work {
    fn rename(&mut self, names: &mut Names) {
        names.batch(&mut self.batch);
        names.rename(&mut self.done);
        names.rename(&mut self.expected_version);
        names.rename(&mut self.other_version);
    }

    fn pack(&self, out: &mut Bytes) {
        if self.batch == 0 {
            return out.push(&[0]);
        }
        let copies = u8::from(self.copies) << 2 | u8::from(self.copies_then) << 3;
        let flags = u8::from(self.at_target) | u8::from(self.agreed) << 1 | copies;
        out.push(&[
            self.batch,
            self.done,
            flags,
            self.expected_version,
            self.other_version,
        ]);
        for rec in [self.expected, self.new, self.then] {
            out.push(&rec.0);
        }
        self.base.pack(out);
        out.push(&[self.known, self.live]);
    }
}

impl Known {
    fn pack(self, out: &mut Bytes) {
        match self {
            Self::Unknown => out.push(&[0, 0, 0]),
            Self::Absent => out.push(&[1, 0, 0]),
            Self::Present(rec) => out.push(&[2, rec.0[0], rec.0[1]]),
        }
    }
}

impl State {
    fn rename(&mut self, names: &mut Names) {
        names.rename(&mut self.run);
        names.rename(&mut self.pending);
        self.intent.rename(names);
        for side in Side::BOTH {
            names.rename(&mut self.version[side]);
            self.marker[side].rename(names);
        }
    }

    fn pack(&self, out: &mut Bytes) {
        out.push(&[self.run, self.pending, self.count]);
        out.push(&[self.version.source, self.version.target]);
        self.base.pack(out);
        self.intent.pack(out);
        for side in Side::BOTH {
            self.marker[side].pack(out);
        }
    }
}

impl Engine {
    fn rename(&mut self, names: &mut Names) {
        names.rename(&mut self.run);
        names.rename(&mut self.seal);
        names.rename(&mut self.made);
        self.work.rename(names);
        for side in Side::BOTH {
            self.found[side].rename(names);
            names.rename(&mut self.read[side].version);
        }
    }

    /// Orders engines by what is no tag.
    fn rank(&self) -> (u8, [u8; 4], bool) {
        let ([a, b], [c, d]) = (self.read.source.rec.0, self.read.target.rec.0);
        (self.at.number(), [a, b, c, d], self.stale)
    }

    fn pack(&self, out: &mut Bytes) {
        let at = self.at.number();
        out.push(&[at]);
        if self.at == At::Idle {
            return;
        }
        out.push(&[
            self.run,
            self.seal,
            self.made,
            self.owed,
            u8::from(self.stale),
        ]);
        self.work.pack(out);
        for side in Side::BOTH {
            self.found[side].pack(out);
            self.read[side].pack(out);
        }
    }
}

/// What a fingerprint is made of.
struct Bytes {
    all: [u8; 256],
    len: usize,
}

impl Bytes {
    fn push(&mut self, bytes: &[u8]) {
        self.all[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}
