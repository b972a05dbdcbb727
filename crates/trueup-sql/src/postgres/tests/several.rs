//! Several sessions of one run: views of one moment, parts of one table, writers of one epoch.

use super::*;
use std::collections::BTreeMap;
use trueup_core::Kind;
use trueup_core::batch::Record;
use trueup_core::endpoint::{Applied, Part, Writer};
use trueup_core::parcel::Parcel;

/// Reads `parts` of table t through a view each, calling `between` before each, and returns the ids as often as they came.
fn ids(
    endpoint: &mut dyn Endpoint,
    snapshot: &mut dyn Snapshot,
    parts: &[Part],
    mut between: impl FnMut(usize),
) -> BTreeMap<i64, usize> {
    let schema = schema(endpoint, "t");
    let wanted = [Type::INT, Type::TEXT];
    let request = ScanRequest {
        schema: &schema,
        fields: &[0, 1],
        wanted: &wanted,
        order: Order::Natural,
        after: None,
        batch_records_max: 100,
        batch_bytes_max: 1 << 20,
    };
    let mut writer = endpoint.writer(&claim()).unwrap();
    let mut found = BTreeMap::new();
    for (index, part) in parts.iter().enumerate() {
        between(index);
        let mut view = snapshot.another().unwrap().unwrap();
        let mut reading = view.parcels(&request, Some(*part)).unwrap();
        let mut parcel = Parcel::default();
        while reading.next(&mut parcel).unwrap() {
            let mut batch = Batch::new(2);
            writer.open(&schema, &[0, 1], &parcel, &mut batch).unwrap();
            for record in batch.records() {
                if let Value::Int(id) = record.value(0) {
                    *found.entry(id).or_default() += 1;
                }
            }
            parcel.reset();
        }
    }
    found
}

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); \
                 INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 2000) i";

#[test]
fn trap_26_parts_hold_every_record_once_while_the_table_grows_and_shrinks() {
    for change in [
        "INSERT INTO t SELECT i, repeat('y', 300) FROM generate_series($ * 10000 + 3000, $ * 10000 + 5000) i",
        "DELETE FROM t WHERE id % 7 = $; VACUUM t",
        "UPDATE t SET v = v || '$' WHERE id % 3 = 0; UPDATE t SET id = -id WHERE id % 5 = $ AND id > 0",
        "DELETE FROM t WHERE id > 500; VACUUM (TRUNCATE) t",
    ] {
        let (database, mut endpoint) = fresh(T);
        let mut snapshot = endpoint.snapshot().unwrap();
        let shape = schema(endpoint.as_mut(), "t");
        let parts = snapshot.parts(&shape, 8192, 7).unwrap();
        assert_eq!(parts.len(), 7);
        let found = ids(endpoint.as_mut(), snapshot.as_mut(), &parts, |round| {
            for sql in change.replace('$', &round.to_string()).split("; ") {
                database.sql(sql).unwrap();
            }
        });
        let once: BTreeMap<i64, usize> = (1..=2000).map(|id| (id, 1)).collect();
        assert!(found == once, "{change}: {} records", found.len());
    }
}

#[test]
fn trap_26_a_table_is_not_rewritten_while_its_parts_are_read() {
    let (database, mut endpoint) = fresh(&format!("{T}; DELETE FROM t WHERE id <= 1000"));
    let mut snapshot = endpoint.snapshot().unwrap();
    let shape = schema(endpoint.as_mut(), "t");
    let parts = snapshot.parts(&shape, 8192, 2).unwrap();
    let found = ids(endpoint.as_mut(), snapshot.as_mut(), &parts, |_| {
        for rewrite in [
            "VACUUM FULL t",
            "TRUNCATE t",
            "ALTER TABLE t ADD n int DEFAULT random()",
        ] {
            let waits = format!("SET lock_timeout = '10ms'; {rewrite}");
            database.sql(&waits).unwrap_err();
        }
    });
    assert!(found.into_iter().eq((1001..=2000).map(|id| (id, 1))));
    drop(snapshot);
    database.sql("VACUUM FULL t").unwrap();
}

#[test]
fn what_lies_in_several_places_is_not_cut() {
    let (_database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY HASH (id); \
         CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0); \
         INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 2000) i; \
         CREATE TABLE empty (id int PRIMARY KEY)",
    );
    let mut snapshot = endpoint.snapshot().unwrap();
    for (collection, parts) in [("t", 0), ("empty", 1)] {
        let shape = schema(endpoint.as_mut(), collection);
        let found = snapshot.parts(&shape, 100, 8).unwrap();
        assert_eq!(found.len(), parts, "{collection}");
    }
}

/// Does something while a batch's transaction is open.
struct During<F>(F);

impl<F: Fn() + Sync> Check for During<F> {
    fn holds(&self, _: usize, _: Option<Record<'_>>) -> bool {
        (self.0)();
        true
    }

    fn position(&self, _: &[usize]) -> Vec<u8> {
        Vec::new()
    }
}

/// Inserts a record into table u as another worker, under `epoch`.
fn insert(url: &str, epoch: u64) -> trueup_core::Result<Applied> {
    let mut other = connect(url, Context::empty()).unwrap();
    let mut joined = other.join(&claim(), epoch).unwrap().unwrap();
    let record = (Op::Insert, vec![Value::Int(7)]);
    Given::new("u", &["id"]).apply(other.as_mut(), joined.as_mut(), &[record])
}

/// Inserts a record into table t, and calls `during` before the batch is committed.
fn insert_slowly(endpoint: &mut dyn Endpoint, writer: &mut dyn Writer, during: impl Fn() + Sync) {
    let check = During(during);
    let given = Given {
        check: Some(&check),
        ..Given::new("t", &["id"])
    };
    let record = (Op::Insert, vec![Value::Int(1)]);
    given.apply(endpoint, writer, &[record]).unwrap();
}

const T_AND_U: &str = "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)";
const COUNTS: &str = "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM u)";

#[test]
fn writers_of_one_epoch_do_not_wait_for_each_other() {
    let (database, mut endpoint) = fresh(T_AND_U);
    let mut first = endpoint.writer(&claim()).unwrap();
    let (url, epoch) = (database.url(), first.epoch());
    insert_slowly(endpoint.as_mut(), first.as_mut(), || {
        insert(&url, epoch).unwrap();
    });
    assert_eq!(database.sql(COUNTS).unwrap(), "1|1");
}

/// Waits until as many sessions wait for a lock.
fn wait_for(database: &Database, sessions: usize) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while database.sql(sql).unwrap() != sessions.to_string() {}
}

#[test]
fn who_raises_the_epoch_comes_before_batches_that_begin_later() {
    let (database, mut endpoint) = fresh(T_AND_U);
    let mut first = endpoint.writer(&claim()).unwrap();
    let (url, epoch) = (database.url(), first.epoch());
    let (raised, late) = std::thread::scope(|scope| {
        let threads = std::sync::Mutex::new(Vec::new());
        insert_slowly(endpoint.as_mut(), first.as_mut(), || {
            let raise = scope.spawn(|| {
                let mut newer = connect(&url, Context::empty()).unwrap();
                newer.writer(&claim()).map(|writer| writer.epoch())
            });
            wait_for(&database, 1);
            // It shares the lock of the batch that is under way, and would not have to wait for anybody but the claim.
            let late = scope.spawn(|| insert(&url, epoch));
            wait_for(&database, 2);
            threads.lock().unwrap().push((raise, late));
        });
        let (raise, late) = threads.into_inner().unwrap().remove(0);
        (raise.join().unwrap(), late.join().unwrap())
    });
    assert_eq!(raised.unwrap(), epoch + 1);
    assert_eq!(late.unwrap_err().kind(), Kind::Stale);
    assert_eq!(database.sql(COUNTS).unwrap(), "1|0");
}

#[test]
fn a_server_without_room_for_one_more_session_gives_no_other_view() {
    let (database, mut endpoint) = fresh(T);
    let role = format!("narrow_{}", database.name());
    let grant = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'n' CONNECTION LIMIT 2; GRANT SELECT ON t TO {role}"
    );
    database.sql(&grant).unwrap();
    let (port, name) = (database.server().port(), database.name());
    let url = format!("postgres://{role}:n@127.0.0.1:{port}/{name}");
    let mut narrow = connect(&url, Context::empty()).unwrap();
    let mut snapshot = narrow.snapshot().unwrap();
    assert!(snapshot.another().unwrap().is_none());
    let shape = schema(endpoint.as_mut(), "t");
    assert!(
        !snapshot.is_empty(&shape).unwrap(),
        "it is as good as before"
    );
    drop(snapshot);
    drop(narrow);
    let dropped = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    database.sql(&dropped).unwrap();
}
