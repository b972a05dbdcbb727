use super::*;
use trueup_engine::Report;
use trueup_engine::state::{Ends, LinkId};

fn sides(source: &str, target: &str) -> Sides<String> {
    Sides::new(source.to_owned(), target.to_owned())
}

fn link(durable: &str, name: &str) -> LinkId {
    LinkId {
        durable: durable.to_owned(),
        name: name.to_owned(),
        said: None,
    }
}

fn ends() -> Ends {
    Ends {
        identity: sides("1", "2"),
        address: sides("a", "b"),
    }
}

/// A state in which a link was run once each way, and a third failed at its first run.
fn store() -> Store {
    let mut store = Store::in_memory("incarnation").unwrap();
    let one_way = link("01", "a -> b");
    let run = store.begin(&one_way, 1_000).unwrap();
    let report = Report {
        collections: vec![CollectionReport {
            source: "x".to_owned(),
            target: "y".to_owned(),
            ..CollectionReport::default()
        }],
        ..Report::default()
    };
    store.finish(run, 2_000, 0, None, Some(&report)).unwrap();
    let both = link("02", "b <-> a");
    let run = store.begin(&both, 3_000).unwrap();
    store.pair(&both, &ends(), true).unwrap();
    let fields = || vec!["id".to_owned()];
    for (source, target) in [("x", "y"), ("z", "z")] {
        let (row, _) = store
            .collection(
                &both,
                &sides(source, target),
                "s",
                &Sides::new(fields(), fields()),
                &[0],
            )
            .unwrap();
        if source == "z" {
            store.complete(&both, row.id).unwrap();
        }
    }
    store
        .finish(run, 4_000, 0, None, Some(&Report::default()))
        .unwrap();
    let failed = link("03", "c <-> d");
    let run = store.begin(&failed, 5_000).unwrap();
    store
        .finish(run, 6_000, 3, Some("unavailable: no"), None)
        .unwrap();
    store
}

#[test]
fn every_link_has_its_direction_its_last_run_and_its_collections() {
    let links = standings(&store()).unwrap();
    let shown: Vec<_> = links
        .iter()
        .map(|link| {
            let collections: Vec<String> = link
                .collections
                .iter()
                .map(|one| {
                    let base = one.base.map_or("", Base::name);
                    format!("{}={} {base}", one.names.source, one.names.target)
                })
                .collect();
            let exit = link.last.as_ref().and_then(|run| run.exit);
            (
                link.name.as_str(),
                link.kind(),
                exit,
                collections.join(", "),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("a -> b", "one-way", Some(0), "x=y ".to_owned()),
            // The pair calls `a` its source; the user did not.
            (
                "b <-> a",
                "two-way",
                Some(0),
                "y=x joining, z=z complete".to_owned()
            ),
            ("c <-> d", "two-way", Some(3), String::new()),
        ]
    );
    assert_eq!(links[2].needs().len(), 1);
}

#[test]
fn a_forgotten_link_is_no_link_any_more() {
    let mut store = store();
    assert!(store.forget_link("02").unwrap());
    let names: Vec<String> = standings(&store)
        .unwrap()
        .into_iter()
        .map(|link| link.name)
        .collect();
    assert_eq!(names, ["a -> b", "c <-> d"]);
}

#[test]
fn a_link_that_goes_one_way_can_be_forgotten_and_is_known_again_when_it_runs() {
    let mut store = store();
    let names = |store: &Store| {
        let links = standings(store).unwrap().into_iter();
        links.map(|link| link.id).collect::<Vec<_>>()
    };
    for id in ["01", "03"] {
        assert!(store.forget_link(id).unwrap());
        assert!(!store.forget_link(id).unwrap(), "it is forgotten already");
    }
    assert!(!store.forget_link("nobody").unwrap());
    assert_eq!(names(&store), ["02"]);
    assert_eq!(store.history(9).unwrap().len(), 3, "what was stays known");
    let run = store.begin(&link("01", "a -> b"), 7_000).unwrap();
    store.finish(run, 8_000, 0, None, None).unwrap();
    assert_eq!(names(&store), ["01", "02"]);
}

#[test]
fn links_of_a_configuration_have_its_names_and_others_are_counted() {
    let mut store = store();
    let file = "/etc/a.toml";
    store.name_link(file, "new", "01", None).unwrap();
    store.name_link(file, "gone", "02", None).unwrap();
    store
        .name_link("/etc/a.toml2", "other", "02", None)
        .unwrap();
    store.name_link(file, "new", "03", None).unwrap();
    let names = ["new".to_owned(), "never".to_owned()];
    let known = store.named_links(file).unwrap().into_iter();
    let known: Vec<_> = known.map(|one| (one.name, one.durable)).collect();
    let listed = |all: bool| {
        let mut listed = Listed {
            links: standings(&store).unwrap(),
            ..Listed::default()
        };
        listed.choose(&names, &known, all);
        let links = listed.links.iter();
        let links = links.map(|link| format!("{}{}", link.id, link.labels.join(",")));
        (
            links.collect::<Vec<_>>().join(" "),
            listed.never.join(" "),
            listed.others.len(),
        )
    };
    assert_eq!(listed(false), ("03new".to_owned(), "never".to_owned(), 2));
    assert_eq!(
        listed(true),
        ("01 02 03new".to_owned(), "never".to_owned(), 0)
    );
}

#[test]
fn what_was_only_ever_mistyped_is_no_link_unless_a_file_has_it() {
    let mut store = Store::in_memory("incarnation").unwrap();
    let mut fail = |id: &str| {
        let run = store.begin(&link(id, "a -> a"), 1_000).unwrap();
        store
            .finish(run, 2_000, 2, Some("config: no"), None)
            .unwrap();
    };
    for id in ["01", "02", "03", "03"] {
        fail(id);
    }
    store.name_link("/etc/a.toml", "a", "02", None).unwrap();
    let run = store.begin(&link("03", "a -> b"), 3_000).unwrap();
    store.checkpoint(&link("03", "a -> b"), "t", 1).unwrap();
    store
        .finish(run, 4_000, 2, Some("config: no"), None)
        .unwrap();
    let links = standings(&store).unwrap();
    let listed = links.iter().map(|link| (link.id.as_str(), link.kept));
    assert_eq!(listed.collect::<Vec<_>>(), [("02", false), ("03", true)]);
    assert_eq!(store.history(9).unwrap().len(), 5);
}

#[test]
fn a_renamed_link_is_known_by_its_places() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trueup.toml");
    let text = "\
[endpoint.a]
url = \"sqlite:/x/a.db\"
[endpoint.b]
url = \"sqlite:/x/b.db\"
[endpoint.c]
url = \"sqlite:/x/c.db\"
[link.renamed]
source = \"a\"
target = \"b\"
direction = \"both\"
[link.never]
source = \"b\"
target = \"c\"
";
    std::fs::write(&path, text).unwrap();
    let mut store = Store::in_memory("incarnation").unwrap();
    for (id, name) in [
        ("01", "sqlite:/x/b.db <-> sqlite:/x/a.db"),
        ("02", "sqlite:/x/c.db -> sqlite:/x/b.db"),
    ] {
        let run = store.begin(&link(id, name), 1_000).unwrap();
        store
            .finish(run, 2_000, 3, Some("unavailable: no"), None)
            .unwrap();
    }
    let config = config::read(&path, &|_: &str| None).unwrap();
    let found = found_by_places(Some(&config), &standings(&store).unwrap());
    assert_eq!(found, [("renamed".to_owned(), "01".to_owned())]);
}
