//! What equals what in a bag, and what is known of records that do not fit.

use super::super::Rules;
use super::*;
use crate::schema::{Field, Schema};
use crate::types::Type;

fn schema(count: Type) -> Schema {
    Schema {
        collection: "lines".to_owned(),
        fields: vec![
            Field::new("line", Type::TEXT, "text"),
            Field::new("count", count, format!("test:{count}")),
        ],
        ..Schema::default()
    }
}

fn bag(source: Type, target: Type) -> Mapping {
    let rules = Rules {
        bag: true,
        lossy: vec!["count".to_owned()],
        ..Rules::default()
    };
    Mapping::build(&schema(source), &schema(target), &rules).unwrap()
}

fn raw(line: Value<'_>, count: Value<'_>) -> Batch {
    let mut batch = Batch::new(2);
    batch.push(line);
    batch.push(count);
    batch
}

/// The keys of the source's and the target's record, and the source's standing.
fn keys(mapping: &Mapping, source: &Batch, target: &Batch) -> (Vec<u8>, Standing, Vec<u8>) {
    let (mut mapped, mut there) = (Keyed::new(2), Keyed::new(2));
    let mut scratch = Vec::new();
    mapping.map_source(source, &mut mapped, &mut Vec::new(), &mut scratch);
    mapping.map_target(target, &mut there, &mut scratch);
    let entry = mapped.entry(0);
    (
        entry.key.to_vec(),
        entry.standing,
        there.entry(0).key.to_vec(),
    )
}

#[test]
fn records_are_equal_by_meaning_and_nulls_are_values() {
    let mapping = bag(Type::DECIMAL, Type::DECIMAL);
    let one = Value::Decimal("1.0");
    for (source, target, equal) in [
        (
            (Value::Text("a"), one),
            (Value::Text("a"), Value::Decimal("1.00")),
            true,
        ),
        ((Value::Null, Value::Null), (Value::Null, Value::Null), true),
        ((Value::Null, one), (Value::Text(""), one), false),
        ((Value::Text("a"), one), (Value::Text("A"), one), false),
    ] {
        let (source, target) = (raw(source.0, source.1), raw(target.0, target.1));
        let (ours, standing, theirs) = keys(&mapping, &source, &target);
        assert_eq!(ours == theirs, equal, "{ours:?} {theirs:?}");
        assert!(matches!(standing, Standing::Present(_)));
        let same = mapping.digest_target(target.record(0));
        assert_eq!(standing == Standing::Present(same), equal);
    }
}

#[test]
fn a_record_that_does_not_fit_sorts_before_all_others() {
    let mapping = bag(Type::TEXT, Type::INT);
    let fits = raw(Value::Text("a"), Value::Int(1));
    let (misfit, standing, there) =
        keys(&mapping, &raw(Value::Text("a"), Value::Text("many")), &fits);
    assert_eq!((misfit.as_slice(), standing), (KEYLESS, Standing::Unknown));
    assert!(is_keyless(&misfit) && !is_keyless(&there));
    let (mut last, mut first) = (Vec::new(), Vec::new());
    number(&misfit, u64::MAX, &mut last);
    number(&there, 0, &mut first);
    assert!(last < first);
}

#[test]
fn numbers_ascend_within_a_key() {
    let keys = [0, 1, 255, 256, u64::MAX].map(|n| {
        let mut key = Vec::new();
        number(b"\x01key", n, &mut key);
        key
    });
    assert!(keys.is_sorted());
}

#[test]
fn a_bag_with_a_key_is_refused() {
    let rules = Rules {
        bag: true,
        key: vec!["line".to_owned()],
        ..Rules::default()
    };
    let shape = schema(Type::INT);
    let error = Mapping::build(&shape, &shape, &rules).unwrap_err();
    assert!(error.message().contains("a bag has no key"), "{error}");
}
