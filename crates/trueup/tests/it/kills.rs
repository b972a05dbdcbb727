//! Kills the tool where it hurts, and runs the same command again.
//!
//! Invariant: however a run dies, the next one ends with exit code 0 and a clean certificate, the independent script
//! agrees, at most one batch was written twice, and nothing temporary is left. Every failpoint in the code is
//! covered: one that no hop passes fails the test. The seed of the random moments is told when one of them fails;
//! `TRUEUP_SEED` plays it again, `TRUEUP_KILLS_FLIGHTS` takes more of the example data.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens"
)]

mod place;

use self::place::Place;
use crate::support::{self, Dice, Trueup, attempt};
use rustix::process::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const COLLECTIONS: [&str; 4] = ["airlines", "airports", "flights", "planes"];
/// Records of a batch here: small, so that a run has many.
const BATCH: u64 = 200;
/// How many random moments.
const MOMENTS: u64 = 50;
const HOPS: [(System, System); 8] = [
    (System::Csv, System::Sqlite),
    (System::Sqlite, System::Postgres),
    (System::Postgres, System::Sqlite),
    (System::Sqlite, System::Mariadb),
    (System::Mariadb, System::Sqlite),
    (System::Sqlite, System::Csv),
    (System::Sqlite, System::Jsonl),
    (System::Jsonl, System::Sqlite),
];
/// Of a copy, makes something that differs by inserts, updates and deletes, all below the guard's limit.
const AGE: &str = "\
    DELETE FROM flights WHERE flight % 10 = 3; \
    UPDATE flights SET distance = distance + 1 WHERE flight % 10 = 5; \
    UPDATE flights SET flight = flight + 100000 WHERE flight % 10 = 7; \
    DELETE FROM planes WHERE seats = 55; UPDATE airports SET alt = alt + 1 WHERE alt % 3 = 0;";
/// Logs every write to the target's largest collection.
const LOG_SQLITE: &str = "\
    CREATE TABLE _trueup_written (key TEXT); \
    CREATE TRIGGER log_insert AFTER INSERT ON flights BEGIN INSERT INTO _trueup_written VALUES (new.flight); END; \
    CREATE TRIGGER log_update AFTER UPDATE ON flights BEGIN INSERT INTO _trueup_written VALUES (new.flight); END; \
    CREATE TRIGGER log_delete AFTER DELETE ON flights BEGIN INSERT INTO _trueup_written VALUES (old.flight); END;";
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum System {
    Csv,
    Jsonl,
    Sqlite,
    Postgres,
    Mariadb,
}

impl System {
    fn is_files(self) -> bool {
        matches!(self, Self::Csv | Self::Jsonl)
    }

    /// The ending of its files.
    fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Sqlite | Self::Postgres | Self::Mariadb => "db",
        }
    }
}

/// What the target holds when the run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Start {
    Nothing,
    Older,
}

type Course = (System, System, Start);

/// The places every trial begins with: the same data in each system, and an older state of it.
struct Stage {
    folder: TempDir,
    now: [Place; 2],
    older: [Place; 2],
}

impl Stage {
    fn new(flights: usize) -> Self {
        let folder = support::folder();
        let stage = Self {
            folder,
            now: Place::each(),
            older: Place::each(),
        };
        let (home, examples) = (stage.folder.path(), support::nycflights());
        fs::create_dir(home.join("now")).unwrap();
        for name in COLLECTIONS {
            let file = format!("{name}.csv");
            let text = fs::read_to_string(examples.join(&file)).unwrap();
            let kept: String = text.split_inclusive('\n').take(flights + 1).collect();
            fs::write(home.join("now").join(file), kept).unwrap();
        }
        let older = home.join("older.db");
        let copy = |from: &str, to: &str, keys: &[&str]| {
            let run = Trueup::new(home).sync([from, to, "--quiet"]);
            run.arguments(keys).run().expect(0);
        };
        copy("csv:now?null=NA", "sqlite:now.db", &keys());
        for place in &stage.now {
            copy("sqlite:now.db", &place.url(), &[]);
        }
        fs::copy(home.join("now.db"), &older).unwrap();
        support::sqlite(&older, AGE);
        for place in &stage.older {
            copy("sqlite:older.db", &place.url(), &[]);
        }
        copy("sqlite:older.db", "csv:older?null=NA", &keys());
        copy("sqlite:now.db", "jsonl:now_lines", &keys());
        copy("sqlite:older.db", "jsonl:older_lines", &keys());
        support::sqlite(&older, LOG_SQLITE);
        stage.older.iter().for_each(Place::log);
        stage
    }

    /// The source of `system`: its address, and its name for the independent script.
    fn source(&self, system: System) -> (String, String) {
        let home = self.folder.path().display();
        match system {
            System::Csv => (format!("csv:{home}/now?null=NA"), format!("csv:{home}/now")),
            System::Jsonl => (
                format!("jsonl:{home}/now_lines"),
                format!("jsonl:{home}/now_lines"),
            ),
            System::Sqlite => (
                format!("sqlite:{home}/now.db"),
                format!("sqlite:{home}/now.db"),
            ),
            System::Postgres => (self.now[0].url(), self.now[0].name()),
            System::Mariadb => (self.now[1].url(), self.now[1].name()),
        }
    }
}

fn keys() -> Vec<&'static str> {
    let weather = |pair: &&[&str]| !pair[1].starts_with("weather");
    let pairs = support::NYCFLIGHTS_KEYS.chunks(2);
    pairs.filter(weather).flatten().copied().collect()
}

/// One run to be killed and its successor, in a folder of their own.
struct Trial<'a> {
    stage: &'a Stage,
    course: Course,
    folder: TempDir,
    database: Option<Place>,
}

impl<'a> Trial<'a> {
    fn new(stage: &'a Stage, course: Course) -> Self {
        let (folder, (_, to, start)) = (support::folder(), course);
        let (home, older) = (folder.path(), stage.folder.path());
        let database = Place::of(to);
        match (start, &database) {
            (Start::Nothing, _) => {}
            (Start::Older, Some(made)) => made.become_copy_of(&stage.older),
            (Start::Older, None) if to == System::Sqlite => {
                fs::copy(older.join("older.db"), home.join("target.db")).unwrap();
            }
            (Start::Older, None) => {
                fs::create_dir(home.join("target")).unwrap();
                let from = older.join(match to {
                    System::Jsonl => "older_lines",
                    _ => "older",
                });
                for name in COLLECTIONS {
                    let file = format!("{name}.{}", to.ending());
                    fs::copy(from.join(&file), home.join("target").join(&file)).unwrap();
                }
            }
        }
        Self {
            stage,
            course,
            folder,
            database,
        }
    }

    /// The target: its address, and its name for the independent script.
    fn target(&self) -> (String, String) {
        match (&self.database, self.course.1) {
            (Some(database), _) => (database.url(), database.name()),
            (None, System::Csv) => ("csv:target?null=NA".to_owned(), "csv:target".to_owned()),
            (None, System::Jsonl) => ("jsonl:target".to_owned(), "jsonl:target".to_owned()),
            (None, _) => ("sqlite:target.db".to_owned(), "sqlite:target.db".to_owned()),
        }
    }

    fn command(&self) -> Trueup {
        let (source, target) = (self.stage.source(self.course.0).0, self.target().0);
        let batch = BATCH.to_string();
        let run = Trueup::new(self.folder.path()).sync([source.as_str(), target.as_str()]);
        let run = run.arguments(["--delete", "--json", "--quiet"]);
        let run = run.arguments(["--batch-records", batch.as_str()]);
        let run = run.arguments(["--collections", &COLLECTIONS.join(",")]);
        let files = self.course.0.is_files() || self.course.1.is_files();
        run.arguments(if files { keys() } else { Vec::new() })
    }

    /// Runs uninterrupted; tells how often each failpoint is passed, and how long it takes.
    #[expect(
        clippy::disallowed_methods,
        reason = "the length of a run bounds when to kill; nothing is asserted on it"
    )]
    fn measure(&self) -> (BTreeMap<String, u64>, Duration) {
        let begun = std::time::Instant::now();
        let output = self.command().env("TRUEUP_FAILPOINT", "*:1:tell").run();
        let (took, output) = (begun.elapsed(), output.expect(0));
        let mut passes = BTreeMap::new();
        for name in output
            .stderr
            .lines()
            .filter_map(|line| line.strip_prefix("failpoint="))
        {
            *passes.entry(name.to_owned()).or_insert(0) += 1;
        }
        (passes, took)
    }

    /// Kills a run at a failpoint's n-th pass, and judges what follows.
    fn kill_at(&self, failpoint: &str, pass: u64) {
        let armed = format!("{failpoint}:{pass}");
        let child = self.command().env("TRUEUP_FAILPOINT", armed).spawn();
        let died = child.wait_with_output().unwrap();
        assert_eq!(
            died.status.signal(),
            Some(Signal::KILL.as_raw()),
            "the failpoint was not passed: {}",
            String::from_utf8_lossy(&died.stderr)
        );
        self.go_on(0);
    }

    /// Kills a run after a while, or lets it end where it is quicker, and judges what follows.
    #[expect(
        clippy::disallowed_methods,
        reason = "the moment of the kill is random; whatever it is, the same must hold"
    )]
    fn kill_after(&self, delay: Duration) {
        let mut child = self.command().spawn();
        std::thread::sleep(delay);
        child.kill().unwrap();
        child.wait_with_output().unwrap();
        // A server may still be committing the batch when the next run looks.
        self.go_on(BATCH);
    }

    /// Runs the same command again, and looks at everything. At most `repeated_max` records may be written twice.
    fn go_on(&self, repeated_max: u64) {
        let before = self.records();
        let output = self.command().run().expect(0);
        let report = output.json();
        assert_eq!(report["equal"], true, "{output}");
        let proofs = report["certificate"]["collections"].as_array();
        let proofs = proofs.unwrap_or_else(|| panic!("no certificate\n{output}"));
        assert_eq!(proofs.len(), COLLECTIONS.len(), "{output}");
        for proof in proofs {
            assert_eq!(
                (&proof["wrong"], &proof["parked"]),
                (&0.into(), &0.into()),
                "{output}"
            );
            assert_eq!(proof["digest_source"], proof["digest_target"], "{output}");
        }
        let source = self.stage.source(self.course.0).1;
        support::expect_same(self.folder.path(), &source, &self.target().1);
        self.expect_tidy();
        let written = |name: &str| -> u64 {
            let collections = report["collections"].as_array().unwrap();
            collections
                .iter()
                .map(|one| one[name].as_u64().unwrap())
                .sum()
        };
        if self.course.2 == Start::Nothing {
            let repeated = before + written("inserted") - self.records();
            assert!(
                repeated <= repeated_max,
                "{repeated} records were written twice\n{output}"
            );
            assert_eq!(written("updated") + written("deleted"), 0, "{output}");
        }
        if let Some(logged) = self.logged() {
            let needed = self.needed();
            let repeated = logged.checked_sub(needed);
            assert!(
                repeated.is_some_and(|repeated| repeated <= repeated_max),
                "{logged} writes where {needed} suffice\n{output}"
            );
        }
    }

    /// Asserts that nothing is left in the trial's folder but the target, the state, and empty folders.
    fn expect_tidy(&self) {
        let mut found = BTreeSet::new();
        list(self.folder.path(), "", &mut found);
        let mut wanted = BTreeSet::from(["state.db".to_owned()]);
        match self.course.1 {
            System::Sqlite => wanted.extend(["target.db".to_owned()]),
            to @ (System::Csv | System::Jsonl) => {
                wanted.extend(COLLECTIONS.map(|name| format!("target/{name}.{}", to.ending())));
            }
            System::Postgres | System::Mariadb => {}
        }
        assert_eq!(found, wanted, "files are left over, or missing");
    }

    /// Counts the target's records; a missing table has none.
    fn records(&self) -> u64 {
        let home = self.folder.path();
        let of = |name: &str| match (&self.database, self.course.1) {
            (Some(database), _) => {
                let count = database.sql(&format!("SELECT count(*) FROM {name}"));
                count.map_or(0, |count| count.parse().unwrap())
            }
            (None, to @ (System::Csv | System::Jsonl)) => {
                let header = usize::from(to == System::Csv);
                let file = home.join(format!("target/{name}.{}", to.ending()));
                let text = fs::read_to_string(file);
                text.map_or(0, |text| text.lines().skip(header).count() as u64)
            }
            (None, _) => count(&home.join("target.db"), name),
        };
        COLLECTIONS.map(of).iter().sum()
    }

    /// How many writes the target's triggers saw, where it has some.
    fn logged(&self) -> Option<u64> {
        match (&self.database, self.course) {
            (Some(database), (_, _, Start::Older)) => Some(database.logged()),
            (None, (_, System::Sqlite, Start::Older)) => Some(count(
                &self.folder.path().join("target.db"),
                "_trueup_written",
            )),
            _ => None,
        }
    }

    /// How many of them an uninterrupted run needs: what [`AGE`] did to the flights.
    fn needed(&self) -> u64 {
        let flights = |residue: u8| {
            let file = self.stage.folder.path().join("now.db");
            count(&file, &format!("flights WHERE flight % 10 = {residue}"))
        };
        flights(3) + flights(5) + 2 * flights(7)
    }
}

/// Counts records in a SQLite file that may not be there, nor the table.
fn count(file: &Path, table: &str) -> u64 {
    if !file.exists() {
        return 0;
    }
    let database = rusqlite::Connection::open(file).unwrap();
    let sql = format!("SELECT count(*) FROM {table}");
    let count: rusqlite::Result<i64> = database.query_row(&sql, [], |row| row.get(0));
    count.map_or(0, |count| count.try_into().unwrap())
}

fn list(folder: &Path, prefix: &str, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().display());
        if entry.file_type().unwrap().is_dir() {
            list(&entry.path(), &format!("{name}/"), into);
        } else {
            into.insert(name);
        }
    }
}

fn courses() -> impl Iterator<Item = Course> {
    let starts = [Start::Nothing, Start::Older];
    HOPS.into_iter()
        .flat_map(move |(from, to)| starts.map(|start| (from, to, start)))
}

/// The names of all failpoints, as the code has them, but for those of two-way runs, of following, and of results in files,
/// which are covered there.
fn named() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for part in ["trueup-core", "trueup-engine", "trueup-sql", "trueup"] {
        let mut files = BTreeSet::new();
        let folder: PathBuf = support::root().join("crates").join(part).join("src");
        list(&folder, "", &mut files);
        let elsewhere = |file: &String| {
            ["tests", "two_way", "follow"]
                .map(|part| file.contains(part))
                .contains(&true)
        };
        let ours = |file: &&String| !elsewhere(file);
        for file in files.iter().filter(ours) {
            let text = fs::read_to_string(folder.join(file)).unwrap();
            let passes = text.split(".pass(\"").skip(1);
            let found = passes.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()));
            names.extend(found.filter(|name| !name.starts_with("result.")));
        }
    }
    names
}

#[test]
fn every_failpoint() {
    let (stage, seed) = (Stage::new(800), Dice::seed());
    let (mut dice, mut covered) = (Dice(seed), BTreeSet::new());
    for course in courses() {
        let (passes, _) = Trial::new(&stage, course).measure();
        for (name, count) in passes {
            // The first pass of a load, any pass of a change; of a file also the last, with nothing left to write.
            let mut chosen = BTreeSet::from([match course.2 {
                Start::Nothing => 1,
                Start::Older => 1 + dice.below(count),
            }]);
            if name.starts_with("file.") {
                chosen.insert(count);
            }
            for pass in chosen {
                let what = format!("TRUEUP_SEED={seed} {course:?} {name}:{pass}");
                attempt(&what, || Trial::new(&stage, course).kill_at(&name, pass));
            }
            covered.insert(name);
        }
    }
    assert_eq!(
        covered,
        named(),
        "every failpoint of the code is passed by some hop"
    );
}

#[test]
fn random_moments() {
    let flights = support::variable("TRUEUP_KILLS_FLIGHTS");
    let flights = flights.map_or(2_000, |flights| flights.parse().unwrap());
    let (stage, seed) = (Stage::new(flights), Dice::seed());
    let measured: Vec<_> = courses()
        .map(|course| (course, Trial::new(&stage, course).measure()))
        .collect();
    let mut dice = Dice(seed);
    for moment in 0..MOMENTS {
        let (course, (passes, took)) = &measured[dice.below(measured.len() as u64) as usize];
        let trial = Trial::new(&stage, *course);
        if moment % 2 == 0 {
            let pass = 1 + dice.below(passes.values().sum());
            attempt(
                &format!("TRUEUP_SEED={seed} moment={moment} {course:?} *:{pass}"),
                || {
                    trial.kill_at("*", pass);
                },
            );
        } else {
            let delay = took.mul_f64(dice.below(1000) as f64 / 1000.0);
            attempt(
                &format!("TRUEUP_SEED={seed} moment={moment} {course:?} {delay:?}"),
                || {
                    trial.kill_after(delay);
                },
            );
        }
    }
}
