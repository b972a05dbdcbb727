//! Scenario: 7 records change, 3 go and 5 come at the source. trueup finds, announces and writes exactly that.

use crate::support::{self, Output, Trueup, expect_same};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use trueup_testkit::servers::postgres::Database;

/// Records of the collection before the change.
const RECORDS: u64 = 60;
/// Records after it.
const RECORDS_AFTER: u64 = RECORDS - 3 + 5;
const CHANGED: [u64; 7] = [1, 8, 15, 22, 29, 36, 60];
const GONE: [u64; 3] = [2, 30, 59];
const NEW: [u64; 5] = [0, 61, 62, 63, 1000];
const KEY: [&str; 2] = ["--key", "items=id"];

/// A place that holds the collection `items`.
enum Place {
    Csv(PathBuf),
    Sqlite(PathBuf),
    Postgres(Database),
}

impl Place {
    /// Makes an empty place; files lie in a folder of their own, so that all of them can be compared.
    fn new(kind: &str, folder: &Path) -> Self {
        fs::create_dir(folder).expect("the test's folder can be written");
        match kind {
            "csv" => Self::Csv(folder.to_owned()),
            "sqlite" => Self::Sqlite(folder.join("items.db")),
            _ => Self::Postgres(support::database()),
        }
    }

    fn address(&self) -> String {
        match self {
            Self::Csv(folder) => format!("csv:{}?null=NA", folder.display()),
            Self::Sqlite(file) => format!("sqlite:{}", file.display()),
            Self::Postgres(database) => database.url(),
        }
    }

    /// As the independent script calls it.
    fn independent(&self) -> String {
        match self {
            Self::Csv(folder) => format!("csv:{}", folder.display()),
            Self::Sqlite(file) => format!("sqlite:{}", file.display()),
            Self::Postgres(database) => format!("postgres:{}", database.name()),
        }
    }

    /// Makes `items` hold exactly these records.
    fn fill(&self, records: &BTreeMap<u64, String>) {
        match self {
            Self::Csv(folder) => {
                let mut text = "id,name,price,seen\n".to_owned();
                for (id, rest) in records {
                    let rest = rest.replace('\'', "").replace("NULL", "NA");
                    writeln!(text, "{id},{rest}").expect("a string can be written");
                }
                fs::write(folder.join("items.csv"), text).expect("a file can be written");
            }
            Self::Sqlite(file) => support::sqlite(file, &fill("DECIMAL_TEXT", records)),
            Self::Postgres(database) => {
                let filled = database.sql(&fill("numeric", records));
                assert!(filled.is_ok(), "{filled:?}");
            }
        }
    }

    /// Returns everything there is to see: a write of any kind, and even one that changes nothing, makes a difference.
    fn fingerprint(&self) -> BTreeMap<String, Vec<u8>> {
        match self {
            Self::Csv(folder) => files(folder),
            Self::Sqlite(file) => files(file.parent().expect("the file lies in a folder")),
            Self::Postgres(database) => {
                let seen = ["public.items", "trueup.epoch", "trueup.marker"].map(|table| {
                    let sql = format!("SELECT xmin, ctid, * FROM {table} ORDER BY 2");
                    let said = database.sql(&sql).expect("the table can be read");
                    (table.to_owned(), said.into_bytes())
                });
                seen.into_iter().collect()
            }
        }
    }
}

fn fill(decimal: &str, records: &BTreeMap<u64, String>) -> String {
    let mut sql = format!(
        "CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price {decimal}, seen DATE);
        DELETE FROM items;\n"
    );
    for (id, rest) in records {
        writeln!(sql, "INSERT INTO items VALUES ({id}, {rest});").expect("a string can be written");
    }
    sql
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.expect("the folder can be read").path();
        let content = fs::read(&path).expect("the file can be read");
        (path.display().to_string(), content)
    };
    entries.map(read).collect()
}

fn record(id: u64, price: u64) -> String {
    let seen = if id.is_multiple_of(4) {
        "NULL".to_owned()
    } else {
        format!("'2024-03-{:02}'", id % 28 + 1)
    };
    format!("'item {id}', '{price}.{:02}', {seen}", id % 100).replace(", ", ",")
}

fn before() -> BTreeMap<u64, String> {
    (1..=RECORDS).map(|id| (id, record(id, id))).collect()
}

fn after() -> BTreeMap<u64, String> {
    let mut records = before();
    records.retain(|id, _| !GONE.contains(id));
    records.extend(CHANGED.map(|id| (id, record(id, id + 500))));
    records.extend(NEW.map(|id| (id, record(id, id))));
    records
}

/// Insists on counts of the collection, by the names of the contract.
#[track_caller]
fn expect_counts(output: &Output, expected: &[(&str, u64)]) {
    let found = output.collection("items");
    for (name, count) in expected {
        assert_eq!(found[name], *count, "{name}\n{output}");
    }
}

/// One source and one target, equal at first; the change is made by each test itself.
struct Scene {
    _folder: tempfile::TempDir,
    at: PathBuf,
    source: Place,
    target: Place,
}

impl Scene {
    fn new(source: &str, target: &str) -> Self {
        let folder = support::folder();
        let at = folder.path().to_owned();
        let source = Place::new(source, &at.join("source"));
        let target = Place::new(target, &at.join("target"));
        let scene = Self {
            _folder: folder,
            at,
            source,
            target,
        };
        scene.source.fill(&before());
        let first = scene.sync(&["--json"]).expect(0);
        expect_counts(
            &first,
            &[("inserted", RECORDS), ("target_records", RECORDS)],
        );
        scene.source.fill(&after());
        scene
    }

    fn sync(&self, options: &[&str]) -> Output {
        let sides = [self.source.address(), self.target.address()];
        let run = Trueup::new(&self.at).sync(sides).arguments(KEY);
        run.arguments(options).run()
    }

    fn diff(&self, options: &[&str]) -> Output {
        let sides = [self.source.address(), self.target.address()];
        let run = Trueup::new(&self.at).diff(sides).arguments(KEY);
        run.arguments(options).run()
    }
}

/// Finds the change, with `diff` and with `--dry-run`, and insists that nothing was written by it.
fn is_found(scene: &Scene) {
    let state = fs::read(scene.at.join("state.db")).expect("there is a state file");
    let target = scene.target.fingerprint();

    let diff = scene.diff(&[]).expect(1);
    assert_eq!(diff.stdout, "items  +5  -3  ~7  =50\ndifferent\n", "{diff}");
    let counts = [
        ("only_source", 5),
        ("only_target", 3),
        ("changed", 7),
        ("unchanged", 50),
    ];
    expect_counts(&scene.diff(&["--json"]).expect(1), &counts);

    let plan = scene.sync(&["--dry-run", "--delete"]).expect(1);
    let actions: Vec<&str> = plan
        .stdout
        .lines()
        .filter(|line| line.starts_with(' '))
        .collect();
    assert_eq!(actions.len(), 15, "{plan}");
    let json = scene
        .sync(&["--dry-run", "--delete", "--json"])
        .expect(1)
        .json();
    let listed = json["plan"].as_array().unwrap();
    let ops = listed
        .iter()
        .filter(|entry| entry["op"].is_string())
        .count();
    assert_eq!(ops, 15, "{json}");
    let all = [
        ("insert", &NEW[..]),
        ("update", &CHANGED[..]),
        ("delete", &GONE[..]),
    ];
    for (verb, keys) in all {
        for key in keys {
            let begin = format!("  {verb} id={key}");
            let is_it = |line: &&&str| **line == begin || line.starts_with(&format!("{begin} "));
            assert_eq!(actions.iter().filter(is_it).count(), 1, "{begin}\n{plan}");
        }
    }
    let begin = "collection items: 5 to insert, 7 to update, 3 to delete";
    assert!(plan.stdout.starts_with(begin), "{plan}");

    assert!(
        target == scene.target.fingerprint(),
        "the target was written to\n{plan}"
    );
    let after = fs::read(scene.at.join("state.db")).expect("there is a state file");
    assert!(state == after, "the state was written to\n{plan}");
}

/// Writes the change, and insists that the next run writes nothing.
fn is_written(scene: &Scene) {
    let counts = [
        ("inserted", 5),
        ("updated", 7),
        ("deleted", 3),
        ("unchanged", 50),
        ("parked", 0),
        ("source_records", RECORDS_AFTER),
        ("target_records", RECORDS_AFTER),
    ];
    let written = scene.sync(&["--delete", "--json"]).expect(0);
    expect_counts(&written, &counts);
    assert_eq!(written.json()["equal"], true, "{written}");
    expect_same(
        &scene.at,
        &scene.source.independent(),
        &scene.target.independent(),
    );
    expect_idle(scene, &["--delete", "--json"], RECORDS_AFTER);
    scene.diff(&[]).expect(0);
}

/// Insists that a sync finds nothing to do and leaves the target as it is, epoch and all.
fn expect_idle(scene: &Scene, options: &[&str], unchanged: u64) {
    let target = scene.target.fingerprint();
    let idle = scene.sync(options).expect(0);
    let counts = [
        ("inserted", 0),
        ("updated", 0),
        ("deleted", 0),
        ("unchanged", unchanged),
    ];
    expect_counts(&idle, &counts);
    assert!(
        target == scene.target.fingerprint(),
        "the target was written to\n{idle}"
    );
}

/// Without `--delete`, what only the target has stays and is counted.
fn stays_without_delete(scene: &Scene) {
    let written = scene.sync(&["--json"]).expect(0);
    let counts = [
        ("inserted", 5),
        ("updated", 7),
        ("deleted", 0),
        ("only_target", 3),
        ("target_records", RECORDS_AFTER + 3),
    ];
    expect_counts(&written, &counts);
    assert_eq!(written.json()["equal"], true, "{written}");
    expect_idle(scene, &["--json"], RECORDS_AFTER);
    let diff = scene.diff(&[]).expect(1);
    assert_eq!(diff.stdout, "items  +0  -3  ~0  =62\ndifferent\n", "{diff}");
}

fn changes_are_found_and_written_exactly(source: &str, target: &str) {
    let scene = Scene::new(source, target);
    is_found(&scene);
    is_written(&scene);
    stays_without_delete(&Scene::new(source, target));
}

#[test]
fn changes_are_found_and_written_exactly_from_sqlite_to_sqlite() {
    changes_are_found_and_written_exactly("sqlite", "sqlite");
}

#[test]
fn changes_are_found_and_written_exactly_from_sqlite_to_postgres() {
    changes_are_found_and_written_exactly("sqlite", "postgres");
}

#[test]
fn changes_are_found_and_written_exactly_from_postgres_to_sqlite() {
    changes_are_found_and_written_exactly("postgres", "sqlite");
}

#[test]
fn changes_are_found_and_written_exactly_from_csv_to_csv() {
    changes_are_found_and_written_exactly("csv", "csv");
}

/// An index that covers the key gives its values in order, and the table its records in another.
#[test]
fn an_index_does_not_hide_the_order_of_the_table() {
    let folder = support::folder();
    let file = folder.path().join("log.db");
    support::sqlite(
        &file,
        "CREATE TABLE log (id INTEGER, line TEXT); CREATE INDEX by_id ON log (id);
         INSERT INTO log VALUES (3, 'c'), (1, 'a'), (2, 'b');",
    );
    let run = Trueup::new(folder.path()).sync(["sqlite:log.db", "sqlite:copy.db"]);
    run.arguments(["--key", "log=id"]).run().expect(0);
}
