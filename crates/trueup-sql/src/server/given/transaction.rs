//! What the tests of transactions do alike: several batches, one commit, one marker.

use super::{claim, schema};
use trueup_core::Kind;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Endpoint, Mark, Op, Outcome, Writes};
use trueup_core::follow::Transaction;
use trueup_core::schema::Schema;
use trueup_core::value::Value;

/// What the trials begin with.
pub(crate) const TABLES: &str = "\
    CREATE TABLE t (id int PRIMARY KEY, a varchar(9), b int UNIQUE); CREATE TABLE u (id int PRIMARY KEY); \
    INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2); INSERT INTO u VALUES (1), (2)";

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

/// Several batches are there with their marker, or not at all. `sql` answers with a tab between values.
pub(crate) fn all_or_nothing(endpoint: &mut dyn Endpoint, sql: &dyn Fn(&str) -> String) {
    let (t, u) = (schema(endpoint, "t"), schema(endpoint, "u"));
    let mut writer = endpoint.writer(&claim()).unwrap();
    for commit in [false, true] {
        let mut transaction = writer.transaction().unwrap().unwrap();
        fill(transaction.as_mut(), &t, &u);
        assert_eq!(sql("SELECT * FROM u ORDER BY id"), "1\n2");
        if commit {
            transaction.commit(&mark(1)).unwrap();
        } else {
            drop(transaction);
            assert_eq!(sql("SELECT id FROM t ORDER BY id"), "1\n2");
            assert_eq!(writer.marker(MARK).unwrap(), None);
        }
    }
    assert_eq!(
        sql("SELECT * FROM t ORDER BY id"),
        "3\tthree\t30\n20\ttwo\t2"
    );
    assert_eq!(sql("SELECT * FROM u"), "7");
    let marker = writer.marker(MARK).unwrap().unwrap();
    assert_eq!((marker.batch, marker.position), (1, vec![9]));
}

/// Who was claimed away begins no transaction.
pub(crate) fn fenced(endpoint: &mut dyn Endpoint) {
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

/// Records of `t` by number, and what stands in the third field.
fn numbered(ids: std::ops::Range<i64>, b: i64) -> Vec<[Value<'static>; 3]> {
    let record = |id| {
        [
            Value::Int(id),
            Value::Text("many"),
            Value::Int(b * 10_000 + id),
        ]
    };
    ids.map(record).collect()
}

/// Batches too large to be written one by one, of two tables in turn and of the same records again: each sees what the ones
/// before it wrote, and nothing of what they were sent.
pub(crate) fn many(endpoint: &mut dyn Endpoint, sql: &dyn Fn(&str) -> String) {
    let (t, u) = (schema(endpoint, "t"), schema(endpoint, "u"));
    let mut writer = endpoint.writer(&claim()).unwrap();
    for round in 1..=2 {
        let mut one = writer.transaction().unwrap().unwrap();
        let applied = |outcomes: Vec<Outcome>| {
            let unlike = outcomes.iter().find(|one| **one != Outcome::Applied(None));
            assert_eq!(unlike, None);
        };
        let first = numbered(100..400, 1);
        let again = numbered(200..500, 2);
        let [first, again]: [Vec<&[Value<'_>]>; 2] =
            [&first, &again].map(|all| all.iter().map(<[Value<'_>; 3]>::as_slice).collect());
        let ids: Vec<[Value<'_>; 1]> = (1000..1300).map(|id| [Value::Int(id)]).collect();
        let ids: Vec<&[Value<'_>]> = ids.iter().map(<[Value<'_>; 1]>::as_slice).collect();
        applied(write(one.as_mut(), &t, Op::Insert, &first));
        applied(write(one.as_mut(), &u, Op::Insert, &ids));
        applied(write(one.as_mut(), &t, Op::Insert, &again));
        write(one.as_mut(), &t, Op::Delete, &first[..150]);
        write(one.as_mut(), &u, Op::Delete, &ids[..200]);
        applied(write(one.as_mut(), &t, Op::Insert, &first[..1]));
        if round == 2 {
            one.commit(&mark(1)).unwrap();
        }
    }
    let counts = "SELECT count(*), min(id), max(id), sum(b) FROM t WHERE id >= 100";
    let sum: i64 = 10_100 + (250..500).map(|id| 20_000 + id).sum::<i64>();
    assert_eq!(sql(counts), format!("251\t100\t499\t{sum}"));
    assert_eq!(
        sql("SELECT count(*), min(id) FROM u WHERE id >= 1000"),
        "100\t1200"
    );
}
