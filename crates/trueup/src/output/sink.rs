//! Where a result goes that is too large to keep: a file, or standard output.
//!
//! Invariant: a file is there whole or not at all. It is written beside its place under another name, readable by its
//! owner only because it can hold keys and values, and takes its place once it is on the disk. It takes the place of
//! an earlier result only: whatever else stands there may be somebody's data, or the very endpoint of the run.
//!
//! The other name is always the same one for a file, and locked as long as the process lives: what a killed run left
//! there is taken away by the next one, and two runs at the same time do not mix. A lock is on a file and a removal on a
//! name, so each removal and renaming looks first whether the name still is that file's.

use super::{PLAN_BYTES, raw};
use rustix::fs::OFlags;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{BufWriter, ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use trueup_core::digest::Digest;
use trueup_core::failpoint::Failpoints;
use trueup_core::{Error, Kind, Result};

/// How many bytes a name may have: as Linux' file systems say.
const NAME_BYTES_MAX: usize = 255;

/// How often the other name is tried when a run that ends takes it away in the same moment.
const CREATE_TRIES: usize = 3;

/// How the results begin that may be replaced by another: a plan, a list of differences, a script.
const BEGINNINGS: [&[u8]; 3] = [b"{\"trueup_plan\"", b"{\"trueup_diff\"", b"-- trueup: "];

/// A result on its way out.
#[derive(Debug)]
pub(crate) struct Sink(Place, Failpoints);

#[derive(Debug)]
enum Place {
    Stdout(String),
    File {
        path: PathBuf,
        file: BufWriter<File>,
        beside: Beside,
    },
}

/// The name under which a file grows. Dropping it removes what is there, as long as that is the file.
#[derive(Debug)]
struct Beside {
    path: PathBuf,
    identity: Identity,
    placed: bool,
}

impl Beside {
    /// Tells whether the name is still this file's.
    fn is_ours(&self) -> bool {
        is_there(&self.path, self.identity)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.placed && self.is_ours() {
            // What stays is taken away by the next run.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// What makes a file another one than any other that is there: its device and its number.
type Identity = (u64, u64);

fn identity(found: &Metadata) -> Identity {
    (found.dev(), found.ino())
}

/// Tells whether `path` itself, not what it may link to, is this file.
fn is_there(path: &Path, file: Identity) -> bool {
    path.symlink_metadata()
        .is_ok_and(|there| identity(&there) == file)
}

impl Sink {
    /// Begins a file at `path`, or standard output for `-`.
    ///
    /// # Errors
    /// As [`Sink::file`].
    pub(crate) fn open(path: Option<&Path>, failpoints: &Failpoints) -> Result<Self> {
        match path {
            Some(path) if path != Path::new("-") => Self::file(path, failpoints),
            Some(_) | None => Ok(Self(Place::Stdout(String::new()), failpoints.clone())),
        }
    }

    /// Begins a file at `path`. What stands there stays until [`Sink::finish`].
    ///
    /// # Errors
    /// `Config` when no file can be there.
    pub(crate) fn file(path: &Path, failpoints: &Failpoints) -> Result<Self> {
        let wrong = |what: &str| Error::config(format!("file={}: {what}", path.display()));
        if path == Path::new("-") {
            return Err(wrong("this goes into a file, not to standard output").hint("name a file"));
        }
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            return Err(wrong("it is there and no ordinary file").hint("name another file"));
        }
        if !may_be_replaced(path).map_err(|cause| failed(path, cause))? {
            return Err(
                wrong("it is there, and is no plan, list or script of trueup's")
                    .hint("name another file, or remove that one"),
            );
        }
        let beside = folder(path).join(other_name(path.file_name().unwrap_or_default()));
        if beside
            .symlink_metadata()
            .is_ok_and(|found| !found.is_file())
        {
            let there = format!("beside it is path={}, no ordinary file", beside.display());
            return Err(wrong(&there).hint("remove that, or name another file"));
        }
        let made = claim(&beside).map_err(|cause| {
            wrong("it cannot be written")
                .hint("name a file in a folder that you can write")
                // The text of the error itself names a temporary file.
                .cause(std::io::Error::from(cause.kind()))
        })?;
        let Some((file, identity)) = made else {
            return Err(wrong("another run is writing it")
                .hint("wait until that run has ended, or name another file"));
        };
        let place = Place::File {
            path: path.to_owned(),
            file: BufWriter::with_capacity(PLAN_BYTES, file),
            beside: Beside {
                path: beside,
                identity,
                placed: false,
            },
        };
        Ok(Self(place, failpoints.clone()))
    }

    /// Tells whether standard output is taken.
    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self.0, Place::Stdout(_))
    }

    /// Takes some text.
    ///
    /// # Errors
    /// `Unavailable` or `Rejected` when it cannot be written.
    pub(crate) fn push(&mut self, text: &str) -> Result<()> {
        self.1.pass("result.writing")?;
        match &mut self.0 {
            Place::Stdout(waiting) => {
                waiting.push_str(text);
                if waiting.len() >= PLAN_BYTES {
                    raw(waiting)?;
                    waiting.clear();
                }
                Ok(())
            }
            Place::File { path, file, .. } => file
                .write_all(text.as_bytes())
                .map_err(|cause| failed(path, cause)),
        }
    }

    /// Writes the rest; a file is durable, and in its place, when this returns.
    ///
    /// # Errors
    /// As [`Sink::push`].
    pub(crate) fn finish(self) -> Result<()> {
        let Self(place, failpoints) = self;
        let (path, file, mut beside) = match place {
            Place::Stdout(waiting) => return raw(&waiting),
            Place::File { path, file, beside } => (path, file, beside),
        };
        failpoints.pass("result.before_sync")?;
        let synced = file
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all().map(|()| file));
        let file = synced.map_err(|cause| failed(&path, cause))?;
        failpoints.pass("result.before_rename")?;
        if !beside.is_ours() {
            let cause = std::io::Error::other("somebody took the growing file away");
            return Err(failed(&path, cause));
        }
        std::fs::rename(&beside.path, &path).map_err(|cause| failed(&path, cause))?;
        beside.placed = true;
        failpoints.pass("result.after_rename")?;
        let durable = File::open(folder(&path)).and_then(|folder| folder.sync_all());
        durable.map_err(|cause| failed(&path, cause))?;
        drop(file);
        Ok(())
    }
}

/// Creates the file at `path`, readable by its owner only, and locks it; takes away what a killed run left there.
/// `None` when a living run holds it.
fn claim(path: &Path) -> std::io::Result<Option<(File, Identity)>> {
    for _ in 0..CREATE_TRIES {
        let mut options = OpenOptions::new();
        let made = options.write(true).create_new(true).mode(0o600).open(path);
        let file = match made {
            Ok(file) => file,
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {
                if !take_away(path)? {
                    return Ok(None);
                }
                continue;
            }
            Err(cause) => return Err(cause),
        };
        let ours = identity(&file.metadata()?);
        // Between the two, another run may have taken it for one that was left.
        if file.try_lock().is_ok() && is_there(path, ours) {
            return Ok(Some((file, ours)));
        }
    }
    Ok(None)
}

/// Removes a file that nobody holds; tells whether it is gone.
fn take_away(path: &Path) -> std::io::Result<bool> {
    let mut options = OpenOptions::new();
    // A pipe that came since would be waited for, and what a link names is not ours.
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    options
        .read(true)
        .custom_flags(i32::from_ne_bytes(flags.bits().to_ne_bytes()));
    let left = match options.open(path) {
        Ok(left) => left,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(true),
        Err(cause) => return Err(cause),
    };
    take_away_opened(path, &left)
}

/// Removes what is at `path`, if it still is the file that was opened there, and nobody holds that.
fn take_away_opened(path: &Path, left: &File) -> std::io::Result<bool> {
    let found = left.metadata()?;
    if !found.is_file() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    match left.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(cause)) => return Err(cause),
    }
    if !is_there(path, identity(&found)) {
        // Its run ended meanwhile, and the name may be the next one's.
        return Ok(true);
    }
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(cause),
        Err(_) | Ok(()) => Ok(true),
    }
}

/// The name that a result of this name grows under: always the same one, and another one for another result.
fn other_name(name: &OsStr) -> OsString {
    let named = |name: &OsStr| {
        let mut other = OsString::from(".trueup-");
        other.push(name);
        other.push(".tmp");
        other
    };
    let whole = named(name);
    if whole.len() <= NAME_BYTES_MAX {
        return whole;
    }
    // Too long with what is around it: a digest is as good.
    named(OsStr::new(&Digest::of(name.as_bytes()).to_string()))
}

/// Whether nothing is lost when the file at `path` goes.
fn may_be_replaced(path: &Path) -> std::io::Result<bool> {
    let mut start = Vec::new();
    match File::open(path) {
        Ok(file) => file
            .take(BEGINNINGS[0].len() as u64)
            .read_to_end(&mut start)?,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(true),
        Err(cause) => return Err(cause),
    };
    let ours = |beginning: &&[u8]| start.starts_with(beginning);
    Ok(start.is_empty() || BEGINNINGS.iter().any(ours))
}

fn folder(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

fn failed(path: &Path, cause: std::io::Error) -> Error {
    let kind = match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Kind::Rejected,
        _ => Kind::Unavailable,
    };
    Error::new(
        kind,
        format!("file={}: it cannot be written", path.display()),
    )
    .hint("what stood there before still does; free some room or name another file")
    .cause(cause)
}

#[cfg(test)]
mod tests;
