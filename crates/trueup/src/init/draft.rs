//! What the file will call things: names for places, variables for passwords, addresses without them.
//!
//! Invariant: no part of a password stays in a [`Draft`].

use crate::registry::Address;
use std::path::Path;
use trueup_core::{Error, Result};

/// A place as the file will have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its name.
    pub(super) name: String,
    /// Its address, without collection and password, from the file's folder.
    pub(super) url: String,
    /// The variable that holds its password, where the address had one.
    pub(super) variable: Option<String>,
}

/// Both places, and the link between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) source: Place,
    pub(super) target: Place,
    /// The link's name.
    pub(super) link: String,
}

impl Draft {
    /// Names the places. Relative paths are taken from `folder`, unless it is empty.
    ///
    /// # Errors
    /// `Config` when an address does not read.
    pub(super) fn new(source: &str, target: &str, folder: &Path) -> Result<Self> {
        let source = Found::new(source, folder)?;
        let target = Found::new(target, folder)?;
        let [first, second] = match (&source, &target) {
            _ if source.stem != target.stem => [source.stem.clone(), target.stem.clone()],
            _ if source.scheme != target.scheme => [
                format!("{}-{}", source.stem, source.scheme),
                format!("{}-{}", target.stem, target.scheme),
            ],
            _ => ["source".to_owned(), "target".to_owned()],
        };
        Ok(Self {
            link: source.stem.clone(),
            source: source.place(first),
            target: target.place(second),
        })
    }

    /// Returns the variables that must be set before a run, each once.
    pub(super) fn variables(&self) -> Vec<&str> {
        let both = [&self.source, &self.target];
        let mut all: Vec<&str> = both
            .iter()
            .filter_map(|one| one.variable.as_deref())
            .collect();
        all.dedup();
        all
    }
}

/// An address that was looked at.
struct Found {
    scheme: String,
    /// What it is about, in letters that a name may have.
    stem: String,
    url: String,
    password: Option<Password>,
}

/// Where a password was.
#[derive(Debug, PartialEq, Eq)]
enum Password {
    /// In the address itself.
    Written,
    /// In this variable already.
    Variable(String),
}

impl Found {
    fn new(text: &str, folder: &Path) -> Result<Self> {
        let address = Address::parse(text)?;
        let (url, password) = without_password(address.text());
        let url = if folder.as_os_str().is_empty() {
            url
        } else {
            Address::in_folder(&url, folder)?
        };
        let (scheme, rest) = url
            .split_once(':')
            .ok_or_else(|| Error::bug("an address has no scheme"))?;
        Ok(Self {
            scheme: scheme.to_owned(),
            stem: stem(rest),
            password,
            url,
        })
    }

    fn place(self, name: String) -> Place {
        let variable = self.password.map(|password| match password {
            Password::Variable(variable) => variable,
            Password::Written => {
                let upper = name.to_ascii_uppercase().replace('-', "_");
                let begins = upper.starts_with(|ch: char| ch.is_ascii_digit());
                format!("{}{upper}_PASSWORD", if begins { "_" } else { "" })
            }
        });
        Place {
            name,
            url: self.url,
            variable,
        }
    }
}

/// The last part of a path, without its ending.
fn stem(rest: &str) -> String {
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let path = path.trim_start_matches('/').trim_end_matches('/');
    let last = path.rsplit(['/', '@']).next().unwrap_or_default();
    let last = last
        .split('.')
        .find(|part| !part.is_empty())
        .unwrap_or_default();
    let plain = |ch: char| if ch.is_ascii_alphanumeric() { ch } else { '-' };
    let name: String = last.chars().map(plain).collect();
    let name = name.trim_matches('-').to_ascii_lowercase();
    if name.is_empty() {
        "main".to_owned()
    } else {
        name
    }
}

/// Takes the password out of a URL: the one before the host, and the option.
fn without_password(url: &str) -> (String, Option<Password>) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), None);
    };
    let mut password = None;
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    let mut out = format!("{scheme}://");
    match place.rsplit_once('@') {
        Some((user, host)) => {
            let (user, secret) = user.split_once(':').unwrap_or((user, ""));
            if !secret.is_empty() {
                password = Some(Password::Written);
            }
            out.push_str(&format!("{user}@{host}"));
        }
        None => out.push_str(place),
    }
    let mut options = Vec::new();
    for option in query.into_iter().flat_map(|query| query.split('&')) {
        match option.split_once('=') {
            Some(("password", value)) => {
                let variable = value
                    .strip_prefix("env:")
                    .or_else(|| value.strip_prefix("env%3A"));
                password = Some(match variable {
                    Some(variable) => Password::Variable(variable.to_owned()),
                    None => Password::Written,
                });
            }
            _ => options.push(option),
        }
    }
    if !options.is_empty() {
        out.push_str(&format!("?{}", options.join("&")));
    }
    (out, password)
}

/// Quotes a word for a shell, where it needs that.
pub(super) fn shell(word: &str) -> String {
    let plain = |ch: char| ch.is_ascii_alphanumeric() || matches!(ch, '/' | '.' | '-' | '_' | '+');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
