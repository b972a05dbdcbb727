//! Stores in memory and copies, files of the version before, and several processes' stores on one file.

use super::refused::{dump, prepared};
use super::*;
use trueup_core::Kind;

#[test]
fn a_store_in_memory_is_a_store() -> Result<()> {
    assert!(Store::in_memory("").is_err(), "an id is needed");
    let mut store = Store::in_memory("ours")?;
    assert_eq!(store.incarnation(), "ours");
    let (a, b) = (link("a"), link("b"));
    let run = store.begin(&a, 1)?;
    assert_eq!(store.begin(&a, 2).expect_err("held").kind(), Kind::Stale);
    store.begin(&b, 2)?;
    store.finish(run, 3, 0, None, None)?;
    store.begin(&a, 4)?;
    assert_eq!(store.history(9)?.len(), 3);
    Ok(())
}

#[test]
fn a_copy_holds_everything_and_goes_its_own_way() -> Result<()> {
    let folder = folder();
    for store in [
        Store::in_memory("ours")?,
        open(&folder.path().join("state.db")),
    ] {
        let mut scene = prepared(store);
        let (link, planes) = (scene.link.clone(), scene.planes);
        let copy = scene.store.copy()?;
        assert_eq!(copy.incarnation(), "ours");
        let before = dump(&scene.store);
        assert_eq!(dump(&copy), before);

        let moves = [moved("z", agreed(9))];
        scene.store.move_base(&link, planes, &moves)?;
        assert_eq!(dump(&copy), before, "the copy stands still");
        let mut copied = Scene::again(copy, 5_000);
        assert!(copied.store.was_interrupted(&link)?);
        let ours = dump(&scene.store);
        copied.store.forget(&link, &Sides::default())?;
        assert_eq!(dump(&scene.store), ours, "and so does the original");
        // Numbers go on where they were.
        copied.open(&conflict("new", Resolution::Open, "a", "b"), 1)?;
        assert_eq!(copied.conflicts().last().map(|c| c.id.0), Some(7));
        // Rows still depend on each other in the copy.
        let orphan = "INSERT INTO base VALUES (99, x'00', x'0101', NULL)";
        assert!(copied.store.connection.execute_batch(orphan).is_err());
    }
    Ok(())
}

/// A file as version 1 wrote it.
const VERSION_1: &str = include_str!("version_1.sql");

#[test]
fn a_file_of_version_1_is_brought_up_and_keeps_what_it_had() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(VERSION_1).unwrap();
    connection.close().unwrap();
    let link = link("a");
    let store = open(&path);
    assert_eq!(store.incarnation(), "golden");
    assert_eq!(store.batch(&link, "planes")?, 7);
    assert_eq!(store.parked(&link, "planes")?, [parked(3, "odd")]);
    let history = store.history(9)?;
    let runs: Vec<(i64, Option<i64>)> = history.iter().map(|r| (r.run.0, r.ended_ms)).collect();
    assert_eq!(runs, [(5, None), (4, Some(2_000))]);
    assert_eq!(history[1].error.as_deref(), Some("rejected: no"));
    let version: Option<i64> = store.read_one("test", "PRAGMA user_version", [])?;
    assert_eq!(version, Some(8));
    // The tables are those of a new file.
    assert_eq!(tables(&store), tables(&Store::in_memory("ours")?));
    drop(store);
    let mut scene = prepared(open(&path));
    assert_eq!(scene.run, RunId(6));
    assert!(scene.row().intents.source.is_some());
    Ok(())
}

fn tables(store: &Store) -> Vec<String> {
    let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
    let row = |row: &Row<'_>| row.get(0);
    store.read_all("test", sql, [], row).unwrap()
}

#[test]
fn version_1_is_refused_its_file_back_when_a_step_fails() {
    let folder = folder();
    let path = folder.path().join("state.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(VERSION_1).unwrap();
    // Somebody's table stands where one of ours is to be.
    connection
        .execute_batch("CREATE TABLE conflict (x)")
        .unwrap();
    connection.close().unwrap();
    let before = fs::read(&path).unwrap();
    let error = Store::open(&path, "ours").expect_err("the step fails");
    assert_eq!(error.kind(), Kind::Corrupt, "{error:?}");
    assert!(fs::read(&path).unwrap() == before, "all or nothing");
}

#[test]
fn stores_on_one_file_run_their_own_pairs_at_the_same_time() {
    let folder = folder();
    let path = folder.path().join("state.db");
    drop(open(&path));
    std::thread::scope(|scope| {
        for number in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let link = link(&format!("pair-{number}"));
                for round in 0..3 {
                    let mut store = open(path);
                    let run = store.begin(&link, round).expect("ours alone");
                    store.pair(&link, &ends(), false).unwrap();
                    let opened = store.collection(&link, &names(), SHAPE, &fields(), &[0]);
                    let id = opened.unwrap().0.id;
                    let items = vec![deciding("k", agreed(1), None)];
                    let intent = store
                        .intend(&link, run, id, Side::Source, token(1), items)
                        .unwrap();
                    store
                        .finalise(&link, id, Side::Source, &intent, &|_| true)
                        .unwrap();
                    store.finish(run, round, 0, None, None).unwrap();
                }
            });
        }
    });
    let store = open(&path);
    assert_eq!(store.two_way_links().unwrap().len(), 4);
    for (durable, ..) in store.two_way_links().unwrap() {
        let filter = ConflictFilter {
            link: Some(durable),
            ..ConflictFilter::default()
        };
        assert_eq!(store.conflicts(&filter).unwrap().len(), 3);
    }
}

#[test]
fn a_run_whose_lock_was_removed_is_refused_once_another_began() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let mut ours = Scene::new(open(&path));
    fs::remove_file(folder.path().join("state.db.lock-pair")).unwrap();
    ours.store.sealed(&ours.link.clone())?;
    let mut theirs = Scene::again(open(&path), 1_000);
    let refused = ours.store.sealed(&ours.link.clone());
    assert_eq!(refused.expect_err("refused").kind(), Kind::Stale);
    theirs.store.sealed(&theirs.link.clone())
}

#[test]
fn answers_are_given_from_another_process_while_a_run_is_under_way() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let mut scene = Scene::new(open(&path));
    scene.open(&conflict("k", Resolution::Open, "ours", "theirs"), 1)?;
    let mut person = open(&path);
    let answer = Answer::Side(Side::Target);
    person.answer(ConflictId(1), &answer)?;
    let waiting = scene.store.answers(scene.planes)?;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].2, answer);
    assert!(person.forget_pair("pair").is_err(), "a run is under way");
    Ok(())
}

/// Until then, only the note told that an answer was taken back.
#[test]
fn a_file_of_version_3_knows_which_answers_lapsed() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let mut scene = prepared(open(&path));
    let link = scene.link.clone();
    let before = scene.conflicts();
    let open_ones: Vec<_> = before.iter().filter(|one| one.decision == "open").collect();
    let id = open_ones[0].id;
    scene.store.answer(id, &Answer::Side(Side::Target))?;
    scene.store.lapse(&link, id, "it moved")?;
    drop(scene);
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "DROP TABLE seam; DROP TABLE following; DROP TABLE construction; ALTER TABLE pair DROP COLUMN turned; ALTER TABLE run DROP COLUMN name; ALTER TABLE run DROP COLUMN said; \
             ALTER TABLE run DROP COLUMN said_in; ALTER TABLE run DROP COLUMN met; \
             ALTER TABLE conflict DROP COLUMN chosen; ALTER TABLE conflict DROP COLUMN lapsed; \
             ALTER TABLE parked DROP COLUMN key_text; ALTER TABLE parked DROP COLUMN file; \
             ALTER TABLE parked DROP COLUMN line; PRAGMA user_version = 3",
        )
        .unwrap();
    connection.close().unwrap();
    let store = open(&path);
    let lapsed: Vec<_> = store.conflicts(&ConflictFilter::default())?;
    let lapsed: Vec<_> = lapsed
        .iter()
        .filter(|one| one.lapsed)
        .map(|one| one.id)
        .collect();
    assert_eq!(lapsed, [id]);
    Ok(())
}

/// Of files of the versions 3, 4 and 5 the order of the sides is known where the link's name tells it; what is parked in
/// them is read.
#[test]
fn an_older_file_knows_the_order_of_the_sides_only_where_its_words_agree() -> Result<()> {
    let older = [
        (
            3,
            "ALTER TABLE parked DROP COLUMN key_text; ALTER TABLE parked DROP COLUMN file; \
             ALTER TABLE parked DROP COLUMN line; ALTER TABLE conflict DROP COLUMN chosen; \
             ALTER TABLE conflict DROP COLUMN lapsed;",
        ),
        (
            4,
            "ALTER TABLE parked DROP COLUMN key_text; ALTER TABLE parked DROP COLUMN file; \
             ALTER TABLE parked DROP COLUMN line;",
        ),
        (5, ""),
    ];
    let Sides { source, target } = ends().address;
    let cases = [
        (format!("{source} <-> {target}"), Some(false)),
        (format!("{target} <-> {source}"), Some(true)),
        (format!("/abs/{target} <-> /abs/{source}"), None),
    ];
    for ((version, sql), (name, expected)) in older
        .iter()
        .flat_map(|one| cases.iter().map(move |case| (one, case)))
    {
        let folder = folder();
        let path = folder.path().join("state.db");
        let mut scene = prepared(open(&path));
        let (link, run) = (scene.link.clone(), scene.run);
        scene
            .store
            .park(&link, "planes", run, &[parked(3, "odd")])?;
        drop(scene);
        let connection = Connection::open(&path).unwrap();
        let sql = format!(
            "DROP TABLE seam; DROP TABLE following; DROP TABLE construction; ALTER TABLE pair DROP COLUMN turned; ALTER TABLE run DROP COLUMN name; ALTER TABLE run DROP COLUMN said; \
             ALTER TABLE run DROP COLUMN said_in; ALTER TABLE run DROP COLUMN met; {sql} \
             UPDATE link SET name = '{name}'; PRAGMA user_version = {version}"
        );
        connection.execute_batch(&sql).unwrap();
        connection.close().unwrap();
        let store = open(&path);
        let links = store.links()?;
        let pair = links[0].pair.as_ref().unwrap();
        assert_eq!(pair.turned, *expected, "{version} {name}");
        let shown = if expected.is_some() {
            name
        } else {
            &cases[0].0
        };
        assert_eq!(&links[0].name, shown, "{version}");
        assert_eq!(store.parked(&link, "planes")?, [parked(3, "odd")]);
        assert_eq!(store.history(9)?[0].link, *name);
    }
    Ok(())
}

/// A run that fails before it knows both sides leaves the pair as it was called: name and order belong together.
#[test]
fn a_pair_is_named_where_its_order_is_written() -> Result<()> {
    let mut scene = Scene::in_memory();
    let turned = |store: &Store| -> Result<(String, Option<bool>)> {
        let link = store.links()?.remove(0);
        Ok((link.name, link.pair.and_then(|pair| pair.turned)))
    };
    let before = turned(&scene.store)?;
    assert_eq!(before.1, Some(false));
    scene.store.finish(scene.run, 1, 0, None, None)?;
    let other = LinkId {
        name: "b <-> a".to_owned(),
        said: None,
        ..scene.link.clone()
    };
    let run = scene.store.begin(&other, 2)?;
    assert_eq!(turned(&scene.store)?, before);
    scene.store.pair(&other, &ends(), true)?;
    assert_eq!(turned(&scene.store)?, ("b <-> a".to_owned(), Some(true)));
    scene.store.finish(run, 3, 0, None, None)?;
    // The past is called as it was.
    let names = scene.store.history(9)?.into_iter().map(|run| run.link);
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["b <-> a", scene.link.name.as_str()]
    );
    Ok(())
}
