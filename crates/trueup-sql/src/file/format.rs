//! What differs between the syntaxes of files of records, and nothing else.
//!
//! Invariant: everything about places, states, locks, replacing and spooling is written once, for all of them. A
//! syntax says how records are read, how values are spelled and how rows become a file; it never opens, names or
//! moves one.

use super::infer::Column;
use super::place::Origin;
use super::settings::Settings;
use super::sink::Sink;
use super::table::Whole;
use std::fmt::Debug;
use std::io::{self, Read};
use trueup_core::Result;
use trueup_core::extremes::Extremes;
use trueup_core::schema::{Field, Holds, Schema};
use trueup_core::sieve::Sieve;
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
    /// The native type of a field that is spelled.
    const NATIVE: &'static str;
    /// What a field's notation tells of its values; [`Holds::Typed`] where a file says what its fields hold.
    const HOLDS: Holds;
    /// Which of the values at the ends of a type have a spelling.
    const EXTREMES: Extremes;
    /// How its files are called.
    const ENDINGS: &'static Endings;
    /// What stands around a file's records.
    type Layout: Layout;
    /// Reads records.
    type Reader: Records<Layout = Self::Layout>;
    /// Spells values.
    type Spelling: Spelling;
    /// Makes a file of rows.
    type Body: Body;

    /// Returns the options that all syntaxes share.
    fn settings(&self) -> &Settings;

    /// Starts reading `file`, which stands at `origin`, and reads what stands before the first record.
    fn reader(&self, file: Whole, origin: &Origin) -> Result<Self::Reader>;

    /// Checks whether a new file can have these fields.
    fn admit(&self, wanted: &Schema) -> Result<()>;

    /// Works out the field of a new file for a `wanted` one, and what the reader should know of it.
    fn field(&self, wanted: &Field) -> Result<(Field, Option<String>)> {
        let field = Field {
            native: Self::NATIVE.to_owned(),
            nullable: true,
            generated: false,
            inferred: true,
            holds: Self::HOLDS,
            extremes: Self::EXTREMES,
            sieve: Sieve::Blind,
            ..wanted.clone()
        };
        Ok((field, None))
    }

    /// Works out what stands around the records of a new file of this shape, which was designed here.
    fn layout(&self, designed: &Schema) -> Result<Self::Layout>;

    /// Makes what spells values for a file of this layout.
    fn spelling(&self, layout: &Self::Layout) -> Self::Spelling;

    /// Starts a file of this layout, which goes into `sink`.
    fn body(&self, layout: &Self::Layout, sink: Sink) -> Result<Self::Body>;
}

/// What stands around the records of a file.
pub(crate) trait Layout: Debug + Send {
    /// Returns the columns' names.
    fn names(&self) -> &[String];
}

/// What a file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Declared {
    /// Its fields.
    pub(crate) fields: Vec<Field>,
    /// The fields of its key, by name.
    pub(crate) key: Vec<String>,
    /// What the reader should know.
    pub(crate) notes: Vec<String>,
}

/// The records of one file, in order.
pub(crate) trait Records: Send {
    /// One record.
    type Row<'r>: Row<'r>
    where
        Self: 'r;
    /// See [`Format::Layout`].
    type Layout;

    /// Whether the columns' names stand before the first record.
    const NAMES_FIRST: bool;

    /// Returns what the file says of its fields; `None` where that has to be found out from its records.
    fn declared(&self) -> Option<&Declared> {
        None
    }

    /// Says that only these columns will be looked at, before the first record is read.
    fn want(&mut self, columns: &[usize]) -> Result<()> {
        let _ = columns;
        Ok(())
    }

    /// Says which columns are expected. A file that names its columns itself does not care; in one that does not, a
    /// field of another name then means that the file changed.
    fn expect(&mut self, names: &[&str]);

    /// Returns the columns' names; where the file does not say them at its beginning, those found so far.
    fn names(&self) -> &[String];

    /// Returns what stands around the records, for a new state of this file.
    fn layout(&self) -> Result<Self::Layout>;

    /// Reads the next record; `None` at the end of the file.
    fn next_row(&mut self) -> Result<Option<Self::Row<'_>>>;
}

/// One record, borrowed from its reader.
pub(crate) trait Row<'r>: Copy {
    /// Returns the line on which the record starts.
    fn line(self) -> u64;

    /// Returns the record as [`Body::append`] takes it. Where it does not stand so in the file it is made in `scratch`.
    fn raw<'s>(self, scratch: &'s mut Vec<u8>) -> &'s [u8]
    where
        'r: 's;

    /// Returns a field as [`Spelling::value`] writes it, as [`Row::raw`] does; `None` where the record has none of that
    /// name.
    fn raw_field<'s>(self, column: usize, scratch: &'s mut Vec<u8>) -> Option<&'s [u8]>
    where
        'r: 's;

    /// Returns the value of a field, in the class that suits `wanted` where the file leaves that open.
    fn value(self, column: usize, wanted: Type) -> Value<'r>;

    /// Takes the record's values into account for their columns' types.
    fn see(self, columns: &mut Vec<Column>);
}

/// Spells records so that [`Body`] makes a file of them in which [`Records`] finds the very same values.
pub(crate) trait Spelling: Debug + Send {
    /// Returns what stands before a field's value in every record.
    fn label(&self, name: &str) -> Vec<u8>;

    /// Begins a record.
    fn begin(&self, out: &mut Vec<u8>);

    /// Separates two fields.
    fn separate(&self, out: &mut Vec<u8>);

    /// Appends NULL.
    fn null(&self, out: &mut Vec<u8>);

    /// Appends the value of a column; a refused one appends nothing, and the reason is returned.
    fn value(
        &mut self,
        column: usize,
        value: Value<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), &'static str>;

    /// Ends a record.
    fn end(&self, out: &mut Vec<u8>);
}

/// A new state of a file, which grows by rows.
pub(crate) trait Body: Debug + Send + Sized {
    /// Appends bytes of rows as [`Spelling`] and [`Row::raw`] give them; they may end within one.
    fn append(&mut self, rows: &[u8]) -> Result<()>;

    /// Appends whole rows: all of them or, when there is no room, none. Where that cannot be, it takes no more after a
    /// failure.
    fn append_whole(&mut self, rows: &[u8]) -> Result<()>;

    /// Ends the file, and returns where it went.
    fn finish(self) -> Result<Sink>;
}
