//! What stays parked keeps its number and its beginning, also through a change of the tables.

use super::*;
use rusqlite::Connection;

fn link(durable: &str) -> LinkId {
    LinkId {
        durable: durable.to_owned(),
        name: format!("{durable} for people"),
        said: None,
    }
}

fn parked(key: u128, reason: &str) -> Parked {
    Parked {
        key: Digest(key),
        reason: reason.to_owned(),
        ..Parked::default()
    }
}

/// Number, key, last run, first run, since when.
type Shown = (i64, u128, i64, Option<i64>, Option<i64>);

fn shown(store: &Store) -> Vec<Shown> {
    let all = store.parked_records(None).expect("they are read");
    let first = |one: &ParkedRecord| one.first_run.map(|run| run.0);
    all.iter()
        .map(|one| {
            (
                one.id,
                one.parked.key.0,
                one.run.0,
                first(one),
                one.first_ms,
            )
        })
        .collect()
}

#[test]
fn what_stays_parked_keeps_its_number_and_its_first_run() -> Result<()> {
    let mut store = Store::in_memory("test")?;
    let (a, b) = (link("a"), link("b"));
    let first = store.begin(&a, 100)?;
    store.park(&a, "x", first, &[parked(1, "r"), parked(2, "r")])?;
    store.finish(first, 1, 1, None, None)?;
    let other = store.begin(&b, 150)?;
    store.park(&b, "x", other, &[parked(1, "b")])?;
    let second = store.begin(&a, 200)?;
    // One is new and stands first, one stays, one is gone.
    store.park(&a, "x", second, &[parked(3, "n"), parked(2, "again")])?;
    assert_eq!(
        shown(&store),
        [
            (2, 2, second.0, Some(first.0), Some(100)),
            (3, 1, other.0, Some(other.0), Some(150)),
            (4, 3, second.0, Some(second.0), Some(200)),
        ]
    );
    let of_b = store.parked_records(Some("b"))?;
    assert_eq!(
        (of_b.len(), of_b[0].link_name.as_str()),
        (1, "b for people")
    );
    Ok(())
}

#[test]
fn how_a_record_is_found_is_kept_until_a_run_knows_better() -> Result<()> {
    let mut store = Store::in_memory("test")?;
    let a = link("a");
    let run = store.begin(&a, 100)?;
    let known = Parked {
        key_text: Some("id=7".to_owned()),
        place: Some(Place {
            file: "shop/orders.csv".into(),
            line: 17,
        }),
        ..parked(1, "r")
    };
    store.park(&a, "x", run, std::slice::from_ref(&known))?;
    assert_eq!(store.parked(&a, "x")?, [known]);
    store.park(&a, "x", run, &[parked(1, "r")])?;
    assert_eq!(store.parked(&a, "x")?, [parked(1, "r")]);
    Ok(())
}

#[test]
fn two_records_under_one_key_are_two() -> Result<()> {
    let mut store = Store::in_memory("test")?;
    let a = link("a");
    let run = store.begin(&a, 100)?;
    store.park(&a, "x", run, &[parked(0, "null"), parked(0, "null")])?;
    store.park(
        &a,
        "x",
        run,
        &[parked(0, "null"), parked(0, "null"), parked(0, "null")],
    )?;
    let numbers: Vec<i64> = shown(&store).iter().map(|one| one.0).collect();
    assert_eq!(numbers, [1, 2, 3]);
    Ok(())
}

#[test]
fn a_file_of_version_2_learns_since_when_records_are_parked() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let a = link("a");
    let mut store = Store::open(&path, "ours")?;
    let run = store.begin(&a, 100)?;
    store.park(&a, "x", run, &[parked(1, "r"), parked(2, "r")])?;
    drop(store);
    let connection = Connection::open(&path).expect("a database");
    connection
        .execute_batch(
            "DROP TABLE seam; DROP TABLE following; DROP TABLE construction; ALTER TABLE pair DROP COLUMN turned; ALTER TABLE run DROP COLUMN name; ALTER TABLE run DROP COLUMN said; \
             ALTER TABLE run DROP COLUMN said_in; ALTER TABLE run DROP COLUMN met; \
             ALTER TABLE conflict DROP COLUMN chosen; ALTER TABLE conflict DROP COLUMN lapsed; \
             ALTER TABLE parked DROP COLUMN first_run; ALTER TABLE parked DROP COLUMN first_ms; \
             ALTER TABLE parked DROP COLUMN key_text; ALTER TABLE parked DROP COLUMN file; \
             ALTER TABLE parked DROP COLUMN line; \
             UPDATE parked SET run = 99 WHERE id = 2; PRAGMA user_version = 2",
        )
        .expect("as it was before");
    connection.close().expect("it closes");
    let store = Store::open(&path, "ours")?;
    assert_eq!(
        shown(&store),
        [(1, 1, 1, Some(1), Some(100)), (2, 2, 99, Some(99), None)]
    );
    Ok(())
}
