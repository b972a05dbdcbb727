//! Cases about bags: collections in which no key identifies a record, and equal ones count.

use super::stage::{Made, Stage};
use super::{Case, Need};
use crate::owned::Owned;
use crate::record;
use crate::records::schema;
use trueup_core::endpoint::Outcome;
use trueup_core::schema::Schema;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "bag keeps equal records",
        needs: &[],
        run: equal_records,
    },
    Case {
        name: "bag is loaded with equal records",
        needs: &[],
        run: loaded,
    },
    Case {
        name: "delete in a bag removes one record",
        needs: &[],
        run: removes_one,
    },
    Case {
        name: "delete in a bag removes what is equal and nothing alike",
        needs: &[],
        run: nothing_alike,
    },
    Case {
        name: "delete in a bag of what is not there does nothing",
        needs: &[],
        run: not_there,
    },
    Case {
        name: "bag takes inserts and deletes in one batch",
        needs: &[],
        run: mixed,
    },
    Case {
        name: "thousands of equal records",
        needs: &[],
        run: thousands,
    },
    Case {
        name: "bag with a key refuses the second of two",
        needs: &[Need::Transactional],
        run: second_of_two,
    },
    Case {
        name: "marker of a bag says what was refused",
        needs: &[Need::Transactional, Need::Marker],
        run: marker_says,
    },
];

fn lines() -> Schema {
    schema("lines").text("line").int("count").build()
}

fn made(stage: &mut Stage<'_>, records: &[Vec<Owned>]) -> Made {
    let mut made = stage.make(lines());
    let writing = made.counting(1).inserts(records);
    made.apply_all(&writing);
    made
}

fn start() -> Vec<Vec<Owned>> {
    vec![
        record!["a", 1],
        record!["b", 2],
        record!["a", 1],
        record!["a", None::<i64>],
        record!["a", 1],
    ]
}

fn equal_records(stage: &mut Stage<'_>) {
    let mut made = made(stage, &start());
    stage.expect(&lines(), &start());
    let writing = made.counting(2).insert(&record!["a", 1]);
    made.apply_all(&writing);
    let mut expected = start();
    expected.push(record!["a", 1]);
    stage.expect(&lines(), &expected);
}

fn loaded(stage: &mut Stage<'_>) {
    let mut made = stage.make(lines());
    for batch in 1..3 {
        let writing = made.counting(batch).load().inserts(&start());
        writing
            .apply(made.writer.as_mut())
            .expect("the batch is applied");
    }
    made.writer
        .finish("lines")
        .expect("what was applied becomes durable");
    stage.expect(&lines(), &[start(), start()].concat());
}

fn removes_one(stage: &mut Stage<'_>) {
    let mut made = made(stage, &start());
    let writing = made.counting(2).remove(&record!["a", 1]);
    made.apply_all(&writing);
    let mut expected = start();
    expected.remove(0);
    stage.expect(&lines(), &expected);
    let two = made
        .counting(3)
        .remove(&record!["a", 1])
        .remove(&record!["a", None::<i64>])
        .remove(&record!["a", 1]);
    made.apply_all(&two);
    stage.expect(&lines(), &[record!["b", 2]]);
}

fn nothing_alike(stage: &mut Stage<'_>) {
    let alike = ["a", "A", "a ", " a", "\u{e4}", "a\u{308}", "1", "1.0"];
    let records: Vec<Vec<Owned>> = alike.iter().map(|text| record![*text, 1]).collect();
    let mut made = made(stage, &records);
    for (batch, left) in (2..).zip((1..records.len()).rev()) {
        let writing = made.counting(batch).remove(&records[left]);
        made.apply_all(&writing);
        stage.expect(&lines(), &records[..left]);
    }
}

fn not_there(stage: &mut Stage<'_>) {
    let mut made = made(stage, &start());
    let writing = made
        .counting(2)
        .remove(&record!["c", 1])
        .remove(&record!["b", 2])
        .remove(&record!["b", 2]);
    made.apply_all(&writing);
    let mut expected = start();
    expected.remove(1);
    stage.expect(&lines(), &expected);
}

fn mixed(stage: &mut Stage<'_>) {
    let mut made = made(stage, &start());
    let writing = made
        .counting(2)
        .insert(&record!["c", 3])
        .remove(&record!["b", 2])
        .insert(&record!["c", 3]);
    made.apply_all(&writing);
    let mut expected = start();
    expected.remove(1);
    expected.extend([record!["c", 3], record!["c", 3]]);
    stage.expect(&lines(), &expected);
}

fn thousands(stage: &mut Stage<'_>) {
    let mut made = stage.make(lines());
    let many = vec![record!["same", 7]; 2_000];
    for batch in 1..3 {
        let writing = made.counting(batch).inserts(&many);
        made.apply_all(&writing);
    }
    let removed = many[..1_500]
        .iter()
        .fold(made.counting(3), |writing, record| writing.remove(record));
    made.apply_all(&removed);
    stage.expect(&lines(), &[many.clone(), many[..500].to_vec()].concat());
}

fn keyed() -> Schema {
    schema("kept").int("id").text("name").key(["id"]).build()
}

fn second_of_two(stage: &mut Stage<'_>) {
    let mut made = stage.make(keyed());
    let writing = made
        .counting(1)
        .insert(&record![1, "one"])
        .insert(&record![1, "uno"])
        .insert(&record![2, "two"]);
    let applied = made.apply(&writing);
    let refused = |outcome: &Outcome| matches!(outcome, Outcome::Rejected { blocked: true, .. });
    let refused: Vec<bool> = applied.outcomes.iter().map(refused).collect();
    assert_eq!(refused, [false, true, false], "{:?}", applied.outcomes);
    stage.expect(&keyed(), &[record![1, "one"], record![2, "two"]]);
    let writing = made.counting(2).remove(&record![1, "uno"]);
    made.apply_all(&writing);
    stage.expect(&keyed(), &[record![1, "one"], record![2, "two"]]);
    let writing = made.counting(3).remove(&record![1, "one"]);
    made.apply_all(&writing);
    stage.expect(&keyed(), &[record![2, "two"]]);
}

fn marker_says(stage: &mut Stage<'_>) {
    let mut made = stage.make(keyed());
    let writing = made
        .counting(1)
        .insert(&record![1, "one"])
        .insert(&record![1, "one"]);
    made.apply(&writing);
    let marker = made.writer.marker("kept").expect("the marker can be read");
    let position = marker.expect("there is a marker").position;
    let expected = [b"batch 1".to_vec(), 1_usize.to_le_bytes().to_vec()].concat();
    assert_eq!(position, expected, "the second of the two writes");
}
