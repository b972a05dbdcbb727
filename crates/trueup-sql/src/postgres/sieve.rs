//! What the server decides of a filter.
//!
//! Numbers, truth values, dates and times, UUIDs and bytes compare there as they do here; texts do by the collation
//! `"C"`, in a database whose encoding is UTF8. What has no order here (NaN), or no place in our calendar, always comes.

use super::quote::{ident, literal};
use super::scan::{delivered, sort_key};
use super::schema::{Column, Equality, Table};
use super::types::Wire;
use crate::sieve::Dialect;
use trueup_core::filter::{Compare, Term};
use trueup_core::sieve::Sieve;
use trueup_core::text;
use trueup_core::value::Value;

/// What can be decided of a column.
pub(super) fn of(wire: Wire, utf8: bool) -> Sieve {
    match wire {
        Wire::Text | Wire::Padded | Wire::Cast if !utf8 => Sieve::Blind,
        Wire::Char | Wire::Json | Wire::Jsonb => Sieve::Blind,
        Wire::Float4 | Wire::Float8 => Sieve::Open,
        Wire::Bool
        | Wire::Int2
        | Wire::Int4
        | Wire::Int8
        | Wire::Oid
        | Wire::Numeric
        | Wire::Text
        | Wire::Padded
        | Wire::Cast
        | Wire::Bytes
        | Wire::Date
        | Wire::Time
        | Wire::Timestamp
        | Wire::Instant
        | Wire::Uuid => Sieve::Order,
    }
}

/// Says comparisons of a table's columns.
pub(super) struct Said<'a>(pub(super) &'a Table);

impl Said<'_> {
    fn column(&self, field: usize) -> Option<&Column> {
        self.0.columns.get(field)
    }
}

impl Dialect for Said<'_> {
    fn operands(&self, field: usize, term: &Term) -> Option<(String, String)> {
        let column = self.column(field)?;
        let mut plain = String::new();
        let exact = text::write(term.constant(), &mut plain) && !plain.contains('\0');
        let constant = exact.then(|| literal(&plain))?;
        let equality = matches!(term.compare(), Compare::Equal | Compare::NotEqual);
        Some(match (column.wire, term.constant()) {
            (Wire::Int2 | Wire::Int4 | Wire::Int8, Value::Int(number)) => {
                (ident(&column.name), format!("({number})"))
            }
            (Wire::Oid, Value::Int(number)) => {
                let name = ident(&column.name);
                (format!("{name}::bigint"), format!("({number})"))
            }
            // By what an index may have: different texts are different under any collation of this kind.
            (Wire::Text, Value::Text(_)) if equality && column.equality == Equality::Exact => {
                (delivered("", column), constant)
            }
            (Wire::Text | Wire::Padded | Wire::Cast, Value::Text(_)) => {
                (sort_key(column), constant)
            }
            (Wire::Bool, Value::Bool(_))
            | (Wire::Numeric, Value::Decimal(_))
            | (Wire::Bytes, Value::Bytes(_))
            | (Wire::Date, Value::Date(_))
            | (Wire::Time, Value::Time(_))
            | (Wire::Timestamp, Value::Timestamp(_))
            | (Wire::Instant, Value::Instant(_))
            | (Wire::Uuid, Value::Uuid(_)) => {
                (ident(&column.name), format!("{constant}::{}", column.cast))
            }
            _ => return None,
        })
    }

    fn differ(&self, field: &str, constant: &str) -> String {
        format!("{field} IS DISTINCT FROM {constant}")
    }

    fn stray(&self, field: usize) -> Option<String> {
        let column = self.column(field)?;
        let name = ident(&column.name);
        Some(match column.wire {
            Wire::Float4 | Wire::Float8 => format!("{name} = 'NaN'"),
            // NaN and the infinities, which only newer servers know: no other number is NaN when it is taken from itself.
            Wire::Numeric => format!("{name} - {name} = 'NaN'"),
            // Beyond what our microseconds reach.
            Wire::Timestamp | Wire::Instant => format!("{name} >= '294247-01-01'"),
            _ => return None,
        })
    }

    fn name(&self, field: usize) -> String {
        self.column(field)
            .map_or_else(String::new, |column| ident(&column.name))
    }
}
