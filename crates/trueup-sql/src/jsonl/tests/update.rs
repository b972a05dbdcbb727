//! Creating, loading and updating files.

use super::{Folder, claim, write};
use trueup_core::Kind;
use trueup_core::endpoint::{Context, Op, Outcome};
use trueup_core::schema::{Field, Schema};
use trueup_core::types::Type;
use trueup_core::value::Value::{self, Bytes, Date, Decimal, Float, Int, Json, Null, Text};

fn wanted(fields: &[(&str, Type)]) -> Schema {
    let field = |&(name, ty): &(&str, Type)| Field::new(name, ty, "other:type");
    Schema {
        collection: "x".to_owned(),
        fields: fields.iter().map(field).collect(),
        key: vec![0],
        ..Schema::default()
    }
}

#[test]
fn updates_touch_only_what_they_name() {
    let old = "{\"id\": 1, \"name\": \"a\"}\r\n{\"note\":[ 1 ],\"id\":2}\r\n{\"id\":3,\"name\":\"c\"}\r\n";
    let folder = Folder::with("x.jsonl", old);
    let mut endpoint = folder.open("?key=id");
    let schema = endpoint.schema("x").unwrap().unwrap();
    let records: [(Op, &[Value<'_>]); 4] = [
        (Op::Update, &[Int(2), Text("b\"")]),
        (Op::Delete, &[Int(3), Null]),
        (Op::Insert, &[Int(4), Null]),
        (Op::Update, &[Int(9), Text("new")]),
    ];
    write(endpoint.as_mut(), &schema, &["id", "name"], &records, false).unwrap();
    assert_eq!(
        folder.get("x.jsonl"),
        "{\"id\": 1, \"name\": \"a\"}\r\n{\"id\":2,\"name\":\"b\\\"\",\"note\":[ 1 ]}\r\n\
         {\"id\":4,\"name\":null,\"note\":null}\r\n{\"id\":9,\"name\":\"new\",\"note\":null}\r\n"
    );
}

#[test]
fn keys_are_compared_by_meaning() {
    let old = "{\"id\":1.0,\"v\":1}\n{\"id\":\"2\",\"v\":2}\n{\"id\":3,\"v\":3}\n";
    let folder = Folder::with("x.jsonl", old);
    let mut endpoint = folder.open("?key=id");
    let schema = endpoint.schema("x").unwrap().unwrap();
    let records: [(Op, &[Value<'_>]); 3] = [
        (Op::Update, &[Int(1), Int(10)]),
        (Op::Update, &[Int(2), Int(20)]),
        (Op::Delete, &[Int(3), Null]),
    ];
    write(endpoint.as_mut(), &schema, &["id", "v"], &records, false).unwrap();
    assert_eq!(
        folder.get("x.jsonl"),
        "{\"id\":1,\"v\":10}\n{\"id\":2,\"v\":20}\n"
    );
}

#[test]
fn a_missing_file_is_created_and_loaded() {
    let folder = Folder::new();
    let mut endpoint = folder.open("deep/x.jsonl?key=id");
    assert_eq!(endpoint.schema("x").unwrap(), None);
    let fields = [
        ("id", Type::INT),
        ("b", Type::BYTES),
        ("f", Type::FLOAT),
        ("d", Type::Date),
        ("n", Type::DECIMAL),
        ("j", Type::Json),
    ];
    let names = fields.map(|(name, _)| name);
    let design = endpoint.design(&wanted(&fields)).unwrap();
    claim(endpoint.as_mut()).create(&design).unwrap();
    assert_eq!(folder.get("deep/x.jsonl"), "");
    assert_eq!(endpoint.schema("x").unwrap().as_ref(), Some(&design.schema));
    let values = [
        Int(1),
        Bytes(b"\0\xff"),
        Float(5.0),
        Date(0),
        Decimal("007.50"),
        Json("[1, 2]"),
    ];
    let records: [(Op, &[Value<'_>]); 2] = [
        (Op::Insert, &values),
        (
            Op::Insert,
            &[Int(2), Null, Float(f64::NAN), Null, Null, Null],
        ),
    ];
    let applied = write(endpoint.as_mut(), &design.schema, &names, &records, true).unwrap();
    let rejected = Outcome::Rejected {
        reason: "JSON has no NaN and no infinity field=f".to_owned(),
        blocked: false,
    };
    assert_eq!(applied.outcomes, [Outcome::Applied(None), rejected]);
    assert_eq!(
        folder.get("deep/x.jsonl"),
        "{\"id\":1,\"b\":\"\\\\x00ff\",\"f\":5.0,\"d\":\"1970-01-01\",\"n\":7.50,\"j\":[1,2]}\n"
    );
}

#[test]
fn a_file_without_records_takes_any_shape_and_one_with_some_does_not() {
    let folder = Folder::with("x.jsonl", "");
    let mut endpoint = folder.open("?key=id");
    assert_eq!(endpoint.schema("x").unwrap().unwrap().fields, []);
    let design = endpoint.design(&wanted(&[("id", Type::INT)])).unwrap();
    claim(endpoint.as_mut()).create(&design).unwrap();
    let folder = Folder::with("x.jsonl", "{\"other\":1}\n");
    let mut endpoint = folder.open("");
    let error = claim(endpoint.as_mut()).create(&design).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert_eq!(folder.get("x.jsonl"), "{\"other\":1}\n");
}

#[test]
fn a_member_that_appeared_since_the_shape_was_read_is_stale() {
    let folder = Folder::with("x.jsonl", "{\"id\":1}\n");
    let mut endpoint = folder.open("");
    let schema = endpoint.schema("x").unwrap().unwrap();
    std::fs::write(folder.path("x.jsonl"), "{\"id\":1,\"new\":2}\n").unwrap();
    let mut snapshot = endpoint.snapshot().unwrap();
    let request = trueup_core::endpoint::ScanRequest {
        schema: &schema,
        fields: &[0],
        wanted: &[],
        order: trueup_core::endpoint::Order::Natural,
        after: None,
        sieve: &[],
        batch_records_max: 10,
        batch_bytes_max: 100,
    };
    let mut scan = snapshot.scan(&request).unwrap();
    let error = scan
        .next(&mut trueup_core::batch::Batch::new(1))
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Stale, "{error}");
}

#[test]
fn two_files_of_one_name_are_refused() {
    let folder = Folder::with("x.jsonl", "{\"id\":1}\n");
    std::fs::write(folder.path("x.ndjson"), "{\"id\":1}\n").unwrap();
    let error = folder.open("").collections().unwrap_err();
    assert!(
        error.message().contains("two files are one collection"),
        "{error}"
    );
}

#[test]
fn wrong_options_are_refused() {
    for (address, message) in [
        (
            "jsonl:x?delimiter=;",
            "unknown option for jsonl option=delimiter",
        ),
        (
            "jsonl:x.jsonl?name=y",
            "a file's collection is called like the file",
        ),
        ("jsonl:-?name=", "a collection cannot have this name"),
        (
            "jsonl:x?max_bytes=many",
            "no number in its range option=max_bytes",
        ),
        (
            "jsonl:x?window_log_max=40",
            "no number in its range option=window_log_max",
        ),
        ("jsonl:", "address names no file"),
    ] {
        let error = crate::jsonl::connect(address, &[], Context::empty())
            .err()
            .unwrap();
        assert_eq!(error.kind(), Kind::Config, "{address}");
        assert!(error.message().contains(message), "{address}: {error}");
    }
}
