//! `trueup init`: what it writes, and that it runs as it is.

use crate::cli;
use crate::support::{self, Output, Trueup};
use std::fs;
use std::path::Path;
use std::process::Command;
use trueup_testkit::servers::postgres::PASSWORD;

fn init<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Output {
    Trueup::new(folder)
        .arguments(["init"])
        .arguments(arguments)
        .run()
}

fn written(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).expect("the file was written")
}

/// Compares a run's output with a snapshot, with the file it wrote at the end.
#[track_caller]
fn snapshot(name: &str, mut output: Output, file: &str) {
    output
        .stdout
        .push_str(&format!("--- {file}\n{}", written(&output.folder, file)));
    cli::check(name, &output);
}

/// Runs what was written, and then once more: there is nothing left to do.
#[track_caller]
fn runs(folder: &Path, variables: &[(&str, &str)]) {
    let run = |command: &str| {
        let mut run = Trueup::new(folder).state(command, [""; 0]);
        for (name, value) in variables {
            run = run.env(name, value);
        }
        run.run()
    };
    run("run").expect(0);
    let again = run("run").expect(0);
    assert!(again.stdout.ends_with("\nequal\n"), "{again}");
}

#[test]
fn files_into_a_new_database() {
    let folder = support::folder();
    cli::shop(folder.path());
    let sides = ["csv:shop", "sqlite:shop.db", "--key", "customers=id"];
    let output = init(folder.path(), sides).expect(0);
    snapshot("init-files", output, "trueup.toml");
    assert!(
        !folder.path().join("shop.db").exists(),
        "nothing but the file is written"
    );
    runs(folder.path(), &[]);
    // The other collection takes part once its line is no comment any more.
    let text = written(folder.path(), "trueup.toml");
    let text = text.replace("  # { source = \"orders\"", "  { source = \"orders\"");
    fs::write(folder.path().join("trueup.toml"), text).expect("the file can be written");
    runs(folder.path(), &[]);
    let keys = ["--key", "customers=id", "--key", "orders=id"];
    Trueup::new(folder.path())
        .diff(["csv:shop", "sqlite:shop.db"].into_iter().chain(keys))
        .run()
        .expect(0);
}

#[test]
fn collection_without_a_key_can_be_counted() {
    let folder = support::folder();
    support::sqlite(
        &folder.path().join("a.db"),
        "CREATE TABLE marks (a TEXT); INSERT INTO marks VALUES ('x'), ('x'), ('y')",
    );
    let sides = ["sqlite:a.db", "sqlite:b.db", "--key", "marks=all"];
    let checked = Trueup::new(folder.path()).arguments(["check"]);
    let checked = checked.arguments(sides).run().expect(0);
    assert!(
        checked.stdout.contains("key       all: equal records"),
        "{checked}"
    );
    init(folder.path(), sides).expect(0);
    let text = written(folder.path(), "trueup.toml");
    assert!(
        text.contains("{ source = \"marks\", key = \"all\" },"),
        "{text}"
    );
    runs(folder.path(), &[]);
}

#[test]
fn two_databases_both_ways() {
    let folder = support::folder();
    let sql = "CREATE TABLE people (id INTEGER PRIMARY KEY NOT NULL, name TEXT)";
    support::sqlite(
        &folder.path().join("a.db"),
        &format!("{sql}; INSERT INTO people VALUES (1, 'Ada')"),
    );
    support::sqlite(
        &folder.path().join("b.db"),
        &format!("{sql}; INSERT INTO people VALUES (2, 'Grace')"),
    );
    let output = init(folder.path(), ["sqlite:a.db", "sqlite:b.db", "--two-way"]).expect(0);
    snapshot("init-two-way", output, "trueup.toml");
    runs(folder.path(), &[]);
    support::expect_same(folder.path(), "sqlite:a.db", "sqlite:b.db");
}

#[test]
fn password_is_left_to_the_environment() {
    let (folder, database) = (support::folder(), support::database());
    let sql = "CREATE TABLE people (id INTEGER PRIMARY KEY NOT NULL, name TEXT); INSERT INTO people VALUES (1, 'Ada')";
    support::sqlite(&folder.path().join("a.db"), sql);
    let output = init(folder.path(), ["sqlite:a.db", &database.url()]).expect(0);
    let variable = format!(
        "{}_PASSWORD",
        database.name().to_ascii_uppercase().replace('-', "_")
    );
    assert!(
        output
            .stdout
            .contains(&format!("read -rs {variable} && export {variable}\n")),
        "{output}"
    );
    let text = written(folder.path(), "trueup.toml");
    assert!(
        !text.contains(PASSWORD) && !output.stdout.contains(PASSWORD),
        "{text}{output}"
    );
    assert!(
        text.contains(&format!("password = \"env:{variable}\"")),
        "{text}"
    );
    runs(folder.path(), &[(&variable, PASSWORD)]);
    support::expect_same(
        folder.path(),
        "sqlite:a.db",
        &format!("postgres:{}", database.name()),
    );
}

#[test]
fn file_elsewhere_finds_the_places_all_the_same() {
    let folder = support::folder();
    cli::shop(folder.path());
    fs::create_dir(folder.path().join("etc")).expect("the folder can be written");
    let arguments = [
        "csv:shop",
        "sqlite:shop.db",
        "--out",
        "etc/my shop.toml",
        "--collections",
        "orders",
        "--key",
        "id",
    ];
    let output = init(folder.path(), arguments).expect(0);
    assert!(
        output.stdout.ends_with("  trueup run 'etc/my shop.toml'\n"),
        "{output}"
    );
    Trueup::new(folder.path())
        .state("run", ["etc/my shop.toml"])
        .run()
        .expect(0);
    assert!(folder.path().join("shop.db").exists());
}

#[test]
fn mistakes_of_init() {
    let folder = support::folder();
    cli::shop(folder.path());
    cli::check("init-no-terminal", &init(folder.path(), [""; 0]));
    cli::check("init-one-place", &init(folder.path(), ["csv:shop"]));
    cli::check(
        "init-no-source",
        &init(folder.path(), ["csv:gone", "sqlite:b.db"]),
    );
    cli::check(
        "init-stream",
        &init(folder.path(), ["csv:-", "sqlite:b.db"]),
    );
    fs::write(folder.path().join("trueup.toml"), "mine").expect("the file can be written");
    let sides = ["csv:shop", "sqlite:b.db"];
    cli::check("init-taken", &init(folder.path(), sides));
    assert_eq!(written(folder.path(), "trueup.toml"), "mine");
    init(
        folder.path(),
        sides.into_iter().chain(["--force", "--key", "orders=id"]),
    )
    .expect(0);
    assert!(written(folder.path(), "trueup.toml").starts_with("# Written by"));
}

#[test]
fn file_of_which_nothing_runs_says_which_line_to_edit() {
    let folder = support::folder();
    cli::shop(folder.path());
    let output = init(folder.path(), ["csv:shop", "sqlite:shop.db"]).expect(2);
    snapshot("init-nothing-runs", output, "trueup.toml");
    let run = Trueup::new(folder.path()).state("run", [""; 0]).run();
    run.expect(2);
    uncomment(folder.path());
    runs(folder.path(), &[]);
}

/// Takes the `#` away from all lines that wait for that.
fn uncomment(folder: &Path) {
    let text = written(folder, "trueup.toml").replace("  # { source", "  { source");
    fs::write(folder.join("trueup.toml"), text).expect("the file can be written");
}

#[test]
fn lines_of_what_does_not_fit_run_once_they_are_no_comments() {
    for (two_way, name) in [(false, "init-unfit"), (true, "init-unfit-two-way")] {
        let folder = support::folder();
        support::sqlite(
            &folder.path().join("a.db"),
            "CREATE TABLE bills (id INTEGER PRIMARY KEY NOT NULL, due DATE, note TEXT);
             CREATE TABLE tags (word TEXT, bill INTEGER);
             INSERT INTO bills VALUES (1, '2026-01-01', 'x');
             INSERT INTO tags VALUES ('x', 1), ('y', 1)",
        );
        support::sqlite(
            &folder.path().join("b.db"),
            "CREATE TABLE bills (id INTEGER PRIMARY KEY NOT NULL, due TIMESTAMPTZ, extra TEXT)",
        );
        let way = two_way.then_some("--two-way");
        let sides = ["sqlite:a.db", "sqlite:b.db"].into_iter().chain(way);
        let output = init(folder.path(), sides).expect(2);
        snapshot(name, output, "trueup.toml");
        uncomment(folder.path());
        runs(folder.path(), &[]);
    }
}

#[test]
fn a_side_without_any_collection_is_named() {
    let folder = support::folder();
    let empty = "CREATE TABLE gone (id INTEGER); DROP TABLE gone";
    support::sqlite(&folder.path().join("empty.db"), empty);
    let full = "CREATE TABLE people (id INTEGER PRIMARY KEY)";
    support::sqlite(&folder.path().join("full.db"), full);
    let (empty, full) = ("sqlite:empty.db", "sqlite:full.db");
    cli::check("init-empty-source", &init(folder.path(), [empty, full]));
    let both = [empty, "sqlite:new.db", "--two-way"];
    cli::check("init-empty-sides", &init(folder.path(), both));
    init(folder.path(), [full, empty]).expect(0);
}

/// Answers the questions on a terminal of its own: the answers, then the program and its arguments. Ctrl-C is pressed
/// once the program asks for something.
const PERSON: &str = "\
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
answers, interrupt, _ = sys.argv[1].partition('\\x03')
os.write(terminal, answers.encode())
said = b''
while True:
    try:
        part = os.read(terminal, 65536)
    except OSError:
        break
    if not part:
        break
    said += part
    if interrupt and b'? ' in said:
        os.write(terminal, interrupt.encode())
        interrupt = ''
sys.stdout.write(said.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";

/// Runs `init` at a terminal, where somebody types `answers`; returns what the terminal showed.
fn person(folder: &Path, answers: &str, arguments: &[&str]) -> String {
    let (code, said) = person_until(folder, answers, arguments);
    assert_eq!(code, Some(0), "{said}");
    said
}

/// As [`person`], with the exit code.
fn person_until(folder: &Path, answers: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new("python3")
        .args(["-c", PERSON, answers])
        .arg(support::binary())
        .arg("init")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("python3 can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    (output.status.code(), said.into_owned())
}

#[test]
fn ctrl_c_at_a_question_ends_it_at_once() {
    let folder = support::folder();
    let (code, said) = person_until(folder.path(), "csv:shop\n\u{3}", &[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(!said.contains("batch"), "{said}");
}

#[test]
fn a_file_that_is_there_is_refused_before_anything_is_asked() {
    let folder = support::folder();
    fs::write(folder.path().join("trueup.toml"), "mine").expect("the file can be written");
    let (code, said) = person_until(folder.path(), "", &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("there is a file=trueup.toml already"),
        "{said}"
    );
    assert!(!said.contains("Where do"), "{said}");
}

#[test]
fn a_target_that_is_not_there_is_named_by_every_check() {
    for (target, named) in [
        ("sqlite:b.bd", Some("the file b.bd does not exist")),
        ("csv:b.csv", Some("the file b.csv does not exist")),
        ("jsonl:b", Some("the folder b does not exist")),
        ("sqlite:a.db", None),
    ] {
        let folder = support::folder();
        let sql = "CREATE TABLE b (id INTEGER PRIMARY KEY NOT NULL, name TEXT)";
        support::sqlite(&folder.path().join("a.db"), sql);
        support::sqlite(&folder.path().join("c.db"), sql);
        let sides = ["sqlite:c.db", target];
        let commands: [&[&str]; 3] = [&["check"], &["sync", "--dry-run"], &["init"]];
        for command in commands {
            let run = Trueup::new(folder.path()).arguments(command.iter().copied());
            let output = run.arguments(sides).run();
            let all = format!("{}{}", output.stdout, output.stderr);
            let said = named.unwrap_or("does not exist");
            assert_eq!(all.contains(said), named.is_some(), "{command:?} {all}");
        }
    }
}

#[test]
fn person_at_a_terminal_is_asked() {
    let folder = support::folder();
    cli::shop(folder.path());
    let answers = "csv:shop\nsqlite:shop.db\nn\nasked.toml\n\nid\n";
    let said = person(folder.path(), answers, &[]);
    for part in [
        "Where do they go? ",
        "Which file shall be written? [trueup.toml] ",
        "Which fields identify a record of orders? ",
        "wrote asked.toml: 2 collections",
        "trueup run asked.toml",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(written(folder.path(), "asked.toml").contains("url = \"csv:shop\""));
}

#[test]
fn person_is_asked_for_the_keys_that_are_missing() {
    let folder = support::folder();
    cli::shop(folder.path());
    let sides = ["csv:shop", "sqlite:shop.db", "--key", "customers=id"];
    let said = person(folder.path(), "all\n", &sides);
    let question = "orders has no key: unique in the first 24 records: id";
    assert!(said.contains(question), "{said}");
    assert!(!said.contains("record of customers?"), "{said}");
    let text = written(folder.path(), "trueup.toml");
    assert!(
        text.contains("{ source = \"orders\", key = \"all\" },"),
        "{text}"
    );
    runs(folder.path(), &[]);
}

#[test]
fn a_file_in_another_encoding_is_told_with_what_converts_it() {
    let folder = support::folder();
    fs::write(folder.path().join("l.csv"), b"id,name\n1,Jos\xe9\n")
        .expect("the file can be written");
    init(folder.path(), ["csv:l.csv", "sqlite:b.db"]).expect(2);
    let text = written(folder.path(), "trueup.toml");
    let advice = "invalid UTF-8 file=";
    assert!(text.contains(advice), "{text}");
    assert!(text.contains("iconv -f latin1 -t utf-8"), "{text}");
    let todo = "  #   set that right first, name the fields that identify a record, and take the # away:\n";
    assert!(text.contains(todo), "{text}");
}

#[test]
fn a_file_of_tabs_has_a_hint() {
    let folder = support::folder();
    fs::write(folder.path().join("t.csv"), "id\tname\n1\tAda\n").expect("the file can be written");
    let check = |place: &str| {
        let run = Trueup::new(folder.path()).arguments(["check", place, "sqlite:b.db"]);
        run.run().stdout
    };
    assert!(check("csv:t.csv").contains("?delimiter=tab"));
    assert!(!check("csv:t.csv?delimiter=tab&key=id").contains("has tabs"));
}

#[test]
fn a_file_of_semicolons_or_bars_has_a_hint_too() {
    let folder = support::folder();
    for (sign, word) in [(";", "?delimiter=;"), ("|", "?delimiter=|")] {
        let text = format!("id{sign}name\n1{sign}Ada\n");
        fs::write(folder.path().join("t.csv"), text).expect("the file can be written");
        let command = |words: &[&str]| {
            let run = Trueup::new(folder.path()).arguments(words.iter().copied());
            let output = run.arguments(["csv:t.csv", "sqlite:b.db"]).run();
            format!("{}{}", output.stdout, output.stderr)
        };
        assert!(command(&["check"]).contains(word));
        // A key that is a part of the one name is no typing mistake.
        let address = ["check", "csv:t.csv?key=id", "sqlite:b.db"];
        let keyed = Trueup::new(folder.path()).arguments(address).run();
        assert!(
            format!("{}{}", keyed.stdout, keyed.stderr).contains(word),
            "{keyed}"
        );
    }
}

#[test]
fn the_state_has_another_name_than_the_sides() {
    let folder = support::folder();
    for name in ["trueup.db", "y.db"] {
        let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY)";
        support::sqlite(&folder.path().join(name), sql);
    }
    let init = ["init", "sqlite:trueup.db", "sqlite:y.db", "--two-way"];
    Trueup::new(folder.path()).arguments(init).run().expect(0);
    Trueup::new(folder.path())
        .arguments(["run"])
        .run()
        .expect(0);
    assert!(folder.path().join("trueup-state.db").exists());
}
