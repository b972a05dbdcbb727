//! Where the files are, and which state of a file is meant.
//!
//! Invariant: an [`Identity`] is taken from the open file and compared with what the path names later, so that
//! neither a rewrite in place nor a replacement goes unnoticed.

use super::error;
use super::format::Endings;
use super::pack::Packing;
use super::standard::Standard;
use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trueup_core::{Error, Result};

/// One state of one file: another writer changes at least one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) size: u64,
    pub(crate) mtime_ns: i128,
    pub(crate) inode: u64,
    pub(crate) device: u64,
}

impl Identity {
    /// Takes the identity from what the file system says.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            mtime_ns: i128::from(metadata.mtime()) * 1_000_000_000
                + i128::from(metadata.mtime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
        }
    }

    /// Takes the identity of the regular file at `path`; `None` when there is nothing.
    pub(crate) fn at(path: &Path) -> Result<Option<Self>> {
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

/// A directory of files, one file, or a standard stream.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Each file of the right ending is a collection; new files are packed so.
    Directory(PathBuf, &'static Endings, Packing),
    /// The one collection, and its file.
    File(String, PathBuf),
    /// The one collection of a standard stream.
    Standard(Standard),
}

/// What a collection is read from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// The file of this name, symbolic links followed.
    Named(PathBuf),
    /// The copy of a standard stream, which is called so in messages; there may be none yet.
    Held(PathBuf, Option<Arc<File>>),
}

impl Origin {
    /// Returns the name for messages.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Named(path) | Self::Held(path, _) => path,
        }
    }

    /// Takes the identity of what there is; `None` when there is nothing.
    pub(crate) fn identity(&self) -> Result<Option<Identity>> {
        match self {
            Self::Named(path) => Identity::at(path),
            Self::Held(_, None) => Ok(None),
            Self::Held(path, Some(file)) => match file.metadata() {
                Ok(metadata) => Ok(Some(Identity::of(&metadata))),
                Err(error) => Err(error::io(path, "look at", error)),
            },
        }
    }

    /// Opens what there is; `None` when there is nothing.
    pub(crate) fn open(&self) -> Result<Option<File>> {
        let failed = |error| error::io(self.path(), "open", error);
        match self {
            Self::Named(path) => {
                if Identity::at(path)?.is_none() {
                    return Ok(None);
                }
                match File::open(path) {
                    Ok(file) => Ok(Some(file)),
                    Err(error) if missing(&error) => Ok(None),
                    Err(error) => Err(failed(error)),
                }
            }
            Self::Held(_, file) => {
                let file = file.as_ref().map(|file| file.try_clone());
                file.transpose().map_err(failed)
            }
        }
    }
}

impl Place {
    /// Decides what `path` means: what it is, or else what it looks like. `fresh` is how new files of a folder are packed;
    /// a single file's ending says it.
    pub(crate) fn new(path: PathBuf, endings: &'static Endings, fresh: Packing) -> Result<Self> {
        let name = path.file_name().and_then(|name| name.to_str());
        let (bare, packing) = Packing::split(name.unwrap_or_default());
        let directory = match fs::metadata(&path) {
            Ok(metadata) => metadata.is_dir(),
            Err(error) if missing(&error) => {
                let extension = Path::new(bare).extension().and_then(|e| e.to_str());
                let known = endings.file.contains(&extension.unwrap_or_default());
                !known && packing == Packing::None
            }
            Err(error) => return Err(error::io(&path, "look at", error)),
        };
        if directory {
            return Ok(Self::Directory(path, endings, fresh));
        }
        if fresh != Packing::None {
            return Err(error::one_file_is_packed_as_named());
        }
        let stem = Path::new(bare).file_stem().and_then(|stem| stem.to_str());
        let stem = stem.map(str::to_owned).ok_or_else(|| {
            Error::config(format!("file name is not UTF-8 file={}", path.display()))
                .hint("rename the file: its stem names the collection")
        })?;
        Ok(Self::File(stem, path))
    }

    /// Tells whether several collections can be here.
    pub(crate) fn is_directory(&self) -> bool {
        matches!(self, Self::Directory(..))
    }

    /// Returns the path that was given.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Directory(path, ..) | Self::File(_, path) => path,
            Self::Standard(standard) => standard.path(),
        }
    }

    /// Says that neither file nor folder is there.
    pub(crate) fn absence(&self) -> Option<String> {
        let (what, path) = match self {
            Self::Directory(path, ..) => ("folder", path),
            Self::File(_, path) => ("file", path),
            Self::Standard(_) => return None,
        };
        (!path.exists()).then(|| crate::absence(what, path))
    }

    /// Returns the path as it is however it was spelled, also when nothing is there yet.
    pub(crate) fn canonical(&self) -> PathBuf {
        resolve(self.path())
    }

    /// Returns where the records of `collection` are; `None` when nothing here can be called so.
    pub(crate) fn find(&self, collection: &str) -> Result<Option<Origin>> {
        match self {
            Self::Standard(standard) => standard.find(collection),
            Self::File(..) | Self::Directory(..) => Ok(self.file(collection).map(Origin::Named)),
        }
    }

    /// Returns the file of `collection`, symbolic links followed; `None` when no file here can be called so.
    pub(crate) fn file(&self, collection: &str) -> Option<PathBuf> {
        match self {
            Self::Standard(_) => None,
            Self::File(name, path) => (name == collection).then(|| resolve(path)),
            Self::Directory(path, endings, fresh) => {
                let bad = collection.is_empty()
                    || collection.starts_with('.')
                    || collection.contains(['/', '\0']);
                if bad {
                    return None;
                }
                let named = |ending: &str, packing: Packing| {
                    path.join(format!("{collection}{ending}{}", packing.ending()))
                };
                let mut all = endings.folder.iter().flat_map(|ending| {
                    let all = Packing::ALL.into_iter();
                    all.map(move |packing| named(ending, packing))
                });
                let found = all.find(|path| path.is_file());
                let new = || named(endings.folder.first().unwrap_or(&""), *fresh);
                Some(resolve(&found.unwrap_or_else(new)))
            }
        }
    }

    /// Lists the collections there are and the state of their files; `None` when the place itself is missing.
    pub(crate) fn list(&self) -> Result<Option<BTreeMap<String, Identity>>> {
        match self {
            Self::Standard(standard) => standard.list(),
            Self::File(name, path) => {
                let found = Identity::at(path)?;
                Ok(found.map(|identity| BTreeMap::from([(name.clone(), identity)])))
            }
            Self::Directory(path, endings, _) => list_directory(path, endings),
        }
    }
}

fn list_directory(path: &Path, endings: &Endings) -> Result<Option<BTreeMap<String, Identity>>> {
    let mut found = BTreeMap::new();
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if missing(&error) => return Ok(None),
        Err(error) => return Err(error::io(path, "list", error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| error::io(path, "list", error))?;
        let name = entry.file_name();
        let lossy = name.to_string_lossy();
        let (bare, _) = Packing::split(&lossy);
        let mut stems = endings
            .folder
            .iter()
            .map(|ending| bare.strip_suffix(ending));
        let Some(stem) = stems.find_map(|stem| stem.filter(|stem| !stem.starts_with('.'))) else {
            continue;
        };
        if name.to_str().is_none() {
            return Err(Error::config(format!(
                "file name is not UTF-8 file={}",
                entry.path().display()
            ))
            .hint("rename the file: its stem names the collection"));
        }
        let target = fs::metadata(entry.path());
        if stem.is_empty() || target.as_ref().is_ok_and(Metadata::is_dir) {
            continue;
        }
        if let Some(identity) = Identity::at(&entry.path())?
            && found.insert(stem.to_owned(), identity).is_some()
        {
            return Err(Error::config(format!(
                "two files are one collection collection={stem} path={}",
                path.display()
            ))
            .hint("they differ in their endings only; move one of them away, or name one file"));
        }
    }
    Ok(Some(found))
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
pub(crate) fn missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
