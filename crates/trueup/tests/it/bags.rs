//! A log without a key travels from CSV to SQLite to PostgreSQL, and every copy of a line counts; also when runs are killed.

use crate::cli::check;
use crate::support::{self, Output, Trueup, attempt};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use trueup_testkit::servers::postgres::Database;

const COUNT: &str = "SELECT line || '=' || count(*) FROM log GROUP BY line ORDER BY line";

fn log(folder: &Path, lines: &[(&str, usize)]) {
    let mut text = String::from("line,level\n");
    for (line, copies) in lines {
        text.push_str(&format!("{line},1\n").repeat(*copies));
    }
    fs::write(folder.join("log.csv"), text).unwrap();
}

fn sync(folder: &Path, from: &str, to: &str) -> Trueup {
    let run = Trueup::new(folder).sync([from, to, "--quiet", "--json", "--batch-records", "50"]);
    run.arguments(["--key", "log=all", "--delete", "--yes"])
}

fn in_sqlite(folder: &Path) -> String {
    let database = rusqlite::Connection::open(folder.join("log.db")).unwrap();
    let mut statement = database.prepare(COUNT).unwrap();
    let rows = statement
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap();
    rows.map(Result::unwrap).collect::<Vec<_>>().join("\n")
}

fn in_postgres(database: &Database) -> String {
    database.sql(COUNT).unwrap().trim().to_owned()
}

fn counted(lines: &[(&str, usize)]) -> String {
    let lines = lines
        .iter()
        .map(|(line, copies)| format!("{line}={copies}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn copies_count_from_a_file_to_two_databases() {
    let (folder, database) = (support::folder(), support::database());
    let home = folder.path();
    let url = database.url();
    for lines in [
        [("boot", 3), ("crash", 120), ("stop", 1)],
        [("boot", 1), ("crash", 130), ("stop", 1)],
        [("boot", 7), ("crash", 2), ("stop", 1)],
    ] {
        log(home, &lines);
        sync(home, "csv:log.csv", "sqlite:log.db").run().expect(0);
        assert_eq!(in_sqlite(home), counted(&lines));
        sync(home, "sqlite:log.db", &url).run().expect(0);
        assert_eq!(in_postgres(&database), counted(&lines));
        let back = sync(home, &url, "csv:back/").run();
        back.expect(0);
        let text = fs::read_to_string(home.join("back/log.csv")).unwrap();
        let copies = lines.map(|(line, _)| text.matches(&format!("{line},")).count());
        assert_eq!(copies, lines.map(|(_, copies)| copies));
        let diff = Trueup::new(home).diff(["csv:log.csv", &url, "--key", "log=all"]);
        diff.run().expect(0);
    }
}

#[test]
fn without_a_key_the_error_names_the_way_out() {
    let folder = support::folder();
    log(folder.path(), &[("boot", 2)]);
    let run = Trueup::new(folder.path()).sync(["csv:log.csv", "sqlite:log.db"]);
    let Output { stderr, .. } = run.run().expect(2);
    assert!(stderr.contains("--key log=all"), "{stderr}");
    let run = Trueup::new(folder.path()).sync(["csv:log.csv", "sqlite:log.db", "--key", "all"]);
    run.run().expect(0);
}

/// Each copy that only one side has is a line, copies of a record together, named as the plan names them.
#[test]
fn differences_are_listed_copy_by_copy() {
    let folder = support::folder();
    let home = folder.path();
    log(home, &[("boot", 2), ("crash", 1), ("stop", 4)]);
    sync(home, "csv:log.csv", "sqlite:log.db").run().expect(0);
    log(home, &[("boot", 5), ("crash", 1), ("stop", 2), ("new", 1)]);
    let sides = [
        "csv:log.csv",
        "sqlite:log.db",
        "--key",
        "log=all",
        "--quiet",
    ];
    let listed = |options: &[&str]| -> Vec<Value> {
        let run = Trueup::new(home).diff(sides).arguments(options);
        let output = run.arguments(["--out", "d.jsonl"]).run().expect(1);
        assert!(!output.stdout.contains("boot"), "no values\n{output}");
        let text = fs::read_to_string(home.join("d.jsonl")).unwrap();
        let lines = text.lines().skip(1);
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let with_values = listed(&["--show-values"]);
    let mut found: Vec<String> = with_values
        .iter()
        .map(|one| {
            let side = one["kind"].as_str().unwrap().trim_start_matches("only_");
            format!("{side} {}", one[side]["line"].as_str().unwrap())
        })
        .collect();
    let together = found.clone();
    found.dedup();
    found.sort();
    assert_eq!(found, ["source boot", "source new", "target stop"]);
    assert_eq!(together.len(), 6, "3 of boot, 1 of new, 2 of stop");
    // Without values a record has the name that a plan gives it, and nothing else.
    let bare = listed(&[]);
    assert!(
        bare.iter()
            .all(|one| one.get("source").is_none() && one.get("target").is_none())
    );
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for one in &bare {
        let text = |name: &str| one[name].as_str().unwrap().to_owned();
        *counts.entry((text("kind"), text("record"))).or_default() += 1;
    }
    let plan = sync(home, "csv:log.csv", "sqlite:log.db").arguments(["--dry-run"]);
    let plan = plan.run().expect(1).json()["plan"].clone();
    let copies = plan
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line.get("op").is_some());
    let planned: BTreeMap<(String, String), u64> = copies
        .map(|line| {
            let kind = match line["op"].as_str().unwrap() {
                "insert" => "only_source",
                _ => "only_target",
            };
            let record = line["record"].as_str().unwrap().to_owned();
            ((kind.to_owned(), record), line["copies"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(counts, planned);
}

#[test]
fn what_names_records_by_their_keys_is_refused() {
    let folder = support::folder();
    let home = folder.path();
    log(home, &[("boot", 2)]);
    let sides = [
        "csv:log.csv",
        "sqlite:log.db",
        "--key",
        "log=all",
        "--quiet",
    ];
    let script = Trueup::new(home).diff(sides).arguments(["--sql", "target"]);
    let script = script.run().expect(2);
    assert!(script.stderr.contains("it has none"), "{script}");
    for option in ["--plan-out", "--plan-in"] {
        fs::write(home.join("plan"), "").unwrap();
        let plan = Trueup::new(home).sync(sides).arguments([option, "plan"]);
        plan.run().expect(2);
    }
}

/// How often an uninterrupted run passes each failpoint.
fn passes(run: Trueup) -> BTreeMap<String, u64> {
    let output = run.env("TRUEUP_FAILPOINT", "*:1:tell").run().expect(0);
    let names = output.stderr.lines();
    let names = names.filter_map(|line| line.strip_prefix("failpoint="));
    names.fold(BTreeMap::new(), |mut passes, name| {
        *passes.entry(name.to_owned()).or_insert(0) += 1;
        passes
    })
}

#[test]
fn killed_runs_leave_exact_multiplicities() {
    let before = [("boot", 150), ("crash", 90), ("stop", 5)];
    let after = [("boot", 20), ("crash", 160), ("stop", 5)];
    for server in [false, true] {
        // Each trial has a target of its own; the first one only measures.
        let trial = |kill: Option<(&str, u64)>| -> BTreeMap<String, u64> {
            let folder = support::folder();
            let home = folder.path();
            let database = server.then(support::database);
            let to = database
                .as_ref()
                .map_or("sqlite:log.db".to_owned(), Database::url);
            log(home, &before);
            sync(home, "csv:log.csv", &to).run().expect(0);
            log(home, &after);
            let Some((name, pass)) = kill else {
                return passes(sync(home, "csv:log.csv", &to));
            };
            let armed = format!("{name}:{pass}");
            let child = sync(home, "csv:log.csv", &to).env("TRUEUP_FAILPOINT", armed);
            let died = child.spawn().wait_with_output().unwrap();
            assert_eq!(died.status.signal(), Some(Signal::KILL.as_raw()));
            sync(home, "csv:log.csv", &to).run().expect(0);
            let found = database
                .as_ref()
                .map_or_else(|| in_sqlite(home), in_postgres);
            assert_eq!(found, counted(&after));
            BTreeMap::new()
        };
        for (name, count) in trial(None) {
            for pass in [1, count.div_ceil(2)] {
                attempt(&format!("server={server} {name}:{pass}"), || {
                    trial(Some((name.as_str(), pass)));
                });
            }
        }
    }
}

#[test]
fn what_needs_a_key_says_what_does_without() {
    let folder = support::folder();
    support::sqlite(
        &folder.path().join("a.db"),
        "CREATE TABLE marks (a TEXT); INSERT INTO marks VALUES ('x')",
    );
    support::sqlite(&folder.path().join("b.db"), "CREATE TABLE marks (a TEXT)");
    let sides = ["sqlite:a.db", "sqlite:b.db", "--key", "marks=all"];
    let run = |command: &str, options: &[&str]| {
        let run = Trueup::new(folder.path()).arguments([command]);
        run.arguments(sides).arguments(options).run()
    };
    check("bag-diff-sql", &run("diff", &["--sql", "target"]));
    check("bag-plan-out", &run("sync", &["--plan-out", "p.jsonl"]));
    // What the hints name works.
    run("diff", &["--out", "d.jsonl"]).expect(1);
    run("sync", &["--dry-run"]).expect(1);
}
