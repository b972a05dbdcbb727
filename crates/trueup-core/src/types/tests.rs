use super::*;

#[test]
fn a_type_reads_as_it_is_written() {
    let mut all = vec![
        Type::Any,
        Type::Bool,
        Type::Float { bits: 32 },
        Type::FLOAT,
        Type::DECIMAL,
        Type::Decimal {
            size: Some((10, -2)),
        },
        Type::TEXT,
        Type::Text {
            chars_max: Some(20),
        },
        Type::BYTES,
        Type::Bytes { bytes_max: Some(3) },
        Type::Date,
        Type::Time,
        Type::Timestamp,
        Type::Instant,
        Type::Uuid,
        Type::Json,
    ];
    for bits in [8, 16, 24, 32, 64] {
        for signed in [true, false] {
            all.push(Type::Int { bits, signed });
        }
    }
    for ty in all {
        assert_eq!(ty.to_string().parse::<Type>().ok(), Some(ty));
    }
}

#[test]
fn what_is_no_type_is_refused() {
    for text in [
        "",
        "int7",
        "Text",
        "text(",
        "text()",
        "text(-1)",
        "decimal(1)",
        "date(3)",
    ] {
        assert!(text.parse::<Type>().is_err(), "{text}");
    }
}
