//! Plans in files, lists of differences and scripts, as a person uses them.

use crate::cli::check;
use crate::support::{self, Trueup};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const SIDES: [&str; 2] = ["sqlite:shop.db", "sqlite:till.db"];

/// Two tables on both sides; the till lacks an order, has one too many, and one that differs.
fn shop(folder: &Path) {
    let tables = "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers (id), note TEXT, total REAL);";
    support::sqlite(
        &folder.join("shop.db"),
        &format!(
            "{tables} INSERT INTO customers VALUES (1, 'Ada'), (2, 'Grace');
             INSERT INTO orders VALUES (1, 1, 'one', 0.1), (2, 1, 'it''s', 2.5), (3, 2, NULL, 1e300);"
        ),
    );
    support::sqlite(
        &folder.join("till.db"),
        &format!(
            "{tables} INSERT INTO customers VALUES (1, 'Ada');
             INSERT INTO orders VALUES (1, 1, 'one', 0.1), (2, 1, 'its', 2.5), (9, 1, 'gone', 1);"
        ),
    );
}

fn sync(folder: &Path, options: &[&str]) -> support::Output {
    let run = Trueup::new(folder).sync(SIDES).arguments(["--quiet"]);
    run.arguments(options).run()
}

fn diff(folder: &Path, options: &[&str]) -> support::Output {
    let run = Trueup::new(folder).diff(SIDES).arguments(["--quiet"]);
    run.arguments(options).run()
}

fn lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn read(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

#[test]
fn a_plan_is_looked_at_shortened_and_carried_out() {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    let before = fs::read(folder.join("till.db")).unwrap();
    check(
        "plan-out",
        &sync(folder, &["--delete", "--plan-out", "plan.jsonl"]),
    );
    assert_eq!(
        fs::read(folder.join("till.db")).unwrap(),
        before,
        "nothing is written"
    );
    let file = folder.join("plan.jsonl");
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let plan = lines(&file);
    let shown: Vec<String> = plan
        .iter()
        .map(|line| read(line))
        .filter(|line| line.get("op").is_some())
        .map(|line| {
            format!(
                "{} {} {} {}",
                line["collection"], line["op"], line["key"], line["fields"]
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#""customers" "insert" {"id":2} []"#,
            r#""orders" "update" {"id":2} ["note"]"#,
            r#""orders" "insert" {"id":3} []"#,
            r#""orders" "delete" {"id":9} []"#,
        ]
    );
    assert!(!plan.concat().contains("Grace"), "no values but keys");
    // The order is deleted by hand meanwhile, another one changed, and the person strikes the insert of order 3.
    let kept: Vec<&String> = plan
        .iter()
        .filter(|line| !line.contains("\"id\":3"))
        .collect();
    let kept: String = kept.iter().map(|line| format!("{line}\n")).collect();
    fs::write(&file, kept).unwrap();
    support::sqlite(
        &folder.join("till.db"),
        "DELETE FROM orders WHERE id = 9; UPDATE orders SET note = 'theirs' WHERE id = 2;",
    );
    check(
        "plan-in",
        &sync(folder, &["--delete", "--plan-in", "plan.jsonl"]),
    );
    let json = sync(folder, &["--delete", "--plan-in", "plan.jsonl", "--json"]).expect(1);
    let orders = json.collection("orders");
    assert_eq!(orders["selected"]["left"], 1);
    assert_eq!(orders["selected"]["changed_since"], 1);
    assert_eq!(orders["selected"]["settled"], 1);
    assert_eq!(
        orders["selected"]["changed_keys"].as_array().unwrap().len(),
        1
    );
    assert_eq!(json.json()["certificate"], Value::Null);
    // A fresh plan finishes it, with a certificate.
    sync(folder, &["--delete", "--plan-out", "rest.jsonl"]).expect(1);
    let done = sync(folder, &["--delete", "--plan-in", "rest.jsonl", "--json"]).expect(0);
    assert_eq!(done.json()["equal"], true);
    assert_ne!(done.json()["certificate"], Value::Null);
    sync(folder, &["--delete", "--plan-out", "none.jsonl"]).expect(0);
    assert_eq!(lines(&folder.join("none.jsonl")).len(), 4);
    support::expect_same(folder, "sqlite:shop.db", "sqlite:till.db");
}

#[test]
fn a_plan_that_is_none_is_refused() {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    sync(folder, &["--delete", "--plan-out", "plan.jsonl"]).expect(1);
    let text = fs::read_to_string(folder.join("plan.jsonl")).unwrap();
    let before = fs::read(folder.join("till.db")).unwrap();
    let refused = |name: &str, plan: &str, options: &[&str]| {
        fs::write(folder.join("edited.jsonl"), plan).unwrap();
        let run = sync(folder, &[options, &["--plan-in", "edited.jsonl"]].concat());
        check(name, &run);
        assert_eq!(run.code, Some(2));
        assert_eq!(fs::read(folder.join("till.db")).unwrap(), before);
    };
    let cut = text.len() - "{\"end\":true}\n".len();
    refused("plan-in-cut", &text[..cut], &["--delete"]);
    refused(
        "plan-in-garbled",
        &text.replace("\"op\":", "\"op\""),
        &["--delete"],
    );
    refused("plan-in-without-delete", &text, &[]);
    refused(
        "plan-in-other-collections",
        &text,
        &["--delete", "--collections", "orders"],
    );
    check(
        "plan-in-missing",
        &sync(folder, &["--plan-in", "nowhere.jsonl"]),
    );
    check(
        "plan-out-nowhere",
        &sync(folder, &["--plan-out", "no/such/folder.jsonl"]),
    );
    let both = Trueup::new(folder).sync(SIDES);
    check(
        "usage-plan-two-way",
        &both.arguments(["--two-way", "--plan-out", "x"]).run(),
    );
    let other = Trueup::new(folder).sync(["sqlite:shop.db", "sqlite:else.db"]);
    let other = other
        .arguments(["--delete", "--plan-in", "plan.jsonl", "--quiet"])
        .run();
    assert_eq!(other.code, Some(2), "{other}");
    assert!(other.stderr.contains("another link"), "{other}");
}

#[test]
fn a_plan_that_cannot_be_made_leaves_the_old_file() {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    let earlier = "{\"trueup_plan\" and so on";
    fs::write(folder.join("plan.jsonl"), earlier).unwrap();
    let run = Trueup::new(folder).sync(["sqlite:none.db", "sqlite:till.db"]);
    run.arguments(["--plan-out", "plan.jsonl"]).run().expect(2);
    let many = "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n LIMIT 50)
        INSERT INTO orders SELECT i, 1, NULL, NULL FROM n";
    support::sqlite(&folder.join("till.db"), many);
    support::sqlite(&folder.join("shop.db"), "DELETE FROM orders");
    sync(folder, &["--delete", "--plan-out", "plan.jsonl"]).expect(4);
    assert_eq!(
        fs::read_to_string(folder.join("plan.jsonl")).unwrap(),
        earlier
    );
    let left: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|one| one.file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().starts_with(".trueup-")),
        "{left:?}"
    );
}

#[test]
fn differences_are_listed_one_a_line() {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    check("diff-out-stdout", &diff(folder, &["--out", "-"]));
    check(
        "diff-out-file",
        &diff(folder, &["--out", "d.jsonl", "--show-values"]),
    );
    let listed = lines(&folder.join("d.jsonl"));
    assert_eq!(
        read(&listed[2]),
        json!({"collection": "orders", "kind": "changed", "key": {"id": 2}, "fields": ["note"],
            "source": {"id": 2, "customer": 1, "note": "it's", "total": 2.5},
            "target": {"id": 2, "customer": 1, "note": "its", "total": 2.5}})
    );
    assert!(
        !diff(folder, &["--out", "-"]).stdout.contains("it's"),
        "values only when asked for"
    );
    let aside = diff(folder, &["--out", "-", "--json"]);
    assert!(aside.stderr.contains("\"equal\":false"), "{aside}");
    assert_eq!(aside.stdout.lines().count(), 5);
}

/// Runs a script by the engine's own client.
fn run_sqlite(folder: &Path, script: &str, database: &str) {
    let output = Command::new("sqlite3")
        .args(["-bail", database])
        .current_dir(folder)
        .stdin(File::open(folder.join(script)).unwrap())
        .output()
        .expect("sqlite3 can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn a_script_that_creates_a_table_builds_what_is_around_its_records() {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    let more =
        "CREATE TABLE tills (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, place TEXT);
        CREATE INDEX by_place ON tills (place); CREATE VIEW all_tills AS SELECT * FROM tills;
        CREATE TRIGGER renamed AFTER UPDATE ON tills BEGIN SELECT 1; END;
        INSERT INTO tills VALUES (7, 'north', 'hall')";
    support::sqlite(&folder.join("shop.db"), more);
    diff(folder, &["--sql", "target", "--out", "repair.sql"]).expect(1);
    let script = fs::read_to_string(folder.join("repair.sql")).unwrap();
    let at = |text: &str| {
        script
            .find(text)
            .unwrap_or_else(|| panic!("{text}: {script}"))
    };
    let inserted = at("INSERT OR ABORT INTO \"tills\"");
    assert!(inserted < at("CREATE INDEX"), "{script}");
    assert!(inserted < at("CREATE UNIQUE INDEX"), "{script}");
    assert!(
        at("-- NOT IN THIS SCRIPT: trigger") < at("BEGIN IMMEDIATE"),
        "{script}"
    );
    run_sqlite(folder, "repair.sql", "till.db");
    diff(folder, &[]).expect(0);
}

#[test]
fn a_script_repairs_either_side() {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    check("diff-sql", &diff(folder, &["--sql", "target"]));
    for (side, database) in [("target", "till.db"), ("source", "shop.db")] {
        fs::remove_file(folder.join("shop.db")).unwrap();
        fs::remove_file(folder.join("till.db")).unwrap();
        shop(folder);
        let summary = diff(folder, &["--sql", side, "--out", "repair.sql"]).expect(1);
        assert!(summary.stdout.starts_with("customers  +1  -0"), "{summary}");
        run_sqlite(folder, "repair.sql", database);
        diff(folder, &[]).expect(0);
        support::expect_same(folder, "sqlite:shop.db", "sqlite:till.db");
        let equal = diff(folder, &["--sql", side]).expect(0);
        assert!(!equal.stdout.contains("INSERT"), "{equal}");
    }
    check("diff-sql-csv", &{
        fs::create_dir(folder.join("csv")).unwrap();
        fs::write(folder.join("csv/orders.csv"), "id,customer,note,total\n").unwrap();
        let run = Trueup::new(folder).diff(["csv:csv", "sqlite:till.db"]);
        run.arguments(["--key", "orders=id", "--sql", "source", "--quiet"])
            .run()
    });
}

#[test]
fn a_script_creates_what_is_missing() {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    let compare = |target: &str, options: &[&str]| {
        let run = Trueup::new(folder).diff(["sqlite:shop.db", target, "--quiet"]);
        run.arguments(options).run()
    };
    compare("sqlite:new.db", &["--sql", "target", "--out", "new.sql"]).expect(1);
    run_sqlite(folder, "new.sql", "new.db");
    compare("sqlite:new.db", &[]).expect(0);
    let database = support::database();
    let url = database.url();
    compare(&url, &["--sql", "target", "--out", "new.sql"]).expect(1);
    run_psql(folder, "new.sql", &url);
    compare(&url, &[]).expect(0);
}

fn run_psql(folder: &Path, script: &str, url: &str) {
    let output = Command::new("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", script, url])
        .current_dir(folder)
        .env("LC_ALL", "C")
        .output()
        .expect("psql can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

/// A table in which every type has values that are often got wrong.
const HARD: &str = r#"CREATE TABLE "o'd ""d" (id int PRIMARY KEY, b bool, i bigint, f float8, r real, n numeric, t text, v varchar(9),
      c char(3), y bytea, d date, m time, s timestamp, z timestamptz, u uuid, j jsonb, k json, p interval, a int[]);
  INSERT INTO "o'd ""d" VALUES
    (1, true, -9223372036854775808, 'NaN', '-Infinity', 'NaN', E'it''s \\ "q" \r\n\t$1 :x ;--', '', 'ab', '\x00ff5c27', 'infinity', '24:00',
     '-infinity', '0044-03-15 10:00:00.000001+00 BC', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": "\\ \" é"}', '{"b" : 1.50}', '1 day 00:00:01', '{1,NULL,3}'),
    (2, false, 9223372036854775807, 5e-324, 3.4028235e38, 12345678901234567890.12345678901234567890, E'.quit\n\\q\n', 'a''b', '', '', '9999-12-31', '00:00:00.000001',
     '0001-01-01', '9999-12-31 23:59:59.999999+00', '00000000-0000-0000-0000-000000000000', 'null', '[]', '-1 year', '{}'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"#;

#[test]
fn a_script_says_every_type_of_postgres() {
    let (one, other) = (support::database(), support::database());
    let folder = support::folder();
    let folder = folder.path();
    one.sql(HARD).unwrap();
    other
        .sql(&format!("{HARD}; UPDATE \"o'd \"\"d\" SET b = NOT b, i = 0, f = 0, r = 0, n = 0, t = '', v = 'v', c = 'c', y = '\\x01', d = '2000-01-01', \
             m = '00:00', s = '2000-01-01', z = '2000-01-01', u = NULL, j = '1', k = '1', p = '0', a = '{{7}}' WHERE id = 1; \
             DELETE FROM \"o'd \"\"d\" WHERE id = 2; INSERT INTO \"o'd \"\"d\" (id, t) VALUES (7, 'more')"))
        .unwrap();
    let (source, target) = (one.url(), other.url());
    let compare = |options: &[&str]| {
        let run = Trueup::new(folder)
            .diff([&source, &target])
            .arguments(["--quiet"]);
        run.arguments(options).run()
    };
    for (side, repaired) in [("target", &target), ("source", &source)] {
        compare(&["--sql", side, "--out", "repair.sql"]).expect(1);
        run_psql(folder, "repair.sql", repaired);
        compare(&[]).expect(0);
        other.sql("DELETE FROM \"o'd \"\"d\" WHERE id < 3").unwrap();
    }
}

#[test]
fn a_plan_is_carried_out_in_postgres() {
    let database = support::database();
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    let sync = |options: &[&str]| {
        let run = Trueup::new(folder).sync(["sqlite:shop.db", &database.url()]);
        run.arguments(["--quiet", "--json"])
            .arguments(options)
            .run()
    };
    sync(&["--plan-out", "load.jsonl"]).expect(1);
    let done = sync(&["--plan-in", "load.jsonl"]).expect(0);
    assert_eq!(done.collection("orders")["inserted"], 3);
    support::sqlite(
        &folder.join("shop.db"),
        "DELETE FROM orders WHERE id = 1; UPDATE orders SET total = 7 WHERE id = 2; INSERT INTO customers VALUES (3, 'Edsger')",
    );
    sync(&["--delete", "--plan-out", "plan.jsonl"]).expect(1);
    database
        .sql("UPDATE orders SET note = 'theirs' WHERE id = 1")
        .unwrap();
    let done = sync(&["--delete", "--plan-in", "plan.jsonl"]).expect(1);
    let orders = done.collection("orders");
    assert_eq!(
        (&orders["updated"], &orders["deleted"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(orders["selected"]["changed_since"], 1);
    assert_eq!(done.collection("customers")["inserted"], 1);
    assert_eq!(
        database
            .sql("SELECT note FROM orders WHERE id = 1")
            .unwrap()
            .trim(),
        "theirs"
    );
}

/// A slip of the pen must not cost a database: only an earlier result is written over.
#[test]
fn no_result_takes_the_place_of_data() {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    let before = fs::read(folder.join("shop.db")).unwrap();
    sync(folder, &["--plan-out", "shop.db"]).expect(2);
    diff(folder, &["--out", "shop.db"]).expect(2);
    diff(folder, &["--sql", "target", "--out", "shop.db"]).expect(2);
    assert_eq!(fs::read(folder.join("shop.db")).unwrap(), before);
    for _ in 0..2 {
        sync(folder, &["--plan-out", "result"]).expect(1);
        diff(folder, &["--out", "result"]).expect(1);
        diff(folder, &["--sql", "target", "--out", "result"]).expect(1);
    }
}

#[test]
fn a_script_says_how_many_records_are_not_in_it() {
    let folder = support::folder();
    let folder = folder.path();
    support::sqlite(
        &folder.join("shop.db"),
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 5), (2, 'abc'), (3, 'def')",
    );
    support::sqlite(
        &folder.join("till.db"),
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER) STRICT; INSERT INTO t VALUES (1, 4), (2, 1)",
    );
    let script = diff(folder, &["--sql", "target"]).expect(1).stdout;
    let told = "-- t: NOT IN THIS SCRIPT: 2 records of the other side that do not fit";
    assert!(script.contains(told), "{script}");
}
