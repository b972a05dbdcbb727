//! The bounded group of records that moves together.
//!
//! Invariant: `cells.len()` is a multiple of `width` whenever a record is complete, and every slice lies inside the
//! arena. A batch is built without one allocation per value: a cell is 16 bytes, variable-length content goes into
//! one shared byte arena (measured in the crates study: as fast as Arrow to decode, faster to write row-wise).
//! It deliberately knows neither schema nor key.

use crate::value::Value;

/// The most bytes an arena holds; offsets are 32 bits wide. A batch is cut far below this.
pub const ARENA_BYTES_MAX: usize = u32::MAX as usize;

/// The class of content that a slice cell points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceKind {
    /// See [`Value::Decimal`].
    Decimal,
    /// See [`Value::Text`].
    Text,
    /// See [`Value::InvalidText`].
    InvalidText,
    /// See [`Value::Bytes`].
    Bytes,
    /// See [`Value::Uuid`].
    Uuid,
    /// See [`Value::Json`].
    Json,
}

/// One value of at most 16 bytes: the value itself, or where it stands in the arena.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// See [`Value::Null`].
    Null,
    /// See [`Value::Unchanged`].
    Unchanged,
    /// See [`Value::Bool`].
    Bool(bool),
    /// See [`Value::Int`].
    Int(i64),
    /// See [`Value::Float`].
    Float(f64),
    /// See [`Value::Date`].
    Date(i32),
    /// See [`Value::Time`].
    Time(i64),
    /// See [`Value::Timestamp`].
    Timestamp(i64),
    /// See [`Value::Instant`].
    Instant(i64),
    /// Content in the arena.
    Slice {
        /// What the content is.
        kind: SliceKind,
        /// Where it starts.
        offset: u32,
        /// How long it is.
        len: u32,
    },
}

const _: () = assert!(size_of::<Cell>() <= 16);

/// Records of one width, in the order they were pushed.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    width: usize,
    cells: Vec<Cell>,
    arena: Vec<u8>,
}

impl Batch {
    /// Makes an empty batch of records with `width` fields.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            cells: Vec::new(),
            arena: Vec::new(),
        }
    }

    /// Returns the number of fields of each record.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the number of complete records.
    pub fn len(&self) -> usize {
        self.cells.len().checked_div(self.width).unwrap_or(0)
    }

    /// Tells whether there is no complete record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes the records take, cells included.
    pub fn bytes(&self) -> usize {
        self.cells.len() * size_of::<Cell>() + self.arena.len()
    }

    /// Forgets the records and keeps the memory, for records of `width` fields.
    pub fn reset(&mut self, width: usize) {
        self.width = width;
        self.cells.clear();
        self.arena.clear();
    }

    /// Appends one value; after `width` of them a record is complete.
    ///
    /// # Panics
    /// When the arena would pass [`ARENA_BYTES_MAX`]; callers cut batches at a few MiB and values at 1 GiB.
    pub fn push(&mut self, value: Value<'_>) {
        let cell = match value {
            Value::Null => Cell::Null,
            Value::Unchanged => Cell::Unchanged,
            Value::Bool(v) => Cell::Bool(v),
            Value::Int(v) => Cell::Int(v),
            Value::Float(v) => Cell::Float(v),
            Value::Date(v) => Cell::Date(v),
            Value::Time(v) => Cell::Time(v),
            Value::Timestamp(v) => Cell::Timestamp(v),
            Value::Instant(v) => Cell::Instant(v),
            Value::Decimal(v) => self.store(SliceKind::Decimal, v.as_bytes()),
            Value::Text(v) => self.store(SliceKind::Text, v.as_bytes()),
            Value::InvalidText(v) => self.store(SliceKind::InvalidText, v),
            Value::Bytes(v) => self.store(SliceKind::Bytes, v),
            Value::Uuid(v) => self.store(SliceKind::Uuid, v),
            Value::Json(v) => self.store(SliceKind::Json, v.as_bytes()),
        };
        self.cells.push(cell);
    }

    /// Appends every value of `record`.
    pub fn push_record(&mut self, record: Record<'_>) {
        for value in record.values() {
            self.push(value);
        }
    }

    /// Tells whether the value pushed last is NULL.
    pub fn ends_with_null(&self) -> bool {
        matches!(self.cells.last(), Some(Cell::Null))
    }

    /// Drops the values pushed since the last complete record.
    pub fn drop_partial(&mut self) {
        let whole = self.len() * self.width;
        self.cells.truncate(whole);
    }

    /// Drops the last complete record. Its bytes stay in the arena until [`Batch::reset`].
    pub fn pop_record(&mut self) {
        let keep = self.cells.len().saturating_sub(self.width);
        self.cells.truncate(keep);
    }

    /// Returns record `index`.
    ///
    /// # Panics
    /// When `index` is not below [`Batch::len`].
    pub fn record(&self, index: usize) -> Record<'_> {
        let start = index * self.width;
        Record {
            cells: &self.cells[start..start + self.width],
            arena: &self.arena,
        }
    }

    /// Returns the records in order.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.len()).map(|index| self.record(index))
    }

    fn store(&mut self, kind: SliceKind, content: &[u8]) -> Cell {
        let offset = u32::try_from(self.arena.len()).expect("a batch is cut long before 4 GiB");
        let len = u32::try_from(content.len()).expect("an endpoint refuses values over 1 GiB");
        self.arena.extend_from_slice(content);
        Cell::Slice { kind, offset, len }
    }
}

/// One record of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    cells: &'a [Cell],
    arena: &'a [u8],
}

impl<'a> Record<'a> {
    /// Returns the number of fields.
    pub fn width(&self) -> usize {
        self.cells.len()
    }

    /// Returns the value of field `index`.
    ///
    /// # Panics
    /// When the record has no such field.
    pub fn value(&self, index: usize) -> Value<'a> {
        match self.cells[index] {
            Cell::Null => Value::Null,
            Cell::Unchanged => Value::Unchanged,
            Cell::Bool(v) => Value::Bool(v),
            Cell::Int(v) => Value::Int(v),
            Cell::Float(v) => Value::Float(v),
            Cell::Date(v) => Value::Date(v),
            Cell::Time(v) => Value::Time(v),
            Cell::Timestamp(v) => Value::Timestamp(v),
            Cell::Instant(v) => Value::Instant(v),
            Cell::Slice { kind, offset, len } => {
                let content = &self.arena[offset as usize..offset as usize + len as usize];
                match kind {
                    SliceKind::InvalidText => Value::InvalidText(content),
                    SliceKind::Bytes => Value::Bytes(content),
                    SliceKind::Uuid => Value::Uuid(content),
                    SliceKind::Decimal => Value::Decimal(text(content)),
                    SliceKind::Text => Value::Text(text(content)),
                    SliceKind::Json => Value::Json(text(content)),
                }
            }
        }
    }

    /// Returns the values in field order.
    pub fn values(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let record = *self;
        (0..record.width()).map(move |index| record.value(index))
    }
}

/// Reads back what [`Batch::push`] stored from a `&str`. The check costs a tenth of the copy and keeps the crate
/// free of unsafe code.
fn text(content: &[u8]) -> &str {
    std::str::from_utf8(content).expect("pushed from a str")
}
