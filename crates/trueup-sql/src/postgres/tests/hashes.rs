//! Hashes made by a real server: what differs to us, differs there.

use super::{fresh, schema};
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Endpoint, Order, ScanRequest, Snapshot};
use trueup_core::hashes::{Bucket, Chosen, Hashing, Offer};
use trueup_core::schema::Schema;
use trueup_core::types::Type;

/// What is asked of a collection, by its own key.
struct Asked {
    schema: Schema,
    fields: Vec<usize>,
    wanted: Vec<Type>,
}

impl Asked {
    fn of(endpoint: &mut dyn Endpoint, collection: &str) -> Self {
        let schema = schema(endpoint, collection);
        Self {
            fields: (0..schema.fields.len()).collect(),
            wanted: schema.fields.iter().map(|field| field.ty).collect(),
            schema,
        }
    }

    fn request(&self) -> ScanRequest<'_> {
        ScanRequest {
            schema: &self.schema,
            fields: &self.fields,
            wanted: &self.wanted,
            order: Order::Key(&self.schema.key),
            after: None,
            sieve: &[],
            batch_records_max: 100,
            batch_bytes_max: 1 << 20,
        }
    }

    fn hashing(&self, buckets: u32) -> Hashing {
        Hashing {
            seed: 1,
            buckets,
            nullable: self.schema.fields.iter().map(|f| f.nullable).collect(),
            salt: 2,
        }
    }
}

fn offer(endpoint: &mut dyn Endpoint, collection: &str) -> Option<Offer> {
    let asked = Asked::of(endpoint, collection);
    let mut snapshot = endpoint.snapshot().unwrap();
    let hashes = snapshot.hashes().unwrap();
    hashes.offer(&asked.request()).unwrap()
}

fn fold(endpoint: &mut dyn Endpoint, collection: &str, buckets: u32) -> Vec<Bucket> {
    let asked = Asked::of(endpoint, collection);
    let mut snapshot = endpoint.snapshot().unwrap();
    let hashes = snapshot.hashes().unwrap();
    hashes
        .fold(&asked.request(), &asked.hashing(buckets))
        .unwrap()
}

/// Each two of a type have one hash by the server's own function for it, or are the ends of what it holds.
const APART: &[(&str, &[&str])] = &[
    (
        "int8",
        &[
            "1",
            "4294967296",
            "0",
            "-1",
            "2147483647",
            "-9223372036854775808",
        ],
    ),
    ("numeric(10,2)", &["5", "-5", "0", "'NaN'"]),
    (
        "numeric",
        &[
            "5",
            "-5",
            "0",
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
            "50000",
            "0.0005",
        ],
    ),
    (
        "jsonb",
        &[
            "'[[1],2]'",
            "'[[1,2]]'",
            "'[1,2]'",
            "'5'",
            "'-5'",
            "'\"5\"'",
            "'{}'",
            "'[]'",
            "'null'",
            "'{\"a\":1}'",
        ],
    ),
    // 2^32 microseconds and one.
    (
        "timestamp",
        &[
            "'2000-01-01'",
            "'2000-01-01 01:11:34.967297'",
            "'infinity'",
            "'-infinity'",
        ],
    ),
    (
        "timestamptz",
        &[
            "'2000-01-01 00:00:00.000001Z'",
            "'2000-01-01 01:11:34.967296Z'",
        ],
    ),
    (
        "time",
        &[
            "'00:00:00.000001'",
            "'01:11:34.967296'",
            "'24:00'",
            "'00:00'",
        ],
    ),
    ("interval", &["'1 day'", "'24 hours'"]),
    ("bpchar(3)", &["'a'", "'ab'", "''"]),
    ("text", &["''", "' '", "'a'", "'A'", "'a '"]),
    ("bytea", &["''", "'\\x00'", "'\\x0000'", "'\\xff'"]),
    (
        "date",
        &[
            "'infinity'",
            "'-infinity'",
            "'2000-01-01'",
            "'4713-01-01 BC'",
            "'5874897-12-31'",
        ],
    ),
    (
        "float8",
        &["0", "'NaN'", "'Infinity'", "'-Infinity'", "5e-324", "1"],
    ),
    ("float4", &["0", "'NaN'", "1e-45", "1"]),
    ("bool", &["true", "false"]),
    ("oid", &["0", "1", "4294967295"]),
    ("int4range", &["'[1,2)'", "'empty'", "'[1,3)'"]),
    (
        "int[]",
        &["'{1,2}'", "'{{1},{2}}'", "'[0:1]={1,2}'", "'{}'"],
    ),
];

/// One table for each value, and the sum of its only record.
#[test]
fn values_that_the_servers_own_hash_takes_for_one() {
    let mut sql = String::new();
    for (t, (ty, values)) in APART.iter().enumerate() {
        for (v, value) in values.iter().enumerate() {
            for (n, null) in ["", "NOT NULL"].iter().enumerate() {
                let name = format!("t{t}_{v}_{n}");
                sql += &format!(
                    "CREATE TABLE {name} (id int PRIMARY KEY, v {ty} {null}); INSERT INTO {name} VALUES (1, {value});"
                );
            }
        }
    }
    let (_database, mut endpoint) = fresh(&sql);
    let mut snapshot = endpoint.snapshot().unwrap();
    for (t, (ty, values)) in APART.iter().enumerate() {
        for n in 0..2 {
            let mut seen: Vec<(u64, &str)> = Vec::new();
            for (v, value) in values.iter().enumerate() {
                let asked = Asked::of(endpoint.as_mut(), &format!("t{t}_{v}_{n}"));
                let hashes = snapshot.hashes().unwrap();
                let bucket = hashes.fold(&asked.request(), &asked.hashing(1)).unwrap()[0];
                assert_eq!(bucket.count, 1);
                let same = seen.iter().find(|(sum, _)| *sum == bucket.sum);
                assert_eq!(same, None, "{ty}: {value}");
                seen.push((bucket.sum, value));
            }
        }
    }
}

#[test]
fn null_is_no_value() {
    let types = [
        "int",
        "int8",
        "numeric",
        "text",
        "bytea",
        "bool",
        "date",
        "timestamptz",
        "float8",
        "uuid",
        "jsonb",
        "time",
    ];
    let filled = [
        "0",
        "0",
        "0",
        "''",
        "''",
        "false",
        "'2000-01-01'",
        "'2000-01-01'",
        "0",
        "'00000000-0000-0000-0000-000000000000'",
        "'null'",
        "'0:0'",
    ];
    let mut sql = String::new();
    for (n, (ty, value)) in types.iter().zip(filled).enumerate() {
        let pairs = [
            (value, "NULL"),
            ("NULL", value),
            ("NULL", "NULL"),
            (value, value),
        ];
        for (m, (v, w)) in pairs.iter().enumerate() {
            let name = format!("t{n}_{m}");
            sql += &format!(
                "CREATE TABLE {name} (id int PRIMARY KEY, v {ty}, w {ty}); INSERT INTO {name} VALUES (1, {v}, {w});"
            );
        }
    }
    let (_database, mut endpoint) = fresh(&sql);
    for (n, ty) in types.iter().enumerate() {
        let mut sums: Vec<u64> = (0..4)
            .map(|m| fold(endpoint.as_mut(), &format!("t{n}_{m}"), 1)[0].sum)
            .collect();
        sums.sort_unstable();
        sums.dedup();
        assert_eq!(sums.len(), 4, "{ty}");
    }
}

/// What the server adds up must not be a sum itself: two records of one bucket exchange a value.
#[test]
fn exchanged_values_are_noticed() {
    let fields = [
        ("int", "'1'", "'2'"),
        ("int8", "'1'", "'2'"),
        ("text", "'a'", "'b'"),
        ("numeric", "'1'", "'2'"),
        ("bytea", "'\\x01'", "'\\x02'"),
        ("bool", "true", "false"),
        ("timestamptz", "'2000-01-01'", "'2020-02-02'"),
        ("date", "'2000-01-01'", "'2020-02-02'"),
        ("jsonb", "'1'", "'2'"),
        ("float8", "'1'", "'2'"),
    ];
    let keys = fields
        .iter()
        .filter(|(ty, ..)| !matches!(*ty, "bool" | "jsonb"));
    let mut cases = Vec::new();
    for (field, one, other) in fields {
        for &(key, first, second) in keys.clone() {
            for nullable in ["", "NOT NULL"] {
                let shape = format!("(id {key} PRIMARY KEY, v {field} {nullable})");
                let records = |a, b| format!("VALUES ({first}, {a}), ({second}, {b})");
                let pair = [records(one, other), records(other, one)];
                cases.push((shape, pair));
            }
        }
    }
    let sql: Vec<String> = (0..)
        .zip(&cases)
        .map(|(n, (shape, [a, b]))| {
            format!("CREATE TABLE a{n} {shape}; INSERT INTO a{n} {a}; CREATE TABLE b{n} {shape}; INSERT INTO b{n} {b};")
        })
        .collect();
    let (_database, mut endpoint) = fresh(&sql.concat());
    let mut snapshot = endpoint.snapshot().unwrap();
    for (n, (shape, _)) in cases.iter().enumerate() {
        let [a, b] = ["a", "b"].map(|name| {
            let asked = Asked::of(endpoint.as_mut(), &format!("{name}{n}"));
            let hashes = snapshot.hashes().unwrap();
            hashes.fold(&asked.request(), &asked.hashing(1)).unwrap()[0]
        });
        assert_eq!((a.count, b.count), (2, 2));
        assert_ne!(a.sum, b.sum, "{shape}");
    }
}

/// A table of everything, of which the copy has other column types where that means the same to us.
const WIDE: &str = "\
    CREATE TYPE mood AS ENUM ('sad', 'glad'); \
    CREATE TABLE wide (id bigint PRIMARY KEY, a smallint, b text NOT NULL, c numeric(12,2), d timestamptz, e boolean, \
      f jsonb, g uuid, h double precision, i date, j bytea, k char(5), l mood, m interval, n real, o time, p oid, \
      q timestamp, r text[], s json, t varchar(20)); \
    INSERT INTO wide SELECT i, i % 100, 'text ' || i, i / 7.0, '2020-01-01Z'::timestamptz + i * interval '1 hour', \
      CASE i % 3 WHEN 0 THEN true WHEN 1 THEN false END, jsonb_build_object('n', i), md5(i::text)::uuid, i / 3.0, \
      '2020-01-01'::date + i, decode(md5(i::text), 'hex'), 'c' || i % 10, CASE i % 2 WHEN 0 THEN 'sad' ELSE 'glad' END::mood, \
      i * interval '1 minute', i / 2.0, '00:00'::time + i * interval '1 second', i, '2020-01-01'::timestamp, ARRAY['x', i::text], \
      json_build_array(i), NULLIF(i % 5, 0)::text FROM generate_series(1, 1000) AS i;";

#[test]
fn two_databases_hash_alike_and_say_where_they_differ() {
    let (_here, mut here) = fresh(WIDE);
    let change = "UPDATE wide SET t = 'other' WHERE id = 500; DELETE FROM wide WHERE id = 900; \
                  INSERT INTO wide (id, b) VALUES (5000, 'new');";
    let (there_database, mut there) = fresh(WIDE);
    let buckets = 64;
    let offers = [&mut here, &mut there].map(|side| offer(side.as_mut(), "wide").unwrap());
    assert_eq!(offers[0].dialect, offers[1].dialect);
    assert!(offers[0].bytes > 100_000, "{offers:?}");
    let source = fold(here.as_mut(), "wide", buckets);
    assert_eq!(source, fold(there.as_mut(), "wide", buckets));
    assert_eq!(source.iter().map(|bucket| bucket.count).sum::<u64>(), 1000);
    assert!(source.iter().filter(|bucket| bucket.count > 0).count() > 40);

    there_database.sql(change).unwrap();
    let target = fold(there.as_mut(), "wide", buckets);
    let chosen = Chosen::differing(&source, &target);
    assert!((1..=3).contains(&chosen.count()), "{}", chosen.count());
    let read = part(here.as_mut(), buckets, &chosen);
    assert!(
        read.contains(&500) && read.contains(&900) && read.len() < 100,
        "{read:?}"
    );
    assert!(read.is_sorted());
    let read = part(there.as_mut(), buckets, &chosen);
    assert!(read.contains(&500) && read.contains(&5000) && !read.contains(&900));
}

/// The ids of the records in the chosen buckets; the snapshot is used again afterwards.
fn part(endpoint: &mut dyn Endpoint, buckets: u32, chosen: &Chosen) -> Vec<i64> {
    let asked = Asked::of(endpoint, "wide");
    let mut snapshot: Box<dyn Snapshot> = endpoint.snapshot().unwrap();
    let hashing = asked.hashing(buckets);
    let mut ids = Vec::new();
    {
        let hashes = snapshot.hashes().unwrap();
        let mut scan = hashes.scan(&asked.request(), &hashing, chosen).unwrap();
        let mut batch = Batch::new(asked.fields.len());
        while scan.next(&mut batch).unwrap() {
            let of = |record: trueup_core::batch::Record<'_>| match record.value(0) {
                trueup_core::value::Value::Int(id) => id,
                other => panic!("{other:?}"),
            };
            ids.extend(batch.records().map(of));
            batch.reset(asked.fields.len());
        }
    }
    assert!(!snapshot.is_empty(&asked.schema).unwrap());
    ids
}

/// A scan would fail at it, so the two sides never agree on it.
#[test]
fn a_value_that_a_scan_refuses_is_never_left_out() {
    for ty in ["timestamp", "timestamptz"] {
        let sql = format!(
            "CREATE TABLE t (id int PRIMARY KEY, v {ty}); INSERT INTO t VALUES (1, '294250-01-01')"
        );
        let (_database, mut endpoint) = fresh(&sql);
        let asked = Asked::of(endpoint.as_mut(), "t");
        let mut snapshot = endpoint.snapshot().unwrap();
        let mut sum = |salt| {
            let hashing = Hashing {
                salt,
                ..asked.hashing(1)
            };
            let hashes = snapshot.hashes().unwrap();
            hashes.fold(&asked.request(), &hashing).unwrap()[0].sum
        };
        assert_ne!(sum(1), sum(2), "{ty}");
    }
    let (_database, mut endpoint) = fresh("CREATE TABLE t (id int PRIMARY KEY, v \"char\")");
    assert_eq!(offer(endpoint.as_mut(), "t"), None);
}

#[test]
fn equal_keys_share_a_bucket_however_they_are_spelled() {
    let (_database, mut endpoint) = fresh(
        "CREATE TABLE a (id numeric PRIMARY KEY); CREATE TABLE b (id numeric PRIMARY KEY); \
         INSERT INTO a SELECT i FROM generate_series(1, 50) AS i; INSERT INTO b SELECT i + 0.00 FROM generate_series(1, 50) AS i;",
    );
    let counts = |buckets: Vec<Bucket>| {
        buckets
            .iter()
            .map(|bucket| bucket.count)
            .collect::<Vec<_>>()
    };
    let a = counts(fold(endpoint.as_mut(), "a", 16));
    assert_eq!(a, counts(fold(endpoint.as_mut(), "b", 16)));
}

#[test]
fn whole_numbers_spread_over_all_buckets() {
    let (_database, mut endpoint) = fresh(
        "CREATE TABLE t (a int, b int, PRIMARY KEY (a, b)); \
         INSERT INTO t SELECT i, i FROM generate_series(1, 20000) AS i;",
    );
    let buckets = fold(endpoint.as_mut(), "t", 256);
    let largest = buckets.iter().map(|bucket| bucket.count).max().unwrap();
    assert!(largest < 200, "{largest}");
}
