//! MariaDB through the binary: a chain of databases of three engines, changes, deletes, a script, both ways.

use crate::support::{self, STATE, Trueup};
use std::fs;
use std::path::Path;

/// What is hard to carry: every class of value, keys that differ in case only, texts that look like syntax.
const SHOP: &str = "\
    CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL, price numeric(20,4), ratio real, weight double precision, \
      made date, at time, changed timestamp, seen timestamptz, code uuid, doc jsonb, raw bytea, ok boolean); \
    INSERT INTO items VALUES \
      (1, E'tab\\tline\\nback\\\\slash ''quote''', 1234567890123456.7891, 0.1, 0.1, '2024-02-29', '23:59:59.999999', \
       '0001-01-01', '2024-02-29 12:00:00.5+02', '7f2c4a0e-8f4b-4c8e-9d0a-0c1d2e3f4a5b', '{\"a\": [1, 2.50]}', '\\x00ff5c27', true), \
      (2, '', -0.0001, 16777216, 1e300, '9999-12-31', '00:00', '9999-12-31 23:59:59.999999', '1970-01-01 00:00:01Z', NULL, \
       'null', '', false), \
      (3, '日本 😀 ', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL); \
    CREATE TABLE words (word text PRIMARY KEY, total integer); \
    INSERT INTO words VALUES ('a', 1), ('A', 2), ('á', 3), ('a ', 4), ('ß', 5), ('s', 6)";

fn equal(folder: &Path, source: &str, target: &str) {
    Trueup::new(folder).diff([source, target]).run().expect(0);
}

#[test]
fn replication_through_three_engines_changes_no_value() {
    let folder = support::folder();
    let folder = folder.path();
    let (postgres, shop) = (support::database(), support::mariadb());
    postgres.sql(SHOP).expect("the tables can be made");
    let (source, middle) = (postgres.url(), shop.url());
    let output = Trueup::new(folder)
        .sync([&source, &middle])
        .arguments(["--json"]);
    let output = output.run().expect(0);
    assert_eq!(output.collection("items")["inserted"], 3);
    assert_eq!(output.collection("words")["inserted"], 6);
    equal(folder, &source, &middle);
    let found = shop
        .sql("SELECT word, total FROM words ORDER BY total")
        .expect("it can be read");
    assert_eq!(found, "a\t1\nA\t2\ná\t3\na \t4\nß\t5\ns\t6");
    let found = shop.sql("SELECT price, HEX(raw), seen, made FROM items WHERE id = 1");
    let expected = "1234567890123456.7891\t00FF5C27\t2024-02-29 10:00:00.500000\t2024-02-29";
    assert_eq!(found.expect("it can be read"), expected);
    Trueup::new(folder)
        .sync([middle.as_str(), "last.db"])
        .run()
        .expect(0);
    equal(folder, &middle, "sqlite:last.db");
    equal(folder, &source, "sqlite:last.db");
}

#[test]
fn changes_and_deletes_reach_mariadb_and_come_back() {
    let folder = support::folder();
    let folder = folder.path();
    let (postgres, shop) = (support::database(), support::mariadb());
    postgres.sql(SHOP).expect("the tables can be made");
    let (source, target) = (postgres.url(), shop.url());
    Trueup::new(folder).sync([&source, &target]).run().expect(0);
    let again = Trueup::new(folder)
        .sync([&source, &target])
        .arguments(["--json"]);
    let again = again.run().expect(0);
    assert_eq!(again.collection("items")["unchanged"], 3);
    postgres
        .sql("UPDATE items SET name = 'new' WHERE id = 2; DELETE FROM words WHERE word = 'A'; INSERT INTO words VALUES ('S', 7)")
        .expect("the source can be changed");
    Trueup::new(folder).diff([&source, &target]).run().expect(1);
    let script = Trueup::new(folder).diff([&source, &target]);
    script
        .arguments(["--sql", "target", "--out", "repair.sql"])
        .run()
        .expect(1);
    let output = Trueup::new(folder).sync([&source, &target]);
    let output = output.arguments(["--delete", "--json"]).run().expect(0);
    let words = output.collection("words");
    assert_eq!(
        (&words["inserted"], &words["deleted"]),
        (&1.into(), &1.into())
    );
    equal(folder, &source, &target);
    // The script does the same to a copy as it was.
    shop.sql(
        "UPDATE items SET name = '' WHERE id = 2; INSERT INTO words VALUES ('A', 2); DELETE FROM words WHERE word = 'S'",
    )
    .expect("the target can be changed");
    Trueup::new(folder).diff([&source, &target]).run().expect(1);
    let text = fs::read_to_string(folder.join("repair.sql")).expect("the script was written");
    shop.sql(&text).expect("the script runs");
    equal(folder, &source, &target);
}

#[test]
fn two_way_between_mariadb_and_sqlite() {
    let folder = support::folder();
    let folder = folder.path();
    let shop = support::mariadb();
    shop.sql("CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(20)); INSERT INTO t VALUES (1, 1, 'x'), (2, 2, 'y')")
        .expect("the table can be made");
    let link = [
        shop.url(),
        "sqlite:other.db".to_owned(),
        "--two-way".to_owned(),
    ];
    Trueup::new(folder).sync(&link).run().expect(0);
    assert!(folder.join(STATE).exists());
    shop.sql("UPDATE t SET a = 10 WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (3, 3, 'z')")
        .expect("the one side can be changed");
    support::sqlite(
        &folder.join("other.db"),
        "UPDATE t SET b = 'changed' WHERE id = 1; INSERT INTO t VALUES (4, 4, 'w')",
    );
    Trueup::new(folder).sync(&link).run().expect(0);
    let found = shop
        .sql("SELECT * FROM t ORDER BY id")
        .expect("it can be read");
    assert_eq!(found, "1\t10\tchanged\n3\t3\tz\n4\t4\tw");
    equal(folder, &link[0], "sqlite:other.db");
}
