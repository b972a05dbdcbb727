//! Reads records out of a file, a bounded number at a time.
//!
//! Invariants: a file is what its footer says or an error that names it; the library's panics end here; memory is
//! bounded by pages and by [`BATCH_BYTES`], not by row groups; as many records come out as the footer counts.

use super::Footer;
use super::chunk::Chunks;
use super::column::Cells;
use super::error::{self, damaged, guarded};
use super::footer;
use super::meta;
use super::types::{self, Column};
use crate::file::error as files;
use crate::file::format::{COLUMNS_MAX, Declared, Records, Row};
use crate::file::infer;
use arrow_schema::{Field, Schema};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_core::{Error, Result};

/// How many records are read at once, at most.
const BATCH_ROWS: usize = 4096;
/// How many bytes of values that may be.
const BATCH_BYTES: u64 = 4 << 20;
/// The magic bytes at both ends; those of a file whose footer is encrypted; a file of this size has room for nothing else.
const MAGIC: [u8; 4] = *b"PAR1";
const ENCRYPTED: [u8; 4] = *b"PARE";
const FRAME_BYTES: u64 = 12;

/// A streaming reader.
pub(crate) struct Reader {
    path: PathBuf,
    chunks: Chunks,
    metadata: ArrowReaderMetadata,
    columns: Arc<[Column]>,
    names: Vec<String>,
    declared: Declared,
    /// The columns that are read, in their order.
    wanted: Vec<usize>,
    /// The next row group.
    group: usize,
    batches: Option<ParquetRecordBatchReader>,
    /// The values at hand, of the wanted columns.
    cells: Vec<Option<Cells>>,
    row: usize,
    rows: usize,
    /// How many records were handed out.
    count: u64,
}

impl Reader {
    /// Opens a file, called `path` in errors.
    pub(super) fn open(file: File, path: &Path) -> Result<Self> {
        let chunks = Chunks::new(file).map_err(|error| files::io(path, "look at", error))?;
        check_frame(&chunks, path)?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let footer = footer_bytes(&chunks, path)?;
        footer::check(&footer, path)?;
        let plain = guarded(path, || {
            let metadata = ParquetMetaDataReader::decode_metadata(&footer)?;
            ArrowReaderMetadata::try_new(Arc::new(metadata), options)
        })?;
        drop(footer);
        let found = guarded(path, || {
            types::columns(plain.parquet_schema(), entries(plain.metadata()))
        })?;
        check_columns(&found.columns, path)?;
        let metadata = guarded(path, || viewed(&plain, &found.columns))?;
        let names = found.columns.iter().map(|column| column.field.name.clone());
        let fields = found.columns.iter().map(|column| column.field.clone());
        Ok(Self {
            path: path.to_owned(),
            names: names.collect(),
            declared: Declared {
                fields: fields.collect(),
                key: meta::key(entries(metadata.metadata())),
                notes: found.notes,
            },
            wanted: (0..found.columns.len()).collect(),
            cells: found.columns.iter().map(|_| None).collect(),
            columns: found.columns.into(),
            chunks,
            metadata,
            group: 0,
            batches: None,
            row: 0,
            rows: 0,
            count: 0,
        })
    }

    /// Reads the next records; `false` at the end of the file.
    fn load(&mut self) -> Result<bool> {
        loop {
            if self.batches.is_none() && !self.open_group()? {
                return Ok(false);
            }
            let Some(batches) = &mut self.batches else {
                return Ok(false);
            };
            let next = guarded(&self.path, || {
                batches.next().transpose().map_err(Into::into)
            })?;
            let Some(batch) = next else {
                self.batches = None;
                continue;
            };
            for (&index, array) in self.wanted.iter().zip(batch.columns()) {
                let column = self.columns.get(index);
                let cells = guarded(&self.path, || {
                    Ok(column.and_then(|column| Cells::new(array, column)))
                })?;
                if let (Some(slot), Some(cells)) = (self.cells.get_mut(index), cells) {
                    *slot = Some(cells);
                } else {
                    return Err(damaged(&self.path, "a column is not of its type"));
                }
            }
            (self.row, self.rows) = (0, batch.num_rows());
            if self.rows > 0 {
                return Ok(true);
            }
        }
    }

    /// Opens the next row group; `false` when there is none.
    fn open_group(&mut self) -> Result<bool> {
        let metadata = Arc::clone(self.metadata.metadata());
        let Some(group) = metadata.row_groups().get(self.group) else {
            let claimed = metadata.file_metadata().num_rows();
            if i64::try_from(self.count) != Ok(claimed) {
                return Err(damaged(&self.path, "its footer counts other records"));
            }
            return Ok(false);
        };
        let records = u64::try_from(group.num_rows()).unwrap_or(0);
        let bytes = u64::try_from(group.total_byte_size()).unwrap_or(0);
        // A record that is larger comes alone.
        let rows = BATCH_BYTES.saturating_mul(records) / bytes.max(1);
        let rows = usize::try_from(rows).unwrap_or(BATCH_ROWS);
        let schema = self.metadata.parquet_schema();
        let mask = ProjectionMask::roots(schema, self.wanted.iter().copied());
        let (chunks, of, index) = (self.chunks.clone(), self.metadata.clone(), self.group);
        let opened = guarded(&self.path, || {
            ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, of)
                .with_row_groups(vec![index])
                .with_projection(mask)
                .with_batch_size(rows.clamp(1, BATCH_ROWS))
                .build()
        })?;
        self.group += 1;
        self.batches = Some(opened);
        Ok(true)
    }
}

/// Looks at both ends of the file.
fn check_frame(chunks: &Chunks, path: &Path) -> Result<()> {
    let failed = |error| files::io(path, "read", error);
    let bytes = chunks.len();
    if bytes < FRAME_BYTES {
        return Err(error::foreign(path));
    }
    let first = chunks.few(0).map_err(failed)?;
    let last = chunks.few(bytes - 4).map_err(failed)?;
    if first == ENCRYPTED || last == ENCRYPTED {
        return Err(error::encrypted(path));
    }
    if first != MAGIC || last != MAGIC {
        return Err(error::foreign(path));
    }
    Ok(())
}

/// Reads the footer. The file is known to have room for its length.
fn footer_bytes(chunks: &Chunks, path: &Path) -> Result<Bytes> {
    let end = chunks.len().saturating_sub(8);
    let length = chunks.few(end);
    let length = length.map_err(|error| files::io(path, "read", error))?;
    let length = u32::from_le_bytes(length);
    guarded(path, || {
        let start = end.checked_sub(length.into());
        let start = start.ok_or_else(|| ParquetError::EOF("a footer is cut".to_owned()))?;
        chunks.get_bytes(start, length as usize)
    })
}

fn check_columns(columns: &[Column], path: &Path) -> Result<()> {
    let file = path.display();
    if columns.len() > COLUMNS_MAX {
        let limit = COLUMNS_MAX;
        return Err(Error::config(format!(
            "more columns than the limit limit={limit} file={file}"
        ))
        .hint("write the file again with fewer columns"));
    }
    for (index, column) in columns.iter().enumerate() {
        let name = &column.field.name;
        if columns
            .iter()
            .take(index)
            .any(|other| other.field.name == *name)
        {
            return Err(Error::config(format!(
                "two columns have one name field={name} file={file}"
            ))
            .hint("write the file again with different names"));
        }
        if let Some(why) = types::refused(column) {
            return Err(Error::config(format!(
                "a column cannot be read: {why} field={name} file={file}"
            ))
            .hint("write the file again without the column, or with another type for it"));
        }
    }
    Ok(())
}

fn entries(metadata: &ParquetMetaData) -> &[KeyValue] {
    let entries = metadata.file_metadata().key_value_metadata();
    entries.map_or(&[], Vec::as_slice)
}

/// The same metadata, for reading columns as they are held here.
fn viewed(
    plain: &ArrowReaderMetadata,
    columns: &[Column],
) -> std::result::Result<ArrowReaderMetadata, ParquetError> {
    let fields = plain.schema().fields().iter().zip(columns);
    let fields = fields.map(|(field, column)| {
        let field: Field = field.as_ref().clone();
        field.with_data_type(column.held.clone())
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = ArrowReaderOptions::new().with_schema(schema);
    ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), options)
}

impl Records for Reader {
    type Row<'r> = ParquetRow<'r>;
    type Layout = Footer;
    const NAMES_FIRST: bool = true;

    fn declared(&self) -> Option<&Declared> {
        Some(&self.declared)
    }

    fn want(&mut self, columns: &[usize]) -> Result<()> {
        let mut wanted = columns.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        self.wanted = wanted;
        Ok(())
    }

    fn expect(&mut self, _names: &[&str]) {}

    fn names(&self) -> &[String] {
        &self.names
    }

    fn layout(&self) -> Result<Footer> {
        let metadata = self.metadata.metadata();
        Ok(Footer {
            names: self.names.clone(),
            schema: metadata.file_metadata().schema_descr_ptr(),
            columns: Arc::clone(&self.columns),
            entries: entries(metadata).to_vec(),
        })
    }

    fn next_row(&mut self) -> Result<Option<ParquetRow<'_>>> {
        self.row += 1;
        if self.row >= self.rows && !self.load()? {
            return Ok(None);
        }
        self.count += 1;
        Ok(Some(ParquetRow {
            cells: &self.cells,
            row: self.row,
            number: self.count,
        }))
    }
}

/// A record, borrowed from the reader.
#[derive(Clone, Copy)]
pub(crate) struct ParquetRow<'r> {
    cells: &'r [Option<Cells>],
    row: usize,
    number: u64,
}

impl<'r> ParquetRow<'r> {
    fn cells(self, column: usize) -> Option<&'r Cells> {
        self.cells.get(column)?.as_ref()
    }

    fn put(self, column: usize, out: &mut Vec<u8>) {
        let put = self
            .cells(column)
            .and_then(|cells| cells.put(self.row, out));
        // Of a column that is not written again there is no new state to put it into.
        debug_assert!(put.is_some());
    }
}

impl<'r> Row<'r> for ParquetRow<'r> {
    fn line(self) -> u64 {
        self.number
    }

    fn raw<'s>(self, scratch: &'s mut Vec<u8>) -> &'s [u8]
    where
        'r: 's,
    {
        scratch.clear();
        for column in 0..self.cells.len() {
            self.put(column, scratch);
        }
        scratch
    }

    fn raw_field<'s>(self, column: usize, scratch: &'s mut Vec<u8>) -> Option<&'s [u8]>
    where
        'r: 's,
    {
        scratch.clear();
        self.put(column, scratch);
        Some(scratch)
    }

    fn value(self, column: usize, _wanted: Type) -> Value<'r> {
        self.cells(column)
            .map_or(Value::Null, |cells| cells.value(self.row))
    }

    fn see(self, _columns: &mut Vec<infer::Column>) {
        // The file says its types.
    }
}
