//! Numbers keep their digits.

use crate::jsonl::number::{Number, double, end, read};
use proptest::prelude::*;

fn shown(text: &str) -> String {
    let mut out = String::new();
    match read(text, &mut out) {
        Number::Int(value) => format!("int {value}"),
        Number::Plain => "plain".to_owned(),
        Number::WrittenOut => out,
        Number::Vast => "vast".to_owned(),
    }
}

#[test]
fn exponents_are_written_out() {
    let thousand = format!("1{}", "0".repeat(1000));
    for (text, expected) in [
        ("0", "int 0"),
        ("-0", "int 0"),
        ("9223372036854775807", "int 9223372036854775807"),
        ("9223372036854775808", "plain"),
        ("-1.50", "plain"),
        ("1e5", "100000"),
        ("1E+2", "100"),
        ("1.25e1", "12.5"),
        ("-1.25e-3", "-0.00125"),
        ("12.5e0", "12.5"),
        ("0.001e3", "1"),
        ("0.0012e3", "1.2"),
        ("0e999999999999999999999", "0"),
        ("-0.0e5", "-0"),
        ("1e1000", thousand.as_str()),
        ("1e131072", "vast"),
        ("1e-131074", "vast"),
        ("1e99999999999999999999", "vast"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn the_notation_is_that_of_json() {
    for (text, length) in [
        ("0", Some(1)),
        ("-0.5e-7,", Some(7)),
        ("01", Some(1)),
        ("1.", None),
        (".5", None),
        ("-", None),
        ("1e", None),
        ("1e+", None),
        ("+1", None),
        ("12}", Some(2)),
    ] {
        assert_eq!(end(text.as_bytes(), 0), length, "{text}");
    }
}

#[test]
fn a_double_is_its_shortest_decimal() {
    assert_eq!(double("0.1"), Some(0.1));
    assert_eq!(double("5.0"), Some(5.0));
    assert_eq!(double("0.1000000000000000055511151231257827"), None);
    assert_eq!(double("9007199254740993.5"), None);
}

proptest! {
    #[test]
    fn what_is_written_out_is_the_same_number(
        whole in "(0|[1-9][0-9]{0,20})", fraction in "(\\.[0-9]{1,20})?", power in -400_i32..400,
        negative: bool,
    ) {
        let sign = if negative { "-" } else { "" };
        let text = format!("{sign}{whole}{fraction}e{power}");
        let mut out = String::new();
        prop_assert_eq!(read(&text, &mut out), Number::WrittenOut);
        let canonical = |text: &str| {
            let mut bytes = Vec::new();
            trueup_core::json::canonical(text, &mut bytes);
            bytes
        };
        prop_assert_eq!(canonical(&text), canonical(&out));
        prop_assert_eq!(end(out.as_bytes(), 0), Some(out.len()), "{} is {}", text, out);
    }
}
