//! One run after the other, with nothing going wrong.

use super::*;

#[test]
fn a_pass_from_the_first_seal_to_the_complete_base() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let mut scene = Scene::new(open(&path));
    let link = scene.link.clone();
    let nothing = Pair {
        seal: Sides::default(),
        pending: None,
    };
    assert_eq!(scene.pair(), nothing);
    scene.store.expect_seal(&link, token(1))?;
    assert_eq!(scene.pair().pending, Some(token(1)));

    let items = vec![
        item("a", agreed(1)),
        deciding("b", agreed(2), Some(Digest(2))),
        deciding("c", Base::Absent, None),
        deciding("d", agreed(4), Some(Digest(4))),
    ];
    let intent = scene.intend(Side::Target, 9, items)?;
    let sealed = Pair {
        seal: Sides::new(Some(token(1)), Some(token(1))),
        pending: None,
    };
    assert_eq!(scene.pair(), sealed, "by the intent");
    assert_eq!(scene.row().intents, Sides::new(None, Some(intent.clone())));
    assert_eq!(scene.decisions(), [], "held ones are not listed");
    assert_eq!(all(&scene.store, scene.planes), []);

    let planes = scene.planes;
    scene
        .store
        .finalise(&link, planes, Side::Target, &intent, &|index| index != 3)?;
    let row = scene.row();
    assert_eq!(row.intents, Sides::default());
    assert_eq!(row.marks, Sides::new(None, Some(token(9))));
    assert_eq!(
        all(&scene.store, planes),
        [
            entry("a", agreed(1)),
            entry("b", agreed(2)),
            entry("c", Base::Absent)
        ],
        "an absence is stored until the base is complete"
    );
    let source = "source".to_owned();
    assert_eq!(scene.decisions(), [(1, source.clone()), (2, source)]);

    Ok(())
}

#[test]
fn an_absence_is_an_entry_until_the_base_is_complete_and_none_from_then_on() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let mut scene = Scene::new(open(&path));
    let (link, planes) = (scene.link.clone(), scene.planes);
    let moves = [
        moved("a", agreed(1)),
        moved("b", agreed(2)),
        moved("c", Base::Absent),
        moved("d", Base::Unknown),
    ];
    scene.store.move_base(&link, planes, &moves)?;
    assert_eq!(all(&scene.store, planes).len(), 4);
    assert!(!scene.row().complete);
    for _ in 0..2 {
        scene.store.complete(&link, planes)?;
        assert!(scene.row().complete);
    }
    scene.store.finish(scene.run, 2_000, 0, None, None)?;
    drop(scene);

    let mut scene = Scene::again(open(&path), 3_000);
    assert!(scene.row().complete);
    let expected = [
        entry("a", agreed(1)),
        entry("b", agreed(2)),
        entry("d", Base::Unknown),
    ];
    assert_eq!(all(&scene.store, planes), expected);
    let moves = [moved("a", Base::Absent), moved("e", agreed(5))];
    scene.store.move_base(&link, planes, &moves)?;
    let intent = scene.intend(Side::Target, 1, vec![item("b", Base::Absent)])?;
    scene
        .store
        .finalise(&link, planes, Side::Target, &intent, &|_| true)?;
    let expected = [entry("d", Base::Unknown), entry("e", agreed(5))];
    assert_eq!(all(&scene.store, planes), expected);
    Ok(())
}

#[test]
fn the_base_is_read_in_pages_in_the_order_of_the_bytes() -> Result<()> {
    let mut scene = Scene::in_memory();
    let (link, planes) = (scene.link.clone(), scene.planes);
    let keys: [&[u8]; 7] = [b"b", b"\xff", b"a\0", b"", b"a", b"\0", b"aa"];
    let moves: Vec<Move> = keys.iter().map(|key| moved(*key, agreed(1))).collect();
    scene.store.move_base(&link, planes, &moves)?;
    let mut sorted = keys.map(<[u8]>::to_vec);
    sorted.sort();
    for limit in 1..=8 {
        let mut found: Vec<Vec<u8>> = Vec::new();
        loop {
            let after = found.last().map(Vec::as_slice);
            let page = scene.store.base(planes, after, limit)?;
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= limit);
            found.extend(page.into_iter().map(|entry| entry.key));
        }
        assert_eq!(found, sorted, "{limit}");
    }
    Ok(())
}

#[test]
fn a_decided_conflict_is_kept_whole() -> Result<()> {
    let mut scene = Scene::in_memory();
    let result = Some(Digest(77));
    let intent = scene.intend(Side::Source, 1, vec![deciding("k", agreed(1), result)])?;
    let (link, planes) = (scene.link.clone(), scene.planes);
    assert!(scene.store.conflict(ConflictId(1))?.is_none(), "held");
    scene
        .store
        .finalise(&link, planes, Side::Source, &intent, &|_| true)?;
    let found = scene.store.conflict(ConflictId(1))?.expect("on record");
    assert_eq!(found.link, "pair");
    assert_eq!(found.ends, ends());
    assert_eq!(found.collection, names());
    assert_eq!(found.fields, fields());
    assert_eq!(found.key_positions, [0]);
    assert_eq!(found.key, b"k");
    assert_eq!(found.kind, ConflictKind::UpdateUpdate);
    let decided = ruling(ConflictKind::UpdateUpdate, Resolution::Side(Side::Source));
    assert_eq!(found.ruling, decided);
    let name = |side: Side| {
        let batch = found.records[side].as_ref().expect("a record");
        format!("{:?}", batch.record(0).value(1))
    };
    assert_eq!(name(Side::Source), "Text(\"ours\")");
    assert_eq!(name(Side::Target), "Text(\"theirs\")");
    assert_eq!((found.run, found.at_ms), (scene.run, 1_000));
    assert_eq!(found.decision, "source");
    assert_eq!(found.result, result);
    assert_eq!((found.answer, found.note), (None, None));
    Ok(())
}

#[test]
fn an_open_conflict_from_its_opening_to_its_answer() -> Result<()> {
    let mut scene = Scene::in_memory();
    let (link, planes) = (scene.link.clone(), scene.planes);
    scene.open(&conflict("k", Resolution::Open, "ours", "theirs"), 5)?;
    scene.open(&conflict("m", Resolution::Open, "ours", "theirs"), 6)?;
    let open = "open".to_owned();
    assert_eq!(scene.decisions(), [(1, open.clone()), (2, open.clone())]);

    let ours = Answer::Side(Side::Source);
    scene
        .store
        .answer(ConflictId(1), &Answer::Side(Side::Target))?;
    scene.store.answer(ConflictId(1), &ours)?;
    let answers = scene.store.answers(planes)?;
    assert_eq!(answers.len(), 1);
    let (id, key, answer, past) = &answers[0];
    assert_eq!(
        (*id, key.as_slice(), answer),
        (ConflictId(1), &b"k"[..], &ours)
    );
    assert_eq!(past.answer.as_ref(), Some(&ours));

    scene.store.lapse(&link, ConflictId(1), "it moved")?;
    assert_eq!(scene.store.answers(planes)?.len(), 0);
    let refused = scene.store.conflict(ConflictId(1))?.expect("on record");
    assert_eq!(refused.note.as_deref(), Some("it moved"));
    assert_eq!(refused.decision, "open");

    scene.store.answer(ConflictId(1), &ours)?;
    scene
        .store
        .carried_out(&link, ConflictId(1), Some(Digest(3)), None)?;
    scene
        .store
        .close_conflict(&link, planes, b"m", "agreed", None)?;
    let ends = [(1, "source".to_owned()), (2, "agreed".to_owned())];
    assert_eq!(scene.decisions(), ends);
    let open = ConflictFilter {
        open: true,
        ..ConflictFilter::default()
    };
    assert!(scene.store.conflicts(&open)?.is_empty());
    let closed = scene.store.conflict(ConflictId(1))?.expect("on record");
    assert_eq!(closed.result, Some(Digest(3)));
    let note = Some("a person decided".to_owned());
    assert_eq!((closed.answer, closed.note), (None, note));
    Ok(())
}

#[test]
fn forgetting_leaves_nothing_to_delete_by() -> Result<()> {
    let mut scene = Scene::in_memory();
    let (link, planes) = (scene.link.clone(), scene.planes);
    scene
        .store
        .move_base(&link, planes, &[moved("a", agreed(1))])?;
    scene.store.complete(&link, planes)?;
    scene
        .store
        .set_mark(&link, planes, Side::Source, Some(token(4)))?;
    scene.intend(Side::Source, 5, vec![deciding("b", agreed(2), None)])?;
    scene.store.expect_seal(&link, token(6))?;
    let found = Sides::new(Some(token(7)), None);
    scene.store.forget(&link, &found)?;
    let pair = Pair {
        seal: found,
        pending: None,
    };
    assert_eq!(scene.pair(), pair);
    let row = CollectionRow {
        id: planes,
        complete: false,
        marks: Sides::default(),
        intents: Sides::default(),
    };
    assert_eq!(scene.row(), row);
    assert_eq!(all(&scene.store, planes), []);
    let conflicts = scene.conflicts();
    assert_eq!(conflicts.len(), 1, "it may hold what was overwritten");
    let note = conflicts[0].note.as_deref().unwrap_or_default();
    assert!(note.contains("not known"), "{note}");
    Ok(())
}

#[test]
fn a_pending_seal_becomes_the_seal_with_the_first_that_relies_on_it() -> Result<()> {
    type Step = fn(&mut Scene, &LinkId) -> Result<()>;
    let steps: &[(&str, bool, Step)] = &[
        ("sealed", true, |s, link| s.store.sealed(link)),
        ("move_base", true, |s, link| {
            s.store.move_base(link, s.planes, &[])
        }),
        ("complete", true, |s, link| s.store.complete(link, s.planes)),
        ("intend", true, |s, _| {
            s.intend(Side::Target, 1, vec![]).map(drop)
        }),
        ("set_mark", false, |s, link| {
            s.store.set_mark(link, s.planes, Side::Source, None)
        }),
        ("open_conflict", false, |s, _| {
            s.open(&conflict("k", Resolution::Open, "a", "b"), 1)
        }),
        ("pair", false, |s, link| {
            s.store.pair(link, &ends(), false).map(drop)
        }),
    ];
    for (name, seals, step) in steps {
        let mut scene = Scene::in_memory();
        let link = scene.link.clone();
        scene.store.expect_seal(&link, token(1))?;
        step(&mut scene, &link)?;
        let (seal, pending) = match seals {
            true => (Some(token(1)), None),
            false => (None, Some(token(1))),
        };
        let expected = Pair {
            seal: Sides::new(seal, seal),
            pending,
        };
        assert_eq!(scene.pair(), expected, "{name}");
        // With nothing pending, the seal stays.
        scene.store.sealed(&link)?;
        scene.store.sealed(&link)?;
        let seal = Some(token(1));
        assert_eq!(scene.pair().seal, Sides::new(seal, seal), "{name}");
    }
    Ok(())
}

#[test]
fn opening_what_is_there_writes_nothing() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let mut scene = Scene::new(open(&path));
    let witness = open(&path);
    let version = || witness.read_one::<i64>("test", "PRAGMA data_version", []);
    let before = version()?;
    scene.pair();
    scene.row();
    assert_eq!(version()?, before);
    let mut moved = ends();
    moved.address.target = "postgres://c/shop".to_owned();
    scene.store.pair(&scene.link, &moved, false)?;
    assert_ne!(version()?, before);
    assert_eq!(scene.store.two_way_links()?[0].1, moved);
    Ok(())
}

/// The name says which side the user calls the source, but only beside the addresses it was written with.
#[test]
fn a_run_that_fails_early_does_not_swap_the_sides() -> Result<()> {
    let mut store = Store::in_memory("ours")?;
    let named = |name: &str| LinkId {
        name: name.to_owned(),
        said: None,
        ..link("a")
    };
    let flipped = |store: &Store| -> Result<bool> {
        let links = store.links()?;
        Ok(links[0].pair.as_ref().unwrap().is_flipped())
    };
    let first = named("postgres://b/shop <-> sqlite:a.db");
    let run = store.begin(&first, 100)?;
    store.pair(&first, &ends(), true)?;
    store.finish(run, 200, 0, None, None)?;
    assert!(flipped(&store)?);
    // The same places, spelled in another way; the run ends before it has opened the pair.
    let second = named("postgres://b:5432/shop <-> sqlite:/srv/a.db");
    let run = store.begin(&second, 300)?;
    assert!(flipped(&store)?);
    store.finish(run, 400, 2, Some("config: no"), None)?;
    assert!(flipped(&store)?);
    // Once it has, it has the new name and the new addresses.
    store.begin(&second, 500)?;
    let address = Sides::new("sqlite:/srv/a.db", "postgres://b:5432/shop").map(str::to_owned);
    store.pair(&second, &Ends { address, ..ends() }, true)?;
    assert!(flipped(&store)?);
    assert_eq!(store.links()?[0].name, second.name);
    Ok(())
}
