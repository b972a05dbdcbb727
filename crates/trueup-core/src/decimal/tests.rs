//! Decimals against a naive comparison of padded digits.

use super::*;
use crate::samples::{self, CASES};
use proptest::prelude::*;
use std::cmp::Ordering;

/// Compares two decimals the slow and obvious way: pads both with zeros to the same shape and compares the texts.
pub(crate) fn naive(one: &str, other: &str) -> Ordering {
    let special = |text: &str| match text {
        "-Infinity" => -1,
        "Infinity" => 1,
        "NaN" => 2,
        _ => 0,
    };
    if special(one) != 0 || special(other) != 0 {
        return special(one).cmp(&special(other));
    }
    let split = |text: &str| {
        let digits = text.trim_start_matches(['-', '+']).to_owned();
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        (text.starts_with('-'), whole.to_owned(), fraction.to_owned())
    };
    let ((minus, whole, fraction), (sign, before, behind)) = (split(one), split(other));
    let (front, back) = (
        whole.len().max(before.len()),
        fraction.len().max(behind.len()),
    );
    let padded = |whole: &str, fraction: &str| format!("{whole:0>front$}{fraction:0<back$}");
    let (one, other) = (padded(&whole, &fraction), padded(&before, &behind));
    let zero = |digits: &str| digits.bytes().all(|digit| digit == b'0');
    match (minus && !zero(&one), sign && !zero(&other)) {
        (false, false) => one.cmp(&other),
        (true, true) => other.cmp(&one),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

fn encoding(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    encode(parts(text).unwrap(), &mut out);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES * 4))]

    #[test]
    fn order_of_bytes_is_order_of_numbers(one in samples::decimal(), other in samples::decimal()) {
        prop_assert_eq!(encoding(&one).cmp(&encoding(&other)), naive(&one, &other));
        prop_assert_eq!(parts(&one) == parts(&other), naive(&one, &other).is_eq());
    }

    #[test]
    fn equal_numbers_have_one_shortest_spelling(one in samples::decimal(), other in samples::decimal()) {
        let spelled = |text: &str| {
            let mut out = String::new();
            shortest(text, &mut out);
            out
        };
        let short = spelled(&one);
        prop_assert_eq!(parts(&short), parts(&one));
        prop_assert!(short.len() <= one.len());
        prop_assert_eq!(short == spelled(&other), naive(&one, &other).is_eq());
    }

    #[test]
    fn no_encoding_begins_another(one in samples::decimal(), other in samples::decimal()) {
        let (one, other) = (encoding(&one), encoding(&other));
        prop_assert!(one == other || !one.starts_with(&other));
    }

    #[test]
    fn zeros_do_not_count(number in samples::decimal(), lead in 0..4_usize, trail in 0..4_usize) {
        prop_assume!(!number.contains('N') && !number.contains('I'));
        let (sign, digits) = number.strip_prefix('-').map_or(("+", &*number), |rest| ("-", rest));
        let point = if number.contains('.') { "" } else { "." };
        let padded = format!("{sign}{}{digits}{point}{}", "0".repeat(lead), "0".repeat(trail));
        prop_assert_eq!(parts(&number), parts(&padded));
    }

    #[test]
    fn integers_order_as_integers(one in any::<i64>(), other in any::<i64>()) {
        prop_assert_eq!(encoding(&one.to_string()).cmp(&encoding(&other.to_string())), one.cmp(&other));
    }
}

#[test]
fn in_order() {
    let ordered = [
        "-Infinity",
        "-1000",
        "-100.5",
        "-100",
        "-99.99",
        "-10",
        "-9",
        "-1.5",
        "-1.05",
        "-1",
        "-0.5",
        "-0.05",
        "-0.001",
        "0",
        "0.001",
        "0.0010000001",
        "0.05",
        "0.5",
        "0.50001",
        "1",
        "1.05",
        "1.5",
        "9",
        "10",
        "99.99",
        "100",
        "100.5",
        "1000",
        "Infinity",
        "NaN",
    ];
    for (index, one) in ordered.iter().enumerate() {
        for (position, other) in ordered.iter().enumerate() {
            assert_eq!(
                encoding(one).cmp(&encoding(other)),
                index.cmp(&position),
                "{one} {other}"
            );
            assert_eq!(naive(one, other), index.cmp(&position), "{one} {other}");
        }
    }
}

#[test]
fn spellings_of_one_number() {
    for (one, other) in [
        ("0", "-0"),
        ("0", "+0.000"),
        ("1.0", "1.00"),
        ("1", "+001."),
        ("0.5", ".5"),
        ("-0.5", "-.50"),
        ("100", "0100.0"),
    ] {
        assert_eq!(parts(one), parts(other));
        assert!(parts(one).is_some());
    }
}

#[test]
fn not_decimals() {
    for text in [
        "",
        "-",
        "+",
        ".",
        "-.",
        "1e5",
        "1.2.3",
        "--1",
        "+-1",
        " 1",
        "1 ",
        "1,5",
        "0x1",
        "nan",
        "inf",
        "-NaN",
        "+Infinity",
        "infinity",
        "١",
        "1_000",
    ] {
        assert_eq!(parts(text), None, "{text}");
    }
}

#[test]
fn many_digits() {
    let long = "9".repeat(131_072) + "." + &"1".repeat(16_383);
    let longer = long.clone() + "1";
    assert_eq!(encoding(&long).cmp(&encoding(&longer)), Ordering::Less);
    assert_eq!(
        encoding(&format!("-{long}")).cmp(&encoding(&format!("-{longer}"))),
        Ordering::Greater
    );
}
