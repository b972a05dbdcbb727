//! The control tables: who may write, and which batch was written last.
//!
//! Invariant: a batch is written only while its epoch is the link's current one, checked under a row lock in the
//! batch's own transaction; the marker is written in that transaction too. Raising the epoch waits for the batches in
//! flight, and comes before those that begin later, so that afterwards each is either visible or refused.

use super::connect::{Connection, column};
use super::error;
use crate::server::same_epoch;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use trueup_core::digest::Digest;
use trueup_core::endpoint::{Claim, Mark, Marker};
use trueup_core::{Error, Result};

/// Serialises the creation of the control tables; an arbitrary constant ("trueup" in ASCII).
const CREATE_LOCK: i64 = 0x7472_7565_7570;

const CREATE: &str = "\
    CREATE TABLE IF NOT EXISTS trueup.epoch ( \
      link text PRIMARY KEY, epoch bigint NOT NULL, incarnation text NOT NULL); \
    CREATE TABLE IF NOT EXISTS trueup.marker ( \
      link text NOT NULL, partition text NOT NULL, incarnation text NOT NULL, batch bigint NOT NULL, \
      position bytea NOT NULL, epoch bigint NOT NULL, PRIMARY KEY (link, partition))";

/// What this user may do about the control tables; class T needs either of the two.
const PROBE: &str = "\
    SELECT CASE WHEN to_regnamespace('trueup') IS NULL \
             THEN has_database_privilege(current_database(), 'CREATE') \
           WHEN NOT has_schema_privilege('trueup', 'USAGE') THEN false \
           WHEN (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('trueup') \
                 AND relname IN ('epoch', 'marker')) < 2 THEN has_schema_privilege('trueup', 'CREATE') \
           ELSE (SELECT bool_and(has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT') \
                   AND has_table_privilege(oid, 'UPDATE')) \
                 FROM pg_class WHERE relnamespace = to_regnamespace('trueup') \
                 AND relname IN ('epoch', 'marker')) END";

/// Tells whether the control tables can be used or created here. Creates nothing.
pub(super) fn possible(connection: &Connection) -> Result<bool> {
    column(&connection.one(PROBE)?, 0)
}

/// Creates the control tables if they are missing; safe against another engine that does the same.
pub(super) fn ensure(connection: &Connection) -> Result<()> {
    let sql = "SELECT count(*) = 2 FROM pg_class WHERE relnamespace = to_regnamespace('trueup') \
               AND relname IN ('epoch', 'marker')";
    if column::<bool>(&connection.one(sql)?, 0)? {
        return Ok(());
    }
    let created = create(connection);
    if created.is_err() {
        connection.execute("ROLLBACK")?;
    }
    created.map_err(|error| error.at("creating the control tables"))
}

fn create(connection: &Connection) -> Result<()> {
    connection.execute(&format!(
        "BEGIN READ WRITE; SELECT pg_advisory_xact_lock({CREATE_LOCK})"
    ))?;
    // Not by IF NOT EXISTS: that asks for the right to create also where there is nothing to do.
    let missing = connection.one("SELECT to_regnamespace('trueup') IS NULL")?;
    if column(&missing, 0)? {
        connection.execute("CREATE SCHEMA trueup")?;
    }
    connection.execute(&format!("{CREATE}; COMMIT"))
}

/// Names the link for a lock that is given in the order in which it is asked for. A row's lock is not: batches of several writers
/// that overlap would share it for ever, and whoever raises the epoch would never get it.
fn turn(link: &str) -> i64 {
    let digest = Digest::of(format!("trueup epoch of {link}").as_bytes());
    i64::from_le_bytes((digest.0 as u64).to_le_bytes())
}

/// Waits for whoever raises the epoch: what every batch's transaction begins with, before [`hold`].
pub(super) fn begin(link: &str) -> String {
    format!("SELECT pg_advisory_xact_lock_shared({})", turn(link))
}

/// Raises the link's epoch, durably, and returns the new one.
pub(super) fn raise(connection: &Connection, claim: &Claim) -> Result<u64> {
    let sql = "INSERT INTO trueup.epoch AS e (link, epoch, incarnation) VALUES ($1, 1, $2) \
               ON CONFLICT (link) DO UPDATE SET epoch = e.epoch + 1, incarnation = excluded.incarnation \
               RETURNING e.epoch";
    connection.execute(
        "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE; SET LOCAL synchronous_commit = on",
    )?;
    let turn = format!("SELECT pg_advisory_xact_lock({})", turn(&claim.link));
    if let Err(error) = connection.execute(&turn) {
        connection.execute("ROLLBACK")?;
        return Err(error.at("raising the epoch"));
    }
    let raised = typed(
        connection,
        sql,
        &[(&claim.link, Type::TEXT), (&claim.incarnation, Type::TEXT)],
    );
    let rows = match raised {
        Ok(rows) => rows,
        Err(error) => {
            connection.execute("ROLLBACK")?;
            return Err(error.at("raising the epoch"));
        }
    };
    connection.execute("COMMIT")?;
    unsigned(rows.first(), 0)?
        .ok_or_else(|| Error::corrupt("the epoch was raised and is not there"))
}

/// Reads the epoch that was claimed last; 0 when none was.
pub(super) fn epoch(connection: &Connection, link: &str) -> Result<u64> {
    let there = "SELECT to_regclass('trueup.epoch') IS NOT NULL";
    if !column::<bool>(&connection.one(there)?, 0)? {
        return Ok(0);
    }
    let sql = "SELECT epoch FROM trueup.epoch WHERE link = $1";
    let rows = typed(connection, sql, &[(&link, Type::TEXT)])?;
    Ok(unsigned(rows.first(), 0)?.unwrap_or(0))
}

/// Locks the link's epoch and makes sure that it is still ours.
///
/// # Errors
/// `Stale` when another engine raised it.
pub(super) fn hold(connection: &Connection, link: &str, epoch: u64) -> Result<()> {
    let sql = "SELECT epoch FROM trueup.epoch WHERE link = $1 FOR SHARE";
    let rows = typed(connection, sql, &[(&link, Type::TEXT)])?;
    let current = unsigned(rows.first(), 0)?;
    same_epoch(epoch, current)
}

/// Reads a marker.
pub(super) fn marker(
    connection: &Connection,
    link: &str,
    partition: &str,
) -> Result<Option<Marker>> {
    let sql = "SELECT batch, epoch, incarnation, position FROM trueup.marker WHERE link = $1 AND partition = $2";
    let rows = typed(
        connection,
        sql,
        &[(&link, Type::TEXT), (&partition, Type::TEXT)],
    )?;
    let (Some(batch), Some(epoch), Some(row)) = (
        unsigned(rows.first(), 0)?,
        unsigned(rows.first(), 1)?,
        rows.first(),
    ) else {
        return Ok(None);
    };
    Ok(Some(Marker {
        incarnation: column(row, 2)?,
        batch,
        position: column(row, 3)?,
        epoch,
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
    let sql = "INSERT INTO trueup.marker (link, partition, incarnation, batch, position, epoch) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (link, partition) DO UPDATE SET \
               incarnation = excluded.incarnation, batch = excluded.batch, position = excluded.position, \
               epoch = excluded.epoch";
    let (batch, epoch) = (signed(mark.batch)?, signed(epoch)?);
    typed(
        connection,
        sql,
        &[
            (&claim.link, Type::TEXT),
            (&mark.partition, Type::TEXT),
            (&claim.incarnation, Type::TEXT),
            (&batch, Type::INT8),
            (&position, Type::BYTEA),
            (&epoch, Type::INT8),
        ],
    )?;
    Ok(())
}

/// Runs a statement whose parameter types are known: one round trip.
fn typed(
    connection: &Connection,
    sql: &str,
    parameters: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<Row>> {
    connection
        .wait(|client| client.query_typed(sql, parameters))?
        .map_err(|foreign| error::translate(&foreign))
}

fn signed(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| Error::bug("a batch or epoch number passed 63 bits"))
}

fn unsigned(row: Option<&Row>, index: usize) -> Result<Option<u64>> {
    let Some(row) = row else { return Ok(None) };
    let number: i64 = column(row, index)?;
    u64::try_from(number)
        .map(Some)
        .map_err(|_| Error::corrupt("a control table holds a negative number"))
}
