//! The roles of `docs/guide/mysql.md`: users with the grants that stand there, and no others, do what the page says.

use crate::support::{self, Trueup};
use std::fs;
use std::path::Path;
use trueup_testkit::servers::mariadb::{Database, PASSWORD, PASSWORD_ENCODED};

const ORDERS: &str = "CREATE TABLE orders (id bigint PRIMARY KEY, total decimal(10,2), note varchar(40)) \
    CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin";

/// The grants of one role, as the page says them.
fn grants(role: &str) -> Vec<String> {
    let page = fs::read_to_string(support::root().join("docs/guide/mysql.md")).unwrap();
    let suffix = format!(" TO {role};");
    let lines = page.lines().filter(|line| line.ends_with(&suffix));
    let found: Vec<String> = lines
        .map(|line| line.trim_end_matches(';').to_owned())
        .collect();
    assert!(!found.is_empty(), "the page has grants for {role}");
    found
}

/// A database and a user of it who has these grants; returns the address under that name.
fn granted(database: &Database, role: &str, grants: &[String]) -> String {
    let user = format!("{role}_{}", database.name());
    let account = format!("{user}@'127.0.0.1'");
    let mut sql =
        format!("DROP USER IF EXISTS {account}; CREATE USER {account} IDENTIFIED BY '{PASSWORD}';");
    for grant in grants {
        let grant = grant.replace(" shop.", &format!(" {}.", database.name()));
        let grant = grant.replace(&format!(" TO {role}"), &format!(" TO {account}"));
        sql.push_str(&grant);
        sql.push(';');
    }
    database.sql(&sql).expect("the grants are valid");
    let port = database.server().port();
    format!(
        "mysql://{user}:{PASSWORD_ENCODED}@127.0.0.1:{port}/{}",
        database.name()
    )
}

fn check(folder: &Path, options: &[&str], source: &str, target: &str) -> Option<i32> {
    let run = Trueup::new(folder).arguments(["check", source, target]);
    run.arguments(options).run().code
}

/// Each line of the page is needed: without it `check` finds something missing.
fn expect_least(
    folder: &Path,
    database: &Database,
    role: &str,
    code: impl Fn(&Path, &str) -> Option<i32>,
) {
    let all = grants(role);
    for left_out in 0..all.len() {
        let mut less = all.clone();
        let grant = less.remove(left_out);
        let url = granted(database, role, &less);
        assert_eq!(code(folder, &url), Some(1), "{role} without {grant}");
    }
    assert_eq!(
        code(folder, &granted(database, role, &all)),
        Some(0),
        "{role}"
    );
}

fn sync(folder: &Path, source: &str, target: &str, options: &[&str]) {
    let run = Trueup::new(folder).sync([source, target]);
    run.arguments(options).run().expect(0);
}

#[test]
fn who_may_select_is_a_source() {
    let (folder, shop) = (support::folder(), support::mariadb());
    let folder = folder.path();
    shop.sql(&format!(
        "{ORDERS}; INSERT INTO orders VALUES (1, 2.50, 'a'), (2, NULL, '')"
    ))
    .unwrap();
    let source = granted(&shop, "reader", &grants("reader"));
    sync(folder, &source, "sqlite:copy.db", &[]);
    let diff = Trueup::new(folder).diff([source.as_str(), "sqlite:copy.db"]);
    diff.run().expect(0);
    granted(&shop, "reader", &[]);
    let refused = Trueup::new(folder).diff([source.as_str(), "sqlite:copy.db"]);
    assert_ne!(refused.run().code, Some(0));
}

/// Inserts, changes and deletes, and again after everything is there.
fn write(folder: &Path, shop: &Database, target: &str) {
    let file = folder.join("shop.db");
    support::sqlite(
        &file,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY NOT NULL, total DECIMAL_TEXT(10,2), note VARCHAR(40));
         INSERT INTO orders VALUES (1, '2.50', 'a'), (2, NULL, ''), (3, '1.00', 'c')",
    );
    sync(folder, "sqlite:shop.db", target, &[]);
    support::sqlite(
        &file,
        "UPDATE orders SET note = 'b' WHERE id = 1; DELETE FROM orders WHERE id = 3",
    );
    sync(folder, "sqlite:shop.db", target, &["--delete"]);
    let held = shop
        .sql("SELECT id, total, note FROM orders ORDER BY id")
        .unwrap();
    assert_eq!(held, "1\t2.50\tb\n2\tNULL\t");
}

#[test]
fn who_may_write_the_tables_is_a_target() {
    let (folder, shop) = (support::folder(), support::mariadb());
    let folder = folder.path();
    shop.sql(ORDERS).unwrap();
    write(folder, &shop, &granted(&shop, "writer", &grants("writer")));
    shop.sql("DROP TABLE _trueup_epoch, _trueup_marker")
        .unwrap();
    expect_least(folder, &shop, "writer", |folder, target| {
        // Without control tables it is written too, and the guarantees are fewer.
        let run = Trueup::new(folder).arguments(["check", "sqlite:shop.db", target]);
        let run = run.run();
        let transactional = run.stdout.matches("class     T").count() == 2;
        if transactional { run.code } else { Some(1) }
    });
}

#[test]
fn who_may_create_tables_is_a_target_that_has_none() {
    let (folder, shop) = (support::folder(), support::mariadb());
    write(
        folder.path(),
        &shop,
        &granted(&shop, "maker", &grants("maker")),
    );
}

#[test]
fn who_may_create_tables_builds_their_indexes_and_constraints_too() {
    let (folder, shop) = (support::folder(), support::mariadb());
    let folder = folder.path();
    support::sqlite(
        &folder.join("shop.db"),
        "CREATE TABLE people (id INTEGER PRIMARY KEY NOT NULL, name VARCHAR(40) UNIQUE);
         CREATE TABLE orders (id INTEGER PRIMARY KEY NOT NULL, person INTEGER REFERENCES people (id), note VARCHAR(40));
         CREATE INDEX by_note ON orders (note);
         INSERT INTO people VALUES (7, 'Ada'); INSERT INTO orders VALUES (1, 7, 'a')",
    );
    let target = granted(&shop, "maker", &grants("maker"));
    sync(folder, "sqlite:shop.db", &target, &[]);
    let sql = "SELECT COUNT(*) FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()";
    assert_eq!(shop.sql(sql).unwrap(), "1");
}

#[test]
fn who_may_write_both_sides_is_a_partner() {
    let (folder, shop, branch) = (support::folder(), support::mariadb(), support::mariadb());
    let folder = folder.path();
    shop.sql(&format!(
        "{ORDERS}; INSERT INTO orders VALUES (1, 2.50, 'a')"
    ))
    .unwrap();
    branch
        .sql(&format!("{ORDERS}; INSERT INTO orders VALUES (2, 1, 'b')"))
        .unwrap();
    let all = grants("partner");
    let sides = [
        granted(&shop, "partner", &all),
        granted(&branch, "partner", &all),
    ];
    sync(folder, &sides[0], &sides[1], &["--two-way"]);
    shop.sql("DELETE FROM orders WHERE id = 2").unwrap();
    branch
        .sql("UPDATE orders SET note = 'new' WHERE id = 1")
        .unwrap();
    sync(folder, &sides[0], &sides[1], &["--two-way"]);
    for side in [&shop, &branch] {
        assert_eq!(side.sql("SELECT id, note FROM orders").unwrap(), "1\tnew");
    }
    shop.sql("DROP TABLE _trueup_epoch, _trueup_marker")
        .unwrap();
    expect_least(folder, &shop, "partner", |folder, one| {
        check(folder, &["--two-way"], one, &sides[1])
    });
}
