//! Any expression, any value: nothing ends the process, and nothing changes on its way.

use super::*;
use proptest::prelude::*;

const TOKENS: [&str; 48] = [
    "source",
    "target",
    "key",
    "source_value",
    "target_value",
    ".",
    "qty",
    "name",
    "price",
    "tags",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    "?",
    "+",
    "-",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    ">=",
    "in",
    "&&",
    "||",
    "!",
    "null",
    "true",
    "1",
    "1.5",
    "2u",
    "\"s\"",
    "b'x'",
    "'",
    "size",
    "has",
    "all",
    "map",
    "x",
    "ö",
    "\n",
    "9223372036854775808",
];

fn any_value() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        Just(serde_json::Value::Null),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
        prop::collection::vec(any::<i8>(), 0..4).prop_map(Into::into),
    ]
}

/// Expressions that are well formed, of values that are not always what they want.
fn any_expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "source.qty",
        "target.qty",
        "source.price",
        "target.day",
        "source.tags",
        "target.tags",
        "source_value",
        "source.name",
        "source.ratio",
        "target",
        "key",
        "null",
        "-1",
        "9223372036854775807",
        "1.5",
        "2u",
        "\"1970-01-01\"",
        "[1, 2]",
        "{\"a\": 1}",
        "b\"x\"",
        "source.stamp",
        "source.uid",
        "source.raw",
    ]);
    let leaf = leaf.prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let operator = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in", "&&", "||",
        ]);
        let function = prop::sample::select(vec![
            "size",
            "string",
            "int",
            "uint",
            "double",
            "bytes",
            "bool",
            "dyn",
            "decimal",
            "date",
            "time",
            "timestamp",
            "uuid",
            "-",
            "!",
        ]);
        prop_oneof![
            (inner.clone(), operator, inner.clone())
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (function, inner.clone()).prop_map(|(f, a)| format!("{f}({a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{{{a}: {b}}}")),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_ends_the_process(tokens in prop::collection::vec(prop::sample::select(TOKENS.to_vec()), 0..24), glue in "[ ]?") {
        let text = tokens.join(&glue);
        match Expression::compile(&text, &SHAPE, Some(field("name"))) {
            Ok(expression) => {
                let (source, target) = (source(), target());
                expression.evaluate(&Sides::new(Some(source.record(0)), Some(target.record(0))));
            }
            Err(error) => prop_assert_eq!(error.kind(), Kind::Config, "{} {:?}", text, error),
        }
    }

    #[test]
    fn no_values_end_the_process(text in any_expression(), of in 0..NAMES.len()) {
        match Expression::compile(&text, &SHAPE, Some(of)) {
            Ok(expression) => {
                let (source, target) = (source(), target());
                let records = Sides::new(Some(source.record(0)), Some(target.record(0)));
                let verdict = expression.evaluate(&records);
                prop_assert_eq!(shown(&verdict), shown(&expression.evaluate(&records)));
                if let Answer::Value(value) = verdict.answer() {
                    prop_assert!(trueup_core::cast::fits(value, TYPES[of]), "{} {:?}", text, value);
                }
            }
            Err(error) => prop_assert_eq!(error.kind(), Kind::Config, "{} {:?}", text, error),
        }
    }

    /// What goes in comes out as the same value, or not at all.
    #[test]
    fn json_comes_back(value in any_value()) {
        let text = value.to_string();
        let held = record(&[("tags", Value::Json(&text))]);
        let verdict = ask("source_value", Some("tags"), Some(&held), None);
        let mut scratch = Vec::new();
        let mut digest = |value| trueup_core::observation::field_digest(value, &mut scratch);
        match verdict.answer() {
            Answer::Value(back) => prop_assert_eq!(digest(back), digest(Value::Json(&text))),
            other => prop_assert!(false, "{} {:?} {:?}", text, other, verdict.note()),
        }
    }
}
