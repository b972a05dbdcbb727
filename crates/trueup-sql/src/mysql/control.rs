//! The control tables: who may write, and which batch was written last.
//!
//! They live in the database itself, as in SQLite, and not in one of their own: a dump that brings records back then
//! brings the marker back with them, and who may write to one database needs no right on another.
//!
//! Invariant: a batch is written only while its epoch is the link's current one, checked under a row lock in the
//! batch's own transaction; the marker is written in that transaction too. Raising the epoch waits for a batch in
//! flight, so that afterwards it is either visible or refused.

use super::quote::{bytes, text};
use super::session::Connection;
use crate::server::same_epoch;
use trueup_core::Result;
use trueup_core::endpoint::{Claim, Mark, Marker};

/// A name of any length is found by its SHA-256: an index holds 3,072 bytes.
const CREATE: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS `_trueup_epoch` ( \
      `id` BINARY(32) NOT NULL PRIMARY KEY, `link` LONGTEXT NOT NULL, \
      `epoch` BIGINT UNSIGNED NOT NULL, `incarnation` LONGTEXT NOT NULL) \
     ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "CREATE TABLE IF NOT EXISTS `_trueup_marker` ( \
      `id` BINARY(32) NOT NULL PRIMARY KEY, `link` LONGTEXT NOT NULL, `partition` LONGTEXT NOT NULL, \
      `incarnation` LONGTEXT NOT NULL, `batch` BIGINT UNSIGNED NOT NULL, `position` LONGBLOB NOT NULL, \
      `epoch` BIGINT UNSIGNED NOT NULL) \
     ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
];

/// The tables' names.
pub(super) const TABLES: [&str; 2] = ["_trueup_epoch", "_trueup_marker"];

/// What finds a link's epoch.
fn link_id(link: &str) -> String {
    format!("UNHEX(SHA2({}, 256))", bytes(link.as_bytes()))
}

/// What finds a partition's marker. The length tells where the one name ends and the other begins.
fn partition_id(link: &str, partition: &str) -> String {
    let mut name = (link.len() as u64).to_be_bytes().to_vec();
    name.extend_from_slice(link.as_bytes());
    name.extend_from_slice(partition.as_bytes());
    format!("UNHEX(SHA2({}, 256))", bytes(&name))
}

/// Which of the control tables this user can see.
pub(super) fn existing(connection: &Connection) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
         AND TABLE_NAME IN ('{}') ORDER BY TABLE_NAME",
        TABLES.join("', '")
    );
    connection
        .query(&sql)?
        .iter()
        .map(|row| row.text(0))
        .collect()
}

/// Creates the control tables if they are missing; safe against another engine that does the same.
pub(super) fn ensure(connection: &Connection) -> Result<()> {
    if existing(connection)?.len() == TABLES.len() {
        return Ok(());
    }
    for sql in CREATE {
        connection
            .execute(sql)
            .map_err(|error| error.at("creating the control tables"))?;
    }
    Ok(())
}

/// Raises the link's epoch, durably, and returns the new one.
pub(super) fn raise(connection: &Connection, claim: &Claim) -> Result<u64> {
    let (id, link, incarnation) = (
        link_id(&claim.link),
        text(&claim.link),
        text(&claim.incarnation),
    );
    // The table has one unique index only, so that an existing row is this link's.
    let raise = format!(
        "INSERT INTO `_trueup_epoch` (`id`, `link`, `epoch`, `incarnation`) VALUES ({id}, {link}, 1, {incarnation}) \
         ON DUPLICATE KEY UPDATE `epoch` = `epoch` + 1, `incarnation` = {incarnation}"
    );
    let read = format!("SELECT `epoch` FROM `_trueup_epoch` WHERE `id` = {id} FOR UPDATE");
    connection.execute("START TRANSACTION READ WRITE")?;
    let raised = connection
        .execute(&raise)
        .and_then(|()| connection.one(&read)?.int(0))
        .and_then(|epoch| connection.execute("COMMIT").map(|()| epoch));
    if raised.is_err() && !connection.is_closed() {
        drop(connection.execute("ROLLBACK"));
    }
    raised.map_err(|error| error.at("raising the epoch"))
}

/// Reads the epoch that was claimed last; 0 when none was.
pub(super) fn epoch(connection: &Connection, link: &str) -> Result<u64> {
    if !existing(connection)?.iter().any(|name| name == TABLES[0]) {
        return Ok(0);
    }
    let sql = format!(
        "SELECT `epoch` FROM `_trueup_epoch` WHERE `id` = {}",
        link_id(link)
    );
    let rows = connection.query(&sql)?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

/// Locks the link's epoch and makes sure that it is still ours.
///
/// # Errors
/// `Stale` when another engine raised it.
pub(super) fn hold(connection: &Connection, link: &str, epoch: u64) -> Result<()> {
    let sql = format!(
        "SELECT `epoch` FROM `_trueup_epoch` WHERE `id` = {} LOCK IN SHARE MODE",
        link_id(link)
    );
    let rows = connection.query(&sql)?;
    let current = rows.first().map(|row| row.int(0)).transpose()?;
    same_epoch(epoch, current)
}

/// Reads a marker.
pub(super) fn marker(
    connection: &Connection,
    link: &str,
    partition: &str,
) -> Result<Option<Marker>> {
    let sql = format!(
        "SELECT `batch`, `epoch`, `incarnation`, `position` FROM `_trueup_marker` WHERE `id` = {}",
        partition_id(link, partition)
    );
    let rows = connection.query(&sql)?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Marker {
        incarnation: row.text(2)?,
        batch: row.int(0)?,
        position: row.bytes(3)?.to_vec(),
        epoch: row.int(1)?,
    }))
}

/// Writes a marker inside the batch's transaction.
pub(super) fn set_marker(
    connection: &Connection,
    claim: &Claim,
    epoch: u64,
    mark: &Mark,
    position: &[u8],
) -> Result<()> {
    let id = partition_id(&claim.link, &mark.partition);
    let (link, partition) = (text(&claim.link), text(&mark.partition));
    let (incarnation, batch) = (text(&claim.incarnation), mark.batch);
    let position = bytes(position);
    // As above: the row that stands there can only be this partition's.
    connection.execute(&format!(
        "INSERT INTO `_trueup_marker` (`id`, `link`, `partition`, `incarnation`, `batch`, `position`, `epoch`) \
         VALUES ({id}, {link}, {partition}, {incarnation}, {batch}, {position}, {epoch}) \
         ON DUPLICATE KEY UPDATE `incarnation` = {incarnation}, `batch` = {batch}, `position` = {position}, \
         `epoch` = {epoch}"
    ))
}

/// Tells whether the control tables can be used or created here. Creates nothing.
pub(super) fn possible(connection: &Connection) -> Result<bool> {
    super::rights::control(connection).map(|missing| missing.is_empty())
}
