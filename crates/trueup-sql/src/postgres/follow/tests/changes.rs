//! What the log says of each kind of change.

use super::*;

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
