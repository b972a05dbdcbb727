//! What was seen of one key on one side.
//!
//! Three states, never two: [`Observation::Absent`] is a fact (an error-free complete range scan, or a delete event),
//! [`Observation::Unknown`] is the lack of one. Mixing them up deletes data, so no conversion between them exists.
//! Everything is borrowed from the batch that was read: an observation is made, reconciled and dropped. All content is
//! canonical *after* mapping, so that the two sides compare field by field.

use crate::base::FieldDigest;
use crate::batch::Record;
use crate::digest::Digest;
use crate::encode;
use crate::endpoint::Version;
use crate::error::{Error, Result};
use crate::side::Sides;
use crate::value::Value;

/// What one side holds under one key, as far as is known.
#[derive(Clone, Copy, Debug)]
pub enum Observation<'a> {
    /// There is no such record: the range was scanned to its end without error, or a delete event was read.
    Absent,
    /// There is one.
    Present(Seen<'a>),
    /// Nobody knows. Never leads to an action and never moves the base.
    Unknown(Reason),
}

/// Why an observation is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Reading failed.
    Failed,
    /// The listing was not read to its end.
    Incomplete,
    /// A filter or ignore rule hides the record; it has to be looked up unfiltered.
    Filtered,
    /// The key or the record cannot be represented under the mapping.
    Unrepresentable,
}

impl Reason {
    /// Returns the reason's name, for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Incomplete => "incomplete",
            Self::Filtered => "filtered",
            Self::Unrepresentable => "unrepresentable",
        }
    }
}

/// A record that is there, as cheaply as it could be seen.
///
/// With neither `digest` nor `fields` it is taken for unchanged where its version is the base's, and has to be read
/// otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<'a> {
    /// Its version, where the endpoint has one.
    pub version: Option<&'a Version>,
    /// The digest of the whole record; left out when the version did not move, or when a value did not travel.
    pub digest: Option<Digest>,
    /// Its content; left out when only a digest was fetched.
    pub fields: Option<Fields<'a>>,
    /// When it was written last, where the link takes stamps from the endpoint and not from a field.
    pub stamp: Option<Stamp>,
    /// The totals of its counter fields, as `(field, total)`; those not enrolled yet are missing.
    pub totals: &'a [(usize, Total)],
}

/// A record's values with one digest for each.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    record: Record<'a>,
    digests: &'a [FieldDigest],
}

impl<'a> Fields<'a> {
    /// Pairs a record with its field digests, as [`field_digests`] makes them.
    ///
    /// # Errors
    /// `Bug` when there is not exactly one digest for each value.
    pub fn new(record: Record<'a>, digests: &'a [FieldDigest]) -> Result<Self> {
        if record.width() != digests.len() {
            let (fields, digests) = (record.width(), digests.len());
            return Err(Error::bug(format!(
                "field digests do not fit: fields={fields} digests={digests}"
            )));
        }
        Ok(Self { record, digests })
    }

    /// Returns the values.
    pub fn record(&self) -> Record<'a> {
        self.record
    }

    /// Returns the digests, one for each value.
    pub fn digests(&self) -> &'a [FieldDigest] {
        self.digests
    }

    /// Tells whether every value travelled, so that the record can be inserted elsewhere.
    pub fn whole(&self) -> bool {
        !self.record.values().any(|value| value == Value::Unchanged)
    }
}

/// Puts the digest of each value of `record` into `into`. A value that did not travel is what it was: its digest is the
/// one in `base`. Returns the first field for which there is none; the record then has to be read.
pub fn field_digests(
    record: Record<'_>,
    base: Option<&[FieldDigest]>,
    scratch: &mut Vec<u8>,
    into: &mut Vec<FieldDigest>,
) -> std::result::Result<(), usize> {
    into.clear();
    for (field, value) in record.values().enumerate() {
        let digest = if value == Value::Unchanged {
            *base.and_then(|digests| digests.get(field)).ok_or(field)?
        } else {
            field_digest(value, scratch)
        };
        into.push(digest);
    }
    Ok(())
}

/// Digests one value, using `scratch` as the buffer.
pub fn field_digest(value: Value<'_>, scratch: &mut Vec<u8>) -> FieldDigest {
    scratch.clear();
    encode::value(value, scratch);
    FieldDigest::of(scratch)
}

/// Orderable time of a write, with its writer. Decides between two concurrent writes, never detects one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// Hybrid logical time, or a file's time; larger is later.
    pub time: i64,
    /// Who wrote, to tell apart equal times; 0 where unknown.
    pub writer: u64,
}

/// What a side knows of a counter field, changed in the same transaction as the field itself.
///
/// The side's own contribution is `value - initial - applied`. Repeating an exchange is harmless because what counts
/// is the total received, not a delta against the base (exact under any crash schedule; deltas are not).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Total {
    /// The value both sides agreed on when the counter was enrolled.
    pub initial: i64,
    /// The sum received from the other side since.
    pub applied: i64,
}

impl Total {
    /// Returns what this side itself added to `value`; `None` when that leaves 64 bits.
    pub fn contribution(self, value: i64) -> Option<i64> {
        value.checked_sub(self.initial)?.checked_sub(self.applied)
    }
}

impl<'a> Sides<Observation<'a>> {
    /// Returns the content seen on `side`, where it was read.
    pub fn fields(&self, side: crate::side::Side) -> Option<Fields<'a>> {
        match self[side] {
            Observation::Present(seen) => seen.fields,
            Observation::Absent | Observation::Unknown(_) => None,
        }
    }
}
