//! What expressions say about records that people have.

use super::*;

#[test]
fn a_record_is_given_to_a_side() {
    for (text, wanted) in [
        (r#""source""#, "source"),
        (r#""target""#, "target"),
        (r#""manual""#, "open"),
        ("null", "open"),
        ("manual()", "open"),
        (r#"source.qty > target.qty ? "source" : "target""#, "target"),
        (r#"source["qty"] < 10 ? "source" : "target""#, "source"),
        (r#"key.id == 7 ? "source" : null"#, "source"),
        (
            r#"source != null && target != null ? "source" : "target""#,
            "source",
        ),
        (r#"source == target ? "source" : "target""#, "target"),
        (r#"source["größe"] == "ü" ? "source" : "target""#, "source"),
        (r#"has(source.qty) ? "source" : "target""#, "source"),
        (
            r#"source.live && !target.live ? "source" : "target""#,
            "source",
        ),
        (
            r#"source.name.startsWith("an") ? "source" : "target""#,
            "source",
        ),
        (r#"size(source.name) == 3 ? "source" : "target""#, "source"),
        (
            "1",
            "open: the result is not source, target or manual: class=int",
        ),
        (
            r#""left""#,
            "open: the result is text, but not source, target or manual",
        ),
    ] {
        check(text, None, wanted);
    }
}

/// As text, 9.50 is more than 10.00.
#[test]
fn what_cel_has_no_type_for_compares_exactly() {
    for (text, wanted) in [
        ("source.price < target.price", true),
        ("source.price > target.price", false),
        ("source.price <= 9.5", true),
        ("9.5 >= source.price", true),
        ("10 == target.price", true),
        ("target.price == 10u", true),
        (r#"source.price == "9.5""#, true),
        (r#""9.500" == source.price"#, true),
        ("source.price != target.price", true),
        ("source.price in [1, 9.5]", true),
        ("source.price in [1, 2]", false),
        (r#"decimal("1e") == source.price || true"#, true),
        (r#"source.price == decimal("9.5")"#, true),
        ("double(source.price) == 9.5", true),
        ("int(target.price) == 10", true),
        (r#"string(source.price) == "9.50""#, true),
        (r#"source.day == "1970-01-01""#, true),
        (r#""1970-01-02" > source.day"#, true),
        (r#"source.day < target.day"#, true),
        (r#"target.day > date("9999-12-31")"#, true),
        (r#"source.at == time("01:00")"#, true),
        (r#"source.seen > target.seen"#, true),
        ("source.seen == source.day", true),
        ("source.day == source.seen", true),
        (r#"source.seen == timestamp("1970-01-01 00:00:00")"#, true),
        (
            r#"source.stamp == timestamp("1970-01-01T02:00:00+02:00")"#,
            true,
        ),
        ("source.stamp < target.stamp", true),
        (
            r#"source.uid == "ABABABAB-abab-abab-abab-abababababab""#,
            true,
        ),
        (
            r#"source.uid == uuid("{abababababababababababababababab}")"#,
            true,
        ),
        (
            r#"source.uid in ["abababababababababababababababab"]"#,
            true,
        ),
        ("9007199254740993 == 9007199254740992.0", false),
        ("9007199254740992.0 < 9007199254740993", true),
        ("18446744073709551615u < 18446744073709551616.0", true),
        ("-1 > -1.5 && -2 < -1.5 && 1 < 1.5 && 1u == 1.0", true),
        (
            "-9223372036854775808 >= -1e300 && 1e300 > 9223372036854775807",
            true,
        ),
        ("double(\"NaN\") == 1 || double(\"-Infinity\") > 1", false),
        ("9007199254740993 in [9007199254740992.0]", false),
        ("source.uid == null", false),
        ("target.uid == null", true),
        ("target.code != null", false),
        (r#""a" in source.tags"#, true),
        (r#"source.tags[2].n == 1.5"#, true),
        (r#"source.tags[2].m == null"#, true),
        (r#"has(source.tags[2].o)"#, false),
        (r#""c" in target.tags && size(target.tags) == 2"#, true),
        (r#"source.raw == b"\x00\xff""#, true),
        (r#"source.tags.exists(t, t == "b")"#, true),
        (r#"target.tags.all(t, t < "d")"#, true),
        (r#"source.exists(f, f == "qty")"#, true),
    ] {
        check(text, Some("live"), &format!("bool {wanted}"));
    }
}

#[test]
fn what_does_not_compare_stays_open() {
    for text in [
        r#"source.price == "n/a""#,
        r#""n/a" == source.price"#,
        "source.price == true",
        "source.price > source.day",
        "source.seen == source.stamp",
        "source.stamp > source.seen",
        r#"source.stamp == "1970-01-01 00:00:00""#,
        "source.day > 5",
        "5 < source.day",
        r#"source.uid == "ab""#,
        "dyn(source.name) > source.qty",
        "double(\"NaN\") < 1",
        "source.price + 1",
        "target.code > \"a\"",
        r#""n/a" in [source.price]"#,
        "source.qty / 0 == 1",
        "source.qty % 0 == 1",
        "source.qty + 9223372036854775807 == 1",
        "source.tags[9] == 1",
        "source.tags.x == 1",
        "source.name.x == 1",
        "source[source.name] == 1",
        r#"int("x") == 1"#,
        r#"decimal("x") == 1"#,
        r#"timestamp("yesterday") == null"#,
        "{source.name: 1, \"ann\": 2} == {}",
        "source.name.all(c, true)",
    ] {
        let verdict = ask(text, Some("live"), Some(&source()), Some(&target()));
        let note = verdict
            .note()
            .unwrap_or_else(|| panic!("{text}: {verdict:?}"));
        assert_eq!(verdict.answer(), Answer::Open, "{text}");
        for secret in ["ann", "9.5", "1970", "abab"] {
            assert!(!note.contains(secret), "{text}: {note}");
        }
    }
}

const FIELDS: &[(&str, &str, &str)] = &[
    ("source_value + target_value", "qty", "int 19"),
    (
        r#"source_value + " / " + target_value"#,
        "name",
        "text ann / bob",
    ),
    ("source_value", "price", "decimal 9.50"),
    (
        "source.price < target.price ? source_value : target_value",
        "price",
        "decimal 9.50",
    ),
    ("1.5", "price", "decimal 1.5"),
    ("source_value", "ratio", "float 0.5"),
    ("2", "ratio", "float 2"),
    ("source_value", "raw", "bytes \\x00ff"),
    ("source_value", "day", "date 1970-01-01"),
    ("target_value", "day", "date infinity"),
    (r#""2024-02-29""#, "day", "date 2024-02-29"),
    ("source_value", "at", "time 01:00:00"),
    ("source_value", "seen", "timestamp 1970-01-01 00:00:00"),
    ("source_value", "stamp", "instant 1970-01-01 00:00:00+00:00"),
    (
        "source_value",
        "uid",
        "uuid abababab-abab-abab-abab-abababababab",
    ),
    ("target_value", "uid", "null "),
    ("null", "qty", "null "),
    ("manual()", "qty", "open"),
    (
        "source_value",
        "tags",
        r#"json ["a","b",{"m":null,"n":1.5}]"#,
    ),
    (
        "source_value + target_value.filter(t, !(t in source_value))",
        "tags",
        r#"json ["a","b",{"m":null,"n":1.5},"c"]"#,
    ),
    (
        r#"{"b": 1, "a": [true, null]}"#,
        "tags",
        r#"json {"a":[true,null],"b":1}"#,
    ),
    (r#"source.name"#, "tags", r#"json "ann""#),
    ("source_value + target_value", "small", "int 30001"),
    (
        "source_value + 2 * target_value",
        "small",
        "open: the result does not fit: the value is out of the type's range: class=int",
    ),
    ("source_value", "any", "text x"),
    ("target_value", "any", "int 5"),
    (
        "source_value + \"d\"",
        "code",
        "open: the result does not fit: the value is longer than the type allows: class=text",
    ),
    (
        "source.price",
        "tags",
        "open: the result does not fit: no JSON says the same: class=decimal",
    ),
    (
        "[1]",
        "name",
        "open: the result does not fit: only JSON holds such a value: class=list",
    ),
    (
        "1.5",
        "qty",
        "open: the result does not fit: the type cannot hold the value exactly: class=float",
    ),
    (
        "18446744073709551615u",
        "qty",
        "open: the result does not fit: the value is out of the type's range: class=decimal",
    ),
    ("source['größe']", "größe", "text ü"),
];

#[test]
fn a_field_gets_a_value_of_its_type() {
    for &(text, of, wanted) in FIELDS {
        check(text, Some(of), wanted);
    }
}

#[test]
fn a_side_without_a_record_is_null() {
    let expression = r#"target == null ? "source" : "target""#;
    let verdict = ask(expression, None, Some(&source()), None);
    assert_eq!(shown(&verdict), "source");
    let verdict = ask(
        "target_value == null && key.id == 7",
        Some("live"),
        Some(&source()),
        None,
    );
    assert_eq!(shown(&verdict), "bool true");
    let verdict = ask("source.qty == 1", Some("live"), None, Some(&target()));
    assert!(verdict.note().is_some(), "{verdict:?}");
    let verdict = ask("source == null && target == null", Some("live"), None, None);
    assert_eq!(shown(&verdict), "bool true");
}

/// Reads no field, so that one that cannot be read does no harm.
#[test]
fn only_fields_that_are_read_count() {
    let unread = record(&[
        ("raw", Value::Unchanged),
        ("name", Value::InvalidText(b"\xff")),
    ]);
    let of = |text| ask(text, Some("live"), Some(&unread), Some(&target()));
    assert_eq!(
        shown(&of("source != null && target.qty == 10")),
        "bool true"
    );
    assert_eq!(
        of("source.raw == target.raw").note(),
        Some("a value was not read: field=raw")
    );
    assert_eq!(
        of("source.name == \"\"").note(),
        Some("text that is not valid UTF-8: field=name")
    );
}

#[test]
fn json_that_cel_cannot_hold_stays_open() {
    for json in [
        "0.1234567890123456789",
        "123456789012345678901",
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"a":1}"#,
        "1e400",
        "{",
        &format!("{}1{}", "[".repeat(200), "]".repeat(200)),
    ] {
        let held = record(&[("tags", Value::Json(json))]);
        let verdict = ask("source_value", Some("tags"), Some(&held), None);
        assert!(verdict.note().is_some(), "{json}: {verdict:?}");
    }
    for json in [
        "null",
        "1",
        "18446744073709551615",
        "-0",
        "1e2",
        "[1.0,1.50,1e-7]",
        r#""a\u0000b""#,
    ] {
        let held = record(&[("tags", Value::Json(json))]);
        let verdict = ask("source_value", Some("tags"), Some(&held), None);
        let canonical = |text: &str| {
            let mut bytes = Vec::new();
            trueup_core::json::canonical(text, &mut bytes);
            bytes
        };
        match verdict.answer() {
            Answer::Value(Value::Json(back)) => assert_eq!(canonical(back), canonical(json)),
            other => panic!("{json}: {other:?}"),
        }
    }
}
