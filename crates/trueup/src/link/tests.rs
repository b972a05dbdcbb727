use super::*;
use crate::args::Sides;
use std::path::Path;
use trueup_core::guard::Guard;
use trueup_engine::Mode;

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
        collections: collections
            .split_terminator(',')
            .map(|rule| rule.parse().unwrap())
            .collect(),
        keys: keys
            .split_whitespace()
            .map(|rule| rule.parse().unwrap())
            .collect(),
        filters: Vec::new(),
    };
    let mode = Mode {
        write: false,
        count_all: false,
        delete: false,
        verify: false,
        lift_guard: false,
        compare: Way::Auto,
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
