//! What stands between this user and the files.
//!
//! A file is replaced by another of the same name, so writing asks nothing of the file itself but to be read: its
//! folder must take new files. Invariant: nothing is created.

use super::place::Place;
use crate::access;
use std::path::Path;
use trueup_core::rights::{Rights, Wanted};

/// Tells what is missing.
pub(crate) fn rights(place: &Place, wanted: &[Wanted]) -> Rights {
    let mut rights = Rights::default();
    if matches!(place, Place::Standard(_)) {
        // A stream that is open may be used.
        return rights;
    }
    for one in wanted {
        match one {
            Wanted::List => access::read_file(place.path(), one, &mut rights),
            // That there is no such file, or can be none, is said by the collection's shape and design.
            Wanted::Read(name) => {
                if let Some(file) = place.file(name) {
                    access::read_file(&file, one, &mut rights);
                }
            }
            Wanted::Write(name) | Wanted::Create(name) => {
                if let Some(file) = place.file(name) {
                    access::read_file(&file, one, &mut rights);
                    let folder = file.parent().unwrap_or(Path::new("/"));
                    access::write_folder(folder, true, one, &mut rights);
                }
            }
            // Files keep no markers; the class says so.
            Wanted::Control => {}
        }
    }
    rights
}
