//! No password and no value of a record (but keys, which a plan has to name) appears in anything trueup prints or keeps.
//!
//! Each run below handles canaries, and everything it leaves is searched for them: both outputs, the state, temporary
//! files, the history and its certificates. That the canaries were really handled is checked by what arrived.

use crate::support::{self, Output, Trueup};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use trueup_testkit::servers::postgres::{self, Database};

/// Begins every secret and every value; the server's own password begins with it as well.
const CANARY: &str = "canary";
const RECORDS: &str = "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, amount TEXT);
    INSERT INTO items VALUES (1, 'canary-one', 'canary-amount'), (2, 'canary-two', '5'), (3, 'canary-one', '7');";

/// Searches a run's outputs, then everything under `folder` but the data itself, then the history of it all.
#[track_caller]
fn expect_no_canary(folder: &Path, output: &Output) {
    for (place, text) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        assert!(!holds(text.as_bytes()), "a canary on {place}\n{output}");
    }
    for place in ["state.db", "scratch"] {
        search(&folder.join(place), output);
    }
    let kept = fs::read_dir(folder).expect("the folder can be read");
    for entry in kept {
        let path = entry.expect("the folder can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("state.db") {
            search(&path, output);
        }
    }
}

#[track_caller]
fn search(path: &Path, output: &Output) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("the folder can be read") {
            search(&entry.expect("the folder can be read").path(), output);
        }
    } else if path.exists() {
        let content = fs::read(path).expect("the file can be read");
        assert!(!holds(&content), "a canary in {}\n{output}", path.display());
    }
}

fn holds(content: &[u8]) -> bool {
    let lower = content.to_ascii_lowercase();
    lower
        .windows(CANARY.len())
        .any(|part| part == CANARY.as_bytes())
}

/// Runs with and without `--json`, searches what each leaves, and insists on the exit code.
#[track_caller]
fn check(folder: &Path, code: i32, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let run = |json: &[&str]| {
        let run = Trueup::new(folder).sync(arguments).arguments(json);
        let run = variables
            .iter()
            .fold(run, |run, (name, value)| run.env(name, value));
        let output = run.run().expect(code);
        expect_no_canary(folder, &output);
        output
    };
    run(&["--dry-run"]);
    run(&[]);
    let output = run(&["--json"]);
    if folder.join("state.db").exists() {
        for list in [&["--json"][..], &[]] {
            expect_no_canary(folder, &Trueup::new(folder).history(list).run().expect(0));
        }
    }
    output
}

fn write_private(file: &Path, text: &str) {
    fs::write(file, text).expect("a file can be written");
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("rights can be set");
}

fn passwordless(database: &Database, options: &str) -> String {
    let port = database.server().port();
    let (user, name) = (postgres::USER, database.name());
    format!("postgres://{user}@127.0.0.1:{port}/{name}{options}")
}

#[test]
fn a_search_finds_a_canary() {
    assert!(holds(b"say Canary-one"));
    assert!(!holds(b"say nothing"));
    assert!(
        postgres::PASSWORD.starts_with(CANARY) && postgres::PASSWORD_ENCODED.starts_with(CANARY)
    );
}

#[test]
fn a_password_is_nowhere_however_it_was_given() {
    let folder = support::folder();
    let folder = folder.path();
    support::sqlite(&folder.join("source.db"), RECORDS);
    let password = postgres::PASSWORD;
    write_private(&folder.join("password"), &format!("{password}\n"));
    let ways: [(&str, &[(&str, &str)]); 4] = [
        ("", &[("PGPASSWORD", password)]),
        (
            "?password=env:SHOP_PASSWORD",
            &[("SHOP_PASSWORD", password)],
        ),
        ("?password=file:password", &[]),
        // Last, because the file stays.
        ("", &[]),
    ];
    for (options, variables) in ways {
        if options.is_empty() && variables.is_empty() {
            write_private(&folder.join(".pgpass"), &format!("*:*:*:*:{password}\n"));
        }
        let database = support::database();
        let target = passwordless(&database, options);
        let first = ["sqlite:source.db", &target, "--no-verify", "--quiet"];
        let variables_of = |run: Trueup| {
            variables
                .iter()
                .fold(run, |run, (name, value)| run.env(name, value))
        };
        let loaded = variables_of(Trueup::new(folder).sync(first))
            .run()
            .expect(0);
        expect_no_canary(folder, &loaded);
        check(folder, 0, &["sqlite:source.db", &target], variables);
        let arrived = database.sql("SELECT count(*) FROM items WHERE name LIKE 'canary-%'");
        assert_eq!(arrived.ok().as_deref(), Some("3"));
    }
    let database = support::database();
    let first = Trueup::new(folder)
        .sync(["sqlite:source.db", &database.url()])
        .run()
        .expect(0);
    expect_no_canary(folder, &first);
    check(folder, 0, &["sqlite:source.db", &database.url()], &[]);
    let certificate = Trueup::new(folder).history(["--certificate", "1"]).run();
    expect_no_canary(folder, &certificate);
}

#[test]
fn a_failure_shows_no_password() {
    let folder = support::folder();
    let folder = folder.path();
    support::sqlite(&folder.join("source.db"), RECORDS);
    let database = support::database();
    let port = database.server().port();
    let target = passwordless(&database, "");
    let wrong = [("PGPASSWORD", "canary-wrong")];
    check(folder, 3, &["sqlite:source.db", &target], &wrong);
    let in_address = format!(
        "postgres://postgres:canary-wrong@127.0.0.1:{port}/{}",
        database.name()
    );
    check(folder, 3, &["sqlite:source.db", &in_address], &[]);
    check(folder, 3, &[&in_address, "sqlite:target.db"], &[]);
    for broken in [
        "postgres://u:canary-secret@127.0.0.1:port/shop",
        "postgres://u:canary-secret@[::1/shop",
        "postgres://u:canary-%zz@127.0.0.1/shop",
        "postgres://u:canary-secret@127.0.0.1/shop?sslmode=all",
        "postgres://u@127.0.0.1/shop?password=env:UNSET&pass=canary-secret",
        "postgers://u:canary-secret@127.0.0.1/shop",
        "u:canary-secret@127.0.0.1/shop",
        "postgres:/u:canary-secret@127.0.0.1/shop#",
    ] {
        check(folder, 2, &["sqlite:source.db", broken], &[]);
        check(folder, 2, &[broken, "sqlite:target.db"], &[]);
    }
    // What the parser of arguments itself complains about.
    for stray in [
        &["a", "b", &in_address][..],
        &["--from", &in_address],
        &["--limit=postgres://u:canary@h", "a", "b"],
    ] {
        check(folder, 2, stray, &[]);
    }
}

#[test]
fn a_refused_record_shows_no_value() {
    let folder = support::folder();
    let folder = folder.path();
    support::sqlite(&folder.join("source.db"), RECORDS);
    let constraints = [
        "name TEXT UNIQUE, amount TEXT",
        "name TEXT, amount TEXT CHECK (amount < 'a')",
        "name VARCHAR(9) CHECK (length(name) < 10 AND name < 'a'), amount TEXT",
        "name TEXT, amount INTEGER",
        "name TEXT REFERENCES names (name), amount TEXT",
        "name TEXT NOT NULL CHECK (name LIKE 'x%'), amount NUMERIC",
    ];
    for (number, columns) in constraints.into_iter().enumerate() {
        let tables = format!(
            "CREATE TABLE names (name TEXT PRIMARY KEY); CREATE TABLE items (id BIGINT PRIMARY KEY, {columns});"
        );
        let database = support::database();
        database.sql(&tables).expect("the table can be made");
        let file = format!("target{number}.db");
        support::sqlite(&folder.join(&file), &tables);
        for target in [database.url(), format!("sqlite:{file}")] {
            let arguments = ["sqlite:source.db", &target, "--collections", "items"];
            let human = Trueup::new(folder).sync(arguments).run().expect(1);
            expect_no_canary(folder, &human);
            assert!(human.stdout.contains("\nparked: "), "{columns}\n{human}");
            let json = Trueup::new(folder)
                .sync(arguments)
                .arguments(["--json"])
                .run()
                .expect(1);
            expect_no_canary(folder, &json);
            expect_no_canary(
                folder,
                &Trueup::new(folder).history(["--json"]).run().expect(0),
            );
        }
    }
}

/// Insists that a run of any command shows nothing, and leaves nothing but in the state. That of a two-way link holds the
/// records in conflict: it is for its owner only.
#[track_caller]
fn expect_quiet(folder: &Path, output: &Output) {
    for (place, text) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        assert!(!holds(text.as_bytes()), "a canary on {place}\n{output}");
    }
    search(&folder.join("scratch"), output);
    if let Ok(state) = fs::metadata(folder.join("state.db")) {
        assert_eq!(state.permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_two_way_link_shows_values_in_conflicts_and_nowhere_else() {
    let database = support::database();
    let folder = support::folder();
    let folder = folder.path();
    let table = "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, amount TEXT);
        INSERT INTO items VALUES (1, 'canary-one', 'canary-amount'), (2, 'canary-two', '5'), (3, 'canary-three', '7');";
    support::sqlite(&folder.join("source.db"), table);
    // One record is refused: its value is too long for a rule of the target.
    let tables = "CREATE TABLE items (id BIGINT PRIMARY KEY, name TEXT CHECK (length(name) < 12), amount TEXT);";
    database.sql(tables).expect("the table can be made");
    let link = ["sqlite:source.db", &database.url(), "--two-way"];
    let run = |options: &[&str], code: i32| {
        for form in [&[][..], &["--json"]] {
            let output = Trueup::new(folder)
                .sync(link)
                .arguments(options)
                .arguments(form);
            expect_quiet(folder, &output.run().expect(code));
        }
        let known = folder.join("state.db").exists();
        for command in ["history", "status"].into_iter().filter(|_| known) {
            for form in [&[][..], &["--json"]] {
                expect_quiet(folder, &Trueup::new(folder).state(command, form).run());
            }
        }
    };
    run(&["--dry-run"], 1);
    run(&[], 1);
    let arrived = database.sql("SELECT count(*) FROM items WHERE name LIKE 'canary-%'");
    assert_eq!(arrived.ok().as_deref(), Some("2"));
    support::sqlite(
        &folder.join("source.db"),
        "UPDATE items SET amount = 'canary-ours' WHERE id = 1; DELETE FROM items WHERE id = 2;",
    );
    database
        .sql("UPDATE items SET amount = 'canary-theirs'")
        .expect("the table can be written");
    run(&["--dry-run"], 1);
    run(&[], 1);
    let list = Trueup::new(folder)
        .state("conflicts", ["list"])
        .run()
        .expect(0);
    expect_quiet(folder, &list);
    for arguments in [&["list", "--json"][..], &["show", "1"]] {
        let shown = Trueup::new(folder)
            .state("conflicts", arguments)
            .run()
            .expect(0);
        assert!(shown.stdout.contains("canary-"), "{shown}");
        assert!(shown.stderr.is_empty(), "{shown}");
    }
    for record in [
        r#"{"id": 1, "name": "canary", "amount": "canary", "canary": 1}"#,
        r#"{"id": "canary", "name": null, "amount": null}"#,
        "canary",
    ] {
        fs::write(folder.join("record.json"), record).expect("a file can be written");
        let arguments = ["resolve", "1", "--take", "record.json"];
        let output = Trueup::new(folder).state("conflicts", arguments).run();
        // The name of a stray field is shown, because it has to be corrected.
        let shown = output.stderr.replace("does not have: canary", "");
        assert!(!holds(shown.as_bytes()), "{output}");
        output.expect(2);
    }
}

#[test]
fn a_broken_file_shows_no_value() {
    let folder = support::folder();
    let folder = folder.path();
    for (broken, code) in [
        ("id,name\n1,canary-one,canary-two\n", 3),
        ("id,name\n1,\"canary-one\n", 3),
        ("id,name\n1,\"canary\"x\n", 3),
        ("id,name\n1,canary-one", 3),
        ("id,name\n1,canary-one\n1,canary-two\n", 2),
    ] {
        fs::write(folder.join("items.csv"), broken).expect("a file can be written");
        let arguments = ["csv:items.csv", "sqlite:target.db", "--key", "id"];
        let output = Trueup::new(folder).sync(arguments).run();
        expect_no_canary(folder, &output);
        output.expect(code);
    }
}
