//! Passwords in files: `.pgpass`, and `file:PATH`.
//!
//! Invariant: a file that others can read is not used. Errors name the file, never what is in it.

use super::config::{Secret, Settings};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use trueup_core::{Error, Result};

/// The longest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What a password file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Password(Secret),
    /// The file is readable by others, and was not read.
    Unsafe,
    Nothing,
}

/// Looks up the password for a connection as libpq does: the first line that fits.
///
/// # Errors
/// `Config` when the file is there and cannot be read.
pub(super) fn look_up(path: &Path, settings: &Settings) -> Result<Found> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Ok(Found::Nothing),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(unreadable(path, error)),
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        return Ok(Found::Unsafe);
    }
    let text = read(path, metadata.len())?;
    let host = if settings.host == "/var/run/postgresql" {
        "localhost"
    } else {
        &settings.host
    };
    let port = settings.port.to_string();
    let wanted = [host, &port, &settings.database, &settings.user];
    let password = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| fits(line, wanted));
    Ok(password.map_or(Found::Nothing, Found::Password))
}

/// Reads a password from a file of its own; one line break at its end does not count.
///
/// # Errors
/// `Config` when the file cannot be read, or others can read it.
pub(super) fn secret_file(path: &Path) -> Result<Secret> {
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

fn read(path: &Path, len: u64) -> Result<String> {
    if len > FILE_BYTES_MAX {
        return Err(Error::config(format!(
            "the password file is too long: path={}",
            path.display()
        ))
        .hint("name a file with one password, or in the form of .pgpass"));
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::config(format!(
        "cannot read the password file: path={}",
        path.display()
    ))
    .hint("check the path, and that you may read the file")
    .cause(error)
}

/// The password of a line `host:port:database:user:password` that fits.
fn fits(line: &str, wanted: [&str; 4]) -> Option<Secret> {
    let mut rest = line;
    for value in wanted {
        let (field, after) = field(rest)?;
        // An escaped star is a star; only a bare one stands for anything.
        let any = rest
            .strip_prefix('*')
            .is_some_and(|rest| rest.starts_with(':'));
        if !any && field != value {
            return None;
        }
        rest = after?;
    }
    Some(Secret(unescaped(rest)))
}

/// The rest of a line is the password, colons and all.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' {
            chars.next().unwrap_or('\\')
        } else {
            c
        });
    }
    out
}

/// Takes one field off a line, undoing backslashes; the rest is `None` at the line's end.
fn field(line: &str) -> Option<(String, Option<&str>)> {
    let mut text = String::new();
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ':' => return Some((text, line.get(at + 1..))),
            '\\' => text.push(chars.next().map_or('\\', |(_, c)| c)),
            _ => text.push(c),
        }
    }
    Some((text, None))
}
