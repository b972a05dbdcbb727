//! A conflict as a value: both sides changed the same thing, and how that ended.
//!
//! A conflict is recorded with both sides' whole records *before* anything is written, so that every decision can be
//! reversed and nothing that an outside writer wrote vanishes without a trace. [`Ruling`] is what the pure decision
//! says (indices, no values); [`Conflict`] joins it with the key and the values for the store. Storing, numbering and
//! showing conflicts is other modules' business.

use crate::batch::{Batch, Record};
use crate::policy::Policy;
use crate::side::{Side, Sides};
use std::fmt;

/// What met what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConflictKind {
    /// Both sides changed the record.
    UpdateUpdate,
    /// Both sides created the record.
    InsertInsert,
    /// One side deleted the record, the other changed it.
    DeleteUpdate,
    /// Both sides held a record when they were joined, or when the base had been lost.
    Join,
}

impl ConflictKind {
    /// Returns the name as it stands in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::UpdateUpdate => "update/update",
            Self::InsertInsert => "insert/insert",
            Self::DeleteUpdate => "delete/update",
            Self::Join => "join",
        }
    }
}

impl fmt::Display for ConflictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a conflict, or one field of it, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// Not yet: both sides keep what they have.
    Open,
    /// One side's value won.
    Side(Side),
    /// A value made of both, or different sides for different fields.
    Merge,
    /// Both records are kept, one of them under a fresh key.
    KeepBoth,
    /// The delete won.
    Delete,
}

impl Resolution {
    /// Returns the name as it stands in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Side(side) => side.name(),
            Self::Merge => "merge",
            Self::KeepBoth => "keep-both",
            Self::Delete => "delete",
        }
    }

    /// Returns the same end with the sides exchanged.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Side(side) => Self::Side(side.other()),
            Self::Open | Self::Merge | Self::KeepBoth | Self::Delete => self,
        }
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One field in conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRuling {
    /// The field's index.
    pub field: usize,
    /// The rule that was asked; `None` where not a policy but `on_delete` decides.
    pub policy: Option<Policy>,
    /// How it ended.
    pub resolution: Resolution,
}

/// What the decision says about a conflict: no key and no values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// What met what.
    pub kind: ConflictKind,
    /// The fields in conflict, ascending. Where one is open all are: the key is frozen as a whole.
    pub fields: Vec<FieldRuling>,
    /// How the conflict ended as a whole.
    pub resolution: Resolution,
}

impl Ruling {
    /// Tells whether a person has to decide.
    pub fn is_open(&self) -> bool {
        self.resolution == Resolution::Open
    }

    /// Returns the ruling with the sides exchanged.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        let mirror = |ruling: &FieldRuling| FieldRuling {
            policy: ruling.policy.map(Policy::mirrored),
            resolution: ruling.resolution.mirrored(),
            ..*ruling
        };
        Self {
            kind: self.kind,
            fields: self.fields.iter().map(mirror).collect(),
            resolution: self.resolution.mirrored(),
        }
    }
}

/// A conflict on record. It owns its values, because it outlives the batches they came from.
#[derive(Clone, Debug)]
pub struct Conflict {
    collection: String,
    key: Box<[u8]>,
    ruling: Ruling,
    records: Sides<Option<Batch>>,
}

impl Conflict {
    /// Puts a conflict on record: the canonical `key`, and both sides' records as they were seen; `None` where there
    /// was none.
    pub fn new(
        collection: impl Into<String>,
        key: &[u8],
        ruling: Ruling,
        records: Sides<Option<Record<'_>>>,
    ) -> Self {
        let own = |record: Record<'_>| {
            let mut batch = Batch::new(record.width());
            batch.push_record(record);
            batch
        };
        Self {
            collection: collection.into(),
            key: key.into(),
            ruling,
            records: records.map(|record| record.map(own)),
        }
    }

    /// Returns the collection's name.
    pub fn collection(&self) -> &str {
        &self.collection
    }

    /// Returns the key's canonical encoding. A value: never for a log or an error.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Returns what was decided.
    pub fn ruling(&self) -> &Ruling {
        &self.ruling
    }

    /// Returns the record that `side` held.
    pub fn record(&self, side: Side) -> Option<Record<'_>> {
        self.records[side]
            .as_ref()
            .filter(|batch| !batch.is_empty())
            .map(|batch| batch.record(0))
    }
}
