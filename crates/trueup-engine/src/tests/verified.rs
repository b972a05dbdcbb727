//! Verify finds what a target only says it did.

use super::twisted::{Fate, Twisted};
use super::{Pair, fleet};
use crate::report::Report;
use crate::run;
use trueup_core::endpoint::Op;
use trueup_core::failpoint::Failpoints;
use trueup_core::{Error, Kind};
use trueup_testkit::Owned;
use trueup_testkit::faults::{Fault, When};
use trueup_testkit::record;

type Make<'a> = &'a dyn Fn() -> Pair;
type Lie = fn(Op) -> Fate;

/// Runs against a target that does with the write of plane 5 what `lie` says.
fn lied(pair: &Pair, lie: Lie) -> Report {
    let target = Twisted::new(pair.target.boxed()).judged(move |_, op, record| {
        if record[0] == Owned::Int(5) {
            lie(op)
        } else {
            Fate::Keep
        }
    });
    let mut link = pair.link_of(pair.source.boxed(), Box::new(target));
    run::run(&mut link, &mut pair.store(), &pair.stage.world()).unwrap()
}

#[test]
fn one_write_that_was_dropped_or_altered_fails_the_verification() {
    let dropped: Lie = |_| Fate::Drop;
    let altered: Lie = |_| Fate::Alter(record![5, "altered"]);
    let elsewhere: Lie = |_| Fate::Alter(record![50, "model 5"]);
    let insert = || Pair::planes(&fleet(0, 9), &fleet(0, 2));
    let load = || Pair::planes(&fleet(0, 9), &[]);
    let update = || Pair::planes(&fleet(0, 9), &[record![5, "old"]]);
    let delete = || {
        let mut pair = Pair::planes(&fleet(0, 5), &fleet(0, 9));
        pair.mode.delete = true;
        pair
    };
    let cases: [(&str, Make, Lie); 10] = [
        ("insert dropped", &insert, dropped),
        ("insert altered", &insert, altered),
        ("insert elsewhere", &insert, elsewhere),
        ("load dropped", &load, dropped),
        ("load altered", &load, altered),
        ("load elsewhere", &load, elsewhere),
        ("update dropped", &update, dropped),
        ("update altered", &update, altered),
        ("update elsewhere", &update, elsewhere),
        ("delete dropped", &delete, dropped),
    ];
    for (case, make, lie) in cases {
        let pair = make();
        let report = lied(&pair, lie);
        let certificate = report.certificate.as_ref().unwrap();
        assert!(!certificate.is_clean(), "{case}");
        assert_eq!(certificate.collections[0].wrong, 1, "{case}");
        assert_eq!((report.equal, report.exit_code()), (false, 5), "{case}");
        // An honest target is mended by the next run.
        let mut honest = pair;
        honest.mode.delete = true;
        honest.assert_converges();
    }
}

#[test]
fn connection_that_breaks_over_writes_that_are_not_durable_ends_the_run() {
    for (call, mended) in [(1, true), (2, false)] {
        let pair = Pair::planes(&fleet(0, 9), &[]);
        pair.target_faults.plan(When::Call(call), Fault::FailBefore);
        let mut target = Twisted::new(pair.target_faults.wrap(pair.target.boxed()));
        target.volatile = true;
        let mut link = pair.link_of(pair.source.boxed(), Box::new(target));
        let result = run::run(&mut link, &mut pair.store(), &pair.stage.world());
        pair.target_faults.assert_spent();
        if mended {
            assert_eq!(result.unwrap().exit_code(), 0);
            assert_eq!(pair.batch("planes"), 5, "durable at the end");
        } else {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), Kind::Unavailable, "{error:?}");
            assert_eq!(pair.batch("planes"), 0, "nothing was durable");
        }
    }
}

#[test]
fn checkpoint_waits_for_what_is_durable() {
    let mut pair = Pair::planes(&fleet(0, 9), &[]);
    pair.stage.failpoints = Failpoints::new(|name| match name {
        "engine.finished" => Err(Error::new(Kind::Bug, "a crash")),
        _ => Ok(()),
    });
    let mut target = Twisted::new(pair.target.boxed());
    target.volatile = true;
    let mut link = pair.link_of(pair.source.boxed(), Box::new(target));
    run::run(&mut link, &mut pair.store(), &pair.stage.world()).unwrap_err();
    assert_eq!(pair.batch("planes"), 0);
}
