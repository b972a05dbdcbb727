//! Says in SQL what a source decides of a filter by itself.
//!
//! Invariant: the condition holds for every record that the filter lets through, and for every one about which it has no
//! answer ([`trueup_core::sieve`]). The one who asked evaluates the filter again, so a condition that holds for more
//! records costs time and nothing else.

use trueup_core::endpoint::ScanRequest;
use trueup_core::filter::{Compare, Term};
use trueup_core::sieve::{decided, fields};
use trueup_core::value::Value;

/// How one kind of server says comparisons.
pub(crate) trait Dialect {
    /// Returns what stands for a field, and the constant it is compared with; `None` where it cannot be said.
    fn operands(&self, field: usize, term: &Term) -> Option<(String, String)>;

    /// Says that two are different, NULL from everything that is none.
    fn differ(&self, field: &str, constant: &str) -> String;

    /// Says that a field holds something that no comparison takes; `None` where it cannot.
    fn stray(&self, field: usize) -> Option<String>;

    /// Returns the field's quoted name.
    fn name(&self, field: usize) -> String;
}

/// Returns the condition on the records that have to come; `None` where all do.
pub(crate) fn condition(request: &ScanRequest<'_>, dialect: &dyn Dialect) -> Option<String> {
    let terms = decided(request.sieve, request.schema);
    let said = terms.iter().filter_map(|term| {
        let field = request.schema.index_of(term.field())?;
        said(field, term, dialect)
    });
    let said = said.collect::<Vec<_>>().join(" AND ");
    if said.is_empty() {
        return None;
    }
    let read = fields(request.sieve, request.schema);
    let strays = read.iter().filter_map(|&field| dialect.stray(field));
    let strays: String = strays.map(|stray| format!(" OR {stray}")).collect();
    Some(format!("(({said}){strays})"))
}

fn said(field: usize, term: &Term, dialect: &dyn Dialect) -> Option<String> {
    let compare = term.compare();
    if term.constant() == Value::Null {
        let name = dialect.name(field);
        let not = if compare == Compare::Equal {
            ""
        } else {
            "NOT "
        };
        return Some(format!("{name} IS {not}NULL"));
    }
    let (left, right) = dialect.operands(field, term)?;
    let operator = match compare {
        Compare::Equal => "=",
        Compare::NotEqual => return Some(dialect.differ(&left, &right)),
        Compare::Less => "<",
        Compare::AtMost => "<=",
        Compare::Greater => ">",
        Compare::AtLeast => ">=",
    };
    Some(format!("{left} {operator} {right}"))
}

#[cfg(test)]
mod tests;
