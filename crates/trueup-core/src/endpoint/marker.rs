//! The marker: which batch was written last.

/// The row written in the target's own transaction that names the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The state store that wrote it.
    pub incarnation: String,
    /// The batch's number; grows by one with each batch of a link and partition.
    pub batch: u64,
    /// What the engine wants to find again: opaque bytes.
    pub position: Vec<u8>,
    /// The epoch under which it was written.
    pub epoch: u64,
}

/// Names the batch of a [`Writes`](super::Writes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The partition: one stream of batches of the link. Usually the collection's name.
    pub partition: String,
    /// The batch's number.
    pub batch: u64,
    /// Stored with it.
    pub position: Vec<u8>,
}
