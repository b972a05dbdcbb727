//! Translates SQLite's errors. Its messages name tables and columns, never values, so they may be shown.

use rusqlite::ErrorCode;
use trueup_core::{Error, Kind};

/// Turns a foreign error into ours; `doing` says what was tried.
pub(super) fn translate(cause: rusqlite::Error, doing: &str) -> Error {
    let (kind, hint) = match cause.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            Kind::Unavailable,
            "another process holds the file's lock; close it or try again later",
        ),
        Some(ErrorCode::CannotOpen) => (
            Kind::Auth,
            "check that the folder exists and that you may read and write the file",
        ),
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => (
            Kind::Auth,
            "the file or its folder is not writable for this user",
        ),
        Some(ErrorCode::DiskFull) => (
            Kind::Rejected,
            "the disk is full; free some room and run again: it goes on where it was",
        ),
        Some(ErrorCode::SystemIoFailure) => (
            Kind::Unavailable,
            "reading or writing the file failed; check the disk, then run again",
        ),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => (
            Kind::Corrupt,
            "the file is not a sound SQLite database; check the path, or restore it",
        ),
        Some(ErrorCode::TooBig) => (Kind::Rejected, "a value is larger than SQLite holds"),
        Some(ErrorCode::SchemaChanged) => {
            (Kind::Stale, "the table was altered meanwhile; run again")
        }
        Some(_) => (
            Kind::Rejected,
            "see the message; the target was left as it was",
        ),
        None => (Kind::Bug, "this is a defect in trueup; please report it"),
    };
    Error::new(kind, format!("sqlite: {doing} failed"))
        .hint(hint)
        .cause(cause)
}

/// Tells whether a write was refused for its record alone, and how: `None` when the error concerns more.
pub(super) fn refusal(cause: &rusqlite::Error) -> Option<(String, bool)> {
    let code = cause.sqlite_error()?.extended_code;
    let blocked = matches!(
        code,
        rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
            | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | rusqlite::ffi::SQLITE_CONSTRAINT_ROWID
            | rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY
    );
    match cause.sqlite_error_code()? {
        // "UNIQUE constraint failed: planes.tailnum": names only. A trigger's RAISE text may hold anything.
        ErrorCode::ConstraintViolation if code == rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER => {
            Some(("a trigger refused the record".to_owned(), true))
        }
        ErrorCode::ConstraintViolation => Some((message(cause), blocked)),
        ErrorCode::TypeMismatch | ErrorCode::TooBig => Some((message(cause), false)),
        _ => None,
    }
}

fn message(cause: &rusqlite::Error) -> String {
    match cause {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    }
}
