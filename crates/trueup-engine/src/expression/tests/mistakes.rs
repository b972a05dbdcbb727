//! What is refused when the link is planned, and how it is told.

use super::*;

const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "nmae + \"x\"",
        "no such field: field=\"nmae\": line=1 column=1\n  nmae + \"x\"\n  ^",
        "did you mean name?",
    ),
    (
        "qty > 0 &&\n  pirce < 5",
        "no such field: field=\"pirce\": line=2 column=3\n    pirce < 5\n    ^",
        "did you mean price?",
    ),
    (
        "record[\"odd nam\"]",
        "no such field: field=\"odd nam\": line=1 column=7\n  record[\"odd nam\"]\n        ^",
        "did you mean odd name?",
    ),
    (
        "name + qty",
        "no operation for these kinds: operation=+ kinds=string,int: line=1 column=6\n  name + qty\n       ^",
        "string(...)",
    ),
    (
        "price / 2",
        "no operation for these kinds: operation=/ kinds=decimal,int: line=1 column=7\n  price / 2\n        ^",
        "double(...)",
    ),
    (
        "name == 5",
        "never compare: kinds=string,int: line=1 column=6\n  name == 5\n       ^",
        "make both of one kind",
    ),
    (
        "day > \"yesterday\"",
        "the text is no date: line=1 column=7\n  day > \"yesterday\"\n        ^",
        "2024-12-31",
    ),
    (
        "int(\"x\")",
        "the text is no int: line=1 column=5\n  int(\"x\")\n      ^",
        "write",
    ),
    (
        "qty ? 1 : 2",
        "a condition is no bool: kind=int: line=1 column=5\n  qty ? 1 : 2\n      ^",
        "compare it",
    ),
    (
        "live ? 1 : \"x\"",
        "the branches are of two kinds: int,string: line=1 column=6\n  live ? 1 : \"x\"\n       ^",
        "make both of one kind",
    ),
    (
        "int(day)",
        "no operation for these kinds: operation=int kinds=date: line=1 column=4\n  int(day)\n     ^",
        "make both of one kind",
    ),
    (
        "name.nick",
        "no members: kind=string: line=1 column=5\n  name.nick\n      ^",
        "JSON",
    ),
    (
        "record",
        "a record is no value: line=1 column=1\n  record\n  ^",
        "record[\"NAME\"]",
    ),
    (
        "has(record.name)",
        "every record has the field: field=\"name\": line=1 column=4\n  has(record.name)\n     ^",
        "!= null",
    ),
    (
        "manual()",
        "no such function: function=manual: line=1 column=7\n  manual()\n        ^",
        "the functions are:",
    ),
    (
        "qty < null",
        "nothing is less or greater than null: line=1 column=5\n  qty < null\n      ^",
        "== null",
    ),
    (
        "tags.all(qty, true)",
        "the name is taken: variable=qty: line=1 column=9\n  tags.all(qty, true)\n          ^",
        "something else",
    ),
    (
        "qty >",
        "syntax error: mismatched input '<EOF>': line=1 column=6\n  qty >\n       ^",
        "expressions.md",
    ),
];

#[test]
fn mistakes_are_shown_where_they_are() {
    for &(text, wanted, hint) in MISTAKES {
        let error = record::formula(text, &goods()).unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert_eq!(error.message(), format!("expression: {wanted}"), "{text}");
        let advice = error.advice().unwrap_or_default();
        assert!(advice.contains(hint), "{text}: {advice}");
    }
}

#[test]
fn a_filter_is_true_or_false_and_reads_something() {
    for (text, wanted) in [
        ("qty", "a filter is true or false: kind=int"),
        ("name + size", "a filter is true or false: kind=string"),
        ("true", "the filter reads no field"),
    ] {
        let error = record::filter(text, &goods()).unwrap_err();
        assert!(error.message().contains(wanted), "{text}: {error:?}");
        assert!(error.advice().is_some());
    }
    assert!(record::filter("any", &goods()).is_ok());
}

/// Whoever writes a hundred operators gets an answer, not the end of the process.
#[test]
fn deep_nesting_is_refused() {
    let deep = vec!["qty"; 200].join("+");
    let error = record::formula(&deep, &goods()).unwrap_err();
    assert!(error.message().contains("nests too deep"), "{error:?}");
    let long = format!("name == \"{}\"", "x".repeat(5000));
    let error = record::filter(&long, &goods()).unwrap_err();
    assert!(error.message().contains("too long"), "{error:?}");
}
