//! Standard input as a source, and standard output as a target.
//!
//! Invariants: standard input is read once, to its end, into a temporary file without a name, because a run reads its
//! source twice; nothing is concluded from a part of it. Standard output gets one collection, once, as a whole, when
//! everything was written to such a file; what is read back for the proof is that file. Whether the reader at the other
//! end of the pipe got it nobody here can know, which is why the class is B.

use super::error;
use super::place::{Identity, Origin};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trueup_core::{Error, Kind, Result};

/// What the collection of standard input is called unless the address says otherwise.
const NAME: &str = "stdin";
/// How much is copied at once.
const COPY_BYTES: usize = 1 << 20;

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// It is read.
    Input,
    /// It is written.
    Output,
}

/// A standard stream and the copy of what went through it.
#[derive(Clone, Debug)]
pub(crate) struct Standard {
    stream: Stream,
    /// Where temporary files go.
    folder: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// The collection's name, once it is known.
    name: Option<String>,
    /// What was read, or written.
    copy: Option<Arc<File>>,
}

impl Standard {
    /// Makes a stream whose collection is called `name`; temporary files go to `folder`.
    pub(crate) fn new(stream: Stream, name: Option<String>, folder: PathBuf) -> Self {
        let usual = (stream == Stream::Input).then(|| NAME.to_owned());
        Self {
            stream,
            folder,
            state: Arc::new(Mutex::new(State {
                name: name.or(usual),
                copy: None,
            })),
        }
    }

    /// Tells which stream it is.
    pub(crate) fn stream(&self) -> Stream {
        self.stream
    }

    /// Returns the name for messages.
    pub(crate) fn path(&self) -> &Path {
        Path::new(match self.stream {
            Stream::Input => "(standard input)",
            Stream::Output => "(standard output)",
        })
    }

    /// Returns where the records of `collection` are; `None` when the stream's only collection has another name.
    ///
    /// # Errors
    /// `Config` when a second collection is to go to standard output; what reading standard input says.
    pub(crate) fn find(&self, collection: &str) -> Result<Option<Origin>> {
        let mut state = self.lock();
        let name = state.name.get_or_insert_with(|| collection.to_owned());
        if name != collection {
            if self.stream == Stream::Input {
                return Ok(None);
            }
            return Err(Error::config(format!(
                "standard output takes one collection collection={collection} besides={name}"
            ))
            .hint("name the one collection with --collections, or write to a directory"));
        }
        self.fill(&mut state)?;
        let path = self.path().to_owned();
        Ok(Some(Origin::Held(path, state.copy.clone())))
    }

    /// Lists the one collection, if there is anything.
    pub(crate) fn list(&self) -> Result<Option<BTreeMap<String, Identity>>> {
        let mut state = self.lock();
        self.fill(&mut state)?;
        let (Some(name), Some(copy)) = (&state.name, &state.copy) else {
            return Ok(None);
        };
        let metadata = copy
            .metadata()
            .map_err(|error| error::io(self.path(), "look at", error))?;
        Ok(Some(BTreeMap::from([(
            name.clone(),
            Identity::of(&metadata),
        )])))
    }

    /// Reads standard input to its end, the first time.
    fn fill(&self, state: &mut State) -> Result<()> {
        if self.stream == Stream::Output || state.copy.is_some() {
            return Ok(());
        }
        let mut file = self.spool()?;
        let read = io::copy(&mut io::stdin().lock(), &mut file).and_then(|_| file.flush());
        read.map_err(|error| match is_full(&error) {
            true => self.not_kept(error),
            false => error::io(self.path(), "read", error),
        })?;
        state.copy = Some(Arc::new(file));
        Ok(())
    }

    /// Makes an empty temporary file without a name.
    pub(crate) fn spool(&self) -> Result<File> {
        tempfile::tempfile_in(&self.folder).map_err(|error| self.not_kept(error))
    }

    /// Translates a failure of the copy.
    pub(crate) fn not_kept(&self, error: io::Error) -> Error {
        let (path, folder) = (self.path().display(), self.folder.display());
        if is_full(&error) {
            return Error::new(
                Kind::Rejected,
                format!("no room for the copy of file={path} folder={folder}"),
            )
            .hint("free some room in that folder, or name another one in TMPDIR")
            .cause(error);
        }
        Error::new(
            Kind::Unavailable,
            format!("cannot keep a copy of file={path} folder={folder}"),
        )
        .hint("check that folder, or name another one in TMPDIR")
        .cause(error)
    }

    /// Tells whether the collection went out already.
    pub(crate) fn is_out(&self) -> bool {
        self.stream == Stream::Output && self.lock().copy.is_some()
    }

    /// Sends the whole of `file` to standard output and keeps it to be read back.
    pub(crate) fn send(&self, file: File, size: u64) -> Result<Identity> {
        let mut state = self.lock();
        if state.copy.is_some() {
            return Err(Error::bug("standard output was written twice"));
        }
        let mut buffer = vec![0; COPY_BYTES];
        let mut out = io::stdout().lock();
        let mut at = 0;
        while at < size {
            let count = file
                .read_at(&mut buffer, at)
                .map_err(|error| error::io(&self.folder, "read a temporary file in", error))?;
            if count == 0 {
                return Err(Error::bug("the copy of standard output is too short"));
            }
            out.write_all(&buffer[..count]).map_err(broken)?;
            at += u64::try_from(count).unwrap_or(u64::MAX);
        }
        out.flush().map_err(broken)?;
        let metadata = file
            .metadata()
            .map_err(|error| error::io(self.path(), "look at", error))?;
        state.copy = Some(Arc::new(file));
        Ok(Identity::of(&metadata))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells whether there was no room to write. Reading a stream cannot fail so.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(
        error.kind(),
        E::StorageFull | E::QuotaExceeded | E::FileTooLarge
    )
}

fn broken(error: io::Error) -> Error {
    Error::new(Kind::Unavailable, "cannot write to standard output")
        .hint("the reader got a part of the collection, or none; run again")
        .cause(error)
}
