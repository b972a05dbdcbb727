//! Where the files are, which state of a file is meant, and what stands in its first line.
//!
//! Invariant: an [`Identity`] is taken from the open file and compared with what the path names later, so that
//! neither a rewrite in place nor a replacement goes unnoticed.

use super::config::Options;
use super::error;
use super::read::Reader;
use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use trueup_core::{Error, Result};

/// The ending of the files of a directory that are collections.
const ENDING: &str = ".csv";

/// One state of one file: another writer changes at least one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) size: u64,
    pub(super) mtime_ns: i128,
    pub(super) inode: u64,
    pub(super) device: u64,
}

impl Identity {
    /// Takes the identity from what the file system says.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            mtime_ns: i128::from(metadata.mtime()) * 1_000_000_000
                + i128::from(metadata.mtime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
        }
    }

    /// Takes the identity of the regular file at `path`; `None` when there is nothing.
    pub(super) fn at(path: &Path) -> Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => Ok(Some(Self::of(&metadata))),
            Ok(_) => Err(
                Error::config(format!("not a regular file file={}", path.display()))
                    .hint("only regular files can be read more than once and replaced"),
            ),
            Err(error) if missing(&error) => Ok(None),
            Err(error) => Err(error::io(path, "look at", error)),
        }
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "size={},mtime_ns={},inode={}",
            self.size, self.mtime_ns, self.inode
        )
    }
}

/// A directory of files, or one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Each `*.csv` file is a collection.
    Directory(PathBuf),
    /// The one collection, and its file.
    File(String, PathBuf),
}

impl Place {
    /// Decides what `path` means: what it is, or else what it looks like.
    pub(super) fn new(path: PathBuf) -> Result<Self> {
        let directory = match fs::metadata(&path) {
            Ok(metadata) => metadata.is_dir(),
            Err(error) if missing(&error) => {
                let extension = path
                    .extension()
                    .and_then(|e| e.to_str())
                    .unwrap_or_default();
                !["csv", "tsv", "tab", "txt"].contains(&extension)
            }
            Err(error) => return Err(error::io(&path, "look at", error)),
        };
        if directory {
            return Ok(Self::Directory(path));
        }
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .map(str::to_owned);
        let stem = stem.ok_or_else(|| {
            Error::config(format!("file name is not UTF-8 file={}", path.display()))
                .hint("rename the file: its stem names the collection")
        })?;
        Ok(Self::File(stem, path))
    }

    /// Returns the path that was given.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Directory(path) | Self::File(_, path) => path,
        }
    }

    /// Returns the path as it is however it was spelled, also when nothing is there yet.
    pub(super) fn canonical(&self) -> PathBuf {
        resolve(self.path())
    }

    /// Returns the file of `collection`, symbolic links followed; `None` when no file here can be called so.
    pub(super) fn file(&self, collection: &str) -> Option<PathBuf> {
        match self {
            Self::File(name, path) => (name == collection).then(|| resolve(path)),
            Self::Directory(path) => {
                let bad = collection.is_empty()
                    || collection.starts_with('.')
                    || collection.contains(['/', '\0']);
                (!bad).then(|| resolve(&path.join(format!("{collection}{ENDING}"))))
            }
        }
    }

    /// Lists the collections there are and the state of their files; `None` when the place itself is missing.
    pub(super) fn list(&self) -> Result<Option<BTreeMap<String, Identity>>> {
        let mut found = BTreeMap::new();
        let path = match self {
            Self::File(name, path) => {
                let Some(identity) = Identity::at(path)? else {
                    return Ok(None);
                };
                found.insert(name.clone(), identity);
                return Ok(Some(found));
            }
            Self::Directory(path) => path,
        };
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if missing(&error) => return Ok(None),
            Err(error) => return Err(error::io(path, "list", error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| error::io(path, "list", error))?;
            let name = entry.file_name();
            let lossy = name.to_string_lossy();
            let Some(stem) = lossy
                .strip_suffix(ENDING)
                .filter(|stem| !stem.starts_with('.'))
            else {
                continue;
            };
            if name.to_str().is_none() {
                return Err(Error::config(format!(
                    "file name is not UTF-8 file={}",
                    entry.path().display()
                ))
                .hint("rename the file: its stem names the collection"));
            }
            if stem.is_empty() {
                continue;
            }
            let target = fs::metadata(entry.path());
            if target.as_ref().is_ok_and(Metadata::is_dir) {
                continue;
            }
            if let Some(identity) = Identity::at(&entry.path())? {
                found.insert(stem.to_owned(), identity);
            }
        }
        Ok(Some(found))
    }
}

/// Follows symbolic links as far as there is something.
fn resolve(path: &Path) -> PathBuf {
    if let Ok(path) = fs::canonicalize(path) {
        return path;
    }
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return path.to_owned(),
    };
    let parent = if parent == path {
        parent.to_owned()
    } else {
        resolve(parent)
    };
    path.file_name()
        .map_or(parent.clone(), |name| parent.join(name))
}

/// Tells whether an error means that nothing is there.
pub(super) fn missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// The first line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The columns' names; `c1`, `c2` and so on where the file has none.
    pub(super) names: Vec<String>,
    /// The bytes before the first record, as they stand in the file.
    pub(super) raw: Vec<u8>,
    /// The line end that the first line has.
    pub(super) line_end: &'static str,
}

/// A file opened for reading, past its header.
pub(super) struct Table {
    pub(super) reader: Reader<File>,
    pub(super) header: Header,
    pub(super) identity: Identity,
    /// A second handle, to look at the file's state again.
    file: File,
    path: PathBuf,
}

impl Table {
    /// Opens `path` and reads its header; `None` when there is no such file.
    pub(super) fn open(path: &Path, options: &Options) -> Result<Option<Self>> {
        let failed = |error| error::io(path, "open", error);
        if Identity::at(path)?.is_none() {
            return Ok(None);
        }
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if missing(&error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let identity = Identity::of(&file.metadata().map_err(failed)?);
        let mut reader = Reader::new(file.try_clone().map_err(failed)?, path, options)?;
        let header = header(&mut reader, path, options)?;
        Ok(Some(Self {
            reader,
            header,
            identity,
            file,
            path: path.to_owned(),
        }))
    }

    /// Checks that the file read is still what the path names and that nobody wrote to it.
    pub(super) fn check_unchanged(&self, when: &str) -> Result<()> {
        let failed = |error| error::io(&self.path, "look at", error);
        let now = Identity::of(&self.file.metadata().map_err(failed)?);
        if now != self.identity || Identity::at(&self.path)? != Some(self.identity) {
            return Err(error::changed(&self.path, when));
        }
        Ok(())
    }
}

/// Reads the header and checks it.
fn header(reader: &mut Reader<File>, path: &Path, options: &Options) -> Result<Header> {
    let file = path.display().to_string();
    let mut raw = if reader.bom() {
        b"\xef\xbb\xbf".to_vec()
    } else {
        Vec::new()
    };
    let Some(row) = reader.next_row()? else {
        return Err(error::malformed(&file, 1, "the file is empty: it has not even a header")
            .hint("an emptied or cut file is not taken for an empty collection; write the header, or remove the file"));
    };
    let line_end = if row.raw().ends_with("\r\n") {
        "\r\n"
    } else {
        "\n"
    };
    let names: Vec<String> = if options.header {
        raw.extend_from_slice(row.raw().as_bytes());
        (0..row.len())
            .map(|index| row.field(index).0.to_owned())
            .collect()
    } else {
        (1..=row.len()).map(|number| format!("c{number}")).collect()
    };
    let mut seen = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        let number = index + 1;
        if name.is_empty() {
            return Err(error::malformed(
                &file,
                1,
                format_args!("empty name in the header column={number}"),
            )
            .hint("name the column; or the file has no header: ?header=false"));
        }
        if name.contains('\r') {
            return Err(error::malformed(
                &file,
                1,
                format_args!("carriage return in the header column={number}"),
            )
            .hint("lines must end in LF or CRLF; convert a file of CR line ends first"));
        }
        if let Some(first) = seen.insert(name.as_str(), number) {
            return Err(error::malformed(
                &file,
                1,
                format_args!("duplicate name in the header name={name} columns={first},{number}"),
            )
            .hint("rename one of the columns; or the file has no header: ?header=false"));
        }
    }
    reader.set_width(names.len());
    if !options.header {
        reader.unread();
    }
    Ok(Header {
        names,
        raw,
        line_end,
    })
}
