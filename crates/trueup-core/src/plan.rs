//! The plan: what will be written, decided before anything is.
//!
//! A plan is a header per collection plus spooled actions in key order, so that it can be larger than memory and the
//! guard sees every delete before the first write. The same plan always prints the same text: `--dry-run` shows byte
//! for byte what is carried out. Loading an empty target is one symbolic action, not a list of records.

mod conflict;
pub mod file;
mod json;

pub use conflict::Met;

use crate::batch::{Batch, Record};
use crate::codec::{self, Reader};
use crate::digest::Digest;
use crate::endpoint::{Design, Op};
use crate::error::{Error, Result};
use crate::keyed::{Entry, Standing};
use crate::value::Value;
use std::fmt::{self, Write as _};

/// The version of the spooled bytes.
const VERSION: u8 = 1;

/// One intended write.
#[derive(Clone, Debug)]
pub struct Action<'a> {
    /// What to do.
    pub op: Op,
    /// The digest of the target's record that is replaced or removed.
    pub before: Option<Digest>,
    /// The digest of the record that is written.
    pub after: Option<Digest>,
    /// Which mapped fields change, by position; empty for inserts and deletes.
    pub changed: Vec<usize>,
    /// The record that is written; of a delete only the key's fields count.
    pub record: Record<'a>,
}

impl<'a> Action<'a> {
    /// An insert of the source's record.
    pub fn insert(source: Entry<'a>) -> Self {
        Self {
            op: Op::Insert,
            before: None,
            after: digest_of(source),
            changed: Vec::new(),
            record: source.record,
        }
    }

    /// An update of the target's record to the source's.
    pub fn update(source: Entry<'a>, target: Entry<'a>) -> Self {
        Self {
            op: Op::Update,
            before: digest_of(target),
            after: digest_of(source),
            changed: changed(source.record, target.record),
            record: source.record,
        }
    }

    /// A delete of the target's record.
    pub fn delete(target: Entry<'a>) -> Self {
        Self {
            op: Op::Delete,
            before: digest_of(target),
            after: None,
            changed: Vec::new(),
            record: target.record,
        }
    }

    /// Appends the spooled form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        out.push(match self.op {
            Op::Insert => 0,
            Op::Update => 1,
            Op::Delete => 2,
        });
        for digest in [self.before, self.after] {
            out.push(u8::from(digest.is_some()));
            out.extend(digest.unwrap_or_default().0.to_le_bytes());
        }
        codec::put_len(self.changed.len(), out);
        for &position in &self.changed {
            codec::put_len(position, out);
        }
        codec::put_record(self.record, out);
    }
}

/// An action read back; its record was appended to the batch given to [`decode`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// See [`Action::op`].
    pub op: Op,
    /// See [`Action::before`].
    pub before: Option<Digest>,
    /// See [`Action::after`].
    pub after: Option<Digest>,
    /// See [`Action::changed`].
    pub changed: Vec<usize>,
}

/// Reads one spooled action; its record is appended to `into`.
///
/// # Errors
/// `Corrupt` when the bytes are not ones [`Action::encode`] wrote.
pub fn decode(bytes: &[u8], into: &mut Batch) -> Result<Decoded> {
    let mut reader = Reader::new(bytes);
    let torn = || Error::corrupt("a spooled action does not decode").hint("run again");
    if reader.byte()? != VERSION {
        return Err(torn());
    }
    let op = match reader.byte()? {
        0 => Op::Insert,
        1 => Op::Update,
        2 => Op::Delete,
        _ => return Err(torn()),
    };
    let mut digest = || -> Result<Option<Digest>> {
        let present = reader.byte()? == 1;
        let digest = Digest(u128::from_le_bytes(reader.array()?));
        Ok(present.then_some(digest))
    };
    let (before, after) = (digest()?, digest()?);
    let count = reader.count()?;
    if count > into.width() {
        return Err(torn());
    }
    let changed = (0..count)
        .map(|_| reader.count())
        .collect::<Result<Vec<_>>>()?;
    reader.record(into)?;
    if !reader.is_done() {
        return Err(torn());
    }
    Ok(Decoded {
        op,
        before,
        after,
        changed,
    })
}

fn digest_of(entry: Entry<'_>) -> Option<Digest> {
    match entry.standing {
        Standing::Present(digest) => Some(digest),
        Standing::Unknown => None,
    }
}

/// Returns the positions at which two records of the same shape differ.
pub fn changed(source: Record<'_>, target: Record<'_>) -> Vec<usize> {
    let pairs = source.values().zip(target.values()).enumerate();
    pairs
        .filter(|(_, (source, target))| !equal(*source, *target))
        .map(|(position, _)| position)
        .collect()
}

fn equal(a: Value<'_>, b: Value<'_>) -> bool {
    // Their own bytes are their canonical ones, and may be too long to have them twice.
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => return a == b,
        (Value::Bytes(a), Value::Bytes(b)) => return a == b,
        _ => {}
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    crate::encode::value(a, &mut left);
    crate::encode::value(b, &mut right);
    left == right
}

/// The form a plan is printed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How many of each action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records to insert, those of a load included where their number is known.
    pub inserts: u64,
    /// Records to update.
    pub updates: u64,
    /// Records to delete.
    pub deletes: u64,
}

impl Counts {
    /// Returns the number of actions.
    pub fn total(&self) -> u64 {
        self.inserts + self.updates + self.deletes
    }

    /// Adds other counts.
    pub fn merge(&mut self, other: Self) {
        self.inserts += other.inserts;
        self.updates += other.updates;
        self.deletes += other.deletes;
    }

    /// Counts one action.
    pub fn add(&mut self, op: Op) {
        match op {
            Op::Insert => self.inserts += 1,
            Op::Update => self.updates += 1,
            Op::Delete => self.deletes += 1,
        }
    }
}

/// Writing all records of the source, as one symbolic action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// How many records, where that is known without reading them all.
    pub records: Option<u64>,
}

/// What is planned for one collection.
#[derive(Clone, Debug)]
pub struct CollectionPlan {
    /// The source's name for it.
    pub source: String,
    /// The target's name for it.
    pub target: String,
    /// The names of the mapped fields.
    pub fields: Vec<String>,
    /// The key, as positions among the fields; empty in a bag.
    pub key: Vec<usize>,
    /// How the missing target collection is created first.
    pub create: Option<Design>,
    /// The load, where there is one.
    pub load: Option<Load>,
    /// The listed actions, counted.
    pub counts: Counts,
    /// Records at the target before.
    pub target_records: u64,
    /// Records that only the target has and that stay.
    pub left_alone: u64,
    /// Source records that cannot be taken further.
    pub parked: u64,
}

impl CollectionPlan {
    /// Tells whether nothing would be written.
    pub fn is_empty(&self) -> bool {
        self.create.is_none() && self.load.is_none() && self.counts.total() == 0
    }

    /// Writes the header's lines: what will be created and loaded, and how many actions follow.
    pub fn write_header(&self, out: &mut String) {
        let arrow = if self.source == self.target {
            self.target.clone()
        } else {
            format!("{} -> {}", self.source, self.target)
        };
        let Counts {
            inserts,
            updates,
            deletes,
        } = self.counts;
        if self.load.is_some() && self.counts.total() == 0 {
            line(out, format_args!("collection {arrow}: empty at the target"));
        } else {
            line(
                out,
                format_args!(
                    "collection {arrow}: {inserts} to insert, {updates} to update, {deletes} to delete"
                ),
            );
        }
        if let Some(design) = &self.create {
            let statement = if design.statement.is_empty() {
                "(new)"
            } else {
                &design.statement
            };
            line(out, format_args!("  create {statement}"));
        }
        if let Some(load) = &self.load {
            match load.records {
                Some(records) => line(
                    out,
                    format_args!("  load every record of the source ({records})"),
                ),
                None => line(out, format_args!("  load every record of the source")),
            }
        }
    }

    /// Writes the line of `copies` equal actions in a bag, which has no key to show: their kind and the digest of the
    /// record.
    pub fn write_copies(&self, op: Op, record: Digest, copies: u64, out: &mut String) {
        let verb = verb(op);
        line(
            out,
            format_args!("  {verb} record={record} copies={copies}"),
        );
    }

    /// Writes the line of one action: its kind, its key and the names of the fields it changes; no other values.
    pub fn write_action(&self, action: &Decoded, record: Record<'_>, out: &mut String) {
        out.push_str("  ");
        out.push_str(verb(action.op));
        if !self.key.is_empty() {
            out.push(' ');
            self.write_key(record, out);
        }
        if !action.changed.is_empty() {
            let names: Vec<&str> = action
                .changed
                .iter()
                .map(|&position| self.fields[position].as_str())
                .collect();
            out.push_str(" fields=");
            out.push_str(&names.join(","));
        }
        out.push('\n');
    }

    /// Writes the key of a record: the names of its fields and their values. A bag has none.
    pub fn write_key(&self, record: Record<'_>, out: &mut String) {
        for (index, &position) in self.key.iter().enumerate() {
            if index > 0 {
                out.push(' ');
            }
            out.push_str(&self.fields[position]);
            out.push('=');
            write_key_value(record.value(position), out);
        }
    }
}

fn verb(op: Op) -> &'static str {
    match op {
        Op::Insert => "insert",
        Op::Update => "update",
        Op::Delete => "delete",
    }
}

/// Writes a key's value the way plans and differences show it: text quoted, control characters escaped so that no
/// record can write to somebody's terminal.
pub fn write_key_value(value: Value<'_>, out: &mut String) {
    match value {
        Value::Text(text) | Value::Json(text) => write_quoted(text, out),
        Value::InvalidText(bytes) => write_quoted(&String::from_utf8_lossy(bytes), out),
        Value::Null | Value::Unchanged => out.push_str("null"),
        Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Decimal(_)
        | Value::Bytes(_)
        | Value::Date(_)
        | Value::Time(_)
        | Value::Timestamp(_)
        | Value::Instant(_)
        | Value::Uuid(_) => {
            // Only invalid text has no plain form, and that was handled above.
            crate::text::write(value, out);
        }
    }
}

fn write_quoted(text: &str, out: &mut String) {
    out.push('\'');
    for ch in text.chars() {
        match ch {
            '\'' => out.push_str("''"),
            ch if ch.is_control() => out.extend(ch.escape_default()),
            ch => out.push(ch),
        }
    }
    out.push('\'');
}

fn line(out: &mut String, text: fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests;
