//! Where the file is and how it is opened.

use super::error;
use crate::absence;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;
use trueup_core::{Error, Result};

/// How long a statement waits for another process's lock before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// A database file.
#[derive(Clone, Debug)]
pub(super) struct Place {
    path: PathBuf,
}

impl Place {
    pub(super) fn parse(address: &str) -> Result<Self> {
        let path = address.strip_prefix("sqlite:").unwrap_or(address);
        let (path, options) = path.split_once('?').unwrap_or((path, ""));
        if !options.is_empty() {
            return Err(Error::config("a sqlite address takes no options")
                .hint("write sqlite:PATH, and keys as --key collection=field,field"));
        }
        if path.is_empty() || path.contains('\0') {
            return Err(Error::config("a sqlite address needs the path of a file")
                .hint("for example sqlite:shop.db"));
        }
        Ok(Self {
            path: PathBuf::from(path),
        })
    }

    pub(super) fn address(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }

    /// The canonical path, also of a file that is not there yet.
    pub(super) fn identity(&self) -> String {
        let canonical = self.path.canonicalize().or_else(|_| {
            let parent = self
                .path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new(".")).canonicalize()?;
            Ok::<_, std::io::Error>(parent.join(self.path.file_name().unwrap_or_default()))
        });
        format!(
            "sqlite:{}",
            canonical.unwrap_or_else(|_| self.path.clone()).display()
        )
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Says that the file is not there: as a target that is as it should be, or a typing mistake.
    pub(super) fn absence(&self) -> Option<String> {
        (!self.path.exists()).then(|| absence("file", &self.path))
    }

    /// Opens the file for reading; `None` when it does not exist.
    pub(super) fn read_if_present(&self) -> Result<Option<Connection>> {
        if self.path.exists() {
            self.read().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Opens the file for reading.
    pub(super) fn read(&self) -> Result<Connection> {
        if !self.path.exists() {
            return Err(
                Error::config(format!("the file {} does not exist", self.path.display()))
                    .hint("check the path; a source must exist"),
            );
        }
        self.open(OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    /// Opens the file for writing and creates it if it is missing.
    pub(super) fn write(&self) -> Result<Connection> {
        let connection =
            self.open(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        // The user's constraints hold for us too. Off is SQLite's default, per connection (trap 50).
        connection
            .pragma_update(None, "foreign_keys", true)
            .map_err(|cause| error::translate(cause, "open"))?;
        Ok(connection)
    }

    fn open(&self, flags: OpenFlags) -> Result<Connection> {
        let place = || format!("open {}", self.path.display());
        self.try_open(flags)
            .or_else(|cause| {
                if !is_torn(&cause) {
                    return Err(cause);
                }
                // A writer (we, as likely as not) was killed in the middle of a transaction. Nobody can read the file
                // before its journal is rolled back, and who only reads cannot do that. It changes nothing that
                // was committed, so it is no write to a source.
                self.try_open(OpenFlags::SQLITE_OPEN_READ_WRITE)
                    .and_then(|_| self.try_open(flags))
            })
            .map_err(|cause| error::translate(cause, &place()))
    }

    fn try_open(&self, flags: OpenFlags) -> rusqlite::Result<Connection> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Reads the header: a file that is no database is refused here, not in the middle of a run.
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
        Ok(connection)
    }
}

/// Tells whether the file cannot be read before a transaction is rolled back that its writer left unfinished.
fn is_torn(cause: &rusqlite::Error) -> bool {
    let code = cause.sqlite_error().map(|error| error.extended_code);
    matches!(
        code,
        Some(rusqlite::ffi::SQLITE_READONLY_ROLLBACK | rusqlite::ffi::SQLITE_READONLY_RECOVERY)
    )
}
