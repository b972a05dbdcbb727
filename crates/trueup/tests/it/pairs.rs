//! Extreme values of every type through every pair of engines and back.
//!
//! A place is filled by its own client with tables of one type each, the values at the borders first and thousands of
//! generated ones behind them. The tool carries them to another engine, where it makes the tables itself, and back
//! into tables like the first ones. Invariant: a value arrives as it was, or its record is parked with a reason. Who says
//! so are the engines' own clients and a reading of values that shares no line with the tool.
//!
//! The generated values differ from run to run; `TRUEUP_SEED` repeats them.

mod judge;
mod mariadb;
mod places;
mod postgres;
mod random;
mod sqlite;
mod text;

use crate::support::{self, Dice, Output, Trueup};
use judge::Kind;
use places::{Engine, Place, Records};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// How many records a place has at least.
const RECORDS_MIN: usize = 10_000;

/// How many values of a table are told that did not arrive as they were.
const WRONG_SHOWN_MAX: usize = 4;

/// Where values go: the tool makes the tables there.
const TARGETS: [Engine; 5] = [
    Engine::Postgres,
    Engine::Mariadb,
    Engine::Sqlite,
    Engine::Csv,
    Engine::Jsonl,
];

/// A table with a key `id`, the number of the record, and one value `v`.
#[derive(Clone, Debug)]
struct Table {
    name: String,
    /// The type of `v` as the engine declares it.
    declared: String,
    kind: Kind,
    /// The values, as they stand in a statement or a file.
    values: Vec<String>,
    /// How many of them stand at a border, and are the same in every run.
    borders: usize,
}

/// The records that were put aside on one way: the table and the number, and why.
type Parked = BTreeMap<(String, usize), String>;

/// Carries everything from one place to another.
fn carry(folder: &Path, tables: &[Table], sides: [&Place; 2], state: &str) -> Parked {
    let [from, to] = sides.map(Place::url);
    let keys = tables
        .iter()
        .map(|table| format!("--key={}=id", table.name));
    let keys: Vec<String> = keys.collect();
    let run = |arguments: &[&str]| -> Output {
        Trueup::new(folder)
            .arguments(arguments)
            .arguments(if arguments[0] == "sync" {
                &keys[..]
            } else {
                &[]
            })
            .arguments(["--state", state, "--quiet", "--json"])
            .run()
    };
    let ran = run(&["sync", &from, &to]);
    assert!(
        matches!(ran.code, Some(0 | 1)),
        "{ran}\n{}",
        disproved(&ran, tables)
    );
    let listed = run(&["parked", "list"]).expect(0).json();
    let listed = listed.as_array().expect("a list is printed").clone();
    assert_eq!(ran.code == Some(1), !listed.is_empty(), "{ran}");
    listed.iter().map(parked).collect()
}

/// The tables whose values all fit, as the lattice says of two places.
fn exact(folder: &Path, tables: &[Table], sides: [&Place; 2]) -> BTreeSet<String> {
    let [from, to] = sides.map(Place::url);
    let keys = tables
        .iter()
        .map(|table| format!("--key={}=id", table.name));
    let checked = Trueup::new(folder)
        .arguments(["check", &from, &to, "--json"])
        .arguments(keys.collect::<Vec<_>>());
    let report = checked.run().json();
    let collections = report["collections"].as_array().expect("a list").iter();
    let exact = |one: &&Value| {
        let mut fields = one["fields"].as_array().expect("a list").iter();
        let v = fields.find(|field| field["source"]["name"] == "v");
        v.is_some_and(|v| v["fit"]["fit"] == "exact")
    };
    let name = |one: &Value| one["source"].as_str().expect("a name").to_owned();
    collections.filter(exact).map(name).collect()
}

/// Makes sure that nothing is parked of what the lattice calls exact.
fn hold_to_its_word(name: &str, exact: &BTreeSet<String>, tables: &[Table], parked: &Parked) {
    let wrong = tables.iter().filter(|table| exact.contains(&table.name));
    let wrong = wrong.filter_map(|table| {
        let one = parked.iter().find(|((name, _), _)| *name == table.name);
        one.map(|(_, reason)| format!("{}: {reason}", table.declared))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(
        wrong.is_empty(),
        "{name} is called exact\n{}",
        wrong.join("\n")
    );
}

/// The tables that verification found to be wrong.
fn disproved(ran: &Output, tables: &[Table]) -> String {
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    let proofs = report["certificate"]["collections"].as_array();
    let proofs = proofs.into_iter().flatten().filter(|one| one["wrong"] != 0);
    let declared = |proof: &Value| {
        let table = tables.iter().find(|table| proof["source"] == *table.name);
        format!(
            "{}: {proof}\n",
            table.map_or("", |table| table.declared.as_str())
        )
    };
    proofs.map(declared).collect()
}

fn parked(record: &Value) -> ((String, usize), String) {
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let key = text("key_text");
    let id = key.strip_prefix("id=").unwrap_or(&key).trim_matches('\'');
    let id = id
        .parse()
        .unwrap_or_else(|_| panic!("parked by its key: {record}"));
    let reason = text("reason");
    assert!(!reason.is_empty(), "a reason: {record}");
    ((text("collection"), id), reason)
}

/// Holds two places against each other, but for records that were put aside; `classes` tells whether each value's class is
/// kept on the way.
fn compare(
    tables: &[Table],
    one: &BTreeMap<String, Records>,
    other: &BTreeMap<String, Records>,
    parked: &Parked,
    classes: bool,
) -> String {
    let mut all = Vec::new();
    for table in tables {
        let mut wrong = Vec::new();
        let (ours, theirs) = (&one[&table.name], &other[&table.name]);
        let put_aside = |id: &usize| parked.contains_key(&(table.name.clone(), *id));
        let aside = ours.keys().filter(|id| put_aside(id)).count();
        if ours.len() != theirs.len() + aside {
            let (ours, theirs) = (ours.len(), theirs.len());
            wrong.push(format!("{ours} records, {theirs} arrived, {aside} parked"));
        }
        for (id, value) in ours.iter().filter(|(id, _)| !put_aside(id)) {
            let arrived = theirs.get(id);
            if !arrived.is_some_and(|arrived| judge::same(table.kind, value, arrived, classes)) {
                wrong.push(format!("id={id}: {value:?} is {arrived:?}"));
            }
        }
        if !wrong.is_empty() {
            let (total, name) = (wrong.len(), &table.declared);
            wrong.truncate(WRONG_SHOWN_MAX);
            all.push(format!("{name}: {total} wrong\n  {}", wrong.join("\n  ")));
        }
    }
    all.join("\n")
}

/// Fills a place of one engine, and carries it to each of the others and back.
fn every_pair_from(source: Engine) {
    let seed = Dice::seed();
    support::attempt(&format!("TRUEUP_SEED={seed}"), || {
        let tables = source.tables(&mut Dice(seed));
        let records: usize = tables.iter().map(|table| table.values.len()).sum();
        assert!(records >= RECORDS_MIN, "{records} records");
        let folder = support::folder();
        let first = Place::new(source, folder.path(), "first");
        first.fill(&tables);
        for target in TARGETS {
            pair(folder.path(), &tables, &first, target);
        }
    });
}

/// Carries everything from one place to one of another engine, and back to one like the first.
fn pair(folder: &Path, tables: &[Table], first: &Place, target: Engine) {
    let name = format!("{:?}-{target:?}", first.engine());
    let there = Place::new(target, folder, &name);
    let exact = exact(folder, tables, [first, &there]);
    let parked = carry(folder, tables, [first, &there], &format!("{name}.there"));
    hold_to_its_word(&name, &exact, tables, &parked);
    report(&name, tables, &parked);
    // SQLite alone knows the class of each value.
    let classes = target == Engine::Sqlite;
    let expected = first.read(tables);
    let found = compare(tables, &expected, &there.read(tables), &parked, classes);
    assert!(found.is_empty(), "{name} there\n{found}");
    let back = Place::new(first.engine(), folder, &format!("{name}-back"));
    back.shape(tables);
    let again = carry(folder, tables, [&there, &back], &format!("{name}.back"));
    // A column without a type may have one that suits some values only, once their classes are lost.
    let typed = |name: &str| {
        tables
            .iter()
            .any(|table| table.name == name && table.kind != Kind::Any)
    };
    let refused: Vec<_> = again.iter().filter(|((name, _), _)| typed(name)).collect();
    assert!(refused.is_empty(), "{name} back: {refused:?}");
    let parked = parked.into_iter().chain(again).collect();
    let found = compare(tables, &expected, &back.read(tables), &parked, classes);
    assert!(found.is_empty(), "{name} and back\n{found}");
}

/// Holds what is parked of the values at the borders against what is on record.
fn report(name: &str, tables: &[Table], parked: &Parked) {
    let mut text = String::new();
    for table in tables {
        let values = table.values.iter().take(table.borders).enumerate();
        for (id, value) in values {
            if let Some(reason) = parked.get(&(table.name.clone(), id)) {
                let shown: String = value.chars().take(60).collect();
                text.push_str(&format!(
                    "{} {}: {reason}\n",
                    table.declared,
                    shown.escape_debug()
                ));
            }
        }
    }
    let path = support::root().join(format!("crates/trueup/tests/it/snapshots/pairs/{name}.txt"));
    if support::variable("TRUEUP_UPDATE_CASES").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == expected,
        "{name}: other values are parked\n--- seen\n{text}"
    );
}

#[test]
fn every_value_of_postgres_arrives_or_is_parked() {
    every_pair_from(Engine::Postgres);
}

#[test]
fn every_value_of_mariadb_arrives_or_is_parked() {
    every_pair_from(Engine::Mariadb);
}

#[test]
fn every_value_of_sqlite_arrives_or_is_parked() {
    every_pair_from(Engine::Sqlite);
}

#[test]
fn every_value_of_strict_sqlite_arrives_or_is_parked() {
    every_pair_from(Engine::Strict);
}

#[test]
fn every_value_of_csv_arrives_or_is_parked() {
    every_pair_from(Engine::Csv);
}

#[test]
fn every_value_of_json_lines_arrives_or_is_parked() {
    every_pair_from(Engine::Jsonl);
}
