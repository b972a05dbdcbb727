use super::{Fault, Faults, Step, When};
use crate::memory::Memory;
use crate::record;
use crate::records::{Ask, Writing, collect, schema};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use trueup_core::endpoint::{Claim, Endpoint, Mark, Outcome, Writer};
use trueup_core::error::Kind;
use trueup_core::schema::Schema;

fn planes() -> Memory {
    let memory = Memory::new("planes");
    memory.create(schema("planes").int("id").text("model").key(["id"]));
    memory
}

fn shape(memory: &Memory) -> Schema {
    memory.schema("planes").unwrap()
}

fn claim() -> Claim {
    Claim {
        link: "link".to_owned(),
        incarnation: "i".to_owned(),
    }
}

fn opened(memory: &Memory, faults: &Faults) -> (Box<dyn Endpoint>, Box<dyn Writer>) {
    let mut endpoint = faults.wrap(memory.boxed());
    let writer = endpoint.writer(&claim()).unwrap();
    (endpoint, writer)
}

fn three(memory: &Memory, batch: u64) -> Writing {
    let records = [record![1, "a"], record![2, "b"], record![3, "c"]];
    Writing::new(&shape(memory), batch).inserts(&records)
}

#[test]
fn rejected_record_is_reported_and_not_written() {
    let (memory, faults) = (planes(), Faults::new());
    faults.plan(
        When::Batch(1),
        Fault::Reject {
            index: 1,
            blocked: true,
        },
    );
    let (_endpoint, mut writer) = opened(&memory, &faults);
    let outcomes = three(&memory, 1).apply(writer.as_mut()).unwrap().outcomes;
    assert_eq!(outcomes[0], Outcome::Applied(None));
    assert!(matches!(
        outcomes[1],
        Outcome::Rejected { blocked: true, .. }
    ));
    assert_eq!(outcomes[2], Outcome::Applied(None));
    assert_eq!(memory.records("planes"), [record![1, "a"], record![3, "c"]]);
    faults.assert_spent();
}

#[test]
fn poison_record_is_refused_until_it_is_accepted() {
    let (memory, faults) = (planes(), Faults::new());
    faults.refuse_key("planes", &record![3]);
    let (_endpoint, mut writer) = opened(&memory, &faults);
    for batch in 1..3 {
        let outcomes = three(&memory, batch)
            .apply(writer.as_mut())
            .unwrap()
            .outcomes;
        assert!(matches!(
            outcomes[2],
            Outcome::Rejected { blocked: false, .. }
        ));
    }
    faults.accept_all();
    let outcomes = three(&memory, 3).apply(writer.as_mut()).unwrap().outcomes;
    assert_eq!(outcomes[2], Outcome::Applied(None));
}

#[test]
fn broken_connection_stays_broken_and_only_the_marker_tells_what_happened() {
    for (fault, marked) in [(Fault::FailBefore, None), (Fault::FailAfterWrite, Some(1))] {
        let (memory, faults) = (planes(), Faults::new());
        faults.plan(When::Call(1), fault.clone());
        let (mut endpoint, mut writer) = opened(&memory, &faults);
        let writing = three(&memory, 1);
        for _ in 0..2 {
            let error = writing.apply(writer.as_mut()).unwrap_err();
            assert_eq!(error.kind(), Kind::Unavailable, "{fault:?}");
        }
        assert_eq!(
            writer.marker("planes").unwrap_err().kind(),
            Kind::Unavailable
        );
        let mut writer = endpoint.writer(&claim()).unwrap();
        let marker = writer.marker("planes").unwrap().map(|marker| marker.batch);
        assert_eq!(marker, marked, "{fault:?}");
        faults.assert_spent();
    }
}

#[test]
fn mark_breaks_before_or_after_it_is_stored() {
    for (fault, marked) in [(Fault::FailBefore, None), (Fault::FailAfterWrite, Some(5))] {
        let (memory, faults) = (planes(), Faults::new());
        faults.plan(When::Mark(2), fault.clone());
        let (mut endpoint, mut writer) = opened(&memory, &faults);
        let mark = |partition: &str| Mark {
            partition: partition.to_owned(),
            batch: 5,
            position: Vec::new(),
        };
        writer.mark(&mark("other")).unwrap();
        for _ in 0..2 {
            let error = writer.mark(&mark("")).unwrap_err();
            assert_eq!(error.kind(), Kind::Unavailable, "{fault:?}");
        }
        let mut writer = endpoint.writer(&claim()).unwrap();
        let marker = writer.marker("").unwrap().map(|marker| marker.batch);
        assert_eq!(marker, marked, "{fault:?}");
        assert!(writer.marker("other").unwrap().is_some());
        assert_eq!(faults.called(Step::Mark), 3);
        faults.assert_spent();
    }
}

#[test]
fn late_commit_is_visible_before_the_next_claim_and_fenced_after_it() {
    for claim_first in [false, true] {
        let (memory, faults) = (planes(), Faults::new());
        faults.plan(When::Batch(1), Fault::Late);
        let (mut endpoint, mut writer) = opened(&memory, &faults);
        let error = three(&memory, 1).apply(writer.as_mut()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        if claim_first {
            drop(endpoint.writer(&claim()).unwrap());
            assert_eq!(faults.land()[0].as_ref().unwrap_err().kind(), Kind::Stale);
            assert!(memory.records("planes").is_empty());
        } else {
            assert!(faults.land()[0].is_ok());
            assert_eq!(memory.records("planes").len(), 3);
        }
        faults.assert_spent();
    }
}

#[test]
fn held_apply_waits_for_its_release() {
    let (memory, faults) = (planes(), Faults::new());
    faults.plan(When::BatchOf("planes".to_owned(), 1), Fault::Hold);
    let (_endpoint, mut writer) = opened(&memory, &faults);
    let writing = three(&memory, 1);
    std::thread::scope(|scope| {
        let apply = scope.spawn(|| writing.apply(writer.as_mut()).map(drop));
        faults.wait_held(1);
        assert!(memory.records("planes").is_empty());
        faults.release();
        apply.join().unwrap().unwrap();
    });
    assert_eq!(memory.records("planes").len(), 3);
    faults.assert_spent();
}

#[test]
fn scan_breaks_after_the_planned_batches_and_stays_broken() {
    let (memory, faults) = (planes(), Faults::new());
    memory.insert_all(
        "planes",
        &[record![1, "a"], record![2, "b"], record![3, "c"]],
    );
    faults.break_scan("planes", 2);
    let mut endpoint = faults.wrap(memory.boxed());
    let mut snapshot = endpoint.snapshot().unwrap();
    let ask = Ask {
        batch_records_max: 1,
        ..Ask::all(&shape(&memory))
    };
    let error = collect(snapshot.as_mut(), &shape(&memory), &ask).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(faults.called(Step::Next), 3);
    let (_, batches) = collect(snapshot.as_mut(), &shape(&memory), &ask).unwrap();
    assert_eq!(batches.len(), 3, "the next scan is whole");
    faults.assert_spent();
}

#[test]
fn each_step_fails_as_often_as_planned() {
    let (memory, faults) = (planes(), Faults::new());
    faults
        .fail(Step::Connect, 1)
        .fail(Step::Snapshot, 2)
        .fail_with(Step::Writer, 1, Kind::Auth);
    assert!(faults.connect(|| Ok(memory.boxed())).is_err());
    let mut endpoint = faults.connect(|| Ok(memory.boxed())).unwrap();
    assert!(endpoint.snapshot().is_err());
    assert!(endpoint.snapshot().is_err());
    assert!(endpoint.snapshot().is_ok());
    assert_eq!(
        endpoint.writer(&claim()).map(drop).unwrap_err().kind(),
        Kind::Auth
    );
    assert!(endpoint.writer(&claim()).is_ok());
    faults.assert_spent();
}

#[test]
fn hook_sees_every_call_before_it_happens() {
    let (memory, faults) = (planes(), Faults::new());
    let seen = Arc::new(AtomicU64::new(0));
    let (counter, world) = (Arc::clone(&seen), memory.clone());
    faults.on_call(move |step| {
        counter.fetch_add(1, Ordering::SeqCst);
        if step == Step::Snapshot {
            world.insert("planes", &record![9, "z"]);
        }
    });
    let mut endpoint = faults.wrap(memory.boxed());
    let found = crate::records::read(endpoint.as_mut(), "planes").unwrap();
    assert_eq!(found, [record![9, "z"]]);
    assert_eq!(
        seen.load(Ordering::SeqCst),
        6,
        "schema, snapshot, ordered, scan, next, next"
    );
}

#[test]
#[should_panic(expected = "every planned fault happens")]
fn fault_that_was_never_met_fails_the_test() {
    let faults = Faults::new();
    faults.plan(When::Batch(1), Fault::FailBefore);
    faults.assert_spent();
}
