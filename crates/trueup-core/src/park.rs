//! A parked record as a value: one record put aside with its reason, so that the others go on.
//!
//! It holds names and the key's digest only, never a value, so that it may stand in any log. It does not know its link:
//! who parks adds that. Trying again is the engine's business.

use crate::digest::Digest;
use std::fmt;

/// Why a record was put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ParkReason {
    /// A value does not fit the field's type at the other side.
    Misfit,
    /// The endpoint refused the record for itself: a constraint, a size.
    Rejected,
    /// Another record stands in the way: a unique value, a missing reference.
    Blocked,
    /// The key cannot be represented at the other side, or two records map to one key.
    Key,
}

impl ParkReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Misfit, Self::Rejected, Self::Blocked, Self::Key];

    /// Returns the reason's name, as it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Misfit => "misfit",
            Self::Rejected => "rejected",
            Self::Blocked => "blocked",
            Self::Key => "key",
        }
    }

    /// Returns the reason called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// One record put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The collection's name.
    pub collection: String,
    /// The digest of the canonical key.
    pub key: Digest,
    /// Why.
    pub reason: ParkReason,
    /// The field at fault, where it is one.
    pub field: Option<String>,
    /// More for people: names of types and constraints, never a value.
    pub detail: String,
}

impl fmt::Display for Parked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            collection,
            key,
            reason,
            field,
            detail,
        } = self;
        write!(
            f,
            "collection={collection} key={key} reason={}",
            reason.name()
        )?;
        if let Some(field) = field {
            write!(f, " field={field}")?;
        }
        if !detail.is_empty() {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}
