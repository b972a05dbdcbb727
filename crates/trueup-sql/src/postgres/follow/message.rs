//! Reads the messages of pgoutput, version 1, where they lie in the buffer.
//!
//! Invariant: whatever the bytes are, reading them never panics and takes no memory for what is not there; a message
//! whose parts do not fill it exactly is refused. It decides nothing: what a message means to a collection is the log's
//! business.

use super::place::Lsn;
use crate::postgres::decode::VALUE_BYTES_MAX;
use trueup_core::{Error, Result};

/// A message of the log. The values of records lie in [`Tuples`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Begin {
        xid: u32,
    },
    Commit {
        end: Lsn,
        /// Microseconds since 2000.
        at: i64,
    },
    Relation(Relation),
    Insert {
        relation: u32,
    },
    Update {
        relation: u32,
        old: Option<Old>,
    },
    Delete {
        relation: u32,
        old: Old,
    },
    Truncate {
        relations: Vec<u32>,
    },
    /// What says nothing about a record: the origin of a transaction, a type's name, somebody's message.
    Other,
}

/// What is known of a record as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Old {
    /// The replica identity's columns.
    Key,
    /// All columns.
    Whole,
}

/// A table as the log describes it before its first change, and whenever it may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Relation {
    pub(super) oid: u32,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) columns: Vec<Described>,
}

/// A column as the log describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) typid: u32,
    pub(super) typmod: i32,
}

/// Where a value lies in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Datum {
    pub(super) form: Form,
    start: usize,
    end: usize,
}

/// In which form a value was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Null,
    /// Not sent, because it did not change.
    Unchanged,
    Text,
    Binary,
}

impl Datum {
    /// Returns the value's bytes.
    pub(super) fn bytes<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        message.get(self.start..self.end).unwrap_or(&[])
    }
}

/// The values of the record that a message is about, before and after. The memory is used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Tuples {
    pub(super) old: Vec<Datum>,
    pub(super) new: Vec<Datum>,
}

/// Reads one message.
pub(super) fn read(message: &[u8], tuples: &mut Tuples) -> Result<Message> {
    tuples.old.clear();
    tuples.new.clear();
    let mut cursor = Cursor { message, at: 0 };
    let letter = cursor.u8().ok_or_else(short)?;
    let read = match letter {
        b'B' => begin(&mut cursor),
        b'C' => commit(&mut cursor),
        b'R' => relation(&mut cursor),
        b'I' => insert(&mut cursor, tuples),
        b'U' => update(&mut cursor, tuples),
        b'D' => delete(&mut cursor, tuples),
        b'T' => truncate(&mut cursor),
        b'O' | b'Y' | b'M' => return Ok(Message::Other),
        other => {
            let shown = other.escape_ascii();
            return Err(Error::corrupt(format!(
                "the log has a message of an unknown kind: kind={shown}"
            ))
            .hint("the server may be a newer version than trueup knows"));
        }
    };
    read.filter(|_| cursor.at == message.len())
        .ok_or_else(short)
}

fn short() -> Error {
    Error::corrupt("unreadable message of the log: its parts do not fit it")
        .hint("the server or something between does not speak PostgreSQL's protocol")
}

fn begin(cursor: &mut Cursor<'_>) -> Option<Message> {
    let (_final, _at) = (cursor.u64()?, cursor.u64()?);
    let xid = cursor.u32()?;
    Some(Message::Begin { xid })
}

fn commit(cursor: &mut Cursor<'_>) -> Option<Message> {
    let (_flags, _commit) = (cursor.u8()?, cursor.u64()?);
    let end = Lsn(cursor.u64()?);
    let at = i64::from_be_bytes(cursor.fixed()?);
    Some(Message::Commit { end, at })
}

fn relation(cursor: &mut Cursor<'_>) -> Option<Message> {
    let oid = cursor.u32()?;
    let (namespace, name) = (cursor.text()?, cursor.text()?);
    let _identity = cursor.u8()?;
    let count = cursor.u16()?;
    let mut columns = Vec::new();
    for _ in 0..count {
        let _flags = cursor.u8()?;
        columns.push(Described {
            name: cursor.text()?,
            typid: cursor.u32()?,
            typmod: i32::from_be_bytes(cursor.fixed()?),
        });
    }
    Some(Message::Relation(Relation {
        oid,
        namespace,
        name,
        columns,
    }))
}

fn insert(cursor: &mut Cursor<'_>, tuples: &mut Tuples) -> Option<Message> {
    let relation = cursor.u32()?;
    if cursor.u8()? != b'N' {
        return None;
    }
    tuple(cursor, &mut tuples.new)?;
    Some(Message::Insert { relation })
}

fn update(cursor: &mut Cursor<'_>, tuples: &mut Tuples) -> Option<Message> {
    let relation = cursor.u32()?;
    let mut mark = cursor.u8()?;
    let old = old(mark);
    if old.is_some() {
        tuple(cursor, &mut tuples.old)?;
        mark = cursor.u8()?;
    }
    if mark != b'N' {
        return None;
    }
    tuple(cursor, &mut tuples.new)?;
    Some(Message::Update { relation, old })
}

fn delete(cursor: &mut Cursor<'_>, tuples: &mut Tuples) -> Option<Message> {
    let relation = cursor.u32()?;
    let old = old(cursor.u8()?)?;
    tuple(cursor, &mut tuples.old)?;
    Some(Message::Delete { relation, old })
}

fn truncate(cursor: &mut Cursor<'_>) -> Option<Message> {
    let count = cursor.u32()?;
    let _options = cursor.u8()?;
    let mut relations = Vec::new();
    for _ in 0..count {
        relations.push(cursor.u32()?);
    }
    Some(Message::Truncate { relations })
}

fn old(mark: u8) -> Option<Old> {
    match mark {
        b'K' => Some(Old::Key),
        b'O' => Some(Old::Whole),
        _ => None,
    }
}

fn tuple(cursor: &mut Cursor<'_>, into: &mut Vec<Datum>) -> Option<()> {
    for _ in 0..cursor.u16()? {
        let form = match cursor.u8()? {
            b'n' => Form::Null,
            b'u' => Form::Unchanged,
            b't' => Form::Text,
            b'b' => Form::Binary,
            _ => return None,
        };
        let len = match form {
            Form::Null | Form::Unchanged => 0,
            Form::Text | Form::Binary => usize::try_from(cursor.u32()?).ok()?,
        };
        if len > VALUE_BYTES_MAX {
            return None;
        }
        let start = cursor.at;
        cursor.take(len)?;
        into.push(Datum {
            form,
            start,
            end: cursor.at,
        });
    }
    Some(())
}

struct Cursor<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len)?;
        let taken = self.message.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.fixed().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.fixed().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.fixed().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.fixed().map(u64::from_be_bytes)
    }

    /// Reads a text that a zero byte ends.
    fn text(&mut self) -> Option<String> {
        let rest = self.message.get(self.at..)?;
        let len = rest.iter().position(|&byte| byte == 0)?;
        let text = String::from_utf8_lossy(self.take(len)?).into_owned();
        self.at += 1;
        Some(text)
    }
}
