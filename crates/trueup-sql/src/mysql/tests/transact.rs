//! Several batches in one transaction, with one marker.

use super::*;
use trueup_core::Kind;
use trueup_core::endpoint::{Mark, Outcome, Writes};
use trueup_core::follow::Transaction;

fn unused() -> Mark {
    Mark {
        partition: String::new(),
        batch: 0,
        position: Vec::new(),
    }
}

/// Records of one width.
fn batch(records: &[&[Value<'_>]]) -> Batch {
    let mut batch = Batch::new(records.first().map_or(0, |record| record.len()));
    let values = records.iter().flat_map(|record| record.iter());
    values.for_each(|value| batch.push(*value));
    batch
}

/// Writes into `fields` of `schema`, whose first is the key.
fn write(
    transaction: &mut dyn Transaction,
    schema: &Schema,
    op: Op,
    records: &[&[Value<'_>]],
) -> Vec<Outcome> {
    let records = batch(records);
    let fields: Vec<usize> = (0..records.width()).collect();
    let ops = vec![op; records.len()];
    let writes = Writes {
        schema,
        fields: &fields,
        key: &[0],
        ops: &ops,
        records: &records,
        mark: &unused(),
        load: false,
        check: None,
        bag: None,
    };
    transaction.write(&writes).unwrap()
}

fn amend(
    transaction: &mut dyn Transaction,
    schema: &Schema,
    fields: &[usize],
    records: &[&[Value<'_>]],
    before: Option<&[&[Value<'_>]]>,
) -> Vec<Outcome> {
    let records = batch(records);
    let ops = vec![Op::Update; records.len()];
    let writes = Writes {
        schema,
        fields,
        key: &[0],
        ops: &ops,
        records: &records,
        mark: &unused(),
        load: false,
        check: None,
        bag: None,
    };
    let before = before.map(batch);
    transaction.amend(&writes, before.as_ref()).unwrap()
}

const MARK: &str = "stream";

fn mark(batch: u64) -> Mark {
    Mark {
        partition: MARK.to_owned(),
        batch,
        position: vec![9],
    }
}

/// Does something of everything.
fn fill(one: &mut dyn Transaction, t: &Schema, u: &Schema) {
    let int = Value::Int;
    one.clear(u).unwrap();
    let written = write(
        one,
        t,
        Op::Insert,
        &[
            &[int(3), Value::Text("three"), int(3)],
            &[int(4), Value::Text("too long for it"), int(4)],
        ],
    );
    assert_eq!(written[0], Outcome::Applied(None));
    assert!(
        matches!(&written[1], Outcome::Rejected { blocked: false, .. }),
        "{written:?}"
    );
    assert_eq!(
        write(one, u, Op::Insert, &[&[int(7)]]),
        [Outcome::Applied(None)]
    );
    // Some fields, one of them the same as before; one record that is missing, one that is in the way.
    let amended = amend(
        one,
        t,
        &[0, 2],
        &[
            &[int(1), int(1)],
            &[int(9), int(9)],
            &[int(2), int(3)],
            &[int(3), int(30)],
        ],
        None,
    );
    assert_eq!(amended[0], Outcome::Applied(None));
    assert_eq!(amended[1], Outcome::Stale);
    assert!(
        matches!(&amended[2], Outcome::Rejected { blocked: true, .. }),
        "{amended:?}"
    );
    assert_eq!(amended[3], Outcome::Applied(None));
    let moved = amend(one, t, &[0], &[&[int(20)]], Some(&[&[int(2)]]));
    assert_eq!(moved, [Outcome::Applied(None)]);
    assert_eq!(write(one, t, Op::Delete, &[&[int(1)], &[int(99)]]).len(), 2);
}

#[test]
fn several_batches_are_committed_with_their_marker_or_not_at_all() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, a varchar(9), b int UNIQUE); CREATE TABLE u (id int PRIMARY KEY); \
         INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2); INSERT INTO u VALUES (1), (2)",
    );
    let (t, u) = (
        schema(endpoint.as_mut(), "t"),
        schema(endpoint.as_mut(), "u"),
    );
    let mut writer = endpoint.writer(&claim()).unwrap();
    for commit in [false, true] {
        let mut transaction = writer.transaction().unwrap().unwrap();
        fill(transaction.as_mut(), &t, &u);
        assert_eq!(database.sql("SELECT * FROM u ORDER BY id").unwrap(), "1\n2");
        if commit {
            transaction.commit(&mark(1)).unwrap();
        } else {
            drop(transaction);
            assert_eq!(
                database.sql("SELECT id FROM t ORDER BY id").unwrap(),
                "1\n2"
            );
            assert_eq!(writer.marker(MARK).unwrap(), None);
        }
    }
    assert_eq!(
        database.sql("SELECT * FROM t ORDER BY id").unwrap(),
        "3\tthree\t30\n20\ttwo\t2"
    );
    assert_eq!(database.sql("SELECT * FROM u").unwrap(), "7");
    let marker = writer.marker(MARK).unwrap().unwrap();
    assert_eq!((marker.batch, marker.position), (1, vec![9]));
}

#[test]
fn an_older_engine_begins_no_transaction() {
    let (_database, mut endpoint) = fresh("CREATE TABLE t (id int PRIMARY KEY)");
    let mut older = endpoint.writer(&claim()).unwrap();
    let mut newer = endpoint.writer(&claim()).unwrap();
    let error = older.transaction().err().unwrap();
    assert_eq!(error.kind(), Kind::Stale);
    newer
        .transaction()
        .unwrap()
        .unwrap()
        .commit(&mark(1))
        .unwrap();
    newer.mark(&mark(2)).unwrap();
}
