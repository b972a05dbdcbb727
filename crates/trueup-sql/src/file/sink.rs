//! Where a new state of a collection grows: beside the file that it will replace, or on its way to standard output.

use super::disk::Disk;
use super::place::Identity;
use super::replace::Beside;
use super::standard::Standard;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use trueup_core::Result;
use trueup_core::failpoint::Failpoints;

/// A new state, not in place yet.
#[derive(Debug)]
pub(crate) enum Sink {
    /// Of a file.
    Beside(Beside),
    /// Of what standard output will get.
    Standard(Outgoing),
}

/// What standard output will get.
#[derive(Debug)]
pub(crate) struct Outgoing {
    standard: Standard,
    file: File,
    disk: Arc<dyn Disk>,
    written: u64,
    buffer: Vec<u8>,
}

/// How much is gathered before it is written.
const WRITE_BYTES: usize = 1 << 20;

impl Sink {
    /// Starts the new state of the file at `path`.
    pub(crate) fn beside(disk: &Arc<dyn Disk>, path: &Path) -> Result<Self> {
        Ok(Self::Beside(Beside::create(disk, path)?))
    }

    /// Starts what standard output will get.
    pub(crate) fn standard(disk: &Arc<dyn Disk>, standard: &Standard) -> Result<Self> {
        Ok(Self::Standard(Outgoing {
            standard: standard.clone(),
            file: standard.spool()?,
            disk: Arc::clone(disk),
            written: 0,
            buffer: Vec::new(),
        }))
    }

    /// Appends bytes; they are written when enough came together.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Beside(beside) => beside.append(bytes),
            Self::Standard(outgoing) => {
                outgoing.buffer.extend_from_slice(bytes);
                if outgoing.buffer.len() < WRITE_BYTES {
                    return Ok(());
                }
                outgoing.flush()
            }
        }
    }

    /// Appends all bytes or, when there is no room, none.
    pub(crate) fn append_whole(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Beside(beside) => beside.append_whole(bytes),
            Self::Standard(outgoing) => {
                outgoing.flush()?;
                outgoing.write(bytes)
            }
        }
    }

    /// Puts the new state in the place of `expected`, durably, and returns its identity.
    ///
    /// # Errors
    /// `Stale` when another state than `expected` was there; it still is.
    pub(crate) fn put(
        self,
        expected: Option<Identity>,
        failpoints: &Failpoints,
    ) -> Result<Identity> {
        match self {
            Self::Beside(beside) => beside.put(expected, failpoints),
            Self::Standard(mut outgoing) => {
                outgoing.flush()?;
                outgoing.standard.send(outgoing.file, outgoing.written)
            }
        }
    }
}

impl Outgoing {
    fn flush(&mut self) -> Result<()> {
        let bytes = std::mem::take(&mut self.buffer);
        self.write(&bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.disk
            .write(&self.file, bytes, self.written)
            .map_err(|error| self.standard.not_kept(error))?;
        self.written += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}
