//! Parquet through the binary: a chain through files and databases, changes, deletes, killed runs.

use crate::support::{self, Trueup};
use std::fs;
use std::path::Path;
use trueup_testkit::servers::postgres::Database;

/// Every class of value at its edges, and types that Parquet has no word for.
const ITEMS: &str = "\
    CREATE TABLE items (id bigint PRIMARY KEY, tiny smallint NOT NULL, number integer, price numeric(20,4), wide numeric(60,20), \
      any_size numeric, ratio real, weight double precision, name text NOT NULL, short varchar(12), made date, at time, \
      changed timestamp, seen timestamptz, code uuid, doc jsonb, raw bytea, ok boolean); \
    INSERT INTO items VALUES \
      (1, -32768, -2147483648, 1234567890123456.7891, 1234567890123456789012345678901234567890.00000000000000000001, 123456789012345678901234567890.5, 0.1, 0.1, \
       E'tab\\tline\\nback\\\\slash ''quote''', 'twelve chars', '2024-02-29', '23:59:59.999999', '0001-01-01', \
       '2024-02-29 12:00:00.5+02', '7f2c4a0e-8f4b-4c8e-9d0a-0c1d2e3f4a5b', '{\"a\": [1, 2.50]}', '\\x00ff5c27', true), \
      (2, 32767, 2147483647, -0.0001, -0.5, 1e-40, 16777216, 1e300, '', '', '9999-12-31', '00:00', '9999-12-31 23:59:59.999999', \
       '1970-01-01 00:00:01Z', NULL, 'null', '', false), \
      (3, 0, 0, 0, 0, 0, '-Infinity', 'Infinity', '日本 😀 ', NULL, '4713-01-01 BC', NULL, '4713-01-01 00:00:00 BC', NULL, NULL, NULL, NULL, NULL), \
      (4, 1, NULL, NULL, NULL, NULL, NULL, NULL, 'x', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)";
const DIGEST: &str = "SELECT md5(string_agg(items::text, '|' ORDER BY id)), count(*) FROM items";
const SHAPE: &str = "SELECT string_agg(column_name || ' ' || data_type || coalesce('(' || numeric_precision || ',' || numeric_scale || ')', '') || ' ' || is_nullable, ', ' ORDER BY ordinal_position) \
    FROM information_schema.columns WHERE table_name = 'items'";

fn equal(folder: &Path, source: &str, target: &str) {
    Trueup::new(folder).diff([source, target]).run().expect(0);
}

fn sync(folder: &Path, source: &str, target: &str) {
    let output = Trueup::new(folder)
        .sync([source, target])
        .arguments(["--json"]);
    let output = output.run().expect(0);
    assert_eq!(output.collection("items")["inserted"], 4, "{output}");
}

#[test]
fn replication_through_parquet_and_sqlite_changes_no_value() {
    let folder = support::folder();
    let folder = folder.path();
    let (first, last, straight) = (
        support::database(),
        support::database(),
        support::database(),
    );
    first.sql(ITEMS).expect("the table can be made");
    sync(folder, &first.url(), "parquet:out");
    equal(folder, &first.url(), "parquet:out");
    // At once, and by way of another database and another file.
    sync(folder, "parquet:out", &straight.url());
    sync(folder, "parquet:out", "sqlite:middle.db");
    sync(folder, "sqlite:middle.db", "items.parquet");
    equal(folder, "out/items.parquet", "items.parquet");
    sync(folder, "items.parquet", &last.url());
    let digest = |database: &Database| database.sql(DIGEST).expect("the table can be read");
    assert_eq!(digest(&straight), digest(&first));
    equal(folder, &first.url(), &last.url());
    let shape = |database: &Database| database.sql(SHAPE).expect("the table can be read");
    assert_eq!(shape(&straight), shape(&first));
}

#[test]
fn changes_and_deletes_reach_a_parquet_file() {
    let folder = support::folder();
    let folder = folder.path();
    fs::write(
        folder.join("people.csv"),
        "id,name,born\n1,ann,1990-01-01\n2,bo,\n3,cy,2001-12-31\n",
    )
    .unwrap();
    let sides = ["people.csv?key=id", "people.parquet"];
    Trueup::new(folder).sync(sides).run().expect(0);
    equal(folder, sides[0], sides[1]);
    fs::write(
        folder.join("people.csv"),
        "id,name,born\n1,ann,1990-01-01\n3,cyd,2001-12-31\n4,di,1999-09-09\n",
    )
    .unwrap();
    Trueup::new(folder).diff(sides).run().expect(1);
    let output = Trueup::new(folder)
        .sync(sides)
        .arguments(["--delete", "--json"]);
    let output = output.run().expect(0);
    let people = output.collection("people");
    let counts = ["inserted", "updated", "deleted", "unchanged"].map(|name| people[name].clone());
    assert_eq!(counts, [1, 1, 1, 1].map(serde_json::Value::from));
    equal(folder, sides[0], sides[1]);
    // The types came along, and the key: the file needs no option as a source.
    Trueup::new(folder)
        .sync(["people.parquet", "sqlite:people.db"])
        .run()
        .expect(0);
    equal(folder, "people.parquet", "sqlite:people.db");
}

#[test]
fn both_ways_is_refused_for_a_file() {
    let folder = support::folder();
    let folder = folder.path();
    support::sqlite(
        &folder.join("a.db"),
        "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)",
    );
    let output = Trueup::new(folder).sync(["sqlite:a.db", "t.parquet", "--two-way"]);
    let output = output.run().expect(2);
    assert!(!folder.join("t.parquet").exists(), "{output}");
}

#[test]
fn a_killed_write_leaves_the_old_file() {
    let folder = support::folder();
    let folder = folder.path();
    fs::write(folder.join("t.csv"), "id,v\n1,a\n").unwrap();
    let sides = ["t.csv?key=id", "t.parquet"];
    Trueup::new(folder).sync(sides).run().expect(0);
    let old = fs::read(folder.join("t.parquet")).unwrap();
    fs::write(folder.join("t.csv"), "id,v\n1,b\n2,c\n").unwrap();
    for place in ["file.before_sync", "file.before_rename"] {
        let run = Trueup::new(folder).sync(sides);
        let child = run.env("TRUEUP_FAILPOINT", place).spawn();
        let output = child.wait_with_output().unwrap();
        assert!(!output.status.success(), "{place}");
        assert_eq!(fs::read(folder.join("t.parquet")).unwrap(), old, "{place}");
    }
    Trueup::new(folder).sync(sides).run().expect(0);
    equal(folder, sides[0], sides[1]);
    let names = fs::read_dir(folder).unwrap().flatten();
    let left = names.filter(|entry| entry.file_name().to_string_lossy().ends_with(".tmp"));
    assert_eq!(left.count(), 0);
}
