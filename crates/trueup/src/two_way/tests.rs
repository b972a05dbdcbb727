use super::*;
use clap::Parser;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
    #[arg(long)]
    delete: bool,
}

fn options(line: &str) -> Options {
    let words = std::iter::once("x").chain(line.split_whitespace());
    let read = Line::try_parse_from(words).map(|line| (line.delete, line.options));
    read.unwrap().1
}

fn rules(line: &str, known: &[&str]) -> Result<Option<TwoWay>> {
    let known: Vec<String> = known.iter().map(|&name| name.to_owned()).collect();
    let stated = options(line).stated()?;
    Ok(stated.map(|stated| stated.settle(&known)))
}

#[test]
fn rules_for_conflicts_read() {
    let named = |place: Option<&str>, name: &str| {
        Some((
            place.map(str::to_owned),
            PolicySpec::Named(name.parse().unwrap()),
        ))
    };
    let cel = |place: Option<&str>, text: &str| {
        Some((
            place.map(str::to_owned),
            PolicySpec::Expression(text.to_owned()),
        ))
    };
    for (text, expected) in [
        ("source", named(None, "source")),
        ("newest", named(None, "newest")),
        ("keep-both", named(None, "keep-both")),
        ("orders=max", named(Some("orders"), "max")),
        ("orders.price=min", named(Some("orders.price"), "min")),
        // A collection may be called like a rule.
        ("source=target", named(Some("source"), "target")),
        ("a=b=set-union", named(Some("a=b"), "set-union")),
        // Equals signs and dots of an expression are its own.
        (
            "cel:source.n == 1 ? source : target",
            cel(None, "source.n == 1 ? source : target"),
        ),
        (
            "orders=cel:source.n >= target.n",
            cel(Some("orders"), "source.n >= target.n"),
        ),
        ("orders.n=cel:x=newest", cel(Some("orders.n"), "x=newest")),
        ("cel:a=newest", cel(None, "a=newest")),
        ("cel:", None),
        ("orders=cel: ", None),
        ("", None),
        ("=newest", None),
        (".f=newest", None),
        ("c.=newest", None),
        ("orders", None),
        ("orders=", None),
        ("orders=latest", None),
        ("Newest", None),
        // Rules that need what a link of two databases does not have.
        ("counter", None),
        ("expression", None),
    ] {
        let read = text.parse::<ConflictOption>().ok();
        let read = read.map(|option| (option.place, option.policy));
        assert_eq!(read, expected, "{text}");
    }
}

#[test]
fn a_wrong_rule_is_answered_with_those_there_are() {
    let said = "orders=latest".parse::<ConflictOption>().unwrap_err();
    assert_eq!(
        said,
        "write source, target, newest, merge, manual, keep-both, max, min, set-union, or cel:EXPRESSION"
    );
}

#[test]
fn rules_for_deletes_read() {
    for (text, expected) in [
        ("keep", Some((None, OnDelete::Keep))),
        ("wins", Some((None, OnDelete::Wins))),
        ("orders=wins", Some((Some("orders"), OnDelete::Wins))),
        ("a=b=keep", Some((Some("a=b"), OnDelete::Keep))),
        ("=keep", None),
        ("orders", None),
        ("orders=", None),
        ("", None),
    ] {
        let read = text.parse::<DeleteOption>().ok();
        let read = read.map(|option| (option.collection, option.rule));
        let expected = expected.map(|(collection, rule)| (collection.map(str::to_owned), rule));
        assert_eq!(read, expected, "{text}");
    }
}

#[test]
fn stamps_read() {
    for (text, expected) in [
        ("updated_at", Some((None, "updated_at"))),
        ("orders=updated_at", Some((Some("orders"), "updated_at"))),
        ("=f", None),
        ("orders=", None),
        ("", None),
    ] {
        let read = text.parse::<StampOption>().ok();
        let read = read.map(|option| (option.collection, option.field));
        let expected =
            expected.map(|(collection, field)| (collection.map(str::to_owned), field.to_owned()));
        assert_eq!(read, expected, "{text}");
    }
}

#[test]
fn a_dot_belongs_to_the_longest_collection_that_there_is() {
    for (place, known, expected) in [
        ("orders", &["orders"][..], ("orders", None)),
        ("orders.price", &["orders"], ("orders", Some("price"))),
        ("sales.orders", &["sales.orders"], ("sales.orders", None)),
        (
            "sales.orders",
            &["sales", "sales.orders"],
            ("sales.orders", None),
        ),
        (
            "sales.orders.price",
            &["sales", "sales.orders"],
            ("sales.orders", Some("price")),
        ),
        ("a.b.c", &["a"], ("a", Some("b.c"))),
        // What the engine will not find.
        ("order.price", &["orders"], ("order", Some("price"))),
        ("order", &["orders"], ("order", None)),
        ("a.b.c", &[], ("a.b", Some("c"))),
    ] {
        let known: Vec<String> = known.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(split(place, &known), expected, "{place} {known:?}");
    }
}

#[test]
fn options_become_rules() {
    assert!(rules("", &[]).unwrap().is_none());
    let plain = rules("--two-way", &[]).unwrap().unwrap();
    assert_eq!(plain.default, PolicySpec::Named(Policy::Manual));
    let line = "--two-way --on-conflict newest --on-conflict orders=source --on-conflict orders.price=max \
                --on-delete wins --on-delete orders=keep --stamp at --stamp orders=changed";
    let made = rules(line, &["orders"]).unwrap().unwrap();
    assert_eq!(made.default, PolicySpec::Named(Policy::Newest));
    let shown: Vec<_> = made
        .rules
        .iter()
        .map(|rule| {
            let name = |name: &Option<String>| name.clone().unwrap_or_default();
            (
                name(&rule.collection),
                name(&rule.field),
                rule.policy.clone(),
            )
        })
        .collect();
    let (orders, none) = (|| "orders".to_owned(), String::new());
    assert_eq!(
        shown,
        [
            (orders(), none, PolicySpec::Named(Policy::Source)),
            (orders(), "price".to_owned(), PolicySpec::Named(Policy::Max)),
        ]
    );
    assert_eq!(
        made.on_delete,
        [(None, OnDelete::Wins), (Some(orders()), OnDelete::Keep)]
    );
    assert_eq!(
        made.stamps,
        [
            (None, "at".to_owned()),
            (Some(orders()), "changed".to_owned())
        ]
    );
}

#[test]
fn one_place_has_one_rule() {
    for (line, expected) in [
        (
            "--on-conflict newest --on-conflict source",
            "--on-conflict is given twice for all collections",
        ),
        (
            "--on-conflict a.f=max --on-conflict a.f=min",
            "--on-conflict names a.f twice",
        ),
        (
            "--on-delete a=keep --on-delete a=wins",
            "--on-delete names a twice",
        ),
        (
            "--stamp f --stamp g",
            "--stamp is given twice for all collections",
        ),
    ] {
        let error = rules(&format!("--two-way {line}"), &["a"]).unwrap_err();
        assert_eq!(error.message(), expected);
    }
}

#[test]
fn names_are_asked_for_only_where_a_dot_needs_them() {
    for (line, expected) in [
        ("--two-way", false),
        ("--two-way --on-conflict cel:a.b", false),
        ("--two-way --on-conflict a=newest", false),
        ("--two-way --on-conflict a.f=newest", true),
    ] {
        let stated = options(line).stated().unwrap().unwrap();
        assert_eq!(stated.needs_names(), expected, "{line}");
    }
}
