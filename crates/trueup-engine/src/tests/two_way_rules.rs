//! Both ways: which rule decides a conflict, and which links are refused.

use super::two_way::{both, crew, joined, people, quarrel, set};
use crate::two_way::{ConflictRule, PolicySpec, TwoWay};
use trueup_core::Kind;
use trueup_core::policy::Policy;
use trueup_core::side::Side;
use trueup_testkit::memory::Memory;
use trueup_testkit::record;

fn rule(collection: &str, field: Option<&str>, policy: PolicySpec) -> ConflictRule {
    ConflictRule {
        collection: Some(collection.to_owned()),
        field: field.map(str::to_owned),
        policy,
    }
}

#[test]
fn keep_both_keeps_both_records() {
    for side in Side::BOTH {
        let mut pair = joined(Policy::KeepBoth(side), &crew());
        quarrel(&pair);
        pair.stage.limits.batch_records_max = 2;
        pair.settle();
        let (kept, copied) = match side {
            Side::Source => ("from source", "from target"),
            Side::Target => ("from target", "from source"),
        };
        let records = pair.source.records("people");
        assert_eq!(records[0], record![1, kept, "a@x"]);
        assert_eq!(records[3], record![4, copied, "a@x"]);
        assert_eq!(
            (records.len(), pair.decisions()),
            (4, vec!["keep-both".to_owned()])
        );
    }
}

/// The copy and the overwriting go together: one that is refused must not leave the other, and one more with each run.
#[test]
fn keep_both_leaves_no_copy_of_what_was_not_overwritten() {
    let pair = joined(Policy::KeepBoth(Side::Source), &crew());
    quarrel(&pair);
    pair.target_faults.refuse_key("people", &[1.into()]);
    for _ in 0..2 {
        let report = pair.run().unwrap();
        assert_eq!((report.exit_code(), report.parked()), (1, 1));
        assert_eq!(pair.target.records("people").len(), 3);
        assert_eq!(pair.source.records("people").len(), 3);
    }
    assert_eq!(pair.conflicts().len(), 0, "nothing was decided");
    pair.target_faults.accept_all();
    pair.settle();
    assert_eq!(pair.source.records("people").len(), 4);
}

#[test]
fn newest_wins_by_its_stamp() {
    let mut pair = joined(Policy::Manual, &crew());
    pair.two_way = Some(TwoWay {
        default: PolicySpec::Named(Policy::Newest),
        stamps: vec![(None, "mail".to_owned())],
        ..TwoWay::default()
    });
    quarrel(&pair);
    set(&pair.source, 1, "mail", "2024-01-01");
    set(&pair.target, 1, "mail", "2024-01-02");
    pair.settle();
    assert_eq!(
        pair.source.records("people")[0],
        record![1, "from target", "2024-01-02"]
    );
}

#[test]
fn expression_decides_and_speaks_of_the_users_sides() {
    for turned in [false, true] {
        let mut pair = joined(Policy::Manual, &crew());
        if turned {
            std::mem::swap(&mut pair.source, &mut pair.target);
        }
        let both = "source_value + \" + \" + target_value".to_owned();
        let longer = "source.mail < target.mail ? \"source\" : \"target\"".to_owned();
        pair.two_way = Some(TwoWay {
            default: PolicySpec::Expression(longer),
            rules: vec![rule("people", Some("name"), PolicySpec::Expression(both))],
            ..TwoWay::default()
        });
        quarrel(&pair);
        set(&pair.source, 1, "mail", "a");
        set(&pair.target, 1, "mail", "b");
        pair.settle();
        let expected = record![1, "from source + from target", "a"];
        assert_eq!(pair.target.records("people")[0], expected);
    }
}

#[test]
fn wrong_expression_is_refused_before_anything_happens() {
    let mut pair = both(Policy::Manual, &crew(), &[]);
    pair.two_way.as_mut().unwrap().default = PolicySpec::Expression("source.nam == 1".to_owned());
    let error = pair.run().unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.to_string().contains("nam"), "{error}");
    assert_eq!(pair.target.records("people").len(), 0);
}

#[test]
fn star_settles_and_ring_is_refused() {
    let hub = both(Policy::Source, &crew(), &[]);
    hub.settle();
    let spoke = Memory::new("spoke");
    spoke.create(people());
    let mut second = both(Policy::Source, &[], &[]);
    (second.source, second.target) = (hub.source.clone(), spoke.clone());
    second.stage = hub.stage;
    second.settle();
    set(&spoke, 1, "name", "from the spoke");
    second.settle();
    let first_target = hub.target.clone();
    let mut first = both(Policy::Source, &[], &[]);
    (first.source, first.target) = (second.source.clone(), first_target.clone());
    first.stage = second.stage;
    first.settle();
    assert_eq!(
        first_target.records("people")[0],
        record![1, "from the spoke", "a@x"]
    );
    let mut ring = both(Policy::Source, &[], &[]);
    (ring.source, ring.target) = (spoke, first_target);
    ring.stage = first.stage;
    let error = ring.run().unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.to_string().contains("ring"), "{error}");
}

#[test]
fn rule_for_what_does_not_exist_is_refused() {
    let rule = |collection: &str, field: Option<&str>| ConflictRule {
        collection: Some(collection.to_owned()),
        field: field.map(str::to_owned),
        policy: PolicySpec::Named(Policy::Max),
    };
    for (rule, named) in [
        (rule("persons", None), "persons"),
        (rule("people", Some("nam")), "nam"),
    ] {
        let mut pair = both(Policy::Manual, &[], &[]);
        pair.two_way.as_mut().unwrap().rules = vec![rule];
        let error = pair.run().unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn field_has_a_rule_of_its_own() {
    let mut pair = joined(Policy::Source, &crew());
    pair.two_way.as_mut().unwrap().rules = vec![ConflictRule {
        collection: Some("people".to_owned()),
        field: Some("mail".to_owned()),
        policy: PolicySpec::Named(Policy::Max),
    }];
    set(&pair.source, 1, "name", "from source");
    set(&pair.target, 1, "name", "from target");
    set(&pair.source, 1, "mail", "k");
    set(&pair.target, 1, "mail", "z");
    pair.settle();
    assert_eq!(
        pair.source.records("people")[0],
        record![1, "from source", "z"]
    );
    assert_eq!(pair.decisions(), ["merge"]);
}
