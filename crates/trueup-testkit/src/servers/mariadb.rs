//! A MariaDB server of our own, from the binaries that Debian installs.
//!
//! As with PostgreSQL, [`shared`] gives every test of a process the same server, and each test makes its own
//! [`Database`] in it. It does not sync to disk: it survives the crash of its processes, not of the machine.

use super::process::{Manner, Process, feed};
use super::{lock, run};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// The user of every server started here who may do everything.
pub const USER: &str = "admin";
/// The user's password; unlike anything else in a test's output, so that a leak can be searched for.
pub const PASSWORD: &str = "canary-Pa55/word";
/// The password as it stands in a URL.
pub const PASSWORD_ENCODED: &str = "canary-Pa55%2Fword";

const MANNER: Manner = Manner {
    prefix: "trueup-my-",
    account: "mysql",
    death: "KILL",
    up: "ready for connections",
    // The port found free may be taken.
    attempts_max: 20,
};
/// Where Debian puts the server, which is not on everybody's path.
const SERVER: [&str; 2] = ["/usr/sbin/mariadbd", "/usr/local/sbin/mariadbd"];

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Settings on top of ours, as `name=value`.
    pub settings: Vec<String>,
    /// Whether to make a certificate authority and a server certificate for `localhost` and offer TLS.
    pub tls: bool,
}

/// A running MariaDB server, stopped when dropped.
#[derive(Debug)]
pub struct Server {
    options: Options,
    program: PathBuf,
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
pub fn shared() -> io::Result<Arc<Server>> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut slot = lock(&SHARED);
    if let Some(server) = slot.upgrade() {
        return Ok(server);
    }
    let options = Options {
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
        let program = SERVER.iter().map(PathBuf::from).find(|path| path.exists());
        let program = program.ok_or_else(|| {
            io::Error::other(
                "no MariaDB server found; install mariadb-server-core and mariadb-client-core",
            )
        })?;
        let server = Self {
            options,
            program,
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

    /// Returns the server's socket.
    pub fn socket(&self) -> PathBuf {
        self.process.folder().join("socket")
    }

    /// Returns the certificate of the authority that signed the server's certificate (with [`Options::tls`]).
    pub fn authority(&self) -> PathBuf {
        self.process.folder().join("ca.crt")
    }

    /// Returns the URL of `database`, as the user who may do everything, with the password.
    pub fn url(&self, database: &str) -> String {
        format!(
            "mysql://{USER}:{PASSWORD_ENCODED}@127.0.0.1:{}/{database}",
            self.port()
        )
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn fresh_database(self: &Arc<Self>) -> io::Result<Database> {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("mysql", &format!("CREATE DATABASE {name}"))?;
        Ok(Database {
            server: Arc::clone(self),
            name,
        })
    }

    /// Runs SQL as the user who may do everything and returns what it prints: one line per record, fields separated by
    /// tabs, special characters escaped.
    ///
    /// # Errors
    /// When a statement fails; the error holds the server's message.
    pub fn sql(&self, database: &str, sql: &str) -> io::Result<String> {
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", "--batch", "--skip-column-names"]);
        command.args(["--default-character-set=utf8mb4", "--init-command"]);
        command.arg("SET time_zone = '+00:00'");
        command.args(["-u", USER, "-D", database, "-S"]);
        command.arg(self.socket()).env("MYSQL_PWD", PASSWORD);
        let printed = feed(command, sql)?;
        Ok(printed.trim_end_matches('\n').to_owned())
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
        let mut command = self.process.as_account(Path::new("mariadb-install-db"));
        command.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
        command.args([
            "--skip-test-db",
            "--skip-name-resolve",
            "--innodb-log-file-size=8M",
        ]);
        command.arg(format!("--datadir={}", self.data().display()));
        command.arg(self.temporary());
        run(command)?;
        let users = format!(
            "CREATE USER {USER}@localhost IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL ON *.* TO {USER}@localhost WITH GRANT OPTION;\n\
             CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION;\n"
        );
        std::fs::write(self.process.folder().join("users.sql"), users)?;
        self.process.own(&self.process.folder().join("users.sql"))
    }

    /// Where temporary tables go: a server that starts removes those of every other one in the same folder.
    fn temporary(&self) -> String {
        format!("--tmpdir={}", self.process.folder().display())
    }

    fn launch(&self) -> io::Result<()> {
        self.process.launch(|port| self.command(port))
    }

    /// What starts the server.
    fn command(&self, port: u16) -> Command {
        let folder = self.process.folder();
        let mut settings = vec![
            format!("datadir={}", self.data().display()),
            format!("socket={}", self.socket().display()),
            format!("pid-file={}", folder.join("pid").display()),
            format!("port={port}"),
            "bind-address=127.0.0.1".to_owned(),
            "skip-name-resolve".to_owned(),
            "innodb-buffer-pool-size=64M".to_owned(),
            "innodb-log-file-size=8M".to_owned(),
            "innodb-flush-log-at-trx-commit=0".to_owned(),
            "innodb-flush-method=nosync".to_owned(),
            "character-set-server=utf8mb4".to_owned(),
            "performance-schema=OFF".to_owned(),
            "local-infile=ON".to_owned(),
        ];
        // Not run yet: its users are still to be made.
        if self.process.port() == 0 {
            settings.push(format!("init-file={}", folder.join("users.sql").display()));
        }
        if self.options.tls {
            for (name, file) in [("ssl-cert", "server.crt"), ("ssl-key", "server.key")] {
                settings.push(format!("{name}={}", folder.join(file).display()));
            }
        }
        settings.extend(self.options.settings.iter().cloned());
        let mut command = self.process.as_account(&self.program);
        command.arg("--no-defaults").arg(self.temporary());
        command.args(settings.iter().map(|setting| format!("--{setting}")));
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing in it is worth a clean shutdown.
        let killed = self.kill();
        debug_assert!(killed.is_ok(), "the server process is ours");
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

    /// Returns its URL, as the user who may do everything, with the password.
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
        let dropped = self
            .server
            .sql("mysql", &format!("DROP DATABASE {}", self.name));
        drop(dropped);
    }
}
