#![doc = include_str!("docs.md")]
//!
//! # Inside
//!
//! `config` takes the address apart, `place` knows files and their identity, `read` is the parser, `infer` guesses
//! types, `scan` reads, `apply` writes. Invariant: a file is read in one state or not at all, and is replaced whole
//! or not at all. There is no change log to follow and no place for a marker.

mod apply;
mod config;
mod design;
mod disk;
mod error;
mod infer;
mod place;
mod read;
mod replace;
mod rights;
mod scan;
mod spool;
#[cfg(test)]
mod tests;
mod write;

use apply::{CsvWriter, Seen};
use config::Options;
use disk::{Disk, Local};
use place::{Identity, Place, Table};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use trueup_core::endpoint::{
    About, Capabilities, Claim, Class, Context, Design, Endpoint, Snapshot, Writer,
};
use trueup_core::rights::{Rights, Wanted};
use trueup_core::schema::{Field, Schema};
use trueup_core::{Error, Result};

/// Opens the directory or file that `address` names (`csv:PATH?options`, the prefix may be missing).
///
/// `keys` names the key's fields by collection; it goes before the option `key`. Nothing is read and nothing need
/// exist yet.
///
/// # Errors
/// `Config` when the address or an option is wrong.
pub fn connect(
    address: &str,
    keys: &[(String, Vec<String>)],
    context: Context,
) -> Result<Box<dyn Endpoint>> {
    let (path, options) = config::parse(address)?;
    Ok(Box::new(Csv {
        address: if address.starts_with("csv:") {
            address.to_owned()
        } else {
            format!("csv:{address}")
        },
        place: Place::new(path)?,
        options: Arc::new(options),
        keys: keys.iter().cloned().collect(),
        context,
        shapes: BTreeMap::new(),
        seen: Seen::default(),
        disk: Arc::new(Local),
    }))
}

/// A directory of delimited text files, or one such file.
#[derive(Debug)]
struct Csv {
    address: String,
    place: Place,
    options: Arc<Options>,
    keys: BTreeMap<String, Vec<String>>,
    context: Context,
    /// The shapes found so far, and the state of the file they were found in.
    shapes: BTreeMap<String, (Identity, Schema)>,
    /// The states in which the files were last read for a run.
    seen: Seen,
    disk: Arc<dyn Disk>,
}

impl Endpoint for Csv {
    fn about(&self) -> About {
        About {
            engine: "csv",
            version: "RFC 4180".to_owned(),
            address: self.address.clone(),
            identity: format!("csv:{}", self.place.canonical().display()),
            class: Class::Conditional,
            capabilities: Capabilities {
                write: true,
                create: true,
                marker: false,
                check: false,
                ordered: false,
                typed: false,
            },
            notes: Vec::new(),
        }
    }

    fn collections(&mut self) -> Result<Vec<String>> {
        let path = self.place.path();
        let found = self.place.list()?.ok_or_else(|| {
            Error::config(format!("no such file or directory path={}", path.display()))
                .hint("check the path")
        })?;
        Ok(found.into_keys().collect())
    }

    fn schema(&mut self, collection: &str) -> Result<Option<Schema>> {
        let Some(path) = self.place.file(collection) else {
            return Ok(None);
        };
        let Some(now) = Identity::at(&path)? else {
            return Ok(None);
        };
        if let Some((identity, schema)) = self.shapes.get(collection)
            && *identity == now
        {
            return Ok(Some(schema.clone()));
        }
        let Some(table) = Table::open(&path, &self.options)? else {
            return Ok(None);
        };
        let (identity, schema) = self.infer(collection, &path, table)?;
        self.shapes
            .insert(collection.to_owned(), (identity, schema.clone()));
        Ok(Some(schema))
    }

    fn design(&self, wanted: &Schema) -> Result<Design> {
        design::design(wanted, &self.place, self.options.header)
    }

    fn rights(&mut self, wanted: &[Wanted]) -> Result<Rights> {
        Ok(rights::rights(&self.place, wanted))
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>> {
        let files = self.place.list()?.unwrap_or_default();
        self.seen.lock().clone_from(&files);
        Ok(Box::new(scan::CsvSnapshot {
            place: self.place.clone(),
            options: Arc::clone(&self.options),
            files,
        }))
    }

    fn sweep(&mut self) -> Result<()> {
        apply::sweep(self.disk.as_ref(), &self.place)
    }

    fn writer(&mut self, _claim: &Claim) -> Result<Box<dyn Writer>> {
        self.sweep()?;
        Ok(Box::new(CsvWriter {
            place: self.place.clone(),
            options: Arc::clone(&self.options),
            failpoints: self.context.failpoints.clone(),
            disk: Arc::clone(&self.disk),
            seen: self.seen.clone(),
            open: BTreeMap::new(),
        }))
    }
}

impl Csv {
    /// Reads the whole file once and works out its shape.
    fn infer(&self, collection: &str, path: &Path, mut table: Table) -> Result<(Identity, Schema)> {
        let mut columns = vec![infer::Column::default(); table.header.names.len()];
        while let Some(row) = table.reader.next_row()? {
            infer::see(&mut columns, &row, &self.options.null);
        }
        table.check_unchanged("its types were inferred")?;
        let names = &table.header.names;
        let mut fields = Vec::with_capacity(names.len());
        for (name, column) in names.iter().zip(columns) {
            let declared = self
                .options
                .types
                .iter()
                .find(|(declared, _)| declared == name);
            fields.push(Field {
                nullable: column.nullable,
                inferred: declared.is_none(),
                ..Field::new(
                    name.clone(),
                    declared.map_or(column.ty(), |(_, ty)| *ty),
                    design::NATIVE,
                )
            });
        }
        self.check_declared(names, path)?;
        let key = self.key(collection, names, path)?;
        let schema = Schema {
            collection: collection.to_owned(),
            fields,
            key,
            ..Schema::default()
        };
        Ok((table.identity, schema))
    }

    /// Refuses a declared type for a column that the one file does not have.
    fn check_declared(&self, names: &[String], path: &Path) -> Result<()> {
        if matches!(self.place, Place::Directory(_)) {
            return Ok(());
        }
        let stray = self
            .options
            .types
            .iter()
            .find(|(declared, _)| !names.contains(declared));
        stray.map_or(Ok(()), |(declared, _)| {
            Err(unknown(declared, names, path, "types"))
        })
    }

    /// Finds the key's columns. The key given for this collection must be there; the one given for all of a
    /// directory's files counts where a file has it.
    fn key(&self, collection: &str, names: &[String], path: &Path) -> Result<Vec<usize>> {
        let own = self.keys.get(collection);
        let key = own.unwrap_or(&self.options.key);
        let must = own.is_some() || matches!(self.place, Place::File(..));
        let mut indices = Vec::with_capacity(key.len());
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
    ))
    .hint("the file's first line has the names of its fields");
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    error::suggest(error, field, &known)
}
