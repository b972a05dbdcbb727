//! What the log says of each kind of change.

use super::*;
use trueup_core::Kind;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, name text, price numeric(10,2), ok bool); \
    INSERT INTO t VALUES (1, 'old', 1.5, true), (2, 'gone', 2, NULL)";

#[test]
fn tells_inserts_updates_deletes_and_ends() {
    let (database, mut endpoint) = fresh(TABLE);
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    database
        .sql(
            "BEGIN; INSERT INTO t VALUES (3, NULL, -0.01, false); UPDATE t SET name = 'new' WHERE id = 1; \
             DELETE FROM t WHERE id = 2; COMMIT; UPDATE t SET id = 4 WHERE id = 3",
        )
        .unwrap();
    let (lines, last) = tell(log.as_mut(), 2);
    assert_eq!(
        lines,
        [
            r#"0 Insert Int(3) Null Decimal("-0.01") Bool(false)"#,
            r#"0 Update Int(1) Text("new") Decimal("1.50") Bool(true)"#,
            "0 Delete Int(2) Unchanged Unchanged Unchanged",
            "commit",
            r#"0 Rekey Int(3) Unchanged Unchanged Unchanged -> Int(4) Null Decimal("-0.01") Bool(false)"#,
            "commit",
        ]
    );
    assert_ne!(last, log.start());
}

/// What was said to be durable is not told again, and everything else is.
#[test]
fn goes_on_where_it_was_durable() {
    let (database, mut endpoint) = fresh(TABLE);
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    for id in 10..13 {
        let sql = format!("INSERT INTO t (id) VALUES ({id})");
        database.sql(&sql).unwrap();
    }
    let (_, first) = tell(log.as_mut(), 1);
    log.durable(&first);
    let (rest, _) = tell(log.as_mut(), 2);
    drop(log);
    let mut again = following.log(endpoint.as_mut(), Some(&first));
    assert_eq!(again.start(), first);
    assert_eq!(tell(again.as_mut(), 2).0, rest);
}

/// Whole pieces of one collection, cut at the limits, in the order of the changes.
#[test]
fn pieces_are_cut_and_never_mix_collections() {
    let (database, mut endpoint) =
        fresh("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, v text)");
    let mut following = Following::new(&database, endpoint.as_mut(), &["a", "b"]);
    following.changes_max = 3;
    let mut log = following.log(endpoint.as_mut(), None);
    database
        .sql(
            "BEGIN; INSERT INTO a SELECT generate_series(1, 7); INSERT INTO b VALUES (1, 'x'); \
             INSERT INTO a VALUES (8); COMMIT",
        )
        .unwrap();
    let mut pieces = Vec::new();
    let mut piece = Changes::default();
    loop {
        match told(log.as_mut(), &mut piece) {
            Told::Changes(at) => pieces.push((at, piece.changes.len(), piece.records.len())),
            Told::Commit { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        pieces,
        [(0, 3, 3), (0, 3, 3), (0, 1, 1), (1, 1, 1), (0, 1, 1)]
    );
    // By bytes: one change may pass the limit.
    following.bytes_max = 100;
    drop(log);
    let mut log = following.log(endpoint.as_mut(), None);
    database
        .sql("INSERT INTO b SELECT n, repeat('x', 200) FROM generate_series(2, 4) n")
        .unwrap();
    for _ in 0..3 {
        assert_eq!(told(log.as_mut(), &mut piece), Told::Changes(1));
        assert_eq!(piece.changes.len(), 1);
    }
}

#[test]
fn trap_1_a_large_value_that_did_not_change_is_unchanged() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, big text, n int); ALTER TABLE t ALTER big SET STORAGE EXTERNAL; \
         INSERT INTO t VALUES (1, repeat('x', 10000), 1)",
    );
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    database.sql("UPDATE t SET n = 2").unwrap();
    database.sql("ALTER TABLE t REPLICA IDENTITY FULL").unwrap();
    database.sql("UPDATE t SET n = 3").unwrap();
    let (lines, _) = tell(log.as_mut(), 2);
    let whole = format!("0 Update Int(1) Text({:?}) Int(3)", "x".repeat(10_000));
    // With a full replica identity it is known after all.
    assert_eq!(
        lines,
        [
            "0 Update Int(1) Unchanged Int(2)",
            "commit",
            &whole,
            "commit"
        ]
    );
}

#[test]
fn trap_2_a_key_change_keeps_an_unchanged_large_value() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, big text); ALTER TABLE t ALTER big SET STORAGE EXTERNAL; \
         INSERT INTO t VALUES (1, repeat('x', 10000))",
    );
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    database.sql("UPDATE t SET id = 2").unwrap();
    let (lines, _) = tell(log.as_mut(), 1);
    let expected = "0 Rekey Int(1) Unchanged -> Int(2) Unchanged";
    assert_eq!(lines, [expected, "commit"]);
}

/// A value of the key itself may be too large to be sent again.
#[test]
fn trap_1_a_large_value_in_the_key_is_known() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id text PRIMARY KEY, n int); ALTER TABLE t ALTER id SET STORAGE EXTERNAL; \
         INSERT INTO t SELECT string_agg(md5(n::text), ''), 1 FROM generate_series(1, 75) n",
    );
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    database.sql("UPDATE t SET n = 2").unwrap();
    let key = database.sql("SELECT id FROM t").unwrap();
    let (lines, _) = tell(log.as_mut(), 1);
    assert_eq!(
        lines,
        [
            format!("0 Update Text({key:?}) Int(2)"),
            "commit".to_owned()
        ]
    );
}

#[test]
fn trap_5_keys_that_may_be_two_records_within_a_transaction_are_refused() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int NOT NULL, v text, PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED); \
         ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES (1, 'a'), (2, 'b')",
    );
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let error = following.open(endpoint.as_mut(), None).unwrap_err();
    assert_eq!(error.kind(), Kind::Config, "{error}");
    assert!(error.advice().unwrap_or_default().contains("DEFERRABLE"));
    database
        .sql("CREATE UNIQUE INDEX at_once ON t (id)")
        .unwrap();
    let mut log = following.log(endpoint.as_mut(), None);
    database.sql("UPDATE t SET id = id + 10").unwrap();
    let (lines, _) = tell(log.as_mut(), 1);
    assert_eq!(
        lines,
        [
            r#"0 Rekey Int(1) Text("a") -> Int(11) Text("a")"#,
            r#"0 Rekey Int(2) Text("b") -> Int(12) Text("b")"#,
            "commit",
        ]
    );
}

#[test]
fn trap_6_a_cascade_is_told_parent_first() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE p (id int PRIMARY KEY); \
         CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE); \
         INSERT INTO p VALUES (1); INSERT INTO c VALUES (7, 1), (8, 1)",
    );
    let following = Following::new(&database, endpoint.as_mut(), &["c", "p"]);
    let mut log = following.log(endpoint.as_mut(), None);
    database.sql("DELETE FROM p").unwrap();
    let (lines, _) = tell(log.as_mut(), 1);
    let children = [
        "0 Delete Int(7) Unchanged",
        "0 Delete Int(8) Unchanged",
        "commit",
    ];
    assert_eq!(lines.first().unwrap(), "1 Delete Int(1)");
    assert_eq!(lines[1..], children);
}

#[test]
fn trap_12_truncate_is_one_event_of_many_tables() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a); \
         CREATE TABLE other (id int PRIMARY KEY, a int REFERENCES a); INSERT INTO a VALUES (1)",
    );
    let following = Following::new(&database, endpoint.as_mut(), &["a", "b"]);
    let mut log = following.log(endpoint.as_mut(), None);
    database
        .sql(
            "BEGIN; INSERT INTO a VALUES (2); TRUNCATE a CASCADE; INSERT INTO a VALUES (3); COMMIT",
        )
        .unwrap();
    let (lines, _) = tell(log.as_mut(), 1);
    let (truncated, rest) = (&lines[1], [&lines[0], &lines[2], &lines[3]]);
    assert!(
        ["truncated [0, 1]", "truncated [1, 0]"].contains(&truncated.as_str()),
        "{truncated}"
    );
    assert_eq!(rest, ["0 Insert Int(2)", "0 Insert Int(3)", "commit"]);
}

/// A row that moves between partitions is a delete and an insert of the one collection, whatever the partitions' order of
/// columns.
#[test]
fn trap_13_a_partitioned_table_is_one_collection() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id); \
         CREATE TABLE low PARTITION OF t FOR VALUES FROM (0) TO (10); \
         CREATE TABLE high (v text, id int NOT NULL PRIMARY KEY); \
         ALTER TABLE t ATTACH PARTITION high FOR VALUES FROM (10) TO (20)",
    );
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    database
        .sql(
            "INSERT INTO t VALUES (1, 'a'); INSERT INTO high VALUES ('b', 11); UPDATE t SET id = 12 WHERE id = 1; \
             CREATE TABLE more PARTITION OF t FOR VALUES FROM (20) TO (30); INSERT INTO t VALUES (20, 'c'); \
             TRUNCATE t",
        )
        .unwrap();
    let (lines, _) = tell(log.as_mut(), 5);
    let expected = [
        r#"0 Insert Int(1) Text("a")"#,
        "commit",
        r#"0 Insert Int(11) Text("b")"#,
        "commit",
        "0 Delete Int(1) Unchanged",
        r#"0 Insert Int(12) Text("a")"#,
        "commit",
        r#"0 Insert Int(20) Text("c")"#,
        "commit",
        "truncated [0]",
        "commit",
    ];
    assert_eq!(lines, expected);
}

/// Transactions are told in the order of their commits, each whole, and without what was rolled back.
#[test]
fn trap_22_commit_order_and_rolled_back_savepoints() {
    let (database, mut endpoint) = fresh("CREATE TABLE t (id int PRIMARY KEY)");
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    let (first, second) = (session(&database), session(&database));
    first.execute("BEGIN; INSERT INTO t VALUES (1)").unwrap();
    second
        .execute("BEGIN; INSERT INTO t VALUES (2); SAVEPOINT s; INSERT INTO t VALUES (3); ROLLBACK TO s; INSERT INTO t VALUES (4)")
        .unwrap();
    first.execute("INSERT INTO t VALUES (5)").unwrap();
    second.execute("COMMIT").unwrap();
    first.execute("COMMIT").unwrap();
    database
        .sql("BEGIN; INSERT INTO t VALUES (6); ROLLBACK; INSERT INTO t VALUES (7)")
        .unwrap();
    let (lines, _) = tell(log.as_mut(), 3);
    let ids = lines
        .iter()
        .map(|line| line.trim_start_matches("0 Insert "));
    assert_eq!(
        ids.collect::<Vec<_>>(),
        [
            "Int(2)", "Int(4)", "commit", "Int(1)", "Int(5)", "commit", "Int(7)", "commit"
        ]
    );
}

/// What is of no followed table, or of no table at all, is no news.
#[test]
fn other_tables_and_messages_are_ignored() {
    let (database, mut endpoint) =
        fresh("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)");
    let both = Following::new(&database, endpoint.as_mut(), &["t", "other"]);
    drop(both.log(endpoint.as_mut(), None));
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    // The publication holds it no more, so that it may lose its key.
    database
        .sql(
            "ALTER TABLE other DROP CONSTRAINT other_pkey; INSERT INTO other VALUES (1); UPDATE other SET id = 2; \
             SELECT pg_logical_emit_message(true, 'x', 'y')::text; BEGIN; INSERT INTO other VALUES (3); \
             INSERT INTO t VALUES (1); COMMIT",
        )
        .unwrap();
    assert_eq!(tell(log.as_mut(), 1).0, ["0 Insert Int(1)", "commit"]);
}

/// Without a key, the whole record says which one it is: of equal ones, one.
#[test]
fn trap_4_a_bag_is_told_in_whole_records() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int, v text); ALTER TABLE t REPLICA IDENTITY FULL; \
         INSERT INTO t VALUES (1, 'a'), (1, 'a'), (2, NULL)",
    );
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    database
        .sql("DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t); UPDATE t SET v = 'b' WHERE id = 2")
        .unwrap();
    let expected = [
        r#"0 Delete Int(1) Text("a")"#,
        "commit",
        r#"0 Rekey Int(2) Null -> Int(2) Text("b")"#,
        "commit",
    ];
    assert_eq!(tell(log.as_mut(), 2).0, expected);
}
