//! What stands between this user and the file.
//!
//! SQLite knows no users: the file's owner and mode decide, and for writing those of its folder, where the journal is
//! put. Invariant: nothing is created, not even the file.

use super::connect::Place;
use super::error::translate;
use crate::access;
use std::path::Path;
use trueup_core::Result;
use trueup_core::rights::{Rights, Wanted};

/// Tells what is missing, and which journal the file has.
pub(super) fn rights(place: &Place, wanted: &[Wanted]) -> Result<Rights> {
    let mut rights = Rights::default();
    let path = place.path();
    for one in wanted {
        match one {
            Wanted::List | Wanted::Read(_) => access::read_file(path, one, &mut rights),
            Wanted::Write(_) | Wanted::Create(_) | Wanted::Control => {
                access::write_file(path, one, &mut rights);
                let folder = path.parent().unwrap_or(Path::new("."));
                access::write_folder(folder, false, one, &mut rights);
            }
        }
    }
    let reads = |one: &Wanted| matches!(one, Wanted::Read(_) | Wanted::Write(_));
    if wanted.iter().any(reads) && rights.missing.is_empty() {
        rights.notes.extend(journal(place)?);
    }
    Ok(rights)
}

/// Without a write-ahead log readers and writers wait for each other.
fn journal(place: &Place) -> Result<Option<String>> {
    let Some(connection) = place.read_if_present()? else {
        return Ok(None);
    };
    let mode: String = connection
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .map_err(|cause| translate(cause, "ask for the journal mode"))?;
    Ok((mode != "wal").then(|| {
        format!(
            "journal_mode={mode}: while the file is read, its writers wait to commit; \
             `PRAGMA journal_mode = wal`, run once, ends that"
        )
    }))
}
