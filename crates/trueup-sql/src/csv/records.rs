//! The parser's records, as the rest of the files' code wants them.

use super::header::Header;
use super::read::{self, Reader};
use crate::file::format::{Input, Records, Row};
use crate::file::infer::Column;
use crate::file::lines::{self, Lines};
use trueup_core::Result;
use trueup_core::types::Type;
use trueup_core::value::Value;

/// A file's records, past its header.
pub(crate) struct CsvRecords {
    reader: Reader<Input>,
    header: Header,
    null: String,
}

impl CsvRecords {
    pub(super) fn new(reader: Reader<Input>, header: Header, null: String) -> Self {
        Self {
            reader,
            header,
            null,
        }
    }
}

impl Records for CsvRecords {
    type Row<'r> = CsvRow<'r>;
    type Layout = Lines;
    const NAMES_FIRST: bool = true;

    fn expect(&mut self, _names: &[&str]) {}

    fn names(&self) -> &[String] {
        &self.header.names
    }

    fn layout(&self) -> Result<Lines> {
        Ok(Lines {
            names: self.header.names.clone(),
            head: self.header.raw.clone(),
            line_end: self.header.line_end,
        })
    }

    fn next_row(&mut self) -> Result<Option<CsvRow<'_>>> {
        let row = self.reader.next_row()?;
        Ok(row.map(|row| CsvRow {
            row,
            null: &self.null,
            line_end: self.header.line_end,
        }))
    }
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CsvRow<'r> {
    row: read::Row<'r>,
    null: &'r str,
    line_end: &'static str,
}

impl<'r> Row<'r> for CsvRow<'r> {
    fn line(self) -> u64 {
        self.row.line()
    }

    fn raw<'s>(self, scratch: &'s mut Vec<u8>) -> &'s [u8]
    where
        'r: 's,
    {
        lines::ended(self.row.raw(), self.line_end, scratch)
    }

    fn raw_field<'s>(self, column: usize, _scratch: &'s mut Vec<u8>) -> Option<&'s [u8]>
    where
        'r: 's,
    {
        Some(self.row.raw_field(column).as_bytes())
    }

    fn value(self, column: usize, _wanted: Type) -> Value<'r> {
        self.row.value(column, self.null)
    }

    fn see(self, columns: &mut Vec<Column>) {
        columns.resize_with(self.row.len(), Column::default);
        for (index, column) in columns.iter_mut().enumerate() {
            let (text, quoted) = self.row.field(index);
            column.see(text, quoted, self.null, self.line());
        }
    }
}
