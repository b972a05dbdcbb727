//! Cases about what a batch of writes does to the records.

use super::stage::{LINK, Made, Stage, claim};
use super::{Case, Need};
use crate::owned::Owned;
use crate::record;
use crate::records::schema;
use trueup_core::endpoint::{Applied, Outcome};
use trueup_core::schema::Schema;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "insert, update and delete in one batch",
        needs: &[],
        run: mixed_batch,
    },
    Case {
        name: "update replaces only the given fields",
        needs: &[],
        run: partial_update,
    },
    Case {
        name: "fields come in any order",
        needs: &[],
        run: any_field_order,
    },
    Case {
        name: "update of a missing record inserts",
        needs: &[],
        run: update_missing,
    },
    Case {
        name: "insert of an existing record replaces",
        needs: &[],
        run: insert_existing,
    },
    Case {
        name: "delete of a missing record does nothing",
        needs: &[],
        run: delete_missing,
    },
    Case {
        name: "batch is repeatable",
        needs: &[],
        run: batch_repeats,
    },
    Case {
        name: "load is repeatable",
        needs: &[],
        run: load_repeats,
    },
    Case {
        name: "load of a collection that has records",
        needs: &[],
        run: load_over_records,
    },
    Case {
        name: "ten thousand records",
        needs: &[],
        run: ten_thousand,
    },
    Case {
        name: "durable is what survives the writer",
        needs: &[],
        run: durable_survives,
    },
    Case {
        name: "null where it is forbidden is rejected",
        needs: &[Need::Transactional],
        run: null_is_rejected,
    },
    Case {
        name: "taken unique value is rejected as blocked",
        needs: &[Need::Transactional],
        run: unique_is_blocked,
    },
    Case {
        name: "every record rejected still is a batch",
        needs: &[Need::Transactional, Need::Marker],
        run: all_rejected,
    },
];

fn orders() -> Schema {
    schema("orders")
        .int("id")
        .text("name")
        .int("count")
        .key(["id"])
        .build()
}

fn start() -> Vec<Vec<Owned>> {
    vec![
        record![1, "one", 10],
        record![2, "two", 20],
        record![3, "three", None::<i64>],
    ]
}

fn made(stage: &mut Stage<'_>) -> Made {
    let mut made = stage.make(orders());
    made.insert(1, &start());
    made
}

fn mixed_batch(stage: &mut Stage<'_>) {
    let mut made = made(stage);
    let writing = made
        .writing(2)
        .insert(&record![4, "four", 40])
        .update(&record![2, "zwei", None::<i64>])
        .delete(&record![1]);
    made.apply_all(&writing);
    let expected = [
        record![2, "zwei", None::<i64>],
        record![3, "three", None::<i64>],
        record![4, "four", 40],
    ];
    stage.expect(&orders(), &expected);
}

fn partial_update(stage: &mut Stage<'_>) {
    let mut made = made(stage);
    let writing = made.writing(2).fields(["id", "count"]);
    let writing = writing.update(&record![1, 11]).update(&record![3, 33]);
    made.apply_all(&writing);
    let writing = made
        .writing(3)
        .fields(["name", "id"])
        .update(&record![None::<i64>, 2]);
    made.apply_all(&writing);
    let expected = [
        record![1, "one", 11],
        record![2, None::<i64>, 20],
        record![3, "three", 33],
    ];
    stage.expect(&orders(), &expected);
}

fn any_field_order(stage: &mut Stage<'_>) {
    let mut made = made(stage);
    let writing = made.writing(2).fields(["count", "name", "id"]);
    let writing = writing
        .insert(&record![40, "four", 4])
        .update(&record![21, "zwei", 2]);
    made.apply_all(&writing.delete(&record![3]));
    let expected = [
        record![1, "one", 10],
        record![2, "zwei", 21],
        record![4, "four", 40],
    ];
    stage.expect(&orders(), &expected);
}

fn update_missing(stage: &mut Stage<'_>) {
    let mut made = made(stage);
    let writing = made.writing(2).update(&record![9, "nine", 90]);
    made.apply_all(&writing);
    let mut expected = start();
    expected.push(record![9, "nine", 90]);
    stage.expect(&orders(), &expected);
}

fn insert_existing(stage: &mut Stage<'_>) {
    let mut made = made(stage);
    let writing = made
        .writing(2)
        .insert(&record![1, None::<i64>, 11])
        .insert(&record![5, "five", 50]);
    made.apply_all(&writing);
    let mut expected = start();
    expected[0] = record![1, None::<i64>, 11];
    expected.push(record![5, "five", 50]);
    stage.expect(&orders(), &expected);
}

fn delete_missing(stage: &mut Stage<'_>) {
    let mut made = made(stage);
    let writing = made
        .writing(2)
        .delete(&record![99])
        .delete(&record![3])
        .delete(&record![-1]);
    made.apply_all(&writing);
    stage.expect(&orders(), &start()[..2]);
}

fn batch_repeats(stage: &mut Stage<'_>) {
    let mut made = made(stage);
    let writing = made
        .writing(2)
        .insert(&record![4, "four", 40])
        .update(&record![2, "zwei", 22])
        .delete(&record![1]);
    let expected = [
        record![2, "zwei", 22],
        record![3, "three", None::<i64>],
        record![4, "four", 40],
    ];
    for _ in 0..3 {
        made.apply_all(&writing);
        stage.expect(&orders(), &expected);
    }
    let mut later = stage.make(orders());
    later.apply_all(&writing);
    stage.expect(&orders(), &expected);
}

fn load_repeats(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    let writing = made.writing(1).load().inserts(&start());
    made.apply_all(&writing);
    stage.expect(&orders(), &start());
    made.apply_all(&writing);
    stage.expect(&orders(), &start());
    let next = made.writing(2).load().insert(&record![4, "four", 40]);
    made.apply_all(&next);
    let mut expected = start();
    expected.push(record![4, "four", 40]);
    stage.expect(&orders(), &expected);
}

fn load_over_records(stage: &mut Stage<'_>) {
    // It was empty when the run began; somebody else was faster.
    let mut made = made(stage);
    let records = [record![1, "uno", 1], record![4, "four", 40]];
    let writing = made.writing(2).load().inserts(&records);
    made.apply_all(&writing);
    let mut expected = start();
    expected[0] = record![1, "uno", 1];
    expected.push(record![4, "four", 40]);
    stage.expect(&orders(), &expected);
}

fn ten_thousand(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    // In an order that is not the key's: 7919 is prime to 10,000.
    let record = |n: i64| {
        let id = n * 7_919 % 10_000;
        record![id, format!("name {id}"), (id % 3 > 0).then_some(id)]
    };
    let mut records: Vec<Vec<Owned>> = (0..10_000).map(record).collect();
    for (batch, part) in (1..).zip(records.chunks(1_000)) {
        let writing = made.writing(batch).load().inserts(part);
        let applied = writing
            .apply(made.writer.as_mut())
            .expect("the batch is applied");
        assert_eq!(applied.outcomes.len(), part.len());
    }
    made.writer
        .finish("orders")
        .expect("what was applied becomes durable");
    stage.expect(&orders(), &records);
    for record in records.iter_mut().step_by(2) {
        record[1] = "changed".into();
    }
    let changed: Vec<_> = records.iter().step_by(2).cloned().collect();
    for (batch, part) in (11..).zip(changed.chunks(1_000)) {
        let writing = part.iter().fold(made.writing(batch), |writing, record| {
            writing.update(record)
        });
        writing
            .apply(made.writer.as_mut())
            .expect("the batch is applied");
    }
    let gone = records.split_off(9_000);
    let delete = gone.iter().fold(made.writing(16), |writing, record| {
        writing.delete(&record[..1])
    });
    made.apply_all(&delete);
    stage.expect(&orders(), &records);
}

fn durable_survives(stage: &mut Stage<'_>) {
    let mut made = made(stage);
    let writing = made.writing(2).insert(&record![4, "four", 40]);
    let Applied { durable, .. } = writing
        .apply(made.writer.as_mut())
        .expect("the batch is applied");
    drop(made);
    let mut expected = start();
    if durable {
        expected.push(record![4, "four", 40]);
    }
    stage.expect(&orders(), &expected);
    let mut endpoint = stage.open();
    let mut writer = endpoint
        .writer(&claim(LINK))
        .expect("a writer can be claimed");
    writing
        .apply(writer.as_mut())
        .expect("the batch is applied");
    writer
        .finish("orders")
        .expect("what was applied becomes durable");
    drop((writer, endpoint));
    expected = start();
    expected.push(record![4, "four", 40]);
    stage.expect(&orders(), &expected);
}

fn null_is_rejected(stage: &mut Stage<'_>) {
    let wanted = schema("strict")
        .int("id")
        .text("name")
        .key(["id"])
        .not_null(["name"])
        .build();
    for load in [false, true] {
        stage.fixture.reset();
        let mut made = stage.make(wanted.clone());
        let writing = made.writing(1).insert(&record![1, "one"]);
        let writing = writing
            .insert(&record![2, None::<i64>])
            .insert(&record![3, "three"]);
        let writing = if load { writing.load() } else { writing };
        let outcomes = made.apply(&writing).outcomes;
        assert!(matches!(outcomes[0], Outcome::Applied(_)), "{outcomes:?}");
        assert!(
            matches!(outcomes[1], Outcome::Rejected { blocked: false, .. }),
            "{outcomes:?}"
        );
        assert!(matches!(outcomes[2], Outcome::Applied(_)), "{outcomes:?}");
        stage.expect(&wanted, &[record![1, "one"], record![3, "three"]]);
    }
}

/// A value that no reason may show.
const CANARY: &str = "canary-5d1f";

fn unique_is_blocked(stage: &mut Stage<'_>) {
    let wanted = schema("strict")
        .int("id")
        .text("name")
        .key(["id"])
        .unique(["name"])
        .build();
    let mut made = stage.make(wanted.clone());
    made.insert(
        1,
        &[
            record![1, CANARY],
            record![2, "two"],
            record![3, None::<i64>],
        ],
    );
    let writing = made
        .writing(2)
        .insert(&record![4, CANARY])
        .update(&record![2, CANARY])
        .insert(&record![5, "five"])
        .insert(&record![6, None::<i64>]);
    let outcomes = made.apply(&writing).outcomes;
    for outcome in &outcomes[..2] {
        let Outcome::Rejected {
            reason,
            blocked: true,
        } = outcome
        else {
            panic!("a taken unique value is rejected as blocked: {outcome:?}");
        };
        assert!(!reason.contains(CANARY), "a reason shows a value");
        assert!(!reason.is_empty(), "a reason says why");
    }
    assert!(
        matches!(outcomes[2..], [Outcome::Applied(_), Outcome::Applied(_)]),
        "{outcomes:?}"
    );
    let mut expected = vec![
        record![1, CANARY],
        record![2, "two"],
        record![3, None::<i64>],
    ];
    expected.extend([record![5, "five"], record![6, None::<i64>]]);
    stage.expect(&wanted, &expected);
    let free = made.writing(3).delete(&record![1]);
    made.apply_all(&free);
    let again = made.writing(4).insert(&record![4, CANARY]);
    made.apply_all(&again);
    expected[0] = record![4, CANARY];
    stage.expect(&wanted, &expected);
}

fn all_rejected(stage: &mut Stage<'_>) {
    let wanted = schema("strict")
        .int("id")
        .text("name")
        .key(["id"])
        .not_null(["name"])
        .build();
    let mut made = stage.make(wanted.clone());
    let writing = made
        .writing(1)
        .insert(&record![1, None::<i64>])
        .insert(&record![2, None::<i64>]);
    let outcomes = made.apply(&writing).outcomes;
    let rejected = |outcome: &Outcome| matches!(outcome, Outcome::Rejected { .. });
    assert!(
        outcomes.len() == 2 && outcomes.iter().all(rejected),
        "{outcomes:?}"
    );
    let marker = made
        .writer
        .marker("strict")
        .expect("the marker can be read");
    assert_eq!(marker.expect("the batch is marked").batch, 1);
    stage.expect(&wanted, &[]);
}
