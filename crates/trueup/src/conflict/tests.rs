use super::*;
use serde_json::json;
use trueup_core::batch::Batch;
use trueup_core::conflict::FieldRuling;
use trueup_core::value::Value;
use trueup_engine::state::{ConflictId, Ends, RunId};

/// A record of the fields `amount`, `id`, `note`.
fn batch(id: i64, amount: Value<'_>) -> Batch {
    let mut batch = Batch::new(3);
    batch.push(amount);
    batch.push(Value::Int(id));
    batch.push(Value::Null);
    batch
}

/// A conflict as the state keeps it: `a` is its source, and won.
fn past() -> PastConflict {
    let ruling = Ruling {
        kind: ConflictKind::UpdateUpdate,
        fields: vec![FieldRuling {
            field: 0,
            policy: Some(Policy::Source),
            resolution: Resolution::Side(Side::Source),
        }],
        resolution: Resolution::Side(Side::Source),
    };
    let names = |names: [&str; 3]| names.map(str::to_owned).to_vec();
    PastConflict {
        id: ConflictId(3),
        link: "00ff".to_owned(),
        ends: ends(),
        collection: Sides::new("orders".to_owned(), "purchases".to_owned()),
        fields: Sides::new(
            names(["amount", "id", "note"]),
            names(["qty", "nr", "text"]),
        ),
        key_positions: vec![1],
        key: vec![1],
        kind: ruling.kind,
        ruling,
        records: Sides::new(
            Some(batch(5, Value::Int(1))),
            Some(batch(5, Value::Text("two"))),
        ),
        run: RunId(7),
        at_ms: 0,
        decision: "source".to_owned(),
        result: None,
        chosen: None,
        answer: None,
        lapsed: false,
        note: None,
    }
}

fn ends() -> Ends {
    Ends {
        identity: Sides::new("1".to_owned(), "2".to_owned()),
        address: Sides::new("a".to_owned(), "b".to_owned()),
    }
}

fn links(name: &str) -> Vec<LinkStanding> {
    let turned = match name {
        "a <-> b" => Some(false),
        "b <-> a" => Some(true),
        _ => None,
    };
    vec![LinkStanding {
        durable: "00ff".to_owned(),
        name: name.to_owned(),
        last: None,
        succeeded: true,
        kept: false,
        parked: 0,
        following: None,
        pair: Some(PairStanding {
            ends: ends(),
            turned,
            collections: Vec::new(),
            open: 0,
            answered_open: 0,
            answers: 0,
        }),
    }]
}

fn record(fields: &[(&str, Json)]) -> Fields {
    let owned = |(name, value): &(&str, Json)| ((*name).to_owned(), value.clone());
    fields.iter().map(owned).collect()
}

#[test]
fn sides_stand_as_the_link_is_named() {
    let one = Conflict::shown(&past(), &links("a <-> b"));
    assert_eq!(
        (one.link.as_str(), one.decision.as_str()),
        ("a <-> b", "source")
    );
    assert_eq!(one.collection.source, "orders");
    assert_eq!(one.key, record(&[("id", json!(5))]));
    // The key comes first, wherever the state has it.
    let source = record(&[("id", json!(5)), ("amount", json!(1)), ("note", Json::Null)]);
    assert_eq!(one.records.source, Some(source));
    let asked = &one.fields[0];
    assert_eq!(
        (asked.name.as_str(), asked.policy, asked.decision),
        (
            "amount",
            Some(Policy::Source),
            Resolution::Side(Side::Source)
        )
    );
    assert_eq!(
        one.answer(&Taken::Side(Side::Target)),
        Answer::Side(Side::Target)
    );
}

#[test]
fn sides_are_turned_around_where_the_link_is_named_the_other_way() {
    let mut past = past();
    past.answer = Some(Answer::Side(Side::Source));
    let one = Conflict::shown(&past, &links("b <-> a"));
    assert_eq!(
        (one.link.as_str(), one.decision.as_str()),
        ("b <-> a", "target")
    );
    assert_eq!(one.collection.source, "purchases");
    assert_eq!(one.key, record(&[("nr", json!(5))]));
    let held = |qty| record(&[("nr", json!(5)), ("qty", qty), ("text", Json::Null)]);
    let (source, target) = (held(json!("two")), held(json!(1)));
    assert_eq!(one.records, Sides::new(Some(source.clone()), Some(target)));
    let asked = &one.fields[0];
    assert_eq!(
        (asked.name.as_str(), asked.policy, asked.decision),
        ("qty", Some(Policy::Target), Resolution::Side(Side::Target))
    );
    assert_eq!(one.answer, Some(Taken::Side(Side::Target)));
    // What is answered goes back the same way.
    assert_eq!(
        one.answer(&Taken::Side(Side::Target)),
        Answer::Side(Side::Source)
    );
    let stored = Answer::Record(json!({"id": 5, "amount": "two", "note": null}));
    assert_eq!(one.answer(&Taken::Record(source.clone())), stored);
    past.answer = Some(stored);
    let one = Conflict::shown(&past, &links("b <-> a"));
    assert_eq!(one.answer, Some(Taken::Record(source)));
}

#[test]
fn a_record_that_is_not_there_leaves_the_key_to_the_other() {
    let mut past = past();
    past.records.source = None;
    past.decision = "delete".to_owned();
    let one = Conflict::shown(&past, &links("a <-> b"));
    assert_eq!(
        (&one.records.source, one.decision.as_str()),
        (&None, "delete")
    );
    assert_eq!(one.key[0].1, json!(5));
    past.records.target = None;
    assert!(Conflict::shown(&past, &links("a <-> b")).key.is_empty());
}

#[test]
fn a_link_without_a_name_has_its_id() {
    assert_eq!(Conflict::shown(&past(), &[]).link, "00ff");
}

#[test]
fn a_record_of_another_key_is_refused_and_not_shown() {
    let one = Conflict::shown(&past(), &links("a <-> b"));
    let with = |id: Json| Taken::Record(record(&[("id", id), ("amount", json!("canary"))]));
    one.check(&with(json!(5))).unwrap();
    one.check(&Taken::Side(Side::Source)).unwrap();
    for other in [json!(6), json!("5"), Json::Null] {
        let error = one.check(&with(other)).unwrap_err();
        assert_eq!(error.message(), "the record has another key: id");
    }
}

#[test]
fn a_side_is_not_taken_while_nobody_knows_which_is_called_the_source() {
    let one = Conflict::shown(&past(), &links("/x/b <-> /x/a"));
    assert_eq!(one.collection.source, "orders");
    let error = one.check(&Taken::Side(Side::Source)).unwrap_err();
    assert!(
        error
            .advice()
            .is_some_and(|hint| hint.contains("run the link once"))
    );
}
