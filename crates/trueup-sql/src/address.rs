//! The parts of a server's URL, for the endpoints that are reached by one.
//!
//! Invariant: no error shows what may be a password.

use crate::percent;
use trueup_core::{Error, Result};

/// Takes `host:port` or `[address]:port` apart.
pub(crate) fn host_and_port(text: &str) -> Result<(&str, Option<&str>)> {
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
pub(crate) fn decoded(text: &str) -> Result<String> {
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
