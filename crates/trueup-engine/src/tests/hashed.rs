//! Comparing by hashes plans what comparing by reading plans, and reads less.

use super::{Pair, counts, fleet, planes};
use crate::link::{CollectionSpec, Comparison};
use proptest::collection::btree_map;
use proptest::prelude::*;
use trueup_core::Kind;
use trueup_core::mapping::Rules;
use trueup_testkit::Owned;
use trueup_testkit::memory::Hashed;

/// Two worlds that hash, and a run that has to use it.
fn hashing(source: &[Vec<Owned>], target: &[Vec<Owned>], how: Hashed) -> Pair {
    let mut pair = Pair::planes(source, target);
    pair.source.hash_like(how);
    pair.target.hash_like(how);
    pair.mode.compare = Comparison::Hash;
    pair.mode.delete = true;
    pair.mode.lift_guard = true;
    pair
}

fn records(of: &std::collections::BTreeMap<i64, Option<String>>) -> Vec<Vec<Owned>> {
    let record = |(&id, model): (&i64, &Option<String>)| vec![id.into(), model.clone().into()];
    of.iter().map(record).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_plan_is_that_of_reading(
        source in btree_map(-40..40_i64, prop::option::of("[ab]{0,1}"), 0..60),
        target in btree_map(-40..40_i64, prop::option::of("[ab]{0,1}"), 0..60),
        equal in any::<bool>(),
        delete in any::<bool>(),
        ahead in 0..2_usize,
    ) {
        // Mostly equal worlds are what hashes are for.
        let target = if equal {
            let mut almost = source.clone();
            almost.extend(target.into_iter().take(2));
            almost
        } else {
            target
        };
        let mut pair = hashing(&records(&source), &records(&target), Hashed::Honest);
        pair.mode.delete = delete;
        pair.stage.limits.batches_ahead = ahead;
        let (hashed, report) = pair.plan().unwrap();
        let by_hash = pair.diff().unwrap();
        pair.mode.compare = Comparison::Stream;
        let (read, expected) = pair.plan().unwrap();
        let by_reading = pair.diff().unwrap();
        prop_assert_eq!(hashed, read);
        prop_assert_eq!(report.equal, expected.equal);
        let told = |report: &crate::Report| {
            let one = &report.collections[0];
            let found = [one.only_source, one.only_target, one.changed, one.unchanged];
            (found, counts(one), one.source_fold.count, one.target_fold.count)
        };
        prop_assert_eq!(told(&report), told(&expected));
        prop_assert_eq!(told(&by_hash), told(&by_reading));
        if by_hash.collections[0].unread == 0 {
            prop_assert_eq!(by_hash.collections[0].source_fold, by_reading.collections[0].source_fold);
        }
    }
}

#[test]
fn equal_worlds_are_not_read() {
    let mut pair = hashing(&fleet(0, 100), &fleet(0, 100), Hashed::Honest);
    // A scan of either would break.
    pair.source_faults.break_scan("planes", 0);
    pair.target_faults.break_scan("planes", 0);
    let report = pair.diff().unwrap();
    assert!(report.equal);
    let one = &report.collections[0];
    assert_eq!((one.unchanged, one.unread), (100, 100));
    assert_eq!((one.source_fold.count, one.source_fold.sum), (100, 0));
    pair.mode.compare = Comparison::Stream;
    assert_eq!(pair.diff().unwrap_err().kind(), Kind::Unavailable);
}

#[test]
fn a_run_writes_what_differs_and_verify_hashes_all() {
    let pair = hashing(&fleet(0, 100), &fleet(1, 101), Hashed::Honest);
    let report = pair.run().unwrap();
    assert_eq!(report.exit_code(), 0);
    let one = &report.collections[0];
    assert_eq!(counts(one), [1, 0, 1, 99, 0, 1]);
    let hashed = one.hashed.as_ref().unwrap();
    assert!(hashed.unread > 80 && hashed.differing <= 2, "{hashed:?}");
    // Verify hashed every record anew, and says so; the digests are not known.
    let proof = &report.certificate.as_ref().unwrap().collections[0];
    assert!(proof.hashed.is_some(), "{proof:?}");
    assert_eq!((proof.source_fold, one.unread), (proof.target_fold, 100));
    pair.assert_same("planes");
}

/// The negative controls: a hash that looks at less than the whole record, and one that a sum over the bucket undoes.
#[test]
fn a_hash_that_is_too_weak_is_noticed() {
    let exchanged = |swap: bool| {
        let mut fleet = fleet(0, 4);
        if swap {
            let (one, other) = (fleet[0][1].clone(), fleet[1][1].clone());
            (fleet[0][1], fleet[1][1]) = (other, one);
        }
        fleet
    };
    // Four records share one bucket.
    for (how, found) in [
        (Hashed::Honest, 2),
        (Hashed::KeysOnly, 0),
        (Hashed::Sums, 0),
    ] {
        let pair = hashing(&exchanged(false), &exchanged(true), how);
        let report = pair.diff().unwrap();
        assert_eq!(report.collections[0].changed, found, "{how:?}");
    }
}

#[test]
fn where_most_differ_all_is_read() {
    let pair = hashing(&fleet(0, 100), &fleet(100, 200), Hashed::Honest);
    let report = pair.diff().unwrap();
    let one = &report.collections[0];
    assert_eq!(
        (one.only_source, one.only_target, one.unread),
        (100, 100, 0)
    );
    assert_eq!(one.hashed.as_ref().unwrap().unread, 0);
    let note = one.notes.iter().find(|note| note.contains("hashes"));
    assert!(note.unwrap().contains("all records were read"), "{note:?}");
}

#[test]
fn small_collections_are_read_unless_hashes_are_asked_for() {
    let mut pair = hashing(&fleet(0, 10), &fleet(0, 10), Hashed::Honest);
    pair.mode.compare = Comparison::Auto;
    assert_eq!(pair.diff().unwrap().collections[0].hashed, None);
    pair.stage.limits.hash_bytes_min = 0;
    assert!(pair.diff().unwrap().collections[0].hashed.is_some());
}

#[test]
fn hashes_are_refused_where_they_would_not_say_the_same() {
    let filtered = CollectionSpec {
        filter: Some("id > 3".to_owned()),
        ..CollectionSpec::plain("planes".to_owned())
    };
    let dropped = CollectionSpec {
        rules: Rules {
            cast: vec![("model".to_owned(), trueup_core::types::Type::TEXT)],
            ..Rules::default()
        },
        ..CollectionSpec::plain("planes".to_owned())
    };
    for spec in [filtered, dropped] {
        let mut pair = hashing(&fleet(0, 10), &fleet(0, 9), Hashed::Honest);
        pair.specs = vec![spec];
        let error = pair.diff().unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.to_string().contains("by hashes"), "{error}");
        pair.mode.compare = Comparison::Auto;
        pair.stage.limits.hash_bytes_min = 0;
        assert_eq!(pair.diff().unwrap().collections[0].hashed, None);
    }
    let pair = hashing(&fleet(0, 10), &fleet(0, 9), Hashed::None);
    assert_eq!(pair.diff().unwrap_err().kind(), Kind::Config);
    // Two worlds that hash, of which one has another type.
    let pair = hashing(&[], &[], Hashed::Honest);
    let mut other = planes();
    other.fields[1].ty = trueup_core::types::Type::Any;
    pair.target.create(other);
    pair.source.insert_all("planes", &fleet(0, 3));
    pair.target.insert_all("planes", &fleet(0, 3));
    assert_eq!(pair.diff().unwrap_err().kind(), Kind::Config);
}
