//! Where a snapshot meets the log: a commit is in the log before others can see it.

use super::*;
use crate::server::given::scan;
use std::sync::Arc;
use trueup_testkit::servers::postgres::{Options, Server};

#[test]
fn trap_24_a_commit_is_told_before_a_snapshot_holds_it() {
    // A commit waits for a standby that is not there, but only where a session says that it wants to.
    let settings = [
        "synchronous_standby_names=missing",
        "synchronous_commit=local",
    ];
    let server = Server::start(Options {
        settings: settings.map(str::to_owned).to_vec(),
        ..Options::default()
    });
    let server = Arc::new(server.unwrap());
    let database = server.fresh_database().unwrap();
    database.sql("CREATE TABLE t (id int PRIMARY KEY)").unwrap();
    let mut endpoint = connect(&database.url(), Context::empty()).unwrap();
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    database.sql("INSERT INTO t VALUES (1)").unwrap();
    tell(log.as_mut(), 1);
    let early = endpoint.snapshot().unwrap().position();
    assert!(log.seen(&early).unwrap());
    std::thread::scope(|scope| {
        let writer =
            scope.spawn(|| database.sql("SET synchronous_commit = on; INSERT INTO t VALUES (2)"));
        assert_eq!(tell(log.as_mut(), 1).0, ["0 Insert Int(2)", "commit"]);
        assert!(!log.seen(&early).unwrap());
        let between = endpoint.snapshot().unwrap().position();
        assert!(!log.seen(&between).unwrap());
        assert_eq!(shown(&scan(endpoint.as_mut(), "t").0), ["Int(1)"]);
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        until(&database, waiting, "1");
        let cancel =
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        database.sql(cancel).unwrap();
        writer.join().unwrap().unwrap();
        let late = endpoint.snapshot().unwrap().position();
        assert!(log.seen(&late).unwrap());
        assert_eq!(shown(&scan(endpoint.as_mut(), "t").0), ["Int(1)", "Int(2)"]);
    });
}

/// A transaction that began before a table joined is told in part, so it has to end before a snapshot of the table counts.
#[test]
fn trap_25_a_table_joins_when_older_transactions_have_ended() {
    let (database, mut endpoint) =
        fresh("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
    let first = Following::new(&database, endpoint.as_mut(), &["a"]);
    let log = first.log(endpoint.as_mut(), None);
    let start = log.start();
    drop(log);
    let both = Following::new(&database, endpoint.as_mut(), &["a", "b"]);
    let writer = session(&database);
    writer.execute("BEGIN; INSERT INTO b VALUES (1)").unwrap();
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| both.log(endpoint.as_mut(), Some(&start)));
        let joining = "SELECT count(*) FROM pg_publication WHERE obj_description(oid, 'pg_publication') LIKE '%joining'";
        until(&database, joining, "1");
        assert!(!opening.is_finished());
        writer.execute("INSERT INTO a VALUES (1); COMMIT").unwrap();
        let mut log = opening.join().unwrap();
        database.sql("INSERT INTO b VALUES (2)").unwrap();
        assert_eq!(
            tell(log.as_mut(), 2).0,
            ["0 Insert Int(1)", "commit", "1 Insert Int(2)", "commit"]
        );
    });
    assert_eq!(shown(&scan(endpoint.as_mut(), "b").0), ["Int(1)", "Int(2)"]);
}
