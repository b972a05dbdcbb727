//! Tests of the JSON Lines endpoint; what it shares with CSV is tested there.

mod conformance;
mod number;
mod packed;
mod parse;
mod round_trip;
mod types;
mod update;

use crate::file::given::{claim, read, write};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;
use trueup_core::endpoint::{Context, Endpoint};

/// A folder that goes away with the test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn with(name: &str, content: impl AsRef<[u8]>) -> Self {
        let folder = Self::new();
        fs::write(folder.path(name), content).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn get(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The endpoint of the folder, or of a file in it, with options.
    fn open(&self, rest: &str) -> Box<dyn Endpoint> {
        let address = format!("jsonl:{}", self.path(rest).display());
        super::connect(&address, &[], Context::empty()).unwrap()
    }
}
