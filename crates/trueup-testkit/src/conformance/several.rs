//! Cases about views and writers that are used at the same time. An endpoint that has one only has nothing to show.

use super::stage::{LINK, Stage, assert_same, claim};
use super::{Case, Need};
use crate::record;
use crate::records::{Writing, schema};
use trueup_core::endpoint::Writer;
use trueup_core::error::Kind;
use trueup_core::schema::Schema;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "another view sees exactly the same",
        needs: &[],
        run: another_view,
    },
    Case {
        name: "a view outlives the one it was made of",
        needs: &[],
        run: view_outlives,
    },
    Case {
        name: "writers of one epoch write side by side",
        needs: &[Need::Marker],
        run: side_by_side,
    },
    Case {
        name: "a claim fences every writer of an epoch",
        needs: &[Need::Marker],
        run: all_are_fenced,
    },
];

fn orders() -> Schema {
    schema("orders").int("id").text("v").key(["id"]).build()
}

fn another_view(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    made.insert(1, &[record![1, "one"], record![2, "two"]]);
    let shape = made.schema();
    let mut first = stage.open().snapshot().expect("a snapshot opens");
    let writing = made
        .writing(2)
        .update(&record![1, "changed"])
        .delete(&record![2]);
    made.apply_all(&writing.insert(&record![3, "three"]));
    let Some(mut second) = first.another().expect("another view is had or not") else {
        return;
    };
    made.insert(3, &[record![4, "four"]]);
    let mut third = first.another().expect("one more is had").expect("as well");
    assert_eq!(first.position(), second.position());
    assert_eq!(first.position(), third.position());
    for view in [&mut first, &mut second, &mut third] {
        let read = stage.read_at(view.as_mut(), &shape, &orders());
        assert_same(&read, &[record![1, "one"], record![2, "two"]]);
    }
}

fn view_outlives(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    made.insert(1, &[record![1, "one"]]);
    let shape = made.schema();
    let mut first = stage.open().snapshot().expect("a snapshot opens");
    let Some(mut second) = first.another().expect("another view is had or not") else {
        return;
    };
    drop(first);
    made.insert(2, &[record![2, "two"]]);
    let mut third = second.another().expect("one more is had");
    for view in [Some(&mut second), third.as_mut()].into_iter().flatten() {
        let read = stage.read_at(view.as_mut(), &shape, &orders());
        assert_same(&read, &[record![1, "one"]]);
    }
}

/// Inserts a record as batch `batch` of `partition`.
fn insert(
    writer: &mut dyn Writer,
    schema: &Schema,
    (partition, batch): (&str, u64),
    id: i64,
) -> trueup_core::Result<()> {
    let writing = Writing::keyed(schema, &[0], batch).partition(partition);
    writing.insert(&record![id, "new"]).apply(writer).map(drop)
}

fn side_by_side(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    let (shape, epoch) = (made.schema(), made.writer.epoch());
    let joined = made.endpoint.join(&claim(LINK), epoch);
    let Some(mut joined) = joined.expect("another writer is had or not") else {
        return;
    };
    assert_eq!(joined.epoch(), epoch);
    for (batch, id) in [(1, 1), (2, 3)] {
        let first = insert(made.writer.as_mut(), &shape, ("orders", batch), id);
        first.expect("the first one writes");
        let second = insert(joined.as_mut(), &shape, ("worker", batch), id + 1);
        second.expect("so does the other");
    }
    made.writer.finish("orders").expect("it becomes durable");
    joined.finish("orders").expect("it becomes durable");
    for partition in ["orders", "worker"] {
        for writer in [&mut made.writer, &mut joined] {
            let marker = writer.marker(partition).expect("a marker can be read");
            let marker = marker.expect("there is one");
            assert_eq!((marker.batch, marker.epoch), (2, epoch), "{partition}");
        }
    }
    let all: Vec<_> = (1..=4).map(|id| record![id, "new"]).collect();
    stage.expect(&orders(), &all);
}

fn all_are_fenced(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    let (shape, epoch) = (made.schema(), made.writer.epoch());
    let joined = made.endpoint.join(&claim(LINK), epoch);
    let Some(mut joined) = joined.expect("another writer is had or not") else {
        return;
    };
    insert(joined.as_mut(), &shape, ("worker", 1), 1).expect("it writes");
    let mut newer = stage.open().writer(&claim(LINK)).expect("a newer claim");
    let late = stage.open().join(&claim(LINK), epoch);
    let late = late.expect("that it is late shows when it writes");
    let mut writers = vec![made.writer, joined];
    writers.extend(late);
    for mut writer in writers {
        let refused = insert(writer.as_mut(), &shape, ("worker", 2), 2);
        assert_eq!(refused.expect_err("it is fenced").kind(), Kind::Stale);
    }
    insert(newer.as_mut(), &shape, ("orders", 1), 3).expect("the newer one writes");
    newer.finish("orders").expect("it becomes durable");
    stage.expect(&orders(), &[record![1, "new"], record![3, "new"]]);
}
