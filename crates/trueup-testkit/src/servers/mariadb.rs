//! A MariaDB server of our own, from the binaries that Debian installs.
//!
//! As with PostgreSQL, [`shared`] gives every test of a process the same server, and each test makes its own
//! [`Database`] in it. It does not sync to disk: it survives the crash of its processes, not of the machine.

use super::host::{Account, account};
use super::{certify, free_port, lock, run, spawn};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, Weak};
use tempfile::TempDir;

/// The user of every server started here who may do everything.
pub const USER: &str = "admin";
/// The user's password; unlike anything else in a test's output, so that a leak can be searched for.
pub const PASSWORD: &str = "canary-Pa55/word";
/// The password as it stands in a URL.
pub const PASSWORD_ENCODED: &str = "canary-Pa55%2Fword";

/// How often starting is tried: the port found free may be taken.
const START_ATTEMPTS_MAX: usize = 20;
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
        let account = account("mysql")?;
        let folder = tempfile::Builder::new().prefix("trueup-my-").tempdir()?;
        let server = Self {
            options,
            program,
            account,
            folder,
            port: Mutex::new(0),
            child: Mutex::new(None),
            databases: AtomicU32::new(0),
        };
        server.own(server.folder.path())?;
        server.initialise()?;
        if server.options.tls {
            for path in certify(server.folder.path())? {
                server.own(&path)?;
            }
        }
        server.launch()?;
        Ok(server)
    }

    /// Returns the TCP port on loopback.
    pub fn port(&self) -> u16 {
        *lock(&self.port)
    }

    /// Returns the server's socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Returns the certificate of the authority that signed the server's certificate (with [`Options::tls`]).
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
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
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let mut stdin = stdin.ok_or_else(|| io::Error::other("no stdin"))?;
        let text = sql.to_owned();
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
        let printed = String::from_utf8_lossy(&output.stdout);
        Ok(printed.trim_end_matches('\n').to_owned())
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
            command.arg(format!("--regid={}", account.gid));
            command.arg("--clear-groups");
        }
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
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
        let mut command = self.as_account(Path::new("mariadb-install-db"));
        command.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
        command.args([
            "--skip-test-db",
            "--skip-name-resolve",
            "--innodb-log-file-size=8M",
        ]);
        command.arg(format!("--datadir={}", self.data().display()));
        run(command)?;
        let users = format!(
            "CREATE USER {USER}@localhost IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL ON *.* TO {USER}@localhost WITH GRANT OPTION;\n\
             CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION;\n"
        );
        std::fs::write(self.folder.path().join("users.sql"), users)?;
        self.own(&self.folder.path().join("users.sql"))
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
        if port_is_new(&self.port) {
            settings.push(format!("init-file={}", folder.join("users.sql").display()));
        }
        if self.options.tls {
            for (name, file) in [("ssl-cert", "server.crt"), ("ssl-key", "server.key")] {
                settings.push(format!("{name}={}", folder.join(file).display()));
            }
        }
        settings.extend(self.options.settings.iter().cloned());
        let mut command = self.as_account(&self.program);
        command.arg("--no-defaults");
        command.args(settings.iter().map(|setting| format!("--{setting}")));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = spawn(command)?;
        let log = child.stderr.take();
        let log = log.ok_or_else(|| io::Error::other("no stderr"))?;
        let answer = ready(BufReader::new(log))
            .recv()
            .map_err(io::Error::other)?;
        answer
            .map(|()| child)
            .map_err(|said| io::Error::other(format!("the server did not start: {said}")))
    }
}

/// Whether the server has not run yet: then its users are still to be made.
fn port_is_new(port: &Mutex<u16>) -> bool {
    *lock(port) == 0
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

/// Reads the server's log to its end, and tells once whether it came up.
fn ready(mut log: impl BufRead + Send + 'static) -> Receiver<Result<(), String>> {
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
            if text.contains("ready for connections") {
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
