mod live;
mod sorting;

use super::verify;
use crate::certificate::CollectionProof;
use crate::connect::Collection;
use crate::testing::Stage;
use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use trueup_core::digest::Digest;
use trueup_core::endpoint::{Design, Endpoint, Snapshot};
use trueup_core::filter::{Compare, Filter, Term};
use trueup_core::mapping::{Mapping, Rules, key_digest};
use trueup_core::schema::Schema;
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_core::{Kind, Result};
use trueup_testkit::faults::{Faults, Step};
use trueup_testkit::memory::Memory;
use trueup_testkit::owned::{Owned, key_bytes};
use trueup_testkit::record;
use trueup_testkit::records::schema;

const SMALL: Type = Type::Int {
    bits: 16,
    signed: true,
};

/// Two worlds with one collection each, and what verify needs besides.
struct Fixture {
    source: Memory,
    target: Memory,
    stage: Stage,
    rules: Rules,
    refused: Vec<Digest>,
    exact: bool,
}

impl Fixture {
    fn of(source_shape: Schema, target_shape: Schema) -> Self {
        let (source, target) = (Memory::new("source"), Memory::new("target"));
        source.create(source_shape);
        target.create(target_shape);
        Self {
            source,
            target,
            stage: Stage::new(),
            rules: Rules::default(),
            refused: Vec::new(),
            exact: true,
        }
    }

    /// Planes with an `id` and a `seats` number, which is narrower at the target.
    fn planes() -> Self {
        Self::of(
            schema("planes").int("id").int("seats").key(["id"]).build(),
            schema("planes")
                .int("id")
                .field("seats", SMALL)
                .key(["id"])
                .build(),
        )
    }

    /// The same planes 0..`count` on both sides.
    fn same(count: i64) -> Self {
        let fixture = Self::planes();
        let records: Vec<_> = (0..count).map(|id| record![id, id % 500]).collect();
        fixture.source.insert_all("planes", &records);
        fixture.target.insert_all("planes", &records);
        fixture
    }

    fn collection(&self) -> Collection {
        let source = self.source.schema("planes").unwrap();
        let target = self.target.schema("planes").unwrap();
        let mapping = Mapping::build(&source, &target, &self.rules).unwrap();
        Collection {
            source,
            target,
            mapping,
            create: None,
            construction: None,
            guard: None,
        }
    }

    fn verify(&self) -> Result<CollectionProof> {
        self.verify_at(self.target.boxed().as_mut())
    }

    fn verify_at(&self, target: &mut dyn Endpoint) -> Result<CollectionProof> {
        let mut source = self.source.open().snapshot()?;
        self.verify_of(source.as_mut(), target)
    }

    fn verify_of(
        &self,
        source: &mut (dyn Snapshot + 'static),
        target: &mut dyn Endpoint,
    ) -> Result<CollectionProof> {
        let world = self.stage.world();
        let collection = self.collection();
        verify(
            &collection,
            source,
            target,
            self.exact,
            &self.refused,
            &world,
        )
        .map(|(proof, _)| proof)
    }

    fn refuse(&mut self, id: i64) {
        self.refused.push(digest_of(id));
    }

    fn hide_seats(&mut self, seats: i64) {
        let term = Term::new("seats", Type::INT, Compare::NotEqual, Value::Int(seats));
        let text = format!("seats != {seats}");
        self.rules.filter = Some(Filter::Terms(text, vec![term.unwrap()]));
    }
}

fn digest_of(id: i64) -> Digest {
    key_digest(&key_bytes(&[Owned::Int(id)]))
}

/// Wrong, only at the target, parked.
fn counts(proof: &CollectionProof) -> (u64, u64, u64) {
    (proof.wrong, proof.only_target, proof.parked)
}

#[test]
fn equal_sides_are_proven_in_one_read() {
    let fixture = Fixture::same(1_000);
    let faults = Faults::new();
    let proof = fixture
        .verify_at(faults.wrap(fixture.target.boxed()).as_mut())
        .unwrap();
    assert_eq!(counts(&proof), (0, 0, 0));
    assert_eq!(proof.source_fold, proof.target_fold);
    assert_eq!(proof.source_fold.count, 1_000);
    assert_eq!(faults.called(Step::Scan), 1);
    assert_eq!(
        proof.rules,
        [
            "id: memory:int64 -> memory:int64 (exact)",
            "seats: memory:int64 -> memory:int16 (exact within range: numbers in the type's range)"
        ]
    );
}

#[test]
fn empty_sides_are_equal() {
    let proof = Fixture::planes().verify().unwrap();
    assert_eq!(counts(&proof), (0, 0, 0));
    assert_eq!(proof.source_fold, proof.target_fold);
}

#[test]
fn one_difference_among_many_is_found_and_no_other() {
    type Plant = fn(&Memory);
    /// Why, what is planted, whether extra records count, and the counts to be found.
    type Case = (&'static str, Plant, bool, (u64, u64, u64));
    let cases: [Case; 6] = [
        (
            "changed",
            |target| {
                assert!(target.update("planes", &record![7], &[("seats", Owned::Int(501))]));
            },
            false,
            (1, 0, 0),
        ),
        (
            "null",
            |target| assert!(target.update("planes", &record![7], &[("seats", Owned::Null)])),
            false,
            (1, 0, 0),
        ),
        (
            "missing",
            |target| assert!(target.delete("planes", &record![9_999])),
            false,
            (1, 0, 0),
        ),
        (
            "extra, exact",
            |target| target.insert("planes", &record![-1, 3]),
            true,
            (1, 1, 0),
        ),
        (
            "extra, not exact",
            |target| target.insert("planes", &record![-1, 3]),
            false,
            (0, 1, 0),
        ),
        (
            "two values swapped",
            |target| {
                assert!(target.update("planes", &record![1], &[("seats", Owned::Int(2))]));
                assert!(target.update("planes", &record![2], &[("seats", Owned::Int(1))]));
            },
            false,
            (2, 0, 0),
        ),
    ];
    for (name, plant, exact, expected) in cases {
        let mut fixture = Fixture::same(20_000);
        fixture.exact = exact;
        plant(&fixture.target);
        let proof = fixture.verify().unwrap();
        assert_eq!(counts(&proof), expected, "{name}");
        assert_ne!(proof.source_fold, proof.target_fold, "{name}");
    }
}

#[test]
fn refused_keys_take_part_on_neither_side() {
    let mut fixture = Fixture::same(100);
    // One the target holds in an older version, one it never took, and one it would not let go.
    fixture
        .target
        .update("planes", &record![5], &[("seats", Owned::Int(1_000))]);
    fixture.target.delete("planes", &record![6]);
    fixture.target.insert("planes", &record![200, 1]);
    [5, 6, 200, 200]
        .into_iter()
        .for_each(|id| fixture.refuse(id));
    let proof = fixture.verify().unwrap();
    assert_eq!(counts(&proof), (0, 0, 3));
    assert_eq!(proof.source_fold, proof.target_fold);
    assert_eq!(proof.source_fold.count, 98);
    fixture.refused.clear();
    assert_eq!(counts(&fixture.verify().unwrap()), (3, 1, 0));
}

#[test]
fn unknown_source_records_take_part_on_neither_side() {
    let mut fixture = Fixture::same(100);
    // Too large for the target: one of them is there in an older version.
    for id in [3, 300] {
        fixture.source.insert("planes", &record![id, 1_000_000]);
    }
    // Hidden by the filter, and another at the target.
    fixture.hide_seats(44);
    fixture
        .target
        .update("planes", &record![44], &[("seats", Owned::Int(45))]);
    let proof = fixture.verify().unwrap();
    assert_eq!(counts(&proof), (0, 0, 2));
    assert_eq!(proof.source_fold, proof.target_fold);
    assert_eq!(proof.source_fold.count, 98);
}

#[test]
fn numbers_and_texts_equal_by_meaning_are_equal() {
    let cases: [(Type, &str, &str, u64); 5] = [
        (Type::DECIMAL, "1.50", "1.5", 0),
        (Type::DECIMAL, "-0.0", "0", 0),
        (Type::DECIMAL, "100", "100.000", 0),
        (Type::DECIMAL, "1.50", "1.51", 1),
        (Type::DECIMAL, "10", "1", 1),
    ];
    for (ty, source, target, wrong) in cases {
        let shape = || schema("planes").int("id").field("v", ty).key(["id"]);
        let fixture = Fixture::of(shape().build(), shape().build());
        fixture
            .source
            .insert("planes", &record![1, Owned::decimal(source)]);
        fixture
            .target
            .insert("planes", &record![1, Owned::decimal(target)]);
        let proof = fixture.verify().unwrap();
        assert_eq!(proof.wrong, wrong, "{source} {target}");
        assert_eq!(proof.source_fold == proof.target_fold, wrong == 0);
    }
}

#[test]
fn records_are_counted_where_no_key_is_enforced() {
    let shape = || schema("planes").int("id").int("seats").build();
    for (source_copies, target_copies, wrong) in [(1, 1, 0), (1, 2, 1), (2, 1, 1), (2, 2, 0)] {
        let mut fixture = Fixture::of(shape(), shape());
        fixture.rules.key = vec!["id".to_owned()];
        for _ in 0..source_copies {
            fixture.source.insert("planes", &record![1, 1]);
        }
        for _ in 0..target_copies {
            fixture.target.insert("planes", &record![1, 1]);
        }
        let proof = fixture.verify().unwrap();
        assert_eq!(
            counts(&proof),
            (wrong, 0, 0),
            "{source_copies} {target_copies}"
        );
    }
}

#[test]
fn a_collection_that_was_never_created_holds_nothing() {
    let fixture = Fixture::same(10);
    let mut collection = fixture.collection();
    collection.create = Some(Design {
        schema: collection.target.clone(),
        statement: String::new(),
    });
    let world = fixture.stage.world();
    let mut source = fixture.source.open().snapshot().unwrap();
    let mut check = |memory: &Memory| {
        let mut target = memory.open();
        verify(&collection, source.as_mut(), &mut target, true, &[], &world)
            .unwrap()
            .0
    };
    assert_eq!(check(&fixture.target).wrong, 0);
    assert_eq!(check(&Memory::new("bare")).wrong, 10);
}

#[test]
fn a_collection_that_is_gone_is_an_error() {
    let fixture = Fixture::same(10);
    let (collection, world) = (fixture.collection(), fixture.stage.world());
    let mut source = fixture.source.open().snapshot().unwrap();
    fixture.target.drop_collection("planes");
    let mut target = fixture.target.open();
    let result = verify(&collection, source.as_mut(), &mut target, true, &[], &world);
    assert_eq!(result.unwrap_err().kind(), Kind::Stale);
}

#[test]
fn rules_name_casts_and_constants() {
    let mut fixture = Fixture::of(
        schema("planes").int("id").text("seats").key(["id"]).build(),
        schema("planes")
            .int("id")
            .int("places")
            .text("fleet")
            .key(["id"])
            .build(),
    );
    fixture.rules = Rules {
        rename: vec![("seats".to_owned(), "places".to_owned())],
        cast: vec![("seats".to_owned(), Type::INT)],
        constants: vec![("fleet".to_owned(), "blue".to_owned())],
        ..Rules::default()
    };
    fixture.source.insert("planes", &record![1, "12"]);
    fixture.target.insert("planes", &record![1, 12, "blue"]);
    let proof = fixture.verify().unwrap();
    assert_eq!(proof.wrong, 0);
    assert_eq!(
        proof.rules,
        [
            "id: memory:int64 -> memory:int64 (exact)",
            "places: memory:text as int64 -> memory:int64 (exact)",
            "fleet: constant -> memory:text (exact)",
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Held against a comparison of two maps, with buffers so small that everything is spooled.
    #[test]
    fn agrees_with_a_naive_comparison(
        // Seats of 10 are hidden, of 100000 too large.
        source in btree_map(0..40_i64, prop_oneof![8 => 0..3_i64, 1 => Just(10), 1 => Just(100_000)], 0..40),
        target in btree_map(0..40_i64, 0..3_i64, 0..40),
        refused in btree_set(0..40_i64, 0..5),
        exact in any::<bool>(),
        agree in any::<bool>(),
    ) {
        let mut target = target;
        if agree {
            target = source.iter().map(|(&id, &seats)| (id, seats.min(20_000))).collect();
        }
        let mut fixture = Fixture::planes();
        fixture.exact = exact;
        fixture.hide_seats(10);
        fixture.stage.limits.sort_bytes_max = 1;
        fixture.stage.limits.batch_records_max = 3;
        for (&id, &seats) in &source {
            fixture.source.insert("planes", &record![id, seats]);
        }
        for (&id, &seats) in &target {
            fixture.target.insert("planes", &record![id, seats]);
        }
        refused.iter().for_each(|&id| fixture.refuse(id));
        let proof = fixture.verify().unwrap();
        prop_assert_eq!(counts(&proof), naive(&source, &target, &refused, exact));
        let taking_part = |id: &i64| {
            !refused.contains(id) && !matches!(source.get(id), Some(10 | 100_000))
        };
        let held = |side: &BTreeMap<i64, i64>| side.keys().filter(|id| taking_part(id)).count() as u64;
        prop_assert_eq!(proof.source_fold.count, held(&source));
        prop_assert_eq!(proof.target_fold.count, held(&target));
        if proof.only_target == 0 {
            prop_assert_eq!(proof.source_fold == proof.target_fold, proof.wrong == 0);
        }
    }
}

fn naive(
    source: &BTreeMap<i64, i64>,
    target: &BTreeMap<i64, i64>,
    refused: &BTreeSet<i64>,
    exact: bool,
) -> (u64, u64, u64) {
    let (mut wrong, mut only_target) = (0, 0);
    let misfit = |(id, seats): &(&i64, &i64)| **seats == 100_000 && !refused.contains(id);
    let parked = source.iter().filter(misfit).count() + refused.len();
    for id in (0..40).filter(|id| !refused.contains(id)) {
        match (source.get(&id), target.get(&id)) {
            (Some(10 | 100_000), _) => {}
            (None, Some(_)) => {
                only_target += 1;
                wrong += u64::from(exact);
            }
            (source, target) => wrong += u64::from(source != target),
        }
    }
    (wrong, only_target, parked as u64)
}
