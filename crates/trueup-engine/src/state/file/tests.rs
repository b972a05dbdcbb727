//! Tests.

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

fn build(path: &Path) -> Result<()> {
    fs::write(path, "state").map_err(|cause| error::io(cause, path, "fill it"))
}

#[test]
fn what_a_killed_birth_left_is_swept_up_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let left = folder.path().join(".trueup-state-dead");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("half"), "half").unwrap();
    fs::write(left.join("half-journal"), "").unwrap();
    ensure(&path, build).unwrap();
    assert_eq!(names(folder.path()), ["state.db"]);
}

#[test]
fn a_birth_under_way_is_left_alone_and_the_first_to_end_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let inner = |_: &Path| fs::write(&path, "another").map_err(|e| error::io(e, &path, "fill it"));
    let outer = |fresh: &Path| {
        build(fresh)?;
        sweep(folder.path());
        assert!(fresh.exists(), "it is in use");
        inner(fresh)
    };
    ensure(&path, outer).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "another");
    assert_eq!(names(folder.path()), ["state.db"]);
}

#[test]
fn a_failed_birth_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let failed = ensure(&path, |_| Err(Error::config("no")));
    assert_eq!(failed.unwrap_err().kind(), Kind::Config);
    assert_eq!(names(folder.path()), Vec::<String>::new());
}
