//! Translates what the Parquet library reports, and contains its panics: it meets files that nobody checked.
//!
//! Invariant: every error names the file and never a value.

use crate::file::error as files;
use parquet::errors::ParquetError;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use trueup_core::{Error, Result};

/// Runs a step of the library on `file`. What it was called on is not used again after a panic.
pub(super) fn guarded<T>(
    file: &Path,
    step: impl FnOnce() -> std::result::Result<T, ParquetError>,
) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(done) => done.map_err(|error| translated(file, error)),
        Err(_) => Err(damaged(file, "the reader gave up on it")),
    }
}

fn translated(file: &Path, error: ParquetError) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => files::io(file, "read", *error),
            Err(other) => damaged(file, "a piece cannot be read").cause(other),
        },
        ParquetError::NYI(_) => Error::config(format!(
            "file uses a part of Parquet that is not known here file={}",
            file.display()
        ))
        .hint("write it again with a common writer (pyarrow, DuckDB, Spark)")
        .cause(error),
        ParquetError::EOF(_) => damaged(file, "a part of it is missing").cause(error),
        other => damaged(file, "it is not valid Parquet").cause(other),
    }
}

/// Says that a file is damaged.
pub(super) fn damaged(file: &Path, what: &str) -> Error {
    Error::corrupt(format!("file is damaged: {what} file={}", file.display()))
        .hint("nothing was concluded from it; get the whole file again, or look at it with another reader")
}

/// Says that a file is something else.
pub(super) fn foreign(file: &Path) -> Error {
    Error::corrupt(format!("file is not Parquet file={}", file.display())).hint(
        "a Parquet file begins and ends with PAR1; is it cut off, or another kind of file with this name?",
    )
}

/// Says that a file is encrypted.
pub(super) fn encrypted(file: &Path) -> Error {
    Error::config(format!("file is encrypted file={}", file.display()))
        .hint("write it again without encryption; encrypted Parquet is not read")
}
