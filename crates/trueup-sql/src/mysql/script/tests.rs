//! What a script says is what is stored, asked of the program itself.

use crate::mysql::connect;
use std::process::Command;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Context, Endpoint, Op};
use trueup_core::schema::Schema;
use trueup_core::script::{Script, Statement};
use trueup_core::{Kind, Result};
use trueup_testkit::Owned;
use trueup_testkit::conformance::{HELD, extremes};
use trueup_testkit::records::{self, schema};
use trueup_testkit::servers::mariadb::{Database, shared};

fn say(script: &dyn Script, schema: &Schema, op: Op, record: &[Owned]) -> Result<String> {
    let mut batch = Batch::new(record.len());
    record.iter().for_each(|value| batch.push(value.value()));
    let fields: Vec<usize> = (0..record.len()).collect();
    script.statement(&Statement {
        schema,
        fields: &fields,
        key: &[0],
        op,
        changed: &fields[1..],
        record: batch.record(0),
    })
}

fn fresh() -> (Database, Box<dyn Endpoint>) {
    let database = shared().unwrap().fresh_database().unwrap();
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
    let script = endpoint.script().unwrap();
    let mut text = script.begin();
    let mut expected = Vec::new();
    let mut refused = 0;
    for (number, &ty) in HELD.iter().enumerate() {
        let name = format!("t{number}");
        let wanted = schema(&name).int("id").field("v", ty).key(["id"]).build();
        let Ok(design) = endpoint.design(&wanted) else {
            continue;
        };
        text.push_str(&format!("{};\n", design.statement));
        for (id, value) in (0_i64..).zip(extremes(ty)) {
            // A script says records that have passed the mapping, as a run does.
            let mut cast = Batch::new(1);
            let column = design.schema.fields[1].ty;
            if trueup_core::cast::push(value.value(), column, &mut cast).is_err() {
                refused += 1;
                continue;
            }
            let value = Owned::from(cast.record(0).value(0));
            let record = [Owned::from(id), value.clone()];
            let null = [Owned::from(id), Owned::Null];
            match say(script.as_ref(), &design.schema, Op::Update, &record) {
                Ok(update) => {
                    text.push_str(
                        &say(script.as_ref(), &design.schema, Op::Insert, &null).unwrap(),
                    );
                    text.push_str(&update);
                    expected.push((name.clone(), id, value));
                }
                Err(_) => refused += 1,
            }
        }
    }
    text.push_str(&script.end());
    drop(script);
    run(&database, &text);
    assert!(
        expected.len() > 150,
        "{} said, {refused} refused",
        expected.len()
    );
    for (name, id, value) in expected {
        let read = records::read(endpoint.as_mut(), &name).unwrap();
        let found = read
            .iter()
            .find(|record| record[0] == Owned::from(id))
            .unwrap();
        assert_eq!(
            canonical(&found[1]),
            canonical(&value),
            "{name} {id} {value:?}"
        );
    }
}

fn canonical(value: &Owned) -> Vec<u8> {
    let mut bytes = Vec::new();
    trueup_core::encode::value(value.value(), &mut bytes);
    bytes
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
