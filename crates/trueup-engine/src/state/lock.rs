//! At most one run of a link at a time on one state file.
//!
//! The lock is the operating system's (`flock`) on a file of its own beside the state file, one per link:
//! `<state>.lock-<link>`. The kernel releases it when the process dies, however it dies. It is not on the state file
//! itself, because several links run at the same time on one, and because SQLite keeps locks of its own there.
//!
//! The file is removed at the end, so that a folder does not fill up with them. That has no race, because of two
//! rules. Only who holds the lock removes the name. Who gets the lock then looks whether the name still leads to the
//! file that was locked: if not, it was removed in between, the lock is worth nothing, and the taking begins anew. So
//! two processes can hold "the" lock only on two different files, and only the one whose file has the name goes on.
//!
//! It does not fence: a process that was stopped and goes on after its lock was broken by hand is refused by the
//! target's epoch, not here.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use trueup_core::digest::Digest;
use trueup_core::{Error, Kind, Result};

/// How often a lock file may vanish under us before we take the link for busy.
const ATTEMPTS_MAX: usize = 64;

/// The longest text of a lock file that is looked at.
const PID_BYTES_MAX: u64 = 64;

/// The right to run one link, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Takes the lock of the link whose durable name is `durable`, without waiting.
    ///
    /// # Errors
    /// `Stale` when another process, or another store of this process, holds it.
    pub(super) fn take(state: &Path, durable: &str) -> Result<Self> {
        let path = path_of(state, durable);
        let mut pid = None;
        for _ in 0..ATTEMPTS_MAX {
            let file =
                open(&path).map_err(|cause| super::error::io(cause, state, "lock the link"))?;
            match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if leads_to(&path, &file) => return Ok(Self::label(path, file)),
                Err(rustix::io::Errno::WOULDBLOCK) if leads_to(&path, &file) => {
                    return Err(held(read_pid(&file)));
                }
                // Removed by its holder between our opening and our locking: it is a file without a name now.
                Ok(()) | Err(rustix::io::Errno::WOULDBLOCK) => pid = read_pid(&file),
                Err(cause) => {
                    return Err(super::error::io(cause.into(), state, "lock the link"));
                }
            }
        }
        Err(held(pid))
    }

    /// Writes down who holds the lock. Only for people: that nothing could be written takes nothing from the lock.
    fn label(path: PathBuf, mut file: File) -> Self {
        let text = format!("{}\n", std::process::id());
        drop(
            file.set_len(0)
                .and_then(|()| file.write_all(text.as_bytes())),
        );
        Self { path, file }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // If somebody removed the file by hand, the name may be another run's by now. What cannot be removed stays
        // and does no harm: the lock itself ends when the file is closed.
        if leads_to(&self.path, &self.file) {
            drop(fs::remove_file(&self.path));
        }
    }
}

fn path_of(state: &Path, durable: &str) -> PathBuf {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let mut name = state.as_os_str().to_owned();
    name.push(".lock-");
    if !durable.is_empty() && durable.len() <= 64 && durable.bytes().all(plain) {
        name.push(durable);
    } else {
        name.push(Digest::of(durable.as_bytes()).to_string());
    }
    PathBuf::from(name)
}

fn open(path: &Path) -> io::Result<File> {
    // Never through a symbolic link: the label is written into what is opened here.
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_follow)
        .open(path)
}

fn leads_to(path: &Path, file: &File) -> bool {
    match (fs::symlink_metadata(path), file.metadata()) {
        (Ok(named), Ok(opened)) => (named.dev(), named.ino()) == (opened.dev(), opened.ino()),
        _ => false,
    }
}

fn read_pid(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn held(pid: Option<u32>) -> Error {
    let pid = pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
    Error::new(
        Kind::Stale,
        format!("another run of this link is under way pid={pid}"),
    )
    .hint(
        "wait for it to end, or stop that process; then run again: nothing was changed by this run",
    )
}
