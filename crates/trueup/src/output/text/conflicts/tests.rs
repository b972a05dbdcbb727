use super::*;
use crate::conflict::Stored;
use crate::output::json;
use crate::output::style::plain;
use serde_json::json;
use trueup_core::conflict::ConflictKind;
use trueup_core::policy::Policy;
use trueup_core::side::Sides;

fn fields(fields: &[(&str, Value)]) -> Fields {
    let owned = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
    fields.iter().map(owned).collect()
}

fn asked(name: &str, policy: Option<Policy>, decision: Resolution) -> FieldInConflict {
    FieldInConflict {
        name: name.to_owned(),
        policy,
        decision,
    }
}

/// Both sides changed a customer's mail address; nobody has decided.
fn open() -> Conflict {
    Conflict {
        id: 3,
        link: "sqlite:a.db <-> sqlite:b.db".to_owned(),
        collection: Sides::new("customers".to_owned(), "clients".to_owned()),
        names: ["id", "email", "vip"].map(str::to_owned).to_vec(),
        key: fields(&[("id", json!(5))]),
        kind: ConflictKind::UpdateUpdate,
        fields: vec![asked("email", Some(Policy::Manual), Resolution::Open)],
        records: Sides::new(
            Some(fields(&[
                ("id", json!(5)),
                ("email", json!("a@x")),
                ("vip", Value::Null),
            ])),
            Some(fields(&[
                ("id", json!(5)),
                ("email", json!("b\u{1b}@x")),
                ("vip", json!("null")),
            ])),
        ),
        decision: "open".to_owned(),
        run: 7,
        at_ms: 1_700_000_000_000,
        by_person: false,
        chosen: None,
        answer: None,
        lapsed: false,
        note: None,
        stored: Stored::default(),
    }
}

fn table_of(conflicts: &[Conflict], open: bool) -> String {
    plain(&list(conflicts.iter().map(cells).collect(), open))
}

/// The source deleted what the target changed, and the rule for deletes decided.
fn decided() -> Conflict {
    Conflict {
        id: 12,
        kind: ConflictKind::DeleteUpdate,
        records: Sides::new(None, open().records.target),
        fields: vec![asked("vip", None, Resolution::Side(Side::Target))],
        decision: "target".to_owned(),
        ..open()
    }
}

#[test]
fn conflicts_are_a_table() {
    let mut answered = open();
    answered.answer = Some(Taken::Side(Side::Source));
    answered.fields = vec![asked("f", None, Resolution::Open); 6];
    let mut reversed = decided();
    reversed.answer = Some(Taken::Side(Side::Source));
    let expected = "\
id  decision                  kind           collection            key   fields       run  link
 3  open                      update/update  customers -> clients  id=5  email          7  sqlite:a.db <-> sqlite:b.db
 3  open, source asked for    update/update  customers -> clients  id=5  f,f,f,f,...    7  sqlite:a.db <-> sqlite:b.db
12  target, source asked for  delete/update  customers -> clients  id=5  vip            7  sqlite:a.db <-> sqlite:b.db
";
    assert_eq!(table_of(&[open(), answered, reversed], false), expected);
    assert_eq!(table_of(&[], false), "no conflicts\n");
    assert_eq!(table_of(&[], true), "no open conflicts\n");
}

#[test]
fn an_open_conflict_is_shown_side_by_side() {
    let expected = r#"conflict 3
  link        sqlite:a.db <-> sqlite:b.db
  collection  customers -> clients
  key         id=5
  kind        update/update
  run         7, 2023-11-14T22:13:20.000Z
  decision    open

   field  source  target       decided
   id     5       5
*  email  "a@x"   "b\u001b@x"  open (manual)
   vip    null    "null"

trueup conflicts resolve 3 --take source|target|FILE decides it
"#;
    assert_eq!(plain(&show(&open())), expected);
}

#[test]
fn a_decided_conflict_says_which_rule_it_was_and_what_a_person_said() {
    let mut one = decided();
    one.answer = Some(Taken::Record(fields(&[
        ("id", json!(5)),
        ("vip", json!(false)),
    ])));
    one.note = Some("refused: field=vip\u{7}".to_owned());
    let expected = r#"conflict 12
  link        sqlite:a.db <-> sqlite:b.db
  collection  customers -> clients
  key         id=5
  kind        delete/update
  run         7, 2023-11-14T22:13:20.000Z
  decision    target
  answer      record; the next sync of the link carries it out, if both sides still hold what stands below
  note        refused: field=vip\u{7}

   field  source       target       asked for  decided
   id     (no record)  5            5
   email  (no record)  "b\u001b@x"  -
*  vip    (no record)  "null"       false      target by on-delete

trueup conflicts resolve 12 --take source|target|FILE reverses it
"#;
    assert_eq!(plain(&show(&one)), expected);
    // Another one took its place: nothing is left to decide.
    one.decision = "superseded".to_owned();
    assert!(!plain(&show(&one)).contains("trueup conflicts resolve"));
}

/// What both sides hold then stands nowhere else once it was changed again.
#[test]
fn what_was_chosen_is_shown() {
    let mut one = open();
    one.answer = Some(Taken::Side(Side::Target));
    let shown = plain(&show(&one));
    let line = r#"*  email  "a@x"   "b\u001b@x"  "b\u001b@x"  target by a person, next sync"#;
    assert!(shown.contains(line), "{shown}");
    one.answer = None;
    one.decision = "merge".to_owned();
    one.by_person = true;
    one.note = Some("a person decided".to_owned());
    one.chosen = Some(fields(&[
        ("id", json!(5)),
        ("email", json!("c@x")),
        ("vip", json!(true)),
    ]));
    let expected = r#"
  decision    merge, by a person

   field  source  target       chosen  decided
   id     5       5            5
*  email  "a@x"   "b\u001b@x"  "c@x"   merge by a person
   vip    null    "null"       true
"#;
    let shown = plain(&show(&one));
    assert!(shown.contains(expected), "{shown}");
    let shown = json::conflicts::show(&one).unwrap();
    let facts =
        r#""decided_by":"person","chosen":{"id":5,"email":"c@x","vip":true},"lapsed":false"#;
    assert!(shown.contains(facts), "{shown}");
    one.decision = "delete".to_owned();
    one.chosen = None;
    let shown = plain(&show(&one));
    assert!(
        shown.contains(r#""b\u001b@x"  (no record)  delete by a person"#),
        "{shown}"
    );
}

#[test]
fn an_answer_that_lapsed_is_marked() {
    let mut one = open();
    one.lapsed = true;
    one.note = Some("the record has changed since".to_owned());
    let shown = plain(&show(&one));
    let lines = "  answer      lapsed, and is not carried out\n  note        the record has changed since\n";
    assert!(shown.contains(lines), "{shown}");
    assert!(table_of(&[one], true).contains("\n 3  open, answer lapsed  "));
}

#[test]
fn a_long_value_is_cut_for_people_and_whole_in_json() {
    let mut one = open();
    let long = "x".repeat(500);
    one.records.source = Some(fields(&[("id", json!(5)), ("email", json!(long))]));
    let shown = plain(&show(&one));
    assert!(shown.contains("xxx ..."), "{shown}");
    assert!(!shown.contains(&"x".repeat(60)), "{shown}");
    assert!(json::conflicts::show(&one).unwrap().contains(&long));
}

#[test]
fn an_answer_is_confirmed() {
    let record = || Taken::Record(Fields::new());
    let (source, target) = (Taken::Side(Side::Source), Taken::Side(Side::Target));
    for (mut one, taken, expected) in [
        (
            open(),
            target,
            "the record of the target (sqlite:b.db) is taken",
        ),
        (open(), record(), "the record given is taken"),
        (
            decided(),
            source,
            "it was decided (target); now that the source (sqlite:a.db) has no record is taken",
        ),
        (
            decided(),
            record(),
            "it was decided (target); now the record given is taken",
        ),
    ] {
        one.answer = Some(taken);
        let id = one.id;
        assert_eq!(
            answered(&one),
            format!(
                "conflict {id}, customers -> clients id=5: {expected}\n\
                 The next sync of sqlite:a.db <-> sqlite:b.db carries it out.\n"
            )
        );
    }
}

#[test]
fn the_json_of_conflicts_is_the_contract() {
    let expected = concat!(
        r#"{"id":3,"link":"sqlite:a.db <-> sqlite:b.db","collection":"customers","key":{"id":5},"#,
        r#""kind":"update/update","fields":["email"],"source":{"id":5,"email":"a@x","vip":null},"#,
        r#""target":{"id":5,"email":"b\u001b@x","vip":"null"},"decision":"open","run":7,"at":"2023-11-14T22:13:20.000Z","#,
        r#""rules":[{"field":"email","policy":"manual","decision":"open"}],"answer":null,"note":null,"decided_by":null,"chosen":null,"lapsed":false}"#,
        "\n",
        r#"{"id":12,"link":"sqlite:a.db <-> sqlite:b.db","collection":"customers","key":{"id":5},"#,
        r#""kind":"delete/update","fields":["vip"],"source":null,"#,
        r#""target":{"id":5,"email":"b\u001b@x","vip":"null"},"decision":"target","run":7,"at":"2023-11-14T22:13:20.000Z","#,
        r#""rules":[{"field":"vip","policy":null,"decision":"target"}],"#,
        r#""answer":{"take":"record","record":{"z":1,"a":2}},"note":"why","decided_by":"rule","chosen":null,"lapsed":false}"#,
        "\n"
    );
    let mut answered = decided();
    // The order of the fields is that of the collection, not of the alphabet.
    answered.answer = Some(Taken::Record(fields(&[("z", json!(1)), ("a", json!(2))])));
    answered.note = Some("why".to_owned());
    let shown = [open(), answered].map(|one| json::conflicts::show(&one).unwrap());
    assert_eq!(shown.concat(), expected);
}

#[test]
fn hostile_names_and_values_are_escaped() {
    let bad = || "x\u{1b}]0;y\u{7}\u{202e}".to_owned();
    let mut one = open();
    one.link = bad();
    one.collection = Sides::new(bad(), bad());
    one.key = fields(&[(&bad(), json!(bad()))]);
    one.fields = vec![asked(&bad(), None, Resolution::Open)];
    one.records.source = Some(fields(&[(&bad(), json!(bad()))]));
    one.note = Some(bad());
    one.answer = Some(Taken::Side(Side::Source));
    for shown in [
        table_of(std::slice::from_ref(&one), false),
        plain(&show(&one)),
        answered(&one),
    ] {
        assert!(
            !shown.contains(['\u{1b}', '\u{7}', '\u{202e}']),
            "{shown:?}"
        );
    }
}
