//! State files of a simulation: real ones, in memory where the system has a file system for that.
//!
//! A store in use is copied as a snapshot of its file system would, and replaced as an administrator would: another file under the same name.

use crate::state::{ConflictFilter, PastConflict, Store};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// How many stores a simulation can begin anew.
const BIRTHS_MAX: usize = 6;

/// A file system in memory, on systems that have one.
const MEMORY_FOLDER: &str = "/dev/shm";

/// The state files of one simulation.
#[derive(Debug)]
pub(super) struct States {
    folder: TempDir,
    births: usize,
    copies: usize,
}

impl States {
    /// Begins with an empty store.
    pub(super) fn new() -> Self {
        let folder = match Path::new(MEMORY_FOLDER).is_dir() {
            true => tempfile::tempdir_in(MEMORY_FOLDER),
            false => tempfile::tempdir(),
        };
        let mut states = Self {
            folder: folder.unwrap(),
            births: 0,
            copies: 0,
        };
        states.lose();
        states
    }

    /// Where temporary files go.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The store that the engine uses.
    pub(super) fn own(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The store that the second engine uses, who has a copy.
    pub(super) fn second(&self) -> PathBuf {
        self.folder.path().join("second")
    }

    /// Copies the engine's store.
    pub(super) fn copy(&mut self) {
        copy(&self.own(), &self.folder.path().join("copy"));
        self.copies += 1;
    }

    /// Puts the copy in the engine's store's place; tells whether there was one.
    pub(super) fn put_back(&mut self) -> bool {
        if self.copies == 0 {
            return false;
        }
        let back = self.folder.path().join("back");
        copy(&self.folder.path().join("copy"), &back);
        // One file: whoever still has the old one open removes its log by name when it closes.
        fold_log(&back);
        remove(&self.own());
        fs::rename(back, self.own()).unwrap();
        true
    }

    /// Gives the second engine a copy of the engine's store.
    pub(super) fn split(&mut self) {
        copy(&self.own(), &self.second());
    }

    /// An empty store takes the place of the engine's; tells whether there was another one left.
    pub(super) fn lose(&mut self) -> bool {
        let Some(empty) = empty_stores().get(self.births) else {
            return false;
        };
        self.births += 1;
        remove(&self.own());
        fs::write(self.own(), empty).unwrap();
        true
    }

    /// Returns every conflict in a store that is about to go, also those it holds for batches on their way.
    pub(super) fn on_record(&self, state: &Path) -> Vec<PastConflict> {
        let last = self.folder.path().join("last");
        copy(state, &last);
        let connection = Connection::open(&last).unwrap();
        let count = "SELECT count(*) FROM conflict";
        let count: i64 = connection.query_row(count, [], |row| row.get(0)).unwrap();
        if count == 0 {
            return Vec::new();
        }
        let told = "UPDATE conflict SET stage = 'closed' WHERE stage = 'held'";
        connection.execute(told, []).unwrap();
        drop(connection);
        let store = Store::open(&last, "unborn").unwrap();
        store.conflicts(&ConflictFilter::default()).unwrap()
    }
}

/// Copies a store between two transactions, with the log of what is not in its main file yet.
fn copy(from: &Path, to: &Path) {
    remove(to);
    for suffix in ["", "-wal"] {
        let from = with(from, suffix);
        if from.exists() {
            fs::copy(from, with(to, suffix)).unwrap();
        }
    }
}

/// Brings everything into a store's main file.
fn fold_log(path: &Path) {
    let connection = Connection::open(path).unwrap();
    let fold = "PRAGMA wal_checkpoint(TRUNCATE)";
    connection.query_row(fold, [], |_| Ok(())).unwrap();
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        match fs::remove_file(with(path, suffix)) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// New stores, each with an id of its own. Making one takes longer than a run.
fn empty_stores() -> &'static [Vec<u8>] {
    static EMPTY: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    EMPTY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let make = |birth| {
            let path = folder.path().join(format!("state-{birth}"));
            drop(Store::open(&path, &format!("incarnation-{birth}")).unwrap());
            assert!(!folder.path().join(format!("state-{birth}-wal")).exists());
            fs::read(path).unwrap()
        };
        (0..BIRTHS_MAX).map(make).collect()
    })
}
