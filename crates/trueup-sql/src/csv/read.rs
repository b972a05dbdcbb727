//! Reads records out of a delimited text file.
//!
//! Why our own: no published reader tells a quoted empty field from an unquoted one, and NULL must differ from the
//! empty string, so with any of them a NULL or an empty text would silently become the other.
//!
//! Invariants: a field is a slice of the buffer (or, where doubled quotes had to be undone, of a scratch buffer that
//! is reused), so nothing is allocated per field or record. A record is handed out only when its line end was seen:
//! a file that was cut anywhere but at a line end is an error, never a shorter or altered record. Every error names
//! the file and the line.
//!
//! The format is RFC 4180 with LF or CRLF, UTF-8 with or without a byte order mark, any ASCII delimiter and quote.
//! Deliberately not supported: escapes by backslash, comments, lines of differing width, blank lines, lone CR as a
//! line end, other encodings. Each is an error or plain data, not a guess.

use super::config::Options;
use crate::file::error;
use crate::file::format::{COLUMNS_MAX, FIELD_BYTES_MAX, RECORD_BYTES_MAX, fill};
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use trueup_core::value::Value;
use trueup_core::{Error, Result};

/// How much is read at once. Grows only for a record that is longer.
const BUFFER_BYTES: usize = 1 << 20;
/// How far a field's end is looked for byte by byte before a vector search pays.
const SHORT_FIELD_BYTES: usize = 32;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Where a field stands.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// The field as it stands in the file, quotes included, relative to the record's start.
    raw: (u32, u32),
    /// The content: in the scratch buffer when `undone`, else relative to the record's start.
    text: (u32, u32),
    quoted: bool,
    undone: bool,
}

impl Span {
    /// Offsets within a record fit 32 bits: it is at most [`RECORD_BYTES_MAX`] long.
    fn new(raw: Range<usize>, text: Range<usize>, quoted: bool) -> Self {
        let pack = |range: Range<usize>| (range.start as u32, range.end as u32);
        Self {
            raw: pack(raw),
            text: pack(text),
            quoted,
            undone: false,
        }
    }

    fn range((start, end): (u32, u32)) -> Range<usize> {
        start as usize..end as usize
    }
}

const _: () = assert!(RECORD_BYTES_MAX <= u32::MAX as usize);

/// How a try to find the record's end went.
enum Step {
    /// The record ends here, line end included.
    Row(usize),
    /// Its end is not in the buffer yet.
    More,
    /// There is no further record.
    End,
}

/// A streaming reader.
pub(super) struct Reader<R> {
    input: R,
    file: String,
    delimiter: u8,
    quote: u8,
    open_end: bool,
    special: [bool; 256],
    buffer: Vec<u8>,
    /// Where the next record starts in `buffer`.
    start: usize,
    /// How much of `buffer` is file.
    filled: usize,
    eof: bool,
    /// The line of the record at `start`.
    line: u64,
    /// Start and line of the record handed out last, to hand it out again.
    last: (usize, u64),
    /// Line ends within the record being looked at.
    lines_inside: u64,
    width: Option<usize>,
    spans: Vec<Span>,
    scratch: Vec<u8>,
    bom: bool,
}

impl<R: Read> Reader<R> {
    /// Starts reading `input`, called `file` in errors.
    pub(super) fn new(input: R, file: &Path, options: &Options) -> Result<Self> {
        let mut special = [false; 256];
        for byte in [options.delimiter, options.quote, b'\n'] {
            special[usize::from(byte)] = true;
        }
        let mut reader = Self {
            input,
            file: file.display().to_string(),
            delimiter: options.delimiter,
            quote: options.quote,
            open_end: options.settings.open_end,
            special,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            filled: 0,
            eof: false,
            line: 1,
            last: (0, 1),
            lines_inside: 0,
            width: None,
            spans: Vec::new(),
            scratch: Vec::new(),
            bom: false,
        };
        reader.fill()?;
        if reader.buffer[..reader.filled].starts_with(BOM) {
            reader.start = BOM.len();
            reader.bom = true;
        }
        Ok(reader)
    }

    /// Tells whether the file began with a byte order mark.
    pub(super) fn bom(&self) -> bool {
        self.bom
    }

    /// Demands that every further record has `width` fields.
    pub(super) fn set_width(&mut self, width: usize) {
        self.width = Some(width);
    }

    /// Makes [`Reader::next_row`] hand out the last record once more. Only directly after it was read.
    pub(super) fn unread(&mut self) {
        (self.start, self.line) = self.last;
    }

    /// Returns how much of the file is held in memory.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.buffer.capacity() + self.scratch.capacity()
    }

    /// Reads the next record; `None` at the end of the file.
    pub(super) fn next_row(&mut self) -> Result<Option<Row<'_>>> {
        let end = loop {
            match self.step()? {
                Step::Row(end) => break end,
                Step::More => self.fill()?,
                Step::End => return Ok(None),
            }
        };
        let (start, line) = (self.start, self.line);
        self.last = (start, line);
        self.start += end;
        self.line += 1 + self.lines_inside;
        if let Some(width) = self.width
            && self.spans.len() != width
        {
            let found = self.spans.len();
            return Err(self.malformed(
                line,
                format_args!("wrong number of fields expected={width} found={found}"),
                "quote fields that hold the delimiter or a line end; set ?delimiter= if it is another one; a short last line means the file was cut off",
            ));
        }
        let raw = std::str::from_utf8(&self.buffer[start..start + end])
            .map_err(|error| self.invalid(line, start, error.valid_up_to()))?;
        // Only doubled quotes were undone, which are ASCII: valid where the record is.
        let scratch = std::str::from_utf8(&self.scratch)
            .map_err(|error| self.invalid(line, start, error.valid_up_to()))?;
        Ok(Some(Row {
            raw,
            scratch,
            spans: &self.spans,
            line,
        }))
    }

    /// Looks for the end of the record at `start`, from its beginning.
    fn step(&mut self) -> Result<Step> {
        self.spans.clear();
        self.scratch.clear();
        self.lines_inside = 0;
        if self.start == self.filled {
            return Ok(if self.eof { Step::End } else { Step::More });
        }
        let mut at = 0;
        loop {
            at = self.plain(at);
            let data = &self.buffer[self.start..self.filled];
            let next = if data.get(at) == Some(&self.quote) {
                self.quoted(at)?
            } else {
                self.unquoted(at)?
            };
            match next {
                Next::Field(from) => at = from,
                Next::Record(end) => return Ok(Step::Row(end)),
                Next::More => return Ok(Step::More),
            }
        }
    }

    /// Takes over the short unquoted fields from `at` on that end at a delimiter, in one sweep, and returns where the
    /// first field begins that needs more care. Most fields of most files never go further than this.
    fn plain(&mut self, at: usize) -> usize {
        let data = &self.buffer[self.start..self.filled];
        let mut begin = at;
        while let Some(near) = data.get(begin..) {
            let near = &near[..near.len().min(SHORT_FIELD_BYTES)];
            let found = near
                .iter()
                .position(|&byte| self.special[usize::from(byte)]);
            let Some(end) = found.map(|found| begin + found) else {
                break;
            };
            if data[end] != self.delimiter || self.spans.len() == COLUMNS_MAX {
                break;
            }
            self.spans.push(Span::new(begin..end, begin..end, false));
            begin = end + 1;
        }
        begin
    }

    /// Reads the unquoted field at `at`.
    fn unquoted(&mut self, at: usize) -> Result<Next> {
        let data = &self.buffer[self.start..self.filled];
        let found = memchr::memchr3(self.delimiter, self.quote, b'\n', &data[at..]);
        let Some(length) = found else {
            let end = data.len();
            self.check_length(end - at)?;
            if !self.eof {
                return Ok(Next::More);
            }
            self.open_end()?;
            self.push(at..end, at..end, false)?;
            return Ok(Next::Record(end));
        };
        let end = at + length;
        let byte = data[end];
        if byte == self.delimiter {
            self.push(at..end, at..end, false)?;
            return Ok(Next::Field(end + 1));
        }
        if byte == self.quote {
            return Err(self.malformed(
                self.line,
                format_args!(
                    "quote within an unquoted field field={}",
                    self.spans.len() + 1
                ),
                "quote the whole field and double the quotes in it; or, where another sign parts the fields, set ?delimiter=; or another ?quote=",
            ));
        }
        let text = if length > 0 && data[end - 1] == b'\r' {
            at..end - 1
        } else {
            at..end
        };
        self.push(text.clone(), text, false)?;
        Ok(Next::Record(end + 1))
    }

    /// Reads the quoted field whose opening quote is at `at`.
    fn quoted(&mut self, at: usize) -> Result<Next> {
        let data = &self.buffer[self.start..self.filled];
        let mut from = at + 1;
        let mut doubled = false;
        loop {
            let Some(found) = data
                .get(from..)
                .and_then(|rest| memchr::memchr(self.quote, rest))
            else {
                return self.unclosed(at);
            };
            let close = from + found;
            let after = match (data.get(close + 1), data.get(close + 2)) {
                (Some(&byte), _) if byte == self.quote => {
                    doubled = true;
                    from = close + 2;
                    continue;
                }
                (Some(&byte), _) if byte == self.delimiter => Next::Field(close + 2),
                (Some(b'\n'), _) => Next::Record(close + 2),
                (Some(b'\r'), Some(b'\n')) => Next::Record(close + 3),
                (None, _) | (Some(b'\r'), None) if !self.eof => return Ok(Next::More),
                (None, _) => {
                    self.open_end()?;
                    Next::Record(close + 1)
                }
                _ => {
                    return Err(self.malformed(
                        self.line,
                        format_args!("text after a closing quote field={}", self.spans.len() + 1),
                        "double the quotes within a quoted field",
                    ));
                }
            };
            self.close(at..close + 1, doubled)?;
            return Ok(after);
        }
    }

    /// A quoted field whose end is not in the buffer.
    fn unclosed(&self, at: usize) -> Result<Next> {
        self.check_length(self.filled - self.start - at)?;
        if !self.eof {
            return Ok(Next::More);
        }
        Err(self.malformed(
            self.line,
            format_args!(
                "unterminated quote at the end of the file field={}",
                self.spans.len() + 1
            ),
            "the file was cut off, or a quote within a quoted field is not doubled",
        ))
    }

    /// Takes over a quoted field.
    fn close(&mut self, raw: Range<usize>, doubled: bool) -> Result<()> {
        let text = raw.start + 1..raw.end - 1;
        let content = &self.buffer[self.start + text.start..self.start + text.end];
        let lines = memchr::memchr_iter(b'\n', content).count();
        self.lines_inside += u64::try_from(lines).unwrap_or(u64::MAX);
        if !doubled {
            return self.push(raw, text, true);
        }
        let begin = self.scratch.len();
        let mut from = 0;
        while let Some(found) = memchr::memchr(self.quote, &content[from..]) {
            self.scratch
                .extend_from_slice(&content[from..=from + found]);
            from += found + 2;
        }
        self.scratch.extend_from_slice(&content[from..]);
        let text = begin..self.scratch.len();
        self.push(raw, text, true)?;
        if let Some(span) = self.spans.last_mut() {
            span.undone = true;
        }
        Ok(())
    }

    fn push(&mut self, raw: Range<usize>, text: Range<usize>, quoted: bool) -> Result<()> {
        self.check_length(raw.len())?;
        if self.spans.len() == COLUMNS_MAX {
            return Err(self.malformed(
                self.line,
                format_args!("more columns than the limit limit={COLUMNS_MAX}"),
                "set ?delimiter= if it is another one",
            ));
        }
        self.spans.push(Span::new(raw, text, quoted));
        Ok(())
    }

    fn check_length(&self, length: usize) -> Result<()> {
        if length <= FIELD_BYTES_MAX {
            return Ok(());
        }
        Err(self.malformed(
            self.line,
            format_args!("field longer than the limit limit_bytes={FIELD_BYTES_MAX}"),
            "most often a quote was opened and never closed",
        ))
    }

    fn open_end(&self) -> Result<()> {
        if self.open_end {
            return Ok(());
        }
        Err(self.malformed(
            self.line + self.lines_inside,
            "the last line has no line end: the file may be cut off",
            "if the file is complete, end its last line, or say so with ?open_end=true",
        ))
    }

    /// Reads on until the buffer is full or the file ends; makes room for it first.
    fn fill(&mut self) -> Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
        } else if self.filled == self.buffer.len() {
            if self.buffer.len() >= RECORD_BYTES_MAX {
                return Err(self.malformed(
                    self.line,
                    format_args!("record longer than the limit limit_bytes={RECORD_BYTES_MAX}"),
                    "most often a quote was opened and never closed",
                ));
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        // Once the end was seen it stays, whatever another read might say.
        self.eof |= fill(&mut self.input, &mut self.buffer, &mut self.filled)
            .map_err(|error| error::io(Path::new(&self.file), "read", error))?;
        Ok(())
    }

    fn invalid(&self, line: u64, start: usize, valid: usize) -> Error {
        let before = self.buffer.get(start..start + valid).unwrap_or_default();
        let lines = memchr::memchr_iter(b'\n', before).count();
        self.malformed(
            line.saturating_add(u64::try_from(lines).unwrap_or(u64::MAX)),
            "invalid UTF-8",
            "convert the file to UTF-8 (iconv -f latin1 -t utf-8 OLD > NEW, where it is Latin-1), then run the same again",
        )
    }

    fn malformed(&self, line: u64, what: impl std::fmt::Display, hint: &str) -> Error {
        error::malformed(&self.file, line, what).hint(hint)
    }
}

/// What follows a field.
enum Next {
    /// A field, from here.
    Field(usize),
    /// The end of the record, which is here.
    Record(usize),
    /// Unknown before more is read.
    More,
}

/// A record, borrowed from the reader.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'r> {
    raw: &'r str,
    scratch: &'r str,
    spans: &'r [Span],
    line: u64,
}

impl<'r> Row<'r> {
    /// Returns how many fields there are.
    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Returns the line on which the record starts.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Returns the record as it stands in the file, line end included.
    pub(super) fn raw(&self) -> &'r str {
        self.raw
    }

    /// Returns field `index` as it stands in the file, quotes included.
    pub(super) fn raw_field(&self, index: usize) -> &'r str {
        &self.raw[Span::range(self.spans[index].raw)]
    }

    /// Returns the text of field `index` and whether it was quoted.
    pub(super) fn field(&self, index: usize) -> (&'r str, bool) {
        let span = &self.spans[index];
        let place = if span.undone { self.scratch } else { self.raw };
        (&place[Span::range(span.text)], span.quoted)
    }

    /// Returns the value of field `index`: text, or NULL where an unquoted field is the `null` marker.
    pub(super) fn value(&self, index: usize, null: &str) -> Value<'r> {
        match self.field(index) {
            (text, false) if text == null => Value::Null,
            (text, _) => Value::Text(text),
        }
    }
}
