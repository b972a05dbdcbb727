//! `trueup check`: what it says word for word, and that it is right: the grants it prints are enough for a sync.

use crate::cli;
use crate::support::{self, Output, Trueup};
use serde_json::Value;
use std::path::Path;
use trueup_testkit::servers::postgres::Database;

const KEYS: [&str; 4] = ["--key", "customers=id", "--key", "orders=id"];

fn check<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Output {
    let check = Trueup::new(folder).arguments(["check"]);
    check.arguments(arguments).run()
}

/// Compares with a snapshot in which no engine has a version.
#[track_caller]
fn snapshot(name: &str, mut output: Output) {
    for engine in ["sqlite", "postgres"] {
        let mut lines = Vec::new();
        for line in output.stdout.lines() {
            let begin = format!("  engine    {engine} ");
            let known = line.starts_with(&begin);
            lines.push(if known {
                format!("{begin}[version]\n")
            } else {
                format!("{line}\n")
            });
        }
        output.stdout = lines.concat();
    }
    cli::check(name, &output);
}

#[test]
fn files_into_a_database_that_is_not_there_yet() {
    let folder = support::folder();
    cli::shop(folder.path());
    let sides = ["csv:shop", "sqlite:shop.db"];
    snapshot(
        "check-no-key",
        check(folder.path(), [sides[0], sides[1], "--key", "customers=id"]),
    );
    snapshot(
        "check-ready",
        check(folder.path(), sides.into_iter().chain(KEYS)),
    );
    snapshot(
        "check-alone",
        check(folder.path(), ["csv:shop"].into_iter().chain(KEYS)),
    );
    assert!(
        !folder.path().join("shop.db").exists(),
        "a check makes no file"
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let folder = support::folder();
    support::sqlite(
        &folder.path().join("a.db"),
        "CREATE TABLE bills (id INTEGER PRIMARY KEY NOT NULL, due DATE, paid DATE, note TEXT); \
         CREATE TABLE notes (a, b); \
         CREATE TABLE people (id INTEGER PRIMARY KEY NOT NULL, name TEXT, age INTEGER)",
    );
    support::sqlite(
        &folder.path().join("b.db"),
        "CREATE TABLE bills (id INTEGER PRIMARY KEY NOT NULL, due TIMESTAMPTZ, paid TIMESTAMPTZ, extra TEXT NOT NULL); \
         CREATE TABLE people (id INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL, age TEXT); \
         CREATE TRIGGER told AFTER INSERT ON people BEGIN SELECT 1; END",
    );
    let sides = ["sqlite:a.db", "sqlite:b.db"];
    snapshot("check-wrong", check(folder.path(), sides));
    snapshot(
        "check-wrong-two-way",
        check(folder.path(), sides.into_iter().chain(["--two-way"])),
    );
    let output = check(folder.path(), sides.into_iter().chain(["--json"])).expect(1);
    let report = output.json();
    assert_eq!(report["ready"], false, "{output}");
    let all = report["collections"].as_array().expect("an array");
    let people = all
        .iter()
        .find(|one| one["source"] == "people")
        .expect("it is there");
    assert_eq!(people["key"], serde_json::json!(["id"]));
    assert_eq!(people["fields"][0]["fit"]["fit"], "exact", "{people}");
    let age = &people["fields"][2]["fit"]["fit"];
    assert_eq!(age, "exact within range", "{people}");
    assert_eq!(people["problems"], serde_json::json!([]));
    // The same collections alone are ready, and the sync that was promised works.
    let people = ["--collections", "people"];
    check(folder.path(), sides.into_iter().chain(people)).expect(0);
    Trueup::new(folder.path())
        .sync(sides.into_iter().chain(people))
        .run()
        .expect(0);
}

#[test]
fn links_of_a_file_are_checked_one_by_one() {
    let folder = support::folder();
    cli::shop(folder.path());
    std::fs::write(
        folder.path().join("trueup.toml"),
        "[endpoint.files]\nurl = \"csv:shop\"\n[endpoint.base]\nurl = \"sqlite:shop.db\"\n\
         [endpoint.gone]\nurl = \"postgres://nobody@127.0.0.1:1/none\"\n\
         [link.good]\nsource = \"files\"\ntarget = \"base\"\n\
         collections = [{ source = \"orders\", key = [\"id\"] }, { source = \"customers\", key = [\"id\"] }]\n\
         [link.keyless]\nsource = \"files\"\ntarget = \"base\"\ncollections = [\"orders\"]\n\
         [link.away]\nsource = \"files\"\ntarget = \"gone\"\n",
    )
    .expect("the file can be written");
    check(folder.path(), ["good"]).expect(0);
    check(folder.path(), ["trueup.toml", "good", "keyless"]).expect(1);
    snapshot("check-config", check(folder.path(), [""; 0]));
    let output = check(folder.path(), ["--json"]).expect(3);
    let names: Vec<Value> = output
        .json()
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| one["name"].clone())
        .collect();
    assert_eq!(names, ["good", "keyless", "away"]);
    assert_eq!(output.json()[0]["ready"], true, "{output}");
    assert_eq!(output.json()[2]["error"]["kind"], "unavailable", "{output}");
}

#[test]
fn mistakes_of_a_check() {
    let folder = support::folder();
    cli::check("check-nothing", &check(folder.path(), [""; 0]));
    cli::check(
        "check-one-both-ways",
        &check(folder.path(), ["sqlite:a.db", "--two-way"]),
    );
    cli::check(
        "check-three",
        &check(folder.path(), ["sqlite:a.db", "sqlite:b.db", "sqlite:c.db"]),
    );
    snapshot(
        "check-missing",
        check(folder.path(), ["sqlite:gone.db", "sqlite:b.db"]),
    );
}

/// A database and a role that may connect to it and nothing else.
struct Poor {
    database: Database,
    url: String,
}

impl Poor {
    fn new(sql: &str) -> Self {
        let database = support::database();
        let name = database.name();
        let (port, role) = (database.server().port(), format!("Poor \"{name}\""));
        let quoted = role.replace('"', "\"\"");
        let all = format!(
            "CREATE ROLE \"{quoted}\" LOGIN PASSWORD 'secret'; \
             REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC; {sql}"
        );
        database.sql(&all).expect("a superuser may do so");
        let user = role.replace(' ', "%20").replace('"', "%22");
        let url = format!("postgres://{user}:secret@127.0.0.1:{port}/{name}");
        Self { database, url }
    }

    /// Runs the statements that a check prints, as a superuser, and checks once more.
    #[track_caller]
    fn obey(&self, folder: &Path, arguments: &[&str]) -> Vec<String> {
        let with_json = arguments.iter().copied().chain(["--json"]);
        let output = check(folder, with_json.clone()).expect(1);
        let statements = statements_of(&output.json());
        assert!(!statements.is_empty(), "{output}");
        let text = check(folder, arguments.iter().copied()).expect(1);
        for sql in &statements {
            assert!(
                text.stdout.contains(&format!("\n    {sql};\n")),
                "{sql} is not in {text}"
            );
            self.database
                .sql(sql)
                .unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        let output = check(folder, with_json).expect(0);
        assert_eq!(statements_of(&output.json()), [""; 0], "{output}");
        self.plain(&statements)
    }

    fn plain(&self, statements: &[String]) -> Vec<String> {
        let name = self.database.name();
        let role = format!("\"Poor \"\"{name}\"\"\"");
        let plain = |sql: &String| {
            sql.replace(&role, "USER")
                .replace(&format!("\"{name}\""), "DATABASE")
        };
        statements.iter().map(plain).collect()
    }
}

/// Every statement that grants what is missing.
fn statements_of(report: &Value) -> Vec<String> {
    let ends = ["source", "target"].map(|side| &report[side]);
    let lists = ends
        .into_iter()
        .flat_map(|end| [&end["missing"], &end["weaker"]]);
    let all = lists.filter_map(Value::as_array).flatten();
    all.filter_map(|one| one["statement"].as_str())
        .map(str::to_owned)
        .collect()
}

const PEOPLE: &str = "CREATE TABLE people (id bigint PRIMARY KEY, name text); \
    INSERT INTO people VALUES (1, 'Ada'), (2, 'Grace')";

fn sqlite_people(folder: &Path) {
    let sql = "CREATE TABLE people (id INTEGER PRIMARY KEY NOT NULL, name TEXT); INSERT INTO people VALUES (3, 'Mary')";
    support::sqlite(&folder.join("people.db"), sql);
}

#[test]
fn grants_for_a_source_are_enough() {
    let (folder, poor) = (support::folder(), Poor::new(PEOPLE));
    let arguments = [poor.url.as_str(), "sqlite:copy.db"];
    let granted = poor.obey(folder.path(), &arguments);
    assert_eq!(granted, ["GRANT SELECT ON \"public\".\"people\" TO USER"]);
    Trueup::new(folder.path()).sync(arguments).run().expect(0);
}

#[test]
fn grants_for_a_source_in_a_closed_schema_are_enough() {
    let (folder, poor) = (
        support::folder(),
        Poor::new(&format!(
            "{PEOPLE}; REVOKE ALL ON SCHEMA public FROM PUBLIC"
        )),
    );
    let arguments = [&poor.url, "sqlite:copy.db", "--collections", "people"];
    let granted = poor.obey(folder.path(), &arguments);
    assert_eq!(
        granted,
        [
            "GRANT USAGE ON SCHEMA \"public\" TO USER",
            "GRANT SELECT ON \"public\".\"people\" TO USER"
        ]
    );
    Trueup::new(folder.path()).sync(arguments).run().expect(0);
}

#[test]
fn grants_for_a_target_are_enough() {
    let (folder, poor) = (support::folder(), Poor::new(PEOPLE));
    sqlite_people(folder.path());
    let arguments = ["sqlite:people.db", &poor.url, "--delete"];
    let granted = poor.obey(folder.path(), &arguments[..2]);
    assert_eq!(
        granted,
        [
            "GRANT SELECT, INSERT, UPDATE, DELETE ON \"public\".\"people\" TO USER",
            "GRANT TEMPORARY ON DATABASE DATABASE TO USER",
            "GRANT CREATE ON DATABASE DATABASE TO USER",
        ]
    );
    Trueup::new(folder.path()).sync(arguments).run().expect(0);
    assert_eq!(
        poor.database.sql("SELECT name FROM people").unwrap(),
        "Mary"
    );
    // The control tables are there now, and usable.
    check(folder.path(), arguments[..2].iter().copied()).expect(0);
}

#[test]
fn grants_for_a_table_to_be_created_are_enough() {
    let (folder, poor) = (support::folder(), Poor::new(""));
    sqlite_people(folder.path());
    let arguments = ["sqlite:people.db", &poor.url];
    let granted = poor.obey(folder.path(), &arguments);
    assert_eq!(
        granted,
        [
            "GRANT CREATE ON SCHEMA \"public\" TO USER",
            "GRANT TEMPORARY ON DATABASE DATABASE TO USER",
            "GRANT CREATE ON DATABASE DATABASE TO USER",
        ]
    );
    let tables = "SELECT count(*) FROM pg_class WHERE relname IN ('people', 'epoch', 'marker')";
    assert_eq!(
        poor.database.sql(tables).unwrap(),
        "0",
        "a check creates nothing"
    );
    Trueup::new(folder.path()).sync(arguments).run().expect(0);
    assert_eq!(poor.database.sql(tables).unwrap(), "3");
}

#[test]
fn grants_for_both_ways_are_enough() {
    let (folder, poor) = (support::folder(), Poor::new(PEOPLE));
    sqlite_people(folder.path());
    let arguments = [poor.url.as_str(), "sqlite:people.db", "--two-way"];
    let granted = poor.obey(folder.path(), &arguments);
    assert_eq!(granted.len(), 3, "{granted:?}");
    let output = Trueup::new(folder.path()).sync(arguments).run().expect(0);
    assert!(!output.stdout.contains("secret"), "{output}");
    assert_eq!(
        poor.database.sql("SELECT count(*) FROM people").unwrap(),
        "3"
    );
}

#[test]
fn one_way_can_do_without_control_tables_and_says_what_that_costs() {
    let (folder, poor) = (support::folder(), Poor::new(PEOPLE));
    sqlite_people(folder.path());
    let name = poor.database.name();
    let grant = format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON people TO PUBLIC; GRANT TEMPORARY ON DATABASE {name} TO PUBLIC"
    );
    poor.database.sql(&grant).unwrap();
    let arguments = ["sqlite:people.db", poor.url.as_str()];
    let output = check(folder.path(), arguments).expect(0);
    for part in [
        "class     B: ",
        "  G7 not: the target keeps no epoch\n",
        "  G9 not: ",
        "weaker    CREATE on database",
        "with fewer guarantees",
    ] {
        assert!(output.stdout.contains(part), "{part} is not in {output}");
    }
    check(folder.path(), arguments.into_iter().chain(["--two-way"])).expect(1);
}

#[test]
fn guarantees_are_a_line_and_in_words_for_who_wants_them() {
    let folder = support::folder();
    support::sqlite(&folder.path().join("a.db"), PEOPLE);
    let sides = ["sqlite:a.db", "sqlite:b.db"];
    let short = check(folder.path(), sides).expect(0).stdout;
    assert!(
        short.contains("\nguarantees: G1-G2, G4-G9, G11-G15 hold; "),
        "{short}"
    );
    let long = check(folder.path(), sides.into_iter().chain(["-v"]));
    let long = long.expect(0).stdout;
    assert!(long.contains("  holds  G15  verify finds"), "{long}");
}

#[test]
fn hidden_records_and_triggers_are_told() {
    let (folder, poor) = (
        support::folder(),
        Poor::new(&format!(
            "{PEOPLE}; ALTER TABLE people ENABLE ROW LEVEL SECURITY; GRANT SELECT ON people TO PUBLIC; \
             CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
             CREATE TRIGGER told AFTER INSERT ON people FOR EACH ROW EXECUTE FUNCTION told()"
        )),
    );
    let output = check(folder.path(), [poor.url.as_str(), "sqlite:copy.db"]).expect(0);
    for part in [
        "  G1 partly: ",
        "row level security is active",
        "trigger fires on writes: name=told",
    ] {
        assert!(output.stdout.contains(part), "{part} is not in {output}");
    }
    assert!(!output.stdout.contains("secret"), "{output}");
}

/// A foreign key that cascades deletes records that no plan lists, and the guard does not count.
#[test]
fn deletes_that_take_others_with_them_are_named() {
    let folder = support::folder();
    let parents = "CREATE TABLE parents (id INTEGER PRIMARY KEY NOT NULL);";
    support::sqlite(
        &folder.path().join("a.db"),
        &format!("{parents} INSERT INTO parents VALUES (1)"),
    );
    support::sqlite(
        &folder.path().join("b.db"),
        &format!(
            "{parents} INSERT INTO parents VALUES (1), (2);
             CREATE TABLE children (id INTEGER PRIMARY KEY NOT NULL, parent REFERENCES parents ON DELETE CASCADE);
             CREATE TABLE others (id INTEGER PRIMARY KEY NOT NULL, parent REFERENCES parents);
             INSERT INTO children VALUES (1, 2)"
        ),
    );
    let note = "takes others with it, or changes them, by foreign keys of: children, and what";
    let sides = ["sqlite:a.db", "sqlite:b.db"];
    let run = |command: &[&str]| {
        let run = Trueup::new(folder.path()).arguments(command.iter().copied());
        let output = run.arguments(sides).run();
        format!("{}{}", output.stdout, output.stderr)
    };
    let checked = Trueup::new(folder.path()).arguments(["check"]);
    let checked = checked.arguments(sides).run().expect(0);
    assert!(checked.stdout.contains(note), "{checked}");
    for (command, told) in [
        (&["sync", "--dry-run"][..], false),
        (&["sync", "--dry-run", "--delete"], true),
        (&["sync", "--delete"], true),
        (&["sync", "--delete"], false),
    ] {
        let said = run(command);
        assert_eq!(said.contains(note), told, "{command:?} {said}");
    }
}

#[test]
fn every_wrong_expression_of_a_collection_is_said() {
    let folder = support::folder();
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, total INTEGER)";
    support::sqlite(&folder.path().join("a.db"), sql);
    let file = "[endpoint.a]\nurl = \"sqlite:a.db\"\n[endpoint.b]\nurl = \"sqlite:b.db\"\n\
        [link.ab]\nsource = \"a\"\ntarget = \"b\"\n\
        collections = [{ source = \"t\", where = \"totl > 0\", fields = { x = \"nope + 1\", y = \"nada + 1\" } }]";
    std::fs::write(folder.path().join("trueup.toml"), file).unwrap();
    let output = Trueup::new(folder.path())
        .arguments(["check"])
        .run()
        .expect(1);
    for name in ["nope", "nada", "totl"] {
        assert!(output.stdout.contains(name), "{output}");
    }
    assert!(output.stdout.contains("3 problems"), "{output}");
}
