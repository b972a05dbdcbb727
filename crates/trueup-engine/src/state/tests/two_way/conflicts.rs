//! Conflicts on record: what is listed, what replaces what, and what people's answers come to.

use super::*;

fn open_only(link: Option<&str>) -> ConflictFilter {
    ConflictFilter {
        open: true,
        link: link.map(str::to_owned),
        ..ConflictFilter::default()
    }
}

fn named(conflict: &PastConflict, side: Side) -> String {
    let batch = conflict.records[side].as_ref().expect("a record");
    match batch.record(0).value(1) {
        Value::Text(name) => name.to_owned(),
        other => format!("{other:?}"),
    }
}

fn version(witness: &Store) -> Option<i64> {
    witness.read_one("test", "PRAGMA data_version", []).unwrap()
}

#[test]
fn an_open_conflict_that_is_met_again_is_written_only_when_it_changed() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let mut scene = Scene::new(open(&path));
    let witness = open(&path);
    let first = conflict("k", Resolution::Open, "ours", "theirs");
    scene.open(&first, 1)?;
    let before = version(&witness);
    scene.open(&first, 2)?;
    assert_eq!(version(&witness), before, "the same: no write");
    scene.open(&conflict("k", Resolution::Open, "ours", "new"), 3)?;
    assert_ne!(version(&witness), before);
    let found = scene.conflicts();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].id, found[0].at_ms), (ConflictId(1), 3));
    assert_eq!(named(&found[0], Side::Target), "new");
    assert_eq!(found[0].note, None);
    // Another ruling about the same records is another conflict, too.
    let joined = ruling(ConflictKind::Join, Resolution::Open);
    let batch = record(1, "ours");
    let records = Sides::new(Some(batch.record(0)), None);
    scene.open(&Conflict::new("planes", b"k", joined, records), 4)?;
    let found = scene.conflicts();
    assert_eq!(found[0].kind, ConflictKind::Join);
    assert!(found[0].records.target.is_none());
    Ok(())
}

#[test]
fn an_answer_does_not_outlive_the_records_it_was_about() -> Result<()> {
    let mut scene = Scene::in_memory();
    let seen = conflict("k", Resolution::Open, "ours", "theirs");
    scene.open(&seen, 1)?;
    let answer = Answer::Side(Side::Source);
    scene.store.answer(ConflictId(1), &answer)?;
    scene.open(&seen, 2)?;
    assert_eq!(scene.store.answers(scene.planes)?.len(), 1, "the same");
    scene.open(&conflict("k", Resolution::Open, "newer", "theirs"), 3)?;
    assert_eq!(scene.store.answers(scene.planes)?.len(), 0);
    let found = scene.store.conflict(ConflictId(1))?.expect("on record");
    assert_eq!(found.answer, None);
    assert!(found.note.is_some_and(|note| note.contains("decide again")));
    scene.store.answer(ConflictId(1), &answer)?;
    let found = scene.store.conflict(ConflictId(1))?.expect("on record");
    assert_eq!((found.answer, found.note), (Some(answer), None));
    Ok(())
}

#[test]
fn what_an_answer_came_to_is_named_by_what_it_did() -> Result<()> {
    let document = serde_json::json!({"id": 1, "name": "both \"of\" them"});
    let take = |side| Answer::Side(side);
    // Whether the sides held a record, the answer, the decision.
    let cases = [
        ((true, true), take(Side::Source), "source"),
        ((true, true), take(Side::Target), "target"),
        ((true, true), Answer::Record(document.clone()), "merge"),
        ((true, false), take(Side::Source), "source"),
        ((true, false), take(Side::Target), "delete"),
        ((false, true), take(Side::Source), "delete"),
        ((false, true), Answer::Record(document), "merge"),
    ];
    for (present, answer, decision) in cases {
        let mut scene = Scene::in_memory();
        let batch = record(1, "x");
        let held = |present: bool| present.then(|| batch.record(0));
        let records = Sides::new(held(present.0), held(present.1));
        let ruling = ruling(ConflictKind::DeleteUpdate, Resolution::Open);
        scene.open(&Conflict::new("planes", b"k", ruling, records), 1)?;
        scene.store.answer(ConflictId(1), &answer)?;
        let link = scene.link.clone();
        let result = (decision != "delete").then_some(Digest(4));
        scene
            .store
            .carried_out(&link, ConflictId(1), result, None)?;
        let found = scene.store.conflict(ConflictId(1))?.expect("on record");
        assert_eq!(found.decision, decision);
        assert_eq!(
            (found.answer, found.result),
            (None, result),
            "it waits no more"
        );
        assert_eq!(scene.store.answers(scene.planes)?.len(), 0);
        assert_eq!(found.ruling.resolution, Resolution::Open, "as recorded");
    }
    Ok(())
}

#[test]
fn a_withdrawn_conflict_leaves_no_trace_but_its_number() -> Result<()> {
    let mut scene = Scene::in_memory();
    let (link, planes) = (scene.link.clone(), scene.planes);
    let items = || {
        vec![
            deciding("a", agreed(1), None),
            deciding("b", agreed(2), None),
        ]
    };
    let dropped = scene.intend(Side::Source, 1, items())?;
    scene
        .store
        .drop_intent(&link, planes, Side::Source, &dropped)?;
    assert_eq!(scene.decisions(), []);
    assert_eq!(scene.row().marks, Sides::default(), "the mark stays");
    let half = scene.intend(Side::Source, 2, items())?;
    scene
        .store
        .finalise(&link, planes, Side::Source, &half, &|index| index == 0)?;
    assert_eq!(scene.decisions(), [(3, "source".to_owned())]);
    assert_eq!(all(&scene.store, planes), [entry("a", agreed(1))]);
    let none = scene.intend(Side::Source, 3, items())?;
    scene
        .store
        .finalise(&link, planes, Side::Source, &none, &|_| false)?;
    assert_eq!(scene.row().marks.source, Some(token(3)));
    assert_eq!(scene.decisions().len(), 1);
    Ok(())
}

#[test]
fn both_sides_may_have_a_batch_outstanding() -> Result<()> {
    let mut scene = Scene::in_memory();
    let (link, planes) = (scene.link.clone(), scene.planes);
    let source = scene.intend(Side::Source, 1, vec![deciding("a", agreed(1), None)])?;
    let target = scene.intend(Side::Target, 2, vec![deciding("b", agreed(2), None)])?;
    assert_eq!(
        scene.row().intents,
        Sides::new(Some(source), Some(target.clone()))
    );
    scene
        .store
        .finalise(&link, planes, Side::Target, &target, &|_| true)?;
    assert!(scene.row().intents.source.is_some());
    assert_eq!(scene.decisions(), [(2, "source".to_owned())]);
    Ok(())
}

#[test]
fn a_rule_that_decides_ends_what_was_open_unless_a_person_answered() -> Result<()> {
    for answered in [false, true] {
        let mut scene = Scene::in_memory();
        let (link, planes) = (scene.link.clone(), scene.planes);
        for key in ["k", "other"] {
            scene.open(&conflict(key, Resolution::Open, "ours", "theirs"), 1)?;
        }
        if answered {
            let answer = Answer::Side(Side::Target);
            scene.store.answer(ConflictId(1), &answer)?;
        }
        let intent = scene.intend(Side::Target, 1, vec![deciding("k", agreed(1), None)])?;
        scene
            .store
            .finalise(&link, planes, Side::Target, &intent, &|_| true)?;
        let first = if answered { "open" } else { "superseded" };
        let expected = [(1, first), (2, "open"), (3, "source")];
        let expected = expected.map(|(id, decision)| (id, decision.to_owned()));
        assert_eq!(scene.decisions(), expected);
        if !answered {
            let note = scene.conflicts()[0].note.clone().unwrap_or_default();
            assert!(note.contains("conflict 3"), "{note}");
        }
    }
    Ok(())
}

#[test]
fn another_shape_forgets_the_base_and_reads_old_conflicts_as_they_were() -> Result<()> {
    let mut scene = Scene::in_memory();
    let (link, planes) = (scene.link.clone(), scene.planes);
    let moves = [moved("a", agreed(1))];
    scene.store.move_base(&link, planes, &moves)?;
    scene.store.complete(&link, planes)?;
    for key in ["k", "answered"] {
        scene.open(&conflict(key, Resolution::Open, "ours", "theirs"), 1)?;
    }
    let answer = Answer::Side(Side::Target);
    scene.store.answer(ConflictId(2), &answer)?;
    let items = vec![deciding("m", agreed(2), None), item("n", Base::Absent)];
    let intent = scene.intend(Side::Source, 1, items)?;

    // Another name on one side is not another shape: the base's digests mean what they did.
    let mut renamed = fields();
    renamed.target[1] = "title".to_owned();
    let same = scene
        .store
        .collection(&link, &names(), SHAPE, &renamed, &[0])?;
    assert!(!same.1 && same.0.complete);

    let list = |names: [&str; 1]| names.map(str::to_owned).to_vec();
    let narrow = Sides::new(list(["id"]), list(["id"]));
    let (row, changed) =
        scene
            .store
            .collection(&link, &names(), "id text; key id", &narrow, &[0])?;
    assert!(changed && !row.complete);
    assert_eq!(row.id, planes);
    assert_eq!(all(&scene.store, planes), []);
    let forgotten = Intent {
        items: intent
            .items
            .iter()
            .map(|item| Item {
                base: Base::Unknown,
                ..item.clone()
            })
            .collect(),
        ..intent
    };
    assert_eq!(row.intents.source, Some(forgotten.clone()));

    scene
        .store
        .finalise(&link, planes, Side::Source, &forgotten, &|_| true)?;
    let unknown = [entry("m", Base::Unknown), entry("n", Base::Unknown)];
    assert_eq!(all(&scene.store, planes), unknown);
    let found = scene.conflicts();
    let decisions: Vec<&str> = found.iter().map(|c| c.decision.as_str()).collect();
    assert_eq!(decisions, ["superseded", "superseded", "source"]);
    assert!(found[1].note.as_ref().is_some_and(|n| n.contains("answer")));
    for conflict in &found {
        assert_eq!(conflict.fields, fields(), "the old shape");
        assert_eq!(named(conflict, Side::Source), "ours");
    }
    let (_, changed) = scene
        .store
        .collection(&link, &names(), "id text; key id", &narrow, &[0])?;
    assert!(!changed);
    Ok(())
}

#[test]
fn conflicts_are_listed_by_link_stage_and_page() -> Result<()> {
    let mut scene = Scene::in_memory();
    let other = link("other");
    let run = scene.store.begin(&other, 1)?;
    scene.store.pair(&other, &ends(), false)?;
    let (row, _) = scene
        .store
        .collection(&other, &names(), SHAPE, &fields(), &[0])?;
    for key in ["a", "b", "c"] {
        let open = conflict(key, Resolution::Open, "x", "y");
        scene.open(&open, 1)?;
        scene
            .store
            .open_conflict(&other, run, row.id, &open, None, 1)?;
    }
    let (link, planes) = (scene.link.clone(), scene.planes);
    let answer = Answer::Side(Side::Source);
    scene.store.answer(ConflictId(3), &answer)?;
    scene
        .store
        .close_conflict(&link, planes, b"b", "agreed", Some(Digest(1)))?;
    scene
        .store
        .close_conflict(&link, planes, b"none", "agreed", None)?;
    let ids = |filter: ConflictFilter| -> Result<Vec<i64>> {
        let found = scene.store.conflicts(&filter)?;
        Ok(found.into_iter().map(|conflict| conflict.id.0).collect())
    };
    let note = scene.store.conflict(ConflictId(3))?.and_then(|c| c.note);
    assert!(note.is_some_and(|note| note.contains("answer")));
    assert_eq!(ids(ConflictFilter::default())?, [1, 2, 3, 4, 5, 6]);
    assert_eq!(ids(open_only(None))?, [1, 2, 4, 5, 6]);
    assert_eq!(ids(open_only(Some("pair")))?, [1, 5]);
    assert_eq!(ids(open_only(Some("nobody")))?, [] as [i64; 0]);
    let page = ConflictFilter {
        after: Some(ConflictId(2)),
        limit: Some(2),
        ..ConflictFilter::default()
    };
    assert_eq!(ids(page)?, [3, 4]);
    Ok(())
}

#[test]
fn a_forgotten_pair_is_gone_and_its_numbers_are_not_used_again() -> Result<()> {
    let mut scene = Scene::in_memory();
    let (link, planes) = (scene.link.clone(), scene.planes);
    let links = scene.store.two_way_links()?;
    assert_eq!(links, [("pair".to_owned(), ends(), vec![names()])]);
    scene.open(&conflict("k", Resolution::Open, "ours", "theirs"), 1)?;
    scene.intend(Side::Source, 1, vec![deciding("m", agreed(2), None)])?;
    let moves = [moved("a", agreed(1))];
    scene.store.move_base(&link, planes, &moves)?;
    scene
        .store
        .park(&link, "planes", scene.run, &[parked(1, "odd")])?;
    let held = scene.store.forget_pair("pair");
    assert_eq!(held.expect_err("under way").kind(), Kind::Stale);
    scene.store.finish(scene.run, 2, 0, None, None)?;
    assert!(!scene.store.forget_pair("nobody")?);
    assert!(scene.store.forget_pair("pair")?);
    assert!(!scene.store.forget_pair("pair")?);
    assert_eq!(scene.store.two_way_links()?, []);
    assert_eq!(scene.decisions(), []);
    assert_eq!(all(&scene.store, planes), []);
    assert_eq!(scene.store.parked(&link, "planes")?, []);
    assert_eq!(scene.store.history(9)?.len(), 1, "the history stays");

    let mut scene = Scene::again(scene.store, 3);
    assert_ne!(scene.planes, planes);
    let row = scene.row();
    assert!(!row.complete && row.intents == Sides::default());
    scene.open(&conflict("k", Resolution::Open, "ours", "theirs"), 1)?;
    assert_eq!(scene.decisions(), [(3, "open".to_owned())]);
    Ok(())
}
