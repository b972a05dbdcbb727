//! Length-prefixed entries on disk, written once and read in order: plans and sorted runs.
//!
//! The file has no name (it vanishes with the process) and each entry is checked on the way back. A spool without
//! entries has no file: a run of many collections, most of them equal, must not run out of open files.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use trueup_core::batch::KEPT_BYTES_MAX;
use trueup_core::codec::{Reader, put_len};
use trueup_core::digest::Digest;
use trueup_core::{Error, Kind, Result};

/// The buffer of one open spool.
const BUFFER_BYTES: usize = 64 << 10;

/// A spool being written.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    file: Option<BufWriter<File>>,
    entries: u64,
    bytes: u64,
}

impl Spool {
    /// Makes an empty spool, whose file will be in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            file: None,
            entries: 0,
            bytes: 0,
        }
    }

    /// Appends an entry.
    pub(crate) fn push(&mut self, entry: &[u8]) -> Result<()> {
        let mut head = Vec::with_capacity(16);
        put_len(entry.len(), &mut head);
        head.extend((Digest::of(entry).0 as u32).to_le_bytes());
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let made = tempfile::tempfile_in(&self.folder);
                let made = made.map_err(|cause| failed(cause, &self.folder))?;
                none.insert(BufWriter::with_capacity(BUFFER_BYTES, made))
            }
        };
        let written = file.write_all(&head).and_then(|()| file.write_all(entry));
        written.map_err(|cause| failed(cause, &self.folder))?;
        self.entries += 1;
        self.bytes += (head.len() + entry.len()) as u64;
        Ok(())
    }

    /// Ends writing.
    pub(crate) fn finish(self) -> Result<Spooled> {
        let file = self.file.map(BufWriter::into_inner).transpose();
        let file = file.map_err(|error| failed(error.into_error(), &self.folder))?;
        Ok(Spooled {
            folder: self.folder,
            file,
            entries: self.entries,
            bytes: self.bytes,
        })
    }
}

/// A spool that can be read, from the start, as often as needed.
#[derive(Debug)]
pub(crate) struct Spooled {
    folder: PathBuf,
    file: Option<File>,
    entries: u64,
    bytes: u64,
}

impl Spooled {
    /// Returns the number of entries.
    pub(crate) fn len(&self) -> u64 {
        self.entries
    }

    /// Reads from the start.
    pub(crate) fn read(&mut self) -> Result<SpoolReader<'_>> {
        let file = match &mut self.file {
            None => None,
            Some(file) => {
                let rewound = file.rewind();
                rewound.map_err(|cause| failed(cause, &self.folder))?;
                Some(BufReader::with_capacity(BUFFER_BYTES, &*file))
            }
        };
        Ok(SpoolReader {
            folder: &self.folder,
            file,
            entries_left: self.entries,
            bytes_left: self.bytes,
            entry: Vec::new(),
        })
    }
}

/// Reads a spool.
#[derive(Debug)]
pub(crate) struct SpoolReader<'a> {
    folder: &'a Path,
    file: Option<BufReader<&'a File>>,
    entries_left: u64,
    bytes_left: u64,
    entry: Vec<u8>,
}

impl SpoolReader<'_> {
    /// Gives back the memory of the entry that was read last, where it was a long one.
    pub(crate) fn let_go(&mut self) {
        if self.entry.len() > KEPT_BYTES_MAX {
            self.entry = Vec::new();
        }
    }

    /// Reads the next entry; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>> {
        if self.entries_left == 0 {
            return if self.bytes_left == 0 {
                Ok(None)
            } else {
                Err(torn())
            };
        }
        self.entries_left -= 1;
        let len = self.len()?;
        let mut check = [0; 4];
        self.fill(&mut check)?;
        // Before room is made for it: a torn length must not take all memory.
        if len as u64 > self.bytes_left {
            return Err(torn());
        }
        let mut entry = std::mem::take(&mut self.entry);
        entry.resize(len, 0);
        let filled = self.fill(&mut entry);
        self.entry = entry;
        filled?;
        if (Digest::of(&self.entry).0 as u32).to_le_bytes() != check {
            return Err(torn());
        }
        Ok(Some(&self.entry))
    }

    fn len(&mut self) -> Result<usize> {
        let mut head = Vec::new();
        loop {
            let mut byte = [0];
            self.fill(&mut byte)?;
            head.push(byte[0]);
            if byte[0] < 0x80 {
                return Reader::new(&head).count().map_err(|_| torn());
            }
            if head.len() == 10 {
                return Err(torn());
            }
        }
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<()> {
        let left = self.bytes_left.checked_sub(into.len() as u64);
        let (Some(left), Some(file)) = (left, &mut self.file) else {
            return Err(torn());
        };
        self.bytes_left = left;
        file.read_exact(into).map_err(|cause| match cause.kind() {
            ErrorKind::UnexpectedEof => torn(),
            _ => failed(cause, self.folder),
        })
    }
}

fn torn() -> Error {
    Error::corrupt("a temporary file was changed while it was in use").hint("run again")
}

/// Translates a failure of a temporary file.
fn failed(cause: std::io::Error, folder: &Path) -> Error {
    let full = matches!(
        cause.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    );
    let (kind, hint) = if full {
        (
            Kind::Rejected,
            "the disk of the state file is full; free some room, or point --state elsewhere",
        )
    } else {
        (
            Kind::Unavailable,
            "check the folder of the state file, or point --state elsewhere",
        )
    };
    Error::new(
        kind,
        format!("a temporary file failed folder={}", folder.display()),
    )
    .hint(hint)
    .cause(cause)
}

#[cfg(test)]
mod tests;
