//! Tables that change their shape while they are followed.

use super::*;

/// What `change` makes of a followed table, told by the next insert.
fn after(change: &str) -> Vec<String> {
    let (database, mut endpoint) =
        fresh("CREATE TABLE t (id int PRIMARY KEY, name varchar(10), n int)");
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    let sql = format!("INSERT INTO t VALUES (1, 'a', 1); {change}; INSERT INTO t (id) VALUES (2)");
    database.sql(&sql).unwrap();
    tell(log.as_mut(), 2).0
}

#[test]
fn another_shape_is_told_before_its_first_record() {
    for change in [
        "ALTER TABLE t ADD extra int",
        "ALTER TABLE t ADD extra int DEFAULT 7 NOT NULL",
        "ALTER TABLE t DROP n",
        "ALTER TABLE t RENAME n TO m",
        "ALTER TABLE t ALTER n TYPE bigint",
        "ALTER TABLE t ALTER name TYPE varchar(20)",
    ] {
        let lines = after(change);
        let expected = [
            r#"0 Insert Int(1) Text("a") Int(1)"#,
            "commit",
            "reshaped 0",
        ];
        assert_eq!(lines, expected, "{change}");
    }
}

#[test]
fn what_changes_no_shape_is_no_news() {
    for change in [
        "CREATE INDEX ON t (n)",
        "ALTER TABLE t ALTER n SET DEFAULT NULL",
        "CREATE TABLE other (id int)",
        "ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0)",
        "ALTER TABLE t ALTER name SET STATISTICS 10",
    ] {
        let lines = after(change);
        assert_eq!(lines.last().unwrap(), "commit", "{change}");
        assert!(
            lines.contains(&"0 Insert Int(2) Null Null".to_owned()),
            "{change}"
        );
    }
}

/// Asked again, the log says the same; opened anew with the new shape, it goes on.
#[test]
fn a_log_goes_on_with_the_new_shape() {
    let (database, mut endpoint) = fresh("CREATE TABLE t (id int PRIMARY KEY)");
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    database
        .sql("INSERT INTO t VALUES (1); ALTER TABLE t ADD v text; INSERT INTO t VALUES (2, 'x')")
        .unwrap();
    let (lines, last) = tell(log.as_mut(), 2);
    assert_eq!(lines, ["0 Insert Int(1)", "commit", "reshaped 0"]);
    assert_eq!(
        told(log.as_mut(), &mut Changes::default()),
        Told::Reshaped(0)
    );
    drop(log);
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), Some(&last));
    let expected = [r#"0 Insert Int(2) Text("x")"#, "commit"];
    assert_eq!(tell(log.as_mut(), 1).0, expected);
}

/// Fields that nobody asked for may come and go without a word only where they were known.
#[test]
fn a_field_that_is_not_followed_may_go() {
    let (database, mut endpoint) = fresh("CREATE TABLE t (id int PRIMARY KEY, n int, m int)");
    let mut following = Following::new(&database, endpoint.as_mut(), &["t"]);
    following.fields = vec![vec![2, 0]];
    following.schemas[0].key = vec![1];
    let mut log = following.log(endpoint.as_mut(), None);
    database
        .sql("INSERT INTO t VALUES (1, 2, 3); ALTER TABLE t DROP n; UPDATE t SET m = 4")
        .unwrap();
    let expected = [
        "0 Insert Int(3) Int(1)",
        "commit",
        "0 Update Int(4) Int(1)",
        "commit",
    ];
    assert_eq!(tell(log.as_mut(), 2).0, expected);
}

#[test]
fn trap_10_generated_fields_are_told_from_version_18_on() {
    let (database, mut endpoint) =
        fresh("CREATE TABLE t (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED)");
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let version = database.sql("SHOW server_version_num").unwrap();
    if version.parse::<u32>().unwrap() < 180_000 {
        let error = following.open(endpoint.as_mut(), None).unwrap_err();
        assert!(error.message().contains("field=twice"), "{error}");
        return;
    }
    let mut log = following.log(endpoint.as_mut(), None);
    database.sql("INSERT INTO t VALUES (4)").unwrap();
    assert_eq!(
        tell(log.as_mut(), 1).0,
        ["0 Insert Int(4) Int(8)", "commit"]
    );
}
