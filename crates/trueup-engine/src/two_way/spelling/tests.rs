use super::*;
use serde_json::json;

/// Values that JSON says less about than they are, and their spelling.
fn cases() -> Vec<(Value<'static>, Json)> {
    vec![
        (Value::Null, Json::Null),
        (Value::Bool(true), json!(true)),
        (Value::Int(i64::MIN), json!(i64::MIN)),
        (Value::Float(1.0), json!(1.0)),
        (Value::Float(f64::NAN), json!("NaN")),
        (Value::Float(f64::NEG_INFINITY), json!("-Infinity")),
        (Value::Decimal("1.50"), json!("1.50")),
        (Value::Text("1"), json!("1")),
        (Value::InvalidText(b"a\xff"), json!("a\u{fffd}")),
        (Value::Bytes(b"\x00\xff"), json!("\\x00ff")),
        (Value::Date(0), json!("1970-01-01")),
        (Value::Time(0), json!("00:00:00")),
        (Value::Timestamp(1), json!("1970-01-01 00:00:00.000001")),
        (Value::Instant(0), json!("1970-01-01 00:00:00+00:00")),
        (
            Value::Uuid(&[0xab; 16]),
            json!("abababab-abab-abab-abab-abababababab"),
        ),
        (Value::Json("{\"b\": 1}"), json!("{\"b\": 1}")),
    ]
}

#[test]
fn what_comes_back_as_it_was_spelled_is_what_it_was() {
    for (value, spelling) in cases() {
        assert_eq!(spelled(value), spelling, "{value:?}");
        let class = |meaning: Meaning<'_>| match meaning {
            Meaning::Held(value) => value.class(),
            Meaning::Either => "either",
            Meaning::Other => "other",
        };
        for shown in [&[value][..], &[value, value], &[Value::Int(77), value]] {
            let found = meaning(&spelling, shown.iter().copied());
            assert_eq!(class(found), value.class(), "{value:?} among {shown:?}");
        }
        let found = meaning(&json!("another"), [value, Value::Int(77)].into_iter());
        assert_eq!(found, Meaning::Other, "{value:?}");
    }
}

#[test]
fn what_is_spelled_alike_and_differs_is_nobodys_guess() {
    for (one, other) in [
        (Value::InvalidText(b"\xff"), Value::InvalidText(b"\xfe")),
        (Value::InvalidText(b"\xff"), Value::Text("\u{fffd}")),
        (Value::Bytes(b"\x00"), Value::Text("\\x00")),
    ] {
        let spelling = spelled(one);
        for shown in [[one, other], [other, one]] {
            let found = meaning(&spelling, shown.into_iter());
            assert_eq!(found, Meaning::Either, "{shown:?}");
        }
        assert_eq!(
            meaning(&spelling, [other].into_iter()),
            Meaning::Held(other)
        );
    }
}
