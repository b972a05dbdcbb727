//! Writing: a file is rewritten whole, once, when its collection is finished.
//!
//! Invariant: until [`Writer::finish`] nothing of a collection's file is touched, and then it goes from the state this
//! writer first saw to the new one in a single step, or stays. What was accepted but not finished is lost with the
//! process, which is why nothing is reported durable before.
//!
//! Rows nobody writes are copied byte for byte. There is no marker (a file has no place for one) and no epoch: what
//! keeps two writers apart is the state each expects to replace.

use super::bag::{self, Counted};
use super::config::Options;
use super::disk::Disk;
use super::error;
use super::place::{Identity, Place, Table};
use super::read::Row;
use super::replace::{self, Beside};
use super::spool::{self, Fate, Fields, Spool};
use super::write::Format;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trueup_core::batch::Record;
use trueup_core::endpoint::{Applied, Design, Mark, Marker, Op, Outcome, Writer, Writes};
use trueup_core::failpoint::Failpoints;
use trueup_core::value::Value;
use trueup_core::{Error, Kind, Result};

/// The states in which this endpoint last read its files. A write replaces that state or nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<BTreeMap<String, Identity>>>);

impl Seen {
    /// Returns the map; a panic elsewhere leaves it whole.
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Identity>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer.
#[derive(Debug)]
pub(super) struct CsvWriter {
    pub(super) place: Place,
    pub(super) options: Arc<Options>,
    pub(super) failpoints: Failpoints,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) seen: Seen,
    pub(super) open: BTreeMap<String, Pending>,
}

/// What waits for one collection's finish.
#[derive(Debug)]
pub(super) enum Pending {
    /// The new file, growing beside.
    Load(Load),
    /// The writes to merge into the old file.
    Update(Update),
    /// The rows that come and go, where no key tells them apart.
    Counted(Box<Counted>),
}

/// A file that was missing or without records: rows go straight to the new file.
#[derive(Debug)]
pub(super) struct Load {
    beside: Beside,
    expected: Option<Identity>,
    names: Vec<String>,
    format: Format,
    /// The batches it holds already.
    batches: BTreeSet<(String, u64)>,
}

/// A file with records.
#[derive(Debug)]
pub(super) struct Update {
    path: PathBuf,
    expected: Option<Identity>,
    names: Vec<String>,
    header: Vec<u8>,
    /// The key, as columns of the file.
    key: Vec<usize>,
    format: Format,
    spool: Spool,
    fields: Fields,
}

impl Writer for CsvWriter {
    fn epoch(&self) -> u64 {
        0
    }

    fn marker(&mut self, _partition: &str) -> Result<Option<Marker>> {
        Ok(None)
    }

    fn mark(&mut self, _mark: &Mark) -> Result<()> {
        Err(Error::config("a file keeps no markers: engine=csv")
            .hint("use an endpoint of class T on both sides"))
    }

    fn create(&mut self, design: &Design) -> Result<()> {
        let schema = &design.schema;
        let path = self.path(&schema.collection)?;
        let names = || schema.fields.iter().map(|field| field.name.as_str());
        if let Some(table) = Table::open(&path, &self.options)? {
            if names().eq(table.header.names.iter().map(String::as_str)) {
                return Ok(());
            }
            return Err(Error::config(format!(
                "file exists with other columns file={}",
                path.display()
            ))
            .hint("map the fields to its columns, or move the file away"));
        }
        super::design::design(schema, &self.place, self.options.header)?;
        let mut header = Vec::new();
        Format::new(&self.options, "\n").header(names(), &mut header);
        let mut beside = Beside::create(&self.disk, &path)?;
        beside.append(&header)?;
        let identity = beside.put(None, &self.failpoints)?;
        self.seen.lock().insert(schema.collection.clone(), identity);
        Ok(())
    }

    fn apply(&mut self, writes: &Writes<'_>) -> Result<Applied> {
        let collection = &writes.schema.collection;
        if writes.check.is_some() {
            return Err(Error::bug(
                "a check per record was asked of an endpoint without it engine=csv",
            ));
        }
        let streams = writes.load && writes.ops.iter().all(|op| *op == Op::Insert);
        let deletes = writes.ops.contains(&Op::Delete);
        let first = match self.open.get(collection) {
            Some(Pending::Load(_)) => !streams,
            Some(Pending::Counted(counted)) => deletes && counted.has_new_rows(),
            Some(Pending::Update(_)) | None => false,
        };
        if first {
            self.finish(collection)?;
        }
        if !self.open.contains_key(collection) {
            let pending = self.begin(writes, streams)?;
            self.open.insert(collection.clone(), pending);
        }
        let outcomes = match self.open.get_mut(collection) {
            Some(Pending::Load(load)) => load.apply(writes)?,
            Some(Pending::Update(update)) => update.apply(writes)?,
            Some(Pending::Counted(counted)) => {
                counted.apply(writes, writes.bag.ok_or_else(bag::without_bag)?)?
            }
            None => {
                return Err(Error::bug(
                    "a collection was opened and is not open engine=csv",
                ));
            }
        };
        Ok(Applied {
            outcomes,
            durable: false,
        })
    }

    fn finish(&mut self, collection: &str) -> Result<()> {
        let identity = match self.open.remove(collection) {
            None => return Ok(()),
            Some(Pending::Load(load)) => load.beside.put(load.expected, &self.failpoints)?,
            Some(Pending::Update(update)) => {
                let expected = update.expected;
                let beside = update.rewrite(&self.disk, &self.options)?;
                beside.put(expected, &self.failpoints)?
            }
            Some(Pending::Counted(counted)) => {
                let expected = counted.expected();
                let beside = counted.rewrite(&self.disk)?;
                beside.put(expected, &self.failpoints)?
            }
        };
        self.seen.lock().insert(collection.to_owned(), identity);
        Ok(())
    }
}

impl CsvWriter {
    fn path(&self, collection: &str) -> Result<PathBuf> {
        self.place.file(collection).ok_or_else(|| {
            Error::config(format!(
                "no file here can be this collection collection={collection} path={}",
                self.place.path().display()
            ))
            .hint("an address that is one file holds one collection, named by the file's stem")
        })
    }

    /// Looks at the file as it is and decides how it will be written.
    fn begin(&self, writes: &Writes<'_>, streams: bool) -> Result<Pending> {
        let collection = &writes.schema.collection;
        let path = self.path(collection)?;
        let table = Table::open(&path, &self.options)?;
        let expected = table.as_ref().map(|table| table.identity);
        // Forgotten when it differs, so that the next run starts from what it then reads.
        if self
            .seen
            .lock()
            .remove(collection)
            .is_some_and(|seen| expected != Some(seen))
        {
            return Err(error::changed(&path, "the run was under way"));
        }
        let Some(mut table) = table else {
            let schema =
                super::design::design(writes.schema, &self.place, self.options.header)?.schema;
            let names: Vec<String> = schema.fields.into_iter().map(|field| field.name).collect();
            let format = Format::new(&self.options, "\n");
            let mut header = Vec::new();
            format.header(names.iter().map(String::as_str), &mut header);
            return self.pending(writes, streams, path, expected, names, header, format);
        };
        let streams = streams && table.reader.next_row()?.is_none();
        let format = Format::new(&self.options, table.header.line_end);
        let header = table.header;
        self.pending(
            writes,
            streams,
            path,
            expected,
            header.names,
            header.raw,
            format,
        )
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of both variants, gathered once"
    )]
    fn pending(
        &self,
        writes: &Writes<'_>,
        streams: bool,
        path: PathBuf,
        expected: Option<Identity>,
        names: Vec<String>,
        header: Vec<u8>,
        format: Format,
    ) -> Result<Pending> {
        if streams {
            let mut beside = Beside::create(&self.disk, &path)?;
            beside.append(&header)?;
            if !header.is_empty() && !header.ends_with(b"\n") {
                beside.append(format.line_end().as_bytes())?;
            }
            let batches = BTreeSet::new();
            return Ok(Pending::Load(Load {
                beside,
                expected,
                names,
                format,
                batches,
            }));
        }
        if writes.bag.is_some() {
            let counted = Counted::new(path, expected, names, header, format, &self.options)?;
            return Ok(Pending::Counted(Box::new(counted)));
        }
        let key = key(writes, &names)?;
        let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
        super::disk::create_directories(&directory)
            .map_err(|error| error::io(&directory, "create", error))?;
        let spool = Spool::open(&directory, key.len())?;
        let fields = Fields::default();
        Ok(Pending::Update(Update {
            path,
            expected,
            names,
            header,
            key,
            format,
            spool,
            fields,
        }))
    }
}

impl Load {
    fn apply(&mut self, writes: &Writes<'_>) -> Result<Vec<Outcome>> {
        let columns = columns(writes, &self.names)?;
        let mut rows = Vec::with_capacity(writes.records.bytes());
        let mut outcomes = Vec::with_capacity(writes.ops.len());
        for record in writes.records.records() {
            let before = rows.len();
            outcomes.push(match self.row(record, &columns, &mut rows) {
                Ok(()) => {
                    self.format.end(&mut rows);
                    Outcome::Applied(None)
                }
                Err(refused) => {
                    rows.truncate(before);
                    refused
                }
            });
        }
        let batch = (writes.mark.partition.clone(), writes.mark.batch);
        if !self.batches.contains(&batch) {
            self.beside.append_whole(&rows)?;
            self.batches.insert(batch);
        }
        Ok(outcomes)
    }

    fn row(
        &mut self,
        record: Record<'_>,
        columns: &[Option<usize>],
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), Outcome> {
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                self.format.delimiter(out);
            }
            let value = column.map_or(Value::Null, |column| record.value(column));
            self.format
                .value(value, out)
                .map_err(|why| rejected(why, &self.names[index]))?;
        }
        Ok(())
    }
}

impl Update {
    fn apply(&mut self, writes: &Writes<'_>) -> Result<Vec<Outcome>> {
        let columns = columns(writes, &self.names)?;
        if key(writes, &self.names)? != self.key {
            return Err(Error::bug("the key changed between two batches engine=csv"));
        }
        // Room is made before the batch, so that a full disk leaves nothing of it.
        self.spool.settle()?;
        let mark = self.spool.mark();
        let mut outcomes = Vec::with_capacity(writes.ops.len());
        for (index, op) in writes.ops.iter().enumerate() {
            let Some(record) = (index < writes.records.len()).then(|| writes.records.record(index))
            else {
                self.spool.restore(mark);
                return Err(Error::bug("fewer records than writes engine=csv"));
            };
            let key = writes.key.iter().map(|&position| record.value(position));
            if *op == Op::Delete {
                self.spool.remove(key);
                outcomes.push(Outcome::Applied(None));
                continue;
            }
            outcomes.push(match self.gather(record, &columns) {
                Ok(()) => {
                    self.spool.upsert(key, self.fields.finish());
                    Outcome::Applied(None)
                }
                Err(refused) => refused,
            });
        }
        Ok(outcomes)
    }

    fn gather(
        &mut self,
        record: Record<'_>,
        columns: &[Option<usize>],
    ) -> std::result::Result<(), Outcome> {
        self.fields.clear();
        for (index, column) in columns.iter().enumerate() {
            match column.map(|column| record.value(column)) {
                None | Some(Value::Unchanged) => self.fields.keep(),
                Some(value) => self
                    .fields
                    .add(|out| self.format.value(value, out))
                    .map_err(|why| rejected(why, &self.names[index]))?,
            }
        }
        Ok(())
    }

    /// Writes the new state beside the old one.
    fn rewrite(mut self, disk: &Arc<dyn Disk>, options: &Options) -> Result<Beside> {
        self.spool.seal()?;
        let table = Table::open(&self.path, options)?;
        if table.as_ref().map(|table| table.identity) != self.expected {
            return Err(error::changed(&self.path, "the run was under way"));
        }
        let mut beside = Beside::create(disk, &self.path)?;
        beside.append(&self.header)?;
        let mut scratch = Vec::new();
        let mut line = Vec::new();
        if let Some(mut table) = table {
            if !self.header.is_empty() && options.header && !self.header.ends_with(b"\n") {
                beside.append(self.format.line_end().as_bytes())?;
            }
            while let Some(row) = table.reader.next_row()? {
                let key = self
                    .key
                    .iter()
                    .map(|&column| row.value(column, &options.null));
                match self.spool.fate(key) {
                    Fate::Keep => {
                        beside.append(row.raw().as_bytes())?;
                        if !row.raw().ends_with('\n') {
                            beside.append(self.format.line_end().as_bytes())?;
                        }
                    }
                    Fate::Remove => {}
                    Fate::Replace(place) => {
                        self.line(place, Some(row), &mut scratch, &mut line)?;
                        beside.append(&line)?;
                    }
                    Fate::Twice => return Err(spool::twice(&self.path, row.line())),
                }
            }
            table.check_unchanged("being rewritten")?;
        }
        for place in self.spool.rest() {
            self.line(place, None, &mut scratch, &mut line)?;
            beside.append(&line)?;
        }
        Ok(beside)
    }

    /// Makes the line of a written record: its fields, and those of `old` where nothing is written.
    fn line(
        &self,
        place: u64,
        old: Option<Row<'_>>,
        scratch: &mut Vec<u8>,
        line: &mut Vec<u8>,
    ) -> Result<()> {
        line.clear();
        self.spool
            .read(place, self.names.len(), scratch, |index, field| {
                if index > 0 {
                    self.format.delimiter(line);
                }
                match (field, old) {
                    (Some(field), _) => line.extend_from_slice(field),
                    (None, Some(old)) => line.extend_from_slice(old.raw_field(index).as_bytes()),
                    (None, None) => self.format.null(line),
                }
            })?;
        self.format.end(line);
        Ok(())
    }
}

/// For each column of the file, the position of its value in the written records.
pub(super) fn columns(writes: &Writes<'_>, names: &[String]) -> Result<Vec<Option<usize>>> {
    let mut columns = vec![None; names.len()];
    for (position, &field) in writes.fields.iter().enumerate() {
        columns[column(writes, names, field)?] = Some(position);
    }
    Ok(columns)
}

/// The key as columns of the file.
fn key(writes: &Writes<'_>, names: &[String]) -> Result<Vec<usize>> {
    writes
        .key
        .iter()
        .map(|&position| column(writes, names, writes.fields[position]))
        .collect()
}

pub(super) fn column(writes: &Writes<'_>, names: &[String], field: usize) -> Result<usize> {
    let name = &writes.schema.fields[field].name;
    names
        .iter()
        .position(|column| column == name)
        .ok_or_else(|| {
            Error::new(
                Kind::Stale,
                format!(
                    "file has no such column column={name} collection={}",
                    writes.schema.collection
                ),
            )
            .hint("the header changed since it was read; run again")
        })
}

pub(super) fn rejected(why: &str, field: &str) -> Outcome {
    Outcome::Rejected {
        reason: format!("{why} field={field}"),
        blocked: false,
    }
}

/// Removes what killed runs left where this endpoint writes.
pub(super) fn sweep(disk: &dyn Disk, place: &Place) -> Result<()> {
    match place {
        Place::Directory(_) => replace::sweep(disk, &place.canonical(), None),
        Place::File(..) => {
            let file = place.canonical();
            let name = file.file_name().and_then(|name| name.to_str());
            file.parent()
                .map_or(Ok(()), |directory| replace::sweep(disk, directory, name))
        }
    }
}
