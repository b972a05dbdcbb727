//! Both ways: what people decide about conflicts, and when a conflict is over.

use super::two_way::{crew, joined, quarrel, remove, set};
use crate::state::Answer;
use trueup_core::policy::Policy;
use trueup_core::side::Side;
use trueup_testkit::record;
use trueup_testkit::records::schema;

/// The values of a record on file are told apart by their places only.
#[test]
fn answer_given_before_the_fields_changed_is_not_carried_out() {
    let pair = joined(Policy::Manual, &crew());
    quarrel(&pair);
    assert_eq!(pair.run().unwrap().exit_code(), 1);
    pair.answer(pair.conflicts()[0].id, &Answer::Side(Side::Target));
    let renamed = schema("people")
        .int("id")
        .text("zz")
        .text("mail")
        .key(["id"]);
    for world in [&pair.source, &pair.target] {
        world.drop_collection("people");
        world.create(renamed.clone().build());
        world.insert("people", &record![2, "bob", "b@x"]);
    }
    pair.settle();
    assert_eq!(pair.source.records("people"), [record![2, "bob", "b@x"]]);
    assert_eq!(pair.decisions(), ["superseded"]);
}

#[test]
fn conflict_is_over_only_when_the_sides_agree() {
    let pair = joined(Policy::Manual, &crew());
    quarrel(&pair);
    assert_eq!(pair.run().unwrap().exit_code(), 1);
    set(&pair.target, 1, "name", "ann");
    pair.target_faults.refuse_key("people", &[1.into()]);
    let report = pair.run().unwrap();
    assert_eq!((report.exit_code(), report.parked()), (1, 1));
    assert_eq!(pair.decisions(), ["open"]);
    pair.target_faults.accept_all();
    pair.settle();
    assert_eq!(pair.decisions(), ["agreed"]);
}

#[test]
fn conflict_that_ended_by_itself_is_reversed_too() {
    let pair = joined(Policy::Manual, &crew());
    quarrel(&pair);
    assert_eq!(pair.run().unwrap().exit_code(), 1);
    set(&pair.target, 1, "name", "from source");
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
fn plan_shows_what_people_decided() {
    let pair = joined(Policy::Manual, &crew());
    quarrel(&pair);
    remove(&pair.source, 2);
    assert_eq!(pair.run().unwrap().exit_code(), 1);
    pair.answer(pair.conflicts()[0].id, &Answer::Side(Side::Source));
    let (plan, _) = pair.plan().unwrap();
    assert!(plan.contains("update id=1 fields=name"), "{plan}");
    pair.settle();
}
