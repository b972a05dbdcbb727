//! The conformance suite, and the traps that SQLite alone has.

mod conditional;
mod mark;
mod rights;
mod structure;
mod torn;

use super::*;
use rusqlite::Connection;
use std::path::PathBuf;
use trueup_core::Kind;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Mark, Op, Order, Outcome, ScanRequest, Writes};
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_testkit::Owned;
use trueup_testkit::conformance::{Fixture, run};

struct InFile {
    folder: tempfile::TempDir,
    number: u32,
}

impl InFile {
    fn path(&self) -> PathBuf {
        self.folder.path().join(format!("{}.db", self.number))
    }
}

impl Fixture for InFile {
    fn name(&self) -> &str {
        "sqlite"
    }

    fn reset(&mut self) {
        self.number += 1;
        // With a rollback journal an open snapshot makes a writer wait; with a write-ahead log it does not.
        let raw = Connection::open(self.path()).unwrap();
        raw.pragma_update(None, "journal_mode", "wal").unwrap();
    }

    fn open(&mut self) -> Box<dyn Endpoint> {
        connect(
            &format!("sqlite:{}", self.path().display()),
            Context::empty(),
        )
        .unwrap()
    }

    fn holds(&self, ty: Type) -> bool {
        // Declared back as a wider type: every integer is 64 bits wide in a file, a text has no limit.
        !matches!(
            ty,
            Type::Int {
                bits: 8 | 16 | 24 | 32,
                ..
            } | Type::Int { signed: false, .. }
                | Type::Float { bits: 32 }
                | Type::Text { chars_max: Some(_) }
                | Type::Bytes { bytes_max: Some(_) }
        )
    }

    fn refuses(&self, _ty: Type, value: &Owned) -> bool {
        matches!(value, Owned::Float(v) if v.is_nan())
    }

    fn skips(&self) -> &[(&str, &str)] {
        &[(
            "values beyond the type are rejected",
            "declared sizes mean nothing to SQLite; the mapping keeps them",
        )]
    }
}

#[test]
fn conforms() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(&mut InFile { folder, number: 0 });
    assert_eq!(report.skipped_but_hashes().len(), 1, "{report}");
}

/// A file with the given schema, its endpoint, and a second connection to look with.
fn file(sql: &str) -> (tempfile::TempDir, Box<dyn Endpoint>, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch(sql).unwrap();
    let endpoint = connect(&path.display().to_string(), Context::empty()).unwrap();
    (folder, endpoint, raw)
}

fn claim() -> Claim {
    Claim {
        link: "link".into(),
        incarnation: "one".into(),
    }
}

/// Writes one record of all fields, key first, to table t.
fn write(endpoint: &mut dyn Endpoint, op: Op, values: &[Value<'_>]) -> Outcome {
    let schema = endpoint.schema("t").unwrap().unwrap();
    let mut records = Batch::new(values.len());
    for &value in values {
        records.push(value);
    }
    let fields: Vec<usize> = (0..values.len()).collect();
    let mark = Mark {
        partition: "t".into(),
        batch: 1,
        position: Vec::new(),
    };
    let writes = Writes {
        schema: &schema,
        fields: &fields,
        key: &[0],
        ops: &[op],
        records: &records,
        mark: &mark,
        load: false,
        check: None,
        bag: None,
    };
    endpoint
        .writer(&claim())
        .unwrap()
        .apply(&writes)
        .unwrap()
        .outcomes
        .remove(0)
}

fn read(endpoint: &mut dyn Endpoint, wanted: Type) -> (bool, Vec<Vec<Owned>>) {
    let schema = endpoint.schema("t").unwrap().unwrap();
    let fields: Vec<usize> = (0..schema.fields.len()).collect();
    let request = ScanRequest {
        schema: &schema,
        fields: &fields,
        wanted: &vec![wanted; fields.len()],
        order: Order::Key(&[0]),
        after: None,
        sieve: &[],
        batch_records_max: 2,
        batch_bytes_max: 1 << 20,
    };
    let mut snapshot = endpoint.snapshot().unwrap();
    let ordered = snapshot.ordered(&request).unwrap();
    let mut scan = snapshot.scan(&request).unwrap();
    let (mut records, mut batch) = (Vec::new(), Batch::new(0));
    loop {
        batch.reset(fields.len());
        if !scan.next(&mut batch).unwrap() {
            return (ordered, records);
        }
        for record in batch.records() {
            records.push(record.values().map(Owned::from).collect());
        }
    }
}

#[test]
fn trap_45_any_value_in_any_column_is_read_as_it_is() {
    let (_folder, mut endpoint, _) = file(
        "CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER);
         INSERT INTO t VALUES (1, 'text'), (2, 1e400), (3, x'00ff'), (4, 9223372036854775807);",
    );
    let (ordered, records) = read(endpoint.as_mut(), Type::Any);
    assert!(ordered);
    let values: Vec<Owned> = records
        .into_iter()
        .map(|mut record| record.remove(1))
        .collect();
    let expected = [
        Owned::from(Value::Text("text")),
        Owned::from(Value::Float(f64::INFINITY)),
        Owned::from(Value::Bytes(&[0, 255])),
        Owned::from(Value::Int(i64::MAX)),
    ];
    assert_eq!(values, expected);
}

#[test]
fn trap_45_a_text_that_the_column_would_turn_into_another_number_is_refused() {
    for (declared, value, kept) in [
        ("NUMERIC", Value::Text("007"), false),
        ("NUMERIC", Value::Text("7"), true),
        ("NUMERIC", Value::Text("1.50"), false),
        ("NUMERIC", Value::Text("seven"), true),
        ("NUMERIC", Value::Decimal("1.50"), true),
        ("NUMERIC", Value::Decimal("0.1234567890123456789"), false),
        ("TEXT", Value::Text("007"), true),
        (
            "DECIMAL_TEXT(30,19)",
            Value::Decimal("0.1234567890123456789"),
            true,
        ),
        ("REAL", Value::Float(f64::NAN), false),
        ("REAL", Value::Float(f64::NEG_INFINITY), true),
    ] {
        let sql = format!("CREATE TABLE t (k INTEGER PRIMARY KEY, v {declared})");
        let (_folder, mut endpoint, _) = file(&sql);
        let outcome = write(endpoint.as_mut(), Op::Insert, &[Value::Int(1), value]);
        assert_eq!(
            outcome == Outcome::Applied(None),
            kept,
            "{declared} {}: {outcome:?}",
            value.class()
        );
    }
}

#[test]
fn trap_45_what_sqlite_takes_for_a_number_is_known_and_a_date_is_none() {
    let database = Connection::open_in_memory().unwrap();
    database.execute_batch("CREATE TABLE t (a DATE)").unwrap();
    let dates = [
        "2024-03-01",
        "12:30:00",
        "1e",
        "e5",
        "12e3-4",
        "1-2",
        "-",
        "",
        ".",
    ];
    let numbers = [
        "1", "-1", "+1", " 1 ", "\t1\x0b", "1.", ".5", "1e5", "1E+5", "-1.5e-3", "007", "9e999",
    ];
    for text in dates.into_iter().chain(numbers) {
        database.execute("DELETE FROM t", []).unwrap();
        database
            .execute("INSERT INTO t VALUES (?1)", [text])
            .unwrap();
        let stored: String = database
            .query_row("SELECT typeof(a) FROM t", [], |row| row.get(0))
            .unwrap();
        let taken = bind::looks_numeric(text);
        assert!(stored == "text" || taken, "{text:?} becomes {stored}");
        assert!(!(taken && dates.contains(&text)), "{text:?} is no number");
    }
}

#[test]
fn trap_46_a_created_key_allows_no_null() {
    let mut wanted = Schema {
        collection: "t".into(),
        ..Default::default()
    };
    wanted
        .fields
        .push(trueup_core::schema::Field::new("k", Type::TEXT, "x:text"));
    wanted.key = vec![0];
    let design = design::design(&wanted).unwrap();
    assert!(
        design.statement.contains("\"k\" TEXT NOT NULL"),
        "{}",
        design.statement
    );
}

#[test]
fn trap_48_a_second_unique_key_refuses_and_removes_nothing() {
    let (_folder, mut endpoint, raw) = file(
        "CREATE TABLE t (k INTEGER PRIMARY KEY, mail TEXT UNIQUE);
         INSERT INTO t VALUES (1, 'a@x'), (2, 'b@x');",
    );
    for op in [Op::Insert, Op::Update] {
        let outcome = write(endpoint.as_mut(), op, &[Value::Int(3), Value::Text("a@x")]);
        assert!(
            matches!(outcome, Outcome::Rejected { blocked: true, .. }),
            "{outcome:?}"
        );
    }
    let count: i64 = raw
        .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 2);
}

#[test]
fn trap_49_a_nocase_key_merges_no_two_records() {
    let (_folder, mut endpoint, raw) = file(
        "CREATE TABLE t (k TEXT COLLATE NOCASE PRIMARY KEY, v TEXT); INSERT INTO t VALUES ('a', 'first');",
    );
    let outcome = write(
        endpoint.as_mut(),
        Op::Insert,
        &[Value::Text("A"), Value::Text("second")],
    );
    assert!(
        matches!(outcome, Outcome::Rejected { blocked: true, .. }),
        "{outcome:?}"
    );
    write(
        endpoint.as_mut(),
        Op::Delete,
        &[Value::Text("A"), Value::Null],
    );
    let v: String = raw
        .query_row("SELECT v FROM t", [], |row| row.get(0))
        .unwrap();
    assert_eq!(v, "first");
}

#[test]
fn trap_49_text_with_zero_bytes_and_invalid_utf8_is_read_whole() {
    let (_folder, mut endpoint, _) = file(
        "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT);
         INSERT INTO t VALUES (1, CAST(x'610062' AS TEXT)), (2, CAST(x'ff61' AS TEXT));",
    );
    let (_, records) = read(endpoint.as_mut(), Type::Any);
    assert_eq!(records[0][1], Owned::from(Value::Text("a\0b")));
    assert_eq!(
        records[1][1],
        Owned::from(Value::InvalidText(&[0xff, b'a']))
    );
}

#[test]
fn trap_50_foreign_keys_hold_for_our_writes_too() {
    let (_folder, mut endpoint, _) = file(
        "CREATE TABLE p (k INTEGER PRIMARY KEY);
         CREATE TABLE t (k INTEGER PRIMARY KEY, parent INTEGER REFERENCES p);",
    );
    let outcome = write(
        endpoint.as_mut(),
        Op::Insert,
        &[Value::Int(1), Value::Int(9)],
    );
    assert!(
        matches!(outcome, Outcome::Rejected { blocked: true, .. }),
        "{outcome:?}"
    );
}

#[test]
fn a_key_of_mixed_classes_is_not_called_ordered() {
    let (_folder, mut endpoint, _) = file(
        "CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT); INSERT INTO t VALUES ('b', ''), ('a', '');",
    );
    assert!(read(endpoint.as_mut(), Type::TEXT).0);
    let (_folder, mut endpoint, _) = file(
        "CREATE TABLE t (k BLOB PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, ''), (1.5, ''), ('a', '');",
    );
    assert!(!read(endpoint.as_mut(), Type::Any).0);
}

#[test]
fn generated_columns_triggers_and_references_are_reported() {
    let (_folder, mut endpoint, _) = file(
        "CREATE TABLE p (k INTEGER PRIMARY KEY);
         CREATE TABLE t (k INTEGER PRIMARY KEY, a INT, b INT GENERATED ALWAYS AS (a + 1),
                         p INT REFERENCES p (k) ON DELETE CASCADE);
         CREATE TRIGGER loud AFTER INSERT ON t BEGIN SELECT 1; END;
         CREATE VIEW v AS SELECT 1;",
    );
    assert_eq!(endpoint.collections().unwrap(), ["p", "t"]);
    let schema = endpoint.schema("t").unwrap().unwrap();
    assert!(schema.fields[2].generated);
    assert_eq!(schema.references[0].collection, "p");
    assert!(schema.references[0].cascades);
    assert!(schema.cascades.is_empty());
    assert_eq!(endpoint.schema("p").unwrap().unwrap().cascades, ["t"]);
    assert!(schema.notes[0].contains("loud"), "{:?}", schema.notes);
}

#[test]
fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.db");
    std::fs::write(
        &text,
        "this is not a database, and it is long enough to have a header",
    )
    .unwrap();
    let open =
        |path: &std::path::Path| connect(&path.display().to_string(), Context::empty()).unwrap();
    let error = open(&text).collections().unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    let error = open(&folder.path().join("missing.db"))
        .snapshot()
        .map(drop)
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    let error = open(&folder.path().join("no/such/folder.db"))
        .writer(&claim())
        .map(drop)
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Auth);
    assert!(connect("sqlite:", Context::empty()).is_err());
}

/// Hands values round: record `n` takes the value of the next one, the last that of the first.
fn rotate(endpoint: &mut dyn Endpoint, count: i64, more: &[(i64, i64)]) -> Vec<Outcome> {
    let schema = endpoint.schema("t").unwrap().unwrap();
    let mut records = Batch::new(2);
    let pairs = (0..count).map(|n| (n, (n + 1) % count));
    for (id, v) in pairs.chain(more.iter().copied()) {
        records.push(Value::Int(id));
        records.push(Value::Int(v));
    }
    let mark = Mark {
        partition: "t".into(),
        batch: 1,
        position: Vec::new(),
    };
    let writes = Writes {
        schema: &schema,
        fields: &[0, 1],
        key: &[0],
        ops: &vec![Op::Update; records.len()],
        records: &records,
        mark: &mark,
        load: false,
        check: None,
        bag: None,
    };
    endpoint
        .writer(&claim())
        .unwrap()
        .apply(&writes)
        .unwrap()
        .outcomes
}

const ROTATED: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER UNIQUE);
                       INSERT INTO t VALUES (0, 0), (1, 1), (2, 2), (7, 7);";

fn state(raw: &Connection) -> String {
    let sql = "SELECT group_concat(id || '=' || v, ' ') FROM (SELECT * FROM t ORDER BY id)";
    raw.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn all_blocked(outcomes: &[Outcome]) -> bool {
    let blocked = |outcome: &Outcome| matches!(outcome, Outcome::Rejected { blocked: true, .. });
    outcomes.iter().all(blocked)
}

#[test]
fn trap_54_values_are_swapped_and_rotated() {
    for (count, expected) in [(2, "0=1 1=0 2=2 7=7"), (3, "0=1 1=2 2=0 7=7")] {
        let (_folder, mut endpoint, raw) = file(ROTATED);
        for _ in 0..2 {
            let outcomes = rotate(endpoint.as_mut(), count, &[]);
            let applied = |outcome: &Outcome| *outcome == Outcome::Applied(None);
            assert!(outcomes.iter().all(applied), "{outcomes:?}");
            assert_eq!(state(&raw), expected);
        }
    }
}

#[test]
fn trap_54_what_is_blocked_for_good_does_not_stop_a_swap() {
    let (_folder, mut endpoint, raw) = file(ROTATED);
    let outcomes = rotate(endpoint.as_mut(), 2, &[(2, 7), (9, 7)]);
    assert_eq!(
        outcomes[..2],
        [Outcome::Applied(None), Outcome::Applied(None)]
    );
    assert!(all_blocked(&outcomes[2..]), "{outcomes:?}");
    assert_eq!(state(&raw), "0=1 1=0 2=2 7=7");
}

#[test]
fn trap_54_a_swap_is_refused_where_a_removal_would_show() {
    for more in [
        "CREATE TRIGGER f AFTER DELETE ON t BEGIN SELECT 1; END",
        "CREATE TABLE u (t INTEGER REFERENCES T ON DELETE CASCADE); INSERT INTO u VALUES (0)",
        "CREATE TABLE u (t INTEGER REFERENCES t ON DELETE SET NULL); INSERT INTO u VALUES (0)",
        "CREATE TABLE u (t INTEGER REFERENCES t); INSERT INTO u VALUES (0)",
        "ALTER TABLE t ADD own TEXT DEFAULT 'kept'",
    ] {
        let (_folder, mut endpoint, raw) = file(&format!("{ROTATED} {more}"));
        let outcomes = rotate(endpoint.as_mut(), 2, &[]);
        assert!(all_blocked(&outcomes), "{more}: {outcomes:?}");
        assert_eq!(state(&raw), "0=0 1=1 2=2 7=7", "{more}");
    }
}

#[test]
fn trap_48_a_table_that_says_replace_is_not_obeyed() {
    let (_folder, mut endpoint, raw) = file(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER UNIQUE ON CONFLICT REPLACE);
         INSERT INTO t VALUES (0, 0), (1, 1), (7, 7);",
    );
    let outcomes = rotate(endpoint.as_mut(), 1, &[(1, 7), (2, 7)]);
    assert_eq!(outcomes[0], Outcome::Applied(None));
    assert!(all_blocked(&outcomes[1..]), "{outcomes:?}");
    assert_eq!(state(&raw), "0=0 1=1 7=7");
}
