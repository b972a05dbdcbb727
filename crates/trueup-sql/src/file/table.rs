//! A file opened for reading, in one state.

use super::error;
use super::format::{Format, Records};
use super::place::{Identity, Origin};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use trueup_core::Result;

/// A file opened for reading, past what stands before its first record.
pub(crate) struct Table<F: Format> {
    pub(crate) reader: F::Reader,
    pub(crate) identity: Identity,
    /// A second handle, to look at the file's state again.
    file: File,
    origin: Origin,
}

impl<F: Format> Table<F> {
    /// Opens what is at `origin`; `None` when there is nothing.
    pub(crate) fn open(origin: &Origin, format: &F) -> Result<Option<Self>> {
        let failed = |error| error::io(origin.path(), "open", error);
        let Some(file) = origin.open()? else {
            return Ok(None);
        };
        let identity = Identity::of(&file.metadata().map_err(failed)?);
        let whole = Whole {
            file: file.try_clone().map_err(failed)?,
            at: 0,
        };
        let reader = format.reader(whole, origin)?;
        Ok(Some(Self {
            reader,
            identity,
            file,
            origin: origin.clone(),
        }))
    }

    /// Returns the file's name for messages.
    pub(crate) fn path(&self) -> &Path {
        self.origin.path()
    }

    /// Reads all records for the columns' names; a file that says them first is not read on.
    pub(crate) fn all_names(&mut self) -> Result<Vec<String>> {
        if !F::Reader::NAMES_FIRST {
            while self.reader.next_row()?.is_some() {}
        }
        Ok(self.reader.names().to_vec())
    }

    /// Checks that the file read is still what its name says and that nobody wrote to it.
    pub(crate) fn check_unchanged(&self, when: &str) -> Result<()> {
        let failed = |error| error::io(self.origin.path(), "look at", error);
        let now = Identity::of(&self.file.metadata().map_err(failed)?);
        if now != self.identity || self.origin.identity()? != Some(self.identity) {
            return Err(error::changed(self.origin.path(), when));
        }
        Ok(())
    }
}

/// Reads a file from its beginning, wherever other handles on it stand: a spool is read by several at once.
#[derive(Debug)]
pub(crate) struct Whole {
    file: File,
    at: u64,
}

impl Whole {
    /// Returns the file, for reading at places.
    #[cfg(feature = "parquet")]
    pub(crate) fn into_file(self) -> File {
        self.file
    }
}

impl Read for Whole {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(into, self.at)?;
        self.at += u64::try_from(count).unwrap_or(u64::MAX);
        Ok(count)
    }
}
