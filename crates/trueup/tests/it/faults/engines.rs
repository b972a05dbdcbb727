//! Two engines at once, one that was stopped and goes on, one that is asked to stop.

use super::*;
use crate::stopped::Stopped;
use rustix::process::Signal;
use trueup_testkit::servers::postgres::Database;

/// A database with 900 records, the source of all runs here: what was read stays readable while it changes.
fn source() -> Database {
    let source = support::database();
    source
        .sql("CREATE TABLE people AS SELECT id, 'first' AS name FROM generate_series(1, 900) id; ALTER TABLE people ADD PRIMARY KEY (id)")
        .unwrap();
    source
}

fn run(folder: &Path, source: &Database, target: &str, state: &str) -> Trueup {
    let run = Trueup::new(folder).arguments(["sync", &source.url(), target, "--state", state]);
    run.arguments(["--batch-records", "100"])
}

#[test]
fn the_second_engine_on_one_state_file_is_refused() {
    let (folder, source) = (support::folder(), source());
    let folder = folder.path();
    let target = "sqlite:target.db";
    let first = Stopped::at("engine.applied:3", run(folder, &source, target, "state.db"));
    let before = fs::read(folder.join("target.db")).unwrap();
    let second = run(folder, &source, target, "state.db").run();
    refused(
        second,
        3,
        &[
            "another run of this link is under way",
            "wait for it to end",
        ],
    );
    assert_eq!(
        fs::read(folder.join("target.db")).unwrap(),
        before,
        "nothing was written"
    );
    first.go_on().expect(0);
    support::expect_same(folder, &format!("postgres:{}", source.name()), target);
}

/// Lets an engine plan, stops it between two batches, lets another one with a state file of its own write something
/// newer, and lets the first go on: what it still has in hand is old.
fn an_old_engine_is_refused(folder: &Path, target: &str, place: &str) {
    let source = source();
    run(folder, &source, target, "first.db").run().expect(0);
    source.sql("UPDATE people SET name = 'second'").unwrap();
    let first = Stopped::at("engine.applied:3", run(folder, &source, target, "first.db"));
    source.sql("UPDATE people SET name = 'third'").unwrap();
    run(folder, &source, target, "second.db").run().expect(0);
    let refusal = first.go_on();
    refused(
        refusal,
        3,
        &[
            "error[stale]",
            "another engine",
            "what this run wrote before that stays",
        ],
    );
    let name = format!("postgres:{}", source.name());
    support::expect_same(folder, &name, place);
    // And the first is not locked out for good.
    source
        .sql("UPDATE people SET name = 'fourth' WHERE id < 500")
        .unwrap();
    run(folder, &source, target, "first.db").run().expect(0);
    support::expect_same(folder, &name, place);
}

#[test]
fn an_old_engine_is_refused_by_sqlite() {
    let folder = support::folder();
    an_old_engine_is_refused(folder.path(), "sqlite:target.db", "sqlite:target.db");
}

#[test]
fn an_old_engine_is_refused_by_postgresql() {
    let (folder, target) = (support::folder(), support::database());
    let place = format!("postgres:{}", target.name());
    an_old_engine_is_refused(folder.path(), &target.url(), &place);
}

#[test]
fn an_old_engine_is_refused_by_mariadb() {
    let (folder, target) = (support::folder(), support::mariadb());
    let place = format!("mariadb:{}", target.name());
    an_old_engine_is_refused(folder.path(), &target.url(), &place);
}

#[test]
fn an_old_engine_replaces_no_file_that_it_did_not_read() {
    let (folder, source) = (support::folder(), source());
    let folder = folder.path();
    let sync = |state: &str| {
        let run = Trueup::new(folder).arguments(["sync", &source.url(), "csv:target"]);
        run.arguments(["--state", state, "--key", "people=id", "--quiet"])
    };
    sync("first.db").run().expect(0);
    source.sql("UPDATE people SET name = 'second'").unwrap();
    let first = Stopped::at("file.before_sync:1", sync("first.db"));
    source.sql("UPDATE people SET name = 'third'").unwrap();
    // The first holds its own new file, so the second cannot even begin one.
    refused(
        sync("second.db").run(),
        3,
        &["another run is writing the file", "wait until"],
    );
    fs::remove_file(folder.join("target/.trueup-people.csv.tmp")).unwrap();
    sync("second.db").run().expect(0);
    refused(
        first.go_on(),
        3,
        &["error[stale]", "file changed", "run again"],
    );
    support::expect_same(folder, &format!("postgres:{}", source.name()), "csv:target");
}

#[test]
fn a_run_that_is_asked_to_stop_stops_between_two_batches() {
    let (folder, source) = (support::folder(), source());
    let folder = folder.path();
    let target = "sqlite:target.db";
    for signal in [Signal::INT, Signal::TERM] {
        let stopped = Stopped::at("engine.applied:2", run(folder, &source, target, "state.db"));
        stopped.signal(signal);
        let words = [
            "error[interrupted]",
            "between two batches",
            "run the same command again",
        ];
        refused(stopped.go_on(), 3, &words);
        let database = rusqlite::Connection::open(folder.join("target.db")).unwrap();
        let count = "SELECT count(*) FROM people";
        let records: i64 = database.query_row(count, [], |row| row.get(0)).unwrap();
        assert_eq!(records % 200, 0, "whole batches: {records}");
        assert_ne!(records, 900, "it stopped");
    }
    run(folder, &source, target, "state.db").run().expect(0);
    support::expect_same(folder, &format!("postgres:{}", source.name()), target);
}

/// The last batch then: nine of the first run, nine of the second, and the one sent again under a number of its own,
/// because the marker said that it was applied. Without the marker it would have kept its number.
const MARKED: i64 = 19;

/// Breaks the connection after the third batch was committed and before anybody heard of it, with every write to the
/// target logged by `log`. That one batch is sent again, to hear what became of its records, and no other.
fn lose_an_answer(folder: &Path, target: &str, failpoint: &str, log: impl FnOnce()) {
    let source = source();
    run(folder, &source, target, "state.db").run().expect(0);
    source.sql("UPDATE people SET name = 'second'").unwrap();
    log();
    let armed = format!("{failpoint}:3:fail");
    let output = run(folder, &source, target, "state.db")
        .env("TRUEUP_FAILPOINT", armed)
        .run();
    output.expect(0);
}

#[test]
fn a_commit_whose_answer_was_lost_is_repeated_alone_in_sqlite() {
    let folder = support::folder();
    let file = folder.path().join("target.db");
    let target = "sqlite:target.db";
    lose_an_answer(folder.path(), target, "sqlite.after_commit", || {
        support::sqlite(
            &file,
            "CREATE TABLE log (id INTEGER); CREATE TRIGGER log AFTER UPDATE ON people \
             BEGIN INSERT INTO log VALUES (new.id); END;",
        );
    });
    let database = rusqlite::Connection::open(&file).unwrap();
    let sql = "SELECT count(*) || ' ' || count(DISTINCT id) FROM log";
    let written: String = database.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(written, "1000 900");
    let sql = "SELECT batch FROM _trueup_marker WHERE partition = 'people'";
    let batch: i64 = database.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(batch, MARKED);
}

#[test]
fn a_commit_whose_answer_was_lost_is_repeated_alone_in_postgresql() {
    let (folder, target) = (support::folder(), support::database());
    lose_an_answer(
        folder.path(),
        &target.url(),
        "postgres.after_commit",
        || {
            let sql = "CREATE TABLE log (id int); CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS \
                   $$ BEGIN INSERT INTO log VALUES (new.id); RETURN NULL; END $$; \
                   CREATE TRIGGER log AFTER INSERT OR UPDATE ON people FOR EACH ROW EXECUTE FUNCTION log()";
            target.sql(sql).unwrap();
        },
    );
    let written = target.sql("SELECT count(*), count(DISTINCT id) FROM log");
    assert_eq!(written.unwrap(), "1000|900");
    let batch = target.sql("SELECT batch FROM trueup.marker WHERE partition = 'people'");
    assert_eq!(batch.unwrap(), MARKED.to_string());
}

#[test]
fn a_commit_whose_answer_was_lost_is_repeated_alone_in_mariadb() {
    let (folder, target) = (support::folder(), support::mariadb());
    lose_an_answer(folder.path(), &target.url(), "mysql.after_commit", || {
        let sql = "CREATE TABLE _trueup_log (id int); CREATE TRIGGER log AFTER UPDATE ON people \
                   FOR EACH ROW INSERT INTO _trueup_log VALUES (NEW.id)";
        target.sql(sql).unwrap();
    });
    let written = target.sql("SELECT count(*), count(DISTINCT id) FROM _trueup_log");
    assert_eq!(written.unwrap(), "1000\t900");
    let batch = target.sql("SELECT batch FROM _trueup_marker WHERE `partition` = 'people'");
    assert_eq!(batch.unwrap(), MARKED.to_string());
}
