//! Parked records: what each link has put aside, and since when.
//!
//! Invariant: a record that stays parked keeps its number and the run that met it first, however many runs meet it
//! again. Of the values only those of the key are kept, and where the record stood in a file: its owner has to find it.

use super::{LinkId, RunId, Said, Store};
use rusqlite::{Row, Transaction, params};
use std::collections::{BTreeMap, VecDeque};
use trueup_core::digest::Digest;
use trueup_core::park::{Parked, Place};
use trueup_core::{Error, Result};

/// A parked record on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedRecord {
    /// Its number.
    pub id: i64,
    /// The link's durable name.
    pub link: String,
    /// The link's name for people.
    pub link_name: String,
    /// The target's name for the collection.
    pub collection: String,
    /// Key, field and reason.
    pub parked: Parked,
    /// The last run that met it.
    pub run: RunId,
    /// How a person named the link then, where that is known.
    pub said: Option<Said>,
    /// The first run that met it, where that is known.
    pub first_run: Option<RunId>,
    /// When that run began, in milliseconds since 1970 UTC.
    pub first_ms: Option<i64>,
}

/// The number of a record that was parked before, and since when it is.
type Standing = (i64, Option<i64>, Option<i64>);

impl Store {
    /// Replaces the link's parked records of one collection. Those that were parked before keep their numbers.
    ///
    /// # Errors
    /// `Bug` unless this store began a run of the link.
    pub fn park(
        &mut self,
        link: &LinkId,
        collection: &str,
        run: RunId,
        parked: &[Parked],
    ) -> Result<()> {
        let id = self.ours(link)?;
        let started = self.under_way.iter().find(|one| one.run == run);
        let started = started.map(|run| run.started_ms);
        self.write("record parked records", |transaction| {
            let (mut before, mut last) = before(transaction, id, collection)?;
            transaction.execute(
                "DELETE FROM parked WHERE link = ?1 AND collection = ?2",
                params![id, collection],
            )?;
            let mut insert = transaction.prepare(
                "INSERT INTO parked (id, link, collection, run, key, field, reason, first_run, first_ms, \
                 key_text, file, line) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?;
            for one in parked {
                let key = one.key.to_string();
                let place = one.place.as_ref();
                let file = place.map(|place| &*place.file);
                let line = place.and_then(|place| i64::try_from(place.line).ok());
                let known = before.get_mut(&key).and_then(VecDeque::pop_front);
                let (number, first_run, first_ms) = known.unwrap_or_else(|| {
                    last += 1;
                    (last, Some(run.0), started)
                });
                insert.execute(params![
                    number,
                    id,
                    collection,
                    run.0,
                    key,
                    one.field,
                    one.reason,
                    first_run,
                    first_ms,
                    one.key_text,
                    file,
                    line
                ])?;
            }
            Ok(())
        })
    }

    /// The link's parked records of one collection, in the order of their numbers.
    pub fn parked(&self, link: &LinkId, collection: &str) -> Result<Vec<Parked>> {
        let all = self.parked_records(Some(&link.durable))?;
        let here = all.into_iter().filter(|one| one.collection == collection);
        Ok(here.map(|one| one.parked).collect())
    }

    /// The parked records of a link, named by its durable name, or of all links, in the order of their numbers.
    pub fn parked_records(&self, link: Option<&str>) -> Result<Vec<ParkedRecord>> {
        let rows = self.read_all(
            "read the parked records",
            "SELECT parked.id, link.durable, link.name, collection, key, field, reason, run, first_run, first_ms, \
             key_text, file, line, said, said_in FROM parked JOIN link ON link.id = parked.link \
             LEFT JOIN run AS met_by ON met_by.id = parked.run \
             WHERE ?1 IS NULL OR link.durable = ?1 ORDER BY parked.id",
            params![link],
            row,
        )?;
        rows.into_iter()
            .map(|(mut record, key)| {
                let digest = crate::certificate::digest_from(&key);
                record.parked.key = Digest(digest.ok_or_else(|| {
                    Error::corrupt(format!(
                        "state={}: a parked record's key is no digest",
                        self.path.display()
                    ))
                    .hint("restore the file from a backup, or begin a new one with --state")
                })?);
                Ok(record)
            })
            .collect()
    }
}

/// What was parked there, by key, and the highest number in use anywhere.
fn before(
    transaction: &Transaction<'_>,
    link: i64,
    collection: &str,
) -> rusqlite::Result<(BTreeMap<String, VecDeque<Standing>>, i64)> {
    let last = transaction.query_row("SELECT coalesce(max(id), 0) FROM parked", [], |row| {
        row.get(0)
    })?;
    let mut before: BTreeMap<String, VecDeque<Standing>> = BTreeMap::new();
    let mut statement = transaction.prepare(
        "SELECT key, id, first_run, first_ms FROM parked WHERE link = ?1 AND collection = ?2 ORDER BY id",
    )?;
    let mut rows = statement.query(params![link, collection])?;
    while let Some(row) = rows.next()? {
        let standing = (row.get(1)?, row.get(2)?, row.get(3)?);
        before.entry(row.get(0)?).or_default().push_back(standing);
    }
    Ok((before, last))
}

fn row(row: &Row<'_>) -> rusqlite::Result<(ParkedRecord, String)> {
    let place = (
        row.get::<_, Option<String>>(11)?,
        row.get::<_, Option<i64>>(12)?,
    );
    let place = match place {
        (Some(file), Some(line)) => Some(Place {
            file: file.into(),
            line: u64::try_from(line).unwrap_or(0),
        }),
        _ => None,
    };
    let record = ParkedRecord {
        id: row.get(0)?,
        link: row.get(1)?,
        link_name: row.get(2)?,
        collection: row.get(3)?,
        parked: Parked {
            key: Digest(0),
            key_text: row.get(10)?,
            place,
            field: row.get(5)?,
            reason: row.get(6)?,
        },
        run: RunId(row.get(7)?),
        said: match (row.get(13)?, row.get(14)?) {
            (Some(name), Some(file)) => Some(Said::InFile { file, name }),
            (Some(options), None) => Some(Said::Options(options)),
            (None, _) => None,
        },
        first_run: row.get::<_, Option<i64>>(8)?.map(RunId),
        first_ms: row.get(9)?,
    };
    Ok((record, row.get(4)?))
}

#[cfg(test)]
mod tests;
