//! What is kept of a record, and that it is used for nothing else.

use super::*;
use crate::state::encode_record;
use trueup_core::base::{FieldDigest, Held};
use trueup_core::conflict::Resolution;
use trueup_core::digest::Digest;
use trueup_core::mapping;
use trueup_core::policy::OnDelete;
use trueup_testkit::records::schema;

fn batch(values: &[Value<'_>]) -> Batch {
    let mut batch = Batch::new(values.len());
    values.iter().for_each(|value| batch.push(*value));
    batch
}

fn present(record: &Batch, digests: Sides<u128>) -> Present {
    let values = record.record(0).values();
    let fields: Vec<FieldDigest> = values
        .map(|value| field_digest(value, &mut Vec::new()))
        .collect();
    let held = |digest| Held {
        digest: Digest(digest),
        fields: &fields,
        version: None,
    };
    Present::new(digests.map(held), 1)
}

#[test]
fn only_what_is_merged_is_kept() {
    let (long, text) = ("x".repeat(TEXT_BYTES_MAX + 1), "x".repeat(TEXT_BYTES_MAX));
    let json = format!("\"{}\"", "x".repeat(JSON_BYTES_MAX));
    let record = batch(&[
        Value::Text(&text),
        Value::Text(&long),
        Value::Json("{}"),
        Value::Json(&json),
        Value::Null,
        Value::Int(1),
        Value::Bytes(b"x"),
    ]);
    let kept = batch(&[
        Value::Text(&text),
        Value::Unchanged,
        Value::Json("{}"),
        Value::Unchanged,
        Value::Null,
        Value::Unchanged,
        Value::Unchanged,
    ]);
    let same = present(&record, Sides::new(1, 1));
    let whole = Some(record.record(0));
    let expected = encode_record(kept.record(0));
    assert_eq!(Agreed::on(same.clone(), whole, true).kept, Some(expected));
    assert_eq!(Agreed::on(same, whole, false).kept, None);
    let spelled = present(&record, Sides::new(1, 2));
    assert_eq!(Agreed::on(spelled, whole, true).kept, None);
}

/// Merges field 1 of records with the key, that field, and one that is no text, all of them left to merging.
fn merged(
    field: Type,
    base: Value<'_>,
    entry: Value<'_>,
    source: Value<'_>,
    target: Value<'_>,
) -> Verdict {
    let schema = schema("t")
        .int("id")
        .field("f", field)
        .int("n")
        .key(["id"])
        .build();
    let shared = Shared::build(&schema, &schema, &mapping::Rules::default()).unwrap();
    let rules = Rules::new(3, Policy::Merge, &[], OnDelete::Keep, None).unwrap();
    let at = |name: &str| {
        shared
            .names(Side::Source)
            .iter()
            .position(|n| *n == name)
            .unwrap()
    };
    let record = |value: Value<'_>| {
        let mut values = [Value::Int(1); 3];
        values[at("f")] = value;
        batch(&values)
    };
    let field = |field| FieldRuling {
        field,
        policy: Some(Policy::Merge),
        resolution: Resolution::Open,
    };
    let ruling = Ruling {
        kind: ConflictKind::UpdateUpdate,
        fields: vec![field(at("f"))],
        resolution: Resolution::Open,
    };
    let (source, target) = (record(source), record(target));
    let records = Sides::new(Some(source.record(0)), Some(target.record(0)));
    let (kept, agreed) = (record(base), present(&record(entry), Sides::new(1, 1)));
    let merging = Merging::of(&rules, &shared);
    let mut verdicts = merging.ask(&ruling, &records, Some((&kept, &agreed)));
    assert_eq!(verdicts.len(), 1);
    assert_eq!(verdicts[0].0, at("f"));
    verdicts.remove(0).1
}

fn shown(verdict: &Verdict) -> String {
    format!("{:?} {:?}", verdict.answer(), verdict.note())
}

#[test]
fn json_that_is_kept_as_a_text_is_merged_as_json_and_stays_a_text() {
    let [base, source, target] = [r#"{"a":1,"b":1}"#, r#"{"a":2,"b":1}"#, r#"{"b":3,"a":1}"#];
    let wanted = r#"{"a":2,"b":3}"#;
    for (of, result) in [
        (Value::Text as fn(_) -> _, Value::Text(wanted)),
        (Value::Json as fn(_) -> _, Value::Json(wanted)),
    ] {
        let verdict = merged(Type::Json, of(base), of(base), of(source), of(target));
        let expected = format!("Value({result:?}) None");
        assert_eq!(shown(&verdict), expected);
    }
    // As a text it would be merged by lines; as JSON it is none.
    let [base, source, target] = ["a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n"].map(Value::Text);
    let verdict = merged(Type::Json, base, base, source, target);
    assert!(verdict.note().is_some(), "{}", shown(&verdict));
    let verdict = merged(Type::TEXT, base, base, source, target);
    assert_eq!(shown(&verdict), r#"Value(Text("A\nb\nC\n")) None"#);
}

#[test]
fn a_value_that_is_not_the_one_agreed_on_is_not_used() {
    let [base, source, target] = ["a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n"].map(Value::Text);
    for kept in [Value::Unchanged, Value::Null, source, Value::Text("")] {
        let verdict = merged(Type::TEXT, kept, base, source, target);
        let note = "the value that both sides agreed on is not kept";
        assert_eq!(verdict.note(), Some(note), "{kept:?}");
    }
    let verdict = merged(Type::Date, base, base, source, target);
    let note = "only texts and JSON objects are merged";
    assert_eq!(verdict.note(), Some(note));
}

#[test]
fn a_merged_text_that_its_field_cannot_hold_stays_open() {
    let short = Type::Text { chars_max: Some(7) };
    let [base, source, target] = ["a\nb\nc\n", "a\nb\nc\nd", "x\na\nb\nc"].map(Value::Text);
    let verdict = merged(short, base, base, source, target);
    let note = verdict.note().unwrap_or_default();
    assert!(!note.is_empty(), "{}", shown(&verdict));
}
