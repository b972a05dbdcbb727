//! `trueup.toml`: the links that somebody wants to keep, written down.
//!
//! A file is read in one go: [`mod@document`] checks its keys and kinds, [`endpoint`] and [`link`] what they mean,
//! [`topology`] how the links lie to each other. Invariant: all mistakes of a file are found and shown together, each
//! at its place, and none shows a secret. Nothing is connected here, and nothing is written.

mod document;
mod endpoint;
mod keys;
mod link;
mod mask;
mod mistake;
mod schema;
mod topology;
mod variable;
mod written;

pub(crate) use mistake::nearest;
pub(crate) use schema::schema;
pub(crate) use variable::Lookup;
pub(crate) use written::Written;

use crate::spec::{Place, Secret, Spec};
use document::Table;
use mistake::Mistakes;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use toml::de::DeTable;
use trueup_core::{Error, Result};

/// The file that is meant where none is named.
pub(crate) const FILE: &str = "trueup.toml";
/// A configuration may have this many bytes.
const BYTES_MAX: u64 = 1 << 20;

/// What a file says.
#[derive(Clone, Debug)]
#[allow(
    dead_code,
    reason = "the endpoints are for commands that look at each by itself"
)]
pub(crate) struct Config {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its text: what is wrong with an expression is only found later. It may hold passwords.
    text: Secret,
    /// Where runs, positions and history are kept, if it says so.
    pub(crate) state: Option<PathBuf>,
    /// The endpoints, in the order of the file.
    pub(crate) endpoints: Vec<Endpoint>,
    /// The links, in the order of the file.
    pub(crate) links: Vec<Link>,
}

/// A place that has a name.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// Its name in the file.
    pub(crate) name: String,
    /// Its address, with paths from the working directory, and its password.
    pub(crate) place: Place,
}

/// A link that has a name.
#[derive(Clone, Debug)]
#[allow(
    dead_code,
    reason = "the endpoints' names are for commands that speak of them"
)]
pub(crate) struct Link {
    /// Its name in the file.
    pub(crate) name: String,
    /// The name of the endpoint that is its source.
    pub(crate) source: String,
    /// The name of the endpoint that is its target.
    pub(crate) target: String,
    /// What it is told.
    pub(crate) spec: Spec,
    /// Whether it follows its source's log, until it is asked to stop.
    pub(crate) continuous: bool,
    /// The expressions in it, with their places.
    expressions: Vec<Written>,
}

impl Config {
    /// Finds a link.
    ///
    /// # Errors
    /// `Config` when there is none of that name.
    pub(crate) fn link(&self, name: &str) -> Result<&Link> {
        let found = self.links.iter().find(|link| link.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.links.iter().map(|link| link.name.as_str()).collect();
            let hint = match nearest(name, &names) {
                Some(near) => format!("did you mean {near}?"),
                None if names.is_empty() => "it has no links; write [link.NAME]".to_owned(),
                None => format!("its links are: {}", names.join(", ")),
            };
            let file = self.path.display();
            Error::config(format!("there is no link {name} in file={file}")).hint(hint)
        })
    }
}

/// Reads a file. Variables are looked up in `env`; files with passwords are read.
///
/// # Errors
/// `Config` when it is not there, or with all mistakes in it.
pub(crate) fn read(path: &Path, env: &Lookup<'_>) -> Result<Config> {
    let text = text(path)?;
    parse(&text, path, env)
}

/// Reads a file for the names of its links alone, in its order: what is in them may be wrong, or need variables that are
/// not set.
///
/// # Errors
/// `Config` when it is not there or does not read as TOML.
pub(crate) fn read_names(path: &Path) -> Result<Vec<String>> {
    let text = text(path)?;
    let mut mistakes = Mistakes::default();
    let document = document(&text, &mut mistakes);
    if !mistakes.is_empty() {
        return Err(mistakes.error(path, &text));
    }
    let file = document::file(document.get_ref(), &mut Mistakes::default());
    let links = file.tables("link").into_iter();
    Ok(links.map(|(name, _)| name.text.to_owned()).collect())
}

/// Reads a file for its state alone, as [`read_names`] does; `None` when it names none.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_state(path: &Path, env: &Lookup<'_>) -> Result<Option<PathBuf>> {
    let text = text(path)?;
    let mut mistakes = Mistakes::default();
    let document = document(&text, &mut mistakes);
    // Mistakes in other keys are not what was asked for.
    let table = document::file(document.get_ref(), &mut Mistakes::default());
    let state = state(&table, &text, folder(path), env, &mut mistakes);
    if !mistakes.is_empty() {
        return Err(mistakes.error(path, &text));
    }
    Ok(state)
}

/// Reads the text of a file.
fn parse(text: &str, path: &Path, env: &Lookup<'_>) -> Result<Config> {
    let mut mistakes = Mistakes::default();
    let document = document(text, &mut mistakes);
    if !mistakes.is_empty() {
        // What was recovered from a text that does not read would lead to mistakes that are none.
        return Err(mistakes.error(path, text));
    }
    let file = document::file(document.get_ref(), &mut mistakes);
    let reader = Reader {
        text,
        folder: folder(path),
        env,
    };
    let state = state(&file, text, reader.folder, env, &mut mistakes);
    let mut endpoints = Vec::new();
    for (name, table) in file.tables("endpoint") {
        endpoints.extend(endpoint::read(&name, &table, &reader, &mut mistakes));
    }
    let names: Vec<&str> = file
        .tables("endpoint")
        .iter()
        .map(|(name, _)| name.text)
        .collect();
    let (mut links, mut places) = (Vec::new(), Vec::new());
    for (name, table) in file.tables("link") {
        if let Some(link) = link::read(&name, &table, &names, &endpoints, &mut mistakes) {
            links.push(link);
            places.push(name.span);
        }
    }
    if mistakes.is_empty() {
        topology::check(&links, &places, &mut mistakes);
    }
    if !mistakes.is_empty() {
        return Err(mistakes.error(path, text));
    }
    Ok(Config {
        path: path.to_owned(),
        text: Secret(text.to_owned()),
        state,
        endpoints,
        links,
    })
}

/// What every part of a file is read with.
struct Reader<'a> {
    text: &'a str,
    /// Where the file's relative paths begin; empty is the working directory.
    folder: &'a Path,
    env: &'a Lookup<'a>,
}

/// Reads a text as TOML; what is not becomes mistakes.
fn document<'a>(text: &'a str, mistakes: &mut Mistakes) -> toml::Spanned<DeTable<'a>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        mistakes.add(span, error.message());
    }
    document
}

fn state(
    file: &Table<'_>,
    text: &str,
    folder: &Path,
    env: &Lookup<'_>,
    mistakes: &mut Mistakes,
) -> Option<PathBuf> {
    let reader = Reader { text, folder, env };
    let state = endpoint::expanded(&file.text("state")?, &reader, mistakes)?;
    Some(folder.join(state.text))
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn text(path: &Path) -> Result<String> {
    let place = || format!("file={}", path.display());
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|cause| {
            Error::config(format!("cannot read the configuration: {}", place()))
                .hint("name the file; without a name it is ./trueup.toml, which trueup init writes")
                .cause(cause)
        })?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(
            Error::config(format!("the configuration passes bytes={BYTES_MAX}"))
                .hint("split it into several files; is this a configuration file at all?")
                .at(place()),
        );
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::config(format!("the configuration is not UTF-8 byte={at}"))
            .hint("save the file as UTF-8")
            .at(place())
    })
}

#[cfg(test)]
mod tests;
