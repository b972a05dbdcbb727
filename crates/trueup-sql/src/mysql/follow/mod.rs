//! Follows MariaDB's binary log, as a replica does: by the numbers of its transactions, in whole groups.
//!
//! Invariant: what is told is what was committed, with the values that a scan delivers, and a position is the end of a
//! whole transaction. A log that leaves something out (another format, an image without what is needed, a filter, an
//! event that is not known) is refused, never guessed at.
//!
//! It deliberately keeps nothing at the source: the server throws its log away by its own rules, and when it did so too
//! early that is found out and said.

mod charset;
mod decimal;
mod event;
mod image;
mod log;
mod mapped;
mod place;
mod statement;
mod teller;
#[cfg(test)]
mod tests;
mod tracked;

use self::event::Checksums;
use self::log::{GONE, HEARTBEAT, MariadbLog};
use self::place::{Gtids, Origin, Place};
use self::teller::{Asking, Quiet, Teller, Under};
use self::tracked::Tracked;
use super::config::Settings;
use super::error::{self, Foreign};
use super::quote;
use super::session::Connection;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use trueup_core::endpoint::Position;
use trueup_core::follow::{FollowRequest, Opened};
use trueup_core::schema::Schema;
use trueup_core::{Error, Kind, Result};

/// How long the server may take to find the place where the log goes on.
const FIRST_WAIT: Duration = Duration::from_secs(600);
/// The servers' numbers are small, as people choose them; ours are above, and one of a kind for each connection.
const SERVER_ID_FIRST: u64 = 0xc000_0000;
/// Where a file of the log begins.
const FILE_START: u32 = 4;
/// How long the server waits for a reader that has gone.
const WRITE_TIMEOUT_S: u32 = 60;

/// What the server says about its log.
struct Source {
    gtids: Gtids,
    folds: bool,
    database: String,
    origin: Origin,
    full: bool,
}

/// Opens the log.
///
/// # Errors
/// See [`trueup_core::endpoint::Endpoint::follow`].
pub(super) fn open(
    stream: Connection,
    asking: Connection,
    settings: &Settings,
    identity: String,
    request: &FollowRequest<'_>,
) -> Result<Opened> {
    // The position is read before the shapes: what changes them later is told.
    let source = examine(&asking, identity)?;
    let tables = tables(&asking, &source, request)?;
    let place = match request.from {
        None => Place {
            gtids: source.gtids.clone(),
            at: None,
        },
        Some(from) => match resume(&asking, &source, from)? {
            Ok(place) => place,
            Err(reason) => return Ok(Opened::Lost(reason)),
        },
    };
    let mut log = prepared(stream, asking, settings, source, tables, place, request);
    match begin(&mut log)? {
        None => Ok(Opened::Log(Box::new(log))),
        Some(reason) => Ok(Opened::Lost(reason)),
    }
}

/// A log that has not been asked for yet.
fn prepared(
    stream: Connection,
    asking: Connection,
    settings: &Settings,
    source: Source,
    tables: Vec<Tracked>,
    place: Place,
    request: &FollowRequest<'_>,
) -> MariadbLog {
    let start = place.position(&source.origin);
    MariadbLog {
        stream,
        start,
        silent: Duration::ZERO,
        teller: Teller {
            asking: Asking {
                settings: settings.clone(),
                origin: source.origin,
                database: source.database,
                folds: source.folds,
                connection: Some(asking),
            },
            tables,
            limits: (request.changes_max.max(1), request.bytes_max.max(1)),
            checksums: Checksums::Unknown,
            gtids: place.gtids,
            file: String::new(),
            end: 0,
            group: Under::default(),
            telling: None,
            scratch: image::Scratch::default(),
            ready: VecDeque::new(),
            quiet: Quiet::default(),
        },
    }
}

/// Makes sure that the log holds what is needed.
fn examine(connection: &Connection, identity: String) -> Result<Source> {
    if !connection.server.mariadb {
        let version = connection.server.version.escape_debug();
        return Err(Error::config(format!(
            "the log of this server cannot be followed: engine=mysql version={version}"
        ))
        .hint("MariaDB's can; from MySQL, run the link again and again: a run compares, and writes what differs"));
    }
    let row = connection.one(
        "SELECT @@log_bin, @@GLOBAL.binlog_format, @@GLOBAL.binlog_row_image, @@GLOBAL.gtid_binlog_pos, \
         @@lower_case_table_names, DATABASE()",
    )?;
    let setting = |name: &str, found: &str, wanted: &str| {
        Error::config(format!("the server's log cannot be followed: {name}={found}")).hint(format!(
            "set {name}={wanted} in the server's configuration, and restart it or every session that writes"
        ))
    };
    let (on, format, image) = (row.text(0)?, row.text(1)?, row.text(2)?);
    if !matches!(on.as_str(), "1" | "ON") {
        return Err(setting("log_bin", "OFF", "ON"));
    }
    if format != "ROW" {
        return Err(setting("binlog_format", &format, "ROW"));
    }
    if !matches!(image.as_str(), "FULL" | "MINIMAL" | "NOBLOB" | "FULL_NODUP") {
        return Err(setting(
            "binlog_row_image",
            &image.escape_debug().to_string(),
            "FULL",
        ));
    }
    let gtids = Gtids::parse(&row.text(3)?);
    let database = row.text(5)?;
    filters(connection, &database)?;
    let uid = connection.query("SHOW GLOBAL VARIABLES LIKE 'server_uid'")?;
    let uid = uid.first().map(|row| row.text(1)).transpose()?;
    let uid = uid.unwrap_or_default().replace(' ', "");
    Ok(Source {
        gtids: gtids.ok_or_else(|| {
            Error::corrupt("the server's own position has another form than expected")
                .hint("the server may be newer than trueup knows")
        })?,
        folds: row.text(4)? != "0",
        database,
        origin: Origin { identity, uid },
        full: image == "FULL",
    })
}

/// A log that leaves out the database tells nothing of it.
fn filters(connection: &Connection, database: &str) -> Result<()> {
    let shown = connection.run("SHOW MASTER STATUS");
    let shown = shown.map_err(|foreign| denied(connection, &foreign))?;
    let Some(row) = shown.rows.first() else {
        return Ok(());
    };
    let (only, never) = (row.text(2)?, row.text(3)?);
    let among = |list: &str| {
        list.split(',')
            .any(|name| name.eq_ignore_ascii_case(database))
    };
    if (only.is_empty() || among(&only)) && !among(&never) {
        return Ok(());
    }
    let name = database.escape_debug();
    Err(Error::config(format!(
        "the server's log leaves out the database: database={name}"
    ))
    .hint("take it out of binlog_ignore_db, or put it into binlog_do_db, and restart the server"))
}

/// Says what this user lacks.
fn denied(connection: &Connection, foreign: &Foreign) -> Error {
    let Foreign::Server(refused) = foreign else {
        return error::translate(foreign);
    };
    if !matches!(refused.code, 1044 | 1045 | 1142 | 1227) {
        return error::translate(foreign);
    }
    let status = if connection.server.number >= (10, 5) {
        "BINLOG MONITOR"
    } else {
        "REPLICATION CLIENT"
    };
    let user = connection
        .one("SELECT CURRENT_USER()")
        .and_then(|row| row.text(0));
    let user = user.unwrap_or_default();
    let (name, host) = user.rsplit_once('@').unwrap_or((&user, "%"));
    let account = format!("{}@{}", quote::ident(name), quote::ident(host));
    Error::new(
        Kind::Auth,
        format!(
            "this user may not read the server's log: error={}",
            refused.code
        ),
    )
    .hint(format!(
        "GRANT REPLICATION SLAVE, {status} ON *.* TO {account}"
    ))
}

/// Reads how the followed tables are laid out.
fn tables(
    connection: &Connection,
    source: &Source,
    request: &FollowRequest<'_>,
) -> Result<Vec<Tracked>> {
    let mut tables = Vec::new();
    for followed in request.collections {
        let Schema {
            collection, key, ..
        } = followed.schema;
        let fields = followed.key.iter().map(|&at| followed.fields.get(at));
        let asked: Option<Vec<usize>> = fields.map(Option::<&usize>::copied).collect();
        if !source.full && asked.as_ref() != Some(key) {
            return Err(Error::config(format!(
                "the log leaves out the fields by which changes would be told: collection={}",
                collection.escape_debug()
            ))
            .hint("set binlog_row_image=FULL, or use the primary key"));
        }
        no_cascade(connection, collection)?;
        tables.push(Tracked::new(connection, followed)?);
    }
    Ok(tables)
}

/// What foreign keys do by themselves stands in no log.
fn no_cascade(connection: &Connection, collection: &str) -> Result<()> {
    let sql = format!(
        "SELECT CONSTRAINT_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS \
         WHERE CONSTRAINT_SCHEMA = DATABASE() AND {} AND (DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') \
         OR UPDATE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT')) ORDER BY 1",
        super::schema::named("TABLE_NAME", collection)
    );
    let rows = connection.query(&sql)?;
    let Some(row) = rows.first() else {
        return Ok(());
    };
    let (name, constraint) = (collection.escape_debug(), row.text(0)?);
    Err(Error::config(format!(
        "the server does not log what this foreign key does to the collection: collection={name} constraint={}",
        constraint.escape_debug()
    ))
    .hint(
        "let a trigger or the application do it (ON DELETE RESTRICT ON UPDATE RESTRICT), whose changes are logged; or \
         leave the collection out of this link, and let runs compare it",
    ))
}

/// Finds out whether the log still leads on from a position; the reason, where it does not.
fn resume(
    connection: &Connection,
    source: &Source,
    from: &Position,
) -> Result<std::result::Result<Place, String>> {
    let Some((place, origin)) = Place::parse(from) else {
        return Err(Error::config(format!(
            "this is no position in MariaDB's log: position={from}"
        ))
        .hint("compare the source anew, and follow from there"));
    };
    let Origin { identity, uid } = &source.origin;
    if origin.identity != *identity {
        let was = origin.identity;
        return Ok(Err(format!(
            "the log is another server's: was={was} is={identity}"
        )));
    }
    if !origin.uid.is_empty() && !uid.is_empty() && origin.uid != *uid {
        return Ok(Err(format!(
            "the log is another server's, at the same address: was={} is={uid}",
            origin.uid
        )));
    }
    if let Some(missing) = place.gtids.beyond(&source.gtids) {
        return Ok(Err(format!(
            "the server has not come as far as it had (restored from a backup, or its log was reset): \
             missing={missing} server={}",
            source.gtids
        )));
    }
    if let Some((file, end)) = &place.at
        && !still_there(connection, &place.gtids, file, *end)?
    {
        return Ok(Err(format!(
            "the server's log has other transactions than it had: wanted={} file={} end={end}",
            place.gtids,
            file.escape_debug()
        )));
    }
    Ok(Ok(place))
}

/// Whether a file of the log, if it is still there, has the end of this very transaction at this place.
fn still_there(connection: &Connection, gtids: &Gtids, file: &str, end: u64) -> Result<bool> {
    let mut there = false;
    for row in connection.query("SHOW BINARY LOGS")? {
        there |= row.text(0)? == file;
    }
    if !there {
        return Ok(true);
    }
    let sql = format!("SELECT BINLOG_GTID_POS({}, {end})", quote::text(file));
    // Nothing is found where no event ends.
    let found = connection.one(&sql)?.maybe(0)?;
    let found = found.and_then(|found| Gtids::parse(&found));
    Ok(found.is_some_and(|found| found.holds(gtids)))
}

/// Asks for the log, and waits for its first word; the reason, where there is none.
fn begin(log: &mut MariadbLog) -> Result<Option<String>> {
    let stream = &log.stream;
    let heartbeat = HEARTBEAT.as_nanos();
    let gtids = quote::text(&log.teller.gtids.to_string());
    stream.execute(&format!(
        "SET @mariadb_slave_capability = 4, @slave_connect_state = {gtids}, @slave_gtid_strict_mode = 0, \
         @slave_gtid_ignore_duplicates = 0, @master_heartbeat_period = {heartbeat}, \
         @master_binlog_checksum = @@GLOBAL.binlog_checksum"
    ))?;
    stream.execute(&format!(
        "SET SESSION net_write_timeout = {WRITE_TIMEOUT_S}"
    ))?;
    let server = SERVER_ID_FIRST | (stream.thread() & !SERVER_ID_FIRST);
    let mut wanted = FILE_START.to_le_bytes().to_vec();
    wanted.extend([0, 0]);
    wanted.extend(server.to_le_bytes().into_iter().take(4));
    stream.dump(&wanted)?;
    let (stream, teller) = (&log.stream, &mut log.teller);
    match stream.arrived(FIRST_WAIT, |packet| teller.packet(packet)) {
        Ok(Some(taken)) => taken.map(|()| None),
        Ok(None) => Err(error::lost(&io::ErrorKind::TimedOut.into())),
        Err(Foreign::Server(refused)) if refused.code == GONE => Ok(Some(format!(
            "the server has thrown away what comes next, or never had it: gtid={} server says \"{}\"",
            teller.gtids,
            refused.message.escape_debug()
        ))),
        Err(foreign) => {
            let asking = teller.asking.connection.as_ref();
            Err(asking.map_or_else(
                || error::translate(&foreign),
                |asking| denied(asking, &foreign),
            ))
        }
    }
}
