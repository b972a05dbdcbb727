//! What is written is read: any value, in the class that its field has.

use crate::file::format::{Records, Row, Spelling};
use crate::jsonl::read::Reader;
use crate::jsonl::write::Spelled;
use proptest::prelude::*;
use std::path::Path;
use trueup_core::batch::Batch;
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_core::{cast, encode};
use trueup_testkit::owned::Owned;

fn value() -> impl Strategy<Value = (Type, Owned)> {
    let json = prop_oneof![
        Just("[1, {\"a\" : \"x y\\n\"}]"),
        Just("\"text\""),
        Just(" true "),
        Just("1.50"),
        Just("{\"b\":null}"),
    ];
    prop_oneof![
        any::<String>().prop_map(|text| (Type::TEXT, Owned::from(text))),
        any::<i64>().prop_map(|number| (Type::INT, Owned::Int(number))),
        any::<bool>().prop_map(|truth| (Type::Bool, Owned::Bool(truth))),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| (Type::FLOAT, Owned::Float(number))),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| (Type::Any, Owned::Float(number))),
        "-?[0-9]{1,30}(\\.[0-9]{1,30})?".prop_map(|text| (Type::DECIMAL, Owned::Decimal(text))),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(|b| (Type::BYTES, Owned::Bytes(b))),
        any::<i32>().prop_map(|days| (Type::Date, Owned::Date(days / 1000))),
        (0..86_400_000_000_i64).prop_map(|time| (Type::Time, Owned::Time(time))),
        any::<i64>().prop_map(|at| (Type::Timestamp, Owned::Timestamp(at / 100))),
        any::<i64>().prop_map(|at| (Type::Instant, Owned::Instant(at / 100))),
        any::<[u8; 16]>().prop_map(|id| (Type::Uuid, Owned::Uuid(id.into()))),
        json.prop_map(|text| (Type::Json, Owned::Json(text.to_owned()))),
        Just((Type::TEXT, Owned::Null)),
    ]
}

fn encoded(value: Value<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode::value(value, &mut bytes);
    bytes
}

proptest! {
    #[test]
    fn what_is_written_is_read(rows in prop::collection::vec((value(), any::<String>()), 1..6)) {
        for line_end in ["\n", "\r\n"] {
            let mut spelled = Spelled::new(line_end);
            let mut bytes = Vec::new();
            for ((_, value), name) in &rows {
                spelled.begin(&mut bytes);
                bytes.extend(spelled.label(name));
                spelled.value(0, value.value(), &mut bytes).unwrap();
                spelled.end(&mut bytes);
            }
            let mut reader = Reader::new(bytes.as_slice(), Path::new("x"), false).unwrap();
            for ((ty, value), name) in &rows {
                reader.expect(&[name]);
                let row = reader.next_row().unwrap().unwrap();
                let mut cell = Batch::new(1);
                cast::push(row.value(0, *ty), *ty, &mut cell).unwrap();
                prop_assert_eq!(encoded(cell.record(0).value(0)), encoded(value.value()), "{} {:?}", ty, value);
            }
            prop_assert!(reader.next_row().unwrap().is_none());
        }
    }
}

#[test]
fn what_json_cannot_say_is_refused() {
    let mut spelled = Spelled::new("\n");
    for (value, why) in [
        (Value::Float(f64::NAN), "no NaN"),
        (Value::Float(f64::NEG_INFINITY), "no infinity"),
        (Value::Decimal("NaN"), "no NaN"),
        (Value::InvalidText(b"\xff"), "not valid UTF-8"),
        (Value::Json("null"), "a null of JSON"),
        (Value::Json(" null "), "a null of JSON"),
        (Value::Json("{\"a\":1,\"a\":2}"), "a key twice"),
        (Value::Json("\"\\ud800\""), "half a character"),
        (Value::Json("nonsense"), "not JSON"),
    ] {
        let mut out = b"before".to_vec();
        let refused = spelled.value(0, value, &mut out).unwrap_err();
        assert!(refused.contains(why), "{value:?}: {refused}");
        assert_eq!(out, b"before");
    }
}
