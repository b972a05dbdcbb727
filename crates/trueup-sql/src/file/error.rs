//! Translates what the file system and the parser report into errors that say what to do.
//!
//! Invariant: names of files, lines, fields and counts only; never a record's value. Nothing else in this folder
//! decides a kind for a foreign error.

use std::io;
use std::path::Path;
use trueup_core::edits::edits;
use trueup_core::{Error, Kind};

/// Translates a failed operation on `file`.
pub(crate) fn io(file: &Path, doing: &str, error: io::Error) -> Error {
    use io::ErrorKind as E;
    // What unpacks a file says itself what is wrong.
    let error = match error.downcast::<Error>() {
        Ok(ours) => return ours,
        Err(error) => error,
    };
    let (kind, hint) = match error.kind() {
        E::PermissionDenied | E::ReadOnlyFilesystem => (
            Kind::Auth,
            "check the rights of the file and of its directory (a file is replaced, so its directory must be writable)",
        ),
        E::StorageFull | E::QuotaExceeded | E::FileTooLarge => (
            Kind::Rejected,
            "make room where the file lies (the whole file is written beside the old one) and run again; the old file is untouched",
        ),
        E::NotFound => (Kind::Config, "check the path"),
        _ => (
            Kind::Unavailable,
            "run again; if it stays, look at the disk",
        ),
    };
    Error::new(kind, format!("cannot {doing} file={}", file.display()))
        .hint(hint)
        .cause(error)
}

/// Says that `file` is not what it should be at `line`.
pub(crate) fn malformed(file: &str, line: u64, what: impl std::fmt::Display) -> Error {
    Error::corrupt(format!("{what} file={file} line={line}"))
}

/// Says that a packed file has no end.
pub(crate) fn cut(file: &Path, packing: &str) -> Error {
    Error::corrupt(format!(
        "{packing} stream ends too early file={}",
        file.display()
    ))
    .hint("the file was cut off; nothing was concluded from it; get the whole file")
}

/// Says that only a folder has new files to be packed.
pub(crate) fn one_file_is_packed_as_named() -> Error {
    Error::config("this is for the new files of a folder option=compress").hint(
        "a file's ending says how it is packed: name it FILE.csv.gz; pipe a stream through gzip",
    )
}

/// Says that `file` moved under us.
pub(crate) fn changed(file: &Path, when: &str) -> Error {
    Error::new(
        Kind::Stale,
        format!("file changed while {when} file={}", file.display()),
    )
    .hint("nothing was concluded from it; run again when nobody else writes the file")
}

/// Adds `did you mean` for a word that is not among `known`, or lists these.
pub(crate) fn suggest(error: Error, word: &str, known: &[&str]) -> Error {
    match nearest(word, known) {
        Some(name) => error.hint(format!("did you mean {name:?}?")),
        None if known.len() <= 40 => error.hint(format!("known: {}", known.join(", "))),
        None => error.hint(format!("known: {}, ...", known[..40].join(", "))),
    }
}

/// Returns the word of `known` that is probably meant.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let letters = |text: &str| text.chars().collect::<Vec<_>>();
    let ours = letters(word);
    let steps = known
        .iter()
        .map(|name| (edits(&ours, &letters(name)), *name));
    let nearest = steps.min();
    nearest
        .filter(|(steps, _)| *steps <= 1 + word.len() / 3)
        .map(|(_, name)| name)
}
