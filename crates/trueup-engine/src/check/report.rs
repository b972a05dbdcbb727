//! What a check found: plain values, for people and scripts.

use super::guarantees::Promise;
use crate::structure::StructureReport;
use trueup_core::endpoint::About;
use trueup_core::lattice::Fit;
use trueup_core::rights::Missing;
use trueup_core::side::{Side, Sides};
use trueup_core::{Error, Passage};

/// Something that keeps a sync from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The text that is wrong, where it is one that somebody wrote.
    pub passage: Option<Passage>,
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        Self {
            message: error.message().to_owned(),
            hint: error.advice().map(str::to_owned),
            passage: error.wrong_passage().cloned(),
        }
    }
}

/// One endpoint of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndCheck {
    /// Who it is and what it can do.
    pub about: About,
    /// Rights without which a sync cannot start.
    pub missing: Vec<Missing>,
    /// Rights without which a sync can start, with fewer guarantees.
    pub weaker: Vec<Missing>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// A field as an endpoint has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its name.
    pub name: String,
    /// The endpoint's name for its type.
    pub native: String,
}

/// How one field fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldCheck {
    /// The field on each side; `None` where a side has none.
    pub held: Sides<Option<Held>>,
    /// How the source's values fit the target, where they go there.
    pub fit: Option<Fit>,
    /// How the target's values fit the source, in a link that goes both ways.
    pub back: Option<Fit>,
    /// What the user should know.
    pub note: Option<String>,
    /// Why this cannot be.
    pub problem: Option<Problem>,
}

/// One collection of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionCheck {
    /// The names.
    pub names: Sides<String>,
    /// The link's key, in the target's names; empty when nothing says one.
    pub key: Vec<String>,
    /// What each side identifies records by; `None` where a side does not have the collection.
    pub keys: Sides<Option<Vec<String>>>,
    /// The side on which it will be created, and the statement; empty where there is none to show.
    pub create: Option<(Side, String)>,
    /// The fields, the source's first.
    pub fields: Vec<FieldCheck>,
    /// What the user should know.
    pub notes: Vec<String>,
    /// What is wrong besides single fields.
    pub problems: Vec<Problem>,
}

impl CollectionCheck {
    /// Returns all that is wrong with it.
    pub fn all_problems(&self) -> impl Iterator<Item = &Problem> {
        let of_fields = self
            .fields
            .iter()
            .filter_map(|field| field.problem.as_ref());
        of_fields.chain(&self.problems)
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// The link, or the one endpoint.
    pub link: String,
    /// Whether changes go both ways.
    pub two_way: bool,
    /// The first endpoint.
    pub source: EndCheck,
    /// The other; `None` when one endpoint was checked alone.
    pub target: Option<EndCheck>,
    /// What can be promised; empty for one endpoint alone.
    pub promises: Vec<Promise>,
    /// Per collection.
    pub collections: Vec<CollectionCheck>,
    /// What is built around the records of collections that will be created, and what they do not get.
    pub structure: Option<StructureReport>,
    /// What is wrong with the link as a whole.
    pub problems: Vec<Problem>,
}

impl CheckReport {
    /// Returns the endpoints, with the side each is.
    pub fn ends(&self) -> impl Iterator<Item = (Side, &EndCheck)> {
        let target = self.target.as_ref().map(|end| (Side::Target, end));
        std::iter::once((Side::Source, &self.source)).chain(target)
    }

    /// Returns how many things keep a sync from starting.
    pub fn problems_total(&self) -> usize {
        let rights: usize = self.ends().map(|(_, end)| end.missing.len()).sum();
        let collections = self.collections.iter();
        let of_collections: usize = collections.map(|one| one.all_problems().count()).sum();
        self.problems.len() + rights + of_collections
    }

    /// Returns the contract's exit code: 0 when a sync can start, else 1.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.problems_total() > 0)
    }
}
