//! State and target that no longer belong together: the run says so, deletes nothing of its own accord, and converges.

use super::{Pair, fleet};
use crate::report::Report;
use trueup_core::endpoint::Op;
use trueup_testkit::Owned;
use trueup_testkit::record;

/// A pair that has had `runs` runs, each with several batches, and holds a record of its own at the target.
fn used(runs: i64) -> Pair {
    let pair = Pair::planes(&fleet(0, 1), &[record![1_000, "of its own"]]);
    for run in 0..runs {
        change(&pair, run);
        assert_eq!(pair.run().unwrap().exit_code(), 0);
    }
    pair
}

/// Changes six records at the source: three batches.
fn change(pair: &Pair, run: i64) {
    let records: Vec<Vec<Owned>> = (0..6).map(|id| record![id, format!("run {run}")]).collect();
    pair.source.insert_all("planes", &records);
}

/// Runs, and checks all but the note, which is returned.
fn recover(pair: &Pair) -> String {
    let before = pair.target.log().len();
    let checkpoint = pair.batch("planes");
    let report: Report = pair.run().unwrap();
    assert_eq!(report.exit_code(), 0, "{report:?}");
    let certificate = report.certificate.as_ref().unwrap();
    assert!(certificate.is_clean());
    assert_eq!(
        certificate.notes, report.notes,
        "the certificate says it too"
    );
    let written = pair.written(before);
    assert!(written.iter().all(|change| change.op != Op::Delete));
    let mut want = pair.source.records("planes");
    want.push(record![1_000, "of its own"]);
    assert_eq!(pair.target.records("planes"), want);
    assert!(pair.batch("planes") > checkpoint, "batches go on");
    let after = pair.target.log().len();
    assert!(pair.run().unwrap().notes.is_empty(), "said once");
    assert_eq!(pair.target.log().len(), after);
    let most = pair.target.applied_all().into_values().max();
    assert_eq!(most, Some(1), "no batch number is used twice");
    report.notes.join("; ")
}

#[test]
fn nothing_is_said_while_state_and_target_belong_together() {
    let pair = used(2);
    change(&pair, 7);
    assert_eq!(recover(&pair), "");
}

#[test]
fn lost_state_is_noticed() {
    let mut pair = used(2);
    pair.state = "new";
    change(&pair, 7);
    let note = recover(&pair);
    assert!(note.contains("another state file"), "{note}");
}

#[test]
fn state_restored_from_an_old_copy_is_noticed() {
    let pair = used(1);
    let path = pair.stage.folder().join(pair.state);
    let copy = std::fs::read(&path).unwrap();
    for run in 2..4 {
        change(&pair, run);
        pair.run().unwrap();
    }
    std::fs::write(&path, copy).unwrap();
    assert_eq!(pair.batch("planes"), 3, "the old state is back");
    change(&pair, 7);
    let note = recover(&pair);
    assert!(note.contains("the state file is older"), "{note}");
}

#[test]
fn target_restored_from_a_backup_is_noticed() {
    for (runs, want) in [(0, "lost its marker"), (1, "the target is older")] {
        let pair = used(runs);
        let backup = pair.target.backup();
        for run in 2..4 {
            change(&pair, run);
            pair.run().unwrap();
        }
        pair.target.restore(&backup);
        change(&pair, 7);
        let note = recover(&pair);
        assert!(note.contains(want), "{note}");
    }
}

#[test]
fn target_restored_in_the_middle_of_a_run_stops_it() {
    let pair = used(1);
    let backup = pair.target.backup();
    change(&pair, 2);
    let target = pair.target.clone();
    pair.target_faults.on_call(move |step| {
        // Between the claim and the first batch: the claim is undone with the rest.
        if step == trueup_testkit::faults::Step::Apply {
            target.restore(&backup);
        }
    });
    let error = pair.run().unwrap_err();
    assert_eq!(error.kind(), trueup_core::Kind::Stale);
}
