//! Real servers for tests: started on demand, shared by the tests of one process, gone when it ends.
//!
//! Invariant: a server never outlives the test process, not even one that was killed. It listens on a loopback port
//! and a socket in a folder of its own, so that nothing on the machine has to be running or free. It deliberately
//! installs nothing: where the binaries are missing, starting is an error that says which package holds them.

mod host;
pub mod mariadb;
pub mod postgres;
mod process;

use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

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

/// Makes an authority (`ca.crt`) and a server certificate for `localhost` in `folder` with the `openssl` command, and
/// returns the two files that the server reads: key and certificate.
fn certify(folder: &Path) -> io::Result<[PathBuf; 2]> {
    std::fs::write(
        folder.join("san"),
        "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n",
    )?;
    let steps = [
        "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=trueup-test-ca -keyout ca.key -out ca.crt",
        "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr",
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile san -out server.crt",
    ];
    for step in steps {
        let mut command = Command::new("openssl");
        command.args(step.split(' ')).current_dir(folder);
        run(command)?;
    }
    let files = ["server.key", "server.crt"].map(|name| folder.join(name));
    for path in &files {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(files)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(mut command: Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!(
        "{:?} failed: {said}",
        command.get_program()
    )))
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
