//! The address: a path, and options as a query.
//!
//! `parquet:DIR-or-FILE?key=a,b&compress=zstd`. What only files of lines have (declared types, an open end, limits of
//! unpacking) is no option here.

use crate::file::settings::{self, Settings};
use parquet::basic::{Compression, ZstdLevel};
use std::path::PathBuf;
use trueup_core::{Error, Result};

const KNOWN: [&str; 3] = ["key", "name", "compress"];

/// How a file is to be written.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// What every syntax has.
    pub(super) settings: Settings,
    /// How the pages of a new file are compressed.
    pub(super) codec: Compression,
}

/// Takes an address apart, with or without `parquet:`.
pub(super) fn parse(address: &str) -> Result<(PathBuf, Options)> {
    let (path, query) = settings::split(address, "parquet")?;
    let mut options = Options {
        settings: Settings::default(),
        codec: Compression::SNAPPY,
    };
    options.settings.any = !query.is_empty();
    settings::each(query, "parquet", &KNOWN, |name, value| match name {
        "compress" => {
            options.codec = codec(value)?;
            Ok(true)
        }
        "key" | "name" => options.settings.take(name, value),
        _ => Ok(false),
    })?;
    options.settings.check()?;
    let name = path.file_name().and_then(|name| name.to_str());
    if name.is_some_and(|name| name.ends_with(".parquet.gz") || name.ends_with(".parquet.zst")) {
        return Err(Error::config(format!(
            "a Parquet file is not packed as a whole file={}",
            path.display()
        ))
        .hint("unpack it first; its pages are compressed inside (?compress=zstd)"));
    }
    Ok((path, options))
}

fn codec(value: &str) -> Result<Compression> {
    match value {
        "snappy" => Ok(Compression::SNAPPY),
        "zstd" => Ok(Compression::ZSTD(ZstdLevel::default())),
        "none" => Ok(Compression::UNCOMPRESSED),
        _ => Err(Error::config("option names no compression option=compress")
            .hint("write compress=snappy, compress=zstd or compress=none")),
    }
}
