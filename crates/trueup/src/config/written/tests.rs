use super::super::parse;
use super::*;
use std::path::Path;

/// However a string is spelled, each of its bytes stands somewhere.
#[test]
fn places_in_strings_are_found() {
    let marked = |raw: &str, at: usize| spelled(raw, at).map(|place| raw[place..].to_owned());
    for (raw, at, rest) in [
        (r#""a > b""#, 4, "b\""),
        ("'a > b'", 4, "b'"),
        (r#""a \"x\" b""#, 6, r#"b""#),
        (r#""\u00e4 b""#, 3, "b\""),
        (r#""\U0001F6E9 b""#, 5, "b\""),
        (r#""\x41 b""#, 2, "b\""),
        ("'a\\b c'", 4, "c'"),
        ("\"\"\"\na\nb\"\"\"", 2, "b\"\"\""),
        ("\"\"\"a \\\n   b\"\"\"", 2, "b\"\"\""),
        ("'''\r\na'''", 0, "a'''"),
        (r#""ab""#, 2, "\""),
    ] {
        assert_eq!(marked(raw, at).as_deref(), Some(rest), "{raw}");
    }
    for (raw, at) in [
        ("", 0),
        ("x", 1),
        ("\"ab\"", 9),
        ("\"\\u12", 1),
        ("'ä'", 1),
        ("\"\\", 1),
    ] {
        assert_eq!(spelled(raw, at), None, "{raw}");
    }
}

const FILE: &str = r#"
[endpoint.a]
url = "sqlite:a.db"

[endpoint.b]
url = "sqlite:b.db"

[link.one]
source = "a"
target = "b"
collections = [
  { source = "t", where = "qty > \"x\"" },
  { source = "u", where = "qty > \"x\"", fields = { n = 'nam + "x"' } },
]

[link.both]
source = "a"
target = "b"
direction = "both"
on_conflict = "cel:  source.id >"
collections = [{ source = "t", on_conflict_fields = { n = "cel:source_value ++ 1" } }]
"#;

fn told(link: &str, place: &str, text: &str, at: usize) -> String {
    let links: Vec<&str> = FILE.split("\n[link.").collect();
    // Two links between the same places are another mistake.
    let one = links.iter().find(|part| part.starts_with(link)).unwrap();
    let file = format!("{}\n[link.{one}", links[0]);
    let config = parse(&file, Path::new("trueup.toml"), &|_| None).unwrap();
    let error = Error::config("long").hint("do this").passage(Passage {
        text: text.to_owned(),
        at,
        what: "no such field".to_owned(),
    });
    let error = config.point(config.link(link).unwrap(), error.at(place));
    error.message().to_owned()
}

#[test]
fn a_mistake_in_an_expression_is_drawn_at_its_place() {
    let line = r#"13 |   { source = "u", where = "qty > \"x\"", fields = { n = 'nam + "x"' } },"#;
    let line = format!("\n{line}\n   | {}^^^ no such field\n", " ".repeat(57));
    let message = told("one", "collection=u field=n", "nam + \"x\"", 0);
    assert!(
        message.starts_with("there is a mistake in file=trueup.toml\n"),
        "{message}"
    );
    assert!(message.contains(&line), "{message}");
    assert!(message.ends_with("= help: do this"), "{message}");
    // The same text at two places: the collection tells which.
    for (place, number) in [
        ("collection=t", "12 |"),
        ("collection=u", "13 |"),
        ("target", "12 |"),
    ] {
        let message = told("one", place, "qty > \"x\"", 6);
        assert!(
            message.contains(&format!("\n{number}")),
            "{place}: {message}"
        );
        // A quote is spelled with a backslash before it.
        assert!(message.contains(" ^^ no such field"), "{message}");
    }
    // Something is missing at the end.
    let message = told("both", "", "source.id >", 11);
    let line = r#"12 | on_conflict = "cel:  source.id >""#;
    let line = format!("\n{line}\n   | {}^ no such field\n", " ".repeat(32));
    assert!(message.contains(&line), "{message}");
    let message = told("both", "", "source_value ++ 1", 14);
    assert!(message.contains(" ^ no such field"), "{message}");
    assert_eq!(
        told("one", "collection=t", "other", 0),
        "collection=t: long",
        "not from the file"
    );
}
