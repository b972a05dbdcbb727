//! Targets that change while they are verified, and sides that fail.

use super::super::buckets::bucket_of;
use super::*;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use trueup_core::endpoint::{Position, Scan, ScanRequest};
use trueup_core::{Error, Kind};

/// Calls `change` with the number of the snapshot, before each snapshot of the target.
fn moving(
    fixture: &Fixture,
    change: impl Fn(i64, &Memory) + Send + Sync + 'static,
) -> (Faults, Box<dyn Endpoint>) {
    let faults = Faults::new();
    let (world, count) = (fixture.target.clone(), Mutex::new(0));
    faults.on_call(move |step| {
        if step == Step::Snapshot {
            let mut count = count.lock().unwrap();
            *count += 1;
            change(*count, &world);
        }
    });
    let endpoint = faults.wrap(fixture.target.boxed());
    (faults, endpoint)
}

fn set(target: &Memory, id: i64, seats: i64) {
    target.insert("planes", &record![id, seats]);
}

#[test]
fn a_difference_that_goes_away_is_no_alarm() {
    // What record 8 holds at each read; 8 is right.
    for held in [&[900, 8][..], &[901, 902, 8], &[901, 902, 903, 904, 905, 8]] {
        let fixture = Fixture::same(1_000);
        let (faults, mut target) = moving(&fixture, |read, target| {
            set(target, 8, held[read as usize - 1]);
        });
        let proof = fixture.verify_at(target.as_mut()).unwrap();
        assert_eq!(counts(&proof), (0, 0, 0), "{held:?}");
        assert_eq!(proof.source_fold, proof.target_fold, "{held:?}");
        assert_eq!(faults.called(Step::Snapshot), held.len() as u64, "{held:?}");
    }
}

#[test]
fn a_difference_first_seen_at_the_second_read_is_looked_at_again() {
    for (stays, wrong) in [(true, 1), (false, 0)] {
        let mut fixture = Fixture::same(1_000);
        fixture.exact = false;
        // Makes a second read necessary.
        set(&fixture.target, -1, 0);
        let (faults, mut target) = moving(&fixture, move |read, target| {
            let is_wrong = read == 2 || (stays && read > 2);
            set(target, 8, if is_wrong { 900 } else { 8 });
        });
        let proof = fixture.verify_at(target.as_mut()).unwrap();
        assert_eq!(counts(&proof), (wrong, 1, 0), "stays={stays}");
        // Staying, it is first looked into at the third read, whose bucket did not move since the second.
        assert_eq!(faults.called(Step::Snapshot), 3, "stays={stays}");
    }
}

#[test]
fn a_standing_difference_is_found_though_its_bucket_moves() {
    let fixture = Fixture::same(40_000);
    set(&fixture.target, 8, 900);
    let place = |id: i64| bucket_of(digest_of(id));
    let neighbours: Vec<i64> = (0..40_000)
        .filter(|&id| id != 8 && place(id) == place(8))
        .collect();
    assert!(!neighbours.is_empty());
    let (_faults, mut target) = moving(&fixture, move |read, target| {
        for &id in &neighbours {
            set(target, id, 1_000 + read);
        }
    });
    let proof = fixture.verify_at(target.as_mut()).unwrap();
    assert_eq!(counts(&proof), (1, 0, 0));
}

#[test]
fn what_never_stands_still_proves_nothing() {
    let fixture = Fixture::same(1_000);
    let (faults, mut target) = moving(&fixture, |read, target| set(target, 8, 900 + read));
    let error = fixture.verify_at(target.as_mut()).unwrap_err();
    assert_eq!(error.kind(), Kind::Stale, "{error:?}");
    assert!(error.message().contains("collection=planes"), "{error:?}");
    assert!(error.advice().is_some());
    assert_eq!(faults.called(Step::Snapshot), 6);
}

#[test]
fn records_that_keep_arriving_at_the_target_are_no_alarm() {
    let mut fixture = Fixture::same(1_000);
    fixture.exact = false;
    let (_faults, mut target) = moving(&fixture, |read, target| {
        for id in 0..10 {
            set(target, 10_000 + read * 10 + id, 1);
        }
    });
    let proof = fixture.verify_at(target.as_mut()).unwrap();
    let extra = fixture.target.records("planes").len() as u64 - 1_000;
    assert_eq!(counts(&proof), (0, extra, 0));
}

#[test]
fn changes_at_the_source_since_its_snapshot_are_not_seen() {
    let fixture = Fixture::same(100);
    let mut source = fixture.source.open().snapshot().unwrap();
    fixture.source.insert("planes", &record![500, 1]);
    fixture.source.delete("planes", &record![1]);
    let mut target = fixture.target.open();
    let proof = fixture.verify_of(source.as_mut(), &mut target).unwrap();
    assert_eq!(counts(&proof), (0, 0, 0));
}

/// A source whose later scans are another one's, or fail.
struct Shifting {
    used: Option<Box<dyn Snapshot>>,
    later: Vec<Box<dyn Snapshot>>,
}

impl Snapshot for Shifting {
    fn position(&self) -> Position {
        Position("shifting".to_owned())
    }

    fn ordered(&mut self, _request: &ScanRequest<'_>) -> Result<bool> {
        Ok(false)
    }

    fn is_empty(&mut self, _schema: &Schema) -> Result<bool> {
        Ok(false)
    }

    fn scan<'a>(&'a mut self, request: &ScanRequest<'_>) -> Result<Box<dyn Scan + 'a>> {
        let changed = || Error::new(Kind::Stale, "the file changed");
        self.used = self.later.pop();
        self.used.as_mut().ok_or_else(changed)?.scan(request)
    }
}

#[test]
fn a_source_that_cannot_be_read_twice_is_an_error() {
    let other = Fixture::same(99);
    let cases = [
        (None, "source collection=planes: the file changed"),
        (
            Some(other.source.open().snapshot().unwrap()),
            "source collection=planes: two reads of one snapshot gave different records",
        ),
    ];
    for (second, message) in cases {
        let fixture = Fixture::same(100);
        set(&fixture.target, 8, 900);
        let mut later: Vec<_> = second.into_iter().collect();
        later.push(fixture.source.open().snapshot().unwrap());
        let mut source = Shifting { used: None, later };
        let mut target = fixture.target.open();
        let error = fixture.verify_of(&mut source, &mut target).unwrap_err();
        assert_eq!((error.kind(), error.message()), (Kind::Stale, message));
    }
}

#[test]
fn a_broken_read_is_an_error_whichever_side_it_is_on() {
    for batches in 0..4 {
        let mut fixture = Fixture::same(1_000);
        fixture.stage.limits.batch_records_max = 300;
        let faults = Faults::new();
        faults.break_scan("planes", batches);
        let mut target = faults.wrap(fixture.target.boxed());
        let error = fixture.verify_at(target.as_mut()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.message().starts_with("target collection=planes"));
        faults.assert_spent();

        faults.break_scan("planes", batches);
        let mut source = faults.wrap(fixture.source.boxed()).snapshot().unwrap();
        let mut target = fixture.target.open();
        let error = fixture.verify_of(source.as_mut(), &mut target).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.message().starts_with("source collection=planes"));
        faults.assert_spent();
    }
}

#[test]
fn a_second_read_that_breaks_proves_nothing() {
    let fixture = Fixture::same(10);
    set(&fixture.target, 8, 900);
    let faults = Faults::new();
    let (script, scans) = (faults.clone(), Arc::new(Mutex::new(0)));
    faults.on_call(move |step| {
        let mut scans = scans.lock().unwrap();
        if step == Step::Scan {
            *scans += 1;
        }
        if *scans == 2 && step == Step::Scan {
            script.break_scan("planes", 0);
        }
    });
    let mut target = faults.wrap(fixture.target.boxed());
    let error = fixture.verify_at(target.as_mut()).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error:?}");
    faults.assert_spent();
}

#[test]
fn stops_on_request() {
    let fixture = Fixture::same(10);
    fixture.stage.stop.store(true, Ordering::SeqCst);
    let error = fixture.verify().unwrap_err();
    assert_eq!(error.kind(), Kind::Interrupted);
}
