//! A change has the values that a scan delivers, of every type and character set.

use super::follow::{Given, Reading, logging_with};
use super::*;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use std::sync::Arc;
use trueup_core::follow::Told;

/// Columns, and what can be written into each; the last of them are worked out by the server.
const COLUMNS: &[(&str, &[&str])] = &[
    ("tinyint", INTS),
    ("tinyint unsigned", INTS),
    ("tinyint(1)", INTS),
    ("smallint", INTS),
    ("smallint unsigned zerofill", INTS),
    ("mediumint", INTS),
    ("mediumint unsigned", INTS),
    ("int", INTS),
    ("int unsigned", INTS),
    ("bigint", INTS),
    ("bigint unsigned", INTS),
    ("bit(1)", BITS),
    ("bit(13)", BITS),
    ("bit(64)", BITS),
    ("float", FLOATS),
    ("double", FLOATS),
    ("float(7,2)", FLOATS),
    ("decimal(65,30)", DECIMALS),
    ("decimal(5,0)", DECIMALS),
    ("decimal(18,9) unsigned", DECIMALS),
    ("decimal(2,2)", DECIMALS),
    ("decimal(30,1)", DECIMALS),
    ("char(5)", TEXTS),
    ("char(200)", TEXTS),
    ("char(9) CHARACTER SET ucs2", TEXTS),
    ("char(9) CHARACTER SET latin1", TEXTS),
    ("varchar(9) CHARACTER SET latin1", TEXTS),
    ("varchar(255) CHARACTER SET cp1251", TEXTS),
    ("varchar(9) CHARACTER SET koi8r", TEXTS),
    ("varchar(90) CHARACTER SET utf16", TEXTS),
    ("varchar(90) CHARACTER SET utf16le", TEXTS),
    ("varchar(90) CHARACTER SET utf32", TEXTS),
    ("varchar(9) CHARACTER SET utf8mb3", TEXTS),
    ("varchar(300)", TEXTS),
    ("varchar(0)", TEXTS),
    ("tinytext", TEXTS),
    ("text CHARACTER SET latin2", TEXTS),
    ("mediumtext", TEXTS),
    ("longtext", TEXTS),
    ("binary(5)", BYTES),
    ("binary(255)", BYTES),
    ("varbinary(300)", BYTES),
    ("blob", BYTES),
    ("longblob", BYTES),
    ("date", DATES),
    ("time", TIMES),
    ("time(1)", TIMES),
    ("time(3)", TIMES),
    ("time(6)", TIMES),
    ("datetime", DATES),
    ("datetime(2)", DATES),
    ("datetime(6)", DATES),
    ("timestamp", MOMENTS),
    ("timestamp(1)", MOMENTS),
    ("timestamp(4)", MOMENTS),
    ("timestamp(6)", MOMENTS),
    ("year", INTS),
    ("enum('a','it''s','ä') CHARACTER SET latin1", LABELS),
    ("set('a','it''s','ж','d','e','f','g','h','i')", LABELS),
    ("json", JSON),
    ("uuid", UUIDS),
    ("inet4", INET4),
    ("inet6", INET6),
    ("point", POINTS),
    ("int INVISIBLE", INTS),
];

const INTS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "127",
    "-128",
    "255",
    "32767",
    "-32768",
    "65535",
    "8388607",
    "-8388608",
    "16777215",
    "2147483647",
    "-2147483648",
    "4294967295",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "1901",
    "2155",
];
const BITS: &[&str] = &["0", "1", "b'1011'", "4097", "8191", "18446744073709551615"];
const FLOATS: &[&str] = &[
    "0",
    "-0e0",
    "16777216",
    "0.1",
    "1e-300",
    "-1.5e30",
    "3.4028235e38",
    "99999.99",
    "1.7976931348623157e308",
];
const DECIMALS: &[&str] = &[
    "0",
    "1",
    "-1",
    "0.5",
    "-0.01",
    "0.000000001",
    "123456789.123456789",
    "-99999",
    "-12345678901234567890123456789012345.123456789012345678901234567891",
    "0.99",
    "1e20",
    "1000000000",
];
const TEXTS: &[&str] = &[
    "''",
    "'a'",
    "'a '",
    "'  b'",
    "'äß€'",
    "'Ж'",
    "'日本'",
    "'😀'",
    "'it''s'",
    "'tab\\t'",
    "repeat('x', 200)",
    "repeat('ж', 150)",
    "char(0)",
    "'ё№'",
    "'Ąž'",
];
const BYTES: &[&str] = &[
    "''",
    "'ab'",
    "x'00'",
    "x'6100'",
    "x'ff00ff'",
    "'a '",
    "repeat(x'00ff', 127)",
];
const DATES: &[&str] = &[
    "0",
    "'2024-02-29'",
    "'2024-02-00'",
    "'2024-00-00 10:11:12.5'",
    "'9999-12-31 23:59:59.999999'",
    "'1000-01-01'",
    "'0001-01-01'",
    "'1969-12-31 23:59:59.000001'",
    "'2024-02-29 12:00:00.123456'",
];
const TIMES: &[&str] = &[
    "0",
    "'00:00:00.000001'",
    "'-00:00:00.5'",
    "'-00:00:01.25'",
    "'23:59:59.999999'",
    "'24:00:00'",
    "'838:59:59.999999'",
    "'-838:59:59.9'",
    "'-12:34:56.789012'",
    "'-01:00:00'",
    "'12:34:56.1'",
];
const MOMENTS: &[&str] = &[
    "0",
    "'1970-01-01 00:00:01'",
    "'2024-02-29 12:00:00.123456'",
    "'2038-01-19 03:14:07.999999'",
    "'1970-01-01 00:00:00.5'",
];
const LABELS: &[&str] = &[
    "''", "'a'", "'it''s'", "'ä'", "'none'", "'a,ж,i'", "3", "511",
];
const JSON: &[&str] = &["'{\"b\": 1.50, \"a\":[]}'", "'null'", "'\"ä\"'"];
const UUIDS: &[&str] = &[
    "'7F2C4A0E-8f4b-4c8e-9d0a-0c1d2e3f4a5b'",
    "'00000000-0000-0000-0000-000000000000'",
    "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    "'018f3c6e-7f2b-7abc-8def-0123456789ab'",
    "'6ba7b810-9dad-11d1-80b4-00c04fd430c8'",
    "'1ec9414c-232a-6b00-b3c8-9e6bdeced846'",
    "'2489e9ad-2ee2-8e00-8ec9-32d5f69181c0'",
    "'00000000-0000-4000-8000-000000000000'",
];
const INET4: &[&str] = &[
    "'0.0.0.0'",
    "'127.0.0.1'",
    "'255.255.255.255'",
    "'10.0.0.0'",
];
const INET6: &[&str] = &[
    "'::'",
    "'::1'",
    "'::1.2.3.4'",
    "'::ffff:1.2.3.4'",
    "'fe80::1:0:0:1'",
    "'1:2:3:4:5:6:7:8'",
    "'1:0:0:2::3'",
    "'2001:db8::'",
    "'::2:0'",
    "'1:0:2:3:4:5:6:7'",
    "'::1:2:3:4:5:6:7'",
    "'ffff::ffff:0:0'",
    "'::0.0.255.0'",
];
const POINTS: &[&str] = &[
    "ST_GeomFromText('POINT(1 2)')",
    "ST_GeomFromText('POINT(-0.5 1e300)', 4326)",
];

fn table(name: &str) -> String {
    let columns = COLUMNS.iter().enumerate();
    let columns = columns.map(|(n, (ty, _))| match ty.strip_prefix("timestamp") {
        Some(rest) => format!("c{n} timestamp{rest} NULL DEFAULT NULL"),
        None => format!("c{n} {ty}"),
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    format!(
        "CREATE TABLE {name} (id int PRIMARY KEY, {columns}, v int AS (c0 + 1) VIRTUAL, \
         s varchar(300) AS (concat(c33, '!')) STORED) CHARACTER SET utf8mb4"
    )
}

/// A record's literals.
fn record() -> impl Strategy<Value = Vec<&'static str>> {
    let columns = COLUMNS
        .iter()
        .map(|(_, pool)| prop_oneof![1 => Just("NULL"), 7 => select(*pool)]);
    columns.collect::<Vec<_>>()
}

/// The statements that insert these records one by one, or give them to those that are there.
fn statements(records: &[Vec<&str>], update: bool) -> String {
    let mut sql = "SET sql_mode = '';\n".to_owned();
    for (id, record) in records.iter().enumerate() {
        let pairs = record
            .iter()
            .enumerate()
            .map(|(n, value)| format!("c{n} = {value}"));
        let pairs = pairs.collect::<Vec<_>>().join(", ");
        let line = if update {
            format!(
                "UPDATE IGNORE t SET {pairs}, id = {} WHERE id = {id};\n",
                id + 100
            )
        } else {
            format!("INSERT IGNORE INTO t SET {pairs}, id = {id};\n")
        };
        sql.push_str(&line);
    }
    sql
}

/// The records' values, each named after its column.
fn named(batch: &Batch) -> Vec<Vec<String>> {
    let types = ["id"].into_iter().chain(COLUMNS.iter().map(|(ty, _)| *ty));
    let types: Vec<&str> = types.chain(["virtual", "stored"]).collect();
    let line = |record: Record<'_>| {
        let pairs = record.values().zip(&types);
        pairs
            .map(|(value, ty)| format!("{ty}: {value:?}"))
            .collect()
    };
    batch.records().map(line).collect()
}

/// Reads so many transactions of one change each, and returns what the records are after it.
fn after(log: &mut Reading, count: usize) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    for _ in 0..2 * count {
        match log.next().unwrap() {
            Told::Changes(0) => lines.extend(named(&log.piece.records).pop()),
            Told::Commit { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    lines
}

fn check_values(given: &mut Given, cases: u32) {
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    });
    let given = std::cell::RefCell::new(given);
    let records = || proptest::collection::vec(record(), 8);
    let checked = runner.run(&(records(), records()), |(first, second)| {
        let given = &mut *given.borrow_mut();
        given.sql(&format!("DROP TABLE IF EXISTS t; {}", table("t")));
        let mut log = given.follow(&["t"]);
        for (records, update) in [(first, false), (second, true)] {
            given.sql(&statements(&records, update));
            let told = after(&mut log, records.len());
            let (read, _) = scan(given.endpoint.as_mut(), "t");
            let read = named(&read);
            prop_assert_eq!(told.len(), read.len());
            let pairs = told.iter().flatten().zip(read.iter().flatten());
            let differ: Vec<_> = pairs.filter(|(told, read)| told != read).collect();
            prop_assert!(differ.is_empty(), "{:#?}", differ);
        }
        Ok(())
    });
    if let Err(error) = checked {
        panic!(
            "{}",
            error.to_string().split("minimal failing").next().unwrap()
        );
    }
}

#[test]
fn trap_30_31_32_34_35_changes_have_the_values_of_a_scan() {
    check_values(&mut Given::new(""), 24);
}

#[test]
fn trap_39_compressed_events_with_names_and_no_checksums_have_them_too() {
    let settings = [
        "log-bin-compress=ON",
        "log-bin-compress-min-len=10",
        "binlog-row-metadata=FULL",
        "binlog-checksum=NONE",
    ];
    let server = Arc::new(logging_with(&settings));
    check_values(&mut Given::on(&server, ""), 6);
}

#[test]
fn trap_38_an_image_without_what_did_not_change_leaves_it_unchanged() {
    let settings = ["binlog-row-image=MINIMAL", "mysql56-temporal-format=OFF"];
    let server = Arc::new(logging_with(&settings));
    let mut given = Given::on(
        &server,
        "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 7, b text, d datetime, e time, f timestamp NULL)",
    );
    let mut log = given.follow(&["t"]);
    given.sql(
        "INSERT INTO t VALUES (1, 2, 'b', '2024-02-29 01:02:03', '-01:02:03', '2024-02-29 01:02:03'); \
         UPDATE t SET a = 3; UPDATE t SET id = 2; DELETE FROM t",
    );
    assert_eq!(
        log.told(4),
        [
            "0 Insert Int(1) Int(2) Text(\"b\") Timestamp(1709168523000000) Text(\"-01:02:03\") Instant(1709168523000000)",
            "commit",
            "0 Update Int(1) Int(3) Unchanged Unchanged Unchanged Unchanged",
            "commit",
            "0 Rekey Int(1) Unchanged Unchanged Unchanged Unchanged Unchanged -> \
             Int(2) Unchanged Unchanged Unchanged Unchanged Unchanged",
            "commit",
            "0 Delete Int(2) Unchanged Unchanged Unchanged Unchanged Unchanged",
            "commit",
        ]
    );
    // Whether the defaults are logged is the server's business; a value that is not is never guessed.
    given.sql("INSERT INTO t (id, b) VALUES (3, 'b')");
    match log.next() {
        Ok(told) => {
            assert_eq!(told, Told::Changes(0));
            assert_eq!(
                shown(&log.piece.records),
                ["Int(3) Int(7) Text(\"b\") Null Null Null"]
            );
        }
        Err(error) => assert_eq!(error.kind(), trueup_core::Kind::Config),
    }
}
