use super::*;

#[test]
fn a_line_is_an_object_with_what_applies() {
    let entry = Entry {
        event: "progress",
        collection: Some("a\n\u{1b}[31m"),
        step: Some("compare"),
        records: Some(7),
        total: Some(9),
        ..Entry::default()
    };
    assert_eq!(
        json(&entry, Some("a -> b"), 1_700_000_000_123),
        "{\"ts\":\"2023-11-14T22:13:20.123Z\",\"level\":\"info\",\"event\":\"progress\",\
         \"collection\":\"a\\n\\u001b[31m\",\"step\":\"compare\",\"records\":7,\"total\":9,\"link\":\"a -> b\"}"
    );
    let entry = Entry {
        level: Level::Error,
        event: "error",
        kind: Some("config"),
        message: Some("no"),
        hint: Some("yes"),
        ..Entry::default()
    };
    assert_eq!(
        json(&entry, None, 0),
        "{\"ts\":\"1970-01-01T00:00:00.000Z\",\"level\":\"error\",\"event\":\"error\",\"kind\":\"config\",\
         \"message\":\"no\",\"hint\":\"yes\"}"
    );
}
