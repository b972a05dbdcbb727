//! What a source decides of a filter by itself, so that less of it has to travel.
//!
//! A filter whose terms all have to hold is sent along with a scan. The endpoint may hold back records for which one
//! term is certainly not true, where its own comparison is ours; the caller evaluates the whole filter on what comes.
//! Invariant: what is held back is hidden by the filter, and by nothing else. A record about which the filter has no
//! answer, because a value is none of its type or a NaN has no order, is parked, and therefore has to come: so a filter
//! that reads a field whose strays the endpoint cannot tell is not decided at all.
//!
//! What is held back cannot be told from what is gone. That nothing is concluded from a missing record is the caller's
//! business.

use crate::filter::Term;
use crate::schema::Schema;

/// How far an endpoint's own comparison of a field with a constant is ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sieve {
    /// Not known, and values that fit nowhere cannot be told from others: no filter that reads the field is decided.
    #[default]
    Blind,
    /// Only whether it is NULL; a value that no comparison takes comes in any case.
    Open,
    /// Whether it is equal, too.
    Equal,
    /// By order, too.
    Order,
}

/// Returns those of `terms` that the endpoint of `schema` decides; each of the others, or none, is left to the caller.
pub fn decided<'t>(terms: &'t [Term], schema: &Schema) -> Vec<&'t Term> {
    let sieve = |term: &Term| {
        let field = schema.index_of(term.field());
        field.map_or(Sieve::Blind, |field| schema.fields[field].sieve)
    };
    if terms.iter().any(|term| sieve(term) == Sieve::Blind) {
        return Vec::new();
    }
    let decides = |term: &&Term| term.travels(sieve(term));
    terms.iter().filter(decides).collect()
}

/// Returns the fields that a filter of `terms` reads, as indices into `schema.fields`, each once.
pub fn fields(terms: &[Term], schema: &Schema) -> Vec<usize> {
    let mut read: Vec<usize> = terms
        .iter()
        .filter_map(|term| schema.index_of(term.field()))
        .collect();
    read.sort_unstable();
    read.dedup();
    read
}

#[cfg(test)]
mod tests;
