//! The address: a path, and options as a query. There is no option that only this syntax has.

use crate::file::settings::{self, SHARED, Settings};
use std::path::PathBuf;
use trueup_core::Result;

/// How a file is to be read and written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options(pub(super) Settings);

/// Takes an address apart, with or without `jsonl:`.
pub(super) fn parse(address: &str) -> Result<(PathBuf, Options)> {
    let (path, query) = settings::split(address, "jsonl")?;
    let mut settings = Settings {
        any: !query.is_empty(),
        ..Settings::default()
    };
    settings::each(query, "jsonl", &SHARED, |name, value| {
        settings.take(name, value)
    })?;
    settings.check()?;
    Ok((path, Options(settings)))
}
