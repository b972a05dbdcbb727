//! A plan that waits in a file: what is carried out of it, and what is left.

use super::{Pair, counts, fleet, planes};
use crate::plan_file::PlanFile;
use crate::report::Report;
use crate::run;
use crate::selection::Selected;
use trueup_core::{Kind, Result};
use trueup_testkit::Owned;

/// Makes a plan and returns its lines.
fn plan(pair: &Pair) -> Vec<String> {
    let mut text = String::new();
    let before = pair.target.log().len();
    run::plan_file(&mut pair.link(), &pair.stage.world(), &mut |lines| {
        text.push_str(lines);
        Ok(())
    })
    .unwrap();
    assert_eq!(pair.target.log().len(), before, "nothing is written");
    text.lines().map(|line| format!("{line}\n")).collect()
}

fn carry_out(pair: &Pair, lines: &[String]) -> Result<Report> {
    let world = pair.stage.world();
    let mut plan = PlanFile::read(&mut lines.concat().as_bytes(), &world)?;
    run::carry_out(&mut pair.link(), &mut pair.store(), &mut plan, &world)
}

fn selected(report: &Report) -> &Selected {
    report.collections[0].selected.as_ref().unwrap()
}

fn plane(id: i64, model: &str) -> Vec<Owned> {
    vec![id.into(), model.into()]
}

/// Six to load or update or delete: 1 and 2 are new, 3 differs, 4 is equal, 5 and 6 are only at the target.
fn pair() -> Pair {
    let source = [plane(1, "a"), plane(2, "b"), plane(3, "new"), plane(4, "d")];
    let target = [plane(3, "old"), plane(4, "d"), plane(5, "e"), plane(6, "f")];
    let mut pair = Pair::planes(&source, &target);
    pair.mode.delete = true;
    pair
}

#[test]
fn a_plan_carried_out_in_an_unchanged_world_is_a_whole_run() {
    let pair = pair();
    let lines = plan(&pair);
    assert_eq!(lines.len(), 8, "{lines:?}");
    let report = carry_out(&pair, &lines).unwrap();
    assert_eq!(report.exit_code(), 0, "{report:?}");
    assert_eq!(counts(&report.collections[0])[..3], [2, 1, 2]);
    assert_eq!(selected(&report), &Selected::default());
    assert!(report.certificate.unwrap().is_clean());
    pair.assert_same("planes");
    // Again: all of it is settled.
    let report = carry_out(&pair, &lines).unwrap();
    assert_eq!(report.exit_code(), 0, "{report:?}");
    assert_eq!(selected(&report).settled, 5);
}

#[test]
fn a_load_is_listed_record_by_record() {
    let pair = Pair::planes(&fleet(0, 25), &[]);
    let lines = plan(&pair);
    assert_eq!(lines.len(), 28);
    let report = carry_out(&pair, &[&lines[..10], &lines[20..]].concat()).unwrap();
    assert_eq!(report.exit_code(), 1);
    assert_eq!(counts(&report.collections[0])[0], 15);
    assert_eq!((selected(&report).left, selected(&report).changed), (10, 0));
    assert_eq!(pair.target.records("planes").len(), 15);
    assert!(report.certificate.is_none(), "a part gets no certificate");
    pair.assert_converges();
}

#[test]
fn lines_that_were_taken_out_are_not_carried_out() {
    let pair = pair();
    let mut lines = plan(&pair);
    lines.retain(|line| !line.contains("\"delete\",") && !line.contains("\"op\":\"delete\""));
    let report = carry_out(&pair, &lines).unwrap();
    assert_eq!(report.exit_code(), 1, "{report:?}");
    assert_eq!(counts(&report.collections[0])[..3], [2, 1, 0]);
    assert_eq!(selected(&report).left, 2);
    assert_eq!(pair.target.records("planes").len(), 6);
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.contains("2 differing records were left"))
    );
}

#[test]
fn a_record_that_changed_since_on_either_side_is_left_alone() {
    let pair = pair();
    let lines = plan(&pair);
    // 1: its record changed at the source. 3: at the target. 2: somebody wrote the very same. 5: it is back at the
    // source, changed. 6: gone from the target. 9: new.
    let source = &pair.source;
    source.update("planes", &[1.into()], &[("model", "changed".into())]);
    pair.target
        .update("planes", &[3.into()], &[("model", "theirs".into())]);
    pair.target.insert("planes", &plane(2, "b"));
    source.insert("planes", &plane(5, "back"));
    pair.target.delete("planes", &[6.into()]);
    source.insert("planes", &plane(9, "nine"));
    let before = pair.target.log().len();
    let report = carry_out(&pair, &lines).unwrap();
    assert_eq!(report.exit_code(), 1, "{report:?}");
    assert_eq!(pair.written(before), [], "nothing was still as planned");
    let found = selected(&report);
    assert_eq!((found.left, found.changed, found.settled), (1, 3, 2));
    assert_eq!(found.changed_keys.len(), 3);
    assert_eq!(found.changed_texts, ["id=1", "id=3", "id=5"]);
    assert!(report.certificate.is_none());
    // It is kept in the history as it is, without values.
    let mut kept = report.clone();
    for one in &mut kept.collections {
        one.selected.as_mut().unwrap().changed_texts.clear();
    }
    assert_eq!(
        pair.store().history(1).unwrap()[0].report.as_ref(),
        Some(&kept)
    );
    pair.assert_converges();
}

#[test]
fn a_changed_record_does_not_hold_up_the_others() {
    let pair = pair();
    let lines = plan(&pair);
    pair.source
        .update("planes", &[3.into()], &[("model", "newer".into())]);
    let report = carry_out(&pair, &lines).unwrap();
    assert_eq!(counts(&report.collections[0])[..3], [2, 0, 2]);
    assert_eq!(selected(&report).changed, 1);
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn a_plan_for_something_else_is_refused_and_nothing_is_written() {
    let pair = pair();
    let lines = plan(&pair);
    let refused = |other: &Pair, lines: &[String], kind: Kind, part: &str| {
        let before = other.target.log().len();
        let error = carry_out(other, lines).unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.message().contains(part), "{error:?}");
        assert_eq!(other.target.log().len(), before);
    };
    let mut other = self::pair();
    other.target = trueup_testkit::memory::Memory::new("elsewhere");
    other.target.create(planes());
    refused(&other, &lines, Kind::Config, "another link");
    let mut keep = self::pair();
    keep.mode.delete = false;
    refused(&keep, &lines, Kind::Config, "with --delete");
    // The same link, but the target's field holds another type.
    let narrow = self::pair();
    narrow.target.drop_collection("planes");
    narrow.target.create(
        trueup_testkit::records::schema("planes")
            .int("id")
            .field(
                "model",
                trueup_core::types::Type::Text { chars_max: Some(9) },
            )
            .key(["id"])
            .build(),
    );
    refused(&narrow, &lines, Kind::Config, "other fields, types or keys");
    // The collection is gone.
    let gone = self::pair();
    gone.target.drop_collection("planes");
    refused(&gone, &lines, Kind::Stale, "and is gone");
    let strange: Vec<String> = lines
        .iter()
        .map(|line| line.replace("planes", "hangars"))
        .collect();
    refused(&pair, &strange, Kind::Config, "collection=hangars");
    refused(&pair, &lines[..lines.len() - 1], Kind::Config, "cut");
}

#[test]
fn the_guard_judges_what_will_be_carried_out() {
    let mut pair = Pair::planes(&fleet(0, 1), &fleet(0, 30));
    pair.mode.delete = true;
    pair.mode.lift_guard = true;
    let lines = plan(&pair);
    pair.mode.lift_guard = false;
    // Deleting 29 of 30 is below the number that always passes; emptying the target is not.
    pair.source.delete("planes", &[0.into()]);
    let all = {
        pair.mode.lift_guard = true;
        let lines = plan(&pair);
        pair.mode.lift_guard = false;
        lines
    };
    let error = carry_out(&pair, &all).unwrap_err();
    assert_eq!(error.kind(), Kind::Guard);
    let report = carry_out(&pair, &lines).unwrap();
    assert_eq!(counts(&report.collections[0])[2], 29);
    assert_eq!(selected(&report).left, 1);
}

#[test]
fn what_the_guard_stops_is_not_put_into_a_file() {
    let mut pair = Pair::planes(&[], &fleet(0, 30));
    pair.mode.delete = true;
    let mut written = false;
    let error = run::plan_file(&mut pair.link(), &pair.stage.world(), &mut |_| {
        written = true;
        Ok(())
    })
    .unwrap_err();
    assert_eq!((error.kind(), written), (Kind::Guard, false));
}

#[test]
fn a_collection_that_is_to_be_created_is_created_only_if_the_plan_names_it() {
    let pair = Pair::new();
    for name in ["a", "b"] {
        let shape = trueup_testkit::records::schema(name)
            .int("id")
            .text("t")
            .key(["id"])
            .build();
        pair.source.create(shape);
        pair.source.insert_all(name, &fleet(0, 3));
    }
    let lines = plan(&pair);
    let without_b: Vec<String> = lines
        .iter()
        .filter(|line| !line.contains("\"collection\":\"b\""))
        .cloned()
        .collect();
    let report = carry_out(&pair, &without_b).unwrap();
    assert_eq!(report.exit_code(), 1, "{report:?}");
    assert_eq!(report.collections[1].selected.as_ref().unwrap().left, 3);
    assert_eq!(pair.link().target.collections().unwrap(), ["a"]);
    // Created meanwhile is as good as created by the plan.
    let report = carry_out(&pair, &lines).unwrap();
    assert_eq!(report.exit_code(), 0, "{report:?}");
    assert_eq!(report.collections[0].selected.as_ref().unwrap().settled, 3);
}
