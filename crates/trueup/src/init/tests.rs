//! What is written reads back, holds no secret, and is asked for as a person would answer.

use super::draft::{Draft, shell};
use super::*;
use crate::spec::Spec;
use trueup_core::endpoint::{About, Capabilities, Class};
use trueup_core::side::{Side, Sides};
use trueup_engine::check::{CollectionCheck, EndCheck, FieldCheck, Held, Problem};

fn end(address: &str) -> EndCheck {
    EndCheck {
        about: About {
            engine: "sqlite",
            version: String::new(),
            address: address.to_owned(),
            identity: address.to_owned(),
            class: Class::Transactional,
            capabilities: Capabilities {
                write: true,
                create: true,
                marker: true,
                check: true,
                ordered: true,
                typed: true,
            },
            notes: Vec::new(),
        },
        missing: Vec::new(),
        weaker: Vec::new(),
        notes: Vec::new(),
    }
}

fn collection(name: &str, target: &str, key: &[&str]) -> CollectionCheck {
    CollectionCheck {
        names: Sides::new(name.to_owned(), target.to_owned()),
        key: key.iter().map(|&field| field.to_owned()).collect(),
        ..CollectionCheck::default()
    }
}

fn report(two_way: bool, collections: Vec<CollectionCheck>) -> CheckReport {
    CheckReport {
        structure: None,
        link: String::new(),
        two_way,
        source: end("a"),
        target: Some(end("b")),
        promises: Vec::new(),
        collections,
        problems: Vec::new(),
    }
}

/// What was found, without a look at any record.
fn examined(two_way: bool, collections: Vec<CollectionCheck>) -> Examined {
    Examined {
        report: report(two_way, collections),
        looks: BTreeMap::new(),
    }
}

/// Reads a text back as the configuration file it is.
#[track_caller]
fn read_back(text: &str) -> Spec {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trueup.toml");
    std::fs::write(&path, text).unwrap();
    let env = |name: &str| name.ends_with("_PASSWORD").then(|| "opensesame".to_owned());
    let config = config::read(&path, &env).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    assert_eq!(config.links.len(), 1, "{text}");
    config.links[0].spec.clone()
}

fn named(spec: &Spec) -> Vec<(String, Option<String>, Vec<String>)> {
    let named = spec.collections.iter();
    named
        .map(|one| {
            (
                one.source.clone(),
                one.target.clone(),
                one.rules.key.clone(),
            )
        })
        .collect()
}

#[test]
fn whatever_the_names_are_the_file_reads_back() {
    let odd = "a\"b\\c\nd]\u{1b}\u{7f}${x} # 'e'";
    let mut broken = collection("x\n[link.y]\n", "y\"", &[]);
    broken.problems.push(Problem {
        message: "first\nsource = \"evil\"".to_owned(),
        hint: Some("second\r\nline".to_owned()),
        passage: None,
    });
    let all = vec![
        collection("plain", "plain", &["id"]),
        collection(odd, odd, &[odd, "id"]),
        broken,
        collection("here", "there", &["id"]),
    ];
    for two_way in [false, true] {
        let draft = Draft::new("sqlite:a$b.db", "postgres://u:geheim@h/d", Path::new("")).unwrap();
        let text = compose::file(&draft, &examined(two_way, all.clone())).text;
        assert!(!text.contains("geheim"), "{text}");
        let spec = read_back(&text);
        assert!(spec.source.address.ends_with("a$b.db"), "{:?}", spec.source);
        assert_eq!(spec.target.address, "postgres://u@h/d");
        assert!(spec.target.password.is_some());
        assert_eq!(spec.two_way.is_some(), two_way);
        let key = |fields: &[&str]| fields.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            named(&spec),
            [
                ("plain".to_owned(), None, key(&["id"])),
                (odd.to_owned(), None, key(&[odd, "id"])),
                ("here".to_owned(), Some("there".to_owned()), key(&["id"])),
            ]
        );
    }
}

#[test]
fn collection_without_a_key_is_a_comment_with_a_likely_one() {
    for (fields, expected) in [
        (&["a", "id"][..], "id"),
        (&["a", "order_id"], "order_id"),
        (&["a", "b"], "a"),
        (&[], "FIELD"),
    ] {
        let mut one = collection("orders", "orders", &[]);
        one.problems.push(Problem {
            message: "no key".to_owned(),
            hint: None,
            passage: None,
        });
        one.fields = fields
            .iter()
            .map(|name| FieldCheck {
                held: Sides::at(
                    Side::Source,
                    Some(Held {
                        name: (*name).to_owned(),
                        native: String::new(),
                    }),
                    None,
                ),
                ..FieldCheck::default()
            })
            .collect();
        let draft = Draft::new("sqlite:a.db", "sqlite:b.db", Path::new("")).unwrap();
        let text = compose::file(&draft, &examined(false, vec![one])).text;
        let entry = format!("  # {{ source = \"orders\", key = [\"{expected}\"] }},\n");
        assert!(text.contains(&entry), "{text}");
        let uncommented = text.replace("  # { source", "  { source");
        assert_eq!(named(&read_back(&uncommented)).len(), 1);
    }
}

/// A key that was seen not to be unique is not proposed.
#[test]
fn where_no_field_is_unique_equal_records_are_counted() {
    for (two_way, expected) in [(false, "key = \"all\""), (true, "key = [\"FIELD\"]")] {
        let mut one = collection("orders", "orders", &[]);
        one.problems.push(Problem {
            message: "no key".to_owned(),
            hint: None,
            passage: None,
        });
        let look = Look {
            fields: vec!["id".to_owned(), "b".to_owned()],
            candidates: Vec::new(),
            nearly: Some(("id".to_owned(), 2)),
            records: 40,
        };
        let mut found = examined(two_way, vec![one]);
        found.looks.insert("orders".to_owned(), look);
        let draft = Draft::new("sqlite:a.db", "sqlite:b.db", Path::new("")).unwrap();
        let text = compose::file(&draft, &found).text;
        let entry = format!("  # {{ source = \"orders\", {expected} }},\n");
        assert!(text.contains(&entry), "{text}");
        let told = "no field is unique in the first 40 records, id but for 2 of them";
        assert!(text.contains(told), "{text}");
    }
}

#[test]
fn places_get_names_and_lose_passwords() {
    let place = |address: &str| {
        let draft = Draft::new(address, "sqlite:z.db", Path::new("")).unwrap();
        let variable = draft.source.variable.clone().unwrap_or_default();
        format!("{} {} {variable}", draft.source.name, draft.source.url)
    };
    for (address, expected) in [
        ("sqlite:in/Shop 1.db", "shop-1 sqlite:in/Shop 1.db "),
        ("shop.db", "shop sqlite:shop.db "),
        ("csv:in/?null=NA", "in csv:in/?null=NA "),
        ("csv:..", "main csv:.. "),
        ("sqlite:shop.db#orders", "shop sqlite:shop.db "),
        (
            "postgres://app@db1:6000/shop",
            "shop postgres://app@db1:6000/shop ",
        ),
        (
            "postgres://app:geheim@db1/shop",
            "shop postgres://app@db1/shop SHOP_PASSWORD",
        ),
        (
            "postgres://a:ge@heim@db1",
            "db1 postgres://a@db1 DB1_PASSWORD",
        ),
        (
            "postgres://a@h/1st?password=geheim&sslmode=require",
            "1st postgres://a@h/1st?sslmode=require _1ST_PASSWORD",
        ),
        (
            "postgres://a@h/d?password=env:MINE",
            "d postgres://a@h/d MINE",
        ),
        (
            "postgres:///d?host=/run/pg",
            "d postgres:///d?host=/run/pg ",
        ),
    ] {
        assert_eq!(place(address), expected, "{address}");
    }
}

#[test]
fn names_are_told_apart() {
    let names = |source: &str, target: &str| {
        let draft = Draft::new(source, target, Path::new("")).unwrap();
        [draft.source.name, draft.target.name, draft.link].join(" ")
    };
    assert_eq!(names("sqlite:a.db", "sqlite:b.db"), "a b a");
    assert_eq!(
        names("csv:shop", "sqlite:shop.db"),
        "shop-csv shop-sqlite shop"
    );
    assert_eq!(names("sqlite:x/a.db", "sqlite:y/a.db"), "source target a");
}

#[test]
fn relative_paths_are_taken_from_the_working_directory() {
    let draft = Draft::new("sqlite:a.db", "sqlite:/b.db", Path::new("/here")).unwrap();
    assert_eq!(draft.source.url, "sqlite:/here/a.db");
    assert_eq!(draft.target.url, "sqlite:/b.db");
}

/// Plays a person; returns the wish, or the error, and how much was asked.
fn asked(answers: &[&str]) -> (Result<Wish>, usize) {
    let known = Wish {
        source: String::new(),
        target: String::new(),
        two_way: false,
        out: PathBuf::from("trueup.toml"),
    };
    let mut answers = answers.iter();
    let mut questions = 0;
    let wish = ask::wish(
        &known,
        &mut || Ok(answers.next().map(|&answer| answer.to_owned())),
        &mut |text| questions += usize::from(text.ends_with(' ')),
    );
    (wish, questions)
}

#[test]
fn person_is_asked_four_questions() {
    let (wish, questions) = asked(&["csv:shop", " sqlite:shop.db ", "", ""]);
    let wish = wish.unwrap();
    assert_eq!(
        (wish.source.as_str(), wish.target.as_str()),
        ("csv:shop", "sqlite:shop.db")
    );
    assert_eq!(
        (wish.two_way, wish.out.as_path(), questions),
        (false, Path::new("trueup.toml"), 4)
    );
    let (wish, _) = asked(&["a.db", "b.db", "YES", "my.toml"]);
    let wish = wish.unwrap();
    assert_eq!(
        (wish.two_way, wish.out.as_path()),
        (true, Path::new("my.toml"))
    );
}

#[test]
fn answers_that_make_no_sense_are_asked_for_again_a_few_times() {
    let (wish, questions) = asked(&["what", "a.db", "b.db", "perhaps", "n", ""]);
    assert!(!wish.unwrap().two_way);
    assert_eq!(questions, 6);
    let (wish, questions) = asked(&["what", "", "nothing"]);
    assert_eq!((wish.unwrap_err().kind(), questions), (Kind::Config, 3));
    let (wish, questions) = asked(&["a.db"]);
    assert_eq!((wish.unwrap_err().kind(), questions), (Kind::Config, 2));
}

#[test]
fn words_are_quoted_where_a_shell_needs_it() {
    assert_eq!(shell("/srv/a.toml"), "/srv/a.toml");
    assert_eq!(shell("my file.toml"), "'my file.toml'");
    assert_eq!(shell("it's"), "'it'\\''s'");
}

/// Plays a person who is asked for a key; returns the key and what was said.
fn asked_for_key(bag: bool, candidates: &[&str], answers: &[&str]) -> (Result<String>, String) {
    let look = Look {
        fields: vec!["id".to_owned(), "b".to_owned()],
        candidates: candidates.iter().map(|&one| vec![one.to_owned()]).collect(),
        nearly: None,
        records: 7,
    };
    let (mut answers, mut said) = (answers.iter(), String::new());
    let key = ask::key(
        "orders",
        &look,
        bag,
        &mut || Ok(answers.next().map(|&answer| answer.to_owned())),
        &mut |text| said.push_str(text),
    );
    let key = key.map(|key| key.map_or("later".to_owned(), |key| key.join("+")));
    (key, said)
}

#[test]
fn a_key_is_asked_for_with_what_the_records_say() {
    for (case, bag, candidates, answers, expected) in [
        ("the default", true, &["id"][..], &[""][..], "id"),
        ("none that is likely", true, &[], &[""], "later"),
        ("later", true, &["id"], &["-"], "later"),
        ("two fields", true, &["id"], &["b, id"], "b+id"),
        ("no field at all", true, &["id"], &["all"], "all"),
        ("mistyped", true, &["id"], &["ib", "b"], "b"),
        ("no bag both ways", false, &["id"], &["all", "id"], "id"),
    ] {
        let (key, _) = asked_for_key(bag, candidates, answers);
        assert_eq!(key.unwrap(), expected, "{case}");
    }
    let (_, said) = asked_for_key(true, &["id"], &["x", "id"]);
    let question = "Which fields identify a record of orders? (all: none, equal records are counted; -: decide later) [id] ";
    assert_eq!(
        said,
        format!(
            "orders has no key: unique in the first 7 records: id\n{question}  there is no field x; it has: id, b\n{question}"
        )
    );
    let (key, said) = asked_for_key(false, &[], &[]);
    assert_eq!(key.unwrap_err().kind(), Kind::Config);
    assert!(
        said.starts_with("orders has no key: no field is unique in the first 7 records\n"),
        "{said}"
    );
    assert!(said.ends_with("(-: decide later) [-] "), "{said}");
}
