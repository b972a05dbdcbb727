//! What a script says is what is stored, asked of `psql` itself.

use crate::postgres::connect;
use std::process::Command;
use trueup_core::Kind;
use trueup_core::endpoint::{Context, Endpoint, Op};
use trueup_testkit::Owned;
use trueup_testkit::records;
use trueup_testkit::scripts::{extremes_are_said_exactly, say};
use trueup_testkit::servers::postgres::{Database, shared};

fn fresh() -> (Database, Box<dyn Endpoint>) {
    let database = shared(None).unwrap().fresh_database().unwrap();
    let endpoint = connect(&database.url(), Context::empty()).unwrap();
    (database, endpoint)
}

fn run(database: &Database, script: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("script.sql");
    std::fs::write(&file, script).unwrap();
    let output = Command::new("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"])
        .arg(&file)
        .arg(database.url())
        // A program that knows no UTF-8 must not spoil anything.
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_extremes_of_every_type_are_said_exactly() {
    let (database, mut endpoint) = fresh();
    extremes_are_said_exactly(endpoint.as_mut(), |text| run(&database, text), 150);
}

#[test]
fn what_a_column_would_round_or_cannot_hold_is_refused_by_name() {
    let (database, mut endpoint) = fresh();
    database
        .sql("CREATE TABLE t (id int PRIMARY KEY, n numeric, m numeric(5,2), s time(0), t text, i interval(0))")
        .unwrap();
    let shape = endpoint.schema("t").unwrap().unwrap();
    let script = endpoint.script().unwrap();
    let fits = [
        Owned::from(1_i64),
        Owned::decimal("1.5"),
        Owned::decimal("1.25"),
        Owned::Time(1_000_000),
        "x".into(),
        Owned::Null,
    ];
    assert!(say(script.as_ref(), &shape, Op::Insert, &fits).is_ok());
    for (at, value) in [
        (2, Owned::decimal("1.255")),
        (3, Owned::Time(1_500_000)),
        (4, "\0".into()),
        (4, Owned::InvalidText(vec![0xff])),
        (5, "PT1.5S".into()),
        (1, Owned::Unchanged),
    ] {
        let mut record = fits.clone();
        record[at] = value;
        let error = say(script.as_ref(), &shape, Op::Insert, &record).unwrap_err();
        assert_eq!(error.kind(), Kind::Rejected, "{error:?}");
        let field = &shape.fields[at].name;
        assert!(
            error.message().contains(&format!("field={field}")),
            "{error:?}"
        );
        assert!(error.message().contains("collection=t"), "{error:?}");
    }
}

#[test]
fn records_are_found_by_every_byte_of_their_keys_and_identities_are_overridden() {
    let (database, mut endpoint) = fresh();
    database
        .sql(
            "CREATE SCHEMA \"o\"\"d\"; \
             CREATE TABLE \"o\"\"d\".\"T t\" (k text COLLATE \"C\" PRIMARY KEY, n bigint GENERATED ALWAYS AS IDENTITY); \
             CREATE TABLE i (k interval PRIMARY KEY, n int)",
        )
        .unwrap();
    let (odd, spans) = (
        endpoint.schema("o\"d.T t").unwrap().unwrap(),
        endpoint.schema("i").unwrap().unwrap(),
    );
    let script = endpoint.script().unwrap();
    let mut text = script.begin();
    let nasty = "it's \\ \r\n :x $1 \u{1} é";
    for (op, key, number) in [
        (Op::Insert, "a", 7_i64),
        (Op::Insert, nasty, i64::MIN),
        (Op::Insert, "gone", 4),
        (Op::Delete, "gone", 0),
    ] {
        let record = [Owned::from(key), number.into()];
        text.push_str(&say(script.as_ref(), &odd, op, &record).unwrap());
    }
    for (op, key, number) in [
        (Op::Insert, "P1D", 1_i64),
        // Equal to the server, another key to us: not found, so nothing happens.
        (Op::Update, "PT24H", 2),
        (Op::Delete, "PT24H", 0),
        (Op::Update, "P1D", 3),
    ] {
        let record = [Owned::from(key), number.into()];
        text.push_str(&say(script.as_ref(), &spans, op, &record).unwrap());
    }
    text.push_str(&script.end());
    drop(script);
    run(&database, &text);
    let read = records::sorted(records::read(endpoint.as_mut(), "o\"d.T t").unwrap());
    let expected: Vec<Vec<Owned>> = vec![
        vec!["a".into(), 7_i64.into()],
        vec![nasty.into(), i64::MIN.into()],
    ];
    assert_eq!(read, records::sorted(expected));
    let read = records::read(endpoint.as_mut(), "i").unwrap();
    assert_eq!(read, [vec![Owned::from("P1D"), 3_i64.into()]]);
}
