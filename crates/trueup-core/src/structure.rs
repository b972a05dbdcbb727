//! What a collection is made of besides its records: indexes, unique constraints, foreign keys, checks, defaults, identity,
//! generated fields, comments.
//!
//! A source says its [`Structure`]; [`Structure::named`] puts it into the target's names; the target works out a
//! [`Construction`]: how the collection is created, which [`Step`]s follow once its records are there, and what it cannot
//! have. Invariant: whatever a source has is in a step, in the statement that creates the collection, or in a [`Lost`];
//! nothing goes without a word. It holds names and definitions, never a record's value.

mod literal;
mod names;
#[cfg(test)]
mod tests;

pub use literal::{Plain, plain};
pub use names::{Names, Naming, derived};

use crate::endpoint::Design;

/// A value as a definition says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// True or false.
    Bool(bool),
    /// A number as it is written.
    Number(String),
    /// A text, or what a text spells.
    Text(String),
}

/// What stands in a field that an insert leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// A fixed value.
    Literal(Literal),
    /// The time of the insert: a date, a time, or both, as the field's type has it.
    Now,
    /// Something that only the engine itself understands, in its words.
    Other(String),
}

/// A field whose numbers the endpoint hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whether an insert may name no number of its own.
    pub always: bool,
    /// Whether the engine does it for each such key, unasked.
    pub implied: bool,
    /// By how much the numbers grow.
    pub increment: i64,
    /// The number that the next insert would get, where that is known.
    pub next: Option<i128>,
}

/// A field that the endpoint computes from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// How, in the engine's words.
    pub expression: String,
    /// Whether the result is kept, or computed when it is read.
    pub stored: bool,
}

/// What a field has besides its type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// The field's name.
    pub field: String,
    /// What stands there when an insert leaves it out.
    pub default: Option<DefaultValue>,
    /// Set where the endpoint hands out numbers.
    pub identity: Option<Identity>,
    /// Set where the endpoint computes it.
    pub generated: Option<Generated>,
    /// What somebody noted about it.
    pub comment: Option<String>,
}

/// A field of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexField {
    /// Its name.
    pub name: String,
    /// Whether the largest comes first.
    pub descending: bool,
    /// How many characters or bytes of its beginning count, where that is not all.
    pub prefix: Option<u32>,
}

impl IndexField {
    /// All of a field, the smallest first.
    pub fn of(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            descending: false,
            prefix: None,
        }
    }
}

/// An index or a unique constraint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// Its name, where somebody gave it one.
    pub name: Option<String>,
    /// Its fields; empty where they are not plain fields.
    pub fields: Vec<IndexField>,
    /// Whether no two records may have the same values there.
    pub unique: bool,
    /// Whether it was declared as a constraint.
    pub constraint: bool,
    /// What follows the name in the engine's own words, for a target of the same engine.
    pub verbatim: Option<String>,
    /// Why it can be said in no other engine's words.
    pub beyond: Option<String>,
}

/// What happens to a record when the one it refers to goes or changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// The change is refused, at the end of the statement or transaction.
    #[default]
    NoAction,
    /// The change is refused at once.
    Restrict,
    /// It goes or changes too.
    Cascade,
    /// Its fields become NULL.
    SetNull,
    /// Its fields get their defaults.
    SetDefault,
}

impl Rule {
    /// Returns the rule in SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
        }
    }

    /// Reads a rule as SQL spells it.
    pub fn of_sql(text: &str) -> Self {
        let rules = [
            Self::Restrict,
            Self::Cascade,
            Self::SetNull,
            Self::SetDefault,
        ];
        let found = rules
            .into_iter()
            .find(|rule| rule.sql().eq_ignore_ascii_case(text));
        found.unwrap_or_default()
    }
}

/// A foreign key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its name, where somebody gave it one.
    pub name: Option<String>,
    /// The referring fields.
    pub fields: Vec<String>,
    /// The collection referred to.
    pub collection: String,
    /// The fields referred to; empty: its key.
    pub referred: Vec<String>,
    /// What happens when the record referred to is deleted.
    pub on_delete: Rule,
    /// What happens when its fields change.
    pub on_update: Rule,
    /// Set where it may be checked at the end of a transaction; true where it is unless one asks otherwise.
    pub deferrable: Option<bool>,
    /// Whether a reference of several fields must be whole or NULL in all of them.
    pub full: bool,
    /// Set where records that are there already were never checked.
    pub unchecked: bool,
}

/// A condition that each record meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, where somebody gave it one.
    pub name: Option<String>,
    /// The condition, in the engine's words.
    pub expression: String,
}

/// Something that the target does not get.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// What it is: `view`, `trigger`, `index`.
    pub kind: String,
    /// Its name, with the collection's before it where it belongs to one.
    pub name: String,
    /// Why.
    pub why: String,
}

impl Lost {
    /// Says that `name`, a `kind`, is not carried.
    pub fn new(kind: &str, name: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.into(),
            why: why.into(),
        }
    }

    /// As [`Lost::new`], of a part of `collection`.
    pub fn of(collection: &str, kind: &str, name: &str, why: impl Into<String>) -> Self {
        Self::new(kind, format!("{collection}.{name}"), why)
    }
}

/// What a collection has besides fields, key and records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Structure {
    /// In whose words texts are: `postgres`, `mysql` (MariaDB too), `sqlite`; empty where the endpoint holds records only.
    pub engine: &'static str,
    /// Whether the key may be built after the records: no two of those that come share one. Said by who wants it built.
    pub key_after: bool,
    /// The collection.
    pub collection: String,
    /// What fields have; those that have nothing may be missing.
    pub fields: Vec<Extras>,
    /// Indexes and unique constraints; not the key.
    pub indexes: Vec<Index>,
    /// Foreign keys.
    pub references: Vec<ForeignKey>,
    /// Checks.
    pub checks: Vec<Check>,
    /// What somebody noted about it.
    pub comment: Option<String>,
    /// What no target gets.
    pub lost: Vec<Lost>,
}

impl Structure {
    /// Returns what the field called `name` has.
    pub fn extras(&self, name: &str) -> Option<&Extras> {
        self.fields.iter().find(|extras| extras.field == name)
    }

    /// Says that a part of the collection is not carried.
    pub fn lose(&mut self, kind: &str, name: &str, why: impl Into<String>) {
        let lost = Lost::of(&self.collection, kind, name, why);
        self.lost.push(lost);
    }
}

/// What a step makes, in the order in which steps are taken: an index before the foreign key that needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepKind {
    /// The key. Built before anything else reads the collection.
    Key,
    /// A unique constraint or index.
    Unique,
    /// An index.
    Index,
    /// A check.
    Check,
    /// A foreign key.
    ForeignKey,
    /// Where the numbers that the endpoint hands out go on.
    Next,
    /// A comment.
    Comment,
}

impl StepKind {
    /// Returns what plans and reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Unique => "unique",
            Self::Index => "index",
            Self::Check => "check",
            Self::ForeignKey => "foreign key",
            Self::Next => "next number",
            Self::Comment => "comment",
        }
    }
}

/// One statement that is carried out after all records are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it makes.
    pub kind: StepKind,
    /// The collection that gets it.
    pub collection: String,
    /// What it is called there.
    pub name: String,
    /// The statement.
    pub statement: String,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Built {
    /// It was carried out.
    Done,
    /// What it makes was there already.
    There,
    /// The endpoint refused; nothing was changed. The others do not suffer from it.
    Refused {
        /// Why, without any value.
        reason: String,
        /// What to do about it.
        hint: Option<String>,
    },
}

/// How a collection comes to be: created, loaded, then built upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Construction {
    /// How it is created.
    pub design: Design,
    /// What follows after the load, in any order.
    pub steps: Vec<Step>,
    /// What it does not get.
    pub lost: Vec<Lost>,
}

impl Construction {
    /// Returns the step that builds the key, where it follows the records.
    pub fn key(&self) -> Option<&Step> {
        self.steps.iter().find(|step| step.kind == StepKind::Key)
    }
}
