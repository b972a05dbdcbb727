//! The seam through which a value is computed from a record's own fields.
//!
//! Core knows no expression language: whoever builds a mapping hands in what computes. Invariant: the same values give
//! the same result, on every machine and every time, for a computed field can be part of a key. It deliberately sees one
//! record at a time, and writes nothing.

use crate::batch::Batch;
use crate::types::Type;
use crate::value::Value;
use std::fmt;
use std::sync::Arc;

/// Computes one value from the fields of a source record.
pub trait Compute: Send + Sync + fmt::Debug {
    /// Returns what is computed, as the user wrote it: it stands in certificates.
    fn text(&self) -> &str;

    /// Returns the source's names of the fields that are read.
    fn fields(&self) -> &[String];

    /// Returns the type of the values; [`Type::Any`] where only the values themselves can tell.
    fn ty(&self) -> Type;

    /// Returns the stack that [`Compute::value`] takes, in bytes, where that is more than any thread has to spare; else 0.
    fn stack_bytes(&self) -> usize {
        0
    }

    /// Pushes the value as one cell; `values(i)` is the stored value of the `i`th of [`Compute::fields`].
    ///
    /// # Errors
    /// Says why there is none, without any value; nothing was pushed then.
    fn value<'a>(
        &self,
        values: &dyn Fn(usize) -> Value<'a>,
        into: &mut Batch,
    ) -> Result<(), String>;
}

/// What supplies a target field that is no plain field of the source.
#[derive(Clone, Debug)]
pub enum Formula {
    /// A field of the source.
    Field {
        /// The source's name for it.
        name: String,
        /// The types its values are taken as first, one after the other.
        via: Vec<Type>,
    },
    /// The same value for all records, as text that spells it; `None` is NULL.
    Constant(Option<String>, Type),
    /// Anything else.
    Expression(Arc<dyn Compute>),
}
