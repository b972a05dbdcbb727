//! Types guessed from values, and values in the class that is wanted.

use super::{Folder, read};
use trueup_core::types::Type;
use trueup_testkit::owned::Owned;

/// The type of a field with these values.
fn ty(values: &str) -> String {
    let lines: String = values
        .split('|')
        .map(|value| match value {
            "MISSING" => "{\"id\":1}\n".to_owned(),
            value => format!("{{\"id\":1,\"v\":{value}}}\n"),
        })
        .collect();
    let folder = Folder::with("x.jsonl", lines);
    let schema = folder.open("").schema("x").unwrap().unwrap();
    let field = &schema.fields[1];
    assert!(field.inferred && field.native == "jsonl:value");
    let null = if field.nullable { "?" } else { "" };
    format!("{}{null}", field.ty)
}

#[test]
fn a_type_is_what_every_value_fits_exactly() {
    for (values, expected) in [
        ("1|-5|9223372036854775807", "int64"),
        ("-0", "int64"),
        ("1|null", "int64?"),
        ("1|MISSING", "int64?"),
        ("9223372036854775808", "decimal"),
        ("1.50|2", "decimal"),
        ("1e5|2|0.25", "float64"),
        ("1e5|123456789012345678", "decimal"),
        ("1e400", "decimal"),
        ("1e999999", "json"),
        ("true|false", "bool"),
        ("true|1", "json"),
        ("1|\"1\"", "json"),
        ("\"1\"|\"2\"", "text"),
        ("\"true\"", "text"),
        ("\"2024-02-29\"", "date"),
        ("\"2024-02-29\"|1", "json"),
        ("\"2024-01-01T00:00:00Z\"", "instant"),
        ("\"2024-01-01 00:00:00\"", "timestamp"),
        ("\"f47ac10b-58cc-4372-a567-0e02b2c3d479\"", "uuid"),
        ("\"2024-02-30\"", "text"),
        ("\"\"|\"2024-02-29\"", "text"),
        ("[1]|{}", "json"),
        ("\"a\"|[1]", "json"),
        ("null", "text?"),
    ] {
        assert_eq!(ty(values), expected, "{values}");
    }
}

#[test]
fn fields_are_the_union_of_members() {
    let content = "{\"b\":1,\"a\":2}\n{\"c\":3}\n{\"a\":4,\"d\":5,\"b\":6}\n";
    let folder = Folder::with("x.ndjson", content);
    let mut endpoint = folder.open("?key=a");
    assert_eq!(endpoint.collections().unwrap(), ["x"]);
    let schema = endpoint.schema("x").unwrap().unwrap();
    let names: Vec<&str> = schema.fields.iter().map(|f| f.name.as_str()).collect();
    assert_eq!((names, schema.key), (vec!["b", "a", "c", "d"], vec![1]));
    let rows = read(endpoint.as_mut(), "x", None).unwrap();
    let null = Owned::Null;
    assert_eq!(rows[1], [null.clone(), null.clone(), Owned::Int(3), null]);
}

#[test]
fn a_value_comes_in_the_class_that_is_wanted() {
    let folder = Folder::with("x.jsonl", "{\"v\":\"a b\",\"n\":0.10,\"o\":[ 1 ]}\n");
    let read = |wanted| read(folder.open("").as_mut(), "x", Some(&[wanted; 3])).unwrap();
    let json = |text: &str| Owned::Json(text.to_owned());
    assert_eq!(
        read(Type::Json),
        [[json("\"a b\""), json("0.10"), json("[ 1 ]")]]
    );
    assert_eq!(
        read(Type::TEXT),
        [["a b".into(), Owned::decimal("0.10"), json("[ 1 ]")]]
    );
    assert_eq!(read(Type::FLOAT)[0][1], "0.10".into());
    assert_eq!(read(Type::Any)[0][1], 0.1.into());
}

#[test]
fn declared_types_are_declared() {
    let folder = Folder::with("x.jsonl", "{\"id\":1,\"day\":\"2024-01-01\"}\n");
    let mut endpoint = folder.open("x.jsonl?types=day:text&key=id");
    let schema = endpoint.schema("x").unwrap().unwrap();
    assert_eq!(
        (schema.fields[1].ty, schema.fields[1].inferred),
        (Type::TEXT, false)
    );
    let error = folder.open("x.jsonl?key=no").schema("x").unwrap_err();
    assert!(error.message().contains("there is no field=no"), "{error}");
}

#[test]
fn a_declared_type_leaves_a_field_nullable_unless_it_is_of_the_key() {
    let folder = Folder::with("x.jsonl", "{\"id\":1,\"v\":2}\n");
    let schema = folder.open("?key=id&types=id:int,v:int").schema("x");
    let schema = schema.unwrap().unwrap();
    let nullable: Vec<bool> = schema.fields.iter().map(|field| field.nullable).collect();
    assert_eq!(nullable, [false, true]);
}
