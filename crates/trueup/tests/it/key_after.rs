//! A table whose key is built after its records: however the run that loads it ends, no record is there twice, and no run
//! that ends well leaves it without its key.

use crate::support::{self, Trueup};
use std::path::Path;
use trueup_testkit::servers::postgres::Database;

/// Keys in no order, of two fields, in an order that is not that of the columns.
const ORDERS: &str = "CREATE TABLE orders (note text, line int, id text, total numeric(12,2), PRIMARY KEY (id, line)); \
    INSERT INTO orders SELECT 'note ' || i, i % 7, md5(i::text), i / 100.0 FROM generate_series(1, 900) i";
const KEYS: &str = "SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
    WHERE contype = 'p' AND conrelid = to_regclass('orders')";
const KEY: &str = "orders_pkey PRIMARY KEY (id, line)";
const DIGEST: &str =
    "SELECT count(*), count(DISTINCT (id, line)), sum(hash_record_extended(o, 0)) FROM orders o";

fn source() -> Database {
    let source = support::database();
    source.sql(ORDERS).unwrap();
    source
}

fn sync(folder: &Path, source: &Database, target: &Database) -> Trueup {
    let sync = Trueup::new(folder).sync([source.url(), target.url()]);
    sync.arguments(["--batch-records", "100"])
}

#[track_caller]
fn expect_whole(source: &Database, target: &Database) {
    assert_eq!(source.sql(DIGEST).unwrap(), target.sql(DIGEST).unwrap());
    assert_eq!(target.sql(KEYS).unwrap(), KEY);
}

#[test]
fn a_dry_run_says_when_the_key_is_built_and_a_run_does_so() {
    let folder = support::folder();
    let folder = folder.path();
    let (source, target) = (source(), support::database());
    let add = "ALTER TABLE \"orders\" ADD PRIMARY KEY (\"id\", \"line\")";
    let planned = sync(folder, &source, &target).arguments(["--dry-run"]);
    let planned = planned.run().expect(1);
    let after = planned.stdout.split("build after the load: 1").nth(1);
    assert!(after.is_some_and(|after| after.contains(add)), "{planned}");
    assert_eq!(
        planned.stdout.matches("PRIMARY KEY").count(),
        1,
        "{planned}"
    );
    let plan = sync(folder, &source, &target).arguments(["--dry-run", "--json"]);
    let plan = plan.run().expect(1).json();
    let build = plan["plan"]
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["build"] == "key");
    assert_eq!(build.unwrap()["statement"], add, "{plan}");
    let quick = sync(folder, &source, &target).arguments(["--no-verify", "--json"]);
    assert_eq!(quick.run().expect(0).json()["structure"]["built"], 1);
    expect_whole(&source, &target);
    let again = sync(folder, &source, &target)
        .arguments(["--json"])
        .run()
        .expect(0);
    assert!(again.json().get("structure").is_none(), "{again}");
}

#[test]
fn a_run_that_dies_before_the_key_is_followed_by_one_that_builds_it_first() {
    let source = source();
    for (point, there) in [
        ("engine.created:1", "0"),
        ("engine.applied:1", "100"),
        ("postgres.before_commit:4", "300"),
        ("postgres.after_commit:4", "400"),
        ("engine.loaded:1", "900"),
        ("postgres.before_commit:10", "900"),
    ] {
        let folder = support::folder();
        let folder = folder.path();
        let target = support::database();
        let killed = sync(folder, &source, &target).env("TRUEUP_FAILPOINT", point);
        assert_eq!(killed.run().code, None, "{point}");
        assert_eq!(target.sql(KEYS).unwrap(), "", "{point}");
        assert_eq!(
            target.sql("SELECT count(*) FROM orders").unwrap(),
            there,
            "{point}"
        );
        let planned = sync(folder, &source, &target)
            .arguments(["--dry-run"])
            .run();
        assert!(
            planned.expect(1).stdout.contains("ADD PRIMARY KEY"),
            "{point}"
        );
        // And dies once more, with the key.
        let killed = sync(folder, &source, &target).env("TRUEUP_FAILPOINT", "engine.built:1");
        assert_eq!(killed.run().code, None, "{point}");
        assert_eq!(target.sql(KEYS).unwrap(), KEY, "{point}");
        assert_eq!(
            target.sql("SELECT count(*) FROM orders").unwrap(),
            there,
            "{point}"
        );
        sync(folder, &source, &target).run().expect(0);
        expect_whole(&source, &target);
        let again = sync(folder, &source, &target)
            .arguments(["--json"])
            .run()
            .expect(0);
        assert!(again.json().get("structure").is_none(), "{again}");
    }
}

#[test]
fn an_answer_that_is_lost_brings_no_record_twice() {
    let source = source();
    for point in [
        "postgres.before_write:3:fail",
        "postgres.before_commit:3:fail",
        "postgres.after_commit:3:fail",
        "postgres.after_commit:9:fail",
    ] {
        // Unread; read; written by statements, because a type has no bytes of its own.
        for odd in ["int", "char(5)", "interval"] {
            let odd = format!(
                "ALTER TABLE orders DROP COLUMN IF EXISTS odd; ALTER TABLE orders ADD odd {odd}"
            );
            source.sql(&odd).unwrap();
            let folder = support::folder();
            let target = support::database();
            let sync = sync(folder.path(), &source, &target).env("TRUEUP_FAILPOINT", point);
            sync.run().expect(0);
            expect_whole(&source, &target);
        }
    }
}

#[test]
fn a_key_that_only_the_link_names_is_there_before_the_records() {
    let folder = support::folder();
    let folder = folder.path();
    let (source, target) = (support::database(), support::database());
    source
        .sql("CREATE TABLE orders (id int NOT NULL, note text); INSERT INTO orders VALUES (1, 'a'), (2, 'b'), (2, 'c')")
        .unwrap();
    let keyed = || sync(folder, &source, &target).arguments(["--key", "orders=id"]);
    let refused = keyed().run().expect(2);
    assert!(
        refused.stderr.contains("the key is not unique: key=id"),
        "{refused}"
    );
    assert_eq!(target.sql("SELECT to_regclass('orders')").unwrap(), "");
    source.sql("DELETE FROM orders WHERE note = 'c'").unwrap();
    let planned = keyed().arguments(["--dry-run"]).run().expect(1);
    assert!(!planned.stdout.contains("ADD PRIMARY KEY"), "{planned}");
    assert!(planned.stdout.contains("PRIMARY KEY (\"id\")"), "{planned}");
    keyed().run().expect(0);
    assert_eq!(target.sql(KEYS).unwrap(), "orders_pkey PRIMARY KEY (id)");
    // A field that is unique and never NULL is a key that the source keeps.
    let target = support::database();
    source.sql("ALTER TABLE orders ADD UNIQUE (id)").unwrap();
    let keyed = || sync(folder, &source, &target).arguments(["--key", "orders=id"]);
    let planned = keyed().arguments(["--dry-run"]).run().expect(1);
    assert!(
        planned.stdout.contains("ADD PRIMARY KEY (\"id\")"),
        "{planned}"
    );
    keyed().run().expect(0);
    assert_eq!(target.sql(KEYS).unwrap(), "orders_pkey PRIMARY KEY (id)");
}

#[test]
fn a_part_of_the_records_gets_the_key_too() {
    let folder = support::folder();
    let folder = folder.path();
    let (source, target) = (source(), support::database());
    // By a plan in a file, with two of its records taken out of it.
    sync(folder, &source, &target)
        .arguments(["--plan-out", "plan.jsonl"])
        .run()
        .expect(1);
    let plan = std::fs::read_to_string(folder.join("plan.jsonl")).unwrap();
    let ends = format!("\"line\":{}", 3);
    let some: Vec<&str> = plan.lines().filter(|line| !line.contains(&ends)).collect();
    std::fs::write(folder.join("plan.jsonl"), some.join("\n") + "\n").unwrap();
    sync(folder, &source, &target)
        .arguments(["--plan-in", "plan.jsonl"])
        .run();
    assert_eq!(target.sql(KEYS).unwrap(), KEY);
    sync(folder, &source, &target).run().expect(0);
    expect_whole(&source, &target);
    // By a filter.
    let target = support::database();
    let config = format!(
        "[endpoint.a]\nurl = \"{}\"\n[endpoint.b]\nurl = \"{}\"\n[link.a]\nsource = \"a\"\ntarget = \"b\"\n\
         collections = [{{ source = \"orders\", where = \"line < 3\" }}]\n",
        source.url(),
        target.url()
    );
    std::fs::write(folder.join("trueup.toml"), config).unwrap();
    let run = Trueup::new(folder).arguments(["run"]);
    run.run().expect(0);
    assert_eq!(target.sql(KEYS).unwrap(), KEY);
    let count = "SELECT count(*) FROM orders WHERE line < 3";
    assert_eq!(target.sql(count).unwrap(), source.sql(count).unwrap());
    // One of two that a killed run left.
    let target = support::database();
    source
        .sql("CREATE TABLE parts (id int PRIMARY KEY); INSERT INTO parts VALUES (1)")
        .unwrap();
    let killed = sync(folder, &source, &target).env("TRUEUP_FAILPOINT", "engine.loaded:1");
    assert_eq!(killed.run().code, None);
    let one = sync(folder, &source, &target).arguments(["--collections", "orders"]);
    one.run().expect(0);
    expect_whole(&source, &target);
    let keys = KEYS.replace("'orders'", "'parts'");
    assert_eq!(target.sql(&keys).unwrap(), "");
    sync(folder, &source, &target).run().expect(0);
    assert_eq!(target.sql(&keys).unwrap(), "parts_pkey PRIMARY KEY (id)");
}
