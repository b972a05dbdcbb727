//! The report and its reader agree, with each other and with the golden file.

use super::*;
use trueup_core::digest::Fold;

/// A report in which every field has a value of its own.
pub(in crate::state) fn sample() -> Report {
    Report {
        structure: None,
        link: "csv:shop -> sqlite:shop.db".to_owned(),
        equal: true,
        collections: vec![CollectionReport {
            source: "planes".to_owned(),
            target: "aircraft".to_owned(),
            source_fold: Fold {
                sum: u128::MAX,
                count: u64::MAX,
            },
            target_fold: Fold { sum: 10, count: 1 },
            inserted: 2,
            updated: 3,
            deleted: 4,
            to_source: counts(0, 1, 2),
            to_target: counts(2, 2, 2),
            conflicts: 9,
            open_conflicts: 10,
            unchanged: 5,
            only_source: 6,
            only_target: 7,
            changed: 8,
            parked: vec![
                Parked {
                    key: Digest(0xabc),
                    field: Some("year".to_owned()),
                    reason: "does not fit int".to_owned(),
                    ..Parked::default()
                },
                Parked {
                    key: Digest(u128::MAX),
                    reason: "UNIQUE constraint failed: planes.tailnum".to_owned(),
                    ..Parked::default()
                },
            ],
            hashed: None,
            unread: 0,
            selected: None,
            notes: vec!["a note of the collection".to_owned()],
        }],
        certificate: Some(crate::certificate::tests::sample()),
        notes: vec!["a note of the run".to_owned()],
    }
}

/// What reports of the first release do not have.
const SINCE: [&str; 4] = ["to_source", "to_target", "conflicts", "open_conflicts"];

fn counts(inserts: u64, updates: u64, deletes: u64) -> Counts {
    Counts {
        inserts,
        updates,
        deletes,
    }
}

fn golden() -> Value {
    serde_json::from_str(include_str!("golden.json")).expect("the golden file is JSON")
}

fn encoded(report: &Report) -> Value {
    serde_json::from_str(&encode(report)).expect("what is encoded is JSON")
}

#[test]
fn the_document_is_the_golden_one() {
    assert_eq!(encoded(&sample()), golden());
    assert_eq!(decode(&golden().to_string()), Some(sample()));
}

#[test]
fn an_empty_report_comes_back() {
    assert_eq!(decode(&encode(&Report::default())), Some(Report::default()));
}

#[test]
fn what_cannot_be_read_is_none() {
    for bad in ["", "{", "[]", "null", "{\"format\":1}", "1e999", "\u{0}"] {
        assert_eq!(decode(bad), None, "{bad}");
    }
    assert_eq!(decode(&"[".repeat(100_000)), None, "deep nesting");
}

#[test]
fn an_unknown_version_of_report_or_certificate_is_none() {
    let mut document = golden();
    document["format"] = json!(2);
    assert_eq!(decode(&document.to_string()), None);
    let mut document = golden();
    document["certificate"]["format"] = json!(4);
    assert_eq!(decode(&document.to_string()), None);
}

#[test]
fn no_field_may_be_missing() {
    let collection = &golden()["collections"][0];
    let names: Vec<String> = collection
        .as_object()
        .map(|object| object.keys().cloned().collect())
        .unwrap_or_default();
    assert_eq!(names.len(), 19);
    for name in names.iter().filter(|name| !SINCE.contains(&name.as_str())) {
        let mut document = golden();
        if let Some(object) = document["collections"][0].as_object_mut() {
            object.remove(name);
        }
        assert_eq!(decode(&document.to_string()), None, "without {name}");
    }
}

#[test]
fn a_report_from_before_there_were_two_ways_is_read() {
    let mut document = golden();
    let collection = document["collections"][0].as_object_mut();
    let collection = collection.expect("a collection is an object");
    for name in SINCE {
        collection.remove(name).expect("it is in the golden file");
    }
    let read = decode(&document.to_string()).expect("it is read");
    assert_eq!(read.collections[0].deleted, 4);
    assert_eq!(read.collections[0].to_target, Counts::default());
}

#[test]
fn what_was_chosen_of_a_plan_is_kept() {
    let mut report = sample();
    report.collections[0].selected = Some(Selected {
        left: 1,
        changed: 2,
        settled: 3,
        changed_keys: vec![Digest(7), Digest(u128::MAX)],
        changed_texts: Vec::new(),
    });
    assert_eq!(decode(&encode(&report)), Some(report));
}
