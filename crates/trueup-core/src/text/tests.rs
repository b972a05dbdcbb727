//! The plain text of values, class by class. That texts read back is tested with `cast`.

use super::*;

fn spelled(value: Value<'_>) -> String {
    let mut out = String::new();
    assert!(write(value, &mut out));
    out
}

#[test]
fn spellings() {
    let uuid = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef";
    for (value, expected) in [
        (Value::Bool(true), "true"),
        (Value::Bool(false), "false"),
        (Value::Int(i64::MIN), "-9223372036854775808"),
        (Value::Float(0.1), "0.1"),
        (Value::Float(1.0), "1"),
        (Value::Float(-0.0), "0"),
        (Value::Float(1e15), "1000000000000000"),
        (Value::Float(1e16), "1e16"),
        (Value::Float(-1.5e300), "-1.5e300"),
        (Value::Float(0.00001), "0.00001"),
        (Value::Float(1.25e-7), "1.25e-7"),
        (Value::Float(f64::NAN), "NaN"),
        (Value::Float(f64::INFINITY), "Infinity"),
        (Value::Float(f64::NEG_INFINITY), "-Infinity"),
        (Value::Decimal("1.500"), "1.500"),
        (Value::Text("a\0b"), "a\0b"),
        (Value::Bytes(b""), "\\x"),
        (Value::Bytes(b"\x00\xff\x1a"), "\\x00ff1a"),
        (Value::Date(0), "1970-01-01"),
        (Value::Time(1), "00:00:00.000001"),
        (Value::Timestamp(-1), "1969-12-31 23:59:59.999999"),
        (Value::Instant(0), "1970-01-01 00:00:00+00:00"),
        (Value::Instant(i64::MAX), "infinity"),
        (Value::Uuid(&uuid), "01234567-89ab-cdef-0123-456789abcdef"),
        (Value::Json("{ }"), "{ }"),
    ] {
        assert_eq!(spelled(value), expected);
    }
}

#[test]
fn no_text() {
    for value in [
        Value::Null,
        Value::Unchanged,
        Value::InvalidText(b"\xff"),
        Value::Uuid(b"short"),
    ] {
        let mut out = "before".to_owned();
        assert!(!write(value, &mut out));
        assert_eq!(out, "before");
    }
}
