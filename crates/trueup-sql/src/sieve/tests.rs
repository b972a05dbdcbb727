//! What a source holds back is what the filter hides, for every comparison of every field with every value it holds.

use crate::server::given::schema;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Context, Endpoint, Order, ScanRequest, Snapshot};
use trueup_core::filter::{Compare, Filter, Term};
use trueup_core::schema::Schema;
use trueup_core::sieve::decided;
use trueup_core::value::Value;
use trueup_testkit::Owned;

const COMPARISONS: [Compare; 6] = [
    Compare::Equal,
    Compare::NotEqual,
    Compare::Less,
    Compare::AtMost,
    Compare::Greater,
    Compare::AtLeast,
];

fn read(snapshot: &mut dyn Snapshot, schema: &Schema, sieve: &[Term]) -> Vec<Vec<Owned>> {
    let fields: Vec<usize> = (0..schema.fields.len()).collect();
    let wanted: Vec<_> = schema.fields.iter().map(|field| field.ty).collect();
    let request = ScanRequest {
        schema,
        fields: &fields,
        wanted: &wanted,
        order: Order::Key(&[0]),
        after: None,
        sieve,
        batch_records_max: 1000,
        batch_bytes_max: 1 << 20,
    };
    let mut scan = snapshot.scan(&request).unwrap();
    let (mut records, mut batch) = (Vec::new(), Batch::new(fields.len()));
    while scan.next(&mut batch).unwrap() {
        records.extend(batch.records().map(Owned::record));
        batch.reset(fields.len());
    }
    records
}

/// Compares each field with each value that stands in it.
fn terms(schema: &Schema, records: &[Vec<Owned>]) -> Vec<Term> {
    let mut terms = Vec::new();
    for (at, field) in schema.fields.iter().enumerate() {
        for compare in COMPARISONS {
            for record in records {
                let constant = record[at].value();
                terms.extend(Term::new(&field.name, field.ty, compare, constant));
            }
            terms.extend(Term::new(&field.name, field.ty, compare, Value::Null));
        }
    }
    terms
}

/// Reads table `t` by each term alone and by pairs of them; tells how many records were hidden and how many held back,
/// by terms that are decided.
fn hold_against(endpoint: &mut dyn Endpoint) -> (usize, usize) {
    let schema = schema(endpoint, "t");
    let mut snapshot = endpoint.snapshot().unwrap();
    let all = read(snapshot.as_mut(), &schema, &[]);
    let terms = terms(&schema, &all);
    let alone = terms.iter().map(|term| vec![term.clone()]);
    let pairs = (0..terms.len()).step_by(3).map(|at| {
        let other = (at * 7919 + 13) % terms.len();
        vec![terms[at].clone(), terms[other].clone()]
    });
    let (mut hidden, mut held) = (0, 0);
    for sieve in alone.chain(pairs).collect::<Vec<_>>() {
        let come = read(snapshot.as_mut(), &schema, &sieve);
        let filter = Filter::Terms(String::new(), sieve.clone());
        let names = filter.fields().into_iter();
        let places: Vec<usize> = names.filter_map(|name| schema.index_of(name)).collect();
        let says = |record: &Vec<Owned>| {
            filter.passes(&|term| record[places[term]].value(), &mut Vec::new())
        };
        let shown: Vec<String> = come.iter().map(|record| format!("{record:?}")).collect();
        for record in &all {
            let comes = shown.contains(&format!("{record:?}"));
            assert!(
                comes || says(record) == Ok(false),
                "{record:?} has to come: {sieve:?}"
            );
        }
        if sieve.len() == 1 && !decided(&sieve, &schema).is_empty() {
            hidden += all
                .iter()
                .filter(|record| says(record) == Ok(false))
                .count();
            held += all.len() - come.len();
        }
    }
    (hidden, held)
}

#[test]
fn postgres_holds_back_what_the_filter_hides() {
    let database = trueup_testkit::servers::postgres::shared(None).unwrap();
    let database = database.fresh_database().unwrap();
    database
        .sql(
            "CREATE DOMAIN small AS numeric(6,2); CREATE TYPE mood AS ENUM ('sad', 'ok'); \
             CREATE TABLE t (id int PRIMARY KEY, a smallint, b bigint, c oid, d numeric, e small, f text COLLATE \"en-x-icu\", \
               g varchar(9), h char(4), i bytea, j date, k timestamp, l timestamptz, m uuid, n bool, o double precision, \
               p time, q mood, r json, s interval); \
             INSERT INTO t VALUES \
             (1, 0, 9223372036854775807, 4294967295, 'NaN', 'NaN', 'a', 'a ', 'a', 'a', 'infinity', 'infinity', '-infinity', \
               'ffffffff-0000-0000-0000-000000000000', true, 'NaN', '24:00', 'ok', '1', '1 day'), \
             (2, -1, -9223372036854775808, 0, 1.50, 1.5, 'A', 'a', '', '\\x00ff', '2024-02-29', '2024-02-29 12:00:00.000001', \
               '2024-02-29 12:00+02', '00000000-0000-0000-0000-000000000001', false, 1.5, '00:00', 'sad', '{}', '24:00'), \
             (3, 32767, 0, 1, -1e30, 0, 'ä', '''x\\', 'b''', '', '0044-03-15 BC', '294247-01-02', '294276-12-31', NULL, NULL, \
               'Infinity', NULL, NULL, NULL, NULL), \
             (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), \
             (5, 7, 7, 7, 7, 7, 'e\u{301}', 'é', 'B', 'b', '9999-12-31', '9999-12-31 23:59:59.999999', '0001-01-01 BC', \
               'ffffffff-0000-0000-0000-000000000001', true, -0.0, '12:00:00.5', 'ok', '7', '-1 day')",
        )
        .unwrap();
    let mut endpoint = crate::postgres::connect(&database.url(), Context::empty()).unwrap();
    let (hidden, held) = hold_against(endpoint.as_mut());
    assert!(held * 10 >= hidden * 8 && held > 0, "{held} of {hidden}");
}

#[test]
fn mysql_holds_back_what_the_filter_hides() {
    let database = trueup_testkit::servers::mariadb::shared().unwrap();
    let database = database.fresh_database().unwrap();
    database
        .sql(
            "SET sql_mode = 'ALLOW_INVALID_DATES'; SET time_zone = '+00:00'; \
             CREATE TABLE t (id int PRIMARY KEY, a tinyint unsigned, b bigint, c bool, d decimal(20,4), e varchar(9), \
               f varchar(9) COLLATE utf8mb4_nopad_bin, g char(4) CHARACTER SET latin1, h enum('a','B'), i set('x','y'), j date, \
               k datetime(6), l timestamp(3) NULL, m uuid, n double, o varbinary(5), p bigint unsigned, q float) \
               DEFAULT CHARSET utf8mb4; \
             INSERT INTO t VALUES \
             (1, 0, 9223372036854775807, 7, 1.5, 'a', 'a ', 'a', 'a', 'x', '0000-00-00', '0000-00-00', '0000-00-00 00:00:00', \
               'ffffffff-0000-0000-0000-000000000000', 1.5, 'a', 18446744073709551615, 0.1), \
             (2, 255, -9223372036854775808, 0, -1.5, 'A ', 'a', '', 'B', 'x,y', '2024-02-31', '2024-02-31 12:00:00.000001', \
               '2024-02-29 12:00:00.5', '00000000-0000-0000-0000-000000000001', -0.0, '', 0, 16777216), \
             (3, 7, 0, 1, 0, 'ä', '''x\\\\', 'b''', '', '', '2024-02-00', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', \
               NULL, 1e300, 0x00ff, 1, -1), \
             (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), \
             (5, 8, 8, 1, 8.0001, 'a ', 'B', 'é', 'a', 'y', '2024-02-29', '1000-01-01', '1970-01-01 00:00:01', \
               'ffffffff-0000-0000-0000-000000000001', 0, 'A', 9, 9), \
             (6, 8, 8, 1, 8.0001, '', '', 'A', 'a', 'y', '0000-05-05', '2024-04-31', '1970-01-01 00:00:01', \
               'ffffffff-0000-0000-0000-000000000001', 0, 'A', 9, 9)",
        )
        .unwrap();
    let mut endpoint = crate::mysql::connect(&database.url(), Context::empty()).unwrap();
    let (hidden, held) = hold_against(endpoint.as_mut());
    assert!(held * 10 >= hidden * 8 && held > 0, "{held} of {hidden}");
}

#[test]
fn sqlite_holds_back_what_the_filter_hides() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b BOOLEAN, c REAL, d TEXT, e DECIMAL_TEXT); \
         INSERT INTO t VALUES (1, 5, 1, 1.5, 'a', '1.50'), (2, 'x', 7, 'y', x'ff', 1), (3, NULL, NULL, NULL, NULL, NULL), \
         (4, 2.5, 0, 1e400, 5, 'NaN'), (5, -9223372036854775808, 'true', -0.0, '', '-1'), (6, x'05', 2.5, 7, 'A', '9'), \
         (7, 9223372036854775807, 1, 3, 'b', '0')",
    )
    .unwrap();
    let address = format!("sqlite:{}", path.display());
    let mut endpoint = crate::sqlite::connect(&address, Context::empty()).unwrap();
    let (hidden, held) = hold_against(endpoint.as_mut());
    assert!(held * 10 >= hidden * 8 && held > 0, "{held} of {hidden}");
}
