//! The name beside a result: whose it is, and what may stand there.

use super::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use trueup_core::failpoint::Failpoints;

fn folder_of(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    folder
}

/// The run that held the file went, and another one has the name since: its file is not taken away.
#[test]
fn a_name_that_is_another_files_by_now_is_left() {
    let folder = folder_of(&["x"]);
    let path = folder.path().join("x");
    let left = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "the next run's").unwrap();
    assert!(take_away_opened(&path, &left).unwrap());
    assert_eq!(std::fs::read(&path).unwrap(), b"the next run's");
    drop(left);
    assert!(take_away(&path).unwrap());
    assert!(!path.exists());
}

#[test]
fn a_growing_file_that_was_replaced_is_not_put_in_place() {
    let folder = folder_of(&[]);
    let path = folder.path().join("plan");
    let beside = folder.path().join(".trueup-plan.tmp");
    let mut sink = Sink::file(&path, &Failpoints::none()).unwrap();
    sink.push("mine").unwrap();
    std::fs::remove_file(&beside).unwrap();
    std::fs::write(&beside, "another's").unwrap();
    let error = sink.finish().unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(!path.exists());
    assert_eq!(std::fs::read(&beside).unwrap(), b"another's");
}

/// A pipe without a writer is waited for by whoever opens it.
#[test]
fn what_is_no_file_at_the_other_name_is_refused() {
    for kind in ["pipe", "link", "folder"] {
        let folder = folder_of(&["mine"]);
        let path = folder.path().join("plan");
        let beside = folder.path().join(".trueup-plan.tmp");
        match kind {
            "pipe" => mknodat(CWD, &beside, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap(),
            "link" => std::os::unix::fs::symlink(folder.path().join("mine"), &beside).unwrap(),
            _ => std::fs::create_dir(&beside).unwrap(),
        }
        let error = Sink::file(&path, &Failpoints::none()).unwrap_err();
        assert_eq!(error.kind(), Kind::Config, "{kind}");
        assert!(error.message().contains(".trueup-plan.tmp"), "{error:?}");
        assert!(take_away(&beside).is_err(), "{kind}");
        assert!(beside.symlink_metadata().is_ok(), "{kind}");
        assert_eq!(std::fs::read(folder.path().join("mine")).unwrap(), b"mine");
    }
}

#[test]
fn names_of_any_length_have_another_one() {
    let folder = folder_of(&[]);
    let mut others = Vec::new();
    for (length, last) in [(1, 'a'), (243, 'a'), (244, 'a'), (255, 'a'), (255, 'b')] {
        let name = format!("{}{last}", "p".repeat(length - 1));
        let path = folder.path().join(&name);
        others.push(other_name(OsStr::new(&name)));
        Sink::file(&path, &Failpoints::none())
            .unwrap()
            .finish()
            .unwrap();
        assert!(path.is_file(), "{length}");
    }
    others.dedup();
    assert_eq!(others.len(), 5);
}
