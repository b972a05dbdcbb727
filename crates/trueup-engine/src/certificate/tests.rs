//! The document and its reader agree, with each other and with the golden file.

use super::*;
use serde_json::{Value, json};

/// A certificate in which every field has a value of its own, extremes included.
pub(crate) fn sample() -> Certificate {
    Certificate {
        link: "csv:shop -> sqlite:shop.db".to_owned(),
        issued_ms: 1_700_000_000_123,
        version: "0.1.0".to_owned(),
        algorithm: "xxh3-128-sum/1".to_owned(),
        source: SideProof {
            address: "csv:shop".to_owned(),
            position: "files 3, newest 2024-05-01".to_owned(),
        },
        target: SideProof {
            address: "sqlite:shop.db".to_owned(),
            position: "data version 7".to_owned(),
        },
        collections: vec![
            CollectionProof {
                source: "planes".to_owned(),
                target: "aircraft".to_owned(),
                source_fold: Fold {
                    sum: u128::MAX,
                    count: u64::MAX,
                },
                target_fold: Fold { sum: 10, count: 3 },
                only_target: 4,
                wrong: 5,
                parked: 6,
                open: 7,
                hashed: Some("64-bit hashes of the servers' own".to_owned()),
                rules: vec!["year: text -> int (exact within range)".to_owned()],
            },
            CollectionProof {
                source: "leer \"\u{1}\u{1F6E9}".to_owned(),
                target: String::new(),
                source_fold: Fold::default(),
                target_fold: Fold::default(),
                only_target: 0,
                wrong: 0,
                parked: 0,
                open: 0,
                hashed: None,
                rules: Vec::new(),
            },
        ],
        notes: vec!["the target keeps no marker".to_owned()],
    }
}

fn golden() -> Value {
    serde_json::from_str(include_str!("golden.json")).expect("the golden file is JSON")
}

#[test]
fn the_document_is_the_golden_one() {
    assert_eq!(sample().to_json(), golden());
    assert_eq!(Certificate::from_json(&golden()), Some(sample()));
}

#[test]
fn an_unknown_version_reads_as_none() {
    for format in [json!(0), json!(4), json!("1"), json!(null), json!(-1)] {
        let mut document = golden();
        document["format"] = format.clone();
        assert_eq!(Certificate::from_json(&document), None, "format={format}");
    }
}

/// Before there was a word for it, what was open counted as parked.
#[test]
fn the_first_version_is_still_read() {
    let mut document = golden();
    document["format"] = json!(1);
    for proof in document["collections"].as_array_mut().expect("a list") {
        drop(proof.as_object_mut().and_then(|proof| proof.remove("open")));
    }
    let mut expected = sample();
    expected.collections[0].open = 0;
    expected.collections[0].hashed = None;
    assert_eq!(Certificate::from_json(&document), Some(expected));
}

#[test]
fn a_field_more_is_ignored_and_a_field_less_is_none() {
    let mut document = golden();
    document["later"] = json!({ "x": 1 });
    assert_eq!(Certificate::from_json(&document), Some(sample()));
    let names: Vec<String> = golden()
        .as_object()
        .map(|object| object.keys().cloned().collect())
        .unwrap_or_default();
    assert_eq!(names.len(), 9);
    for name in names {
        let mut document = golden();
        if let Some(object) = document.as_object_mut() {
            object.remove(&name);
        }
        assert_eq!(Certificate::from_json(&document), None, "without {name}");
    }
}

#[test]
fn a_digest_is_32_digits_and_nothing_else() {
    let ok = "0000000000000000000000000000000a";
    assert_eq!(digest_from(ok), Some(10));
    assert_eq!(digest_from(&"f".repeat(32)), Some(u128::MAX));
    for bad in [
        "",
        "a",
        "+000000000000000000000000000000a",
        "0000000000000000000000000000000A",
        "0000000000000000000000000000000g",
        "00000000000000000000000000000000a",
        "000000000000000000000000000000é",
    ] {
        assert_eq!(digest_from(bad), None, "{bad}");
    }
}
