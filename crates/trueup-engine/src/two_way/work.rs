//! One decision on its way to the endpoints: what is written where, what must stand there, what the base becomes.
//!
//! Decisions are spooled to disk between compare and apply, because there may be as many as there are records and
//! because no snapshot may stay open while its endpoint is written. A [`Work`] owns everything that is needed to carry
//! it out: nothing is looked up or decided again on the way.

use crate::state::{ConflictId, decode_ruling, encode_ruling};
use trueup_core::base::Base;
use trueup_core::batch::{Batch, Record};
use trueup_core::codec::{Reader, put_bytes, put_len, put_record};
use trueup_core::conflict::Ruling;
use trueup_core::digest::Digest;
use trueup_core::endpoint::Op;
use trueup_core::side::{Side, Sides};
use trueup_core::{Error, Result};

/// A decision about one key that writes something.
#[derive(Clone, Debug)]
pub(super) struct Work {
    /// The canonical key.
    pub(super) key: Vec<u8>,
    /// The first write.
    pub(super) step: Step,
    /// For keep-both: the record that is inserted under a fresh key on the same side, in the same batch.
    pub(super) copy: Option<Batch>,
    /// The second write, on the other side, once the first is durable.
    pub(super) then: Option<Step>,
    /// What goes on record before the first write.
    pub(super) conflict: Option<Ruled>,
    /// The recorded conflict that a person has answered, which this work carries out.
    pub(super) answers: Option<ConflictId>,
    /// Whether the key's open conflict is over once it is carried out.
    pub(super) closes: bool,
}

/// One conditional write.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Where.
    pub(super) side: Side,
    /// What.
    pub(super) op: Op,
    /// The record to write, in the shared shape; of a delete, the one that is removed.
    pub(super) record: Batch,
    /// The digest of the record that must stand there; `None`: there must be none.
    pub(super) expected: Option<Digest>,
    /// Which fields an update changes, for the plan.
    pub(super) changed: Vec<usize>,
    /// What the base becomes once the write has applied.
    pub(super) base: Base,
    /// The values of the record that it is about then, where they are kept.
    pub(super) kept: Option<Vec<u8>>,
}

/// A conflict with what both sides held.
#[derive(Clone, Debug)]
pub(super) struct Ruled {
    pub(super) ruling: Ruling,
    pub(super) records: Sides<Option<Batch>>,
    /// The record that both sides hold in the end; `None`: none.
    pub(super) result: Option<Digest>,
    /// Why the rules left it open, where they can say; no values.
    pub(super) reason: Option<String>,
}

impl Work {
    /// Appends the spooled form.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(&self.key, out);
        self.step.encode(out);
        put_option(self.copy.as_ref(), out, put_batch);
        put_option(self.then.as_ref(), out, Step::encode);
        put_option(self.conflict.as_ref(), out, Ruled::encode);
        put_option(self.answers.as_ref(), out, |id, out| {
            out.extend(id.0.to_le_bytes());
        });
        put_len(usize::from(self.closes), out);
    }

    /// Reads the spooled form of records with `width` fields.
    pub(super) fn decode(bytes: &[u8], width: usize) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let reader = &mut reader;
        let work = Self {
            key: reader.bytes()?.to_vec(),
            step: Step::decode(reader, width)?,
            copy: option(reader, |reader| batch(reader, width))?,
            then: option(reader, |reader| Step::decode(reader, width))?,
            conflict: option(reader, |reader| Ruled::decode(reader, width))?,
            answers: option(reader, |reader| {
                Ok(ConflictId(i64::from_le_bytes(reader.array()?)))
            })?,
            closes: reader.count()? == 1,
        };
        if reader.is_done() {
            Ok(work)
        } else {
            Err(torn())
        }
    }

    /// Makes the work that removes a record of `side` which nobody has seen yet.
    pub(super) fn removing(key: &[u8], side: Side, record: &Batch, digest: Digest) -> Self {
        Self {
            key: key.to_vec(),
            step: Step {
                side,
                op: Op::Delete,
                record: record.clone(),
                expected: Some(digest),
                changed: Vec::new(),
                base: Base::Absent,
                kept: None,
            },
            copy: None,
            then: None,
            conflict: None,
            answers: None,
            closes: false,
        }
    }

    /// Returns the work that is left when the first write has applied.
    pub(super) fn rest(self) -> Option<Self> {
        self.then.map(|step| Self {
            key: self.key,
            step,
            copy: None,
            then: None,
            conflict: None,
            answers: self.answers,
            closes: self.closes,
        })
    }
}

impl Step {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self.side {
            Side::Source => 0,
            Side::Target => 1,
        });
        out.push(match self.op {
            Op::Insert => 0,
            Op::Update => 1,
            Op::Delete => 2,
        });
        put_batch(&self.record, out);
        put_digest(self.expected, out);
        put_len(self.changed.len(), out);
        self.changed.iter().for_each(|&field| put_len(field, out));
        let mut base = Vec::new();
        self.base.encode(&mut base);
        put_bytes(&base, out);
        put_option(self.kept.as_ref(), out, |kept, out| put_bytes(kept, out));
    }

    fn decode(reader: &mut Reader<'_>, width: usize) -> Result<Self> {
        Ok(Self {
            side: match reader.byte()? {
                0 => Side::Source,
                1 => Side::Target,
                _ => return Err(torn()),
            },
            op: match reader.byte()? {
                0 => Op::Insert,
                1 => Op::Update,
                2 => Op::Delete,
                _ => return Err(torn()),
            },
            record: batch(reader, width)?,
            expected: digest(reader)?,
            changed: (0..reader.count()?)
                .map(|_| reader.count())
                .collect::<Result<_>>()?,
            base: Base::decode(reader.bytes()?)?,
            kept: option(reader, |reader| Ok(reader.bytes()?.to_vec()))?,
        })
    }
}

impl Ruled {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(encode_ruling(&self.ruling).as_bytes(), out);
        put_option(self.records.source.as_ref(), out, put_batch);
        put_option(self.records.target.as_ref(), out, put_batch);
        put_digest(self.result, out);
        put_option(self.reason.as_ref(), out, |reason, out| {
            put_bytes(reason.as_bytes(), out);
        });
    }

    pub(super) fn decode(reader: &mut Reader<'_>, width: usize) -> Result<Self> {
        let ruling = std::str::from_utf8(reader.bytes()?).ok();
        let ruling = ruling.and_then(|text| decode_ruling(text, width));
        let ruling = ruling.ok_or_else(torn)?;
        let source = option(reader, |reader| batch(reader, width))?;
        let target = option(reader, |reader| batch(reader, width))?;
        Ok(Self {
            ruling,
            records: Sides::new(source, target),
            result: digest(reader)?,
            reason: option(reader, |reader| {
                let reason = std::str::from_utf8(reader.bytes()?);
                reason.map(str::to_owned).map_err(|_| torn())
            })?,
        })
    }
}

/// Makes a batch of this one record.
pub(super) fn own(record: Record<'_>) -> Batch {
    let mut batch = Batch::new(record.width());
    batch.push_record(record);
    batch
}

fn put_batch(batch: &Batch, out: &mut Vec<u8>) {
    put_record(batch.record(0), out);
}

fn batch(reader: &mut Reader<'_>, width: usize) -> Result<Batch> {
    let mut batch = Batch::new(width);
    reader.record(&mut batch)?;
    Ok(batch)
}

fn put_digest(digest: Option<Digest>, out: &mut Vec<u8>) {
    put_option(digest.as_ref(), out, |digest, out| {
        out.extend(digest.0.to_le_bytes());
    });
}

fn digest(reader: &mut Reader<'_>) -> Result<Option<Digest>> {
    option(reader, |reader| {
        Ok(Digest(u128::from_le_bytes(reader.array()?)))
    })
}

fn put_option<T>(value: Option<&T>, out: &mut Vec<u8>, put: impl Fn(&T, &mut Vec<u8>)) {
    match value {
        None => put_len(0, out),
        Some(value) => {
            put_len(1, out);
            put(value, out);
        }
    }
}

fn option<T>(
    reader: &mut Reader<'_>,
    read: impl Fn(&mut Reader<'_>) -> Result<T>,
) -> Result<Option<T>> {
    match reader.count()? {
        0 => Ok(None),
        1 => read(reader).map(Some),
        _ => Err(torn()),
    }
}

fn torn() -> Error {
    Error::corrupt("a spooled decision does not decode")
        .hint("a temporary file was changed while it was in use; run again")
}
