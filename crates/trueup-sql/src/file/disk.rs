//! The few operations of the disk on which durability rests, behind a trait so that a test can take the power away
//! between any two of them.
//!
//! Everything else (listing, reading, the spool, which need not survive) goes to the file system directly.

use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// What a durable replacement asks of a disk. Nothing is durable before the matching sync.
pub(crate) trait Disk: Send + Sync + std::fmt::Debug {
    /// Creates a file that does not exist.
    fn create(&self, path: &Path, mode: u32) -> io::Result<File>;
    /// Writes `bytes` at an offset.
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Makes the file's content durable.
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Swaps two names in one step.
    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()>;
    /// Gives a file a name that must be free.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a name that may be taken; what had it is gone.
    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, directory: &Path) -> io::Result<()>;
    /// Removes a name.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The disk there is.
#[derive(Debug)]
pub(crate) struct Local;

impl Disk for Local {
    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)
    }

    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(io::Error::from) {
            // Where the flag is unknown a hard link refuses a taken name too.
            Err(error) if unsupported(&error) => {
                fs::hard_link(from, to)?;
                fs::remove_file(from)
            }
            other => other,
        }
    }

    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

/// Tells whether the file system does not know the operation (a network file system, an old kernel).
pub(crate) fn unsupported(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

/// Creates a directory and those above it, durably.
pub(crate) fn create_directories(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let Some(parent) = directory.parent() else {
        return Ok(());
    };
    create_directories(parent)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(parent)?.sync_all()
}
