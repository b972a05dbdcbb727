//! Translates what SQLite and the file system say about the state file.
//!
//! SQLite's messages name tables and columns, never what stands in them, so a foreign message cannot hold a record's
//! value. Every error names the file, and advice says how to use another one.

use rusqlite::ErrorCode;
use std::io;
use std::path::Path;
use trueup_core::{Error, Kind};

/// Turns SQLite's error into ours; `doing` says what was tried.
pub(super) fn sqlite(cause: rusqlite::Error, path: &Path, doing: &str) -> Error {
    let (kind, hint) = advice(&cause);
    Error::new(kind, format!("state={}: cannot {doing}", path.display()))
        .hint(hint)
        .cause(cause)
}

fn advice(cause: &rusqlite::Error) -> (Kind, &'static str) {
    // The shared memory file of the log is allocated up front: a full disk is told as a failed SHMSIZE.
    let full = rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
    if cause
        .sqlite_error()
        .is_some_and(|e| e.extended_code == full)
    {
        return (Kind::Rejected, FULL);
    }
    match cause.sqlite_error_code() {
        Some(ErrorCode::TooBig) => (Kind::Rejected, LARGE),
        Some(ErrorCode::DiskFull) => (Kind::Rejected, FULL),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            (Kind::Auth, RIGHTS)
        }
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed,
        ) => (
            Kind::Unavailable,
            "another process keeps the state file locked; end it, or use another file with --state",
        ),
        Some(ErrorCode::SystemIoFailure) => (
            Kind::Unavailable,
            "check the disk; then run again, or put the state elsewhere with --state",
        ),
        // Unknown is SQLite's plain error. Our statements are sound, so what they ask for is missing in the file.
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => {
            (Kind::Corrupt, UNSOUND)
        }
        Some(_) => (
            Kind::Bug,
            "this is a defect in trueup, or the state file was altered by hand; please report it",
        ),
        // A column that is not of the type it was written with.
        None => (Kind::Corrupt, UNSOUND),
    }
}

const FULL: &str = "the disk is full; free some room, or put the state elsewhere with --state; then run again: it \
                    goes on where it was";
const LARGE: &str = "both records of a conflict are kept, each up to a billion bytes; leave large fields out of the \
                     link, or write this state anew with --state";
const RIGHTS: &str = "the state file and its folder must be writable for this user; give the rights, or put the \
                      state elsewhere with --state";
const UNSOUND: &str = "the file is not a sound trueup state; check the path, restore it from a backup, or begin a \
                       new one with --state: the next run then compares everything and deletes nothing by mistake";

/// Makes the error for something in the file that does not mean what it should; `what` names it.
pub(super) fn damaged(path: &Path, what: &str) -> Error {
    Error::corrupt(format!("state={}: {what} is damaged", path.display())).hint(UNSOUND)
}

/// Turns the file system's error into ours; `doing` says what was tried.
pub(super) fn io(cause: io::Error, path: &Path, doing: &str) -> Error {
    use io::ErrorKind::{
        AlreadyExists, InvalidFilename, InvalidInput, NotADirectory, NotFound, PermissionDenied,
        QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    let (kind, hint) = match cause.kind() {
        PermissionDenied | ReadOnlyFilesystem => (Kind::Auth, RIGHTS),
        StorageFull | QuotaExceeded => (Kind::Rejected, FULL),
        AlreadyExists | InvalidFilename | InvalidInput | NotADirectory | NotFound => (
            Kind::Config,
            "the path leads nowhere; name a file in a folder of yours with --state",
        ),
        _ => (
            Kind::Unavailable,
            "check the disk; then run again, or put the state elsewhere with --state",
        ),
    };
    Error::new(kind, format!("state={}: cannot {doing}", path.display()))
        .hint(hint)
        .cause(cause)
}
