//! Both ways without faults: who changed what is told from the base, and conflicts from everything else.

use super::Pair;
use crate::certificate::Certificate;
use crate::report::Report;
use crate::state::{Answer, ConflictFilter, ConflictId, PastConflict};
use crate::two_way::{PolicySpec, TwoWay};
use std::sync::atomic::{AtomicUsize, Ordering};
use trueup_core::failpoint::Failpoints;
use trueup_core::policy::{OnDelete, Policy};
use trueup_core::schema::Schema;
use trueup_core::side::{Side, Sides};
use trueup_core::{Error, Kind};
use trueup_testkit::Owned;
use trueup_testkit::faults::{Fault, When};
use trueup_testkit::memory::Memory;
use trueup_testkit::record;
use trueup_testkit::records::schema;

pub(super) fn people() -> Schema {
    schema("people")
        .int("id")
        .text("name")
        .text("mail")
        .key(["id"])
        .build()
}

pub(super) fn both(policy: Policy, source: &[Vec<Owned>], target: &[Vec<Owned>]) -> Pair {
    let mut pair = Pair::new();
    pair.source.create(people());
    pair.target.create(people());
    pair.source.insert_all("people", source);
    pair.target.insert_all("people", target);
    pair.stage.limits.batch_records_max = 3;
    pair.two_way = Some(TwoWay {
        default: PolicySpec::Named(policy),
        ..TwoWay::default()
    });
    pair
}

pub(super) fn joined(policy: Policy, records: &[Vec<Owned>]) -> Pair {
    let pair = both(policy, records, records);
    let report = pair.run().unwrap();
    assert_eq!((report.equal, report.exit_code()), (true, 0));
    pair
}

pub(super) fn crew() -> Vec<Vec<Owned>> {
    vec![
        record![1, "ann", "a@x"],
        record![2, "bob", "b@x"],
        record![3, "cid", "c@x"],
    ]
}

pub(super) fn set(world: &Memory, id: i64, field: &str, value: &str) {
    assert!(world.update("people", &[id.into()], &[(field, value.into())]));
}

pub(super) fn remove(world: &Memory, id: i64) {
    assert!(world.delete("people", &[id.into()]));
}

impl Pair {
    /// Runs, expects both sides to agree, and expects a second run to write nothing.
    pub(super) fn settle(&self) -> Report {
        let report = self.run().unwrap();
        assert_eq!((report.equal, report.exit_code()), (true, 0), "{report:?}");
        assert!(
            report
                .certificate
                .as_ref()
                .is_some_and(Certificate::is_clean)
        );
        self.assert_same("people");
        let logs = (self.source.log().len(), self.target.log().len());
        let again = self.run().unwrap();
        assert!(again.equal);
        assert_eq!((self.source.log().len(), self.target.log().len()), logs);
        report
    }

    /// Runs until the failpoint at `place` of those passed; returns whether there was one.
    pub(super) fn die_at(&mut self, place: usize) -> bool {
        let passed = AtomicUsize::new(0);
        self.stage.failpoints = Failpoints::new(move |name| {
            let at = passed.fetch_add(1, Ordering::SeqCst);
            if name.starts_with("two-way") && at == place {
                return Err(Error::new(Kind::Interrupted, "killed"));
            }
            Ok(())
        });
        let died = self.run().is_err();
        self.stage.failpoints = Failpoints::none();
        died
    }

    pub(super) fn conflicts(&self) -> Vec<PastConflict> {
        self.store().conflicts(&ConflictFilter::default()).unwrap()
    }

    pub(super) fn decisions(&self) -> Vec<String> {
        self.conflicts().into_iter().map(|c| c.decision).collect()
    }

    pub(super) fn answer(&self, id: ConflictId, answer: &Answer) {
        self.store().answer(id, answer).unwrap();
    }
}

pub(super) fn quarrel(pair: &Pair) {
    set(&pair.source, 1, "name", "from source");
    set(&pair.target, 1, "name", "from target");
}

#[test]
fn first_run_joins() {
    let pair = both(
        Policy::Manual,
        &[record![1, "ann", "a@x"], record![2, "bob", "b@x"]],
        &[record![2, "bob", "b@x"], record![3, "cid", "c@x"]],
    );
    let report = pair.settle();
    let one = &report.collections[0];
    assert_eq!((one.to_target.inserts, one.to_source.inserts), (1, 1));
    assert_eq!((one.inserted, one.updated, one.deleted), (2, 0, 0));
    assert_eq!((one.unchanged, one.conflicts), (1, 0));
    assert_eq!(pair.source.records("people"), crew());
}

#[test]
fn changes_go_both_ways() {
    let pair = joined(Policy::Manual, &crew());
    set(&pair.source, 1, "name", "anna");
    set(&pair.target, 2, "mail", "bob@x");
    remove(&pair.target, 3);
    pair.source.insert("people", &record![4, "dan", "d@x"]);
    let report = pair.settle();
    let one = &report.collections[0];
    assert_eq!((one.inserted, one.updated, one.deleted), (1, 2, 1));
    assert_eq!(one.to_source.deletes, 1);
    let expected = [
        record![1, "anna", "a@x"],
        record![2, "bob", "bob@x"],
        record![4, "dan", "d@x"],
    ];
    assert_eq!(pair.source.records("people"), expected);
    assert_eq!(pair.conflicts().len(), 0);
}

#[test]
fn fields_of_one_record_are_merged() {
    let pair = joined(Policy::Manual, &crew());
    set(&pair.source, 1, "name", "anna");
    set(&pair.target, 1, "mail", "anna@x");
    let report = pair.settle();
    assert_eq!(report.collections[0].updated, 2);
    assert_eq!(
        pair.source.records("people")[0],
        record![1, "anna", "anna@x"]
    );
    assert_eq!(pair.conflicts().len(), 0);
}

#[test]
fn deleting_twice_and_changing_alike_are_no_conflicts() {
    let pair = joined(Policy::Manual, &crew());
    for world in [&pair.source, &pair.target] {
        remove(world, 1);
        set(world, 2, "name", "rob");
    }
    let report = pair.settle();
    assert_eq!(report.collections[0].to_target.total(), 0);
    assert_eq!(pair.conflicts().len(), 0);
}

#[test]
fn policy_decides_and_the_loser_is_on_record() {
    for (policy, winner) in [
        (Policy::Source, "from source"),
        (Policy::Target, "from target"),
    ] {
        let pair = joined(policy, &crew());
        set(&pair.source, 1, "name", "from source");
        set(&pair.target, 1, "name", "from target");
        let report = pair.settle();
        assert_eq!(report.collections[0].conflicts, 1);
        assert_eq!(report.collections[0].open_conflicts, 0);
        assert_eq!(pair.source.records("people")[0], record![1, winner, "a@x"]);
        let conflicts = pair.conflicts();
        assert_eq!(conflicts.len(), 1);
        assert_eq!(conflicts[0].decision, policy.name());
        let names = conflicts[0].records.as_ref().map(|record| {
            let record = record.as_ref().unwrap().record(0);
            Owned::record(record)[2].clone()
        });
        let held = Sides::new("from source".into(), "from target".into());
        assert_eq!(names, held, "fields are in the order of their names");
    }
}

#[test]
fn naming_the_sides_the_other_way_round_keeps_the_base() {
    let mut pair = joined(Policy::Source, &crew());
    std::mem::swap(&mut pair.source, &mut pair.target);
    set(&pair.source, 1, "name", "from source");
    set(&pair.target, 1, "name", "from target");
    remove(&pair.target, 3);
    let report = pair.settle();
    assert_eq!(report.collections[0].to_source.deletes, 1);
    assert_eq!(
        pair.source.records("people")[0],
        record![1, "from source", "a@x"]
    );
    assert_eq!(pair.source.records("people").len(), 2);
}

#[test]
fn delete_against_update_keeps_the_data_unless_told_otherwise() {
    let mut pair = joined(Policy::Manual, &crew());
    remove(&pair.source, 1);
    set(&pair.target, 1, "name", "anna");
    pair.settle();
    assert_eq!(pair.source.records("people")[0], record![1, "anna", "a@x"]);
    assert_eq!(pair.decisions(), ["target"]);
    pair.two_way.as_mut().unwrap().on_delete = vec![(None, OnDelete::Wins)];
    remove(&pair.source, 1);
    set(&pair.target, 1, "name", "annabel");
    pair.settle();
    assert_eq!(pair.source.records("people").len(), 2);
    assert_eq!(pair.decisions(), ["target", "delete"]);
}

#[test]
fn manual_freezes_the_key_and_nothing_else() {
    let pair = joined(Policy::Manual, &crew());
    set(&pair.source, 1, "name", "from source");
    set(&pair.target, 1, "name", "from target");
    set(&pair.source, 2, "name", "rob");
    let report = pair.run().unwrap();
    assert_eq!((report.equal, report.exit_code()), (false, 1));
    assert_eq!(report.collections[0].open_conflicts, 1);
    assert_eq!(pair.target.records("people")[1], record![2, "rob", "b@x"]);
    assert_eq!(
        pair.target.records("people")[0],
        record![1, "from target", "a@x"]
    );
    let before = pair.conflicts();
    let again = pair.run().unwrap();
    assert_eq!(again.exit_code(), 1);
    let after = pair.conflicts();
    assert_eq!(after.len(), 1);
    assert_eq!((before[0].id, before[0].run), (after[0].id, after[0].run));
}

#[test]
fn open_conflict_is_decided_by_hand() {
    for (answer, name) in [
        (Answer::Side(Side::Source), "from source"),
        (Answer::Side(Side::Target), "from target"),
        (
            Answer::Record(serde_json::json!({"id": 1, "name": "both", "mail": "a@x"})),
            "both",
        ),
    ] {
        let pair = joined(Policy::Manual, &crew());
        set(&pair.source, 1, "name", "from source");
        set(&pair.target, 1, "name", "from target");
        pair.run().unwrap();
        pair.answer(pair.conflicts()[0].id, &answer);
        pair.settle();
        assert_eq!(pair.source.records("people")[0], record![1, name, "a@x"]);
        assert_ne!(pair.decisions(), ["open"]);
    }
}

#[test]
fn decided_conflict_is_reversed() {
    let pair = joined(Policy::Source, &crew());
    set(&pair.source, 1, "name", "from source");
    set(&pair.target, 1, "name", "from target");
    pair.settle();
    pair.answer(pair.conflicts()[0].id, &Answer::Side(Side::Target));
    pair.settle();
    assert_eq!(
        pair.source.records("people")[0],
        record![1, "from target", "a@x"]
    );
    assert_eq!(pair.decisions(), ["target"]);
}

#[test]
fn answer_about_a_record_that_changed_since_is_taken_back() {
    let pair = joined(Policy::Manual, &crew());
    set(&pair.source, 1, "name", "from source");
    set(&pair.target, 1, "name", "from target");
    pair.run().unwrap();
    pair.answer(pair.conflicts()[0].id, &Answer::Side(Side::Source));
    set(&pair.target, 1, "name", "changed since");
    let report = pair.run().unwrap();
    assert_eq!(report.exit_code(), 1);
    let conflicts = pair.conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(
        (conflicts[0].decision.as_str(), &conflicts[0].answer),
        ("open", &None)
    );
    assert_eq!(
        pair.target.records("people")[0],
        record![1, "changed since", "a@x"]
    );
}

#[test]
fn conflict_that_goes_away_by_itself_is_closed() {
    let pair = joined(Policy::Manual, &crew());
    set(&pair.source, 1, "name", "from source");
    set(&pair.target, 1, "name", "from target");
    pair.run().unwrap();
    set(&pair.target, 1, "name", "from source");
    pair.settle();
    assert_eq!(pair.decisions(), ["agreed"]);
}

#[test]
fn missing_collection_is_created_on_either_side() {
    for turned in [false, true] {
        let mut pair = Pair::new();
        pair.two_way = Some(TwoWay::default());
        pair.source.create(people());
        pair.source.insert_all("people", &crew());
        if turned {
            std::mem::swap(&mut pair.source, &mut pair.target);
        }
        pair.settle();
    }
}

#[test]
fn guard_judges_each_side() {
    let records: Vec<Vec<Owned>> = (0..20_i64).map(|id| record![id, "n", "m"]).collect();
    let mut pair = joined(Policy::Manual, &records);
    pair.target.clear("people");
    let error = pair.run().unwrap_err();
    assert_eq!(error.kind(), Kind::Guard);
    assert_eq!(pair.source.records("people").len(), 20);
    pair.mode.lift_guard = true;
    pair.settle();
    assert_eq!(pair.source.records("people").len(), 0);
}

#[test]
fn plan_is_what_happens() {
    let pair = joined(Policy::Source, &crew());
    set(&pair.source, 1, "name", "anna");
    set(&pair.target, 1, "mail", "anna@x");
    remove(&pair.target, 2);
    pair.target.insert("people", &record![5, "eve", "e@x"]);
    let (text, report) = pair.plan().unwrap();
    assert!(!report.equal);
    assert_eq!(
        text,
        "to the target: collection people: 0 to insert, 1 to update, 0 to delete\n  \
         update id=1 fields=name\n\
         to the source: collection people: 1 to insert, 1 to update, 1 to delete\n  \
         update id=1 fields=mail\n  insert id=5\n  delete id=2\n"
    );
    pair.settle();
}

#[test]
fn edit_between_reading_and_writing_is_looked_at_again() {
    let mut pair = joined(Policy::Source, &crew());
    set(&pair.source, 1, "name", "from source");
    let target = pair.target.clone();
    let once = std::sync::Once::new();
    pair.stage.failpoints = Failpoints::new(move |place| {
        if place == "two-way.planned" {
            once.call_once(|| set(&target, 1, "mail", "meanwhile"));
        }
        Ok(())
    });
    let report = pair.settle();
    assert_eq!(
        pair.target.records("people")[0],
        record![1, "from source", "meanwhile"]
    );
    assert_eq!(report.collections[0].conflicts, 0);
}

#[test]
fn dying_anywhere_loses_nothing() {
    let mut place = 0;
    loop {
        let mut pair = joined(Policy::Source, &crew());
        quarrel(&pair);
        set(&pair.target, 1, "mail", "new");
        set(&pair.source, 2, "mail", "bob@x");
        remove(&pair.target, 3);
        pair.target.insert("people", &record![4, "dan", "d@x"]);
        let died = pair.die_at(place);
        pair.settle();
        let expected = [
            record![1, "from source", "new"],
            record![2, "bob", "bob@x"],
            record![4, "dan", "d@x"],
        ];
        assert_eq!(pair.source.records("people"), expected, "place={place}");
        assert_eq!(pair.decisions(), ["source"], "place={place}");
        if !died {
            assert!(place > 10, "the failpoints are not passed");
            return;
        }
        place += 1;
    }
}

/// The collection was created and filled before the answer was lost: the next pass must not read it as empty, which
/// would look like everything deleted.
#[test]
fn collection_created_before_the_answer_was_lost_is_read() {
    let mut pair = both(Policy::Manual, &crew(), &[]);
    pair.target.drop_collection("people");
    pair.two_way.as_mut().unwrap().on_delete = vec![(None, OnDelete::Wins)];
    pair.target_faults
        .plan(When::Call(1), Fault::FailAfterWrite);
    let report = pair.settle();
    pair.target_faults.assert_spent();
    assert_eq!(pair.source.records("people"), crew());
    assert_eq!(
        (
            report.collections[0].inserted,
            report.collections[0].deleted
        ),
        (3, 0)
    );
}

#[test]
fn conflict_about_a_record_that_nobody_holds_is_over_whenever_a_run_dies() {
    let mut place = 0;
    loop {
        let mut pair = both(Policy::Manual, &crew(), &[record![1, "ann", "other"]]);
        assert_eq!(pair.run().unwrap().exit_code(), 1);
        remove(&pair.source, 1);
        remove(&pair.target, 1);
        let died = pair.die_at(place);
        pair.settle();
        assert_eq!(pair.decisions(), ["agreed"], "place={place}");
        if !died {
            return;
        }
        place += 1;
    }
}
