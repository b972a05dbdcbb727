//! Several workers load at the same time: what comes of it does not depend on how many they are.

use super::{Pair, fleet, planes};
use crate::link::CollectionSpec;
use crate::report::Report;
use std::sync::atomic::{AtomicU64, Ordering};
use trueup_core::Kind;
use trueup_core::mapping::Rules;
use trueup_core::schema::Schema;
use trueup_testkit::faults::{Fault, Step, When};
use trueup_testkit::{record, records};

/// How many records each has.
const FLEETS: [(&str, i64); 5] = [("a", 7), ("b", 1), ("c", 12), ("d", 4), ("e", 3)];
/// Batches of two records.
const BATCHES: u64 = 15;

fn named(name: &str) -> Schema {
    Schema {
        collection: name.to_owned(),
        ..planes()
    }
}

/// Collections to be loaded; "d" is a bag with equal records, "e" is there already.
fn fleets(workers: usize) -> Pair {
    let mut pair = Pair::new();
    for (name, records) in FLEETS {
        pair.source.create(named(name));
        pair.source.insert_all(name, &fleet(0, records));
        pair.specs.push(CollectionSpec::plain(name.to_owned()));
    }
    let mut bag = records::schema("d").int("id").text("model").build();
    bag.notes.clear();
    pair.source.drop_collection("d");
    pair.source.create(bag);
    pair.source
        .insert_all("d", &[fleet(0, 2), fleet(0, 2)].concat());
    pair.specs[3].rules = Rules {
        bag: true,
        ..Rules::default()
    };
    pair.target.create(named("e"));
    pair.stage.limits.batch_records_max = 2;
    pair.stage.limits.workers = workers;
    pair
}

fn assert_all_same(pair: &Pair, case: &str) {
    for (name, _) in FLEETS {
        let sorted = |world: &trueup_testkit::memory::Memory| records::sorted(world.records(name));
        assert_eq!(sorted(&pair.source), sorted(&pair.target), "{case}: {name}");
    }
}

/// How often the batch that was applied most often was applied.
fn most_applied(pair: &Pair) -> u64 {
    let applied = pair.target.applied_all().into_values();
    applied.max().unwrap_or_default()
}

#[test]
fn any_number_of_workers_says_the_same() {
    let run = |workers: usize| -> Report {
        let pair = fleets(workers);
        for key in [3, 5, 6] {
            pair.target_faults.refuse_key("c", &record![key]);
        }
        let report = pair.run().unwrap();
        let others = workers.min(FLEETS.len()) as u64 - 1;
        assert_eq!(pair.target_faults.called(Step::Join), others);
        assert_eq!(pair.source_faults.called(Step::Another), others);
        assert_eq!(pair.epoch(), 1);
        report
    };
    let alone = run(1);
    assert_eq!(alone.collections[2].parked.len(), 3);
    assert_eq!(alone.collections[3].inserted, 4);
    let proof = alone.certificate.as_ref().unwrap();
    assert!(proof.collections.iter().all(|one| one.wrong == 0));
    for workers in [2, 3, 4, 9] {
        assert_eq!(format!("{:?}", run(workers)), format!("{alone:?}"));
    }
}

#[test]
fn a_lost_answer_of_any_worker_is_found_out() {
    for call in 1..=BATCHES {
        for fault in [Fault::FailBefore, Fault::FailAfterWrite] {
            let case = format!("{fault:?} at call {call}");
            let pair = fleets(3);
            pair.target_faults.plan(When::Call(call), fault.clone());
            let report = pair.run().unwrap();
            pair.target_faults.assert_spent();
            assert_eq!(report.exit_code(), 0, "{case}: {report:?}");
            assert!(report.certificate.unwrap().is_clean(), "{case}");
            assert_eq!(pair.epoch(), 2, "{case}: only who lost an answer claims");
            assert_eq!(most_applied(&pair), 1, "{case}");
            assert_all_same(&pair, &case);
        }
    }
}

#[test]
fn several_lost_answers_end_well_too() {
    let pair = fleets(4);
    for call in [1, 2, 3, 6, 7] {
        let fault = match call % 2 {
            0 => Fault::FailBefore,
            _ => Fault::FailAfterWrite,
        };
        pair.target_faults.plan(When::Call(call), fault);
    }
    let report = pair.run().unwrap();
    pair.target_faults.assert_spent();
    assert_eq!(report.exit_code(), 0, "{report:?}");
    assert_eq!(most_applied(&pair), 1);
    assert_all_same(&pair, "several");
}

#[test]
fn the_first_error_ends_all_workers() {
    for call in [1, 4, 9] {
        let pair = fleets(3);
        let refused = Fault::Refuse(Kind::Auth);
        pair.target_faults.plan(When::Call(call), refused);
        let error = pair.run().unwrap_err();
        assert_eq!(error.kind(), Kind::Auth, "{error}");
        // Two others may have been at a batch each.
        assert!(pair.target_faults.called(Step::Apply) <= call + 2);
        assert_eq!(pair.run().unwrap().exit_code(), 0);
        assert_all_same(&pair, "after the error");
    }
    let pair = fleets(3);
    pair.source_faults.break_scan("c", 1);
    assert_eq!(pair.run().unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(pair.run().unwrap().exit_code(), 0);
    assert_all_same(&pair, "after a broken scan");
}

#[test]
fn another_engine_fences_all_workers() {
    for call in [1, 5, 10] {
        let pair = fleets(3);
        let (target, link, calls) = (pair.target.clone(), pair.id(), AtomicU64::new(0));
        pair.target_faults.on_call(move |step| {
            if step == Step::Apply && calls.fetch_add(1, Ordering::SeqCst) + 1 == call {
                let claim = trueup_core::endpoint::Claim {
                    link: link.durable.clone(),
                    incarnation: "another".to_owned(),
                };
                target.boxed().writer(&claim).map(drop).unwrap();
            }
        });
        let error = pair.run().unwrap_err();
        assert_eq!(error.kind(), Kind::Stale, "{error}");
        assert_eq!(pair.epoch(), 2, "nobody claims against the other engine");
    }
}

#[test]
fn a_target_without_room_for_another_session_is_loaded_by_those_it_has() {
    for (joins, expected) in [(1, 1), (0, 3)] {
        let pair = fleets(4);
        pair.target_faults
            .fail_with(Step::Join, joins, Kind::Throttled);
        assert_eq!(pair.run().unwrap().exit_code(), 0);
        assert_eq!(pair.target_faults.called(Step::Join), expected);
        assert_all_same(&pair, "with fewer");
    }
}

#[test]
fn what_refers_to_another_collection_is_loaded_after_it() {
    let mut pair = Pair::new();
    let child = |name: &str| {
        let shape = records::schema(name).int("id").text("model").key(["id"]);
        shape.refers(["id"], "parent").build()
    };
    for shape in [
        child("child"),
        child("cousin"),
        named("parent"),
        named("stranger"),
    ] {
        pair.source.create(shape.clone());
        pair.target.create(shape.clone());
        pair.source.insert_all(&shape.collection, &fleet(0, 9));
    }
    pair.stage.limits.batch_records_max = 2;
    pair.stage.limits.workers = 4;
    assert_eq!(pair.run().unwrap().exit_code(), 0);
    let log = pair.target.log();
    let place = |name: &str, last: bool| {
        let mut at = (0..log.len()).filter(|&at| log[at].collection == name);
        if last { at.next_back() } else { at.next() }
    };
    for name in ["child", "cousin"] {
        assert!(place("parent", true) < place(name, false), "{name}");
    }
    // The children at the same time as each other and as the stranger.
    assert_eq!(pair.target_faults.called(Step::Join), 2);
}

#[test]
fn a_run_that_is_stopped_stops_all_workers() {
    let pair = fleets(3);
    for call in 1..=3 {
        pair.target_faults.plan(When::Call(call), Fault::Hold);
    }
    let error = std::thread::scope(|scope| {
        let run = scope.spawn(|| pair.run().unwrap_err());
        pair.target_faults.wait_held(3);
        pair.stage.stop.store(true, Ordering::SeqCst);
        (0..3).for_each(|_| pair.target_faults.release());
        run.join().unwrap()
    });
    assert_eq!(error.kind(), Kind::Interrupted);
    assert_eq!(pair.target.applied_all().len(), 3, "one batch each");
}
