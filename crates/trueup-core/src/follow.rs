//! Reading changes as they happen, and writing them in the order of the source.
//!
//! A [`Log`] tells the transactions of a source one after the other, in the order in which they were committed, each
//! whole; a [`Transaction`] writes some of them at the target, with the position they lead to in its marker. Invariant: a
//! position is stored at the target in the transaction that it is the end of, so what was told and what was written
//! never part; the source may forget only what is durable there.
//!
//! Where a snapshot meets a log, both are asked: [`Log::seen`] tells of each transaction whether a snapshot holds it
//! already. Exactly those that it does not hold are written after it. On PostgreSQL that is no matter of positions: a
//! commit is in the log before others can see it, so the snapshot's own list of transactions decides
//! (`docs/design/0013-follow.md`).

use crate::batch::Batch;
use crate::endpoint::{Mark, Outcome, Position, Writes};
use crate::error::Result;
use crate::schema::Schema;
use std::fmt;
use std::time::Duration;

/// One collection to be followed.
#[derive(Clone, Copy, Debug)]
pub struct Followed<'a> {
    /// The collection, in the shape this endpoint reported.
    pub schema: &'a Schema,
    /// Which fields to deliver, as indices into `schema.fields`, in this order.
    pub fields: &'a [usize],
    /// The key, as positions in `fields`: a change is told by it.
    pub key: &'a [usize],
}

/// What to follow.
#[derive(Clone, Copy, Debug)]
pub struct FollowRequest<'a> {
    /// The link's durable name: what is kept at the source for it (a replication slot) is named after it.
    pub link: &'a str,
    /// The collections; changes name them by their place here.
    pub collections: &'a [Followed<'a>],
    /// Where to go on: the position of the last transaction that is durable at the target. `None` begins at present.
    pub from: Option<&'a Position>,
    /// At how many changes a piece of a transaction is cut.
    pub changes_max: usize,
    /// At how many bytes a piece is cut (one change may pass it).
    pub bytes_max: usize,
}

/// What became of a wish to follow.
pub enum Opened {
    /// The log, from the wanted position on.
    Log(Box<dyn Log>),
    /// What comes after the wanted position is not all there any more: the reason, for people. Nothing was changed at the
    /// source; a request without a position begins anew.
    Lost(String),
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(log) => write!(f, "Log({})", log.start()),
            Self::Lost(reason) => write!(f, "Lost({reason})"),
        }
    }
}

/// One change of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A new record. Takes one record of the piece.
    Insert,
    /// The record has other values, under the same key. Takes one record, in which values that did not change and were
    /// not sent are [`crate::value::Value::Unchanged`].
    Update,
    /// As an update, under another key. Takes two records: the one before, of which only the key's values count, and the
    /// one after.
    Rekey,
    /// The record is gone. Takes one record, of which only the key's values count.
    Delete,
}

impl Change {
    /// Returns how many records of a piece it takes.
    pub fn records(self) -> usize {
        match self {
            Self::Insert | Self::Update | Self::Delete => 1,
            Self::Rekey => 2,
        }
    }
}

/// Changes of one collection within one transaction, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// What was done.
    pub changes: Vec<Change>,
    /// The records, in the same order.
    pub records: Batch,
}

impl Changes {
    /// Forgets the changes and keeps the memory, for records of `width` fields.
    pub fn reset(&mut self, width: usize) {
        self.changes.clear();
        self.records.reset(width);
    }
}

/// What a log tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing came while it was waited.
    Nothing,
    /// Changes of this collection, which are in the piece. They belong to the transaction whose commit comes next.
    Changes(usize),
    /// All records of these collections were removed at once.
    Truncated(Vec<usize>),
    /// The collection has another shape from here on: what comes after this cannot be told in the old one, and the log has
    /// to be opened anew with the new schema, after what was told before is durable.
    Reshaped(usize),
    /// The transaction's end.
    Commit {
        /// Where to go on behind it.
        position: Position,
        /// When it was committed, by the source's clock, in microseconds since 1970 UTC; `None` where the log does not say.
        at_us: Option<i64>,
    },
    /// Up to this position there is nothing else of the followed collections. It may be stored like a commit's.
    Quiet(Position),
}

/// What is known of how far a log is behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many bytes the source keeps for this link; `None` where it does not say.
    pub kept_bytes: Option<u64>,
    /// How many bytes of the log are not told yet; `None` where it does not say.
    pub untold_bytes: Option<u64>,
}

/// The changes of a source. Dropping it closes the connection; what the source keeps for the link stays.
pub trait Log: Send {
    /// Returns the position it began at: everything that was committed after it is told.
    fn start(&self) -> Position;

    /// Waits at most `wait` for what comes next, and puts changes into an empty `piece`.
    ///
    /// # Errors
    /// `Unavailable` when the connection broke: opened again from the last durable position, it tells the rest. Any other
    /// error names what cannot be followed, and says what to do.
    fn next(&mut self, piece: &mut Changes, wait: Duration) -> Result<Told>;

    /// Tells whether a snapshot that was taken at `snapshot` holds the transaction that is being told.
    ///
    /// # Errors
    /// `Config` when the position is not one of this source's snapshots.
    fn seen(&self, snapshot: &Position) -> Result<bool>;

    /// Says that everything up to `position` is durable at the target: the source need not keep it. Returns at once; the
    /// source is told with the next [`Log::next`].
    fn durable(&mut self, position: &Position);

    /// Tells how much the source keeps and how much is to come. It may ask the source.
    fn backlog(&mut self) -> Result<Backlog>;
}

/// A transaction at the target under way. Dropped without a commit, it leaves no trace.
pub trait Transaction {
    /// Writes some records of one collection, after what was written before. [`Writes::mark`] is not written;
    /// [`Writes::check`], [`Writes::bag`] and [`Writes::load`] are not set. As in [`crate::endpoint::Writer::apply`], a
    /// refused record leaves no trace, and the others are written.
    ///
    /// # Errors
    /// As [`crate::endpoint::Writer::apply`].
    fn write(&mut self, writes: &Writes<'_>) -> Result<Vec<Outcome>>;

    /// Replaces the given fields of existing records, which need not be all, and keeps the others; all of
    /// [`Writes::ops`] are updates. The records are found by the keys `before`, one record of the key's values for each
    /// write, else by their own keys. A record that is missing after all is [`Outcome::Stale`].
    ///
    /// # Errors
    /// As [`Transaction::write`].
    fn amend(&mut self, writes: &Writes<'_>, before: Option<&Batch>) -> Result<Vec<Outcome>>;

    /// Removes all records of a collection.
    ///
    /// # Errors
    /// As [`Transaction::write`].
    fn clear(&mut self, schema: &Schema) -> Result<()>;

    /// Writes the marker and commits: durable when this returns.
    ///
    /// # Errors
    /// As [`crate::endpoint::Writer::apply`].
    fn commit(self: Box<Self>, mark: &Mark) -> Result<()>;
}
