//! What a two-way link is told: which rule decides which conflict.
//!
//! Names are those of the source, as the user gave them. They are resolved against the collections once both shapes
//! are known; a name that concerns nothing is an error, because it is a typing mistake that would otherwise leave a
//! conflict to another rule.

use trueup_core::policy::{OnDelete, Policy};

/// The rules of a two-way link.
#[derive(Clone, Debug)]
pub struct TwoWay {
    /// The rule for every conflict that no other one names.
    pub default: PolicySpec,
    /// Rules for single collections and fields; the narrower one counts, of two equal ones the later.
    pub rules: Vec<ConflictRule>,
    /// What happens when one side deleted what the other changed, for all collections (`None`) or one.
    pub on_delete: Vec<(Option<String>, OnDelete)>,
    /// The field that says when a record was changed last, for all collections (`None`) or one.
    pub stamps: Vec<(Option<String>, String)>,
}

impl Default for TwoWay {
    /// Nobody decides but people.
    fn default() -> Self {
        Self {
            default: PolicySpec::Named(Policy::Manual),
            rules: Vec::new(),
            on_delete: Vec::new(),
            stamps: Vec::new(),
        }
    }
}

/// One rule for conflicts.
#[derive(Clone, Debug)]
pub struct ConflictRule {
    /// The collection it is for; `None` means all.
    pub collection: Option<String>,
    /// The field it is for; `None` means whole records and every field without a rule of its own.
    pub field: Option<String>,
    /// The rule.
    pub policy: PolicySpec,
}

/// A rule, or the expression that is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySpec {
    /// One that the core knows.
    Named(Policy),
    /// An expression in CEL.
    Expression(String),
}
