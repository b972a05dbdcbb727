//! Records that somebody else inserts after we saw that they are missing.

use super::*;
use trueup_core::batch::Record;

/// Expects every record to be missing; and somebody inserts it just then.
struct Overtaken<'a> {
    database: &'a Database,
    by: &'a str,
}

impl Check for Overtaken<'_> {
    fn holds(&self, index: usize, current: Option<Record<'_>>) -> bool {
        if index == 0 {
            self.database.sql(self.by).unwrap();
        }
        current.is_none()
    }

    fn position(&self, left_out: &[usize]) -> Vec<u8> {
        left_out
            .iter()
            .map(|&index| u8::try_from(index).unwrap())
            .collect()
    }
}

#[test]
fn a_record_inserted_after_the_check_is_stale_and_stays() {
    let int = |value| Value::Int(value);
    let tables = [
        "CREATE TABLE t (id int PRIMARY KEY, n int)",
        // A constraint that is checked late.
        "CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, n int)",
        // What is left out has a default.
        "CREATE TABLE t (id int PRIMARY KEY, n int, more int NOT NULL DEFAULT 0)",
    ];
    for table in tables {
        let (database, mut endpoint) = fresh(table);
        let check = Overtaken {
            database: &database,
            by: "INSERT INTO t (id, n) VALUES (1, 100), (3, 300)",
        };
        let given = Given {
            check: Some(&check),
            ..Given::new("t", &["id", "n"])
        };
        let records: Vec<_> = (1..=4)
            .map(|id| (Op::Insert, vec![int(id), int(id)]))
            .collect();
        let outcomes = given.outcomes(endpoint.as_mut(), &records);
        assert_eq!(outcomes, ["Stale", APPLIED, "Stale", APPLIED], "{table}");
        let held = database.sql("SELECT id, n FROM t ORDER BY id").unwrap();
        assert_eq!(held, "1|100\n2|2\n3|300\n4|4", "{table}");
        let position = database.sql("SELECT position FROM trueup.marker");
        assert_eq!(position.unwrap(), "\\x0002", "{table}");
    }
}
