//! A source that decides a part of the filter: what comes of a run is what comes of it without, and less is read.

use super::twisted::Twisted;
use super::{Pair, counts};
use crate::link::CollectionSpec;
use crate::report::Report;
use crate::run;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use trueup_core::schema::Schema;
use trueup_core::sieve::Sieve;
use trueup_core::types::Type;
use trueup_testkit::records::schema;
use trueup_testkit::{Owned, record};

/// Parts of a store, whose source decides as `sieves` say, field by field.
fn parts(sieves: [Sieve; 4]) -> Schema {
    let mut parts = schema("parts")
        .int("id")
        .int("qty")
        .text("kind")
        .field("ratio", Type::FLOAT)
        .key(["id"])
        .build();
    for (field, sieve) in parts.fields.iter_mut().zip(sieves) {
        field.sieve = sieve;
    }
    parts
}

const ALL: [Sieve; 4] = [Sieve::Order, Sieve::Order, Sieve::Equal, Sieve::Open];
const NONE: [Sieve; 4] = [Sieve::Blind; 4];

fn pair(sieves: [Sieve; 4], filter: &str, source: &[Vec<Owned>], target: &[Vec<Owned>]) -> Pair {
    let mut pair = Pair::new();
    pair.source.create(parts(sieves));
    pair.target.create(parts(NONE));
    pair.source.insert_all("parts", source);
    pair.target.insert_all("parts", target);
    pair.specs = vec![CollectionSpec {
        source: "parts".into(),
        target: "parts".into(),
        filter: Some(filter.into()),
        ..CollectionSpec::default()
    }];
    pair
}

/// Runs, and tells how many records the source delivered.
fn counted(pair: &Pair) -> (Report, u64) {
    let source = Twisted::new(pair.source.boxed());
    let scanned: Arc<AtomicU64> = Arc::clone(&source.scanned);
    let mut link = pair.link_of(Box::new(source), pair.target.boxed());
    let report = run::run(&mut link, &mut pair.store(), &pair.stage.world()).unwrap();
    (report, scanned.load(Ordering::SeqCst))
}

fn numbered(ids: std::ops::Range<i64>) -> Vec<Vec<Owned>> {
    ids.map(|id| record![id, id, "a", 1.0]).collect()
}

#[test]
fn only_what_passes_is_read_by_load_compare_and_verify() {
    let pair = pair(ALL, "qty < 3", &numbered(0..100), &[]);
    // The load, and the proof.
    let (report, scanned) = counted(&pair);
    assert_eq!((scanned, report.exit_code()), (6, 0), "{report:?}");
    let said = "where qty < 3: the source decides all of it; what is hidden is not counted";
    let one = &report.collections[0];
    assert!(one.notes.iter().any(|note| note == said), "{:?}", one.notes);
    let proof = report.certificate.unwrap();
    assert!(proof.collections[0].rules.iter().any(|rule| rule == said));
    // The comparison, and the proof.
    let (report, scanned) = counted(&pair);
    assert_eq!((scanned, report.exit_code()), (6, 0), "{report:?}");
    assert_eq!(report.collections[0].unchanged, 3);
}

#[test]
fn what_is_not_decided_is_said_and_evaluated_here() {
    let filter = r#"qty < 10 && kind > "a" && ratio < 2.0"#;
    let mut source = numbered(0..100);
    source[4][2] = "b".into();
    source[50] = record![50, 50, "b", f64::NAN];
    source[5] = record![5, 5, "b", f64::NAN];
    let pair = pair(ALL, filter, &source, &[]);
    let (report, scanned) = counted(&pair);
    // Ten that qty lets through, twice. 50 is decided by qty, whatever its ratio; 5 has no answer, and is parked.
    assert_eq!(scanned, 20);
    let one = &report.collections[0];
    assert_eq!((one.inserted, one.parked.len()), (1, 1));
    let said = format!("where {filter}: the source decides of qty; what is hidden is not counted");
    assert!(one.notes.contains(&said), "{:?}", one.notes);
}

#[test]
fn a_record_that_leaves_the_filter_is_looked_up_and_not_deleted() {
    for sieves in [ALL, NONE] {
        let mut pair = pair(sieves, "qty < 3", &numbered(0..100), &[]);
        pair.mode.delete = true;
        pair.run().unwrap();
        // One leaves the filter, one is gone: only the second is deleted.
        pair.source
            .update("parts", &record![1], &[("qty", 50.into())]);
        pair.source.delete("parts", &record![2]);
        let (report, scanned) = counted(&pair);
        let one = &report.collections[0];
        assert_eq!(counts(one), [0, 0, 1, 1, 0, 1], "{one:?}");
        assert!(pair.target.record("parts", &record![1]).is_some());
        let said = "where qty < 3: 98 records hidden";
        assert!(one.notes.iter().any(|note| note == said), "{:?}", one.notes);
        assert_eq!(report.exit_code(), 0);
        assert!(scanned >= 198, "everything is read: {scanned}");
        let proof = report.certificate.unwrap();
        assert_eq!(proof.collections[0].target_fold.count, 1);
    }
}

#[test]
fn a_key_that_the_source_does_not_keep_is_checked_here() {
    let mut keyless = parts(ALL);
    keyless.key.clear();
    let mut pair = pair(ALL, "qty < 3", &[], &[]);
    pair.source.create(keyless);
    pair.source
        .insert_all("parts", &[record![1, 1, "a", 1.0], record![1, 9, "a", 1.0]]);
    pair.specs[0].rules.key = vec!["id".into()];
    let error = pair.run().unwrap_err();
    assert!(error.message().contains("key"), "{error:?}");
}

fn any_part() -> impl Strategy<Value = Vec<Owned>> {
    let qty = prop_oneof![1 => Just(Owned::Null), 4 => (0_i64..6).prop_map(Owned::Int)];
    let kind = prop_oneof![
        1 => Just(Owned::Null),
        4 => prop::sample::select(vec!["a", "b", "B", ""]).prop_map(Owned::from),
    ];
    let ratio = prop_oneof![
        1 => Just(Owned::Null),
        1 => Just(Owned::Float(f64::NAN)),
        4 => prop::sample::select(vec![0.5, 1.0, 2.0]).prop_map(Owned::Float),
    ];
    (0_i64..12, qty, kind, ratio)
        .prop_map(|(id, qty, kind, ratio)| vec![id.into(), qty, kind, ratio])
}

fn any_filter() -> impl Strategy<Value = String> {
    let term = prop::sample::select(vec![
        "qty < 3",
        "qty >= 2",
        "qty == 4",
        "qty != 4",
        "qty == null",
        "qty != null",
        "kind == \"a\"",
        "kind != \"a\"",
        "kind < \"b\"",
        "ratio < 1.5",
        "ratio != 1.0",
        "ratio == null",
        "id > 3",
        "qty in [1, 2]",
    ]);
    prop::collection::vec(term, 1..4).prop_map(|terms| terms.join(" && "))
}

fn any_sieves() -> impl Strategy<Value = [Sieve; 4]> {
    let any = || prop::sample::select(vec![Sieve::Order, Sieve::Order, Sieve::Equal, Sieve::Open]);
    [any(), any(), any(), any()]
}

/// Of records that share a key, the first.
fn unique(records: Vec<Vec<Owned>>) -> Vec<Vec<Owned>> {
    let mut seen = std::collections::BTreeSet::new();
    let key = |record: &Vec<Owned>| format!("{:?}", record[0]);
    records
        .into_iter()
        .filter(|one| seen.insert(key(one)))
        .collect()
}

/// What must not depend on the sieve: all but how many records are hidden.
fn outcome(pair: &Pair) -> (u8, [u64; 6], [u64; 5], Vec<Vec<Owned>>) {
    let report = pair.run().unwrap();
    let one = &report.collections[0];
    let proof = report.certificate.as_ref().map(|all| &all.collections[0]);
    let proven = proof.map_or([0; 5], |proof| {
        let (source, target) = (proof.source_fold.count, proof.target_fold.count);
        [source, target, proof.only_target, proof.wrong, proof.parked]
    });
    (
        report.exit_code(),
        counts(one),
        proven,
        pair.target.records("parts"),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_sieve_changes_no_result(
        filter in any_filter(),
        sieves in any_sieves(),
        source in prop::collection::vec(any_part(), 0..12).prop_map(unique),
        target in prop::collection::vec(any_part(), 0..6).prop_map(unique),
        loaded in any::<bool>(),
        delete in any::<bool>(),
    ) {
        let target = if loaded { Vec::new() } else { target };
        let outcomes = [sieves, NONE].map(|sieves| {
            let mut pair = pair(sieves, &filter, &source, &target);
            (pair.mode.delete, pair.mode.lift_guard) = (delete, true);
            let plan = pair.plan().unwrap().0;
            (plan, outcome(&pair), outcome(&pair))
        });
        let [sieved, not] = outcomes;
        prop_assert_eq!(sieved, not, "{}", filter);
    }
}
