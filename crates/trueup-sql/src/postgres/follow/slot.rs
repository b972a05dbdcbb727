//! The slot of a link: the server keeps its log from there on.
//!
//! Invariant: a slot is used only where it tells everything after the wanted position; otherwise it is said to be lost.
//! A new one tells everything that the next snapshot does not hold: opening waits for what was under way.

use super::place::{self, Lsn, Place};
use super::session::Session;
use super::shape::Shape;
use crate::hex::hex;
use crate::postgres::connect::{Connection, column};
use crate::postgres::error::translate;
use crate::postgres::quote::literal;
use trueup_core::endpoint::Position;
use trueup_core::{Error, Kind, Result};

/// How often a busy slot is asked for again, and how long is waited each time.
const TRIES_MAX: usize = 100;
pub(super) const PAUSE: &str = "SELECT pg_sleep(0.1)";
/// How often it is looked whether older transactions have ended: a minute.
const SETTLE_TRIES_MAX: usize = 600;
/// The oldest server that tells a partitioned table as one.
const VERSION_MIN: i32 = 130_000;
/// Names longer than this, or of other characters, are digested.
const PLAIN_NAME_BYTES_MAX: usize = 48;

/// Who the server is, and where its log ends.
#[derive(Debug)]
pub(super) struct Server {
    /// What positions of its log begin with.
    pub(super) identity: String,
    pub(super) now: Place,
}

/// Returns the name of a link's slot and publication.
pub(super) fn name(link: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !link.is_empty() && link.len() <= PLAIN_NAME_BYTES_MAX && link.bytes().all(plain) {
        return format!("trueup_{link}");
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, link.as_bytes());
    let half = digest.as_ref().get(..16).unwrap_or_default();
    format!("trueup_{}", hex(half))
}

/// Makes sure that the server keeps a log that can be followed, and returns its version.
///
/// # Errors
/// `Config` when it does not. One that was followed before (`resumes`) may just be taking over: `Unavailable`.
pub(super) fn check_server(connection: &Connection, resumes: bool) -> Result<i32> {
    let row = connection.one(
        "SELECT pg_is_in_recovery(), current_setting('wal_level'), \
         current_setting('server_version_num')::int4",
    )?;
    if column(&row, 0)? {
        let kind = if resumes {
            Kind::Unavailable
        } else {
            Kind::Config
        };
        return Err(Error::new(kind, "a standby cannot be followed")
            .hint("connect to the primary: what a link needs is made there"));
    }
    let level: String = column(&row, 1)?;
    if level != "logical" {
        return Err(Error::config(format!(
            "the server's log does not say enough to be followed: wal_level={level}"
        ))
        .hint("ALTER SYSTEM SET wal_level = logical, and start the server again"));
    }
    let version = column(&row, 2)?;
    if version < VERSION_MIN {
        return Err(Error::config(format!(
            "the server is too old to be followed: version={version}"
        ))
        .hint("PostgreSQL 13 is the oldest that can be followed"));
    }
    Ok(version)
}

/// Makes sure that the changes of a table say which record they are about.
pub(super) fn check_identity(connection: &Connection, shape: &Shape) -> Result<()> {
    // Each partition answers for itself.
    let sql = "SELECT c.oid::regclass::text, c.relreplident::text, \
               (SELECT array_agg(a.attname::text) FROM pg_index i \
                  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) \
                WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND \
                  CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END), c.relpersistence::text, \
               EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate \
                 AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT EXISTS ( \
                   SELECT FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) AS k(at) \
                   JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.at WHERE a.attname::text <> ALL ($2::text[]))) \
               FROM pg_class c WHERE c.relkind = 'r' AND (c.oid = $1 \
                 OR c.oid IN (SELECT relid FROM pg_partition_tree($1::oid::regclass) WHERE isleaf))";
    let key = shape.key_names();
    for row in connection.query(sql, &[&shape.table.oid(), &key])? {
        let (table, identity): (String, String) = (column(&row, 0)?, column(&row, 1)?);
        if column::<String>(&row, 3)? == "u" {
            return Err(Error::config(format!(
                "an unlogged table is not in the log: collection={} table={}",
                shape.collection.escape_debug(),
                table.escape_debug()
            ))
            .hint("ALTER TABLE ... SET LOGGED, or leave the collection out of the link"));
        }
        let covered: Option<Vec<String>> = column(&row, 2)?;
        let enough = match (identity.as_str(), covered) {
            // Keys that are unique at the end of a transaction only may be two records' in between: nobody could say which one a
            // change is about.
            ("f", _) => shape.bag || column(&row, 4)?,
            (_, Some(covered)) => {
                !shape.bag && key.iter().all(|name| covered.iter().any(|one| one == name))
            }
            (_, None) => false,
        };
        if !enough {
            return Err(Error::config(format!(
                "the changes of a table would not say which record they are about: collection={} table={}",
                shape.collection.escape_debug(),
                table.escape_debug()
            ))
            .hint(format!(
                "ALTER TABLE {table} REPLICA IDENTITY FULL, or USING INDEX of a unique index on the link's key; either way with \
                 such an index that is not DEFERRABLE"
            )));
        }
    }
    Ok(())
}

/// Says why what comes after a position is not all there any more; `None` when it is.
pub(super) fn lost(
    connection: &Connection,
    session: &mut Session,
    name: &str,
    from: &Position,
    server: &Server,
) -> Result<Option<String>> {
    let Some((identity, place)) = place::parse(from) else {
        return Ok(Some(
            "the position is none of this kind of source".to_owned(),
        ));
    };
    if identity != server.identity {
        return Ok(Some(format!(
            "the source is another server or database: was={identity} is={}",
            server.identity
        )));
    }
    if server.now.lsn < place.lsn || server.now.timeline < place.timeline {
        return Ok(Some(format!(
            "the source stands before the position, as after a restore: position={} source={}",
            place.lsn, server.now.lsn
        )));
    }
    if let Some(reason) = diverged(session, place, server.now)? {
        return Ok(Some(reason));
    }
    let from = place.lsn;
    let sql = "SELECT plugin::text, database::text = current_database(), confirmed_flush_lsn::text, wal_status \
               FROM pg_replication_slots WHERE slot_name = $1::text::name";
    let rows = connection.query(sql, &[&name])?;
    let Some(row) = rows.first() else {
        return Ok(Some(format!("the slot is gone: name={name}")));
    };
    let (plugin, here): (Option<String>, Option<bool>) = (column(row, 0)?, column(row, 1)?);
    if plugin.as_deref() != Some("pgoutput") || here != Some(true) {
        return Ok(Some(format!("the slot is not the link's own: name={name}")));
    }
    let status: Option<String> = column(row, 3)?;
    if status.as_deref() == Some("lost") {
        return Ok(Some(format!(
            "the server gave up what the slot needs (max_slot_wal_keep_size): name={name}"
        )));
    }
    let confirmed: Option<String> = column(row, 2)?;
    let confirmed = confirmed
        .as_deref()
        .and_then(Lsn::parse)
        .unwrap_or(Lsn(u64::MAX));
    if from < confirmed {
        return Ok(Some(format!(
            "the slot was moved on past the position: name={name} position={from} slot={confirmed}"
        )));
    }
    let sql = "SELECT FROM pg_publication WHERE pubname = $1::text::name";
    if connection.query(sql, &[&name])?.is_empty() {
        return Ok(Some(format!("the publication is gone: name={name}")));
    }
    Ok(None)
}

/// Says whether another history of the server branched off before the position: what was told after that never happened
/// there.
fn diverged(session: &mut Session, from: Place, now: Place) -> Result<Option<String>> {
    if from.timeline == now.timeline {
        return Ok(None);
    }
    let rows = session.query(&format!("TIMELINE_HISTORY {}", now.timeline))?;
    let history = rows.first().and_then(|row| row.get(1)?.as_deref());
    let left = place::left(history.unwrap_or_default(), from.timeline);
    if left.is_some_and(|left| from.lsn <= left) {
        return Ok(None);
    }
    Ok(Some(format!(
        "the source went on without what was told last, as after a failover: position={} timeline={} source_timeline={}",
        from.lsn, from.timeline, now.timeline
    )))
}

/// Waits until every transaction that is under way now has ended and can be seen.
///
/// A transaction that began before a table joined is told in part, and one whose commit is in the log before the slot's
/// beginning is not told at all while a standby is waited for. Afterwards each is in every snapshot.
pub(super) fn settle(connection: &Connection) -> Result<()> {
    let row = connection.one("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")?;
    let next: String = column(&row, 0)?;
    for _ in 0..SETTLE_TRIES_MAX {
        let sql = "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::text::xid8";
        let rows = connection.query(sql, &[&next])?;
        if rows.first().map(|row| column(row, 0)).transpose()? == Some(true) {
            return Ok(());
        }
        connection.one(PAUSE)?;
    }
    Err(Error::new(
        Kind::Unavailable,
        "transactions are under way that began before the log was opened",
    )
    .hint("end what runs long (see pg_stat_activity and pg_prepared_xacts), then run again"))
}

/// Drops a slot of ours, creates it anew, and returns from where on it tells all.
pub(super) fn renew(connection: &Connection, name: &str, version: i32) -> Result<Lsn> {
    remove(connection, name)?;
    let options = match version {
        170_000.. => "false, false, true",
        140_000.. => "false, false",
        _ => "false",
    };
    let sql = format!(
        "SELECT lsn::text FROM pg_create_logical_replication_slot({}, 'pgoutput', {options})",
        literal(name)
    );
    let made = connection.wait(|client| client.query(&sql, &[]))?;
    let rows = made.map_err(|foreign| {
        let error = translate(&foreign);
        let code = foreign.code().map(|code| code.code().to_owned());
        let hint = match code.as_deref() {
            Some("42501") => "ALTER ROLE ... REPLICATION lets a user follow",
            Some("53400") => {
                "raise max_replication_slots, or drop slots that nobody uses (pg_replication_slots)"
            }
            Some("55P03") => "a transaction runs long: a slot begins when those before it have ended; run again then",
            Some("42710") => "a slot of that name belongs to another database; drop it there if nobody uses it",
            _ => return error,
        };
        let kind = match code.as_deref() {
            Some("53400" | "42710") => Kind::Config,
            _ => error.kind(),
        };
        Error::new(kind, format!("no slot can be made: name={name}"))
            .hint(hint)
            .cause(error)
    })?;
    let lsn = rows
        .first()
        .map(|row| column::<String>(row, 0))
        .transpose()?;
    let lsn = lsn.as_deref().and_then(Lsn::parse).ok_or_else(|| {
        Error::corrupt("the server does not say where the slot begins")
            .hint("the server may not be PostgreSQL, or be a newer version than trueup knows")
    })?;
    if let Err(error) = settle(connection) {
        // Nobody follows it now, and it would keep the log for ever.
        drop(remove(connection, name));
        return Err(error);
    }
    Ok(lsn)
}

/// Drops the slot, where it is in this database.
pub(super) fn remove(connection: &Connection, name: &str) -> Result<()> {
    let sql = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots \
               WHERE slot_name = $1::text::name AND database = current_database()";
    for _ in 0..TRIES_MAX {
        let dropped = connection.wait(async |client| client.query(sql, &[&name]).await)?;
        match dropped {
            Ok(_) => return Ok(()),
            // Still in use: a process whose client is gone ends soon.
            Err(foreign) if foreign.code().is_some_and(|code| code.code() == "55006") => {}
            Err(foreign) => return Err(translate(&foreign)),
        }
        connection.one(PAUSE)?;
    }
    Err(busy(name))
}

/// Says that somebody else reads the slot.
pub(super) fn busy(name: &str) -> Error {
    Error::new(
        Kind::Unavailable,
        format!("the slot is in use: name={name}"),
    )
    .hint("another process follows this link; stop it, or wait for its end, then run again")
}

/// Asks until the slot is free, at most ten seconds long.
pub(super) fn until_free(name: &str, mut ask: impl FnMut() -> Result<bool>) -> Result<()> {
    for _ in 0..TRIES_MAX {
        if ask()? {
            return Ok(());
        }
    }
    Err(busy(name))
}
