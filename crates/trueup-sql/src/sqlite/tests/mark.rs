//! A marker that is stored alone.

use super::*;
use trueup_core::Error;
use trueup_core::failpoint::Failpoints;

/// An endpoint for the file at `path` where `point` fails.
fn failing(path: &str, point: &'static str) -> Box<dyn Endpoint> {
    let failpoints = Failpoints::new(move |name| {
        if name == point {
            Err(Error::new(Kind::Interrupted, "asked to"))
        } else {
            Ok(())
        }
    });
    let context = Context {
        failpoints,
        ..Context::empty()
    };
    connect(path, context).unwrap()
}

#[test]
fn a_marker_alone_stands_or_falls() {
    for (point, stored) in [
        ("sqlite.before_write", 0),
        ("sqlite.before_commit", 0),
        ("sqlite.after_commit", 1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let raw = Connection::open(&path).unwrap();
        let mut endpoint = failing(&path.display().to_string(), point);
        let mut writer = endpoint.writer(&claim()).unwrap();
        let mark = Mark {
            partition: String::new(),
            batch: 1,
            position: vec![7],
        };
        let error = writer.mark(&mark).unwrap_err();
        assert_eq!(error.kind(), Kind::Interrupted, "{point}");
        let sql = "SELECT count(*) FROM _trueup_marker WHERE partition = ''";
        let count: i64 = raw.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(count, stored, "{point}");
        // No lock is kept: another claim succeeds at once.
        drop(endpoint.writer(&claim()).unwrap());
    }
}
