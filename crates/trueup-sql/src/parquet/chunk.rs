//! Pieces of a file, read at their places: several readers of one file never move each other.
//!
//! Invariant: no more is asked for than the file has, whatever a footer or a page claims.

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A file, and how long it was when it was opened.
#[derive(Clone, Debug)]
pub(super) struct Chunks {
    file: Arc<File>,
    bytes: u64,
}

impl Chunks {
    /// Makes chunks of `file`.
    pub(super) fn new(file: File) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        Ok(Self {
            file: Arc::new(file),
            bytes,
        })
    }

    /// Reads a few bytes at `at`, if the file has them.
    pub(super) fn few(&self, at: u64) -> io::Result<[u8; 4]> {
        let mut few = [0; 4];
        self.file.read_exact_at(&mut few, at)?;
        Ok(few)
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<At>;

    fn get_read(&self, start: u64) -> Result<BufReader<At>> {
        Ok(BufReader::new(At {
            file: Arc::clone(&self.file),
            at: start,
        }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = u64::try_from(length)
            .ok()
            .and_then(|n| start.checked_add(n));
        if end.is_none_or(|end| end > self.bytes) {
            return Err(ParquetError::EOF("a piece lies behind the end".to_owned()));
        }
        let mut piece = vec![0; length];
        self.file.read_exact_at(&mut piece, start)?;
        Ok(piece.into())
    }
}

/// The file from a place on.
#[derive(Debug)]
pub(super) struct At {
    file: Arc<File>,
    at: u64,
}

impl Read for At {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(into, self.at)?;
        self.at = self.at.saturating_add(count as u64);
        Ok(count)
    }
}
