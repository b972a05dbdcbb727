use super::*;
use crate::output::json;
use crate::output::style::plain;
use crate::status::Collection;
use trueup_core::side::Sides;
use trueup_engine::state::{PastRun, RunId};

fn collection(source: &str, target: &str, base: Option<Base>) -> Collection {
    Collection {
        names: Sides::new(source.to_owned(), target.to_owned()),
        base,
    }
}

fn past(exit: Option<u8>, error: Option<&str>) -> PastRun {
    PastRun {
        run: RunId(7),
        link: "a <-> b".to_owned(),
        started_ms: 1_700_000_000_000,
        ended_ms: exit.map(|_| 1_700_000_001_000),
        exit,
        error: error.map(str::to_owned),
        hint: error.map(|_| "look there".to_owned()),
        report: None,
    }
}

fn standing() -> Standing {
    Standing {
        id: "00ff".to_owned(),
        name: "a <-> b".to_owned(),
        two_way: true,
        labels: Vec::new(),
        succeeded: true,
        kept: false,
        last: Some(past(Some(3), Some("unavailable: gone"))),
        collections: vec![
            collection("customers", "customers", Some(Base::Complete)),
            collection("orders", "purchases", Some(Base::Joining)),
        ],
        open: 2,
        answers: 1,
        answered_open: 1,
        parked: 4,
        following: None,
    }
}

/// A link that goes one way and is fine.
fn quiet() -> Standing {
    Standing {
        id: "0001".to_owned(),
        name: "a -> b".to_owned(),
        two_way: false,
        labels: Vec::new(),
        succeeded: true,
        kept: false,
        last: Some(past(None, None)),
        collections: vec![collection("customers", "customers", None)],
        open: 0,
        answers: 0,
        answered_open: 0,
        parked: 0,
        following: None,
    }
}

fn of(links: &[Standing]) -> Listed {
    Listed {
        links: links.to_vec(),
        ..Listed::default()
    }
}

fn all(links: &[Standing]) -> String {
    super::links(&of(links))
}

#[test]
fn what_a_file_has_and_has_not_is_said_below() {
    let listed = |links: &[Standing], never: &[&str], others| {
        plain(&super::links(&Listed {
            links: links.to_vec(),
            never: never.iter().map(|&name| name.to_owned()).collect(),
            others: vec![quiet(); others],
        }))
    };
    let named = Standing {
        labels: vec!["one".to_owned(), "two".to_owned()],
        ..quiet()
    };
    let text = listed(&[named], &["x", "y"], 2);
    assert!(text.starts_with("[one] [two] a -> b\n"), "{text}");
    let end = "\n\nno run on record by these names: x, y\nnot of this file: 2 links; trueup status --all lists all\n\nnothing needs a person\n";
    assert!(text.ends_with(end), "{text}");
    assert_eq!(
        listed(&[], &["x"], 0),
        "no run on record by these names: x\n"
    );
}

#[test]
fn what_needs_a_person_counts_also_where_it_is_left_out() {
    let listed = Listed {
        others: vec![quiet(), standing()],
        ..Listed::default()
    };
    let expected = "not of this file: 2 links, 1 needs a person; trueup status --all lists all\n\n1 link needs a person\n";
    assert_eq!(plain(&links(&listed)), expected);
    assert!(json::status::links(&listed).unwrap().contains("00ff"));
}

#[test]
fn what_is_kept_is_not_to_be_forgotten() {
    let link = Standing {
        succeeded: false,
        kept: true,
        last: Some(past(Some(3), Some("unavailable: gone"))),
        ..quiet()
    };
    assert!(!plain(&all(&[link])).contains("forget"));
}

#[test]
fn what_never_succeeded_says_so_and_can_be_forgotten() {
    let link = Standing {
        succeeded: false,
        last: Some(past(Some(2), Some("config: first line\nsecond"))),
        ..quiet()
    };
    let text = plain(&all(&[link]));
    for line in [
        "  last run    7, exit 2, failed, none succeeded, 2023-11-14T22:13:20.000Z\n",
        "  error       config: first line\n",
        "  to do       see why the last run failed, then run it again; or trueup forget 0001\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[test]
fn links_are_paragraphs_and_the_last_line_says_what_needs_a_person() {
    let expected = "\
a <-> b
  id          00ff
  kind        two-way
  last run    7, exit 3, failed, 2023-11-14T22:13:20.000Z
  error       unavailable: gone
  hint        look there
  collection  customers, base complete
  collection  orders -> purchases, joining
  conflicts   2 open, 1 answer waits for the next sync
  parked      4
  to do       see why the last run failed, then run it again; decide the open conflicts: trueup conflicts list --open; see why records are parked: trueup parked list

a -> b
  id          0001
  kind        one-way
  last run    7, running or killed, 2023-11-14T22:13:20.000Z
  collection  customers
  parked      0

1 link needs a person
";
    assert_eq!(plain(&all(&[standing(), quiet()])), expected);
    assert!(plain(&all(&[standing(), standing()])).ends_with("\n2 links need a person\n"));
    assert!(plain(&all(&[quiet()])).ends_with("\nnothing needs a person\n"));
    assert_eq!(plain(&all(&[])), "no links yet\n");
}

#[test]
fn what_is_under_way_or_answered_needs_nobody() {
    let after = |last: Option<PastRun>| Standing { last, ..quiet() };
    let conflicts = |open, answered_open| Standing {
        open,
        answered_open,
        ..quiet()
    };
    for (case, link, expected) in [
        ("never run", after(None), 0),
        ("under way", after(Some(past(None, None))), 0),
        ("ended well", after(Some(past(Some(0), None))), 0),
        // What it left is counted itself.
        ("left something", after(Some(past(Some(1), None))), 0),
        ("failed", after(Some(past(Some(2), None))), 1),
        ("open", conflicts(1, 0), 1),
        ("answered", conflicts(1, 1), 0),
        ("some answered", conflicts(2, 1), 1),
        (
            "parked",
            Standing {
                parked: 1,
                ..quiet()
            },
            1,
        ),
    ] {
        assert_eq!(link.needs().len(), expected, "{case}");
    }
}

#[test]
fn the_json_of_links_is_the_contract() {
    let expected = concat!(
        r#"[{"link":"a <-> b","names":[],"id":"00ff","kind":"two-way","last_run":{"run":7,"started":"2023-11-14T22:13:20.000Z","#,
        r#""ended":"2023-11-14T22:13:21.000Z","exit":3,"error":"unavailable: gone","hint":"look there","interrupted":false},"#,
        r#""collections":[{"source":"customers","target":"customers","base":"complete"},"#,
        r#"{"source":"orders","target":"purchases","base":"joining"}],"#,
        r#""open_conflicts":2,"answers_waiting":1,"parked":4,"needs_person":true},"#,
        r#"{"link":"a -> b","names":[],"id":"0001","kind":"one-way","last_run":{"run":7,"started":"2023-11-14T22:13:20.000Z","#,
        r#""ended":null,"exit":null,"error":null,"hint":null,"interrupted":true},"#,
        r#""collections":[{"source":"customers","target":"customers","base":null}],"#,
        r#""open_conflicts":0,"answers_waiting":0,"parked":0,"needs_person":false}]"#,
        "\n"
    );
    assert_eq!(
        json::status::links(&of(&[standing(), quiet()])).unwrap(),
        expected
    );
    assert_eq!(json::status::links(&of(&[])).unwrap(), "[]\n");
}

#[test]
fn a_forgotten_link_is_named_with_what_went() {
    assert_eq!(
        forgotten(&standing()),
        "forgot a <-> b: the base of 2 collections and all conflicts on record, 2 of them open\n\
         No data was touched, and its runs stay in the history. Synced again, the link joins both sides anew.\n"
    );
    let mut one = standing();
    one.collections.truncate(1);
    one.open = 0;
    one.name = "x\u{1b}".to_owned();
    assert!(
        forgotten(&one)
            .starts_with("forgot x\\u{1b}: the base of 1 collection and all conflicts on record\n")
    );
    let mut one_way = quiet();
    one_way.parked = 2;
    assert_eq!(
        forgotten(&one_way),
        "forgot a -> b: 2 parked records are off the list\n\
         No data was touched, and its runs stay in the history. Run again, it is listed again.\n"
    );
}
