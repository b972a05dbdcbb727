//! Which tables can be followed: changes have to say which record they are about.

use super::*;
use trueup_core::Kind;

#[test]
fn trap_3_a_table_without_identity_is_refused_before_it_is_published() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE none (id int); CREATE TABLE nothing (id int PRIMARY KEY); \
         ALTER TABLE nothing REPLICA IDENTITY NOTHING; \
         CREATE TABLE late (id int PRIMARY KEY DEFERRABLE); \
         CREATE TABLE other (id int PRIMARY KEY, o int NOT NULL UNIQUE DEFAULT 0); \
         ALTER TABLE other REPLICA IDENTITY USING INDEX other_o_key; \
         CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id); \
         CREATE TABLE leaf PARTITION OF parted FOR VALUES FROM (0) TO (10); \
         ALTER TABLE leaf REPLICA IDENTITY NOTHING",
    );
    for name in ["none", "nothing", "late", "other", "parted"] {
        let following = Following::new(&database, endpoint.as_mut(), &[name]);
        let error = following.open(endpoint.as_mut(), None).unwrap_err();
        assert_eq!(error.kind(), Kind::Config, "{error}");
        let named = format!("collection={name}");
        assert!(error.message().contains(&named), "{error}");
        assert!(error.advice().unwrap().contains("REPLICA IDENTITY FULL"));
        // Its own application still updates it.
        database
            .sql(&format!(
                "INSERT INTO {name} VALUES (1); UPDATE {name} SET id = 2"
            ))
            .unwrap();
    }
    let left = "SELECT count(*) FROM pg_publication";
    assert_eq!(database.sql(left).unwrap(), "0");
    for sql in [
        "ALTER TABLE none REPLICA IDENTITY FULL",
        "CREATE UNIQUE INDEX late_at_once ON late (id); ALTER TABLE late REPLICA IDENTITY FULL",
        "ALTER TABLE other REPLICA IDENTITY DEFAULT",
        "ALTER TABLE leaf REPLICA IDENTITY USING INDEX leaf_pkey",
    ] {
        database.sql(sql).unwrap();
    }
    let names = ["none", "late", "other", "parted"];
    let following = Following::new(&database, endpoint.as_mut(), &names);
    drop(following.log(endpoint.as_mut(), None));
}

/// The link's key may be another one than the primary key, where the replica identity tells it.
#[test]
fn a_key_of_another_index_is_told() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, o int NOT NULL UNIQUE); \
         ALTER TABLE t REPLICA IDENTITY USING INDEX t_o_key; INSERT INTO t VALUES (1, 10)",
    );
    let mut following = Following::new(&database, endpoint.as_mut(), &["t"]);
    following.schemas[0].key = vec![1];
    let mut log = following.log(endpoint.as_mut(), None);
    database
        .sql("UPDATE t SET id = 2; UPDATE t SET o = 11; DELETE FROM t")
        .unwrap();
    let expected = [
        "0 Update Int(2) Int(10)",
        "commit",
        "0 Rekey Unchanged Int(10) -> Int(2) Int(11)",
        "commit",
        "0 Delete Unchanged Int(11)",
        "commit",
    ];
    assert_eq!(tell(log.as_mut(), 3).0, expected);
}

#[test]
fn trap_11_an_unlogged_table_is_refused() {
    let (database, mut endpoint) = fresh("CREATE UNLOGGED TABLE t (id int PRIMARY KEY)");
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let error = following.open(endpoint.as_mut(), None).unwrap_err();
    assert!(error.message().contains("unlogged"), "{error}");
}
