//! A migration that includes the schema: what a source has around its records is at the target afterwards, or told to be
//! missing.

use crate::support::{self, Output, Trueup};
use std::path::Path;
use std::process::Command;

const CINEMA: &str = include_str!("migration/cinema.sql");

/// What a target of the same engine does not get either.
const LOST_ANYWHERE: [&str; 5] = [
    "default ticket.number",
    "function stamp",
    "sequence ticket_number",
    "trigger staff.staff_stamp",
    "view film_list",
];

fn sync(folder: &Path, source: &str, target: &str) -> Trueup {
    Trueup::new(folder).sync([source, target, "--json"])
}

/// What the report says is lost, as kind and name.
fn lost(output: &Output) -> Vec<String> {
    let json = output.json();
    let lost = json["structure"]["lost"].as_array().expect("a list");
    let lost = lost.iter().map(|one| {
        let part = |name: &str| one[name].as_str().expect("a text").to_owned();
        format!("{} {}", part("kind"), part("name"))
    });
    lost.collect()
}

/// Compares the structures of two places by their own clients; `kinds` are left out.
fn same_structure(folder: &Path, one: &str, other: &str, without: &[&str]) {
    let script = support::root().join("crates/trueup/tests/it/migration/structure.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(one).arg(other).args(without);
    let output = command.current_dir(folder).output().expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{one} {other}\n{said}{errors}");
}

#[test]
fn a_database_goes_to_another_of_its_engine_with_all_that_is_around_the_records() {
    let folder = support::folder();
    let folder = folder.path();
    let (source, target) = (support::database(), support::database());
    source.sql(CINEMA).expect("the tables can be made");
    let (from, to) = (source.url(), target.url());
    let output = sync(folder, &from, &to).run().expect(0);
    let mut missing = lost(&output);
    missing.retain(|one| !LOST_ANYWHERE.contains(&one.as_str()));
    assert_eq!(missing, ["type mood"], "{output}");
    same_structure(folder, &from, &to, &[]);
    // A second run has nothing to build, and the target hands out numbers that are free.
    let again = sync(folder, &from, &to).run().expect(0);
    assert!(again.json().get("structure").is_none(), "{again}");
    target
        .sql("INSERT INTO country (name, code) VALUES ('new', 'nn'); INSERT INTO address (line, city_id) VALUES ('new', 1)")
        .expect("numbers are free");
}
