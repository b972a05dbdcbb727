//! The types that cases try, and the values of each that are often got wrong.
//!
//! Values only: what must become of them is said by the cases.

use crate::owned::Owned;
use trueup_core::types::Type;

/// The types that an endpoint may declare to hold.
pub const HELD: &[Type] = &[
    Type::Any,
    Type::Bool,
    Type::INT,
    Type::Int {
        bits: 32,
        signed: true,
    },
    Type::Int {
        bits: 16,
        signed: true,
    },
    Type::Int {
        bits: 8,
        signed: true,
    },
    Type::Int {
        bits: 32,
        signed: false,
    },
    Type::FLOAT,
    Type::Float { bits: 32 },
    Type::DECIMAL,
    Type::Decimal {
        size: Some((10, 2)),
    },
    Type::TEXT,
    Type::Text { chars_max: Some(3) },
    Type::BYTES,
    Type::Bytes { bytes_max: Some(3) },
    Type::Date,
    Type::Time,
    Type::Timestamp,
    Type::Instant,
    Type::Uuid,
    Type::Json,
];

/// What any text field must bring back unharmed.
pub(super) const TEXTS: &[&str] = &[
    "",
    " ",
    "  both ends  ",
    "NULL",
    "null",
    "NA",
    "\\N",
    "\\.",
    "\\",
    "''",
    "'; drop table orders; --",
    "\"",
    "\"\"",
    "a,b;c\td|e",
    "line\nline\r\nline\rline\n",
    "\n",
    "\u{feff}mark",
    "=1+1",
    "0",
    "1.0",
    "1e5",
    "0x10",
    "true",
    "2024-02-30",
    "{}",
    "\\x41",
    "$1 %s ? :name",
];

/// The first and last values of `ty`, and those in between that are often got wrong.
pub fn extremes(ty: Type) -> Vec<Owned> {
    match ty {
        Type::Any => vec![
            1_i64.into(),
            1.5.into(),
            "1".into(),
            Owned::Bytes(vec![0x31]),
        ],
        Type::Bool => vec![true.into(), false.into()],
        Type::Int { bits, signed } => ints(bits, signed),
        Type::Float { bits } => floats(bits),
        Type::Decimal { size } => decimals(size.is_some()),
        Type::Text { chars_max: None } => TEXTS.iter().map(|&text| text.into()).collect(),
        Type::Text { .. } => vec![
            "".into(),
            "abc".into(),
            "   ".into(),
            "äöü".into(),
            "😀😀😀".into(),
        ],
        Type::Bytes { bytes_max: None } => {
            let all = (0..=255).collect();
            vec![
                vec![],
                vec![0],
                vec![0; 9],
                b"\\x41".to_vec(),
                vec![0xff, 0xfe],
                all,
            ]
            .into_iter()
            .map(Owned::Bytes)
            .collect()
        }
        Type::Bytes { .. } => vec![Owned::Bytes(vec![]), Owned::Bytes(vec![0, 255, 0])],
        Type::Date => [
            0, -1, 11_016, -719_162, 2_932_896, 2_932_897, -719_163, -719_529,
        ]
        .into_iter()
        .chain([i32::MIN, i32::MAX])
        .map(Owned::Date)
        .collect(),
        Type::Time => [0, 1, 86_399_999_999, 86_400_000_000]
            .into_iter()
            .map(Owned::Time)
            .collect(),
        Type::Timestamp => moments().into_iter().map(Owned::Timestamp).collect(),
        Type::Instant => moments().into_iter().map(Owned::Instant).collect(),
        Type::Uuid => vec![
            Owned::Uuid(vec![0; 16]),
            Owned::Uuid(vec![0xff; 16]),
            Owned::Uuid((0x10..0x20).collect()),
        ],
        Type::Json => [
            "{}",
            "[]",
            "null",
            "true",
            "\"\"",
            "-0.5",
            "{\"b\": 1, \"a\": [1, 2, {\"c\": null}]}",
            "\"quote \\\" back \\\\ line \\n 日本 😀\"",
            "123456789012345678901234567890",
        ]
        .into_iter()
        .map(|text| Owned::Json(text.to_owned()))
        .collect(),
    }
}

fn ints(bits: u8, signed: bool) -> Vec<Owned> {
    let bits = u32::from(bits);
    let (low, high) = match signed {
        true => (i64::MIN >> (64 - bits), i64::MAX >> (64 - bits)),
        false => (0, i64::MAX >> (63 - bits.min(63))),
    };
    let mut values = vec![low, low + 1, 0, 1, high - 1, high];
    values.extend(signed.then_some(-1));
    values.extend(
        (bits == 64)
            .then_some([(1 << 53) + 1, -(1 << 53) - 1])
            .into_iter()
            .flatten(),
    );
    values.into_iter().map(Owned::Int).collect()
}

fn floats(bits: u8) -> Vec<Owned> {
    let narrow = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];
    let mut values = narrow.to_vec();
    if bits == 32 {
        let own = [
            f32::MAX,
            f32::MIN,
            f32::MIN_POSITIVE,
            f32::from_bits(1),
            0.1,
            16_777_217.0,
        ];
        values.extend(own.map(f64::from));
    } else {
        values.extend([
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            f64::from_bits(1),
            0.1,
            1e22,
            1e-7,
        ]);
        values.extend([
            9_007_199_254_740_993.0,
            0.300_000_000_000_000_04,
            1e15,
            123_456_789.123,
        ]);
    }
    values.into_iter().map(Owned::Float).collect()
}

fn decimals(sized: bool) -> Vec<Owned> {
    if sized {
        return ["0", "0.00", "99999999.99", "-99999999.99", "0.01", "-1"]
            .map(Owned::decimal)
            .into();
    }
    let long = format!("-{}.{}", "9".repeat(400), "123456789".repeat(40));
    let small = format!("0.{}1", "0".repeat(300));
    let mut values: Vec<Owned> = [
        "0",
        "1.00",
        "1",
        "-0.5",
        "100",
        "12345678901234567890.1234567890",
    ]
    .map(Owned::decimal)
    .into();
    values.extend([long, small].map(Owned::Decimal));
    values.extend(["NaN", "Infinity", "-Infinity"].map(Owned::decimal));
    values
}

/// The epoch and around it, the years 1 and 9999, the first of 10000, the last before 1, the infinities.
fn moments() -> Vec<i64> {
    let calendar = [-62_135_596_800_000_000, 253_402_300_799_999_999];
    let beyond = [253_402_300_800_000_000, -62_135_596_800_000_001];
    let near = [0, 1, -1, 951_782_400_123_456, -1_000_001];
    [&near[..], &calendar, &beyond, &[i64::MIN, i64::MAX]].concat()
}
