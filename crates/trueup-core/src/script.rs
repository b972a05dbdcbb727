//! A plan as statements in an endpoint's own language, for people who carry it out themselves.
//!
//! Invariant: a statement says every value exactly, or is refused. It is not how trueup writes: a script has no marker
//! and no epoch, tries nothing again, and does not look whether a record is still the one that was compared.

use crate::batch::Record;
use crate::endpoint::Op;
use crate::error::Result;
use crate::schema::Schema;

/// One write, to be said as a statement.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// The collection.
    pub schema: &'a Schema,
    /// The field of each value of `record`, as indices into `schema.fields`.
    pub fields: &'a [usize],
    /// The key, as positions in `fields`.
    pub key: &'a [usize],
    /// What to do.
    pub op: Op,
    /// The positions in `fields` that an update changes.
    pub changed: &'a [usize],
    /// The record; of a delete only the key counts.
    pub record: Record<'a>,
}

/// Says writes as statements. An endpoint that has a language of its own offers one
/// ([`Endpoint::script`](crate::endpoint::Endpoint::script)).
pub trait Script {
    /// Returns the first lines: how to run the script, and the beginning of one transaction.
    fn begin(&self) -> String;

    /// Returns a line or several that are a comment.
    fn comment(&self, text: &str) -> String;

    /// Returns one statement, with its end.
    ///
    /// # Errors
    /// `Rejected`, naming collection and field, when a value cannot be said exactly.
    fn statement(&self, write: &Statement<'_>) -> Result<String>;

    /// Returns the last lines: the end of the transaction.
    fn end(&self) -> String;
}
