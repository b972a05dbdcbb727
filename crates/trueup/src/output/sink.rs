//! Where a result goes that is too large to keep: a file, or standard output.
//!
//! Invariant: a file is there whole or not at all. It is written beside its place under another name, readable by its
//! owner only because it can hold keys and values, and takes its place once it is on the disk. It takes the place of
//! an earlier result only: whatever else stands there may be somebody's data, or the very endpoint of the run.

use super::{PLAN_BYTES, raw};
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use trueup_core::{Error, Kind, Result};

/// How the results begin that may be replaced by another: a plan, a list of differences, a script.
const BEGINNINGS: [&[u8]; 3] = [b"{\"trueup_plan\"", b"{\"trueup_diff\"", b"-- trueup: "];

/// A result on its way out.
#[derive(Debug)]
pub(crate) struct Sink(Place);

#[derive(Debug)]
enum Place {
    Stdout(String),
    File {
        path: PathBuf,
        file: BufWriter<NamedTempFile>,
    },
}

impl Sink {
    /// Begins a file at `path`, or standard output for `-`.
    ///
    /// # Errors
    /// As [`Sink::file`].
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        match path {
            Some(path) if path != Path::new("-") => Self::file(path),
            Some(_) | None => Ok(Self(Place::Stdout(String::new()))),
        }
    }

    /// Begins a file at `path`. What stands there stays until [`Sink::finish`].
    ///
    /// # Errors
    /// `Config` when no file can be there.
    pub(crate) fn file(path: &Path) -> Result<Self> {
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
        let made = tempfile::Builder::new()
            .prefix(".trueup-")
            .tempfile_in(folder(path));
        let file = made.map_err(|cause| {
            wrong("it cannot be written")
                .hint("name a file in a folder that you can write")
                // The text of the error itself names a temporary file.
                .cause(std::io::Error::from(cause.kind()))
        })?;
        Ok(Self(Place::File {
            path: path.to_owned(),
            file: BufWriter::with_capacity(PLAN_BYTES, file),
        }))
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
        match &mut self.0 {
            Place::Stdout(waiting) => {
                waiting.push_str(text);
                if waiting.len() >= PLAN_BYTES {
                    raw(waiting)?;
                    waiting.clear();
                }
                Ok(())
            }
            Place::File { path, file } => file
                .write_all(text.as_bytes())
                .map_err(|cause| failed(path, cause)),
        }
    }

    /// Writes the rest; a file is durable, and in its place, when this returns.
    ///
    /// # Errors
    /// As [`Sink::push`].
    pub(crate) fn finish(self) -> Result<()> {
        let (path, file) = match self.0 {
            Place::Stdout(waiting) => return raw(&waiting),
            Place::File { path, file } => (path, file),
        };
        let done = || -> std::io::Result<()> {
            let file = file
                .into_inner()
                .map_err(std::io::IntoInnerError::into_error)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            File::open(folder(&path))?.sync_all()
        };
        done().map_err(|cause| failed(&path, cause))
    }
}

/// Whether nothing is lost when the file at `path` goes.
fn may_be_replaced(path: &Path) -> std::io::Result<bool> {
    let mut start = Vec::new();
    match File::open(path) {
        Ok(file) => file
            .take(BEGINNINGS[0].len() as u64)
            .read_to_end(&mut start)?,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(true),
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
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Kind::Rejected,
        _ => Kind::Unavailable,
    };
    Error::new(
        kind,
        format!("file={}: it cannot be written", path.display()),
    )
    .hint("what stood there before still does; free some room or name another file")
    .cause(cause)
}
