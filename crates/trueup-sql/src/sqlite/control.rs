//! The control tables: the epoch that fences, the marker that names the last batch.

use super::error::translate;
use rusqlite::{Connection, OptionalExtension, params};
use trueup_core::endpoint::{Claim, Mark, Marker};
use trueup_core::{Error, Kind, Result};

const CREATE: &str = "\
CREATE TABLE IF NOT EXISTS _trueup_epoch (
    link TEXT PRIMARY KEY NOT NULL, epoch INTEGER NOT NULL, incarnation TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS _trueup_marker (
    link TEXT NOT NULL, partition TEXT NOT NULL, incarnation TEXT NOT NULL,
    batch INTEGER NOT NULL, position BLOB NOT NULL, epoch INTEGER NOT NULL,
    PRIMARY KEY (link, partition)
);";

/// Creates the tables if they are missing and raises the epoch; durable when it returns.
pub(super) fn raise_epoch(connection: &Connection, claim: &Claim) -> Result<u64> {
    let raise = || -> rusqlite::Result<i64> {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        connection.execute_batch(CREATE)?;
        let epoch = connection.query_row(
            "INSERT INTO _trueup_epoch (link, epoch, incarnation) VALUES (?1, 1, ?2) \
             ON CONFLICT (link) DO UPDATE SET epoch = epoch + 1, incarnation = ?2 RETURNING epoch",
            params![claim.link, claim.incarnation],
            |row| row.get(0),
        )?;
        connection.execute_batch("COMMIT")?;
        Ok(epoch)
    };
    let epoch = raise().map_err(|cause| translate(cause, "claim the target"))?;
    u64::try_from(epoch).map_err(|_| Error::corrupt("_trueup_epoch holds a negative epoch"))
}

/// Refuses to go on when another engine has claimed the link since. Called inside the write transaction, whose
/// lock keeps the answer true until it ends.
pub(super) fn check_epoch(connection: &Connection, link: &str, ours: u64) -> Result<()> {
    let stands = connection
        .query_row(
            "SELECT epoch FROM _trueup_epoch WHERE link = ?1",
            [link],
            |row| row.get::<_, i64>(0),
        )
        .optional()
        .map_err(|cause| translate(cause, "read the epoch"))?;
    if stands.and_then(|epoch| u64::try_from(epoch).ok()) == Some(ours) {
        return Ok(());
    }
    Err(Error::new(
        Kind::Stale,
        format!("another engine claimed this link: our epoch={ours} is over"),
    )
    .hint("what this run wrote before that stays; let the other run finish, or stop it, then run again"))
}

/// Reads the epoch that was claimed last; 0 when none was.
pub(super) fn epoch(connection: &Connection, link: &str) -> Result<u64> {
    let read = || -> rusqlite::Result<Option<i64>> {
        let sql =
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '_trueup_epoch'";
        let tables: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        if tables == 0 {
            return Ok(None);
        }
        let sql = "SELECT epoch FROM _trueup_epoch WHERE link = ?1";
        connection
            .query_row(sql, [link], |row| row.get(0))
            .optional()
    };
    let epoch = read().map_err(|cause| translate(cause, "read the epoch"))?;
    u64::try_from(epoch.unwrap_or(0))
        .map_err(|_| Error::corrupt("_trueup_epoch holds a negative epoch"))
}

/// Stores the marker, in the transaction of its batch.
pub(super) fn put_marker(
    connection: &Connection,
    claim: &Claim,
    mark: &Mark,
    position: &[u8],
    epoch: u64,
) -> rusqlite::Result<()> {
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    connection
        .prepare(
            "INSERT INTO _trueup_marker (link, partition, incarnation, batch, position, epoch) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (link, partition) DO UPDATE SET \
             incarnation = ?3, batch = ?4, position = ?5, epoch = ?6",
        )?
        .execute(params![
            claim.link,
            mark.partition,
            claim.incarnation,
            number(mark.batch),
            position,
            number(epoch)
        ])?;
    Ok(())
}

/// Reads the marker of a partition.
pub(super) fn marker(
    connection: &Connection,
    link: &str,
    partition: &str,
) -> Result<Option<Marker>> {
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    connection
        .query_row(
            "SELECT incarnation, batch, position, epoch FROM _trueup_marker \
             WHERE link = ?1 AND partition = ?2",
            [link, partition],
            |row| {
                Ok(Marker {
                    incarnation: row.get(0)?,
                    batch: number(row.get(1)?),
                    position: row.get(2)?,
                    epoch: number(row.get(3)?),
                })
            },
        )
        .optional()
        .map_err(|cause| translate(cause, "read the marker"))
}
