//! Files that a killed writer left.

use super::*;

/// What a writer leaves that dies in the middle of a transaction: the file with some of it, and the journal to undo it.
#[test]
fn a_file_whose_writer_died_in_a_transaction_is_read_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["from.db", "to.db"].map(|name| folder.path().join(name));
    let mut raw = Connection::open(&from).unwrap();
    raw.execute_batch(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'old'); PRAGMA cache_size = 1;",
    )
    .unwrap();
    let dying = raw.transaction().unwrap();
    let much = "WITH RECURSIVE n(i) AS (VALUES (2) UNION ALL SELECT i + 1 FROM n WHERE i < 9000) \
                INSERT INTO t SELECT i, 'new' FROM n; UPDATE t SET v = 'new';";
    dying.execute_batch(much).unwrap();
    for (from, to) in [("from.db", "to.db"), ("from.db-journal", "to.db-journal")] {
        std::fs::copy(folder.path().join(from), folder.path().join(to)).unwrap();
    }
    dying.rollback().unwrap();
    let address = format!("sqlite:{}", to.display());
    let mut endpoint = connect(&address, Context::empty()).unwrap();
    let (_, records) = read(endpoint.as_mut(), Type::TEXT);
    assert_eq!(records.len(), 1, "the unfinished transaction is undone");
}
