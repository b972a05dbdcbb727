//! The power goes away in the middle of a replacement. A model disk loses what was not synced.

use super::{Folder, claim, write};
use crate::file::disk::{Disk, Local};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use trueup_core::Error;
use trueup_core::endpoint::{Endpoint, Op};
use trueup_core::failpoint::Failpoints;
use trueup_core::value::Value::{Int, Text};

const OLD: &str = "id,v\n1,old\n2,same\n";
const NEW: &str = "id,v\n1,new\n2,same\n";

/// A step that is taken out, to prove that the test would notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Without {
    Nothing,
    Sync,
    SyncDir,
}

/// A disk that loses unsynced content when the power goes, and unsynced names where `names_kept` is false. A disk
/// may write names before content, and does: that is why content must be synced before a rename.
#[derive(Debug)]
struct Power {
    without: Without,
    names_kept: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    off: bool,
    /// The files written, by inode, and how much of each is safe.
    files: BTreeMap<u64, (File, u64)>,
    /// The names that were exchanged since the directory was synced.
    exchanged: Vec<(PathBuf, PathBuf)>,
}

impl Power {
    fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        state.off = true;
        for (file, safe) in state.files.values() {
            file.set_len(*safe).unwrap();
        }
        // The process is gone, and its locks with it.
        state.files.clear();
        if !self.names_kept {
            for (one, other) in state.exchanged.iter().rev() {
                Local.exchange(one, other).unwrap();
            }
        }
    }

    fn on(&self) -> io::Result<std::sync::MutexGuard<'_, State>> {
        let state = self.state.lock().unwrap();
        if state.off {
            Err(io::Error::other("the power is off"))
        } else {
            Ok(state)
        }
    }
}

impl Disk for Power {
    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        let mut state = self.on()?;
        let file = Local.create(path, mode)?;
        state
            .files
            .insert(file.metadata()?.ino(), (file.try_clone()?, 0));
        Ok(file)
    }
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        let _state = self.on()?;
        Local.write(file, bytes, at)
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        let mut state = self.on()?;
        let metadata = file.metadata()?;
        if self.without != Without::Sync
            && let Some((_, safe)) = state.files.get_mut(&metadata.ino())
        {
            *safe = metadata.len();
        }
        Ok(())
    }
    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        let mut state = self.on()?;
        state.exchanged.push((one.to_owned(), other.to_owned()));
        Local.exchange(one, other)
    }
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _state = self.on()?;
        Local.rename_new(from, to)
    }
    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _state = self.on()?;
        Local.rename_over(from, to)
    }
    fn sync_dir(&self, _directory: &Path) -> io::Result<()> {
        let mut state = self.on()?;
        if self.without != Without::SyncDir {
            state.exchanged.clear();
        }
        Ok(())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        let state = self.on()?;
        // Removing is not synced, so a crash may bring the name back: as long as it may matter, keep it.
        if state.exchanged.is_empty() {
            Local.remove(path)
        } else {
            Ok(())
        }
    }
}

/// Replaces a file and cuts the power at `place`, or after the finish reported it durable; says what is wrong after.
fn violations(without: Without, names_kept: bool, place: &'static str) -> Vec<String> {
    let folder = Folder::with("x.csv", OLD);
    let power = Arc::new(Power {
        without,
        names_kept,
        state: Mutex::default(),
    });
    let cutter = Arc::clone(&power);
    let failpoints = Failpoints::new(move |name| {
        if name != place {
            return Ok(());
        }
        cutter.cut();
        Err(Error::bug("the power went away"))
    });
    let mut endpoint = folder.on(Arc::clone(&power) as Arc<dyn Disk>, failpoints);
    let schema = endpoint.schema("x").unwrap().unwrap();
    let mut writer = claim(&mut endpoint);
    write(
        writer.as_mut(),
        &schema,
        &["id", "v"],
        &[(Op::Update, &[Int(1), Text("new")])],
        1,
        false,
    )
    .unwrap();
    let durable = writer.finish("x").is_ok();
    assert_eq!(durable, place == "after", "{place}");
    if durable {
        power.cut();
    }
    drop(writer);
    let mut wrong = Vec::new();
    let content = folder.get("x.csv");
    let at = format!("{place} names_kept={names_kept}");
    if content != OLD && content != NEW {
        wrong.push(format!("{at}: neither the old nor the new state"));
    }
    if durable && content == OLD {
        wrong.push(format!("{at}: durable and gone"));
    }
    // The next run goes on from whatever there is, and leaves nothing lying about.
    let mut endpoint = folder.plain();
    drop(claim(&mut endpoint));
    if folder.names() != ["x.csv"] {
        wrong.push(format!("{at}: leftovers {:?}", folder.names()));
    }
    wrong
}

fn all_violations(without: Without) -> Vec<String> {
    let places = [
        "file.before_sync",
        "file.before_rename",
        "file.after_rename",
        "after",
    ];
    let cases = places
        .into_iter()
        .flat_map(|place| [(place, true), (place, false)]);
    cases
        .flat_map(|(place, names_kept)| violations(without, names_kept, place))
        .collect()
}

#[test]
fn a_power_cut_leaves_the_old_state_or_the_new() {
    assert_eq!(all_violations(Without::Nothing), [""; 0]);
}

#[test]
fn the_model_notices_a_missing_sync() {
    assert_eq!(
        all_violations(Without::Sync),
        [
            "file.after_rename names_kept=true: neither the old nor the new state",
            "after names_kept=true: neither the old nor the new state",
            "after names_kept=false: neither the old nor the new state",
        ]
    );
}

#[test]
fn the_model_notices_a_missing_directory_sync() {
    assert_eq!(
        all_violations(Without::SyncDir),
        ["after names_kept=false: durable and gone"]
    );
}
