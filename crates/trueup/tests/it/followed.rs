//! Links that follow a log, from outside: what is committed at the source comes to be at the target, whatever is killed.

use crate::support::{self, Output, Trueup};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use trueup_testkit::servers::mariadb;
use trueup_testkit::servers::postgres::Database;

/// What the links of a test have in common.
const SCHEMA: &str = "\
    CREATE TABLE account (id int PRIMARY KEY, owner text NOT NULL, balance numeric(12,2) NOT NULL, note jsonb, \
      big text, seen timestamptz, tags text[]); \
    CREATE TABLE entry (account int NOT NULL REFERENCES account, n int, amount numeric(12,2), PRIMARY KEY (account, n)); \
    ALTER TABLE account ALTER big SET STORAGE EXTERNAL; \
    INSERT INTO account SELECT i, 'owner ' || i, 1000, '{\"n\": 1}', repeat(md5(i::text), 200), \
      timestamptz '2024-01-01Z' + i * interval '1 s', ARRAY['a', NULL] FROM generate_series(1, 200) i; \
    INSERT INTO entry SELECT i, 1, i FROM generate_series(1, 200) i";

/// A link in a folder that is followed by a process.
struct Following<'a> {
    folder: &'a Path,
    child: Option<Child>,
}

impl<'a> Following<'a> {
    fn configure(folder: &'a Path, source: &str, target: &str) -> Self {
        let config = format!(
            "state = \"state.db\"\n[endpoint.a]\nurl = \"{source}\"\n[endpoint.b]\nurl = \"{target}\"\n\
             [link.ab]\nsource = \"a\"\ntarget = \"b\"\ndelete = true\nwhen = \"continuous\"\n"
        );
        fs::write(folder.join("trueup.toml"), config).unwrap();
        Self {
            folder,
            child: None,
        }
    }

    fn command(&self) -> Trueup {
        Trueup::new(self.folder).arguments(["run"])
    }

    fn start(&mut self) {
        self.child = Some(self.command().spawn());
    }

    /// Waits until `question` is answered by `t` at `place`; the process must live as long.
    #[track_caller]
    fn wait_for(&mut self, place: &Database, question: &str) {
        self.wait_until(place, || place.sql(question).unwrap_or_default() == "t");
    }

    /// Waits until a condition holds, resting in `place` in between; the process must live as long.
    #[track_caller]
    fn wait_until(&mut self, place: &Database, holds: impl Fn() -> bool) {
        while !holds() {
            let child = self.child.as_mut().unwrap();
            if let Some(status) = child.try_wait().unwrap() {
                let said = self.child.take().unwrap().wait_with_output().unwrap();
                let said = String::from_utf8_lossy(&said.stderr).into_owned();
                panic!("it ended by itself: {status}\n{said}");
            }
            place.sql("SELECT pg_sleep(0.02)").unwrap();
        }
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().unwrap();
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    /// Asks it to stop, and insists on a good end.
    #[track_caller]
    fn stop(&mut self) -> Output {
        self.signal(Signal::INT);
        let ended = self.child.take().unwrap().wait_with_output().unwrap();
        let output = Output {
            shown: "trueup run".to_owned(),
            folder: self.folder.to_owned(),
            code: ended.status.code(),
            stdout: String::from_utf8(ended.stdout).unwrap(),
            stderr: String::from_utf8(ended.stderr).unwrap(),
        };
        output.expect(0)
    }

    fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.take().unwrap().wait().unwrap();
    }
}

impl Drop for Following<'_> {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

#[track_caller]
fn expect_same(folder: &Path, one: &Database, other: &Database) {
    let [one, other] = [one, other].map(|one| format!("postgres:{}", one.name()));
    support::expect_same(folder, &one, &other);
}

/// Writes a mark at the source and waits until it is at the target: what was committed before is there too then.
fn catch_up(following: &mut Following<'_>, source: &Database, target: &Database, mark: u32) {
    let sql = format!("UPDATE account SET owner = 'mark {mark}' WHERE id = 1");
    source.sql(&sql).unwrap();
    let there = format!("SELECT owner = 'mark {mark}' FROM account WHERE id = 1");
    following.wait_for(target, &there);
}

#[test]
fn what_is_committed_at_the_source_comes_to_the_target() {
    let folder = support::folder();
    let (source, target) = (support::database(), support::database());
    source.sql(SCHEMA).unwrap();
    let mut following = Following::configure(folder.path(), &source.url(), &target.url());
    following.start();
    following.wait_for(&target, "SELECT count(*) = 200 FROM account");
    catch_up(&mut following, &source, &target, 1);
    source
        .sql(
            // Traps 1 and 2: values that do not travel, also of a record that gets another key.
            "UPDATE account SET balance = balance + 1 WHERE id BETWEEN 10 AND 20;
             UPDATE account SET id = 900 WHERE id IN (SELECT 30 EXCEPT SELECT account FROM entry);
             DELETE FROM entry WHERE account BETWEEN 40 AND 60;
             DELETE FROM account WHERE id BETWEEN 41 AND 60;
             UPDATE account SET id = 900 WHERE id = 40;
             BEGIN; INSERT INTO account VALUES (1000, 'new', 0.01, 'null', NULL, 'infinity', '{}');
             INSERT INTO entry SELECT 1000, i, i FROM generate_series(1, 500) i; SAVEPOINT s;
             DELETE FROM entry; DELETE FROM account; ROLLBACK TO s; COMMIT;
             BEGIN; INSERT INTO account VALUES (1001, 'never', 1); ROLLBACK;
             UPDATE entry SET n = n + 1000 WHERE account = 1000;
             TRUNCATE entry; INSERT INTO entry VALUES (1000, 7, 1)",
        )
        .unwrap_or_else(|error| panic!("{error}"));
    catch_up(&mut following, &source, &target, 2);
    expect_same(folder.path(), &source, &target);
    let output = following.stop();
    assert!(output.stdout.contains("equal"), "{output}");

    // What happens meanwhile is not missed, and nothing is copied again.
    source
        .sql("UPDATE account SET balance = 5; DELETE FROM account WHERE id > 150 AND id <> 1000")
        .unwrap();
    following.start();
    catch_up(&mut following, &source, &target, 3);
    expect_same(folder.path(), &source, &target);
    let output = following.stop();
    assert_eq!(output.stdout, "", "{output}");
}

#[test]
fn killed_anywhere_it_goes_on_and_no_transaction_is_seen_in_part() {
    let folder = support::folder();
    let (source, target) = (support::database(), support::database());
    source.sql(SCHEMA).unwrap();
    let mut following = Following::configure(folder.path(), &source.url(), &target.url());
    let places = [
        "engine.log_open:1",
        "engine.copied:1",
        "engine.group:1",
        "engine.group_written:1",
        "postgres.before_commit:3",
        "postgres.after_commit:3",
        "engine.group_committed:2",
    ];
    for (round, place) in places.into_iter().enumerate() {
        let killed = following
            .command()
            .env("TRUEUP_FAILPOINT", format!("{place}:kill"));
        let child = killed.spawn();
        // Each moves money between two accounts: the sum is the same after every one of them.
        for step in 0..12 {
            let (from, to) = (1 + (step * 7 + round) % 199, 1 + (step * 13) % 200);
            source
                .sql(&format!(
                    "BEGIN; UPDATE account SET balance = balance - 1 WHERE id = {from}; \
                     UPDATE account SET balance = balance + 1 WHERE id = {to}; COMMIT"
                ))
                .unwrap();
            let sum = target.sql("SELECT coalesce(sum(balance), 0) FROM account");
            let sum = sum.unwrap_or_else(|_| "no table yet".to_owned());
            assert!(
                ["0", "200000.00", "no table yet"].contains(&sum.as_str()),
                "{place}: {sum}"
            );
        }
        let ended = child.wait_with_output().unwrap();
        assert_eq!(
            ended.status.code(),
            None,
            "{place} is not passed: {}",
            String::from_utf8_lossy(&ended.stderr)
        );
    }
    following.start();
    following.wait_for(&target, "SELECT count(*) = 200 FROM account");
    catch_up(&mut following, &source, &target, 1);
    expect_same(folder.path(), &source, &target);
    following.stop();
}

#[test]
fn a_dropped_slot_is_repaired_by_comparing() {
    let folder = support::folder();
    let (source, target) = (support::database(), support::database());
    source.sql(SCHEMA).unwrap();
    let mut following = Following::configure(folder.path(), &source.url(), &target.url());
    following.start();
    following.wait_for(&target, "SELECT count(*) = 200 FROM account");
    catch_up(&mut following, &source, &target, 1);
    following.stop();
    source
        .sql(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database();
             UPDATE account SET balance = 7 WHERE id = 9; DELETE FROM entry WHERE account = 9",
        )
        .unwrap();
    following.start();
    catch_up(&mut following, &source, &target, 2);
    expect_same(folder.path(), &source, &target);
    let output = following.stop();
    assert!(
        output
            .stderr
            .contains("the log does not go on where it was left"),
        "{output}"
    );
    // Only what differs was written.
    let row = output
        .stdout
        .lines()
        .find(|line| line.starts_with("account"))
        .unwrap();
    let numbers: Vec<&str> = row.split_whitespace().skip(1).collect();
    assert_eq!(numbers[2], "0", "{output}");
    assert!(numbers[5].parse::<u64>().unwrap() >= 198, "{output}");
}

/// What two engines are told alike.
const EDITS: [&str; 8] = [
    "INSERT INTO account VALUES (1, 'one', 1.50, 'a'), (2, 'two', -2.25, NULL), (3, 'drei', 0, '')",
    "UPDATE account SET balance = balance + 1, note = 'changed' WHERE id <= 2",
    "INSERT INTO account SELECT id + 10, owner, balance * 2, note FROM account",
    "DELETE FROM account WHERE id IN (2, 13)",
    "UPDATE account SET id = id + 100 WHERE id = 3",
    "INSERT INTO account VALUES (2, 'again', 12345678.99, 'e\u{301}')",
    "UPDATE account SET note = NULL WHERE id = 11",
    "UPDATE account SET owner = 'last' WHERE id = 1",
];

const ACCOUNT: &str = "CREATE TABLE account (id int PRIMARY KEY, owner varchar(50) NOT NULL, balance decimal(12,2), note text)";
const ACCOUNTS: &str =
    "SELECT id, owner, balance, coalesce(note, '<null>') FROM account ORDER BY id";
const LAST: &str = "SELECT count(*) FROM account WHERE owner = 'last'";

/// The server's answer, whichever stands between its values.
fn answer(said: std::io::Result<String>) -> String {
    said.unwrap_or_default().replace('\t', "|")
}

/// Makes the edits at the source, in two goes of the process, and waits each time until both sides say the same; rests in
/// `place` in between.
#[track_caller]
fn carry(
    following: &mut Following<'_>,
    place: &Database,
    source: &dyn Fn(&str) -> std::io::Result<String>,
    target: &dyn Fn(&str) -> std::io::Result<String>,
) {
    for edits in EDITS.chunks(4) {
        following.start();
        edits.iter().for_each(|edit| drop(source(edit).unwrap()));
        let wanted = answer(source(ACCOUNTS));
        following.wait_until(place, || answer(target(ACCOUNTS)) == wanted);
        following.stop();
    }
    assert_eq!(answer(target(LAST)), "1");
}

#[test]
fn postgres_is_followed_into_mariadb() {
    let folder = support::folder();
    let (source, target) = (support::database(), support::mariadb());
    source.sql(ACCOUNT).unwrap();
    let mut following = Following::configure(folder.path(), &source.url(), &target.url());
    carry(&mut following, &source, &|sql| source.sql(sql), &|sql| {
        target.sql(sql)
    });
}

#[test]
fn mariadb_is_followed_into_postgres() {
    let folder = support::folder();
    let settings = ["log_bin=log", "binlog_format=ROW", "server_id=7"];
    let server = mariadb::Server::start(mariadb::Options {
        settings: settings.map(str::to_owned).to_vec(),
        tls: false,
    });
    let source = Arc::new(server.unwrap()).fresh_database().unwrap();
    let target = support::database();
    source
        .sql(&format!("{ACCOUNT} CHARACTER SET utf8mb4"))
        .unwrap();
    let mut following = Following::configure(folder.path(), &source.url(), &target.url());
    carry(&mut following, &target, &|sql| source.sql(sql), &|sql| {
        target.sql(sql)
    });
}
