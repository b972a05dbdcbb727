//! One event of the log: its head, its checksum, and what the small kinds say.
//!
//! Invariant: whatever the bytes are, reading them never panics; an event whose checksum does not fit is an error, and so
//! is one of a kind that is not known to be harmless. It deliberately knows neither tables nor values.

use crate::mysql::wire::{Parts, broken};
use flate2::Crc;
use flate2::read::ZlibDecoder;
use std::io::{self, Read};

/// The kinds that are understood, or known to say nothing about records. The numbers are the protocol's.
pub(super) mod kind {
    pub(in super::super) const QUERY: u8 = 2;
    pub(in super::super) const STOP: u8 = 3;
    pub(in super::super) const ROTATE: u8 = 4;
    pub(in super::super) const INTVAR: u8 = 5;
    pub(in super::super) const RAND: u8 = 13;
    pub(in super::super) const USER_VAR: u8 = 14;
    pub(in super::super) const FORMAT: u8 = 15;
    pub(in super::super) const XID: u8 = 16;
    pub(in super::super) const TABLE_MAP: u8 = 19;
    pub(in super::super) const WRITE_V1: u8 = 23;
    pub(in super::super) const DELETE_V1: u8 = 25;
    pub(in super::super) const INCIDENT: u8 = 26;
    pub(in super::super) const HEARTBEAT: u8 = 27;
    pub(in super::super) const IGNORABLE: u8 = 28;
    pub(in super::super) const WRITE: u8 = 30;
    pub(in super::super) const DELETE: u8 = 32;
    pub(in super::super) const XA_PREPARE: u8 = 38;
    pub(in super::super) const ANNOTATE: u8 = 160;
    pub(in super::super) const CHECKPOINT: u8 = 161;
    pub(in super::super) const GTID: u8 = 162;
    pub(in super::super) const GTID_LIST: u8 = 163;
    pub(in super::super) const ENCRYPTION: u8 = 164;
    pub(in super::super) const QUERY_COMPRESSED: u8 = 165;
    pub(in super::super) const WRITE_COMPRESSED_V1: u8 = 166;
    pub(in super::super) const DELETE_COMPRESSED: u8 = 171;
}

/// What every event begins with.
const HEAD_BYTES: usize = 19;
const CHECKSUM_BYTES: usize = 4;
/// In an event's head: it stands in no file.
const ARTIFICIAL: u64 = 0x20;
/// In an event's head: who does not know the event may go on without it.
const MAY_BE_IGNORED: u64 = 0x80;
/// What the server never logs more of at once.
const INFLATED_BYTES_MAX: usize = 1 << 30;
/// How long what stands before the records of a rows event is, before its columns: the number of the table, and flags.
const ROWS_HEAD_BYTES: usize = 8;

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event<'a> {
    pub(super) kind: u8,
    /// When the statement began, in seconds since 1970 by the server's clock.
    pub(super) at_s: u64,
    pub(super) server: u32,
    /// Where the next event stands, as far as 32 bits say it; `None` where this one stands in no file.
    pub(super) end: Option<u64>,
    /// Whether it may be passed over by who does not know it.
    pub(super) ignorable: bool,
    pub(super) body: &'a [u8],
}

/// What the log says about its checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checksums {
    /// It has not said it yet.
    Unknown,
    No,
    Crc32,
}

impl Checksums {
    /// Reads an event, and takes what it says about those to come.
    pub(super) fn read<'a>(&mut self, packet: &'a [u8]) -> io::Result<Event<'a>> {
        let mut parts = Parts::new(packet);
        let at_s = parts.int(4)?;
        let kind = byte(&mut parts)?;
        let server = word(&mut parts)?;
        let len = parts.int(4)?;
        let (end, flags) = (parts.int(4)?, parts.int(2)?);
        if usize::try_from(len).ok() != Some(packet.len()) {
            return Err(broken(
                "an event of the log has another length than it says",
            ));
        }
        if kind == kind::FORMAT {
            *self = said(packet)?;
        }
        let (content, found) = packet
            .split_last_chunk::<CHECKSUM_BYTES>()
            .ok_or_else(|| broken("an event of the log is too short"))?;
        let fits = || checksum(content) == u32::from_le_bytes(*found);
        let end_bytes = match self {
            Self::No if kind == kind::FORMAT => CHECKSUM_BYTES,
            Self::No => 0,
            Self::Crc32 if fits() => CHECKSUM_BYTES,
            Self::Crc32 => return Err(broken("an event of the log does not fit its checksum")),
            // Only the log's first words come before it says whether they have one.
            Self::Unknown if packet.len() >= HEAD_BYTES + CHECKSUM_BYTES && fits() => {
                CHECKSUM_BYTES
            }
            Self::Unknown => 0,
        };
        let body = packet.get(HEAD_BYTES..packet.len() - end_bytes);
        Ok(Event {
            kind,
            at_s,
            server,
            end: (flags & ARTIFICIAL == 0 && end != 0).then_some(end),
            ignorable: flags & MAY_BE_IGNORED != 0,
            body: body.ok_or_else(|| broken("an event of the log is too short"))?,
        })
    }
}

/// What the description of the log says: it ends in the kind of checksum, and a checksum.
fn said(packet: &[u8]) -> io::Result<Checksums> {
    let mut parts = Parts::new(packet.get(HEAD_BYTES..).unwrap_or_default());
    parts.take(56)?;
    if usize::try_from(parts.int(1)?).ok() != Some(HEAD_BYTES) {
        return Err(broken("the log's events have another head than is known"));
    }
    let at = packet.len().checked_sub(CHECKSUM_BYTES + 1);
    match at.and_then(|at| packet.get(at)) {
        Some(0) => Ok(Checksums::No),
        Some(1) => Ok(Checksums::Crc32),
        _ => Err(broken("the log has checksums of an unknown kind")),
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn byte(parts: &mut Parts<'_>) -> io::Result<u8> {
    let value = parts.int(1)?;
    u8::try_from(value).map_err(|_| broken("a byte is none"))
}

fn word(parts: &mut Parts<'_>) -> io::Result<u32> {
    let value = parts.int(4)?;
    u32::try_from(value).map_err(|_| broken("a number is too large"))
}

/// The name of a kind that cannot be followed, for people.
pub(super) fn name(kind: u8) -> &'static str {
    match kind {
        1 => "START_V3",
        6 | 8..=12 | 17 | 18 => "LOAD_DATA",
        20..=22 => "ROWS_PRE_GA",
        kind::INCIDENT => "INCIDENT",
        33..=35 => "MYSQL_GTID",
        kind::XA_PREPARE => "XA_PREPARE",
        39 => "PARTIAL_UPDATE_ROWS",
        40 => "TRANSACTION_PAYLOAD",
        172 => "PARTIAL_ROW_DATA",
        _ => "unknown",
    }
}

/// The beginning of a group of events that is committed together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) domain: u32,
    pub(super) seq: u64,
    /// Whether it is one statement, which ends it.
    pub(super) alone: bool,
    /// Whether it is only prepared, and another group says later whether it counts.
    pub(super) prepared: bool,
}

impl Group {
    pub(super) fn read(body: &[u8]) -> io::Result<Self> {
        let mut parts = Parts::new(body);
        let seq = parts.int(8)?;
        let domain = word(&mut parts)?;
        let flags = parts.int(1)?;
        Ok(Self {
            domain,
            seq,
            alone: flags & 1 != 0,
            prepared: flags & 64 != 0,
        })
    }
}

/// Where the log goes on: the file, and the place in it.
pub(super) fn rotate(body: &[u8]) -> io::Result<(String, u64)> {
    let mut parts = Parts::new(body);
    let at = parts.int(8)?;
    let name = String::from_utf8(parts.rest().to_vec());
    Ok((
        name.map_err(|_| broken("a file of the log has no name"))?,
        at,
    ))
}

/// A statement in the log, and the database that was the session's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) database: String,
    pub(super) text: String,
}

impl Query {
    pub(super) fn read(body: &[u8], compressed: bool) -> io::Result<Self> {
        let mut parts = Parts::new(body);
        parts.take(8)?;
        let database_len = usize::from(byte(&mut parts)?);
        parts.take(2)?;
        let status_len = usize::try_from(parts.int(2)?).unwrap_or(usize::MAX);
        parts.take(status_len)?;
        let database = String::from_utf8_lossy(parts.take(database_len)?).into_owned();
        parts.take(1)?;
        let text = if compressed {
            String::from_utf8_lossy(&inflate(parts.rest())?).into_owned()
        } else {
            String::from_utf8_lossy(parts.rest()).into_owned()
        };
        Ok(Self { database, text })
    }
}

/// What was done with the records of a rows event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Write,
    Update,
    Delete,
}

/// Records that changed, as they stand in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) table: u64,
    pub(super) done: Done,
    /// How many columns there are.
    pub(super) width: usize,
    /// Which of them are there: a bit each, before and after the change.
    pub(super) present: [Vec<u8>; 2],
    pub(super) images: Vec<u8>,
}

impl Rows {
    /// Returns which table a rows event is about.
    pub(super) fn table(body: &[u8]) -> io::Result<u64> {
        Parts::new(body).int(6)
    }

    pub(super) fn read(kind: u8, body: &[u8]) -> io::Result<Self> {
        let (form, compressed) = if kind >= kind::WRITE_COMPRESSED_V1 {
            (kind - kind::WRITE_COMPRESSED_V1, true)
        } else if kind >= kind::WRITE {
            (kind - kind::WRITE + 3, false)
        } else {
            (kind.saturating_sub(kind::WRITE_V1), false)
        };
        let mut parts = Parts::new(body);
        let table = parts.int(6)?;
        parts.take(ROWS_HEAD_BYTES - 6)?;
        if form >= 3 {
            // The second form says more, and how much.
            let more = usize::try_from(parts.int(2)?).unwrap_or(0);
            parts.take(
                more.checked_sub(2)
                    .ok_or_else(|| broken("a head is too short"))?,
            )?;
        }
        let done = match form % 3 {
            0 => Done::Write,
            1 => Done::Update,
            _ => Done::Delete,
        };
        let width = parts
            .length()?
            .and_then(|width| usize::try_from(width).ok());
        let width = width.ok_or_else(|| broken("a rows event has no columns"))?;
        let bitmap = width.div_ceil(8);
        let before = parts.take(bitmap)?.to_vec();
        let after = match done {
            Done::Update => parts.take(bitmap)?.to_vec(),
            Done::Write | Done::Delete => before.clone(),
        };
        let images = if compressed {
            inflate(parts.rest())?
        } else {
            parts.rest().to_vec()
        };
        Ok(Self {
            table,
            done,
            width,
            present: [before, after],
            images,
        })
    }
}

/// Unpacks what the server packed: a byte that says how long the length is, the length, and zlib's bytes.
fn inflate(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut parts = Parts::new(bytes);
    let head = parts.int(1)?;
    let wide = head & 7;
    if head & 0xf0 != 0x80 || !(1..=4).contains(&wide) {
        return Err(broken(
            "an event of the log is compressed in an unknown way",
        ));
    }
    let len = parts.take(usize::try_from(wide).unwrap_or(0))?;
    let len = len
        .iter()
        .fold(0_usize, |sum, &byte| sum << 8 | usize::from(byte));
    if len > INFLATED_BYTES_MAX {
        return Err(broken("an event of the log is larger than any can be"));
    }
    let mut inflated = Vec::new();
    let limit = u64::try_from(len).unwrap_or(0) + 1;
    ZlibDecoder::new(parts.rest())
        .take(limit)
        .read_to_end(&mut inflated)?;
    if inflated.len() != len {
        return Err(broken(
            "a compressed event of the log has another length than it says",
        ));
    }
    Ok(inflated)
}
