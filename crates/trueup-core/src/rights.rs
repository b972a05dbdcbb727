//! What a link wants to do at an endpoint, and what the user lacks for it.
//!
//! Invariant: a right is probed, never concluded from the engine's name, and probing writes nothing. What is missing
//! comes with what gives it: a statement that an administrator can run as it stands, or advice where no statement can.
//! Which rights a link can do without is the engine's business.

use std::fmt;

/// Something that a link wants to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// List the collections there are.
    List,
    /// Read the records of a collection.
    Read(String),
    /// Read, insert, update and delete records of a collection that exists.
    Write(String),
    /// Create a collection of this name, and write to it as its owner.
    Create(String),
    /// Keep the control objects: epoch and markers.
    Control,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List => f.write_str("list collections"),
            Self::Read(name) => write!(f, "read {name}"),
            Self::Write(name) => write!(f, "write {name}"),
            Self::Create(name) => write!(f, "create {name}"),
            Self::Control => f.write_str("keep control tables"),
        }
    }
}

/// What gives a missing right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A statement for the endpoint, to be run by whoever may grant the right.
    Statement(String),
    /// What a person can do.
    Advice(String),
}

/// A right that this user does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What cannot be done without it; where several things cannot, the first that was asked.
    pub wanted: Wanted,
    /// The right, in the endpoint's words: `SELECT on table "public"."orders"`.
    pub right: String,
    /// What gives it.
    pub remedy: Remedy,
}

/// The answer of an endpoint that was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// What is missing, in the order in which it was asked; each right once. Empty: this user may do all of it.
    pub missing: Vec<Missing>,
    /// What the user should know besides.
    pub notes: Vec<String>,
}

impl Rights {
    /// Adds a missing right, unless it was named before.
    pub fn lack(&mut self, wanted: &Wanted, right: impl Into<String>, remedy: Remedy) {
        let right = right.into();
        let known = |one: &Missing| one.right == right && one.remedy == remedy;
        if !self.missing.iter().any(known) {
            self.missing.push(Missing {
                wanted: wanted.clone(),
                right,
                remedy,
            });
        }
    }
}
