use super::*;
use clap::CommandFactory;

fn words(line: &str) -> Vec<OsString> {
    let words = std::iter::once("trueup").chain(line.split_whitespace());
    words.map(OsString::from).collect()
}

fn read(line: &str) -> &'static str {
    match parse(&words(line)).1 {
        Parsed::Command(_) => "command",
        Parsed::Help(text) => {
            assert!(text.contains("trueup"), "{line}");
            "help"
        }
        Parsed::Wrong { complaint, json } => {
            assert!(
                complaint.starts_with("error: ") || complaint.contains("Usage"),
                "{line}"
            );
            assert_eq!(json, line.contains("--json"), "{line}");
            "wrong"
        }
    }
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn what_is_said_is_a_command_or_help_or_wrong() {
    for (line, expected) in [
        ("sync a b", "command"),
        (
            "sync a b --collections x,y=z --key x=f,g --key y=h --delete --yes",
            "command",
        ),
        (
            "sync a b --dry-run --no-verify --json --quiet --state s.db --deletes-max 5%",
            "command",
        ),
        ("diff a b --key f,g --json --quiet", "command"),
        ("history", "command"),
        ("history --limit 3 --json --state s.db", "command"),
        ("history --certificate 7", "command"),
        ("status", "command"),
        ("status --json --state s.db", "command"),
        ("conflicts list", "command"),
        ("conflicts list --open --json --state s.db", "command"),
        ("conflicts show 3 --json", "command"),
        ("conflicts resolve 3 --take source", "command"),
        ("conflicts resolve 3 --take - --state s.db", "command"),
        ("forget x --state s.db", "command"),
        ("conflicts --help", "help"),
        ("conflicts", "wrong"),
        ("conflicts show", "wrong"),
        ("conflicts show x --json", "wrong"),
        ("conflicts resolve 3", "wrong"),
        ("conflicts resolve --take source", "wrong"),
        ("forget", "wrong"),
        ("status x", "wrong"),
        ("--help", "help"),
        ("help sync", "help"),
        ("sync --help", "help"),
        ("--version", "help"),
        ("", "wrong"),
        ("sync", "wrong"),
        ("sync a", "wrong"),
        ("sync a b c", "wrong"),
        ("frob a b", "wrong"),
        ("sync a b --two-way", "command"),
        (
            "sync a b --two-way --on-conflict newest --on-conflict a.f=max --on-delete wins --stamp at",
            "command",
        ),
        // Deletes of both sides are carried out anyway; a rule without conflicts would have no effect.
        ("sync a b --two-way --delete", "wrong"),
        ("sync a b --delete --two-way", "wrong"),
        ("sync a b --on-conflict newest", "wrong"),
        ("sync a b --on-delete wins --json", "wrong"),
        ("sync a b --stamp at", "wrong"),
        ("sync a b --two-way --on-conflict latest", "wrong"),
        ("diff a b --two-way", "wrong"),
        ("diff a b --delete", "wrong"),
        ("diff a --json", "command"),
        ("diff a b c", "wrong"),
        ("diff a b --state s.db", "command"),
        ("sync a b --key =f", "wrong"),
        ("sync a b --collections a,,b", "wrong"),
        ("sync a b --deletes-max lots", "wrong"),
        ("history --certificate 7 --limit 3", "wrong"),
    ] {
        assert_eq!(read(line), expected, "{line}");
    }
}

#[test]
fn plans_lists_and_parked_records_are_said_like_this() {
    for (line, expected) in [
        ("parked list --json --state s.db", "command"),
        ("parked show 3 --json", "command"),
        ("parked retry a b --key f --delete --yes --json", "command"),
        ("parked", "wrong"),
        ("parked show", "wrong"),
        ("parked retry --config f l --yes", "command"),
        ("parked retry --config f l --key k", "command"),
        ("parked retry a b c", "wrong"),
        ("parked retry", "wrong"),
        ("parked retry a b --two-way", "wrong"),
        ("sync a b --plan-out p", "command"),
        ("sync a b --plan-in p --delete --yes", "command"),
        ("sync a b --plan-in p --plan-out p", "wrong"),
        ("sync a b --plan-in p --dry-run", "wrong"),
        ("sync a b --plan-out p --two-way", "command"),
        ("sync a b --plan-in p --two-way", "command"),
        ("diff a b --out - --show-values", "command"),
        ("diff a b --sql source --out f", "command"),
        ("diff a b --sql both", "wrong"),
        ("diff a b --show-values", "wrong"),
        ("diff a b --sql target --out f --show-values", "wrong"),
    ] {
        assert_eq!(read(line), expected, "{line}");
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

#[test]
fn a_filter_says_its_collection_or_is_all_expression() {
    for (text, collection, expression) in [
        ("qty > 0", None, "qty > 0"),
        ("orders=qty > 0", Some("orders"), "qty > 0"),
        ("status==1", None, "status==1"),
        ("status == \"a=b\"", None, "status == \"a=b\""),
        ("orders=status == \"a\"", Some("orders"), "status == \"a\""),
        ("qty>=5", None, "qty>=5"),
        ("qty<=5 && a==b", None, "qty<=5 && a==b"),
        ("name.contains(\"=\")", None, "name.contains(\"=\")"),
        ("order items=a != 1", Some("order items"), "a != 1"),
        ("public.orders=live", Some("public.orders"), "live"),
    ] {
        let rule: FilterRule = text.parse().unwrap();
        assert_eq!(
            (rule.collection.as_deref(), rule.text.as_str()),
            (collection, expression),
            "{text}"
        );
    }
    for text in ["", "=qty > 0", "orders=", "orders= "] {
        assert!(text.parse::<FilterRule>().is_err(), "{text}");
    }
}

#[test]
fn a_mistyped_option_has_the_right_one_beside_it() {
    let complaint = |line: &str| {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        match parse(&arguments).1 {
            Parsed::Wrong { complaint, .. } => complaint,
            other => panic!("{other:?}"),
        }
    };
    for (line, expected) in [
        ("trueup sync a b --kye x", Some("--key")),
        ("trueup verify --sate x", Some("--state")),
        ("trueup conflicts list --oepn", Some("--open")),
        ("trueup -q status --al", Some("--all")),
        ("trueup sync a b --dry", Some("--dry-run")),
        ("trueup sync a b --nothing-like-it", None),
        ("trueup run --kye x", None),
    ] {
        let complaint = complaint(line);
        let tip = "tip: a similar argument exists: '";
        let found = complaint.split_once(tip).map(|(_, rest)| rest);
        let found = found.and_then(|rest| rest.split('\'').next());
        assert_eq!(found, expected, "{line}: {complaint}");
        assert!(!complaint.contains("'-- --"), "{line}: {complaint}");
    }
}

#[test]
fn help_lists_every_kind_of_address() {
    let mut command = definition();
    for name in ["sync", "diff", "check", "init"] {
        let command = command.find_subcommand_mut(name).unwrap();
        let help = command.render_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(&registry::examples()), "{name}: {help}");
    }
    assert!(registry::examples().contains("jsonl:DIR"));
}
