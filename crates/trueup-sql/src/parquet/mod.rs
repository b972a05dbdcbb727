#![doc = include_str!("docs.md")]
//!
//! # Inside
//!
//! `config` takes the options apart, `chunk` reads pieces of the file, `footer` checks a schema before the library reads it, `types` knows how its types meet ours, `meta` what
//! we write into the footer, `read` hands out records, `column` values, `nested` turns what has parts into JSON, `spell`
//! gives values the form in which `write` puts them into columns; the rest is shared with the other files of records.

mod chunk;
mod column;
mod config;
mod decimal;
mod error;
mod footer;
mod meta;
mod native;
mod nested;
mod read;
mod spell;
#[cfg(test)]
mod tests;
mod types;
mod write;

use crate::file::Files;
use crate::file::format::{Endings, Format, Layout};
use crate::file::place::Origin;
use crate::file::settings::Settings;
use crate::file::sink::Sink;
use crate::file::standard::Stream;
use crate::file::table::Whole;
use config::Options;
use parquet::file::metadata::KeyValue;
use parquet::schema::types::SchemaDescriptor;
use read::Reader;
use spell::Packed;
use std::sync::Arc;
use trueup_core::Result;
use trueup_core::endpoint::{Context, Endpoint};
use trueup_core::extremes::Extremes;
use trueup_core::schema::{Field, Holds, Schema};
use types::Column;
use write::Columns;

/// Opens the directory, file or standard input that `address` names (`parquet:PATH?options`, the prefix may be missing).
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
    let parsed = config::parse(address)?;
    let files = Files::open(address, parsed, keys, Stream::Input, context)?;
    Ok(Box::new(files))
}

/// As [`connect`], for an endpoint that will be written: `-` is standard output.
///
/// # Errors
/// As [`connect`].
pub fn connect_output(
    address: &str,
    keys: &[(String, Vec<String>)],
    context: Context,
) -> Result<Box<dyn Endpoint>> {
    let parsed = config::parse(address)?;
    let files = Files::open(address, parsed, keys, Stream::Output, context)?;
    Ok(Box::new(files))
}

/// What stands in a file's footer, and how its columns are held.
#[derive(Clone, Debug)]
pub(crate) struct Footer {
    names: Vec<String>,
    schema: Arc<SchemaDescriptor>,
    columns: Arc<[Column]>,
    entries: Vec<KeyValue>,
}

impl Layout for Footer {
    fn names(&self) -> &[String] {
        &self.names
    }
}

impl Format for Options {
    const ENGINE: &'static str = "parquet";
    const VERSION: &'static str = "Apache Parquet 2";
    const NATIVE: &'static str = "parquet:string";
    const HOLDS: Holds = Holds::Typed;
    const EXTREMES: Extremes = Extremes::COMMON;
    const ENDINGS: &'static Endings = &Endings {
        folder: &[".parquet"],
        file: &["parquet"],
    };
    type Layout = Footer;
    type Reader = Reader;
    type Spelling = Packed;
    type Body = Columns;

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn reader(&self, file: Whole, origin: &Origin) -> Result<Reader> {
        Reader::open(file.into_file(), origin.path())
    }

    fn admit(&self, wanted: &Schema) -> Result<()> {
        types::admit(wanted)
    }

    fn field(&self, wanted: &Field) -> Result<(Field, Option<String>)> {
        Ok(types::design(wanted))
    }

    fn layout(&self, designed: &Schema) -> Result<Footer> {
        types::footer(designed)
    }

    fn spelling(&self, layout: &Footer) -> Packed {
        Packed::new(Arc::clone(&layout.columns))
    }

    fn body(&self, layout: &Footer, sink: Sink) -> Result<Columns> {
        Columns::new(layout, self.codec, sink)
    }
}
