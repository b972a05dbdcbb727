//! Who an endpoint is, what it can do, and what that lets us promise.

use std::fmt;

/// What an endpoint lets us promise (`docs/guarantees.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Transactional: control tables live in the endpoint, and every guarantee holds.
    Transactional,
    /// Conditional writes: no loss and no resurrection per object, no atomicity across objects.
    Conditional,
    /// Blind: what a write replaces cannot be made a condition of it.
    Blind,
}

impl Class {
    /// Returns the letter the documents use.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Transactional => "T",
            Self::Conditional => "V",
            Self::Blind => "B",
        }
    }
}

/// What an endpoint can do. Probed, never assumed from the engine's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Can be written at all.
    pub write: bool,
    /// Can create a missing collection.
    pub create: bool,
    /// Applies a batch and its marker in one transaction.
    pub marker: bool,
    /// Can make each write conditional on what it replaces ([`super::Writes::check`]).
    pub check: bool,
    /// Can deliver a scan in canonical key order, for keys whose native order is canonical.
    pub ordered: bool,
    /// Holds values of every class (`false`: text only, as CSV).
    pub typed: bool,
}

/// Who an endpoint is. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The engine: `sqlite`, `postgres`, `csv`, `memory`.
    pub engine: &'static str,
    /// The engine's version as it reports it.
    pub version: String,
    /// The address for people: the URL without its password.
    pub address: String,
    /// What makes it this endpoint and no other, however it was spelled: canonical path, or host, port and database.
    pub identity: String,
    /// What we can promise here.
    pub class: Class,
    /// What it can do.
    pub capabilities: Capabilities,
    /// What the user should know: why the class is lower than usual, for example.
    pub notes: Vec<String>,
}

/// Opaque place in a source's history, as text without secrets. Equality only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Position(pub String);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
