//! What stands between a user and a file.

use super::*;
use trueup_core::rights::{Rights, Wanted};

fn all() -> Vec<Wanted> {
    vec![
        Wanted::List,
        Wanted::Read("t".to_owned()),
        Wanted::Write("t".to_owned()),
        Wanted::Create("u".to_owned()),
        Wanted::Control,
    ]
}

fn rights(path: &std::path::Path) -> Rights {
    let mut endpoint = connect(&format!("sqlite:{}", path.display()), Context::empty()).unwrap();
    endpoint.rights(&all()).unwrap()
}

#[test]
fn file_in_a_folder_lacks_nothing_and_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    assert_eq!(rights(&path), Rights::default());
    assert!(!path.exists());
}

#[test]
fn journal_that_makes_writers_wait_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        .unwrap();
    let found = rights(&path);
    assert_eq!(found.missing, []);
    assert!(
        found.notes[0].starts_with("journal_mode=delete: "),
        "{:?}",
        found.notes
    );
    raw.pragma_update(None, "journal_mode", "wal").unwrap();
    assert_eq!(rights(&path), Rights::default());
}

#[test]
fn missing_folder_is_missing_once() {
    let folder = tempfile::tempdir().unwrap();
    let missing = rights(&folder.path().join("none/a.db")).missing;
    let shown = format!(
        "create files in folder={}",
        folder.path().join("none").display()
    );
    let rights: Vec<&str> = missing.iter().map(|one| one.right.as_str()).collect();
    assert_eq!(rights, [shown]);
    assert_eq!(missing[0].wanted, Wanted::Write("t".to_owned()));
}
