//! That a check finds all that is wrong, changes nothing, and is right about what it finds nothing wrong with.

use super::*;
use crate::state::Stage;
use crate::tests::{Pair, fleet, planes};
use crate::two_way::{ConflictRule, PolicySpec, TwoWay};
use trueup_core::policy::Policy;
use trueup_core::rights::Remedy;
use trueup_core::types::Type;
use trueup_testkit::faults::Step;
use trueup_testkit::memory::Memory;
use trueup_testkit::records::schema;

fn found(pair: &Pair) -> CheckReport {
    check(&mut pair.link(), None).unwrap()
}

/// Everything that is wrong, as `place: message`.
fn said(report: &CheckReport) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for (side, end) in report.ends() {
        said.extend(
            end.missing
                .iter()
                .map(|one| format!("{side}: {}", one.right)),
        );
    }
    for one in &report.collections {
        let name = &one.names.source;
        said.extend(
            one.all_problems()
                .map(|problem| format!("{name}: {}", problem.message)),
        );
    }
    said.extend(
        report
            .problems
            .iter()
            .map(|problem| problem.message.clone()),
    );
    said
}

#[test]
fn link_that_can_run_is_ready_and_untouched() {
    let pair = Pair::planes(&fleet(0, 3), &[]);
    let (source, target) = (pair.source.position(), pair.target.position());
    let report = found(&pair);
    assert_eq!(said(&report), [""; 0]);
    assert_eq!(report.exit_code(), 0);
    let planes = &report.collections[0];
    assert_eq!(
        (planes.key.clone(), planes.create.clone()),
        (vec!["id".to_owned()], None)
    );
    assert!(
        planes
            .fields
            .iter()
            .all(|field| field.fit == Some(trueup_core::lattice::Fit::Exact))
    );
    assert_eq!(
        (pair.source.position(), pair.target.position()),
        (source, target)
    );
    assert_eq!(pair.source_faults.called(Step::Scan), 0);
    assert_eq!(pair.target_faults.called(Step::Writer), 0);
}

#[test]
fn one_broken_collection_hides_no_other() {
    let mut pair = Pair::new();
    let held = |name: &str, ty: Type| {
        schema("bad")
            .int("id")
            .field(name, ty)
            .field("more", ty)
            .key(["id"])
    };
    pair.source.create(held("at", Type::Date).build());
    pair.target.create(held("at", Type::Instant).build());
    pair.source.create(schema("keyless").int("a").build());
    pair.source.create(planes());
    for name in ["bad", "gone", "keyless", "planes"] {
        pair.specs.push(CollectionSpec::plain(name.to_owned()));
    }
    let report = found(&pair);
    assert_eq!(
        said(&report),
        [
            "bad: field=at: memory:date does not translate to memory:instant: only one of the types has a time zone, and none is assumed",
            "bad: field=more: memory:date does not translate to memory:instant: only one of the types has a time zone, and none is assumed",
            "gone: source: there is no collection called gone",
            "keyless: no key: the source declares none",
        ]
    );
    assert_eq!(report.exit_code(), 1);
    let [.., keyless, planes] = report.collections.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(keyless.fields[0].held.target.as_ref().unwrap().name, "a");
    assert_eq!((keyless.create.as_ref(), keyless.key.len()), (None, 0));
    assert_eq!(
        planes.create,
        Some((Side::Target, "create planes".to_owned()))
    );
}

#[test]
fn sides_are_the_user_s_whichever_comes_first() {
    for (one, other) in [("a", "z"), ("z", "a")] {
        let mut pair = Pair::new();
        (pair.source, pair.target) = (Memory::new(one), Memory::new(other));
        pair.two_way = Some(TwoWay::default());
        pair.source.create(planes());
        pair.target
            .create(schema("till").int("id").text("name").key(["id"]).build());
        let report = found(&pair);
        assert_eq!(said(&report), [""; 0]);
        let created: Vec<_> = report
            .collections
            .iter()
            .map(|one| one.create.clone())
            .collect();
        assert_eq!(
            created,
            [
                Some((Side::Target, "create planes".to_owned())),
                Some((Side::Source, "create till".to_owned())),
            ]
        );
        assert_eq!(report.source.about.address, format!("memory:{one}"));
        assert_eq!(report.collections[0].keys.target, None);
        assert_eq!(pair.run().unwrap().exit_code(), 0);
    }
}

#[test]
fn markers_are_needed_both_ways_and_are_better_one_way() {
    let mut pair = Pair::planes(&fleet(0, 1), &[]);
    pair.target.lack(Missing {
        wanted: Wanted::Control,
        right: "CREATE".to_owned(),
        remedy: Remedy::Statement("GRANT".to_owned()),
    });
    let report = found(&pair);
    assert_eq!(report.exit_code(), 0);
    assert_eq!(report.target.unwrap().weaker.len(), 1);
    pair.two_way = Some(TwoWay::default());
    assert_eq!(said(&found(&pair)), ["target: CREATE"]);
}

#[test]
fn each_side_is_asked_for_what_will_be_done_there() {
    let rights = |wanted: &Wanted, two_way: bool| {
        let mut pair = Pair::planes(&fleet(0, 1), &[]);
        pair.source
            .create(schema("new").int("id").key(["id"]).build());
        pair.two_way = two_way.then(TwoWay::default);
        for memory in [&pair.source, &pair.target] {
            memory.lack(Missing {
                wanted: wanted.clone(),
                right: "it".to_owned(),
                remedy: Remedy::Advice("grant it".to_owned()),
            });
        }
        said(&found(&pair)).join(" ")
    };
    let name = |name: &str| name.to_owned();
    for (wanted, one_way, both) in [
        (Wanted::List, "source: it", "source: it"),
        (Wanted::Read(name("planes")), "source: it", ""),
        (
            Wanted::Write(name("planes")),
            "target: it",
            "source: it target: it",
        ),
        (Wanted::Create(name("new")), "target: it", "target: it"),
        (Wanted::Write(name("new")), "", "source: it"),
        (Wanted::Create(name("planes")), "", ""),
    ] {
        assert_eq!(rights(&wanted, false), one_way, "{wanted:?} one way");
        assert_eq!(rights(&wanted, true), both, "{wanted:?} both ways");
    }
}

#[test]
fn rules_of_a_link_are_checked_too() {
    let mut pair = Pair::planes(&[], &[]);
    pair.two_way = Some(TwoWay {
        default: PolicySpec::Named(Policy::Newest),
        rules: vec![ConflictRule {
            collection: Some("ships".to_owned()),
            field: None,
            policy: PolicySpec::Named(Policy::Source),
        }],
        ..TwoWay::default()
    });
    let said = said(&found(&pair));
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("planes: "), "{said:?}");
    assert_eq!(
        said[1],
        "a rule is for collection=ships, which the link does not have"
    );
}

#[test]
fn link_as_a_whole_can_be_wrong() {
    let mut pair = Pair::new();
    pair.target = pair.source.clone();
    assert_eq!(
        said(&found(&pair)),
        [
            "source and target are the same endpoint",
            "source: there is no collection to read: memory:source"
        ]
    );
}

#[test]
fn lost_connection_is_an_error_and_no_finding() {
    let pair = Pair::planes(&[], &[]);
    pair.target_faults.fail(Step::Schema, 1);
    let error = check(&mut pair.link(), None).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
}

#[test]
fn endpoint_alone_needs_keys() {
    let memory = Memory::new("one");
    memory.create(planes());
    memory.create(schema("keyless").int("a").build());
    let report = alone(memory.boxed().as_mut(), &[]).unwrap();
    assert_eq!(said(&report), ["keyless: no key: the source declares none"]);
    assert!(report.target.is_none() && report.promises.is_empty());
    let named = [CollectionSpec::plain("planes".to_owned())];
    assert_eq!(
        alone(memory.boxed().as_mut(), &named).unwrap().exit_code(),
        0
    );
    let named = [CollectionSpec::plain("ships".to_owned())];
    assert_eq!(
        said(&alone(memory.boxed().as_mut(), &named).unwrap()),
        ["ships: source: there is no collection called ships"]
    );
    let empty = alone(Memory::new("two").boxed().as_mut(), &[]).unwrap();
    assert_eq!(said(&empty), ["there is no collection"]);
}

#[test]
fn what_a_killed_run_left_to_be_built_is_found() {
    let pair = Pair::planes(&fleet(0, 2), &fleet(0, 2));
    let mut store = pair.store();
    let id = pair.link().id();
    store.begin(&id, 1).unwrap();
    let made = |pair: &Pair, store: &Store| {
        let pending = store.under_construction(&id).unwrap();
        let trial = connect::attempt(&mut pair.link(), &pending).unwrap();
        trial.collections[0].construction.is_some()
    };
    assert!(!made(&pair, &store));
    let planes = BTreeMap::from([("planes".to_owned(), Stage::Created)]);
    store.construct(&id, &planes).unwrap();
    assert!(made(&pair, &store));
}

#[test]
fn what_somebody_else_created_meanwhile_is_built_upon_by_nobody() {
    for (ty, ours) in [(Type::TEXT, true), (Type::Date, false)] {
        let mut pair = Pair::planes(&fleet(0, 2), &[]);
        pair.target = Memory::new("target");
        let shape = schema("planes").int("id").field("model", ty).key(["id"]);
        pair.target.create(shape.build());
        let id = pair.link().id();
        let pending = BTreeMap::from([("planes".to_owned(), Stage::Intended)]);
        {
            let mut store = pair.store();
            let run = store.begin(&id, 1).unwrap();
            store.construct(&id, &pending).unwrap();
            store.finish(run, 1, 1, None, None).unwrap();
        }
        let trial = connect::attempt(&mut pair.link(), &pending).unwrap();
        assert_eq!(trial.collections[0].construction.is_some(), ours);
        // Built, or known not to be ours: nothing is left on record.
        drop(pair.run());
        assert_eq!(
            pair.store().under_construction(&id).unwrap(),
            BTreeMap::new()
        );
    }
}
