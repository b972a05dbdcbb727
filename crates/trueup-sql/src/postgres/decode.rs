//! Reads the binary COPY format straight into a batch.
//!
//! Invariant: whatever the bytes are, reading them never panics, never allocates for a length that has not arrived,
//! and never delivers part of a record. It allocates nothing per value. It deliberately does not trust that a
//! message of the wire is a record.

use super::numeric;
use super::types::Wire;
use trueup_core::batch::Batch;
use trueup_core::calendar;
use trueup_core::parcel::Parcel;
use trueup_core::value::Value;
use trueup_core::{Error, Result};

/// What every binary COPY begins with.
pub(super) const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// The longest value the server can send.
pub(super) const VALUE_BYTES_MAX: usize = 1 << 30;
/// At how many bytes a batch is refused, whoever sent it: below what its arena can hold.
pub(super) const BATCH_BYTES_MAX: usize = 3 << 30;

/// Microseconds and days from 1970-01-01 to 2000-01-01, PostgreSQL's own beginning.
pub(super) const EPOCH_US: i64 = 946_684_800_000_000;
pub(super) const EPOCH_DAYS: i32 = 10_957;
/// The calendar repeats itself after 400 years, to the day.
pub(super) const ERA_US: i64 = 146_097 * 86_400 * 1_000_000;

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

    /// Appends the complete records of `input` to `into` until there is no more room, and returns how many bytes
    /// of `input` were used; the caller gives the rest again, with more behind it.
    pub(super) fn read(&mut self, input: &[u8], into: &mut Batch, room: Room) -> Result<usize> {
        let mut cursor = Cursor { input, at: 0 };
        if !self.begin(&mut cursor)? {
            return Ok(0);
        }
        let mut used = cursor.at;
        while !self.ended && into.len() < room.records_max && into.bytes() < room.bytes_max {
            match self.record(&mut cursor, into) {
                Ok(true) => used = cursor.at,
                Ok(false) => {
                    into.drop_partial();
                    break;
                }
                Err(error) => {
                    into.drop_partial();
                    return Err(error);
                }
            }
        }
        Ok(used)
    }

    /// As [`Reader::read`], but appends the records as they are.
    pub(super) fn pass(&mut self, input: &[u8], into: &mut Parcel, room: Room) -> Result<usize> {
        let mut cursor = Cursor { input, at: 0 };
        if !self.begin(&mut cursor)? {
            return Ok(0);
        }
        let start = cursor.at;
        let (mut used, mut end) = (start, start);
        let held = into.bytes.len();
        while into.records < room.records_max && held + end - start < room.bytes_max {
            let Some(odd) = self.step(&mut cursor)? else {
                break;
            };
            used = cursor.at;
            if self.ended {
                break;
            }
            end = used;
            into.records += 1;
            into.odd |= odd;
        }
        into.bytes.extend_from_slice(&input[start..end]);
        Ok(used)
    }

    /// Reads the header, where that has not been done; `false` when it has not arrived completely.
    fn begin(&mut self, cursor: &mut Cursor<'_>) -> Result<bool> {
        self.begun = self.begun || header(cursor)?.is_some();
        Ok(self.begun)
    }

    /// Steps over one record or the end mark, and tells whether it holds a value that is none to us; `None` when it has not
    /// arrived completely.
    fn step(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<bool>> {
        let Some(count) = cursor.i16() else {
            return Ok(None);
        };
        if count == -1 {
            self.ended = true;
            return Ok(Some(false));
        }
        self.expect(count)?;
        let mut odd = false;
        for slot in &self.slots {
            let Some(len) = cursor.i32() else {
                return Ok(None);
            };
            let Some(len) = length(len)? else {
                continue;
            };
            let Some(bytes) = cursor.take(len) else {
                return Ok(None);
            };
            odd |= match slot.wire {
                Wire::Date => fixed(bytes)
                    .map(i32::from_be_bytes)
                    .and_then(date)
                    .is_none(),
                Wire::Timestamp | Wire::Instant => fixed(bytes)
                    .map(i64::from_be_bytes)
                    .and_then(micros)
                    .is_none(),
                _ => false,
            };
        }
        Ok(Some(odd))
    }

    fn expect(&self, count: i16) -> Result<()> {
        if usize::try_from(count) == Ok(self.slots.len()) {
            return Ok(());
        }
        Err(broken(
            "a record has another number of fields than asked for",
        ))
    }

    /// Reads one record or the end mark; `false` when it has not arrived completely.
    fn record(&mut self, cursor: &mut Cursor<'_>, into: &mut Batch) -> Result<bool> {
        let Some(count) = cursor.i16() else {
            return Ok(false);
        };
        if count == -1 {
            self.ended = true;
            return Ok(true);
        }
        self.expect(count)?;
        for slot in &self.slots {
            let Some(len) = cursor.i32() else {
                return Ok(false);
            };
            let Some(len) = length(len)? else {
                into.push(Value::Null);
                continue;
            };
            if into.bytes() + len > BATCH_BYTES_MAX {
                return Err(too_long());
            }
            let Some(bytes) = cursor.take(len) else {
                return Ok(false);
            };
            value(slot, bytes, &mut self.scratch, into)?;
        }
        Ok(true)
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

/// Days since 2000 to days since 1970; the infinities are the ends of both ranges.
fn date(days: i32) -> Option<i32> {
    match days {
        i32::MIN | i32::MAX => Some(days),
        _ => days
            .checked_add(EPOCH_DAYS)
            .filter(|&days| days != i32::MAX),
    }
}

/// Microseconds since 2000 to microseconds since 1970; the infinities are the ends of both ranges.
pub(super) fn micros(us: i64) -> Option<i64> {
    match us {
        i64::MIN | i64::MAX => Some(us),
        _ => us.checked_add(EPOCH_US).filter(|&us| us != i64::MAX),
    }
}

/// A timestamp, or the text of one that is too late.
pub(super) fn moment(server: i64, zoned: bool, scratch: &mut String) -> Value<'_> {
    match micros(server) {
        Some(us) if zoned => Value::Instant(us),
        Some(us) => Value::Timestamp(us),
        None => {
            too_late(server, zoned, scratch);
            Value::Text(scratch)
        }
    }
}

/// Spells a timestamp of the server's last 29 years, which lie beyond what 64 bits of microseconds since 1970 reach: a
/// text is what is left, and whoever needs a timestamp puts the record aside.
fn too_late(server: i64, zoned: bool, out: &mut String) {
    let earlier = server - ERA_US + EPOCH_US;
    let mut text = String::new();
    if zoned {
        calendar::format_instant(earlier, &mut text);
    } else {
        calendar::format_timestamp(earlier, &mut text);
    }
    out.clear();
    let (year, rest) = text.split_once('-').unwrap_or((&text, ""));
    let year: i64 = year.parse().unwrap_or_default();
    out.push_str(&format!("{}-{rest}", year + 400));
}
