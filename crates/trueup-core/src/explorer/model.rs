//! What is explored: the protocol, the rules, the limits, and which step is left out.

use super::decide::{Decider, Values};
use super::world::Rec;
use crate::policy::{OnDelete, Policy, Rules, StampFrom};
use crate::side::{Side, Sides};

/// What the stores can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Transactions: the marker commits with the record.
    Transactional,
    /// Conditional writes of one record, with a version that changes with every write and delete.
    Versioned,
}

/// What may be put back as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restore {
    Nothing,
    /// The state store, or an empty one in its place.
    State,
    /// The store on this side.
    Store(Side),
}

/// A step that is left out or done wrongly. Each of these was a real design somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// No intent and no marker: the base is saved when the write is done.
    BaseAfterApply,
    /// The conflict is put on record when the write is done.
    LogAfterApply,
    /// Writes do not look at what they replace.
    NoCompareAndSet,
    /// The base is read again from the source when the write is done.
    BaseReread,
    /// No marker and no versions: after a crash the values say whether a write happened.
    ValuesOnly,
    /// There is no base and nothing is put on record: the newest write wins.
    NewestWithoutBase,
    /// A second engine is not shut out.
    NoEpoch,
    /// The epoch is read first, and the write made in another transaction.
    EpochPlainRead,
    /// The next connect overwrites the marker's list of stale keys before it is read.
    StaleOverwritten,
    /// The marker holds a number only, which a state store that was put back gives out again.
    NoIncarnation,
    /// A merged record is written to both sides under one intent.
    BothAtOnce,
    /// A record that left the filter is taken for a deleted one.
    FilterAsDelete,
    /// Of a record that is kept under a fresh key, the copy is made with the second write and not with the first.
    CopyLast,
    /// Nothing is written to a store between reading it and moving the base.
    NoSeal,
    /// Class V: no batch number goes into the endpoint before its write.
    NoMarkBefore,
    /// Class V: none goes there after it.
    NoMarkAfter,
    /// Versions tell nothing about a record that is absent.
    AbsentHasNoVersion,
}

/// One exploration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) class: Sides<Class>,
    pub(super) policy: Policy,
    /// The second field's policy, where it has one.
    pub(super) second: Option<Policy>,
    pub(super) on_delete: OnDelete,
    /// Outside writes.
    pub(super) writes: u8,
    pub(super) crashes: u8,
    pub(super) engines: u8,
    /// How often an engine may start before the end.
    pub(super) runs: u8,
    pub(super) restore: Restore,
    /// Whether records can leave the link's filter.
    pub(super) filter: bool,
    /// The side that is written first where both are.
    pub(super) first: Side,
    pub(super) flaw: Flaw,
}

impl Setting {
    /// Returns the ordinary case: transactions, one engine, and nothing put back.
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            class: Sides::new(Class::Transactional, Class::Transactional),
            policy,
            second: None,
            on_delete: OnDelete::Keep,
            writes: 3,
            crashes: 1,
            engines: 1,
            runs: u8::MAX,
            restore: Restore::Nothing,
            filter: false,
            first: Side::Source,
            flaw: Flaw::None,
        }
    }

    /// Tells whether connecting and sealing are one step each: nobody can come in between who would notice.
    pub(super) fn coarse(&self) -> bool {
        self.engines == 1 && self.restore == Restore::Nothing
    }

    /// Tells whether a batch leaves a marker in the endpoint it changes.
    pub(super) fn marked(&self, side: Side) -> bool {
        match self.flaw {
            Flaw::ValuesOnly | Flaw::BaseAfterApply => false,
            Flaw::NoMarkBefore => self.class[side] == Class::Transactional,
            _ => true,
        }
    }

    /// Tells whether outside writers add to a value instead of replacing it.
    pub(super) fn adds(&self) -> bool {
        self.policy == Policy::SetUnion
    }
}

/// A setting with the rules made of it.
pub(super) struct Protocol {
    pub(super) setting: Setting,
    pub(super) decider: Decider,
}

impl Protocol {
    pub(super) fn new(setting: Setting) -> Self {
        let second: Vec<_> = setting
            .second
            .map(|policy| (1, policy))
            .into_iter()
            .collect();
        let stamp = Some(StampFrom::Endpoint);
        let rules = Rules::new(2, setting.policy, &second, setting.on_delete, stamp).unwrap();
        let values = if setting.adds() {
            Values::Sets
        } else {
            Values::Numbers
        };
        Self {
            setting,
            decider: Decider::new(rules, values),
        }
    }

    /// Tells whether `now` is what a write expects to replace.
    pub(super) fn expected(&self, now: Rec, expected: Rec) -> bool {
        self.setting.flaw == Flaw::NoCompareAndSet || now == expected
    }
}
