//! A configuration file from outside: links that run, links that fail, and what is said about the file itself.

mod chosen;
mod one_link;
mod schema;

use crate::cli::check;
use crate::stopped::Stopped;
use crate::support::{self, Output, Trueup};
use rustix::process::Signal;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use trueup_testkit::servers::postgres::{PASSWORD, USER};

/// Three places and three links, the second of which cannot work.
const FILE: &str = r#"
state = "state.db"

[endpoint.shop]
url = "csv:shop"

[endpoint.stock]
url = "sqlite:${STOCK:-stock}.db"

[endpoint.lost]
url = "csv:lost"

[link.orders]
source = "shop"
target = "stock"
delete = true
collections = [{ source = "orders", target = "sales", key = ["id"], rename = { amount = "total" }, drop = ["note"] }]

[link.broken]
source = "lost"
target = "stock"
collections = ["nothing"]

[link.people]
source = "shop"
target = "stock"
collections = [{ source = "people", key = ["id"] }]
"#;

/// A folder with the file and what it speaks of.
fn folder() -> tempfile::TempDir {
    let folder = support::folder();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("trueup.toml", FILE);
    write("shop/orders.csv", "id,amount,note\n1,5,a\n2,7,b\n");
    write("shop/people.csv", "id,name\n1,Ada\n");
    fs::create_dir(folder.path().join("lost")).unwrap();
    folder
}

/// A folder with a file that has one link both ways, between two SQLite files that are not there yet.
fn both_ways() -> tempfile::TempDir {
    let folder = support::folder();
    let file = "state = \"state.db\"
        [endpoint.a]\nurl = \"sqlite:a.db\"\n[endpoint.b]\nurl = \"sqlite:b.db\"
        [link.ab]\nsource = \"b\"\ntarget = \"a\"\ndirection = \"both\"";
    fs::write(folder.path().join("trueup.toml"), file).unwrap();
    folder
}

fn run<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Output {
    Trueup::new(folder)
        .arguments(["run", "--quiet"])
        .arguments(arguments)
        .run()
}

#[test]
fn a_link_that_fails_does_not_stop_the_next() {
    let folder = folder();
    let output = run(folder.path(), []).expect(2);
    check("run-one-fails", &output);
    let again = run(folder.path(), ["--json"]).expect(2);
    let links = again.json();
    let names: Vec<&str> = links
        .as_array()
        .unwrap()
        .iter()
        .map(|link| link["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["orders", "broken", "people"]);
    assert_eq!(links[1]["error"]["kind"], "config");
    for index in [0, 2] {
        let one = &links[index]["collections"][0];
        assert_eq!(one["inserted"], 0, "{again}");
        assert_eq!(one["updated"], 0, "{again}");
        assert_eq!(links[index]["equal"], true, "{again}");
    }
    let rows = rusqlite::Connection::open(folder.path().join("stock.db")).unwrap();
    let sql = "SELECT group_concat(total) FROM sales";
    let totals: String = rows.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(totals, "5,7");
}

/// The fields are known only once both places are connected.
#[test]
fn a_mistake_in_an_expression_is_shown_in_the_file() {
    let folder = support::folder();
    let folder = folder.path();
    let file = r#"state = "state.db"
[endpoint.shop]
url = "sqlite:shop.db"
[endpoint.till]
url = "sqlite:till.db"
[link.orders]
source = "shop"
target = "till"
direction = "both"
collections = [
  { source = "orders", on_conflict = "cel:source.total > target.totl ? \"source\" : \"target\"" },
]
"#;
    fs::write(folder.join("trueup.toml"), file).unwrap();
    let orders = "CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER)";
    support::sqlite(&folder.join("shop.db"), orders);
    support::sqlite(&folder.join("till.db"), orders);
    check("run-mistake-in-expression", &run(folder, []).expect(2));
    let verify = Trueup::new(folder).arguments(["verify", "orders"]).run();
    let words = ["trueup.toml:11:65", "no such field: field=\"totl\""];
    for output in [verify, run(folder, ["--dry-run"])] {
        let output = output.expect(2);
        assert!(
            words.iter().all(|word| output.stderr.contains(word)),
            "{output}"
        );
    }
    let output = Trueup::new(folder).arguments(["check"]).run().expect(1);
    assert!(
        words.iter().all(|word| output.stdout.contains(word)),
        "{output}"
    );
}

#[test]
fn links_are_chosen_by_name() {
    let folder = folder();
    let output = run(folder.path(), ["people", "orders", "people", "--json"]).expect(0);
    let links = output.json();
    let names = links.as_array().unwrap().iter().map(|link| &link["name"]);
    assert_eq!(names.collect::<Vec<_>>(), ["people", "orders"]);
    check(
        "run-no-such-link",
        &run(folder.path(), ["peopel"]).expect(2),
    );
    fs::write(folder.path().join("bare.toml"), "").unwrap();
    check("run-no-link", &run(folder.path(), ["bare.toml"]).expect(2));
    check("run-no-file", &run(folder.path(), ["no.toml"]).expect(2));
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = folder();
    let output = run(folder.path(), ["--dry-run", "orders", "people"]).expect(1);
    check("run-dry", &output);
    for file in ["stock.db", "state.db"] {
        assert!(!folder.path().join(file).exists(), "{file}");
    }
    let output = run(folder.path(), ["--dry-run", "--json", "orders"]).expect(1);
    assert_eq!(
        output.json()[0]["plan"].as_array().unwrap().len(),
        1,
        "{output}"
    );
}

#[test]
fn paths_are_those_of_the_file() {
    let folder = folder();
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let output = Trueup::new(&elsewhere)
        .env("STOCK", "warehouse")
        .arguments(["run", "../trueup.toml", "orders"])
        .run()
        .expect(0);
    assert!(folder.path().join("warehouse.db").exists(), "{output}");
    assert!(folder.path().join("state.db").exists(), "{output}");
    assert!(
        output.stderr.starts_with("state file=../state.db\n"),
        "{output}"
    );
}

/// The certificates to trust, and a password's file, lie beside the file that names them.
#[test]
fn certificates_are_found_beside_the_file() {
    let (folder, database) = (support::folder(), support::database());
    let conf = folder.path().join("the & conf");
    fs::create_dir_all(conf.join("certs")).unwrap();
    fs::copy(database.server().authority(), conf.join("certs/ca.crt")).unwrap();
    fs::write(conf.join("pw"), PASSWORD).unwrap();
    fs::set_permissions(conf.join("pw"), Permissions::from_mode(0o600)).unwrap();
    let tables = "CREATE TABLE x (id INTEGER PRIMARY KEY); INSERT INTO x VALUES (1)";
    support::sqlite(&conf.join("a.db"), tables);
    let port = database.server().port();
    let write = |roots: &str| {
        let url = format!(
            "postgres://{USER}@localhost:{port}/{}?sslmode=verify-full&sslrootcert={roots}&password=file:pw",
            database.name()
        );
        let file = format!(
            "[endpoint.a]\nurl = \"sqlite:a.db\"\n[endpoint.b]\nurl = \"{url}\"
            [link.ab]\nsource = \"a\"\ntarget = \"b\""
        );
        fs::write(conf.join("trueup.toml"), file).unwrap();
    };
    write("certs/ca.crt");
    let file = "the & conf/trueup.toml";
    run(folder.path(), [file, "--json"]).expect(0);
    run(&conf, ["trueup.toml", "--json"]).expect(0);
    write("certs/other.crt");
    let output = run(folder.path(), [file]).expect(2);
    let path = "path=the & conf/certs/other.crt";
    assert!(output.stderr.contains(path), "{output}");
}

#[test]
fn options_go_before_the_file() {
    let folder = folder();
    let arguments = ["orders", "--state", "other.db", "--no-verify", "--json"];
    let output = run(folder.path(), arguments).expect(0);
    assert!(output.json()[0]["certificate"].is_null(), "{output}");
    assert!(folder.path().join("other.db").exists());
    assert!(!folder.path().join("state.db").exists());
}

#[test]
fn the_guard_of_a_collection_stops_its_link() {
    let folder = folder();
    let text = fs::read_to_string(folder.path().join("trueup.toml")).unwrap();
    let guarded = text.replace(
        "drop = [\"note\"]",
        "drop = [\"note\"], guard = { deletes_max = 0 }",
    );
    fs::write(folder.path().join("trueup.toml"), guarded).unwrap();
    run(folder.path(), ["orders"]).expect(0);
    fs::write(
        folder.path().join("shop/orders.csv"),
        "id,amount,note\n1,5,a\n",
    )
    .unwrap();
    let output = run(folder.path(), ["orders", "people"]).expect(4);
    assert!(
        output
            .stderr
            .contains("error[guard]: link=orders: collection=sales"),
        "{output}"
    );
    assert!(output.stdout.contains("[people]"), "{output}");
    run(folder.path(), ["orders", "--yes"]).expect(0);
}

#[test]
fn commands_find_the_state_by_the_file() {
    let folder = folder();
    run(folder.path(), ["orders", "people"]).expect(0);
    let ask = |command: &str, arguments: &[&str]| {
        let run = Trueup::new(folder.path()).arguments([command, "--json"]);
        run.arguments(arguments).run().expect(0)
    };
    let count = |output: &Output| output.json().as_array().unwrap().len();
    for by_name in [&["--config", "trueup.toml"][..], &[]] {
        assert_eq!(count(&ask("history", by_name)), 2);
        assert_eq!(count(&ask("status", by_name)), 1);
    }
    // One that names no state means the usual place.
    fs::write(folder.path().join("bare.toml"), "").unwrap();
    let bare = ask("history", &["--config", "bare.toml"]);
    assert_eq!(bare.stdout, "[]\n");
}

#[test]
fn status_lists_the_links_of_the_file_at_hand() {
    let folder = folder();
    let status = |arguments: &[&str]| {
        let run = Trueup::new(folder.path()).arguments(["status"]);
        run.arguments(arguments).run()
    };
    check("status-file-new", &status(&[]).expect(0));
    run(folder.path(), ["orders"]).expect(0);
    // A mistyped source is no link; another one is, and needs a person while a record is parked.
    let sync = |source: &str, target: &str| {
        let run = Trueup::new(folder.path()).sync([source, target, "--key", "id"]);
        run.run()
    };
    let mistyped = Trueup::new(folder.path()).sync(["sqlite:nosuch.db", "sqlite:stock.db"]);
    mistyped.run().expect(2);
    fs::write(folder.path().join("gone.csv"), "id,n\n1,2\n").unwrap();
    sync("gone.csv", "sqlite:late.db").expect(0);
    check("status-file", &status(&[]).expect(0));
    fs::write(folder.path().join("gone.csv"), "id,n\n1,x\n").unwrap();
    sync("gone.csv", "sqlite:late.db").expect(1);
    check("status-file-needs", &status(&[]).expect(1));
    let known = status(&["--json"]).expect(1).json();
    assert_eq!(known.as_array().unwrap().len(), 2);
    let all = status(&["--all"]).expect(1);
    check("status-file-all", &all);
    // It is forgotten by what was typed, which meant something in its folder.
    let forget = Trueup::new(folder.path()).arguments(["forget", "gone.csv -> sqlite:late.db"]);
    check("forget-one-way", &forget.run().expect(0));
    let known = status(&["--all", "--json"]).expect(0).json();
    assert_eq!(known.as_array().unwrap().len(), 1);
    let history = Trueup::new(folder.path()).arguments(["history", "--json"]);
    let history = history.run().expect(0).json();
    assert_eq!(history.as_array().unwrap().len(), 4, "it stays there");
}

#[test]
fn a_link_is_verified_by_itself() {
    let folder = folder();
    let verify = |arguments: &[&str], code: i32| {
        Trueup::new(folder.path())
            .arguments(["verify", "--quiet"])
            .arguments(arguments)
            .run()
            .expect(code)
    };
    check("verify-before", &verify(&["orders"], 1));
    run(folder.path(), ["orders"]).expect(0);
    let kept = fs::read(folder.path().join("stock.db")).unwrap();
    check("verify-equal", &verify(&["orders"], 0));
    assert_eq!(fs::read(folder.path().join("stock.db")).unwrap(), kept);
    support::sqlite(
        &folder.path().join("stock.db"),
        "UPDATE sales SET total = 8 WHERE id = 2; INSERT INTO sales VALUES (3, 9)",
    );
    check("verify-different", &verify(&["trueup.toml", "orders"], 1));
    let json = verify(&["orders", "--json"], 1).json();
    assert_eq!(json["equal"], false);
    assert_eq!(json["certificate"]["collections"][0]["wrong"], 2);
    // One cannot be asked, one was never run: the worst is what counts.
    check("verify-all", &verify(&["trueup.toml"], 2));
    let all = verify(&["orders", "people", "--json"], 1).json();
    assert_eq!(all[0]["name"], "orders");
    assert_eq!(all[1]["equal"], false);
    let nowhere = support::folder();
    let ask = |arguments: &[&str]| {
        let run = Trueup::new(nowhere.path()).state("verify", [""; 0]);
        run.arguments(arguments).run().expect(2)
    };
    check("verify-nothing", &ask(&[]));
    let sides = ["sqlite:gone.db", "sqlite:here.db"];
    Trueup::new(nowhere.path()).sync(sides).run().expect(2);
    // What was mistyped is not proposed.
    check("verify-nothing", &ask(&[]));
    let table = "CREATE TABLE t (id INTEGER PRIMARY KEY)";
    support::sqlite(&nowhere.path().join("gone.db"), table);
    Trueup::new(nowhere.path()).sync(sides).run().expect(0);
    check("verify-links-on-record", &ask(&[]));
    let runs = Trueup::new(folder.path()).history(["--json"]).run();
    assert_eq!(runs.json().as_array().unwrap().len(), 1);
}

#[test]
fn a_two_way_link_is_the_one_of_the_command_line() {
    let folder = both_ways();
    let a = folder.path().join("a.db");
    let b = folder.path().join("b.db");
    support::sqlite(
        &a,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y')",
    );
    Trueup::new(folder.path())
        .sync(["sqlite:a.db", "sqlite:b.db", "--two-way"])
        .run()
        .expect(0);
    // With the base of that run a missing record is a delete, and not one to be filled in.
    support::sqlite(&b, "DELETE FROM t WHERE id = 1; UPDATE t SET n = 'z'");
    let output = run(folder.path(), ["--json"]).expect(0);
    let counts = &output.json()[0]["collections"][0]["to_target"];
    assert_eq!(counts["deleted"], 1, "{output}");
    assert_eq!(counts["updated"], 1, "{output}");
    // An open conflict takes no part in a verification, and is told.
    support::sqlite(&a, "UPDATE t SET n = 'a'");
    support::sqlite(&b, "UPDATE t SET n = 'b'");
    run(folder.path(), []).expect(1);
    let verify = Trueup::new(folder.path())
        .arguments(["verify", "ab", "--quiet"])
        .run()
        .expect(1);
    check("verify-open-conflict", &verify);
    Trueup::new(folder.path())
        .arguments([
            "conflicts",
            "resolve",
            "1",
            "--take",
            "source",
            "--config",
            "trueup.toml",
        ])
        .run()
        .expect(0);
    run(folder.path(), []).expect(0);
}

#[test]
fn a_file_with_mistakes_shows_them_all_and_no_secret() {
    let folder = folder();
    let file = "[endpoint.a]
url = \"postgres://app:canary@db/shop\"
pasword = \"canary\"
[endpoint.b]
url = \"postgres://app:${SECRET}@db/shop\"
[link.ab]
source = \"a\"
taget = \"b\"
";
    fs::write(folder.path().join("bad.toml"), file).unwrap();
    for json in [&[][..], &["--json"]] {
        let output = Trueup::new(folder.path())
            .env("SECRET", "can@ary")
            .arguments(["run", "bad.toml"])
            .arguments(json)
            .run()
            .expect(2);
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(
            !said.contains("canary") && !said.contains("ary\""),
            "{output}"
        );
        if json.is_empty() {
            check("run-mistakes", &output);
        }
    }
}

#[test]
fn a_request_to_stop_stops_all_links() {
    let folder = folder();
    let command = Trueup::new(folder.path()).arguments(["run", "orders", "people"]);
    let stopped = Stopped::at("engine.planned", command);
    stopped.signal(Signal::INT);
    let output = stopped.go_on().expect(3);
    assert!(
        output.stderr.contains("error[interrupted]: link=orders"),
        "{output}"
    );
    assert!(
        output
            .stderr
            .contains("this goes on: trueup run orders people\n"),
        "{output}"
    );
    assert!(!output.stdout.contains("people"), "{output}");
    let tables = "SELECT count(*) FROM sqlite_master WHERE name = 'people'";
    let stock = rusqlite::Connection::open(folder.path().join("stock.db")).unwrap();
    let people: i64 = stock.query_row(tables, [], |row| row.get(0)).unwrap();
    assert_eq!(people, 0);
    run(folder.path(), ["orders", "people"]).expect(0);
}
