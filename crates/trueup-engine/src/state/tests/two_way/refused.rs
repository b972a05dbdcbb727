//! What is refused, and that nothing is written then.

use super::*;
use trueup_core::Kind;

/// Everything that is committed, as text.
pub(super) fn dump(store: &Store) -> String {
    let mut statement = store
        .connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .unwrap();
    let tables: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    let mut text = String::new();
    for table in tables {
        let mut rows = store
            .connection
            .prepare(&format!("SELECT * FROM {table}"))
            .unwrap();
        let width = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let value = |column| row.get::<_, rusqlite::types::Value>(column).unwrap();
            let values: Vec<_> = (0..width).map(value).collect();
            text += &format!("{table} {values:?}\n");
        }
    }
    text
}

/// One call of a method that writes.
pub(super) type Call = fn(&mut Scene) -> Result<()>;

/// Every method that writes for a run, in a state in which it has something to do. [`prepared`] makes that state.
pub(super) const CALLS: &[(&str, Call)] = &[
    ("pair", |s| {
        let mut ends = ends();
        ends.address.source = "elsewhere".to_owned();
        s.store.pair(&s.link, &ends, false).map(drop)
    }),
    ("collection, new", |s| {
        let names = names().swapped();
        s.store
            .collection(&s.link, &names, SHAPE, &fields(), &[0])
            .map(drop)
    }),
    ("collection, reshaped", |s| {
        s.store
            .collection(&s.link, &names(), "another", &fields(), &[1])
            .map(drop)
    }),
    ("expect_seal", |s| s.store.expect_seal(&s.link, token(8))),
    ("sealed", |s| s.store.sealed(&s.link)),
    ("forget", |s| {
        s.store.forget(&s.link, &Sides::new(None, Some(token(7))))
    }),
    ("set_mark", |s| {
        s.store
            .set_mark(&s.link, s.planes, Side::Source, Some(token(7)))
    }),
    ("intend", |s| {
        let items = vec![
            deciding("x", agreed(9), None),
            deciding("y", agreed(9), None),
        ];
        s.intend(Side::Target, 7, items).map(drop)
    }),
    ("finalise", |s| {
        let intent = s.intent();
        s.store
            .finalise(&s.link, s.planes, Side::Source, &intent, &|index| index > 0)
    }),
    ("drop_intent", |s| {
        let intent = s.intent();
        s.store
            .drop_intent(&s.link, s.planes, Side::Source, &intent)
    }),
    ("move_base", |s| {
        let moves = [moved("a", agreed(5)), moved("n", agreed(6))];
        s.store.move_base(&s.link, s.planes, &moves)
    }),
    ("complete", |s| s.store.complete(&s.link, s.planes)),
    ("open_conflict, new", |s| {
        s.open(&conflict("new", Resolution::Open, "a", "b"), 9)
    }),
    ("open_conflict, changed", |s| {
        s.open(&conflict("open", Resolution::Open, "a", "b"), 9)
    }),
    ("open_conflict, for a reason", |s| {
        let same = conflict("open", Resolution::Open, "x", "y");
        let (link, why) = (&s.link, Some("the edits overlap"));
        s.store.open_conflict(link, s.run, s.planes, &same, why, 9)
    }),
    ("close_conflict", |s| {
        s.store
            .close_conflict(&s.link, s.planes, b"open", "agreed", None)
    }),
    ("answered", |s| {
        s.store.carried_out(&s.link, ConflictId(3), None, None)
    }),
    ("answered, refused", |s| {
        s.store.lapse(&s.link, ConflictId(3), "no")
    }),
];

impl Scene {
    /// The intent that [`prepared`] leaves on the source's side.
    fn intent(&self) -> Intent {
        let items = [("a", 11), ("b", 12), ("open", 13)];
        let item = |(index, (key, number)): (usize, (&str, u64))| Item {
            key: key.into(),
            base: agreed(number),
            kept: values(key),
            conflict: Some(ConflictId(4 + index as i64)),
        };
        Intent {
            token: token(2),
            items: items.into_iter().enumerate().map(item).collect(),
        }
    }
}

/// A scene in which every call of [`CALLS`] changes something.
pub(super) fn prepared(store: Store) -> Scene {
    let mut scene = Scene::new(store);
    let (link, planes) = (scene.link.clone(), scene.planes);
    let a = Move {
        kept: values("kept"),
        ..moved("a", agreed(1))
    };
    let moves = [a, moved("gone", Base::Absent)];
    scene.store.move_base(&link, planes, &moves).unwrap();
    for key in ["open", "again", "answered"] {
        scene
            .open(&conflict(key, Resolution::Open, "x", "y"), 5)
            .unwrap();
    }
    let answer = Answer::Side(Side::Target);
    scene.store.answer(ConflictId(3), &answer).unwrap();
    let items = [("a", 11), ("b", 12), ("open", 13)];
    let items = items.map(|(key, number)| Pending {
        kept: values(key),
        ..deciding(key, agreed(number), None)
    });
    let intent = scene.intend(Side::Source, 2, items.into()).unwrap();
    assert_eq!(intent, scene.intent());
    scene.store.expect_seal(&link, token(3)).unwrap();
    scene
}

#[test]
fn every_call_changes_something() {
    for (name, call) in CALLS {
        let mut scene = prepared(Store::in_memory("ours").unwrap());
        let before = dump(&scene.store);
        call(&mut scene).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_ne!(dump(&scene.store), before, "{name}");
    }
}

#[test]
fn a_run_that_is_not_the_newest_writes_nothing() {
    // The file is put back to before the run; another run began; it is over; it is another run of the same number.
    for other in [
        "DELETE FROM run",
        "INSERT INTO run (link, started_ms) SELECT link, 5 FROM run",
        "UPDATE run SET ended_ms = 5",
        "UPDATE run SET started_ms = 999",
    ] {
        for (name, call) in CALLS {
            let mut scene = prepared(Store::in_memory("ours").unwrap());
            scene.store.connection.execute_batch(other).unwrap();
            let before = dump(&scene.store);
            let error = call(&mut scene).expect_err(name);
            assert_eq!(error.kind(), Kind::Stale, "{name} after {other}: {error:?}");
            assert!(error.advice().is_some(), "{name}");
            assert_eq!(dump(&scene.store), before, "{name} after {other}");
        }
    }
}

#[test]
fn a_state_that_was_moved_away_or_replaced_is_written_no_more() {
    for replaced in [false, true] {
        for (name, call) in CALLS {
            let folder = folder();
            let path = folder.path().join("state.db");
            let mut scene = prepared(open(&path));
            fs::rename(&path, folder.path().join("away")).unwrap();
            if replaced {
                fs::copy(folder.path().join("away"), &path).unwrap();
            }
            let before = dump(&scene.store);
            let error = call(&mut scene).expect_err(name);
            assert_eq!(error.kind(), Kind::Stale, "{name}: {error:?}");
            assert!(error.message().contains("state.db"), "{error:?}");
            assert_eq!(dump(&scene.store), before, "{name}");
        }
    }
}

#[test]
fn without_a_run_or_a_pair_nothing_is_written() -> Result<()> {
    for (name, call) in CALLS {
        let mut scene = prepared(Store::in_memory("ours")?);
        scene.store.finish(scene.run, 2_000, 0, None, None)?;
        let before = dump(&scene.store);
        let kind = call(&mut scene).expect_err(name).kind();
        let run = *name == "intend" || name.starts_with("open_conflict");
        let expected = if run { Kind::Stale } else { Kind::Bug };
        assert_eq!(kind, expected, "{name}");
        assert_eq!(dump(&scene.store), before, "{name}");
    }
    let mut store = Store::in_memory("ours")?;
    let link = link("pair");
    store.begin(&link, 1)?;
    let before = dump(&store);
    for error in [
        store.expect_seal(&link, token(1)),
        store.sealed(&link),
        store.forget(&link, &Sides::default()),
        store
            .collection(&link, &names(), SHAPE, &fields(), &[0])
            .map(drop),
    ] {
        assert_eq!(error.expect_err("no pair").kind(), Kind::Bug);
    }
    assert_eq!(dump(&store), before);
    Ok(())
}

#[test]
fn another_links_collection_conflict_and_run_are_refused() {
    type Case = (
        &'static str,
        Kind,
        fn(&mut Scene, &LinkId, RunId) -> Result<()>,
    );
    let cases: &[Case] = &[
        ("set_mark", Kind::Bug, |s, link, _| {
            s.store.set_mark(link, s.planes, Side::Source, None)
        }),
        ("move_base", Kind::Bug, |s, link, _| {
            s.store.move_base(link, s.planes, &[])
        }),
        ("complete", Kind::Bug, |s, link, _| {
            s.store.complete(link, s.planes)
        }),
        ("intend", Kind::Bug, |s, link, run| {
            s.store
                .intend(link, run, s.planes, Side::Target, token(1), vec![])
                .map(drop)
        }),
        ("intend, another's run", Kind::Stale, |s, link, _| {
            s.store
                .intend(link, s.run, s.planes, Side::Target, token(1), vec![])
                .map(drop)
        }),
        ("finalise", Kind::Bug, |s, link, _| {
            let intent = s.intent();
            s.store
                .finalise(link, s.planes, Side::Source, &intent, &|_| true)
        }),
        ("drop_intent", Kind::Bug, |s, link, _| {
            let intent = s.intent();
            s.store.drop_intent(link, s.planes, Side::Source, &intent)
        }),
        ("open_conflict", Kind::Bug, |s, link, run| {
            let new = conflict("new", Resolution::Open, "a", "b");
            s.store.open_conflict(link, run, s.planes, &new, None, 1)
        }),
        ("close_conflict", Kind::Bug, |s, link, _| {
            s.store
                .close_conflict(link, s.planes, b"open", "agreed", None)
        }),
        ("answered", Kind::Config, |s, link, _| {
            s.store.carried_out(link, ConflictId(3), None, None)
        }),
    ];
    for (name, kind, call) in cases {
        let mut scene = prepared(Store::in_memory("ours").unwrap());
        let other = link("other");
        let run = scene.store.begin(&other, 1).unwrap();
        scene.store.pair(&other, &ends(), false).unwrap();
        let before = dump(&scene.store);
        let error = call(&mut scene, &other, run).expect_err(name);
        assert_eq!(error.kind(), *kind, "{name}: {error:?}");
        assert_eq!(dump(&scene.store), before, "{name}");
    }
}

/// Fails unless each call is refused with that kind, in the prepared state, and writes nothing.
fn refuse(cases: &[(&str, Kind, Call)]) {
    for (name, kind, call) in cases {
        let mut scene = prepared(Store::in_memory("ours").unwrap());
        let before = dump(&scene.store);
        let error = call(&mut scene).expect_err(name);
        assert_eq!(error.kind(), *kind, "{name}: {error:?}");
        assert_eq!(dump(&scene.store), before, "{name}");
    }
}

fn shaped(scene: &mut Scene, fields: &Sides<Vec<String>>, key: &[usize]) -> Result<()> {
    scene
        .store
        .collection(&scene.link, &names(), SHAPE, fields, key)
        .map(drop)
}

#[test]
fn ends_and_shapes_that_do_not_fit_are_refused() {
    refuse(&[
        ("ends reversed", Kind::Bug, |s| {
            let mut ends = ends();
            ends.identity = ends.identity.swapped();
            s.store.pair(&s.link, &ends, false).map(drop)
        }),
        ("other ends", Kind::Bug, |s| {
            let mut ends = ends();
            ends.identity.target = "pg:c".to_owned();
            s.store.pair(&s.link, &ends, false).map(drop)
        }),
        ("no such key field", Kind::Bug, |s| {
            shaped(s, &fields(), &[2])
        }),
        ("no fields", Kind::Bug, |s| {
            shaped(s, &Sides::default(), &[])
        }),
        ("uneven fields", Kind::Bug, |s| {
            let short = Sides::new(fields().source, vec!["id".to_owned()]);
            shaped(s, &short, &[0])
        }),
    ]);
}

/// An open conflict about `field` of a record that only the source has.
fn about(field: usize, batch: &Batch) -> Conflict {
    let mut ruling = ruling(ConflictKind::Join, Resolution::Open);
    ruling.fields[0].field = field;
    let records = Sides::new(Some(batch.record(0)), None);
    Conflict::new("planes", b"k", ruling, records)
}

#[test]
fn batches_and_conflicts_that_do_not_fit_are_refused() {
    refuse(&[
        ("a narrow record", Kind::Bug, |s| {
            let mut narrow = Batch::new(1);
            narrow.push(Value::Int(1));
            s.open(&about(0, &narrow), 1)
        }),
        ("no such field", Kind::Bug, |s| {
            s.open(&about(2, &record(1, "x")), 1)
        }),
        ("decided, yet open", Kind::Bug, |s| {
            s.open(&conflict("k", Resolution::Merge, "a", "b"), 1)
        }),
        ("open, yet intended", Kind::Bug, |s| {
            let open = conflict("k", Resolution::Open, "a", "b");
            let pending = Pending {
                conflict: Some(DecidedConflict {
                    conflict: open,
                    result: None,
                    record: None,
                }),
                ..item("k", Base::Absent)
            };
            s.intend(Side::Target, 5, vec![pending]).map(drop)
        }),
        ("a second batch", Kind::Bug, |s| {
            s.intend(Side::Source, 5, vec![]).map(drop)
        }),
        ("too large a batch", Kind::Bug, |s| {
            let many = (0..=INTENT_ITEMS_MAX).map(|_| item("k", Base::Absent));
            s.intend(Side::Target, 5, many.collect()).map(drop)
        }),
        ("another batch's end", Kind::Stale, |s| {
            let mut intent = s.intent();
            intent.token = token(99);
            s.store
                .finalise(&s.link, s.planes, Side::Source, &intent, &|_| true)
        }),
        ("the end of no batch", Kind::Stale, |s| {
            let intent = s.intent();
            s.store
                .drop_intent(&s.link, s.planes, Side::Target, &intent)
        }),
        ("no answer", Kind::Bug, |s| {
            s.store.carried_out(&s.link, ConflictId(1), None, None)
        }),
    ]);
}

#[test]
fn an_answer_needs_a_conflict_that_stands_and_a_record() -> Result<()> {
    let mut scene = prepared(Store::in_memory("ours")?);
    scene
        .store
        .close_conflict(&scene.link, scene.planes, b"again", "superseded", None)?;
    let take = Answer::Side(Side::Source);
    let list = Answer::Record(serde_json::json!([1]));
    let before = dump(&scene.store);
    // Another took the place of 2, 4 is held, 1 is open.
    for (id, answer) in [
        (0, &take),
        (-1, &take),
        (99, &take),
        (2, &take),
        (4, &take),
        (1, &list),
    ] {
        let error = scene.store.answer(ConflictId(id), answer);
        let error = error.expect_err("refused");
        assert_eq!(error.kind(), Kind::Config, "{id}: {error:?}");
        assert!(error.advice().is_some(), "{id}");
    }
    let (link, gone) = (scene.link.clone(), ConflictId(99));
    let error = scene.store.carried_out(&link, gone, None, None);
    assert_eq!(error.expect_err("unknown").kind(), Kind::Config);
    let error = scene.store.carried_out(&link, ConflictId(2), None, None);
    assert_eq!(error.expect_err("nobody answered").kind(), Kind::Bug);
    assert_eq!(dump(&scene.store), before);
    assert!(scene.store.conflict(gone)?.is_none());
    Ok(())
}
