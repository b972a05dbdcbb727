//! What a script says is what is stored, asked of the program itself.

use crate::mysql::connect;
use trueup_core::Kind;
use trueup_core::endpoint::{Context, Endpoint, Op};
use trueup_testkit::Owned;
use trueup_testkit::records;
use trueup_testkit::scripts::{extremes_are_said_exactly, say};
use trueup_testkit::servers::mariadb::{Database, shared};

fn fresh() -> (Database, Box<dyn Endpoint>) {
    let database = shared().unwrap().fresh_database().unwrap();
    let endpoint = connect(&database.url(), Context::empty()).unwrap();
    (database, endpoint)
}

/// Through the program, as the script's first line says.
fn run(database: &Database, script: &str) {
    let printed = database.sql(script).unwrap();
    assert_eq!(printed, "");
}

#[test]
fn the_extremes_of_every_type_are_said_exactly() {
    let (database, mut endpoint) = fresh();
    extremes_are_said_exactly(endpoint.as_mut(), |text| run(&database, text), 140);
}

#[test]
fn what_a_column_would_change_or_cannot_hold_is_refused_by_name() {
    let (database, mut endpoint) = fresh();
    database
        .sql(
            "CREATE TABLE t (id int PRIMARY KEY, m decimal(5,2), s time(0), t text, e enum('a','b'), \
             l set('x','y'), c char(3), b binary(2), y year)",
        )
        .unwrap();
    let shape = endpoint.schema("t").unwrap().unwrap();
    let script = endpoint.script().unwrap();
    let fits = [
        Owned::from(1_i64),
        Owned::decimal("1.25"),
        Owned::Time(1_000_000),
        "x\0".into(),
        "a".into(),
        "x,y".into(),
        "abc".into(),
        Owned::Bytes(vec![0, 1]),
        2024_i64.into(),
    ];
    assert!(say(script.as_ref(), &shape, Op::Insert, &fits).is_ok());
    for (at, value) in [
        (0, Owned::Null),
        (1, Owned::decimal("1.255")),
        (1, Owned::decimal("1000")),
        (1, Owned::decimal("NaN")),
        (2, Owned::Time(1_500_000)),
        (3, Owned::InvalidText(vec![0xff])),
        (4, "A".into()),
        (4, "".into()),
        (5, "y,x".into()),
        (5, "x,x".into()),
        (6, "ab ".into()),
        (6, "abcd".into()),
        (7, Owned::Bytes(vec![0])),
        (8, 70_i64.into()),
        (8, Owned::Unchanged),
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
fn records_are_found_by_every_byte_of_their_keys() {
    let (database, mut endpoint) = fresh();
    database
        .sql(
            "CREATE TABLE `o``d t` (k varchar(40) COLLATE utf8mb4_nopad_bin PRIMARY KEY, n bigint); \
             CREATE TABLE i (k varchar(40) COLLATE utf8mb4_general_ci PRIMARY KEY, n int)",
        )
        .unwrap();
    let (odd, folding) = (
        endpoint.schema("o`d t").unwrap().unwrap(),
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
        (Op::Insert, "a", 1_i64),
        // Equal to the server, another key to us: not found, so nothing happens.
        (Op::Update, "A", 2),
        (Op::Delete, "a ", 0),
        (Op::Delete, "á", 0),
        (Op::Update, "a", 3),
    ] {
        let record = [Owned::from(key), number.into()];
        text.push_str(&say(script.as_ref(), &folding, op, &record).unwrap());
    }
    text.push_str(&script.end());
    drop(script);
    run(&database, &text);
    let read = records::sorted(records::read(endpoint.as_mut(), "o`d t").unwrap());
    let expected: Vec<Vec<Owned>> = vec![
        vec!["a".into(), 7_i64.into()],
        vec![nasty.into(), i64::MIN.into()],
    ];
    assert_eq!(read, records::sorted(expected));
    let read = records::read(endpoint.as_mut(), "i").unwrap();
    assert_eq!(read, [vec![Owned::from("a"), 3_i64.into()]]);
}
