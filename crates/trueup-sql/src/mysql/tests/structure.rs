//! What is read of a table's structure, and what steps do when they are taken again.

use super::*;
use std::collections::BTreeSet;
use trueup_core::structure::Built;

#[test]
fn what_a_table_says_besides_is_carried_or_told_to_be_lost() {
    let (_database, mut endpoint) = fresh(
        "CREATE TABLE notes (id int PRIMARY KEY, word varchar(9) COLLATE utf8mb4_general_ci UNIQUE,
           other varchar(9) COLLATE utf8mb4_general_ci, code varchar(9) COLLATE utf8mb4_bin, doc json,
           flag bit(3) DEFAULT b'101', small varchar(99) COLLATE utf8mb4_bin,
           CONSTRAINT short CHECK (json_valid(doc) AND length(doc) < 100), CONSTRAINT valid CHECK (json_valid(small)))",
    );
    let structure = endpoint.structure("notes").unwrap();
    let lost: Vec<String> = structure
        .lost
        .iter()
        .map(|lost| format!("{} {}", lost.kind, lost.name))
        .collect();
    assert_eq!(lost, ["collation notes.word, other"]);
    let checks: Vec<_> = structure
        .checks
        .iter()
        .filter_map(|check| check.name.as_deref())
        .collect();
    assert_eq!(checks, ["short", "valid"]);
}

#[test]
fn a_step_that_is_taken_again_takes_no_number_back() {
    let (_source, mut endpoint) =
        fresh("CREATE TABLE numbers (id int PRIMARY KEY AUTO_INCREMENT) AUTO_INCREMENT = 50");
    let schema = schema(endpoint.as_mut(), "numbers");
    let structure = endpoint.structure("numbers").unwrap();
    let (target, mut other) = fresh("");
    let built = other.construct(&schema, &structure, &mut BTreeSet::new());
    let built = built.unwrap();
    target.sql(&built.design.statement).unwrap();
    let mut writer = other.writer(&claim()).unwrap();
    let [next] = &built.steps[..] else {
        panic!("one step: {:?}", built.steps);
    };
    assert_eq!(writer.build(next).unwrap(), Built::Done);
    target
        .sql("INSERT INTO numbers VALUES (99); DELETE FROM numbers")
        .unwrap();
    assert_eq!(writer.build(next).unwrap(), Built::There);
    target.sql("INSERT INTO numbers VALUES ()").unwrap();
    assert_eq!(target.sql("SELECT id FROM numbers").unwrap(), "100");
}
