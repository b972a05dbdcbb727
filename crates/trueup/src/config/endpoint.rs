//! Endpoints of a configuration file: addresses and passwords.
//!
//! Invariant: a password comes from a variable or a file, and neither it nor any other value of a variable appears in a
//! mistake. A value that would change what the rest of an address means is refused.

use super::document::{Table, Text};
use super::mistake::Mistakes;
use super::variable::{self, Expanded};
use super::{Endpoint, Reader};
use crate::registry::Address;
use crate::spec::{Place, Secret};
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

/// A password's file may have this many bytes.
const SECRET_BYTES_MAX: u64 = 64 << 10;
/// What a password may be.
const PASSWORD: &str =
    "write \"env:NAME\" for a variable, or \"file:PATH\" for a file that holds it";
/// What separates the parts of an address.
const SEPARATORS: [char; 5] = ['@', '/', ':', '?', '#'];

/// Reads one endpoint; `None` when it has a mistake.
pub(super) fn read(
    name: &Text<'_>,
    table: &Table<'_>,
    reader: &Reader<'_>,
    mistakes: &mut Mistakes,
) -> Option<Endpoint> {
    let url = table.text("url");
    let address = url.as_ref().and_then(|url| address(url, reader, mistakes));
    let secret = match table.text("password") {
        Some(text) => Some(password(&text, reader, mistakes)?),
        None => None,
    };
    let (text, address) = address?;
    if let (Some(span), Some(url)) = (table.place("password"), url) {
        if !address.has_password() {
            mistakes.add(span, "an endpoint of this kind has no password");
            return None;
        }
        if holds_password(&text) {
            mistakes.add_with_help(
                url.span,
                "the address holds a password too",
                "take it out of the address",
            );
            return None;
        }
    }
    Some(Endpoint {
        name: name.text.to_owned(),
        place: Place {
            address: text,
            password: secret,
        },
    })
}

/// Tells whether an address has a password in it.
fn holds_password(address: &str) -> bool {
    let rest = address.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    user.is_some_and(|user| user.contains(':'))
        || rest.contains("?password=")
        || rest.contains("&password=")
}

/// Reads an address, with paths from the working directory.
fn address(
    url: &Text<'_>,
    reader: &Reader<'_>,
    mistakes: &mut Mistakes,
) -> Option<(String, Address)> {
    let expanded = expanded(url, reader, mistakes)?;
    if let Some(place) = breaks_address(url.text, &expanded) {
        mistakes.add_with_help(
            inside(url, &place, reader.text),
            "this value has a character that separates the parts of an address",
            "write it as %XX in the variable; for a password, write password = \"env:NAME\" instead",
        );
        return None;
    }
    let text = match Address::in_folder(&expanded.text, reader.folder) {
        Ok(text) => text,
        Err(error) => {
            mistakes.add(url.span.clone(), error.message());
            return None;
        }
    };
    match Address::parse(&text) {
        Ok(address) if address.collection.is_some() => {
            mistakes.add_with_help(
                url.span.clone(),
                "an endpoint's address names no collection",
                "take what follows # out, and name it in the link: collections = [\"...\"]",
            );
            None
        }
        Ok(address) => Some((text, address)),
        // The text of the error may quote what a variable held.
        Err(_) if !expanded.values.is_empty() => {
            let what = "with its variables replaced, this is no address";
            mistakes.add_with_help(url.span.clone(), what, crate::registry::known());
            None
        }
        Err(error) => {
            match error.advice() {
                Some(hint) => mistakes.add_with_help(url.span.clone(), error.message(), hint),
                None => mistakes.add(url.span.clone(), error.message()),
            }
            None
        }
    }
}

/// Finds a variable between a URL's scheme and its host whose value would end that part early: with it, a piece of a
/// password would be taken for a host, and shown.
fn breaks_address(written: &str, expanded: &Expanded) -> Option<Range<usize>> {
    let start = written.find("://")? + "://".len();
    let end = start + written[start..].rfind('@')?;
    let broken = expanded.values.iter().find(|(value, place)| {
        let inside = place.start >= start && place.end <= end;
        inside && expanded.text[value.clone()].contains(SEPARATORS)
    });
    broken.map(|(_, place)| place.clone())
}

/// Finds a password.
fn password(text: &Text<'_>, reader: &Reader<'_>, mistakes: &mut Mistakes) -> Option<Secret> {
    let expanded = expanded(text, reader, mistakes)?;
    if let Some(name) = expanded.text.strip_prefix("env:") {
        if !variable::is_name(name) {
            mistakes.add_with_help(text.span.clone(), "this names no variable", PASSWORD);
            return None;
        }
        let found = (reader.env)(name);
        if found.is_none() {
            let what = match expanded.values.is_empty() {
                true => format!("{name} is not set in the environment"),
                false => "the variable is not set in the environment".to_owned(),
            };
            mistakes.add(text.span.clone(), what);
        }
        return found.map(Secret);
    }
    if let Some(path) = expanded.text.strip_prefix("file:") {
        return match secret_file(&reader.folder.join(path)) {
            Ok(secret) => Some(secret),
            Err(error) => {
                let what = match error.kind() {
                    io::ErrorKind::NotFound => "there is no such file".to_owned(),
                    kind => format!("the password's file cannot be read: {kind}"),
                };
                mistakes.add(text.span.clone(), what);
                None
            }
        };
    }
    let what = "a password does not stand in this file";
    mistakes.add_with_help(text.span.clone(), what, PASSWORD);
    None
}

/// Reads a file that holds a password and nothing else but the end of its line.
fn secret_file(path: &Path) -> io::Result<Secret> {
    let mut text = String::new();
    let mut file = File::open(path)?.take(SECRET_BYTES_MAX + 1);
    file.read_to_string(&mut text)?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    Ok(Secret(text.to_owned()))
}

/// Replaces the variables of a text of the file.
pub(super) fn expanded(
    text: &Text<'_>,
    reader: &Reader<'_>,
    mistakes: &mut Mistakes,
) -> Option<Expanded> {
    match variable::expand(text.text, reader.env) {
        Ok(expanded) => Some(expanded),
        Err(wrong) => {
            for one in wrong {
                let span = inside(text, &one.span, reader.text);
                mistakes.add_with_help(span, one.what, one.help);
            }
            None
        }
    }
}

/// Where a part of a text stands in the file; the whole text where escapes make that hard to say.
fn inside(text: &Text<'_>, part: &Range<usize>, file: &str) -> Range<usize> {
    let written = file.get(text.span.clone()).unwrap_or_default();
    match written.find(text.text) {
        Some(quote) => {
            let start = text.span.start + quote;
            start + part.start..start + part.end
        }
        None => text.span.clone(),
    }
}
