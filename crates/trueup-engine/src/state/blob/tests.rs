//! The stored forms, pinned byte by byte, and what comes back from them.

use super::*;
use proptest::prelude::*;
use trueup_core::base::{FieldDigest, Held, Present};
use trueup_core::digest::Digest;
use trueup_core::side::Sides;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn present() -> Base {
    let fields = [FieldDigest(0x0102_0304_0506_0708)];
    let held = |digest| Held {
        digest: Digest(digest),
        fields: &fields,
        version: None,
    };
    Base::Present(Present::new(Sides::by(|_| held(0xabc)), 3))
}

fn items() -> Vec<Item> {
    let item = |key: &[u8], base, kept: Option<&[u8]>, conflict| Item {
        key: key.to_vec(),
        base,
        kept: kept.map(<[u8]>::to_vec),
        conflict,
    };
    vec![
        item(b"k", Base::Absent, None, None),
        item(b"", Base::Unknown, None, Some(ConflictId(1))),
        item(
            b"\xff\x00",
            present(),
            Some(b"\x01\x01\x00"),
            Some(ConflictId(300)),
        ),
    ]
}

#[test]
fn the_bytes_of_an_intent_are_the_golden_ones() {
    let golden = "0103\
                  016b0201010000\
                  000201000001\
                  02ff001c01020300000000000000000000000000000abc01010203040506070803010100ac02";
    let bytes = encode_items(&items());
    assert_eq!(hex(&bytes), golden);
    assert_eq!(decode_items(&bytes), Some(items()));
    assert_eq!(hex(&encode_items(&[])), "0100");
    assert_eq!(decode_items(&[1, 0]), Some(Vec::new()));
}

/// One value of every class.
fn every_value() -> Vec<Value<'static>> {
    vec![
        Value::Null,
        Value::Unchanged,
        Value::Bool(true),
        Value::Int(-2),
        Value::Float(-0.0),
        Value::Decimal("1.00"),
        Value::Text("a\u{e9}"),
        Value::InvalidText(b"\xff"),
        Value::Bytes(b"\x00\x01"),
        Value::Date(-1),
        Value::Time(1),
        Value::Timestamp(i64::MAX),
        Value::Instant(i64::MIN),
        Value::Uuid(b"0123456789abcdef"),
        Value::Json("{\"a\": 1.0}"),
    ]
}

fn batch(values: &[Value<'_>]) -> Batch {
    let mut batch = Batch::new(values.len());
    for value in values {
        batch.push(*value);
    }
    batch
}

#[test]
fn the_bytes_of_a_record_are_the_golden_ones() {
    let golden = "010f\
                  00\
                  01\
                  0201\
                  03feffffffffffffff\
                  040000000000000080\
                  0904312e3030\
                  0a0361c3a9\
                  0b01ff\
                  0c020001\
                  05ffffffff\
                  060100000000000000\
                  07ffffffffffffff7f\
                  080000000000000080\
                  0d1030313233343536373839616263646566\
                  0e0a7b2261223a20312e307d";
    let values = every_value();
    let bytes = encode_record(batch(&values).record(0));
    assert_eq!(hex(&bytes), golden);
    let found = decode_record(&bytes, values.len()).expect("it decodes");
    // Debug tells -0.0 from 0.0, which are equal.
    let found: Vec<Value<'_>> = found.record(0).values().collect();
    assert_eq!(format!("{found:?}"), format!("{values:?}"));
    for width in [0, values.len() - 1, values.len() + 1, usize::MAX] {
        assert!(decode_record(&bytes, width).is_none(), "{width}");
    }
}

fn ruling() -> Ruling {
    let field = |field, policy, resolution| FieldRuling {
        field,
        policy,
        resolution,
    };
    Ruling {
        kind: ConflictKind::DeleteUpdate,
        fields: vec![
            field(0, None, Resolution::Delete),
            field(2, Some(Policy::SetUnion), Resolution::Merge),
        ],
        resolution: Resolution::Side(Side::Target),
    }
}

#[test]
fn the_texts_of_a_ruling_and_an_answer_are_the_golden_ones() {
    let golden = json!({
        "format": 1,
        "kind": "delete/update",
        "fields": [
            { "field": 0, "policy": null, "resolution": "delete" },
            { "field": 2, "policy": "set-union", "resolution": "merge" },
        ],
        "resolution": "target",
    });
    assert_eq!(encode_ruling(&ruling()), golden.to_string());
    assert_eq!(decode_ruling(&golden.to_string(), 3), Some(ruling()));
    assert_eq!(decode_ruling(&golden.to_string(), 2), None, "no field 2");

    let record = json!({ "id": 1, "name": null });
    let answers = [
        (
            Answer::Side(Side::Source),
            r#"{"format":1,"take":"source"}"#,
        ),
        (
            Answer::Side(Side::Target),
            r#"{"format":1,"take":"target"}"#,
        ),
        (
            Answer::Record(record),
            r#"{"format":1,"record":{"id":1,"name":null}}"#,
        ),
    ];
    for (answer, golden) in answers {
        assert_eq!(encode_answer(&answer), golden);
        assert_eq!(decode_answer(golden), Some(answer));
    }
}

#[test]
fn every_kind_policy_and_resolution_comes_back() {
    let kinds = [
        ConflictKind::UpdateUpdate,
        ConflictKind::InsertInsert,
        ConflictKind::DeleteUpdate,
        ConflictKind::Join,
    ];
    let resolutions = [
        Resolution::Open,
        Resolution::Side(Side::Source),
        Resolution::Side(Side::Target),
        Resolution::Merge,
        Resolution::KeepBoth,
        Resolution::Delete,
    ];
    for kind in kinds {
        for resolution in resolutions {
            let field = |(field, policy)| FieldRuling {
                field,
                policy: Some(policy),
                resolution,
            };
            let ruling = Ruling {
                kind,
                fields: Policy::ALL.into_iter().enumerate().map(field).collect(),
                resolution,
            };
            let text = encode_ruling(&ruling);
            assert_eq!(decode_ruling(&text, Policy::ALL.len()), Some(ruling));
        }
    }
}

#[test]
fn every_shorter_or_longer_form_is_refused() {
    let intent = encode_items(&items());
    let record = encode_record(batch(&every_value()).record(0));
    let width = every_value().len();
    for len in 0..intent.len() {
        assert_eq!(decode_items(&intent[..len]), None, "{len}");
    }
    for len in 0..record.len() {
        assert!(decode_record(&record[..len], width).is_none(), "{len}");
    }
    assert_eq!(decode_items(&[intent, vec![0]].concat()), None);
    assert!(decode_record(&[record, vec![0]].concat(), width).is_none());
    for bad in ["", "null", "[]", "{}", "{\"format\":1}", "{\"format\":2}"] {
        assert_eq!(decode_ruling(bad, 9), None, "{bad}");
        assert_eq!(decode_answer(bad), None, "{bad}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(decode_names(&deep), None);
    assert_eq!(decode_positions(&deep, 1), None);
}

#[test]
fn names_and_positions_come_back() {
    let names: Vec<String> = ["", "a\"b", "\u{0}\u{1f6e9}"].map(str::to_owned).into();
    assert_eq!(encode_names(&names), r#"["","a\"b","\u0000🛩"]"#);
    assert_eq!(decode_names(&encode_names(&names)), Some(names));
    assert_eq!(encode_positions(&[2, 0]), "[2,0]");
    assert_eq!(decode_positions("[2,0]", 3), Some(vec![2, 0]));
    assert_eq!(decode_positions("[2,0]", 2), None);
}

proptest! {
    /// Foreign bytes are read or refused; what is read is written as it was.
    #[test]
    fn bytes_of_any_kind_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..64), width in 1_usize..4) {
        let versioned = [&[VERSION][..], &bytes].concat();
        for bytes in [&bytes, &versioned] {
            if let Some(items) = decode_items(bytes) {
                prop_assert_eq!(decode_items(&encode_items(&items)), Some(items));
            }
            if let Some(batch) = decode_record(bytes, width) {
                let again = decode_record(&encode_record(batch.record(0)), width);
                let again = again.expect("what was read can be written");
                prop_assert_eq!(format!("{:?}", again), format!("{:?}", batch));
            }
        }
    }
}
