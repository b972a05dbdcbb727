//! The engine dies at every named place: the next run ends clean, and repeats at most one batch.

use super::{Pair, fleet, planes};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use trueup_core::failpoint::Failpoints;
use trueup_core::{Error, Kind};
use trueup_testkit::record;

/// A run that creates and loads planes, and updates and deletes ships.
fn work() -> Pair {
    let mut pair = Pair::planes(&fleet(0, 9), &[]);
    pair.target.drop_collection("planes");
    for world in [&pair.source, &pair.target] {
        let mut ships = planes();
        ships.collection = "ships".to_owned();
        world.create(ships);
    }
    pair.source.insert_all("ships", &fleet(0, 9));
    pair.target.insert_all("ships", &fleet(4, 13));
    pair.target
        .insert_all("ships", &[record![6, "x"], record![8, "y"]]);
    pair.mode.delete = true;
    pair
}

/// A hook that notes each place passed, and dies at the one numbered `at`.
fn dies(at: usize) -> (Failpoints, Arc<Mutex<Vec<&'static str>>>) {
    let passed = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&passed);
    let hook = move |name| {
        let mut log = log.lock().unwrap();
        log.push(name);
        if log.len() == at + 1 {
            return Err(Error::new(Kind::Bug, "a crash").hint("the test asked for it"));
        }
        assert!(log.len() <= at, "a dead engine passed {name}");
        Ok(())
    };
    (Failpoints::new(hook), passed)
}

#[test]
fn crash_anywhere_is_followed_by_a_clean_run() {
    let mut seen = BTreeMap::new();
    for at in 0.. {
        let mut pair = work();
        let (failpoints, passed) = dies(at);
        pair.stage.failpoints = failpoints;
        let result = pair.run();
        pair.stage.failpoints = Failpoints::none();
        let passed = passed.lock().unwrap().clone();
        let Some(&name) = passed.get(at) else {
            assert_eq!(result.unwrap().exit_code(), 0);
            break;
        };
        assert_eq!(result.unwrap_err().message(), "a crash");
        *seen.entry(name).or_insert(0) += 1;
        let case = format!("crash at {name}, number {at}");
        let checkpoints = [pair.batch("planes"), pair.batch("ships")];
        let report = pair.run().unwrap();
        assert_eq!(report.exit_code(), 0, "{case}: {report:?}");
        assert!(report.certificate.unwrap().is_clean(), "{case}");
        pair.assert_same("planes");
        pair.assert_same("ships");
        let after = [pair.batch("planes"), pair.batch("ships")];
        assert!(after >= checkpoints && after[1] >= checkpoints[1], "{case}");
        let most = pair.target.applied_all().into_values().max().unwrap_or(1);
        assert_eq!(most, 1, "{case}: a batch number was used twice");
        // What was written before the crash was seen by compare, so nothing is written again.
        assert_eq!(written_twice(&pair), 0, "{case}");
    }
    let names: Vec<&str> = seen.keys().copied().collect();
    let want = [
        "engine.applied",
        "engine.built",
        "engine.checkpointed",
        "engine.claimed",
        "engine.created",
        "engine.finished",
        "engine.loaded",
        "engine.planned",
        "engine.source_open",
        "engine.verifying",
    ];
    assert_eq!(names, want, "every place is a test");
}

/// How many records a run wrote more than once: each write of this work changes a record for good.
fn written_twice(pair: &Pair) -> usize {
    let mut writes = BTreeMap::new();
    for change in pair.target.log() {
        if change.by == trueup_testkit::memory::By::Outsider {
            continue;
        }
        let record = change.after.or(change.before).unwrap();
        *writes
            .entry((change.collection, record[0].clone()))
            .or_insert(0) += 1;
    }
    writes.values().filter(|&&times| times > 1).count()
}

#[test]
fn crash_of_the_crash_is_no_worse() {
    for second in 0..12 {
        let mut pair = work();
        for at in [4, second] {
            pair.stage.failpoints = dies(at).0;
            drop(pair.run());
        }
        pair.stage.failpoints = Failpoints::none();
        assert_eq!(pair.run().unwrap().exit_code(), 0, "second={second}");
        pair.assert_same("planes");
        pair.assert_same("ships");
    }
}
