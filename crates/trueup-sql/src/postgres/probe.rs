//! Asks the server whether it takes what is said in its own words, before a plan says that it does.
//!
//! A function may be missing there, or be another one: the source may be a newer server. Invariant: nothing stays. What is
//! asked about is made as a temporary table in a transaction that is rolled back; who may not make one gets no answer, and
//! finds out when the table is created.

use super::connect::Connection;
use super::quote::ident;
use trueup_core::schema::Field;
use trueup_core::{Error, Kind, Result};

/// A field, the clause that stands behind its type, and whether that is in the server's own words.
pub(super) struct Worded<'a> {
    pub(super) field: &'a Field,
    pub(super) clause: &'a str,
    pub(super) words: bool,
}

/// Returns the fields whose clauses the server refuses, by their indices, and why.
pub(super) fn refused(
    connection: &Connection,
    fields: &[Worded<'_>],
) -> Result<Vec<(usize, String)>> {
    let worded = || fields.iter().enumerate().filter(|(_, one)| one.words);
    if worded().next().is_none() || ask(connection, fields, &|_| true)?.is_none() {
        return Ok(Vec::new());
    }
    if ask(connection, fields, &|_| false)?.is_some() {
        return Ok(Vec::new());
    }
    let mut refused = Vec::new();
    for (at, _) in worded() {
        let why = ask(connection, fields, &|other| other == at)?;
        refused.extend(why.map(|why| (at, why)));
    }
    Ok(refused)
}

/// Makes a table of all fields, with the words of `those`, and tells why that is refused.
fn ask(
    connection: &Connection,
    fields: &[Worded<'_>],
    those: &dyn Fn(usize) -> bool,
) -> Result<Option<String>> {
    let columns = fields.iter().enumerate().map(|(at, one)| {
        let native = &one.field.native;
        let ty = native.strip_prefix("postgres:").unwrap_or(native);
        let clause = if one.words && those(at) {
            one.clause
        } else {
            ""
        };
        format!("{} {ty}{clause}", ident(&one.field.name))
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    connection.execute("BEGIN")?;
    // One statement, whatever the words hold: the server refuses to prepare more.
    let made = connection.query(
        &format!("CREATE TEMPORARY TABLE trueup_probe ({columns})"),
        &[],
    );
    connection.execute("ROLLBACK")?;
    match made {
        Ok(_) => Ok(None),
        Err(error) if lasts(&error) => Ok(Some(error.message().to_owned())),
        Err(error) => Err(error),
    }
}

fn lasts(error: &Error) -> bool {
    matches!(error.kind(), Kind::Config | Kind::Auth | Kind::Rejected)
}
