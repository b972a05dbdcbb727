use super::*;
use clap::CommandFactory;

fn words(line: &str) -> Vec<OsString> {
    let words = std::iter::once("trueup").chain(line.split_whitespace());
    words.map(OsString::from).collect()
}

fn told(line: &str) -> Option<u8> {
    match parse(&words(line)) {
        Parsed::Told(code) => Some(code),
        Parsed::Command(_) => None,
    }
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn what_is_said_reads_or_ends_with_the_exit_code_of_usage() {
    for (line, expected) in [
        ("sync a b", None),
        (
            "sync a b --collections x,y=z --key x=f,g --key y=h --delete --yes",
            None,
        ),
        (
            "sync a b --dry-run --no-verify --json --quiet --state s.db --deletes-max 5%",
            None,
        ),
        ("diff a b --key f,g --json --quiet", None),
        ("history", None),
        ("history --limit 3 --json --state s.db", None),
        ("history --certificate 7", None),
        ("--help", Some(0)),
        ("help sync", Some(0)),
        ("sync --help", Some(0)),
        ("--version", Some(0)),
        ("", Some(2)),
        ("sync", Some(2)),
        ("sync a", Some(2)),
        ("sync a b c", Some(2)),
        ("frob a b", Some(2)),
        // What is not built is not accepted.
        ("sync a b --two-way", Some(2)),
        ("diff a b --delete", Some(2)),
        ("diff a b --state s.db", Some(2)),
        ("sync a b --key =f", Some(2)),
        ("sync a b --collections a,,b", Some(2)),
        ("sync a b --deletes-max lots", Some(2)),
        ("history --certificate 7 --limit 3", Some(2)),
    ] {
        assert_eq!(told(line), expected, "{line}");
    }
}

#[test]
fn keys_read() {
    let rule = |collection: Option<&str>, fields: &[&str]| {
        Some(KeyRule {
            collection: collection.map(str::to_owned),
            fields: fields.iter().map(|&field| field.to_owned()).collect(),
        })
    };
    for (text, expected) in [
        ("orders=id", rule(Some("orders"), &["id"])),
        ("orders=a,b", rule(Some("orders"), &["a", "b"])),
        ("a,b", rule(None, &["a", "b"])),
        ("id", rule(None, &["id"])),
        ("orders=a=b", rule(Some("orders"), &["a=b"])),
        ("", None),
        ("orders=", None),
        ("=id", None),
        ("orders=a,", None),
        ("orders=,a", None),
    ] {
        assert_eq!(text.parse::<KeyRule>().ok(), expected, "{text}");
    }
}

#[test]
fn collections_read() {
    let rule = |source: &str, target: Option<&str>| {
        Some(CollectionRule {
            source: source.to_owned(),
            target: target.map(str::to_owned),
        })
    };
    for (text, expected) in [
        ("orders", rule("orders", None)),
        ("orders=purchases", rule("orders", Some("purchases"))),
        ("", None),
        ("=a", None),
        ("a=", None),
    ] {
        assert_eq!(text.parse::<CollectionRule>().ok(), expected, "{text}");
    }
}

#[test]
fn limits_read_and_become_a_guard() {
    for (text, expected) in [
        ("20%", Some((20, 100))),
        ("0%", Some((0, 100))),
        ("100 %", Some((100, 100))),
        ("500", Some((0, 500))),
        ("0", Some((0, 0))),
        ("101%", None),
        ("-1", None),
        ("1.5%", None),
        ("%", None),
        ("", None),
    ] {
        let guard = text.parse().ok().map(DeletesMax::guard);
        let found = guard.map(|guard| (guard.deletes_percent_max, guard.deletes_max));
        assert_eq!(found, expected, "{text}");
    }
}
