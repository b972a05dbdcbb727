use super::*;
use crate::args::{Choice, Sides};
use std::path::Path;
use trueup_core::guard::Guard;
use trueup_engine::{Comparison, Mode};

/// A folder `in` with the given CSV files, each with the fields `id` and `name`.
fn folder(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    for file in files {
        let path = folder.path().join("in").join(format!("{file}.csv"));
        std::fs::write(path, "id,name\n1,a\n").unwrap();
    }
    folder
}

/// What the link's collections are: `source=target(key)`, or the error.
fn show(root: &Path, source: &str, target: &str, collections: &str, keys: &str) -> String {
    let root = root.display();
    let sides = Sides {
        source: format!("csv:{root}/{source}"),
        target: format!("{root}/{target}"),
        choice: Choice {
            collections: collections
                .split_terminator(',')
                .map(|rule| rule.parse().unwrap())
                .collect(),
            keys: keys
                .split_whitespace()
                .map(|rule| rule.parse().unwrap())
                .collect(),
            filters: Vec::new(),
        },
    };
    let mode = Mode {
        write: false,
        count_all: false,
        delete: false,
        verify: false,
        lift_guard: false,
        compare: Comparison::Auto,
    };
    let spec = sides.spec(None, mode, Guard::default(), 1);
    match open(&spec, &Context::empty()) {
        Ok(link) => {
            let spec = |spec: &CollectionSpec| {
                let key = spec.rules.key.join("+");
                format!("{}={}({key})", spec.source, spec.target)
            };
            let specs: Vec<String> = link.collections.iter().map(spec).collect();
            specs.join(" ")
        }
        Err(error) => format!("{}: {error}", error.kind().name()),
    }
}

#[test]
fn collections_and_keys_meet() {
    let root = folder(&["a", "b"]);
    for (source, target, collections, keys, expected) in [
        ("in", "x.db", "", "", ""),
        ("in", "x.db", "", "b=id", "a=a() b=b(id)"),
        ("in", "x.db", "b", "b=id,name", "b=b(id+name)"),
        ("in", "x.db", "b=c,a", "b=id", "b=c(id) a=a()"),
        ("in", "x.db", "b", "id", "b=b(id)"),
        ("in#a", "x.db", "", "id", "a=a(id)"),
        ("in#a", "x.db#c", "", "", "a=c()"),
        ("in/a.csv", "x.db", "", "id", "a=a(id)"),
        ("in/a.csv", "x.db#c", "", "", "a=c()"),
        ("in#a", "out.csv", "", "", "a=out()"),
        ("in/a.csv", "out.csv", "a", "", "a=out()"),
        // A key for a collection that is there but not taken along is no mistake.
        ("in", "x.db", "b", "a=id b=id", "b=b(id)"),
        (
            "in",
            "x.db",
            "",
            "c=id",
            "config: --key names the collection c, which the source does not have",
        ),
        (
            "in",
            "x.db",
            "",
            "id",
            "config: --key id does not say to which collection it belongs",
        ),
        (
            "in",
            "x.db",
            "a,b",
            "id",
            "config: --key id does not say to which collection it belongs",
        ),
        (
            "in",
            "x.db",
            "",
            "a=id a=name",
            "config: --key names the collection a twice",
        ),
        (
            "in",
            "x.db#c",
            "",
            "",
            "config: the target is the one collection c, and the source has 2",
        ),
        (
            "in#a",
            "x.db",
            "a",
            "",
            "config: collections are named twice: after # and with --collections",
        ),
        (
            "in",
            "x.db",
            "a=c,b=c",
            "",
            "config: --collections names the target's collection c twice",
        ),
    ] {
        let found = show(root.path(), source, target, collections, keys);
        assert_eq!(
            found, expected,
            "{source} {target} --collections {collections} --key {keys}"
        );
    }
}

#[test]
fn a_source_with_one_collection_needs_no_name() {
    let root = folder(&["a"]);
    for (target, keys, expected) in [
        ("x.db", "id", "a=a(id)"),
        ("x.db#c", "id", "a=c(id)"),
        ("x.db#c", "a=id", "a=c(id)"),
        ("out.csv", "", "a=out()"),
    ] {
        assert_eq!(
            show(root.path(), "in", target, "", keys),
            expected,
            "{target} {keys}"
        );
    }
}

#[test]
fn a_filter_finds_its_collection() {
    let root = folder(&["a", "b"]);
    let filtered = |collections: &[&str], filters: &[&str]| {
        let mut collections: Vec<CollectionSpec> = collections
            .iter()
            .map(|name| plain((*name).to_owned()))
            .collect();
        let rules: Vec<FilterRule> = filters.iter().map(|one| one.parse().unwrap()).collect();
        let address = Address::parse(&format!("csv:{}/in", root.path().display())).unwrap();
        let mut source = address
            .connect("source", &Vec::new(), Context::empty())
            .unwrap();
        match filter(&mut collections, &rules, source.as_mut()) {
            Ok(()) => {
                let shown = collections.iter().map(|one| {
                    format!(
                        "{}({})",
                        one.source,
                        one.filter.as_deref().unwrap_or_default()
                    )
                });
                shown.collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.message().to_owned(),
        }
    };
    for (collections, filters, expected) in [
        (&["a"][..], &["id > 1"][..], "a(id > 1)"),
        (&["a", "b"], &["b=id > 1"], "a() b(id > 1)"),
        (&[], &["b=id > 1", "a=id < 5"], "a(id < 5) b(id > 1)"),
        (&[], &[], ""),
        (
            &[],
            &["id > 1"],
            "--where does not say to which collection it belongs",
        ),
        (
            &["a"],
            &["c=id > 1"],
            "--where names the collection c, which takes no part",
        ),
        (
            &["a"],
            &["id > 1", "a=id > 2"],
            "--where names the collection a twice",
        ),
    ] {
        assert_eq!(
            filtered(collections, filters),
            expected,
            "{collections:?} {filters:?}"
        );
    }
}

#[test]
fn patterns_choose_among_what_is_there() {
    let root = folder(&["log", "orders", "orders_1", "orders_22", "tmp_orders"]);
    let all = "orders=orders() orders_1=orders_1() orders_22=orders_22()";
    for (target, collections, keys, expected) in [
        ("x.db", "orders*", "", all),
        ("x.db", "orders_?", "", "orders_1=orders_1()"),
        (
            "x.db",
            "*orders",
            "",
            "orders=orders() tmp_orders=tmp_orders()",
        ),
        (
            "x.db",
            "*,!orders*",
            "",
            "log=log() tmp_orders=tmp_orders()",
        ),
        ("x.db", "!orders*,!log", "", "tmp_orders=tmp_orders()"),
        (
            "x.db",
            "!orders,orders_*",
            "orders_1=id",
            "orders_1=orders_1(id) orders_22=orders_22()",
        ),
        // What is named in full has its own name at the target, and stays whatever is left out.
        ("x.db", "orders=o,orders*,!orders*", "", "orders=o()"),
        (
            "x.db",
            "orders=o,orders_?",
            "",
            "orders=o() orders_1=orders_1()",
        ),
        ("x.db", "log,l*", "", "log=log()"),
        ("x.db", "l*,!tmp_*", "", "log=log()"),
        ("out.csv", "l*", "id", "log=out(id)"),
        ("x.db", "orders_1=*", "", "orders_1=*()"),
    ] {
        let found = show(root.path(), "in", target, collections, keys);
        assert_eq!(
            found, expected,
            "{target} --collections {collections} --key {keys}"
        );
    }
    let taken = show(root.path(), "in#log", "x.db", "o*", "");
    assert!(taken.contains("named twice"), "{taken}");
    let other = show(root.path(), "in/log.csv", "x.db", "o*", "");
    assert!(other.contains("no collection matches"), "{other}");
}

#[test]
fn patterns_that_choose_nothing_are_mistakes() {
    let root = folder(&["log", "orders", "orders_1"]);
    for (collections, keys, expected) in [
        ("nothing*", "", "no collection matches the pattern nothing*"),
        (
            "*,Orders_*",
            "",
            "no collection matches the pattern Orders_*",
        ),
        (
            "*,!nothing",
            "",
            "there is no collection nothing to exclude",
        ),
        ("!*", "", "every collection is excluded"),
        (
            "log,!orders*",
            "",
            "!orders* has nothing to leave out: all other collections are named in full",
        ),
        ("*,!", "", "an exclusion names no collection"),
        (
            "o*",
            "id",
            "--key id does not say to which collection it belongs",
        ),
        (
            "o*",
            "lgo=id",
            "--key names the collection lgo, which the source does not have",
        ),
        (
            "log=orders,orders*",
            "",
            "--collections names the target's collection orders twice",
        ),
    ] {
        let found = show(root.path(), "in", "x.db", collections, keys);
        assert_eq!(
            found,
            format!("config: {expected}"),
            "--collections {collections} --key {keys}"
        );
    }
}

#[test]
fn near_names_are_told() {
    let root = folder(&["log", "orders_1", "orders_2"]);
    for (collections, expected) in [
        ("ordrs_*", "near it: orders_1, orders_2"),
        ("ORDERS*", "near it: orders_1, orders_2"),
        ("x*", "the source has: log, orders_1, orders_2"),
        ("*,!lof", "near it: log"),
    ] {
        let root = root.path().display();
        let sides = Sides {
            source: format!("csv:{root}/in"),
            target: format!("{root}/x.db"),
            choice: Choice {
                collections: collections
                    .split(',')
                    .map(|rule| rule.parse().unwrap())
                    .collect(),
                ..Choice::default()
            },
        };
        let spec = crate::check::between(&sides, false);
        let error = open_alone(&spec, &Context::empty()).err().unwrap();
        assert_eq!(error.advice(), Some(expected), "{collections}");
    }
}
