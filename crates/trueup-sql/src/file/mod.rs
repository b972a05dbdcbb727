//! Files of records, whatever their syntax: a directory with a file per collection, one file, or a standard stream.
//!
//! [`format`] says what a syntax must know; the rest of this folder is written once for all of them. `settings` takes
//! the address apart, `place` knows files and their identity, `standard` the two streams, `pack` compressed files,
//! `infer` guesses types, `scan` reads, `apply` and `update` write, `sink` and `replace` put the new state in place.
//! Invariant: a file is read in one state or not at all, and is replaced whole or not at all. There is no change log to
//! follow and no place for a marker.

pub(crate) mod apply;
mod bag;
pub(crate) mod design;
pub(crate) mod disk;
pub(crate) mod error;
pub(crate) mod format;
#[cfg(test)]
pub(crate) mod given;
pub(crate) mod infer;
pub(crate) mod lines;
pub(crate) mod near;
pub(crate) mod pack;
pub(crate) mod place;
pub(crate) mod replace;
pub(crate) mod rights;
pub(crate) mod scan;
pub(crate) mod settings;
pub(crate) mod sink;
pub(crate) mod spool;
pub(crate) mod standard;
pub(crate) mod table;
pub(crate) mod update;

use apply::{FileWriter, Seen};
use disk::{Disk, Local};
use format::{Declared, Format, Records, Row};
use pack::Packing;
use place::{Identity, Origin, Place};
use standard::{Standard, Stream};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use table::Table;
use trueup_core::endpoint::{
    About, Ascending, Capabilities, Claim, Class, Context, Design, Endpoint, Snapshot, Writer,
};
use trueup_core::rights::{Rights, Wanted};
use trueup_core::schema::{Field, Holds, Schema};
use trueup_core::{Error, Result};

/// The path that stands for a standard stream.
const STANDARD: &str = "-";

/// Files of one syntax.
#[derive(Debug)]
pub(crate) struct Files<F: Format> {
    pub(crate) address: String,
    pub(crate) place: Place,
    pub(crate) format: Arc<F>,
    pub(crate) keys: BTreeMap<String, Vec<String>>,
    pub(crate) context: Context,
    /// The shapes found so far.
    pub(crate) shapes: BTreeMap<String, Shape>,
    /// Whether declared types are still to be looked for among the columns of a folder's files.
    pub(crate) unchecked: bool,
    /// The states in which the files were last read for a run.
    pub(crate) seen: Seen,
    pub(crate) disk: Arc<dyn Disk>,
}

/// What was found out about a file by reading it once.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// The state of the file.
    pub(crate) identity: Identity,
    pub(crate) schema: Schema,
    /// Of each field, whether its numbers ascend.
    pub(crate) ascending: Vec<Option<Ascending>>,
}

impl<F: Format> Files<F> {
    /// Makes the endpoint of `path`; `stream` is the one meant by `-`.
    pub(crate) fn open(
        address: &str,
        (path, format): (PathBuf, F),
        keys: &[(String, Vec<String>)],
        stream: Stream,
        context: Context,
    ) -> Result<Self> {
        let place = if path == Path::new(STANDARD) {
            if format.settings().fresh != Packing::None {
                return Err(error::one_file_is_packed_as_named());
            }
            let folder = (context.env)("TMPDIR").filter(|folder| !folder.is_empty());
            let folder = folder.map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
            Place::Standard(Standard::new(
                stream,
                format.settings().name.clone(),
                folder,
            ))
        } else {
            if format.settings().name.is_some() {
                return Err(Error::config(
                    "a file's collection is called like the file option=name",
                )
                .hint("leave ?name= out; rename a collection with --collections"));
            }
            let fresh = format.settings().fresh;
            Place::new(path, F::ENDINGS, fresh)?
        };
        let scheme = format!("{}:", F::ENGINE);
        Ok(Self {
            address: if address.starts_with(&scheme) {
                address.to_owned()
            } else {
                format!("{scheme}{address}")
            },
            unchecked: stream == Stream::Input
                && place.is_directory()
                && !format.settings().types.is_empty(),
            place,
            format: Arc::new(format),
            keys: keys.iter().cloned().collect(),
            context,
            shapes: BTreeMap::new(),
            seen: Seen::default(),
            disk: Arc::new(Local),
        })
    }
}

impl<F: Format> Endpoint for Files<F> {
    fn about(&self) -> About {
        let mut about = About {
            engine: F::ENGINE,
            version: F::VERSION.to_owned(),
            address: self.address.clone(),
            identity: format!("{}:{}", F::ENGINE, self.place.canonical().display()),
            class: Class::Conditional,
            capabilities: Capabilities {
                write: true,
                create: true,
                marker: false,
                check: false,
                ordered: false,
                typed: F::HOLDS == Holds::Typed,
            },
            notes: self.place.absence().into_iter().collect(),
        };
        if let Place::Standard(standard) = &self.place {
            about.identity.clone_from(&self.address);
            about.class = Class::Blind;
            let output = standard.stream() == Stream::Output;
            about.capabilities.write = output;
            about.capabilities.create = output;
            if output {
                let note = "standard output was verified from the copy that went into it; what became of it at the other end is not known";
                about.notes.push(note.to_owned());
            }
        }
        about
    }

    fn collections(&mut self) -> Result<Vec<String>> {
        let path = self.place.path();
        let found = self.place.list()?;
        if found.is_none() && matches!(self.place, Place::Standard(_)) {
            return Ok(Vec::new());
        }
        let found = found.ok_or_else(|| near::missing(path, F::ENDINGS))?;
        self.check_declared_somewhere()?;
        Ok(found.into_keys().collect())
    }

    fn schema(&mut self, collection: &str) -> Result<Option<Schema>> {
        self.check_declared_somewhere()?;
        let Some(origin) = self.place.find(collection)? else {
            return Ok(None);
        };
        let Some(now) = origin.identity()? else {
            return Ok(None);
        };
        let known = match self.shapes.get(collection) {
            Some(shape) if shape.identity == now => Some(shape.schema.clone()),
            _ => None,
        };
        let schema = match known {
            Some(schema) => schema,
            None => {
                let Some(table) = Table::open(&origin, self.format.as_ref())? else {
                    return Ok(None);
                };
                let found = match table.reader.declared().cloned() {
                    Some(declared) => self.declared(collection, &origin, &table, declared)?,
                    None => self.infer(collection, &origin, table)?,
                };
                let schema = found.schema.clone();
                self.shapes.insert(collection.to_owned(), found);
                schema
            }
        };
        if schema.fields.is_empty()
            && let Some(created) = self.seen.lock().created.get(collection)
        {
            return Ok(Some(created.clone()));
        }
        Ok(Some(schema))
    }

    fn design(&self, wanted: &Schema) -> Result<Design> {
        design::design(wanted, &self.place, self.format.as_ref())
    }

    fn rights(&mut self, wanted: &[Wanted]) -> Result<Rights> {
        Ok(rights::rights(&self.place, wanted))
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>> {
        let files = self.place.list()?.unwrap_or_default();
        self.seen.lock().states.clone_from(&files);
        Ok(Box::new(scan::FileSnapshot {
            place: self.place.clone(),
            format: Arc::clone(&self.format),
            files,
            shapes: self.shapes.clone(),
        }))
    }

    fn sweep(&mut self) -> Result<()> {
        apply::sweep(self.disk.as_ref(), &self.place)
    }

    fn writer(&mut self, _claim: &Claim) -> Result<Box<dyn Writer>> {
        self.sweep()?;
        Ok(Box::new(FileWriter {
            place: self.place.clone(),
            format: Arc::clone(&self.format),
            failpoints: self.context.failpoints.clone(),
            disk: Arc::clone(&self.disk),
            seen: self.seen.clone(),
            open: BTreeMap::new(),
        }))
    }
}

impl<F: Format> Files<F> {
    /// Takes the shape from what the file says.
    fn declared(
        &self,
        collection: &str,
        origin: &Origin,
        table: &Table<F>,
        declared: Declared,
    ) -> Result<Shape> {
        let names = table.reader.names();
        let mut key = self.key(collection, names, origin.path())?;
        if key.is_empty() {
            let mut own = declared.key.iter();
            let own = own.try_fold(Vec::new(), |mut key, name| {
                key.push(names.iter().position(|known| known == name)?);
                Some(key)
            });
            key = own.unwrap_or_default();
        }
        Ok(Shape {
            identity: table.identity,
            ascending: vec![None; declared.fields.len()],
            schema: Schema {
                collection: collection.to_owned(),
                fields: declared.fields,
                key,
                notes: declared.notes,
                ..Schema::default()
            },
        })
    }

    /// Reads the whole file once and works out its shape.
    fn infer(&self, collection: &str, origin: &Origin, mut table: Table<F>) -> Result<Shape> {
        let (mut columns, mut records) = (Vec::new(), 0_u64);
        while let Some(row) = table.reader.next_row()? {
            row.see(&mut columns);
            records += 1;
        }
        table.check_unchanged("its types were inferred")?;
        let names = table.reader.names();
        columns.resize_with(names.len(), infer::Column::default);
        let ascending = columns.iter().map(|one| one.ascending(records)).collect();
        let settings = self.format.settings();
        let parted = near::parted(names);
        let mut fields = Vec::with_capacity(names.len());
        let mut odd = Vec::new();
        for (name, column) in names.iter().zip(columns) {
            let mut declared = settings.types.iter();
            let declared = declared.find(|(declared, _)| declared == name);
            if declared.is_none() {
                let told = |odd| near::odd(name, column.ty(), odd, settings);
                odd.extend(column.odd().map(told));
            }
            fields.push(Field {
                nullable: column.nullable || column.count < records,
                inferred: declared.is_none(),
                holds: F::HOLDS,
                extremes: F::EXTREMES,
                ..Field::new(
                    name.clone(),
                    declared.map_or(column.ty(), |(_, ty)| *ty),
                    F::NATIVE,
                )
            });
        }
        self.check_declared(names, origin.path())?;
        let key = self.key(collection, names, origin.path())?;
        // A declared type lasts longer than what is in the file today: the next one may have an empty value there.
        for (index, field) in fields.iter_mut().enumerate() {
            field.nullable |= !field.inferred && !key.contains(&index);
        }
        let mut notes = near::few(odd);
        notes.extend(parted.map(|(sign, word)| {
            format!("the one column's name has {sign}: is this what parts the columns? Then it is ?delimiter={word}")
        }));
        let schema = Schema {
            collection: collection.to_owned(),
            fields,
            key,
            notes,
            ..Schema::default()
        };
        Ok(Shape {
            identity: table.identity,
            schema,
            ascending,
        })
    }

    /// Refuses a declared type for a column that the one file does not have.
    fn check_declared(&self, names: &[String], path: &Path) -> Result<()> {
        if self.place.is_directory() || names.is_empty() {
            return Ok(());
        }
        let mut types = self.format.settings().types.iter();
        let stray = types.find(|(declared, _)| !names.contains(declared));
        stray.map_or(Ok(()), |(declared, _)| {
            Err(unknown(declared, names, path, "types"))
        })
    }

    /// Refuses a declared type for a column that no file of the folder has. A folder that will be written may get it.
    fn check_declared_somewhere(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.unchecked) {
            return Ok(());
        }
        let files = self.place.list()?.unwrap_or_default();
        let declared = &self.format.settings().types;
        let mut known = BTreeSet::new();
        for name in files.keys() {
            let Some(origin) = self.place.find(name)? else {
                continue;
            };
            // A file that cannot be read may have it; whoever reads the file says what is wrong with it.
            let Ok(Some(mut table)) = Table::open(&origin, self.format.as_ref()) else {
                return Ok(());
            };
            let Ok(names) = table.all_names() else {
                return Ok(());
            };
            known.extend(names);
            if declared.iter().all(|(column, _)| known.contains(column)) {
                return Ok(());
            }
        }
        let stray = declared.iter().find(|(column, _)| !known.contains(column));
        let Some((stray, _)) = stray.filter(|_| !known.is_empty()) else {
            return Ok(());
        };
        let error = Error::config(format!(
            "there is no field={stray}, which types names, in any file of path={}",
            self.place.path().display()
        ));
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        Err(error::suggest(error, stray, &known))
    }

    /// Finds the key's columns. The key given for this collection must be there; the one given for all of a
    /// directory's files counts where a file has it. A file that says no names has none of its own.
    fn key(&self, collection: &str, names: &[String], path: &Path) -> Result<Vec<usize>> {
        let own = self.keys.get(collection);
        let key = own.unwrap_or(&self.format.settings().key);
        let must = own.is_some() || !self.place.is_directory();
        let mut indices = Vec::with_capacity(key.len());
        if names.is_empty() {
            return Ok(indices);
        }
        for field in key {
            match names.iter().position(|name| name == field) {
                Some(index) if indices.contains(&index) => {
                    return Err(Error::config(format!(
                        "field occurs twice in the key field={field} collection={collection}"
                    ))
                    .hint("name each field of the key once"));
                }
                Some(index) => indices.push(index),
                None if must => return Err(unknown(field, names, path, "key")),
                None => return Ok(Vec::new()),
            }
        }
        Ok(indices)
    }
}

fn unknown(field: &str, names: &[String], path: &Path, option: &str) -> Error {
    let error = Error::config(format!(
        "there is no field={field}, which {option} names, in file={}",
        path.display()
    ));
    if let Some((sign, word)) = near::parted(names) {
        return error.hint(format!(
            "the one column's name has {sign}: is this what parts the columns? Then it is ?delimiter={word}"
        ));
    }
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    error::suggest(error, field, &known)
}
