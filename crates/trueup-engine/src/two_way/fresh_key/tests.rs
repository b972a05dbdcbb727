//! Fresh keys of every kind, at every edge.

use super::*;
use proptest::prelude::*;
use trueup_core::cast;

const NAMES: [&str; 3] = ["a", "b", "c"];
const DIGEST: Digest = Digest(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

fn record(values: [Value<'_>; 3]) -> Batch {
    let mut batch = Batch::new(3);
    for value in values {
        batch.push(value);
    }
    batch
}

fn choose(types: [Type; 3], key: &[usize]) -> Result<FreshKey> {
    FreshKey::choose("planes", &NAMES, &types, key)
}

/// The fresh key of a one-field key of type `ty`.
fn fresh(ty: Type, old: Value<'_>, largest: Option<i64>, n: u64) -> Result<Batch> {
    let fresh_key = choose([Type::Json, ty, Type::BYTES], &[1]).unwrap();
    let record = record([Value::Json("{}"), old, Value::Bytes(b"x")]);
    let mut into = Batch::new(3);
    let made = fresh_key.fresh(record.record(0), DIGEST, largest, n, &mut into);
    if made.is_err() {
        assert!(into.is_empty() && into.bytes() == 0);
        return made.map(|()| into);
    }
    assert_eq!(into.len(), 1);
    let copy = into.record(0);
    assert_eq!(copy.value(0), Value::Json("{}"));
    assert_eq!(copy.value(2), Value::Bytes(b"x"));
    assert!(cast::fits(copy.value(1), ty));
    assert_ne!(copy.value(1), old);
    Ok(into)
}

#[track_caller]
fn check(ty: Type, old: Value<'_>, largest: Option<i64>, n: u64, wanted: Value<'_>) {
    let made = fresh(ty, old, largest, n).unwrap();
    assert_eq!(made.record(0).value(1), wanted);
}

#[test]
fn the_last_field_with_room_is_chosen() {
    let int = Type::INT;
    let short = Type::Text { chars_max: Some(9) };
    for (types, key, wanted) in [
        ([Type::TEXT, int, Type::Date], &[0, 1][..], Some(1)),
        ([Type::TEXT, int, Type::Date], &[1, 0], Some(0)),
        ([Type::TEXT, int, Type::Date], &[0, 1, 2], Some(1)),
        ([Type::Uuid, Type::Date, Type::Bool], &[0, 1, 2], Some(0)),
        ([Type::TEXT, short, Type::DECIMAL], &[0, 1, 2], Some(0)),
        (
            [
                Type::TEXT,
                Type::Text {
                    chars_max: Some(10),
                },
                int,
            ],
            &[0, 1],
            Some(1),
        ),
        ([short, Type::Date, Type::DECIMAL], &[0, 1, 2], None),
        ([Type::Any, Type::Json, Type::BYTES], &[0, 1, 2], None),
        ([int, int, int], &[], None),
    ] {
        let chosen = choose(types, key);
        let counts = chosen.as_ref().is_ok_and(FreshKey::counts);
        assert_eq!(
            counts,
            wanted.is_some_and(|field| matches!(types[field], Type::Int { .. }))
        );
        assert_eq!(
            chosen.as_ref().ok().map(FreshKey::field),
            wanted,
            "{types:?} {key:?}"
        );
        if let Err(error) = chosen {
            assert_eq!(error.kind(), Kind::Config);
            assert!(
                error.message().contains("collection=planes key="),
                "{error}"
            );
            assert!(error.advice().is_some());
        }
    }
}

#[test]
fn a_text_key_gets_a_mark() {
    check(
        Type::TEXT,
        Value::Text("n123"),
        None,
        0,
        Value::Text("n123~01234567"),
    );
    check(
        Type::TEXT,
        Value::Text(""),
        Some(9),
        0,
        Value::Text("~01234567"),
    );
    check(
        Type::TEXT,
        Value::Text("a~01234567"),
        None,
        0,
        Value::Text("a~01234567~01234567"),
    );
    check(
        Type::Text {
            chars_max: Some(13),
        },
        Value::Text("n123"),
        None,
        0,
        Value::Text("n123~01234567"),
    );
}

#[test]
fn a_long_text_key_is_cut_by_characters() {
    let narrow = Type::Text {
        chars_max: Some(12),
    };
    let made = |old: &str, n| {
        let made = fresh(narrow, Value::Text(old), None, n).unwrap();
        match made.record(0).value(1) {
            Value::Text(text) => text.to_owned(),
            other => panic!("{other:?}"),
        }
    };
    let one = made("grüße1", 0);
    assert!(
        one.starts_with("grü~") && one.chars().count() == 12,
        "{one}"
    );
    // Their beginnings are equal, the records' contents too: their marks are not.
    assert_ne!(one, made("grüße2", 0));
    assert_eq!(one, made("grüße1", 0));
    assert_ne!(made("n12", 0), made("n12", 1));
    assert_ne!(made("n12", 1), made("n12", 2));
}

#[test]
fn a_uuid_key_becomes_a_uuid_of_version_8() {
    let made = |old: &[u8], n| {
        let made = fresh(Type::Uuid, Value::Uuid(old), None, n).unwrap();
        match made.record(0).value(1) {
            Value::Uuid(bytes) => bytes.to_vec(),
            other => panic!("{other:?}"),
        }
    };
    let one = made(&[1; 16], 0);
    assert_eq!((one.len(), one[6] >> 4, one[8] >> 6), (16, 8, 0b10));
    assert_eq!(one, made(&[1; 16], 0));
    assert_ne!(one, made(&[2; 16], 0));
    assert_ne!(one, made(&[1; 16], 1));
}

#[test]
fn an_integer_key_is_the_next_one() {
    let int = |bits, signed| Type::Int { bits, signed };
    check(Type::INT, Value::Int(7), Some(10), 0, Value::Int(11));
    check(Type::INT, Value::Int(7), Some(10), 5, Value::Int(16));
    check(Type::INT, Value::Int(7), None, 0, Value::Int(8));
    check(Type::INT, Value::Int(7), Some(3), 0, Value::Int(8));
    check(Type::INT, Value::Int(i64::MIN), Some(-5), 0, Value::Int(-4));
    check(
        Type::INT,
        Value::Int(7),
        Some(i64::MAX - 1),
        0,
        Value::Int(i64::MAX),
    );
    check(int(8, true), Value::Int(7), Some(126), 0, Value::Int(127));
    check(int(8, false), Value::Int(7), Some(254), 0, Value::Int(255));
    check(
        int(32, true),
        Value::Int(7),
        Some(2_147_483_646),
        0,
        Value::Int(2_147_483_647),
    );
    check(
        int(64, false),
        Value::Int(7),
        Some(i64::MAX - 1),
        0,
        Value::Int(i64::MAX),
    );
    for (ty, largest, n) in [
        (Type::INT, i64::MAX, 0),
        (Type::INT, i64::MAX - 1, 1),
        (Type::INT, 0, u64::MAX),
        (Type::INT, 0, i64::MAX as u64),
        (int(64, false), i64::MAX, 0),
        (int(8, true), 127, 0),
        (int(8, true), 120, 7),
        (int(8, false), 255, 0),
        (int(16, true), 32_767, 0),
        (int(24, true), 8_388_607, 0),
        (int(32, false), 4_294_967_295, 0),
    ] {
        let error = fresh(ty, Value::Int(1), Some(largest), n).unwrap_err();
        assert_eq!(error.kind(), Kind::Rejected, "{ty} {largest} {n}");
        assert!(error.message().ends_with("field=b"), "{error}");
    }
}

#[test]
fn what_is_no_key_is_refused() {
    for (ty, old) in [
        (Type::TEXT, Value::Null),
        (Type::TEXT, Value::InvalidText(b"\xff")),
        (Type::Uuid, Value::Text("x")),
        (Type::INT, Value::Decimal("1")),
    ] {
        assert_eq!(
            fresh(ty, old, Some(1), 0).unwrap_err().kind(),
            Kind::Rejected
        );
    }
    let error = fresh(Type::TEXT, Value::Unchanged, None, 0).unwrap_err();
    assert_eq!(error.kind(), Kind::Bug);
}

proptest! {
    #[test]
    fn any_text_key_fits(old in any::<String>(), chars_max in 10_u32..40, n in 0_u64..3) {
        // `fresh` checks that it fits and differs.
        let old: String = old.chars().take(chars_max as usize).collect();
        let ty = Type::Text { chars_max: Some(chars_max) };
        prop_assert!(fresh(ty, Value::Text(&old), None, n).is_ok());
    }
}
