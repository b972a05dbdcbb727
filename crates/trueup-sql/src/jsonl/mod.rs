#![doc = include_str!("docs.md")]
//!
//! # Inside
//!
//! `config` takes the options apart, `read` finds lines, `parse` takes one apart, `number` and `syntax` know the notation,
//! `write` spells values; the rest is shared with the other files of records.

mod config;
mod number;
mod parse;
mod read;
mod syntax;
#[cfg(test)]
mod tests;
mod write;

use crate::file::Files;
use crate::file::format::{Endings, Format, Input};
use crate::file::lines::{self, Grown, Lines};
use crate::file::place::Origin;
use crate::file::settings::Settings;
use crate::file::sink::Sink;
use crate::file::standard::Stream;
use crate::file::table::Whole;
use config::Options;
use read::Reader;
use trueup_core::Result;
use trueup_core::endpoint::{Context, Endpoint};
use trueup_core::extremes::Extremes;
use trueup_core::schema::{Holds, Schema};
use write::Spelled;
#[cfg(feature = "parquet")]
pub(crate) use write::quote;

/// Opens the directory, file or standard input that `address` names (`jsonl:PATH?options`, the prefix may be missing).
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
    const ENGINE: &'static str = "jsonl";
    const VERSION: &'static str = "RFC 8259, a value on each line";
    const NATIVE: &'static str = "jsonl:value";
    const HOLDS: Holds = Holds::Marked;
    const EXTREMES: Extremes = Extremes::MARKED;
    const ENDINGS: &'static Endings = &Endings {
        folder: &[".jsonl", ".ndjson"],
        file: &["jsonl", "ndjson", "json"],
    };
    type Layout = Lines;
    type Reader = Reader<Input>;
    type Spelling = Spelled;
    type Body = Grown;

    fn settings(&self) -> &Settings {
        &self.0
    }

    fn reader(&self, file: Whole, origin: &Origin) -> Result<Reader<Input>> {
        let input = lines::input(file, origin, self.0.unpacking)?;
        Reader::new(input, origin.path(), self.0.open_end)
    }

    fn layout(&self, designed: &Schema) -> Result<Lines> {
        let fields = designed.fields.iter();
        Ok(Lines {
            names: fields.map(|field| field.name.clone()).collect(),
            head: Vec::new(),
            line_end: "\n",
        })
    }

    fn spelling(&self, layout: &Lines) -> Spelled {
        Spelled::new(layout.line_end)
    }

    fn body(&self, layout: &Lines, sink: Sink) -> Result<Grown> {
        Grown::new(layout, sink)
    }

    fn admit(&self, _wanted: &Schema) -> Result<()> {
        // A member may have any name.
        Ok(())
    }
}
