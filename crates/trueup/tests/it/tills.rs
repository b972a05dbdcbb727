//! A two-way link as its user meets it: one story from the first join to decisions that are made and taken back, then the
//! mistakes one can make. Two tills of a shop keep their customers the same.

use crate::cli::check;
use crate::support::{self, Output, Trueup};
use std::fs;
use std::path::Path;

const SIDES: [&str; 2] = ["sqlite:shop.db", "sqlite:till.db"];
const TABLE: &str =
    "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, email TEXT, changed TEXT);";

fn edit(folder: &Path, place: &str, sql: &str) {
    support::sqlite(&folder.join(format!("{place}.db")), sql);
}

/// Both have customer 1; 2 and 3 are known to the shop, 4 to the till.
fn tills(folder: &Path) {
    let one = "(1, 'Ann', 'ann@example.org', '2026-01-01')";
    let two = "(2, 'Bob', NULL, '2026-01-01'), (3, 'Cy', NULL, '2026-01-01')";
    let four = "(4, 'Di', 'di@example.org', '2026-01-02')";
    let insert = |rows: &str| format!("{TABLE} INSERT INTO customers VALUES {rows};");
    edit(folder, "shop", &insert(&format!("{one}, {two}")));
    edit(folder, "till", &insert(&format!("{one}, {four}")));
}

fn sync(folder: &Path, options: &[&str]) -> Output {
    Trueup::new(folder)
        .sync(SIDES)
        .arguments(["--two-way", "--quiet"])
        .arguments(options)
        .run()
}

fn conflicts(folder: &Path, arguments: &[&str]) -> Output {
    Trueup::new(folder).state("conflicts", arguments).run()
}

/// What both sides hold of one customer's name.
fn names(folder: &Path, id: i64) -> [Option<String>; 2] {
    ["shop", "till"].map(|place| {
        let file = folder.join(format!("{place}.db"));
        let database = rusqlite::Connection::open(file).expect("the file can be opened");
        let sql = "SELECT name FROM customers WHERE id = ?1";
        database.query_row(sql, [id], |row| row.get(0)).ok()
    })
}

fn both(name: &str) -> [Option<String>; 2] {
    [Some(name.to_owned()), Some(name.to_owned())]
}

#[test]
fn a_two_way_link_from_its_first_join_to_decisions_taken_back() {
    let folder = support::folder();
    let folder = folder.path();
    tills(folder);
    check("two-way-dry-run-first", &sync(folder, &["--dry-run"]));
    check("two-way-first", &sync(folder, &[]));
    check("two-way-equal", &sync(folder, &["--no-verify"]));
    support::expect_same(folder, "sqlite:shop.db", "sqlite:till.db");

    // 1: both rename; 2: deleted here, renamed there; 3: different fields; 4: deleted here only.
    edit(
        folder,
        "shop",
        "UPDATE customers SET name = 'Anna' WHERE id = 1; DELETE FROM customers WHERE id IN (2, 4);
         UPDATE customers SET email = 'cy@example.org' WHERE id = 3;",
    );
    edit(
        folder,
        "till",
        "UPDATE customers SET name = 'Annette' WHERE id = 1; UPDATE customers SET name = 'Rob' WHERE id = 2;
         UPDATE customers SET name = 'Cyril' WHERE id = 3;",
    );
    check("two-way-dry-run", &sync(folder, &["--dry-run"]));
    check(
        "two-way-dry-run-json",
        &sync(folder, &["--dry-run", "--json"]),
    );
    check("two-way-conflicts", &sync(folder, &[]));
    assert_eq!(names(folder, 2), both("Rob"), "the data is kept");
    assert_eq!(names(folder, 3), both("Cyril"));
    assert_eq!(names(folder, 4), [None, None]);
    check("two-way-list", &conflicts(folder, &["list"]));
    check(
        "two-way-status",
        &Trueup::new(folder).state("status", [""; 0]).run(),
    );

    let list = conflicts(folder, &["list", "--json"]).json();
    let id = |key: i64| {
        let all = list.as_array().expect("an array");
        let found = all.iter().find(|one| one["key"]["id"] == key);
        found.expect("a conflict of that key")["id"].to_string()
    };
    let (open, decided) = (id(1), id(2));
    let record = r#"{"id": 1, "name": "Ann-Marie", "email": null, "changed": "2026-01-03"}"#;
    fs::write(folder.join("ann.json"), record).expect("the file can be written");
    conflicts(folder, &["resolve", &open, "--take", "ann.json"]).expect(0);
    check(
        "two-way-resolve-decided",
        &conflicts(folder, &["resolve", &decided, "--take", "source"]),
    );
    check("two-way-resolved", &sync(folder, &["--no-verify"]));
    assert_eq!(names(folder, 1), both("Ann-Marie"));
    assert_eq!(
        names(folder, 2),
        [None, None],
        "the decision was taken back"
    );
    let shown = conflicts(folder, &["show", &decided, "--json"]).json();
    assert_eq!(
        (&shown["decision"], &shown["answer"]),
        (&"delete".into(), &().into())
    );

    conflicts(folder, &["resolve", &decided, "--take", "target"]).expect(0);
    sync(folder, &[]).expect(0);
    assert_eq!(names(folder, 2), both("Rob"), "and taken back again");
    check("two-way-list-resolved", &conflicts(folder, &["list"]));
    check(
        "two-way-history",
        &Trueup::new(folder).history([""; 0]).run(),
    );
    support::expect_same(folder, "sqlite:shop.db", "sqlite:till.db");
}

#[test]
fn a_dry_run_counts_what_a_person_has_decided() {
    let folder = support::folder();
    let folder = folder.path();
    tills(folder);
    sync(folder, &[]).expect(0);
    for place in ["shop", "till"] {
        let sql = format!("UPDATE customers SET name = 'of {place}' WHERE id = 1");
        edit(folder, place, &sql);
    }
    sync(folder, &[]).expect(1);
    conflicts(folder, &["resolve", "1", "--take", "source"]).expect(0);
    let planned = sync(folder, &["--dry-run"]).expect(1);
    for line in [
        "conflicts: collection customers: 0 open, 0 decided, 1 decided by a person\n",
        "  conflict 1: what a person decided is carried out\n",
    ] {
        assert!(planned.stdout.contains(line), "{planned}");
    }
    let planned = sync(folder, &["--dry-run", "--json"]).expect(1);
    let ran = sync(folder, &["--json"]).expect(0);
    for output in [planned, ran] {
        assert_eq!(output.collection("customers")["conflicts"], 1, "{output}");
    }
}

/// Of keep-both, one record keeps the key; it is the one that was chosen.
#[test]
fn a_conflict_that_kept_both_shows_the_record_that_kept_the_key() {
    let folder = support::folder();
    let folder = folder.path();
    tills(folder);
    sync(folder, &[]).expect(0);
    for place in ["shop", "till"] {
        let sql = format!("INSERT INTO customers VALUES (9, 'of {place}', NULL, NULL)");
        edit(folder, place, &sql);
    }
    sync(folder, &["--on-conflict", "keep-both"]).expect(0);
    let shown = conflicts(folder, &["show", "1", "--json"]).json();
    assert_eq!(shown["decision"], "keep-both", "{shown}");
    let [Some(kept), _] = names(folder, 9) else {
        panic!("nobody holds the key: {shown}");
    };
    assert_eq!(shown["chosen"]["name"], kept.as_str(), "{shown}");
}

#[test]
fn the_sides_may_be_named_the_other_way_round() {
    let folder = support::folder();
    let folder = folder.path();
    tills(folder);
    sync(folder, &[]).expect(0);
    edit(
        folder,
        "shop",
        "UPDATE customers SET name = 'Shop' WHERE id = 1",
    );
    edit(
        folder,
        "till",
        "UPDATE customers SET name = 'Till' WHERE id = 1",
    );
    let turned = Trueup::new(folder)
        .sync([
            SIDES[1],
            SIDES[0],
            "--two-way",
            "--json",
            "--on-conflict",
            "source",
        ])
        .run()
        .expect(0);
    let customers = turned.collection("customers");
    assert_eq!(customers["conflicts"], 1, "{turned}");
    assert_eq!(customers["to_target"]["updated"], 1, "{turned}");
    assert_eq!(customers["to_source"]["updated"], 0, "{turned}");
    assert_eq!(names(folder, 1), both("Till"), "the till was the source");
    let shown = conflicts(folder, &["show", "1", "--json"]).json();
    let [till, shop] = ["till.db", "shop.db"].map(|name| {
        let path = folder.canonicalize().unwrap().join(name);
        format!("sqlite:{}", path.display())
    });
    assert_eq!(shown["link"], format!("{till} <-> {shop}"));
    assert_eq!(shown["source"]["name"], "Till");
    assert_eq!(shown["decision"], "source");
    // The last run named them as they were at first.
    sync(folder, &[]).expect(0);
    let shown = conflicts(folder, &["show", "1", "--json"]).json();
    assert_eq!(shown["source"]["name"], "Shop");
    assert_eq!(shown["rules"][0]["policy"], "target");
    assert_eq!(shown["decision"], "target");
}

#[test]
fn rules_decide_what_they_are_for() {
    let folder = support::folder();
    let folder = folder.path();
    tills(folder);
    sync(folder, &[]).expect(0);
    let set = |place: &str, id: i64, name: &str, email: &str, changed: &str| {
        let sql = format!(
            "UPDATE customers SET name = '{name}', email = '{email}', changed = '{changed}' WHERE id = {id}"
        );
        edit(folder, place, &sql);
    };
    set("shop", 1, "a", "x", "2026-02-02");
    set("till", 1, "b", "y", "2026-02-01");
    set("shop", 3, "c", "p", "2026-02-03");
    set("till", 3, "d", "q", "2026-02-04");
    edit(folder, "shop", "DELETE FROM customers WHERE id = 2");
    edit(
        folder,
        "till",
        "UPDATE customers SET name = 'Rob' WHERE id = 2",
    );
    let rules = [
        "--on-conflict",
        "newest",
        "--on-conflict",
        "customers.email=max",
        "--stamp",
        "changed",
        "--on-delete",
        "customers=wins",
    ];
    sync(folder, &rules).expect(0);
    assert_eq!(names(folder, 1), both("a"));
    assert_eq!(names(folder, 3), both("d"));
    assert_eq!(names(folder, 2), [None, None]);
    let list = conflicts(folder, &["list", "--json"]).json();
    let rules = &list
        .as_array()
        .and_then(|all| all.iter().find(|one| one["key"]["id"] == 1));
    let rules = rules.expect("a conflict")["rules"].clone();
    let rule = |field: &str| {
        let all = rules.as_array().into_iter().flatten();
        let mut found = all.filter(|rule| rule["field"] == field);
        found
            .next()
            .map(|rule| (rule["policy"].clone(), rule["decision"].clone()))
    };
    assert_eq!(rule("email"), Some(("max".into(), "target".into())));
    assert_eq!(rule("name"), Some(("newest".into(), "source".into())));
}

/// SQLite keeps exact decimals as text, where 9.50 comes after 10.25.
#[test]
fn the_larger_number_is_not_the_larger_text() {
    let folder = support::folder();
    let folder = folder.path();
    for place in ["shop", "till"] {
        edit(
            folder,
            place,
            "CREATE TABLE prices (id INTEGER PRIMARY KEY, price DECIMAL_TEXT(10, 2)); \
             INSERT INTO prices VALUES (1, '1.00'), (2, '1.00');",
        );
    }
    sync(folder, &[]).expect(0);
    for (place, one, two) in [("shop", "9.50", "100.00"), ("till", "10.25", "20.00")] {
        let set = format!(
            "UPDATE prices SET price = '{one}' WHERE id = 1; UPDATE prices SET price = '{two}' WHERE id = 2"
        );
        edit(folder, place, &set);
    }
    sync(folder, &["--on-conflict", "prices.price=max"]).expect(0);
    let held = |place: &str| {
        let file = rusqlite::Connection::open(folder.join(format!("{place}.db"))).unwrap();
        let read = "SELECT group_concat(price) FROM (SELECT price FROM prices ORDER BY id)";
        file.query_row(read, [], |row| row.get::<_, String>(0))
            .unwrap()
    };
    assert_eq!(
        (held("shop"), held("till")),
        ("10.25,100.00".into(), "10.25,100.00".into())
    );
}

#[test]
fn expressions_decide_in_the_words_of_who_named_the_sides() {
    let folder = support::folder();
    let folder = folder.path();
    tills(folder);
    sync(folder, &[]).expect(0);
    let both_change = |shop: &str, till: &str| {
        let set =
            |changed: &str| format!("UPDATE customers SET changed = '{changed}' WHERE id = 1");
        edit(folder, "shop", &set(shop));
        edit(folder, "till", &set(till));
    };
    let changed = || {
        ["shop", "till"].map(|place| {
            let file = folder.join(format!("{place}.db"));
            let database = rusqlite::Connection::open(file).expect("the file can be opened");
            let sql = "SELECT changed FROM customers WHERE id = 1";
            database
                .query_row(sql, [], |row| row.get::<_, String>(0))
                .ok()
        })
    };
    let later = "cel:source.changed > target.changed ? \"source\" : \"target\"";
    both_change("2026-03-02", "2026-03-01");
    sync(folder, &["--on-conflict", later]).expect(0);
    assert_eq!(changed(), both("2026-03-02"));
    let joined = "customers.changed=cel:source_value + \" \" + target_value";
    both_change("shop", "till");
    let turned = Trueup::new(folder)
        .sync([SIDES[1], SIDES[0], "--two-way", "--on-conflict", joined])
        .run()
        .expect(0);
    assert_eq!(changed(), both("till shop"), "{turned}");
    let list = conflicts(folder, &["list", "--json"]).json();
    let ended: Vec<&str> = list
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["decision"].as_str())
        .collect();
    assert_eq!(ended, ["target", "merge"], "the sides were turned since");
}

#[test]
fn a_record_that_is_given_back_keeps_what_json_cannot_say() {
    let folder = support::folder();
    let folder = folder.path();
    // Text that is no UTF-8, bytes, and a whole number that is a text, in fields of no type.
    let table = "CREATE TABLE items (id INTEGER PRIMARY KEY, odd, bytes, digits, note TEXT);
        INSERT INTO items VALUES (1, CAST(x'61ff' AS TEXT), x'00ff', '5', 'both');";
    edit(folder, "shop", table);
    edit(folder, "till", table);
    sync(folder, &[]).expect(0);
    edit(folder, "shop", "UPDATE items SET note = 'ours'");
    edit(folder, "till", "UPDATE items SET note = 'theirs'");
    sync(folder, &[]).expect(1);
    let mut record = conflicts(folder, &["show", "1", "--json"]).json()["source"].take();
    record["note"] = "settled".into();
    fs::write(folder.join("record.json"), record.to_string()).expect("the file can be written");
    conflicts(folder, &["resolve", "1", "--take", "record.json"]).expect(0);
    sync(folder, &[]).expect(0);
    for place in ["shop", "till"] {
        let file = folder.join(format!("{place}.db"));
        let database = rusqlite::Connection::open(file).expect("the file can be opened");
        let sql = "SELECT typeof(odd) || hex(odd) || typeof(bytes) || hex(bytes) || typeof(digits) || note FROM items";
        let found: String = database
            .query_row(sql, [], |row| row.get(0))
            .expect("the record is there");
        assert_eq!(found, "text61FFblob00FFtextsettled", "{place}");
    }
}

#[test]
fn mistakes_about_two_ways_are_named_with_the_way_out() {
    let folder = support::folder();
    let folder = folder.path();
    tills(folder);
    fs::write(folder.join("customers.csv"), "id,name\n1,Ann\n").expect("the file can be written");
    let csv = [
        "csv:customers.csv",
        "sqlite:till.db",
        "--two-way",
        "--quiet",
        "--key",
        "id",
    ];
    check("two-way-mistake-csv", &Trueup::new(folder).sync(csv).run());
    for (name, options) in [
        ("collection", &["--on-conflict", "customer=newest"][..]),
        ("field", &["--on-conflict", "customers.nam=max"]),
        ("newest", &["--on-conflict", "newest"]),
        ("stamp", &["--on-conflict", "newest", "--stamp", "updated"]),
        ("on-delete", &["--on-delete", "customer=wins"]),
        (
            "twice",
            &["--on-conflict", "source", "--on-conflict", "target"],
        ),
        ("expression", &["--on-conflict", "cel:source.id >"]),
        (
            "expression-field",
            &["--on-conflict", "customers.name=cel:source.nam"],
        ),
        (
            "both-for-a-field",
            &["--on-conflict", "customers.name=keep-both"],
        ),
    ] {
        check(&format!("two-way-mistake-{name}"), &sync(folder, options));
    }
    let same = ["sqlite:shop.db", "sqlite:shop.db", "--two-way", "--quiet"];
    check(
        "two-way-mistake-same",
        &Trueup::new(folder).sync(same).run(),
    );
}
