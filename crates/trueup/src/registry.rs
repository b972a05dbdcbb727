//! The one list of endpoints: which address belongs to which of them.
//!
//! Invariant: an address that no entry claims is an error that lists what is known, never a guess. An address may
//! hold a password, so an error shows the scheme only. A new endpoint is one entry in [`SCHEMES`].

use crate::log::{self, Entry};
use crate::world;
use std::path::Path;
use trueup_core::endpoint::{Context, Endpoint};
use trueup_core::{Error, Result};

/// The keys given on the command line: collection (as this endpoint calls it) and fields.
pub(crate) type Keys = [(String, Vec<String>)];

/// How an endpoint is reached.
struct Scheme {
    /// What may stand before the colon.
    names: &'static [&'static str],
    /// What an address looks like.
    example: &'static str,
    /// Whether what follows the colon is a path.
    path: bool,
    /// Options of an address whose value is a path.
    paths: &'static [PathOption],
    /// Whether a password opens it.
    password: bool,
    connect: Connect,
    /// Where `-` is a standard stream: connects to one that will be written.
    output: Option<Connect>,
}

/// An option of an address whose value is a path.
struct PathOption {
    name: &'static str,
    /// What stands before the path.
    before: &'static str,
    /// The value that is a word, not a path.
    word: Option<&'static str>,
}

impl PathOption {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            before: "",
            word: None,
        }
    }
}

/// The files that a server's URL names. Those that the endpoint does not know, it refuses itself.
const SERVER_FILES: &[PathOption] = &[
    PathOption {
        word: Some("system"),
        ..PathOption::new("sslrootcert")
    },
    PathOption::new("sslcert"),
    PathOption::new("sslkey"),
    PathOption {
        before: "file:",
        ..PathOption::new("password")
    },
];

type Connect = fn(&str, &Keys, Context) -> Result<Box<dyn Endpoint>>;

const SCHEMES: &[Scheme] = &[
    Scheme {
        names: &["csv"],
        example: "csv:DIR or csv:FILE.csv",
        path: true,
        paths: &[],
        password: false,
        connect: trueup_sql::csv::connect,
        output: Some(trueup_sql::csv::connect_output),
    },
    Scheme {
        names: &["jsonl"],
        example: "jsonl:DIR or jsonl:FILE.jsonl",
        path: true,
        paths: &[],
        password: false,
        connect: trueup_sql::jsonl::connect,
        output: Some(trueup_sql::jsonl::connect_output),
    },
    #[cfg(feature = "parquet")]
    Scheme {
        names: &["parquet"],
        example: "parquet:DIR or parquet:FILE.parquet",
        path: true,
        paths: &[],
        password: false,
        connect: trueup_sql::parquet::connect,
        output: Some(trueup_sql::parquet::connect_output),
    },
    Scheme {
        names: &["sqlite"],
        example: "sqlite:FILE",
        path: true,
        paths: &[],
        password: false,
        connect: |address, _, context| trueup_sql::sqlite::connect(address, context),
        output: None,
    },
    Scheme {
        names: &["postgres", "postgresql"],
        example: "postgres://USER@HOST:PORT/DATABASE",
        path: false,
        paths: SERVER_FILES,
        password: true,
        connect: |address, _, context| trueup_sql::postgres::connect(address, context),
        output: None,
    },
    Scheme {
        names: &["mysql", "mariadb"],
        example: "mysql://USER@HOST:PORT/DATABASE",
        path: false,
        paths: SERVER_FILES,
        password: true,
        connect: |address, _, context| trueup_sql::mysql::connect(address, context),
        output: None,
    },
];

/// An address as the user wrote it, taken apart.
pub(crate) struct Address {
    scheme: &'static Scheme,
    /// What the endpoint understands: with the scheme, without the collection.
    address: String,
    /// The collection after `#`.
    pub(crate) collection: Option<String>,
    /// The only collection there can be: the name of the one file.
    pub(crate) only: Option<String>,
    /// Whether it is standard input or output.
    pub(crate) standard: bool,
}

impl Address {
    /// Takes an address apart. Nothing is connected.
    ///
    /// # Errors
    /// `Config` when no endpoint has the scheme, or when a path does not say what it is.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (text, collection) = split_collection(text)?;
        let (scheme, rest) = match split_scheme(text) {
            Some((name, rest)) => (by_name(name)?, rest),
            None => (by_path(text)?, text),
        };
        let address = match split_scheme(text) {
            Some(_) => text.to_owned(),
            None => format!("{}:{text}", scheme.names[0]),
        };
        Ok(Self {
            scheme,
            address,
            collection: collection.map(str::to_owned),
            only: scheme.output.and_then(|_| only_one(rest)),
            standard: scheme.output.is_some() && is_standard(rest),
        })
    }

    /// Returns the address with its scheme and without the collection. It may hold a password.
    pub(crate) fn text(&self) -> &str {
        &self.address
    }

    /// Tells whether an address is standard input or output; one that does not read is not.
    pub(crate) fn is_standard(text: &str) -> bool {
        Self::parse(text).is_ok_and(|address| address.standard)
    }

    /// Tells whether a password opens the endpoint.
    pub(crate) fn has_password(&self) -> bool {
        self.scheme.password
    }

    /// Returns the address that means from the working directory what `text` means from `folder`.
    ///
    /// # Errors
    /// `Config` when the folder's name cannot be written in an address.
    pub(crate) fn in_folder(text: &str, folder: &Path) -> Result<String> {
        if folder.as_os_str().is_empty() {
            return Ok(text.to_owned());
        }
        let (scheme, path) = match split_scheme(text) {
            Some((name, path)) => (Some(name), path),
            None => (None, text),
        };
        let known = scheme.and_then(|name| by_name(name).ok());
        let named = |scheme: &&Scheme| !scheme.paths.is_empty();
        if let Some(scheme) = known.filter(named) {
            let folder = text_of(folder)?;
            return Ok(options_in_folder(text, scheme.paths, folder));
        }
        if path.is_empty()
            || is_standard(path)
            || scheme.is_some() && !known.is_some_and(|scheme| scheme.path)
        {
            return Ok(text.to_owned());
        }
        let path = folder.join(path);
        let path = text_of(&path)?;
        Ok(scheme.map_or(path.to_owned(), |scheme| format!("{scheme}:{path}")))
    }

    /// Returns the address with a path that means the same from every folder; `None` where there is no path, or none that
    /// can be written.
    pub(crate) fn lasting(&self) -> Option<String> {
        let (scheme, path) = self.address.split_once(':')?;
        if !self.scheme.path || self.standard {
            return None;
        }
        let path = std::path::absolute(path).ok()?;
        Some(format!("{scheme}:{}", path.to_str()?))
    }

    /// Connects. `keys` goes before what the endpoint itself says.
    ///
    /// # Errors
    /// What the endpoint says, with `role` (source or target) before it.
    pub(crate) fn connect(
        &self,
        role: &str,
        keys: &Keys,
        context: Context,
    ) -> Result<Box<dyn Endpoint>> {
        told(role, || (self.scheme.connect)(&self.address, keys, context))
    }

    /// Connects to what will be written.
    ///
    /// # Errors
    /// As [`Address::connect`].
    pub(crate) fn connect_output(
        &self,
        role: &str,
        keys: &Keys,
        context: Context,
    ) -> Result<Box<dyn Endpoint>> {
        let connect = self.scheme.output.unwrap_or(self.scheme.connect);
        told(role, || connect(&self.address, keys, context))
    }
}

fn text_of(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        Error::config("the folder's name is not UTF-8")
            .hint("an address is text; use a folder whose name is UTF-8")
    })
}

/// Puts `folder` before each relative path among an address's options. An address stays encoded as it is.
fn options_in_folder(text: &str, paths: &[PathOption], folder: &str) -> String {
    let Some((place, query)) = text.split_once('?') else {
        return text.to_owned();
    };
    let moved = |option: &str| -> Option<String> {
        let (name, value) = option.split_once('=')?;
        let known = paths.iter().find(|known| known.name == name)?;
        let path = value.strip_prefix(known.before)?;
        let absolute = ["/", "%2F", "%2f"];
        if path.is_empty()
            || known.word == Some(path)
            || absolute.iter().any(|start| path.starts_with(start))
        {
            return None;
        }
        let folder = encoded(folder);
        Some(format!("{name}={}{folder}/{path}", known.before))
    };
    let options = query.split('&');
    let options = options.map(|option| moved(option).unwrap_or_else(|| option.to_owned()));
    let query: Vec<String> = options.collect();
    format!("{place}?{}", query.join("&"))
}

/// Writes a path as it can stand in an option.
fn encoded(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Connects, and tells whoever wants details how long that took.
fn told(
    role: &str,
    connect: impl FnOnce() -> Result<Box<dyn Endpoint>>,
) -> Result<Box<dyn Endpoint>> {
    let began_ms = world::now_ms();
    let connected = connect().map_err(|error| error.at(role))?;
    let ms = world::now_ms() - began_ms;
    let entry = Entry {
        event: "connected",
        side: Some(role),
        ms: Some(ms),
        ..Entry::default()
    };
    let address = connected.about().address;
    log::detail(entry, &format!("{role} {address}: connected in {ms} ms"));
    Ok(connected)
}

/// Splits `#collection` off. A `#` inside a path or a password is not one: a slash follows it, or the path exists.
fn split_collection(text: &str) -> Result<(&str, Option<&str>)> {
    let path = split_scheme(text).map_or(text, |(_, rest)| rest);
    match text.rsplit_once('#') {
        Some((_, "")) => Err(
            Error::config("an address ends in # and names no collection")
                .hint("write ADDRESS#collection; quote it in a shell"),
        ),
        Some((address, collection))
            if !collection.contains(['/', '?', '@']) && !Path::new(path).exists() =>
        {
            Ok((address, Some(collection)))
        }
        Some(_) | None => Ok((text, None)),
    }
}

/// Splits `scheme:` off, as in RFC 3986.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let first = scheme.chars().next()?;
    let allowed = |ch: char| ch.is_ascii_alphanumeric() || matches!(ch, '+' | '-' | '.');
    (first.is_ascii_alphabetic() && scheme.chars().all(allowed)).then_some((scheme, rest))
}

fn by_name(name: &str) -> Result<&'static Scheme> {
    let found = SCHEMES.iter().find(|scheme| scheme.names.contains(&name));
    found.ok_or_else(|| {
        Error::config(format!("there is no kind of endpoint called {name}")).hint(known())
    })
}

fn by_path(text: &str) -> Result<&'static Scheme> {
    let path = text.split_once('?').map_or(text, |(path, _)| path);
    let name = unpacked(path);
    let extension = Path::new(name).extension().and_then(|name| name.to_str());
    if Path::new(text).is_dir() || Path::new(path).is_dir() || path.ends_with('/') {
        return by_name("csv");
    }
    match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("db" | "sqlite" | "sqlite3") if name == path => by_name("sqlite"),
        Some("csv") => by_name("csv"),
        Some("jsonl" | "ndjson") => by_name("jsonl"),
        Some("parquet") if name == path => by_name("parquet"),
        Some(_) | None => Err(Error::config(
            "an address says neither by its scheme nor by its ending what kind of endpoint it is",
        )
        .hint(known())),
    }
}

/// Takes the ending of a packed file away.
fn unpacked(name: &str) -> &str {
    let packed = [".gz", ".zst"].iter();
    packed
        .filter_map(|ending| name.strip_suffix(ending))
        .next()
        .unwrap_or(name)
}

/// Tells whether what follows a scheme is a standard stream.
fn is_standard(rest: &str) -> bool {
    rest == "-" || rest.starts_with("-?")
}

/// Lists what addresses look like.
pub(crate) fn known() -> String {
    format!("the known addresses are: {}", examples())
}

/// Returns what addresses of each kind look like.
pub(crate) fn examples() -> String {
    let examples: Vec<&str> = SCHEMES.iter().map(|scheme| scheme.example).collect();
    examples.join(", ")
}

/// The collection of an address that is one file, or a standard stream whose collection has a name.
fn only_one(rest: &str) -> Option<String> {
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) if !Path::new(rest).exists() => (path, query),
        Some(_) | None => (rest, ""),
    };
    if is_standard(rest) {
        // A name with a percent sign is told by the endpoint.
        let mut options = query.split('&');
        let name = options.find_map(|option| option.strip_prefix("name="))?;
        return (!name.contains('%')).then(|| name.to_owned());
    }
    let path = Path::new(path);
    let name = unpacked(path.file_name()?.to_str()?);
    let looks = || {
        let packed = Some(name) != path.file_name().and_then(|name| name.to_str());
        let extension = Path::new(name).extension().and_then(|name| name.to_str());
        let known = [
            "csv", "tsv", "tab", "txt", "jsonl", "ndjson", "json", "parquet",
        ];
        packed || extension.is_some_and(|extension| known.contains(&extension))
    };
    let is_file = path.is_file() || (!path.exists() && looks());
    let stem = Path::new(name).file_stem().filter(|_| is_file)?;
    Some(stem.to_str()?.to_owned())
}

#[cfg(test)]
mod tests;
