//! Reads records out of a file with one JSON object on each line.
//!
//! Invariants: a record is handed out only when its line end was seen, so a file that was cut anywhere but at a line
//! end is an error, never a shorter or altered record. Values are slices of the buffer, or of a scratch text where
//! escapes and exponents had to be undone. Every error names the file, the line and the column, never a value.
//!
//! The columns are the members' names in order of first appearance; a record that lacks one has NULL there. Names that
//! a caller expects come first and then are all there may be.

use super::number::{self, Number};
use super::parse::{self, Cell, Kind};
use super::syntax::{Bad, bad};
use crate::file::error;
use crate::file::format::{COLUMNS_MAX, FIELD_BYTES_MAX, RECORD_BYTES_MAX, Records, Row, fill};
use crate::file::infer::Column;
use crate::file::lines::{self, Lines};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_core::{Error, Kind as ErrorKind, Result};

/// How much is read at once. Grows only for a record that is longer.
const BUFFER_BYTES: usize = 1 << 20;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A streaming reader.
pub(crate) struct Reader<R> {
    input: R,
    file: String,
    open_end: bool,
    buffer: Vec<u8>,
    /// Where the next record starts in `buffer`.
    start: usize,
    /// How much of `buffer` is file.
    filled: usize,
    eof: bool,
    /// The line of the record at `start`.
    line: u64,
    line_end: Option<&'static str>,
    columns: Columns,
    scratch: String,
}

/// The columns, and the values of the record at hand.
#[derive(Debug, Default)]
struct Columns {
    names: Vec<String>,
    index: BTreeMap<String, usize>,
    /// Whether there may be no other ones.
    fixed: bool,
    cells: Vec<Option<Cell>>,
}

impl<R: Read> Reader<R> {
    /// Starts reading `input`, called `file` in errors.
    pub(super) fn new(input: R, file: &Path, open_end: bool) -> Result<Self> {
        let mut reader = Self {
            input,
            file: file.display().to_string(),
            open_end,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            filled: 0,
            eof: false,
            line: 1,
            line_end: None,
            columns: Columns::default(),
            scratch: String::new(),
        };
        reader.fill()?;
        if reader.buffer[..reader.filled].starts_with(BOM) {
            let what = "byte order mark before the first record";
            return Err(reader.malformed("", &bad(0, what, "remove it: JSON text has none")));
        }
        Ok(reader)
    }

    /// Finds the end of the line at `start`, line end included; `None` behind the last one.
    fn end_of_line(&mut self) -> Result<Option<usize>> {
        let mut searched = 0;
        loop {
            let data = &self.buffer[self.start..self.filled];
            if let Some(found) = memchr::memchr(b'\n', &data[searched..]) {
                return Ok(Some(searched + found + 1));
            }
            searched = data.len();
            if !self.eof {
                self.fill()?;
                continue;
            }
            if searched == 0 {
                return Ok(None);
            }
            if !self.open_end {
                let what = "the last line has no line end: the file may be cut off";
                let hint =
                    "if the file is complete, end its last line, or say so with ?open_end=true";
                return Err(self.malformed("", &bad(0, what, hint)));
            }
            return Ok(Some(searched));
        }
    }

    /// Reads on until the buffer is full or the file ends; makes room for it first.
    fn fill(&mut self) -> Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
        }
        if self.filled == self.buffer.len() {
            if self.buffer.len() >= RECORD_BYTES_MAX {
                let what =
                    format_args!("record longer than the limit limit_bytes={RECORD_BYTES_MAX}");
                let hint = "each record is a line of its own; is this one JSON document over many lines, or over one?";
                return Err(self.malformed("", &bad(0, what, hint)));
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        // Once the end was seen it stays, whatever another read might say.
        self.eof |= fill(&mut self.input, &mut self.buffer, &mut self.filled)
            .map_err(|error| error::io(Path::new(&self.file), "read", error))?;
        Ok(())
    }

    fn malformed(&self, line: &str, wrong: &Bad) -> Error {
        let before = line.get(..wrong.at).unwrap_or(line);
        let column = before.chars().count() + 1;
        let place = format!("file={} line={} column={column}", self.file, self.line);
        let kind = if wrong.stale {
            ErrorKind::Stale
        } else {
            ErrorKind::Corrupt
        };
        Error::new(kind, format!("{} {place}", wrong.what)).hint(wrong.hint)
    }
}

impl<R: Read + Send> Records for Reader<R> {
    type Row<'r>
        = JsonRow<'r>
    where
        R: 'r;
    type Layout = Lines;
    const NAMES_FIRST: bool = false;

    fn expect(&mut self, names: &[&str]) {
        let named = names.iter().enumerate();
        self.columns = Columns {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            index: named.map(|(at, &name)| (name.to_owned(), at)).collect(),
            fixed: true,
            cells: vec![None; names.len()],
        };
    }

    fn names(&self) -> &[String] {
        &self.columns.names
    }

    fn layout(&self) -> Result<Lines> {
        Ok(Lines {
            names: self.columns.names.clone(),
            head: Vec::new(),
            line_end: self.line_end.unwrap_or("\n"),
        })
    }

    fn next_row(&mut self) -> Result<Option<JsonRow<'_>>> {
        let Some(length) = self.end_of_line()? else {
            return Ok(None);
        };
        let whole = self.start..self.start + length;
        let raw = match std::str::from_utf8(&self.buffer[whole.clone()]) {
            Ok(raw) => raw,
            Err(error) => {
                let valid = &self.buffer[self.start..self.start + error.valid_up_to()];
                let valid = String::from_utf8_lossy(valid).into_owned();
                let hint = "convert the file to UTF-8 (iconv -f latin1 -t utf-8 OLD > NEW, where it is Latin-1), then run the same again";
                return Err(self.malformed(&valid, &bad(valid.len(), "invalid UTF-8", hint)));
            }
        };
        let line = raw.strip_suffix('\n').unwrap_or(raw);
        let (columns, scratch) = (&mut self.columns, &mut self.scratch);
        columns.cells.fill(None);
        scratch.clear();
        let mut next = 0;
        let taken = parse::object(line, scratch, |name, at, cell| {
            columns.take(name, at, cell, &mut next)
        });
        if let Err(wrong) = taken {
            return Err(self.malformed(line, &wrong));
        }
        let crlf = raw.ends_with("\r\n");
        self.line_end
            .get_or_insert(if crlf { "\r\n" } else { "\n" });
        let number = self.line;
        self.line += 1;
        self.start = whole.end;
        Ok(Some(JsonRow {
            raw,
            scratch: &self.scratch,
            cells: &self.columns.cells,
            line: number,
            line_end: self.line_end.unwrap_or("\n"),
        }))
    }
}

const TWICE: &str = "readers disagree about which of the two counts; remove one";

impl Columns {
    /// Takes in a member of the record at hand; most often it is the column `next`.
    fn take(&mut self, name: &str, at: usize, cell: Cell, next: &mut usize) -> Result<(), Bad> {
        if (cell.raw.1 - cell.raw.0) as usize > FIELD_BYTES_MAX {
            let what = format_args!("field longer than the limit limit_bytes={FIELD_BYTES_MAX}");
            return Err(bad(at, what, "store it elsewhere, and its place here"));
        }
        let expected = self.names.get(*next).is_some_and(|known| known == name);
        let column = if expected {
            *next
        } else {
            match self.index.get(name) {
                Some(&column) => column,
                None => self.add(name, at)?,
            }
        };
        *next = column + 1;
        match self.cells.get_mut(column) {
            Some(free @ None) => {
                *free = Some(cell);
                Ok(())
            }
            _ => Err(bad(at, "member name occurs twice in one object", TWICE)),
        }
    }

    fn add(&mut self, name: &str, at: usize) -> Result<usize, Bad> {
        if self.fixed {
            let what = "columns changed since the shape was read";
            return Err(Bad {
                stale: true,
                ..bad(at, what, "run again")
            });
        }
        if self.names.len() == COLUMNS_MAX {
            let what = format_args!("more columns than the limit limit={COLUMNS_MAX}");
            let hint = "are the names of the members data? nest them in one member";
            return Err(bad(at, what, hint));
        }
        self.index.insert(name.to_owned(), self.names.len());
        self.names.push(name.to_owned());
        self.cells.push(None);
        Ok(self.names.len() - 1)
    }
}

/// A record, borrowed from the reader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonRow<'r> {
    raw: &'r str,
    scratch: &'r str,
    cells: &'r [Option<Cell>],
    line: u64,
    line_end: &'static str,
}

impl<'r> JsonRow<'r> {
    fn cell(self, column: usize) -> Option<Cell> {
        self.cells.get(column).copied().flatten()
    }

    fn raw_of(self, cell: Cell) -> &'r str {
        let (from, until) = cell.raw;
        &self.raw[from as usize..until as usize]
    }

    fn content_of(self, cell: Cell) -> &'r str {
        let (from, until) = cell.content;
        let place = if cell.rewritten {
            self.scratch
        } else {
            self.raw
        };
        &place[from as usize..until as usize]
    }
}

impl<'r> Row<'r> for JsonRow<'r> {
    fn line(self) -> u64 {
        self.line
    }

    fn raw<'s>(self, scratch: &'s mut Vec<u8>) -> &'s [u8]
    where
        'r: 's,
    {
        lines::ended(self.raw, self.line_end, scratch)
    }

    fn raw_field<'s>(self, column: usize, _scratch: &'s mut Vec<u8>) -> Option<&'s [u8]>
    where
        'r: 's,
    {
        self.cell(column).map(|cell| self.raw_of(cell).as_bytes())
    }

    fn value(self, column: usize, wanted: Type) -> Value<'r> {
        let Some(cell) = self.cell(column) else {
            return Value::Null;
        };
        let content = self.content_of(cell);
        match (cell.kind, wanted) {
            (Kind::Null, _) => Value::Null,
            // Every value is a JSON text too.
            (_, Type::Json) => Value::Json(self.raw_of(cell)),
            (Kind::Bool(value), _) => Value::Bool(value),
            (Kind::Number(Number::Int(value)), _) => Value::Int(value),
            (Kind::Number(Number::Vast) | Kind::Nested, _) => Value::Json(self.raw_of(cell)),
            // A text may have more digits than the shortest that mean a double.
            (Kind::Number(_), Type::Float { .. }) => Value::Text(self.raw_of(cell)),
            (Kind::Number(_), Type::Any) if self.raw_of(cell).contains(['.', 'e', 'E']) => {
                number::double(content).map_or(Value::Decimal(content), Value::Float)
            }
            (Kind::Number(_), _) => Value::Decimal(content),
            (Kind::Text, _) => Value::Text(content),
        }
    }

    fn see(self, columns: &mut Vec<Column>) {
        columns.resize_with(self.cells.len(), Column::default);
        for (column, cell) in columns.iter_mut().zip(self.cells) {
            let Some(cell) = *cell else { continue };
            match cell.kind {
                Kind::Null => column.see_null(),
                Kind::Bool(_) => column.see_bool(self.line),
                Kind::Number(Number::Vast) | Kind::Nested => column.see_nested(),
                Kind::Number(_) => column.see_number(self.raw_of(cell), self.line),
                Kind::Text => column.see_text(self.content_of(cell), self.line),
            }
        }
    }
}
