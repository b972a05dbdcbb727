//! Loads by several workers, from one PostgreSQL server into another: what comes of them is what one worker makes, and no
//! kill and no lost answer of any of them changes that.

use crate::support::{self, Trueup};
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;

/// The first table is large enough to be cut in two.
const TABLES: &str = "CREATE TABLE big (id bigint PRIMARY KEY, note text, n int); \
     CREATE TABLE parent (id int PRIMARY KEY, name text UNIQUE); \
     CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent, v numeric); \
     CREATE INDEX big_n ON big (n); CREATE INDEX child_v ON child (v); CREATE UNIQUE INDEX child_both ON child (parent, id); \
     CREATE INDEX child_parent ON child (parent); \
     INSERT INTO big SELECT i, repeat(md5(i::text), 30), i % 100 FROM generate_series(1, 18000) i; \
     INSERT INTO parent SELECT i, 'name ' || i FROM generate_series(1, 500) i; \
     INSERT INTO child SELECT i, i % 500 + 1, i / 7.0 FROM generate_series(1, 3000) i";
const DIGESTS: &str = "SELECT (SELECT sum(hash_record_extended(b, 0)) FROM big b), \
     (SELECT sum(hash_record_extended(p, 0)) FROM parent p), (SELECT sum(hash_record_extended(c, 0)) FROM child c)";
const STRUCTURE: &str = "SELECT string_agg(what, E'\\n' ORDER BY what) FROM (SELECT pg_get_indexdef(indexrelid) FROM pg_index \
     UNION ALL SELECT conrelid::regclass || pg_get_constraintdef(oid) FROM pg_constraint) AS all_of_it (what) \
     WHERE what ~ '(big|parent|child)'";
/// Who wrote batches.
const WRITERS: &str = "SELECT string_agg(partition, ', ' ORDER BY partition) FROM trueup.marker";

#[test]
fn several_workers_make_what_one_makes() {
    let one = support::database();
    one.sql(TABLES).unwrap();
    let mut said = Vec::new();
    for (workers, writers) in [("1", "big, child, parent"), ("4", "worker 2")] {
        let (folder, other) = (support::folder(), support::database());
        let sync = Trueup::new(folder.path()).sync([&*one.url(), &*other.url()]);
        let sync = sync.arguments(["--json", "--batch-records", "1000"]);
        let done = sync.arguments(["--workers", workers]).run().expect(0);
        assert!(other.sql(WRITERS).unwrap().contains(writers), "{done}");
        for query in [DIGESTS, STRUCTURE] {
            assert_eq!(
                other.sql(query).unwrap(),
                one.sql(query).unwrap(),
                "{workers}"
            );
        }
        let report = done.json();
        assert_eq!(
            report["certificate"]["collections"]
                .as_array()
                .unwrap()
                .len(),
            3
        );
        said.push(["collections", "structure", "equal"].map(|part| report[part].to_string()));
        assert!(
            !report["certificate"]["source"]["position"].is_null(),
            "{done}"
        );
    }
    assert_eq!(said[0], said[1]);
}

/// Loads into an empty database, with what is to happen at a failpoint, then once more without; both databases are equal then.
fn load(failpoint: &str, code: Option<i32>) {
    let folder = support::folder();
    let (one, other) = (support::database(), support::database());
    one.sql(TABLES).unwrap();
    let sync = || {
        let sync = Trueup::new(folder.path()).sync([&*one.url(), &*other.url()]);
        sync.arguments(["--json", "--batch-records", "1000", "--workers", "3"])
    };
    let child = sync().env("TRUEUP_FAILPOINT", failpoint).spawn();
    let died = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&died.stderr);
    match code {
        Some(code) => assert_eq!(died.status.code(), Some(code), "{failpoint}: {said}"),
        None => {
            let killed = Some(Signal::KILL.as_raw());
            assert_eq!(died.status.signal(), killed, "{failpoint}: {said}");
        }
    }
    let report = sync().run().expect(0).json();
    assert_eq!(report["equal"], true, "{failpoint}");
    for proof in report["certificate"]["collections"].as_array().unwrap() {
        assert_eq!(proof["wrong"], 0, "{failpoint}");
        assert_eq!(proof["digest_source"], proof["digest_target"]);
    }
    for query in [DIGESTS, STRUCTURE] {
        assert_eq!(
            other.sql(query).unwrap(),
            one.sql(query).unwrap(),
            "{failpoint}"
        );
    }
}

#[test]
fn a_run_of_several_workers_is_killed_anywhere_and_goes_on() {
    for failpoint in [
        "engine.created:2",
        "postgres.before_write:5",
        "postgres.before_commit:9",
        "postgres.after_commit:12",
        "engine.applied:3",
        "engine.checkpointed:11",
        "engine.loaded:1",
        "engine.built:3",
    ] {
        load(failpoint, None);
    }
}

#[test]
fn an_answer_that_one_of_several_workers_lost_is_found_out() {
    // Creating the three tables passes no such place; the fifth batch is one of several under way.
    for failpoint in [
        "postgres.before_commit:5:fail",
        "postgres.after_commit:5:fail",
    ] {
        load(failpoint, Some(0));
    }
}

#[test]
fn several_tables_go_into_mariadb_at_once() {
    let tables = ["a", "b", "c", "d"].map(|name| {
        format!(
            "CREATE TABLE {name} (id int PRIMARY KEY, v numeric(12,2)); CREATE INDEX {name}_v ON {name} (v); \
             INSERT INTO {name} SELECT i, i / 4.0 FROM generate_series(1, 3000) i"
        )
    });
    let one = support::database();
    one.sql(&tables.join("; ")).unwrap();
    for failpoint in [
        "none",
        "mysql.before_commit:7:fail",
        "mysql.after_commit:7:fail",
    ] {
        let (folder, other) = (support::folder(), support::mariadb());
        let sync = Trueup::new(folder.path()).sync([&*one.url(), &*other.url()]);
        let sync = sync.arguments(["--json", "--batch-records", "500", "--workers", "3"]);
        let done = sync.env("TRUEUP_FAILPOINT", failpoint).run().expect(0);
        for proof in done.json()["certificate"]["collections"]
            .as_array()
            .unwrap()
        {
            assert_eq!(proof["wrong"], 0, "{failpoint}");
            assert_eq!(proof["digest_source"], proof["digest_target"]);
        }
        let written = "SELECT COUNT(*), SUM(v) FROM a UNION ALL SELECT COUNT(*), SUM(v) FROM d";
        let all = "3000\t1125375.00";
        assert_eq!(other.sql(written).unwrap(), format!("{all}\n{all}"));
        let indexes = "SELECT COUNT(DISTINCT INDEX_NAME) FROM information_schema.STATISTICS \
             WHERE TABLE_SCHEMA = DATABASE() AND INDEX_NAME LIKE '__v'";
        assert_eq!(other.sql(indexes).unwrap(), "4", "{failpoint}");
        let writers = "SELECT COUNT(*) FROM _trueup_marker WHERE `partition` LIKE 'worker %'";
        assert_eq!(other.sql(writers).unwrap(), "2", "{failpoint}");
    }
}
