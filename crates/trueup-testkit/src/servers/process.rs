//! The process of a server in a folder of its own: who runs it, on which port, and when it is up.

use super::host::{Account, account};
use super::{certify, free_port, lock, run, spawn};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, sync_channel};
use tempfile::TempDir;

/// What tells servers apart here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// What the name of the folder begins with.
    pub(super) prefix: &'static str,
    /// Whom it runs as where we are root.
    pub(super) account: &'static str,
    /// The signal that it gets when this process dies.
    pub(super) death: &'static str,
    /// What its log says when it takes connections.
    pub(super) up: &'static str,
    /// How often starting is tried.
    pub(super) attempts_max: usize,
}

/// A server's folder, port and process.
#[derive(Debug)]
pub(super) struct Process {
    manner: Manner,
    account: Option<Account>,
    folder: TempDir,
    port: Mutex<u16>,
    child: Mutex<Option<Child>>,
}

impl Process {
    /// Makes the folder; nothing runs yet.
    pub(super) fn new(manner: Manner) -> io::Result<Self> {
        let process = Self {
            manner,
            account: account(manner.account)?,
            folder: tempfile::Builder::new().prefix(manner.prefix).tempdir()?,
            port: Mutex::new(0),
            child: Mutex::new(None),
        };
        process.own(process.folder())?;
        Ok(process)
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The TCP port on loopback; 0 before the first start.
    pub(super) fn port(&self) -> u16 {
        *lock(&self.port)
    }

    /// A command that runs as the server's account and dies with this process.
    pub(super) fn as_account(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        if let Some(account) = self.account {
            command.arg(format!("--reuid={}", account.uid));
            command.arg(format!("--regid={}", account.gid));
            command.arg("--clear-groups");
        }
        command.args(["--pdeathsig", self.manner.death, "--"]);
        command.arg(program).current_dir(self.folder());
        command.env("LC_ALL", "C.UTF-8");
        command
    }

    /// Makes sure that the account can run the programs below `root`: those in a home folder of root's are copied into the
    /// server's folder. Returns where they are.
    pub(super) fn within_reach(&self, root: &Path) -> io::Result<PathBuf> {
        let mut look = self.as_account(Path::new("test"));
        look.arg("-x").arg(root);
        if look.stdin(Stdio::null()).status()?.success() {
            return Ok(root.to_owned());
        }
        let copied = self.folder().join("programs");
        let mut copy = Command::new("cp");
        copy.arg("-R").arg(root).arg(&copied);
        run(copy)?;
        Ok(copied)
    }

    /// Gives a file to the account.
    pub(super) fn own(&self, path: &Path) -> io::Result<()> {
        match self.account {
            Some(account) => chown(path, Some(account.uid), Some(account.gid)),
            None => Ok(()),
        }
    }

    /// Makes the files of TLS in the folder.
    pub(super) fn certify(&self) -> io::Result<()> {
        for path in certify(self.folder())? {
            self.own(&path)?;
        }
        Ok(())
    }

    /// Starts what `command` says for a port, on the port that it had before or on a free one.
    pub(super) fn launch(&self, command: impl Fn(u16) -> Command) -> io::Result<()> {
        let mut last = io::Error::other("not tried");
        for _ in 0..self.manner.attempts_max {
            let port = match self.port() {
                0 => free_port()?,
                port => port,
            };
            match started(command(port), self.manner.up) {
                Ok(child) => {
                    *lock(&self.port) = port;
                    *lock(&self.child) = Some(child);
                    return Ok(());
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Kills the server as a crash would: SIGKILL, no shutdown.
    pub(super) fn kill(&self) -> io::Result<()> {
        if let Some(mut child) = self.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Hands the process over to be stopped in another way; `None` when there is none.
    pub(super) fn take(&self) -> Option<Child> {
        lock(&self.child).take()
    }
}

/// Starts a server and waits until its log says that it is `up`. One that does not come up is gone afterwards.
fn started(mut command: Command, up: &'static str) -> io::Result<Child> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = spawn(command)?;
    let log = child.stderr.take();
    let log = log.ok_or_else(|| io::Error::other("no stderr"))?;
    let answer = ready(BufReader::new(log), up).recv();
    match answer.map_err(io::Error::other)? {
        Ok(()) => Ok(child),
        Err(said) => {
            child.kill()?;
            child.wait()?;
            Err(io::Error::other(format!(
                "the server did not start: {said}"
            )))
        }
    }
}

/// Reads the server's log to its end, and tells once whether it came up.
fn ready(mut log: impl BufRead + Send + 'static, up: &'static str) -> Receiver<Result<(), String>> {
    let (tell, told) = sync_channel(1);
    std::thread::spawn(move || {
        let mut said = String::new();
        let mut line = Vec::new();
        let mut waiting = true;
        loop {
            line.clear();
            if log.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
                break;
            }
            if !waiting {
                continue;
            }
            let text = String::from_utf8_lossy(&line);
            if text.contains(up) {
                waiting = false;
                tell.send(Ok(())).unwrap_or_default();
            }
            said.push_str(&text);
        }
        if waiting {
            tell.send(Err(said)).unwrap_or_default();
        }
    });
    told
}

/// Runs a client on `text` and returns what it prints.
///
/// # Errors
/// When it fails; the error holds what it says.
pub(super) fn feed(mut command: Command, text: &str) -> io::Result<String> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let stdin = child.stdin.take();
    let mut stdin = stdin.ok_or_else(|| io::Error::other("no stdin"))?;
    let text = text.to_owned();
    let feeding = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    let fed = feeding
        .join()
        .map_err(|_| io::Error::other("feeding the client panicked"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(io::Error::other(said));
    }
    fed?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
