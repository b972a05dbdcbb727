//! Rows into columns, columns into row groups.
//!
//! Invariant: memory is bounded. Rows gather up to [`BATCH_BYTES`]; what they become waits, encoded and compressed, until
//! it is [`GROUP_BYTES`], and is then a row group of the file.

use super::Footer;
use super::error::guarded;
use super::native::{Native, by_number};
use super::spell;
use super::types::Column;
use crate::file::format::Body;
use crate::file::sink::Sink;
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, FixedSizeBinaryBuilder, PrimitiveBuilder, StringBuilder,
};
use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use std::fmt::Debug;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trueup_core::{Error, Result};

/// How many rows go into columns at once, at most.
const BATCH_ROWS: usize = 8192;
/// At how many bytes they do.
const BATCH_BYTES: usize = 4 << 20;
/// At how many bytes of memory a row group ends: what is encoded, and what waits for it.
const GROUP_BYTES: usize = 16 << 20;
/// And at how many rows.
const GROUP_ROWS: usize = 1 << 20;

/// What the library is told to call a file that is not in place yet.
const NEW: &str = "new file";

/// Where the file's bytes go, for a library that knows `Write` only.
#[derive(Debug)]
struct Outlet {
    sink: Sink,
    failed: Failed,
}

/// What the sink said when it failed; the library keeps only that it did.
type Failed = Arc<Mutex<Option<Error>>>;

fn slot(failed: &Failed) -> MutexGuard<'_, Option<Error>> {
    failed.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.sink.append(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                *slot(&self.failed) = Some(error);
                Err(io::Error::other("the file cannot be written"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A Parquet file that grows.
#[derive(Debug)]
pub(crate) struct Columns {
    schema: SchemaRef,
    fillers: Vec<(Option<usize>, Box<dyn Filler>)>,
    writer: ArrowWriter<Outlet>,
    failed: Failed,
    rows: usize,
    bytes: usize,
    /// The beginning of a row whose end has not come yet.
    partial: Vec<u8>,
    /// Whether a failure left the file in no state to grow.
    broken: bool,
}

impl Columns {
    /// Starts a file with this footer.
    pub(super) fn new(footer: &Footer, codec: Compression, sink: Sink) -> Result<Self> {
        if let Some(column) = footer.columns.iter().find(|column| column.fixed.is_some()) {
            let why = column.fixed.unwrap_or_default();
            return Err(Error::config(format!(
                "the file has a column that cannot be written again: {why} field={}",
                column.field.name
            ))
            .hint(
                "use the file as a source only, or move it away and let the run make a new one",
            ));
        }
        let mut fillers = Vec::with_capacity(footer.columns.len());
        for column in footer.columns.iter() {
            let filler = filler(column)
                .ok_or_else(|| Error::bug("a column was designed that is not written"))?;
            fillers.push((spell::width(&column.held), filler));
        }
        let fields = footer
            .columns
            .iter()
            .map(|column| Field::new(&column.field.name, written(column), column.field.nullable));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let properties = WriterProperties::builder()
            .set_compression(codec)
            .set_created_by(format!("trueup version {}", env!("CARGO_PKG_VERSION")))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_max_row_group_bytes(Some(GROUP_BYTES))
            .set_key_value_metadata(Some(footer.entries.clone()));
        let options = ArrowWriterOptions::new()
            .with_properties(properties.build())
            .with_skip_arrow_metadata(true)
            .with_parquet_schema((*footer.schema).clone());
        let failed = Failed::default();
        let outlet = Outlet {
            sink,
            failed: Arc::clone(&failed),
        };
        let begun = Arc::clone(&schema);
        let writer = guarded(Path::new(NEW), || {
            ArrowWriter::try_new_with_options(outlet, begun, options)
        })?;
        Ok(Self {
            schema,
            fillers,
            writer,
            failed,
            rows: 0,
            bytes: 0,
            partial: Vec::new(),
            broken: false,
        })
    }

    /// Takes whole rows from the beginning of `rows`, and returns what is left.
    fn take<'b>(&mut self, mut rows: &'b [u8]) -> Result<&'b [u8]> {
        while !rows.is_empty() {
            let mut rest = rows;
            let whole = self.fillers.iter();
            if !whole.fold(true, |whole, (width, _)| {
                whole && spell::next(*width, &mut rest).is_some()
            }) {
                return Ok(rows);
            }
            self.bytes += rows.len() - rest.len();
            self.row(rows)?;
            rows = rest;
        }
        Ok(rows)
    }

    /// Puts the row at the beginning of `row` into the columns.
    fn row(&mut self, mut row: &[u8]) -> Result<()> {
        for (width, filler) in &mut self.fillers {
            let value = spell::next(*width, &mut row);
            let filled = match value {
                Some(Some(value)) => filler.value(value),
                Some(None) => {
                    filler.null();
                    Some(())
                }
                None => None,
            };
            filled.ok_or_else(|| {
                Error::corrupt("a value of the old file cannot be written again: it is not of its column's type")
                    .hint("move the file away and let the run make a new one; the old file is untouched")
            })?;
        }
        self.rows += 1;
        if self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES {
            self.encode()?;
        }
        Ok(())
    }

    /// Hands the gathered rows on.
    fn encode(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        (self.rows, self.bytes) = (0, 0);
        let arrays = self.fillers.iter_mut().map(|(_, filler)| filler.finish());
        let arrays: Vec<ArrayRef> = arrays.collect();
        let (schema, writer) = (Arc::clone(&self.schema), &mut self.writer);
        let written = guarded(Path::new(NEW), || {
            let batch = RecordBatch::try_new(schema, arrays)?;
            writer.write(&batch)?;
            if writer.memory_size() > GROUP_BYTES {
                writer.flush()?;
            }
            Ok(())
        });
        told(&self.failed, written)
    }

    fn grow(&mut self, rows: &[u8]) -> Result<()> {
        if self.partial.is_empty() {
            let rest = self.take(rows)?;
            self.partial.extend_from_slice(rest);
            return Ok(());
        }
        let mut all = std::mem::take(&mut self.partial);
        all.extend_from_slice(rows);
        let rest = self.take(&all)?.len();
        all.drain(..all.len() - rest);
        self.partial = all;
        Ok(())
    }
}

impl Body for Columns {
    fn append(&mut self, rows: &[u8]) -> Result<()> {
        if self.broken {
            return Err(Error::new(
                trueup_core::Kind::Rejected,
                "an earlier part of the file could not be written",
            )
            .hint("run again; the old file is untouched"));
        }
        self.broken = true;
        self.grow(rows)?;
        self.broken = false;
        Ok(())
    }

    fn append_whole(&mut self, rows: &[u8]) -> Result<()> {
        self.append(rows)
    }

    fn finish(mut self) -> Result<Sink> {
        self.append(&[])?;
        if !self.partial.is_empty() {
            return Err(Error::bug("the last row has no end"));
        }
        self.encode()?;
        let outlet = guarded(Path::new(NEW), || self.writer.into_inner());
        Ok(told(&self.failed, outlet)?.sink)
    }
}

/// Prefers what the sink said to what the library made of it.
fn told<T>(failed: &Failed, done: Result<T>) -> Result<T> {
    done.map_err(|error| slot(failed).take().unwrap_or(error))
}

/// Gathers the values of a column.
trait Filler: Debug + Send {
    fn null(&mut self);
    /// Takes the bytes that [`spell`] made; `None` when they are others.
    fn value(&mut self, bytes: &[u8]) -> Option<()>;
    /// Returns what was gathered, and starts again.
    fn finish(&mut self) -> ArrayRef;
}

/// The type of the arrays that are made for a column.
fn written(column: &Column) -> DataType {
    match &column.held {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        other => other.clone(),
    }
}

fn filler(column: &Column) -> Option<Box<dyn Filler>> {
    macro_rules! number {
        ($ty:ty) => {
            Box::new(Numbers::<$ty>(
                PrimitiveBuilder::new().with_data_type(column.held.clone()),
            ))
        };
    }
    Some(by_number!(
        &column.held,
        number,
        match &column.held {
            DataType::Boolean => Box::new(Truths(BooleanBuilder::new())),
            DataType::Utf8View => Box::new(Texts(StringBuilder::new())),
            DataType::BinaryView => Box::new(Strings(BinaryBuilder::new())),
            DataType::FixedSizeBinary(length) => {
                Box::new(Fixed(FixedSizeBinaryBuilder::new(*length)))
            }
            _ => return None,
        }
    ))
}

#[derive(Debug)]
struct Numbers<T: ArrowPrimitiveType + Debug>(PrimitiveBuilder<T>);

impl<T: ArrowPrimitiveType + Debug> Filler for Numbers<T>
where
    T::Native: Native,
{
    fn null(&mut self) {
        self.0.append_null();
    }

    fn value(&mut self, bytes: &[u8]) -> Option<()> {
        self.0.append_value(T::Native::get(bytes)?);
        Some(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

#[derive(Debug)]
struct Truths(BooleanBuilder);

impl Filler for Truths {
    fn null(&mut self) {
        self.0.append_null();
    }

    fn value(&mut self, bytes: &[u8]) -> Option<()> {
        self.0.append_value(*bytes.first()? != 0);
        Some(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

#[derive(Debug)]
struct Texts(StringBuilder);

impl Filler for Texts {
    fn null(&mut self) {
        self.0.append_null();
    }

    fn value(&mut self, bytes: &[u8]) -> Option<()> {
        self.0.append_value(std::str::from_utf8(bytes).ok()?);
        Some(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

#[derive(Debug)]
struct Strings(BinaryBuilder);

impl Filler for Strings {
    fn null(&mut self) {
        self.0.append_null();
    }

    fn value(&mut self, bytes: &[u8]) -> Option<()> {
        self.0.append_value(bytes);
        Some(())
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

#[derive(Debug)]
struct Fixed(FixedSizeBinaryBuilder);

impl Filler for Fixed {
    fn null(&mut self) {
        self.0.append_null();
    }

    fn value(&mut self, bytes: &[u8]) -> Option<()> {
        self.0.append_value(bytes).ok()
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}
