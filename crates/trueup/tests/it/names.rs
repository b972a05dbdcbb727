//! What a link is called: a name that meant one thing yesterday is not believed today, and a command that is printed
//! means the link that it is about.

use crate::support::{self, Output, Trueup};
use std::fs;
use std::path::Path;
use trueup_testkit::servers::postgres::Database;

fn table(folder: &Path, file: &str, rows: &str) {
    let sql = format!("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); {rows}");
    support::sqlite(&folder.join(file), &sql);
}

fn trueup(folder: &Path, words: &[&str]) -> Output {
    Trueup::new(folder).arguments(words).run()
}

/// The last line with a command to try parked records again; `None` where there is none.
fn printed(output: &Output) -> Option<Vec<String>> {
    let lines = output.stdout.lines().map(str::trim);
    let line = lines
        .rev()
        .find(|line| line.starts_with("trueup parked retry "))?;
    let words = line.split(' ').skip(1);
    Some(words.map(|word| word.replace('\'', "")).collect())
}

fn again(folder: &Path, output: &Output) -> Output {
    let words = printed(output).unwrap_or_else(|| panic!("{output}"));
    Trueup::new(folder).arguments(words).run()
}

/// A file with two links, each between two SQLite files.
fn file(folder: &Path, links: [(&str, &str, &str); 2], more: &str) {
    let mut text = "state = \"state.db\"\n".to_owned();
    for name in ["w", "x", "y", "z"] {
        text.push_str(&format!("[endpoint.{name}]\nurl = \"sqlite:{name}.db\"\n"));
    }
    for (name, source, target) in links {
        text.push_str(&format!(
            "[link.{name}]\nsource = \"{source}\"\ntarget = \"{target}\"\n{more}\n"
        ));
    }
    fs::write(folder.join("trueup.toml"), text).unwrap();
}

#[test]
fn names_that_were_exchanged_in_the_file_are_exchanged() {
    let folder = support::folder();
    let folder = folder.path();
    for name in ["w.db", "x.db", "y.db", "z.db"] {
        table(folder, name, "INSERT INTO t VALUES (1, 'a')");
    }
    let both = "direction = \"both\"";
    file(folder, [("a", "x", "y"), ("b", "z", "w")], both);
    trueup(folder, &["run", "--quiet"]).expect(0);
    file(folder, [("b", "x", "y"), ("a", "z", "w")], both);
    let listed = trueup(folder, &["status", "--json"]).expect(0).json();
    let name_of = |label: &str| {
        let links = listed.as_array().unwrap().iter();
        let found: Vec<_> = links.filter(|link| link["names"][0] == label).collect();
        assert_eq!(found.len(), 1, "{listed}");
        found[0]["link"].as_str().unwrap().to_owned()
    };
    assert!(name_of("a").contains("z.db") && name_of("b").contains("x.db"));
    let forgotten = trueup(folder, &["forget", "a"]).expect(0);
    assert!(forgotten.stdout.contains("z.db"), "{forgotten}");
    // The other link has its base: what is deleted on one side goes from the other.
    support::sqlite(&folder.join("x.db"), "DELETE FROM t");
    trueup(folder, &["run", "b", "--quiet"]).expect(0);
    support::expect_same(folder, "sqlite:x.db", "sqlite:y.db");
    let left = trueup(folder, &["diff", "b", "--json"]).expect(0);
    assert_eq!(left.collection("t")["unchanged"], 0);
}

#[test]
fn a_link_that_was_renamed_in_the_file_keeps_what_it_had() {
    let folder = support::folder();
    let folder = folder.path();
    table(folder, "x.db", "INSERT INTO t VALUES (1, 'a')");
    table(folder, "z.db", "");
    file(folder, [("a", "x", "y"), ("c", "z", "w")], "");
    trueup(folder, &["run", "--quiet"]).expect(0);
    file(folder, [("b", "x", "y"), ("c", "z", "w")], "");
    let listed = trueup(folder, &["status", "--json"]).expect(0).json();
    let names = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|link| &link["names"][0]);
    assert_eq!(names.collect::<Vec<_>>(), ["b", "c"]);
    trueup(folder, &["forget", "b"]).expect(0);
}

#[test]
fn the_command_for_a_parked_record_is_that_of_its_own_run() {
    let folder = support::folder();
    let folder = folder.path();
    fs::create_dir(folder.join("src")).unwrap();
    for name in ["a", "b"] {
        fs::write(folder.join(format!("src/{name}.csv")), "id,n\n1,x\n").unwrap();
    }
    support::sqlite(
        &folder.join("t.db"),
        "CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER) STRICT;
         CREATE TABLE b (id INTEGER PRIMARY KEY, n INTEGER) STRICT",
    );
    let sync = |options: &[&str], code: i32| {
        let run = Trueup::new(folder).sync(["csv:src", "sqlite:t.db"]);
        run.arguments(["--quiet"])
            .arguments(options)
            .run()
            .expect(code)
    };
    sync(&["--collections", "a", "--key", "id"], 1);
    // Other collections of the same places, and a command that was refused.
    sync(&["--collections", "b", "--key", "id"], 1);
    sync(&["--collections", "b", "--key", "typo"], 2);
    let show = |id: &str| Trueup::new(folder).state("parked", ["show", id]).run();
    for (id, collection) in [("1", "a"), ("2", "b")] {
        let words = printed(&show(id)).unwrap().join(" ");
        let expected = format!("--collections {collection} --key id");
        assert!(words.contains(&expected), "{words}");
    }
    fs::write(folder.join("src/a.csv"), "id,n\n1,7\n").unwrap();
    again(folder, &show("1")).expect(0);
    let left = Trueup::new(folder)
        .state("parked", ["list", "--json"])
        .run();
    assert_eq!(left.json().as_array().unwrap().len(), 1);
}

#[test]
fn the_command_for_a_parked_record_names_its_own_link_of_the_file() {
    let folder = support::folder();
    let folder = folder.path();
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO t VALUES (1, -1);
        CREATE TABLE u (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO u VALUES (1, -1)";
    let target = "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER CHECK (v > 0));
        CREATE TABLE u (id INTEGER PRIMARY KEY, v INTEGER CHECK (v > 0))";
    for (name, sql) in [("x", source), ("z", source), ("y", target), ("w", target)] {
        support::sqlite(&folder.join(format!("{name}.db")), sql);
    }
    let write = |second: [&str; 2]| {
        file(folder, [("a", "x", "y"), ("b", second[0], second[1])], "");
        let text = fs::read_to_string(folder.join("trueup.toml")).unwrap();
        let text = text.replace("[link.b]", "collections = [\"t\"]\n[link.b]");
        fs::write(folder.join("trueup.toml"), text + "collections = [\"u\"]\n").unwrap();
    };
    write(["x", "y"]);
    trueup(folder, &["run", "--quiet"]).expect(1);
    let show = |id: &str| trueup(folder, &["parked", "show", id]).expect(0);
    for (id, name) in [("1", "a"), ("2", "b")] {
        let words = printed(&show(id)).unwrap();
        assert_eq!(words.last().unwrap(), name, "{words:?}");
        let said = again(folder, &show(id)).expect(1);
        assert!(said.stdout.contains("parked: 1"), "{said}");
    }
    // The file's name means other places now: the record's own are named, and nothing is written to the others.
    write(["z", "w"]);
    let words = printed(&show("2")).unwrap().join(" ");
    assert!(
        words.contains("x.db") && !words.contains("--config"),
        "{words}"
    );
}

#[test]
fn a_record_that_is_parked_for_its_key_waits_for_a_run() {
    let folder = support::folder();
    let folder = folder.path();
    fs::create_dir(folder.join("src")).unwrap();
    fs::write(folder.join("src/t.csv"), "id,n\nabc,1\n,2\n3,3\n").unwrap();
    support::sqlite(
        &folder.join("t.db"),
        "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, n INTEGER) STRICT",
    );
    let sync = || {
        let run = Trueup::new(folder).sync(["csv:src", "sqlite:t.db", "--key", "id"]);
        run.arguments(["--quiet"]).run()
    };
    sync().expect(1);
    for id in ["1", "2"] {
        let shown = Trueup::new(folder).state("parked", ["show", id]).run();
        assert!(printed(&shown).is_none(), "{shown}");
        assert!(
            shown.stdout.contains("the link's next run tries it again"),
            "{shown}"
        );
    }
    fs::write(folder.join("src/t.csv"), "id,n\n7,1\n8,2\n3,3\n").unwrap();
    sync().expect(0);
    let left = Trueup::new(folder)
        .state("parked", ["list", "--json"])
        .run();
    assert_eq!(left.json().as_array().unwrap().len(), 0);
}

#[test]
fn a_link_that_never_worked_is_not_hidden_and_hints_name_its_state() {
    let folder = support::folder();
    let folder = folder.path();
    fs::create_dir(folder.join("src")).unwrap();
    fs::write(folder.join("src/t.csv"), "id,n\n2,1\n2,2\n").unwrap();
    table(folder, "t.db", "INSERT INTO t VALUES (1, 'a')");
    let sync = |key: &str| {
        let sides = ["csv:src", "sqlite:x.db", "--key", key, "--state", "own.db"];
        Trueup::new(folder)
            .arguments(["sync", "--quiet"])
            .arguments(sides)
            .run()
    };
    let status = || trueup(folder, &["status", "--state", "own.db"]);
    // Stated wrongly: no link. What the data refuses is one that needs a person.
    sync("typo").expect(2);
    status().expect(0);
    sync("id").expect(2);
    let said = status().expect(1);
    assert!(
        said.stdout.contains("see why the last run failed"),
        "{said}"
    );
    fs::write(folder.join("src/t.csv"), "id,n\n2,1\n,2\n").unwrap();
    sync("id").expect(1);
    let said = status().expect(1);
    assert!(
        said.stdout.contains("trueup parked list --state own.db"),
        "{said}"
    );
}

#[test]
fn the_state_file_is_no_side() {
    let folder = support::folder();
    let folder = folder.path();
    table(folder, "x.db", "INSERT INTO t VALUES (1, 'a')");
    let sync = |sides: [&str; 2], state: &str| {
        let words = ["sync", sides[0], sides[1], "--quiet", "--state", state];
        Trueup::new(folder).arguments(words).run().expect(2)
    };
    let refused = sync(["sqlite:x.db", "sqlite:y.db"], "./y.db");
    assert!(
        refused
            .stderr
            .contains("target: it is the state file itself"),
        "{refused}"
    );
    assert!(!folder.join("y.db").exists());
    let refused = sync(["sqlite:./x.db#t", "sqlite:y.db"], "x.db");
    assert!(
        refused
            .stderr
            .contains("source: it is the state file itself"),
        "{refused}"
    );
    fs::write(
        folder.join("trueup.toml"),
        "state = \"y.db\"\n[endpoint.x]\nurl = \"sqlite:x.db\"\n[endpoint.y]\nurl = \"sqlite:y.db\"\n\
         [link.l]\nsource = \"x\"\ntarget = \"y\"",
    )
    .unwrap();
    let refused = trueup(folder, &["run", "--quiet"]).expect(2);
    assert!(refused.stderr.contains("state file itself"), "{refused}");
}

#[test]
fn bytes_among_texts_are_parked_where_the_target_knows_the_difference() {
    let folder = support::folder();
    let folder = folder.path();
    table(
        folder,
        "x.db",
        "INSERT INTO t VALUES (1, x'4142'), (2, '\\x4142')",
    );
    support::sqlite(
        &folder.join("y.db"),
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT) STRICT; INSERT INTO t VALUES (1, '\\x4142')",
    );
    for target in [None, Some(support::database())] {
        let place = target
            .as_ref()
            .map_or("sqlite:y.db".to_owned(), Database::url);
        if let Some(database) = &target {
            let sql = "CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (1, '\\x4142')";
            database.sql(sql).unwrap();
        }
        let diff = Trueup::new(folder)
            .diff(["sqlite:x.db", &place, "--json"])
            .run();
        let found = diff.expect(1).collection("t");
        assert_eq!(
            (&found["unchanged"], &found["parked"]),
            (&0.into(), &1.into())
        );
        let sync = Trueup::new(folder)
            .sync(["sqlite:x.db", &place, "--json"])
            .run();
        let done = sync.expect(1).collection("t");
        assert_eq!((&done["inserted"], &done["parked"]), (&1.into(), &1.into()));
    }
}
