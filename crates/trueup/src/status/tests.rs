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
    store.pair(&both, &ends()).unwrap();
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
    assert!(store.forget_pair("02").unwrap());
    let names: Vec<String> = standings(&store)
        .unwrap()
        .into_iter()
        .map(|link| link.name)
        .collect();
    assert_eq!(names, ["a -> b", "c <-> d"]);
}
