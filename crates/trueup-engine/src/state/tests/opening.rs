//! How a file becomes a store, and what is refused without being touched.

use super::*;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

fn refusal(path: &Path) -> Error {
    Store::open(path, "ours").expect_err("the store is refused")
}

fn mode(path: &Path) -> u32 {
    let found = fs::metadata(path).expect("it is there");
    found.permissions().mode() & 0o7777
}

/// A database that `sql` made.
fn database(path: &Path, sql: &str) {
    let connection = Connection::open(path).expect("a database");
    connection.execute_batch(sql).expect("the statements hold");
    connection.close().expect("it closes");
}

#[test]
fn a_new_store_is_for_its_owner_only() {
    let folder = folder();
    let path = folder.path().join("deep/er/state.db");
    let mut store = open(&path);
    store.begin(&link("a"), 1).expect("a run begins");
    assert_eq!(mode(&folder.path().join("deep")), 0o700);
    assert_eq!(mode(&folder.path().join("deep/er")), 0o700);
    let inside = names(&folder.path().join("deep/er"));
    assert_eq!(
        inside,
        [
            "state.db",
            "state.db-shm",
            "state.db-wal",
            "state.db.lock-a"
        ]
    );
    for name in inside {
        assert_eq!(
            mode(&folder.path().join("deep/er").join(&name)),
            0o600,
            "{name}"
        );
    }
}

#[test]
fn an_existing_folder_keeps_its_rights_and_a_file_loses_those_of_others() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("chmod");
    drop(open(&path));
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("chmod");
    let _store = Store::open(&path, "ours")?;
    assert_eq!(mode(folder.path()), 0o755);
    assert_eq!(mode(&path), 0o600);
    Ok(())
}

#[test]
fn commits_are_appended_to_a_log_and_synced_with_its_checkpoints() -> Result<()> {
    let folder = folder();
    let store = open(&folder.path().join("state.db"));
    let journal: Option<String> = store.read_one("test", "PRAGMA journal_mode", [])?;
    let synchronous: Option<i64> = store.read_one("test", "PRAGMA synchronous", [])?;
    assert_eq!((journal.as_deref(), synchronous), (Some("wal"), Some(1)));
    Ok(())
}

#[test]
fn an_empty_file_and_an_empty_database_become_a_store() {
    for sql in ["", "VACUUM", "CREATE TABLE t (x); DROP TABLE t"] {
        let folder = folder();
        let path = folder.path().join("state.db");
        database(&path, sql);
        assert!(path.exists(), "{sql}");
        let mut store = open(&path);
        assert_eq!(store.incarnation(), "ours");
        store.begin(&link("a"), 1).expect("a run begins");
        assert_eq!(mode(&path), 0o600, "{sql}");
    }
}

#[test]
fn a_newer_or_unheard_of_version_is_refused_and_left_alone() {
    for version in [9, 10, i32::MAX, 0, -1] {
        let folder = folder();
        let path = folder.path().join("state.db");
        drop(open(&path));
        database(&path, &format!("PRAGMA user_version = {version}"));
        let before = fs::read(&path).expect("bytes");
        let error = refusal(&path);
        assert_eq!(error.kind(), Kind::Config);
        let advice = error.advice().unwrap_or_default();
        assert!(advice.contains(&format!("version {version},")), "{advice}");
        assert!(advice.contains("knows versions 1 to 8"), "{advice}");
        assert_eq!(fs::read(&path).expect("bytes"), before, "{version}");
    }
}

#[test]
fn what_is_not_ours_is_refused_and_left_alone() {
    let other = |sql: &str| {
        let folder = folder();
        let path = folder.path().join("x");
        database(&path, sql);
        fs::read(&path).expect("bytes")
    };
    let cases: Vec<(&str, Vec<u8>, Kind)> = vec![
        ("a text", b"id,name\n1,x\n".to_vec(), Kind::Corrupt),
        ("a long text", vec![b'x'; 100_000], Kind::Corrupt),
        ("two bytes", vec![0, 0], Kind::Corrupt),
        ("a database", other("CREATE TABLE t (x)"), Kind::Config),
        (
            "a database with a log",
            other("PRAGMA journal_mode = WAL; CREATE TABLE t (x)"),
            Kind::Config,
        ),
        (
            "an empty database with a version",
            other("PRAGMA user_version = 1"),
            Kind::Config,
        ),
        (
            "another program's",
            other("PRAGMA application_id = 7"),
            Kind::Config,
        ),
    ];
    for (name, bytes, kind) in cases {
        let folder = folder();
        let path = folder.path().join("state.db");
        fs::write(&path, &bytes).expect("written");
        let error = refusal(&path);
        assert_eq!(error.kind(), kind, "{name}: {error:?}");
        assert!(
            error.advice().unwrap_or_default().contains("--state"),
            "{name}"
        );
        assert!(error.message().contains("state.db"), "{name}");
        assert_eq!(fs::read(&path).expect("bytes"), bytes, "{name}");
    }
}

#[test]
fn a_store_without_its_id_or_its_tables_is_refused() {
    for (sql, kind) in [
        ("DELETE FROM meta", Kind::Corrupt),
        ("DROP TABLE meta", Kind::Corrupt),
    ] {
        let folder = folder();
        let path = folder.path().join("state.db");
        drop(open(&path));
        database(&path, sql);
        assert_eq!(refusal(&path).kind(), kind, "{sql}");
    }
}

#[test]
fn a_path_that_is_no_file_is_refused() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("folder")).expect("a folder");
    fs::write(at("file"), "text").expect("a file");
    symlink(at("nowhere"), at("dangling")).expect("a link");
    let cases = [
        (at("folder"), Kind::Config),
        (at("file/state.db"), Kind::Config),
        (at("dangling"), Kind::Config),
        (at("folder/.."), Kind::Config),
        (at("nul\0"), Kind::Config),
        (at(&"x".repeat(300)), Kind::Config),
        (PathBuf::from("/dev/null"), Kind::Config),
        (PathBuf::new(), Kind::Config),
        (PathBuf::from("/"), Kind::Config),
    ];
    for (path, kind) in cases {
        let error = refusal(&path);
        assert_eq!(error.kind(), kind, "{}: {error:?}", path.display());
        assert!(error.advice().unwrap_or_default().contains("--state"));
    }
    assert_eq!(names(folder.path()), ["dangling", "file", "folder"]);
    assert!(Store::open(&at("state.db"), "").is_err(), "an id is needed");
}

#[test]
fn a_failed_birth_leaves_nothing_behind() {
    let folder = folder();
    let path = folder.path().join("state.db");
    let failed = file::ensure(&path, |_| Err(Error::new(Kind::Rejected, "full")));
    assert_eq!(failed.expect_err("it fails").kind(), Kind::Rejected);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn the_kinds_of_foreign_errors() {
    use rusqlite::ffi;
    for (code, kind) in [
        (ffi::SQLITE_FULL, Kind::Rejected),
        (ffi::SQLITE_IOERR_SHMSIZE, Kind::Rejected),
        (ffi::SQLITE_IOERR_READ, Kind::Unavailable),
        (ffi::SQLITE_BUSY, Kind::Unavailable),
        (ffi::SQLITE_CANTOPEN, Kind::Auth),
        (ffi::SQLITE_PERM, Kind::Auth),
        (ffi::SQLITE_READONLY, Kind::Auth),
        (ffi::SQLITE_READONLY_DIRECTORY, Kind::Auth),
        (ffi::SQLITE_NOTADB, Kind::Corrupt),
        (ffi::SQLITE_CORRUPT_INDEX, Kind::Corrupt),
        (ffi::SQLITE_CONSTRAINT_UNIQUE, Kind::Bug),
    ] {
        let cause = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        let error = error::sqlite(cause, Path::new("x"), "try");
        assert_eq!(error.kind(), kind, "{code}");
    }
    use rustix::io::Errno;
    for (errno, kind) in [
        (Errno::ACCESS, Kind::Auth),
        (Errno::PERM, Kind::Auth),
        (Errno::ROFS, Kind::Auth),
        (Errno::NOSPC, Kind::Rejected),
        (Errno::DQUOT, Kind::Rejected),
        (Errno::NOTDIR, Kind::Config),
        (Errno::IO, Kind::Unavailable),
    ] {
        let error = error::io(errno.into(), Path::new("x"), "try");
        assert_eq!(error.kind(), kind, "{errno}");
        assert!(error.advice().unwrap_or_default().contains("--state"));
    }
}

#[test]
fn a_foreign_log_is_not_tidied_up() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let connection = Connection::open(at("theirs")).expect("a database");
    connection
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x)")
        .expect("a log");
    fs::copy(at("theirs"), at("state.db")).expect("copied");
    fs::copy(at("theirs-wal"), at("state.db-wal")).expect("copied");
    let before = ["state.db", "state.db-wal"].map(|name| fs::read(at(name)).expect("bytes"));
    assert!(before[1].len() > 1_000, "the table is in the log");
    assert_eq!(refusal(&at("state.db")).kind(), Kind::Config);
    let after = ["state.db", "state.db-wal"].map(|name| fs::read(at(name)).expect("bytes"));
    assert!(before == after);
}

#[test]
fn an_error_at_birth_names_the_file_that_was_asked_for() {
    let folder = folder();
    let path = folder.path().join("state.db");
    let fresh = folder.path().join("fresh");
    let error = schema::open(&fresh, &path, "ours").expect_err("there is no file");
    assert_eq!(error.kind(), Kind::Auth);
    assert!(error.message().contains("state.db"), "{error:?}");
}
