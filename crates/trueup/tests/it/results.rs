//! Results in files (plans, lists of differences, scripts) when the process dies while it writes one.
//!
//! Invariant: under the result's name there is nothing, an earlier result, or the whole new one. The same command then
//! succeeds, and nothing else is left beside it.

use crate::stopped::Stopped;
use crate::support::{self, Trueup, attempt};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

/// The commands that write a result, and what an earlier one looked like.
const COMMANDS: [(&[&str], &str); 3] = [
    (
        &["sync", "--delete", "--plan-out", "result"],
        "{\"trueup_plan\": \"earlier\"}\n",
    ),
    (&["diff", "--out", "result"], "{\"trueup_diff\": 0}\n"),
    (
        &["diff", "--sql", "target", "--out", "result"],
        "-- trueup: an earlier script\n",
    ),
];
/// Enough differences for several writes of a buffer.
const RECORDS: u32 = 3000;

fn shop(home: &Path) {
    let records = |filter: &str| {
        format!(
            "CREATE TABLE x (id INTEGER PRIMARY KEY, v TEXT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {RECORDS})
             INSERT INTO x SELECT i, 'a value, and not a short one ' || i FROM n WHERE {filter};"
        )
    };
    support::sqlite(&home.join("a.db"), &records("i % 30 > 0"));
    support::sqlite(&home.join("b.db"), &records("i % 30 < 5"));
}

fn command(home: &Path, arguments: &[&str]) -> Trueup {
    let run = Trueup::new(home).arguments(arguments);
    run.arguments([
        "sqlite:a.db",
        "sqlite:b.db",
        "--quiet",
        "--state",
        "state.db",
    ])
}

/// What is in the folder besides the sides, the result and the state.
fn left(home: &Path) -> Vec<String> {
    let entries = fs::read_dir(home).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().display().to_string());
    let known = ["a.db", "b.db", "result", "scratch", "state.db"];
    names
        .filter(|name| !known.contains(&name.as_str()))
        .collect()
}

/// A plan says when it was made; the rest is the same each time.
fn result(home: &Path) -> Option<String> {
    let text = fs::read_to_string(home.join("result")).ok()?;
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    if lines[0].starts_with("{\"trueup_plan\":1") {
        lines.remove(0);
    }
    Some(lines.concat())
}

#[test]
fn killed_runs_leave_a_whole_result_or_none() {
    for (arguments, earlier) in COMMANDS {
        let folder = support::folder();
        shop(folder.path());
        let told = command(folder.path(), arguments).env("TRUEUP_FAILPOINT", "*:1:tell");
        let told = told.run().expect(1);
        let whole = result(folder.path());
        let mut passes: BTreeMap<&str, u64> = BTreeMap::new();
        for line in told.stderr.lines() {
            if let Some(name) = line.strip_prefix("failpoint=result.") {
                *passes.entry(name).or_default() += 1;
            }
        }
        let names: Vec<&str> = passes.keys().copied().collect();
        let all = ["after_rename", "before_rename", "before_sync", "writing"];
        assert_eq!(names, all, "{told}");
        for (name, count) in passes {
            for (pass, before) in [1, count.div_ceil(2), count]
                .into_iter()
                .flat_map(|pass| [(pass, None), (pass, Some(earlier))])
            {
                attempt(&format!("{arguments:?} {name}:{pass} {before:?}"), || {
                    let folder = support::folder();
                    let home = folder.path();
                    shop(home);
                    if let Some(before) = before {
                        fs::write(home.join("result"), before).unwrap();
                    }
                    let armed = format!("result.{name}:{pass}");
                    let run = command(home, arguments).env("TRUEUP_FAILPOINT", armed);
                    let died = run.spawn().wait_with_output().unwrap();
                    assert_eq!(died.status.signal(), Some(Signal::KILL.as_raw()));
                    let expected = match name {
                        "after_rename" => whole.clone(),
                        _ => before.map(str::to_owned),
                    };
                    assert!(result(home) == expected, "{:?}", result(home));
                    command(home, arguments).run().expect(1);
                    assert!(result(home) == whole, "{:?}", result(home));
                    assert_eq!(left(home), [""; 0], "beside the result");
                });
            }
        }
    }
}

#[test]
fn two_runs_do_not_write_one_result() {
    let folder = support::folder();
    let home = folder.path();
    shop(home);
    let (arguments, _) = COMMANDS[1];
    let stopped = Stopped::at("result.writing:9", command(home, arguments));
    let output = command(home, arguments).run().expect(2);
    assert!(
        output.stderr.contains("another run is writing it"),
        "{output}"
    );
    stopped.go_on().expect(1);
    assert!(result(home).is_some());
    assert_eq!(left(home), [""; 0]);
}
