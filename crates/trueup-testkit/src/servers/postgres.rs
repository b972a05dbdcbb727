//! A PostgreSQL server of our own, from the binaries that Debian installs.
//!
//! [`shared`] gives every test of a process the same server, and each test makes its own [`Database`] in it. A test
//! that kills or reconfigures the server takes one for itself with [`Server::start`]. The server does not sync to
//! disk by default: it survives the crash of its processes, not of the machine. PostgreSQL refuses to run as root,
//! so under root it runs as `postgres` or `nobody`.

use super::host::{Account, account};
use super::{certify, free_port, lock, run, spawn};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tempfile::TempDir;

/// The superuser of every server started here.
pub const USER: &str = "postgres";
/// The superuser's password; unlike anything else in a test's output, so that a leak can be searched for.
pub const PASSWORD: &str = "canary-Pa55/word";
/// The password as it stands in a URL.
pub const PASSWORD_ENCODED: &str = "canary-Pa55%2Fword";

/// How often starting is tried: the port found free may be taken, or the memory of a killed server still held.
const START_ATTEMPTS_MAX: usize = 40;

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The folder with `postgres` and `initdb`; Debian's newest when `None`.
    pub bin: Option<PathBuf>,
    /// Settings on top of ours, as `name=value`.
    pub settings: Vec<String>,
    /// Whether to make a certificate authority and a server certificate for `localhost` and offer TLS.
    pub tls: bool,
}

/// A running PostgreSQL server, stopped when dropped.
#[derive(Debug)]
pub struct Server {
    options: Options,
    bin: PathBuf,
    account: Option<Account>,
    folder: TempDir,
    port: Mutex<u16>,
    child: Mutex<Option<Child>>,
    databases: AtomicU32,
}

/// A database of its own for one test, dropped with this value.
#[derive(Debug)]
pub struct Database {
    server: Arc<Server>,
    name: String,
}

/// Returns the server that the tests of this process share, starting it if none is running. It stops when the last
/// holder drops it.
///
/// # Errors
/// When the binaries are missing or the server does not start.
pub fn shared(bin: Option<&Path>) -> io::Result<Arc<Server>> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut slot = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = slot.upgrade() {
        return Ok(server);
    }
    let options = Options {
        bin: bin.map(Path::to_owned),
        tls: true,
        ..Options::default()
    };
    let server = Arc::new(Server::start(options)?);
    *slot = Arc::downgrade(&server);
    Ok(server)
}

impl Server {
    /// Makes a new data folder and starts a server on it.
    ///
    /// # Errors
    /// When the binaries are missing or the server does not start.
    pub fn start(options: Options) -> io::Result<Self> {
        let bin = match &options.bin {
            Some(bin) => bin.clone(),
            None => newest_debian()?,
        };
        let account = account("postgres")?;
        let folder = tempfile::Builder::new().prefix("trueup-pg-").tempdir()?;
        let server = Self {
            options,
            bin,
            account,
            folder,
            port: Mutex::new(0),
            child: Mutex::new(None),
            databases: AtomicU32::new(0),
        };
        server.own(server.folder.path())?;
        server.initialise()?;
        if server.options.tls {
            server.certify()?;
        }
        server.launch()?;
        Ok(server)
    }

    /// Returns the TCP port on loopback.
    pub fn port(&self) -> u16 {
        *lock(&self.port)
    }

    /// Returns the folder of the server's socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the certificate of the authority that signed the server's certificate (with [`Options::tls`]).
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// Returns the URL of `database`, as the superuser, with the password.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://{USER}:{PASSWORD_ENCODED}@127.0.0.1:{}/{database}",
            self.port()
        )
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn fresh_database(self: &Arc<Self>) -> io::Result<Database> {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(Database {
            server: Arc::clone(self),
            name,
        })
    }

    /// Runs SQL as the superuser and returns what it prints: one line per record, fields separated by `|`.
    ///
    /// # Errors
    /// When a statement fails; the error holds the server's message.
    pub fn sql(&self, database: &str, sql: &str) -> io::Result<String> {
        let mut command = Command::new(self.bin.join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
        command.args(["-h", "127.0.0.1", "-U", USER, "-d", database]);
        command.arg("-p").arg(self.port().to_string());
        command
            .env("PGPASSWORD", PASSWORD)
            .env("PGCLIENTENCODING", "UTF8");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut stdin = child
            .stdin
            .take()
            .ok_or_else(|| io::Error::other("no stdin"))?;
        let text = sql.to_owned();
        let feeding = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
        let output = child.wait_with_output()?;
        let fed = feeding
            .join()
            .map_err(|_| io::Error::other("feeding psql panicked"))?;
        if !output.status.success() {
            return Err(io::Error::other(
                String::from_utf8_lossy(&output.stderr).into_owned(),
            ));
        }
        fed?;
        Ok(String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned())
    }

    /// Kills the server as a crash would: SIGKILL, no shutdown.
    ///
    /// # Errors
    /// When there is no process to kill.
    pub fn kill(&self) -> io::Result<()> {
        if let Some(mut child) = lock(&self.child).take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Starts a killed server again on the same data and port.
    ///
    /// # Errors
    /// When the server does not start.
    pub fn restart(&self) -> io::Result<()> {
        self.kill()?;
        self.launch()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A command that runs as the server's account and dies with this process.
    fn as_account(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        if let Some(account) = self.account {
            command.arg(format!("--reuid={}", account.uid));
            command
                .arg(format!("--regid={}", account.gid))
                .arg("--clear-groups");
        }
        command.args(["--pdeathsig", "QUIT", "--"]).arg(program);
        command
            .current_dir(self.folder.path())
            .env("LC_ALL", "C.UTF-8");
        command
    }

    fn own(&self, path: &Path) -> io::Result<()> {
        match self.account {
            Some(account) => chown(path, Some(account.uid), Some(account.gid)),
            None => Ok(()),
        }
    }

    fn initialise(&self) -> io::Result<()> {
        let secret = self.folder.path().join("password");
        std::fs::write(&secret, PASSWORD)?;
        self.own(&secret)?;
        let mut command = self.as_account(&self.bin.join("initdb"));
        command.args([
            "--no-sync",
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ]);
        command
            .args(["-U", USER, "--pwfile"])
            .arg(&secret)
            .arg("-D")
            .arg(self.data());
        run(command)
    }

    fn certify(&self) -> io::Result<()> {
        for path in certify(self.folder.path())? {
            self.own(&path)?;
        }
        Ok(())
    }

    fn launch(&self) -> io::Result<()> {
        let mut last = io::Error::other("not tried");
        for _ in 0..START_ATTEMPTS_MAX {
            let port = match self.port() {
                0 => free_port()?,
                port => port,
            };
            match self.launch_on(port) {
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

    fn launch_on(&self, port: u16) -> io::Result<Child> {
        let folder = self.folder.path();
        let mut settings = vec![
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", folder.display()),
            "fsync=off".to_owned(),
            "full_page_writes=off".to_owned(),
            "shared_buffers=32MB".to_owned(),
            "max_connections=100".to_owned(),
            "lc_messages=C".to_owned(),
        ];
        if self.options.tls {
            settings.push("ssl=on".to_owned());
            settings.push(format!(
                "ssl_cert_file={}",
                folder.join("server.crt").display()
            ));
            settings.push(format!(
                "ssl_key_file={}",
                folder.join("server.key").display()
            ));
        }
        settings.extend(self.options.settings.iter().cloned());
        let mut command = self.as_account(&self.bin.join("postgres"));
        command.arg("-D").arg(self.data());
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = spawn(command)?;
        let log = child
            .stderr
            .take()
            .ok_or_else(|| io::Error::other("no stderr"))?;
        match ready(BufReader::new(log))
            .recv()
            .map_err(io::Error::other)?
        {
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
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing in it is worth a clean shutdown, but SIGKILL would leave its shared memory segment behind.
        if let Some(mut child) = lock(&self.child).take() {
            let mut stop = self.as_account(&self.bin.join("pg_ctl"));
            stop.args(["stop", "-s", "-m", "immediate", "-D"])
                .arg(self.data());
            let stopped = run(stop)
                .or_else(|_| child.kill())
                .and_then(|()| child.wait());
            debug_assert!(stopped.is_ok(), "the server process is ours");
        }
    }
}

impl Database {
    /// Returns the database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the server that holds it.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Returns its URL, as the superuser, with the password.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Runs SQL in it; see [`Server::sql`].
    ///
    /// # Errors
    /// When a statement fails.
    pub fn sql(&self, sql: &str) -> io::Result<String> {
        self.server.sql(&self.name, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A server that a test has killed cannot drop it, and its folder is removed anyway.
        let dropped = self.server.sql(
            "postgres",
            &format!("DROP DATABASE {} WITH (FORCE)", self.name),
        );
        drop(dropped);
    }
}

/// Reads the server's log to its end, and tells once whether it came up.
fn ready(mut log: impl BufRead + Send + 'static) -> Receiver<Result<(), String>> {
    let (tell, told) = sync_channel(1);
    std::thread::spawn(move || {
        let mut said = String::new();
        let mut line = Vec::new();
        let mut waiting = true;
        loop {
            line.clear();
            let read = log.read_until(b'\n', &mut line).unwrap_or(0);
            if read == 0 {
                break;
            }
            if !waiting {
                continue;
            }
            let text = String::from_utf8_lossy(&line);
            if text.contains("database system is ready to accept connections") {
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

/// The newest version under Debian's folder.
fn newest_debian() -> io::Result<PathBuf> {
    let missing = || io::Error::other("no PostgreSQL server found; install the package postgresql");
    let mut newest: Option<(u32, PathBuf)> = None;
    for entry in std::fs::read_dir("/usr/lib/postgresql").map_err(|_| missing())? {
        let path = entry?.path();
        let version = path
            .file_name()
            .and_then(|name| name.to_str()?.parse::<u32>().ok());
        let bin = path.join("bin");
        if let Some(version) = version
            && bin.join("postgres").exists()
            && newest.as_ref().is_none_or(|(best, _)| version > *best)
        {
            newest = Some((version, bin));
        }
    }
    newest.map(|(_, bin)| bin).ok_or_else(missing)
}
