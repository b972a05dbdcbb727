//! Passwords in `.pgpass`.
//!
//! Invariant: a file that others can read is not used. Errors name the file, never what is in it.

use super::config::Settings;
use crate::secret::{Secret, read, unreadable};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use trueup_core::Result;

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
