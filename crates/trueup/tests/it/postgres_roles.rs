//! The roles that the guide gives for PostgreSQL: each has what its mode needs, and nothing more than the guide says.
//!
//! The statements are taken from the guide itself, and everything that everybody may do is taken away first.

use crate::support::{self, Trueup};
use std::path::Path;
use trueup_testkit::servers::postgres::Database;

const GUIDE: &str = include_str!("../../../../docs/guide/postgres.md");

/// The statements of the guide that make `role`.
fn statements(role: &str) -> &'static str {
    let mut blocks = GUIDE.split("```sql\n").skip(1);
    let block = blocks.find(|block| block.starts_with(&format!("CREATE ROLE {role} ")));
    let block = block.unwrap_or_else(|| panic!("the guide makes no role {role}"));
    block.split_once("```").unwrap().0
}

/// A database with what `sql` makes and a role made as the guide says; returns the role's address.
fn as_role(role: &str, sql: &str) -> (Database, String) {
    let database = support::database();
    let name = database.name();
    let own = format!("{role}_{name}");
    let made = statements(role)
        .replace(role, &own)
        .replace("DATABASE shop", &format!("DATABASE {name}"));
    database
        .sql(&format!(
            "{sql}; REVOKE ALL ON DATABASE {name} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC; \
             {made}; ALTER ROLE {own} PASSWORD 'secret'"
        ))
        .unwrap();
    let port = database.server().port();
    let url = format!("postgres://{own}:secret@127.0.0.1:{port}/{name}");
    (database, url)
}

/// Two collections, one of them with what is only written by those who may: identity, reference, partitions.
const SHOP: &str = "CREATE TABLE people (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE);
    CREATE TABLE orders (id bigint, person bigint REFERENCES people, total numeric, PRIMARY KEY (id))
      PARTITION BY RANGE (id);
    CREATE TABLE orders_low PARTITION OF orders FOR VALUES FROM (0) TO (100);
    CREATE TABLE orders_high PARTITION OF orders DEFAULT";

const RECORDS: &str = "INSERT INTO people (name) VALUES ('Ada'), ('Grace');
    INSERT INTO orders VALUES (1, 1, 1.50), (200, 2, NULL)";

fn sqlite(folder: &Path) {
    let sql = "CREATE TABLE people (id INTEGER PRIMARY KEY NOT NULL, name TEXT UNIQUE);
        CREATE TABLE orders (id INTEGER PRIMARY KEY NOT NULL, person INTEGER REFERENCES people, total DECIMAL_TEXT);
        INSERT INTO people VALUES (1, 'Grace'), (3, 'Ada');
        INSERT INTO orders VALUES (1, 3, '2.5'), (300, 1, NULL)";
    support::sqlite(&folder.join("shop.db"), sql);
}

const PEOPLE: &str = "SELECT id, name FROM people ORDER BY id";
const ORDERS: &str = "SELECT id, person, total FROM orders ORDER BY id";

#[test]
fn a_source_needs_to_read() {
    let (_database, url) = as_role("trueup_source", &format!("{SHOP}; {RECORDS}"));
    let folder = support::folder();
    let run = || Trueup::new(folder.path());
    let missing = run()
        .arguments(["check", url.as_str(), "sqlite:copy.db"])
        .run()
        .expect(0);
    assert!(!missing.stdout.contains("GRANT"), "{missing}");
    run().sync([url.as_str(), "sqlite:copy.db"]).run().expect(0);
    run().diff([url.as_str(), "sqlite:copy.db"]).run().expect(0);
}

#[test]
fn a_target_needs_to_write_into_its_tables() {
    let (database, url) = as_role("trueup_target", &format!("{SHOP}; {RECORDS}"));
    let folder = support::folder();
    sqlite(folder.path());
    let run = || Trueup::new(folder.path());
    let sides = ["sqlite:shop.db", url.as_str()];
    let checked = run().arguments(["check"]).arguments(sides).run().expect(0);
    assert!(!checked.stdout.contains("GRANT"), "{checked}");
    let done = run().sync(sides).arguments(["--delete", "--json"]).run();
    assert_eq!(done.expect(0).json()["equal"], true);
    assert_eq!(database.sql(PEOPLE).unwrap(), "1|Grace\n3|Ada");
    assert_eq!(database.sql(ORDERS).unwrap(), "1|3|2.5\n300|1|");
}

#[test]
fn a_target_that_creates_needs_to_create() {
    let (database, url) = as_role("trueup_creator", "");
    let folder = support::folder();
    sqlite(folder.path());
    let run = || Trueup::new(folder.path());
    let sides = ["sqlite:shop.db", url.as_str()];
    let checked = run().arguments(["check"]).arguments(sides).run().expect(0);
    assert!(!checked.stdout.contains("GRANT"), "{checked}");
    run().sync(sides).run().expect(0);
    assert_eq!(database.sql(ORDERS).unwrap(), "1|3|2.5\n300|1|");
    // Once more, into what it has created.
    run().sync(sides).run().expect(0);
}

#[test]
fn a_foreign_key_to_a_table_of_somebody_else_needs_references() {
    let people = "CREATE TABLE people (id bigint PRIMARY KEY, name text)";
    let (database, url) = as_role("trueup_creator", people);
    let role = format!("trueup_creator_{}", database.name());
    database
        .sql(&format!(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON people TO {role}"
        ))
        .unwrap();
    let folder = support::folder();
    sqlite(folder.path());
    let run = || Trueup::new(folder.path()).sync(["sqlite:shop.db", url.as_str()]);
    run().run().expect(1);
    database
        .sql(&format!("GRANT REFERENCES ON people TO {role}"))
        .unwrap();
    run().run().expect(0);
    let found = database.sql(
        "SELECT count(*) FROM pg_constraint WHERE conrelid = 'orders'::regclass AND contype = 'f'",
    );
    assert_eq!(found.unwrap(), "1");
}

#[test]
fn both_ways_need_what_a_target_needs() {
    let shop = "CREATE TABLE people (id bigint PRIMARY KEY, name text);
        CREATE TABLE orders (id bigint PRIMARY KEY, person bigint REFERENCES people, total numeric)";
    let (one, first) = as_role(
        "trueup_target",
        &format!(
            "{shop}; INSERT INTO people VALUES (1, 'Ada'), (2, 'Grace'); INSERT INTO orders VALUES (1, 1, 1.5)"
        ),
    );
    let (other, second) = as_role(
        "trueup_target",
        &format!("{shop}; INSERT INTO people VALUES (3, 'Mary')"),
    );
    let folder = support::folder();
    let run = || {
        let sides = [first.as_str(), second.as_str()];
        let run = Trueup::new(folder.path()).sync(sides);
        run.arguments(["--two-way"]).run().expect(0)
    };
    run();
    one.sql("UPDATE people SET name = 'Ada L.' WHERE id = 1; DELETE FROM people WHERE id = 2")
        .unwrap();
    other
        .sql("DELETE FROM orders WHERE id = 1; UPDATE people SET name = 'Mary S.' WHERE id = 3")
        .unwrap();
    run();
    for database in [&one, &other] {
        assert_eq!(database.sql(PEOPLE).unwrap(), "1|Ada L.\n3|Mary S.");
        assert_eq!(database.sql(ORDERS).unwrap(), "");
    }
}
