//! What is written is read back: values, types, keys.

use super::*;

const SMALL: Type = Type::Decimal { size: Some((9, 2)) };
const WIDE: Type = Type::Decimal {
    size: Some((38, 10)),
};
const WIDEST: Type = Type::Decimal {
    size: Some((76, 38)),
};

fn int(bits: u8, signed: bool) -> Type {
    Type::Int { bits, signed }
}

/// Types of numbers, with values that stand at their edges.
fn numbers() -> Vec<(Type, Vec<Value<'static>>)> {
    let digits = "99999999999999999999999999999999999999.99999999999999999999999999999999999999";
    vec![
        (Type::Bool, vec![Value::Bool(true), Value::Bool(false)]),
        (int(8, true), vec![Value::Int(-128), Value::Int(127)]),
        (int(8, false), vec![Value::Int(0), Value::Int(255)]),
        (int(16, true), vec![Value::Int(-32768), Value::Int(32767)]),
        (int(16, false), vec![Value::Int(65535)]),
        (int(24, true), vec![Value::Int(-8_388_608)]),
        (int(24, false), vec![Value::Int(16_777_215)]),
        (int(32, true), vec![Value::Int(i64::from(i32::MIN))]),
        (int(32, false), vec![Value::Int(i64::from(u32::MAX))]),
        (Type::INT, vec![Value::Int(i64::MIN), Value::Int(i64::MAX)]),
        (
            int(64, false),
            vec![Value::Int(0), Value::Decimal("18446744073709551615")],
        ),
        (
            Type::Float { bits: 32 },
            vec![
                Value::Float(0.1_f32.into()),
                Value::Float(f64::INFINITY),
                Value::Float(f32::MIN_POSITIVE.into()),
            ],
        ),
        (
            Type::FLOAT,
            vec![
                Value::Float(0.1),
                Value::Float(-0.0),
                Value::Float(f64::NAN),
                Value::Float(f64::NEG_INFINITY),
                Value::Float(5e-324),
            ],
        ),
        (
            SMALL,
            vec![
                Value::Decimal("9999999.99"),
                Value::Decimal("-0.01"),
                Value::Decimal("0.00"),
                Value::Decimal("120.00"),
            ],
        ),
        (
            WIDE,
            vec![
                Value::Decimal("-9999999999999999999999999999.9999999999"),
                Value::Decimal("0.0000000001"),
            ],
        ),
        (WIDEST, vec![Value::Decimal(digits)]),
        (
            Type::DECIMAL,
            vec![
                Value::Decimal("NaN"),
                Value::Decimal("-123456789012345678901234567890.000000000000000000000000000001"),
            ],
        ),
    ]
}

/// All types, with values that stand at their edges.
fn cases() -> Vec<(Type, Vec<Value<'static>>)> {
    let mut all = numbers();
    all.extend([
        (
            Type::Text { chars_max: Some(5) },
            vec![Value::Text(""), Value::Text("aé漢\u{0}z")],
        ),
        (
            Type::TEXT,
            vec![Value::Text("null"), Value::Text("\r\n,\"")],
        ),
        (
            Type::BYTES,
            vec![Value::Bytes(b""), Value::Bytes(b"\xff\x00")],
        ),
        (
            Type::Bytes { bytes_max: Some(3) },
            vec![Value::Bytes(b"abc")],
        ),
        (
            Type::Date,
            vec![Value::Date(-2_440_588), Value::Date(i32::MAX - 1)],
        ),
        (
            Type::Time,
            vec![Value::Time(0), Value::Time(86_399_999_999)],
        ),
        (
            Type::Timestamp,
            vec![Value::Timestamp(i64::MIN + 1), Value::Timestamp(-1)],
        ),
        (
            Type::Instant,
            vec![Value::Instant(i64::MAX - 1), Value::Instant(1)],
        ),
        (Type::Uuid, vec![Value::Uuid(b"0123456789abcdef")]),
        (
            Type::Json,
            vec![Value::Json("null"), Value::Json("{\"b\": [1e2, \"x\"]}")],
        ),
    ]);
    all
}

#[test]
fn every_type_comes_back_as_it_was() {
    for (ty, values) in cases() {
        let folder = Folder::new();
        let mut endpoint = folder.open("");
        let wanted = schema(&[("id", Type::INT), ("v", ty)]);
        let shape = create(endpoint.as_mut(), &wanted).unwrap();
        assert_eq!(shape.fields[1].ty, ty, "{ty}: {}", shape.fields[1].native);
        assert_eq!(shape.key, [0], "{ty}");
        assert!(!shape.fields[0].nullable && shape.fields[1].nullable);
        let all = values.iter().copied().chain([Value::Null]);
        let records: Vec<(Op, Vec<Value<'_>>)> = (0..)
            .zip(all)
            .map(|(id, value)| (Op::Insert, vec![Value::Int(id), value]))
            .collect();
        let applied = write(endpoint.as_mut(), &shape, &records, true).unwrap();
        let done = |outcome: &trueup_core::endpoint::Outcome| {
            *outcome == trueup_core::endpoint::Outcome::Applied(None)
        };
        assert!(applied.outcomes.iter().all(done), "{ty}: {applied:?}");
        let found = read(folder.open("t.parquet").as_mut(), "t").unwrap();
        let spelled = |rows: &[Vec<Owned>]| format!("{rows:?}");
        let expected: Vec<Vec<Owned>> = records
            .iter()
            .map(|(_, record)| record.iter().map(|&value| Owned::from(value)).collect())
            .collect();
        assert_eq!(spelled(&found), spelled(&expected), "{ty}");

        // And again, through a rewrite that touches another record.
        let more = [(Op::Insert, vec![Value::Int(99), Value::Null])];
        let mut endpoint = folder.open("");
        let shape = endpoint.schema("t").unwrap().unwrap();
        assert_eq!(shape.fields[1].ty, ty);
        write(endpoint.as_mut(), &shape, &more, false).unwrap();
        let again = read(folder.open("").as_mut(), "t").unwrap();
        assert_eq!(
            spelled(&again[..expected.len()]),
            spelled(&expected),
            "{ty}"
        );
        assert_eq!(again.len(), expected.len() + 1);
    }
}

#[test]
fn what_a_column_does_not_hold_is_refused_alone() {
    use trueup_core::endpoint::Outcome;
    let cases = [
        (SMALL, Value::Decimal("0.001"), "fewer digits"),
        (SMALL, Value::Decimal("10000000"), "fewer digits"),
        (SMALL, Value::Decimal("NaN"), "neither NaN"),
        (Type::Date, Value::Date(i32::MAX), "no infinite"),
        (Type::Instant, Value::Instant(i64::MIN), "no infinite"),
        (Type::Time, Value::Time(86_400_000_000), "before 24:00"),
        (int(8, true), Value::Int(128), "range"),
        (int(64, false), Value::Int(-1), "range"),
        (Type::Float { bits: 32 }, Value::Float(0.1), "range"),
        (Type::TEXT, Value::InvalidText(b"\xff"), "UTF-8"),
    ];
    for (ty, value, why) in cases {
        let folder = Folder::new();
        let mut endpoint = folder.open("");
        let wanted = schema(&[("id", Type::INT), ("v", ty)]);
        let shape = create(endpoint.as_mut(), &wanted).unwrap();
        let records = [
            (Op::Insert, vec![Value::Int(1), value]),
            (Op::Insert, vec![Value::Int(2), Value::Null]),
            (Op::Insert, vec![Value::Null, Value::Null]),
        ];
        let applied = write(endpoint.as_mut(), &shape, &records, true).unwrap();
        let Outcome::Rejected { reason, .. } = &applied.outcomes[0] else {
            panic!("{ty}: {applied:?}");
        };
        assert!(
            reason.contains(why) && reason.contains("field=v"),
            "{reason}"
        );
        assert_eq!(applied.outcomes[1], Outcome::Applied(None));
        assert!(matches!(applied.outcomes[2], Outcome::Rejected { .. }));
        let found = read(folder.open("").as_mut(), "t").unwrap();
        assert_eq!(found, [[Owned::Int(2), Owned::Null]]);
    }
}

#[test]
fn records_are_replaced_removed_and_kept_over_several_row_groups() {
    let folder = Folder::new();
    let mut endpoint = folder.open("?compress=none");
    let wanted = schema(&[("id", Type::INT), ("v", Type::TEXT)]);
    let shape = create(endpoint.as_mut(), &wanted).unwrap();
    let texts: Vec<String> = (0..20_000).map(|n| format!("text {n}")).collect();
    let all: Vec<(Op, Vec<Value<'_>>)> = (0..)
        .zip(&texts)
        .map(|(id, text)| (Op::Insert, vec![Value::Int(id), Value::Text(text)]))
        .collect();
    write(endpoint.as_mut(), &shape, &all, true).unwrap();
    let mut endpoint = folder.open("");
    let changes = [
        (Op::Delete, vec![Value::Int(0), Value::Null]),
        (Op::Update, vec![Value::Int(10_000), Value::Text("new")]),
        (Op::Insert, vec![Value::Int(20_000), Value::Null]),
    ];
    endpoint.schema("t").unwrap();
    write(endpoint.as_mut(), &shape, &changes, false).unwrap();
    let found = read(folder.open("").as_mut(), "t").unwrap();
    assert_eq!(found.len(), 20_000);
    assert_eq!(found[0][0], Owned::Int(1));
    assert_eq!(
        found[9_999],
        [Owned::Int(10_000), Owned::Text("new".into())]
    );
    assert_eq!(found[10_000][1], Owned::Text("text 10001".into()));
    assert_eq!(found[19_999], [Owned::Int(20_000), Owned::Null]);
}
