//! Two files that were moved together: what they agreed on is known by where they were.

use crate::support::{self, Output, Trueup};
use std::fs;
use std::path::Path;

fn sync(folder: &Path, options: &[&str]) -> Output {
    let words = ["sync", "sqlite:a.db", "sqlite:b.db", "--two-way", "--quiet"];
    let run = Trueup::new(folder).arguments(words);
    run.arguments(["--state", "../kept.db"])
        .arguments(options)
        .run()
}

fn rows(file: &Path) -> i64 {
    let database = rusqlite::Connection::open(file).unwrap();
    database
        .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn sides_that_were_moved_are_not_joined_unasked() {
    let folder = support::folder();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    fs::create_dir(&old).unwrap();
    for name in ["a.db", "b.db"] {
        let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)";
        support::sqlite(&old.join(name), sql);
    }
    sync(&old, &[]).expect(0);
    support::sqlite(&old.join("a.db"), "DELETE FROM t WHERE id = 3");
    fs::rename(&old, &new).unwrap();
    for options in [&["--dry-run"][..], &[]] {
        let refused = sync(&new, options).expect(3);
        let said = &refused.stderr;
        assert!(
            said.contains("error[stale]: both sides were kept in agreement before"),
            "{refused}"
        );
        assert!(
            said.contains("old/a.db") && said.contains("trueup forget"),
            "{refused}"
        );
        assert_eq!((rows(&new.join("a.db")), rows(&new.join("b.db"))), (2, 3));
    }
    // Put back, it goes on; and what was deleted goes from the other side.
    fs::rename(&new, &old).unwrap();
    sync(&old, &[]).expect(0);
    assert_eq!((rows(&old.join("a.db")), rows(&old.join("b.db"))), (2, 2));
    // Moved for good: the old link is forgotten, and they are joined.
    support::sqlite(&old.join("b.db"), "DELETE FROM t WHERE id = 2");
    fs::rename(&old, &new).unwrap();
    sync(&new, &[]).expect(3);
    let status = |words: &[&str]| {
        let run = Trueup::new(&new).arguments(words);
        run.arguments(["--state", "../kept.db"]).run()
    };
    let listed = status(&["status", "--all", "--json"]).json();
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    status(&["forget", &id]).expect(0);
    sync(&new, &[]).expect(0);
    assert_eq!((rows(&new.join("a.db")), rows(&new.join("b.db"))), (2, 2));
}

#[test]
fn copies_have_a_state_of_their_own() {
    let folder = support::folder();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    for folder in [&old, &new] {
        fs::create_dir(folder).unwrap();
    }
    for name in ["a.db", "b.db"] {
        let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)";
        support::sqlite(&old.join(name), sql);
    }
    sync(&old, &[]).expect(0);
    for name in ["a.db", "b.db"] {
        fs::copy(old.join(name), new.join(name)).unwrap();
    }
    sync(&new, &[]).expect(3);
    let words = [
        "sync",
        "sqlite:a.db",
        "sqlite:b.db",
        "--two-way",
        "--quiet",
        "--state",
        "own.db",
    ];
    Trueup::new(&new).arguments(words).run().expect(0);
    sync(&old, &[]).expect(0);
}
