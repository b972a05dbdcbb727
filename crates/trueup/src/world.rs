//! The only place that touches the machine besides files and sockets: clock, environment, signals, randomness.
//!
//! Invariant: everything below the binary gets these as parameters, so that a test can play them. Nothing here is
//! kept in a global but the signal handlers, which the operating system wants so.

use crate::failpoint;
use crate::output;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, IsTerminal, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use trueup_core::endpoint::Context;
use trueup_core::failpoint::Failpoints;
use trueup_core::{Error, Kind, Result};
use trueup_engine::state::Store;
use trueup_engine::{Clock, Limits, Progress};

/// How often a waiting clock looks whether the run was asked to stop.
const WAIT_SLICE_MS: u64 = 50;
/// The exit code after a second signal: interrupted.
const INTERRUPTED: i32 = 3;
/// How long an answer may be.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Bytes of a new state store's id.
const INCARNATION_BYTES: usize = 16;

/// How many workers there are at most without being asked for.
const WORKERS_USUAL: usize = 4;

/// What a run may use of the machine.
#[derive(Debug)]
pub(crate) struct Machine {
    clock: SystemClock,
    stop: Arc<AtomicBool>,
    failpoints: Failpoints,
}

impl Machine {
    /// As [`Machine::new`], for a command that asks a person and writes nothing before the end: the first signal ends the
    /// process at once. Waiting for an answer goes on after a signal, and there is no batch to bring to an end.
    ///
    /// # Errors
    /// As [`Machine::new`].
    pub(crate) fn asking() -> Result<Self> {
        let always = Arc::new(AtomicBool::new(true));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            let always = Arc::clone(&always);
            signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED, always)
                .map_err(|cause| Error::bug("a signal handler was refused").cause(cause))?;
        }
        Self::with(Arc::new(AtomicBool::new(false)))
    }

    /// Takes over the signals SIGINT and SIGTERM: the first asks the run to stop at the next batch, the second ends
    /// the process at once, which is safe too.
    ///
    /// # Errors
    /// `Config` when `TRUEUP_FAILPOINT` does not read; `Bug` when the system refuses a signal handler.
    pub(crate) fn new() -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            // The order matters: the handler registered first sees the flag as it was before this signal.
            signal_hook::flag::register_conditional_shutdown(
                signal,
                INTERRUPTED,
                Arc::clone(&stop),
            )
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|cause| Error::bug("a signal handler was refused").cause(cause))?;
        }
        tell_of_stop()?;
        Self::with(stop)
    }

    fn with(stop: Arc<AtomicBool>) -> Result<Self> {
        Ok(Self {
            clock: SystemClock {
                stop: Arc::clone(&stop),
            },
            stop,
            failpoints: failpoint::armed(variable(failpoint::VARIABLE).as_deref())?,
        })
    }

    /// Tells whether the user wants everything to stop.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Returns what endpoints may use.
    pub(crate) fn context(&self) -> Context {
        Context {
            env: Arc::new(variable),
            failpoints: self.failpoints.clone(),
        }
    }

    /// Returns what a run may use. Temporary files go beside the state file, which has room for more than memory.
    pub(crate) fn world<'a>(
        &'a self,
        progress: &'a dyn Progress,
        state: Option<&Path>,
    ) -> trueup_engine::World<'a> {
        trueup_engine::World {
            clock: &self.clock,
            progress,
            failpoints: self.failpoints.clone(),
            stop: &self.stop,
            random: &random,
            spool_folder: spool_folder(state),
            limits: Limits::default(),
        }
    }
}

/// How many sessions load at the same time, where nobody says: more than a few want more of the servers than they give.
pub(crate) fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(WORKERS_USUAL))
}

/// Says at once that a signal was heard: until the next batch boundary nothing else would tell.
fn tell_of_stop() -> Result<()> {
    let refused = |cause| Error::bug("a signal handler was refused").cause(cause);
    let (mut heard, sender) = UnixStream::pair().map_err(refused)?;
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let sender = sender.try_clone().map_err(refused)?;
        signal_hook::low_level::pipe::register(signal, sender).map_err(refused)?;
    }
    // It waits for as long as the process lives, and nobody waits for it.
    std::thread::spawn(move || {
        if heard.read_exact(&mut [0]).is_ok() {
            output::stopping();
        }
    });
    Ok(())
}

/// The machine's clock.
#[derive(Debug)]
struct SystemClock {
    stop: Arc<AtomicBool>,
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        now_ms()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that is passed in"
    )]
    fn wait_ms(&self, ms: u64) {
        let mut left = ms;
        while left > 0 && !self.stop.load(Ordering::Relaxed) {
            let slice = left.min(WAIT_SLICE_MS);
            std::thread::sleep(Duration::from_millis(slice));
            left -= slice;
        }
    }
}

/// Milliseconds since 1970 UTC; 0 on a machine whose clock stands before that.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that is passed in"
)]
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// Returns the arguments, the program's name first.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the arguments"
)]
pub(crate) fn arguments() -> Vec<OsString> {
    std::env::args_os().collect()
}

/// Looks up an environment variable; one that is not UTF-8 counts as missing.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Tells whether a person can be asked.
pub(crate) fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Reads a line of what a person types, without its end; `None` when there is no more.
///
/// # Errors
/// `Unavailable` when it cannot be read.
pub(crate) fn read_line() -> Result<Option<String>> {
    let mut line = String::new();
    let read = std::io::stdin()
        .lock()
        .take(LINE_BYTES_MAX)
        .read_line(&mut line);
    let bytes = read.map_err(|cause| {
        Error::new(Kind::Unavailable, "cannot read standard input")
            .hint("name the places on the command line: trueup init SOURCE TARGET")
            .cause(cause)
    })?;
    Ok((bytes > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Opens the state store, a new one if there is none.
///
/// # Errors
/// `Config` when nothing says where it is; what the store says.
pub(crate) fn open_store(given: Option<&Path>) -> Result<Store> {
    let path = state_path(given, &variable)?;
    if given.is_none()
        && let Some(folder) = path.parent()
    {
        create_private(folder)?;
    }
    Store::open(&path, &incarnation()?)
}

/// Where temporary files go: the state file's folder where there is one, else the system's.
fn spool_folder(given: Option<&Path>) -> PathBuf {
    let beside = state_path(given, &variable).ok().and_then(|path| {
        let parent = path.parent()?;
        Some(if parent.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            parent.to_owned()
        })
    });
    beside
        .filter(|folder| folder.is_dir())
        .unwrap_or_else(std::env::temp_dir)
}

/// Opens the state store if there is one. A file that was named must be there.
///
/// # Errors
/// As [`open_store`].
pub(crate) fn open_store_if_present(given: Option<&Path>) -> Result<Option<Store>> {
    let store = open_store_if_any(given)?;
    match given {
        Some(path) if store.is_none() => Err(Error::config(format!(
            "there is no state file={}",
            path.display()
        ))
        .hint("check --state; the first sync creates the file")),
        Some(_) | None => Ok(store),
    }
}

/// Opens the state store if it is there, wherever it should be: a first run has none yet.
///
/// # Errors
/// As [`open_store`].
pub(crate) fn open_store_if_any(given: Option<&Path>) -> Result<Option<Store>> {
    let path = state_path(given, &variable)?;
    if path.exists() {
        return Store::open(&path, &incarnation()?).map(Some);
    }
    Ok(None)
}

/// Returns the path that means the same from every folder, and without links where it exists; `None` where the working
/// folder is gone.
pub(crate) fn real_path(path: &Path) -> Option<PathBuf> {
    let real = path.canonicalize().or_else(|_| std::path::absolute(path));
    real.ok()
}

/// Where the state is kept: as given, else as the XDG base directories say. Relative variables do not count there.
pub(crate) fn state_path(
    given: Option<&Path>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<PathBuf> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    let absolute = |name: &str| {
        env(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let folder = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .ok_or_else(|| {
            Error::config("neither XDG_STATE_HOME nor HOME says where the state is kept")
                .hint("name a file with --state")
        })?;
    Ok(folder.join("trueup/state.db"))
}

fn create_private(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(folder).map_err(|cause| {
        Error::config(format!("cannot create folder={}", folder.display()))
            .hint("name a file elsewhere with --state")
            .cause(cause)
    })
}

/// 128 random bits in hexadecimal: the id of a new state store.
fn incarnation() -> Result<String> {
    let mut bytes = [0_u8; INCARNATION_BYTES];
    random(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Fills `bytes` with random ones.
fn random(bytes: &mut [u8]) -> Result<()> {
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(bytes))
        .map_err(|cause| {
            Error::new(Kind::Unavailable, "cannot read /dev/urandom")
                .hint("the state store needs random bits")
                .cause(cause)
        })
}

#[cfg(test)]
mod tests;
