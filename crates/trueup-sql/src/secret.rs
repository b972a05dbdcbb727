//! Passwords: what is never printed, and where it may be kept instead of an address.
//!
//! Invariant: a file that others can read is not used. Errors name the file, never what is in it.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use trueup_core::endpoint::Context;
use trueup_core::{Error, Result};

/// The longest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Reads `env:NAME` and `file:PATH`; anything else is the password itself.
pub(crate) fn secret(value: String, context: &Context) -> Result<Secret> {
    if let Some(name) = value.strip_prefix("env:") {
        return (context.env)(name).map(Secret).ok_or_else(|| {
            Error::config(format!(
                "the password's variable is not set: name={}",
                name.escape_debug()
            ))
            .hint(
                "set the variable, or name another place: password=env:NAME or password=file:PATH",
            )
        });
    }
    if let Some(path) = value.strip_prefix("file:") {
        return secret_file(Path::new(path));
    }
    Ok(Secret(value))
}

/// Reads a password from a file of its own; one line break at its end does not count.
///
/// # Errors
/// `Config` when the file cannot be read, or others can read it.
pub(crate) fn secret_file(path: &Path) -> Result<Secret> {
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, error))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(Error::config(format!(
            "others can read the password file: path={}",
            path.display()
        ))
        .hint("chmod 600 it"));
    }
    let text = read(path, metadata.len())?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret(line.strip_suffix('\r').unwrap_or(line).to_owned()))
}

/// Reads a file of passwords of `len` bytes.
pub(crate) fn read(path: &Path, len: u64) -> Result<String> {
    if len > FILE_BYTES_MAX {
        return Err(Error::config(format!(
            "the password file is too long: path={}",
            path.display()
        ))
        .hint("name a file with one password, or in the form of .pgpass"));
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(path, error))
}

/// Says that a file of passwords cannot be read.
pub(crate) fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::config(format!(
        "cannot read the password file: path={}",
        path.display()
    ))
    .hint("check the path, and that you may read the file")
    .cause(error)
}
