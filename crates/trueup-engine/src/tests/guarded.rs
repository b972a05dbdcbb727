//! The guard: a plan that looks like an accident is stopped before anything is written.

use super::{Pair, counts, fleet, planes};
use trueup_core::Kind;

/// Planes at the source and at the target; ships are to be created beside them.
fn pair(source: (i64, i64), target: (i64, i64)) -> Pair {
    let mut pair = Pair::planes(&fleet(source.0, source.1), &fleet(target.0, target.1));
    let mut ships = planes();
    ships.collection = "boats".to_owned();
    pair.source.create(ships);
    pair.source.insert_all("boats", &fleet(0, 3));
    pair.stage.limits.batch_records_max = 100;
    pair.mode.delete = true;
    pair
}

#[test]
fn deletes_stop_above_both_limits_or_when_all_is_emptied() {
    // Target records, how many of them are to be deleted, whether the guard stops.
    let cases = [
        (11, 11, true),
        (10, 10, false),
        (101, 101, true),
        (300, 100, false),
        (300, 101, true),
        (1_000, 200, false),
        (1_000, 201, true),
    ];
    for (records, deletes, stops) in cases {
        let case = format!("{deletes} of {records}");
        let mut pair = pair((deletes, records), (0, records));
        let before = (pair.target.position(), pair.epoch(), pair.target.log());
        let planned = pair.plan();
        let result = pair.run();
        if !stops {
            assert_eq!(planned.unwrap().1.exit_code(), 1, "{case}");
            assert_eq!(result.unwrap().exit_code(), 0, "{case}");
            continue;
        }
        assert_eq!(planned.unwrap_err().kind(), Kind::Guard, "{case}");
        let error = result.unwrap_err();
        assert_eq!(error.kind(), Kind::Guard, "{case}");
        assert_eq!(crate::run::exit_code(error.kind()), 4);
        let after = (pair.target.position(), pair.epoch(), pair.target.log());
        assert_eq!(after, before, "{case}: not even a claim");
        assert_eq!(pair.target.schema("boats"), None, "{case}");
        pair.mode.lift_guard = true;
        let report = pair.run().unwrap();
        assert_eq!(report.exit_code(), 0, "{case}");
        let planes = &report.collections[1];
        assert_eq!(planes.target, "planes");
        assert_eq!(counts(planes)[2], deletes.unsigned_abs(), "{case}");
        pair.assert_same("planes");
        pair.assert_same("boats");
    }
}

#[test]
fn guard_judges_deletes_that_will_be_done_only() {
    let mut pair = pair((0, 0), (0, 500));
    pair.mode.delete = false;
    let report = pair.run().unwrap();
    assert_eq!(counts(&report.collections[1]), [0, 0, 0, 0, 0, 500]);
    assert_eq!((report.equal, report.exit_code()), (true, 0));
    assert_eq!(pair.target.records("planes").len(), 500);
}
