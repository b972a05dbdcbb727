//! What SQLite decides of a filter: comparisons of whole numbers and truth values.
//!
//! A column may hold values of any class, and whatever its type does not name always comes. Texts are left to the
//! reader: one that is not valid UTF-8 is a stray, and no SQL can tell it.

use super::quote;
use crate::sieve::Dialect;
use trueup_core::filter::Term;
use trueup_core::schema::Schema;
use trueup_core::sieve::Sieve;
use trueup_core::types::Type;
use trueup_core::value::Value;

/// What can be decided of a column.
pub(super) fn of(ty: Type) -> Sieve {
    match ty {
        Type::Bool | Type::Int { .. } => Sieve::Order,
        Type::Float { .. } => Sieve::Open,
        Type::Any
        | Type::Decimal { .. }
        | Type::Text { .. }
        | Type::Bytes { .. }
        | Type::Date
        | Type::Time
        | Type::Timestamp
        | Type::Instant
        | Type::Uuid
        | Type::Json => Sieve::Blind,
    }
}

/// Says comparisons of a table's columns.
pub(super) struct Said<'a>(pub(super) &'a Schema);

impl Dialect for Said<'_> {
    fn operands(&self, field: usize, term: &Term) -> Option<(String, String)> {
        let constant = match term.constant() {
            Value::Int(number) => number,
            Value::Bool(truth) => i64::from(truth),
            _ => return None,
        };
        Some((self.name(field), constant.to_string()))
    }

    fn differ(&self, field: &str, constant: &str) -> String {
        format!("{field} IS NOT {constant}")
    }

    fn stray(&self, field: usize) -> Option<String> {
        let name = self.name(field);
        Some(match self.0.fields.get(field)?.ty {
            Type::Bool => {
                format!("typeof({name}) NOT IN ('integer', 'null') OR {name} NOT IN (0, 1)")
            }
            Type::Float { .. } => format!("typeof({name}) NOT IN ('real', 'null')"),
            _ => format!("typeof({name}) NOT IN ('integer', 'null')"),
        })
    }

    fn name(&self, field: usize) -> String {
        let field = self.0.fields.get(field);
        field.map_or_else(String::new, |field| quote(&field.name))
    }
}
