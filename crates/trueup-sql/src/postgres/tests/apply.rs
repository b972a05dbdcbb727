//! Writing: outcomes, atomicity, epochs.

use super::*;

#[test]
fn inserts_replaces_and_deletes_in_one_batch() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'old'), (2, 'gone')",
    );
    let outcomes = Given::new("t", &["id", "name"]).outcomes(
        endpoint.as_mut(),
        &[
            (Op::Update, vec![Value::Int(1), Value::Text("new")]),
            (Op::Delete, vec![Value::Int(2), Value::Null]),
            (Op::Insert, vec![Value::Int(3), Value::Null]),
        ],
    );
    assert_eq!(outcomes, [APPLIED; 3]);
    assert_eq!(
        database.sql("SELECT * FROM t ORDER BY id").unwrap(),
        "1|new\n3|"
    );
    assert_eq!(
        database
            .sql("SELECT link, partition, batch, epoch FROM trueup.marker")
            .unwrap(),
        "a to b|t|1|1"
    );
}
