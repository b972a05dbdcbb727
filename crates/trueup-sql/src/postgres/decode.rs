//! Reads the binary COPY format straight into a batch.
//!
//! Invariant: whatever the bytes are, reading them never panics, never allocates for a length that has not arrived,
//! and never says that a record is there before it is whole. It allocates nothing per value, and gathers a long one where it
//! belongs as its pieces arrive, so that none is in memory twice. It deliberately does not trust that a message of the wire
//! is a record.

mod moments;

use self::moments::date;
pub(super) use self::moments::{EPOCH_DAYS, EPOCH_US, ERA_US, micros, moment};
use super::numeric;
use super::types::Wire;
use trueup_core::batch::{Batch, SliceKind};
use trueup_core::parcel::Parcel;
use trueup_core::value::Value;
use trueup_core::{Error, Result};

/// What every binary COPY begins with.
pub(super) const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// The longest value the server can send.
pub(super) const VALUE_BYTES_MAX: usize = 1 << 30;
/// At how many bytes a batch is refused, whoever sent it: below what its arena can hold.
pub(super) const BATCH_BYTES_MAX: usize = 3 << 30;

/// What a column is called and how it travels.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) wire: Wire,
}

/// Where reading stands in one COPY.
#[derive(Debug)]
pub(super) struct Reader {
    slots: Vec<Slot>,
    begun: bool,
    ended: bool,
    scratch: String,
    /// The field that comes next of the record under way.
    field: Option<usize>,
    /// Of that field's value, if its length has been read.
    gathering: Option<Gathering>,
}

/// A value that arrives in pieces.
#[derive(Clone, Copy, Debug)]
struct Gathering {
    len: usize,
    /// How much of it is still to come.
    left: usize,
}

impl Gathering {
    /// Takes what there is, and returns it.
    fn take<'a>(&mut self, cursor: &mut Cursor<'a>) -> &'a [u8] {
        let rest = cursor.input.get(cursor.at..).unwrap_or_default();
        let piece = rest.get(..self.left).unwrap_or(rest);
        cursor.at += piece.len();
        self.left -= piece.len();
        piece
    }
}

/// How much a call to [`Reader::read`] may deliver.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) records_max: usize,
    pub(super) bytes_max: usize,
}

impl Reader {
    pub(super) fn new(slots: Vec<Slot>) -> Self {
        Self {
            slots,
            begun: false,
            ended: false,
            scratch: String::new(),
            field: None,
            gathering: None,
        }
    }

    /// For records without the header before them.
    pub(super) fn inside(slots: Vec<Slot>) -> Self {
        Self {
            begun: true,
            ..Self::new(slots)
        }
    }

    /// Whether the end of the data has been read.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Whether a part of a record has been read, and the rest of it has to go where that went.
    pub(super) fn is_midway(&self) -> bool {
        self.field.is_some()
    }

    /// Appends the records of `input` to `into` until there is no more room, and returns how many bytes of `input` were used;
    /// the caller gives the rest again, with more behind it, and the same `into` as long as the reader is midway.
    pub(super) fn read(&mut self, input: &[u8], into: &mut Batch, room: Room) -> Result<usize> {
        let mut cursor = Cursor { input, at: 0 };
        if !self.begin(&mut cursor)? {
            return Ok(0);
        }
        let has_room =
            |into: &Batch| into.len() < room.records_max && into.bytes() < room.bytes_max;
        while !self.ended && (self.is_midway() || has_room(into)) {
            let whole = self.record(&mut cursor, into);
            if !whole.inspect_err(|_| into.drop_partial())? {
                break;
            }
        }
        Ok(cursor.at)
    }

    /// As [`Reader::read`], but appends the records as they are.
    pub(super) fn pass(&mut self, input: &[u8], into: &mut Parcel, room: Room) -> Result<usize> {
        let mut cursor = Cursor { input, at: 0 };
        if !self.begin(&mut cursor)? {
            return Ok(0);
        }
        let start = cursor.at;
        let mut end = start;
        let held = into.bytes.len();
        let has_room = |records: usize, end: usize| {
            records < room.records_max && held + end - start < room.bytes_max
        };
        while self.is_midway() || has_room(into.records, end) {
            let whole = self.step(&mut cursor, &mut into.odd)?;
            if self.ended {
                break;
            }
            end = cursor.at;
            if !whole {
                break;
            }
            into.records += 1;
        }
        into.bytes.extend_from_slice(&input[start..end]);
        Ok(cursor.at)
    }

    /// Reads the header, where that has not been done; `false` when it has not arrived completely.
    fn begin(&mut self, cursor: &mut Cursor<'_>) -> Result<bool> {
        self.begun = self.begun || header(cursor)?.is_some();
        Ok(self.begun)
    }

    /// Reads how many fields the record has that comes next, or takes up the one under way; `None` when nothing more can be
    /// read, because it has not arrived or this is the end.
    fn next_field(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<usize>> {
        if let Some(field) = self.field.take() {
            return Ok(Some(field));
        }
        let Some(count) = cursor.i16() else {
            return Ok(None);
        };
        if count == -1 {
            self.ended = true;
            return Ok(None);
        }
        if usize::try_from(count) == Ok(self.slots.len()) {
            return Ok(Some(0));
        }
        Err(broken(
            "a record has another number of fields than asked for",
        ))
    }

    /// Steps over one record or the end mark, and marks what holds a value that is none to us as `odd`; `false` when the
    /// record has not arrived completely, or this was the end.
    fn step(&mut self, cursor: &mut Cursor<'_>, odd: &mut bool) -> Result<bool> {
        let Some(first) = self.next_field(cursor)? else {
            return Ok(false);
        };
        for (at, slot) in self.slots.iter().enumerate().skip(first) {
            if !step_field(slot, cursor, &mut self.gathering, odd)? {
                self.field = Some(at);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads one record or the end mark; `false` when it has not arrived completely.
    fn record(&mut self, cursor: &mut Cursor<'_>, into: &mut Batch) -> Result<bool> {
        let Some(first) = self.next_field(cursor)? else {
            return Ok(self.ended);
        };
        for (at, slot) in self.slots.iter().enumerate().skip(first) {
            if !field(slot, cursor, &mut self.gathering, &mut self.scratch, into)? {
                self.field = Some(at);
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Steps over one field; `false` when it has not arrived completely.
fn step_field(
    slot: &Slot,
    cursor: &mut Cursor<'_>,
    gathering: &mut Option<Gathering>,
    odd: &mut bool,
) -> Result<bool> {
    if let Some(under_way) = gathering {
        under_way.take(cursor);
        if under_way.left == 0 {
            *gathering = None;
        }
        return Ok(gathering.is_none());
    }
    let start = cursor.at;
    let Some(len) = cursor.i32() else {
        return Ok(false);
    };
    let Some(len) = length(len)? else {
        return Ok(true);
    };
    let Some(bytes) = cursor.take(len) else {
        if kind(slot.wire).is_none() {
            cursor.at = start;
            return Ok(false);
        }
        let mut begun = Gathering { len, left: len };
        begun.take(cursor);
        *gathering = Some(begun);
        return Ok(false);
    };
    let (day, moment) = (fixed(bytes), fixed(bytes));
    *odd |= match slot.wire {
        Wire::Date => day.map(i32::from_be_bytes).and_then(date).is_none(),
        Wire::Timestamp | Wire::Instant => {
            moment.map(i64::from_be_bytes).and_then(micros).is_none()
        }
        _ => false,
    };
    Ok(true)
}

/// Reads one field; `false` when it has not arrived completely.
fn field(
    slot: &Slot,
    cursor: &mut Cursor<'_>,
    gathering: &mut Option<Gathering>,
    scratch: &mut String,
    into: &mut Batch,
) -> Result<bool> {
    if gathering.is_some() {
        return Ok(gather(slot, cursor, gathering, into));
    }
    let start = cursor.at;
    let Some(len) = cursor.i32() else {
        return Ok(false);
    };
    let Some(len) = length(len)? else {
        into.push(Value::Null);
        return Ok(true);
    };
    if into.bytes() + len > BATCH_BYTES_MAX {
        return Err(too_long());
    }
    if let Some(bytes) = cursor.take(len) {
        value(slot, bytes, scratch, into)?;
        return Ok(true);
    }
    // The number before a jsonb is no part of its text.
    let before = usize::from(slot.wire == Wire::Jsonb);
    let begins = matches!(cursor.take(before), Some([] | [1]));
    let Some(len) = len
        .checked_sub(before)
        .filter(|_| begins && kind(slot.wire).is_some())
    else {
        cursor.at = start;
        return Ok(false);
    };
    *gathering = Some(Gathering { len, left: len });
    Ok(gather(slot, cursor, gathering, into))
}

/// Takes the next piece of a long value; `false` when it has not arrived completely.
fn gather(
    slot: &Slot,
    cursor: &mut Cursor<'_>,
    gathering: &mut Option<Gathering>,
    into: &mut Batch,
) -> bool {
    let (Some(under_way), Some(kind)) = (gathering.as_mut(), kind(slot.wire)) else {
        return true;
    };
    into.gather(under_way.take(cursor));
    if under_way.left > 0 {
        return false;
    }
    into.push_gathered(kind, under_way.len);
    *gathering = None;
    true
}

/// What the bytes of a value make up, where they are its content as they are; of any length, so that they may come in
/// pieces.
fn kind(wire: Wire) -> Option<SliceKind> {
    match wire {
        Wire::Text | Wire::Padded | Wire::Cast => Some(SliceKind::Text),
        Wire::Bytes => Some(SliceKind::Bytes),
        Wire::Json | Wire::Jsonb => Some(SliceKind::Json),
        _ => None,
    }
}

/// Reads a value's length; `None` is that of NULL.
fn length(len: i32) -> Result<Option<usize>> {
    if len == -1 {
        return Ok(None);
    }
    let len = usize::try_from(len).map_err(|_| broken("a value has a negative length"))?;
    if len > VALUE_BYTES_MAX {
        return Err(too_long());
    }
    Ok(Some(len))
}

fn too_long() -> Error {
    broken("a value is longer than the server can hold")
}

struct Cursor<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len)?;
        let taken = self.input.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take(2).and_then(fixed).map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take(4).and_then(fixed).map(i32::from_be_bytes)
    }
}

/// Reads the header; `None` when it has not arrived completely.
fn header(cursor: &mut Cursor<'_>) -> Result<Option<()>> {
    let start = cursor.at;
    let Some(signature) = cursor.take(SIGNATURE.len()) else {
        return Ok(None);
    };
    if signature != SIGNATURE {
        return Err(broken("the data does not begin as binary COPY does"));
    }
    let (Some(flags), Some(extra)) = (cursor.i32(), cursor.i32()) else {
        cursor.at = start;
        return Ok(None);
    };
    // The upper half are flags that a reader must know; none is defined.
    if flags >> 16 != 0 {
        return Err(broken("the data has an unknown critical flag"));
    }
    let extra = usize::try_from(extra).map_err(|_| broken("the header has a negative length"))?;
    if extra > 1 << 16 {
        return Err(broken("the header is too long"));
    }
    Ok(cursor.take(extra).map(|_| ()))
}

fn fixed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

fn broken(what: &str) -> Error {
    Error::corrupt(format!("unreadable binary COPY: {what}"))
        .hint("the server or something between does not speak PostgreSQL's protocol")
}

/// Decodes one value into the batch.
pub(super) fn value(
    slot: &Slot,
    bytes: &[u8],
    scratch: &mut String,
    into: &mut Batch,
) -> Result<()> {
    let misfit = || {
        broken(&format!(
            "a value does not fit its type: field={}",
            slot.name.escape_debug()
        ))
    };
    let i64 = || fixed(bytes).map(i64::from_be_bytes).ok_or_else(misfit);
    let i32 = || fixed(bytes).map(i32::from_be_bytes).ok_or_else(misfit);
    let text = match slot.wire {
        Wire::Text | Wire::Padded | Wire::Cast | Wire::Json => bytes,
        Wire::Jsonb => match bytes.split_first() {
            Some((1, rest)) => rest,
            _ => return Err(misfit()),
        },
        // A zero byte is the empty "char".
        Wire::Char => match bytes {
            [0] => &[],
            [_] => bytes,
            _ => return Err(misfit()),
        },
        _ => &[],
    };
    let decoded = match slot.wire {
        Wire::Bool => Value::Bool(match bytes {
            [0] => false,
            [1] => true,
            _ => return Err(misfit()),
        }),
        Wire::Int2 => Value::Int(
            fixed(bytes)
                .map(i16::from_be_bytes)
                .ok_or_else(misfit)?
                .into(),
        ),
        Wire::Int4 => Value::Int(i32()?.into()),
        Wire::Int8 => Value::Int(i64()?),
        Wire::Oid => Value::Int(
            fixed(bytes)
                .map(u32::from_be_bytes)
                .ok_or_else(misfit)?
                .into(),
        ),
        Wire::Float4 => Value::Float(
            fixed(bytes)
                .map(f32::from_be_bytes)
                .ok_or_else(misfit)?
                .into(),
        ),
        Wire::Float8 => Value::Float(fixed(bytes).map(f64::from_be_bytes).ok_or_else(misfit)?),
        Wire::Numeric => Value::Decimal(numeric::decode(bytes, scratch).ok_or_else(misfit)?),
        Wire::Bytes => Value::Bytes(bytes),
        Wire::Date => Value::Date(date(i32()?).ok_or_else(misfit)?),
        Wire::Time => Value::Time(i64()?),
        Wire::Timestamp => moment(i64()?, false, scratch),
        Wire::Instant => moment(i64()?, true, scratch),
        Wire::Uuid if bytes.len() == 16 => Value::Uuid(bytes),
        Wire::Uuid => return Err(misfit()),
        Wire::Json | Wire::Jsonb => {
            std::str::from_utf8(text).map_or(Value::InvalidText(text), Value::Json)
        }
        Wire::Text | Wire::Padded | Wire::Cast | Wire::Char => {
            std::str::from_utf8(text).map_or(Value::InvalidText(text), Value::Text)
        }
    };
    into.push(decoded);
    Ok(())
}
