//! Cases about markers and epochs: what survives a crash, and who may still write.

use super::stage::{LINK, Made, Stage, claim};
use super::{Case, Need};
use crate::record;
use crate::records::{Writing, schema};
use trueup_core::endpoint::{Claim, Mark, Marker, Writer};
use trueup_core::error::Kind;
use trueup_core::schema::Schema;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "no marker before the first batch",
        needs: &[Need::Marker],
        run: no_marker_yet,
    },
    Case {
        name: "marker comes back exactly",
        needs: &[Need::Marker],
        run: marker_round_trip,
    },
    Case {
        name: "marker per partition and link",
        needs: &[Need::Marker],
        run: marker_apart,
    },
    Case {
        name: "empty batch writes its marker",
        needs: &[Need::Marker],
        run: empty_batch,
    },
    Case {
        name: "marker survives the connection",
        needs: &[Need::Marker],
        run: marker_survives,
    },
    Case {
        name: "marker stored alone is read by the next claim",
        needs: &[Need::Marker],
        run: mark_alone,
    },
    Case {
        name: "marker stored alone touches no other",
        needs: &[Need::Marker],
        run: mark_apart,
    },
    Case {
        name: "fenced writer marks nothing",
        needs: &[Need::Marker],
        run: fenced_marks_nothing,
    },
    Case {
        name: "epoch grows with each claim",
        needs: &[Need::Marker],
        run: epoch_grows,
    },
    Case {
        name: "epoch is read without a claim",
        needs: &[Need::Marker],
        run: epoch_is_read,
    },
    Case {
        name: "second claim fences the first",
        needs: &[Need::Marker],
        run: second_claim_fences,
    },
    Case {
        name: "fenced writer creates nothing",
        needs: &[Need::Marker],
        run: fenced_creates_nothing,
    },
    Case {
        name: "claim of another link fences nobody",
        needs: &[Need::Marker],
        run: other_link,
    },
];

fn orders() -> Schema {
    schema("orders").int("id").text("v").key(["id"]).build()
}

fn marker(made: &mut Made, partition: &str) -> Option<Marker> {
    made.writer
        .marker(partition)
        .expect("the marker can be read")
}

fn no_marker_yet(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    assert_eq!(marker(&mut made, "orders"), None);
    assert_eq!(marker(&mut made, "it's \"no\" partition"), None);
}

fn marker_round_trip(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    let all_bytes: Vec<u8> = (0..=255).collect();
    for (batch, position) in [
        (1, vec![]),
        (2, all_bytes),
        (3, vec![0; 100_000]),
        (1 << 53, vec![7]),
    ] {
        let writing = made
            .writing(batch)
            .position(&position)
            .insert(&record![1, "one"]);
        made.apply_all(&writing);
        let incarnation = claim(LINK).incarnation;
        let epoch = made.writer.epoch();
        assert_eq!(
            marker(&mut made, "orders"),
            Some(Marker {
                incarnation,
                batch,
                position,
                epoch
            })
        );
    }
}

fn marker_apart(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    for (batch, partition) in (1..).zip(["orders", "Orders", "it's \"p\"", "日本", ""]) {
        let writing = made.writing(batch).partition(partition);
        made.apply_all(&writing);
    }
    for (batch, partition) in (1..).zip(["orders", "Orders", "it's \"p\"", "日本", ""]) {
        assert_eq!(
            marker(&mut made, partition).map(|marker| marker.batch),
            Some(batch)
        );
    }
    let other = Claim {
        link: "another 'link'".to_owned(),
        incarnation: "other".to_owned(),
    };
    let mut writer = stage
        .open()
        .writer(&other)
        .expect("a writer can be claimed");
    assert_eq!(
        writer.marker("orders").expect("the marker can be read"),
        None
    );
    made.writing(77)
        .apply(writer.as_mut())
        .expect("the batch is applied");
    let found = writer
        .marker("orders")
        .expect("the marker can be read")
        .expect("it is there");
    assert_eq!((found.batch, found.incarnation.as_str()), (77, "other"));
    assert_eq!(
        marker(&mut made, "orders").map(|marker| marker.batch),
        Some(1)
    );
}

fn empty_batch(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    let writing = made.writing(5).position(b"here");
    let applied = made.apply(&writing);
    assert!(applied.outcomes.is_empty());
    let found = marker(&mut made, "orders").expect("an empty batch is a batch");
    assert_eq!((found.batch, found.position.as_slice()), (5, &b"here"[..]));
    stage.expect(&orders(), &[]);
}

fn marker_survives(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    made.insert(3, &[record![1, "one"]]);
    drop(made);
    let mut writer = stage
        .open()
        .writer(&claim(LINK))
        .expect("a writer can be claimed");
    let found = writer
        .marker("orders")
        .expect("the marker can be read")
        .expect("it is there");
    assert_eq!(found.batch, 3);
    assert!(found.epoch < writer.epoch(), "written under an older epoch");
}

fn seal(partition: &str, batch: u64, position: &[u8]) -> Mark {
    Mark {
        partition: partition.to_owned(),
        batch,
        position: position.to_vec(),
    }
}

fn claimed(stage: &mut Stage<'_>, link: &str) -> Box<dyn Writer> {
    stage
        .open()
        .writer(&claim(link))
        .expect("a writer can be claimed")
}

fn mark_alone(stage: &mut Stage<'_>) {
    let all_bytes: Vec<u8> = (0..=255).collect();
    for (batch, position) in [(9, all_bytes.as_slice()), (0, b""), (1 << 53, b"again")] {
        for partition in ["", "it's \"p\"", "日本"] {
            let mut writer = claimed(stage, LINK);
            let mark = seal(partition, batch, position);
            for _ in 0..2 {
                writer.mark(&mark).expect("a marker is stored, and again");
            }
            let epoch = writer.epoch();
            drop(writer);
            let found = claimed(stage, LINK).marker(partition);
            let expected = Marker {
                incarnation: claim(LINK).incarnation,
                batch,
                position: position.to_vec(),
                epoch,
            };
            assert_eq!(found.expect("the marker can be read"), Some(expected));
        }
    }
}

fn mark_apart(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    made.insert(1, &[record![1, "one"]]);
    let before = marker(&mut made, "orders");
    assert!(before.is_some());
    for partition in ["", "Orders", "orders "] {
        made.writer
            .mark(&seal(partition, 7, b"alone"))
            .expect("a marker is stored");
    }
    claimed(stage, "another 'link'")
        .mark(&seal("orders", 8, b"theirs"))
        .expect("a marker is stored");
    assert_eq!(marker(&mut made, "orders"), before);
    let sealed = marker(&mut made, "").expect("it is there");
    assert_eq!((sealed.batch, sealed.position), (7, b"alone".to_vec()));
    made.insert(2, &[record![2, "two"]]);
    let sealed = marker(&mut made, "").map(|marker| marker.batch);
    assert_eq!(sealed, Some(7), "a batch touches no other marker either");
    stage.expect(&orders(), &[record![1, "one"], record![2, "two"]]);
}

fn fenced_marks_nothing(stage: &mut Stage<'_>) {
    let mut old = claimed(stage, LINK);
    old.mark(&seal("", 1, b"old")).expect("a marker is stored");
    let mut new = claimed(stage, LINK);
    for partition in ["", "fresh"] {
        let error = old
            .mark(&seal(partition, 2, b"late"))
            .expect_err("the old writer is fenced");
        assert_eq!(error.kind(), Kind::Stale, "{error:?}");
    }
    let found = new.marker("").expect("the marker can be read");
    let found = found.map(|marker| (marker.batch, marker.position));
    assert_eq!(found, Some((1, b"old".to_vec())));
    assert_eq!(new.marker("fresh").expect("the marker can be read"), None);
    new.mark(&seal("", 3, b"new")).expect("the new one may");
    let found = new.marker("").expect("the marker can be read");
    assert_eq!(found.map(|marker| marker.batch), Some(3));
}

fn epoch_grows(stage: &mut Stage<'_>) {
    let mut epochs = Vec::new();
    let mut endpoint = stage.open();
    for _ in 0..3 {
        epochs.push(
            endpoint
                .writer(&claim(LINK))
                .expect("a writer can be claimed")
                .epoch(),
        );
        epochs.push(
            stage
                .open()
                .writer(&claim(LINK))
                .expect("a writer can be claimed")
                .epoch(),
        );
    }
    assert!(epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
}

fn epoch_is_read(stage: &mut Stage<'_>) {
    let mut endpoint = stage.open();
    let mut epoch = |link: &str| endpoint.epoch(link).expect("the epoch can be read");
    assert_eq!(epoch("no 'link'"), Some(0));
    let made = stage.make(orders());
    let mut endpoint = stage.open();
    let mut epoch = |link: &str| endpoint.epoch(link).expect("the epoch can be read");
    for _ in 0..2 {
        assert_eq!(
            epoch(LINK),
            Some(made.writer.epoch()),
            "reading raises nothing"
        );
    }
    assert_eq!(epoch("no 'link'"), Some(0));
}

fn second_claim_fences(stage: &mut Stage<'_>) {
    let mut old = stage.make(orders());
    old.insert(1, &[record![1, "one"]]);
    let mut new = stage.make(orders());
    assert!(new.writer.epoch() > old.writer.epoch());
    let writing = old
        .writing(2)
        .insert(&record![2, "two"])
        .delete(&record![1]);
    for _ in 0..2 {
        let error = writing
            .apply(old.writer.as_mut())
            .expect_err("the old writer is fenced");
        assert_eq!(error.kind(), Kind::Stale, "{error:?}");
    }
    let load = old.writing(2).load().insert(&record![3, "three"]);
    let error = load
        .apply(old.writer.as_mut())
        .expect_err("the old writer is fenced");
    assert_eq!(error.kind(), Kind::Stale, "{error:?}");
    let empty: Writing = old.writing(2);
    let error = empty
        .apply(old.writer.as_mut())
        .expect_err("the old writer is fenced");
    assert_eq!(error.kind(), Kind::Stale, "{error:?}");
    assert_eq!(
        marker(&mut new, "orders").map(|marker| marker.batch),
        Some(1)
    );
    stage.expect(&orders(), &[record![1, "one"]]);
    new.insert(2, &[record![4, "four"]]);
    stage.expect(&orders(), &[record![1, "one"], record![4, "four"]]);
}

fn fenced_creates_nothing(stage: &mut Stage<'_>) {
    let mut old = stage.make(orders());
    let new = stage.make(orders());
    let late = schema("late").int("id").key(["id"]).build();
    let design = old.endpoint.design(&late).expect("a design needs no claim");
    let error = old
        .writer
        .create(&design)
        .expect_err("the old writer is fenced");
    assert_eq!(error.kind(), Kind::Stale, "{error:?}");
    assert_eq!(
        stage.open().schema("late").expect("looking is no error"),
        None
    );
    drop(new);
}

fn other_link(stage: &mut Stage<'_>) {
    let mut made = stage.make(orders());
    let other = stage
        .open()
        .writer(&claim("another link"))
        .expect("a writer can be claimed");
    made.insert(1, &[record![1, "one"]]);
    drop(other);
    stage.expect(&orders(), &[record![1, "one"]]);
}
