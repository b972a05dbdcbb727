//! Whatever ends a method half-way, its transaction is there whole or not at all; and what it returned from is on the
//! disk. A second connection to the same file is the witness.

use super::refused::{CALLS, dump, prepared};
use super::*;

const TABLES: [&str; 6] = [
    "pair",
    "pair_collection",
    "shape",
    "base",
    "intent",
    "conflict",
];

/// Makes the connection fail right after the first row of `table` that `operation` changes.
fn fail_after(store: &Store, operation: &str, table: &str) {
    let sql = format!(
        "CREATE TEMP TRIGGER failure AFTER {operation} ON main.{table} \
         BEGIN SELECT RAISE (ABORT, 'the end'); END"
    );
    store.connection.execute_batch(&sql).unwrap();
}

#[test]
fn a_method_that_dies_half_way_leaves_what_was_and_can_be_repeated() {
    for (name, call) in CALLS {
        let expected = {
            let mut scene = prepared(Store::in_memory("ours").unwrap());
            call(&mut scene).unwrap();
            dump(&scene.store)
        };
        let mut failed = 0;
        for table in TABLES {
            for operation in ["INSERT", "UPDATE", "DELETE"] {
                let mut scene = prepared(Store::in_memory("ours").unwrap());
                let before = dump(&scene.store);
                fail_after(&scene.store, operation, table);
                if call(&mut scene).is_err() {
                    failed += 1;
                    assert_eq!(dump(&scene.store), before, "{name}: {operation} {table}");
                    let mend = "DROP TRIGGER temp.failure";
                    scene.store.connection.execute_batch(mend).unwrap();
                    call(&mut scene).unwrap();
                }
                assert_eq!(dump(&scene.store), expected, "{name}: {operation} {table}");
            }
        }
        assert!(failed > 0, "{name} writes nothing");
    }
}

#[test]
fn others_see_nothing_of_a_batch_until_all_of_it() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let mut scene = prepared(open(&path));
    let witness = open(&path);
    let before = dump(&witness);
    let (link, planes) = (scene.link.clone(), scene.planes);
    let row = scene.row();
    let intent = row.intents.source.expect("prepared");
    let looks = std::cell::Cell::new(0);
    scene
        .store
        .finalise(&link, planes, Side::Source, &intent, &|index| {
            looks.set(looks.get() + 1);
            assert_eq!(dump(&witness), before, "at item {index}");
            true
        })?;
    assert_eq!(looks.get(), 3);
    assert_ne!(dump(&witness), before);
    assert_eq!(dump(&witness), dump(&scene.store));
    Ok(())
}

#[test]
fn a_batch_whose_end_panics_is_still_outstanding() {
    let folder = folder();
    let path = folder.path().join("state.db");
    let mut scene = prepared(open(&path));
    let before = dump(&open(&path));
    let (link, planes) = (scene.link.clone(), scene.planes);
    let intent = scene.row().intents.source.expect("prepared");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        scene
            .store
            .finalise(&link, planes, Side::Source, &intent, &|index| {
                assert!(index < 2, "the process dies here");
                true
            })
    }));
    assert!(panicked.is_err());
    assert_eq!(dump(&open(&path)), before);
    let mut scene = Scene::again(open(&path), 9);
    assert!(scene.row().intents.source.is_some());
}

#[test]
fn what_a_method_returned_from_is_what_the_next_process_finds() {
    for (name, call) in CALLS {
        let folder = folder();
        let path = folder.path().join("state.db");
        let mut scene = prepared(open(&path));
        call(&mut scene).unwrap();
        let expected = dump(&scene.store);
        // Neither the run nor the store is ended in order: the log stays, as after a kill.
        fs::copy(&path, folder.path().join("after.db")).unwrap();
        let log = |name: &str| folder.path().join(format!("{name}-wal"));
        fs::copy(log("state.db"), log("after.db")).unwrap();
        let found = dump(&open(&folder.path().join("after.db")));
        assert_eq!(found, expected, "{name}");
    }
}

fn synchronous(store: &Store) -> Option<i64> {
    store.read_one("test", "PRAGMA synchronous", []).unwrap()
}

#[test]
fn commits_are_fully_synced_while_a_two_way_run_is_under_way() -> Result<()> {
    const NORMAL: Option<i64> = Some(1);
    const FULL: Option<i64> = Some(2);
    let folder = folder();
    let mut store = open(&folder.path().join("state.db"));
    let (a, b, c) = (link("a"), link("b"), link("c"));
    let first = store.begin(&a, 1)?;
    let second = store.begin(&b, 1)?;
    let one_way = store.begin(&c, 1)?;
    assert_eq!(synchronous(&store), NORMAL);
    store.pair(&a, &ends(), false)?;
    assert_eq!(synchronous(&store), FULL);
    store.pair(&b, &ends(), false)?;
    store.finish(first, 2, 0, None, None)?;
    assert_eq!(synchronous(&store), FULL, "another is under way");
    assert!(!store.forget_pair("d")?);
    assert_eq!(synchronous(&store), FULL, "another is under way");
    store.finish(second, 2, 0, None, None)?;
    assert_eq!(synchronous(&store), NORMAL);
    store.finish(one_way, 2, 0, None, None)?;
    assert!(store.forget_pair("a")?);
    assert_eq!(synchronous(&store), NORMAL);
    assert!(
        store
            .answer(ConflictId(1), &Answer::Side(Side::Source))
            .is_err()
    );
    assert_eq!(synchronous(&store), NORMAL);
    let first = store.begin(&a, 3)?;
    store.pair(&a, &ends(), false)?;
    assert_eq!(synchronous(&store), FULL);
    store.finish(first, 4, 0, None, None)
}
