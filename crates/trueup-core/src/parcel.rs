//! Records in an endpoint's own words, handed from a source to a target unread.
//!
//! Where both sides say the same values by the same bytes, a load need not take them apart. Invariant: the two ends
//! name the form of what they hand over, and equal names mean equal bytes for equal values, and that each value that one end
//! can hold fits the other; a parcel with a value that we would not let pass is marked ([`Parcel::odd`]). It is a short cut for
//! bulk alone: what is decided, compared or proven is always read (`docs/design/0011-parcels.md`).

use crate::batch::empty;
use crate::endpoint::Mark;
use crate::error::Result;
use crate::schema::Schema;

/// Some records of one form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parcel {
    /// The records, one after the other, in the form's own way.
    pub bytes: Vec<u8>,
    /// How many there are.
    pub records: usize,
    /// Whether one holds a value that the endpoint can hold and we cannot: the parcel has to be opened, which finds out which.
    pub odd: bool,
}

impl Parcel {
    /// Forgets the records and keeps the memory, within reason.
    pub fn reset(&mut self) {
        empty(&mut self.bytes);
        (self.records, self.odd) = (0, false);
    }
}

/// A collection being read in parcels.
pub trait Parcels: Send {
    /// Puts the next records `into` an empty parcel and tells whether there were any.
    ///
    /// # Errors
    /// As [`crate::endpoint::Scan::next`].
    fn next(&mut self, into: &mut Parcel) -> Result<bool>;
}

/// A parcel on its way into a collection that was empty or missing when the run began.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The target collection, as the target reported it.
    pub schema: &'a Schema,
    /// The target field of each value, as indices into `schema.fields`; no generated field.
    pub fields: &'a [usize],
    /// The records.
    pub parcel: &'a Parcel,
    /// The marker to write with them.
    pub mark: &'a Mark,
}

/// What became of a [`Delivery`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// All records are written, and durable.
    Durable,
    /// One of them at least was not taken as it is, so none was, and there is no trace of any.
    Refused,
}
