//! Writing: a file is rewritten whole, once, when its collection is finished.
//!
//! Invariant: until [`Writer::finish`] nothing of a collection's file is touched, and then it goes from the state this
//! writer first saw to the new one in a single step, or stays. What was accepted but not finished is lost with the
//! process, which is why nothing is reported durable before.
//!
//! Rows nobody writes are copied byte for byte. There is no marker (a file has no place for one) and no epoch: what
//! keeps two writers apart is the state each expects to replace.

use super::bag::{self, Counted};
use super::design::design;
use super::disk::{self, Disk};
use super::error;
use super::format::{Body, Format, Layout, Records, Spelling};
use super::place::{Identity, Origin, Place};
use super::replace;
use super::sink::Sink;
use super::spool::{Fields, Spool};
use super::standard::Stream;
use super::table::Table;
use super::update::Update;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trueup_core::batch::Record;
use trueup_core::endpoint::{Applied, Design, Mark, Marker, Op, Outcome, Writer, Writes};
use trueup_core::failpoint::Failpoints;
use trueup_core::schema::Schema;
use trueup_core::value::Value;
use trueup_core::{Error, Kind, Result};

/// What this endpoint and its writer know together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The states in which this endpoint last read its files. A write replaces that state or nothing.
    pub(crate) states: BTreeMap<String, Identity>,
    /// The shapes of collections that were created and have no record yet, where their files cannot say it.
    pub(crate) created: BTreeMap<String, Schema>,
}

impl Seen {
    /// Returns what is known; a panic elsewhere leaves it whole.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer.
#[derive(Debug)]
pub(crate) struct FileWriter<F: Format> {
    pub(crate) place: Place,
    pub(crate) format: Arc<F>,
    pub(crate) failpoints: Failpoints,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) seen: Seen,
    pub(crate) open: BTreeMap<String, Pending<F>>,
}

/// What waits for one collection's finish.
#[derive(Debug)]
pub(crate) enum Pending<F: Format> {
    /// The new file, growing beside.
    Load(Box<Load<F>>),
    /// The writes to merge into the old file.
    Update(Box<Update<F>>),
    /// The rows that come and go, where no key tells them apart.
    Counted(Box<Counted<F>>),
}

/// A file that was missing or without records: rows go straight to the new file.
#[derive(Debug)]
pub(crate) struct Load<F: Format> {
    body: F::Body,
    expected: Option<Identity>,
    drafts: Drafts<F>,
    /// The batches it holds already.
    batches: BTreeSet<(String, u64)>,
}

/// How new records are spelled.
#[derive(Debug)]
pub(super) struct Drafts<F: Format> {
    pub(super) names: Vec<String>,
    pub(super) spelling: F::Spelling,
    /// What stands before each column's value.
    pub(super) labels: Vec<Vec<u8>>,
}

impl<F: Format> Writer for FileWriter<F> {
    fn epoch(&self) -> u64 {
        0
    }

    fn marker(&mut self, _partition: &str) -> Result<Option<Marker>> {
        Ok(None)
    }

    fn mark(&mut self, _mark: &Mark) -> Result<()> {
        Err(Error::config("a file keeps no markers:")
            .hint("use an endpoint of class T on both sides"))
    }

    fn create(&mut self, design: &Design) -> Result<()> {
        let schema = &design.schema;
        let origin = self.origin(&schema.collection)?;
        let names = names(schema);
        if let Some(mut table) = Table::open(&origin, self.format.as_ref())? {
            let mut found = table.all_names()?;
            if found.is_empty() {
                // No record says them; what this endpoint created, it knows.
                let seen = self.seen.lock();
                found = seen
                    .created
                    .get(&schema.collection)
                    .map_or(names.clone(), self::names);
            }
            if found != names {
                return Err(Error::config(format!(
                    "file exists with other columns file={}",
                    origin.path().display()
                ))
                .hint("map the fields to its columns, or move the file away"));
            }
        } else {
            let design = super::design::design(schema, &self.place, self.format.as_ref())?;
            if let Origin::Named(path) = &origin {
                let sink = Sink::beside(&self.disk, path)?;
                let body = self
                    .format
                    .body(&self.format.layout(&design.schema)?, sink)?;
                let identity = body.finish()?.put(None, &self.failpoints)?;
                let collection = schema.collection.clone();
                self.seen.lock().states.insert(collection, identity);
            }
        }
        let collection = schema.collection.clone();
        self.seen.lock().created.insert(collection, schema.clone());
        Ok(())
    }

    fn apply(&mut self, writes: &Writes<'_>) -> Result<Applied> {
        let collection = &writes.schema.collection;
        if writes.check.is_some() {
            return Err(Error::bug(
                "a check per record was asked of an endpoint without it",
            ));
        }
        let streams = writes.load && writes.ops.iter().all(|op| *op == Op::Insert);
        let first = match self.open.get(collection) {
            Some(Pending::Load(_)) => !streams,
            Some(Pending::Counted(counted)) => {
                counted.has_new_rows() && writes.ops.contains(&Op::Delete)
            }
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
                return Err(Error::bug("a collection was opened and is not open"));
            }
        };
        Ok(Applied {
            outcomes,
            durable: false,
        })
    }

    fn finish(&mut self, collection: &str) -> Result<()> {
        let identity = match self.open.remove(collection) {
            None => match self.nothing_to_say(collection)? {
                Some(sink) => sink.put(None, &self.failpoints)?,
                None => return Ok(()),
            },
            Some(Pending::Load(load)) => {
                load.body.finish()?.put(load.expected, &self.failpoints)?
            }
            Some(Pending::Update(update)) => {
                let expected = update.expected;
                update
                    .rewrite(&self.disk)?
                    .put(expected, &self.failpoints)?
            }
            Some(Pending::Counted(counted)) => {
                let expected = counted.expected();
                counted
                    .rewrite(&self.disk)?
                    .put(expected, &self.failpoints)?
            }
        };
        let collection = collection.to_owned();
        self.seen.lock().states.insert(collection, identity);
        Ok(())
    }
}

impl<F: Format> FileWriter<F> {
    fn origin(&self, collection: &str) -> Result<Origin> {
        self.place.find(collection)?.ok_or_else(|| {
            Error::config(format!(
                "no file here can be this collection collection={collection} path={}",
                self.place.path().display()
            ))
            .hint("an address that is one file holds one collection, named by the file's stem")
        })
    }

    /// What standard output gets of a collection without records.
    fn nothing_to_say(&self, collection: &str) -> Result<Option<Sink>> {
        let created = self.seen.lock().created.get(collection).cloned();
        match (&self.place, created) {
            (Place::Standard(standard), Some(schema)) if !standard.is_out() => {
                let design = design(&schema, &self.place, self.format.as_ref())?;
                let sink = Sink::standard(&self.disk, standard)?;
                let body = self
                    .format
                    .body(&self.format.layout(&design.schema)?, sink)?;
                body.finish().map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Insists that the file is as the run has read it. That is forgotten when it is not, so that the next run starts
    /// from what it then reads.
    fn expect(&self, collection: &str, origin: &Origin, now: Option<Identity>) -> Result<()> {
        let seen = self.seen.lock().states.remove(collection);
        if seen.is_some_and(|seen| now != Some(seen)) {
            return Err(error::changed(origin.path(), "the run was under way"));
        }
        Ok(())
    }

    /// Looks at the file as it is and decides how it will be written.
    fn begin(&self, writes: &Writes<'_>, streams: bool) -> Result<Pending<F>> {
        let collection = &writes.schema.collection;
        let origin = self.origin(collection)?;
        let table = Table::open(&origin, self.format.as_ref())?;
        let expected = table.as_ref().map(|table| table.identity);
        self.expect(collection, &origin, expected)?;
        let (layout, streams) = match table {
            None => {
                let design = design(writes.schema, &self.place, self.format.as_ref())?;
                (self.format.layout(&design.schema)?, streams)
            }
            Some(mut table) => {
                let empty = table.reader.next_row()?.is_none();
                let fields = names(writes.schema);
                let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
                table.reader.expect(&fields);
                (table.reader.layout()?, streams && empty)
            }
        };
        let spelling = self.format.spelling(&layout);
        let labels = layout.names().iter();
        let drafts = Drafts {
            names: layout.names().to_vec(),
            labels: labels.map(|name| spelling.label(name)).collect(),
            spelling,
        };
        if streams {
            let sink = self.start(&origin)?;
            return Ok(Pending::Load(Box::new(Load {
                body: self.format.body(&layout, sink)?,
                expected,
                drafts,
                batches: BTreeSet::new(),
            })));
        }
        let Origin::Named(path) = origin else {
            return Err(Error::bug("standard output was to be changed"));
        };
        let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
        disk::create_directories(&directory)
            .map_err(|error| error::io(&directory, "create", error))?;
        if writes.bag.is_some() {
            let counted = Counted::new(Arc::clone(&self.format), path, expected, layout, drafts)?;
            return Ok(Pending::Counted(Box::new(counted)));
        }
        let key = key(writes, &drafts.names)?;
        Ok(Pending::Update(Box::new(Update {
            format: Arc::clone(&self.format),
            spool: Spool::open(&directory, key.len())?,
            fields: Fields::default(),
            path,
            expected,
            layout,
            key,
            drafts,
        })))
    }

    /// Starts the new state of what is empty or missing.
    fn start(&self, origin: &Origin) -> Result<Sink> {
        match (&self.place, origin) {
            (Place::Standard(standard), _) if standard.stream() == Stream::Output => {
                Sink::standard(&self.disk, standard)
            }
            (_, Origin::Named(path)) => Sink::beside(&self.disk, path),
            _ => Err(Error::config("standard input cannot be written")
                .hint("name a file, or write - as the target")),
        }
    }
}

fn names(schema: &Schema) -> Vec<String> {
    schema
        .fields
        .iter()
        .map(|field| field.name.clone())
        .collect()
}

impl<F: Format> Load<F> {
    fn apply(&mut self, writes: &Writes<'_>) -> Result<Vec<Outcome>> {
        let columns = columns(writes, &self.drafts.names)?;
        let mut rows = Vec::with_capacity(writes.records.bytes());
        let mut outcomes = Vec::with_capacity(writes.ops.len());
        for record in writes.records.records() {
            outcomes.push(self.drafts.add(record, &columns, &mut rows));
        }
        let batch = (writes.mark.partition.clone(), writes.mark.batch);
        if !self.batches.contains(&batch) {
            self.body.append_whole(&rows)?;
            self.batches.insert(batch);
        }
        Ok(outcomes)
    }
}

impl<F: Format> Drafts<F> {
    /// Appends a record, and tells what became of it.
    pub(super) fn add(
        &mut self,
        record: Record<'_>,
        columns: &[Option<usize>],
        out: &mut Vec<u8>,
    ) -> Outcome {
        let before = out.len();
        match self.row(record, columns, out) {
            Ok(()) => Outcome::Applied(None),
            Err(refused) => {
                out.truncate(before);
                refused
            }
        }
    }

    fn row(
        &mut self,
        record: Record<'_>,
        columns: &[Option<usize>],
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), Outcome> {
        self.spelling.begin(out);
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                self.spelling.separate(out);
            }
            out.extend_from_slice(&self.labels[index]);
            let value = column.map_or(Value::Null, |column| record.value(column));
            self.spelling
                .value(index, value, out)
                .map_err(|why| rejected(why, &self.names[index]))?;
        }
        self.spelling.end(out);
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
pub(super) fn key(writes: &Writes<'_>, names: &[String]) -> Result<Vec<usize>> {
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
pub(crate) fn sweep(disk: &dyn Disk, place: &Place) -> Result<()> {
    match place {
        Place::Standard(_) => Ok(()),
        Place::Directory(..) => replace::sweep(disk, &place.canonical(), None),
        Place::File(..) => {
            let file = place.canonical();
            let name = file.file_name().and_then(|name| name.to_str());
            file.parent()
                .map_or(Ok(()), |directory| replace::sweep(disk, directory, name))
        }
    }
}
