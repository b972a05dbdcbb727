//! The bounded group of records that moves together.
//!
//! Invariant: `cells.len()` is a multiple of `width` whenever a record is complete, and every slice lies inside the
//! arena. A batch is built without one allocation per value: a cell is 16 bytes, variable-length content goes into
//! one shared byte arena (measured in the crates study: as fast as Arrow to decode, faster to write row-wise).
//! It deliberately knows neither schema nor key.

use crate::park::Place;
use crate::value::Value;
use std::sync::Arc;

/// The most bytes an arena holds; offsets are 32 bits wide. A batch is cut far below this.
pub const ARENA_BYTES_MAX: usize = u32::MAX as usize;

/// How much memory an emptied batch or parcel keeps for the next records. A batch is cut below this, unless one value alone is
/// longer, whose memory nobody may need again.
pub const KEPT_BYTES_MAX: usize = 32 << 20;

/// Empties a buffer, and keeps its memory where others may need as much.
pub(crate) fn empty(buffer: &mut Vec<u8>) {
    if buffer.len() > KEPT_BYTES_MAX {
        *buffer = Vec::new();
    }
    buffer.clear();
}

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

/// A value whose text nobody has looked at: enough to copy, encode or measure it, without the price of checking once
/// more that it is UTF-8.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    /// A value that is no slice.
    Value(Value<'a>),
    /// What stands in the arena.
    Slice(SliceKind, &'a [u8]),
}

impl<'a> From<Value<'a>> for Content<'a> {
    fn from(value: Value<'a>) -> Self {
        let (kind, bytes) = match value {
            Value::Decimal(v) => (SliceKind::Decimal, v.as_bytes()),
            Value::Text(v) => (SliceKind::Text, v.as_bytes()),
            Value::InvalidText(v) => (SliceKind::InvalidText, v),
            Value::Bytes(v) => (SliceKind::Bytes, v),
            Value::Uuid(v) => (SliceKind::Uuid, v),
            Value::Json(v) => (SliceKind::Json, v.as_bytes()),
            Value::Null
            | Value::Unchanged
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Date(_)
            | Value::Time(_)
            | Value::Timestamp(_)
            | Value::Instant(_) => return Self::Value(value),
        };
        Self::Slice(kind, bytes)
    }
}

/// Records of one width, in the order they were pushed.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    width: usize,
    cells: Vec<Cell>,
    arena: Vec<u8>,
    /// Where the records stand, as long as they are those that an endpoint read from a file.
    places: Places,
}

/// Where records of a file stand: a line for each.
#[derive(Clone, Debug, Default)]
struct Places {
    file: Option<Arc<str>>,
    lines: Vec<u64>,
}

impl Batch {
    /// Makes an empty batch of records with `width` fields.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            cells: Vec::new(),
            arena: Vec::new(),
            places: Places::default(),
        }
    }

    /// Says where the next record that has no place yet begins. A file's scan says it of every record, for people who
    /// look for one; nothing else rests on it.
    pub fn set_place(&mut self, file: &Arc<str>, line: u64) {
        if self.places.file.is_none() {
            self.places.file = Some(Arc::clone(file));
        }
        self.places.lines.push(line);
    }

    /// Returns where record `index` stands, if a scan said so.
    pub fn place(&self, index: usize) -> Option<Place> {
        let file = self.places.file.as_ref()?;
        let line = *self.places.lines.get(index)?;
        Some(Place {
            file: Arc::clone(file),
            line,
        })
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

    /// Forgets the records and keeps the memory, within reason, for records of `width` fields.
    pub fn reset(&mut self, width: usize) {
        self.width = width;
        self.cells.clear();
        empty(&mut self.arena);
        self.places.file = None;
        self.places.lines.clear();
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

    /// Keeps a piece of a value that arrives in several, until [`Batch::push_gathered`] makes one of them.
    ///
    /// # Panics
    /// As [`Batch::push`].
    pub fn gather(&mut self, piece: &[u8]) {
        let end = self.arena.len() + piece.len();
        assert!(end <= ARENA_BYTES_MAX, "a batch is cut long before 4 GiB");
        self.arena.extend_from_slice(piece);
    }

    /// Appends the value that the last `len` gathered bytes are; a text or JSON that is no UTF-8 as [`Value::InvalidText`].
    ///
    /// # Panics
    /// When not so many were gathered.
    pub fn push_gathered(&mut self, kind: SliceKind, len: usize) {
        let start = self.arena.len().checked_sub(len);
        let start = start.expect("as many bytes were gathered as the value has");
        let is_text = || std::str::from_utf8(&self.arena[start..]).is_ok();
        let kind = match kind {
            SliceKind::Text | SliceKind::Json | SliceKind::Decimal if !is_text() => {
                SliceKind::InvalidText
            }
            kind => kind,
        };
        let offset = u32::try_from(start).expect("a batch is cut long before 4 GiB");
        let len = u32::try_from(len).expect("an endpoint refuses values over 1 GiB");
        self.cells.push(Cell::Slice { kind, offset, len });
    }

    /// Appends every value of `record`.
    pub fn push_record(&mut self, record: Record<'_>) {
        for &cell in record.cells {
            let cell = match cell {
                Cell::Slice { kind, offset, len } => {
                    let content = &record.arena[offset as usize..offset as usize + len as usize];
                    self.store(kind, content)
                }
                other => other,
            };
            self.cells.push(cell);
        }
    }

    /// Appends all records of `other`, which have the same width. Where there are none yet, nor room for them, `other`'s
    /// memory is taken over.
    ///
    /// # Panics
    /// As [`Batch::push`].
    pub fn append(&mut self, mut other: Self) {
        debug_assert_eq!(self.width, other.width);
        self.places = Places::default();
        other.places = Places::default();
        // Nor is it copied where it is more than an emptied batch would keep.
        let roomy = self.cells.capacity() >= other.cells.len();
        if self.cells.is_empty() && (!roomy || other.arena.len() > KEPT_BYTES_MAX) {
            std::mem::swap(self, &mut other);
            return;
        }
        if self.cells.is_empty() {
            self.arena.clear();
        }
        let shift = u32::try_from(self.arena.len()).expect("a batch is cut long before 4 GiB");
        let end = self.arena.len() + other.arena.len();
        assert!(end <= ARENA_BYTES_MAX, "a batch is cut long before 4 GiB");
        self.arena.extend_from_slice(&other.arena);
        self.cells
            .extend(other.cells.iter().map(|&cell| match cell {
                Cell::Slice { kind, offset, len } => Cell::Slice {
                    kind,
                    offset: offset + shift,
                    len,
                },
                cell => cell,
            }));
    }

    /// Makes an empty batch of the same width with room for as much as this one holds, within reason.
    pub fn successor(&self) -> Self {
        Self {
            width: self.width,
            cells: Vec::with_capacity(self.cells.len()),
            arena: Vec::with_capacity(self.arena.len().min(KEPT_BYTES_MAX)),
            places: Places::default(),
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
        let (kind, content) = match content(self.cells[index], self.arena) {
            Content::Value(value) => return value,
            Content::Slice(kind, content) => (kind, content),
        };
        match kind {
            SliceKind::InvalidText => Value::InvalidText(content),
            SliceKind::Bytes => Value::Bytes(content),
            SliceKind::Uuid => Value::Uuid(content),
            SliceKind::Decimal => Value::Decimal(text(content)),
            SliceKind::Text => Value::Text(text(content)),
            SliceKind::Json => Value::Json(text(content)),
        }
    }

    /// Returns how long the contents of the whole batch are: no value of it is longer.
    pub(crate) fn batch_bytes(&self) -> usize {
        self.arena.len()
    }

    /// Returns the values in field order, unlooked at.
    #[inline]
    pub(crate) fn contents(&self) -> impl Iterator<Item = Content<'a>> + use<'a> {
        let arena = self.arena;
        self.cells.iter().map(move |&cell| content(cell, arena))
    }

    /// Returns the value of field `index`, unlooked at.
    #[inline]
    pub(crate) fn content(&self, index: usize) -> Content<'a> {
        content(self.cells[index], self.arena)
    }

    /// Tells whether field `index` is NULL.
    pub(crate) fn is_null(&self, index: usize) -> bool {
        matches!(self.cells[index], Cell::Null)
    }

    /// Returns the values in field order.
    pub fn values(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let record = *self;
        (0..record.width()).map(move |index| record.value(index))
    }
}

#[inline]
fn content(cell: Cell, arena: &[u8]) -> Content<'_> {
    Content::Value(match cell {
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
            let slice = &arena[offset as usize..offset as usize + len as usize];
            return Content::Slice(kind, slice);
        }
    })
}

/// Reads back what [`Batch::push`] stored from a `&str`. The check costs a tenth of the copy and keeps the crate
/// free of unsafe code.
fn text(content: &[u8]) -> &str {
    std::str::from_utf8(content).expect("pushed from a str")
}
