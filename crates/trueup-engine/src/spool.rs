//! Length-prefixed entries on disk, written once and read in order: plans and sorted runs.
//!
//! The file has no name (it vanishes with the process) and each entry is checked on the way back.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use trueup_core::codec::{Reader, put_len};
use trueup_core::digest::Digest;
use trueup_core::{Error, Kind, Result};

/// The buffer of one open spool.
const BUFFER_BYTES: usize = 64 << 10;
/// Longer entries than this are not ours: no record is.
const ENTRY_BYTES_MAX: usize = 3 << 30;

/// A spool being written.
#[derive(Debug)]
pub(crate) struct Spool {
    file: BufWriter<File>,
    folder: PathBuf,
    entries: u64,
}

impl Spool {
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(folder).map_err(|cause| failed(cause, folder))?;
        Ok(Self {
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
            folder: folder.to_owned(),
            entries: 0,
        })
    }

    pub(crate) fn push(&mut self, entry: &[u8]) -> Result<()> {
        let mut head = Vec::with_capacity(16);
        put_len(entry.len(), &mut head);
        head.extend((Digest::of(entry).0 as u32).to_le_bytes());
        let written = self
            .file
            .write_all(&head)
            .and_then(|()| self.file.write_all(entry));
        written.map_err(|cause| failed(cause, &self.folder))?;
        self.entries += 1;
        Ok(())
    }

    /// Ends writing.
    pub(crate) fn finish(self) -> Result<Spooled> {
        let Self {
            file,
            folder,
            entries,
        } = self;
        let file = file
            .into_inner()
            .map_err(|error| failed(error.into_error(), &folder))?;
        Ok(Spooled {
            file,
            folder,
            entries,
        })
    }
}

/// A spool that can be read, from the start, as often as needed.
#[derive(Debug)]
pub(crate) struct Spooled {
    file: File,
    folder: PathBuf,
    entries: u64,
}

impl Spooled {
    /// Returns the number of entries.
    pub(crate) fn len(&self) -> u64 {
        self.entries
    }

    /// Reads from the start.
    pub(crate) fn read(&mut self) -> Result<SpoolReader<'_>> {
        self.file
            .rewind()
            .map_err(|cause| failed(cause, &self.folder))?;
        let file = BufReader::with_capacity(BUFFER_BYTES, &self.file);
        Ok(SpoolReader {
            file,
            folder: &self.folder,
            left: self.entries,
            entry: Vec::new(),
        })
    }
}

/// Reads a spool.
#[derive(Debug)]
pub(crate) struct SpoolReader<'a> {
    file: BufReader<&'a File>,
    folder: &'a Path,
    left: u64,
    entry: Vec<u8>,
}

impl SpoolReader<'_> {
    /// Reads the next entry; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let len = self.len()?;
        let mut check = [0; 4];
        self.fill(&mut check)?;
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
            if byte[0] < 0x80 || head.len() > 10 {
                break;
            }
        }
        let len = Reader::new(&head).count()?;
        if len > ENTRY_BYTES_MAX {
            Err(torn())
        } else {
            Ok(len)
        }
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<()> {
        self.file
            .read_exact(into)
            .map_err(|cause| match cause.kind() {
                ErrorKind::UnexpectedEof => torn(),
                _ => failed(cause, self.folder),
            })
    }
}

fn torn() -> Error {
    Error::corrupt("a temporary file was changed while it was in use").hint("run again")
}

/// Translates a failure of a temporary file.
pub(crate) fn failed(cause: std::io::Error, folder: &Path) -> Error {
    let full = matches!(
        cause.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    );
    let (kind, hint) = if full {
        (
            Kind::Rejected,
            "the disk for temporary files is full; free some room, or point TMPDIR elsewhere; then run again",
        )
    } else {
        (
            Kind::Unavailable,
            "check the folder for temporary files, or point TMPDIR elsewhere; then run again",
        )
    };
    Error::new(
        kind,
        format!("a temporary file failed folder={}", folder.display()),
    )
    .hint(hint)
    .cause(cause)
}
