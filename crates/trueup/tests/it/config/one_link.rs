//! One link of the file: compared by its name, and its plan in a file.

use super::{both_ways, folder, run};
use crate::cli::check;
use crate::support::{self, Trueup};
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

#[test]
fn a_link_is_compared_by_its_name() {
    let folder = folder();
    let diff = |arguments: &[&str], code: i32| {
        let run = Trueup::new(folder.path()).arguments(["diff", "--quiet"]);
        run.arguments(arguments).run().expect(code)
    };
    run(folder.path(), ["orders"]).expect(0);
    support::sqlite(
        &folder.path().join("stock.db"),
        "UPDATE sales SET total = 8 WHERE id = 2; INSERT INTO sales VALUES (3, 9)",
    );
    let runs = || {
        let history = Trueup::new(folder.path()).history(["--json"]).run();
        history.json().as_array().unwrap().len()
    };
    let before = runs();
    let found = diff(&["orders", "--json"], 1);
    assert_eq!(found.collection("orders")["only_target"], 1);
    assert_eq!(found.collection("orders")["changed"], 1);
    // The mapping of the file is the link's: the changed field has the target's name, the dropped one has no part.
    let options = ["--out", "-", "--show-values"];
    let listed = diff(
        &[["trueup.toml", "orders"], [options[0], options[1]]].concat(),
        1,
    )
    .stdout;
    assert!(
        listed.contains(r#""fields":["total"]"#) && !listed.contains("note"),
        "{listed}"
    );
    let script = diff(&["orders", "--sql", "target"], 1).stdout;
    assert!(script.contains("DELETE FROM \"sales\""), "{script}");
    assert_eq!(runs(), before, "a comparison is no run");
    check("diff-which-link", &diff(&["trueup.toml"], 2));
    check("diff-no-such-link", &diff(&["ordrs"], 2));
    check("diff-link-with-key", &diff(&["orders", "--key", "id"], 2));
    check("diff-broken-link", &diff(&["broken"], 2));
    check("diff-one-place", &diff(&["csv:shop"], 2));
}

#[test]
fn a_two_way_link_is_compared_by_its_name() {
    let folder = both_ways();
    for (name, row) in [("a.db", "(1)"), ("b.db", "(2)")] {
        let text = format!("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES {row}");
        support::sqlite(&folder.path().join(name), &text);
    }
    let diff = || {
        Trueup::new(folder.path())
            .arguments(["diff", "ab", "--json"])
            .run()
    };
    let found = diff().expect(1);
    assert_eq!(found.collection("t")["only_source"], 1);
    assert_eq!(found.collection("t")["only_target"], 1);
    let planned = run(folder.path(), ["ab", "--plan-out", "plan.jsonl"]).expect(2);
    check("run-two-way-plan", &planned);
    run(folder.path(), ["ab"]).expect(0);
    diff().expect(0);
}

#[test]
fn the_plan_of_a_link_is_carried_out_later() {
    let folder = folder();
    let stock = folder.path().join("stock.db");
    let planned = run(folder.path(), ["orders", "--plan-out", "plan.jsonl"]).expect(1);
    check("run-plan-out", &planned);
    assert!(!stock.exists(), "nothing is written but the plan");
    check(
        "run-plan-in",
        &run(folder.path(), ["orders", "--plan-in", "plan.jsonl"]).expect(0),
    );
    run(folder.path(), ["orders", "--dry-run"]).expect(0);
    // It is a run of the link, under its name.
    let status = Trueup::new(folder.path())
        .arguments(["status", "--json"])
        .run();
    assert_eq!(status.expect(0).json()[0]["names"][0], "orders");
    let other = run(folder.path(), ["people", "--plan-in", "plan.jsonl"]).expect(2);
    check("run-plan-of-another", &other);
    let all = run(folder.path(), ["--plan-out", "all.jsonl"]).expect(2);
    check("run-plan-of-all", &all);
}

#[test]
fn a_link_to_standard_output_is_compared_with_what_comes_in() {
    let folder = support::folder();
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'x')";
    support::sqlite(&folder.path().join("x.db"), sql);
    let file = "[endpoint.x]\nurl = \"sqlite:x.db\"\n[endpoint.out]\nurl = \"csv:-\"\n\
        [link.std]\nsource = \"x\"\ntarget = \"out\"\n\
        collections = [{ source = \"t\", target = \"stdin\", key = [\"id\"] }]";
    fs::write(folder.path().join("trueup.toml"), file).unwrap();
    let run = Trueup::new(folder.path()).arguments(["diff", "std", "--quiet"]);
    let mut command = run.command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"id,v\n1,x\n").unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("=1"), "{said}");
}
