//! A conflict as it stands in the file.
//!
//! Reading trusts nothing: whatever does not decode, or does not fit the shape it was recorded in, is damage that names
//! the part. Writing refuses what reading would not give back. It does not know what a conflict's stages mean.

use super::super::change::{Attempt, Change, Failure};
use super::super::pair::{self, CollectionId};
use super::super::{RunId, blob};
use super::{ConflictId, PastConflict};
use rusqlite::{OptionalExtension, Row};
use trueup_core::Error;
use trueup_core::batch::{Batch, Record};
use trueup_core::conflict::Conflict;
use trueup_core::digest::Digest;
use trueup_core::encode;
use trueup_core::side::{Side, Sides};

/// Selects what [`past`] reads.
pub(super) const SELECT: &str = "\
    SELECT conflict.id, durable, source_identity, target_identity, source_address, target_address, \
           pair_collection.source, pair_collection.target, source_fields, target_fields, shape.key, \
           conflict.key, ruling, source_record, target_record, run, at_ms, decision, result, answer, \
           iif(stage = 'open', coalesce(note, reason), note), chosen, lapsed \
    FROM conflict JOIN shape ON shape.id = conflict.shape \
    JOIN pair_collection ON pair_collection.id = conflict.collection \
    JOIN pair ON pair.link = pair_collection.link JOIN link ON link.id = pair.link";

/// Reads a row of [`SELECT`].
pub(super) fn past(row: &Row<'_>) -> Attempt<PastConflict> {
    let names = |column: usize| -> Attempt<Vec<String>> {
        let text: String = row.get(column)?;
        blob::decode_names(&text).ok_or(Failure::Damaged("a shape"))
    };
    let fields = Sides::new(names(8)?, names(9)?);
    let width = fields.source.len();
    if fields.target.len() != width {
        return Err(Failure::Damaged("a shape"));
    }
    let key: String = row.get(10)?;
    let key_positions = blob::decode_positions(&key, width).ok_or(Failure::Damaged("a shape"))?;
    let ruling: String = row.get(12)?;
    let ruling =
        blob::decode_ruling(&ruling, width).ok_or(Failure::Damaged("a conflict's ruling"))?;
    let record = |column: usize| -> Attempt<Option<Batch>> {
        let bytes: Option<Vec<u8>> = row.get(column)?;
        let decode = |bytes: Vec<u8>| {
            blob::decode_record(&bytes, width).ok_or(Failure::Damaged("a conflict's record"))
        };
        bytes.map(decode).transpose()
    };
    let answer: Option<String> = row.get(19)?;
    let answer = answer
        .map(|text| blob::decode_answer(&text).ok_or(Failure::Damaged("a conflict's answer")));
    Ok(PastConflict {
        id: ConflictId(row.get(0)?),
        link: row.get(1)?,
        ends: pair::ends(row, 2)?,
        collection: Sides::new(row.get(6)?, row.get(7)?),
        fields,
        key_positions,
        key: row.get(11)?,
        kind: ruling.kind,
        ruling,
        records: Sides::new(record(13)?, record(14)?),
        run: RunId(row.get(15)?),
        at_ms: row.get(16)?,
        decision: row.get(17)?,
        result: digest(row.get(18)?)?,
        answer: answer.transpose()?,
        note: row.get(20)?,
        chosen: record(21)?,
        lapsed: row.get(22)?,
    })
}

pub(super) fn digest_of(record: Record<'_>) -> Digest {
    encode::digest(record, &mut Vec::new())
}

/// The bytes of a record that was decided on; `None` where one of the sides held it, and the decision says which.
pub(super) fn chosen(record: Option<Record<'_>>, held: &Sides<Option<Digest>>) -> Option<Vec<u8>> {
    let is_new = |record: &Record<'_>| {
        let digest = Some(digest_of(*record));
        digest != held.source && digest != held.target
    };
    record.filter(is_new).map(blob::encode_record)
}

pub(super) fn digest_bytes(digest: Option<Digest>) -> Option<[u8; 16]> {
    digest.map(|digest| digest.0.to_be_bytes())
}

pub(super) fn digest(bytes: Option<Vec<u8>>) -> Attempt<Option<Digest>> {
    let read = |bytes: Vec<u8>| {
        let bytes = bytes
            .try_into()
            .map_err(|_| Failure::Damaged("a conflict's result"))?;
        Ok(Digest(u128::from_be_bytes(bytes)))
    };
    bytes.map(read).transpose()
}

/// What of a conflict is stored as bytes.
pub(super) struct Stored {
    pub(super) ruling: String,
    pub(super) records: Sides<Option<Vec<u8>>>,
}

impl Stored {
    pub(super) fn of(conflict: &Conflict) -> Self {
        Self {
            ruling: blob::encode_ruling(conflict.ruling()),
            records: Sides::by(|side| conflict.record(side).map(blob::encode_record)),
        }
    }
}

/// The present shape of a collection.
pub(super) struct Shape {
    pub(super) id: i64,
    width: usize,
}

impl Shape {
    pub(super) fn present(change: &Change<'_>, collection: CollectionId) -> Attempt<Self> {
        let found: Option<(i64, String)> = change
            .transaction
            .query_row(
                "SELECT shape.id, source_fields FROM pair_collection \
                 JOIN shape ON shape.id = pair_collection.shape \
                 WHERE pair_collection.id = ?1 AND link = ?2",
                [collection.0, change.link],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        let (id, fields) =
            found.ok_or_else(|| Error::bug("the collection is not one of this link"))?;
        let fields = blob::decode_names(&fields).ok_or(Failure::Damaged("a shape"))?;
        Ok(Self {
            id,
            width: fields.len(),
        })
    }

    /// What does not fit could never be read back.
    pub(super) fn fits(&self, conflict: &Conflict) -> Attempt<()> {
        let wide = |side| {
            let record = conflict.record(side);
            record.is_none_or(|record| record.width() == self.width)
        };
        let fields = &conflict.ruling().fields;
        if Side::BOTH.into_iter().all(wide) && fields.iter().all(|f| f.field < self.width) {
            Ok(())
        } else {
            Err(Error::bug("a conflict does not fit its collection").into())
        }
    }
}
