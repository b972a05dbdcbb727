//! The values beside base entries: they are those of the record that the entry is about, or there are none.

use super::*;
use trueup_core::Kind;

/// The name in the record that is kept for a key.
fn kept(scene: &Scene, key: &str) -> Option<String> {
    let found = scene.store.kept(scene.planes, key.as_bytes(), 2).unwrap();
    let entries = scene.store.base(scene.planes, None, usize::MAX).unwrap();
    let keeps = entries.iter().any(|e| e.keeps && e.key == key.as_bytes());
    assert_eq!(found.is_some(), keeps, "{key}");
    found.map(|batch| match batch.record(0).value(1) {
        Value::Text(name) => name.to_owned(),
        other => format!("{other:?}"),
    })
}

fn keeping(key: &str, base: Base, name: &str) -> Move {
    Move {
        kept: values(name),
        ..moved(key, base)
    }
}

fn writing(key: &str, base: Base, name: Option<&str>) -> Pending {
    Pending {
        kept: name.and_then(values),
        ..item(key, base)
    }
}

#[test]
fn values_come_and_go_with_the_entry() -> Result<()> {
    let mut scene = Scene::in_memory();
    let (link, planes) = (scene.link.clone(), scene.planes);
    let moves = ["a", "b", "c", "d", "e"].map(|key| keeping(key, agreed(1), key));
    scene.store.move_base(&link, planes, &moves)?;
    assert_eq!(kept(&scene, "a").as_deref(), Some("a"));
    let moves = [
        keeping("a", agreed(2), "new"),
        moved("b", agreed(2)),
        keeping("c", Base::Unknown, "nobody's"),
        keeping("d", Base::Absent, "nobody's"),
    ];
    for complete in [false, true] {
        if complete {
            scene.store.complete(&link, planes)?;
        }
        scene.store.move_base(&link, planes, &moves)?;
        let found = ["a", "b", "c", "d", "e"].map(|key| kept(&scene, key));
        let expected = [
            Some("new".to_owned()),
            None,
            None,
            None,
            Some("e".to_owned()),
        ];
        assert_eq!(found, expected, "complete={complete}");
    }
    assert_eq!(kept(&scene, "none"), None);
    let error = scene.store.kept(planes, b"a", 3);
    assert_eq!(error.expect_err("two fields").kind(), Kind::Corrupt);
    Ok(())
}

#[test]
fn values_wait_in_the_intent_until_its_write_applied() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let mut scene = Scene::new(open(&path));
    let (link, planes) = (scene.link.clone(), scene.planes);
    let moves = ["a", "b", "c"].map(|key| keeping(key, agreed(1), "old"));
    scene.store.move_base(&link, planes, &moves)?;
    let items = vec![
        writing("a", agreed(2), Some("new")),
        writing("b", agreed(2), Some("new")),
        writing("c", agreed(2), None),
    ];
    scene.intend(Side::Target, 1, items)?;
    assert_eq!(kept(&scene, "a").as_deref(), Some("old"));
    drop(scene);

    let mut scene = Scene::again(open(&path), 2_000);
    let intent = scene.row().intents.target.expect("it was left");
    scene
        .store
        .finalise(&link, planes, Side::Target, &intent, &|index| index != 1)?;
    let found = ["a", "b", "c"].map(|key| kept(&scene, key));
    assert_eq!(
        found,
        [Some("new".to_owned()), Some("old".to_owned()), None]
    );
    Ok(())
}

#[test]
fn values_are_forgotten_with_what_they_are_about() -> Result<()> {
    type Forgets = fn(&mut Scene) -> Result<()>;
    let ways: [(&str, Forgets); 3] = [
        ("forget", |s| s.store.forget(&s.link, &Sides::default())),
        ("forget_collection", |s| {
            let marks = Sides::default();
            s.store
                .forget_collection(&s.link, s.planes, &marks)
                .map(drop)
        }),
        ("another shape", |s| {
            let opened = s
                .store
                .collection(&s.link, &names(), "another", &fields(), &[0]);
            opened.map(drop)
        }),
    ];
    for (name, way) in ways {
        let mut scene = Scene::in_memory();
        let (link, planes) = (scene.link.clone(), scene.planes);
        let moves = [keeping("a", agreed(1), "a")];
        scene.store.move_base(&link, planes, &moves)?;
        let items = vec![writing("b", agreed(2), Some("b"))];
        scene.intend(Side::Source, 1, items)?;
        way(&mut scene)?;
        assert_eq!(kept(&scene, "a"), None, "{name}");
        let (row, _) = scene
            .store
            .collection(&link, &names(), "another", &fields(), &[0])?;
        if let Some(intent) = row.intents.source {
            assert_eq!(intent.items[0].kept, None, "{name}");
        }
    }
    Ok(())
}

#[test]
fn a_reason_is_the_note_of_an_open_conflict_without_one() -> Result<()> {
    let mut scene = Scene::in_memory();
    let (link, run, planes) = (scene.link.clone(), scene.run, scene.planes);
    let open = conflict("k", Resolution::Open, "ours", "theirs");
    let meet = |scene: &mut Scene, conflict, reason| {
        let met = scene
            .store
            .open_conflict(&link, run, planes, conflict, reason, 1);
        met.map(|()| scene.conflicts().remove(0))
    };
    let found = meet(&mut scene, &open, Some("they overlap"))?;
    assert_eq!(found.note.as_deref(), Some("they overlap"));
    // An answer that was given meanwhile outlives another reason; what came of an answer is said first.
    let answer = Answer::Side(Side::Source);
    scene.store.answer(ConflictId(1), &answer)?;
    let found = meet(&mut scene, &open, Some("too large"))?;
    assert_eq!(found.note.as_deref(), Some("too large"));
    assert_eq!(found.answer, Some(answer));
    let (link, id) = (scene.link.clone(), ConflictId(1));
    scene.store.lapse(&link, id, "it moved")?;
    let found = meet(&mut scene, &open, Some("they overlap"))?;
    assert_eq!(found.note.as_deref(), Some("it moved"));
    scene.store.answer(id, &Answer::Side(Side::Target))?;
    let found = meet(&mut scene, &open, None)?;
    assert_eq!(found.note, None, "there is no reason any more");
    let found = meet(&mut scene, &open, Some("they overlap"))?;
    assert_eq!(found.note.as_deref(), Some("they overlap"));
    scene.store.lapse(&link, id, "no")?;
    scene.store.answer(id, &Answer::Side(Side::Target))?;
    scene.store.carried_out(&link, id, None, None)?;
    let closed = scene.conflicts().remove(0);
    assert_eq!(closed.note.as_deref(), Some("a person decided"));
    let other = conflict("m", Resolution::Open, "ours", "theirs");
    meet(&mut scene, &other, Some("they overlap"))?;
    scene
        .store
        .close_conflict(&link, planes, b"m", "agreed", None)?;
    assert_eq!(scene.conflicts()[1].note, None, "it is over");
    Ok(())
}
