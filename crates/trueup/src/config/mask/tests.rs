use super::*;

/// Compares texts with what is shown of them.
fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(mask(text).text, *expected, "{text}");
    }
}

#[test]
fn secrets_are_hidden() {
    check(&[
        // Passwords of endpoints.
        ("password = \"s3\"", "password = \"***\""),
        ("password='s3'", "password='***'"),
        ("password = \"env:S3\"", "password = \"env:S3\""),
        ("password = \"file:s3\"", "password = \"file:s3\""),
        ("password = \"${S3}\"", "password = \"${S3}\""),
        ("password = \"${S3:-s3}\"", "password = \"***\""),
        ("\"password\" = \"s3\"", "\"password\" = \"***\""),
        ("password = 53", "password = ***"),
        ("password = s3", "password = ***"),
        ("password = \"s3", "password = \"***"),
        ("password = \"s3\"4\"", "password = \"***"),
        ("password = [\"s3\"]", "password = ***"),
        ("password = [\n  \"s3\",\n]", "password = ***\n  ***\n***"),
        (
            "password = \"\"\"\ns3\n[link.a]\ns4\"\"\" # s5\nurl = \"a\"",
            "password = ***\n***\n***\n***\nurl = \"a\"",
        ),
        // What may be meant to be one.
        ("pasword = \"s3\"", "pasword = \"***\""),
        ("secret = \"s3\"", "secret = \"***\""),
        ("[link.a]\nPASSWD = \"s3\"", "[link.a]\nPASSWD = \"***\""),
        (
            "[endpoint]\na = { url = \"sqlite:x\", pw = \"s3\" }",
            "[endpoint]\na = { url = \"sqlite:x\", pw = \"***\" }",
        ),
        ("[endpoint.a] # s3\ns4", "[endpoint.a] # s3\n***"),
        ("url = \"sqlite:x\" # s3", "url = \"sqlite:x\" #***"),
    ]);
}

#[test]
fn passwords_in_addresses_are_hidden() {
    check(&[
        (
            "url = \"postgres://app:s3@db/shop\"",
            "url = \"postgres://app:***@db/shop\"",
        ),
        (
            "url = \"postgres://app:s@3/x@db/shop\"",
            "url = \"postgres://app:***@db/shop\"",
        ),
        (
            "url = \"postgres://app:${PW}@db/shop\"",
            "url = \"postgres://app:${PW}@db/shop\"",
        ),
        ("url = \"postgres://app:s3\"", "url = \"postgres://app:***"),
        ("url = \"postgres//app:s3\"", "url = \"postgres//app:***"),
        ("url = \"postgres:app:s3\"", "url = \"postgres:app:***"),
        (
            "url = \"postgres//app:s3@db\"",
            "url = \"postgres//app:***@db\"",
        ),
        ("url = \"sqlite:${A:-b}.db\"", "url = \"sqlite:${A:-b}.db\""),
        (
            "url = \"postgres://app:${A:-s3}@db\"",
            "url = \"postgres://app:***@db\"",
        ),
        (
            "url = \"postgres://app@db:5432/shop\"",
            "url = \"postgres://app@db:5432/shop\"",
        ),
        (
            "url = \"postgres://db:5432/shop\"",
            "url = \"postgres://db:5432/shop\"",
        ),
        (
            "url = \"postgres://db/shop?password=s3&sslmode=require\"",
            "url = \"postgres://db/shop?password=***",
        ),
        (
            "url = \"postgres://db/shop?password=env:S3\"",
            "url = \"postgres://db/shop?password=env:S3\"",
        ),
        (
            "[link.a]\n# postgres://app:s3@db/shop",
            "[link.a]\n# postgres://app:***@db/shop",
        ),
        // What is none.
        ("state = \"a.db\"", "state = \"a.db\""),
        (
            "[link.a]\nsource = \"b\" # c\nkey = [\n  \"d\",\n]",
            "[link.a]\nsource = \"b\" # c\nkey = [\n  \"d\",\n]",
        ),
    ]);
}

#[test]
fn places_move_with_the_text() {
    let text = "password = \"secret\"\nurl = \"postgres://a:bcdef@h\" y";
    let masked = mask(text);
    for (part, expected) in [
        ("password", "password"),
        ("\"secret\"", "\"***\""),
        ("secret", "***"),
        ("ecre", "***"),
        ("url", "url"),
        ("bcdef", "***"),
        ("@h", "@h"),
        ("postgres://a:bcdef@h", "postgres://a:***@h"),
    ] {
        let start = text.find(part).unwrap();
        let moved = masked.span(&(start..start + part.len()));
        assert_eq!(&masked.text[moved], expected, "{part}");
    }
    let end = masked.span(&(text.len()..text.len() + 7));
    assert_eq!(end, masked.text.len()..masked.text.len());
}
