//! Spooled actions come back as they were, and torn ones are refused.

use super::*;
use crate::error::Kind;

fn record(values: &[Value<'_>]) -> Batch {
    let mut batch = Batch::new(values.len());
    for &value in values {
        batch.push(value);
    }
    batch
}

fn action(batch: &Batch) -> Action<'_> {
    Action {
        op: Op::Update,
        before: Some(Digest(7)),
        after: Some(Digest(9)),
        changed: vec![1],
        record: batch.record(0),
    }
}

#[test]
fn an_action_survives_the_spool() {
    let values = [
        Value::Int(-5),
        Value::Text("x"),
        Value::Decimal("1.50"),
        Value::Null,
    ];
    let batch = record(&values);
    let mut bytes = Vec::new();
    action(&batch).encode(&mut bytes);
    let mut back = Batch::new(4);
    let decoded = decode(&bytes, &mut back).unwrap();
    assert_eq!(decoded.op, Op::Update);
    assert_eq!(
        (decoded.before, decoded.after),
        (Some(Digest(7)), Some(Digest(9)))
    );
    assert_eq!(decoded.changed, [1]);
    assert_eq!(back.record(0).values().collect::<Vec<_>>(), values);
}

#[test]
fn a_torn_action_is_corrupt_at_every_length() {
    let batch = record(&[Value::Int(1), Value::Text("abc")]);
    let mut bytes = Vec::new();
    action(&batch).encode(&mut bytes);
    for len in 0..bytes.len() {
        let error = decode(&bytes[..len], &mut Batch::new(2)).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "length {len}");
    }
}

#[test]
fn the_plan_s_text_shows_keys_and_field_names_only() {
    let batch = record(&[Value::Text("o'\u{1b}[31mx"), Value::Text("secret")]);
    let plan = CollectionPlan {
        source: "planes".into(),
        target: "planes".into(),
        fields: vec!["tailnum".into(), "model".into()],
        key: vec![0],
        create: None,
        load: None,
        counts: Counts {
            inserts: 0,
            updates: 1,
            deletes: 0,
        },
        target_records: 1,
        left_alone: 0,
        parked: 0,
    };
    let mut out = String::new();
    plan.write_header(&mut out);
    let decoded = Decoded {
        op: Op::Update,
        before: None,
        after: None,
        changed: vec![1],
    };
    plan.write_action(&decoded, batch.record(0), &mut out);
    assert_eq!(
        out,
        "collection planes: 0 to insert, 1 to update, 0 to delete\n  \
         update tailnum='o''\\u{1b}[31mx' fields=model\n"
    );
}

#[test]
fn the_plan_s_json_says_the_same_as_its_text() {
    let batch = record(&[Value::Int(7), Value::Text("b"), Value::Text("secret")]);
    let plan = CollectionPlan {
        source: "a".into(),
        target: "b".into(),
        fields: vec!["id".into(), "part".into(), "model".into()],
        key: vec![1, 0],
        create: None,
        load: Some(Load { records: Some(3) }),
        counts: Counts {
            inserts: 0,
            updates: 1,
            deletes: 0,
        },
        target_records: 1,
        left_alone: 0,
        parked: 0,
    };
    assert_eq!(
        plan.header_json().to_string(),
        r#"{"collection":"b","create":null,"deletes":0,"inserts":0,"load":true,"load_records":3,"source":"a","updates":1}"#
    );
    let decoded = Decoded {
        op: Op::Update,
        before: None,
        after: None,
        changed: vec![2],
    };
    assert_eq!(
        plan.action_json(&decoded, batch.record(0)).to_string(),
        r#"{"collection":"b","fields":["model"],"key":{"id":7,"part":"b"},"op":"update"}"#
    );
}
