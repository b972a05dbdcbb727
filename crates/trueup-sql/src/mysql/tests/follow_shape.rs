//! What changes a table's shape, or its records without an event for each, is said; what does not is passed over.

use super::follow::{Given, logging_with};
use std::sync::Arc;
use trueup_core::Kind;
use trueup_core::follow::Told;

#[test]
fn trap_41_statements_about_other_tables_stop_nothing() {
    let mut given = Given::new("CREATE TABLE t (id int PRIMARY KEY, v int)");
    let mut log = given.follow(&["t"]);
    given.sql(
        "CREATE TABLE o (t int PRIMARY KEY, x int); ALTER TABLE o ADD COLUMN y int, \
         ADD FOREIGN KEY (x) REFERENCES t (id); DROP TABLE o; CREATE INDEX i ON t (v); \
         ALTER TABLE t ADD UNIQUE INDEX u (v, id); ALTER TABLE t COMMENT 'rename it some day'; ANALYZE TABLE t; \
         DROP INDEX i ON t; CREATE VIEW w AS SELECT * FROM t; CREATE TEMPORARY TABLE t (x int); DROP TEMPORARY TABLE t; \
         CREATE TABLE IF NOT EXISTS t (x text); CREATE TABLE t2 AS SELECT * FROM t; RENAME TABLE t2 TO t3; \
         CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.v = 5; INSERT INTO t VALUES (1, 2)",
    );
    assert_eq!(log.told(1), ["0 Insert Int(1) Int(5)", "commit"]);
}

#[test]
fn trap_40_another_shape_is_told_where_it_begins() {
    for ddl in [
        "ALTER TABLE t ADD COLUMN w int DEFAULT 3",
        "ALTER TABLE t DROP COLUMN v",
        "ALTER TABLE t MODIFY v varchar(9)",
        "ALTER TABLE `t` MODIFY v int FIRST",
        "CREATE TABLE n LIKE t; RENAME TABLE t TO o, n TO t",
        "CREATE TABLE n LIKE t; ALTER TABLE t RENAME o; ALTER TABLE n RENAME TO t",
        "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY)",
        "CREATE OR REPLACE TABLE t (id int PRIMARY KEY) SELECT 5 AS id, 6 AS v",
        "ALTER TABLE t PARTITION BY RANGE (id) (PARTITION a VALUES LESS THAN (5))",
    ] {
        let mut given = Given::new("CREATE TABLE t (id int PRIMARY KEY, v int)");
        let mut log = given.follow(&["t"]);
        given.sql("INSERT INTO t VALUES (1, 1)");
        assert_eq!(log.told(1), ["0 Insert Int(1) Int(1)", "commit"]);
        let position = log.position.clone();
        given.sql(&format!(
            "{ddl}; INSERT INTO t SELECT * FROM t WHERE id = 0; DELETE FROM t WHERE id = 1"
        ));
        assert_eq!(log.next().unwrap(), Told::Reshaped(0), "{ddl}");
        // Who dies before acting on it is told again.
        let mut log = given.follow_from(&["t"], Some(&position));
        assert_eq!(log.next().unwrap(), Told::Reshaped(0), "{ddl}");
        given.follow(&["t"]);
    }
}

#[test]
fn trap_40_names_in_the_log_tell_columns_that_changed_places() {
    let server = Arc::new(logging_with(&["binlog-row-metadata=FULL"]));
    let sql = "CREATE TABLE t (id int PRIMARY KEY, a int, b int)";
    let mut given = Given::on(&server, sql);
    let start = given.follow(&["t"]).position;
    given.sql("INSERT INTO t VALUES (1, 2, 3); ALTER TABLE t MODIFY b int AFTER id; INSERT INTO t VALUES (4, 6, 5)");
    // By now the columns are id, b, a; the first change is of before that.
    let mut log = given.follow_from(&["t"], Some(&start));
    assert_eq!(log.told(1), ["0 Insert Int(1) Int(3) Int(2)", "commit"]);
    assert_eq!(log.next().unwrap(), Told::Reshaped(0));
}

#[test]
fn trap_40_records_of_a_shape_that_is_past_are_not_guessed() {
    let mut given = Given::new("CREATE TABLE t (id int PRIMARY KEY, a int)");
    let start = given.follow(&["t"]).position;
    given.sql("INSERT INTO t VALUES (1, 2); ALTER TABLE t ADD COLUMN b int");
    let mut log = given.follow_from(&["t"], Some(&start));
    assert_eq!(log.next().unwrap(), Told::Reshaped(0));
}

#[test]
fn trap_38_a_change_logged_as_a_statement_stops_the_log() {
    let mut given = Given::new("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE o (id int)");
    let mut log = given.follow(&["t"]);
    given.sql(
        "SET SESSION binlog_format = STATEMENT; INSERT INTO o VALUES (1); /* hm */ INSERT INTO `t` VALUES (1)",
    );
    let error = log.next().unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.message().contains("collection=t"), "{error}");
    assert!(error.advice().is_some());
}

#[test]
fn transactions_in_two_phases_stop_the_log() {
    let mut given =
        Given::new("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE o (id int PRIMARY KEY)");
    let mut log = given.follow(&["t"]);
    given.sql(
        "XA START 'a'; INSERT INTO o VALUES (1); XA END 'a'; XA PREPARE 'a'; XA COMMIT 'a'; \
         XA START 'b'; INSERT INTO t VALUES (1); XA END 'b'; XA COMMIT 'b' ONE PHASE; \
         XA START 'c'; INSERT INTO t VALUES (2); XA END 'c'; XA PREPARE 'c'; XA ROLLBACK 'c'",
    );
    assert_eq!(log.told(1), ["0 Insert Int(1)", "commit"]);
    let error = log.next().unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.message().contains("XA_PREPARE"), "{error}");
}
