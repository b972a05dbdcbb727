//! The store as its callers meet it: one process and one store at a time. Several at once: `crowd`;
//! how a file becomes a store, or is refused: `opening`.

use super::*;
use codec::tests::sample;
use std::fs;
use tempfile::TempDir;
use trueup_core::Kind;
use trueup_core::digest::Digest;
use trueup_core::park::Parked;

mod crowd;
mod opening;
mod two_way;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn open(path: &Path) -> Store {
    Store::open(path, "ours").expect("the store opens")
}

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
        field: key.is_multiple_of(2).then(|| "field".to_owned()),
        reason: reason.to_owned(),
        ..Parked::default()
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the folder can be listed")
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.to_string_lossy().into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_recorded_is_there_after_reopening() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let (a, b) = (link("a"), link("b"));
    let mut store = Store::open(&path, "first")?;
    let run = store.begin(&a, 1_000)?;
    store.checkpoint(&a, "planes", 7)?;
    store.park(&a, "planes", run, &[parked(1, "odd"), parked(2, "even")])?;
    store.finish(
        run,
        2_000,
        1,
        Some("rejected: no\nhint: look"),
        Some(&sample()),
    )?;
    drop(store);

    let store = Store::open(&path, "second")?;
    assert_eq!(store.incarnation(), "first");
    assert_eq!(store.batch(&a, "planes")?, 7);
    assert_eq!(store.batch(&a, "flights")?, 0);
    assert_eq!(store.batch(&b, "planes")?, 0);
    assert_eq!(
        store.parked(&a, "planes")?,
        [parked(1, "odd"), parked(2, "even")]
    );
    assert_eq!(
        store.history(9)?,
        [PastRun {
            run,
            link: "a for people".to_owned(),
            started_ms: 1_000,
            ended_ms: Some(2_000),
            exit: Some(1),
            error: Some("rejected: no".to_owned()),
            hint: Some("look".to_owned()),
            report: Some(sample()),
        }]
    );
    drop(store);
    assert_eq!(names(folder.path()), ["state.db"]);
    Ok(())
}

#[test]
fn a_full_disk_is_rejected_and_loses_nothing() -> Result<()> {
    let folder = folder();
    let a = link("a");
    let mut store = open(&folder.path().join("state.db"));
    let run = store.begin(&a, 1)?;
    store.park(&a, "planes", run, &[parked(1, "before")])?;
    store
        .connection
        .execute_batch("PRAGMA max_page_count = 1")
        .expect("a limit is set");
    let many: Vec<Parked> = (0..10_000).map(|key| parked(key, "after")).collect();
    let error = store
        .park(&a, "planes", run, &many)
        .expect_err("it is full");
    assert_eq!(error.kind(), Kind::Rejected, "{error:?}");
    assert!(error.advice().unwrap_or_default().contains("--state"));
    assert_eq!(store.parked(&a, "planes")?, [parked(1, "before")]);

    // The run goes on, and its lock is still held.
    let long = "x".repeat(100_000);
    let error = store.finish(run, 2, 3, Some(&long), None);
    assert_eq!(error.expect_err("it is full").kind(), Kind::Rejected);
    assert_eq!(store.begin(&a, 3).expect_err("held").kind(), Kind::Stale);
    store.finish(run, 2, 3, None, None)
}

#[test]
fn a_checkpoint_never_moves_back() -> Result<()> {
    let folder = folder();
    let (a, b) = (link("a"), link("b"));
    let mut store = open(&folder.path().join("state.db"));
    store.begin(&a, 1)?;
    store.begin(&b, 1)?;
    for (batch, expected) in [(1, 1), (5, 5), (3, 5), (0, 5), (5, 5), (6, 6)] {
        store.checkpoint(&a, "planes", batch)?;
        assert_eq!(store.batch(&a, "planes")?, expected);
    }
    store.checkpoint(&b, "planes", 2)?;
    store.checkpoint(&a, "", 9)?;
    let max = i64::MAX as u64;
    store.checkpoint(&a, "far", max)?;
    let beyond = store.checkpoint(&a, "far", max + 1);
    assert_eq!(beyond.expect_err("too far").kind(), Kind::Bug);
    let found = [
        store.batch(&a, "planes")?,
        store.batch(&b, "planes")?,
        store.batch(&a, "")?,
        store.batch(&a, "far")?,
    ];
    assert_eq!(found, [6, 2, 9, max]);
    Ok(())
}

#[test]
fn parking_replaces_what_was_parked_in_that_collection() -> Result<()> {
    let folder = folder();
    let (a, b) = (link("a"), link("b"));
    let mut store = open(&folder.path().join("state.db"));
    let (run_a, run_b) = (store.begin(&a, 1)?, store.begin(&b, 1)?);
    let twice = [parked(9, "x"), parked(9, "y"), parked(u128::MAX, "z")];
    store.park(&a, "planes", run_a, &twice)?;
    store.park(&a, "flights", run_a, &[parked(2, "flight")])?;
    store.park(&b, "planes", run_b, &[parked(3, "other link")])?;
    assert_eq!(store.parked(&a, "planes")?, twice);
    store.park(&a, "planes", run_a, &[parked(4, "new")])?;
    assert_eq!(store.parked(&a, "planes")?, [parked(4, "new")]);
    store.park(&a, "planes", run_a, &[])?;
    assert_eq!(store.parked(&a, "planes")?, []);
    assert_eq!(store.parked(&a, "flights")?, [parked(2, "flight")]);
    assert_eq!(store.parked(&b, "planes")?, [parked(3, "other link")]);
    Ok(())
}

#[test]
fn the_history_is_newest_first_and_as_long_as_asked() -> Result<()> {
    let folder = folder();
    let mut store = open(&folder.path().join("state.db"));
    for (number, durable) in ["a", "b", "a", "c"].into_iter().enumerate() {
        let run = store.begin(&link(durable), 10 + number as i64)?;
        store.finish(run, 100, 0, None, None)?;
    }
    // A link may get another name for people; what was is called as it was then.
    let renamed = LinkId {
        durable: "b".to_owned(),
        name: "bee".to_owned(),
        said: None,
    };
    store.begin(&renamed, 1)?;
    let lines: Vec<(i64, String)> = store
        .history(4)?
        .into_iter()
        .map(|run| (run.run.0, run.link))
        .collect();
    let expected = [
        (5, "bee"),
        (4, "c for people"),
        (3, "a for people"),
        (2, "b for people"),
    ];
    assert_eq!(lines, expected.map(|(run, link)| (run, link.to_owned())));
    assert_eq!(store.history(0)?, []);
    assert_eq!(store.history(usize::MAX)?.len(), 5);
    Ok(())
}

#[test]
fn a_report_of_another_version_is_shown_as_none() -> Result<()> {
    let folder = folder();
    let mut store = open(&folder.path().join("state.db"));
    for _ in 0..3 {
        let run = store.begin(&link("a"), 1)?;
        store.finish(run, 2, 0, None, Some(&sample()))?;
    }
    let damage = "UPDATE run SET report = '{\"format\":2}' WHERE id = 1; \
                  UPDATE run SET report = 'torn', exit = 999 WHERE id = 2";
    store.connection.execute_batch(damage).expect("damaged");
    store
        .connection
        .execute_batch("UPDATE run SET exit = 0 WHERE id = 2")
        .expect("mended");
    let reports: Vec<bool> = store
        .history(9)?
        .into_iter()
        .map(|run| run.report == Some(sample()))
        .collect();
    assert_eq!(reports, [true, false, false]);
    Ok(())
}

#[test]
fn old_runs_are_dropped_and_numbers_never_used_twice() -> Result<()> {
    let folder = folder();
    let mut store = open(&folder.path().join("state.db"));
    let kept = RUNS_KEPT_MAX as usize;
    let first = store.begin(&link("a"), 0)?;
    store.park(&link("a"), "planes", first, &[parked(1, "old")])?;
    store.finish(first, 0, 0, None, None)?;
    let other = store.begin(&link("b"), 0)?;
    store.finish(other, 0, 0, None, None)?;
    for _ in 0..kept + 5 {
        let run = store.begin(&link("a"), 1)?;
        store.finish(run, 2, 0, None, None)?;
    }
    let history = store.history(usize::MAX)?;
    assert_eq!(history.len(), kept + 1);
    assert_eq!(history[0].run, RunId(kept as i64 + 7));
    assert!(history.iter().any(|run| run.run == other));
    assert_eq!(store.parked(&link("a"), "planes")?, [parked(1, "old")]);
    Ok(())
}

#[test]
fn old_reports_are_dropped_when_they_grow_too_large() -> Result<()> {
    let folder = folder();
    let mut store = open(&folder.path().join("state.db"));
    let sized = |bytes: i64| Report {
        link: "x".repeat(bytes as usize),
        ..Report::default()
    };
    let third = REPORT_BYTES_MAX / 3;
    for bytes in [third, 10, third, third, third, REPORT_BYTES_MAX * 2] {
        let run = store.begin(&link("a"), 1)?;
        store.finish(run, 2, 0, None, Some(&sized(bytes)))?;
        let present: Vec<bool> = store
            .history(9)?
            .iter()
            .map(|run| run.report.is_some())
            .collect();
        let expected: &[bool] = match present.len() {
            1 => &[true],
            2 => &[true, true],
            3 => &[true, true, true],
            4 => &[true, true, true, false],
            5 => &[true, true, false, false, false],
            _ => &[true, false, false, false, false, false],
        };
        assert_eq!(present, expected);
    }
    Ok(())
}

#[test]
fn a_run_without_an_end_is_told_to_the_next() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let (a, b) = (link("a"), link("b"));
    let mut store = open(&path);
    assert!(!store.was_interrupted(&a)?, "no run yet");
    store.begin(&a, 1)?;
    assert!(!store.was_interrupted(&a)?, "the first run");
    drop(store);

    let mut store = open(&path);
    assert!(store.was_interrupted(&a)?, "asked before the second run");
    let second = store.begin(&a, 2)?;
    assert!(store.was_interrupted(&a)?);
    let other = store.begin(&b, 2)?;
    assert!(!store.was_interrupted(&b)?, "another link's first run");
    store.finish(second, 3, 3, Some("unavailable: gone"), None)?;
    store.finish(other, 3, 0, None, None)?;
    store.begin(&a, 4)?;
    assert!(!store.was_interrupted(&a)?, "a run that failed said so");
    Ok(())
}

#[test]
fn only_who_began_a_run_records_anything_for_it() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let a = link("a");
    let mut ours = open(&path);
    let mut theirs = open(&path);
    let run = ours.begin(&a, 1)?;
    let refused = [
        theirs.checkpoint(&a, "planes", 1),
        theirs.park(&a, "planes", run, &[]),
        theirs.finish(run, 1, 0, None, None),
        ours.finish(RunId(99), 1, 0, None, None),
        ours.checkpoint(&link("b"), "planes", 1),
    ];
    for error in refused {
        assert_eq!(error.expect_err("refused").kind(), Kind::Bug);
    }
    ours.finish(run, 2, 0, None, None)?;
    assert!(ours.finish(run, 3, 1, None, None).is_err(), "ended already");
    assert!(ours.checkpoint(&a, "planes", 1).is_err(), "ended already");
    assert_eq!(ours.history(1)?[0].ended_ms, Some(2));
    Ok(())
}

/// However often it failed since: a link that once worked is not taken for one that never did.
#[test]
fn the_last_run_that_came_to_its_end_is_never_dropped() -> Result<()> {
    let mut store = Store::in_memory("ours")?;
    let a = link("a");
    for number in 0..=RUNS_KEPT_MAX {
        let run = store.begin(&a, number)?;
        let exit = if number == 0 { 0 } else { 3 };
        store.finish(run, number, exit, None, None)?;
    }
    let runs = store.history(usize::MAX)?;
    assert_eq!(runs.last().map(|run| run.run), Some(RunId(1)));
    assert!(store.links()?[0].succeeded);
    Ok(())
}
