//! Expressions as a person writes them, and as nobody should.

use super::*;
use crate::expression::{JSON_BYTES_MAX, LOOP_BYTES_MAX, TEXT_BYTES_MAX, VALUES_BYTES_MAX};
use trueup_core::error::Kind;
use trueup_core::text;

mod answers;
mod any;
mod bounds;

const NAMES: [&str; 17] = [
    "id", "name", "qty", "price", "ratio", "live", "raw", "day", "at", "seen", "stamp", "uid",
    "tags", "small", "any", "code", "größe",
];
const TYPES: [Type; 17] = [
    Type::INT,
    Type::TEXT,
    Type::INT,
    Type::DECIMAL,
    Type::FLOAT,
    Type::Bool,
    Type::BYTES,
    Type::Date,
    Type::Time,
    Type::Timestamp,
    Type::Instant,
    Type::Uuid,
    Type::Json,
    Type::Int {
        bits: 16,
        signed: true,
    },
    Type::Any,
    Type::Text { chars_max: Some(3) },
    Type::TEXT,
];
const SHAPE: Shape<'static> = Shape {
    names: &NAMES,
    types: &TYPES,
    key: &[0],
};
const UUID: [u8; 16] = [0xab; 16];

fn field(name: &str) -> usize {
    NAMES.iter().position(|&known| known == name).unwrap()
}

fn source() -> Batch {
    record(&[
        ("id", Value::Int(7)),
        ("name", Value::Text("ann")),
        ("qty", Value::Int(9)),
        ("price", Value::Decimal("9.50")),
        ("ratio", Value::Float(0.5)),
        ("live", Value::Bool(true)),
        ("raw", Value::Bytes(b"\0\xff")),
        ("day", Value::Date(0)),
        ("at", Value::Time(3_600_000_000)),
        ("seen", Value::Timestamp(0)),
        ("stamp", Value::Instant(0)),
        ("uid", Value::Uuid(&UUID)),
        ("tags", Value::Json(r#"["a","b",{"n":1.50,"m":null}]"#)),
        ("small", Value::Int(1)),
        ("any", Value::Text("x")),
        ("code", Value::Text("abc")),
        ("größe", Value::Text("ü")),
    ])
}

fn target() -> Batch {
    record(&[
        ("id", Value::Int(7)),
        ("name", Value::Text("bob")),
        ("qty", Value::Int(10)),
        ("price", Value::Decimal("10.00")),
        ("ratio", Value::Float(0.25)),
        ("live", Value::Bool(false)),
        ("raw", Value::Bytes(b"x")),
        ("day", Value::Date(i32::MAX)),
        ("at", Value::Time(0)),
        ("seen", Value::Timestamp(i64::MIN)),
        ("stamp", Value::Instant(1)),
        ("uid", Value::Null),
        ("tags", Value::Json(r#"["b","c"]"#)),
        ("small", Value::Int(30_000)),
        ("any", Value::Int(5)),
        ("code", Value::Null),
        ("größe", Value::Text("x")),
    ])
}

fn record(values: &[(&str, Value<'_>)]) -> Batch {
    let mut batch = Batch::new(NAMES.len());
    for name in NAMES {
        let value = values.iter().find(|(known, _)| *known == name);
        batch.push(value.map_or(Value::Null, |&(_, value)| value));
    }
    batch
}

fn ask(text: &str, of: Option<&str>, source: Option<&Batch>, target: Option<&Batch>) -> Verdict {
    let expression = Expression::compile(text, &SHAPE, of.map(field)).unwrap();
    let sides = Sides::new(source, target);
    expression.evaluate(&sides.map(|batch| batch.map(|batch| batch.record(0))))
}

fn shown(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Side(side) => side.name().to_owned(),
        Verdict::Open(None) => "open".to_owned(),
        Verdict::Open(Some(note)) => format!("open: {note}"),
        Verdict::Value(batch) => {
            let value = batch.record(0).value(0);
            let mut out = String::new();
            text::write(value, &mut out);
            format!("{} {out}", value.class())
        }
    }
}

/// What the expression for `of` says about the two records above.
#[track_caller]
fn check(text: &str, of: Option<&str>, wanted: &str) {
    let verdict = ask(text, of, Some(&source()), Some(&target()));
    assert_eq!(shown(&verdict), wanted, "{text}");
}
