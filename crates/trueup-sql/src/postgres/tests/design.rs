//! Creating collections: types, names, shapes.

use super::*;
use trueup_core::Kind;
use trueup_core::schema::Field;
use trueup_core::sieve::Sieve;

fn wanted(collection: &str, fields: &[(&str, Type, &str)]) -> Schema {
    Schema {
        collection: collection.to_owned(),
        fields: fields
            .iter()
            .map(|(name, ty, native)| Field::new(*name, *ty, *native))
            .collect(),
        key: vec![0],
        ..Schema::default()
    }
}

/// Our types, and what fields of them are created as.
const CREATED: &[(Type, &str)] = &[
    (Type::Any, "text"),
    (Type::Bool, "boolean"),
    (
        Type::Int {
            bits: 8,
            signed: false,
        },
        "smallint",
    ),
    (
        Type::Int {
            bits: 16,
            signed: false,
        },
        "integer",
    ),
    (
        Type::Int {
            bits: 32,
            signed: false,
        },
        "bigint",
    ),
    (
        Type::Int {
            bits: 64,
            signed: false,
        },
        "numeric(20,0)",
    ),
    (Type::Float { bits: 32 }, "real"),
    (Type::FLOAT, "double precision"),
    (Type::DECIMAL, "numeric"),
    (
        Type::Decimal {
            size: Some((10, 2)),
        },
        "numeric(10,2)",
    ),
    (Type::Decimal { size: Some((5, 9)) }, "numeric"),
    (Type::Text { chars_max: Some(7) }, "character varying(7)"),
    (Type::TEXT, "text"),
    (Type::BYTES, "bytea"),
    (Type::Date, "date"),
    (Type::Time, "time without time zone"),
    (Type::Timestamp, "timestamp without time zone"),
    (Type::Instant, "timestamp with time zone"),
    (Type::Uuid, "uuid"),
    (Type::Json, "json"),
];

#[test]
fn core_types_are_created_as_types_that_hold_them() {
    let (_database, mut endpoint) = fresh("");
    let names = (0..CREATED.len())
        .map(|n| format!("f{n}"))
        .collect::<Vec<_>>();
    let mut fields = vec![("id", Type::INT, "sqlite:INTEGER")];
    fields.extend(
        names
            .iter()
            .zip(CREATED)
            .map(|(name, (ty, _))| (name.as_str(), *ty, "sqlite:x")),
    );
    let mut wanted = wanted("t", &fields);
    wanted.uniques = vec![vec![2, 3]];
    let design = endpoint.design(&wanted).unwrap();
    let mut writer = endpoint.writer(&claim()).unwrap();
    for _ in 0..2 {
        writer.create(&design).unwrap();
    }
    let found = schema(endpoint.as_mut(), "t");
    for (field, (_, native)) in found.fields.iter().skip(1).zip(CREATED) {
        assert_eq!(field.native, format!("postgres:{native}"));
    }
    // How far the server compares as we do is known of what is there.
    let mut there = found.fields;
    there
        .iter_mut()
        .for_each(|field| field.sieve = Sieve::default());
    assert_eq!(there, design.schema.fields);
    assert_eq!((found.key, found.uniques), (vec![0], vec![vec![2, 3]]));
    assert!(design.schema.notes[0].contains("field=f0"));
    // The same name in another shape is refused.
    let mut other = design.clone();
    other.schema.fields[1].ty = Type::Date;
    let error = writer.create(&other).unwrap_err();
    assert!(error.kind() == Kind::Config && error.message().contains("f0"));
}

#[test]
fn native_types_are_used_where_the_server_knows_them() {
    let (_database, endpoint) = fresh("CREATE TYPE mood AS ENUM ('ok')");
    for (native, expected) in [
        ("postgres:mood", "mood"),
        ("postgres:interval", "interval"),
        ("postgres:character(3)", "character(3)"),
        ("postgres:integer[]", "integer[]"),
        ("postgres:nothing_like_it", "text"),
        ("postgres:int); DROP TABLE t", "text"),
        ("postgres:text -- ", "text"),
        ("postgres:text NOT NULL", "text"),
        ("mysql:mood", "text"),
    ] {
        let design = endpoint
            .design(&wanted(
                "t",
                &[("id", Type::INT, ""), ("v", Type::TEXT, native)],
            ))
            .unwrap();
        assert_eq!(
            design.schema.fields[1].native,
            format!("postgres:{expected}"),
            "{native}"
        );
    }
}

#[test]
fn trap_59_names_that_the_server_would_cut_or_refuse_are_refused() {
    let (_database, endpoint) = fresh("");
    let long = "é".repeat(32);
    for (collection, field) in [
        ("t", long.as_str()),
        (long.as_str(), "id"),
        ("t", "a\0b"),
        ("t", ""),
        ("no_such.t", "id"),
        ("trueup.t", "id"),
    ] {
        let error = endpoint
            .design(&wanted(collection, &[(field, Type::INT, "")]))
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Config, "{collection} {field}");
    }
    let error = endpoint
        .design(&wanted("t", &[("j", Type::Json, "")]))
        .unwrap_err();
    assert!(error.message().contains("field=j"));
}

#[test]
fn trap_59_hostile_names_are_quoted_everywhere() {
    let (database, mut endpoint) = fresh("CREATE TABLE bystander (id int)");
    for name in [
        "a\"; DROP TABLE bystander; --",
        "select",
        "Ünïcode 🦀",
        "with space",
        "$1",
        "a\\b'c",
        "\n\t",
        "dot.ted",
    ] {
        let design = match name {
            // A dot names a schema; a table with one can be used, but not created.
            "dot.ted" => {
                database.sql("CREATE TABLE \"dot.ted\" (\"dot.ted\" int PRIMARY KEY, \"dot.ted.v\" text)").unwrap();
                None
            }
            _ => Some(
                endpoint
                    .design(&wanted(
                        name,
                        &[(name, Type::INT, ""), ("v", Type::TEXT, "")],
                    ))
                    .unwrap(),
            ),
        };
        let value = if name == "dot.ted" { "dot.ted.v" } else { "v" };
        let mut writer = endpoint.writer(&claim()).unwrap();
        if let Some(design) = design {
            writer.create(&design).unwrap();
        }
        drop(writer);
        let fields = [name, value];
        for load in [true, false] {
            let given = Given {
                load,
                ..Given::new(name, &fields)
            };
            assert_eq!(
                given.outcomes(
                    endpoint.as_mut(),
                    &[(Op::Insert, vec![Value::Int(1), Value::Text("x")])]
                ),
                [APPLIED]
            );
        }
        assert_eq!(
            shown(&scan(endpoint.as_mut(), name).0),
            ["Int(1) Text(\"x\")"],
            "{name}"
        );
        assert!(endpoint.collections().unwrap().contains(&name.to_owned()));
    }
    assert_eq!(
        database
            .sql("SELECT to_regclass('bystander') IS NOT NULL")
            .unwrap(),
        "t"
    );
}

#[test]
fn a_second_statement_is_never_run() {
    let (_database, mut endpoint) = fresh("CREATE TABLE t (id int PRIMARY KEY)");
    let mut writer = endpoint.writer(&claim()).unwrap();
    let step = trueup_core::structure::Step {
        kind: trueup_core::structure::StepKind::Check,
        collection: "t".to_owned(),
        name: "c".to_owned(),
        statement: "ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0); DROP TABLE t".to_owned(),
    };
    // Refused for this step alone, or for all: but not run.
    drop(writer.build(&step));
    let design = trueup_core::endpoint::Design {
        schema: wanted("u", &[("id", Type::INT, "")]),
        statement: "CREATE TABLE u (id int); DROP TABLE t".to_owned(),
    };
    writer.create(&design).unwrap_err();
    drop(writer);
    assert!(endpoint.schema("t").unwrap().is_some());
    assert!(endpoint.schema("u").unwrap().is_none());
}
