//! What differs between the syntaxes of files of records, and nothing else.
//!
//! Invariant: everything about places, states, locks, replacing and spooling is written once, for all of them. A
//! syntax says how records are read and how values are spelled; it never opens, names or moves a file.

use super::infer::Column;
use super::settings::Settings;
use std::fmt::Debug;
use std::io::{self, Read};
use std::path::Path;
use trueup_core::Result;
use trueup_core::schema::{Holds, Schema};
use trueup_core::types::Type;
use trueup_core::value::Value;

/// The longest field.
pub(crate) const FIELD_BYTES_MAX: usize = 256 << 20;
/// The longest record, as it stands in the file. A batch's arena holds a few of them.
pub(crate) const RECORD_BYTES_MAX: usize = 1 << 30;
/// The most columns.
pub(crate) const COLUMNS_MAX: usize = 10_000;

/// The bytes of a file, unpacked.
pub(crate) type Input = Box<dyn Read + Send>;

/// Reads into `buffer` behind its first `filled` bytes, which grow, until it is full; tells whether the input has ended.
pub(crate) fn fill(
    input: &mut impl Read,
    buffer: &mut [u8],
    filled: &mut usize,
) -> io::Result<bool> {
    while *filled < buffer.len() {
        match input.read(&mut buffer[*filled..]) {
            Ok(0) => return Ok(true),
            Ok(count) => *filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// How files of one kind are called.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endings {
    /// The endings of a folder's files that are collections; new files get the first.
    pub(crate) folder: &'static [&'static str],
    /// The endings by which a path that is not there yet is seen to be a file.
    pub(crate) file: &'static [&'static str],
}

/// A syntax, with the options for it.
pub(crate) trait Format: Debug + Send + Sync + 'static {
    /// The engine's name, which is the address's scheme too.
    const ENGINE: &'static str;
    /// The definition of the syntax.
    const VERSION: &'static str;
    /// The native type of every field.
    const NATIVE: &'static str;
    /// What a field's notation tells of its values.
    const HOLDS: Holds;
    /// How its files are called.
    const ENDINGS: &'static Endings;
    /// Reads records.
    type Reader: Records;
    /// Spells values.
    type Spelling: Spelling;

    /// Returns the options that all syntaxes share.
    fn settings(&self) -> &Settings;

    /// Starts reading `input`, called `file` in errors, and reads what stands before the first record.
    fn reader(&self, input: Input, file: &Path) -> Result<Self::Reader>;

    /// Makes what spells values, for lines that end in `line_end`.
    fn spelling(&self, line_end: &'static str) -> Self::Spelling;

    /// Checks whether a new file can have these fields.
    fn admit(&self, wanted: &Schema) -> Result<()>;
}

/// The records of one file, in order.
pub(crate) trait Records: Send {
    /// One record.
    type Row<'r>: Row<'r>
    where
        Self: 'r;

    /// Says which columns are expected. A file that names its columns itself does not care; in one that does not, a
    /// field of another name then means that the file changed.
    fn expect(&mut self, names: &[&str]);

    /// Returns the columns' names; where the file does not say them at its beginning, those found so far.
    fn names(&self) -> &[String];

    /// Returns the bytes before the first record, as they stand in the file.
    fn head(&self) -> &[u8];

    /// Returns the line end of the file's first line, as far as it was read.
    fn line_end(&self) -> &'static str;

    /// Reads the next record; `None` at the end of the file.
    fn next_row(&mut self) -> Result<Option<Self::Row<'_>>>;
}

/// One record, borrowed from its reader.
pub(crate) trait Row<'r>: Copy {
    /// Returns the line on which the record starts.
    fn line(self) -> u64;

    /// Returns the record as it stands in the file, line end included.
    fn raw(self) -> &'r str;

    /// Returns a field as it stands in the file; `None` where the record has none of that name.
    fn raw_field(self, column: usize) -> Option<&'r str>;

    /// Returns the value of a field, in the class that suits `wanted` where the file leaves that open.
    fn value(self, column: usize, wanted: Type) -> Value<'r>;

    /// Takes the record's values into account for their columns' types.
    fn see(self, columns: &mut Vec<Column>);
}

/// Spells records so that [`Records`] reads back the very same values.
pub(crate) trait Spelling: Debug + Send {
    /// Appends what stands before the first record of a new file.
    fn head(&self, names: &[String], out: &mut Vec<u8>);

    /// Returns what stands before a field's value in every record.
    fn label(&self, name: &str) -> Vec<u8>;

    /// Begins a record.
    fn begin(&self, out: &mut Vec<u8>);

    /// Separates two fields.
    fn separate(&self, out: &mut Vec<u8>);

    /// Appends NULL.
    fn null(&self, out: &mut Vec<u8>);

    /// Appends a value; a refused one appends nothing, and the reason is returned.
    fn value(&mut self, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), &'static str>;

    /// Ends a record.
    fn end(&self, out: &mut Vec<u8>);

    /// Returns the line end.
    fn line_end(&self) -> &'static str;
}
