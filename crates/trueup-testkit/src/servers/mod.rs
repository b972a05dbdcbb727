//! Real servers for tests: started on demand, shared by the tests of one process, gone when it ends.
//!
//! Invariant: a server never outlives the test process, not even one that was killed. It listens on a loopback port
//! and a socket in a folder of its own, so that nothing on the machine has to be running or free. It deliberately
//! installs nothing: where the binaries are missing, starting is an error that says which package holds them.

mod host;
pub mod postgres;

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};

type Job = Box<dyn FnOnce() + Send>;

/// Starts `command` from the one thread of this process that never ends.
///
/// A parent-death signal is sent when the *thread* that started the child ends, and test threads end early.
fn spawn(mut command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Mutex<SyncSender<Job>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, inbox) = sync_channel::<Job>(16);
        std::thread::spawn(move || inbox.into_iter().for_each(|job| job()));
        Mutex::new(jobs)
    });
    let (answer, answered) = sync_channel(1);
    let job: Job = Box::new(move || {
        // The receiver waits below; it cannot be gone.
        answer
            .send(command.spawn())
            .expect("the caller waits for the answer");
    });
    let sent = spawner
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send(job);
    sent.map_err(|_| io::Error::other("the spawning thread has ended"))?;
    answered.recv().map_err(io::Error::other)?
}
