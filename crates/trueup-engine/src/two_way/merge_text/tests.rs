//! Merges as people expect them, and what must hold for any three texts.

use super::*;
use proptest::prelude::*;
use trueup_core::policy::Answer;

#[track_caller]
fn check(base: &str, source: &str, target: &str, wanted: Option<&str>) {
    let merged = merge(Some(base), source, target);
    assert_eq!(merged.as_deref(), wanted, "{base:?} {source:?} {target:?}");
    let mirrored = merge(Some(base), target, source);
    assert_eq!(mirrored.as_deref(), wanted, "the other way round");
}

#[test]
fn texts_are_merged_by_lines() {
    let base = "one\ntwo\nthree\nfour\nfive\n";
    check(
        base,
        "ONE\ntwo\nthree\nfour\nfive\n",
        "one\ntwo\nthree\nfour\nFIVE\n",
        Some("ONE\ntwo\nthree\nfour\nFIVE\n"),
    );
    check(base, base, "one\n", Some("one\n"));
    check(base, "", base, Some(""));
    check(
        base,
        "two\nthree\nfour\nfive\n",
        "one\ntwo\nthree\nfour\n",
        Some("two\nthree\nfour\n"),
    );
    check(
        base,
        "zero\none\ntwo\nthree\nfour\nfive\n",
        "one\ntwo\nthree\nfour\nfive\nsix\n",
        Some("zero\none\ntwo\nthree\nfour\nfive\nsix\n"),
    );
    check(base, "X\n", "X\n", Some("X\n"));
    check(
        "a\r\nb\r\nc\r\n",
        "A\r\nb\r\nc\r\n",
        "a\r\nb\r\nC\r\n",
        Some("A\r\nb\r\nC\r\n"),
    );
    check("a\nb\nc", "A\nb\nc", "a\nb\nC", Some("A\nb\nC"));
    check(
        "grüße\nb\nc\n",
        "GRÜSSE\nb\nc\n",
        "grüße\nb\n\u{1f980}\n",
        Some("GRÜSSE\nb\n\u{1f980}\n"),
    );
}

#[test]
fn edits_that_overlap_stay_open() {
    check("one\n", "ONE\n", "eins\n", None);
    check("one", "ONE", "eins", None);
    check("", "a\n", "b\n", None);
    check("a\n", "a\nx\n", "a\ny\n", None);
    check("a\nb\nc\n", "a\nc\n", "a\nB\nc\n", None);
    check("a", "a\n", "a\r\n", None);
}

#[test]
fn without_a_base_nobody_decides() {
    assert_eq!(merge(None, "a", "b"), None);
    assert_eq!(merge(None, "a", "a"), None);
    assert_eq!(merge_json(None, "{}", "{}"), None);
}

/// Marks that are part of the text are text.
#[test]
fn marks_of_a_conflict_are_text_like_any_other() {
    let base = "<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n";
    let source = base.replace("a\n", "A\n");
    let target = base.replace("b\n", "B\n");
    let merged = source.replace("b\n", "B\n");
    check(base, &source, &target, Some(&merged));
}

#[test]
fn texts_that_are_too_large_stay_open() {
    let lines = |first: &str, last: &str| {
        let middle = "line\n".repeat(LINES_MAX - 2);
        format!("{first}\n{middle}{last}\n")
    };
    let (base, source, target) = (lines("a", "z"), lines("A", "z"), lines("a", "Z"));
    assert_eq!(merge(Some(&base), &source, &target), Some(lines("A", "Z")));
    let more = format!("{base}more\n");
    assert_eq!(merge(Some(&more), &source, &target), None);
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    assert_eq!(merge(Some(&base), &long, &target), None);
    assert_eq!(merge(Some(&base), &long, &base), Some(long));
}

/// The most lines, and nothing in common: the worst case of the difference.
#[test]
fn the_worst_case_ends() {
    let lines = |name: &str| {
        (0..LINES_MAX)
            .map(|n| format!("{name}{n}\n"))
            .collect::<String>()
    };
    assert_eq!(merge(Some(&lines("a")), &lines("b"), &lines("c")), None);
}

#[track_caller]
fn check_json(base: &str, source: &str, target: &str, wanted: Option<&str>) {
    let merged = merge_json(Some(base), source, target);
    assert_eq!(merged.as_deref(), wanted, "{base} {source} {target}");
    let mirrored = merge_json(Some(base), target, source);
    assert_eq!(mirrored.as_deref(), wanted, "the other way round");
}

#[test]
fn objects_are_merged_by_members() {
    check_json(
        r#"{"a":1,"b":2}"#,
        r#"{"a":3,"b":2}"#,
        r#"{"b":4,"a":1}"#,
        Some(r#"{"a":3,"b":4}"#),
    );
    check_json("{}", r#"{"a":1}"#, r#"{"b":2}"#, Some(r#"{"a":1,"b":2}"#));
    check_json(r#"{"a":1,"b":2}"#, r#"{"b":2}"#, r#"{"a":1}"#, Some("{}"));
    check_json(
        r#"{"a":{"x":1,"y":1}}"#,
        r#"{"a":{"x":2,"y":1}}"#,
        r#"{"a":{"x":1,"y":2}}"#,
        Some(r#"{"a":{"x":2,"y":2}}"#),
    );
    check_json(
        "{}",
        r#"{"a":{"x":1}}"#,
        r#"{"a":{"y":1}}"#,
        Some(r#"{"a":{"x":1,"y":1}}"#),
    );
    check_json(
        r#"{"a":1}"#,
        r#"{"a":2}"#,
        r#"{"a":2,"b":1}"#,
        Some(r#"{"a":2,"b":1}"#),
    );
    check_json(
        r#"{"a":[1]}"#,
        r#"{"a":[1,2]}"#,
        r#"{"a":[1],"b":null}"#,
        Some(r#"{"a":[1,2],"b":null}"#),
    );
}

#[test]
fn members_that_both_changed_stay_open() {
    check_json(r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#, None);
    check_json(r#"{"a":1}"#, "{}", r#"{"a":3}"#, None);
    check_json(r#"{"a":1}"#, r#"{"a":{"x":1}}"#, r#"{"a":{"y":1}}"#, None);
    check_json(r#"{"a":[1]}"#, r#"{"a":[1,2]}"#, r#"{"a":[1,3]}"#, None);
    for other in [
        "[]",
        "1",
        "null",
        "\"x\"",
        "",
        "{",
        r#"{"a":1,"a":1}"#,
        r#"{"a":0.12345678901234567890}"#,
    ] {
        check_json(r#"{"a":1}"#, r#"{"a":2}"#, other, None);
        check_json(other, r#"{"a":2}"#, r#"{"a":1,"b":2}"#, None);
    }
    let deep = format!("{}1{}", r#"{"a":"#.repeat(400), "}".repeat(400));
    check_json("{}", &deep, r#"{"b":1}"#, None);
}

/// A member spelled another way is no change.
#[test]
fn spelling_is_no_edit() {
    let merged = merge_json(
        Some(r#"{"a":1.0,"b":1}"#),
        r#"{"a":1,"b":1}"#,
        r#"{"b":1.00,"a":2}"#,
    );
    let merged = merged.map(|merged| canonical(&merged));
    assert_eq!(merged, Some(canonical(r#"{"a":2,"b":1}"#)));
}

#[test]
fn values_are_merged_by_class() {
    let texts = Sides::new(Value::Text("A\nb\nc\n"), Value::Text("a\nb\nC\n"));
    let merged = merge_values(Some(Value::Text("a\nb\nc\n")), &texts, Type::TEXT);
    assert_eq!(merged.answer(), Answer::Value(Value::Text("A\nb\nC\n")));
    let narrow = Type::Text { chars_max: Some(5) };
    let merged = merge_values(Some(Value::Text("a\nb\nc\n")), &texts, narrow);
    assert!(
        merged
            .note()
            .is_some_and(|note| note.contains("does not fit")),
        "{merged:?}"
    );
    let json = Sides::new(Value::Json(r#"{"a":1}"#), Value::Json(r#"{"b":1}"#));
    let merged = merge_values(Some(Value::Json("{}")), &json, Type::Json);
    assert_eq!(
        merged.answer(),
        Answer::Value(Value::Json(r#"{"a":1,"b":1}"#))
    );
    for (base, values) in [
        (None, texts),
        (Some(Value::Null), texts),
        (Some(Value::Json("{}")), texts),
        (
            Some(Value::Int(1)),
            Sides::new(Value::Int(2), Value::Int(3)),
        ),
        (Some(Value::Text("x")), texts),
    ] {
        let merged = merge_values(base, &values, Type::Any);
        assert_eq!(merged.answer(), Answer::Open);
        assert!(merged.note().is_some());
    }
}

fn any_text() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec!["a", "b", "c", "", "d\r"]);
    (prop::collection::vec(line, 0..8), any::<bool>()).prop_map(|(lines, ended)| {
        let text = lines.join("\n");
        if ended { format!("{text}\n") } else { text }
    })
}

proptest! {
    /// Nothing is made up, nothing that both sides kept is lost, and the sides are equal.
    #[test]
    fn any_three_texts(base in any_text(), source in any_text(), target in any_text()) {
        let merged = merge(Some(&base), &source, &target);
        prop_assert_eq!(&merged, &merge(Some(&base), &target, &source));
        prop_assert_eq!(merge(Some(&base), &source, &base), Some(source.clone()));
        prop_assert_eq!(merge(Some(&base), &source, &source), Some(source.clone()));
        if let Some(merged) = merged {
            for line in merged.split_inclusive('\n') {
                let known = [&source, &target].iter().any(|text| text.split_inclusive('\n').any(|other| other == line));
                prop_assert!(known, "made up: {:?}", line);
            }
            // A line that the base did not have cannot have been taken away: it is there as often as it was added, and
            // what both added may be one edit.
            let count = |text: &str, line: &str| text.split_inclusive('\n').filter(|&other| other == line).count();
            for line in source.split_inclusive('\n').chain(target.split_inclusive('\n')) {
                if count(&base, line) == 0 {
                    let (source, target) = (count(&source, line), count(&target, line));
                    let made = count(&merged, line);
                    prop_assert!(made >= source.max(target) && made <= source + target, "{:?} {}", line, made);
                }
            }
        }
    }
}
