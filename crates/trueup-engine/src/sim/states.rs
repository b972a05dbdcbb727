//! State files of a simulation: real ones, in memory where the system has a file system for that.
//!
//! A store in use is copied as a backup would, and replaced as an administrator would: another file under the same name.

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

    /// Copies the engine's store. The second engine's is made from a copy too.
    pub(super) fn copy(&mut self) {
        let copy = self.folder.path().join("copy");
        self.back_up_to(&copy);
        self.copies += 1;
    }

    /// Puts the copy in the engine's store's place; tells whether there was one.
    pub(super) fn put_back(&mut self) -> bool {
        let copy = self.folder.path().join("copy");
        if self.copies == 0 {
            return false;
        }
        remove(&self.own());
        fs::copy(copy, self.own()).unwrap();
        true
    }

    /// Gives the second engine a copy of the engine's store.
    pub(super) fn split(&mut self) {
        remove(&self.second());
        self.back_up_to(&self.second());
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

    /// Returns the conflicts that a store holds for batches on their way: with the store, they go.
    pub(super) fn held(&self, state: &Path) -> Vec<PastConflict> {
        let held = "UPDATE conflict SET stage = 'closed' WHERE stage = 'held'";
        let copy = self.folder.path().join("held");
        remove(&copy);
        let connection = Connection::open(state).unwrap();
        let vacuum = "VACUUM INTO ?1";
        connection
            .execute(vacuum, [copy.to_str().unwrap()])
            .unwrap();
        Connection::open(&copy).unwrap().execute(held, []).unwrap();
        let store = Store::open(&copy, "unborn").unwrap();
        store.conflicts(&ConflictFilter::default()).unwrap()
    }

    fn back_up_to(&self, path: &Path) {
        remove(path);
        let connection = Connection::open(self.own()).unwrap();
        let path = path.to_str().unwrap();
        connection.execute("VACUUM INTO ?1", [path]).unwrap();
    }
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
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
