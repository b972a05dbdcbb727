//! What the server decides of a filter.
//!
//! Whole numbers, decimals, truth values, dates and times of day compare there as they do here. Texts are equal there by
//! a collation, and here by their bytes: unless the column's own collation goes by the bytes, they are compared as bytes,
//! and only for equality. Dates of zeros and the number 7 in a `tinyint(1)`, which fit nowhere, always come.

use super::encode;
use super::quote::{bytes, ident};
use super::schema::{Column, Table};
use super::types::Wire;
use crate::sieve::Dialect;
use trueup_core::filter::Term;
use trueup_core::sieve::Sieve;
use trueup_core::value::Value;

/// What can be decided of a column.
pub(super) fn of(wire: Wire, bytewise: bool) -> Sieve {
    match wire {
        Wire::Text | Wire::Padded if bytewise => Sieve::Order,
        Wire::Text
        | Wire::Padded
        | Wire::Label
        | Wire::Labels
        | Wire::Bytes
        | Wire::Fixed
        | Wire::Uuid => Sieve::Equal,
        Wire::Float4 | Wire::Float8 => Sieve::Open,
        Wire::Bool | Wire::Int | Wire::Decimal | Wire::Date | Wire::Timestamp | Wire::Instant => {
            Sieve::Order
        }
        Wire::Year | Wire::Bit | Wire::Time | Wire::Json | Wire::Cast | Wire::Spatial => {
            Sieve::Blind
        }
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
        let name = ident(&column.name);
        match (column.wire, term.constant()) {
            (Wire::Text | Wire::Padded | Wire::Label | Wire::Labels, Value::Text(text))
                if !column.bytewise =>
            {
                let stored = format!("CAST(CONVERT({name} USING utf8mb4) AS BINARY)");
                Some((stored, bytes(text.as_bytes())))
            }
            (_, constant) => {
                let mut literal = String::new();
                encode::push(column, constant, &mut literal).ok()?;
                Some((name, literal))
            }
        }
    }

    fn differ(&self, field: &str, constant: &str) -> String {
        format!("NOT ({field} <=> {constant})")
    }

    fn stray(&self, field: usize) -> Option<String> {
        let column = self.column(field)?;
        let name = ident(&column.name);
        Some(match column.wire {
            Wire::Bool => format!("{name} NOT IN (0, 1)"),
            Wire::Date | Wire::Timestamp | Wire::Instant => {
                let day = format!("DAYOFMONTH({name})");
                format!(
                    "{name} < '0001-01-01' OR MONTH({name}) = 0 OR {day} = 0 OR \
                     ({day} > 28 AND COALESCE({day} > DAYOFMONTH(LAST_DAY({name})), TRUE))"
                )
            }
            _ => return None,
        })
    }

    fn name(&self, field: usize) -> String {
        self.column(field)
            .map_or_else(String::new, |column| ident(&column.name))
    }
}
