//! Which source records take part.
//!
//! A record that does not pass is *unknown* to the link, not absent: it never causes a delete. Most filters compare
//! fields with constants, and those are compared here, with nothing to interpret; anything richer is handed in as a
//! [`Compute`]. Invariant, held by a property test where expressions are made: both ways say the same of every record.
//!
//! | | |
//! |---|---|
//! | `==`, `!=` | NULL equals NULL and nothing else |
//! | `<`, `<=`, `>`, `>=` | with NULL, neither true nor false |
//! | and | false if one is false, else undecided if one is undecided |
//!
//! A record about which the filter stays undecided because of NULL does not pass. One whose value cannot be compared at
//! all (a NaN by order, a text where the field should hold numbers) is a misfit, and the caller parks it.

use crate::batch::Batch;
use crate::calendar;
use crate::cast;
use crate::encode;
use crate::mapping::Compute;
use crate::sieve::Sieve;
use crate::types::Type;
use crate::value::Value;
use std::cmp::Ordering;
use std::sync::Arc;

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// Less.
    Less,
    /// Less or equal.
    AtMost,
    /// Greater.
    Greater,
    /// Greater or equal.
    AtLeast,
}

impl Compare {
    fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }

    fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual)
    }
}

/// What a field is compared with.
#[derive(Clone, Debug, PartialEq)]
enum Constant {
    Null,
    Int(i64),
    Float(f64),
    Text(Box<str>),
    /// Any other class, in the canonical key encoding, which orders as the values do.
    Encoded(Box<[u8]>),
}

/// One comparison of a field with a constant.
#[derive(Clone, Debug)]
pub struct Term {
    field: String,
    compare: Compare,
    ty: Type,
    constant: Constant,
    /// The constant as a value: one record of one field.
    held: Batch,
}

impl Term {
    /// Makes the comparison `field compare constant` for a field of type `ty`; `None` when no value of the type equals
    /// or orders by the constant, because the type does not hold it, or holds values of several classes.
    pub fn new(
        field: impl Into<String>,
        ty: Type,
        compare: Compare,
        constant: Value<'_>,
    ) -> Option<Self> {
        let unsigned = Type::Int {
            bits: 64,
            signed: false,
        };
        // Values of several classes, which a comparison of one class does not meet.
        if matches!(ty, Type::Any | Type::Json) || ty == unsigned {
            return None;
        }
        let mut held = Batch::new(1);
        cast::push(constant, ty, &mut held).ok()?;
        let constant = match held.record(0).value(0) {
            Value::Null => Constant::Null,
            Value::Int(v) => Constant::Int(v),
            Value::Float(v) if v.is_nan() => return None,
            Value::Float(v) => Constant::Float(v),
            Value::Text(v) => Constant::Text(v.into()),
            Value::Decimal("NaN") | Value::Unchanged | Value::Json(_) | Value::InvalidText(_) => {
                return None;
            }
            value @ (Value::Bool(_)
            | Value::Decimal(_)
            | Value::Bytes(_)
            | Value::Date(_)
            | Value::Time(_)
            | Value::Timestamp(_)
            | Value::Instant(_)
            | Value::Uuid(_)) => {
                let mut bytes = Vec::new();
                encode::key(value, &mut bytes);
                Constant::Encoded(bytes.into())
            }
        };
        if constant == Constant::Null && !compare.is_equality() {
            return None;
        }
        Some(Self {
            field: field.into(),
            compare,
            ty,
            constant,
            held,
        })
    }

    /// Returns the source's name of the field.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Returns how the field is compared.
    pub fn compare(&self) -> Compare {
        self.compare
    }

    /// Returns what it is compared with, as a value of the field's type.
    pub fn constant(&self) -> Value<'_> {
        self.held.record(0).value(0)
    }

    /// Tells whether an endpoint that compares the field so far may decide this. Constants that it may read in its own
    /// way are none that travel.
    pub(crate) fn travels(&self, sieve: Sieve) -> bool {
        let spelled = match self.constant() {
            Value::Null => return sieve != Sieve::Blind,
            Value::Text(text) => !text.contains('\0'),
            // Not every server has infinite numbers.
            Value::Decimal(digits) => digits.ends_with(|last: char| last.is_ascii_digit()),
            Value::Date(days) => is_common(days),
            Value::Timestamp(us) | Value::Instant(us) => {
                i32::try_from(us.div_euclid(calendar::DAY_US)).is_ok_and(is_common)
            }
            value => !matches!(value, Value::Float(_)),
        };
        let enough = match sieve {
            Sieve::Blind | Sieve::Open => false,
            Sieve::Equal => self.compare.is_equality(),
            Sieve::Order => true,
        };
        spelled && enough
    }

    fn says(&self, value: Value<'_>, scratch: &mut Vec<u8>) -> Result<Said, cast::Misfit> {
        if cast::fits(value, self.ty) {
            return Ok(self.said(value, scratch));
        }
        let mut held = Batch::new(1);
        cast::push(value, self.ty, &mut held)?;
        Ok(self.said(held.record(0).value(0), scratch))
    }

    fn said(&self, value: Value<'_>, scratch: &mut Vec<u8>) -> Said {
        let order = match (&self.constant, value) {
            (_, Value::Unchanged) => return Said::Incomparable,
            (Constant::Null, _) => {
                return Said::of(value.is_null() == (self.compare == Compare::Equal));
            }
            (_, Value::Null) => {
                return match self.compare {
                    Compare::Equal => Said::No,
                    Compare::NotEqual => Said::Yes,
                    Compare::Less | Compare::AtMost | Compare::Greater | Compare::AtLeast => {
                        Said::Undecided
                    }
                };
            }
            (Constant::Int(constant), Value::Int(value)) => Some(value.cmp(constant)),
            (Constant::Float(constant), Value::Float(value)) => value.partial_cmp(constant),
            (Constant::Text(constant), Value::Text(value)) => Some(value.cmp(constant)),
            (_, Value::Decimal("NaN")) => return Said::Incomparable,
            (Constant::Encoded(constant), value) => {
                scratch.clear();
                encode::key(value, scratch);
                Some(scratch.as_slice().cmp(constant))
            }
            _ => return Said::Incomparable,
        };
        match order {
            Some(order) => Said::of(self.compare.accepts(order)),
            // NaN is a value like others in that it equals none of them.
            None if self.compare.is_equality() => Said::of(self.compare == Compare::NotEqual),
            None => Said::Incomparable,
        }
    }
}

/// Whether a day is of the years 1 to 9999, which are written alike everywhere.
fn is_common(days: i32) -> bool {
    (1..=9999).contains(&calendar::civil(days).0)
}

/// What one term says of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Yes,
    No,
    /// Because of NULL.
    Undecided,
    Incomparable,
}

impl Said {
    fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// Says which records pass.
#[derive(Clone, Debug)]
pub enum Filter {
    /// Those of which all terms hold. The text is what the user wrote.
    Terms(String, Vec<Term>),
    /// Those for which this is true.
    Expression(Arc<dyn Compute>),
}

impl Filter {
    /// Returns the filter as the user wrote it.
    pub fn text(&self) -> &str {
        match self {
            Self::Terms(text, _) => text,
            Self::Expression(expression) => expression.text(),
        }
    }

    /// Returns the source's names of the fields that are read, in the order in which [`Filter::passes`] asks for them.
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Self::Terms(_, terms) => terms.iter().map(Term::field).collect(),
            Self::Expression(expression) => {
                expression.fields().iter().map(String::as_str).collect()
            }
        }
    }

    /// Returns the stack that [`Filter::passes`] takes, as [`Compute::stack_bytes`] does.
    pub fn stack_bytes(&self) -> usize {
        match self {
            Self::Terms(..) => 0,
            Self::Expression(expression) => expression.stack_bytes(),
        }
    }

    /// Tells whether a record passes; `value_of(i)` returns the value of the `i`th of [`Filter::fields`].
    ///
    /// # Errors
    /// Says why the filter has no answer, without any value.
    pub fn passes<'a>(
        &self,
        value_of: &dyn Fn(usize) -> Value<'a>,
        scratch: &mut Vec<u8>,
    ) -> Result<bool, String> {
        match self {
            Self::Terms(_, terms) => all(terms, value_of, scratch),
            Self::Expression(expression) => {
                let mut answer = Batch::new(1);
                expression.value(value_of, &mut answer)?;
                match answer.record(0).value(0) {
                    Value::Bool(passes) => Ok(passes),
                    Value::Null => Ok(false),
                    other => Err(format!(
                        "the filter is neither true nor false: class={}",
                        other.class()
                    )),
                }
            }
        }
    }
}

/// A value that is none of its field's type is found whatever the other terms say: what a record is told apart by must
/// not depend on the order of the terms.
fn all<'a>(
    terms: &[Term],
    value_of: &dyn Fn(usize) -> Value<'a>,
    scratch: &mut Vec<u8>,
) -> Result<bool, String> {
    let mut sum = Said::Yes;
    for (index, term) in terms.iter().enumerate() {
        let said = term.says(value_of(index), scratch).map_err(|misfit| {
            format!(
                "the filter: field={}: {misfit} type={}",
                term.field, term.ty
            )
        })?;
        // Of two that stay undecided the later is told, as in an expression.
        sum = match (sum, said) {
            (Said::No, _) | (_, Said::No) => Said::No,
            (sum, Said::Yes) => sum,
            (_, said) => said,
        };
    }
    match sum {
        Said::Yes => Ok(true),
        Said::No | Said::Undecided => Ok(false),
        Said::Incomparable => Err("the filter compares what has no order".to_owned()),
    }
}
