//! Mistakes in expressions, and expressions and records that want too much.

use super::*;

const MISTAKES: &[(&str, &str)] = &[
    (
        "source.nam > 1",
        "no such field: field=\"nam\": line=1 column=7\n  source.nam > 1\n        ^",
    ),
    (
        "source['größe'] == \"ü\" ||\n source.no",
        "no such field: field=\"no\": line=2 column=8\n   source.no\n         ^",
    ),
    (
        "source[\"no\"]",
        "no such field: field=\"no\": line=1 column=7\n  source[\"no\"]\n        ^",
    ),
    (
        "key.name == 1",
        "not a field of the key: field=\"name\": line=1 column=4\n  key.name == 1\n     ^",
    ),
    (
        "sourc.name",
        "no such variable: variable=sourc: line=1 column=1\n  sourc.name\n  ^",
    ),
    (
        "source_value > 1",
        "only the expression for a field has a value: variable=source_value: line=1 column=1\n  source_value > 1\n  ^",
    ),
    (
        "source.name.matches(\"x\")",
        "no such function: function=matches: line=1 column=20\n  source.name.matches(\"x\")\n                     ^",
    ),
    (
        "now() > source.seen",
        "no such function: function=now: line=1 column=4\n  now() > source.seen\n     ^",
    ),
    (
        "contains(source.name, \"x\")",
        "called the wrong way: function=contains: line=1 column=9\n  contains(source.name, \"x\")\n          ^",
    ),
    (
        "source.qty == \"9\"",
        "never compare: classes=number,text: line=1 column=12\n  source.qty == \"9\"\n             ^",
    ),
    (
        "target['name'] > source.qty",
        "never compare: classes=text,number: line=1 column=16\n  target['name'] > source.qty\n                 ^",
    ),
    (
        "size(1, 2) == 3",
        "wrong number of arguments: function=size arguments=2 wanted=1: line=1 column=5\n  size(1, 2) == 3\n      ^",
    ),
    (
        "source.tags.all(t, target.tags.exists(u, u == t))",
        "a loop within a loop: line=1 column=38\n  source.tags.all(t, target.tags.exists(u, u == t))\n                                       ^",
    ),
    (
        "source.größe",
        "syntax error: token recognition error at: 'ö': line=1 column=10\n  source.größe\n           ^",
    ),
    (
        "source.qty >\n  > 1",
        "syntax error: extraneous input '>': line=2 column=3\n    > 1\n    ^",
    ),
    (
        "source.tags.all(source, true)",
        "the name is taken: variable=source: line=1 column=16\n  source.tags.all(source, true)\n                 ^",
    ),
];

#[test]
fn mistakes_are_shown_where_they_are() {
    for &(text, wanted) in MISTAKES {
        let error = Expression::compile(text, &SHAPE, None).unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert_eq!(error.message(), format!("conflict expression: {wanted}"));
        assert!(error.advice().is_some(), "{text}");
    }
}

/// The parser, the check and the interpreter all recurse: nothing that is as long as is allowed may end the process.
#[test]
fn deep_nesting_is_refused_or_answered() {
    type Make = fn(usize) -> String;
    let shapes: [(&str, Make); 15] = [
        ("parentheses", |n| {
            format!("{}1{}", "(".repeat(n), ")".repeat(n))
        }),
        ("sum", |n| vec!["1"; n].join("+")),
        ("not", |n| format!("{}true", "!".repeat(n))),
        ("nots", |n| {
            format!("{}true{}", "!(".repeat(n), ")".repeat(n))
        }),
        ("minus", |n| format!("{}1", "- ".repeat(n))),
        ("lists", |n| format!("{}{}", "[".repeat(n), "]".repeat(n))),
        ("maps", |n| format!("{}1{}", "{1:".repeat(n), "}".repeat(n))),
        ("opened", |n| "(".repeat(n)),
        ("opened lists", |n| "[".repeat(n)),
        ("calls", |n| {
            format!("{}1{}", "int(".repeat(n), ")".repeat(n))
        }),
        ("indices", |n| format!("source.tags{}", "[0]".repeat(n))),
        ("members", |n| format!("source.tags{}", ".a".repeat(n))),
        ("conditions", |n| format!("{}1", "false?1:".repeat(n))),
        ("alternatives", |n| vec!["false"; n].join("||")),
        ("in a loop", |n| {
            format!("[1].all(x,{}x{}==1)", "int(".repeat(n), ")".repeat(n))
        }),
    ];
    let (source, target) = (source(), target());
    for (name, make) in shapes {
        for n in [1, 8, 9, 30, 60, 65, 500, 2000] {
            let text = make(n);
            match Expression::compile(&text, &SHAPE, Some(field("any"))) {
                Ok(expression) => {
                    let records = Sides::new(&source, &target).map(|batch| Some(batch.record(0)));
                    let verdict = expression.evaluate(&records);
                    assert!(!matches!(verdict, Verdict::Side(_)), "{name} {n}");
                }
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Config, "{name} {n}: {error}");
                    assert!(error.message().len() < 600, "{name} {n}: {error}");
                }
            }
        }
    }
}

/// The same answer on every machine: a map has no order of its own.
#[test]
fn maps_are_walked_in_the_order_of_their_keys() {
    let members: Vec<String> = (0..100).rev().map(|n| format!("\"k{n:02}\":{n}")).collect();
    let held = record(&[("tags", Value::Json(&format!("{{{}}}", members.join(","))))]);
    let verdict = ask(
        "source_value.map(k, source_value[k])",
        Some("tags"),
        Some(&held),
        None,
    );
    let sorted: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    assert_eq!(shown(&verdict), format!("json [{}]", sorted.join(",")));
    let verdict = ask(
        "source.filter(f, f < \"b\")",
        Some("tags"),
        Some(&source()),
        None,
    );
    assert_eq!(shown(&verdict), r#"json ["any","at"]"#);
}

#[test]
fn work_is_bounded_before_it_starts() {
    let long = "x".repeat(VALUES_BYTES_MAX);
    let held = record(&[("name", Value::Text(&long)), ("tags", Value::Json("[1]"))]);
    let other = record(&[("name", Value::Text("y")), ("tags", Value::Json("[1]"))]);
    let of = |text, of| ask(text, Some(of), Some(&held), Some(&other));
    assert_eq!(shown(&of("size(source.name) > 1", "live")), "bool true");
    assert!(
        of("source.name > target.name", "live")
            .note()
            .unwrap()
            .contains("too large")
    );
    assert!(
        of("source == target", "live")
            .note()
            .unwrap()
            .contains("too large")
    );
    assert_eq!(
        shown(&of("source.tags == target.tags", "live")),
        "bool true"
    );
    assert_eq!(
        shown(&of("source.tags.all(t, t == 1)", "live")),
        "bool true"
    );
    assert!(
        of("source.tags.all(t, t == size(source.name))", "live")
            .note()
            .unwrap()
            .contains("too large")
    );
    // A sum may double what it was given, and not more.
    let twice = of("source.name + source.name", "name");
    assert!(matches!(twice, Verdict::Value(_)), "{:?}", twice.note());
    let more = of("source.name + source.name + source.name", "name");
    assert!(
        more.note().unwrap().contains("too large a sum"),
        "{:?}",
        more.note()
    );
    let json = format!("[{}1]", "1,".repeat(JSON_BYTES_MAX / 2));
    let held = record(&[("tags", Value::Json(&json))]);
    let verdict = ask("source_value", Some("tags"), Some(&held), None);
    assert!(verdict.note().unwrap().contains("too large"));
}

/// As many elements as a loop may see, each looked for among all the others.
#[test]
fn the_worst_loop_ends() {
    let json = format!("[{}0]", "1,".repeat(LOOP_BYTES_MAX / 2 - 8));
    let held = record(&[("tags", Value::Json(&json))]);
    let text = "size(source.tags.filter(t, t in source.tags))";
    let verdict = ask(text, Some("qty"), Some(&held), None);
    assert_eq!(shown(&verdict), format!("int {}", LOOP_BYTES_MAX / 2 - 7));
}

#[test]
fn a_text_that_is_too_long_is_refused() {
    let text = format!("\"{}\"", "x".repeat(TEXT_BYTES_MAX - 2));
    assert!(Expression::compile(&text, &SHAPE, None).is_ok());
    let error = Expression::compile(&format!("{text} "), &SHAPE, None).unwrap_err();
    assert_eq!(
        error.message(),
        "conflict expression is too long: bytes=4097 bytes_max=4096"
    );
}

/// What a text holds is text: quotes, marks of the language, zero bytes.
#[test]
fn values_are_never_read_as_expressions() {
    for text in [
        "\"",
        "'",
        "\\",
        "\" + target.name + \"",
        "${x}",
        "\0",
        "{{x}}",
        "\u{202e}",
        "\"\"\"",
    ] {
        let held = record(&[("name", Value::Text(text)), ("id", Value::Int(1))]);
        let verdict = ask("source_value + key.id.x", Some("name"), Some(&held), None);
        assert!(verdict.note().is_some());
        let verdict = ask("source_value", Some("name"), Some(&held), None);
        assert_eq!(verdict.answer(), Answer::Value(Value::Text(text)));
    }
}
