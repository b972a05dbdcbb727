//! A server that does not let us in, or not everywhere.

use super::*;
use trueup_testkit::servers::postgres::{Database, USER};

/// A source with three records, and a target database with an empty table and a role that may connect.
fn places() -> (TempDir, Database, String) {
    let (folder, database) = (support::folder(), support::database());
    support::sqlite(
        &folder.path().join("source.db"),
        "CREATE TABLE people (id INTEGER PRIMARY KEY NOT NULL, name TEXT); \
         INSERT INTO people VALUES (1, 'Ada'), (2, 'Grace'), (3, 'Mary');",
    );
    let role = format!("role_{}", database.name());
    let sql = format!(
        "CREATE TABLE people (id bigint PRIMARY KEY, name text); CREATE ROLE {role} LOGIN PASSWORD 'secret'"
    );
    database.sql(&sql).unwrap();
    let url = address(&database, &role, "secret");
    (folder, database, url)
}

fn address(database: &Database, role: &str, password: &str) -> String {
    let (port, name) = (database.server().port(), database.name());
    format!("postgres://{role}:{password}@127.0.0.1:{port}/{name}")
}

fn grant(database: &Database, rights: &str) {
    let role = format!("role_{}", database.name());
    database.sql(&format!("GRANT {rights} TO {role}")).unwrap();
}

fn records(database: &Database) -> String {
    database.sql("SELECT count(*) FROM people").unwrap()
}

#[test]
fn a_wrong_password() {
    let (folder, database, _) = places();
    let url = address(&database, USER, "opensesame");
    for (source, target) in [
        ("sqlite:source.db", url.as_str()),
        (&url, "sqlite:target.db"),
    ] {
        let output = Trueup::new(folder.path()).sync([source, target]).run();
        let output = refused(output, 3, &["error[auth]", "check user and password"]);
        assert!(
            !output.stderr.contains("opensesame"),
            "the password is shown\n{output}"
        );
    }
    assert_eq!(records(&database), "0");
}

#[test]
fn a_role_that_may_not_create_the_control_tables_writes_without_them() {
    let (folder, database, url) = places();
    grant(&database, "SELECT, INSERT, UPDATE, DELETE ON people");
    let output = Trueup::new(folder.path())
        .sync(["sqlite:source.db", &url])
        .run();
    let output = output.expect(0);
    assert!(output.stdout.contains("class B"), "{output}");
    let place = format!("postgres:{}", database.name());
    support::expect_same(folder.path(), "sqlite:source.db", &place);
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'trueup'";
    assert_eq!(database.sql(schemas).unwrap(), "0");
}

#[test]
fn a_role_that_may_not_write_or_read() {
    for rights in [
        "SELECT ON people",
        "SELECT, UPDATE ON people",
        "INSERT ON people",
    ] {
        let (folder, database, url) = places();
        grant(&database, rights);
        let output = Trueup::new(folder.path())
            .sync(["sqlite:source.db", &url])
            .run();
        refused(
            output,
            3,
            &[
                "error[auth]: target",
                "people",
                "permission denied",
                "grant",
                "INSERT",
            ],
        );
        assert_eq!(records(&database), "0", "with {rights}");
        // And the same with control tables.
        grant(
            &database,
            &format!("CREATE ON DATABASE {}", database.name()),
        );
        let output = Trueup::new(folder.path())
            .sync(["sqlite:source.db", &url])
            .run();
        refused(
            output,
            3,
            &[
                "error[auth]: target",
                "people",
                "permission denied",
                "grant",
                "INSERT",
            ],
        );
        assert_eq!(records(&database), "0", "with {rights}");
    }
}

#[test]
fn a_source_that_may_not_be_read() {
    let (folder, _database, url) = places();
    let output = Trueup::new(folder.path())
        .sync([&url, "sqlite:target.db"])
        .run();
    refused(
        output,
        3,
        &[
            "error[auth]: source",
            "permission denied",
            "SELECT on a source",
        ],
    );
}
