//! Which collections a link of a configuration file takes.

use super::run;
use crate::support::{self, Output};
use std::fs;

#[test]
fn all_collections_but_some_are_taken() {
    let folder = support::folder();
    let write = |exclude: &str| {
        let file = format!(
            "[endpoint.a]\nurl = \"sqlite:a.db\"\n[endpoint.b]\nurl = \"sqlite:b.db\"
            [link.ab]\nsource = \"a\"\ntarget = \"b\"\nexclude = {exclude}"
        );
        fs::write(folder.path().join("trueup.toml"), file).unwrap();
    };
    let tables = "CREATE TABLE x (id INTEGER PRIMARY KEY); CREATE TABLE y (id INTEGER PRIMARY KEY)";
    support::sqlite(&folder.path().join("a.db"), tables);
    write("[\"y\"]");
    let output = run(folder.path(), ["--json"]).expect(0);
    let collections = output.json()[0]["collections"].clone();
    assert_eq!(collections.as_array().unwrap().len(), 1, "{output}");
    assert_eq!(collections[0]["name"], "x", "{output}");
    for (exclude, expected) in [
        ("[\"z\"]", "there is no collection z to exclude"),
        ("[\"x\", \"y\"]", "every collection is excluded"),
    ] {
        write(exclude);
        let output = run(folder.path(), []).expect(2);
        assert!(output.stderr.contains(expected), "{output}");
    }
}

/// Patterns choose among what either side of a link has that goes both ways.
#[test]
fn patterns_choose_collections() {
    let folder = support::folder();
    let home = folder.path();
    let write = |direction: &str, collections: &str| {
        let file = format!(
            "[endpoint.a]\nurl = \"sqlite:a.db\"\n[endpoint.b]\nurl = \"sqlite:b.db\"
            [link.ab]\nsource = \"a\"\ntarget = \"b\"\n{direction}\ncollections = {collections}"
        );
        fs::write(home.join("trueup.toml"), file).unwrap();
    };
    let names = |output: &Output| -> Vec<String> {
        let collections = output.json()[0]["collections"].clone();
        let names = collections.as_array().unwrap().iter();
        names
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let table = |name: &str| format!("CREATE TABLE {name} (id INTEGER PRIMARY KEY, v TEXT);");
    let here = ["orders", "orders_1", "tmp_1", "log"].map(table).concat();
    support::sqlite(&home.join("a.db"), &here);
    let there = ["orders_2", "orders_tmp", "tmp_2"].map(table).concat();
    support::sqlite(&home.join("b.db"), &there);
    write("", "[\"orders*\"]");
    let output = run(home, ["--json"]).expect(0);
    assert_eq!(names(&output), ["orders", "orders_1"], "{output}");
    let both = "direction = \"both\"";
    write(both, "[\"orders*\", \"tmp_?\", \"!*_tmp\"]");
    let output = run(home, ["--json"]).expect(0);
    let mut found = names(&output);
    found.sort();
    assert_eq!(
        found,
        ["orders", "orders_1", "orders_2", "tmp_1", "tmp_2"],
        "{output}"
    );
    for (collections, expected) in [
        ("[\"ordre*\"]", "no collection matches the pattern ordre*"),
        (
            "[\"*\", \"!nothing\"]",
            "there is no collection nothing to exclude",
        ),
    ] {
        write(both, collections);
        let output = run(home, []).expect(2);
        assert!(output.stderr.contains(expected), "{output}");
        assert!(output.stderr.contains("\n  hint: "), "{output}");
    }
}
