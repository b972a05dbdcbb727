#![doc = include_str!("docs.md")]
//!
//! # Inside
//!
//! `config` takes the options apart, `header` reads the first line, `read` is the parser, `write` spells values; the
//! rest is shared with the other files of records.

mod config;
mod header;
mod read;
mod records;
#[cfg(test)]
mod tests;
mod write;

use crate::file::Files;
use crate::file::format::{Endings, Format};
use crate::file::lines::{self, Grown, Lines};
use crate::file::place::Origin;
use crate::file::settings::Settings;
use crate::file::sink::Sink;
use crate::file::standard::Stream;
use crate::file::table::Whole;
use config::Options;
use read::Reader;
use records::CsvRecords;
use trueup_core::endpoint::{Context, Endpoint};
use trueup_core::extremes::Extremes;
use trueup_core::schema::{Holds, Schema};
use trueup_core::{Error, Result};
use write::Dialect;

/// Opens the directory, file or standard input that `address` names (`csv:PATH?options`, the prefix may be missing).
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

impl Format for Options {
    const ENGINE: &'static str = "csv";
    const VERSION: &'static str = "RFC 4180";
    const NATIVE: &'static str = "csv:text";
    const HOLDS: Holds = Holds::Spelled;
    const EXTREMES: Extremes = Extremes::COMMON;
    const ENDINGS: &'static Endings = &Endings {
        folder: &[".csv"],
        file: &["csv", "tsv", "tab", "txt"],
    };
    type Layout = Lines;
    type Reader = CsvRecords;
    type Spelling = Dialect;
    type Body = Grown;

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn reader(&self, file: Whole, origin: &Origin) -> Result<CsvRecords> {
        let input = lines::input(file, origin, self.settings.unpacking)?;
        let file = origin.path();
        let mut reader = Reader::new(input, file, self)?;
        let header = header::header(&mut reader, file, self)?;
        Ok(CsvRecords::new(reader, header, self.null.clone()))
    }

    fn layout(&self, designed: &Schema) -> Result<Lines> {
        let fields = designed.fields.iter();
        let mut layout = Lines {
            names: fields.map(|field| field.name.clone()).collect(),
            head: Vec::new(),
            line_end: "\n",
        };
        self.spelling(&layout).head(&layout.names, &mut layout.head);
        Ok(layout)
    }

    fn spelling(&self, layout: &Lines) -> Dialect {
        Dialect::new(self, layout.line_end)
    }

    fn body(&self, layout: &Lines, sink: Sink) -> Result<Grown> {
        Grown::new(layout, sink)
    }

    fn admit(&self, wanted: &Schema) -> Result<()> {
        let name = &wanted.collection;
        if !self.header {
            return Err(Error::config(format!(
                "a new file needs a header collection={name} option=header"
            ))
            .hint("leave ?header=false out"));
        }
        let bad = |field: &str| field.is_empty() || field.contains('\r');
        let mut fields = wanted.fields.iter();
        match fields.position(|field| bad(&field.name)) {
            None => Ok(()),
            Some(index) => Err(Error::config(format!(
                "field name cannot stand in a header collection={name} field={}",
                index + 1
            ))
            .hint("rename the field in the mapping")),
        }
    }
}
