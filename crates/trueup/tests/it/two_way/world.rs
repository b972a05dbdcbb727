//! A two-way link under test: a SQLite file, a PostgreSQL database, somebody who edits both, and a judge.
//!
//! Invariant: nothing is believed that the tool says about itself but its list of conflicts, and that is compared with
//! the reference too. A world made with the same seed and treated the same sees the same edits.

use super::editor::{Edit, Editor, edit_postgres, edit_sqlite};
use super::shape::{self, COLLECTIONS, Collection, Rules, System};
use crate::support::{self, Output, Trueup};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;
use trueup_testkit::servers::postgres::{self, Database, Options, Server};

/// Records of a batch: few, so that a run has many batches.
const BATCH: &str = "5";
/// Tables and triggers that count every write to the SQLite side, whoever makes it.
const COUNTED: &str = "CREATE TABLE IF NOT EXISTS _trueup_counted (written INTEGER);";

pub(super) struct World {
    pub(super) folder: TempDir,
    pub(super) database: Database,
    pub(super) editor: Editor,
    pub(super) rules: Rules,
    /// Whether PostgreSQL is called the source.
    pub(super) swapped: bool,
    /// Whether all collections are at both sides.
    joined: bool,
    /// Whether the writes are put down for `lineage.py`.
    pub(super) journalled: bool,
    /// How many runs were started.
    pub(super) runs: u64,
    /// How many conflicts are on record.
    pub(super) conflicts: u64,
}

/// Starts a server that a test may kill.
pub(super) fn server() -> Arc<Server> {
    Arc::new(Server::start(Options::default()).expect("PostgreSQL can be started"))
}

impl World {
    /// Makes two sides with some records each, a part of them under the same keys.
    pub(super) fn new(server: &Arc<Server>, seed: u64, rules: Rules, journalled: bool) -> Self {
        let mut world = Self {
            folder: support::folder(),
            database: server.fresh_database().expect("a database can be made"),
            editor: Editor::new(seed),
            rules,
            swapped: false,
            joined: false,
            journalled,
            runs: 0,
            conflicts: 0,
        };
        world.swapped = world.editor.dice.below(2) == 1;
        let wal = journalled || world.editor.dice.below(2) == 1;
        let mode = if wal { "wal" } else { "delete" };
        let mut sqlite = format!("PRAGMA journal_mode = {mode}; {COUNTED}\n");
        let mut postgres = String::new();
        for collection in &COLLECTIONS {
            for (system, sql) in [
                (System::Sqlite, &mut sqlite),
                (System::Postgres, &mut postgres),
            ] {
                if world.has(collection, system) {
                    sql.push_str(&collection.table(system));
                }
            }
        }
        support::sqlite(&world.file(), &sqlite);
        world.database.sql(&postgres).unwrap();
        for system in System::BOTH {
            let there = |collection: &Collection| collection.only.is_none_or(|only| only == system);
            let inserts = world.editor.inserts(10, there);
            assert!(world.write(system, &inserts), "nobody is in the way");
        }
        if !journalled {
            // Some records are the same on both sides from the beginning.
            let there = |collection: &Collection| collection.only.is_none();
            let inserts = world.editor.inserts(6, there);
            for system in System::BOTH {
                assert!(world.write(system, &inserts), "nobody is in the way");
            }
        }
        world
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.path().join("side.db")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.folder.path().join(support::STATE)
    }

    fn has(&self, collection: &Collection, system: System) -> bool {
        self.joined || collection.only.is_none_or(|only| only == system)
    }

    /// The two addresses, in the order in which the user names them.
    pub(super) fn addresses(&self) -> [String; 2] {
        let mut sides = ["sqlite:side.db".to_owned(), self.database.url()];
        if self.swapped {
            sides.reverse();
        }
        sides
    }

    // --- editing

    /// Makes `count` random edits on each side, the hot ones among them new ones.
    pub(super) fn edit(&mut self, count: usize) {
        self.editor.turn();
        for system in System::BOTH {
            let edits = self.edits(system, count);
            assert!(self.write(system, &edits), "nobody is in the way");
        }
        if !self.journalled {
            // What both do alike.
            let joined = self.joined;
            let there = |collection: &Collection| joined || collection.only.is_none();
            let edits = self.editor.edits(count / 8, there);
            for system in System::BOTH {
                assert!(self.write(system, &edits), "nobody is in the way");
            }
        }
    }

    pub(super) fn edits(&mut self, system: System, count: usize) -> Vec<Edit> {
        let joined = self.joined;
        let there =
            |collection: &Collection| joined || collection.only.is_none_or(|only| only == system);
        self.editor.edits(count, there)
    }

    /// Makes the edits, all or none; none where somebody is in the way.
    pub(super) fn write(&self, system: System, edits: &[Edit]) -> bool {
        let written = match system {
            System::Sqlite => edit_sqlite(&self.file(), edits),
            System::Postgres => edit_postgres(&self.database, edits),
        };
        let Some(written) = written else {
            return false;
        };
        if self.journalled {
            let path = self.folder.path().join("writes");
            let mut journal = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .unwrap();
            for line in written {
                writeln!(journal, "{line}").unwrap();
            }
        }
        true
    }

    // --- running

    /// The command under test, about to run.
    pub(super) fn command(&mut self) -> Trueup {
        self.runs += 1;
        let run = Trueup::new(self.folder.path()).sync(self.addresses());
        let run = run.arguments(["--two-way", "--json", "--quiet", "--batch-records", BATCH]);
        run.arguments(self.rules.options())
    }

    /// Runs the command to its end, which must be a good one, and puts down the conflicts on record. Returns how the
    /// run ended.
    pub(super) fn settle(&mut self) -> Output {
        let output = self.command().run();
        let open = self.list_conflicts();
        self.joined = true;
        output.expect(i32::from(open > 0))
    }

    /// Puts down the conflicts on record, and returns how many of them are open.
    pub(super) fn list_conflicts(&mut self) -> usize {
        let list = Trueup::new(self.folder.path()).state("conflicts", ["list", "--json"]);
        let listed = list.run().expect(0);
        fs::write(self.folder.path().join("conflicts.json"), &listed.stdout).unwrap();
        let listed = listed.json();
        let listed = listed.as_array().unwrap();
        self.conflicts = listed.len() as u64;
        listed
            .iter()
            .filter(|one| one["decision"] == "open")
            .count()
    }

    /// Insists that a run writes nothing.
    pub(super) fn expect_idle(&mut self) {
        let before = self.fingerprint();
        let output = self.settle();
        for collection in output.json()["collections"].as_array().unwrap() {
            for count in ["inserted", "updated", "deleted"] {
                assert_eq!(collection[count], 0, "{count}\n{output}");
            }
        }
        assert!(
            before == self.fingerprint(),
            "something was written\n{output}"
        );
    }

    /// Returns what a write of any kind would change, even one that changes nothing.
    fn fingerprint(&self) -> BTreeMap<&'static str, String> {
        let database = rusqlite::Connection::open(self.file()).unwrap();
        let mut triggers = String::new();
        for name in COLLECTIONS.map(|collection| collection.name) {
            for event in ["INSERT", "UPDATE", "DELETE"] {
                writeln!(
                    triggers,
                    "CREATE TRIGGER IF NOT EXISTS counted_{name}_{event} AFTER {event} ON {name} \
                     BEGIN INSERT INTO _trueup_counted VALUES (1); END;"
                )
                .unwrap();
            }
        }
        database.execute_batch(&triggers).unwrap();
        let written = "SELECT count(*) FROM _trueup_counted";
        let written: i64 = database.query_row(written, [], |row| row.get(0)).unwrap();
        let seen = COLLECTIONS.map(|collection| {
            let name = collection.name;
            let sql = format!("SELECT xmin, xmax, ctid FROM {name} ORDER BY ctid");
            (name, self.database.sql(&sql).unwrap())
        });
        let mut seen = BTreeMap::from(seen);
        seen.insert("written", written.to_string());
        seen
    }

    // --- judging

    /// Puts down what both sides hold before a run.
    pub(super) fn look(&self) {
        self.describe(false);
        self.ask("expected.py", &["look"]).unwrap();
    }

    /// Insists on what the reference says about the run since [`World::look`]. `forgotten` says that the base was lost.
    #[track_caller]
    pub(super) fn judge(&self, forgotten: bool) {
        let said = self.judged(forgotten);
        assert!(said.is_ok(), "{}", said.unwrap_err());
    }

    /// As [`World::judge`], and returns what the reference says is wrong.
    pub(super) fn judged(&self, forgotten: bool) -> Result<(), String> {
        self.describe(forgotten);
        self.ask("expected.py", &["judge"])
    }

    /// Insists that nothing anybody wrote was lost.
    #[track_caller]
    pub(super) fn trace(&self) {
        let said = self.traced();
        assert!(said.is_ok(), "{}", said.unwrap_err());
    }

    /// As [`World::trace`], and returns what is wrong.
    pub(super) fn traced(&self) -> Result<(), String> {
        self.describe(false);
        self.ask("lineage.py", &[])
    }

    /// As [`World::trace`], of the writes at one side alone: the other was put back from an older copy.
    #[track_caller]
    pub(super) fn trace_at(&self, system: System) {
        self.describe(false);
        let name = match system {
            System::Sqlite => "sqlite",
            System::Postgres => "postgres",
        };
        let said = self.ask("lineage.py", &["--only", name]);
        assert!(said.is_ok(), "{}", said.unwrap_err());
    }

    fn describe(&self, forgotten: bool) {
        let sqlite = format!("sqlite:{}", self.file().display());
        let postgres = format!("postgres:{}", self.database.name());
        let (source, target) = if self.swapped {
            (postgres, sqlite)
        } else {
            (sqlite, postgres)
        };
        let trial = json!({
            "sides": {"source": source, "target": target},
            "collections": shape::described(),
            "rules": self.rules.described(),
            "traced": shape::TRACED,
            "forgotten": forgotten,
        });
        fs::write(self.folder.path().join("trial.json"), trial.to_string()).unwrap();
    }

    fn ask(&self, script: &str, arguments: &[&str]) -> Result<(), String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/two_way");
        let output = Command::new("python3")
            .arg("-B")
            .arg(folder.join(script))
            .args(arguments)
            .arg(self.folder.path())
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.database.server().port().to_string())
            .env("PGUSER", postgres::USER)
            .env("PGPASSWORD", postgres::PASSWORD)
            .output()
            .expect("python3 can be started");
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => Ok(()),
            Some(1) if complaint.is_empty() => Err(format!("swapped={}\n{said}", self.swapped)),
            code => panic!("{script} failed, exit {code:?}\n{said}{complaint}"),
        }
    }

    /// Takes what is on record now as judged.
    pub(super) fn know(&mut self) {
        self.list_conflicts();
        self.describe(false);
        self.ask("expected.py", &["know"]).unwrap();
    }
}
