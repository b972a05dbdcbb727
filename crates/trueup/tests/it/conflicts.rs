//! What people see and decide of two-way links: the terminal of `conflicts`, `status` and `forget`, over a state file
//! that holds one conflict of each sort.
//!
//! The link was last run as `sync sqlite:till.db sqlite:shop.db`, while the state has `shop` first: whatever names a side
//! must have been turned around.

use crate::cli::check;
use crate::support::{self, STATE, Trueup};
use serde_json::json;
use std::fs;
use std::path::Path;
use trueup_core::base::Base;
use trueup_core::batch::Batch;
use trueup_core::conflict::{Conflict, ConflictKind, FieldRuling, Resolution, Ruling};
use trueup_core::policy::Policy;
use trueup_core::side::{Side, Sides};
use trueup_core::value::Value;
use trueup_engine::state::{
    Answer, ConflictId, DecidedConflict, Ends, LinkId, Pending, Store, Token,
};
use trueup_engine::{CollectionReport, Report};

const LINK: &str = "sqlite:till.db <-> sqlite:shop.db";
const ID: &str = "00000000000000ff";

fn sides(source: &str, target: &str) -> Sides<String> {
    Sides::new(source.to_owned(), target.to_owned())
}

/// A customer: number, name, balance.
fn customer(id: i64, name: Value<'_>, balance: Value<'_>) -> Batch {
    let mut batch = Batch::new(3);
    batch.push(Value::Int(id));
    batch.push(name);
    batch.push(balance);
    batch
}

fn ruling(
    kind: ConflictKind,
    fields: &[usize],
    policy: Option<Policy>,
    resolution: Resolution,
) -> Ruling {
    let field = |&field: &usize| FieldRuling {
        field,
        policy,
        resolution,
    };
    Ruling {
        kind,
        fields: fields.iter().map(field).collect(),
        resolution,
    }
}

fn conflict(key: &str, ruling: Ruling, source: Option<&Batch>, target: Option<&Batch>) -> Conflict {
    let records = Sides::new(source, target).map(|batch| batch.map(|batch| batch.record(0)));
    Conflict::new("customers", key.as_bytes(), ruling, records)
}

fn link() -> LinkId {
    LinkId {
        durable: ID.to_owned(),
        name: LINK.to_owned(),
        said: None,
    }
}

/// Writes the state file: conflict 1 is open, 2 is open and has no record at the shop, 3 was decided for the shop.
fn state(folder: &Path) {
    let mut store = Store::open(&folder.join(STATE), "incarnation").unwrap();
    let link = link();
    let run = store.begin(&link, 1_700_000_000_000).unwrap();
    let ends = Ends {
        identity: sides("1", "2"),
        address: sides("sqlite:shop.db", "sqlite:till.db"),
    };
    store.pair(&link, &ends, true).unwrap();
    let names = |balance: &str| ["id", "name", balance].map(str::to_owned).to_vec();
    let fields = Sides::new(names("balance"), names("account"));
    let opened = store.collection(&link, &sides("customers", "clients"), "s", &fields, &[0]);
    let (row, _) = opened.unwrap();
    let manual = Some(Policy::Manual);
    let (shop, till) = (
        customer(5, Value::Text("Ann Shop"), Value::Decimal("10.50")),
        customer(5, Value::Text("Ann\u{1b}[31m Till"), Value::Null),
    );
    let updated = ruling(
        ConflictKind::UpdateUpdate,
        &[1, 2],
        manual,
        Resolution::Open,
    );
    let deleted = ruling(ConflictKind::DeleteUpdate, &[1], None, Resolution::Open);
    let six = customer(6, Value::Text("Bob"), Value::Decimal("0"));
    for open in [
        conflict("5", updated, Some(&shop), Some(&till)),
        conflict("6", deleted, None, Some(&six)),
    ] {
        store
            .open_conflict(&link, run, row.id, &open, None, 1_700_000_000_000)
            .unwrap();
    }
    let (old, new) = (
        customer(7, Value::Text("Cy"), Value::Decimal("1")),
        customer(7, Value::Text("Cyrus"), Value::Decimal("1")),
    );
    let won = Resolution::Side(Side::Source);
    let decided = ruling(ConflictKind::Join, &[1], Some(Policy::Source), won);
    let pending = Pending {
        key: b"7".to_vec(),
        base: Base::Unknown,
        kept: None,
        conflict: Some(DecidedConflict {
            conflict: conflict("7", decided, Some(&old), Some(&new)),
            result: None,
            record: None,
        }),
    };
    let token = Token([1; 16]);
    let intent = store
        .intend(&link, run, row.id, Side::Target, token, vec![pending])
        .unwrap();
    store
        .finalise(&link, row.id, Side::Target, &intent, &|_| true)
        .unwrap();
    let report = Report {
        collections: vec![CollectionReport {
            conflicts: 3,
            open_conflicts: 2,
            ..CollectionReport::default()
        }],
        ..Report::default()
    };
    store
        .finish(run, 1_700_000_001_000, 1, None, Some(&report))
        .unwrap();
}

fn answer(folder: &Path, id: i64) -> Option<Answer> {
    let store = Store::open(&folder.join(STATE), "incarnation").unwrap();
    store.conflict(ConflictId(id)).unwrap().unwrap().answer
}

#[test]
fn conflicts_are_listed_and_shown_as_the_link_was_named() {
    let folder = support::folder();
    let folder = folder.path();
    state(folder);
    let conflicts = |arguments: &[&str]| Trueup::new(folder).state("conflicts", arguments).run();
    check("conflicts-list", &conflicts(&["list"]));
    check(
        "conflicts-list-open-json",
        &conflicts(&["list", "--open", "--json"]),
    );
    check("conflicts-show-open", &conflicts(&["show", "1"]));
    check("conflicts-show-deleted", &conflicts(&["show", "2"]));
    check("conflicts-show-decided", &conflicts(&["show", "3"]));
    check(
        "conflicts-show-unknown",
        &conflicts(&["show", "4", "--json"]),
    );
    let all = conflicts(&["list", "--json"]).expect(0).json();
    assert_eq!(all.as_array().map(Vec::len), Some(3));
    assert_eq!(all[2], conflicts(&["show", "3", "--json"]).expect(0).json());
    assert_eq!(all[0]["source"]["name"], "Ann\u{1b}[31m Till");
    assert_eq!(
        all[0]["target"]["balance"],
        json!(null),
        "the source's names count"
    );
    assert_eq!(all[0]["target"]["account"], "10.50");
    assert_eq!(all[2]["decision"], "target");
}

#[test]
fn a_person_decides_by_side_or_by_record() {
    let folder = support::folder();
    let folder = folder.path();
    state(folder);
    let resolve = |id: &str, take: &str| {
        let arguments = ["resolve", id, "--take", take];
        Trueup::new(folder).state("conflicts", arguments).run()
    };
    check("conflicts-resolve-side", &resolve("1", "source"));
    assert_eq!(answer(folder, 1), Some(Answer::Side(Side::Target)));
    // Later answers replace earlier ones.
    let record = r#"{"id": 5, "account": "12.25", "name": "Ann"}"#;
    fs::write(folder.join("ann.json"), record).unwrap();
    check("conflicts-resolve-record", &resolve("1", "ann.json"));
    let stored = json!({"id": 5, "name": "Ann", "balance": "12.25"});
    assert_eq!(answer(folder, 1), Some(Answer::Record(stored.clone())));
    check(
        "conflicts-list-answered",
        &Trueup::new(folder).state("conflicts", ["list"]).run(),
    );
    let shown = Trueup::new(folder)
        .state("conflicts", ["show", "1", "--json"])
        .run();
    let expected = json!({"id": 5, "name": "Ann", "account": "12.25"});
    assert_eq!(
        shown.expect(0).json()["answer"],
        json!({"take": "record", "record": expected})
    );
    check(
        "status-answered",
        &Trueup::new(folder).state::<&str>("status", []).run(),
    );

    for (name, record) in [
        ("missing", r#"{"id": 5, "name": "canary"}"#),
        (
            "unknown",
            r#"{"id": 5, "name": "canary", "account": null, "balance": "canary"}"#,
        ),
        ("key", r#"{"id": 6, "name": "canary", "account": null}"#),
        ("syntax", "{\"id\": 5,\n \"name\": canary}"),
        (
            "number",
            r#"{"id": 5, "name": "x", "account": 0.30000000000000000001}"#,
        ),
    ] {
        fs::write(folder.join("record.json"), record).unwrap();
        let output = resolve("1", "record.json");
        assert!(!output.to_string().contains("canary"), "{output}");
        check(&format!("conflicts-resolve-{name}"), &output);
    }
    check("conflicts-resolve-no-file", &resolve("1", "absent.json"));
    check("conflicts-resolve-unknown-id", &resolve("9", "source"));
    assert_eq!(
        answer(folder, 1),
        Some(Answer::Record(stored)),
        "what was refused changes nothing"
    );
}

#[test]
fn status_says_what_needs_a_person_and_forget_forgets() {
    let folder = support::folder();
    let folder = folder.path();
    let run =
        |command: &str, arguments: &[&str]| Trueup::new(folder).state(command, arguments).run();
    check("status-no-state", &run("status", &[]));
    state(folder);
    check("status-open", &run("status", &[]));
    check("status-open-json", &run("status", &["--json"]));
    check(
        "forget-unknown",
        &run("forget", &["postgres://u:canary@h/db <-> sqlite:shop.db"]),
    );
    check(
        "forget",
        &run("forget", &["sqlite:shop.db <-> sqlite:till.db"]),
    );
    check("forget-again", &run("forget", &[ID]));
    check("status-forgotten", &run("status", &[]));
    assert_eq!(
        run("conflicts", &["list"]).expect(0).stdout,
        "no conflicts\n"
    );
}

#[test]
fn without_a_state_there_are_no_links_and_no_conflicts() {
    let folder = support::folder();
    let run = |arguments: &[&str]| Trueup::new(folder.path()).arguments(arguments).run();
    assert_eq!(run(&["status"]).expect(0).stdout, "no links yet\n");
    assert_eq!(run(&["status", "--json"]).expect(0).stdout, "[]\n");
    assert_eq!(
        run(&["conflicts", "list"]).expect(0).stdout,
        "no conflicts\n"
    );
    assert_eq!(
        run(&["conflicts", "list", "--open", "--json"])
            .expect(0)
            .stdout,
        "[]\n"
    );
    for arguments in [
        &["conflicts", "show", "1"][..],
        &["conflicts", "resolve", "1", "--take", "source"],
        &["forget", "a <-> b"],
    ] {
        let output = run(arguments).expect(2);
        assert!(output.stdout.is_empty(), "{output}");
    }
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
    assert_eq!(
        left.len(),
        1,
        "only the scratch folder, no state file: {left:?}"
    );
}

#[test]
fn more_conflicts_than_are_read_at_a_time_are_one_array() {
    let folder = support::folder();
    let folder = folder.path();
    state(folder);
    let mut store = Store::open(&folder.join(STATE), "incarnation").unwrap();
    let link = link();
    let run = store.begin(&link, 1_700_000_000_000).unwrap();
    let collection = store.conflict(ConflictId(1)).unwrap().unwrap();
    let names = collection.collection;
    let (row, changed) = store
        .collection(&link, &names, "s", &collection.fields, &[0])
        .unwrap();
    assert!(!changed);
    let many = 600;
    for id in 0..many {
        let record = customer(1_000 + id, Value::Text(&"x".repeat(300)), Value::Null);
        let open = ruling(
            ConflictKind::InsertInsert,
            &[1],
            Some(Policy::Manual),
            Resolution::Open,
        );
        let open = conflict(&format!("more{id}"), open, Some(&record), Some(&record));
        store
            .open_conflict(&link, run, row.id, &open, None, 1_700_000_000_000)
            .unwrap();
    }
    store.finish(run, 1_700_000_001_000, 1, None, None).unwrap();
    drop(store);
    let list = Trueup::new(folder)
        .state("conflicts", ["list", "--json"])
        .run()
        .expect(0)
        .json();
    let ids: Vec<i64> = list
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["id"].as_i64())
        .collect();
    assert_eq!(ids, (1..=many + 3).collect::<Vec<_>>());
}

/// A state of before names were absolute: the pair's addresses are as they were typed, and the user had them the other
/// way round. A run that fails renames nothing, and where the words do not agree no side is guessed.
#[test]
fn a_side_is_taken_only_where_its_order_is_known() {
    let folder = support::folder();
    let folder = folder.path();
    state(folder);
    let old = |sql: &str| {
        let old = "DROP TABLE seam; DROP TABLE following; DROP TABLE construction; ALTER TABLE pair DROP COLUMN turned; ALTER TABLE run DROP COLUMN name; ALTER TABLE run DROP COLUMN said; \
             ALTER TABLE run DROP COLUMN said_in; ALTER TABLE run DROP COLUMN met; PRAGMA user_version = 5";
        support::sqlite(&folder.join(STATE), &format!("{old}; {sql}"));
    };
    let run = |arguments: &[&str]| Trueup::new(folder).state("conflicts", arguments).run();
    old("SELECT 1");
    let known = run(&["show", "1", "--json"]).expect(0).json();
    assert_eq!(known["link"], json!(LINK));
    assert_eq!(known["collection"], json!("clients"));
    // What a run of the version before left that failed between its begin and the pair.
    old("UPDATE link SET name = 'sqlite:/x/till.db <-> sqlite:/x/shop.db'");
    let shown = run(&["show", "1", "--json"]).expect(0).json();
    assert_eq!(shown["link"], json!("sqlite:shop.db <-> sqlite:till.db"));
    assert_eq!(shown["collection"], json!("customers"));
    check(
        "conflicts-resolve-unknown-order",
        &run(&["resolve", "1", "--take", "source"]),
    );
    assert_eq!(answer(folder, 1), None);
}

/// The record that a person takes is the one shown as that side's, whatever runs failed in between.
#[test]
fn a_failed_run_does_not_swap_the_sides_of_an_older_state() {
    for (first, second) in [("b", "a"), ("a", "b")] {
        let folder = support::folder();
        let folder = folder.path();
        for name in ["b", "a"] {
            let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)";
            let sql = format!("{table}; INSERT INTO t VALUES (1, 'of {name}')");
            support::sqlite(&folder.join(format!("{name}.db")), &sql);
        }
        let at = |name: &str| format!("sqlite:{name}.db");
        let sync = |source: &str, target: &str, more: &[&str]| {
            let (source, target) = (at(source), at(target));
            let arguments = [&[source.as_str(), target.as_str(), "--two-way"], more].concat();
            Trueup::new(folder).sync(arguments).run()
        };
        let conflicts =
            |arguments: &[&str]| Trueup::new(folder).state("conflicts", arguments).run();
        let source = || {
            let shown = conflicts(&["show", "1", "--json"]).expect(0).json();
            shown["source"]["name"].clone()
        };
        let mine = json!(format!("of {first}"));
        sync(first, second, &[]).expect(1);
        assert_eq!(source(), mine);
        // As a version wrote it that named links as they were typed.
        let typed = |side: &str| {
            format!(
                "{side}_address = iif({side}_address LIKE '%/a.db', 'sqlite:a.db', 'sqlite:b.db')"
            )
        };
        let (one, other) = (typed("source"), typed("target"));
        let name = format!("{} <-> {}", at(first), at(second));
        support::sqlite(
            &folder.join(STATE),
            &format!(
                "UPDATE pair SET {one}, {other}; UPDATE link SET name = '{name}'; \
                 DROP TABLE seam; DROP TABLE following; DROP TABLE construction; ALTER TABLE pair DROP COLUMN turned; ALTER TABLE run DROP COLUMN name; ALTER TABLE run DROP COLUMN said; \
             ALTER TABLE run DROP COLUMN said_in; ALTER TABLE run DROP COLUMN met; \
                 PRAGMA user_version = 5"
            ),
        );
        assert_eq!(source(), mine);
        sync(first, second, &["--collections", "nosuch"]).expect(2);
        assert_eq!(source(), mine);
        // The other way round it fails as well, and nothing is turned.
        sync(second, first, &["--collections", "nosuch"]).expect(2);
        assert_eq!(source(), mine);
        conflicts(&["resolve", "1", "--take", "source"]).expect(0);
        sync(first, second, &[]).expect(0);
        let taken = rusqlite::Connection::open(folder.join(format!("{second}.db"))).unwrap();
        let name: String = taken
            .query_row("SELECT name FROM t", [], |row| row.get(0))
            .unwrap();
        assert_eq!(json!(name), mine);
    }
}

/// In a folder with a configuration of another state, a hint leads to the state that it is about.
#[test]
fn a_hint_names_the_state_unless_the_bare_command_opens_it() {
    let folder = support::folder();
    let folder = folder.path();
    for (file, name) in [("a.db", "one"), ("b.db", "two")] {
        let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)";
        let sql = format!("{table}; INSERT INTO t VALUES (1, '{name}')");
        support::sqlite(&folder.join(file), &sql);
    }
    let home = folder.join("home");
    let run = |arguments: &[&str]| {
        Trueup::new(folder)
            .arguments(arguments)
            .env("XDG_STATE_HOME", &home)
            .run()
    };
    let sync = ["sync", "sqlite:a.db", "sqlite:b.db", "--two-way"];
    let usual = home.join("trueup/state.db");
    let usual = format!(
        "trueup conflicts list --open --state {} shows",
        usual.display()
    );
    let bare = run(&sync).expect(1);
    assert!(
        bare.stdout.contains("trueup conflicts list --open shows"),
        "{}",
        bare.stdout
    );
    fs::write(folder.join("trueup.toml"), "state = \"other.db\"\n").unwrap();
    let beside = run(&sync).expect(1);
    assert!(beside.stdout.contains(&usual), "{}", beside.stdout);
    let named = run(&[&sync[..], &["--state", "other.db"]].concat()).expect(1);
    assert!(
        named.stdout.contains("trueup conflicts list --open shows"),
        "{}",
        named.stdout
    );
    let resolved = run(&["conflicts", "resolve", "1", "--take", "source"]).expect(0);
    assert!(resolved.stderr.contains("other.db"), "{}", resolved.stderr);
    // A file that does not read is gone around.
    fs::write(folder.join("trueup.toml"), "state = ").unwrap();
    for command in ["status", "history"] {
        let broken = run(&[command]).expect(2);
        assert!(
            broken
                .stderr
                .contains("--state FILE goes around trueup.toml"),
            "{}",
            broken.stderr
        );
        run(&[command, "--state", "other.db"]);
    }
}
