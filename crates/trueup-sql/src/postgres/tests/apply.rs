//! Writing: outcomes, atomicity, epochs. Numbers are those of the trap list in the docs.

use super::*;
use trueup_core::Kind;
use trueup_core::batch::Record;
use trueup_core::error::Error;
use trueup_core::failpoint::Failpoints;

type Records<'a> = Vec<(Op, Vec<Value<'a>>)>;

fn int(v: i64) -> Value<'static> {
    Value::Int(v)
}

fn text(v: &str) -> Value<'_> {
    Value::Text(v)
}

#[test]
fn inserts_replaces_and_deletes_in_one_batch() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'old'), (2, 'gone')",
    );
    let records = vec![
        (Op::Update, vec![int(1), text("new")]),
        (Op::Delete, vec![int(2), Value::Null]),
        (Op::Insert, vec![int(3), Value::Null]),
    ];
    let given = Given::new("t", &["id", "name"]);
    for _ in 0..2 {
        assert_eq!(given.outcomes(endpoint.as_mut(), &records), [APPLIED; 3]);
        assert_eq!(
            database.sql("SELECT * FROM t ORDER BY id").unwrap(),
            "1|new\n3|"
        );
    }
    let marker = database
        .sql("SELECT link, partition, batch, epoch, position FROM trueup.marker")
        .unwrap();
    assert_eq!(marker, "a to b|t|1|2|\\x07");
}

#[test]
fn extreme_values_come_back_as_they_were() {
    let definition = "id int8 PRIMARY KEY, b bool, i2 int2, i4 int4, f4 real, f8 float8, n numeric, t text, c char(5), \
        q \"char\", y bytea, d date, h time, ts timestamp, tz timestamptz, u uuid, j json, jb jsonb, o oid, \
        m mood, a int[], iv interval, mo money, x inet, dm small";
    let (_database, mut endpoint) = fresh(&format!(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN small AS numeric(4,1) CHECK (value < 500); \
         CREATE TABLE t ({definition}); CREATE TABLE u (LIKE t INCLUDING ALL); \
         INSERT INTO t (id) VALUES (0); \
         INSERT INTO t VALUES (-9223372036854775808, false, -32768, -2147483648, '-Infinity', 'NaN', 'NaN', '', 'a', \
           '', '', '-infinity', '00:00', '-infinity', '-infinity', '00000000-0000-0000-0000-000000000000', '1', \
           'null', 0, 'sad', '{{}}', '-1 mon 1 day -00:00:01', '-1', '::1/64', -499.9); \
         INSERT INTO t VALUES (9223372036854775807, true, 32767, 2147483647, 1e-45, 5e-324, \
           repeat('9', 131072)::numeric + ('0.' || repeat('9', 1000))::numeric, repeat('é', 100000), 'äbcde', 'z', \
           '\\x00ff', '5874897-12-31', '24:00', '294246-12-31 23:59:59.999999', '4713-12-31 BC', \
           'ffffffff-ffff-ffff-ffff-ffffffffffff', '{{\"a\": 1.0, \"a\":2}}', '{{\"a\": 1e400}}', 4294967295, 'ok', \
           '[0:1]={{1,NULL}}', '178000000 years', 92233720368547758.07, '1.2.3.4', 499.9); \
         INSERT INTO t (id, n, f8, ts, d) VALUES (1, 0.000, '-0', '0001-01-01 BC', '4713-01-01 BC'), \
           (2, 'Infinity', 1e308, 'infinity', 'infinity'), (3, 1e-1000, 0.1, now()::timestamp, now()::date)"
    ));
    let (read, _) = scan(endpoint.as_mut(), "t");
    let shape = schema(endpoint.as_mut(), "t");
    let names = shape
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect::<Vec<_>>();
    let records = read
        .records()
        .map(|record| (Op::Insert, record.values().collect()))
        .collect::<Records<'_>>();
    for load in [false, true] {
        let given = Given {
            load,
            ..Given::new("u", &names)
        };
        assert_eq!(
            given.outcomes(endpoint.as_mut(), &records),
            vec![APPLIED; records.len()]
        );
        let (written, _) = scan(endpoint.as_mut(), "u");
        assert_eq!(shown(&written), shown(&read));
    }
}

#[test]
fn an_old_epoch_is_refused_and_writes_nothing() {
    let (database, mut endpoint) = fresh("CREATE TABLE t (id int PRIMARY KEY)");
    let mut old = endpoint.writer(&claim()).unwrap();
    let mut new = endpoint.writer(&claim()).unwrap();
    assert_eq!((old.epoch(), new.epoch()), (1, 2));
    let records = vec![(Op::Insert, vec![int(1)])];
    let given = Given::new("t", &["id"]);
    let error = given
        .apply(endpoint.as_mut(), old.as_mut(), &records)
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Stale);
    assert_eq!(database.sql("SELECT count(*) FROM t").unwrap(), "0");
    given
        .apply(endpoint.as_mut(), new.as_mut(), &records)
        .unwrap();
    let marker = new.marker("t").unwrap().unwrap();
    assert_eq!(
        (
            marker.batch,
            marker.epoch,
            marker.position,
            marker.incarnation.as_str()
        ),
        (1, 2, vec![7], "one")
    );
    assert!(new.marker("other").unwrap().is_none());
}

/// An endpoint where `point` fails.
fn failing(database: &Database, point: &'static str) -> Box<dyn Endpoint> {
    let failpoints = Failpoints::new(move |name| {
        if name == point {
            Err(Error::new(Kind::Interrupted, "asked to"))
        } else {
            Ok(())
        }
    });
    connect(
        &database.url(),
        Context {
            failpoints,
            ..Context::empty()
        },
    )
    .unwrap()
}

#[test]
fn a_marker_alone_stands_or_falls() {
    for (point, kind, count) in [
        ("postgres.before_write", Kind::Interrupted, "0"),
        ("postgres.before_commit", Kind::Interrupted, "0"),
        ("postgres.after_commit", Kind::Unavailable, "1"),
    ] {
        let (database, _) = fresh("");
        let mut endpoint = failing(&database, point);
        let mut writer = endpoint.writer(&claim()).unwrap();
        assert_eq!(writer.mark(&seal()).unwrap_err().kind(), kind, "{point}");
        // Nobody goes on with a writer whose answer was lost; after any other error it is whole.
        let usable = writer.marker("").is_ok();
        assert_eq!(usable, kind != Kind::Unavailable, "{point}");
        let sql = "SELECT count(*) FROM trueup.marker WHERE partition = ''";
        assert_eq!(database.sql(sql).unwrap(), count, "{point}");
    }
}

#[test]
fn marker_and_records_stand_or_fall_together() {
    for (point, kind, count) in [
        ("postgres.before_write", Kind::Interrupted, "0|0"),
        ("postgres.before_commit", Kind::Interrupted, "0|0"),
        ("postgres.after_commit", Kind::Unavailable, "1|1"),
    ] {
        let (database, _) = fresh("CREATE TABLE t (id int PRIMARY KEY)");
        let mut endpoint = failing(&database, point);
        let mut writer = endpoint.writer(&claim()).unwrap();
        let records = vec![(Op::Insert, vec![int(1)])];
        let error = Given::new("t", &["id"])
            .apply(endpoint.as_mut(), writer.as_mut(), &records)
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{point}");
        let sql = "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM trueup.marker)";
        assert_eq!(database.sql(sql).unwrap(), count, "{point}");
    }
}

#[test]
fn trap_65_one_bad_record_does_not_take_its_neighbours() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, n int CONSTRAINT small CHECK (n < 100), j jsonb); \
         CREATE TABLE child (id int PRIMARY KEY, t int CONSTRAINT parent REFERENCES t)",
    );
    for load in [false, true] {
        let mut records: Records<'_> = (0..50)
            .map(|n| (Op::Insert, vec![int(n), int(n), Value::Null]))
            .collect();
        records[17].1[1] = int(4711);
        records[40].1[2] = Value::Json("{\"secret-value\": ");
        records[41].1[1] = int(1 << 40);
        let outcomes = Given {
            load,
            ..Given::new("t", &["id", "n", "j"])
        }
        .outcomes(endpoint.as_mut(), &records);
        assert_eq!(
            outcomes
                .iter()
                .filter(|outcome| *outcome == APPLIED)
                .count(),
            47
        );
        assert!(
            outcomes[17].contains("constraint=small") && outcomes[17].contains("blocked: false"),
            "{}",
            outcomes[17]
        );
        assert!(outcomes[40].contains("sqlstate=22"), "{}", outcomes[40]);
        assert!(outcomes[41].contains("field=n"), "{}", outcomes[41]);
        assert!(!outcomes.concat().contains("secret-value") && !outcomes.concat().contains("4711"));
        assert_eq!(database.sql("SELECT count(*) FROM t").unwrap(), "47");
    }
    let children = vec![
        (Op::Insert, vec![int(1), int(1)]),
        (Op::Insert, vec![int(2), int(99)]),
    ];
    let outcomes = Given::new("child", &["id", "t"]).outcomes(endpoint.as_mut(), &children);
    assert_eq!(outcomes[0], APPLIED);
    assert!(outcomes[1].contains("constraint=parent") && outcomes[1].contains("blocked: true"));
}

#[test]
fn trap_37_a_second_unique_key_never_rewrites_another_record() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, mail text UNIQUE); INSERT INTO t VALUES (1, 'a')",
    );
    let outcomes = Given::new("t", &["id", "mail"])
        .outcomes(endpoint.as_mut(), &[(Op::Insert, vec![int(2), text("a")])]);
    assert!(
        outcomes[0].contains("t_mail_key") && outcomes[0].contains("blocked: true"),
        "{}",
        outcomes[0]
    );
    assert_eq!(database.sql("SELECT * FROM t").unwrap(), "1|a");
}

#[test]
fn trap_54_unique_values_are_handed_over_within_a_batch() {
    let names = (0..40).map(|n| format!("v{n}")).collect::<Vec<_>>();
    for reversed in [false, true] {
        let (database, mut endpoint) = fresh(
            "CREATE TABLE t (id int PRIMARY KEY, v text UNIQUE); \
             INSERT INTO t SELECT g, 'v' || g FROM generate_series(0, 38) g",
        );
        // Each record takes the value that the next one holds.
        let mut records: Records<'_> = (0..39)
            .map(|n| (Op::Update, vec![int(n as i64), text(&names[n + 1])]))
            .collect();
        if reversed {
            records.reverse();
        }
        let outcomes = Given::new("t", &["id", "v"]).outcomes(endpoint.as_mut(), &records);
        assert_eq!(outcomes, [APPLIED; 39]);
        assert_eq!(
            database
                .sql("SELECT count(*) FROM t WHERE v = 'v' || (id + 1)")
                .unwrap(),
            "39"
        );
    }
}

#[test]
fn trap_5_deferrable_keys_can_be_swapped() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, rank int UNIQUE DEFERRABLE); INSERT INTO t VALUES (1, 1), (2, 2); \
         CREATE TABLE d (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, n int)",
    );
    let swap = vec![
        (Op::Update, vec![int(1), int(2)]),
        (Op::Update, vec![int(2), int(1)]),
    ];
    let outcomes = Given::new("t", &["id", "rank"]).outcomes(endpoint.as_mut(), &swap);
    assert_eq!(outcomes, [APPLIED; 2]);
    assert_eq!(
        database.sql("SELECT * FROM t ORDER BY id").unwrap(),
        "1|2\n2|1"
    );
    // A deferrable key cannot carry an upsert.
    for _ in 0..2 {
        assert_eq!(
            Given::new("d", &["id", "n"]).outcomes(endpoint.as_mut(), &swap),
            [APPLIED; 2]
        );
    }
    assert_eq!(
        database.sql("SELECT * FROM d ORDER BY id").unwrap(),
        "1|2\n2|1"
    );
}

#[test]
fn trap_7_a_trigger_that_drops_a_write_is_found_out() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, n int); \
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS \
           'BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF; IF NEW.id = 3 THEN RAISE ''no: %'', NEW.n; END IF; RETURN NEW; END'; \
         CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    );
    for load in [false, true] {
        let records: Records<'_> = (1..5)
            .map(|n| (Op::Insert, vec![int(n), int(n * 1000)]))
            .collect();
        let outcomes = Given {
            load,
            ..Given::new("t", &["id", "n"])
        }
        .outcomes(endpoint.as_mut(), &records);
        assert!(outcomes[1].contains("suppressed"), "{}", outcomes[1]);
        assert!(
            outcomes[2].contains("sqlstate=P0001") && !outcomes[2].contains("3000"),
            "{}",
            outcomes[2]
        );
        assert_eq!(
            database
                .sql("SELECT string_agg(id::text, ',' ORDER BY id) FROM t")
                .unwrap(),
            "1,4"
        );
    }
}

#[test]
fn trap_10_generated_and_identity_fields() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED)",
    );
    for load in [true, false] {
        let records = vec![(Op::Insert, vec![int(7), int(1)])];
        let outcomes = Given {
            load,
            ..Given::new("t", &["id", "n"])
        }
        .outcomes(endpoint.as_mut(), &records);
        assert_eq!(outcomes, [APPLIED]);
    }
    assert_eq!(database.sql("SELECT * FROM t").unwrap(), "7|1|2");
}

#[test]
fn fields_that_are_not_written_keep_their_values() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, a int, must text NOT NULL); INSERT INTO t VALUES (1, 1, 'kept')",
    );
    let records = vec![
        (Op::Update, vec![int(1), int(2)]),
        (Op::Insert, vec![int(2), int(2)]),
    ];
    let outcomes = Given::new("t", &["id", "a"]).outcomes(endpoint.as_mut(), &records);
    assert_eq!(outcomes[0], APPLIED);
    assert!(
        outcomes[1].contains("sqlstate=23502") && outcomes[1].contains("field=must"),
        "{}",
        outcomes[1]
    );
    assert_eq!(database.sql("SELECT * FROM t").unwrap(), "1|2|kept");
}

#[test]
fn a_key_without_an_index_and_with_null_works() {
    let (database, mut endpoint) =
        fresh("CREATE TABLE t (k text, n int); INSERT INTO t VALUES ('a', 1), (NULL, 2)");
    let records = vec![
        (Op::Update, vec![text("a"), int(10)]),
        (Op::Update, vec![Value::Null, int(20)]),
        (Op::Insert, vec![text("b"), int(30)]),
    ];
    assert_eq!(
        Given::new("t", &["k", "n"]).outcomes(endpoint.as_mut(), &records),
        [APPLIED; 3]
    );
    assert_eq!(
        database.sql("SELECT * FROM t ORDER BY n").unwrap(),
        "a|10\n|20\nb|30"
    );
}

#[test]
fn what_the_server_would_change_is_refused() {
    let (database, mut endpoint) = fresh("CREATE TYPE mood AS ENUM ('ok')");
    for (ty, value) in [
        ("numeric(5,2)", Value::Decimal("1.005")),
        ("numeric(5,-2)", Value::Decimal("150")),
        ("numeric(5,2)", Value::Decimal("1000")),
        ("varchar(2)", text("ab ")),
        ("char(5)", text("ab ")),
        ("\"char\"", text("ab")),
        ("name", text(&"x".repeat(64))),
        ("text", text("a\0b")),
        ("real", Value::Float(0.1)),
        ("timestamp(0)", Value::Timestamp(1)),
        ("time(3)", Value::Time(1)),
        ("interval(0)", text("PT0.5S")),
        ("numeric(5,2)[]", text("{1.005}")),
        ("bit(3)", text("10111")),
        ("date", Value::Date(-2_440_589)),
        ("smallint", int(32768)),
        ("int4", text("1")),
        ("text", Value::InvalidText(&[0xff])),
        ("uuid", Value::Uuid(&[1])),
        ("json", Value::Json("{")),
        ("mood", text("angry")),
    ] {
        database
            .sql(&format!(
                "DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, v {ty})"
            ))
            .unwrap();
        let records = vec![
            (Op::Insert, vec![int(1), value]),
            (Op::Insert, vec![int(2), Value::Null]),
        ];
        for load in [false, true] {
            let outcomes = Given {
                load,
                ..Given::new("t", &["id", "v"])
            }
            .outcomes(endpoint.as_mut(), &records);
            assert!(outcomes[0].starts_with("Rejected"), "{ty}: {}", outcomes[0]);
            assert_eq!(outcomes[1], APPLIED, "{ty}");
            assert_eq!(database.sql("SELECT id FROM t").unwrap(), "2", "{ty}");
        }
    }
}

/// Holds where the record at the target has the second field `expected`; stores the stale list.
struct Expecting(Vec<Option<i64>>);

impl Check for Expecting {
    fn holds(&self, index: usize, current: Option<Record<'_>>) -> bool {
        match (self.0[index], current) {
            (None, None) => true,
            (Some(expected), Some(record)) => record.value(1) == Value::Int(expected),
            _ => false,
        }
    }

    fn position(&self, left_out: &[usize]) -> Vec<u8> {
        left_out
            .iter()
            .map(|&index| u8::try_from(index).unwrap())
            .collect()
    }
}

#[test]
fn a_record_that_moved_is_stale_and_the_marker_says_so() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT g, g FROM generate_series(1, 4) g",
    );
    let check = Expecting(vec![Some(1), Some(9), Some(3), Some(9), None, None]);
    let given = Given {
        check: Some(&check),
        ..Given::new("t", &["id", "n"])
    };
    let records = vec![
        (Op::Update, vec![int(1), int(10)]),
        (Op::Update, vec![int(2), int(20)]),
        (Op::Delete, vec![int(3), Value::Null]),
        (Op::Delete, vec![int(4), Value::Null]),
        (Op::Insert, vec![int(5), int(50)]),
        (Op::Delete, vec![int(6), Value::Null]),
    ];
    let outcomes = given.outcomes(endpoint.as_mut(), &records);
    assert_eq!(
        outcomes,
        [APPLIED, "Stale", APPLIED, "Stale", APPLIED, APPLIED]
    );
    assert_eq!(
        database.sql("SELECT * FROM t ORDER BY id").unwrap(),
        "1|10\n2|2\n4|4\n5|50"
    );
    assert_eq!(
        database.sql("SELECT position FROM trueup.marker").unwrap(),
        "\\x0103"
    );
}
