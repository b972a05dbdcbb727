//! A key that is built after the records: what needs it before gets it before.

use super::*;
use std::collections::BTreeSet;
use trueup_core::endpoint::Writer;
use trueup_core::structure::{Built, Construction, Structure};
use trueup_core::{Kind, Result};

const KEYS: &str = "SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
    WHERE contype = 'p' AND conrelid = 'orders'::regclass";

/// How `orders` comes to be, `key_after` the load or not.
fn orders(endpoint: &dyn Endpoint, key_after: bool) -> Construction {
    let wanted = trueup_testkit::records::schema("orders")
        .int("id")
        .text("note")
        .not_null(["note"])
        .key(["id"])
        .build();
    let structure = Structure {
        engine: "postgres",
        collection: "orders".to_owned(),
        key_after,
        ..Structure::default()
    };
    let made = endpoint.construct(&wanted, &structure, &mut BTreeSet::new());
    made.unwrap()
}

/// A writer of what is under construction, after the table was created.
fn created(endpoint: &mut dyn Endpoint, made: &Construction) -> Box<dyn Writer> {
    let mut writer = endpoint.writer(&claim()).unwrap();
    writer.constructing(&BTreeSet::from(["orders".to_owned()]));
    for _ in 0..2 {
        writer.create(&made.design).unwrap();
    }
    writer
}

fn record(id: i64, note: Option<&str>) -> (Op, Vec<Value<'_>>) {
    let note = note.map_or(Value::Null, Value::Text);
    (Op::Insert, vec![Value::Int(id), note])
}

fn given(load: bool, batch: u64) -> Given<'static> {
    Given {
        load,
        batch,
        ..Given::new("orders", &["id", "note"])
    }
}

#[test]
fn a_key_that_follows_is_a_step_and_no_part_of_the_statement() {
    let (_database, endpoint) = fresh("");
    let made = orders(endpoint.as_ref(), true);
    assert!(!made.design.statement.contains("PRIMARY KEY"), "{made:?}");
    assert_eq!(made.design.schema.key, [0]);
    let step = made.key().unwrap();
    assert_eq!(
        step.statement,
        "ALTER TABLE \"orders\" ADD PRIMARY KEY (\"id\")"
    );
    assert_eq!((&*step.name, step.kind.name()), ("orders_pkey", "key"));
    let made = orders(endpoint.as_ref(), false);
    assert!(
        made.design.statement.contains("PRIMARY KEY (\"id\")"),
        "{made:?}"
    );
    assert_eq!(made.key(), None);
}

#[test]
fn loads_go_without_the_key_and_its_step_builds_it_once() {
    let (database, mut endpoint) = fresh("");
    let made = orders(endpoint.as_ref(), true);
    let mut writer = created(endpoint.as_mut(), &made);
    for batch in 1..3 {
        let one = [record(batch as i64, Some("a"))];
        let applied = given(true, batch).apply_as(&made.design.schema, writer.as_mut(), &one);
        assert!(applied.unwrap().durable);
    }
    assert_eq!(database.sql(KEYS).unwrap(), "");
    let step = made.key().unwrap();
    assert_eq!(writer.build(step).unwrap(), Built::Done);
    assert_eq!(writer.build(step).unwrap(), Built::There);
    assert_eq!(database.sql(KEYS).unwrap(), "orders_pkey PRIMARY KEY (id)");
}

#[test]
fn what_is_no_load_is_written_by_the_key() {
    let (database, mut endpoint) = fresh("");
    let made = orders(endpoint.as_ref(), true);
    let schema = &made.design.schema;
    let mut writer = created(endpoint.as_mut(), &made);
    let two = [record(1, Some("a")), record(2, Some("b"))];
    given(true, 1)
        .apply_as(schema, writer.as_mut(), &two)
        .unwrap();
    // The same batch again, as after a lost answer.
    given(false, 2)
        .apply_as(schema, writer.as_mut(), &two)
        .unwrap();
    assert_eq!(database.sql(KEYS).unwrap(), "orders_pkey PRIMARY KEY (id)");
    assert_eq!(database.sql("SELECT count(*) FROM orders").unwrap(), "2");
    // What the writer knew of the table is no longer so.
    given(true, 3)
        .apply_as(schema, writer.as_mut(), &two)
        .unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM orders").unwrap(), "2");
}

#[test]
fn a_load_with_a_refused_record_gets_the_key_and_goes_on() {
    let (database, mut endpoint) = fresh("");
    let made = orders(endpoint.as_ref(), true);
    let schema = &made.design.schema;
    let mut writer = created(endpoint.as_mut(), &made);
    let some = [record(1, Some("a")), record(2, None), record(3, Some("c"))];
    let applied = given(true, 1).apply_as(schema, writer.as_mut(), &some);
    let outcomes = applied.unwrap().outcomes;
    let outcomes: Vec<String> = outcomes.iter().map(|one| format!("{one:?}")).collect();
    assert_eq!([&*outcomes[0], &*outcomes[2]], [APPLIED; 2]);
    assert!(outcomes[1].starts_with("Rejected"), "{outcomes:?}");
    assert_eq!(database.sql(KEYS).unwrap(), "orders_pkey PRIMARY KEY (id)");
    let marker = "SELECT batch FROM trueup.marker";
    assert_eq!(
        database.sql(marker).unwrap(),
        "1",
        "one transaction, one batch"
    );
    assert_eq!(
        database
            .sql("SELECT string_agg(id::text, ' ') FROM orders")
            .unwrap(),
        "1 3"
    );
}

#[test]
fn a_table_without_a_key_that_is_not_under_construction_gets_none() -> Result<()> {
    let (database, mut endpoint) =
        fresh("CREATE TABLE orders (id bigint NOT NULL, note text NOT NULL)");
    let made = orders(endpoint.as_ref(), true);
    let mut writer = endpoint.writer(&claim())?;
    let error = writer.create(&made.design).unwrap_err();
    assert_eq!(error.kind(), Kind::Config, "{error}");
    let one = [record(1, Some("a"))];
    for load in [true, false] {
        given(load, 1).apply_as(&made.design.schema, writer.as_mut(), &one)?;
        assert_eq!(database.sql(KEYS).unwrap(), "");
    }
    Ok(())
}

#[test]
fn a_key_that_records_share_is_refused_without_their_values() {
    let (database, mut endpoint) = fresh("");
    let made = orders(endpoint.as_ref(), true);
    let mut writer = created(endpoint.as_mut(), &made);
    database
        .sql("INSERT INTO orders VALUES (4711, 'a'), (4711, 'b')")
        .unwrap();
    let step = made.key().unwrap();
    let Built::Refused { reason, hint } = writer.build(step).unwrap() else {
        panic!("the key cannot be built");
    };
    assert!(!reason.contains("4711") && hint.is_some(), "{reason}");
    let one = [record(1, Some("a"))];
    let refused = given(false, 1).apply_as(&made.design.schema, writer.as_mut(), &one);
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), Kind::Rejected);
    assert!(
        error.advice().is_some() && !error.to_string().contains("4711"),
        "{error}"
    );
}
