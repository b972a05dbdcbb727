//! Cases about conditional writes: each record is written only if the target still holds what was expected.

use super::extremes::{HELD, extremes};
use super::stage::{Made, Stage};
use super::{Case, Need};
use crate::owned::Owned;
use crate::record;
use crate::records::{Ask, Writing, collect, owned, schema};
use std::sync::{Mutex, PoisonError};
use trueup_core::batch::Record;
use trueup_core::endpoint::{Check, Outcome};
use trueup_core::schema::Schema;
use trueup_core::types::Type;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "condition sees the record as it stands",
        needs: &[Need::Check],
        run: sees_current,
    },
    Case {
        name: "stale writes are left out",
        needs: &[Need::Check],
        run: stale_left_out,
    },
    Case {
        name: "marker holds the rejected writes too",
        needs: &[Need::Check, Need::Marker, Need::Transactional],
        run: marker_holds_rejected,
    },
    Case {
        name: "marker holds the stale list",
        needs: &[Need::Check, Need::Marker],
        run: marker_holds_stale,
    },
    Case {
        name: "condition sees only the batch's fields",
        needs: &[Need::Check],
        run: sees_fields,
    },
    Case {
        name: "condition sees what a scan delivers",
        needs: &[Need::Check],
        run: sees_scanned,
    },
    Case {
        name: "conditional writes with fields in any order",
        needs: &[Need::Check],
        run: any_order,
    },
];

/// Holds for the writes whose current record is the expected one; remembers what it saw.
struct Expect {
    expected: Vec<Option<Vec<Owned>>>,
    seen: Mutex<Vec<(usize, Option<Vec<Owned>>)>>,
}

impl Expect {
    fn new(expected: &[Option<Vec<Owned>>]) -> Self {
        Self {
            expected: expected.to_vec(),
            seen: Mutex::default(),
        }
    }

    /// The last that was seen of each write.
    fn seen(&self, index: usize) -> Option<Vec<Owned>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let found = seen.iter().rev().find(|(write, _)| *write == index);
        found
            .expect("the condition is asked about every write")
            .1
            .clone()
    }
}

impl Check for Expect {
    fn holds(&self, index: usize, current: Option<Record<'_>>) -> bool {
        let current = current.map(Owned::record);
        let holds = current == self.expected[index];
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((index, current));
        holds
    }

    fn position(&self, left_out: &[usize]) -> Vec<u8> {
        format!("left out {left_out:?}").into_bytes()
    }
}

fn orders() -> Schema {
    schema("orders")
        .int("id")
        .text("v")
        .int("n")
        .key(["id"])
        .build()
}

fn start() -> Vec<Vec<Owned>> {
    (1..=4_i64)
        .map(|id| record![id, format!("old {id}"), None::<i64>])
        .collect()
}

/// Insert 9, insert 1 (exists), update 2, update 8 (missing), delete 3, delete 7 (missing).
fn writes(writing: Writing) -> Writing {
    writing
        .insert(&record![9, "new", 9])
        .insert(&record![1, "new", 1])
        .update(&record![2, "new", 2])
        .update(&record![8, "new", 8])
        .delete(&record![3])
        .delete(&record![7])
}

fn current() -> Vec<Option<Vec<Owned>>> {
    let start = start();
    let at = |index: usize| Some(start[index].clone());
    vec![None, at(0), at(1), None, at(2), None]
}

fn sees_current(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    made.insert(1, &start());
    let check = Expect::new(&current());
    let writing = writes(made.writing(2));
    let applied = writing
        .apply_checked(made.writer.as_mut(), &check)
        .expect("it is applied");
    made.writer
        .finish("orders")
        .expect("what was applied becomes durable");
    for (index, expected) in current().into_iter().enumerate() {
        let types = orders().fields.into_iter().map(|field| field.ty);
        let seen = check.seen(index).map(|record| cast(stage, types, &record));
        assert_eq!(seen, expected, "write {index}");
    }
    let stale = |outcome: &Outcome| matches!(outcome, Outcome::Stale);
    assert!(
        !applied.outcomes.iter().any(stale),
        "{:?}",
        applied.outcomes
    );
    let mut expected = vec![start()[3].clone()];
    expected.extend([1_i64, 2, 8, 9].map(|id| record![id, "new", id]));
    stage.expect(&orders(), &expected);
}

fn cast(stage: &Stage<'_>, types: impl IntoIterator<Item = Type>, record: &[Owned]) -> Vec<Owned> {
    record
        .iter()
        .zip(types)
        .map(|(value, ty)| stage.fixture.cast(ty, value))
        .collect()
}

fn stale_left_out(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    made.insert(1, &start());
    // Everything is not what was expected, one write at a time.
    for wrong in 0..6 {
        let mut expected = current();
        expected[wrong] = match &expected[wrong] {
            Some(_) => None,
            None => Some(record![0, "gone", 0]),
        };
        let reset = start()
            .iter()
            .fold(made.writing(2), |writing, record| writing.insert(record));
        let reset = reset.delete(&record![8]).delete(&record![9]);
        made.apply_all(&reset);
        let check = Expect::new(&expected);
        let writing = writes(made.writing(3));
        let applied = writing
            .apply_checked(made.writer.as_mut(), &check)
            .expect("it is applied");
        made.writer
            .finish("orders")
            .expect("what was applied becomes durable");
        for (index, outcome) in applied.outcomes.iter().enumerate() {
            let stale = matches!(outcome, Outcome::Stale);
            assert_eq!(
                stale,
                index == wrong,
                "wrong={wrong} write {index}: {outcome:?}"
            );
        }
        stage.expect(&orders(), &without(wrong));
    }
}

/// What stands after all writes but one.
fn without(left_out: usize) -> Vec<Vec<Owned>> {
    let mut records = vec![start()[3].clone()];
    let new = |id: i64| record![id, "new", id];
    if left_out != 0 {
        records.push(new(9));
    }
    records.push(if left_out == 1 {
        start()[0].clone()
    } else {
        new(1)
    });
    records.push(if left_out == 2 {
        start()[1].clone()
    } else {
        new(2)
    });
    if left_out != 3 {
        records.push(new(8));
    }
    if left_out == 4 {
        records.push(start()[2].clone());
    }
    records
}

fn marker_holds_stale(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    made.insert(1, &start());
    let mut expected = current();
    expected[2] = None;
    expected[4] = None;
    let writing = writes(made.writing(2)).position(b"not this one");
    let check = Expect::new(&expected);
    writing
        .apply_checked(made.writer.as_mut(), &check)
        .expect("it is applied");
    let marker = made
        .writer
        .marker("orders")
        .expect("the marker can be read");
    let marker = marker.expect("the batch is marked");
    assert_eq!(marker.batch, 2);
    assert_eq!(String::from_utf8_lossy(&marker.position), "left out [2, 4]");
    let fine = made.writing(3).insert(&record![20, "new", 20]);
    let check = Expect::new(&[None]);
    fine.apply_checked(made.writer.as_mut(), &check)
        .expect("it is applied");
    let marker = made
        .writer
        .marker("orders")
        .expect("the marker can be read");
    let marker = marker.expect("the batch is marked");
    assert_eq!(String::from_utf8_lossy(&marker.position), "left out []");
}

/// A refused write leaves no trace but this one: a caller that died before the answer must not take it for done.
fn marker_holds_rejected(stage: &mut Stage<'_>) {
    let shape = schema("orders").int("id").int("n").key(["id"]);
    let mut made = stage.make(shape.unique(["n"]).build());
    made.insert(1, &[record![1, 10], record![2, 20]]);
    let writing = made.writing(2);
    let writing = writing.insert(&record![3, 30]).insert(&record![4, 10]);
    let writing = writing.update(&record![2, 21]);
    let check = Expect::new(&[None, None, None]);
    let applied = writing
        .apply_checked(made.writer.as_mut(), &check)
        .expect("it is applied");
    assert!(matches!(applied.outcomes[1], Outcome::Rejected { .. }));
    let marker = made.writer.marker("orders");
    let marker = marker.expect("the marker can be read");
    let marker = marker.expect("the batch is marked");
    assert_eq!(String::from_utf8_lossy(&marker.position), "left out [1, 2]");
}

fn sees_fields(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    made.insert(1, &[record![1, "one", 10]]);
    let writing = made.writing(2).fields(["n", "id"]).update(&record![11, 1]);
    let check = Expect::new(&[Some(record![10, 1])]);
    let applied = writing
        .apply_checked(made.writer.as_mut(), &check)
        .expect("it is applied");
    made.writer
        .finish("orders")
        .expect("what was applied becomes durable");
    assert!(
        matches!(applied.outcomes[..], [Outcome::Applied(_)]),
        "{:?}",
        applied.outcomes
    );
    stage.expect(&orders(), &[record![1, "one", 11]]);
}

/// Every held type in one record, fields last first: what the condition gets must be what the scan gave, value for
/// value and class for class, or a record that nobody touched would look changed.
fn sees_scanned(stage: &mut Stage<'_>) {
    let held: Vec<_> = HELD
        .iter()
        .copied()
        .filter(|&ty| stage.fixture.holds(ty))
        .collect();
    let names: Vec<String> = (0..held.len()).map(|index| format!("f{index}")).collect();
    let mut wanted = schema("values").int("id");
    for (name, &ty) in names.iter().zip(&held) {
        wanted = wanted.field(name, ty);
    }
    let mut made = stage.make(wanted.key(["id"]));
    let longest = held.iter().map(|&ty| extremes(ty).len()).max();
    let value = |ty, index: usize| {
        let values = extremes(ty);
        let value = values[index % values.len()].clone();
        let refused = stage.fixture.refuses(ty, &value);
        if refused { Owned::Null } else { value }
    };
    let record = |index: usize| -> Vec<Owned> {
        let id = i64::try_from(index).expect("there are few records");
        let values = held.iter().map(|&ty| value(ty, index));
        std::iter::once(id.into()).chain(values).collect()
    };
    let records: Vec<_> = (0..longest.unwrap_or(0)).map(record).collect();
    made.insert(1, &records);

    let schema = made.schema();
    let fields: Vec<usize> = (0..schema.fields.len()).rev().collect();
    let scanned = scanned(&mut made, &fields);
    assert_eq!(scanned.len(), records.len());
    let order = fields
        .iter()
        .map(|&field| schema.fields[field].name.as_str());
    let writing = scanned
        .iter()
        .fold(made.writing(2).fields(order), |w, record| w.update(record));
    let check = Expect::new(&vec![None; scanned.len()]);
    let applied = writing
        .apply_checked(made.writer.as_mut(), &check)
        .expect("it is applied");
    for (index, scanned) in scanned.iter().enumerate() {
        assert_eq!(check.seen(index).as_ref(), Some(scanned), "write {index}");
        assert_eq!(applied.outcomes[index], Outcome::Stale, "write {index}");
    }
}

/// Reads records as they are stored, uncast.
fn scanned(made: &mut Made, fields: &[usize]) -> Vec<Vec<Owned>> {
    let schema = made.schema();
    let mut snapshot = made.endpoint.snapshot().expect("a snapshot opens");
    let ask = Ask {
        fields: fields.to_vec(),
        ..Ask::all(&schema)
    };
    let (_, batches) =
        collect(snapshot.as_mut(), &schema, &ask).expect("the scan reads to its end");
    batches.iter().flat_map(owned).collect()
}

const FIELDS: [&str; 4] = ["a", "v", "b", "k"];

/// Rotations of the schema's order and of its reverse: the key (`k`, `a`) stands everywhere, either way round.
fn field_orders() -> Vec<[usize; 4]> {
    let forth = (0..4).map(|by| [0, 1, 2, 3].map(|at| (at + by) % 4));
    let back = (0..4).map(|by| [3, 2, 1, 0].map(|at| (at + by) % 4));
    forth.chain(back).collect()
}

fn arranged(record: &[Owned], order: [usize; 4]) -> Vec<Owned> {
    order.map(|at| record[at].clone()).to_vec()
}

/// In each order, all writes hold or one of them does not.
fn any_order(stage: &mut Stage<'_>) {
    let wanted = schema("orders")
        .int("a")
        .text("v")
        .int("b")
        .text("k")
        .key(["k", "a"])
        .build();
    let mut made = stage.make(wanted.clone());
    let key = |n: i64| record![format!("k{n}"), n];
    let old = |n: i64| record![n, "old", None::<i64>, format!("k{n}")];
    let new = |n: i64| record![n, "new", n * 10, format!("k{n}")];
    for (turn, order) in field_orders().into_iter().enumerate() {
        let reset = [8, 9]
            .iter()
            .fold(made.writing(2), |writing, &n| writing.delete(&key(n)))
            .inserts(&[1, 2, 3, 4].map(old));
        made.apply_all(&reset);
        let writing = made
            .writing(3)
            .fields(order.map(|at| FIELDS[at]))
            .insert(&arranged(&new(9), order))
            .insert(&arranged(&new(1), order))
            .update(&arranged(&new(2), order))
            .update(&arranged(&new(8), order))
            .delete(&key(3))
            .delete(&key(7));
        let current = [None, Some(1), Some(2), None, Some(3), None]
            .map(|n| n.map(|n| arranged(&old(n), order)));
        let wrong = turn % 7;
        let mut expected = current.clone();
        if let Some(expected) = expected.get_mut(wrong) {
            let other = arranged(&new(6), order);
            *expected = expected.is_none().then_some(other);
        }
        let check = Expect::new(&expected);
        let applied = writing
            .apply_checked(made.writer.as_mut(), &check)
            .expect("it is applied");
        made.writer
            .finish("orders")
            .expect("what was applied becomes durable");
        let types = order.map(|at| wanted.fields[at].ty);
        for (index, outcome) in applied.outcomes.iter().enumerate() {
            let place = format!("order={order:?} write {index}: {outcome:?}");
            let seen = check.seen(index).map(|seen| cast(stage, types, &seen));
            assert_eq!(seen, current[index], "{place}");
            assert_eq!(matches!(outcome, Outcome::Stale), index == wrong, "{place}");
        }
        let left = |write: usize, before: Option<i64>, after: Option<i64>| {
            if write == wrong {
                before.map(old)
            } else {
                after.map(new)
            }
        };
        let mut stands = vec![old(4)];
        stands.extend(left(0, None, Some(9)));
        stands.extend(left(1, Some(1), Some(1)));
        stands.extend(left(2, Some(2), Some(2)));
        stands.extend(left(3, None, Some(8)));
        stands.extend(left(4, Some(3), None));
        stage.expect(&wanted, &stands);
    }
}
