//! Simple filters over a record's fields: comparisons joined by "and".
//!
//! A record that does not pass is *unknown* to the link, not absent: it never causes a delete. NULL compares to
//! nothing but NULL. Anything richer is an expression and comes with the configuration file.

use crate::encode;
use crate::value::Value;
use std::cmp::Ordering;

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

/// One comparison of a field with a constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The source field's name.
    pub field: String,
    /// How to compare.
    pub compare: Compare,
    /// The constant's canonical key encoding; `None` for NULL.
    constant: Option<Vec<u8>>,
}

impl Term {
    /// Makes the comparison `field compare constant`. Values of another class than the constant's never pass,
    /// except under [`Compare::NotEqual`].
    pub fn new(field: impl Into<String>, compare: Compare, constant: Value<'_>) -> Self {
        let constant = (!constant.is_null()).then(|| {
            let mut bytes = Vec::new();
            encode::key(constant, &mut bytes);
            bytes
        });
        Self {
            field: field.into(),
            compare,
            constant,
        }
    }

    fn holds(&self, value: Value<'_>, scratch: &mut Vec<u8>) -> bool {
        let Some(constant) = &self.constant else {
            return value.is_null() == (self.compare == Compare::Equal);
        };
        if value.is_null() {
            return false;
        }
        scratch.clear();
        encode::key(value, scratch);
        if scratch.first() != constant.first() {
            return self.compare == Compare::NotEqual;
        }
        let order = scratch.as_slice().cmp(constant);
        match self.compare {
            Compare::Equal => order == Ordering::Equal,
            Compare::NotEqual => order != Ordering::Equal,
            Compare::Less => order == Ordering::Less,
            Compare::AtMost => order != Ordering::Greater,
            Compare::Greater => order == Ordering::Greater,
            Compare::AtLeast => order != Ordering::Less,
        }
    }
}

/// Terms that must all hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter(pub Vec<Term>);

impl Filter {
    /// Returns the field of each term, in order.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|term| term.field.as_str())
    }

    /// Tells whether every term holds; `value_of(i)` returns the value of the field of term `i`.
    pub fn holds<'a>(&self, value_of: &dyn Fn(usize) -> Value<'a>, scratch: &mut Vec<u8>) -> bool {
        self.0
            .iter()
            .enumerate()
            .all(|(index, term)| term.holds(value_of(index), scratch))
    }
}
