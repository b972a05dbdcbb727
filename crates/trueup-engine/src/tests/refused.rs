//! Records that the target refuses: tried again where another record stood in the way, parked with the reason where
//! nothing helps, and never in the way of the others.

use super::twisted::{Fate, Twisted};
use super::{Pair, counts, fleet};
use crate::report::Report;
use crate::run;
use std::collections::BTreeSet;
use trueup_core::Kind;
use trueup_core::digest::Digest;
use trueup_core::endpoint::Op;
use trueup_core::schema::Schema;
use trueup_core::types::Type;
use trueup_testkit::Owned;
use trueup_testkit::faults::{Fault, When};
use trueup_testkit::memory::Memory;
use trueup_testkit::owned::key_bytes;
use trueup_testkit::record;
use trueup_testkit::records::schema;

fn key(id: i64) -> Digest {
    Digest::of(&key_bytes(&record![id]))
}

#[test]
fn refused_record_is_parked_with_its_reason_and_the_others_are_written() {
    let pair = Pair::planes(&fleet(0, 7), &fleet(0, 2));
    pair.target_faults
        .refuse_key("planes", &record![3])
        .refuse_key("planes", &record![6]);
    let report = pair.run().unwrap();
    assert_eq!(counts(&report.collections[0]), [3, 0, 0, 2, 2, 0]);
    assert_eq!((report.equal, report.exit_code()), (false, 1));
    let certificate = report.certificate.unwrap();
    assert_eq!(certificate.collections[0].wrong, 0, "parked is not wrong");
    assert_eq!(certificate.collections[0].parked, 2);
    assert!(!certificate.is_clean());
    let parked = pair.store().parked(&pair.id(), "planes").unwrap();
    let keys: Vec<Digest> = parked.iter().map(|parked| parked.key).collect();
    assert_eq!(keys, [key(3), key(6)]);
    assert!(parked[0].reason.contains("constraint="), "{parked:?}");
    pair.target_faults.accept_all();
    pair.assert_converges();
    assert_eq!(pair.store().parked(&pair.id(), "planes").unwrap(), []);
}

#[test]
fn record_refused_once_as_blocked_is_written_by_the_retry() {
    let pair = Pair::planes(&fleet(0, 7), &[]);
    let (index, blocked) = (1, true);
    for batch in [1, 2] {
        let fault = Fault::Reject { index, blocked };
        pair.target_faults.plan(When::Batch(batch), fault);
    }
    let report = pair.run().unwrap();
    pair.target_faults.assert_spent();
    assert_eq!(counts(&report.collections[0]), [7, 0, 0, 0, 0, 0]);
    pair.assert_converges();
}

#[test]
fn more_refusals_than_the_limit_stop_the_run() {
    for blocked in [false, true] {
        let mut pair = Pair::planes(&fleet(0, 40), &[]);
        pair.stage.limits.refused_max = 3;
        for batch in 1..20 {
            let fault = Fault::Reject { index: 0, blocked };
            pair.target_faults.plan(When::Batch(batch), fault);
        }
        let error = pair.run().unwrap_err();
        assert_eq!(error.kind(), Kind::Rejected, "{error:?}");
        assert!(error.message().contains("constraint=planned"), "{error:?}");
        assert_eq!(pair.target.records("planes").len(), 4, "one of each batch");
    }
}

#[test]
fn more_misfits_than_the_limit_stop_the_run_before_a_write() {
    let mut pair = Pair::new();
    let bits = Type::Int {
        bits: 16,
        signed: true,
    };
    pair.source
        .create(schema("planes").int("id").int("seats").key(["id"]));
    pair.target
        .create(schema("planes").int("id").field("seats", bits).key(["id"]));
    let records: Vec<_> = (0..9).map(|id| record![id, 70_000 * (id % 2)]).collect();
    pair.source.insert_all("planes", &records);
    pair.target.insert("planes", &record![0, 7]);
    pair.stage.limits.refused_max = 3;
    let before = pair.target.position();
    assert_eq!(pair.run().unwrap_err().kind(), Kind::Config);
    assert_eq!(pair.target.position(), before);
    pair.stage.limits.refused_max = 4;
    assert_eq!(pair.run().unwrap().exit_code(), 1);
}

/// Seats with a unique number, one record to a batch unless a test says otherwise.
fn seats(source: &[Vec<Owned>], target: &[Vec<Owned>]) -> Pair {
    let mut pair = Pair::new();
    let shape = || {
        schema("planes")
            .int("id")
            .text("model")
            .key(["id"])
            .unique(["model"])
    };
    pair.source.create(shape());
    pair.target.create(shape());
    pair.source.insert_all("planes", source);
    pair.target.insert_all("planes", target);
    pair.stage.limits.batch_records_max = 1;
    pair
}

#[test]
fn unique_value_is_handed_over_whichever_comes_first() {
    for size in [1, 2, 100] {
        let after = [record![1, "x"], record![2, "y"]];
        let mut pair = seats(&after, &[record![2, "x"]]);
        pair.stage.limits.batch_records_max = size;
        let report = pair.run().unwrap();
        assert_eq!(counts(&report.collections[0]), [1, 1, 0, 0, 0, 0]);
        pair.assert_converges();
    }
}

#[test]
fn unique_value_of_a_deleted_record_is_handed_over() {
    let mut pair = seats(&[record![1, "x"]], &[record![2, "x"]]);
    pair.mode.delete = true;
    let report = pair.run().unwrap();
    assert_eq!(counts(&report.collections[0]), [1, 0, 1, 0, 0, 1]);
    pair.assert_converges();
    let kept = seats(&[record![1, "x"]], &[record![2, "x"]]);
    let report = kept.run().unwrap();
    assert_eq!(counts(&report.collections[0]), [0, 0, 0, 0, 1, 1]);
    assert!(report.collections[0].parked[0].reason.contains("unique"));
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn long_chain_of_unique_values_moves_up_by_one() {
    for size in [1, 7, 100] {
        let source: Vec<_> = (0..40)
            .map(|id| record![id, format!("{}", id + 1)])
            .collect();
        let target: Vec<_> = (0..40).map(|id| record![id, format!("{id}")]).collect();
        let mut pair = seats(&source, &target);
        pair.stage.limits.batch_records_max = size;
        let report = pair.run().unwrap();
        assert_eq!(counts(&report.collections[0])[..5], [0, 40, 0, 0, 0]);
        let batches = pair.batch("planes");
        assert!(size < 100 || batches <= 3, "batches={batches}");
        pair.assert_converges();
    }
}

#[test]
fn swapped_unique_values_are_parked_because_no_order_helps() {
    let swapped = [record![1, "y"], record![2, "x"], record![3, "z"]];
    let pair = seats(&swapped, &[record![1, "x"], record![2, "y"]]);
    let report = pair.run().unwrap();
    assert_eq!(counts(&report.collections[0]), [1, 0, 0, 0, 2, 0]);
    assert_eq!(report.exit_code(), 1);
    assert_eq!(report.certificate.unwrap().collections[0].wrong, 0);
}

/// A collection whose `parent` is a record of `of`, or NULL.
fn child_of(collection: &str, of: &str) -> Schema {
    let shape = schema(collection).int("id").int("parent").key(["id"]);
    shape.refers(["parent"], of).build()
}

/// A target that refuses a record whose parent is not there, and a delete that would leave a child without one.
fn with_foreign_keys(memory: &Memory, references: &'static [(&str, &str)]) -> Twisted {
    let ids = |memory: &Memory, collection: &str| -> BTreeSet<Owned> {
        let records = memory.records(collection).into_iter();
        records.map(|record| record[0].clone()).collect()
    };
    let target = memory.clone();
    Twisted::new(memory.boxed()).judged(move |collection, op, record| {
        let orphan = |of: &str| record[1] != Owned::Null && !ids(&target, of).contains(&record[1]);
        let has_child = |child: &str| {
            let children = target.records(child);
            children.iter().any(|child| child[1] == record[0])
        };
        let blocked = references.iter().any(|&(child, parent)| match op {
            Op::Insert | Op::Update => child == collection && orphan(parent),
            Op::Delete => parent == collection && has_child(child),
        });
        if blocked { Fate::Block } else { Fate::Keep }
    })
}

fn run_with(pair: &Pair, references: &'static [(&'static str, &'static str)]) -> Report {
    let target = with_foreign_keys(&pair.target, references);
    let mut link = pair.link_of(pair.source.boxed(), Box::new(target));
    run::run(&mut link, &mut pair.store(), &pair.stage.world()).unwrap()
}

fn family(shapes: &[Schema]) -> Pair {
    let mut pair = Pair::new();
    for shape in shapes {
        pair.source.create(shape.clone());
        pair.target.create(shape.clone());
    }
    pair.stage.limits.batch_records_max = 2;
    pair.mode.delete = true;
    pair
}

fn remove(pair: &Pair, collection: &str, ids: std::ops::Range<i64>) {
    for id in ids {
        assert!(pair.source.delete(collection, &record![id]));
    }
}

#[test]
fn children_come_after_their_parents_and_go_before_them() {
    let links: &[(&str, &str)] = &[("a_child", "b_parent")];
    let parents = schema("b_parent").int("id").int("parent").key(["id"]);
    let pair = family(&[child_of("a_child", "b_parent"), parents.build()]);
    for id in 0..5 {
        pair.source.insert("a_child", &record![id, id]);
        pair.source.insert("b_parent", &record![id, None::<i64>]);
    }
    let report = run_with(&pair, links);
    assert_eq!(report.exit_code(), 0, "{report:?}");
    let batches = [pair.batch("a_child"), pair.batch("b_parent")];
    assert_eq!(batches, [3, 3], "nothing had to be tried again");
    for collection in ["a_child", "b_parent"] {
        remove(&pair, collection, 1..5);
    }
    let report = run_with(&pair, links);
    assert_eq!(report.exit_code(), 0, "{report:?}");
    assert_eq!([pair.batch("a_child"), pair.batch("b_parent")], [5, 5]);
    pair.assert_same("a_child");
    pair.assert_same("b_parent");
}

#[test]
fn collections_that_refer_to_each_other_are_written_by_the_retry() {
    let pair = family(&[child_of("a", "b"), child_of("b", "a")]);
    pair.source.insert("a", &record![1, 1]);
    pair.source.insert("a", &record![2, None::<i64>]);
    pair.source.insert("b", &record![1, 2]);
    pair.source.insert("b", &record![2, 1]);
    let report = run_with(&pair, &[("a", "b"), ("b", "a")]);
    assert_eq!(report.exit_code(), 0, "{report:?}");
    pair.assert_same("a");
    pair.assert_same("b");
}

#[test]
fn self_reference_to_a_later_batch_is_written_by_the_retry_and_an_orphan_is_parked() {
    let pair = family(&[child_of("staff", "staff")]);
    let links: &[(&str, &str)] = &[("staff", "staff")];
    for id in 0..9 {
        pair.source.insert("staff", &record![id, id + 1]);
    }
    pair.source.insert("staff", &record![9, None::<i64>]);
    let report = run_with(&pair, links);
    assert_eq!(report.exit_code(), 0, "{report:?}");
    assert_eq!(counts(&report.collections[0]), [10, 0, 0, 0, 0, 0]);
    pair.source.insert("staff", &record![20, 99]);
    pair.source.insert("staff", &record![21, 20]);
    let report = run_with(&pair, links);
    assert_eq!(counts(&report.collections[0]), [0, 0, 0, 10, 2, 0]);
    assert_eq!(report.exit_code(), 1);
    remove(&pair, "staff", 0..9);
    remove(&pair, "staff", 20..22);
    let report = run_with(&pair, links);
    assert_eq!(report.exit_code(), 0, "{report:?}");
    pair.assert_same("staff");
}
