//! The parts of a server's URL, for the endpoints that are reached by one.
//!
//! Invariant: no error shows what may be a password.

use crate::percent;
use crate::secret::Secret;
use trueup_core::{Error, Result};

/// What a server's URL says: `user:password@host:port/database?name=value&name=value`, each part decoded and none empty.
#[derive(Debug)]
pub(crate) struct Url<'a> {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) host: Option<String>,
    pub(crate) port: Option<String>,
    pub(crate) database: Option<String>,
    query: &'a str,
}

impl<'a> Url<'a> {
    /// Takes apart what comes after the scheme.
    pub(crate) fn parse(text: &'a str) -> Result<Self> {
        let (rest, query) = text.split_once('?').unwrap_or((text, ""));
        let (authority, path) = rest
            .split_once('/')
            .map_or((rest, None), |(a, p)| (a, Some(p)));
        let (login, hosts) = authority
            .rsplit_once('@')
            .map_or((None, authority), |(login, hosts)| (Some(login), hosts));
        let (mut user, mut password) = (None, None);
        if let Some(login) = login {
            let (name, secret) = login
                .split_once(':')
                .map_or((login, None), |(u, p)| (u, Some(p)));
            user = filled(decoded(name)?);
            let secret = secret.map(decoded).transpose()?;
            password = secret.and_then(filled).map(Secret);
        }
        let (host, port) = host_and_port(hosts)?;
        Ok(Self {
            user,
            password,
            host: filled(decoded(host)?),
            port: port.map(str::to_owned),
            database: path.map(decoded).transpose()?.and_then(filled),
            query,
        })
    }

    /// Returns its parameters, names and values.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = Result<(String, String)>> + 'a {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name)?, decoded(value)?))
        })
    }
}

/// Refuses a host that is a list of them.
pub(crate) fn one_host(host: Option<&String>) -> Result<()> {
    if host.is_some_and(|host| host.contains(',')) {
        return Err(Error::config("the URL names several hosts")
            .hint("name the one to use; trueup does not choose"));
    }
    Ok(())
}

/// Says that a URL has a parameter that is none of `known`.
pub(crate) fn unknown_parameter(name: &str, known: &str) -> Error {
    Error::config(format!(
        "unknown parameter in the URL: name={}",
        name.escape_debug()
    ))
    .hint(format!("known are {known}"))
}

/// Returns a host as it stands in a URL: an address with colons in brackets.
pub(crate) fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// Takes `host:port` or `[address]:port` apart.
fn host_and_port(text: &str) -> Result<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(|| {
            Error::config("the URL's host has no closing bracket")
                .hint("write an IPv6 address as [::1]")
        })?;
        return Ok((host, rest.strip_prefix(':').filter(|port| !port.is_empty())));
    }
    Ok(text.split_once(':').map_or((text, None), |(h, p)| {
        (h, Some(p).filter(|p| !p.is_empty()))
    }))
}

/// An empty text says nothing.
pub(crate) fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// Undoes percent encoding. The error does not show the text: it may be a password.
fn decoded(text: &str) -> Result<String> {
    percent::decode(text).map_err(|_| {
        Error::config("the URL has a percent sign that is not followed by two hex digits of UTF-8")
            .hint("write a percent sign as %25, and @ : / ? # in a password as %40 %3A %2F %3F %23")
    })
}

/// Percent-encodes a part of a URL.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Reads a setting that is a number.
pub(crate) fn number<T: std::str::FromStr>(
    text: Option<String>,
    default: T,
    what: &str,
) -> Result<T> {
    let Some(text) = text else { return Ok(default) };
    text.parse().map_err(|_| {
        Error::config(format!(
            "{what} is not a number in range: value={}",
            text.escape_debug()
        ))
        .hint("write digits only; a port is at most 65535")
    })
}
