//! Cases about the hashes that an endpoint makes itself: what differs to us differs there.

use super::extremes::{HELD, extremes};
use super::stage::{Made, Stage};
use super::{Case, Need};
use crate::owned::Owned;
use crate::record;
use crate::records::{BATCH_BYTES_MAX, drain, owned, schema};
use trueup_core::endpoint::{Order, ScanRequest, Snapshot};
use trueup_core::hashes::{BUCKETS_MAX, Bucket, Chosen, Hashing};
use trueup_core::schema::Schema;
use trueup_core::types::Type;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "hashes tell values apart",
        needs: &[Need::Hashes, Need::Keys],
        run: values_apart,
    },
    Case {
        name: "hashes tell who has which value",
        needs: &[Need::Hashes, Need::Keys],
        run: exchanged_values,
    },
    Case {
        name: "hashes of equal records are equal",
        needs: &[Need::Hashes, Need::Keys],
        run: equal_records,
    },
    Case {
        name: "only the chosen buckets are scanned, in order",
        needs: &[Need::Hashes, Need::Keys],
        run: chosen_buckets,
    },
    Case {
        name: "hashes are those of the snapshot",
        needs: &[Need::Hashes, Need::Keys],
        run: of_the_snapshot,
    },
];

/// Ids so far apart that no two of them are neighbours to anybody.
const STEP: i64 = 1_000;

fn hashing(schema: &Schema, buckets: u32) -> Hashing {
    Hashing {
        seed: 0x5eed,
        buckets,
        nullable: schema.fields.iter().map(|field| field.nullable).collect(),
        salt: 1,
    }
}

/// Passes the request for all fields in key order.
fn asking<T>(schema: &Schema, ask: impl FnOnce(&ScanRequest<'_>) -> T) -> T {
    let fields: Vec<usize> = (0..schema.fields.len()).collect();
    let wanted: Vec<Type> = schema.fields.iter().map(|field| field.ty).collect();
    ask(&ScanRequest {
        schema,
        fields: &fields,
        wanted: &wanted,
        order: Order::Key(&schema.key),
        after: None,
        sieve: &[],
        batch_records_max: 7,
        batch_bytes_max: BATCH_BYTES_MAX,
    })
}

fn fold_at(snapshot: &mut dyn Snapshot, schema: &Schema, buckets: u32) -> Vec<Bucket> {
    asking(schema, |request| {
        let hashes = snapshot.hashes().expect("the endpoint hashes");
        let offer = hashes.offer(request).expect("the offer is made");
        assert!(offer.is_some(), "every field of it can be hashed");
        let folded = hashes
            .fold(request, &hashing(schema, buckets))
            .expect("the records are hashed");
        assert_eq!(folded.len(), buckets as usize);
        folded
    })
}

fn fold(made: &mut Made, buckets: u32) -> Vec<Bucket> {
    let schema = made.schema();
    let mut snapshot = made.endpoint.snapshot().expect("a snapshot opens");
    fold_at(snapshot.as_mut(), &schema, buckets)
}

/// Makes two collections of one shape with these records.
fn pair(stage: &mut Stage<'_>, ty: Type, here: &[Vec<Owned>], there: &[Vec<Owned>]) -> [Made; 2] {
    [("here", here), ("there", there)].map(|(name, records)| {
        let shape = schema(name).int("id").field("v", ty).key(["id"]);
        let mut made = stage.make(shape);
        made.insert(1, records);
        made
    })
}

/// Of each type, each two values that are different to us, NULL among them, stand at one key on the two sides.
fn values_apart(stage: &mut Stage<'_>) {
    for &ty in HELD {
        if !stage.fixture.holds(ty) {
            continue;
        }
        stage.fixture.reset();
        let mut values = [vec![Owned::Null], extremes(ty)].concat();
        values.retain(|value| !stage.fixture.refuses(ty, value));
        let (mut here, mut there, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for (at, one) in values.iter().enumerate() {
            for other in values.iter().skip(at + 1).filter(|&other| other != one) {
                let id = Owned::Int(told.len() as i64 * STEP);
                here.push(vec![id.clone(), one.clone()]);
                there.push(vec![id, other.clone()]);
                told.push((one, other));
            }
        }
        let [mut here_made, mut there_made] = pair(stage, ty, &here, &there);
        let sides = [&mut here_made, &mut there_made].map(|made| fold(made, BUCKETS_MAX));
        let alone = sides[0].iter().zip(&sides[1]);
        let alone: Vec<_> = alone.filter(|(one, _)| one.count == 1).collect();
        assert!(
            alone.len() * 2 > told.len(),
            "{ty}: most have a bucket of their own"
        );
        let same = alone.iter().filter(|(one, other)| one == other).count();
        assert_eq!(same, 0, "{ty}: so many different values have one hash");
    }
}

/// Two records of one bucket exchange their values: no sum of hashes of single values notices that.
fn exchanged_values(stage: &mut Stage<'_>) {
    for &ty in HELD {
        if !stage.fixture.holds(ty) {
            continue;
        }
        stage.fixture.reset();
        let mut values = extremes(ty);
        values.retain(|value| !stage.fixture.refuses(ty, value));
        let one = &values[0];
        let other = values.iter().find(|other| *other != one);
        let other = other.expect("a type has two values");
        let here = [record![1, one.clone()], record![STEP, other.clone()]];
        let there = [record![1, other.clone()], record![STEP, one.clone()]];
        let [mut here, mut there] = pair(stage, ty, &here, &there);
        let [here, there] = [fold(&mut here, 1), fold(&mut there, 1)];
        assert_eq!((here[0].count, there[0].count), (2, 2));
        assert_ne!(here[0].sum, there[0].sum, "{ty}");
    }
}

fn equal_records(stage: &mut Stage<'_>) {
    let records: Vec<Vec<Owned>> = (0..500)
        .map(|id| record![id * 3, format!("text {id}")])
        .collect();
    let reversed: Vec<Vec<Owned>> = records.iter().rev().cloned().collect();
    let [mut here, mut there] = pair(stage, Type::TEXT, &records, &reversed);
    let [here, there] = [fold(&mut here, 64), fold(&mut there, 64)];
    assert_eq!(here, there);
    assert_eq!(here.iter().map(|bucket| bucket.count).sum::<u64>(), 500);
    let filled = here.iter().filter(|bucket| bucket.count > 0).count();
    assert!(filled > 30, "records spread over the buckets: {filled}");
}

fn chosen_buckets(stage: &mut Stage<'_>) {
    let records: Vec<Vec<Owned>> = (0..500).map(|id| record![id, "same"]).collect();
    let wanted = schema("items").int("id").text("v").key(["id"]);
    let mut made = stage.make(wanted);
    made.insert(1, &records);
    let schema = made.schema();
    let mut snapshot = made.endpoint.snapshot().expect("a snapshot opens");
    let folded = fold_at(snapshot.as_mut(), &schema, 32);
    let mut found = Vec::new();
    for parity in 0..2 {
        let mut others = folded.clone();
        let mut expected = 0;
        for (_, bucket) in others
            .iter_mut()
            .enumerate()
            .filter(|(at, _)| at % 2 == parity)
        {
            expected += bucket.count;
            bucket.count += 1;
        }
        let chosen = Chosen::differing(&folded, &others);
        let batches = asking(&schema, |request| {
            let hashes = snapshot.hashes().expect("the endpoint hashes");
            let scan = hashes.scan(request, &hashing(&schema, 32), &chosen);
            drain(scan.expect("the scan starts").as_mut(), 2).expect("the scan ends")
        });
        let part: Vec<Vec<Owned>> = batches.iter().flat_map(owned).collect();
        assert_eq!(part.len() as u64, expected, "as many as the buckets have");
        assert!(part.is_sorted(), "in key order");
        found.extend(part);
    }
    found.sort();
    assert_eq!(found, records, "each record is in one bucket");
}

fn of_the_snapshot(stage: &mut Stage<'_>) {
    let wanted = schema("items").int("id").text("v").key(["id"]);
    let mut made = stage.make(wanted);
    made.insert(1, &[record![1, "one"]]);
    let schema = made.schema();
    let mut snapshot = made.endpoint.snapshot().expect("a snapshot opens");
    let before = fold_at(snapshot.as_mut(), &schema, 4);
    made.insert(2, &[record![2, "two"]]);
    assert_eq!(fold_at(snapshot.as_mut(), &schema, 4), before);
    drop(snapshot);
    assert_ne!(fold(&mut made, 4), before);
}
