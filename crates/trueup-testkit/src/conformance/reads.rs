//! Cases about snapshots and scans.

use super::extremes::extremes;
use super::stage::{Stage, assert_same};
use super::{Case, Need};
use crate::owned::{Owned, key_bytes};
use crate::record;
use crate::records::{Ask, batch_of, collect, drain, owned, schema, sorted};
use trueup_core::endpoint::{Order, ScanRequest};
use trueup_core::schema::Schema;
use trueup_core::types::Type;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "scan of an empty collection",
        needs: &[],
        run: empty_collection,
    },
    Case {
        name: "scan delivers the fields asked for",
        needs: &[],
        run: fields_asked_for,
    },
    Case {
        name: "scan keeps to the batch size",
        needs: &[],
        run: batch_size,
    },
    Case {
        name: "scan cuts batches by bytes",
        needs: &[],
        run: batch_bytes,
    },
    Case {
        name: "scan repeats on one snapshot",
        needs: &[],
        run: scan_repeats,
    },
    Case {
        name: "ordered scan is canonical",
        needs: &[],
        run: ordered_is_canonical,
    },
    Case {
        name: "int key is scanned in order",
        needs: &[Need::Ordered, Need::Keys],
        run: int_order,
    },
    Case {
        name: "scan after a key misses nothing",
        needs: &[],
        run: after_a_key,
    },
    Case {
        name: "composite keys",
        needs: &[],
        run: composite_keys,
    },
    Case {
        name: "snapshot does not see later writes",
        needs: &[Need::Transactional],
        run: snapshot_is_fixed,
    },
    Case {
        name: "snapshot covers all collections",
        needs: &[Need::Transactional],
        run: snapshot_of_all,
    },
    Case {
        name: "position moves with the content",
        needs: &[],
        run: position_moves,
    },
];

fn empty_collection(stage: &mut Stage<'_>) {
    let mut made = stage.make(schema("empty").int("id").text("v").key(["id"]));
    made.writer
        .finish("empty")
        .expect("what was created becomes durable");
    let schema = made.schema();
    let mut snapshot = made.endpoint.snapshot().expect("a snapshot opens");
    for ask in [
        Ask::all(&schema),
        Ask {
            order: Some(vec![0]),
            ..Ask::all(&schema)
        },
    ] {
        let (_, batches) = collect(snapshot.as_mut(), &schema, &ask).expect("the scan ends");
        assert!(batches.is_empty(), "no records, no batch");
    }
}

fn fields_asked_for(stage: &mut Stage<'_>) {
    let wanted = schema("orders")
        .int("a")
        .text("b")
        .int("c")
        .key(["a"])
        .build();
    let mut made = stage.make(wanted.clone());
    made.insert(1, &[record![1, "one", 10], record![2, "two", 20]]);
    let schema = made.schema();
    let mut snapshot = made.endpoint.snapshot().expect("a snapshot opens");
    for fields in [vec![2, 0], vec![1], vec![1, 2, 0], vec![0, 1, 2]] {
        let ask = Ask {
            fields: fields.clone(),
            ..Ask::all(&schema)
        };
        let (_, batches) = collect(snapshot.as_mut(), &schema, &ask).expect("the scan ends");
        let found = batches
            .iter()
            .flat_map(|batch| stage.cast(batch, &fields, &wanted))
            .collect();
        let whole = [record![1, "one", 10], record![2, "two", 20]];
        let pick = |record: &Vec<Owned>| fields.iter().map(|&f| record[f].clone()).collect();
        assert_same(&sorted(found), &sorted(whole.iter().map(pick).collect()));
    }
}

fn hundred() -> (Schema, Vec<Vec<Owned>>) {
    let wanted = schema("orders").int("id").text("v").key(["id"]).build();
    (
        wanted,
        (0..100_i64)
            .map(|id| record![id, format!("value {id}")])
            .collect(),
    )
}

fn batch_size(stage: &mut Stage<'_>) {
    let (wanted, records) = hundred();
    let mut made = stage.make(wanted.clone());
    made.insert(1, &records);
    let schema = made.schema();
    let mut snapshot = made.endpoint.snapshot().expect("a snapshot opens");
    for batch_records_max in [1, 7, 99, 100, 101] {
        let ask = Ask {
            batch_records_max,
            ..Ask::all(&schema)
        };
        let (_, batches) = collect(snapshot.as_mut(), &schema, &ask).expect("the scan ends");
        for batch in &batches {
            let len = batch.len();
            assert!(
                (1..=batch_records_max).contains(&len),
                "len={len} max={batch_records_max}"
            );
        }
        let found = batches
            .iter()
            .flat_map(|batch| stage.cast(batch, &[0, 1], &wanted))
            .collect();
        assert_same(&sorted(found), &records);
    }
}

fn batch_bytes(stage: &mut Stage<'_>) {
    const BYTES_MAX: usize = 10_000;
    let wanted = schema("orders").int("id").text("v").key(["id"]).build();
    let mut made = stage.make(wanted);
    let records: Vec<Vec<Owned>> = (0..50_i64)
        .map(|id| record![id, "x".repeat(1_000)])
        .collect();
    made.insert(1, &records);
    let schema = made.schema();
    let mut snapshot = made.endpoint.snapshot().expect("a snapshot opens");
    let request = ScanRequest {
        schema: &schema,
        fields: &[0, 1],
        wanted: &[Type::INT, Type::TEXT],
        order: Order::Natural,
        after: None,
        sieve: &[],
        batch_records_max: 1_000,
        batch_bytes_max: BYTES_MAX,
    };
    let mut scan = snapshot.scan(&request).expect("the scan starts");
    let batches = drain(scan.as_mut(), 2).expect("the scan ends");
    for batch in &batches {
        // One record may pass the limit.
        assert!(
            batch.bytes() <= BYTES_MAX + 1_100,
            "bytes={} max={BYTES_MAX}",
            batch.bytes()
        );
    }
    assert_eq!(
        batches
            .iter()
            .map(trueup_core::batch::Batch::len)
            .sum::<usize>(),
        records.len()
    );
}

fn scan_repeats(stage: &mut Stage<'_>) {
    let (wanted, records) = hundred();
    let mut made = stage.make(wanted);
    made.insert(1, &records);
    let schema = made.schema();
    let mut snapshot = made.endpoint.snapshot().expect("a snapshot opens");
    for ask in [
        Ask::all(&schema),
        Ask {
            order: Some(vec![0]),
            ..Ask::all(&schema)
        },
    ] {
        let mut scan = || {
            let (ordered, batches) =
                collect(snapshot.as_mut(), &schema, &ask).expect("the scan ends");
            (ordered, batches.iter().flat_map(owned).collect::<Vec<_>>())
        };
        let (first, again) = (scan(), scan());
        assert_eq!(first.0, again.0, "the order is promised again");
        assert_same(&sorted(again.1), &sorted(first.1));
    }
}

/// Key values in an order that is none, per type, chosen so that natural orders differ from the canonical one.
fn keys(ty: Type) -> Vec<Owned> {
    match ty {
        Type::Text { .. } => [
            "b", "B", "a", "A", "ä", "z", "Z", "_", " a", "a b", "ab", "a-b", "é", "e\u{301}",
            "10", "9", "", "\u{ffff}", "😀", "日本", "a\u{1}", "aa",
        ]
        .map(Owned::from)
        .into(),
        _ => extremes(ty).into_iter().rev().collect(),
    }
}

const KEY_TYPES: &[Type] = &[
    Type::Bool,
    Type::INT,
    Type::Int {
        bits: 32,
        signed: true,
    },
    Type::Int {
        bits: 32,
        signed: false,
    },
    Type::FLOAT,
    Type::DECIMAL,
    Type::TEXT,
    Type::BYTES,
    Type::Date,
    Type::Time,
    Type::Timestamp,
    Type::Instant,
    Type::Uuid,
];

fn ordered_is_canonical(stage: &mut Stage<'_>) {
    for &ty in KEY_TYPES {
        if !stage.fixture.holds(ty) {
            continue;
        }
        stage.fixture.reset();
        let wanted = schema("keys").int("n").field("k", ty).key(["k"]).build();
        let mut values: Vec<Owned> = keys(ty)
            .into_iter()
            .filter(|value| !stage.fixture.refuses(ty, value))
            .collect();
        // -0 and 0, 1 and 1.00 are one key.
        let mut seen = Vec::new();
        values.retain(|value| {
            let new = !seen.contains(value);
            seen.push(value.clone());
            new
        });
        let mut made = stage.make(wanted.clone());
        let records: Vec<Vec<Owned>> = (0_i64..)
            .zip(values)
            .map(|(n, value)| vec![n.into(), value])
            .collect();
        made.insert(1, &records);
        let found = in_key_order(stage, &mut made, &wanted, &[1]);
        assert_same(&sorted(found), &sorted(records));
    }
}

/// Scans in the order of the fields `key`; asserts the order where it is promised.
fn in_key_order(
    stage: &Stage<'_>,
    made: &mut super::stage::Made,
    wanted: &Schema,
    key: &[usize],
) -> Vec<Vec<Owned>> {
    let schema = made.schema();
    let mut snapshot = made.endpoint.snapshot().expect("a snapshot opens");
    let ask = Ask {
        order: Some(key.to_vec()),
        batch_records_max: 5,
        ..Ask::all(&schema)
    };
    let (ordered, batches) = collect(snapshot.as_mut(), &schema, &ask).expect("the scan ends");
    let fields = ask.fields.clone();
    let found: Vec<Vec<Owned>> = batches
        .iter()
        .flat_map(|batch| stage.cast(batch, &fields, wanted))
        .collect();
    let order = |record: &Vec<Owned>| key_bytes(key.iter().map(|&field| &record[field]));
    if ordered {
        let key: Vec<_> = key.iter().map(|&field| wanted.fields[field].ty).collect();
        assert!(
            found.is_sorted_by_key(order),
            "promised, but not in canonical order: {key:?}"
        );
    }
    found
}

fn int_order(stage: &mut Stage<'_>) {
    let wanted = schema("keys").text("v").int("id").key(["id"]).build();
    let mut made = stage.make(wanted);
    let ids = [5, -5, 0, i64::MAX, 3, i64::MIN, -1, 10, 9, 100];
    made.insert(1, &ids.map(|id| record!["v", id]));
    let schema = made.schema();
    let mut snapshot = made.endpoint.snapshot().expect("a snapshot opens");
    let (ordered, batches) =
        collect(snapshot.as_mut(), &schema, &Ask::in_key_order(&schema)).expect("the scan ends");
    assert!(
        ordered,
        "an endpoint that can deliver order does so for its integer keys"
    );
    let mut expected = ids;
    expected.sort_unstable();
    let found: Vec<Vec<Owned>> = batches.iter().flat_map(owned).collect();
    assert_same(&found, &expected.map(|id| record!["v", id]));
}

fn after_a_key(stage: &mut Stage<'_>) {
    let wanted = schema("keys")
        .int("a")
        .text("v")
        .int("b")
        .key(["a", "b"])
        .build();
    let mut made = stage.make(wanted.clone());
    let pairs = (0..6_i64).flat_map(|a| (0..6_i64).map(move |b| (a, b)));
    let records: Vec<Vec<Owned>> = pairs.map(|(a, b)| record![a, "v", b]).collect();
    made.insert(1, &records);
    let schema = made.schema();
    let order = |record: &Vec<Owned>| (record[0].clone(), record[2].clone());
    for after in [
        record![-1, 0],
        record![0, 0],
        record![2, 5],
        record![3, 2],
        record![5, 5],
    ] {
        let key = batch_of(2, std::slice::from_ref(&after));
        let order_asked = Some(vec![0, 2]);
        let ask = Ask {
            order: order_asked,
            after: Some(key.record(0)),
            ..Ask::all(&schema)
        };
        let mut snapshot = made.endpoint.snapshot().expect("a snapshot opens");
        let (_, batches) = collect(snapshot.as_mut(), &schema, &ask).expect("the scan ends");
        let mut found: Vec<Vec<Owned>> = batches
            .iter()
            .flat_map(|batch| stage.cast(batch, &[0, 1, 2], &wanted))
            .collect();
        // It is a hint: what comes anyway is dropped by the caller.
        let beyond = |record: &Vec<Owned>| order(record) > (after[0].clone(), after[1].clone());
        found.retain(beyond);
        assert_same(
            &sorted(found),
            &records
                .iter()
                .filter(|r| beyond(r))
                .cloned()
                .collect::<Vec<_>>(),
        );
    }
}

fn composite_keys(stage: &mut Stage<'_>) {
    let wanted = schema("keys")
        .text("v")
        .text("b")
        .int("n")
        .text("a")
        .key(["a", "b", "n"])
        .build();
    let mut made = stage.make(wanted.clone());
    let mut records = Vec::new();
    for (a, b) in [
        ("x", "yz"),
        ("xy", "z"),
        ("xyz", ""),
        ("", "xyz"),
        ("x|y", "z"),
        ("x", "y|z"),
    ] {
        records.extend([2_i64, 1, -1].map(|n| record!["v", b, n, a]));
    }
    made.insert(1, &records);
    let found = in_key_order(stage, &mut made, &wanted, &[3, 1, 2]);
    assert_same(&sorted(found), &sorted(records.clone()));
    records[4][0] = "changed".into();
    let gone = records.remove(7);
    let key = [gone[3].clone(), gone[1].clone(), gone[2].clone()];
    let writing = made.writing(2).update(&records[4]).delete(&key);
    made.apply_all(&writing);
    stage.expect(&wanted, &records);
}

fn snapshot_is_fixed(stage: &mut Stage<'_>) {
    let (wanted, records) = hundred();
    let mut made = stage.make(wanted.clone());
    made.insert(1, &records);
    let schema = made.schema();
    let mut snapshot = stage.open().snapshot().expect("a snapshot opens");
    let untouched = stage.read_at(snapshot.as_mut(), &schema, &wanted);
    assert_same(&untouched, &records);
    let ask = Ask {
        batch_records_max: 10,
        ..Ask::all(&schema)
    };
    let fields: Vec<usize> = ask.fields.clone();
    let request = ScanRequest {
        schema: &schema,
        fields: &fields,
        wanted: &[Type::INT, Type::TEXT],
        order: Order::Natural,
        after: None,
        sieve: &[],
        batch_records_max: ask.batch_records_max,
        batch_bytes_max: crate::records::BATCH_BYTES_MAX,
    };
    let mut scan = snapshot.scan(&request).expect("the scan starts");
    let mut first = trueup_core::batch::Batch::new(2);
    assert!(scan.next(&mut first).expect("the scan delivers"));
    let writing = made
        .writing(2)
        .insert(&record![1_000, "new"])
        .delete(&record![7]);
    let writing = writing.update(&record![8, "changed"]);
    made.apply_all(&writing);
    let rest = drain(scan.as_mut(), 2).expect("the scan ends");
    let found = owned(&first)
        .into_iter()
        .chain(rest.iter().flat_map(owned))
        .collect();
    assert_same(&sorted(found), &records);
    drop(scan);
    let again = stage.read_at(snapshot.as_mut(), &schema, &wanted);
    assert_same(&again, &records);
    let fresh = stage.read(made.endpoint.as_mut(), &wanted);
    assert_eq!(fresh.len(), 100, "one more, one less");
    assert_eq!(fresh[99], record![1_000, "new"]);
}

fn snapshot_of_all(stage: &mut Stage<'_>) {
    let [a, b] = ["a", "b"].map(|name| schema(name).int("id").key(["id"]).build());
    let mut made = stage.make(a.clone());
    let mut other = stage.make(b.clone());
    // The second claim of the link fenced the first.
    std::mem::swap(&mut made.writer, &mut other.writer);
    made.insert(1, &[record![1]]);
    let (shape_a, shape_b) = (made.schema(), other.schema());
    let mut snapshot = stage.open().snapshot().expect("a snapshot opens");
    made.insert(2, &[record![2]]);
    std::mem::swap(&mut made.writer, &mut other.writer);
    other.insert(3, &[record![3]]);
    assert_same(&stage.read_at(snapshot.as_mut(), &shape_b, &b), &[]);
    assert_same(
        &stage.read_at(snapshot.as_mut(), &shape_a, &a),
        &[record![1]],
    );
}

fn position_moves(stage: &mut Stage<'_>) {
    let mut made = stage.make(schema("orders").int("id").text("v").key(["id"]));
    made.insert(1, &[record![1, "one"]]);
    let before = made
        .endpoint
        .snapshot()
        .expect("a snapshot opens")
        .position();
    let update = made.writing(2).update(&record![1, "two"]);
    made.apply_all(&update);
    let after = made
        .endpoint
        .snapshot()
        .expect("a snapshot opens")
        .position();
    assert_ne!(before, after, "another content has another position");
}
