//! Both ways with the rule that merges: it begins with what both sides agreed on, and never with anything else.

use super::Pair;
use crate::state::{Answer, BaseEntry, CollectionId};
use crate::two_way::{ConflictRule, PolicySpec, TwoWay};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use trueup_core::failpoint::Failpoints;
use trueup_core::policy::Policy;
use trueup_core::schema::Schema;
use trueup_core::side::Side;
use trueup_core::types::Type;
use trueup_core::{Error, Kind};
use trueup_testkit::Owned;
use trueup_testkit::memory::Memory;
use trueup_testkit::record;
use trueup_testkit::records::schema;

const TEXT: &str = "one\ntwo\nthree\nfour\nfive\n";
const FROM_SOURCE: &str = "ONE\ntwo\nthree\nfour\nfive\n";
const FROM_TARGET: &str = "one\ntwo\nthree\nfour\nFIVE\n";
const MERGED: &str = "ONE\ntwo\nthree\nfour\nFIVE\n";

fn people() -> Schema {
    schema("people")
        .int("id")
        .text("text")
        .field("data", Type::Json)
        .int("age")
        .key(["id"])
        .build()
}

fn person(id: i64, text: &str, data: &str) -> Vec<Owned> {
    record![id, text, Owned::Json(data.to_owned()), 40]
}

fn ruled(policy: Policy) -> Option<TwoWay> {
    Some(TwoWay {
        default: PolicySpec::Named(policy),
        ..TwoWay::default()
    })
}

/// Two sides that agree on two records, and a rule for what comes now.
fn joined(policy: Policy) -> Pair {
    let mut pair = Pair::new();
    for world in [&pair.source, &pair.target] {
        world.create(people());
        world.insert_all("people", &[person(1, TEXT, "{}"), person(2, TEXT, "{}")]);
    }
    pair.stage.limits.batch_records_max = 3;
    pair.two_way = ruled(policy);
    pair.settle();
    pair
}

fn set(world: &Memory, id: i64, field: &str, value: impl Into<Owned>) {
    assert!(world.update("people", &[id.into()], &[(field, value.into())]));
}

fn quarrel(pair: &Pair, id: i64) {
    set(&pair.source, id, "text", FROM_SOURCE);
    set(&pair.target, id, "text", FROM_TARGET);
}

impl Pair {
    fn note(&self) -> Option<String> {
        let open = self.conflicts();
        let open = open.into_iter().filter(|c| c.decision == "open");
        open.map(|conflict| conflict.note).next_back().flatten()
    }

    /// The base entries of the one collection.
    fn base(&self) -> Vec<BaseEntry> {
        self.store().base(CollectionId(1), None, 99).unwrap()
    }

    fn kept(&self) -> Vec<bool> {
        self.base().iter().map(|entry| entry.keeps).collect()
    }

    fn person(&self, id: usize) -> Vec<Owned> {
        self.source.records("people")[id - 1].clone()
    }

    /// Lets a failpoint end the process, the `nth` time that any of the run is passed.
    fn dies_at(&mut self, nth: usize) {
        let passed = AtomicUsize::new(0);
        self.stage.failpoints = Failpoints::new(move |name| {
            if name.starts_with("two-way") && passed.fetch_add(1, Ordering::SeqCst) == nth {
                return Err(Error::new(Kind::Interrupted, "killed"));
            }
            Ok(())
        });
    }
}

#[test]
fn different_lines_of_a_text_are_merged() {
    for turned in [false, true] {
        let mut pair = joined(Policy::Merge);
        if turned {
            std::mem::swap(&mut pair.source, &mut pair.target);
        }
        quarrel(&pair, 1);
        let report = pair.settle();
        assert_eq!(report.collections[0].conflicts, 1);
        assert_eq!(pair.person(1), person(1, MERGED, "{}"));
        assert_eq!(pair.decisions(), ["merge"]);
    }
}

#[test]
fn members_of_json_are_merged() {
    let pair = joined(Policy::Merge);
    let json = |text: &str| Owned::Json(text.to_owned());
    set(&pair.source, 1, "data", json(r#"{"a":1,"z":{"x":1}}"#));
    pair.settle();
    set(&pair.source, 1, "data", json(r#"{"a":2,"z":{"x":1}}"#));
    set(&pair.target, 1, "data", json(r#"{"a":1,"z":{"y":2}}"#));
    pair.settle();
    let merged = r#"{"a":2,"z":{"y":2}}"#;
    assert_eq!(pair.person(1), person(1, TEXT, merged));
    assert_eq!(pair.decisions(), ["merge"]);
}

#[test]
fn edits_that_overlap_stay_open_and_say_why() {
    let pair = joined(Policy::Merge);
    set(&pair.source, 1, "text", "ONE\n");
    set(&pair.target, 1, "text", "uno\n");
    for _ in 0..2 {
        let report = pair.run().unwrap();
        assert_eq!((report.exit_code(), report.open_conflicts()), (1, 1));
        let note = pair.note().unwrap();
        assert!(note.starts_with("field=text: "), "{note}");
        assert!(note.contains("overlap") && !note.contains("uno"), "{note}");
    }
    let before = pair.conflicts();
    assert_eq!((before.len(), before[0].run.0), (1, 3), "recorded once");
    // What was kept is still there when the edits do not overlap any more.
    quarrel(&pair, 1);
    pair.settle();
    assert_eq!(pair.person(1), person(1, MERGED, "{}"));
    assert_eq!(pair.decisions(), ["superseded", "merge"]);
}

#[test]
fn other_values_and_records_without_a_base_are_not_merged() {
    let pair = joined(Policy::Merge);
    set(&pair.source, 1, "age", 41);
    set(&pair.target, 1, "age", 42);
    pair.run().unwrap();
    let note = "field=age: only texts and JSON objects are merged";
    assert_eq!(pair.note().as_deref(), Some(note));
    let pair = joined(Policy::Merge);
    pair.source.insert("people", &person(3, FROM_SOURCE, "{}"));
    pair.target.insert("people", &person(3, FROM_TARGET, "{}"));
    pair.run().unwrap();
    let note = "field=text: there is no base to merge against";
    assert_eq!(pair.note().as_deref(), Some(note));
}

#[test]
fn what_is_kept_follows_the_base() {
    let mut pair = joined(Policy::Merge);
    assert_eq!(pair.kept(), [true, true]);
    // By a write to one side, by both sides alike, by a delete, by an insert, by a person.
    set(&pair.target, 1, "text", "a\nb\nc\n");
    for world in [&pair.source, &pair.target] {
        set(world, 2, "text", "a\nb\nc\n");
    }
    pair.source.insert("people", &person(3, "a\nb\nc\n", "{}"));
    pair.settle();
    assert_eq!(pair.kept(), [true; 3]);
    for id in 1..=3 {
        set(&pair.source, id, "text", "A\nb\nc\n");
        set(&pair.target, id, "text", "a\nb\nC\n");
    }
    pair.settle();
    for id in 1..=3 {
        assert_eq!(pair.person(id), person(id as i64, "A\nb\nC\n", "{}"));
    }
    assert!(pair.target.delete("people", &[3.into()]));
    pair.settle();
    assert_eq!(pair.kept(), [true, true]);
    set(&pair.source, 1, "text", "x\nb\nC\n");
    set(&pair.target, 1, "text", "y\nb\nC\n");
    pair.run().unwrap();
    let open = pair.conflicts().last().unwrap().id;
    pair.answer(open, &Answer::Side(Side::Target));
    pair.settle();
    set(&pair.source, 1, "text", "y\nb\nc\n");
    set(&pair.target, 1, "text", "Y\nb\nC\n");
    pair.stage.limits.batch_records_max = 1;
    pair.settle();
    assert_eq!(pair.person(1), person(1, "Y\nb\nc\n", "{}"));
}

#[test]
fn nothing_is_kept_without_a_rule_that_merges() {
    for policy in [Policy::Manual, Policy::Source, Policy::Newest] {
        let mut pair = joined(Policy::Manual);
        pair.two_way.as_mut().unwrap().stamps = vec![(None, "age".to_owned())];
        pair.two_way.as_mut().unwrap().default = PolicySpec::Named(policy);
        set(&pair.target, 1, "text", "new");
        pair.settle();
        assert_eq!(pair.kept(), [false, false], "{policy}");
    }
    let mut pair = joined(Policy::Manual);
    pair.two_way.as_mut().unwrap().rules = vec![ConflictRule {
        collection: None,
        field: Some("age".to_owned()),
        policy: PolicySpec::Named(Policy::Merge),
    }];
    pair.settle();
    assert_eq!(pair.kept(), [false, false], "an age is not merged");
}

#[test]
fn a_rule_that_comes_later_merges_what_was_agreed_on_since() {
    let mut pair = joined(Policy::Manual);
    quarrel(&pair, 1);
    pair.run().unwrap();
    assert_eq!((pair.note(), pair.kept()), (None, vec![false, false]));
    pair.two_way = ruled(Policy::Merge);
    for _ in 0..2 {
        assert_eq!(pair.run().unwrap().open_conflicts(), 1);
        let note = "field=text: the value that both sides agreed on is not kept";
        assert_eq!(pair.note().as_deref(), Some(note));
        assert_eq!(pair.kept(), [false, true], "the other one is agreed on");
    }
    assert_eq!(pair.conflicts().len(), 1);
    quarrel(&pair, 2);
    pair.run().unwrap();
    assert_eq!(pair.person(2), person(2, MERGED, "{}"));
    let open = pair.conflicts()[0].id;
    pair.answer(open, &Answer::Side(Side::Source));
    pair.settle();
    assert_eq!(pair.kept(), [true, true]);
    set(&pair.source, 1, "text", "one\ntwo\nthree\nfour\nfive\n");
    set(&pair.target, 1, "text", "ONE\ntwo\nthree\nfour\nFIVE\n");
    pair.settle();
    assert_eq!(pair.person(1), person(1, FROM_TARGET, "{}"));
    // The rule is taken back: what was kept goes with the next move of each key.
    pair.two_way = ruled(Policy::Manual);
    set(&pair.target, 2, "age", 41);
    pair.settle();
    assert_eq!(pair.kept(), [true, false]);
}

#[test]
fn an_edit_between_the_two_writes_of_a_merge_is_merged_as_well() {
    let mut pair = joined(Policy::Merge);
    quarrel(&pair, 1);
    let (source, target) = (pair.source.clone(), pair.target.clone());
    let once = Once::new();
    pair.stage.failpoints = Failpoints::new(move |place| {
        if place == "two-way.finalised" {
            once.call_once(|| {
                let first = source.records("people")[0][1] == MERGED.into();
                let (still, text) = match first {
                    true => (&target, "one\ntwo\nTHREE\nfour\nFIVE\n"),
                    false => (&source, "ONE\ntwo\nTHREE\nfour\nfive\n"),
                };
                set(still, 1, "text", text);
            });
        }
        Ok(())
    });
    pair.settle();
    let all = "ONE\ntwo\nTHREE\nfour\nFIVE\n";
    assert_eq!(pair.person(1), person(1, all, "{}"));
}

#[test]
fn dying_anywhere_merges_once_and_forgets_no_value() {
    for place in 0.. {
        let mut pair = joined(Policy::Merge);
        quarrel(&pair, 1);
        set(&pair.source, 2, "text", "a\nb\nc\n");
        pair.dies_at(place);
        let died = pair.run().is_err();
        pair.stage.failpoints = Failpoints::none();
        pair.settle();
        assert_eq!(pair.person(1), person(1, MERGED, "{}"), "place={place}");
        assert_eq!(pair.decisions(), ["merge"], "place={place}");
        // Of the record on both sides, and of no other, the values are kept.
        set(&pair.source, 1, "text", FROM_TARGET);
        set(&pair.target, 1, "text", FROM_SOURCE);
        set(&pair.source, 2, "text", "A\nb\nc\n");
        set(&pair.target, 2, "text", "a\nb\nC\n");
        pair.settle();
        assert_eq!(pair.person(1), person(1, TEXT, "{}"), "place={place}");
        assert_eq!(
            pair.person(2),
            person(2, "A\nb\nC\n", "{}"),
            "place={place}"
        );
        if !died {
            assert!(place > 10, "the failpoints are not passed");
            return;
        }
    }
}

#[test]
fn dying_while_values_are_caught_up_with_loses_none() {
    for place in 0.. {
        let mut pair = joined(Policy::Manual);
        pair.two_way = ruled(Policy::Merge);
        pair.dies_at(place);
        let died = pair.run().is_err();
        pair.stage.failpoints = Failpoints::none();
        pair.settle();
        assert_eq!(pair.kept(), [true, true], "place={place}");
        quarrel(&pair, 1);
        pair.settle();
        assert_eq!(pair.person(1), person(1, MERGED, "{}"), "place={place}");
        if !died {
            assert!(place > 5, "the failpoints are not passed");
            return;
        }
    }
}

#[test]
fn an_expression_that_does_not_decide_says_why() {
    let mut pair = joined(Policy::Manual);
    quarrel(&pair, 1);
    pair.run().unwrap();
    assert_eq!(pair.note(), None);
    let of = |text: &str| PolicySpec::Expression(text.to_owned());
    for (whole, field, note) in [
        (
            "source.text",
            None,
            "the result is text, but not source, target or manual",
        ),
        (
            "\"manual\"",
            Some("source.age / (source.id - 1)"),
            "field=text: ",
        ),
        ("\"manual\"", None, ""),
    ] {
        let rules = field.map(|text| ConflictRule {
            collection: None,
            field: Some("text".to_owned()),
            policy: of(text),
        });
        pair.two_way = Some(TwoWay {
            default: of(whole),
            rules: rules.into_iter().collect(),
            ..TwoWay::default()
        });
        pair.run().unwrap();
        let found = pair.note().unwrap_or_default();
        assert!(
            found.starts_with(note) && found.is_empty() == note.is_empty(),
            "{found}"
        );
        assert!(!found.contains("ONE"), "{found}");
    }
    assert_eq!(pair.conflicts().len(), 1);
}
