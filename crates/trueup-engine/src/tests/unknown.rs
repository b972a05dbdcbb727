//! The answer to a batch is lost: what became of it is found out, and each batch is applied exactly once.

use super::{Pair, counts, fleet};
use std::sync::{Arc, Mutex};
use trueup_core::Kind;
use trueup_testkit::faults::{Fault, Faults, Step, When};
use trueup_testkit::memory::Sabotage;
use trueup_testkit::record;

/// Seven planes to load, two a batch.
fn loading() -> Pair {
    Pair::planes(&fleet(0, 7), &[])
}

/// Seven planes of which some are there already and some differ.
fn updating() -> Pair {
    let target = [record![1, "model 1"], record![2, "x"], record![6, "y"]];
    Pair::planes(&fleet(0, 7), &target)
}

/// How often the batch that was applied most often was applied.
fn most_applied(pair: &Pair) -> u64 {
    pair.target
        .applied_all()
        .into_values()
        .max()
        .unwrap_or_default()
}

/// Plans what is lost.
type Loss<'a> = &'a dyn Fn(&Faults);

fn check(case: &str, pair: &Pair, faults: Loss<'_>) {
    faults(&pair.target_faults);
    let report = pair.run().unwrap();
    pair.target_faults.assert_spent();
    let one = &report.collections[0];
    let done = one.inserted + one.updated + one.unchanged;
    assert_eq!((done, one.parked.len()), (7, 0), "{case}: {report:?}");
    assert_eq!(report.exit_code(), 0, "{case}");
    assert_eq!(most_applied(pair), 1, "{case}");
    pair.assert_converges();
}

#[test]
fn every_batch_is_applied_once_whatever_is_lost() {
    let plans: [(&str, Loss); 9] = [
        ("before", &|f| {
            f.plan(When::Batch(1), Fault::FailBefore);
        }),
        ("after", &|f| {
            f.plan(When::Batch(1), Fault::FailAfterWrite);
        }),
        ("after the last", &|f| {
            f.plan(When::Batch(3), Fault::FailAfterWrite);
        }),
        ("before, then after", &|f| {
            f.plan(When::Batch(2), Fault::FailBefore)
                .plan(When::Batch(2), Fault::FailAfterWrite);
        }),
        ("before, four times", &|f| {
            for _ in 0..4 {
                f.plan(When::Batch(2), Fault::FailBefore);
            }
        }),
        ("after, every batch", &|f| {
            f.plan(When::Batch(1), Fault::FailAfterWrite)
                .plan(When::Batch(3), Fault::FailAfterWrite);
        }),
        ("after, and no way back for a while", &|f| {
            f.plan(When::Batch(1), Fault::FailAfterWrite);
            f.on_call({
                let script = f.clone();
                let armed = Mutex::new(true);
                move |step| {
                    let was_armed = std::mem::take(&mut *armed.lock().unwrap());
                    if step == Step::Apply && was_armed {
                        script.fail(Step::Writer, 3);
                    } else if step != Step::Apply {
                        *armed.lock().unwrap() = was_armed;
                    }
                }
            });
        }),
        ("after, and again at the repetition", &|f| {
            f.plan(When::Batch(1), Fault::FailAfterWrite)
                .plan(When::Batch(2), Fault::FailAfterWrite)
                .plan(When::Batch(3), Fault::FailBefore);
        }),
        ("after, and the marker cannot be read", &|f| {
            f.plan(When::Batch(2), Fault::FailAfterWrite);
            f.on_call({
                let script = f.clone();
                let writers = Mutex::new(0);
                move |step| {
                    let mut writers = writers.lock().unwrap();
                    *writers += u32::from(step == Step::Writer);
                    if *writers == 2 && step == Step::Writer {
                        script.fail(Step::Marker, 2);
                    }
                }
            });
        }),
    ];
    for (name, faults) in plans {
        check(&format!("load: {name}"), &loading(), faults);
        check(&format!("update: {name}"), &updating(), faults);
    }
}

#[test]
fn without_the_marker_a_batch_is_applied_twice() {
    let pair = loading();
    pair.target.sabotage(Sabotage {
        no_marker: true,
        ..Sabotage::default()
    });
    pair.target_faults
        .plan(When::Batch(1), Fault::FailAfterWrite);
    pair.run().unwrap();
    pair.target_faults.assert_spent();
    assert_eq!(
        most_applied(&pair),
        2,
        "the test above must notice a missing marker"
    );
}

/// Runs with a commit in flight at batch 1 that lands just before `step`, the first time that is called after it.
fn late(step: Step) -> (Pair, Vec<Option<Kind>>) {
    let pair = loading();
    pair.target_faults.plan(When::Batch(1), Fault::Late);
    let landed = Arc::new(Mutex::new(Vec::new()));
    let (script, log) = (pair.target_faults.clone(), Arc::clone(&landed));
    pair.target_faults.on_call(move |called| {
        if called == step {
            let outcomes = script.land();
            let kinds = outcomes.into_iter().map(|o| o.err().map(|e| e.kind()));
            log.lock().unwrap().extend(kinds);
        }
    });
    let report = pair.run().unwrap();
    assert_eq!(report.exit_code(), 0);
    assert_eq!(most_applied(&pair), 1);
    pair.target_faults.assert_spent();
    pair.assert_same("planes");
    let landed = landed.lock().unwrap().clone();
    (pair, landed)
}

#[test]
fn commit_in_flight_is_visible_before_the_claim_and_refused_after_it() {
    let (_, landed) = late(Step::Writer);
    assert_eq!(landed, [None], "it landed, and was found");
    for step in [Step::Marker, Step::Apply] {
        let (pair, landed) = late(step);
        assert_eq!(landed, [Some(Kind::Stale)], "before {step:?}");
        pair.assert_converges();
    }
}

#[test]
fn without_the_epoch_check_a_commit_in_flight_lands_behind_our_back() {
    let pair = loading();
    pair.target.sabotage(Sabotage {
        no_epoch_check: true,
        ..Sabotage::default()
    });
    pair.target_faults.plan(When::Batch(1), Fault::Late);
    pair.run().unwrap();
    assert!(pair.target_faults.land()[0].is_ok());
    assert_eq!(most_applied(&pair), 2, "it was taken for lost, and landed");
}

#[test]
fn record_refused_in_a_batch_whose_answer_is_lost_is_parked_all_the_same() {
    for verify in [true, false] {
        let mut pair = loading();
        pair.mode.verify = verify;
        pair.target_faults
            .plan(When::Batch(1), Fault::FailAfterWrite)
            .refuse_key("planes", &record![1]);
        let report = pair.run().unwrap();
        assert_eq!(counts(&report.collections[0])[..5], [6, 0, 0, 0, 1]);
        assert_eq!(report.exit_code(), 1, "verify={verify} {report:?}");
        assert_eq!(most_applied(&pair), 1);
    }
}

#[test]
fn target_that_stays_away_ends_the_run_and_the_next_one_goes_on() {
    let pair = loading();
    (0..6).for_each(|_| {
        pair.target_faults.plan(When::Batch(2), Fault::FailBefore);
    });
    let error = pair.run().unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.message().contains("planes"), "{error:?}");
    pair.target_faults.assert_spent();
    assert_eq!(pair.target.records("planes").len(), 2);
    assert_eq!(pair.batch("planes"), 1);
    pair.assert_converges();
}

#[test]
fn connection_that_breaks_before_the_first_batch_ends_the_run_with_its_kind() {
    for step in [
        Step::Epoch,
        Step::Schema,
        Step::Snapshot,
        Step::IsEmpty,
        Step::Writer,
        Step::Marker,
        Step::Create,
        Step::Finish,
    ] {
        for kind in [Kind::Unavailable, Kind::Auth, Kind::Rejected] {
            let pair = loading();
            if step == Step::Create {
                pair.target.drop_collection("planes");
            }
            pair.target_faults.fail_with(step, 1, kind);
            let error = pair.run().unwrap_err();
            assert_eq!(error.kind(), kind, "{step:?}");
            assert!(error.message().contains("target"), "{step:?} {error:?}");
            pair.target_faults.assert_spent();
            pair.assert_converges();
        }
    }
}
