//! What a reader asks a snapshot for, and what it is told beforehand.

use crate::batch::Record;
use crate::schema::Schema;
use crate::types::Type;

/// In which order a scan delivers records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order<'a> {
    /// The fastest.
    Natural,
    /// Ascending by the canonical key encoding of these positions in [`ScanRequest::fields`].
    Key(&'a [usize]),
}

/// What to read.
#[derive(Clone, Copy, Debug)]
pub struct ScanRequest<'a> {
    /// The collection, in the shape this endpoint reported.
    pub schema: &'a Schema,
    /// Which fields to deliver, as indices into `schema.fields`, in this order.
    pub fields: &'a [usize],
    /// The type each delivered field will be cast to by the caller. A hint: it helps to order, and values are delivered
    /// as they are stored, unless what is stored is a value of several classes (in a file of JSON each is a JSON text
    /// too).
    pub wanted: &'a [Type],
    /// In which order.
    pub order: Order<'a>,
    /// Only records whose key (the fields named by `order`, in that order) is greater than this one's. A hint: the
    /// caller drops what comes anyway.
    pub after: Option<Record<'a>>,
    /// How many records a batch may hold.
    pub batch_records_max: usize,
    /// At how many bytes a batch is cut (one record may pass it).
    pub batch_bytes_max: usize,
}

/// A field that holds a whole number in every record, each greater than the one before in the natural order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ascending {
    /// How many records there are.
    pub records: u64,
    /// The first number.
    pub first: i64,
    /// The last one.
    pub last: i64,
}

/// A stretch of a collection in its natural order, as [`Snapshot::parts`](super::Snapshot::parts) cuts it. What the numbers count is the endpoint's
/// business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it begins.
    pub from: u64,
    /// Where the next one begins; `None` for the last, which goes as far as there are records.
    pub until: Option<u64>,
    /// About how many bytes its records have.
    pub bytes: u64,
}
