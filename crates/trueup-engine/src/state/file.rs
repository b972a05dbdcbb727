//! The state file's place: its folder, its birth, its rights.
//!
//! Invariant: a state file appears whole or not at all. It is built elsewhere and then given its name, which
//! fails if a file stands there already; so two processes that create it at once agree on one, a process that dies
//! half-way leaves only a folder that the next one sweeps up, and nothing is ever overwritten. The rejected alternative, creating the
//! file and letting SQLite fill it, has two flaws: others see it half-made, and closing our own descriptor of a
//! database file drops the locks of every SQLite connection this process has to it (POSIX).

use super::error;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::{TempDir, TempPath};
use trueup_core::{Error, Kind, Result};

/// What the name of a folder begins with in which a state file comes to be.
const WORKSHOP: &str = ".trueup-state-";
/// How often such a folder may be swept away under us.
const ATTEMPTS_MAX: usize = 64;
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Makes sure that a state file stands at `path`, its missing folders included, and returns its canonical path.
/// A missing file is made by `build`, which fills the empty file it is given.
pub(super) fn ensure(path: &Path, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    if path.file_name().is_none() {
        return Err(no_file(path));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(folder)
        .map_err(|cause| error::io(cause, path, "create its folder"))?;
    match fs::symlink_metadata(path) {
        Ok(_) => {}
        Err(cause) if cause.kind() == ErrorKind::NotFound => create(path, folder, build)?,
        Err(cause) => return Err(error::io(cause, path, "look it up")),
    }
    // Links resolved, so that the locks beside the file are the same whatever name was used.
    let found = path
        .canonicalize()
        .map_err(|cause| error::io(cause, path, "look it up"))?;
    if found.is_file() {
        Ok(found)
    } else {
        Err(no_file(path))
    }
}

fn no_file(path: &Path) -> Error {
    Error::config(format!("state={}: not a file", path.display()))
        .hint("name a file with --state; it is created if it is missing")
}

fn create(path: &Path, folder: &Path, build: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let failed = |cause| error::io(cause, path, "create it");
    sweep(folder);
    let workshop = Workshop::new(folder).map_err(failed)?;
    let fresh = workshop.file().map_err(failed)?;
    build(&fresh)?;
    match fresh.persist_noclobber(path) {
        // The name itself must survive a power loss: a target may soon hold this store's id in its markers.
        Ok(()) => File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed),
        // Another process was first. Its store is the store; ours vanishes.
        Err(lost) if lost.error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(lost) => Err(failed(lost.error)),
    }
}

/// A folder in which a state file and SQLite's side files come to be. It is locked as long as its process lives, so
/// that what a killed one left can be told from what is in use; and the lock is on the folder, because a descriptor
/// of our own on a database file may never be closed (see above).
struct Workshop {
    folder: TempDir,
    _lock: File,
}

impl Workshop {
    fn new(parent: &Path) -> io::Result<Self> {
        for _ in 0..ATTEMPTS_MAX {
            let folder = tempfile::Builder::new()
                .prefix(WORKSHOP)
                .permissions(Permissions::from_mode(FOLDER_MODE))
                .tempdir_in(parent)?;
            // Another process may sweep it up before it is locked; then it is made again.
            let Ok(lock) = File::open(folder.path()) else {
                continue;
            };
            if lock.try_lock().is_ok() && folder.path().exists() {
                return Ok(Self {
                    folder,
                    _lock: lock,
                });
            }
        }
        Err(ErrorKind::ResourceBusy.into())
    }

    fn file(&self) -> io::Result<TempPath> {
        let file = tempfile::Builder::new()
            .permissions(Permissions::from_mode(FILE_MODE))
            .tempfile_in(self.folder.path())?;
        Ok(file.into_temp_path())
    }
}

/// Removes what killed processes left of state files they were creating. What cannot be removed does no harm.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(WORKSHOP);
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if ours
            && is_folder
            && let Ok(left) = File::open(entry.path())
            && left.try_lock().is_ok()
        {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// Tells the file at `path` from every other that may be put in its place.
pub(super) fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|found| (found.dev(), found.ino()))
}

/// Takes the rights of everybody else away from a file that was restored or copied with too many. SQLite gives its
/// two side files the rights of the file itself.
pub(super) fn tighten(path: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let Ok(found) = fs::metadata(&name) else {
            continue;
        };
        if found.permissions().mode() & 0o077 == 0 {
            continue;
        }
        fs::set_permissions(&name, Permissions::from_mode(FILE_MODE)).map_err(|cause| {
            Error::new(
                Kind::Auth,
                format!("state={}: open to other users", path.display()),
            )
            .hint("make it yours alone (chown, chmod 600), or use another file with --state")
            .cause(cause)
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
