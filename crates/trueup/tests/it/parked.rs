//! Parked records: listed, shown, tried again.

use crate::cli::check;
use crate::support::{self, Trueup};
use std::path::Path;

const SIDES: [&str; 2] = ["sqlite:shop.db", "sqlite:till.db"];

/// Two of three orders violate what the till demands.
fn shop(folder: &Path) {
    support::sqlite(
        &folder.join("shop.db"),
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER);
         INSERT INTO orders VALUES (1, 10), (2, -5), (3, -7)",
    );
    support::sqlite(
        &folder.join("till.db"),
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER CHECK (total > 0))",
    );
}

fn parked(folder: &Path, arguments: &[&str]) -> support::Output {
    Trueup::new(folder).state("parked", arguments).run()
}

fn retry(folder: &Path, options: &[&str]) -> support::Output {
    let run = Trueup::new(folder)
        .state("parked", ["retry"])
        .arguments(SIDES);
    run.arguments(["--quiet"]).arguments(options).run()
}

#[test]
fn parked_records_are_listed_shown_and_tried_again() {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    let sync = || Trueup::new(folder).sync(SIDES).arguments(["--quiet"]).run();
    sync().expect(1);
    let first = parked(folder, &["list", "--json"]).expect(0).json();
    sync().expect(1);
    check("parked-list", &parked(folder, &["list"]));
    check("parked-show", &parked(folder, &["show", "2"]));
    check("parked-show-unknown", &parked(folder, &["show", "7"]));
    let again = parked(folder, &["list", "--json"]).expect(0).json();
    assert_eq!(first[0]["id"], again[0]["id"], "a number stays");
    assert_eq!(first[0]["since"], again[0]["since"]);
    assert_eq!(
        (&again[0]["first_run"], &again[0]["run"]),
        (&1.into(), &2.into())
    );
    let key = again[1]["key"].as_str().unwrap();
    let shown = parked(folder, &["show", key, "--json"]).expect(0).json();
    assert_eq!(shown[0], again[1]);
    // One is mended at the source; a new order waits for an ordinary run.
    support::sqlite(
        &folder.join("shop.db"),
        "UPDATE orders SET total = 5 WHERE id = 2; INSERT INTO orders VALUES (4, 40)",
    );
    check("parked-retry-some", &retry(folder, &[]));
    assert_eq!(
        parked(folder, &["list", "--json"])
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    support::sqlite(
        &folder.join("shop.db"),
        "UPDATE orders SET total = 7 WHERE id = 3",
    );
    check("parked-retry-all", &retry(folder, &[]));
    check("parked-list-none", &parked(folder, &["list"]));
    retry(folder, &["--json"]).expect(0);
    let done = sync();
    assert_eq!(done.code, Some(0), "{done}");
    support::expect_same(folder, "sqlite:shop.db", "sqlite:till.db");
}

#[test]
fn a_parked_record_of_a_file_is_found_by_its_key_and_its_line() {
    let folder = support::folder();
    let folder = folder.path();
    let file = folder.join("orders.csv");
    std::fs::write(&file, "region,id,total\nnorth,1,5\nsouth,2,secret\n").unwrap();
    support::sqlite(
        &folder.join("till.db"),
        "CREATE TABLE orders (region TEXT, id INTEGER, total INTEGER NOT NULL, PRIMARY KEY (region, id)) STRICT",
    );
    let sides = ["csv:orders.csv?key=region,id", "sqlite:till.db"];
    let sync = |options: &[&str]| {
        let run = Trueup::new(folder).sync(sides).arguments(["--quiet"]);
        run.arguments(options).run()
    };
    let file = file.canonicalize().unwrap();
    let which = format!(
        "region='south' id=2 file={} line=3 field=total: ",
        file.display()
    );
    let ran = sync(&[]).expect(1);
    assert!(ran.stdout.contains(&which), "{ran}");
    let listed = parked(folder, &["list"]).expect(0);
    let cells = format!("region='south' id=2  {} line 3  total", file.display());
    assert!(listed.stdout.contains(&cells), "{listed}");
    let shown = parked(folder, &["show", "1"]).expect(0);
    let at = folder.canonicalize().unwrap();
    let retry = format!(
        "; then:\n  trueup parked retry 'csv:{}?key=region,id' sqlite:{} --state {}\n",
        file.display(),
        at.join("till.db").display(),
        at.join(support::STATE).display()
    );
    for part in [
        "key         region='south' id=2\n",
        "mend the value of total at its source",
        &retry,
    ] {
        assert!(shown.stdout.contains(part), "{part}: {shown}");
    }
    let json = parked(folder, &["list", "--json"]).expect(0).json();
    assert_eq!(json[0]["key_text"], "region='south' id=2");
    assert_eq!(json[0]["line"], 3);
    for output in [&ran, &listed, &shown] {
        assert!(!output.to_string().contains("secret"), "{output}");
    }
}

#[test]
fn a_configured_link_tries_its_parked_records_again() {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    std::fs::write(
        folder.join("trueup.toml"),
        "state = \"state.db\"
[endpoint.shop]
url = \"sqlite:shop.db\"
[endpoint.till]
url = \"sqlite:till.db\"
[link.orders]
source = \"shop\"
target = \"till\"
",
    )
    .unwrap();
    let run = |arguments: &[&str]| Trueup::new(folder).arguments(arguments).run();
    run(&["run", "--quiet"]).expect(1);
    let retry = [
        "parked",
        "retry",
        "--config",
        "trueup.toml",
        "orders",
        "--quiet",
        "--json",
    ];
    assert_eq!(run(&retry).expect(1).collection("orders")["parked"], 2);
    for report in [&["parked", "list"][..], &["parked", "show", "1"]] {
        let words = command(&run(report).expect(0));
        let file = folder.canonicalize().unwrap().join("trueup.toml");
        let expected = format!("parked retry --config {} orders", file.display());
        assert_eq!(words.join(" "), expected);
    }
    support::sqlite(&folder.join("shop.db"), "UPDATE orders SET total = id");
    assert_eq!(run(&retry).expect(0).collection("orders")["inserted"], 2);
    // Where the file is at hand, the name suffices.
    run(&["parked", "retry", "orders", "--quiet"]).expect(0);
    let list = run(&["parked", "list", "--config", "trueup.toml", "--json"]).expect(0);
    assert_eq!(list.json().as_array().unwrap().len(), 0);
    check(
        "parked-retry-no-link",
        &run(&["parked", "retry", "--config", "trueup.toml", "a", "b"]),
    );
    check(
        "parked-retry-no-target",
        &run(&["parked", "retry", "sqlite:shop.db"]),
    );
}

/// The words of the command that a report ends with, the program's name left out.
fn command(output: &support::Output) -> Vec<String> {
    let line = output.stdout.lines().last().unwrap().trim();
    let words = line
        .strip_prefix("trueup ")
        .unwrap_or_else(|| panic!("{output}"));
    words
        .split(' ')
        .map(|word| word.replace('\'', ""))
        .collect()
}

#[test]
fn the_command_that_is_shown_tries_the_records_again() {
    let folder = support::folder();
    let folder = folder.path();
    support::sqlite(
        &folder.join("shop.db"),
        "CREATE TABLE orders (id INTEGER, total INTEGER); INSERT INTO orders VALUES (1, 10), (2, -5);
         CREATE TABLE parts (id INTEGER)",
    );
    support::sqlite(
        &folder.join("till.db"),
        "CREATE TABLE sales (id INTEGER PRIMARY KEY, total INTEGER CHECK (total > 0))",
    );
    let options = [
        "--collections",
        "orders=sales",
        "--key",
        "orders=id",
        "--where",
        "id < 3",
    ];
    let sync = Trueup::new(folder).sync(SIDES).arguments(options);
    sync.arguments(["--quiet"]).run().expect(1);
    for report in [&["list"][..], &["show", "1"]] {
        let words = command(&parked(folder, report).expect(0));
        assert!(words.iter().any(|word| word == "--state"), "{words:?}");
        // The expression is quoted for a shell; here its words are put together again.
        let text = words.join(" ").replace("id < 3", "id<3");
        let words: Vec<&str> = text.split(' ').collect();
        let again = Trueup::new(folder)
            .arguments(words)
            .arguments(["--json"])
            .run();
        assert_eq!(again.expect(1).collection("orders")["parked"], 1);
    }
}

#[test]
fn a_link_that_never_ran_has_nothing_to_try_again() {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    for state in [None, Some(())] {
        if state.is_some() {
            support::sqlite(
                &folder.join("other.db"),
                "CREATE TABLE parts (id INTEGER PRIMARY KEY)",
            );
            let other = Trueup::new(folder).sync(["sqlite:shop.db", "sqlite:other.db"]);
            other.arguments(["--quiet"]).run().expect(0);
        }
        let refused = retry(folder, &[]).expect(2);
        let why = "error[config]: the link has not run with this state: nothing of it is parked\n";
        assert!(refused.stderr.contains(why), "{refused}");
    }
}

#[test]
fn parked_records_in_postgres_are_tried_again() {
    let database = support::database();
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    database
        .sql("CREATE TABLE orders (id bigint PRIMARY KEY, total bigint CHECK (total > 0))")
        .unwrap();
    let url = database.url();
    let sides = ["sqlite:shop.db", url.as_str()];
    Trueup::new(folder).sync(sides).run().expect(1);
    database
        .sql("ALTER TABLE orders DROP CONSTRAINT orders_total_check")
        .unwrap();
    let run = Trueup::new(folder)
        .state("parked", ["retry"])
        .arguments(sides);
    let done = run.arguments(["--json", "--quiet"]).run().expect(0);
    assert_eq!(done.collection("orders")["inserted"], 2);
    assert_ne!(done.json()["certificate"], serde_json::Value::Null);
    assert_eq!(
        parked(folder, &["list", "--json"])
            .json()
            .as_array()
            .unwrap()
            .len(),
        0
    );
}

/// Every run tries them; a link in one direction between the same places has none.
#[test]
fn a_link_both_ways_has_nothing_to_retry_by_itself() {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    let sync = Trueup::new(folder).sync(SIDES);
    sync.arguments(["--two-way", "--quiet"]).run().expect(1);
    check("parked-retry-two-way", &retry(folder, &[]));
    let listed = parked(folder, &["list"]).expect(0);
    let end = "\n\neach run of the link tries them again\n";
    assert!(listed.stdout.ends_with(end), "{listed}");
}
