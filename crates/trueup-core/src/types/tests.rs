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
fn what_hints_list_are_all_the_types() {
    for name in Type::SPELLINGS {
        assert!(name.parse::<Type>().is_ok(), "{name}");
    }
    let names = |text: &str| {
        Type::SPELLINGS
            .into_iter()
            .filter(|name| *name == text)
            .count()
    };
    for (text, ty) in [("int", Type::INT), ("float", Type::FLOAT)] {
        assert_eq!((text.parse().ok(), names(text)), (Some(ty), 1));
    }
    let sized = ["decimal(10,2)", "text(80)", "bytes(16)"];
    let plain = [
        "any", "bool", "float32", "decimal", "text", "bytes", "date", "time",
    ];
    let more = ["timestamp", "instant", "uuid", "json"];
    let bits = [8, 16, 24, 32].into_iter().map(|bits| format!("int{bits}"));
    let unsigned = [8, 16, 24, 32, 64]
        .into_iter()
        .map(|bits| format!("uint{bits}"));
    let texts = sized
        .into_iter()
        .chain(plain)
        .chain(more)
        .map(str::to_owned);
    for name in texts.chain(bits).chain(unsigned) {
        assert_eq!(names(&name), 1, "{name}");
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
