//! Both ways: what people decide about conflicts, and when a conflict is over.

use super::Pair;
use super::two_way::{both, crew, joined, people, quarrel, remove, set};
use crate::run;
use crate::state::Answer;
use crate::two_way::{ConflictRule, PolicySpec};
use trueup_core::policy::Policy;
use trueup_core::side::Side;
use trueup_testkit::Owned;
use trueup_testkit::memory::Memory;
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

/// Nothing is on record before the first run: the plan is all that people have to decide by.
#[test]
fn plan_names_the_conflicts_and_how_they_are_decided() {
    let theirs = [
        record![1, "ann", "a@x"],
        record![2, "rob", "r@x"],
        record![4, "dan", "d@x"],
    ];
    let (open, source) = ("open id=2 fields=mail,name", "source id=2 fields=mail,name");
    for (policy, line, counted) in [
        (
            Policy::Manual,
            format!("{open} kind=join rule=manual"),
            "1 open, 0 decided",
        ),
        (
            Policy::Source,
            format!("{source} kind=join rule=source"),
            "0 open, 1 decided",
        ),
    ] {
        for turned in [false, true] {
            let mut pair = both(policy, &crew(), &theirs);
            if turned {
                std::mem::swap(&mut pair.source, &mut pair.target);
            }
            let (plan, report) = pair.plan().unwrap();
            let expected = format!("conflicts: collection people: {counted}\n  {line}\n");
            assert!(plan.ends_with(&expected), "{plan}");
            let one = &report.collections[0];
            assert_eq!(one.conflicts, 1);
            let joined = |note: &String| note.starts_with("the sides are joined, because no run");
            assert!(one.notes.iter().any(joined), "{:?}", one.notes);
        }
    }
}

#[test]
fn plan_shows_the_first_of_many_conflicts() {
    let people = |name: &str| (0..25).map(|id| record![id, name, "x"]).collect::<Vec<_>>();
    let pair = both(Policy::Manual, &people("a"), &people("b"));
    let (plan, _) = pair.plan().unwrap();
    assert_eq!(plan.matches("  open id=").count(), 20, "{plan}");
    assert!(
        plan.ends_with("  ... and 5 more open; --json lists all\n"),
        "{plan}"
    );
    assert_eq!(pair.run().unwrap().exit_code(), 1);
    let (plan, report) = pair.plan().unwrap();
    assert!(
        plan.contains("open id=0 fields=name kind=join rule=manual conflict=1\n"),
        "{plan}"
    );
    assert_eq!(report.collections[0].notes, Vec::<String>::new());
}

#[test]
fn plan_says_which_answers_lapse() {
    let pair = joined(Policy::Manual, &crew());
    quarrel(&pair);
    assert_eq!(pair.run().unwrap().exit_code(), 1);
    pair.answer(pair.conflicts()[0].id, &Answer::Side(Side::Source));
    set(&pair.target, 1, "name", "changed since");
    let (plan, report) = pair.plan().unwrap();
    assert!(plan.contains("open id=1"), "{plan}");
    let notes = &report.collections[0].notes;
    assert!(
        notes[0].starts_with("conflict 1: what a person decided is not carried out"),
        "{notes:?}"
    );
}

/// What a rule or a person made of both stands nowhere else: the next change overwrites it.
#[test]
fn what_neither_side_held_is_on_record() {
    let chosen = |pair: &Pair| {
        let chosen = pair.conflicts().remove(0).chosen;
        chosen.map(|batch| Owned::record(batch.record(0)))
    };
    let mail_and_name = |name: &str| Some(vec![1.into(), "a@x".into(), name.into()]);
    let pair = joined(Policy::Manual, &crew());
    quarrel(&pair);
    assert_eq!(pair.run().unwrap().exit_code(), 1);
    assert_eq!(chosen(&pair), None);
    let id = pair.conflicts()[0].id;
    let both = serde_json::json!({"id": 1, "name": "both", "mail": "a@x"});
    pair.answer(id, &Answer::Record(both));
    pair.settle();
    assert_eq!(
        (pair.decisions(), chosen(&pair)),
        (vec!["merge".to_owned()], mail_and_name("both"))
    );
    pair.answer(id, &Answer::Side(Side::Source));
    pair.settle();
    assert_eq!(chosen(&pair), None, "the source held it");

    let mut pair = joined(Policy::Source, &crew());
    pair.two_way.as_mut().unwrap().rules = vec![ConflictRule {
        collection: None,
        field: Some("name".to_owned()),
        policy: PolicySpec::Expression("source_value + target_value".to_owned()),
    }];
    quarrel(&pair);
    pair.settle();
    assert_eq!(chosen(&pair), mail_and_name("from sourcefrom target"));
}

#[test]
fn an_answer_that_lapses_is_told() {
    let pair = joined(Policy::Manual, &crew());
    quarrel(&pair);
    assert_eq!(pair.run().unwrap().exit_code(), 1);
    assert!(!pair.conflicts()[0].lapsed);
    pair.answer(pair.conflicts()[0].id, &Answer::Side(Side::Source));
    set(&pair.target, 1, "name", "changed since");
    let report = pair.run().unwrap();
    let told = |note: &String| note.starts_with("conflict 1: what a person decided is not carried");
    assert!(report.notes.iter().any(told), "{:?}", report.notes);
    assert!(pair.conflicts()[0].lapsed);
    let again = pair.run().unwrap();
    assert!(!again.notes.iter().any(told), "once");
    pair.answer(pair.conflicts()[0].id, &Answer::Side(Side::Source));
    pair.settle();
    assert!(!pair.conflicts()[0].lapsed);
}

#[test]
fn open_conflicts_are_not_counted_as_parked() {
    let pair = joined(Policy::Manual, &crew());
    quarrel(&pair);
    set(&pair.source, 2, "name", "rob");
    pair.target_faults.refuse_key("people", &[2.into()]);
    let ran = pair.run().unwrap();
    let verified = run::verify(&mut pair.link(), Some(&pair.store()), &pair.stage.world());
    for report in [ran, verified.unwrap()] {
        let proof = &report.certificate.as_ref().unwrap().collections[0];
        assert_eq!((proof.open, proof.parked, proof.wrong), (1, 1, 0));
        assert_eq!((report.open_conflicts(), report.parked()), (1, 1));
        assert!(!report.certificate.as_ref().unwrap().is_clean());
    }
}

/// Each would undo the other's work; nobody else can tell.
#[test]
fn a_link_one_way_into_a_side_of_a_pair_is_noted() {
    let mut pair = joined(Policy::Manual, &crew());
    pair.two_way = None;
    let noted = |pair: &Pair| {
        let report = pair.run().unwrap();
        let notes = report.collections[0].notes.clone();
        let about = |note: &String| note.starts_with("a link both ways with ");
        notes.into_iter().find(about)
    };
    let note = noted(&pair).unwrap();
    assert!(
        note.contains("inserts again what was deleted there"),
        "{note}"
    );
    pair.mode.delete = true;
    let note = noted(&pair).unwrap();
    assert!(
        note.contains("deletes what its source does not have"),
        "{note}"
    );
    // Another place has nothing to do with it.
    let mut other = Pair::new();
    other.target = Memory::new("elsewhere");
    other.source.create(people());
    other.target.create(people());
    other.stage = pair.stage;
    assert_eq!(noted(&other), None);
}
