//! Canonical JSON against a tree that is spelled in many ways.

use super::*;
use crate::samples::CASES;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A JSON value with exact numbers: digits without trailing zeros, and a power of ten.
#[derive(Clone, Debug, PartialEq)]
enum Tree {
    Null,
    Bool(bool),
    Number(i32, i8),
    Text(String),
    Array(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

fn number(mut digits: i32, mut power: i8) -> Tree {
    while digits != 0 && digits % 10 == 0 {
        digits /= 10;
        power += 1;
    }
    Tree::Number(digits, if digits == 0 { 0 } else { power })
}

fn string() -> impl Strategy<Value = String> {
    vec(
        prop::sample::select(vec!['a', 'b', '"', '\\', '/', '\0', '\n', 'é', '\u{1f600}']),
        0..3,
    )
    .prop_map(|chars| chars.into_iter().collect())
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        (-20_i32..21, -2_i8..3).prop_map(|(digits, power)| number(digits, power)),
        (any::<i32>(), -20_i8..20).prop_map(|(digits, power)| number(digits, power)),
        string().prop_map(Tree::Text),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Tree::Array),
            btree_map(string(), inner, 0..4).prop_map(Tree::Object),
        ]
    })
}

/// Chooses among ways to spell something, in a way that `seed` repeats.
struct Style(u64);

impl Style {
    fn choose(&mut self, among: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % among
    }

    fn space(&mut self, out: &mut String) {
        out.push_str(["", "", " ", "\n\t", "\r "][self.choose(5) as usize]);
    }
}

fn spell(tree: &Tree, style: &mut Style, out: &mut String) {
    style.space(out);
    match tree {
        Tree::Null => out.push_str("null"),
        Tree::Bool(v) => out.push_str(&v.to_string()),
        Tree::Number(digits, power) => spell_number(*digits, *power, style, out),
        Tree::Text(v) => spell_string(v, style, out),
        Tree::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                spell(item, style, out);
            }
            style.space(out);
            out.push(']');
        }
        Tree::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            let turn = style.choose(members.len().max(1) as u64) as usize;
            members.rotate_left(turn);
            out.push('{');
            for (index, (key, item)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                style.space(out);
                spell_string(key, style, out);
                style.space(out);
                out.push(':');
                spell(item, style, out);
            }
            style.space(out);
            out.push('}');
        }
    }
    style.space(out);
}

fn spell_number(digits: i32, power: i8, style: &mut Style, out: &mut String) {
    match style.choose(4) {
        0 => out.push_str(&format!("{digits}e{power}")),
        1 => out.push_str(&format!("{digits}.00E{power:+}")),
        2 => out.push_str(&format!("{digits}00e{}", i32::from(power) - 2).replace("000e-2", "0")),
        _ if power >= 0 => {
            out.push_str(&digits.to_string());
            if digits != 0 {
                out.push_str(&"0".repeat(power.unsigned_abs().into()));
            }
        }
        _ => {
            let behind = usize::from(power.unsigned_abs());
            let padded = format!("{:0>width$}", digits.unsigned_abs(), width = behind + 1);
            let (whole, fraction) = padded.split_at(padded.len() - behind);
            let sign = if digits < 0 { "-" } else { "" };
            out.push_str(&format!("{sign}{whole}.{fraction}"));
        }
    }
}

fn spell_string(text: &str, style: &mut Style, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        let must = matches!(char, '"' | '\\') || char < ' ';
        match style.choose(3) {
            0 if matches!(char, '"' | '\\' | '/') => out.extend(['\\', char]),
            1 if !must => out.push(char),
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

/// JSON texts of every shape and spelling.
pub(crate) fn spelled_tree() -> impl Strategy<Value = String> {
    (tree(), any::<u64>()).prop_map(|(tree, seed)| {
        let mut text = String::new();
        spell(&tree, &mut Style(seed), &mut text);
        text
    })
}

fn form(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    canonical(text, &mut out);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn equal_bytes_exactly_when_equal_values(
        one in tree(), other in tree(), seeds in any::<[u64; 2]>(), same in any::<bool>()
    ) {
        let other = if same { one.clone() } else { other };
        let mut texts = [String::new(), String::new()];
        spell(&one, &mut Style(seeds[0]), &mut texts[0]);
        spell(&other, &mut Style(seeds[1]), &mut texts[1]);
        prop_assert_eq!(check(&texts[0]), Ok(()), "{}", texts[0]);
        prop_assert_eq!(form(&texts[0]) == form(&texts[1]), one == other, "{:?}", texts);
    }

    #[test]
    fn accepts_what_serde_accepts(
        parts in vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"a\"", "\"b\"", "1", "-", "0", ".", "e", "true", "null", " ", "\\", "\"",
            "\\u00e9", "\\n", "\t",
        ]), 0..8)
    ) {
        let text = parts.concat();
        let valid = serde_json::from_str::<serde_json::Value>(&text).is_ok();
        match check(&text) {
            Ok(()) => prop_assert!(valid, "{}", text),
            Err(Invalid::Syntax) => prop_assert!(!valid, "{}", text),
            Err(Invalid::DuplicateKey | Invalid::TooDeep | Invalid::Exponent) => {}
        }
    }

    #[test]
    fn never_panics(text in any::<String>()) {
        let bytes = form(&text);
        prop_assert!(!bytes.is_empty());
    }
}

#[test]
fn forms() {
    for (text, expected) in [
        (
            " { \"b\" : 1.0 , \"a\" : [ 1e0 , 10e-1 , -0.0 ] } ",
            "{\"a\":[1,1,0],\"b\":1,}",
        ),
        (
            "12345678901234567890.12345678901234567890",
            "123456789012345678901234567890123456789e-19",
        ),
        ("[]", "[]"),
        ("{}", "{}"),
        ("\"\\u0041\\/\\\"\\\\\"", "\"A/\\\"\\\\\""),
        ("\"\\ud83d\\ude00\"", "\"\u{1f600}\""),
        ("1500", "15e2"),
        ("-0.015", "-15e-3"),
        ("0e99999999999999999999", "0"),
        ("{\"a\":{},\"\":[{}]}", "{\"\":[{}],\"a\":{},}"),
    ] {
        assert_eq!(String::from_utf8_lossy(&form(text)), expected, "{text}");
    }
}

#[test]
fn lone_surrogates_stay_distinct() {
    let texts = [
        "\"\\ud800\"",
        "\"\\udfff\"",
        "\"\\ud800\\ud800\"",
        "\"\\ud800x\"",
        "\"\\udc00\\ud800\"",
        "\"\\ud800\\udc00\"",
        "\"\u{fffd}\"",
        "\"\\\\ud800\"",
    ];
    for (index, one) in texts.iter().enumerate() {
        for other in &texts[..index] {
            assert_ne!(form(one), form(other), "{one} {other}");
        }
    }
}

#[test]
fn refused_texts_equal_only_themselves() {
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(check(&deep(DEPTH_MAX)), Ok(()));
    for (text, why) in [
        ("", Invalid::Syntax),
        ("{\"a\":1,\"\\u0061\":2}", Invalid::DuplicateKey),
        ("[{\"b\":1,\"a\":1,\"b\":1}]", Invalid::DuplicateKey),
        ("1e1000000000000001", Invalid::Exponent),
        ("1e-99999999999999999999", Invalid::Exponent),
        (&deep(DEPTH_MAX + 1), Invalid::TooDeep),
        (&"[".repeat(1_000_000), Invalid::TooDeep),
        (&"{\"a\":".repeat(1_000_000), Invalid::TooDeep),
        ("01", Invalid::Syntax),
        ("1.", Invalid::Syntax),
        (".5", Invalid::Syntax),
        ("-", Invalid::Syntax),
        ("1e", Invalid::Syntax),
        ("+1", Invalid::Syntax),
        ("NaN", Invalid::Syntax),
        ("\"\t\"", Invalid::Syntax),
        ("\"\\x\"", Invalid::Syntax),
        ("\"\\u12\"", Invalid::Syntax),
        ("\"\\ud800\\u\"", Invalid::Syntax),
        ("\"a", Invalid::Syntax),
        ("[1,]", Invalid::Syntax),
        ("{\"a\":1,}", Invalid::Syntax),
        ("{1:1}", Invalid::Syntax),
        ("[1}", Invalid::Syntax),
        ("1 2", Invalid::Syntax),
        ("nulll", Invalid::Syntax),
        ("\u{a0}1", Invalid::Syntax),
    ] {
        assert_eq!(check(text), Err(why), "{}", &text[..text.len().min(40)]);
        let bytes = form(text);
        assert_eq!(bytes[0], VERBATIM);
        assert_eq!(&bytes[1..], text.as_bytes());
    }
}
