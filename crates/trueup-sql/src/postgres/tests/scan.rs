//! Reading: exact values, order, shapes, broken connections. Numbers are those of the trap list in the docs.

use super::*;
use trueup_core::Kind;
use trueup_core::encode;

#[test]
fn reads_simple_types_in_key_order() {
    let (_database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, name text, price numeric(10,2), ok bool); \
         INSERT INTO t VALUES (3, 'c', 1.50, true), (1, 'a', NULL, false), (2, NULL, -0.01, NULL)",
    );
    let (records, ordered) = scan(endpoint.as_mut(), "t");
    assert!(ordered);
    assert_eq!(
        shown(&records),
        [
            r#"Int(1) Text("a") Null Bool(false)"#,
            r#"Int(2) Null Decimal("-0.01") Null"#,
            r#"Int(3) Text("c") Decimal("1.50") Bool(true)"#,
        ]
    );
}

/// Reads one value of each SQL expression.
fn values(cases: &[(&str, &str)]) {
    let columns = cases
        .iter()
        .enumerate()
        .map(|(n, (sql, _))| format!("{sql} AS c{n}"));
    let columns = columns.collect::<Vec<_>>().join(", ");
    let (_database, mut endpoint) = fresh(&format!(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN small AS numeric(4,1) CHECK (value < 500); \
         CREATE TABLE t AS SELECT {columns}"
    ));
    let schema = schema(endpoint.as_mut(), "t");
    let (records, _) = scan_by(endpoint.as_mut(), &schema, Order::Natural);
    let read = records
        .record(0)
        .values()
        .map(|value| format!("{value:?}"))
        .collect::<Vec<_>>();
    let expected = cases
        .iter()
        .map(|(_, expected)| (*expected).to_owned())
        .collect::<Vec<_>>();
    assert_eq!(read, expected);
}

#[test]
fn trap_14_infinities_and_far_dates() {
    values(&[
        ("'infinity'::date", "Date(2147483647)"),
        ("'-infinity'::date", "Date(-2147483648)"),
        ("'1970-01-01'::date", "Date(0)"),
        ("'4713-01-01 BC'::date", "Date(-2440550)"),
        ("'infinity'::timestamp", "Timestamp(9223372036854775807)"),
        ("'-infinity'::timestamptz", "Instant(-9223372036854775808)"),
        (
            "'0001-01-01 BC'::timestamp",
            "Timestamp(-62167219200000000)",
        ),
        (
            "'294246-12-31 23:59:59.999999'::timestamp",
            "Timestamp(9223371244799999999)",
        ),
        ("'24:00:00'::time", "Time(86400000000)"),
        (
            "'1 year 2 days 30:00:00.5'::interval",
            "Text(\"P1Y2DT30H0.5S\")",
        ),
    ]);
}

/// Beyond what 64 bits of microseconds since 1970 hold it is delivered as a text, and the mapping parks the record.
#[test]
fn trap_14_a_timestamp_that_cannot_be_held_is_a_text() {
    values(&[
        (
            "'294247-01-01'::timestamp",
            "Timestamp(9223371244800000000)",
        ),
        (
            "'294247-01-10 04:00:54.775806'::timestamp",
            "Timestamp(9223372036854775806)",
        ),
        (
            "'294247-01-10 04:00:54.775807'::timestamp",
            "Text(\"294247-01-10 04:00:54.775807\")",
        ),
        (
            "'294276-12-31 23:59:59.999999'::timestamp",
            "Text(\"294276-12-31 23:59:59.999999\")",
        ),
        (
            "'294276-02-29 12:00+00'::timestamptz",
            "Text(\"294276-02-29 12:00:00+00:00\")",
        ),
    ]);
}

#[test]
fn trap_15_numeric_nan_infinity_and_scale() {
    values(&[
        ("'NaN'::numeric", "Decimal(\"NaN\")"),
        ("'Infinity'::numeric", "Decimal(\"Infinity\")"),
        ("'-Infinity'::numeric", "Decimal(\"-Infinity\")"),
        ("1.0::numeric", "Decimal(\"1.0\")"),
        ("1.00::numeric", "Decimal(\"1.00\")"),
        ("0::numeric(5,3)", "Decimal(\"0.000\")"),
        ("-0.00001234::numeric", "Decimal(\"-0.00001234\")"),
        (
            "10000000000000000.5::numeric",
            "Decimal(\"10000000000000000.5\")",
        ),
        ("12.3::small", "Decimal(\"12.3\")"),
    ]);
}

#[test]
fn trap_16_floats_are_bits() {
    values(&[
        ("0.1::real", "Float(0.10000000149011612)"),
        ("0.1::float8", "Float(0.1)"),
        ("'-0'::float8", "Float(-0.0)"),
        ("'NaN'::float8", "Float(NaN)"),
        ("'-Infinity'::real", "Float(-inf)"),
        ("5e-324::float8", "Float(5e-324)"),
    ]);
}

#[test]
fn trap_17_session_settings_do_not_change_values() {
    let (database, _) =
        fresh("CREATE TABLE t (id int PRIMARY KEY, at timestamptz, i interval, b bytea, m money)");
    let name = database.name();
    database
        .sql(&format!(
            "INSERT INTO t VALUES (1, '2000-01-01 00:00:00+00', '1 day', '\\xff', 1.5); \
             ALTER DATABASE {name} SET TimeZone = 'Asia/Tokyo'; ALTER DATABASE {name} SET DateStyle = 'German'; \
             ALTER DATABASE {name} SET IntervalStyle = 'sql_standard'; ALTER DATABASE {name} SET bytea_output = 'escape'; \
             ALTER DATABASE {name} SET extra_float_digits = -15"
        ))
        .unwrap();
    let mut endpoint = connect(&database.url(), Context::empty()).unwrap();
    let (records, _) = scan(endpoint.as_mut(), "t");
    assert_eq!(
        shown(&records),
        [r#"Int(1) Instant(946684800000000) Text("P1D") Bytes([255]) Text("$1.50")"#]
    );
}

#[test]
fn trap_18_types_without_an_equal_are_text() {
    values(&[
        ("'ab '::char(5)", "Text(\"ab\")"),
        ("'x'::\"char\"", "Text(\"x\")"),
        ("'n'::name", "Text(\"n\")"),
        ("'sad'::mood", "Text(\"sad\")"),
        ("'[0:1]={1,NULL}'::int[]", "Text(\"[0:1]={1,NULL}\")"),
        ("'[1,5)'::int4range", "Text(\"[1,5)\")"),
        ("B'101'::bit(3)", "Text(\"101\")"),
        ("'192.168.0.1/24'::inet", "Text(\"192.168.0.1/24\")"),
        ("row(1, 'a b')::record::text", "Text(\"(1,\\\"a b\\\")\")"),
        ("'(1,2)'::point", "Text(\"(1,2)\")"),
        ("'\\x00ff'::bytea", "Bytes([0, 255])"),
        ("4294967295::oid", "Int(4294967295)"),
    ]);
}

#[test]
fn trap_19_json_keeps_its_text() {
    values(&[
        (
            "'{\"b\": 1.0, \"b\" : 2}'::json",
            r#"Json("{\"b\": 1.0, \"b\" : 2}")"#,
        ),
        (
            "'{\"b\": 1.0, \"a\":2}'::jsonb",
            r#"Json("{\"a\": 2, \"b\": 1.0}")"#,
        ),
        ("'null'::jsonb", "Json(\"null\")"),
        ("NULL::jsonb", "Null"),
        ("''::text", "Text(\"\")"),
        ("NULL::text", "Null"),
    ]);
}

#[test]
fn trap_29_the_order_is_canonical_whatever_the_collation() {
    let (database, mut endpoint) = fresh("");
    for (ty, rows) in [
        (
            "text COLLATE \"en-x-icu\"",
            "('a'), ('B'), ('é'), ('_'), ('A'), ('ab'), ('')",
        ),
        ("char(4)", "('a'), ('B'), ('é'), ('_'), ('A'), ('a!')"),
        (
            "numeric",
            "('NaN'), ('-1'), ('1.10'), ('Infinity'), ('-Infinity'), ('0')",
        ),
        ("bytea", "('\\x00'), ('\\x0001'), ('\\xff'), ('')"),
        ("float8", "('NaN'), ('-1'), ('1e300'), ('0'), ('-Infinity')"),
        (
            "uuid",
            "('ffffffff-0000-0000-0000-000000000000'), ('00000000-0000-0000-0000-000000000001')",
        ),
        ("timestamptz", "('infinity'), ('2000-01-01'), ('-infinity')"),
        ("date", "('infinity'), ('1500-01-01'), ('-infinity')"),
        ("bool", "(true), (false)"),
        ("int8[]", "('{10}'), ('{9}')"),
    ] {
        database
            .sql(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t (k {ty} PRIMARY KEY); INSERT INTO t VALUES {rows}"))
            .unwrap();
        let (records, ordered) = scan(endpoint.as_mut(), "t");
        assert!(ordered, "{ty}");
        let mut keys = Vec::new();
        for record in records.records() {
            let mut key = Vec::new();
            encode::key(record.value(0), &mut key);
            keys.push(key);
        }
        assert!(keys.is_sorted(), "{ty}: {:?}", shown(&records));
    }
}

#[test]
fn a_scan_goes_on_after_a_key() {
    let (_database, mut endpoint) = fresh(
        "CREATE TABLE t (a text COLLATE \"en-x-icu\", b int, PRIMARY KEY (a, b)); \
         INSERT INTO t VALUES ('B', 1), ('a', 1), ('a', 2), ('b', 0)",
    );
    let schema = schema(endpoint.as_mut(), "t");
    let mut after = Batch::new(2);
    after.push(Value::Text("a"));
    after.push(Value::Int(1));
    let request = ScanRequest {
        schema: &schema,
        fields: &[1, 0],
        wanted: &[Type::INT, Type::TEXT],
        order: Order::Key(&[1, 0]),
        after: Some(after.record(0)),
        sieve: &[],
        batch_records_max: 10,
        batch_bytes_max: 1000,
    };
    let mut snapshot = endpoint.snapshot().unwrap();
    let mut batch = Batch::new(2);
    assert!(snapshot.scan(&request).unwrap().next(&mut batch).unwrap());
    assert_eq!(
        shown(&batch),
        [r#"Int(2) Text("a")"#, r#"Int(0) Text("b")"#]
    );
}

#[test]
fn a_snapshot_stands_still() {
    let (database, mut endpoint) =
        fresh("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let schema = schema(endpoint.as_mut(), "t");
    let mut snapshot = endpoint.snapshot().unwrap();
    database.sql("INSERT INTO t VALUES (2)").unwrap();
    let request = ScanRequest {
        schema: &schema,
        fields: &[0],
        wanted: &[Type::INT],
        order: Order::Key(&[0]),
        after: None,
        sieve: &[],
        batch_records_max: 10,
        batch_bytes_max: 1000,
    };
    let mut batch = Batch::new(1);
    assert!(snapshot.scan(&request).unwrap().next(&mut batch).unwrap());
    assert_eq!(batch.len(), 1);
    assert!(snapshot.position().0.contains("lsn="));
    assert_ne!(endpoint.snapshot().unwrap().position(), snapshot.position());
}

#[test]
fn shapes_are_read_with_everything_that_matters() {
    let (_database, mut endpoint) = fresh(
        "CREATE TABLE parent (id int PRIMARY KEY); \
         CREATE TABLE t (dropped int, id int GENERATED ALWAYS AS IDENTITY, n numeric(10,-2), v varchar(7) NOT NULL, \
           twice int GENERATED ALWAYS AS (id * 2) STORED, p int REFERENCES parent ON DELETE CASCADE, \
           UNIQUE (v), PRIMARY KEY (v, id)); ALTER TABLE t DROP COLUMN dropped; \
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
         CREATE TRIGGER loud BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); \
         ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    );
    let t = schema(endpoint.as_mut(), "t");
    assert_eq!(t.key_names(), ["v", "id"]);
    assert_eq!(t.uniques, [vec![2]]);
    assert!(t.fields[3].generated && !t.fields[0].generated);
    assert_eq!(
        t.fields[1].ty,
        Type::Decimal {
            size: Some((10, -2))
        }
    );
    assert_eq!(t.fields[2].native, "postgres:character varying(7)");
    assert_eq!(
        (
            t.references[0].collection.as_str(),
            t.references[0].cascades
        ),
        ("parent", true)
    );
    assert!(t.cascades.is_empty());
    assert_eq!(schema(endpoint.as_mut(), "parent").cascades, ["t"]);
    let notes = t.notes.join("\n");
    for part in ["name=loud", "field=id", "row level security"] {
        assert!(notes.contains(part), "{part}: {notes}");
    }
}

#[test]
fn trap_13_partitions_are_one_collection_and_inherited_records_are_not() {
    let (_database, mut endpoint) = fresh(
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); \
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); \
         CREATE TABLE base (id int PRIMARY KEY); CREATE TABLE kid () INHERITS (base); \
         CREATE SCHEMA other; CREATE TABLE other.t (id int PRIMARY KEY); CREATE SCHEMA trueup; \
         CREATE TABLE trueup.hidden (id int); INSERT INTO p VALUES (1); INSERT INTO kid VALUES (1); \
         INSERT INTO base VALUES (2); INSERT INTO other.t VALUES (5)",
    );
    assert_eq!(
        endpoint.collections().unwrap(),
        ["base", "kid", "p", "other.t"]
    );
    assert_eq!(shown(&scan(endpoint.as_mut(), "p").0), ["Int(1)"]);
    assert_eq!(shown(&scan(endpoint.as_mut(), "base").0), ["Int(2)"]);
    assert_eq!(shown(&scan(endpoint.as_mut(), "other.t").0), ["Int(5)"]);
    assert!(endpoint.schema("missing").unwrap().is_none());
}

#[test]
fn trap_61_a_killed_server_is_unavailable_and_comes_back() {
    let options = trueup_testkit::servers::postgres::Options::default();
    let server =
        std::sync::Arc::new(trueup_testkit::servers::postgres::Server::start(options).unwrap());
    let database = server.fresh_database().unwrap();
    database
        .sql("CREATE TABLE t (id int PRIMARY KEY, pad text); INSERT INTO t SELECT g, repeat('x', 2000) FROM generate_series(1, 50000) g")
        .unwrap();
    let mut endpoint = connect(&database.url(), Context::empty()).unwrap();
    let schema = schema(endpoint.as_mut(), "t");
    let request = ScanRequest {
        schema: &schema,
        fields: &[0, 1],
        wanted: &[],
        order: Order::Natural,
        after: None,
        sieve: &[],
        batch_records_max: 10,
        batch_bytes_max: 1 << 20,
    };
    let mut snapshot = endpoint.snapshot().unwrap();
    let mut reading = snapshot.scan(&request).unwrap();
    let mut batch = Batch::new(2);
    assert!(reading.next(&mut batch).unwrap());
    server.kill().unwrap();
    let error = loop {
        batch.reset(2);
        match reading.next(&mut batch) {
            Ok(more) => assert!(more, "the scan must not end as if it were whole"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), Kind::Unavailable);
    drop(reading);
    server.restart().unwrap();
    // The first question meets the broken connection, the next one a new one.
    let first = endpoint.collections();
    assert!(first.is_ok() || first.unwrap_err().kind() == Kind::Unavailable);
    assert_eq!(endpoint.collections().unwrap(), ["t"]);
}

#[test]
fn a_scan_dropped_early_is_cancelled_and_the_snapshot_goes_on() {
    let (database, _) = fresh(
        "CREATE TABLE large (id int PRIMARY KEY, v text); CREATE TABLE small (id int PRIMARY KEY, v text); \
         INSERT INTO large SELECT g, repeat('x', 500) FROM generate_series(1, 200000) g; \
         INSERT INTO small VALUES (7); ANALYZE",
    );
    for query in [
        "sslmode=disable&application_name=dropping",
        "sslmode=require&application_name=dropping",
    ] {
        let mut endpoint =
            connect(&format!("{}?{query}", database.url()), Context::empty()).unwrap();
        let (large, small) = (
            schema(endpoint.as_mut(), "large"),
            schema(endpoint.as_mut(), "small"),
        );
        database.sql("SELECT pg_stat_reset()").unwrap();
        let mut snapshot = endpoint.snapshot().unwrap();
        database.sql("UPDATE small SET id = id + 1").unwrap();
        let mut batch = Batch::default();
        let mut read = |schema: &Schema, snapshot: &mut dyn Snapshot| {
            let request = ScanRequest {
                schema,
                fields: &[0, 1],
                wanted: &[Type::INT, Type::TEXT],
                order: Order::Natural,
                after: None,
                sieve: &[],
                batch_records_max: 10,
                batch_bytes_max: 1 << 20,
            };
            batch.reset(2);
            assert!(snapshot.scan(&request).unwrap().next(&mut batch).unwrap());
            shown(&batch)
        };
        for _ in 0..3 {
            assert_eq!(read(&large, snapshot.as_mut()).len(), 10);
        }
        let before = read(&small, snapshot.as_mut());
        assert_eq!(read(&small, snapshot.as_mut()), before, "of one moment");
        drop((snapshot, endpoint));
        // A session counts what it read when it ends.
        let gone = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dropping'";
        while database.sql(gone).unwrap() != "0" {}
        let read = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'large'";
        let read: u64 = database.sql(read).unwrap().parse().unwrap();
        assert!((30..600_000).contains(&read), "read={read} {query}");
    }
}

#[test]
fn a_scan_that_fails_leaves_the_snapshot_usable() {
    let (database, _endpoint) = fresh(
        "CREATE TABLE broken (id int PRIMARY KEY, at timestamptz); INSERT INTO broken VALUES (1, now()); \
         CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (7)",
    );
    // Whoever reads the record divides by nought.
    let (role, url) = access::role(&database, "SELECT");
    let sql = format!(
        "GRANT SELECT ON broken TO {role}; ALTER TABLE broken ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY p ON broken USING (1 / (id - 1) > 0)"
    );
    database.sql(&sql).unwrap();
    let mut endpoint = connect(&url, Context::empty()).unwrap();
    let (broken, whole) = (
        schema(endpoint.as_mut(), "broken"),
        schema(endpoint.as_mut(), "t"),
    );
    let mut snapshot = endpoint.snapshot().unwrap();
    for (schema, fields, works) in [(&broken, &[0, 1][..], false), (&whole, &[0], true)] {
        let request = ScanRequest {
            schema,
            fields,
            wanted: &[Type::INT, Type::Instant][..fields.len()],
            order: Order::Natural,
            after: None,
            sieve: &[],
            batch_records_max: 10,
            batch_bytes_max: 1000,
        };
        let mut batch = Batch::new(fields.len());
        let read = snapshot.scan(&request).unwrap().next(&mut batch);
        assert_eq!(read.is_ok(), works, "{read:?}");
    }
    drop((snapshot, endpoint));
    let drop = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    database.sql(&drop).unwrap();
}
