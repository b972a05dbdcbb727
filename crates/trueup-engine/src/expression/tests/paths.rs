//! What is lowered means what the interpreter makes of it, for every value.

use super::*;
use proptest::prelude::*;
use trueup_core::keyed::{Keyed, Standing};
use trueup_core::mapping::{Mapping, Rules};

fn any_value() -> impl Strategy<Value = Owned> {
    let float = prop_oneof![
        any::<f64>(),
        (-30_i32..30).prop_map(|v| f64::from(v) / 10.0),
        prop::sample::select(vec![-0.0, 0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
    ];
    let word = prop::sample::select(vec![
        "",
        "a",
        "b",
        "ab",
        "A",
        "\0",
        "é",
        "5",
        "-1",
        "9.50",
        "1.5",
        "NaN",
        "true",
        "0",
        "1970-01-01",
        "01:00:00",
        "1970-01-01 00:00:00",
        "1970-01-01 00:00:00Z",
        "abababab-abab-abab-abab-abababababab",
        "\u{ffff}",
        "x\ny",
    ]);
    let digits = prop::sample::select(vec![
        "0",
        "-0.0",
        "9.5",
        "9.50",
        "-1",
        "5",
        "NaN",
        "Infinity",
        "-Infinity",
        "0.1",
        "18446744073709551615",
        "123456789012345678901234567890.5",
    ]);
    let micros = prop_oneof![
        prop::sample::select(vec![0, 1, -1, 3_600_000_000, i64::MIN, i64::MAX]),
        (-3_i64..3).prop_map(|days| days * 86_400_000_000),
    ];
    prop_oneof![
        2 => Just(Owned::Null),
        1 => any::<bool>().prop_map(Owned::Bool),
        3 => prop_oneof![-3_i64..12, any::<i64>()].prop_map(Owned::Int),
        3 => float.prop_map(Owned::Float),
        3 => digits.prop_map(|v| Owned::Decimal(v.to_owned())),
        4 => word.prop_map(|v| Owned::Text(v.to_owned())),
        1 => Just(Owned::InvalidText(vec![0xff])),
        1 => prop::collection::vec(prop::sample::select(vec![0_u8, 1, 255]), 0..4).prop_map(Owned::Bytes),
        1 => prop_oneof![-3_i32..3, Just(i32::MIN), Just(i32::MAX)].prop_map(Owned::Date),
        1 => (0_i64..5).prop_map(|hours| Owned::Time(hours * 3_600_000_000)),
        1 => micros.clone().prop_map(Owned::Timestamp),
        1 => micros.prop_map(Owned::Instant),
        1 => prop::sample::select(vec![0xab_u8, 0]).prop_map(|v| Owned::Uuid(vec![v; 16])),
        1 => Just(Owned::Json("{}".into())),
    ]
}

/// Values of every class in every field: a file without types can hold anything anywhere.
fn any_record() -> impl Strategy<Value = Vec<Owned>> {
    let width = goods().fields.len();
    let noise = prop::collection::vec(any_value(), width);
    let which = prop::collection::vec(0..3_u8, width);
    (noise, which).prop_map(|(noise, which)| {
        let pairs = noise.into_iter().zip(bolt()).zip(which);
        // A third is of its type, so that not every record is a misfit.
        pairs
            .map(|((noise, typed), which)| if which == 0 { typed } else { noise })
            .collect()
    })
}

/// The right-hand sides of comparisons with each field.
const CONSTANTS: &[(&str, &[&str])] = &[
    (
        "qty",
        &[
            "5",
            "-1",
            "9",
            "2.0",
            "0.5",
            "9223372036854775807",
            "5u",
            "null",
        ],
    ),
    ("id", &["7", "0", "null"]),
    (
        "name",
        &["\"a\"", "\"\"", "\"é\"", "\" Bolt \"", "\"5\"", "null"],
    ),
    (
        "price",
        &["9.5", "9", "\"9.50\"", "decimal(\"0.1\")", "-0.0", "null"],
    ),
    (
        "ratio",
        &["0.5", "0.0", "-0.0", "1", "9007199254740993", "null"],
    ),
    ("live", &["true", "false", "null"]),
    ("raw", &["b\"\"", "b\"\\x00\"", "null"]),
    (
        "day",
        &[
            "\"1970-01-01\"",
            "date(\"1970-01-02\")",
            "timestamp(\"1970-01-01 00:00:00\")",
            "null",
        ],
    ),
    ("at", &["\"01:00:00\"", "time(\"02:00\")", "null"]),
    (
        "seen",
        &[
            "\"1970-01-01 00:00:00\"",
            "date(\"1970-01-02\")",
            "timestamp(\"1970-01-01\")",
            "null",
        ],
    ),
    (
        "stamp",
        &[
            "\"1970-01-01T00:00:00Z\"",
            "timestamp(\"1970-01-02T00:00:00Z\")",
            "null",
        ],
    ),
    (
        "uid",
        &[
            "\"abababab-abab-abab-abab-abababababab\"",
            "uuid(\"00000000000000000000000000000000\")",
            "null",
        ],
    ),
    ("size", &["\"L\"", "\"NaN\"", "null"]),
];

fn any_term() -> impl Strategy<Value = String> {
    let operator = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let field = prop::sample::select(CONSTANTS.to_vec());
    let comparison = (field, any::<prop::sample::Index>(), operator, any::<bool>()).prop_map(
        |((field, constants), at, operator, turned)| {
            let constant = at.get(constants);
            let operator = if *constant == "null" && !operator.ends_with("==") {
                "!="
            } else {
                operator
            };
            let operator = if *constant == "null" && operator != "!=" {
                "=="
            } else {
                operator
            };
            if turned {
                format!("{constant} {operator} {field}")
            } else {
                format!("{field} {operator} {constant}")
            }
        },
    );
    prop_oneof![
        8 => comparison,
        1 => Just("live".to_owned()),
        1 => Just("!live".to_owned()),
    ]
}

fn passes(filter: &Filter, record: &[Owned]) -> Result<bool, ()> {
    let fields: Vec<String> = filter.fields().into_iter().map(str::to_owned).collect();
    let values = values_of(record, &fields);
    filter
        .passes(&|at| values[at], &mut Vec::new())
        .map_err(|reason| assert!(!reason.is_empty()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_filter_says_the_same_both_ways(
        terms in prop::collection::vec(any_term(), 1..4),
        records in prop::collection::vec(any_record(), 1..16),
    ) {
        let text = terms.join(" && ");
        let filter = record::filter(&text, &goods()).unwrap();
        let (expression, _) = RecordExpression::compile(&text, &goods()).unwrap();
        let interpreted = Filter::Expression(Arc::new(expression));
        for record in records {
            prop_assert_eq!(passes(&filter, &record), passes(&interpreted, &record), "{}", text);
        }
    }

    #[test]
    fn a_formula_says_the_same_both_ways(
        of in prop::sample::select(vec![
            "name", "qty", "price", "ratio", "live", "raw", "day", "at", "seen", "stamp", "uid", "any",
        ]),
        function in prop::sample::select(vec![
            "", "int", "uint", "string", "double", "bool", "decimal", "date", "time", "uuid", "bytes", "timestamp",
        ]),
        to in prop::sample::select(vec![
            Type::Any, Type::INT, Type::FLOAT, Type::DECIMAL, Type::TEXT, Type::Bool, Type::Date, Type::Timestamp,
            Type::Decimal { size: Some((4, 1)) }, Type::Int { bits: 16, signed: true }, Type::Text { chars_max: Some(3) },
        ]),
        records in prop::collection::vec(any_record(), 1..16),
    ) {
        let text = if function.is_empty() { of.to_owned() } else { format!("{function}({of})") };
        let Ok(formula) = record::formula(&text, &goods()) else { return Ok(()) };
        let (expression, _) = RecordExpression::compile(&text, &goods()).unwrap();
        let interpreted = Formula::Expression(Arc::new(expression));
        for record in records {
            let (plain, asked) = (mapped(formula.clone(), to, &record), mapped(interpreted.clone(), to, &record));
            prop_assert_eq!(plain, asked, "{} to {}", text, to);
        }
    }
}

/// What a mapping makes of the record's field; `None` where it parks it, and where there is no such mapping.
fn mapped(formula: Formula, to: Type, record: &[Owned]) -> Option<String> {
    let target = schema("goods").int("id").field("made", to).key(["id"]);
    let rules = Rules {
        computed: vec![("made".into(), formula)],
        drop: goods()
            .fields
            .iter()
            .map(|field| field.name.clone())
            .filter(|name| name != "id")
            .collect(),
        ..Rules::default()
    };
    let mapping = Mapping::build(&goods(), &target.build(), &rules).ok()?;
    let mut raw = Batch::new(mapping.source_fields().len());
    for (at, &field) in mapping.source_fields().iter().enumerate() {
        let key = Owned::Int(7);
        raw.push(if at == 0 {
            key.value()
        } else {
            record[field].value()
        });
    }
    let (mut keyed, mut parked) = (Keyed::new(2), Vec::new());
    mapping.map_source(&raw, &mut keyed, &mut parked, &mut Vec::new());
    let entry = keyed.entry(0);
    matches!(entry.standing, Standing::Present(_)).then(|| shown(entry.record.value(1)))
}

#[test]
fn common_filters_need_no_interpreter() {
    for text in [
        "qty > 5",
        "5 <= qty",
        "qty == -1",
        "name == \"a\" && price < 9.5 && day >= \"2024-01-01\"",
        "live",
        "!live && name != null",
        "seen < timestamp(\"2024-01-01 12:00:00\")",
        "record[\"odd name\"] == \"x\"",
        "ratio >= 1",
    ] {
        let filter = record::filter(text, &goods()).unwrap();
        assert!(matches!(filter, Filter::Terms(..)), "{text}");
    }
    for text in [
        "name in [\"a\"]",
        "qty > 5 || live",
        "any == 1",
        "tags == null",
        "qty > 5.5",
        "qty == id",
    ] {
        let filter = record::filter(text, &goods()).unwrap();
        assert!(matches!(filter, Filter::Expression(_)), "{text}");
    }
    for (text, lowered) in [
        ("qty", true),
        ("string(qty)", true),
        ("double(name)", true),
        ("double(qty)", false),
    ] {
        let formula = record::formula(text, &goods()).unwrap();
        assert_eq!(matches!(formula, Formula::Field { .. }), lowered, "{text}");
    }
}
