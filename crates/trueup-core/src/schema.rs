//! The shape of a collection: its fields, its key, and what the endpoint enforces.
//!
//! A schema is what an endpoint says about itself. It holds no data and no decision: how two schemas meet is the
//! [`mapping`](crate::mapping)'s business.

use crate::extremes::Extremes;
use crate::sieve::Sieve;
use crate::types::Type;

/// What stands in a field beside values of its type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Holds {
    /// Nothing: every value is of the type.
    #[default]
    Typed,
    /// Values of any class, each of which says its own (SQLite): the type says what is meant, and not what is found.
    Mixed,
    /// Texts, which may spell a value of the type or anything else (files).
    Spelled,
    /// As [`Holds::Spelled`], by a notation that tells numbers, truth values and trees from texts (files of JSON).
    Marked,
}

/// One field of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name, exactly as the endpoint spells it.
    pub name: String,
    /// What it holds.
    pub ty: Type,
    /// The endpoint's own name for the type, prefixed by the engine (`postgres:numeric(10,2)`). Two fields of equal
    /// native type exchange values unread.
    pub native: String,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// Whether the endpoint computes the value itself: read, but never written.
    pub generated: bool,
    /// Whether the type is a guess from the data (CSV): the other side's type then decides.
    pub inferred: bool,
    /// What the endpoint lets stand there beside values of `ty`.
    pub holds: Holds,
    /// What the endpoint can decide of a filter that reads the field.
    pub sieve: Sieve,
    /// Which of the values at the ends of its type it can hold.
    pub extremes: Extremes,
}

impl Field {
    /// Makes a nullable, stored, declared field.
    pub fn new(name: impl Into<String>, ty: Type, native: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ty,
            native: native.into(),
            nullable: true,
            generated: false,
            inferred: false,
            holds: Holds::Typed,
            sieve: Sieve::Blind,
            extremes: Extremes::of(ty),
        }
    }

    /// Returns the type, where values of any class may stand beside those of it.
    pub fn mixed(&self) -> Option<Type> {
        (self.holds == Holds::Mixed && !self.inferred).then_some(self.ty)
    }
}

/// A reference from fields of this collection to another collection of the same endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The referring fields, as indices.
    pub fields: Vec<usize>,
    /// The collection referred to.
    pub collection: String,
    /// Whether deleting there deletes or rewrites here (`CASCADE`, `SET NULL`, `SET DEFAULT`).
    pub cascades: bool,
}

/// The shape of a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// The collection's name as the endpoint spells it.
    pub collection: String,
    /// The fields in the endpoint's order.
    pub fields: Vec<Field>,
    /// The key's fields as indices, in key order; empty when the collection has none.
    pub key: Vec<usize>,
    /// Further unique constraints, as field indices.
    pub uniques: Vec<Vec<usize>>,
    /// Foreign keys to collections of the same endpoint.
    pub references: Vec<Reference>,
    /// The collections whose records the endpoint itself deletes or rewrites when one here is deleted, in their order.
    pub cascades: Vec<String>,
    /// Whether records may be hidden from this user (row level security), so that a missing one proves nothing.
    pub partial: bool,
    /// What the reader should know: triggers that will fire, row security, and the like. Names only.
    pub notes: Vec<String>,
}

impl Schema {
    /// Returns the index of the field called `name`.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// Tells whether the endpoint itself keeps two records from having the same values in these fields, in any order.
    pub fn enforces(&self, fields: &[usize]) -> bool {
        let sorted = |fields: &[usize]| {
            let mut fields = fields.to_vec();
            fields.sort_unstable();
            fields
        };
        let ours = sorted(fields);
        let known = |&at: &usize| self.fields.get(at).is_some_and(|field| !field.inferred);
        let nullable = |&at: &usize| self.fields.get(at).is_none_or(|field| field.nullable);
        let same = |constraint: &[usize]| sorted(constraint) == ours;
        let declared = !ours.is_empty() && ours.iter().all(known);
        let unique = || self.uniques.iter().any(|unique| same(unique));
        declared && (same(&self.key) || !ours.iter().any(nullable) && unique())
    }

    /// Returns the names of the key's fields.
    pub fn key_names(&self) -> Vec<&str> {
        self.key
            .iter()
            .map(|&index| self.fields[index].name.as_str())
            .collect()
    }
}
