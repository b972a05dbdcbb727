use super::*;
use serde_json::json;

fn names() -> Vec<String> {
    ["id", "name", "note"].map(str::to_owned).to_vec()
}

#[test]
fn a_record_has_exactly_the_fields_of_the_collection_in_their_order() {
    let read = parse(br#"{"note":null, "name":"Ann", "id":5}"#, &names()).unwrap();
    let expected = [
        ("id".to_owned(), json!(5)),
        ("name".to_owned(), json!("Ann")),
        ("note".to_owned(), Value::Null),
    ];
    assert_eq!(read, expected);
}

#[test]
fn what_is_no_record_is_named_and_no_value_is_shown() {
    for (text, expected) in [
        (r#"{"id":5,"note":null}"#, "the record lacks fields: name"),
        ("{}", "the record lacks fields: id, name, note"),
        (
            r#"{"id":5,"name":"canary","note":1,"extra":2,"more":"canary"}"#,
            "the record has fields that the collection does not have: extra, more",
        ),
        (
            r#"{"id":5,"name":"canary","note":1,"id":6}"#,
            "the record has fields twice: id",
        ),
        (
            "\"canary\"",
            "the record is no JSON object: line=1 column=8",
        ),
        ("[1]", "the record is no JSON object: line=1 column=0"),
        ("", "the record is no JSON object: line=1 column=0"),
        (
            "{\"id\":5} canary",
            "the record is no JSON object: line=1 column=10",
        ),
        (
            "{\"id\":\ncanary}",
            "the record is no JSON object: line=2 column=1",
        ),
    ] {
        let error = parse(text.as_bytes(), &names()).unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert_eq!(error.message(), expected, "{text}");
        let all = format!("{error:?} {:?}", error.advice());
        assert!(!all.contains("canary"), "{all}");
    }
}

#[test]
fn what_was_not_read_exactly_is_refused() {
    for (value, exact) in [
        ("0.1", true),
        ("-0.0", true),
        ("1e3", true),
        ("18446744073709551615", true),
        ("18446744073709551617", false),
        ("0.30000000000000000001", false),
        ("\"0.30000000000000000001\"", true),
        (r#"{"a":[1,{"b":2}]}"#, true),
        (r#"{"a":1,"a":2}"#, false),
        (r#""\u00e9 \ud83d\ude00""#, true),
    ] {
        let text = format!(r#"{{"id":{value},"name":"","note":null}}"#);
        assert_eq!(parse(text.as_bytes(), &names()).is_ok(), exact, "{value}");
    }
}

#[test]
fn a_long_list_of_names_is_cut() {
    let names: Vec<String> = (0..20).map(|index| format!("f{index}")).collect();
    let error = parse(b"{}", &names).unwrap_err();
    assert!(error.message().ends_with("f8, f9, ..."), "{error}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = read(Path::new("/does/not/exist.json"), &names()).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert_eq!(
        error.message(),
        "file=/does/not/exist.json: cannot read the record"
    );
}
