//! The one place where a name becomes part of a statement.
//!
//! Invariant: every identifier in every statement of this endpoint went through [`ident`], and every text of a
//! definition (a default, a comment) through [`literal`]; records' values never become part of a statement, they travel
//! as parameters or through COPY.

use trueup_core::{Error, Result};

/// The most bytes of an identifier; PostgreSQL silently cuts longer ones, and two names could become one.
pub(super) const IDENT_BYTES_MAX: usize = 63;

/// Quotes an identifier.
pub(super) fn ident(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    out.push('"');
    for c in name.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// Quotes a list of identifiers.
pub(super) fn idents<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(ident).collect::<Vec<_>>().join(", ")
}

/// Quotes a text of a definition. Each session takes backslashes as they are.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Refuses a name that the server would refuse or cut.
pub(super) fn check(name: &str, what: &str) -> Result<()> {
    let shown = name.escape_debug();
    let problem = if name.is_empty() {
        "is empty"
    } else if name.contains('\0') {
        "holds a zero byte"
    } else if name.len() > IDENT_BYTES_MAX {
        "is longer than 63 bytes"
    } else {
        return Ok(());
    };
    Err(
        Error::config(format!("{what} name {problem}: name={shown}"))
            .hint("map it to a shorter name that PostgreSQL can hold"),
    )
}
