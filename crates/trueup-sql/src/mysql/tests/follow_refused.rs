//! Logs that cannot be followed, and positions that are lost.

use super::follow::{Given, Reading, logging_with};
use super::*;
use std::sync::Arc;
use trueup_core::Kind;
use trueup_core::endpoint::Position;
use trueup_core::follow::Opened;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v int)";

fn lost(given: &mut Given, from: &Position) -> String {
    match given.open(&["t"], Some(from)).unwrap() {
        Opened::Lost(reason) => reason,
        Opened::Log(log) => panic!("nothing is lost: {}", log.start()),
    }
}

fn refused(given: &mut Given, names: &[&str]) -> trueup_core::Error {
    let error = given.open(names, None).unwrap_err();
    assert!(error.advice().is_some(), "{error}");
    error
}

#[test]
fn trap_39_a_position_whose_log_is_gone_is_lost() {
    let server = Arc::new(logging_with(&[]));
    let mut given = Given::on(&server, TABLE);
    let mut log: Reading = given.follow(&["t"]);
    given.sql("INSERT INTO t VALUES (1, 1); INSERT INTO t VALUES (2, 2)");
    let start = log.position.clone();
    log.told(1);
    let first = log.position.clone();
    drop(log);
    // Nobody reads the old file any more once the server was started again, and it can be thrown away.
    server.restart().unwrap();
    given.endpoint = connect(&given.database.url(), Context::empty()).unwrap();
    given.sql("FLUSH BINARY LOGS; INSERT INTO t VALUES (3, 3); PURGE BINARY LOGS TO 'bin.000002'");
    let reason = lost(&mut given, &start);
    assert!(reason.contains("thrown away"), "{reason}");
    assert!(lost(&mut given, &first).contains("thrown away"));
    // From now on there is a log.
    given.follow(&["t"]);

    given.sql("RESET MASTER");
    assert!(lost(&mut given, &first).contains("reset"));
    given.sql("INSERT INTO t VALUES (4, 1)");
    let mut log = given.follow(&["t"]);
    given.sql("INSERT INTO t VALUES (5, 1)");
    log.told(1);
    let position = log.position.clone();
    // As many transactions, and others.
    given.sql(
        "RESET MASTER; INSERT INTO t VALUES (6, 1); INSERT INTO t VALUES (7, 1), (8, 1); INSERT INTO t VALUES (9, 1)",
    );
    let reason = lost(&mut given, &position);
    assert!(reason.contains("other transactions"), "{reason}");

    let mut other = Given::new(TABLE);
    let reason = lost(&mut other, &position);
    assert!(reason.contains("another server"), "{reason}");
    let error = other
        .open(&["t"], Some(&Position("lsn=1".to_owned())))
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
}

#[test]
fn trap_36_what_foreign_keys_do_is_not_logged() {
    let mut given = Given::new(
        "CREATE TABLE p (id int PRIMARY KEY); \
         CREATE TABLE c (id int PRIMARY KEY, p int, CONSTRAINT f FOREIGN KEY (p) REFERENCES p (id) ON DELETE SET NULL); \
         CREATE TABLE r (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id))",
    );
    let error = refused(&mut given, &["p", "c"]);
    assert_eq!(error.kind(), Kind::Config);
    assert!(
        error.message().ends_with("collection=c constraint=f"),
        "{error}"
    );
    given.follow(&["p", "r"]);
}

#[test]
fn tables_whose_changes_cannot_be_told_are_refused() {
    let mut given = Given::new(
        "CREATE TABLE nokey (id int); CREATE TABLE v (id int PRIMARY KEY) WITH SYSTEM VERSIONING; \
         CREATE TABLE g (id int PRIMARY KEY, v varchar(9) CHARACTER SET gbk); \
         CREATE TABLE z (id int PRIMARY KEY, v text COMPRESSED)",
    );
    for name in ["nokey", "v", "g", "z"] {
        assert_eq!(refused(&mut given, &[name]).kind(), Kind::Config, "{name}");
    }
}

#[test]
fn trap_38_settings_that_leave_something_out_are_refused() {
    let server = Arc::new(logging_with(&["binlog-ignore-db=t1"]));
    let mut given = Given::on(&server, TABLE);
    given.follow(&["t"]);
    for (setting, back) in [
        ("binlog_format = STATEMENT", "binlog_format = ROW"),
        ("binlog_format = MIXED", "binlog_format = ROW"),
    ] {
        given.sql(&format!("SET GLOBAL {setting}"));
        let error = refused(&mut given, &["t"]);
        assert_eq!(error.kind(), Kind::Config);
        given.sql(&format!("SET GLOBAL {back}"));
    }
    let error = refused(&mut Given::on(&server, TABLE), &["t"]);
    assert!(error.message().contains("leaves out"), "{error}");
    let mut without = Given::on(&shared().unwrap(), TABLE);
    let error = refused(&mut without, &["t"]);
    assert!(error.message().contains("log_bin=OFF"), "{error}");
}

#[test]
fn rights_that_are_missing_are_named_as_they_are_granted() {
    let mut given = Given::new(TABLE);
    let (server, name) = (
        Arc::clone(given.database.server()),
        given.database.name().to_owned(),
    );
    given.sql(&format!(
        "CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'x'; GRANT SELECT ON {name}.* TO reader@'127.0.0.1'"
    ));
    let url = format!("mysql://reader:x@127.0.0.1:{}/{name}", server.port());
    given.endpoint = connect(&url, Context::empty()).unwrap();
    let error = refused(&mut given, &["t"]);
    assert_eq!(error.kind(), Kind::Auth);
    let grant = error.advice().unwrap().to_owned();
    given.sql("GRANT BINLOG MONITOR ON *.* TO reader@'127.0.0.1'");
    let error = refused(&mut given, &["t"]);
    assert_eq!(
        (error.kind(), error.advice()),
        (Kind::Auth, Some(grant.as_str()))
    );
    given.sql(&grant);
    let mut log = given.follow(&["t"]);
    given.sql("INSERT INTO t VALUES (1, 2)");
    assert_eq!(log.told(1), ["0 Insert Int(1) Int(2)", "commit"]);
    given.sql("DROP USER reader@'127.0.0.1'");
}
