//! Values that the target cannot hold: exactly those records are parked, the rest is in place.

use super::*;

/// Syncs and insists that `parked` records were put aside and `rest` is at the target; and that a second run, which
/// finds the same, says the same.
fn expect_parked(folder: &Path, source: &str, target: &str, parked: u64, reasons: &[&str]) {
    for _ in 0..2 {
        let output = Trueup::new(folder)
            .sync([source, target, "--json"])
            .run()
            .expect(1);
        let all = output.collection("t");
        assert_eq!(all["parked"], parked, "{output}");
        assert_eq!(output.json()["equal"], false, "{output}");
        let output = Trueup::new(folder).sync([source, target]).run().expect(1);
        for reason in reasons {
            assert!(output.stdout.contains(reason), "no {reason:?} in\n{output}");
        }
    }
}

#[test]
fn what_postgresql_cannot_hold() {
    let (folder, target) = (support::folder(), support::database());
    support::sqlite(
        &folder.path().join("source.db"),
        "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, n INTEGER, s TEXT); \
         INSERT INTO t VALUES (1, 300, 'abc'), (2, 40000, 'abc'), (3, 3, 'abcd'), (4, 4, 'a' || char(0)), \
           (5, 'five', 'abc'), (6, -32768, NULL), (7, 7.5, 'abc'), (8, x'08', 'abc'), (9, NULL, 'xyz');",
    );
    let sql = "CREATE TABLE t (id bigint PRIMARY KEY, n smallint, s varchar(3))";
    target.sql(sql).unwrap();
    let reasons = ["field=n", "field=s"];
    expect_parked(
        folder.path(),
        "sqlite:source.db",
        &target.url(),
        6,
        &reasons,
    );
    let rest = target.sql("SELECT id, n, s FROM t ORDER BY id").unwrap();
    assert_eq!(rest, "1|300|abc\n6|-32768|\n9||xyz");
}

#[test]
fn what_sqlite_cannot_hold() {
    let (folder, source) = (support::folder(), support::database());
    let sql = "CREATE TABLE t (id bigint PRIMARY KEY, f double precision); \
               INSERT INTO t VALUES (1, 1.5), (2, 'NaN'), (3, '-Infinity'), (4, NULL)";
    source.sql(sql).unwrap();
    expect_parked(
        folder.path(),
        &source.url(),
        "sqlite:target.db",
        1,
        &["NaN"],
    );
    let database = rusqlite::Connection::open(folder.path().join("target.db")).unwrap();
    let sql = "SELECT group_concat(id || ':' || coalesce(f, 'null'), ' ') FROM t";
    let rest: String = database.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(rest, "1:1.5 3:-Inf 4:null");
}

#[test]
fn text_in_a_column_of_numbers() {
    let folder = support::folder();
    let folder = folder.path();
    support::sqlite(
        &folder.join("target.db"),
        "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, n INTEGER);",
    );
    fs::write(folder.join("t.csv"), "id,n\n1,10\n2,ten\n3,30\n").unwrap();
    expect_parked(folder, "csv:t.csv?key=id", "sqlite:target.db", 1, &["n"]);
    let database = rusqlite::Connection::open(folder.join("target.db")).unwrap();
    let sql = "SELECT group_concat(id || ':' || n, ' ') FROM t";
    let rest: String = database.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(rest, "1:10 3:30");
}
