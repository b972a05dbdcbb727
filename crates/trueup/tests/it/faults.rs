//! What goes wrong in daily use: each with the documented exit code, a message that says what to do, and a target
//! that is untouched or consistent.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens"
)]

mod disk;
mod engines;
mod rights;
mod values;

use crate::support::{self, Output, Trueup};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

/// A target with two records, and a source with thirty others.
fn shop() -> TempDir {
    let folder = support::folder();
    fs::create_dir(folder.path().join("source")).unwrap();
    write(folder.path(), "id,name\n1,Ada\n2,Grace\n");
    for target in ["sqlite:target.db", "csv:target"] {
        sync(folder.path(), target).run().expect(0);
    }
    let all: String = (1..=30).map(|id| format!("{id},n{id}\n")).collect();
    write(folder.path(), &format!("id,name\n{all}"));
    folder
}

fn write(folder: &Path, text: &str) {
    fs::write(folder.join("source/people.csv"), text).unwrap();
}

fn sync(folder: &Path, target: &str) -> Trueup {
    Trueup::new(folder).sync(["csv:source", target, "--key", "people=id", "--quiet"])
}

/// Insists on an exit code, on a message with all of `words`, and on advice.
#[track_caller]
fn refused(output: Output, code: i32, words: &[&str]) -> Output {
    let output = output.expect(code);
    for word in words {
        assert!(output.stderr.contains(word), "no {word:?} in\n{output}");
    }
    assert!(
        output.stderr.contains("\n  hint: "),
        "no advice in\n{output}"
    );
    output
}

fn bytes(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    (read("target.db"), read("target/people.csv"))
}

#[test]
fn a_source_that_was_emptied_deletes_nothing_unless_told_twice() {
    let folder = shop();
    let folder = folder.path();
    for target in ["sqlite:target.db", "csv:target"] {
        sync(folder, target).run().expect(0);
    }
    let before = bytes(folder);
    write(folder, "id,name\n");
    support::sqlite(
        &folder.join("emptied.db"),
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);",
    );
    for target in ["sqlite:target.db", "csv:target"] {
        let emptied = Trueup::new(folder).sync(["sqlite:emptied.db", target, "--key", "people=id"]);
        for run in [sync(folder, target), emptied] {
            let output = run.arguments(["--delete"]).run();
            let words = ["guard", "deletes all 30 records", "--yes", "--dry-run"];
            refused(output, 4, &words);
            assert_eq!(bytes(folder), before, "{target} was written");
        }
        let output = sync(folder, target).arguments(["--json"]).run().expect(0);
        let people = output.collection("people");
        assert_eq!(
            (&people["deleted"], &people["only_target"]),
            (&0.into(), &30.into())
        );
        assert_eq!(bytes(folder), before, "{target} was written");
    }
    for target in ["sqlite:target.db", "csv:target"] {
        sync(folder, target)
            .arguments(["--delete", "--yes"])
            .run()
            .expect(0);
        support::expect_same(folder, "csv:source", target);
    }
}

#[test]
fn a_source_file_that_was_cut_is_not_believed() {
    let folder = shop();
    let folder = folder.path();
    let before = bytes(folder);
    let cases = [
        ("", "not even a header", "write the header"),
        ("id,na", "no line end", "end its last line"),
        ("id,name\n1,Ada\n2,Gr", "no line end", "end its last line"),
        ("id,name\n1,Ada\n2", "", "end its last line"),
        ("id,name\n1,Ada\n2\n", "line=3", ""),
        (
            "id,name\n1,Ada\n2,\"Gr",
            "unterminated quote",
            "the file was cut off",
        ),
        (
            "id,name\n1,Ada\n2,\"Gr\n",
            "unterminated quote",
            "the file was cut off",
        ),
    ];
    for (text, what, advice) in cases {
        write(folder, text);
        for target in ["sqlite:target.db", "csv:target"] {
            let output = sync(folder, target).arguments(["--delete"]).run();
            refused(
                output,
                3,
                &["error[corrupt]: source: ", what, advice, "people.csv"],
            );
            assert_eq!(bytes(folder), before, "{target} was written");
        }
    }
}

#[test]
fn a_place_that_is_not_there() {
    let folder = shop();
    let folder = folder.path();
    let before = bytes(folder);
    let cases: [(&str, &str, i32, &[&str]); 6] = [
        (
            "csv:nowhere",
            "sqlite:target.db",
            2,
            &["source: ", "path=nowhere", "check the path"],
        ),
        (
            "sqlite:nowhere.db",
            "sqlite:target.db",
            2,
            &["source: ", "check the address"],
        ),
        (
            "sqlite:nowhere.db#people",
            "sqlite:target.db",
            2,
            &["source: ", "people"],
        ),
        (
            "csv:source",
            "sqlite:no/where/target.db",
            3,
            &["target: ", "check that the folder exists"],
        ),
        (
            "carrier-pigeon:source",
            "sqlite:target.db",
            2,
            &["carrier-pigeon", "sqlite:FILE"],
        ),
        (
            "csv:source",
            "postgres://postgres@127.0.0.1:1/none",
            3,
            &["target", "check that the server runs"],
        ),
    ];
    for (source, target, code, words) in cases {
        let run = Trueup::new(folder).sync([source, target, "--key", "id", "--delete", "--yes"]);
        refused(run.run(), code, words);
        assert_eq!(bytes(folder), before, "{target} was written");
    }
    assert!(
        !folder.join("nowhere.db").exists(),
        "a source is never created"
    );
}

#[test]
fn a_reader_that_went_away_changes_nothing_else() {
    let folder = shop();
    let folder = folder.path();
    let mut child = sync(folder, "sqlite:target.db")
        .arguments(["--json"])
        .spawn();
    drop(child.stdout.take());
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    support::expect_same(folder, "csv:source", "sqlite:target.db");
    let mut child = std::process::Command::new(support::binary());
    let child = child
        .args(["sync", "--help"])
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
