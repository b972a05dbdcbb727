//! Differences as they are shown, and parked records tried again.

use super::basics::narrow;
use super::{Pair, counts, fleet, planes};
use crate::listing::{Found, Listing, Shape};
use crate::run;
use std::sync::atomic::{AtomicBool, Ordering};
use trueup_core::Result;
use trueup_core::failpoint::Failpoints;
use trueup_core::value::Value;
use trueup_testkit::{Owned, record};

#[derive(Default)]
struct Seen {
    shapes: Vec<Shape>,
    keys: Vec<(usize, i64, bool, bool)>,
}

impl Listing for Seen {
    fn begin(&mut self, shapes: &[Shape]) -> Result<()> {
        self.shapes = shapes.to_vec();
        Ok(())
    }

    fn difference(&mut self, collection: usize, found: Found<'_>) -> Result<()> {
        let record = found.source.or(found.target).unwrap();
        let Value::Int(id) = record.value(0) else {
            panic!("the key is a number");
        };
        self.keys.push((
            collection,
            id,
            found.source.is_some(),
            found.target.is_some(),
        ));
        Ok(())
    }
}

#[test]
fn differences_are_shown_in_the_order_of_their_keys() {
    let mut source = fleet(0, 4);
    source[2][1] = "changed".into();
    let pair = Pair::planes(&source, &fleet(1, 6));
    let mut seen = Seen::default();
    let report = run::diff_listed(&mut pair.link(), &mut seen, &pair.stage.world()).unwrap();
    assert_eq!(report.exit_code(), 1);
    let expected = [
        (0, 0, true, false),
        (0, 2, true, true),
        (0, 4, false, true),
        (0, 5, false, true),
    ];
    assert_eq!(seen.keys, expected);
    assert_eq!(seen.shapes[0].fields, ["id", "model"]);
    assert_eq!(seen.shapes[0].key, [0]);
}

/// Something else keeps both sides equal, and writes to them between the two snapshots of the comparison.
fn written_between(pair: &mut Pair, write: impl Fn() + Send + Sync + 'static) {
    let first = AtomicBool::new(true);
    pair.stage.failpoints = Failpoints::new(move |name| {
        if name == "engine.source_open" && first.swap(false, Ordering::SeqCst) {
            write();
        }
        Ok(())
    });
}

#[test]
fn what_was_written_between_the_snapshots_is_no_difference() {
    let mut pair = Pair::planes(&fleet(0, 4), &fleet(0, 4));
    let (source, target) = (pair.source.clone(), pair.target.clone());
    written_between(&mut pair, move || {
        source.insert_all("planes", &fleet(7, 9));
        target.insert_all("planes", &fleet(7, 9));
    });
    let mut seen = Seen::default();
    let report = run::diff_listed(&mut pair.link(), &mut seen, &pair.stage.world()).unwrap();
    assert_eq!((report.exit_code(), seen.keys), (0, vec![]), "{report:?}");
    let note = "planes: the sides are in use; of what differed, 2 agreed when it was read again, and 0 began to differ";
    assert!(
        report.notes.iter().any(|one| one.starts_with(note)),
        "{report:?}"
    );
}

#[test]
fn what_differs_both_times_is_told_and_nothing_else() {
    let mut pair = Pair::planes(&fleet(0, 4), &fleet(1, 5));
    let (source, target) = (pair.source.clone(), pair.target.clone());
    written_between(&mut pair, move || {
        source.insert_all("planes", &fleet(7, 9));
        target.insert_all("planes", &fleet(7, 8));
        target.insert_all("planes", &fleet(8, 9));
    });
    let mut seen = Seen::default();
    let report = run::diff_listed(&mut pair.link(), &mut seen, &pair.stage.world()).unwrap();
    let expected = [(0, 0, true, false), (0, 4, false, true)];
    assert_eq!((report.exit_code(), &seen.keys[..]), (1, &expected[..]));
    let planes = &report.collections[0];
    assert_eq!(
        (planes.only_source, planes.only_target),
        (1, 1),
        "{report:?}"
    );
}

#[test]
fn what_cannot_be_read_the_second_time_did_not_agree() {
    let mut pair = narrow(&[record![1, 2]], &[record![1, 1]]);
    let source = pair.source.clone();
    written_between(&mut pair, move || {
        source.update("planes", &[1.into()], &[("seats", 40_000.into())]);
    });
    let report = pair.diff().unwrap();
    assert_eq!((report.parked(), report.equal), (1, false));
    assert!(
        report.notes.iter().all(|one| !one.contains("agreed")),
        "{report:?}"
    );
}

#[test]
fn an_endpoint_without_a_language_has_no_script() {
    let pair = Pair::planes(&fleet(0, 4), &[]);
    let error = run::script(&mut pair.link(), &pair.stage.world(), &mut |_| Ok(())).unwrap_err();
    assert!(error.message().contains("no language"), "{error:?}");
}

/// A target that refuses the planes 1 and 3.
fn refusing() -> Pair {
    let pair = Pair::planes(&fleet(0, 5), &[]);
    for id in [1, 3] {
        pair.target_faults.refuse_key("planes", &[Owned::from(id)]);
    }
    pair
}

#[test]
fn only_what_is_parked_is_tried_again() {
    let pair = refusing();
    let report = pair.run().unwrap();
    assert_eq!(counts(&report.collections[0])[4], 2);
    pair.source.insert_all("planes", &fleet(7, 9));
    // Still refused: nothing else moves either.
    let before = pair.target.log().len();
    let report = run::retry(&mut pair.link(), &mut pair.store(), &pair.stage.world()).unwrap();
    assert_eq!((report.exit_code(), report.parked()), (1, 2));
    assert_eq!(pair.written(before), []);
    // The cause is mended: the parked ones go, the new ones stay, and that is no failure.
    pair.target_faults.accept_all();
    let report = run::retry(&mut pair.link(), &mut pair.store(), &pair.stage.world()).unwrap();
    assert_eq!((report.exit_code(), report.parked()), (0, 0), "{report:?}");
    assert_eq!(report.collections[0].inserted, 2);
    assert_eq!(report.collections[0].selected.as_ref().unwrap().left, 2);
    assert_eq!(pair.store().parked_records(None).unwrap(), []);
    let report = pair.run().unwrap();
    assert_eq!(report.collections[0].inserted, 2);
    pair.assert_same("planes");
}

#[test]
fn with_nothing_parked_nothing_is_done() {
    let pair = Pair::planes(&fleet(0, 5), &[]);
    let report = run::retry(&mut pair.link(), &mut pair.store(), &pair.stage.world()).unwrap();
    assert_eq!(report.exit_code(), 0);
    assert_eq!(pair.target.records("planes").len(), 0);
    let mut new = Pair::new();
    new.source.create(planes());
    new.source.insert_all("planes", &fleet(0, 2));
    new.state = "new";
    let report = run::retry(&mut new.link(), &mut new.store(), &new.stage.world()).unwrap();
    assert_eq!(report.exit_code(), 0);
    assert!(new.link().target.collections().unwrap().is_empty());
}
