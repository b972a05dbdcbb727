//! What a link is told, wherever it was said: on the command line, or in a file.
//!
//! Plain data: nothing is connected, and names are as the user wrote them. [`link::open`](crate::link::open) turns it
//! into a link. Invariant: what cannot be told apart here is carried out alike, so that a link moves from the command
//! line into a file without a change.

use crate::args::{FilterRule, KeyRule};
use crate::two_way;
use crate::world;
use std::fmt;
use std::sync::Arc;
use trueup_core::endpoint::Context;
use trueup_core::guard::Guard;
use trueup_core::mapping::Rules;
use trueup_engine::{CollectionSpec, Limits, Mode};

/// The variable that endpoints look a password up in.
const PASSWORD: &str = "PGPASSWORD";

/// Two places and what connects them.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// Where records come from.
    pub(crate) source: Place,
    /// Where they go.
    pub(crate) target: Place,
    /// The collections by name; without any, and without patterns, all take part.
    pub(crate) collections: Vec<Named>,
    /// Patterns that choose more collections.
    pub(crate) patterns: Vec<String>,
    /// Of what the patterns choose, the names and patterns of those that take no part.
    pub(crate) exclude: Vec<String>,
    /// Keys that were given apart from the collections.
    pub(crate) keys: Vec<KeyRule>,
    /// Filters that were given apart from the collections.
    pub(crate) filters: Vec<FilterRule>,
    /// Set when changes go both ways.
    pub(crate) two_way: Option<two_way::Stated>,
    /// What a run may do.
    pub(crate) mode: Mode,
    /// When to stop.
    pub(crate) guard: Guard,
    /// How many records move together at most.
    pub(crate) batch_records: usize,
    /// How many sessions load at the same time at most, where somebody said so.
    pub(crate) workers: Option<usize>,
}

impl Spec {
    /// The bounds on a run.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            workers: self.workers.unwrap_or_else(world::workers),
            ..Limits::of(self.batch_records)
        }
    }
}

/// One collection that was named.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    /// The source's name for it.
    pub(crate) source: String,
    /// The target's name for it, where one was given.
    pub(crate) target: Option<String>,
    /// What differs from "same names, same key".
    pub(crate) rules: Rules,
    /// Target fields that get the value of an expression.
    pub(crate) computed: Vec<(String, String)>,
    /// The expression that a record of the source has to fulfil.
    pub(crate) filter: Option<String>,
    /// A guard of its own.
    pub(crate) guard: Option<Guard>,
}

impl Named {
    /// Makes the engine's description, under the name that the target is settled to have for it.
    pub(crate) fn into_spec(self, target: String) -> CollectionSpec {
        CollectionSpec {
            source: self.source,
            target,
            rules: self.rules,
            computed: self.computed,
            filter: self.filter,
            guard: self.guard,
        }
    }
}

/// A place that holds data: its address, and what opens it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The address as [`Address::parse`](crate::registry::Address::parse) reads it.
    pub(crate) address: String,
    /// The password, where it was given apart from the address.
    pub(crate) password: Option<Secret>,
}

impl Place {
    /// A place that is given by its address alone.
    pub(crate) fn at(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            password: None,
        }
    }

    /// Returns what the place's endpoint may use of the world: `base`, with its own password.
    pub(crate) fn context(&self, base: &Context) -> Context {
        let Some(password) = self.password.clone() else {
            return base.clone();
        };
        let others = Arc::clone(&base.env);
        Context {
            env: Arc::new(move |name| match name {
                PASSWORD => Some(password.0.clone()),
                other => others(other),
            }),
            failpoints: base.failpoints.clone(),
        }
    }
}

/// A password. Not shown by anything.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
