//! Building a mapping: what pairs, what is refused, and what happens to a record that does not fit.

use super::*;
use crate::filter::{Compare, Term};
use crate::schema::{Field, Holds};

fn schema(name: &str, fields: &[(&str, Type)], key: &[usize]) -> Schema {
    Schema {
        collection: name.into(),
        fields: fields
            .iter()
            .map(|(name, ty)| Field::new(*name, *ty, format!("x:{ty}")))
            .collect(),
        key: key.to_vec(),
        ..Schema::default()
    }
}

fn people() -> Schema {
    schema(
        "people",
        &[
            ("id", Type::TEXT),
            ("name", Type::TEXT),
            ("age", Type::TEXT),
        ],
        &[0],
    )
}

fn people_at_target() -> Schema {
    let age = Type::Int {
        bits: 32,
        signed: true,
    };
    schema(
        "people",
        &[("age", age), ("id", Type::INT), ("name", Type::TEXT)],
        &[1],
    )
}

fn refused(source: &Schema, target: &Schema, rules: &Rules, expected: &str) {
    let error = Mapping::build(source, target, rules).unwrap_err();
    assert_eq!(error.kind(), crate::Kind::Config);
    let text = format!("{error:?}");
    assert!(text.contains(expected), "{text} lacks {expected}");
}

fn map(mapping: &Mapping, records: &[&[Value<'_>]]) -> (Keyed, Vec<Parked>) {
    let mut raw = Batch::new(mapping.source_fields().len());
    for record in records {
        for &value in *record {
            raw.push(value);
        }
    }
    let (mut out, mut parked) = (Keyed::new(mapping.fields().len()), Vec::new());
    mapping.map_source(&raw, &mut out, &mut parked, &mut Vec::new());
    (out, parked)
}

#[test]
fn fields_pair_by_name_in_the_target_s_order_and_types() {
    let mapping = Mapping::build(&people(), &people_at_target(), &Rules::default()).unwrap();
    assert_eq!(mapping.source_fields(), [2, 0, 1]);
    assert_eq!(mapping.target_fields(), [0, 1, 2]);
    assert_eq!(mapping.key(), [1]);
    assert_eq!(mapping.source_key(), Some(vec![1]));
    let (out, parked) = map(
        &mapping,
        &[&[Value::Text("41"), Value::Text("7"), Value::Text("A")]],
    );
    let values: Vec<Value<'_>> = out.entry(0).record.values().collect();
    assert_eq!(values, [Value::Int(41), Value::Int(7), Value::Text("A")]);
    assert!(parked.is_empty());
}

#[test]
fn a_value_that_does_not_fit_parks_its_record_and_keeps_its_key() {
    let mapping = Mapping::build(&people(), &people_at_target(), &Rules::default()).unwrap();
    let (out, parked) = map(
        &mapping,
        &[&[Value::Text("old"), Value::Text("7"), Value::Text("A")]],
    );
    assert_eq!(out.entry(0).standing, Standing::Unknown);
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].field.as_deref(), Some("age"));
    assert_eq!(parked[0].key, key_digest(out.entry(0).key));
    assert!(!parked[0].reason.contains("old"), "{}", parked[0].reason);
}

#[test]
fn a_null_key_parks_the_record() {
    let mapping = Mapping::build(&people(), &people_at_target(), &Rules::default()).unwrap();
    let (out, parked) = map(&mapping, &[&[Value::Null, Value::Null, Value::Null]]);
    assert!(out.is_empty());
    assert_eq!(parked[0].reason, "the key is null");
}

#[test]
fn a_filtered_record_is_unknown_and_not_parked() {
    let term = Term::new("name", Type::TEXT, Compare::Equal, Value::Text("A"));
    let filter = Filter::Terms("name is A".into(), vec![term.unwrap()]);
    let rules = Rules {
        filter: Some(filter),
        ..Rules::default()
    };
    let mapping = Mapping::build(&people(), &people_at_target(), &rules).unwrap();
    let (out, parked) = map(
        &mapping,
        &[
            &[Value::Text("1"), Value::Text("7"), Value::Text("A")],
            &[Value::Text("2"), Value::Text("8"), Value::Text("B")],
        ],
    );
    assert!(matches!(out.entry(0).standing, Standing::Present(_)));
    assert_eq!(out.entry(1).standing, Standing::Unknown);
    assert!(parked.is_empty());
}

#[test]
fn renamed_dropped_and_constant_fields() {
    let target = schema("p", &[("no", Type::INT), ("origin", Type::TEXT)], &[0]);
    let rules = Rules {
        rename: vec![("id".into(), "no".into())],
        drop: vec!["name".into(), "age".into()],
        constants: vec![("origin".into(), "crm".into())],
        ..Rules::default()
    };
    let mapping = Mapping::build(&people(), &target, &rules).unwrap();
    let (out, _) = map(&mapping, &[&[Value::Text("7")]]);
    let values: Vec<Value<'_>> = out.entry(0).record.values().collect();
    assert_eq!(values, [Value::Int(7), Value::Text("crm")]);
}

#[test]
fn what_cannot_be_paired_is_refused_with_the_field_s_name() {
    let target = people_at_target();
    let extra = schema("people", &[("id", Type::INT), ("phone", Type::TEXT)], &[0]);
    refused(&extra, &target, &Rules::default(), "phone");
    let keyless = schema("people", &[("id", Type::INT)], &[]);
    let keyless_target = schema("people", &[("id", Type::INT)], &[]);
    refused(
        &keyless,
        &keyless_target,
        &Rules::default(),
        "--key people=",
    );
    let other = Rules {
        key: vec!["name".into()],
        ..Rules::default()
    };
    refused(&people(), &target, &other, "identifies records by id");
    let unknown = Rules {
        key: vec!["nope".into()],
        ..Rules::default()
    };
    refused(&people(), &target, &unknown, "nope");
}

#[test]
fn a_target_value_of_the_wrong_class_is_different_not_an_error() {
    let mapping = Mapping::build(&people(), &people_at_target(), &Rules::default()).unwrap();
    let mut raw = Batch::new(3);
    for value in [Value::Text("old"), Value::Int(7), Value::Text("A")] {
        raw.push(value);
    }
    let mut out = Keyed::new(3);
    mapping.map_target(&raw, &mut out, &mut Vec::new());
    assert_eq!(out.entry(0).record.value(0), Value::Text("old"));
}

/// A SQLite column may hold `'\x41'` and the byte it spells: two values, of which a text column elsewhere has one.
#[test]
fn bytes_among_texts_are_not_taken_for_the_text_that_spells_them() {
    let mixed = |declared: Type| {
        let mut schema = schema("t", &[("id", Type::INT), ("v", declared)], &[0]);
        schema.fields[1].holds = Holds::Mixed;
        schema
    };
    let typed = |ty| schema("t", &[("id", Type::INT), ("v", ty)], &[0]);
    let (text, bytes) = (Value::Text("\\x41"), Value::Bytes(b"A"));
    for (declared, other, stray, plain) in [
        (Type::TEXT, Type::TEXT, bytes, text),
        (Type::BYTES, Type::BYTES, text, bytes),
        (Type::TEXT, Type::BYTES, bytes, text),
    ] {
        let mapping = Mapping::build(&mixed(declared), &typed(other), &Rules::default()).unwrap();
        let mut raw = Batch::new(2);
        for value in [Value::Int(1), stray, Value::Int(2), plain] {
            raw.push(value);
        }
        let (mut out, mut parked) = (Keyed::new(2), Vec::new());
        mapping.take_source(&mut raw, &mut out, &mut parked, &mut Vec::new());
        assert_eq!(parked.len(), 1, "{declared} to {other}");
        assert_eq!(parked[0].key_text.as_deref(), Some("id=1"));
        assert!(parked[0].reason.contains("no values of this class"));
    }
    // At the target it is what it is, and differs.
    let rules = Rules::default();
    let mapping = Mapping::build(&typed(Type::TEXT), &mixed(Type::TEXT), &rules).unwrap();
    let mut raw = Batch::new(2);
    raw.push(Value::Int(1));
    raw.push(bytes);
    let mut out = Keyed::new(2);
    mapping.take_target(&mut raw, &mut out, &mut Vec::new());
    assert_eq!(out.records().record(0).value(1), bytes);
}

/// Verification found such records before: what the source has as JSON came back as a text.
#[test]
fn json_that_engines_disagree_about_is_parked_and_passes_between_equal_types() {
    let twice = "{\"a\": 1, \"a\": 2}";
    let deep = "[".repeat(600) + &"]".repeat(600);
    let source = schema("t", &[("id", Type::INT), ("v", Type::Json)], &[0]);
    let mut target = source.clone();
    target.fields[1].native = "y:json".to_owned();
    for (target, parked_records) in [(&source, 0), (&target, 2)] {
        let mapping = Mapping::build(&source, target, &Rules::default()).unwrap();
        let mut raw = Batch::new(2);
        for (id, text) in [(1, twice), (2, deep.as_str()), (3, "{\"a\": 1}")] {
            raw.push(Value::Int(id));
            raw.push(Value::Json(text));
        }
        let (mut out, mut parked) = (Keyed::new(2), Vec::new());
        mapping.take_source(&mut raw, &mut out, &mut parked, &mut Vec::new());
        assert_eq!(parked.len(), parked_records, "{parked:?}");
        assert_eq!(out.len(), 3);
    }
}

/// A file has no bytes: those of a field of no type would come back as the text that spells them.
#[test]
fn bytes_of_no_declared_type_are_no_text_of_a_file() {
    let source = schema("t", &[("id", Type::INT), ("v", Type::Any)], &[0]);
    for (holds, ty) in [(Holds::Spelled, Type::TEXT), (Holds::Marked, Type::Any)] {
        let (mut source, mut target) = (source.clone(), source.clone());
        source.fields[1].holds = Holds::Mixed;
        target.fields[1].native = "file".to_owned();
        (target.fields[1].holds, target.fields[1].inferred) = (holds, true);
        let mapping = Mapping::build(&source, &target, &Rules::default()).unwrap();
        assert_eq!(mapping.types()[1], ty);
        let (one, two) = (Value::Int(1), Value::Int(2));
        let (_, parked) = map(
            &mapping,
            &[&[one, Value::Bytes(b"A")], &[two, Value::Int(5)]],
        );
        assert_eq!(parked.len(), 1, "{parked:?}");
        assert_eq!(parked[0].key_text.as_deref(), Some("id=1"));
    }
}
