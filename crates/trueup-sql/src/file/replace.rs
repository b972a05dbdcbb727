//! Writes a whole file beside the one it replaces, and puts it in place durably.
//!
//! Invariants: under the file's name there is always one complete state, the old or the new one, also after a crash
//! (content is synced before the name moves, the directory after); and what is displaced is the state that was read
//! (the names are exchanged, so the displaced file is still there to be compared, and goes back when somebody else
//! wrote it meanwhile).
//!
//! Runs of trueup keep out of each other's way by locks that die with the process: the temporary file is locked as
//! long as it is written (an unlocked one is left over from a killed run and is removed), and the directory while
//! names move. Deliberately not kept: hard links to the old file, extended attributes, access control lists.

use super::disk::{self, Disk};
use super::error;
use super::pack::Packer;
use super::place::Identity;
use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trueup_core::failpoint::Failpoints;
use trueup_core::{Error, Kind, Result};

/// How much is gathered before it is written.
const WRITE_BYTES: usize = 1 << 20;
/// How often a temporary file that is removed by another run at the same moment is created again.
const CREATE_TRIES: usize = 3;

const PREFIX: &str = ".trueup-";
const SUFFIX: &str = ".tmp";

/// A new state of `path`, not in place yet. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Beside {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    directory: PathBuf,
    temporary: PathBuf,
    file: File,
    packer: Packer,
    written: u64,
    /// Whether something was packed that could not be written, so that the file cannot become whole any more.
    broken: bool,
    /// Whether the name of the temporary file is no longer ours to remove.
    released: bool,
}

impl Beside {
    /// Creates the temporary file, with the rights of the old file where there is one.
    pub(crate) fn create(disk: &Arc<dyn Disk>, path: &Path) -> Result<Self> {
        let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = directory.join(format!("{PREFIX}{name}{SUFFIX}"));
        disk::create_directories(&directory)
            .map_err(|error| error::io(&directory, "create", error))?;
        let old = fs::metadata(path).ok();
        let mode = old.as_ref().map(|old| old.mode() & 0o777);
        let packer =
            Packer::for_file(&name).map_err(|error| error::io(path, "start packing", error))?;
        let file = claim(disk.as_ref(), &temporary, mode.unwrap_or(0o666))?;
        let beside = Self {
            disk: Arc::clone(disk),
            path: path.to_owned(),
            directory,
            temporary,
            file,
            packer,
            written: 0,
            broken: false,
            released: false,
        };
        if let Some(old) = old {
            beside
                .keep_rights(&old)
                .map_err(|error| beside.failed("keep the rights of", error))?;
        }
        Ok(beside)
    }

    fn keep_rights(&self, old: &fs::Metadata) -> io::Result<()> {
        let new = self.file.metadata()?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            // Only root may give a file away; for anybody else the new file stays their own.
            drop(fchown(&self.file, Some(old.uid()), Some(old.gid())));
        }
        self.file
            .set_permissions(Permissions::from_mode(old.mode() & 0o777))
    }

    /// Appends bytes; they are written when enough came together.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.pack(bytes)?;
        if self.packer.out().len() < WRITE_BYTES {
            Ok(())
        } else {
            self.flush()
        }
    }

    /// Appends all bytes or, when there is no room, none. Of a packed file nothing can be taken back: after a failure
    /// it takes no more.
    pub(crate) fn append_whole(&mut self, bytes: &[u8]) -> Result<()> {
        self.pack(&[])?;
        self.flush()?;
        if !self.packer.is_plain() {
            self.broken = true;
            self.pack_unchecked(bytes)?;
            self.flush()?;
            self.broken = false;
            return Ok(());
        }
        self.disk
            .write(&self.file, bytes, self.written)
            .map_err(|error| self.failed("write", error))?;
        self.advance(bytes.len());
        Ok(())
    }

    fn pack(&mut self, bytes: &[u8]) -> Result<()> {
        if self.broken {
            let error = io::Error::other("an earlier write failed");
            return Err(self.failed("write", error));
        }
        self.pack_unchecked(bytes)
    }

    fn pack_unchecked(&mut self, bytes: &[u8]) -> Result<()> {
        let packed = self.packer.write(bytes);
        packed.map_err(|error| self.failed("pack", error))
    }

    fn flush(&mut self) -> Result<()> {
        let out = self.packer.out();
        let (disk, count) = (&self.disk, out.len());
        disk.write(&self.file, out, self.written)
            .map_err(|error| error::io(&self.path, "write", error))?;
        out.clear();
        self.advance(count);
        Ok(())
    }

    fn advance(&mut self, bytes: usize) {
        self.written += u64::try_from(bytes).unwrap_or(u64::MAX);
    }

    /// Puts the new state in the place of `expected` (`None`: of nothing), durably, and returns its identity.
    ///
    /// # Errors
    /// `Stale` when another state than `expected` was there; it still is.
    pub(crate) fn put(
        mut self,
        expected: Option<Identity>,
        failpoints: &Failpoints,
    ) -> Result<Identity> {
        self.pack(&[])?;
        let packed = self.packer.finish();
        packed.map_err(|error| self.failed("pack", error))?;
        self.flush()?;
        // A failed write may have left bytes behind the last good one.
        self.file
            .set_len(self.written)
            .map_err(|error| self.failed("write", error))?;
        failpoints.pass("file.before_sync")?;
        self.disk
            .sync(&self.file)
            .map_err(|error| self.failed("sync", error))?;
        let metadata = self
            .file
            .metadata()
            .map_err(|error| self.failed("look at", error))?;
        failpoints.pass("file.before_rename")?;
        let lock =
            File::open(&self.directory).and_then(|directory| directory.lock().map(|()| directory));
        let lock = lock.map_err(|error| error::io(&self.directory, "lock", error))?;
        match expected {
            None => self.put_new()?,
            Some(expected) => self.displace(expected)?,
        }
        failpoints.pass("file.after_rename")?;
        self.disk
            .sync_dir(&self.directory)
            .map_err(|error| error::io(&self.directory, "sync", error))?;
        if expected.is_some() {
            // What is left is swept up by the next writer.
            drop(self.disk.remove(&self.temporary));
        }
        drop(lock);
        Ok(Identity::of(&metadata))
    }

    fn put_new(&mut self) -> Result<()> {
        match self.disk.rename_new(&self.temporary, &self.path) {
            Ok(()) => {
                self.released = true;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(self.stale()),
            Err(error) => Err(self.failed("put in place", error)),
        }
    }

    /// Exchanges the names and looks at what came out.
    fn displace(&mut self, expected: Identity) -> Result<()> {
        if Identity::at(&self.path)? != Some(expected) {
            return Err(self.stale());
        }
        match self.disk.exchange(&self.temporary, &self.path) {
            Ok(()) => {}
            Err(error) if disk::unsupported(&error) => {
                // A network file system: the moment between the look above and this rename stays open.
                let renamed = self.disk.rename_over(&self.temporary, &self.path);
                renamed.map_err(|error| self.failed("put in place", error))?;
                self.released = true;
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.stale()),
            Err(error) => return Err(self.failed("put in place", error)),
        }
        self.released = true;
        if Identity::at(&self.temporary)? == Some(expected) {
            return Ok(());
        }
        self.put_back()
    }

    /// Somebody wrote between the look and the exchange: their file goes back to its place.
    fn put_back(&mut self) -> Result<()> {
        let ours = Identity::of(
            &self
                .file
                .metadata()
                .map_err(|error| self.failed("look at", error))?,
        );
        let back = self.disk.exchange(&self.temporary, &self.path);
        back.map_err(|error| self.failed("put back", error))?;
        let now = Identity::at(&self.temporary)?;
        if now.is_some_and(|now| (now.inode, now.device) == (ours.inode, ours.device)) {
            self.released = false;
            return Err(self.stale());
        }
        // A third state replaced ours in that very moment. It is the newest, so it belongs in place; what it
        // would have displaced is kept under a name that nothing removes.
        let kept = self.directory.join(format!(
            "{PREFIX}{}.kept",
            self.path.file_name().unwrap_or_default().to_string_lossy()
        ));
        let again = self.disk.exchange(&self.temporary, &self.path);
        again.map_err(|error| self.failed("put back", error))?;
        let renamed = self.disk.rename_new(&self.temporary, &kept);
        renamed.map_err(|error| self.failed("keep", error))?;
        Err(self.stale().hint(format!(
            "another version of the file was kept file={}",
            kept.display()
        )))
    }

    fn stale(&self) -> Error {
        error::changed(&self.path, "it was about to be replaced")
    }

    fn failed(&self, doing: &str, error: io::Error) -> Error {
        error::io(&self.path, doing, error)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.released {
            // Nothing can be done about a failure here; the next writer sweeps up.
            drop(self.disk.remove(&self.temporary));
        }
    }
}

/// Creates the temporary file and locks it.
fn claim(disk: &dyn Disk, path: &Path, mode: u32) -> Result<File> {
    let failed = |error| error::io(path, "create", error);
    for _ in 0..CREATE_TRIES {
        let file = match disk.create(path, mode) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !sweep_one(disk, path)? {
                    break;
                }
                continue;
            }
            Err(error) => return Err(failed(error)),
        };
        let locked = file.try_lock();
        let inode = file.metadata().map_err(failed)?.ino();
        if locked.is_ok() && Identity::at(path)?.is_some_and(|now| now.inode == inode) {
            return Ok(file);
        }
    }
    Err(Error::new(
        Kind::Stale,
        format!(
            "another run is writing the file temporary={}",
            path.display()
        ),
    )
    .hint("wait until the other run has ended"))
}

/// Removes one temporary file unless a living run holds it; tells whether it is gone.
fn sweep_one(disk: &dyn Disk, path: &Path) -> Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error::io(path, "open", error)),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error::io(path, "lock", error)),
    }
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error::io(path, "remove", error))
        }
        _ => Ok(true),
    }
}

/// Removes what killed runs left in `directory`; only the file for `name` where one is given.
pub(crate) fn sweep(disk: &dyn Disk, directory: &Path, name: Option<&str>) -> Result<()> {
    let Ok(lock) = File::open(directory) else {
        return Ok(());
    };
    lock.lock()
        .map_err(|error| error::io(directory, "lock", error))?;
    let entries = fs::read_dir(directory).map_err(|error| error::io(directory, "list", error))?;
    for entry in entries {
        let entry = entry.map_err(|error| error::io(directory, "list", error))?;
        let found = entry.file_name();
        let found = found.to_string_lossy();
        let of = found
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.strip_suffix(SUFFIX));
        if of.is_some_and(|of| name.is_none_or(|name| name == of)) {
            // One that is in use stays; its owner removes it.
            sweep_one(disk, &entry.path())?;
        }
    }
    drop(lock);
    Ok(())
}
