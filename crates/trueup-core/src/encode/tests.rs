//! The two encodings against an independent comparison of values, and their bytes against a golden file.

use super::*;
use crate::decimal::tests::naive;
use crate::samples::{self, CASES, Owned, encoded, hex};
use crate::types::Type;
use proptest::collection::vec;
use proptest::prelude::*;
use std::cmp::Ordering;

fn keyed(values: &[Owned]) -> Vec<u8> {
    let mut out = Vec::new();
    for owned in values {
        key(owned.value(), &mut out);
    }
    out
}

/// Compares values of one class without encoding them; `None` for two classes, and for JSON, which has no order.
fn compare(one: &Owned, other: &Owned) -> Option<Ordering> {
    Some(match (one, other) {
        (Owned::Null, Owned::Null) | (Owned::Unchanged, Owned::Unchanged) => Ordering::Equal,
        (Owned::Bool(a), Owned::Bool(b)) => a.cmp(b),
        (Owned::Int(a), Owned::Int(b)) => a.cmp(b),
        (Owned::Float(a), Owned::Float(b)) => a
            .partial_cmp(b)
            .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())),
        (Owned::Decimal(a), Owned::Decimal(b)) => naive(a, b),
        (Owned::Text(a), Owned::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Owned::InvalidText(a), Owned::InvalidText(b)) | (Owned::Bytes(a), Owned::Bytes(b)) => {
            a.cmp(b)
        }
        (Owned::Date(a), Owned::Date(b)) => a.cmp(b),
        (Owned::Time(a), Owned::Time(b))
        | (Owned::Timestamp(a), Owned::Timestamp(b))
        | (Owned::Instant(a), Owned::Instant(b)) => a.cmp(b),
        (Owned::Uuid(a), Owned::Uuid(b)) => a.cmp(b),
        _ => return None,
    })
}

fn same_class() -> impl Strategy<Value = (Owned, Owned)> {
    prop::sample::select(vec![
        Type::Bool,
        Type::INT,
        Type::Int {
            bits: 8,
            signed: true,
        },
        Type::Int {
            bits: 64,
            signed: false,
        },
        Type::FLOAT,
        Type::Float { bits: 32 },
        Type::DECIMAL,
        Type::TEXT,
        Type::Bytes { bytes_max: Some(3) },
        Type::Date,
        Type::Time,
        Type::Timestamp,
        Type::Instant,
        Type::Uuid,
    ])
    .prop_flat_map(|ty| (samples::of_type(ty), samples::of_type(ty)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES * 4))]

    #[test]
    fn order_of_keys_is_order_of_values((one, other) in same_class()) {
        if let Some(order) = compare(&one, &other) {
            let (a, b) = (keyed(std::slice::from_ref(&one)), keyed(std::slice::from_ref(&other)));
            prop_assert_eq!(a.cmp(&b), order, "{:?} {:?}", one, other);
            prop_assert_eq!(encoded(one.value()) == encoded(other.value()), order.is_eq());
        }
    }

    #[test]
    fn both_encodings_agree_on_equality(one in samples::any_value(), other in samples::any_value()) {
        let by_key = keyed(std::slice::from_ref(&one)) == keyed(std::slice::from_ref(&other));
        prop_assert_eq!(by_key, encoded(one.value()) == encoded(other.value()));
        match compare(&one, &other) {
            Some(order) => prop_assert_eq!(by_key, order.is_eq()),
            None => prop_assert!(!by_key || matches!(one, Owned::Json(_)), "{:?} {:?}", one, other),
        }
    }

    #[test]
    fn composite_keys_order_field_by_field(pairs in vec(same_class(), 1..4)) {
        let fields: Option<Vec<Ordering>> = pairs.iter().map(|(a, b)| compare(a, b)).collect();
        prop_assume!(fields.is_some());
        let order = fields.unwrap().into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal);
        let (one, other): (Vec<Owned>, Vec<Owned>) = pairs.into_iter().unzip();
        prop_assert_eq!(keyed(&one).cmp(&keyed(&other)), order);
    }

    #[test]
    fn records_are_equal_exactly_when_all_values_are(
        one in vec(samples::any_value(), 0..4), other in vec(samples::any_value(), 0..4)
    ) {
        let each = |values: &[Owned]| values.iter().map(|v| encoded(v.value())).collect::<Vec<_>>();
        let all = each(&one) == each(&other);
        prop_assert_eq!(each(&one).concat() == each(&other).concat(), all);
        prop_assert_eq!(keyed(&one) == keyed(&other), all);
    }

    #[test]
    fn a_record_is_its_values(values in vec(samples::any_value(), 1..5)) {
        let batch = samples::batch(&values);
        let mut out = Vec::new();
        record(samples::only(&batch), &mut out);
        prop_assert_eq!(out, values.iter().flat_map(|v| encoded(v.value())).collect::<Vec<_>>());
    }
}

fn text(v: &str) -> Owned {
    Owned::Text(v.to_owned())
}

#[test]
fn fields_do_not_run_together() {
    for (one, other) in [
        ([text("a|b"), text("c")], [text("a"), text("b|c")]),
        ([text("ab"), text("")], [text("a"), text("b")]),
        ([text("a\0"), text("b")], [text("a"), text("\0b")]),
        ([text(""), text("\0")], [text("\0"), text("")]),
        ([Owned::Null, text("")], [text(""), Owned::Null]),
        (
            [Owned::Decimal("x".into()), text("")],
            [Owned::Decimal("x\0".into()), text("")],
        ),
    ] {
        assert_ne!(keyed(&one), keyed(&other));
        let joined = |pair: &[Owned; 2]| pair.each_ref().map(|v| encoded(v.value())).concat();
        assert_ne!(joined(&one), joined(&other));
    }
}

#[test]
fn what_looks_alike_is_not_equal() {
    let values = [
        Owned::Null,
        Owned::Unchanged,
        text(""),
        text("<null>"),
        text("NULL"),
        Owned::Bytes(vec![]),
        Owned::Int(0),
        Owned::Bool(false),
        Owned::Float(0.0),
        Owned::Decimal("0".into()),
        text("0"),
        Owned::Json("0".into()),
        Owned::Date(0),
        Owned::Time(0),
        Owned::Timestamp(0),
        Owned::Instant(0),
        Owned::Uuid([0; 16]),
        Owned::Decimal("nonsense".into()),
        Owned::InvalidText(vec![]),
    ];
    for (index, one) in values.iter().enumerate() {
        for other in &values[..index] {
            assert_ne!(
                encoded(one.value()),
                encoded(other.value()),
                "{one:?} {other:?}"
            );
            assert_ne!(
                keyed(std::slice::from_ref(one)),
                keyed(std::slice::from_ref(other))
            );
        }
    }
}

#[test]
fn digest_ignores_what_the_scratch_held() {
    let batch = samples::batch(&[Owned::Int(1), text("a")]);
    let mut scratch = vec![9; 100];
    let first = digest(samples::only(&batch), &mut scratch);
    assert_eq!(first, digest(samples::only(&batch), &mut Vec::new()));
    assert_eq!(first, Digest::of(&scratch));
}

/// The bytes are a contract: a difference here means that [`VERSION`] must change.
#[test]
fn a_long_value_is_digested_where_it_stands() {
    let long = "long ".repeat(2 << 20);
    let values = [
        Value::Int(1),
        Value::Text(&long),
        Value::Bytes(long.as_bytes()),
        Value::Text("short"),
        Value::Bytes(b"\0"),
        Value::InvalidText(long.as_bytes()),
        Value::Null,
        Value::Decimal("1.50"),
    ];
    let mut batch = crate::batch::Batch::new(values.len());
    for value in values {
        batch.push(value);
    }
    let mut whole = Vec::new();
    record(batch.record(0), &mut whole);
    let mut scratch = b"old".to_vec();
    assert_eq!(digest(batch.record(0), &mut scratch), Digest::of(&whole));
    assert!(scratch.capacity() < 1 << 20, "nothing long was copied");
}

#[test]
fn golden() {
    samples::check_cases("encode.txt", |notation| {
        let owned = samples::parse(notation);
        format!("{} {}", hex(&encoded(owned.value())), hex(&keyed(&[owned])))
    });
}
