//! Reading: exact values, order, snapshots.

use super::*;

#[test]
fn reads_simple_types_in_key_order() {
    let (_database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, name text, price numeric(10,2), ok bool); \
         INSERT INTO t VALUES (3, 'c', 1.50, true), (1, 'a', NULL, false), (2, NULL, -0.01, NULL)",
    );
    let (records, ordered) = scan(endpoint.as_mut(), "t");
    assert!(ordered);
    assert_eq!(
        shown(&records),
        [
            r#"Int(1) Text("a") Null Bool(false)"#,
            r#"Int(2) Null Decimal("-0.01") Null"#,
            r#"Int(3) Text("c") Decimal("1.50") Bool(true)"#,
        ]
    );
}
