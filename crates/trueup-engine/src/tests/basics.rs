//! One way without faults: what is written, what is counted, and that a plan is what happens.

use super::{Pair, counts, fleet};
use crate::link::CollectionSpec;
use trueup_core::Kind;
use trueup_core::endpoint::Op;
use trueup_core::types::Type;
use trueup_testkit::Owned;
use trueup_testkit::memory::Change;
use trueup_testkit::record;
use trueup_testkit::records::schema;

fn mixed() -> Pair {
    Pair::planes(
        &[record![1, "a"], record![2, "b"], record![3, "c"]],
        &[record![2, "x"], record![3, "c"], record![9, "z"]],
    )
}

#[test]
fn inserts_and_updates_and_leaves_what_only_the_target_has() {
    let pair = mixed();
    let report = pair.run().unwrap();
    assert_eq!(counts(&report.collections[0]), [1, 1, 0, 1, 0, 1]);
    assert_eq!((report.equal, report.exit_code()), (true, 0));
    let models = [
        record![1, "a"],
        record![2, "b"],
        record![3, "c"],
        record![9, "z"],
    ];
    assert_eq!(pair.target.records("planes"), models);
}

#[test]
fn deletes_only_when_asked() {
    let mut pair = mixed();
    pair.mode.delete = true;
    let report = pair.run().unwrap();
    assert_eq!(counts(&report.collections[0]), [1, 1, 1, 1, 0, 1]);
    pair.assert_converges();
}

#[test]
fn source_of_a_run_is_never_written() {
    let pair = mixed();
    let before = (pair.source.log(), pair.source.position());
    pair.run().unwrap();
    assert_eq!((pair.source.log(), pair.source.position()), before);
}

#[test]
fn second_run_plans_nothing_and_claims_nothing() {
    let mut pair = mixed();
    pair.mode.delete = true;
    pair.run().unwrap();
    let before = (pair.target.position(), pair.epoch(), pair.batch("planes"));
    let (text, report) = pair.plan().unwrap();
    assert_eq!(
        text,
        "collection planes: 0 to insert, 0 to update, 0 to delete\n"
    );
    assert!(report.equal);
    let report = pair.run().unwrap();
    assert_eq!(counts(&report.collections[0]), [0, 0, 0, 3, 0, 0]);
    let after = (pair.target.position(), pair.epoch(), pair.batch("planes"));
    assert_eq!(
        after, before,
        "not even the position of the target has moved"
    );
}

#[test]
fn missing_collection_is_created_and_loaded() {
    let pair = Pair::planes(&fleet(0, 7), &[]);
    pair.target.drop_collection("planes");
    let (text, _) = pair.plan().unwrap();
    let want = "collection planes: empty at the target\n  create create planes\n  \
                load every record of the source\n";
    assert_eq!(text, want);
    assert_eq!(pair.target.schema("planes"), None, "a plan creates nothing");
    let report = pair.run().unwrap();
    assert_eq!(counts(&report.collections[0]), [7, 0, 0, 0, 0, 0]);
    pair.assert_converges();
}

/// The line of a plan that announces `change`.
fn announced(change: &Change) -> String {
    let key = |record: &Option<Vec<Owned>>| match &record.as_ref().unwrap()[0] {
        Owned::Int(id) => format!("id={id}"),
        other => panic!("{other:?} is no key here"),
    };
    match change.op {
        Op::Insert => format!("  insert {}\n", key(&change.after)),
        Op::Update => format!("  update {} fields=model\n", key(&change.after)),
        Op::Delete => format!("  delete {}\n", key(&change.before)),
    }
}

#[test]
fn dry_run_prints_what_the_run_then_does_record_by_record() {
    let mut target = fleet(5, 40);
    target[3][1] = "other".into();
    target[17][1] = Owned::Null;
    let mut pair = Pair::planes(&fleet(0, 30), &target);
    pair.mode.delete = true;
    let before = pair.target.log().len();
    let (text, planned) = pair.plan().unwrap();
    assert_eq!(pair.target.log().len(), before, "a plan writes nothing");
    assert!(!planned.equal);
    pair.run().unwrap();
    let done: String = pair.written(before).iter().map(announced).collect();
    let header = "collection planes: 5 to insert, 2 to update, 10 to delete\n";
    assert_eq!(text, format!("{header}{done}"));
}

#[test]
fn diff_counts_every_difference_and_writes_nothing() {
    for target in [vec![], fleet(3, 9)] {
        let pair = Pair::planes(&fleet(0, 7), &target);
        let before = (pair.target.position(), pair.source.position());
        let report = pair.diff().unwrap();
        let one = &report.collections[0];
        let only_source = if target.is_empty() { 7 } else { 3 };
        let only_target = if target.is_empty() { 0 } else { 2 };
        assert_eq!(
            (one.only_source, one.only_target, one.changed),
            (only_source, only_target, 0)
        );
        assert_eq!((report.equal, report.exit_code()), (false, 1));
        assert_eq!((pair.target.position(), pair.source.position()), before);
    }
    let same = Pair::planes(&fleet(0, 7), &fleet(0, 7));
    assert_eq!(same.diff().unwrap().exit_code(), 0);
    let extra = Pair::planes(&fleet(0, 7), &fleet(0, 8));
    assert_eq!(extra.diff().unwrap().exit_code(), 1);
}

/// Planes with a number that is narrower at the target: above 32767 a record does not fit.
pub(super) fn narrow(source: &[Vec<Owned>], target: &[Vec<Owned>]) -> Pair {
    let mut pair = Pair::new();
    let small = Type::Int {
        bits: 16,
        signed: true,
    };
    pair.source
        .create(schema("planes").int("id").int("seats").key(["id"]));
    pair.target.create(
        schema("planes")
            .field("id", small)
            .field("seats", small)
            .key(["id"]),
    );
    pair.source.insert_all("planes", source);
    pair.target.insert_all("planes", target);
    pair.stage.limits.batch_records_max = 2;
    pair
}

#[test]
fn diff_with_a_record_that_cannot_be_compared_is_not_equal() {
    for misfit in [record![2, 40_000], record![40_000, 2]] {
        let pair = narrow(&[record![1, 1], misfit], &[record![1, 1]]);
        let report = pair.diff().unwrap();
        assert_eq!((report.parked(), report.equal), (1, false));
    }
}

#[test]
fn every_source_record_is_accounted_for() {
    for (verify, loaded) in [(false, false), (false, true), (true, false), (true, true)] {
        let source: Vec<_> = (0..20).map(|id| record![id, id * 3_000]).collect();
        let target: Vec<_> = (5..15).map(|id| record![id, 15_000]).collect();
        let mut pair = narrow(&source, if loaded { &[] } else { &target });
        pair.mode.verify = verify;
        pair.target_faults
            .refuse_key("planes", &record![1])
            .refuse_key("planes", &record![6]);
        let report = pair.run().unwrap();
        let [inserted, updated, deleted, unchanged, parked, _] = counts(&report.collections[0]);
        let case = format!("verify={verify} loaded={loaded} {report:?}");
        assert_eq!(unchanged + inserted + updated + parked, 20, "{case}");
        // 11 to 19 do not fit, 1 and 6 are refused.
        assert_eq!((parked, deleted), (11, 0), "{case}");
        assert_eq!(report.exit_code(), 1, "{case}");
        let one = &report.collections[0];
        assert!(one.source_fold.count >= 9, "{case}");
        let expected = if loaded { 0 } else { 10 };
        assert_eq!(one.only_target, 0, "{case}");
        assert_eq!(one.only_source, if loaded { 11 } else { 5 }, "{case}");
        let written = inserted + updated + unchanged;
        assert_eq!(written, 9, "{case}");
        assert!(
            pair.target.records("planes").len() >= expected.max(9),
            "{case}"
        );
    }
}

#[test]
fn two_collections_may_not_write_to_the_same_one() {
    let mut pair = mixed();
    let spec = |source: &str| CollectionSpec {
        source: source.to_owned(),
        target: "planes".to_owned(),
        ..CollectionSpec::default()
    };
    pair.source
        .create(schema("ships").int("id").text("model").key(["id"]));
    pair.specs = vec![spec("planes"), spec("ships")];
    pair.mode.delete = true;
    let error = pair.run().unwrap_err();
    assert_eq!(error.kind(), Kind::Config, "{error:?}");
    assert!(error.message().contains("planes"), "{error:?}");
}

#[test]
fn source_and_target_may_not_be_the_same_place() {
    let pair = mixed();
    let mut link = pair.link_of(pair.target.boxed(), pair.target.boxed());
    let error = crate::run::diff(&mut link, &pair.stage.world()).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
}
