//! Reading that goes wrong: a broken scan, a stream out of order, a repeated key, a wish to stop. Nothing is concluded
//! from what was not read, and every thread ends: each of these calls returns.

use super::twisted::{Reads, Twisted};
use super::{Pair, fleet, planes};
use crate::link::{CollectionSpec, World};
use crate::run;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use trueup_core::Kind;
use trueup_core::failpoint::Failpoints;
use trueup_core::mapping::Rules;
use trueup_core::schema::Schema;
use trueup_testkit::faults::Faults;
use trueup_testkit::memory::Memory;

/// Many more batches than a reader may be ahead. `sorted`: no side can deliver the key's order.
fn many(sorted: bool, target: std::ops::Range<i64>) -> Pair {
    let mut pair = Pair::planes(&fleet(0, 60), &fleet(target.start, target.end));
    pair.stage.limits.batches_ahead = 1;
    pair.mode.delete = true;
    pair.mode.lift_guard = true;
    if sorted {
        let keyless = |memory: &Memory| {
            let records = memory.records("planes");
            let key = Vec::new();
            memory.create(Schema { key, ..planes() });
            memory.insert_all("planes", &records);
        };
        keyless(&pair.source);
        keyless(&pair.target);
        let key = vec!["id".to_owned()];
        pair.specs = vec![CollectionSpec {
            source: "planes".to_owned(),
            target: "planes".to_owned(),
            rules: Rules {
                key,
                ..Rules::default()
            },
            ..CollectionSpec::default()
        }];
    }
    pair
}

#[test]
fn scan_that_breaks_while_comparing_writes_nothing() {
    for sorted in [false, true] {
        for batches in [0, 1, 2, 17, 29] {
            for broken in ["source", "target"] {
                let case = format!("sorted={sorted} {broken} after {batches}");
                let pair = many(sorted, 30..90);
                let script: &Faults = match broken {
                    "source" => &pair.source_faults,
                    _ => &pair.target_faults,
                };
                // Where there is no order to ask for, a first scan looks for one, in vain.
                let plan_break = || {
                    if sorted {
                        script.break_scan("planes", u64::MAX);
                    }
                    script.break_scan("planes", batches);
                };
                plan_break();
                let before = pair.target.position();
                let error = pair.run().unwrap_err();
                script.assert_spent();
                assert_eq!(error.kind(), Kind::Unavailable, "{case}");
                let place = format!("{broken} collection=planes");
                assert!(error.message().contains(&place), "{case}: {error:?}");
                assert_eq!(pair.target.position(), before, "{case}: not even a claim");
                plan_break();
                assert_eq!(pair.diff().unwrap_err().kind(), Kind::Unavailable, "{case}");
                plan_break();
                assert_eq!(pair.plan().unwrap_err().kind(), Kind::Unavailable, "{case}");
                assert_eq!(pair.run().unwrap().exit_code(), 0, "{case}");
                assert_eq!(pair.target.records("planes").len(), 60, "{case}");
            }
        }
    }
}

#[test]
fn scan_that_breaks_while_loading_leaves_whole_batches_and_the_next_run_goes_on() {
    for batches in [0, 1, 7, 29] {
        let pair = many(false, 0..0);
        pair.source_faults.break_scan("planes", batches);
        let error = pair.run().unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        pair.source_faults.assert_spent();
        let loaded = pair.target.records("planes").len();
        assert!(
            loaded.is_multiple_of(2) && loaded as u64 <= batches * 2,
            "{loaded}"
        );
        pair.assert_converges();
    }
}

#[test]
fn target_that_fails_while_loading_ends_the_reader_too() {
    for call in [1, 2, 9] {
        let pair = many(false, 0..0);
        let refuse = trueup_testkit::faults::Fault::Refuse(Kind::Rejected);
        let when = trueup_testkit::faults::When::Call(call);
        pair.target_faults.plan(when, refuse);
        assert_eq!(pair.run().unwrap_err().kind(), Kind::Rejected);
        pair.target_faults.assert_spent();
        pair.assert_converges();
    }
}

#[test]
fn scan_that_breaks_while_verifying_gives_no_certificate_and_undoes_nothing() {
    for source_side in [true, false] {
        let mut pair = many(false, 30..90);
        let script = match source_side {
            true => pair.source_faults.clone(),
            false => pair.target_faults.clone(),
        };
        let armed = script.clone();
        pair.stage.failpoints = Failpoints::new(move |name| {
            if name == "engine.verifying" {
                armed.break_scan("planes", 3);
            }
            Ok(())
        });
        let error = pair.run().unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        script.assert_spent();
        pair.assert_same("planes");
        pair.stage.failpoints = Failpoints::none();
        pair.assert_converges();
    }
}

#[test]
fn stream_out_of_order_or_with_a_repeated_key_is_refused_before_any_write() {
    for (reads, kind) in [
        (Reads::Shuffled, Kind::Corrupt),
        (Reads::Twice, Kind::Config),
    ] {
        for source_side in [true, false] {
            let pair = many(false, 30..90);
            let before = pair.target.position();
            let mut source = Twisted::new(pair.source.boxed());
            let mut target = Twisted::new(pair.target.boxed());
            match source_side {
                true => source.reads = reads,
                false => target.reads = reads,
            }
            let mut link = pair.link_of(Box::new(source), Box::new(target));
            let error = run::run(&mut link, &mut pair.store(), &pair.stage.world()).unwrap_err();
            assert_eq!(error.kind(), kind, "{reads:?} {error:?}");
            let side = if source_side { "source" } else { "target" };
            assert!(error.message().starts_with(side), "{error:?}");
            assert_eq!(pair.target.position(), before, "{reads:?} {side}");
        }
    }
}

#[test]
fn repeated_key_of_an_unordered_source_is_refused_before_anything_is_loaded() {
    for existing in [0..0, 30..90] {
        let pair = many(true, existing);
        // The collection has no key of its own, so it holds the same plane twice.
        pair.source.insert("planes", &fleet(7, 8)[0]);
        let before = pair.target.position();
        let error = pair.run().unwrap_err();
        assert_eq!(error.kind(), Kind::Config, "{error:?}");
        assert!(error.message().contains("source"), "{error:?}");
        assert_eq!(pair.target.position(), before);
    }
}

#[test]
fn wish_to_stop_ends_the_run_between_two_batches_and_the_next_one_finishes() {
    let places = [
        // Where, the how many-th time, and how many batches are written then.
        ("engine.planned", 1, 0),
        ("engine.claimed", 1, 0),
        ("engine.applied", 1, 1),
        ("engine.checkpointed", 5, 5),
        ("engine.verifying", 1, 30),
    ];
    for loaded in [false, true] {
        for (place, nth, batches) in places {
            let pair = many(false, if loaded { 0..0 } else { 30..90 });
            let (stop, passed) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
            let wish = Arc::clone(&stop);
            let failpoints = Failpoints::new(move |name| {
                if name == place && passed.fetch_add(1, Ordering::Relaxed) + 1 == nth {
                    wish.store(true, Ordering::Relaxed);
                }
                Ok(())
            });
            let world = World {
                stop: &stop,
                failpoints,
                ..pair.stage.world()
            };
            let error = run::run(&mut pair.link(), &mut pair.store(), &world).unwrap_err();
            assert_eq!(error.kind(), Kind::Interrupted, "{place} {nth}");
            assert_eq!(pair.target.applied_all().len(), batches, "{place} {nth}");
            let last = pair.store().history(1).unwrap().remove(0);
            assert_eq!(last.exit, Some(3), "{place} {nth}");
            assert!(last.error.unwrap().starts_with("interrupted"));
            pair.assert_converges();
        }
    }
}
