//! What is kept at the source for a link: a slot and a publication, both named after it.
//!
//! Invariant: a table joins the publication only when its changes can say which record they are about: the server would
//! otherwise refuse the application's own updates. Whatever is changed waits for a lock only shortly. Tables that join
//! are told completely from the first transaction that the next snapshot does not hold: opening waits for those that
//! were under way.

use super::place::{self, Lsn};
use super::shape::Shape;
use crate::hex::hex;
use crate::postgres::connect::{Connection, column};
use crate::postgres::error::translate;
use crate::postgres::quote::{ident, literal};
use std::collections::BTreeSet;
use trueup_core::endpoint::Position;
use trueup_core::{Error, Kind, Result};

/// How often a busy slot is asked for again, and how long is waited each time.
const TRIES_MAX: usize = 100;
pub(super) const PAUSE: &str = "SELECT pg_sleep(0.1)";
/// How often it is looked whether older transactions have ended: a minute.
const SETTLE_TRIES_MAX: usize = 600;
/// How long a lock at the source is waited for: whoever comes after us in the queue waits too.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '3s'";
/// What the publication says while transactions may be under way that began before a table joined it.
const JOINING: &str = "kept by trueup; tables are joining";
const JOINED: &str = "kept by trueup";
/// Names longer than this, or of other characters, are digested.
const PLAIN_NAME_BYTES_MAX: usize = 48;

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
pub(super) fn check_server(connection: &Connection) -> Result<i32> {
    let row = connection.one(
        "SELECT pg_is_in_recovery(), current_setting('wal_level'), \
         current_setting('server_version_num')::int4",
    )?;
    if column(&row, 0)? {
        return Err(Error::config("a standby cannot be followed")
            .hint("connect to the primary: what a link needs is made there"));
    }
    let level: String = column(&row, 1)?;
    if level != "logical" {
        return Err(Error::config(format!(
            "the server's log does not say enough to be followed: wal_level={level}"
        ))
        .hint("ALTER SYSTEM SET wal_level = logical, and start the server again"));
    }
    column(&row, 2)
}

/// Makes sure that the changes of a table say which record they are about.
pub(super) fn check_identity(connection: &Connection, shape: &Shape) -> Result<()> {
    // Each partition answers for itself.
    let sql = "SELECT c.oid::regclass::text, c.relreplident::text, \
               (SELECT array_agg(a.attname::text) FROM pg_index i \
                  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) \
                WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND \
                  CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END) \
               FROM pg_class c WHERE c.relkind = 'r' AND (c.oid = $1 \
                 OR c.oid IN (SELECT relid FROM pg_partition_tree($1::oid::regclass) WHERE isleaf))";
    for row in connection.query(sql, &[&shape.table.oid()])? {
        let (table, identity): (String, String) = (column(&row, 0)?, column(&row, 1)?);
        let covered: Option<Vec<String>> = column(&row, 2)?;
        let key = shape.key_names();
        let enough = match (identity.as_str(), covered) {
            ("f", _) => true,
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
                "ALTER TABLE {table} REPLICA IDENTITY FULL, or USING INDEX of a unique index on the link's key"
            )));
        }
    }
    Ok(())
}

/// Says why what comes after a position is not all there any more; `None` when it is.
pub(super) fn lost(
    connection: &Connection,
    name: &str,
    from: &Position,
    (identity, now): (&str, Lsn),
) -> Result<Option<String>> {
    let Some((known, from)) = place::parse(from) else {
        return Ok(Some(
            "the position is none of this kind of source".to_owned(),
        ));
    };
    if known != identity {
        return Ok(Some(format!(
            "the source is another server or database: was={known} is={identity}"
        )));
    }
    if now < from {
        return Ok(Some(format!(
            "the source stands before the position, as after a restore: position={from} source={now}"
        )));
    }
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

/// Brings the publication to hold these tables, and waits for what was under way when some joined.
pub(super) fn publish(connection: &Connection, name: &str, shapes: &[Shape]) -> Result<()> {
    let sql = "SELECT oid, puballtables, pubinsert AND pubupdate AND pubdelete AND pubtruncate, pubviaroot, \
               pg_has_role(pubowner, 'USAGE'), coalesce(obj_description(oid, 'pg_publication'), '') = $2::text \
               FROM pg_publication WHERE pubname = $1::text::name";
    let rows = connection.query(sql, &[&name, &JOINING])?;
    let generated = shapes.iter().any(|shape| shape.generated);
    let Some(row) = rows.first() else {
        let mut options = "publish_via_partition_root = true".to_owned();
        if generated {
            options.push_str(", publish_generated_columns = stored");
        }
        let tables = tables(shapes.iter().map(|shape| shape.table.sql_only()));
        let create = format!(
            "CREATE PUBLICATION {}{tables} WITH ({options})",
            ident(name)
        );
        return change(connection, name, shapes, &[create, comment(name, JOINED)]);
    };
    if !column::<bool>(row, 2)? || !column::<bool>(row, 3)? {
        return Err(Error::config(format!(
            "the publication does not tell all: name={name}"
        ))
        .hint(format!(
            "ALTER PUBLICATION {name} SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)"
        )));
    }
    let (missing, surplus) = differing(connection, name, column(row, 0)?, shapes)?;
    let (all, own): (bool, bool) = (column(row, 1)?, column(row, 4)?);
    let mut statements = Vec::new();
    let quoted = ident(name);
    if !missing.is_empty() {
        let tables = missing.join(", ");
        statements.push(format!("ALTER PUBLICATION {quoted} ADD TABLE {tables}"));
    }
    if own && !all && !surplus.is_empty() {
        let tables = surplus.join(", ");
        statements.push(format!("ALTER PUBLICATION {quoted} DROP TABLE {tables}"));
    }
    if own && generated {
        statements.push(format!(
            "ALTER PUBLICATION {quoted} SET (publish_generated_columns = stored)"
        ));
    }
    let joining = !missing.is_empty() || column(row, 5)?;
    if joining {
        statements.push(comment(name, JOINING));
    }
    if !statements.is_empty() {
        change(connection, name, shapes, &statements)?;
    }
    if joining {
        settle(connection)?;
        change(connection, name, shapes, &[comment(name, JOINED)])?;
    }
    Ok(())
}

fn tables(names: impl Iterator<Item = String>) -> String {
    let list = names.collect::<Vec<_>>().join(", ");
    if list.is_empty() {
        list
    } else {
        format!(" FOR TABLE {list}")
    }
}

fn comment(name: &str, text: &str) -> String {
    format!(
        "COMMENT ON PUBLICATION {} IS {}",
        ident(name),
        literal(text)
    )
}

/// Which tables the publication lacks, and which it has besides; as SQL.
fn differing(
    connection: &Connection,
    name: &str,
    oid: u32,
    shapes: &[Shape],
) -> Result<(Vec<String>, Vec<String>)> {
    let wanted = shapes.iter().map(|shape| shape.table.oid());
    let wanted = wanted.collect::<Vec<_>>();
    let sql = "SELECT relid FROM pg_get_publication_tables($1::text)";
    let mut told = BTreeSet::<u32>::new();
    for row in connection.query(sql, &[&name])? {
        told.insert(column(&row, 0)?);
    }
    // From version 15 on a table can be told in part. The columns' names are asked for as such: before, there are none.
    let sql = "SELECT r.prrelid::regclass::text, r.prrelid = ANY ($2), \
               to_jsonb(r) ->> 'prqual' IS NOT NULL OR to_jsonb(r) ->> 'prattrs' IS NOT NULL \
               FROM pg_publication_rel r WHERE r.prpubid = $1";
    let mut surplus = Vec::new();
    for row in connection.query(sql, &[&oid, &wanted])? {
        let (table, followed): (String, bool) = (column(&row, 0)?, column(&row, 1)?);
        if !followed {
            surplus.push(table);
        } else if column(&row, 2)? {
            return Err(Error::config(format!(
                "the publication tells a table in part only: name={name} table={}",
                table.escape_debug()
            ))
            .hint(
                "take the table out of the publication, and in again without columns and condition",
            ));
        }
    }
    let missing = shapes
        .iter()
        .filter(|shape| !told.contains(&shape.table.oid()));
    Ok((
        missing.map(|shape| shape.table.sql_only()).collect(),
        surplus,
    ))
}

/// Changes the publication in one transaction.
fn change(
    connection: &Connection,
    name: &str,
    shapes: &[Shape],
    statements: &[String],
) -> Result<()> {
    let sql = format!("BEGIN; {LOCK_TIMEOUT}; {}; COMMIT", statements.join("; "));
    let done = connection.wait(|client| client.batch_execute(&sql))?;
    let Err(foreign) = done else {
        return Ok(());
    };
    drop(connection.execute("ROLLBACK"));
    let error = translate(&foreign);
    if error.kind() != Kind::Auth {
        return Err(error);
    }
    let list = tables(shapes.iter().map(|shape| shape.table.sql_only()));
    Err(Error::new(
        Kind::Auth,
        format!("the publication cannot be made by this user: name={name}"),
    )
    .hint(format!(
        "let the tables' owner make it: CREATE PUBLICATION {}{list} WITH (publish_via_partition_root = true)",
        ident(name)
    ))
    .cause(error))
}

/// Waits until every transaction that is under way now has ended and can be seen.
///
/// A transaction that began before a table joined is told in part, and one whose commit is in the log before the slot's
/// beginning is not told at all while a standby is waited for. Afterwards each is in every snapshot.
fn settle(connection: &Connection) -> Result<()> {
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

/// Drops the publication, where it is this user's to drop; it makes nothing grow.
pub(super) fn unpublish(connection: &Connection, name: &str) -> Result<()> {
    let sql = "SELECT FROM pg_publication WHERE pubname = $1::text::name AND pg_has_role(pubowner, 'USAGE')";
    if connection.query(sql, &[&name])?.is_empty() {
        return Ok(());
    }
    change(
        connection,
        name,
        &[],
        &[format!("DROP PUBLICATION IF EXISTS {}", ident(name))],
    )
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
