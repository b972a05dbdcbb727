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

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
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
        let failed = |cause| super::error::io(cause, state, "lock the link");
        let path = path_of(state, durable);
        for _ in 0..ATTEMPTS_MAX {
            let file = open(&path).map_err(failed)?;
            match claim(&path, &file).map_err(failed)? {
                Claim::Ours => return Ok(Self::label(path, file)),
                Claim::Held(pid) => return Err(held(pid)),
                Claim::Gone => {}
            }
        }
        Err(held(None))
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
    let no_follow = OFlags::NOFOLLOW.bits().cast_signed();
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_follow)
        .open(path)
}

/// What came of trying to lock an opened lock file.
#[derive(Debug, PartialEq, Eq)]
enum Claim {
    /// The link is ours.
    Ours,
    /// Somebody holds it: this process, if it wrote down its number already.
    Held(Option<u32>),
    /// The file was removed since it was opened, so that locking it means nothing.
    Gone,
}

fn claim(path: &Path, file: &File) -> io::Result<Claim> {
    let locked = match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => true,
        Err(Errno::WOULDBLOCK) => false,
        Err(cause) => return Err(cause.into()),
    };
    Ok(match (leads_to(path, file), locked) {
        (false, _) => Claim::Gone,
        (true, true) => Claim::Ours,
        (true, false) => Claim::Held(read_pid(file)),
    })
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

/// Makes the error for a link that is being run.
pub(super) fn held(pid: Option<u32>) -> Error {
    let pid = pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
    Error::new(
        Kind::Stale,
        format!("another run of this link is under way pid={pid}"),
    )
    .hint(
        "wait for it to end, or stop that process; then run again: nothing was changed by this run",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three processes at the worst moments: one ends, the others opened its lock file before.
    #[test]
    fn a_lock_file_that_was_removed_since_it_was_opened_counts_for_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state.db");
        let take = || Lock::take(&state, "a");
        let path = path_of(&state, "a");
        let first = take().expect("free");
        let [early, late] = [(); 2].map(|()| open(&path).expect("it opens"));
        let us = Some(std::process::id());
        assert_eq!(claim(&path, &early).expect("asked"), Claim::Held(us));
        drop(first);
        assert_eq!(claim(&path, &early).expect("asked"), Claim::Gone, "locked");
        let second = take().expect("free, whatever happens to the old file");
        assert_eq!(claim(&path, &late).expect("asked"), Claim::Gone, "refused");
        assert!(take().is_err());
        drop(second);
        assert!(!path.exists());
    }
}
