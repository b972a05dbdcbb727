//! The tables of the state file, and how older files come to have them.
//!
//! Invariant: a file is changed only after it was recognised, as empty or as ours in a version this program knows.
//! The version is SQLite's `user_version`; it and the tables change in one transaction. A newer version is refused,
//! never guessed at; there is no way back to an older one.

use super::error;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
use std::path::Path;
use std::time::Duration;
use trueup_core::{Error, Result};

/// `TRUE` in ASCII: marks the file as ours.
pub(super) const APPLICATION_ID: i32 = 0x5452_5545;

/// How long a statement waits for another process's transaction. Ours take milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// How often switching to the write-ahead log is tried while other processes open the same file.
const SWITCHES_MAX: usize = 100;

/// Step `n` leads from version `n` to `n + 1`. Released steps never change; new ones are appended.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE meta (
        name TEXT PRIMARY KEY NOT NULL,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE link (
        id INTEGER PRIMARY KEY,
        durable TEXT UNIQUE NOT NULL,
        name TEXT NOT NULL
    ) STRICT;
    -- Numbers are never used twice, not even after old runs were dropped.
    CREATE TABLE run (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        link INTEGER NOT NULL REFERENCES link (id),
        started_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        exit INTEGER,
        error TEXT,
        report TEXT
    ) STRICT;
    CREATE INDEX run_of_link ON run (link, id);
    CREATE TABLE progress (
        link INTEGER NOT NULL REFERENCES link (id),
        partition TEXT NOT NULL,
        batch INTEGER NOT NULL,
        PRIMARY KEY (link, partition)
    ) STRICT, WITHOUT ROWID;
    -- The run may have been dropped since; a parked record outlives it.
    CREATE TABLE parked (
        id INTEGER PRIMARY KEY,
        link INTEGER NOT NULL REFERENCES link (id),
        collection TEXT NOT NULL,
        run INTEGER NOT NULL,
        key TEXT NOT NULL,
        field TEXT,
        reason TEXT NOT NULL
    ) STRICT;
    CREATE INDEX parked_of_collection ON parked (link, collection, id);
", "
    -- The two-way relation of two endpoints. source is the one whose identity sorts first, everywhere below.
    CREATE TABLE pair (
        link INTEGER PRIMARY KEY REFERENCES link (id),
        source_identity TEXT NOT NULL,
        target_identity TEXT NOT NULL,
        source_address TEXT NOT NULL,
        target_address TEXT NOT NULL,
        source_seal BLOB,
        target_seal BLOB,
        pending BLOB
    ) STRICT;
    CREATE TABLE pair_collection (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        link INTEGER NOT NULL REFERENCES pair (link),
        source TEXT NOT NULL,
        target TEXT NOT NULL,
        -- The present one; null only while the row comes to be.
        shape INTEGER REFERENCES shape (id),
        complete INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1)),
        source_mark BLOB,
        target_mark BLOB,
        UNIQUE (link, source, target)
    ) STRICT;
    -- Every shape that a collection had: its conflicts are read with the one they were recorded in.
    CREATE TABLE shape (
        id INTEGER PRIMARY KEY,
        collection INTEGER NOT NULL REFERENCES pair_collection (id),
        shape TEXT NOT NULL,
        source_fields TEXT NOT NULL,
        target_fields TEXT NOT NULL,
        key TEXT NOT NULL,
        UNIQUE (collection, shape, source_fields, target_fields, key)
    ) STRICT;
    CREATE TABLE base (
        collection INTEGER NOT NULL REFERENCES pair_collection (id),
        key BLOB NOT NULL,
        entry BLOB NOT NULL,
        -- The values of the record that the entry is about, where they are wanted. Last, so that what does not want
        -- them need not read them.
        kept BLOB,
        PRIMARY KEY (collection, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE intent (
        id INTEGER PRIMARY KEY,
        collection INTEGER NOT NULL REFERENCES pair_collection (id),
        side TEXT NOT NULL CHECK (side IN ('source', 'target')),
        token BLOB NOT NULL,
        items BLOB NOT NULL,
        UNIQUE (collection, side)
    ) STRICT;
    -- held: it belongs to an intent, and counts once that was carried out. Numbers are never used twice.
    CREATE TABLE conflict (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        collection INTEGER NOT NULL REFERENCES pair_collection (id),
        shape INTEGER NOT NULL REFERENCES shape (id),
        stage TEXT NOT NULL CHECK (stage IN ('held', 'open', 'closed')),
        decision TEXT NOT NULL,
        run INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        ruling TEXT NOT NULL,
        result BLOB,
        answer TEXT,
        note TEXT,
        -- Why the rules left it open, where they can say; shown while there is no note.
        reason TEXT,
        key BLOB NOT NULL,
        source_record BLOB,
        target_record BLOB
    ) STRICT;
    CREATE UNIQUE INDEX open_conflict ON conflict (collection, key) WHERE stage = 'open';
    CREATE INDEX conflict_of_collection ON conflict (collection);
    CREATE INDEX conflict_of_shape ON conflict (shape);
", "
    -- Since when a record is parked; the run of the row is the last one that met it.
    ALTER TABLE parked ADD COLUMN first_run INTEGER;
    ALTER TABLE parked ADD COLUMN first_ms INTEGER;
    UPDATE parked SET first_run = run, first_ms = (SELECT started_ms FROM run WHERE run.id = parked.run);
", "
    -- The record that was decided on, where neither side held it.
    ALTER TABLE conflict ADD COLUMN chosen BLOB;
    -- Whether the last answer was taken back, because a record changed; the note says why.
    ALTER TABLE conflict ADD COLUMN lapsed INTEGER NOT NULL DEFAULT 0 CHECK (lapsed IN (0, 1));
    UPDATE conflict SET lapsed = 1 WHERE stage = 'open' AND note IS NOT NULL AND answer IS NULL;
", "
    -- How a person finds a parked record: its key as plans show it, and where it stood in a file.
    ALTER TABLE parked ADD COLUMN key_text TEXT;
    ALTER TABLE parked ADD COLUMN file TEXT;
    ALTER TABLE parked ADD COLUMN line INTEGER;
", "
    -- Whether the user's source is the pair's target, as of the run that wrote the addresses and the link's name; null
    -- where nobody can tell any more.
    ALTER TABLE pair ADD COLUMN turned INTEGER CHECK (turned IN (0, 1));
    UPDATE pair SET turned = (
        SELECT CASE link.name
            WHEN source_address || ' <-> ' || target_address THEN 0
            WHEN target_address || ' <-> ' || source_address THEN 1
        END FROM link WHERE link.id = pair.link
    ) WHERE source_address <> target_address;
    -- What the link was called when it ran; of older runs what it was called last.
    ALTER TABLE run ADD COLUMN name TEXT;
    UPDATE run SET name = (SELECT name FROM link WHERE link.id = run.link);
    -- How a person named it: the options typed, or, where said_in is that configuration file, the name in it.
    ALTER TABLE run ADD COLUMN said TEXT;
    ALTER TABLE run ADD COLUMN said_in TEXT;
    -- Whether both sides were met and fit each other; of older runs nobody knows.
    ALTER TABLE run ADD COLUMN met INTEGER NOT NULL DEFAULT 0 CHECK (met IN (0, 1));
", "
    -- The target's collections that a run of the link creates, and that are not built upon yet.
    CREATE TABLE construction (
        link INTEGER NOT NULL REFERENCES link (id),
        collection TEXT NOT NULL,
        -- Whether it is known that a run of the link created it; else a run was about to.
        created INTEGER NOT NULL CHECK (created IN (0, 1)),
        PRIMARY KEY (link, collection)
    ) STRICT, WITHOUT ROWID;
", "
    -- A link whose source's log is followed. start: where that log began; the place to go on stands in the target's marker.
    -- The rest is what people are told, as of the last time anything was heard.
    CREATE TABLE following (
        link INTEGER PRIMARY KEY REFERENCES link (id),
        start TEXT NOT NULL,
        position TEXT,
        at_us INTEGER,
        heard_ms INTEGER,
        level_ms INTEGER,
        transactions INTEGER NOT NULL DEFAULT 0,
        changes INTEGER NOT NULL DEFAULT 0,
        kept_bytes INTEGER,
        untold_bytes INTEGER
    ) STRICT;
    -- The snapshot that a collection was compared with last: what it holds of the log is not written again.
    CREATE TABLE seam (
        link INTEGER NOT NULL REFERENCES link (id),
        collection TEXT NOT NULL,
        snapshot TEXT NOT NULL,
        meaning TEXT NOT NULL,
        PRIMARY KEY (link, collection)
    ) STRICT, WITHOUT ROWID;
"];

/// What a file turned out to be.
enum Standing {
    /// An SQLite database without any content.
    Empty,
    /// A state file in this version.
    Ours(usize),
}

/// Opens the file at `path`, brings it to the newest version, and returns it with its incarnation id: `incarnation`
/// when the file was empty, else the one it was born with. Errors call the file `name`.
pub(super) fn open(path: &Path, name: &Path, incarnation: &str) -> Result<(Connection, String)> {
    let failed = |cause| error::sqlite(cause, name, "open it");
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    prepare(&connection).map_err(failed)?;
    migrate(&mut connection, name, incarnation)?;
    switch_to_log(&connection).map_err(failed)?;
    let found = connection
        .query_row(
            "SELECT value FROM meta WHERE name = 'incarnation'",
            [],
            |row| row.get(0),
        )
        .optional()
        .map_err(failed)?;
    let found = found.ok_or_else(|| {
        Error::corrupt(format!(
            "state={}: it has no incarnation id",
            name.display()
        ))
        .hint("restore the file from a backup, or begin a new one with --state")
    })?;
    Ok((connection, found))
}

/// Makes a database in memory with all tables. Errors call it `name`.
pub(super) fn in_memory(name: &Path, incarnation: &str) -> Result<Connection> {
    let failed = |cause| error::sqlite(cause, name, "make it");
    let mut connection = Connection::open_in_memory().map_err(failed)?;
    prepare(&connection).map_err(failed)?;
    migrate(&mut connection, name, incarnation)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Until the file is known to be ours, closing it must not tidy up somebody else's log.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", "FULL")
}

/// Finds out what the file is, in one read transaction: another process may be filling it.
fn recognise(connection: &Connection, path: &Path) -> Result<Standing> {
    let failed = |cause| error::sqlite(cause, path, "read it");
    let found = connection
        .query_row(
            "SELECT (SELECT application_id FROM pragma_application_id), \
             (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)",
            [],
            |row| {
                Ok((
                    row.get::<_, i32>(0)?,
                    row.get::<_, i32>(1)?,
                    row.get::<_, i64>(2)?,
                ))
            },
        )
        .map_err(failed)?;
    let known = MIGRATIONS.len();
    match found {
        (0, 0, 0) => Ok(Standing::Empty),
        (APPLICATION_ID, version, _) => match usize::try_from(version) {
            Ok(version) if (1..=known).contains(&version) => Ok(Standing::Ours(version)),
            _ => Err(unknown_version(path, version)),
        },
        _ => Err(Error::config(format!(
            "state={}: an SQLite database, but not a trueup state",
            path.display()
        ))
        .hint("it was left as it was; name another file with --state")),
    }
}

fn unknown_version(path: &Path, version: i32) -> Error {
    let known = MIGRATIONS.len();
    Error::config(format!(
        "state={}: its version={version} is unknown to this trueup",
        path.display()
    ))
    .hint(format!(
        "the file has version {version}, this trueup knows versions 1 to {known}: use the newer trueup that wrote \
         it, or another file with --state; the file was left as it was"
    ))
}

/// Carries out the missing steps, all or none. Whoever comes second finds nothing left to do.
fn migrate(connection: &mut Connection, path: &Path, incarnation: &str) -> Result<()> {
    let failed = |cause| error::sqlite(cause, path, "bring it to the present version");
    if let Standing::Ours(version) = recognise(connection, path)?
        && version == MIGRATIONS.len()
    {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let version = match recognise(&transaction, path)? {
        Standing::Empty => 0,
        Standing::Ours(version) => version,
    };
    let steps = || -> rusqlite::Result<()> {
        for step in &MIGRATIONS[version..] {
            transaction.execute_batch(step)?;
        }
        if version == 0 {
            transaction.execute(
                "INSERT INTO meta (name, value) VALUES ('incarnation', ?1)",
                [incarnation],
            )?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)
    };
    steps().map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// Switches to the write-ahead log, where a commit is one append and a reader never waits.
fn switch_to_log(connection: &Connection) -> rusqlite::Result<()> {
    let mut mode = String::new();
    for attempt in 1..=SWITCHES_MAX {
        let switched =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
        match switched {
            Ok(found) => {
                mode = found;
                break;
            }
            // Others hold the file just now. Two that wait for each other are told at once, without the timeout:
            // so wait for a turn to write, then try again.
            Err(cause)
                if attempt < SWITCHES_MAX
                    && cause.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) =>
            {
                connection.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
            }
            Err(cause) => return Err(cause),
        }
    }
    // Some file systems have no shared memory and keep the rollback journal; it is sound only when fully synced.
    let synchronous = if mode == "wal" { "NORMAL" } else { "FULL" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(())
}
