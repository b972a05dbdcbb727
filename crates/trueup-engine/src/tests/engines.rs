//! Two engines on one target, each with a state file of its own: the one that claimed last writes, the other is told.

use super::{Pair, fleet};
use std::sync::Mutex;
use trueup_core::failpoint::Failpoints;
use trueup_core::{Kind, Result};
use trueup_testkit::faults::{Fault, When};
use trueup_testkit::memory::Sabotage;
use trueup_testkit::record;

/// An engine of its own, with its own state file, on the same two worlds.
fn other(pair: &Pair) -> Pair {
    let mut other = Pair::new();
    other.source = pair.source.clone();
    other.target = pair.target.clone();
    other.stage.limits = pair.stage.limits;
    other.state = "other";
    other
}

/// What was in the target's log when engine B had ended.
type Seen = std::sync::Arc<Mutex<Option<usize>>>;

/// Holds engine A at `place`, the `nth` time it gets there, changes the source, and runs engine B to its end.
fn interleave(place: &'static str, nth: usize, sabotage: Sabotage) -> (Pair, Result<u8>, Seen) {
    let mut pair = Pair::planes(&fleet(0, 9), &[record![3, "x"], record![8, "y"]]);
    pair.target.sabotage(sabotage);
    let (b, seen) = (other(&pair), Seen::default());
    let (told, passed) = (Seen::clone(&seen), Mutex::new(0));
    pair.stage.failpoints = Failpoints::new(move |name| {
        let mut passed = passed.lock().unwrap();
        *passed += usize::from(name == place);
        if name == place && *passed == nth {
            // A newer state of the source, which engine A has not seen.
            for id in 0..9 {
                let newer = [("model", "newer".into())];
                b.source.update("planes", &record![id], &newer);
            }
            assert_eq!(b.run().unwrap().exit_code(), 0);
            *told.lock().unwrap() = Some(b.target.log().len());
        }
        Ok(())
    });
    let result = pair.run().map(|report| report.exit_code());
    pair.stage.failpoints = Failpoints::none();
    (pair, result, seen)
}

const PLACES: [(&str, usize); 6] = [
    ("engine.planned", 1),
    ("engine.claimed", 1),
    ("engine.applied", 1),
    ("engine.applied", 3),
    ("engine.checkpointed", 2),
    ("engine.checkpointed", 3),
];

#[test]
fn engine_that_was_overtaken_is_refused_and_writes_nothing_more() {
    for (place, nth) in PLACES {
        let (pair, result, seen) = interleave(place, nth, Sabotage::default());
        let error = result.unwrap_err();
        assert_eq!(error.kind(), Kind::Stale, "{place} {nth}: {error:?}");
        let seen = seen.lock().unwrap().unwrap();
        assert_eq!(pair.target.log().len(), seen, "{place} {nth}");
        pair.assert_same("planes");
        pair.assert_converges();
    }
}

#[test]
fn without_the_epoch_check_the_overtaken_engine_takes_newer_values_back() {
    let sabotage = Sabotage {
        no_epoch_check: true,
        ..Sabotage::default()
    };
    let (pair, _, seen) = interleave("engine.claimed", 1, sabotage);
    let seen = seen.lock().unwrap().unwrap();
    assert!(
        pair.target.log().len() > seen,
        "the test above must notice this"
    );
    assert_ne!(pair.target.records("planes"), pair.source.records("planes"));
}

#[test]
fn engine_that_reconnects_does_not_take_the_link_back() {
    for fault in [Fault::FailBefore, Fault::FailAfterWrite] {
        let pair = Pair::planes(&fleet(0, 9), &[record![3, "x"]]);
        pair.target_faults.plan(When::Batch(2), fault.clone());
        let b = other(&pair);
        let ran = Mutex::new(false);
        let clock_is_asked = pair.target_faults.clone();
        pair.target_faults.on_call(move |step| {
            // The second claim of engine A: it lost its connection. Engine B takes over just before.
            let again =
                step == trueup_testkit::faults::Step::Writer && clock_is_asked.called(step) == 2;
            if again && !std::mem::replace(&mut *ran.lock().unwrap(), true) {
                b.source
                    .update("planes", &record![5], &[("model", "newer".into())]);
                b.run().unwrap();
            }
        });
        let error = pair.run().unwrap_err();
        assert_eq!(error.kind(), Kind::Stale, "{fault:?} {error:?}");
        pair.assert_same("planes");
        pair.assert_converges();
    }
}

#[test]
fn one_state_file_lets_one_run_in() {
    let mut pair = Pair::planes(&fleet(0, 3), &[]);
    let mut b = other(&pair);
    b.state = pair.state;
    // The same file: the folder belongs to the stage, so the second engine opens it by the path of the first.
    let path = pair.stage.folder().join(pair.state);
    pair.stage.failpoints = Failpoints::new(move |name| {
        if name == "engine.planned" {
            let mut store = crate::state::Store::open(&path, "state").unwrap();
            let error = crate::run::run(&mut b.link(), &mut store, &b.stage.world()).unwrap_err();
            assert_eq!(error.kind(), Kind::Stale);
        }
        Ok(())
    });
    assert_eq!(pair.run().unwrap().exit_code(), 0);
}
