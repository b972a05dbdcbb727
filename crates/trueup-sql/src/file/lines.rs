//! What files of lines have in common: bytes before the first record, a line end, and rows that stand in the file as they
//! are spelled.

use super::format::{Body, Input, Layout};
use super::pack::{self, Unpacking};
use super::place::Origin;
use super::sink::Sink;
use super::table::Whole;
use trueup_core::Result;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// What stands around the records of a file of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lines {
    /// The columns' names.
    pub(crate) names: Vec<String>,
    /// The bytes before the first record.
    pub(crate) head: Vec<u8>,
    /// The end of each line.
    pub(crate) line_end: &'static str,
}

impl Layout for Lines {
    fn names(&self) -> &[String] {
        &self.names
    }
}

/// A file of lines that grows.
#[derive(Debug)]
pub(crate) struct Grown(Sink);

impl Grown {
    /// Starts with what stands before the first record; a mark of the encoding alone is no line.
    pub(crate) fn new(layout: &Lines, mut sink: Sink) -> Result<Self> {
        let head = &layout.head;
        sink.append(head)?;
        if !head.is_empty() && !head.ends_with(b"\n") && head != BOM {
            sink.append(layout.line_end.as_bytes())?;
        }
        Ok(Self(sink))
    }
}

impl Body for Grown {
    fn append(&mut self, rows: &[u8]) -> Result<()> {
        self.0.append(rows)
    }

    fn append_whole(&mut self, rows: &[u8]) -> Result<()> {
        self.0.append_whole(rows)
    }

    fn finish(self) -> Result<Sink> {
        Ok(self.0)
    }
}

/// Returns the bytes of `file`, unpacked.
pub(crate) fn input(file: Whole, origin: &Origin, limits: Unpacking) -> Result<Input> {
    pack::unpack(file, origin, limits)
}

/// Returns a record that stands in the file as `raw`, with a line end.
pub(crate) fn ended<'s>(raw: &'s str, line_end: &str, scratch: &'s mut Vec<u8>) -> &'s [u8] {
    if raw.ends_with('\n') {
        return raw.as_bytes();
    }
    scratch.clear();
    scratch.extend_from_slice(raw.as_bytes());
    scratch.extend_from_slice(line_end.as_bytes());
    scratch
}
