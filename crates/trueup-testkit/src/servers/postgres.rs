//! A PostgreSQL server of our own, from the binaries that Debian installs.
//!
//! [`shared`] gives every test of a process the same server, and each test makes its own [`Database`] in it. A test
//! that kills or reconfigures the server takes one for itself with [`Server::start`]. The server does not sync to
//! disk by default: it survives the crash of its processes, not of the machine. PostgreSQL refuses to run as root,
//! so under root it runs as `postgres` or `nobody`.

use super::process::{Manner, Process, feed};
use super::{lock, run};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// The superuser of every server started here.
pub const USER: &str = "postgres";
/// The superuser's password; unlike anything else in a test's output, so that a leak can be searched for.
pub const PASSWORD: &str = "canary-Pa55/word";
/// The password as it stands in a URL.
pub const PASSWORD_ENCODED: &str = "canary-Pa55%2Fword";

const MANNER: Manner = Manner {
    prefix: "trueup-pg-",
    account: "postgres",
    death: "QUIT",
    up: "database system is ready to accept connections",
    // The port found free may be taken, or the memory of a killed server still held.
    attempts_max: 40,
};

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
    process: Process,
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
    let mut slot = lock(&SHARED);
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
        let server = Self {
            options,
            bin,
            process: Process::new(MANNER)?,
            databases: AtomicU32::new(0),
        };
        server.initialise()?;
        if server.options.tls {
            server.process.certify()?;
        }
        server.launch()?;
        Ok(server)
    }

    /// Returns the TCP port on loopback.
    pub fn port(&self) -> u16 {
        self.process.port()
    }

    /// Returns the folder of the server's socket.
    pub fn socket_folder(&self) -> &Path {
        self.process.folder()
    }

    /// Returns the certificate of the authority that signed the server's certificate (with [`Options::tls`]).
    pub fn authority(&self) -> PathBuf {
        self.process.folder().join("ca.crt")
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
        let printed = feed(command, sql)?;
        Ok(printed.trim_end().to_owned())
    }

    /// Kills the server as a crash would: SIGKILL, no shutdown.
    ///
    /// # Errors
    /// When there is no process to kill.
    pub fn kill(&self) -> io::Result<()> {
        self.process.kill()
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
        self.process.folder().join("data")
    }

    fn initialise(&self) -> io::Result<()> {
        let secret = self.process.folder().join("password");
        std::fs::write(&secret, PASSWORD)?;
        self.process.own(&secret)?;
        let mut command = self.process.as_account(&self.bin.join("initdb"));
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

    fn launch(&self) -> io::Result<()> {
        self.process.launch(|port| self.command(port))
    }

    /// What starts the server.
    fn command(&self, port: u16) -> Command {
        let folder = self.process.folder();
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
        let mut command = self.process.as_account(&self.bin.join("postgres"));
        command.arg("-D").arg(self.data());
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing in it is worth a clean shutdown, but SIGKILL would leave its shared memory segment behind.
        if let Some(mut child) = self.process.take() {
            let mut stop = self.process.as_account(&self.bin.join("pg_ctl"));
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
