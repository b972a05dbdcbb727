//! Opening a log: where it begins, what is lost, what stands in the way, and what is left.

use super::*;
use std::sync::Arc;
use trueup_core::Kind;
use trueup_testkit::servers::postgres::{Options, Server};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY)";

fn count(database: &Database) -> String {
    let sql = format!(
        "SELECT (SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'trueup_{0}'), \
         (SELECT count(*) FROM pg_publication WHERE pubname = 'trueup_{0}')",
        database.name()
    );
    database.sql(&sql).unwrap()
}

#[test]
fn unfollowing_leaves_nothing() {
    let (database, mut endpoint) = fresh(TABLE);
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let log = following.log(endpoint.as_mut(), None);
    assert_eq!(count(&database), "1|1");
    drop(log);
    endpoint.unfollow(&following.link).unwrap();
    assert_eq!(count(&database), "0|0");
    endpoint.unfollow(&following.link).unwrap();
}

/// A link's durable name is any text; what is kept at the server has a name that it can hold.
#[test]
fn names_are_what_a_server_can_hold() {
    let name = crate::postgres::follow::slot::name;
    assert_eq!(name("orders_1"), "trueup_orders_1");
    let long = name("postgres system=7 database=\"a\" -> sqlite é");
    assert_eq!(long.len(), "trueup_".len() + 32);
    assert!(
        long.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    );
    assert_ne!(long, name("postgres system=8 database=\"a\" -> sqlite é"));
    assert_ne!(name("A"), name("a"));
}

#[test]
fn trap_23_what_is_lost_is_noticed() {
    let (database, mut endpoint) = fresh(TABLE);
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let slot = format!("trueup_{}", following.link);
    let mut log = following.log(endpoint.as_mut(), None);
    database.sql("INSERT INTO t VALUES (1)").unwrap();
    let (_, first) = tell(log.as_mut(), 1);
    drop(log);
    let start = first.0.split_once(" timeline=").unwrap().0.to_owned();
    for (from, expected) in [
        (
            format!("{start} timeline=1 lsn=FFFF/0"),
            "the source stands before the position",
        ),
        (
            format!(
                "{} timeline=1 lsn=0/1",
                start.replace("system=", "system=9")
            ),
            "the source is another server or database",
        ),
        ("nowhere".to_owned(), "none of this kind"),
    ] {
        let reason = following.lost(endpoint.as_mut(), &Position(from));
        assert!(reason.contains(expected), "{reason}");
    }
    // Somebody else read the slot, and moved it on.
    database.sql("INSERT INTO t VALUES (2)").unwrap();
    until(
        &database,
        &format!("SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'"),
        "f",
    );
    database
        .sql(&format!(
            "SELECT pg_replication_slot_advance('{slot}', pg_current_wal_lsn())::text"
        ))
        .unwrap();
    let reason = following.lost(endpoint.as_mut(), &first);
    assert!(reason.contains("moved on past the position"), "{reason}");
    database.sql(&format!("DROP PUBLICATION {slot}")).unwrap();
    let mut log = following.log(endpoint.as_mut(), None);
    database.sql("INSERT INTO t VALUES (3)").unwrap();
    let (lines, last) = tell(log.as_mut(), 1);
    assert_eq!(lines, ["0 Insert Int(3)", "commit"]);
    drop(log);
    database.sql(&format!("DROP PUBLICATION {slot}")).unwrap();
    let reason = following.lost(endpoint.as_mut(), &last);
    assert!(reason.contains("the publication is gone"), "{reason}");
    until(
        &database,
        &format!("SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'"),
        "f",
    );
    database
        .sql(&format!("SELECT pg_drop_replication_slot('{slot}')"))
        .unwrap();
    let reason = following.lost(endpoint.as_mut(), &last);
    assert!(reason.contains("the slot is gone"), "{reason}");
}

/// A quiet database on a busy server does not hold the log: positions go on without any change of ours.
#[test]
fn trap_23_a_quiet_database_holds_nothing() {
    let (database, mut endpoint) = fresh(TABLE);
    let (busy, _) = fresh("CREATE TABLE load (id int)");
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    busy.sql("INSERT INTO load SELECT generate_series(1, 1000)")
        .unwrap();
    let wanted = busy.sql("SELECT pg_current_wal_lsn()").unwrap();
    let passed = format!(
        "SELECT confirmed_flush_lsn >= '{wanted}' FROM pg_replication_slots WHERE slot_name = 'trueup_{}'",
        following.link
    );
    let mut piece = Changes::default();
    while database.sql(&passed).unwrap() != "t" {
        match log.next(&mut piece, Duration::from_millis(100)).unwrap() {
            Told::Quiet(position) => log.durable(&position),
            Told::Nothing => {}
            other => panic!("{other:?}"),
        }
    }
}

/// What nobody said to be durable is kept, however quiet the log is.
#[test]
fn trap_63_the_slot_never_passes_what_is_durable() {
    let (database, mut endpoint) = fresh(TABLE);
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    let start = log.start();
    database.sql("INSERT INTO t VALUES (1)").unwrap();
    let (lines, _) = tell(log.as_mut(), 1);
    let mut piece = Changes::default();
    while !matches!(log.next(&mut piece, PATIENCE).unwrap(), Told::Quiet(_)) {}
    // A position of another source says nothing here.
    log.durable(&Position(
        "postgres system=1 database=x timeline=1 lsn=FFFF/0".to_owned(),
    ));
    drop(log);
    let mut again = following.log(endpoint.as_mut(), Some(&start));
    assert_eq!(tell(again.as_mut(), 1).0, lines);
}

#[test]
fn two_that_follow_one_link_are_told_apart() {
    let (database, mut endpoint) = fresh(TABLE);
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    let start = log.start();
    assert_eq!(
        log.next(&mut Changes::default(), Duration::ZERO).unwrap(),
        Told::Nothing
    );
    let mut second = following.log(endpoint.as_mut(), Some(&start));
    let error = second
        .next(&mut Changes::default(), Duration::ZERO)
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.message().contains("the slot is in use"), "{error}");
}

#[test]
fn a_broken_connection_is_unavailable() {
    let (database, mut endpoint) = fresh(TABLE);
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    let mut piece = Changes::default();
    log.next(&mut piece, Duration::ZERO).unwrap();
    let kill = format!(
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'trueup_{}'",
        following.link
    );
    database.sql(&kill).unwrap();
    let error = loop {
        match log.next(&mut piece, PATIENCE) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
}

#[test]
fn the_backlog_is_what_the_server_keeps() {
    let (database, mut endpoint) = fresh(TABLE);
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    let before = log.backlog().unwrap();
    database
        .sql("INSERT INTO t SELECT generate_series(1, 1000)")
        .unwrap();
    let after = log.backlog().unwrap();
    assert!(after.untold_bytes.unwrap() >= before.untold_bytes.unwrap() + 50_000);
    assert!(after.kept_bytes.unwrap() >= after.untold_bytes.unwrap());
    endpoint.unfollow(&following.link).unwrap();
    assert_eq!(log.backlog().unwrap().kept_bytes, None);
}

/// A server of its own with these settings.
fn with(settings: &[&str]) -> Database {
    let options = Options {
        settings: settings.iter().map(|&one| one.to_owned()).collect(),
        ..Options::default()
    };
    let database = Arc::new(Server::start(options).unwrap())
        .fresh_database()
        .unwrap();
    database.sql(TABLE).unwrap();
    database
}

#[test]
fn what_the_server_lacks_is_named() {
    let cases: [(&[&str], &str, &str); 2] = [
        (
            &["wal_level=replica"],
            "wal_level=replica",
            "ALTER SYSTEM SET wal_level = logical",
        ),
        (
            &["max_replication_slots=1"],
            "no slot can be made",
            "max_replication_slots",
        ),
    ];
    for (settings, message, hint) in cases {
        let database = with(settings);
        let mut endpoint = connect(&database.url(), Context::empty()).unwrap();
        if settings[0].starts_with("max") {
            let taken = "SELECT pg_create_logical_replication_slot('taken', 'pgoutput')::text";
            database.sql(taken).unwrap();
        }
        let following = Following::new(&database, endpoint.as_mut(), &["t"]);
        let error = following.open(endpoint.as_mut(), None).unwrap_err();
        assert_eq!(error.kind(), Kind::Config, "{error}");
        assert!(error.message().contains(message), "{error}");
        assert!(error.advice().unwrap().contains(hint), "{error}");
    }
}

/// A server that was promoted, or restored, goes on in another history: up to where it branched off, it is the same.
#[test]
fn trap_23_another_timeline_goes_on_where_it_branched_off() {
    let database = with(&["restore_command=false"]);
    let mut endpoint = connect(&database.url(), Context::empty()).unwrap();
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    database.sql("INSERT INTO t VALUES (1)").unwrap();
    let (_, first) = tell(log.as_mut(), 1);
    drop((log, endpoint));
    let server = database.server();
    let signal = server.socket_folder().join("data/recovery.signal");
    std::fs::write(signal, "").unwrap();
    server.restart().unwrap();
    until(&database, "SELECT pg_is_in_recovery()", "f");
    database.sql("INSERT INTO t VALUES (2)").unwrap();
    let now = database.sql("SELECT pg_current_wal_lsn()").unwrap();
    let mut endpoint = connect(&database.url(), Context::empty()).unwrap();
    // Told by the old server, after the new one had branched off.
    let beyond = format!("{} lsn={now}", first.0.split_once(" lsn=").unwrap().0);
    let reason = following.lost(endpoint.as_mut(), &Position(beyond));
    assert!(
        reason.contains("went on without what was told last"),
        "{reason}"
    );
    let mut log = following.log(endpoint.as_mut(), Some(&first));
    let (lines, last) = tell(log.as_mut(), 1);
    assert_eq!(lines, ["0 Insert Int(2)", "commit"]);
    assert!(last.0.contains("timeline=2"), "{last}");
}

/// What was not told for a while is missing for ever: a table that somebody took out, or made anew.
#[test]
fn trap_25_a_table_that_was_not_told_for_a_while_is_lost() {
    let (database, mut endpoint) =
        fresh("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)");
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let start = following.log(endpoint.as_mut(), None).start();
    let slot = format!("trueup_{}", following.link);
    // Another collection joins, and nothing is lost.
    let both = Following::new(&database, endpoint.as_mut(), &["t", "u"]);
    drop(both.log(endpoint.as_mut(), Some(&start)));
    database
        .sql(&format!("ALTER PUBLICATION {slot} DROP TABLE u"))
        .unwrap();
    let reason = both.lost(endpoint.as_mut(), &start);
    assert!(
        reason.contains("taken out of the publication: collection=u"),
        "{reason}"
    );
    drop(following.log(endpoint.as_mut(), Some(&start)));
    database
        .sql("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY)")
        .unwrap();
    let reason = following.lost(endpoint.as_mut(), &start);
    assert!(reason.contains("a table was dropped"), "{reason}");
}
