//! Cases about conditional writes: each record is written only if the target still holds what was expected.

use super::stage::Stage;
use super::{Case, Need};
use crate::owned::Owned;
use crate::record;
use crate::records::{Writing, schema};
use std::sync::{Mutex, PoisonError};
use trueup_core::batch::Record;
use trueup_core::endpoint::{Check, Outcome};
use trueup_core::schema::Schema;

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
        let seen = check.seen(index).map(|record| cast(stage, &record));
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

fn cast(stage: &Stage<'_>, record: &[Owned]) -> Vec<Owned> {
    let types = orders().fields.into_iter().map(|field| field.ty);
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
